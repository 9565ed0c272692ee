//! Runs from the command line against exact values.

use super::support::{Sandbox, column, repository, table};

/// A trained flow's free energy and observables, each within four of its own standard errors.
#[test]
fn the_free_field_comes_out_with_its_exact_values() {
    let sandbox = Sandbox::new();
    let spec = repository("configs/free_field.toml");
    let arguments = ["--set", "train.stop.steps=300", "--set", "sample.direct.configurations=16384"];
    let run = ["run", spec.to_str().unwrap(), "--out", "free"];
    let finished = sandbox.flowqcd(&[&run[..], &arguments].concat()).succeeds();
    assert!(finished.stdout.contains("D_KL(q|p)"));

    let text = sandbox.read("free/observables.csv");
    let (header, rows) = table(&text);
    assert_eq!(header[2], "observable");
    let named = |name: &str| rows.iter().position(|row| row[2] == name).expect("the observable is there");
    let exact = column(&text, "exact");
    // From an independent computation with NumPy.
    assert!((exact[named("free_energy")] + 16.4949135754).abs() < 1e-9);
    assert!((exact[named("phi_squared")] - 0.254065787696).abs() < 1e-11);
    for name in ["free_energy", "phi_squared", "chi_2", "energy_density"] {
        let (pull, error) = (column(&text, "pull")[named(name)], column(&text, "error")[named(name)]);
        assert!(pull.abs() < 4.0, "{name} is {pull} sigma from its exact value\n{text}");
        assert!(error < 0.1, "{name} has the error {error}");
    }
    let ess = sandbox.read("free/ess.csv");
    let (kl, value) = (column(&ess, "kl")[0], column(&ess, "ess")[0]);
    assert!(value > 0.1, "ESS {value}");
    assert!(kl > 0.0 && kl < 1.0, "D_KL {kl}");
}

#[test]
fn the_smoke_configuration_reaches_an_ess_of_0_3() {
    let sandbox = Sandbox::new();
    let spec = repository("configs/smoke.toml");
    sandbox.flowqcd(&["run", spec.to_str().unwrap(), "--out", "smoke"]).succeeds();
    let ess = *column(&sandbox.read("smoke/ess.csv"), "ess").last().expect("a final row");
    assert!(ess > 0.3, "ESS {ess}");
}

/// A free field of mass 1 with couplings that do nothing, and hardly a step of training.
const FREE: &str = r#"
version = 1
seed = 2
[theory.phi4]
extents = [6, 8]
mass_squared = 1.0
coupling = 0.0
[flow.affine]
layers = 2
kernel_size = 1
hidden = []
initial_width = 0.0
[train]
batch.size = 64
optimizer.adam.learning_rate = 1e-30
stop.steps = 1
[evaluate]
samples = 4096
[sample.direct]
configurations = 4096
"#;

/// At λ = 0 a base with the mass of the target is the target, so that every weight is Z: only rounding to single precision is left, of
/// sums of a hundred terms of order one.
#[test]
fn a_free_field_base_of_the_right_mass_is_the_target() {
    let sandbox = Sandbox::new();
    sandbox.write("free.toml", FREE);
    for base in ["free_field", "learned_spectrum"] {
        for extents in ["[10]", "[6, 8]", "[4, 6, 4]", "[4, 2, 4, 2]"] {
            let sets =
                [format!("flow.affine.base.{base}.mass_squared=1"), format!("theory.phi4.extents={extents}")];
            let run = ["run", "free.toml", "--fresh", "--out", "free", "--set", &sets[0], "--set", &sets[1]];
            sandbox.flowqcd(&run).succeeds();
            let ess = sandbox.read("free/ess.csv");
            let value = column(&ess, "ess")[0];
            assert!((value - 1.0).abs() < 1e-8, "ESS {value}, {sets:?}");
            let kl = column(&ess, "kl")[0];
            assert!(kl.abs() < 1e-4, "D_KL {kl}, {sets:?}");
        }
    }
}

/// Couplings may shift and scale whole sublattices here, no more: what fits is the mass.
#[test]
fn the_mass_of_a_free_field_base_is_learned() {
    let sandbox = Sandbox::new();
    sandbox.write("free.toml", FREE);
    for base in ["free_field", "learned_spectrum"] {
        let start = format!("flow.affine.base.{base}.mass_squared=4");
        let training = [
            "train.optimizer.adam.learning_rate=3e-2",
            "train.learning_rate.halve.every=100",
            "train.stop.steps=600",
        ];
        let run = ["run", "free.toml", "--out", base, "--set", &start];
        let sets = training.iter().flat_map(|set| ["--set", set]).collect::<Vec<&str>>();
        sandbox.flowqcd(&[&run[..], &sets].concat()).succeeds();
        let before = column(&sandbox.read(&format!("{base}/train.csv")), "ess")[0];
        let after = column(&sandbox.read(&format!("{base}/ess.csv")), "ess")[0];
        assert!(before < 0.5, "ESS {before} with four times the mass squared");
        assert!(after > 0.99, "ESS {after} with a {base} that was learned");
    }
}

/// Deep in the broken phase, where a flow finds one of two modes and each of them is nearly Gaussian.
const BROKEN: &str = r#"
version = 1
seed = 1
[theory.phi4]
extents = [4, 4]
mass_squared = -4.0
coupling = 0.2
[flow.affine]
layers = 8
kernel_size = 3
hidden = [8]
[train]
batch.size = 128
optimizer.adam.learning_rate = 4e-3
learning_rate.halve.every = 200
stop.steps = 800
[evaluate]
samples = 4096
[sample.direct]
configurations = 8192
[sample.hmc]
chains = 32
thermalization = 300
trajectories = 300
"#;

/// ⟨M⟩ is zero and the free energy is lower by ln 2 with both modes, and the configurations of HMC have a density.
#[test]
fn a_symmetrised_flow_has_both_modes() {
    let sandbox = Sandbox::new();
    sandbox.write("broken.toml", BROKEN);
    let run = |mode: &str| {
        let symmetrise = format!("flow.affine.symmetrise={mode}");
        sandbox.flowqcd(&["run", "broken.toml", "--out", mode, "--set", &symmetrise]).succeeds();
        let ess = sandbox.read(&format!("{mode}/ess.csv"));
        let text = sandbox.read(&format!("{mode}/observables.csv"));
        let of_flow = |name: &str, column_name: &str| {
            let rows = table(&text).1;
            let is_it = |row: &&Vec<String>| row[1] == "direct" && row[2] == name;
            let place = rows.iter().position(|row| is_it(&row)).expect("the observable is there");
            column(&text, column_name)[place]
        };
        let names = ["free_energy", "magnetization"];
        let values = names.map(|name| [of_flow(name, "value"), of_flow(name, "error")]);
        (column(&ess, "ess")[0], column(&ess, "ess_target")[0], values)
    };
    let (ess, on_target, [[free, _], [m, error]]) = run("never");
    assert!(ess > 0.5 && on_target < 1e-3, "one mode: ESS {ess}, {on_target} on the target");
    assert!(m.abs() > 20.0 * error, "one mode: M = {m} +- {error}");
    for mode in ["after_training", "always"] {
        let (ess, on_target, [[even, free_error], [m, error]]) = run(mode);
        assert!(ess > 0.5 && (ess - on_target).abs() < 0.2, "{mode}: ESS {ess}, {on_target} on the target");
        assert!(m.abs() < 4.0 * error, "{mode}: M = {m} +- {error}");
        let gained = free - even;
        assert!((gained - 2f64.ln()).abs() < 4.0 * free_error + 0.01, "{mode}: {gained} is not ln 2");
    }
}
