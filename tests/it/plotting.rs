//! Figures come from tables alone, and what is wrong with a table is said.

use super::support::{Sandbox, TINY, table};

const HEADER: &str =
    "cell,step,samples,batch_size,learning_rate,loss,ess,ess_smoothed,grad_norm,wall_s,flops\n";

/// A run directory with a training table of (step, samples, smoothed ESS).
fn trained(sandbox: &Sandbox, run: &str, rows: &[(u64, u64, f64)]) {
    let row = |(step, samples, ess): &(u64, u64, f64)| {
        format!("0,{step},{samples},100,0.001,-20,{ess},{ess},1,{step},{}\n", samples * 1000)
    };
    std::fs::create_dir_all(sandbox.path(run)).unwrap();
    sandbox.write(&format!("{run}/spec.toml"), "");
    sandbox
        .write(&format!("{run}/train.csv"), &(HEADER.to_owned() + &rows.iter().map(row).collect::<String>()));
}

#[test]
fn plot_lays_runs_over_each_other_and_tells_what_a_level_cost() {
    let sandbox = Sandbox::new();
    trained(&sandbox, "runs/small", &[(1, 100, 0.1), (2, 200, 0.25), (3, 300, 0.5)]);
    trained(&sandbox, "runs/large", &[(1, 40_000, 0.05), (2, 80_000, 0.2), (3, 120_000, 0.3)]);
    let runs = ["plot", "runs/small", "runs/large", "--ess", "0.2", "--ess", "0.5", "--json"];
    let drawn: serde_json::Value = serde_json::from_str(&sandbox.flowqcd(&runs).succeeds().stdout).unwrap();
    let of = |level: usize| &drawn["levels"][level];
    assert_eq!((of(0)["run"].as_str(), of(0)["reached"]["samples"].as_f64()), (Some("small"), Some(200.0)));
    assert_eq!(of(0)["reached"]["ratio"].as_f64(), Some(1.0));
    assert_eq!((of(1)["run"].as_str(), of(1)["reached"]["ratio"].as_f64()), (Some("large"), Some(400.0)));
    assert_eq!(of(1)["reached"]["flops"].as_f64(), Some(8e7));
    assert_eq!(of(2)["reached"]["steps"].as_f64(), Some(3.0));
    assert!(of(3)["reached"].is_null(), "0.5 is above what `large` reached");

    for name in ["training_ess", "training_loss"] {
        let svg = sandbox.read(&format!("runs/figures/{name}.svg"));
        for text in ["small", "large", "training samples", "10³"] {
            assert!(svg.contains(text), "{name}.svg has no {text}");
        }
        let png = std::fs::read(sandbox.path(&format!("runs/figures/{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{name}.png");
    }
    let text = sandbox.flowqcd(&runs[..5]).succeeds().stdout;
    assert!(text.contains("ESS 0.2, large  80000 samples, 400.0 times the fewest; 2 steps"), "{text}");
}

#[test]
fn plot_draws_a_run_of_this_program_beside_its_tables() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    sandbox.flowqcd(&["run", "tiny.toml", "--set", "train.stop.steps=20"]).succeeds();
    let printed = sandbox.flowqcd(&["plot", "runs/tiny"]).succeeds().stdout;
    // A single cell has no figure of a study.
    let names = ["training_ess", "training_loss", "correlator", "weights"];
    let files =
        names.iter().flat_map(|name| ["svg", "png"].map(|kind| format!("runs/tiny/figures/{name}.{kind}")));
    assert_eq!(printed.lines().collect::<Vec<_>>(), files.collect::<Vec<String>>());
    assert!(printed.lines().all(|file| sandbox.path(file).is_file()), "{printed}");
}

#[test]
fn plot_draws_a_study_along_a_key_that_tells_its_cells_apart() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("study")).unwrap();
    sandbox.write("study/spec.toml", "");
    let ess = "cell,coupling,extents,stage,ess,ess_err\n\
               0,1.5,\"[6, 6]\",final,0.6,0.01\n1,1.5,\"[8, 8]\",final,0.4,0.02\n";
    sandbox.write("study/ess.csv", ess);
    let cost = "cell,coupling,extents,method,effective_samples_per_s\n\
                0,1.5,\"[6, 6]\",direct,9000\n0,1.5,\"[6, 6]\",hmc,30\n0,1.5,\"[6, 6]\",hmc,50\n1,1.5,\"[8, 8]\",hmc,5\n";
    sandbox.write("study/cost.csv", cost);
    let printed = sandbox.flowqcd(&["plot", "study"]).succeeds().stdout;
    assert_eq!(printed.lines().filter(|file| file.ends_with(".png")).count(), 2, "{printed}");
    let svg = sandbox.read("study/figures/effective_samples.svg");
    assert!(["extents", "direct", "hmc", "10³"].iter().all(|text| svg.contains(text)));

    // Repeats are one point of a series; a key that varies at the same place makes series of its own.
    let grid = "cell,coupling,mass_squared,seed,stage,ess,ess_err\n\
                0,1,-4,1,final,0.6,\n1,1,-4,2,final,0.5,\n2,2,-4,1,final,0.4,\n3,2,-3,1,final,0.3,\n";
    std::fs::create_dir_all(sandbox.path("grid")).unwrap();
    sandbox.write("grid/spec.toml", "");
    sandbox.write("grid/ess.csv", grid);
    sandbox.flowqcd(&["plot", "grid"]).succeeds();
    let svg = sandbox.read("grid/figures/ess.svg");
    assert!(["coupling", "mass_squared = -4", "mass_squared = -3"].iter().all(|text| svg.contains(text)));
    assert!(!svg.contains("seed ="), "{svg}");
    assert!(svg.contains("mean of 1 to 2 seeds, band: smallest to largest"), "{svg}");

    // Lattices of several dimensions are series of their own.
    let dimensions = "cell,extents,stage,ess,ess_err\n\
                      0,[16],final,0.9,\n1,\"[4, 4, 4]\",final,0.8,\n2,\"[4, 4, 4, 4]\",final,0.6,\n";
    std::fs::create_dir_all(sandbox.path("dimensions")).unwrap();
    sandbox.write("dimensions/spec.toml", "");
    sandbox.write("dimensions/ess.csv", dimensions);
    sandbox.flowqcd(&["plot", "dimensions"]).succeeds();
    let svg = sandbox.read("dimensions/figures/ess.svg");
    assert!([1, 3, 4].iter().all(|count| svg.contains(&format!("number of extents = {count}"))), "{svg}");
    let svg = sandbox.read("study/figures/ess.svg");
    assert!(!svg.contains("number of"), "{svg}");

    let refused = sandbox.flowqcd(&["plot", "study", "--x", "abacus"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--x = abacus: must vary over numbers"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: these do: extents"), "{}", refused.stderr);
}

/// Two architectures retrained to three couplings with two seeds each, from a base at another.
fn retrained(sandbox: &Sandbox) {
    let mut ess = "cell,study_stage,coupling,layers,seed,stage,ess,ess_low,ess_high\n".to_owned();
    let mut cost =
        "cell,study_stage,coupling,layers,seed,method,n_train,stop_reason,effective_samples_per_s\n"
            .to_owned();
    let mut cell = 0;
    for (stage, coupling) in [("base", "4.0"), ("retrain", "2.0"), ("retrain", "1.0"), ("retrain", "0.5")] {
        for (layers, seed) in [(8, 1), (8, 2), (16, 1), (16, 2)] {
            let quality = f64::from(layers) / 32.0 + f64::from(seed) / 16.0;
            let keys = format!("{cell},{stage},{coupling},{layers},{seed}");
            ess += &format!("{keys},final,{quality},{},{}\n", quality - 0.01, quality + 0.01);
            let samples = 1000.0 * f64::from(seed) / coupling.parse::<f64>().unwrap();
            cost += &format!("{keys},direct,{samples},ess,{}\n", 100.0 * quality);
            cell += 1;
        }
    }
    std::fs::create_dir_all(sandbox.path("study")).unwrap();
    sandbox.write("study/spec.toml", "");
    sandbox.write("study/ess.csv", &ess);
    sandbox.write("study/cost.csv", &cost);
}

#[test]
fn plot_draws_the_rows_asked_for_with_bands_over_seeds_and_prints_their_points() {
    let sandbox = Sandbox::new();
    retrained(&sandbox);
    let asked = ["plot", "study", "--where", "study_stage=retrain", "--x", "1/coupling"];
    let printed = sandbox.flowqcd(&asked).succeeds().stdout;
    assert_eq!(printed.lines().count(), 6, "three figures: {printed}");
    for name in ["ess", "effective_samples", "training_cost"] {
        let svg = sandbox.read(&format!("study/figures/{name}.svg"));
        for text in [
            "\n1/coupling\n",
            "\nlayers = 8\n",
            "\nlayers = 16\n",
            "mean of 2 seeds, band: smallest to largest",
        ] {
            assert!(svg.contains(text), "{name}.svg has no {text:?}");
        }
        assert_eq!(svg.matches("<polygon").count(), 2, "a band for each series of {name}.svg");
        assert!(!svg.contains("retrain"), "{name}.svg names what all cells have in common");
    }

    let json = sandbox.flowqcd(&[&asked[..], &["--json"]].concat()).succeeds().stdout;
    let drawn: serde_json::Value = serde_json::from_str(&json).unwrap();
    let cost = &drawn["studies"][2];
    assert_eq!((cost["figure"].as_str(), cost["x"].as_str()), (Some("training_cost"), Some("1/coupling")));
    let points = cost["points"].as_array().unwrap();
    let number = |point: usize, name: &str| points[point][name].as_f64().unwrap();
    assert_eq!(points.len(), 6);
    for (point, inverse) in [(0, 0.5), (1, 1.0), (2, 2.0)] {
        assert_eq!(points[point]["series"], "layers = 8");
        assert_eq!(["x", "seeds"].map(|name| number(point, name)), [inverse, 2.0]);
        let expected = [1500.0, 1000.0, 2000.0].map(|samples| samples * inverse);
        assert_eq!(["y", "low", "high"].map(|name| number(point, name)), expected);
    }

    // A cell that was stopped before it reached its ESS is an open point, and so is a mean with it.
    let cost = sandbox.read("study/cost.csv");
    let cost = cost.replace("7,retrain,2.0,16,2,direct,1000,ess", "7,retrain,2.0,16,2,direct,1000,seconds");
    sandbox.write("study/cost.csv", &cost);
    let printed = sandbox.flowqcd(&[&asked[..], &["--table"]].concat()).succeeds().stdout;
    assert!(
        printed.contains("| layers = 16 |        0.5 |                        ≥ 750 |  500 | 1000 |     2 |"),
        "{printed}"
    );
    let svg = sandbox.read("study/figures/training_cost.svg");
    assert!(svg.contains("open: stopped before its ESS, a lower bound"), "{svg}");

    // One seed has the interval of its ESS, and no line.
    let table = |more: &[&str]| sandbox.flowqcd(&[&asked[..], &["--table"], more].concat()).succeeds().stdout;
    assert!(
        table(&[]).contains("| layers = 16 |        0.5 | 0.5938 | 0.5625 | 0.625 |     2 |"),
        "{}",
        table(&[])
    );
    let single = table(&["--where", "seed=2", "--where", "coupling=1", "--where", "coupling=0.50"]);
    assert!(
        single.starts_with("ess:\n\n| series      | 1/coupling |   ESS |   low |  high | seeds |\n"),
        "{single}"
    );
    assert!(single.contains("| layers = 8  |          1 | 0.375 | 0.365 | 0.385 |     1 |"), "{single}");
    assert!(!single.contains(".svg"), "tables are all that is printed: {single}");
    assert!(!sandbox.read("study/figures/ess.svg").contains("<polygon"));
    let transposed = ["plot", "study", "--x", "layers", "--where", "coupling=1", "--table"];
    let transposed = sandbox.flowqcd(&transposed).succeeds().stdout;
    assert!(transposed.contains("| study  |     16 | 0.5938 |"), "{transposed}");
}

#[test]
fn plot_refuses_rows_and_axes_that_there_are_not() {
    let sandbox = Sandbox::new();
    retrained(&sandbox);
    let refused = |arguments: &[&str], expected: &[&str]| {
        let finished = sandbox.flowqcd(&[&["plot", "study"], arguments].concat());
        assert_eq!(finished.code, Some(2), "{arguments:?}");
        for text in expected {
            assert!(finished.stderr.contains(text), "{}", finished.stderr);
        }
        assert!(!sandbox.path("study/figures").exists(), "nothing is written");
    };
    let stages = "hint: there are: base, retrain";
    refused(&["--where", "study_stage=bass"], &["--where study_stage=bass: no row has this value", stages]);
    let keys = "hint: there are: cell, study_stage, coupling, layers, seed";
    refused(&["--where", "ess=0.5"], &["--where ess=0.5: study has no such leading column", keys]);
    refused(&["--where", "retrain"], &["must be KEY=VALUE"]);
    let none = ["--where", "study_stage=base", "--where", "coupling=1"];
    refused(&none, &["nothing to draw: no row has all that --where asks for"]);
    let one = ["--where", "study_stage=base", "--x", "1/coupling"];
    refused(&one, &["--x = 1/coupling: must vary over numbers", "hint: these do: layers, seed"]);
    refused(&["--json", "--table"], &["cannot be used with"]);
}

#[test]
fn plot_draws_a_study_in_stages_that_the_program_ran() {
    let sandbox = Sandbox::new();
    let study = r#"
[study]
repeats = 2
vary."flow.affine.layers" = [2, 4]

[study.stage.base]

[study.stage.retrain]
set."train.stop" = { steps = 40 }
vary."theory.phi4.coupling" = [0.8, 0.6, 0.4]
start.stage.name = "base"
"#;
    sandbox.write("study.toml", &(TINY.replace("steps = 1000", "steps = 60") + study));
    sandbox.flowqcd(&["run", "study.toml", "--out", "study"]).succeeds();
    let plot = ["plot", "study", "--where", "study_stage=retrain", "--x", "coupling", "--json"];
    let drawn: serde_json::Value = serde_json::from_str(&sandbox.flowqcd(&plot).succeeds().stdout).unwrap();
    assert_eq!(
        drawn["studies"].as_array().unwrap().len(),
        2,
        "all cells trained on as many samples: {drawn}"
    );
    let (header, rows) = table(&sandbox.read("study/ess.csv"));
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    for point in drawn["studies"][0]["points"].as_array().unwrap() {
        let coupling = point["x"].as_f64().unwrap();
        let cells = rows.iter().filter(|row| {
            row[place("study_stage")] == "retrain"
                && row[place("stage")] == "final"
                && row[place("coupling")].parse::<f64>().unwrap() == coupling
                && point["series"].as_str().unwrap() == format!("layers = {}", row[place("layers")])
        });
        let ess: Vec<f64> = cells.map(|row| row[place("ess")].parse().unwrap()).collect();
        assert_eq!(ess.len(), 2);
        assert_eq!(point["y"].as_f64().unwrap(), (ess[0] + ess[1]) / 2.0);
        assert_eq!(point["low"].as_f64().unwrap(), ess[0].min(ess[1]));
        assert_eq!(point["high"].as_f64().unwrap(), ess[0].max(ess[1]));
    }
    let curves = sandbox.read("study/figures/training_ess.svg");
    assert_eq!(
        curves.matches("\nlayers = 2, coupling = 0.6\n").count(),
        1,
        "seeds share an entry of the legend"
    );
    assert!(!curves.contains("seed"), "{curves}");
}

#[test]
fn plot_says_what_it_cannot_draw() {
    let sandbox = Sandbox::new();
    trained(&sandbox, "a/run", &[(1, 100, 0.1)]);
    trained(&sandbox, "b/run", &[]);
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let finished = sandbox.flowqcd(arguments);
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
        assert_eq!(finished.code, Some(code), "{expected}");
    };
    refused(&["plot", "nowhere"], 2, "error: nowhere: is no run directory, it has no spec.toml");
    refused(&["plot", "a/run", "b/run"], 2, "hint: say where the figures go: --out FOLDER");
    refused(&["plot", "b/run"], 2, "nothing to draw: no run has a row in train.csv");
    refused(&["plot", "a/run", "--ess", "1.5"], 2, "must be above 0 and at most 1");
    refused(&["plot"], 2, "RUN_DIR");
    refused(&["plot", "a/run", "./a/run/"], 2, "./a/run/: is named twice");
    sandbox.write("a/run/train.csv", "cell,step\n0,1\n");
    refused(&["plot", "a/run"], 1, "a/run/train.csv: must have a column `samples`");
    assert!(!sandbox.path("a/run/figures").exists(), "nothing is half written");
}
