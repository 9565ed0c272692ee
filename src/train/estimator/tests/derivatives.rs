//! The gradient of every estimator is the derivative of what it says, whatever parts a batch comes in.

use super::*;
use crate::spec::{FreeFieldSpec, GaugeBaseSpec, GaugeSpec, MixtureSpec, PureGaugeSpec};
use crate::theory::Schwinger;

/// Holds every tenth number of a gradient against central differences in double precision.
fn assert_gradient_of(what: &str, gradient: &[f64], parameters: &[f64], f: &dyn Fn(&[f64]) -> f64) {
    let scale = largest(gradient).max(1.0);
    for index in (0..parameters.len()).step_by(10) {
        let at = |step: f64| {
            let mut moved = parameters.to_vec();
            moved[index] += step;
            f(&moved)
        };
        let (found, expected) = (gradient[index], (at(1e-5) - at(-1e-5)) / 2e-5);
        assert!((found - expected).abs() < 1e-7 * scale, "{what}: {found} is not {expected}");
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences_of_the_loss() {
    let modes = [Symmetrise::Never, Symmetrise::AfterTraining, Symmetrise::Always, Symmetrise::Equivariant];
    for symmetrise in modes {
        let (flow, parameters) = flow_from(BaseSpec::FreeField(FreeFieldSpec::default()), symmetrise);
        assert_losses_have_their_gradients(&flow, &parameters, &Phi4::new(flow.lattice(), -1.0, 0.7));
    }
}

/// The base changes what `∂ log q/∂θ` of given links is, and their path gradients.
#[test]
fn gradients_of_flows_from_pure_gauge_theory_are_those_of_finite_differences() {
    let base = GaugeBaseSpec::PureGauge(PureGaugeSpec { beta: 1.5 });
    let gauge = GaugeSpec { base, ..of_links() };
    let lattice = Lattice::new([4, 4]);
    let flow = Flow::new(&FlowSpec::Gauge(gauge), lattice);
    let parameters: Vec<f64> = flow.initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
    let action = Schwinger::new(lattice, 2.0, 0.2, true);
    assert_losses_have_their_gradients(&flow, &parameters, &action);
    assert_path_has_its_gradient(&flow, &parameters, &action);
}

fn assert_losses_have_their_gradients(flow: &Flow, parameters: &[f64], action: &dyn Action) {
    let samples = samples(action);
    let forward_kl = ForwardKlSpec::Ensemble("phi.npz".into());
    let mixture = LossSpec::Mixture(MixtureSpec {
        reverse_weight: 0.3,
        forward_weight: 1.6,
        reverse_kl: ReverseKlSpec::default(),
        forward_kl: forward_kl.clone(),
    });
    for loss in [reverse_kl(Gradient::Reparametrised), LossSpec::ForwardKl(forward_kl), mixture] {
        let estimator =
            build(&loss, draws(flow, action, 5), Some(Target::Stored(&samples)), Seed(5)).unwrap();
        let gradient = whole(&*estimator, flow, parameters).gradient;
        let loss_at = |moved: &[f64]| whole(&*estimator, flow, moved).loss;
        assert_gradient_of(&format!("{loss:?}"), &gradient, parameters, &loss_at);
    }
}

/// The configurations move with the parameters, the density that they are judged by does not.
#[test]
fn the_path_gradient_is_that_of_finite_differences_at_a_fixed_density() {
    let (flow, parameters) = flow();
    assert_path_has_its_gradient(&flow, &parameters, &Phi4::new(flow.lattice(), -1.0, 0.7));
}

fn assert_path_has_its_gradient(flow: &Flow, parameters: &[f64], action: &dyn Action) {
    let estimator = PathGradient(draws(flow, action, 5));
    let z = flow.base().draw(&Seed(5).stream("train/base"), 3, BATCH);
    let fixed = flow.bind(parameters, &Device::flex());
    let loss_at = |moved: &[f64]| {
        let moved = flow.bind(moved, &Device::flex());
        let phi = moved.forward_and_log_det(moved.field(z.clone())).0;
        mean(fixed.log_prob(phi.clone()) + action.action(phi))
    };
    let gradient = whole(&estimator, flow, parameters).gradient;
    assert_gradient_of("path", &gradient, parameters, &loss_at);
}

/// The density moves with the parameters; the configurations and their losses do not, and the baseline leaves a loss out of its own.
#[test]
fn the_gradient_of_the_density_alone_is_that_of_finite_differences_of_weighted_densities() {
    let (flow, parameters) = flow();
    let action = Phi4::new(flow.lattice(), -1.0, 0.7);
    let estimator = Reinforce(draws(&flow, &action, 5));
    let end = [3 + BATCH as u64];
    let draws = Parts::new(&flow, &parameters, 3..end[0], &end).draws(&estimator).expect("it draws first");
    let sum = draws.losses.iter().sum::<f64>();
    let above_the_others = |loss: &f64| loss - (sum - loss) / (BATCH - 1) as f64;
    let weights: Vec<f64> = draws.losses.iter().map(above_the_others).collect();
    let loss_at = |moved: &[f64]| {
        let moved = flow.bind(moved, &Device::flex());
        mean(moved.log_prob(moved.field(draws.fields.clone())) * moved.numbers(weights.clone()))
    };
    let gradient = whole(&estimator, &flow, &parameters).gradient;
    assert_gradient_of("reinforce", &gradient, &parameters, &loss_at);
}

#[test]
fn a_batch_has_the_same_gradient_in_whatever_parts_it_comes() {
    let (flow, parameters) = flow();
    let action = Phi4::new(flow.lattice(), -1.0, 0.7);
    let samples = samples(&action);
    let forward_kl = ForwardKlSpec::Ensemble("phi.npz".into());
    let mixture = |gradient: Gradient| {
        LossSpec::Mixture(MixtureSpec {
            reverse_weight: 2.0,
            forward_weight: 0.5,
            reverse_kl: ReverseKlSpec { gradient },
            forward_kl: forward_kl.clone(),
        })
    };
    let reverse = GRADIENTS.map(reverse_kl);
    for loss in [&reverse[..], &GRADIENTS.map(mixture), &[LossSpec::ForwardKl(forward_kl.clone())]].concat() {
        let estimator =
            build(&loss, draws(&flow, &action, 5), Some(Target::Stored(&samples)), Seed(5)).unwrap();
        let whole = whole(&*estimator, &flow, &parameters);
        let scale = largest(&whole.gradient).max(1.0);
        for ends in [&[5, 8][..], &[4, 5, 6, 7, 8]] {
            let parts = Parts::new(&flow, &parameters, 3..8, ends).gradient(&*estimator);
            // Sums in another order.
            let same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12 * scale;
            assert!(whole.gradient.iter().zip(&parts.gradient).all(same), "{loss:?} in parts");
            assert_eq!((whole.loss, whole.ess), (parts.loss, parts.ess), "{loss:?} in parts");
        }
    }
}
