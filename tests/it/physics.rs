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
