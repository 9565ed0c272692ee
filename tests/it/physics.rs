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
