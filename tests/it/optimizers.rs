//! Every optimizer, through the program.

use super::support::{Sandbox, TINY, column};
use std::collections::BTreeSet;

const ADAM: &str = "[train.optimizer.adam]\nlearning_rate = 2e-3\n";

/// The optimizers: what a file says, and the moments in checkpoints.
const OPTIMIZERS: [(&str, &[&str]); 5] = [
    (ADAM, &["adam.first_moment", "adam.second_moment"]),
    ("[train.optimizer.adadelta]\n", &["adadelta.squared_change", "adadelta.squared_gradient"]),
    ("[train.optimizer.sgd]\nlearning_rate = 2e-3\n", &[]),
    ("[train.optimizer.sgd]\nlearning_rate = 2e-3\nmomentum = 0.9\n", &["sgd.velocity"]),
    ("[train.optimizer.sgd]\nlearning_rate = 2e-3\nmomentum = 0.9\nnesterov = true\n", &["sgd.velocity"]),
];

/// What the names of tensors begin with that belong to the first bias, in the last checkpoint of a run of 200 steps.
fn kept(sandbox: &Sandbox, out: &str) -> Vec<String> {
    let bytes =
        std::fs::read(sandbox.path(&format!("{out}/checkpoints/step-0000000200.safetensors"))).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let own = tensors.names().into_iter().filter_map(|name| name.strip_suffix("flow.layers.0.conv.0.bias"));
    let mut kept: Vec<String> = own.map(|prefix| prefix.trim_end_matches('.').to_owned()).collect();
    kept.sort();
    kept
}

#[test]
fn each_optimizer_trains_and_keeps_its_moments() {
    let sandbox = Sandbox::new();
    let mut ends = BTreeSet::new();
    assert!(TINY.contains(ADAM));
    for (index, (optimizer, moments)) in OPTIMIZERS.iter().enumerate() {
        let out = index.to_string();
        sandbox.write("tiny.toml", &TINY.replace(ADAM, optimizer).replace("steps = 1000", "steps = 200"));
        sandbox.flowqcd(&["run", "tiny.toml", "--out", &out]).succeeds();
        let mut expected: Vec<String> = moments.iter().map(|name| name.to_string()).collect();
        // The parameter itself, without a prefix, comes first.
        expected.insert(0, String::new());
        assert_eq!(kept(&sandbox, &out), expected, "{optimizer}");

        let train = sandbox.read(&format!("{out}/train.csv"));
        let loss = column(&train, "loss");
        let [before, after] = [&loss[..20], &loss[180..]].map(|losses| losses.iter().sum::<f64>() / 20.0);
        assert!(after < before - 1.0, "{optimizer}: the loss goes from {before} to {after}");
        assert!(ends.insert(after.to_string()), "{optimizer} goes the way of another");
    }
}

#[test]
fn a_diverging_run_names_the_learning_rate_of_its_optimizer() {
    for (optimizer, name) in [
        ("[train.optimizer.adadelta]\nlearning_rate = 1e45\n", "train.optimizer.adadelta.learning_rate"),
        ("[train.optimizer.sgd]\nlearning_rate = 1e45\n", "train.optimizer.sgd.learning_rate"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("tiny.toml", &TINY.replace(ADAM, optimizer));
        let finished = sandbox.flowqcd(&["run", "tiny.toml"]);
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("error: training step 1: updated parameter = "),
            "{}",
            finished.stderr
        );
        assert!(finished.stderr.contains(&format!("lower `{name}`")), "{}", finished.stderr);
    }
}
