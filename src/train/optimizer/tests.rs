//! Update rules beside PyTorch's, and their names and moments beside their specifications.

use super::*;
use crate::spec::{HalveSpec, LearningRateSpec, json_schema};
use crate::train::schedule;

/// The rules keep parameters and moments in single precision, PyTorch's numbers are in double: a parameter between ½ and 1 is
/// rounded by up to 3e-8 at each of a hundred steps, to either side, which adds up to some 2e-7.
const TOLERANCE: f64 = 1e-6;

const CURVATURES: [f64; 3] = [1.0, 10.0, 30.0];
const START: [f32; 3] = [0.75, -0.5, 0.25];

fn spec(toml: &str) -> OptimizerSpec {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"))
}

/// `∇L` of `L = ½ Σ a_i θ_i² + ¼ (Σ θ_i²)²`.
fn gradient(theta: [f32; 3]) -> [f64; 3] {
    let theta = theta.map(f64::from);
    let square: f64 = theta.iter().map(|x| x * x).sum();
    std::array::from_fn(|i| (CURVATURES[i] + square) * theta[i])
}

#[test]
fn every_rule_takes_a_hundred_steps_of_pytorch() {
    let halve = LearningRateSpec::Halve(HalveSpec { every: 50 });
    for (toml, expected) in PYTORCH {
        let spec = spec(toml);
        let (rule, mut theta) = (build(&spec), START);
        let mut state = rule.start(theta.len());
        for step in 0..100 {
            let rate = schedule::learning_rate(&halve, spec.learning_rate(), step);
            rule.update(&mut state, rate, &gradient(theta), &mut theta);
            let Some((_, expected)) = expected.iter().find(|(after, _)| *after == step + 1) else { continue };
            for (found, expected) in theta.iter().zip(expected) {
                let is_near = (f64::from(*found) - expected).abs() < TOLERANCE;
                assert!(is_near, "{toml}: {found} is not {expected} after {} steps", step + 1);
            }
        }
        assert_eq!(state.updates, 100);
    }
}

/// Every rule of the schema is in the table above, and is called and remembers what its specification says.
#[test]
fn rules_have_the_names_and_moments_of_their_specifications() {
    let schema = json_schema();
    let names = schema["properties"]["train"]["properties"]["optimizer"]["properties"].as_object().unwrap();
    for name in names.keys() {
        let rules: Vec<OptimizerSpec> = PYTORCH.iter().map(|(toml, _)| spec(toml)).collect();
        let mut own = rules.iter().filter(|spec| spec.name() == name).peekable();
        assert!(own.peek().is_some(), "{name} is not held against PyTorch");
        for spec in own {
            assert!(toml::to_string(spec).unwrap().starts_with(&format!("[{name}]")), "{spec:?}");
            let rule = build(spec);
            assert_eq!((rule.name(), rule.moments().len()), (spec.name(), spec.moments()), "{spec:?}");
            let state = rule.start(5);
            let found: Vec<(&str, usize)> = state.moments.iter().map(|m| (m.name, m.values.len())).collect();
            let expected: Vec<(&str, usize)> = rule.moments().iter().map(|name| (*name, 5)).collect();
            assert_eq!((state.name, found), (spec.name(), expected));
        }
    }
}

#[test]
#[should_panic(expected = "moments of the state and of the rule")]
fn a_rule_refuses_the_moments_of_another() {
    let [with, without] = ["[sgd]\nlearning_rate = 1\nmomentum = 0.5", "[sgd]\nlearning_rate = 1"]
        .map(|toml| build(&spec(toml)));
    with.update(&mut without.start(1), 1.0, &[1.0], &mut [1.0]);
}

/// A rule, and the parameters after so many steps of PyTorch 2.15.0 in double precision from `tests/pytorch_optimizers.py`.
type Reference = (&'static str, [(u64, [f64; 3]); 3]);

const PYTORCH: [Reference; 6] = [
    (
        "[adam]\nlearning_rate = 0.01",
        [
            (1, [0.7400000000711111, -0.4900000000183908, 0.24000000001295546]),
            (10, [0.6510811775447933, -0.4008598281299432, 0.15184337476642976]),
            (100, [0.2155263426683358, -0.024456309025066014, 0.001264027776957792]),
        ],
    ),
    (
        "[adadelta]",
        [
            (1, [0.7468377303352886, -0.4968377228746069, 0.2468377226052164]),
            (10, [0.7172414356514896, -0.46703496935252703, 0.21767408285836404]),
            (100, [0.5205106811195093, -0.26555556545613684, 0.05929785730493478]),
        ],
    ),
    (
        "[adadelta]\nlearning_rate = 0.5\nrho = 0.95\nepsilon = 1e-4",
        [
            (1, [0.7276506189818718, -0.47764007647333406, 0.227639695526345]),
            (10, [0.5599585703935828, -0.30535586968404593, 0.08472770769723287]),
            (100, [0.09711279264033856, -0.0033491205556340203, 2.2470574462446167e-07]),
        ],
    ),
    (
        "[sgd]\nlearning_rate = 0.005",
        [
            (1, [0.74296875, -0.4728125, 0.21140625]),
            (10, [0.6885975243807427, -0.28850415900790416, 0.04722615688081658]),
            (100, [0.44693571395008297, -0.009357383570621144, 1.2735413365124678e-06]),
        ],
    ),
    (
        "[sgd]\nlearning_rate = 0.005\nmomentum = 0.9",
        [
            (1, [0.74296875, -0.4728125, 0.21140625]),
            (10, [0.5127888147074116, 0.17826780315878202, -0.08820125891602501]),
            (100, [-0.013639693582007013, -0.0020236745398165275, -0.000577221293602046]),
        ],
    ),
    (
        "[sgd]\nlearning_rate = 0.005\nmomentum = 0.9\nnesterov = true",
        [
            (1, [0.736640625, -0.44834375, 0.176671875]),
            (10, [0.4952789347829849, 0.1454267970186644, -0.02975145830046794]),
            (100, [-0.010370930515364281, -0.00026637578710612627, -1.0980373323331944e-06]),
        ],
    ),
];
