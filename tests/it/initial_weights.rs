//! Every choice of initial weights, through the program.

use super::resume::{assert_same, results};
use super::support::{Sandbox, TINY, column};
use std::collections::BTreeSet;

#[test]
fn initial_weights_are_those_that_are_chosen() {
    let sandbox = Sandbox::new();
    let run = |out: &str, choice: &str| {
        let hidden = "hidden = [6]\n";
        assert!(TINY.contains(hidden));
        let spec = TINY.replace(hidden, &format!("{hidden}{choice}\n"));
        sandbox.write("tiny.toml", &spec.replace("steps = 1000", "steps = 30"));
        sandbox.flowqcd(&["run", "tiny.toml", "--out", out]).succeeds();
        results(&sandbox, out)
    };
    let default = run("default", "");
    let half = run("half", "initial_width = 0.5");
    run("whole_named", "initial.kaiming = {}");
    assert_same(&sandbox, "whole_named", &default);
    run("half_named", "initial.kaiming.width = 0.5");
    assert_same(&sandbox, "half_named", &half);
    // Not only the results are the same: it is the same run.
    let again = sandbox.flowqcd(&["run", "tiny.toml", "--out", "half"]).succeeds();
    assert!(again.stderr.contains("this run is finished"), "{}", again.stderr);

    run("xavier", "[flow.affine.initial.xavier]");
    run("small_xavier", "initial.xavier.gain = 0.25");
    let first_loss = |out: &str| column(&sandbox.read(&format!("{out}/train.csv")), "loss")[0].to_string();
    let losses = ["default", "half", "xavier", "small_xavier"].map(first_loss);
    assert_eq!(BTreeSet::from(losses.clone()).len(), 4, "{losses:?}");
    assert!(sandbox.read("xavier/spec.toml").contains("[flow.affine.initial.xavier]\ngain = 1.0\n"));
}

/// The bottom panel of Fig. 4 of A22: the choice is made beside what the file leaves at its default.
#[test]
fn a_study_varies_the_gain() {
    let sandbox = Sandbox::new();
    let study = "[study.vary]\n\"flow.affine.initial.xavier.gain\" = [0.5, 1.0]\n";
    sandbox.write("tiny.toml", &format!("{}\n{study}", TINY.replace("steps = 1000", "steps = 5")));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    let [loss, gain] = ["loss", "gain"].map(|name| column(&sandbox.read("run/train.csv"), name));
    assert_eq!((gain[0], gain[9]), (0.5, 1.0));
    assert_ne!(loss[0], loss[5]);
}
