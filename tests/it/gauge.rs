//! Gauge theories from the command line: exact values, runs without a model, what is continued, what is refused, stored ensembles.

use super::ensembles::array;
use super::support::{Finished, Sandbox, column, repository, table};
use std::collections::BTreeMap;

const U1: &str = r#"
version = 1
seed = 5

[theory.schwinger]
extents = [6, 8]
beta = 2.0
kappa = 0.0

[sample]
checkpoint_seconds = 0.02

[sample.hmc]
chains = 6
thermalization = 200
trajectories = 3000
"#;

/// The same with fermions, for which fewer trajectories take as long.
fn schwinger() -> String {
    U1.replace("kappa = 0.0", "kappa = 0.26")
        .replace("trajectories = 3000", "trajectories = 200\ngauge_steps = 3")
}

/// `observables.csv` by name: value, error.
fn observables(sandbox: &Sandbox, out: &str) -> BTreeMap<String, [f64; 2]> {
    let text = sandbox.read(&format!("{out}/observables.csv"));
    let (header, rows) = table(&text);
    let place = header.iter().position(|name| name == "observable").expect("the column is there");
    let [values, errors] = ["value", "error"].map(|name| column(&text, name));
    let named = |(index, row): (usize, &Vec<String>)| (row[place].clone(), [values[index], errors[index]]);
    rows.iter().enumerate().map(named).collect()
}

#[test]
fn a_pure_gauge_field_comes_out_with_its_exact_values() {
    let sandbox = Sandbox::new();
    sandbox.write("u1.toml", U1);
    let finished = sandbox.flowqcd(&["run", "u1.toml", "--out", "run"]).succeeds();
    assert!(!finished.stderr.contains("warning"), "{}", finished.stderr);
    let text = sandbox.read("run/observables.csv");
    let pulls: Vec<f64> = column(&text, "pull").into_iter().filter(|pull| pull.is_finite()).collect();
    assert!(pulls.len() > 15 && pulls.iter().all(|pull| pull.abs() < 4.0), "{text}");
    let found = observables(&sandbox, "run");
    // From an independent computation with NumPy: Σ I_n^47 I_n' / Σ I_n^48, and the second derivative of Z(θ).
    let [plaquette, error] = found["plaquette"];
    assert!((plaquette - 0.697774658).abs() < 4.0 * error && error < 0.002, "{plaquette} +- {error}");
    let chains = sandbox.read("run/chains.csv");
    assert!(column(&chains, "instanton_acceptance")[0] > 0.1, "{chains}");
    for missing in ["train.csv", "ess.csv"] {
        assert!(!sandbox.path(&format!("run/{missing}")).exists());
    }
    assert!(!sandbox.read("run/spec.toml").contains("evaluate"));
    // The resolved specification is one.
    sandbox.flowqcd(&["check", "run/spec.toml"]).succeeds();
    let again = sandbox.flowqcd(&["run", "u1.toml", "--out", "run", "--json"]).succeeds();
    let manifest: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    let summary = &manifest["cells"][0]["summary"];
    assert!(summary["observables"][0]["observable"] == "plaquette" && summary.get("ess").is_none());
}

/// Heat bath and overrelaxation beside Hybrid Monte Carlo, and alone.
#[test]
fn a_heat_bath_finds_the_exact_values_too() {
    let sandbox = Sandbox::new();
    let heat_bath = "\n[sample.heat_bath]\nsweeps = 4000\nchains = 6\nthermalization = 200\n";
    sandbox.write("u1.toml", &(U1.to_owned() + heat_bath));
    sandbox.write("alone.toml", &(U1[..U1.find("[sample]").unwrap()].to_owned() + heat_bath));
    for out in ["u1", "alone"] {
        let finished = sandbox.flowqcd(&["run", &format!("{out}.toml"), "--out", out]).succeeds();
        assert!(!finished.stderr.contains("warning"), "{}", finished.stderr);
        let text = sandbox.read(&format!("{out}/observables.csv"));
        let (header, rows) = table(&text);
        let method = header.iter().position(|column| column == "method").unwrap();
        assert!(rows.iter().filter(|row| row[method] == "heat_bath").count() > 15);
        let pulls: Vec<f64> = column(&text, "pull").into_iter().filter(|pull| pull.is_finite()).collect();
        assert!(pulls.iter().all(|pull| pull.abs() < 4.0), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn chains_killed_and_interrupted_end_as_if_they_had_not_been() {
    let heat_bath = U1.replace("[sample.hmc]", "[sample.heat_bath]").replace("trajectories", "sweeps");
    let noisy = schwinger()
        .replace("trajectories = 200", "trajectories = 60\nsave_every = 3\nfermions = \"pseudofermions\"");
    for spec in [U1.to_owned(), heat_bath, schwinger(), noisy] {
        let sandbox = Sandbox::new();
        sandbox.write("gauge.toml", &spec);
        sandbox.flowqcd(&["run", "gauge.toml", "--out", "whole"]).succeeds();
        let command = ["run", "gauge.toml", "--out", "stopped"];
        let (mut stopped, mut was_saved) = (0, false);
        for attempt in 0u64..40 {
            let mut child = sandbox.start(&command);
            std::thread::sleep(std::time::Duration::from_millis(60 + attempt * 41 % 97));
            if child.try_wait().unwrap().is_some() {
                break;
            }
            if attempt % 2 == 0 {
                child.kill().unwrap();
                child.wait().unwrap();
            } else {
                let pid = child.id().to_string();
                std::process::Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap();
                let finished = Finished::new(child.wait_with_output().unwrap());
                // On a busy machine the signal may come before anybody hears it.
                assert!([Some(143), Some(0), None].contains(&finished.code), "{}", finished.stderr);
                let says_so = finished.stderr.contains("continuing the chains that were saved");
                assert!(!was_saved || says_so || finished.code != Some(143), "{}", finished.stderr);
                was_saved |= finished.code == Some(143);
            }
            stopped += 1;
        }
        assert!(stopped >= 2, "it was stopped only {stopped} times");
        sandbox.flowqcd(&command).succeeds();
        let read = |out: &str, file: &str| sandbox.read(&format!("{out}/{file}"));
        assert_eq!(read("stopped", "observables.csv"), read("whole", "observables.csv"));
        let counts = ["acceptance", "exp_minus_delta_h", "instanton_acceptance", "solver_iterations"];
        for name in counts {
            let [a, b] = ["stopped", "whole"].map(|out| column(&read(out, "chains.csv"), name)[0]);
            assert!(a == b || (a.is_nan() && b.is_nan()), "{name}: {a} is not {b}");
        }
        for name in ["setup_flops", "flops_per_sample"] {
            let [a, b] = ["stopped", "whole"].map(|out| column(&read(out, "cost.csv"), name)[0]);
            assert!(a == b && a > 0.0, "{name}: {a} is not {b}");
        }
        let kept = ["stopped", "whole"].map(|out| sandbox.path(&format!("{out}/ensembles/hmc.npz")));
        assert_eq!(kept[0].exists(), spec.contains("save_every"));
        if kept[0].exists() {
            let [a, b] = kept.map(|path| array(&path, "theta").1);
            assert!(a == b && !a.is_empty());
        }
    }
}

#[test]
fn one_step_size_or_two_and_any_number_of_threads_sample_the_same() {
    let sandbox = Sandbox::new();
    sandbox.write("gauge.toml", &schwinger());
    let run = |out: &str, arguments: &[&str]| {
        sandbox.flowqcd(&[&["run", "gauge.toml", "--out", out], arguments].concat()).succeeds();
        observables(&sandbox, out)
    };
    let split = run("split", &["--set", "sample.hmc.trajectories=1500"]);
    let whole = run("whole", &["--set", "sample.hmc.trajectories=1500", "--set", "sample.hmc.gauge_steps=1"]);
    for name in ["plaquette", "topological_charge_squared", "condensate", "pion_mass"] {
        let ([a, a_err], [b, b_err]) = (split[name], whole[name]);
        assert!((a - b).abs() < 4.0 * a_err.hypot(b_err), "{name}: {a} +- {a_err} and {b} +- {b_err}");
    }
    let one = run("one", &["--threads", "1"]);
    assert_eq!(one, run("three", &["--threads", "3"]));
}

/// Chains that start without charge and hardly ever change it.
#[test]
fn frozen_topology_is_warned_of_and_instantons_thaw_it() {
    let sandbox = Sandbox::new();
    let spec = U1.replace("beta = 2.0", "beta = 12.0").replace("trajectories = 3000", "trajectories = 500");
    sandbox.write("cold.toml", &spec);
    let plain = ["run", "cold.toml", "--set", "sample.hmc.instanton_every=0", "--out", "plain"];
    let frozen = sandbox.flowqcd(&plain).succeeds().stderr;
    assert!(frozen.contains("topological_charge_squared is the same in all configurations"), "{frozen}");
    let measured =
        ["run", "cold.toml", "--set", "sample.hmc.instanton_every=0", "--set", "sample.hmc.save_every=5"];
    sandbox.flowqcd(&[&measured[..], &["--out", "kept"]].concat()).succeeds();
    let said = sandbox.flowqcd(&["measure", "kept/ensembles/hmc.npz"]).succeeds().stderr;
    assert!(said.contains("topological_charge_squared is the same in all configurations"), "{said}");
    let thawed = sandbox.flowqcd(&["run", "cold.toml", "--out", "instantons"]).succeeds().stderr;
    assert!(!thawed.contains("frozen"), "{thawed}");
    let pull = |name: &str| {
        let text = sandbox.read("instantons/observables.csv");
        let (header, rows) = table(&text);
        let place = header.iter().position(|column| column == "observable").unwrap();
        column(&text, "pull")[rows.iter().position(|row| row[place] == name).expect("it is there")]
    };
    assert!(pull("topological_charge_squared").abs() < 4.0);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_key_the_value_and_the_rule() {
    let flow = "flow.affine = { layers = 2, kernel_size = 3, hidden = [4] }\n";
    let train = "train = { batch.size = 8, optimizer.adam.learning_rate = 1e-3, stop.steps = 1 }\n";
    let in_front = |text: &str| U1.replacen("seed = 5\n", &format!("seed = 5\n{text}"), 1);
    let no_chains = &U1[..U1.find("[sample]").unwrap()];
    for (spec, expected) in [
        (U1.replace("[6, 8]", "[6, 7]"), "theory.schwinger.extents[1] = 7: must be even"),
        (U1.replace("[6, 8]", "[6, 8, 4]"), "theory.schwinger.extents = [6, 8, 4]: must have 2 entries"),
        (U1.replace("kappa = 0.0", "kappa = -0.1"), "theory.schwinger.kappa = -0.1: must be at least 0"),
        (U1.replace("kappa = 0.0", "kappa = 0.5"), "theory.schwinger.kappa = 0.5: must be less than 0.5"),
        (U1.replace("beta = 2.0", "beta = 0.0"), "theory.schwinger.beta = 0.0: must be greater than 0"),
        (
            U1.replace("kappa = 0.0", "kappa = 0.0\nboundary = \"open\""),
            "boundary = \"open\": must be one of",
        ),
        (
            U1.replace("chains = 6", "gauge_steps = 2"),
            "sample.hmc.gauge_steps: has an effect with fermions alone",
        ),
        (in_front(flow), "train: missing: a flow is trained"),
        (in_front(train), "flow: missing: there is nothing to train"),
        (in_front(&format!("{flow}{train}")), "flow.affine: acts on scalar fields"),
        (in_front("evaluate.samples = 100\n"), "evaluate: needs a model: [flow] and [train]"),
        (
            U1.replace("[sample.hmc]", "[sample.direct]\nconfigurations = 10\n[sample.hmc]"),
            "sample.direct: needs a model",
        ),
        (no_chains.to_owned(), "flow: missing: nothing is asked for that needs no model"),
        (
            schwinger() + "\n[sample.heat_bath]\nsweeps = 9\n",
            "sample.heat_bath: is for theory.schwinger without fermions",
        ),
        (
            repository_text("configs/smoke.toml")
                + "\n[sample.hmc]\ntrajectories = 10\ninstanton_every = 2\n",
            "sample.hmc.instanton_every: has an effect on gauge theories alone",
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("bad.toml", &spec);
        let finished = sandbox.flowqcd(&["run", "bad.toml", "--out", "run"]);
        assert_eq!(finished.code, Some(2), "{expected}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{expected}:\n{}", finished.stderr);
        assert_eq!(sandbox.names(), ["bad.toml"]);
    }
    let sandbox = Sandbox::new();
    sandbox.write("large.toml", &schwinger().replace("[6, 8]", "[20000, 20000]"));
    let refused = sandbox.flowqcd(&["check", "large.toml"]);
    let expected = "TB for the elimination of the fermions";
    assert!(refused.code == Some(2) && refused.stderr.contains(expected), "{}", refused.stderr);
    let periodic = U1.replace("kappa = 0.0", "kappa = 0.25\nboundary = \"periodic\"");
    sandbox.write("periodic.toml", &periodic);
    let checked = sandbox.flowqcd(&["check", "periodic.toml"]).succeeds();
    assert!(
        checked.stderr.contains("warning: theory.schwinger.kappa = 0.25: with periodic"),
        "{}",
        checked.stderr
    );
}

fn repository_text(path: &str) -> String {
    let text = std::fs::read_to_string(repository(path)).unwrap();
    text.split("[sample").next().unwrap().to_owned()
}

#[test]
fn an_ensemble_is_kept_and_measured_again_to_the_same_values() {
    let sandbox = Sandbox::new();
    let every = schwinger().replace("[sample.hmc]", "[sample.hmc]\nsave_every = 1");
    sandbox.write("gauge.toml", &every);
    sandbox.flowqcd(&["run", "gauge.toml", "--out", "run"]).succeeds();
    let path = sandbox.path("run/ensembles/hmc.npz");
    let (header, theta) = array(&path, "theta");
    assert!(header.contains("(1200, 2, 6, 8, )") && theta.len() == 1200 * 96, "{header}");
    assert_eq!(array(&path, "action").1.len(), 1200);
    let found = sandbox.flowqcd(&["measure", "run/ensembles/hmc.npz", "--out", "again/observables.csv"]);
    assert_eq!(found.code, Some(1), "there is no such folder: {}", found.stderr);
    std::fs::create_dir(sandbox.path("again")).unwrap();
    let found = sandbox.flowqcd(&["measure", "run/ensembles/hmc.npz", "--out", "again/observables.csv"]);
    assert!(found.succeeds().stdout.contains("1200 of 6 chains"));
    let (whole, again) = (observables(&sandbox, "run"), observables(&sandbox, "again"));
    assert!(whole.len() > 20 && whole.len() == again.len());
    for (name, [value, error]) in &whole {
        let [a, b] = again[name];
        assert!((a - value).abs() < 1e-9 * (1.0 + value.abs()) && (b - error).abs() < 1e-6 * error, "{name}");
    }
    // As one chain of six times the length, without its first half.
    let as_one =
        sandbox.flowqcd(&["measure", "run/ensembles/hmc.npz", "--chains", "1", "--skip", "600"]).succeeds();
    assert!(as_one.stdout.contains("600 of one chain"), "{}", as_one.stdout);
    let other =
        ["measure", "run/ensembles/hmc.npz", "--spec", "gauge.toml", "--set", "theory.schwinger.beta=3.0"];
    let refused = sandbox.flowqcd(&other);
    assert!(
        refused.code == Some(2) && refused.stderr.contains("configuration 0: has the action"),
        "{}",
        refused.stderr
    );
    sandbox.write("theory.toml", "[theory.schwinger]\nextents = [6, 8]\nbeta = 2.0\nkappa = 0.26\n");
    sandbox.flowqcd(&["measure", "run/ensembles/hmc.npz", "--spec", "theory.toml"]).succeeds();
    for (arguments, expected) in [
        (&["gauge.toml"][..], "gauge.toml: cannot read the ensemble: invalid Zip archive"),
        (&["nowhere.npz"], "nowhere.npz: cannot read the ensemble: No such file"),
        (&["run/ensembles/hmc.npz", "--chains", "7"], "1200 configurations are no multiple of 7 chains"),
        (&["run/ensembles/hmc.npz", "--skip", "199"], "too few for 6 chains without their first 199"),
    ] {
        let refused = sandbox.flowqcd(&[&["measure"], arguments].concat());
        assert!(
            refused.code == Some(2) && refused.stderr.contains(expected),
            "{expected}: {}",
            refused.stderr
        );
    }
}

#[test]
fn a_scalar_model_is_measured_with_its_weights() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &super::support::TINY.replace("steps = 1000", "steps = 200"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    sandbox.flowqcd(&["sample", "run", "-n", "3000", "--out", "model.npz"]).succeeds();
    let found = sandbox.flowqcd(&["measure", "model.npz", "--json"]).succeeds();
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert!(found["n"] == 3000 && found["chains"].is_null());
    let first = &found["observables"][0];
    assert!(first["observable"] == "free_energy" && first["method"] == "direct");
    let refused = sandbox.flowqcd(&["measure", "model.npz", "--skip", "5"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("independent configurations of a model"));
}
