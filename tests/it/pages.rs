//! A page of a run holds what its tables say, nothing that a file could smuggle into it, and all that it needs.

use super::support::{Sandbox, column, table};
use std::fmt::Write;

/// Bytes that a page of fifty cells may have.
const MOST_BYTES: usize = 3_000_000;

#[test]
fn report_holds_what_was_asked_what_came_out_and_what_it_cost_in_this_order() {
    let sandbox = Sandbox::new();
    sandbox.copy("experiments/tutorial", "runs/tutorial");
    let printed = sandbox.flowqcd(&["report", "runs/tutorial"]).succeeds().stdout;
    assert_eq!(printed, "runs/tutorial/report.html\n");
    let page = sandbox.read("runs/tutorial/report.html");
    let order = [
        "<h1>tutorial</h1>",
        "Real scalar field φ⁴ on 8 × 8, m² = −4, λ = 8, in the convention albergo",
        ">What was asked</h2>",
        "16 affine couplings, networks with K = 3 and hidden widths [8, 8], from unit normals",
        "convention = &quot;albergo&quot;",
        ">Warnings</h2>",
        ">What came out</h2>",
        ">Figures</h2>",
        "id=\"figure-training_ess\"",
        ">Costs</h2>",
        ">Environment</h2>",
        "f5af2b75d7fca27aecc7eb26225c86c04d16a627",
        ">How to repeat it</h2>",
        "flowqcd run runs/tutorial/spec.toml --out runs/tutorial-again --device cpu",
        "Copyright (c) 2022 Leon Sorokin",
    ];
    let mut rest = page.as_str();
    for text in order {
        let place = rest.find(text).unwrap_or_else(|| panic!("no {text:?} after what comes before it"));
        rest = &rest[place..];
    }

    // Every value of every table of observables and costs, with all its digits.
    for (file, columns) in [
        ("observables.csv", ["value", "exact"]),
        ("cost.csv", ["ess_per_configuration", "effective_samples_per_s"]),
    ] {
        let text = sandbox.read(&format!("runs/tutorial/{file}"));
        for name in columns {
            for value in column(&text, name).into_iter().filter(|value| value.is_finite()) {
                assert!(page.contains(&format!("data-value=\"{value}\"")), "{file}: {name} = {value}");
            }
        }
    }
    assert!(page.contains("0.12305 ± 0.00018"), "a value has as many digits as its error");
    assert_eq!(
        page.matches("<div class=\"still\" role=\"img\"").count(),
        2,
        "figures for those without a script"
    );
    assert_eq!(page.matches("<svg width=\"800\"").count(), 2);
    let never = "Never is direct sampling from the flow cheaper than HMC: an independent configuration takes it 15.7 µs, HMC 4.47 µs \
                 (chi_2), and training took 74.5 s before.";
    assert!(page.contains(never));
}

#[test]
fn report_needs_nothing_but_itself_and_is_the_same_again() {
    let sandbox = Sandbox::new();
    sandbox.copy("experiments/tutorial", "run");
    let printed = sandbox.flowqcd(&["report", "run", "--out", "pages/new.html", "--json"]).succeeds().stdout;
    let page = sandbox.read("pages/new.html");
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["file"], "pages/new.html");
    assert_eq!(printed["bytes"].as_u64(), Some(page.len() as u64));
    for loaded in ["href=\"http", "src=", "@import", "url(", "<iframe", "<object"] {
        assert!(!page.contains(loaded), "{loaded}");
    }
    assert!(page.contains("default-src 'none'"));
    sandbox.flowqcd(&["report", "run", "--out", "pages/again.html"]).succeeds();
    assert_eq!(page, sandbox.read("pages/again.html"));
    let left: Vec<_> =
        std::fs::read_dir(sandbox.path("pages")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// What would leave the element that it is written into, if it were written as it is.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>&\"'";

#[test]
fn nothing_from_a_file_becomes_markup() {
    let sandbox = Sandbox::new();
    let run = "a&lt;<b>";
    sandbox.copy("experiments/tutorial", run);
    let spec = sandbox.read(&format!("{run}/spec.toml"));
    sandbox.write(&format!("{run}/spec.toml"), &format!("# {HOSTILE}\n{spec}"));
    let mut manifest: serde_json::Value =
        serde_json::from_str(&sandbox.read(&format!("{run}/manifest.json"))).unwrap();
    for name in ["version", "git_commit", "device", "stop_reason", "spec_digest"] {
        manifest[name] = HOSTILE.into();
    }
    manifest["cells"][0]["summary"]["warnings"] = serde_json::json!([HOSTILE]);
    manifest["failed"] = serde_json::json!([{ "cell": 1, "values": { "key": HOSTILE }, "reason": HOSTILE }]);
    sandbox.write(&format!("{run}/manifest.json"), &manifest.to_string());
    // Names and values of a key that varies, methods, observables and devices.
    let quoted = format!("\"{}\"", HOSTILE.replace('"', "\"\""));
    for (file, first) in
        [("train.csv", "step"), ("ess.csv", "stage"), ("cost.csv", "method"), ("observables.csv", "method")]
    {
        let (mut header, mut rows) = table(&sandbox.read(&format!("{run}/{file}")));
        assert_eq!(header[1], first);
        header.insert(1, quoted.clone());
        for (number, row) in rows.iter_mut().enumerate() {
            row.insert(1, quoted.clone());
            if number % 2 == 1 {
                row[0] = "1".into();
                row[1] = "plain".into();
            }
            if ["cost.csv", "observables.csv"].contains(&file) && number % 3 == 0 {
                row[3] = quoted.clone();
            }
        }
        // A cell has its rows together.
        rows.sort_by(|a, b| a[0].cmp(&b[0]));
        let lines: Vec<String> = std::iter::once(&header).chain(&rows).map(|row| row.join(",")).collect();
        sandbox.write(&format!("{run}/{file}"), &(lines.join("\n") + "\n"));
    }
    sandbox.flowqcd(&["report", run, "--out", "page.html"]).succeeds();
    let page = sandbox.read("page.html");
    assert!(!page.contains("<img") && !page.contains("<b>"), "markup from a file");
    assert_eq!(page.matches("</script>").count(), 3, "the page has three scripts");
    let shown = "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&amp;&quot;'";
    assert!(page.matches(shown).count() > 20, "{}", page.matches(shown).count());
    assert!(page.contains("\\u003c/script>"), "names of curves in the data of the figures");
}

/// A study of fifty cells with long curves, three methods and many observables.
fn large_study(sandbox: &Sandbox) {
    let mut tables = [
        "cell,coupling,seed,step,samples,flops,wall_s,ess_smoothed,loss\n",
        "cell,coupling,seed,stage,step,samples,n,ess,ess_low,ess_high\n",
        "cell,coupling,seed,method,observable,n_train,setup_s,effective_samples_per_s,ess_per_configuration,stop_reason\n",
        "cell,coupling,seed,method,observable,value,error,tau_int,exact,pull\n",
    ]
    .map(str::to_owned);
    for cell in 0..50 {
        let keys = format!("{cell},{},{}", 1.0 + f64::from(cell / 2) / 8.0, cell % 2);
        for step in 1..=4000 {
            let ess = 0.9 * f64::from(step) / f64::from(step + 40 * (cell + 1)) + 1e-3 * f64::from(step % 7);
            writeln!(tables[0], "{keys},{step},{},1e9,{step},{ess},{}", 100 * step, -20.0 * ess).unwrap();
        }
        let ess = 0.9 / f64::from(cell + 1);
        writeln!(tables[1], "{keys},final,4000,400000,65536,{ess},{},{}", 0.9 * ess, 1.1 * ess).unwrap();
        for method in ["direct", "independence", "hmc"] {
            for observable in 0..40 {
                let value = 0.123456789012345 * f64::from(observable + 1);
                if observable < 6 {
                    let cost = format!("1000,12.5,{},0.25,steps", 100.0 * value);
                    writeln!(tables[2], "{keys},{method},o_{observable},{cost}").unwrap();
                }
                writeln!(tables[3], "{keys},{method},o_{observable},{value},0.00123,1.5,{value},0.1")
                    .unwrap();
            }
        }
    }
    std::fs::create_dir_all(sandbox.path("study")).unwrap();
    sandbox.write("study/spec.toml", "");
    for (name, text) in ["train.csv", "ess.csv", "cost.csv", "observables.csv"].iter().zip(&tables) {
        sandbox.write(&format!("study/{name}"), text);
    }
}

#[test]
fn a_page_of_fifty_cells_is_small_and_says_that_its_curves_are_thinned() {
    let sandbox = Sandbox::new();
    large_study(&sandbox);
    sandbox.flowqcd(&["report", "study"]).succeeds();
    let page = sandbox.read("study/report.html");
    assert!(page.len() < MOST_BYTES, "{} bytes", page.len());
    assert!(page.contains(
        "in each of 120 equal parts of the axis the first, the last, the least and the greatest are kept"
    ));
    assert_eq!(page.matches("<details class=\"cell\">").count(), 50);
    assert!(page.contains("A study of 50 cells that differ in"));
    // The last point of a curve is that of its table.
    let last = sandbox.read("study/train.csv").lines().last().unwrap().split(',').nth(4).unwrap().to_owned();
    assert!(page.contains(&format!(",{last}.0],\"y\":")), "{last}");
}

#[test]
fn several_runs_share_their_figures_and_have_a_section_each() {
    let sandbox = Sandbox::new();
    sandbox.copy("experiments/fig1/bs_schedule", "runs/one");
    sandbox.copy("experiments/fig1/lr_schedule", "runs/two");
    let printed = sandbox.flowqcd(&["report", "runs/one", "runs/two", "--ess", "0.2"]).succeeds().stdout;
    assert_eq!(printed, "runs/report.html\n");
    let page = sandbox.read("runs/report.html");
    assert!(page.contains("<h1>one, two</h1>"));
    assert_eq!(page.matches("id=\"figure-training_ess\"").count(), 1);
    for text in ["\"levels\":[0.2]", "\"label\":\"one\"", "\"label\":\"two\"", ">one</h2>", ">two</h2>"] {
        assert!(page.contains(text), "{text}");
    }
    sandbox.copy("experiments/tutorial", "elsewhere/three");
    let refused = sandbox.flowqcd(&["report", "runs/one", "elsewhere/three"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("hint: say where the page goes: --out FILE"), "{}", refused.stderr);
}

#[test]
fn report_makes_do_with_what_there_is_and_says_what_is_wrong() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("new")).unwrap();
    sandbox.write("new/spec.toml", "version = 99");
    sandbox.flowqcd(&["report", "new"]).succeeds();
    let page = sandbox.read("new/report.html");
    for text in
        ["There is no manifest.json", "There are no results yet.", "There is nothing to draw", "version = 99"]
    {
        assert!(page.contains(text), "{text}");
    }
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let finished = sandbox.flowqcd(&[&["report"], arguments].concat());
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
        assert_eq!(finished.code, Some(code), "{expected}");
    };
    refused(&["nowhere"], 2, "error: nowhere: is no run directory, it has no spec.toml");
    refused(&["new", "--x", "coupling"], 2, "--x = coupling: must vary over numbers");
    sandbox.write("new/observables.csv", "cell,method\n0\n");
    refused(&["new"], 1, "new/observables.csv: ");
    std::fs::remove_file(sandbox.path("new/observables.csv")).unwrap();
    sandbox.write("new/manifest.json", "{");
    refused(&["new"], 1, "new/manifest.json: is no manifest of a run");
    assert_eq!(sandbox.read("new/report.html"), page, "what cannot be reported on leaves the old page");
}
