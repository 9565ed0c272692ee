//! Sampling methods beside each other, studies, and chains that are drawn on.

use super::support::{Sandbox, TINY, column, table};
use std::time::Duration;

/// Every method on a small interacting lattice, with a flow that trains in a second.
const METHODS: &str = r#"
version = 1
seed = 5

[theory.phi4]
extents = [4, 6]
mass_squared = -1.0
coupling = 1.0

[flow.affine]
layers = 6
kernel_size = 3
hidden = [6]

[train]
checkpoint_seconds = 0.02

[train.batch]
size = 128

[train.optimizer.adam]
learning_rate = 3e-3

[train.stop]
steps = 800

[evaluate]
samples = 4000

[sample.direct]
configurations = 20000

[sample.independence]
proposals = 40000

[sample.hmc]
chains = 16
thermalization = 400
trajectories = 2000
"#;

/// Rows of a table without what depends on the clock or the machine.
fn timeless(sandbox: &Sandbox, file: &str) -> Vec<String> {
    let (header, rows) = table(&sandbox.read(file));
    let timed = |name: &str| {
        let clock = name.contains("_s") && name != "ess_smoothed";
        clock || ["threads", "device", "crossover_n_indep"].contains(&name)
    };
    let keep: Vec<usize> = (0..header.len()).filter(|&i| !timed(&header[i])).collect();
    let line = |row: &Vec<String>| keep.iter().map(|&i| row[i].clone()).collect::<Vec<_>>().join(",");
    std::iter::once(&header).chain(&rows).map(line).collect()
}

/// Value and error of an observable of a method.
fn found(text: &str, method: &str, observable: &str) -> (f64, f64) {
    let (header, rows) = table(text);
    let place = |name: &str| header.iter().position(|column| column == name).expect("the column is there");
    let row =
        rows.iter().find(|row| row[place("method")] == method && row[place("observable")] == observable);
    let row = row.unwrap_or_else(|| panic!("no {observable} by {method}"));
    let number = |name: &str| row[place(name)].parse().expect("a number");
    (number("value"), number("error"))
}

#[test]
fn every_method_finds_the_same_observables() {
    let sandbox = Sandbox::new();
    sandbox.write("methods.toml", METHODS);
    let interlude =
        ["--set", "sample.independence.hmc.every=4", "--set", "sample.independence.hmc.chains=20"];
    sandbox.flowqcd(&["run", "methods.toml", "--out", "alone"]).succeeds();
    sandbox.flowqcd(&[&["run", "methods.toml", "--out", "mixed"], &interlude[..]].concat()).succeeds();
    let (alone, mixed) = (sandbox.read("alone/observables.csv"), sandbox.read("mixed/observables.csv"));
    for observable in
        ["abs_magnetization", "chi_2", "phi_squared", "energy_density", "ising_energy", "binder"]
    {
        let hmc = found(&alone, "hmc", observable);
        for (name, text, method) in [
            ("direct", &alone, "direct"),
            ("independence", &alone, "independence"),
            ("mixed", &mixed, "independence"),
        ] {
            let (value, error) = found(text, method, observable);
            let distance = (value - hmc.0).abs() / error.hypot(hmc.1);
            // One in sixteen thousand by chance; the seed is fixed.
            assert!(distance < 4.0, "{observable}: {name} {value} +- {error}, HMC {hmc:?}");
        }
    }
    let chains = sandbox.read("alone/chains.csv");
    let (mean, error) =
        (&column(&chains, "exp_minus_delta_h")[1], &column(&chains, "exp_minus_delta_h_err")[1]);
    assert!((mean - 1.0).abs() < 4.0 * error, "<exp(-dH)> = {mean} +- {error}");
    assert!(column(&chains, "acceptance").iter().all(|rate| *rate > 0.2 && *rate < 1.0));
    assert!(column(&sandbox.read("mixed/chains.csv"), "trajectories_between")[0] > 100.0);
    let ess = sandbox.read("alone/ess.csv");
    let (own, target) = (column(&ess, "ess")[0], column(&ess, "ess_target")[0]);
    assert!((own - target).abs() < 0.1, "ESS {own} on the model's samples, {target} on the target's");
}

/// A deep double well, of which a flow soon covers one side only. HMC, which changes the sign now and then, covers both.
#[test]
fn configurations_of_one_sign_are_warned_of() {
    let sandbox = Sandbox::new();
    let deep = METHODS.replace("-1.0", "-12.0").replace("steps = 800", "steps = 300");
    sandbox.write("deep.toml", &deep);
    let run = sandbox.flowqcd(&["run", "deep.toml", "--out", "deep"]).succeeds();
    for method in ["direct", "independence"] {
        let expected = format!("{method}: magnetization = ");
        assert!(run.stderr.contains(&expected), "{expected} is not in\n{}", run.stderr);
    }
    assert!(run.stderr.contains("the free energy is too large by ln 2"), "{}", run.stderr);
    assert!(run.stderr.contains("mode collapse"), "{}", run.stderr);
    sandbox.write("methods.toml", METHODS);
    let sound = sandbox.flowqcd(&["run", "methods.toml", "--out", "sound"]).succeeds();
    assert!(!sound.stderr.contains("symmetry"), "{}", sound.stderr);
}

#[test]
fn what_the_tail_of_the_weights_says_is_in_the_tables() {
    let sandbox = Sandbox::new();
    sandbox.write("methods.toml", METHODS);
    let run = sandbox.flowqcd(&["run", "methods.toml", "--out", "run"]).succeeds();
    assert!(run.stdout.contains("tail of the weights") && run.stdout.contains("Pareto shape k = "));
    let ess = sandbox.read("run/ess.csv");
    let last = |name: &str| *column(&ess, name).last().expect("a final row");
    let ends = ["ess_low_95", "ess_low", "ess_median", "ess_high", "ess_high_95"].map(last);
    assert!(ends.is_sorted(), "{ends:?}");
    let reach = (last("ess") - last("ess_low")).max(last("ess_high") - last("ess"));
    assert!((last("ess_err") - reach).abs() < 1e-12);
    assert!((-0.5..0.7).contains(&last("pareto_k")) && last("pareto_k_err") > 0.0);
    assert!(last("ess_target_low") < last("ess_target_high"));
    let observables = sandbox.read("run/observables.csv");
    let columns = ["value", "error", "error_plain", "low", "high", "low_95", "high_95"];
    let columns = columns.map(|name| column(&observables, name));
    for row in 0..columns[0].len() {
        let [value, error, plain, low, high, low_95, high_95] = columns.each_ref().map(|column| column[row]);
        assert!(error >= plain && plain > 0.0, "{error} is smaller than {plain}");
        assert!([low_95, low, value, high, high_95].is_sorted(), "{low_95} {low} {value} {high} {high_95}");
    }
    let (header, rows) = table(&observables);
    let place = |name: &str| header.iter().position(|column| column == name).expect("the column is there");
    for row in &rows {
        let used = row[place("tau_int_used")].as_str();
        let [tau, exact] = ["tau_int", "tau_int_exact"].map(|name| row[place(name)].parse::<f64>().ok());
        let expected = match (tau, exact) {
            (Some(tau), Some(exact)) if exact > tau => "weights",
            (Some(_), _) => "chain",
            (None, _) => used,
        };
        assert_eq!(used, expected, "{row:?}");
        assert_eq!(used.is_empty(), row[place("method")] == "direct");
        assert_eq!(row[place("pareto_k")].is_empty(), row[place("method")] == "hmc");
    }
}

#[test]
fn costs_decompose_as_they_should() {
    let sandbox = Sandbox::new();
    sandbox.write("methods.toml", METHODS);
    sandbox.flowqcd(&["run", "methods.toml", "--out", "run"]).succeeds();
    let text = sandbox.read("run/cost.csv");
    let (header, rows) = table(&text);
    let number = |row: &[String], name: &str| -> f64 {
        let place = header.iter().position(|column| column == name).expect("the column is there");
        row[place].parse().unwrap_or(f64::NAN)
    };
    assert!(rows.len() > 10, "{text}");
    for row in &rows {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
        let (n, ess, tau) =
            (number(row, "n_raw"), number(row, "ess_per_configuration"), number(row, "tau_int"));
        assert!(close(number(row, "n_indep"), n * ess));
        assert!(tau.is_nan() || close(ess, 0.5 / tau));
        assert!(close(number(row, "total_s"), number(row, "setup_s") + number(row, "sample_s")));
        assert!(close(number(row, "sample_s_per_configuration"), number(row, "sample_s") / n));
        assert!(number(row, "flops_per_sample") > 0.0 && number(row, "setup_flops") > 0.0);
    }
}

#[test]
fn the_exact_tau_of_the_weights_is_that_of_a_long_chain() {
    let sandbox = Sandbox::new();
    sandbox.write("methods.toml", METHODS);
    sandbox.flowqcd(&["run", "methods.toml", "--out", "run"]).succeeds();
    let (header, rows) = table(&sandbox.read("run/observables.csv"));
    let place = |name: &str| header.iter().position(|column| column == name).expect("the column is there");
    let mut compared = 0;
    for row in rows.iter().filter(|row| !row[place("tau_int_exact")].is_empty()) {
        let [tau, error, exact] =
            ["tau_int", "tau_int_err", "tau_int_exact"].map(|name| row[place(name)].parse::<f64>().unwrap());
        // The exact one belongs to 40000 proposals, whose largest weights fluctuate too.
        assert!((tau - exact).abs() < 5.0 * error + 0.1 * exact, "{row:?}");
        compared += 1;
    }
    assert!(compared >= 4, "{compared} autocorrelation times compared");
}

#[test]
fn a_longer_chain_continues_a_finished_one() {
    let sandbox = Sandbox::new();
    sandbox.write("methods.toml", &METHODS.replace("steps = 800", "steps = 50"));
    // With trajectories between, the shorter run ends in the middle of a stretch of 12 proposals.
    let mixed = ["--set", "sample.independence.hmc.every=3", "--set", "sample.independence.hmc.chains=4"];
    let study = ["--set", "study.repeats=2"];
    for (name, more) in [("alone", &[][..]), ("mixed", &mixed[..]), ("study", &study[..])] {
        let run = |out: &str, proposals: &str| {
            let set = format!("sample.independence.proposals={proposals}");
            let out = format!("{name}_{out}");
            sandbox.flowqcd(&[&["run", "methods.toml", "--out", &out, "--set", &set], more].concat())
        };
        run("drawn_on", "5000").succeeds();
        let short = timeless(&sandbox, &format!("{name}_drawn_on/chains.csv"));
        run("drawn_on", "12000").succeeds();
        run("at_once", "12000").succeeds();
        for file in ["chains.csv", "observables.csv", "ess.csv", "train.csv", "cost.csv"] {
            let rows = |out: &str| timeless(&sandbox, &format!("{name}_{out}/{file}"));
            assert_eq!(rows("drawn_on"), rows("at_once"), "{file} of {name}");
        }
        assert_ne!(timeless(&sandbox, &format!("{name}_drawn_on/chains.csv")), short);
        let refused = run("drawn_on", "100");
        assert_eq!(refused.code, Some(2), "a chain cannot be shortened:\n{}", refused.stderr);
    }
}

/// Three cells of the tiny run, with a chain.
fn study() -> String {
    let short = TINY.replace("steps = 1000", "steps = 250").replace("every = 100", "every = 125");
    format!(
        "{short}\n[sample.independence]\nproposals = 4000\n\n[study.vary]\n\
         \"theory.phi4.coupling\" = [0.8, 1.0, 1.2]\n\"theory.phi4.extents\" = [[4, 4], [4, 6], [6, 6]]\n"
    )
}

#[test]
fn a_study_that_is_killed_goes_on_with_the_cell_it_was_in() {
    let sandbox = Sandbox::new();
    sandbox.write("study.toml", &study());
    sandbox.flowqcd(&["run", "study.toml", "--out", "whole"]).succeeds();
    let mut killed = 0;
    for attempt in 0u64..40 {
        let mut child = sandbox.start(&["run", "study.toml", "--out", "killed"]);
        std::thread::sleep(Duration::from_millis(30 + attempt * 41 % 127));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    assert!(killed > 0, "the study ended before it could be killed");
    sandbox.flowqcd(&["run", "study.toml", "--out", "killed"]).succeeds();
    for file in ["train.csv", "ess.csv", "cost.csv", "observables.csv", "chains.csv"] {
        let (whole, killed) = (format!("whole/{file}"), format!("killed/{file}"));
        let same = timeless(&sandbox, &whole) == timeless(&sandbox, &killed);
        assert!(same, "{file} of the killed study differs");
    }
    let text = sandbox.read("whole/ess.csv");
    assert!(text.starts_with("cell,coupling,extents,stage,"), "{text}");
    let again = sandbox.flowqcd(&["run", "study.toml", "--out", "whole"]).succeeds();
    assert!(again.stderr.contains("this run is finished"));
    assert!(again.stdout.contains("coupling = 1.2, extents = [6, 6]"), "{}", again.stdout);
}

#[test]
fn a_study_is_checked_cell_by_cell() {
    let sandbox = Sandbox::new();
    for (from, to, expected) in [
        ("[0.8, 1.0, 1.2]", "[0.8, 1.0]", "must have as many values as the longest list, 3"),
        ("theory.phi4.coupling", "theory.phi4.cuopling", "did you mean `theory.phi4.coupling`?"),
        ("[6, 6]]", "[5, 6]]", "cell 2: theory.phi4.extents"),
        ("1.2]", "\"strong\"]", "cell 2: theory.phi4.coupling"),
    ] {
        sandbox.write("study.toml", &study().replace(from, to));
        let refused = sandbox.flowqcd(&["run", "study.toml", "--out", "run"]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{expected} is not in\n{}", refused.stderr);
    }
    assert!(!sandbox.path("run").exists());
}

#[test]
fn verify_finds_nothing_wrong() {
    let sandbox = Sandbox::new();
    let finished = sandbox.flowqcd(&["verify", "--device", "cpu"]).succeeds();
    assert!(finished.stdout.contains("free field, flow: F"));
    assert!(!finished.stdout.contains("FAILED"), "{}", finished.stdout);
    assert!(finished.stdout.lines().last().unwrap().starts_with("passed: "), "{}", finished.stdout);
}

#[test]
fn devices_lists_the_cpu_first() {
    let sandbox = Sandbox::new();
    let finished = sandbox.flowqcd(&["devices"]).succeeds();
    assert!(finished.stdout.starts_with("cpu "), "{}", finished.stdout);
    assert!(finished.stdout.contains("<- auto"), "{}", finished.stdout);
    // Drivers complain of a missing desktop unless told not to look for one.
    assert_eq!(finished.stderr, "");
}
