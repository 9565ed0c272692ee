//! Flows of link angles from the command line: exact values, estimators, what is continued, transferred, stored and refused.

use super::ensembles::array;
use super::resume::{assert_same, results, survives_being_killed};
use super::support::{Sandbox, column, table};
use std::collections::BTreeMap;

/// The gauge field alone, on a lattice on which a small flow learns it in seconds.
pub const U1: &str = r#"
version = 1
seed = 3

[theory.schwinger]
extents = [4, 4]
beta = 1.0
kappa = 0.0

[flow.gauge]
layers = 8
kernel_size = 3
hidden = [8]
map.spline.knots = 4

[train]
smoothing_window = 20
checkpoint_seconds = 0.02

[train.batch]
size = 64

[train.optimizer.adam]
learning_rate = 5e-3

[train.stop]
steps = 300

[evaluate]
samples = 4000
every = 100

[sample.direct]
configurations = 20000
"#;

/// Chains to compare with.
const HMC: &str = "\n[sample.hmc]\nchains = 16\nthermalization = 200\ntrajectories = 1000\n";

/// The same with fermions.
fn schwinger() -> String {
    U1.replace("beta = 1.0", "beta = 2.0").replace("kappa = 0.0", "kappa = 0.2")
}

/// `observables.csv` by method and name: value, error, pull.
fn observables(sandbox: &Sandbox, out: &str) -> BTreeMap<(String, String), [f64; 3]> {
    let text = sandbox.read(&format!("{out}/observables.csv"));
    let (header, rows) = table(&text);
    let [method, name] =
        ["method", "observable"].map(|column| header.iter().position(|found| found == column).unwrap());
    let [values, errors, pulls] = ["value", "error", "pull"].map(|name| column(&text, name));
    let row = |(index, row): (usize, &Vec<String>)| {
        ((row[method].clone(), row[name].clone()), [values[index], errors[index], pulls[index]])
    };
    rows.iter().enumerate().map(row).collect()
}

fn last_ess(sandbox: &Sandbox, out: &str) -> f64 {
    *column(&sandbox.read(&format!("{out}/ess.csv")), "ess").last().expect("a trained model is judged")
}

#[test]
fn a_flow_of_the_pure_gauge_field_finds_its_exact_values() {
    for map in ["map.spline.knots = 4", "map.tan.components = 4"] {
        let sandbox = Sandbox::new();
        sandbox.write("u1.toml", &(U1.replace("map.spline.knots = 4", map) + HMC));
        let set = ["--set", "sample.independence.proposals=20000"];
        let run = sandbox.flowqcd(&[&["run", "u1.toml", "--out", "run"], &set[..]].concat()).succeeds();
        assert!(!run.stderr.contains("misses") && !run.stderr.contains("disagree"), "{}", run.stderr);
        assert!(last_ess(&sandbox, "run") > 0.5, "{map}: {}", last_ess(&sandbox, "run"));
        let ess = sandbox.read("run/ess.csv");
        let (own, target) = (column(&ess, "ess"), column(&ess, "ess_target"));
        assert!((own.last().unwrap() - target.last().unwrap()).abs() < 0.1, "{ess}");
        // D_KL is not negative but for noise, and below a nat.
        let kl = *column(&ess, "kl").last().unwrap();
        assert!((-0.05..1.0).contains(&kl), "{kl}");
        let found = observables(&sandbox, "run");
        for (of, [value, error, pull]) in &found {
            assert!(pull.is_nan() || pull.abs() < 4.0, "{map}: {of:?} = {value} +- {error}, {pull} off");
        }
        let direct = |name: &str| found[&("direct".to_owned(), name.to_owned())];
        // From an independent computation with NumPy: I₁/I₀ of β = 1 but for 1e-6, and -ln Z with the measure dθ.
        let [plaquette, error, _] = direct("plaquette");
        assert!((plaquette - 0.4464).abs() < 4.0 * error && error < 0.005, "{plaquette} +- {error}");
        let [free_energy, error, pull] = direct("free_energy");
        assert!(pull.is_finite() && error < 0.05, "{free_energy} +- {error}");
        assert!(
            (-free_energy - 32.0 * (2.0 * std::f64::consts::PI).ln() - 3.7746).abs() < 0.1,
            "{free_energy}"
        );
        for name in ["topological_charge_squared", "charge_probability_1", "charge_asymmetry_1"] {
            assert!(direct(name)[2].is_finite(), "{name}");
        }
    }
}

/// By the ESS of training batches, the first ten and the last fifty: about 0.05 and 0.4.
#[test]
fn every_loss_teaches_a_flow_of_the_schwinger_model() {
    let sandbox = Sandbox::new();
    sandbox.write("schwinger.toml", &schwinger().replace("steps = 300", "steps = 500"));
    let losses = [
        "reverse_kl={gradient=\"reparametrised\"}",
        "reverse_kl={gradient=\"path\"}",
        "reverse_kl={gradient=\"reinforce\"}",
        "forward_kl={hmc={chains=16,every=1}}",
        "mixture={reverse_weight=0.5,forward_weight=0.5,forward_kl={hmc={chains=16,every=1}}}",
    ];
    for (index, loss) in losses.into_iter().enumerate() {
        let (out, set) = (format!("{index}"), format!("train.loss={{{loss}}}"));
        sandbox.flowqcd(&["run", "schwinger.toml", "--out", &out, "--set", &set]).succeeds();
        let batches = column(&sandbox.read(&format!("{out}/train.csv")), "ess");
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&batches[..10]), mean(&batches[450..]));
        assert!(last > first + 0.2, "{loss}: ESS from {first} to {last}");
        assert!(last_ess(&sandbox, &out) > 0.1, "{loss}: and on fresh configurations");
    }
}

/// Couplings that commute with charge conjugation, and moves between sectors, by every estimator: exact values all the same.
#[test]
fn flows_that_are_even_or_move_between_sectors_find_the_exact_values() {
    let sandbox = Sandbox::new();
    sandbox.write("u1.toml", U1);
    let keys = [
        "flow.gauge.symmetrise=equivariant",
        "flow.gauge.sectors.weights.learned={}",
        "flow.gauge.sectors={largest=2,weights={fixed={moving=0.2}}}",
    ];
    for (index, key) in keys.into_iter().enumerate() {
        for gradient in ["reparametrised", "path", "reinforce"] {
            let out = format!("{index}{gradient}");
            let gradient = format!("train.loss.reverse_kl.gradient={gradient}");
            let arguments = ["run", "u1.toml", "--out", &out, "--set", key, "--set", &gradient];
            sandbox.flowqcd(&arguments).succeeds();
            let batches = column(&sandbox.read(&format!("{out}/train.csv")), "ess");
            let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
            let (first, last) = (mean(&batches[..10]), mean(&batches[250..]));
            assert!(last > first + 0.2, "{key}, {gradient}: ESS from {first} to {last}");
            for (of, [value, error, pull]) in observables(&sandbox, &out) {
                assert!(
                    pull.is_nan() || pull.abs() < 4.0,
                    "{key}, {gradient}: {of:?} = {value} +- {error}, {pull} off"
                );
            }
        }
    }
}

/// Direct sampling, independence Metropolis, with and without trajectories between, and Hybrid Monte Carlo.
#[test]
fn every_method_finds_the_same_schwinger_model() {
    let sandbox = Sandbox::new();
    let spec = schwinger() + HMC;
    sandbox.write("schwinger.toml", &spec);
    let independence = ["--set", "sample.independence.proposals=20000"];
    let between = ["--set", "sample.independence.hmc={every=10,chains=16}"];
    for (out, more) in [("alone", &[][..]), ("between", &between[..])] {
        let arguments = [&["run", "schwinger.toml", "--out", out], &independence[..], more].concat();
        let run = sandbox.flowqcd(&arguments).succeeds();
        assert!(!run.stderr.contains("disagree") && !run.stderr.contains("sector"), "{}", run.stderr);
        let found = observables(&sandbox, out);
        for name in ["plaquette", "topological_charge_squared", "condensate", "pseudoscalar_1", "pion_mass"] {
            let of = |method: &str| found[&(method.to_owned(), name.to_owned())];
            let [hmc, hmc_err, _] = of("hmc");
            for method in ["direct", "independence"] {
                let [value, error, _] = of(method);
                let is_close = (value - hmc).abs() < 4.0 * error.hypot(hmc_err);
                assert!(is_close, "{name}: {value} +- {error} by {method}, {hmc} +- {hmc_err}");
            }
        }
    }
}

#[test]
fn a_run_of_a_flow_of_links_that_is_killed_ends_as_if_it_had_not_been() {
    let spec = schwinger()
        + "\n[sample.independence]\nproposals = 2000\n[train.loss.reverse_kl]\ngradient = \"path\"\n";
    let sandbox = survives_being_killed(&spec.replace("steps = 300", "steps = 200"), 60);
    sandbox.flowqcd(&["run", "spec.toml", "--out", "one", "--threads", "1"]).succeeds();
    assert_same(&sandbox, "one", &results(&sandbox, "whole"));
}

/// Charges are drawn from streams of their own, by place.
#[test]
fn a_run_of_a_flow_that_moves_between_sectors_survives_being_killed() {
    let spec = U1.replace("steps = 300", "steps = 150")
        + "\n[flow.gauge.sectors.weights.learned]\n[sample.independence]\nproposals = 2000\n";
    let sandbox = survives_being_killed(&spec, 60);
    sandbox.flowqcd(&["run", "spec.toml", "--out", "one", "--threads", "1"]).succeeds();
    assert_same(&sandbox, "one", &results(&sandbox, "whole"));
}

#[test]
fn ensembles_of_a_flow_of_links_hold_their_charges_and_are_measured_again() {
    let sandbox = Sandbox::new();
    sandbox.write("gauge.toml", &schwinger().replace("steps = 300", "steps = 100"));
    sandbox.flowqcd(&["run", "gauge.toml", "--out", "run"]).succeeds();
    sandbox.flowqcd(&["sample", "run", "-n", "3000", "--out", "model.npz"]).succeeds();
    let read = |name: &str| array(&sandbox.path("model.npz"), name).1;
    let (header, theta) = array(&sandbox.path("model.npz"), "theta");
    assert!(header.contains("(3000, 2, 4, 4, )"), "{header}");
    let [log_q, actions, log_w, charges] = ["log_q", "action", "log_w", "topological_charge"].map(read);
    let turn = 2.0 * std::f64::consts::PI;
    for (index, field) in theta.chunks(32).enumerate() {
        assert!(field.iter().all(|angle| angle.abs() <= turn / 2.0), "angles in (-π, π]");
        let at = |mu: usize, t: usize, x: usize| field[mu * 16 + t % 4 * 4 + x % 4];
        let plaquette = |t: usize, x: usize| at(0, t, x) + at(1, t + 1, x) - at(0, t, x + 1) - at(1, t, x);
        let flux = |angle: f64| angle - turn * (angle / turn).round();
        let charge: f64 = (0..16).map(|site| flux(plaquette(site / 4, site % 4)) / turn).sum();
        assert!((charge - charges[index]).abs() < 1e-6, "{charge} is not {}", charges[index]);
        assert_eq!(log_w[index], -actions[index] - log_q[index]);
    }
    assert!(charges.iter().any(|charge| *charge != 0.0));
    let measured = sandbox.flowqcd(&["measure", "model.npz"]).succeeds();
    assert!(
        measured.stdout.contains("plaquette") && measured.stdout.contains("condensate"),
        "{}",
        measured.stdout
    );
}

/// Weights are the same on every lattice and at every coupling: a chain in κ, and other volumes as they are.
#[test]
fn weights_go_on_to_other_couplings_and_to_other_volumes() {
    let sandbox = Sandbox::new();
    let stages = r#"
[study.stage.base]

[study.stage.chain]
set."train.stop" = { steps = 50 }
vary."theory.schwinger.kappa" = [0.1, 0.2]
start.previous.from = "base"

[study.stage.volume]
vary."theory.schwinger.extents" = [[4, 4], [4, 8], [8, 8]]
set."train.stop" = { steps = 0 }
start.stage.name = "base"
"#;
    let spec = U1.replace("configurations = 20000", "configurations = 4000");
    sandbox.write("study.toml", &(spec + stages));
    sandbox.flowqcd(&["run", "study.toml", "--out", "run"]).succeeds();
    let (header, rows) = table(&sandbox.read("run/ess.csv"));
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    let of = |cell: &str, name: &str| {
        rows.iter().filter(|row| row[0] == cell).map(|row| row[place(name)].clone()).next_back().unwrap()
    };
    let ess = |cell: &str| of(cell, "ess").parse::<f64>().unwrap();
    assert_eq!((of("3", "stage").as_str(), ess("3")), ("transfer", ess("0")));
    assert!(ess("2") > 0.2, "a retrained model is one: {}", ess("2"));
    assert!(ess("0") > ess("4") && ess("4") > ess("5"), "ESS falls with the volume");
    let plot =
        ["plot", "run", "--where", "study_stage=volume", "--where", "extents=4", "--where", "extents=8"];
    let drawn = sandbox.flowqcd(&[&plot[..], &["--json"]].concat()).succeeds().stdout;
    let drawn: serde_json::Value = serde_json::from_str(&drawn).unwrap();
    let points = drawn["studies"][0]["points"].as_array().unwrap();
    let law: Vec<(f64, f64)> = points
        .iter()
        .filter(|point| point["series"].as_str().unwrap().contains("ESS(V₀)^(V/V₀)"))
        .map(|point| (point["x"].as_f64().unwrap(), point["y"].as_f64().unwrap()))
        .collect();
    // From the largest lattice to the others.
    assert_eq!(law, [(4.0, ess("5").powf(0.25)), (8.0, ess("5"))]);
    sandbox.flowqcd(&plot).succeeds();
    let figure = sandbox.read("run/figures/ess.svg");
    assert!(figure.contains("broken: ESS(V₀)^(V/V₀), V₀ the largest"), "{figure}");
    // Where nothing is transferred there is no law.
    let chain = ["plot", "run", "--where", "study_stage=chain", "--x", "kappa", "--json"];
    assert!(!sandbox.flowqcd(&chain).succeeds().stdout.contains("V₀"));
}

#[test]
fn extents_that_the_masks_do_not_fit_are_refused_with_the_rule() {
    let sandbox = Sandbox::new();
    sandbox.write("u1.toml", U1);
    for (set, expected) in [
        ("theory.schwinger.extents=[4,6]", "theory.schwinger.extents[1] = 6: must be a multiple of 4"),
        ("flow.gauge.layers=0", "flow.gauge.layers = 0: must be at least 1"),
        ("flow.gauge.dilations=[2,1]", "must reach less far than the smallest extent"),
    ] {
        let refused = sandbox.flowqcd(&["run", "u1.toml", "--out", "run", "--set", set]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{expected} is not in\n{}", refused.stderr);
        assert_eq!(sandbox.names(), ["u1.toml"]);
    }
    // Splines with four knots have as many parameters as means of twelve.
    sandbox.flowqcd(&["run", "u1.toml", "--out", "run", "--set", "train.stop.steps=1"]).succeeds();
    for set in ["flow.gauge.map={tan={components=12}}", "flow.gauge.dilations=[1,3]"] {
        let start = ["check", "u1.toml", "--set", "train.start.model.file=run", "--set", set];
        let refused = sandbox.flowqcd(&[&start[..], &["--set", "theory.schwinger.extents=[8,8]"]].concat());
        let expected = "has couplings with another map or other dilations";
        assert!(refused.code == Some(2) && refused.stderr.contains(expected), "{}", refused.stderr);
    }
    let few = sandbox.flowqcd(&["check", "u1.toml", "--set", "flow.gauge.layers=4"]).succeeds();
    assert!(
        few.stderr.contains("warning: flow.gauge.layers = 4: 8 layers move every link"),
        "{}",
        few.stderr
    );
}

/// A determinant takes 56 T X³ operations, with its gradient 136 T X³.
#[test]
fn what_determinants_take_is_counted() {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", &schwinger());
    let flops = |kappa: &str, gradient: &str| {
        let gradient = format!("train.loss.reverse_kl.gradient={gradient}");
        let command = ["check", "spec.toml", "--json", "--set", kappa, "--set", &gradient];
        let report = sandbox.flowqcd(&command).succeeds().stdout;
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        ["flops_per_sample", "flops_per_training_sample"].map(|key| report[key].as_f64().unwrap())
    };
    for (gradient, of_training) in [("reparametrised", 136.0), ("path", 136.0), ("reinforce", 56.0)] {
        let [without, with] =
            ["theory.schwinger.kappa=0.0", "theory.schwinger.kappa=0.2"].map(|kappa| flops(kappa, gradient));
        let cubes = 4f64.powi(4);
        assert_eq!([with[0] - without[0], with[1] - without[1]], [56.0 * cubes, of_training * cubes]);
    }
}
