//! Every wrong value is named with its rule.

use super::*;

/// The optimizer of [`GOOD`].
const ADAM: &str = "[train.optimizer.adam]\nlearning_rate = 1e-3";

/// Each case: what is changed, and what the one problem must say.
fn each_is_named(cases: &[(&str, &str, &str)]) {
    for (from, to, expected) in cases {
        assert!(GOOD.contains(from), "{from}");
        let found = problems(&GOOD.replacen(from, to, 1), &[]);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{to}: {found:#?} lacks {expected}");
    }
}

#[test]
fn each_wrong_value_of_a_theory_or_a_flow_is_named_with_its_rule() {
    each_is_named(&[
        (
            "layers = 4",
            "layer = 4",
            "flow.affine.layer: unknown key (line 11) | did you mean `flow.affine.layers`?",
        ),
        ("layers = 4", "layers = 0", "flow.affine.layers = 0: must be at least 1 (line 11)"),
        ("extents = [8, 8]", "extents = [8, 9]", "theory.phi4.extents[1] = 9: must be even"),
        ("extents = [8, 8]", "extents = []", "theory.phi4.extents = []: must have 1 to 4 entries"),
        ("extents = [8, 8]", "extents = [8, 8, 8, 8, 8]", "must have 1 to 4 entries"),
        (
            "extents = [8, 8]",
            "extents = [8, 8, 2]",
            "kernel_size = 3: must not exceed the smallest extent, 2",
        ),
        ("kernel_size = 3", "kernel_size = 4", "flow.affine.kernel_size = 4: must be odd"),
        (
            "kernel_size = 3",
            "kernel_size = 9",
            "flow.affine.kernel_size = 9: must not exceed the smallest extent, 8",
        ),
        ("coupling = 1", "coupling = -0.5", "theory.phi4.coupling = -0.5: must be at least 0"),
        (
            "coupling = 1",
            "coupling = 0",
            "theory.phi4.mass_squared = -1: must be greater than 0 where coupling = 0",
        ),
        (
            "mass_squared = -1.0\ncoupling = 1",
            "convention = \"nicoli\"\nkappa = 0.25\ncoupling = 0",
            "theory.phi4.kappa = 0.25: must be less than 0.25 where coupling = 0",
        ),
        (
            "mass_squared = -1.0\ncoupling = 1",
            "convention = \"del_debbio\"\nbeta = 0.6\ncoupling = 0",
            "theory.phi4.beta = 0.6: must be less than 0.5 where coupling = 0",
        ),
        ("coupling = 1", "coupling = nan", "theory.phi4.coupling = nan: must be finite"),
        ("coupling = 1", "coupling = \"1\"", "theory.phi4.coupling = \"1\": must be a number, not a string"),
        (
            "coupling = 1",
            "coupling = 1\nconvention = \"mine\"",
            "must be one of: paper, albergo, neumc, nicoli, del_debbio",
        ),
        ("coupling = 1", "coupling = 1\nkappa = 0.2", "is not part of the convention `paper`"),
        ("mass_squared = -1.0\n", "", "theory.phi4.mass_squared: missing: the convention `paper` needs it"),
        ("[theory.phi4]", "[theory.phi3]", "theory.phi3: unknown key (line 5) | did you mean `theory.phi4`?"),
    ]);
}

#[test]
fn each_wrong_value_of_the_networks_is_named_with_its_rule() {
    each_is_named(&[
        ("hidden = [8]", "hidden = [8, 0]", "flow.affine.hidden[1] = 0: must be at least 1"),
        (
            "hidden = [8]",
            "hidden = [8]\ninitial.kaiming.width = -1",
            "flow.affine.initial.kaiming.width = -1: must be at least 0",
        ),
        (
            "hidden = [8]",
            "hidden = [8]\ninitial.xavier.width = 1",
            "flow.affine.initial.xavier.width: unknown key (line 14) | keys here: flow.affine.initial.xavier.gain",
        ),
        (
            "hidden = [8]",
            "hidden = [8]\ninitial_width = 0.5\ninitial.xavier.gain = 1",
            "flow.affine.initial_width = 0.5: cannot stand beside flow.affine.initial.xavier (line 14)",
        ),
    ]);
}

#[test]
fn each_wrong_value_of_training_is_named_with_its_rule() {
    each_is_named(&[
        (
            "size = 64",
            "size = 1.5",
            "train.batch.size = 1.5: must be an integer, not a number with a decimal point",
        ),
        ("steps = 10", "", "train.stop: needs one of: train.stop.ess, train.stop.samples"),
        ("steps = 10", "ess = 1.5", "train.stop.ess = 1.5: must be at most 1"),
        (
            "[train.stop]\nsteps = 10\n",
            "",
            "train.stop: missing | `train.stop`: Training ends on the first of these",
        ),
        ("version = 1", "version = 2", "version = 2: must be at most 1"),
        (
            "size = 64",
            "size = 64\ndouble = { every = 5, maximum = 32 }",
            "must be at least train.batch.size = 64",
        ),
        (ADAM, "[train.optimizer.sgd]", "train.optimizer.sgd.learning_rate: missing"),
        (ADAM, "[train.optimizer.adadelta]\nrho = 1", "adadelta.rho = 1: must be less than 1"),
        (ADAM, "[train.optimizer.adadelta]\nepsilon = 0", "adadelta.epsilon = 0: must be greater than 0"),
        (
            ADAM,
            "[train.optimizer.sgd]\nlearning_rate = 1\nmomentum = -0.5",
            "train.optimizer.sgd.momentum = -0.5: must be at least 0",
        ),
        (
            ADAM,
            "[train.optimizer.sgd]\nlearning_rate = 1\nnesterov = true",
            "train.optimizer.sgd.nesterov = true: needs train.optimizer.sgd.momentum > 0 (line 20)",
        ),
        (
            ADAM,
            "[train.optimizer.adadelta]\nbeta_1 = 0.9",
            "train.optimizer.adadelta.beta_1: unknown key (line 19)",
        ),
    ]);
}
