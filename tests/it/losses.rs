//! Losses and estimators of their gradients: each teaches the model, whatever happens on the way.

use super::ensembles::CHAINS;
use super::resume::{assert_same, results, survives_being_killed};
use super::support::{Sandbox, TINY, column};

/// Mean ESS of the first training batches, and the ESS of the trained model on fresh configurations.
fn learned(sandbox: &Sandbox, out: &str) -> [f64; 2] {
    let batches = column(&sandbox.read(&format!("{out}/train.csv")), "ess");
    let fresh = column(&sandbox.read(&format!("{out}/ess.csv")), "ess");
    [batches[..10].iter().sum::<f64>() / 10.0, *fresh.last().expect("a trained model is judged")]
}

#[test]
fn every_estimator_of_the_reverse_divergence_teaches_the_model() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    for gradient in ["reparametrised", "path", "reinforce"] {
        let set = format!("train.loss.reverse_kl.gradient={gradient}");
        sandbox.flowqcd(&["run", "tiny.toml", "--out", gradient, "--set", &set]).succeeds();
        let [first, last] = learned(&sandbox, gradient);
        assert!(last > first + 0.1, "{gradient}: ESS from {first} to {last}");
    }
    // The first is what is trained without the key.
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "none"]).succeeds();
    assert_same(&sandbox, "reparametrised", &results(&sandbox, "none"));
}

#[test]
fn a_mixture_of_divergences_teaches_the_model() {
    let sandbox = Sandbox::new();
    sandbox.write("chains.toml", &(TINY.replace("steps = 1000", "steps = 20") + CHAINS));
    sandbox.flowqcd(&["run", "chains.toml", "--out", "chains"]).succeeds();
    let mixture = "\n[train.loss.mixture]\nreverse_weight = 0.5\nforward_weight = 0.5\n\
                   reverse_kl.gradient = \"path\"\nforward_kl.ensemble = \"chains/ensembles/hmc.npz\"\n";
    sandbox.write("mixture.toml", &format!("{TINY}{mixture}"));
    sandbox.flowqcd(&["run", "mixture.toml", "--out", "mixture"]).succeeds();
    let [first, last] = learned(&sandbox, "mixture");
    assert!(last > first + 0.1, "ESS from {first} to {last}");
}

#[test]
fn a_run_with_another_estimator_that_is_killed_ends_as_if_it_had_not_been() {
    let reinforce = "\n[train.loss.reverse_kl]\ngradient = \"reinforce\"\n";
    survives_being_killed(&format!("{TINY}{reinforce}"), 25);
}

/// Chains of the target that run beside a short training.
const BESIDE: &str = "\n[train.loss.forward_kl.hmc]\nchains = 11\nevery = 3\nthermalization = 100\n";

#[test]
fn chains_that_run_beside_training_teach_the_model() {
    let sandbox = Sandbox::new();
    let learner = TINY.replace("learning_rate = 2e-3", "learning_rate = 5e-3");
    sandbox.write("beside.toml", &format!("{learner}{BESIDE}"));
    sandbox.flowqcd(&["run", "beside.toml", "--out", "beside"]).succeeds();
    let fresh = column(&sandbox.read("beside/ess.csv"), "ess");
    let (first, last) = (fresh[0], fresh[fresh.len() - 1]);
    assert!(last > first + 0.1, "ESS from {first} to {last}");
}

#[test]
fn chains_beside_a_training_that_is_killed_go_on_with_it() {
    let sandbox = survives_being_killed(&format!("{TINY}{BESIDE}"), 25);
    assert!(
        results(&sandbox, "whole").iter().any(|(_, text)| text.contains("train.target.fields")),
        "a checkpoint holds the chains"
    );
}

#[test]
fn wrong_losses_are_refused_and_nothing_is_written() {
    for (sets, expected) in [
        (
            &["train.loss.reverse_kl.gradient=sideways"][..],
            "train.loss.reverse_kl.gradient = \"sideways\": must be one of: reparametrised, path, reinforce",
        ),
        (
            &["train.loss.reverse_kl.gradient=reinforce", "train.batch.size=1"],
            "train.batch.size = 1: must be at least 2",
        ),
        (&["train.loss.mixture.reverse_weight=1"], "train.loss.mixture.forward_weight: missing"),
        (
            &["train.loss.forward_kl.ensemble=a.npz", "train.loss.forward_kl.hmc.chains=8"],
            "train.loss.forward_kl: takes only one of",
        ),
        (&["train.loss.forward_kl.hmc.chain=8"], "did you mean `train.loss.forward_kl.hmc.chains`?"),
        (&["train.loss.forward_kl.hmc.every=0"], "train.loss.forward_kl.hmc.every = 0: must be at least 1"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("tiny.toml", TINY);
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let refused = sandbox.flowqcd(&[&["run", "tiny.toml", "--out", "out"], &sets[..]].concat());
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{expected} is not in\n{}", refused.stderr);
        assert_eq!(sandbox.names(), ["tiny.toml"]);
    }
}
