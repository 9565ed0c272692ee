//! Two runs beside each other: what differs, with its significance, and the exit status that scripts go by.

use super::support::{Finished, Sandbox, TINY, table};
use serde_json::Value;

/// A field without a model: chains of which every configuration is cheap.
const CHAINS: &str = "version = 1\nseed = 1\nsample.hmc = { chains = 8, trajectories = 400 }\n\
    theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.5 }\n";

fn run(sandbox: &Sandbox, spec: &str, out: &str, more: &[&str]) {
    sandbox.flowqcd(&[&["run", spec, "--out", out, "--quiet"], more].concat()).succeeds();
}

fn compared(sandbox: &Sandbox, a: &str, b: &str) -> (Finished, Value) {
    let finished = sandbox.flowqcd(&["compare", a, b, "--json"]);
    let found =
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stderr));
    (finished, found)
}

/// Moves an observable of a finished run in its table by so many of its errors, its intervals with it or not.
fn shift(sandbox: &Sandbox, file: &str, observable: &str, errors: f64, with_intervals: bool) {
    let (header, mut rows) = table(&sandbox.read(file));
    let place = |name: &str| header.iter().position(|column| column == name).expect("a column");
    let row = rows.iter_mut().find(|row| row[place("observable")] == observable).expect("a row");
    let by = errors * row[place("error")].parse::<f64>().unwrap();
    let moved: &[&str] =
        if with_intervals { &["value", "low", "high", "low_95", "high_95"] } else { &["value"] };
    for column in moved {
        let number = row[place(column)].parse::<f64>().unwrap();
        row[place(column)] = (number + by).to_string();
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    sandbox.write(file, &String::from_utf8(writer.into_inner().unwrap()).unwrap());
}

#[test]
fn equal_runs_are_said_to_be_equal_bit_for_bit() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    let short = ["--set", "train.stop.steps=40"];
    run(&sandbox, "tiny.toml", "a", &short);
    run(&sandbox, "tiny.toml", "b", &[&short[..], &["--threads", "1"]].concat());
    let text = sandbox.flowqcd(&["compare", "a", "b"]).succeeds().stdout;
    for expected in [
        "The specifications are the same, seed 3 included.",
        "All that both wrote is equal bit for bit, but for times.",
        "model ess",
        "direct effective_samples_per_s",
        "all agree within 4 sigma",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    let (finished, found) = compared(&sandbox, "a", "b");
    assert_eq!((finished.code, &found["identical"]), (Some(0), &Value::Bool(true)));
    assert_eq!(found["spec"], Value::Array(vec![]));
    let results = found["cells"][0]["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["sigmas"] == 0.0 && result["judged"] == true));
    assert_eq!(found["compared"].as_u64(), Some(results.len() as u64));

    // One digit is enough for them not to be.
    let train = sandbox.read("b/train.csv");
    let rate = train.lines().nth(1).unwrap().split(',').nth(4).unwrap().to_owned();
    sandbox.write("b/train.csv", &train.replacen(&rate, "0.0020000001", 1));
    let text = sandbox.flowqcd(&["compare", "a", "b"]).succeeds().stdout;
    assert!(text.contains("Not equal bit for bit: train.csv differs."), "{text}");
}

#[test]
fn a_result_that_is_off_ends_with_status_1_and_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("chains.toml", CHAINS);
    run(&sandbox, "chains.toml", "a", &[]);
    run(&sandbox, "chains.toml", "b", &["--seed", "2"]);
    let (finished, found) = compared(&sandbox, "a", "b");
    assert_eq!((finished.code, &found["identical"]), (Some(0), &Value::Bool(false)), "{}", finished.stderr);
    assert_eq!(found["spec"], serde_json::json!([{ "key": "seed", "a": 1, "b": 2 }]));
    assert!(found["largest"]["sigmas"].as_f64().unwrap().abs() > 0.0, "they are two runs");
    let first = found["cells"][0]["results"][0].clone();
    assert_eq!(first["method"], "hmc");
    let observable = first["quantity"].as_str().unwrap();

    let whole = sandbox.read("b/observables.csv");
    for with_intervals in [true, false] {
        sandbox.write("b/observables.csv", &whole);
        shift(&sandbox, "b/observables.csv", observable, 12.0, with_intervals);
        let finished = sandbox.flowqcd(&["compare", "a", "b"]);
        assert_eq!(finished.code, Some(1), "{}", finished.stdout);
        let expected = format!("differ by more than 4 sigma, most of all hmc {observable}: +");
        assert!(finished.stderr.contains("error: 1 of "), "{}", finished.stderr);
        assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
        let row =
            finished.stdout.lines().find(|line| line.starts_with(&format!("hmc {observable} "))).unwrap();
        assert!(row.ends_with("DISAGREES"), "{row}");
        sandbox.flowqcd(&["compare", "a", "b", "--sigma", "50"]).succeeds();
    }

    sandbox.write("b/observables.csv", &whole.replace("hmc,", "hmc,,"));
    assert_eq!(sandbox.flowqcd(&["compare", "a", "b"]).code, Some(1), "a damaged table does not pass");
}

/// Models that were trained apart have no reason to be equally good; the same training has.
#[test]
fn the_quality_of_two_trainings_is_shown_and_not_judged() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    run(&sandbox, "tiny.toml", "a", &["--set", "train.stop.steps=20"]);
    run(&sandbox, "tiny.toml", "b", &["--set", "train.stop.steps=400"]);
    let (finished, found) = compared(&sandbox, "a", "b");
    let ess =
        found["cells"][0]["results"].as_array().unwrap().iter().find(|result| result["quantity"] == "ess");
    let ess = ess.expect("both have one");
    assert_eq!((&ess["judged"], &ess["agrees"]), (&Value::Bool(false), &Value::Bool(true)));
    assert!(ess["a"]["value"].as_f64() < ess["b"]["value"].as_f64(), "{ess}");
    assert_eq!(found["spec"], serde_json::json!([{ "key": "train.stop.steps", "a": 20, "b": 400 }]));
    assert!(finished.stderr.is_empty() || !finished.stderr.contains("model ess"), "{}", finished.stderr);

    std::fs::create_dir_all(sandbox.path("c")).unwrap();
    for file in ["spec.toml", "ess.csv", "observables.csv"] {
        sandbox.write(&format!("c/{file}"), &sandbox.read(&format!("a/{file}")));
    }
    let (header, mut rows) = table(&sandbox.read("c/ess.csv"));
    let value = header.iter().position(|column| column == "ess").unwrap();
    rows.last_mut().unwrap()[value] = "0.99".into();
    let lines = std::iter::once(&header).chain(&rows).map(|row| row.join(",")).collect::<Vec<String>>();
    sandbox.write("c/ess.csv", &(lines.join("\n") + "\n"));
    let finished = sandbox.flowqcd(&["compare", "a", "c"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    assert!(finished.stderr.contains("most of all model ess"), "{}", finished.stderr);
}

#[test]
fn choices_and_tables_that_differ_are_shown_as_the_program_shows_them() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    sandbox.write("sgd.toml", &TINY.replace("adam]\nlearning_rate = 2e-3", "sgd]\nlearning_rate = 1e-4"));
    run(&sandbox, "tiny.toml", "a", &["--set", "train.stop.steps=5"]);
    run(&sandbox, "sgd.toml", "b", &["--set", "train.stop.steps=5", "--set", "theory.phi4.coupling=1.25"]);
    let text = sandbox.flowqcd(&["compare", "a", "b", "--sigma", "1000"]).stdout;
    let line = |key: &str| {
        text.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key}: {text}"))
    };
    let words = |key: &str| line(key).split_whitespace().map(str::to_owned).collect::<Vec<String>>();
    assert_eq!(words("theory.phi4.coupling"), ["theory.phi4.coupling", "1.0", "1.25"]);
    let optimizer = line("train.optimizer");
    assert!(
        optimizer.contains("adam beta_1=0.9 ") && optimizer.contains("sgd learning_rate=0.0001"),
        "{optimizer}"
    );
    assert!(!text.contains("train.optimizer.adam"), "{text}");
}

#[test]
fn cells_of_studies_are_matched_by_their_keys_and_not_by_their_numbers() {
    let sandbox = Sandbox::new();
    let study = |couplings: &str| format!("{CHAINS}[study.vary]\n\"theory.phi4.coupling\" = {couplings}\n");
    sandbox.write("one.toml", &study("[0.5, 1.0, 4.0]"));
    sandbox.write("other.toml", &study("[4.0, 2.0, 0.5]"));
    sandbox.write("single.toml", &CHAINS.replace("coupling = 0.5", "coupling = 4.0"));
    run(&sandbox, "one.toml", "a", &[]);
    run(&sandbox, "other.toml", "b", &["--seed", "5"]);
    run(&sandbox, "single.toml", "single", &["--seed", "6"]);
    let (finished, found) = compared(&sandbox, "a", "b");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let cells = found["cells"].as_array().unwrap().iter().map(|cell| [&cell["a"], &cell["b"]]);
    let cells: Vec<[&str; 2]> = cells.map(|cell| cell.map(|name| name.as_str().unwrap())).collect();
    assert_eq!(
        cells,
        [["0: coupling = 0.5", "2: coupling = 0.5"], ["2: coupling = 4.0", "0: coupling = 4.0"]]
    );
    assert_eq!(found["only_a"], serde_json::json!(["1: coupling = 1.0"]));
    assert_eq!(found["only_b"], serde_json::json!(["1: coupling = 2.0"]));
    let text = sandbox.flowqcd(&["compare", "a", "b"]).succeeds().stdout;
    for expected in [
        "cell 2: coupling = 4.0 | 0: coupling = 4.0  ",
        "1 cell only in A:\n  1: coupling = 1.0",
        "1 cell only in B:\n  1: coupling = 2.0",
        " in 2 cells compared: all agree within 4 sigma",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    // Compared by numbers the first cells would be 0.5 and 4.0, which are far apart.
    let (_, found) = compared(&sandbox, "single", "b");
    assert_eq!(
        (&found["cells"][0]["b"], &found["compared"]),
        (&Value::from("0: coupling = 4.0"), &cells_compared(&found))
    );
    sandbox.write("repeats.toml", &format!("{CHAINS}[study]\nrepeats = 2\n"));
    run(&sandbox, "repeats.toml", "repeats", &[]);
    run(&sandbox, "repeats.toml", "later", &["--seed", "11"]);
    let (finished, found) = compared(&sandbox, "repeats", "later");
    assert_eq!(
        (finished.code, found["cells"].as_array().map(Vec::len)),
        (Some(0), Some(2)),
        "{}",
        finished.stderr
    );
}

fn cells_compared(found: &Value) -> Value {
    Value::from(found["cells"][0]["results"].as_array().map_or(0, Vec::len))
}

#[test]
fn what_cannot_be_compared_is_wrong_usage() {
    let sandbox = Sandbox::new();
    sandbox.write("chains.toml", CHAINS);
    run(&sandbox, "chains.toml", "a", &[]);
    let refused_as = |code: i32, arguments: &[&str], expected: &str| {
        let finished = sandbox.flowqcd(&[&["compare"], arguments].concat());
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
        assert_eq!(finished.stdout, "");
    };
    let refused = |arguments: &[&str], expected: &str| refused_as(2, arguments, expected);
    refused(&["a", "nowhere"], "nowhere: is no run directory, it has no spec.toml");
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox.write("empty/spec.toml", &sandbox.read("a/spec.toml"));
    refused(&["a", "empty"], "no result of the one has its like in the other; empty has no results yet");
    refused(&["a", "a", "--sigma", "0"], "must be a number above 0");
    sandbox.write("empty/spec.toml", "version = 1\n");
    refused_as(1, &["empty", "a"], "error: empty/spec.toml: ");
    sandbox.flowqcd(&["compare", "a", "a"]).succeeds();
}
