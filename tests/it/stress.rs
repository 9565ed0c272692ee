//! Numbers under stress: what is no number stops a training with its step, and single precision keeps its digits at the extremes.

use super::support::trials;
use burn::tensor::{Device, Tensor};
use flowqcd::device::ComputeDevice;
use flowqcd::error::{Error, Result};
use flowqcd::flow::Flow;
use flowqcd::lattice::Lattice;
use flowqcd::rng::Seed;
use flowqcd::spec::Spec;
use flowqcd::theory::{Action, Phi4, Schwinger};
use flowqcd::train::{Observer, StepFailure, StepInfo, TrainState, Trainer};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::sync::atomic::{AtomicU64, Ordering};

const STEPS: u64 = 6;

const BATCH: usize = 8;

fn spec(layers: usize, gradient: &str) -> Spec {
    let text = format!(
        "version = 1\nseed = 1\n\
         theory.phi4 = {{ extents = [4, 4], mass_squared = -1.0, coupling = 1.0 }}\n\
         flow.affine = {{ layers = {layers}, kernel_size = 3, hidden = [4] }}\n\
         train.loss.reverse_kl.gradient = \"{gradient}\"\n\
         train.batch.size = {BATCH}\ntrain.optimizer.adam.learning_rate = 1e-3\ntrain.stop.steps = {STEPS}\n"
    );
    Spec::parse(&text, &[]).expect("the specification is valid")
}

/// What an action gives that is no number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Poison {
    Value(f32),
    /// The value is good, its gradient is not.
    Gradient,
}

/// An action that is poisoned for one configuration, every time from one call on.
#[derive(Debug)]
struct Poisoned {
    inner: Phi4,
    poison: Poison,
    place: usize,
    from: u64,
    calls: AtomicU64,
}

impl Action for Poisoned {
    fn id(&self) -> String {
        self.inner.id()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn field_name(&self) -> &'static str {
        self.inner.field_name()
    }

    fn lattice(&self) -> Lattice {
        self.inner.lattice()
    }

    fn components(&self) -> usize {
        self.inner.components()
    }

    fn action(&self, field: Tensor<3>) -> Tensor<1> {
        let action = self.inner.action(field.clone());
        if self.calls.fetch_add(1, Ordering::Relaxed) < self.from {
            return action;
        }
        let [batch, ..] = field.dims();
        let mut at_place = vec![0f32; batch];
        match self.poison {
            Poison::Value(value) => {
                at_place[self.place % batch] = value;
                action + Tensor::<1>::from_data(at_place.as_slice(), &field.device())
            }
            Poison::Gradient => {
                at_place[self.place % batch] = 1.0;
                // √0 has no derivative.
                let zero =
                    (field.clone() - field.clone().detach()).sum_dim(2).sum_dim(1).reshape([batch as i32]);
                action
                    + (zero * Tensor::<1>::from_data(at_place.as_slice(), &field.device()))
                        .powi_scalar(2)
                        .sqrt()
            }
        }
    }

    fn action_f64(&self, field: &[f64]) -> f64 {
        self.inner.action_f64(field)
    }

    fn log_partition(&self) -> Option<f64> {
        None
    }
}

/// Counts the steps that were made.
#[derive(Default)]
struct Counting {
    steps: u64,
}

impl Observer for Counting {
    fn after_step(&mut self, state: &TrainState, info: &StepInfo) -> Result<()> {
        assert!(info.loss.is_finite() && state.parameters.iter().all(|value| value.is_finite()));
        self.steps += 1;
        Ok(())
    }

    fn last_checkpoint(&self) -> String {
        format!("of step {}", self.steps)
    }
}

fn phi4() -> Phi4 {
    Phi4::new(Lattice::new([4, 4]), -1.0, 1.0)
}

fn hold<S: Strategy>(strategy: &S, law: impl Fn(S::Value) -> std::result::Result<(), TestCaseError>) {
    TestRunner::new(trials(60)).run(strategy, law).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_training_stops_at_the_step_whose_action_or_gradient_is_no_number() {
    let poison = prop_oneof![
        Just(Poison::Value(f32::NAN)),
        Just(Poison::Value(f32::INFINITY)),
        Just(Poison::Value(f32::NEG_INFINITY)),
        Just(Poison::Gradient),
    ];
    let gradients = prop_oneof![Just("reparametrised"), Just("path"), Just("reinforce")];
    hold(&(gradients, poison, 0..BATCH, 0..STEPS), |(gradient, poison, place, from)| {
        let spec = spec(4, gradient);
        let action = Poisoned { inner: phi4(), poison, place, from, calls: AtomicU64::new(0) };
        let model = spec.model().expect("it has one");
        let flow = Flow::new(model.flow, action.lattice());
        let device = ComputeDevice::cpu();
        let trainer = Trainer::new(&flow, &action, model.train, None, &device, Seed(1)).expect("no data");
        let (mut state, mut seen) = (trainer.initial_state(Seed(1)), Counting::default());
        let ended = trainer.run(&mut state, &mut seen);
        prop_assert_eq!(action.calls.load(Ordering::Relaxed).min(from + 1), from + 1, "one call a step");
        if gradient == "reinforce" && poison == Poison::Gradient {
            // Nobody asks for it.
            prop_assert!(ended.is_ok());
            return Ok(());
        }
        match ended {
            Err(Error::Diverged { step, checkpoint, value, .. }) => {
                prop_assert!(!value.is_finite());
                prop_assert_eq!((step, seen.steps, checkpoint), (from + 1, from, format!("of step {from}")));
            }
            other => prop_assert!(false, "{:?}", other),
        }
        Ok(())
    });
}

#[test]
fn a_weight_that_is_no_number_is_noticed_at_the_next_step() {
    let values = prop_oneof![
        Just(f32::NAN),
        Just(f32::INFINITY),
        Just(f32::NEG_INFINITY),
        Just(f32::MAX),
        Just(f32::MIN)
    ];
    let gradients = prop_oneof![Just("reparametrised"), Just("path"), Just("reinforce")];
    hold(&(gradients, values, any::<prop::sample::Index>(), 0..STEPS), |(gradient, value, place, after)| {
        let (spec, action, device) = (spec(4, gradient), phi4(), ComputeDevice::cpu());
        let model = spec.model().expect("it has one");
        let flow = Flow::new(model.flow, action.lattice());
        let trainer = Trainer::new(&flow, &action, model.train, None, &device, Seed(1)).expect("no data");
        let mut state = trainer.initial_state(Seed(1));
        for _ in 0..after {
            prop_assert!(trainer.step(&mut state).is_ok());
        }
        let place = place.index(state.parameters.len());
        state.parameters[place] = value;
        match trainer.step(&mut state) {
            Err(StepFailure::NotFinite(_, found)) => prop_assert!(!found.is_finite()),
            // The largest numbers may do no harm.
            Ok(info) => prop_assert!(
                value.is_finite()
                    && info.loss.is_finite()
                    && state.parameters.iter().all(|value| value.is_finite())
            ),
            Err(StepFailure::Ended(error)) => prop_assert!(false, "{}", error),
        }
        Ok(())
    });
}

/// Numbers below the smallest normal one are as good as nought, for values and gradients.
#[test]
fn denormal_weights_and_fields_are_as_good_as_nought() {
    let (spec, action) = (spec(4, "path"), phi4());
    let flow = Flow::new(spec.model().expect("it has one").flow, action.lattice());
    let count = flow.layout().len();
    let loss = |weight: f32, phi: f32| {
        let bound = flow.bind(&vec![weight; count], &Device::flex().autodiff());
        let (phi, log_q) = bound.sample_and_log_prob(bound.field(vec![phi; 2 * 16]));
        let loss = (log_q + action.action(phi)).sum();
        let gradient = bound.gradient(&loss.backward()).expect("the CPU computes");
        (list(loss)[0], gradient)
    };
    let (nothing, _) = loss(0.0, 0.0);
    for weight in [f32::from_bits(1), -1e-41, 1e-38] {
        for phi in [0.0, f32::from_bits(1), -1e-40, 0.5] {
            let (found, gradient) = loss(weight, phi);
            assert!(gradient.iter().all(|value| value.is_finite()));
            assert!(phi == 0.5 || (found - nothing).abs() < 1e-6, "{found} with {weight:e}, {phi:e}");
        }
    }
}

fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

fn normals(count: usize, width: f64) -> Vec<f64> {
    Seed(8).stream("stress").normals(0, 1, count).into_iter().map(|value| width * f64::from(value)).collect()
}

/// Of numbers that single precision holds exactly, so that only the sums differ; in units of the terms, which cancel.
#[test]
fn actions_in_single_precision_have_its_digits_at_the_extremes() {
    let lattice = Lattice::new([8, 8]);
    let mut worst: f64 = 0.0;
    for coupling in [0.0, 1e-6, 1.0, 1e3, 1e6] {
        for mass_squared in [-1e6, -4.0, 0.0, 1.0, 1e6] {
            for width in [1e-18, 1e-3, 1.0, 30.0, 1e3] {
                let action = Phi4::new(lattice, mass_squared, coupling);
                let phi: Vec<f64> = normals(64, width).iter().map(|&value| f64::from(value as f32)).collect();
                let exact = action.action_f64(&phi);
                let scale: f64 = phi
                    .iter()
                    .map(|v| v * v * (2.0 + 0.5 * (mass_squared + 4.0f64).abs() + coupling * v * v))
                    .sum();
                let single: Vec<f32> = phi.iter().map(|&value| value as f32).collect();
                let field = Tensor::<1>::from_data(single.as_slice(), &Device::flex()).reshape([1, 1, 64]);
                let found = list(action.action(field))[0];
                worst = worst.max((found - exact).abs() / scale);
            }
        }
    }
    println!("phi^4: worst error {worst:.2e} of the sum of the terms");
    assert!(worst < 1e-6, "{worst:e}");

    let mut worst: f64 = 0.0;
    for (beta, kappa) in [(1e-6, 0.0), (2.0, 0.0), (1e6, 0.0), (2.0, 0.25), (1e6, 0.25), (2.0, 0.499)] {
        let action = Schwinger::new(lattice, beta, kappa, true);
        let angles: Vec<f64> = normals(128, 1.5).iter().map(|&value| f64::from(value as f32)).collect();
        let exact = action.action_f64(&angles);
        let single: Vec<f32> = angles.iter().map(|&value| value as f32).collect();
        let field = Tensor::<1>::from_data(single.as_slice(), &Device::flex()).reshape([1, 2, 64]);
        let found = list(action.action(field))[0];
        worst = worst.max((found - exact).abs() / (beta * 64.0 + exact.abs()));
    }
    println!("Schwinger: worst error {worst:.2e} of the sum of the terms");
    assert!(worst < 1e-6, "{worst:e}");
}

/// Absolute errors, of densities whose logarithm is about -27.
#[test]
fn the_density_of_thousands_of_layers_keeps_its_digits() {
    let action = phi4();
    for layers in [4, 256, 4096] {
        let spec = spec(layers, "path");
        let flow = Flow::new(spec.model().expect("it has one").flow, action.lattice());
        // As deep flows are: each layer does little.
        let width = 1.0 / (layers as f32).sqrt();
        let single: Vec<f32> =
            flow.initial_parameters(Seed(4)).into_iter().map(|value| width * value).collect();
        let double: Vec<f64> = single.iter().copied().map(f64::from).collect();
        let z = normals(16 * 16, 1.0);
        let of_double = flow.bind(&double, &Device::flex());
        let (phi, log_q) = of_double.sample_and_log_prob(of_double.field(z.clone()));
        let of_single = flow.bind(&single, &Device::flex());
        let z: Vec<f32> = z.into_iter().map(|value| value as f32).collect();
        let (single_phi, single_log_q) = of_single.sample_and_log_prob(of_single.field(z));
        let worst = |exact: &[f64], found: &[f64]| {
            exact.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        let (exact, found) = (list(log_q), list(single_log_q));
        let (of_field, of_density) = (worst(&list(phi), &list(single_phi)), worst(&exact, &found));
        println!(
            "{layers} layers: phi is off by {of_field:.1e} at most, log q of {:.0} by {of_density:.1e}",
            exact[0]
        );
        assert!(of_density < 2e-5 && of_field < 5e-5, "{layers} layers: {of_density:e}, {of_field:e}");
    }
}
