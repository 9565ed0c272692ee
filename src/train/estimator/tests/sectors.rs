//! Charges that a flow of links draws have probabilities that are learned: no estimator leaves out what follows from them.

use super::*;
use crate::kernel::gauge::Plaquettes;
use crate::spec::{GaugeSpec, LearnedWeights, MixtureSpec, SectorWeights, SectorsSpec};
use crate::theory::Schwinger;

const LARGEST: usize = 2;
const LINKS: usize = 32;

fn action() -> Schwinger {
    Schwinger::new(Lattice::new([4, 4]), 4.0, 0.0, true)
}

/// Couplings that contract plaquettes, so that it matters where a configuration is moved, and charges that are not alike.
fn flow_of_links() -> (Flow, Vec<f64>) {
    let sectors = SectorsSpec { largest: LARGEST, weights: SectorWeights::Learned(LearnedWeights {}) };
    let gauge = GaugeSpec { sectors: Some(sectors), ..of_links() };
    let flow = Flow::new(&FlowSpec::Gauge(gauge), Lattice::new([4, 4]));
    let mut parameters: Vec<f64> = flow.initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
    for slot in flow.layout().slots() {
        let to = &mut parameters[slot.range.clone()];
        match slot.name.as_str() {
            "flow.sectors.logits" => to.copy_from_slice(&[0.4, -0.3]),
            // Both s of the mixture, and no shift.
            name if name.ends_with("conv.1.bias") => to.copy_from_slice(&[-1.5, -1.0, 0.0]),
            _ => {}
        }
    }
    (flow, parameters)
}

fn estimator<'a>(gradient: Gradient, flow: &Flow, action: &'a Schwinger) -> Box<dyn Estimator + 'a> {
    build(&reverse_kl(gradient), draws(flow, action, 6), None, Seed(6)).unwrap()
}

/// The last parameters, which are those of the charges.
fn of_charges(gradient: &[f64]) -> [f64; LARGEST] {
    *gradient.last_chunk().expect("they are there")
}

/// `Σ_k w_k [log q + S]` at `f(z) + k A` of the first draws of the base.
fn losses_of_all_charges(flow: &Flow, parameters: &[f64], action: &Schwinger, count: usize) -> Vec<f64> {
    let bound = flow.bind(parameters, &Device::flex());
    let z = flow.base().draw(&Seed(6).stream("train/base"), 0, count);
    let theta: Vec<f64> = bound.forward_and_log_det(bound.field(z)).0.into_data().iter::<f64>().collect();
    let mut flux = vec![0.0; LINKS];
    Plaquettes::new(flow.lattice()).add_flux(1.0, &mut flux);
    let logits = of_charges(parameters);
    let weight = |k: i64| if k == 0 { 1.0 } else { logits[k.unsigned_abs() as usize - 1].exp() };
    let charges = -(LARGEST as i64)..=LARGEST as i64;
    let sum = charges.clone().map(weight).sum::<f64>();
    let mut losses = vec![0.0; count];
    for k in charges {
        let moved = theta.iter().enumerate().map(|(place, angle)| angle + k as f64 * flux[place % LINKS]);
        let moved = bound.field(moved.collect::<Vec<f64>>());
        let of_charge = (bound.log_prob(moved.clone()) + action.action(moved)).into_data();
        losses.iter_mut().zip(of_charge.iter::<f64>()).for_each(|(loss, one)| *loss += weight(k) / sum * one);
    }
    losses
}

/// Whether numbers with a mean of zero were drawn, by their own noise, which must be no more than a share of `scale`.
fn assert_vanishes(numbers: &[f64], scale: f64, what: &str) {
    let count = numbers.len() as f64;
    let off = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|number| (number - off).powi(2)).sum::<f64>() / count;
    let error = (variance / count).sqrt();
    println!("{what}: off by {off} +- {error}, of {scale}");
    assert!(
        error < 0.1 * scale.abs() && off.abs() < 4.0 * error,
        "{what}: off by {off} +- {error}, of {scale}"
    );
}

/// Of the same draws of the base the mean over the charges is a finite sum, of which finite differences know the gradient. With batches
/// of four a baseline of the wrong kind is off by a third.
#[test]
fn the_mean_over_charges_is_the_gradient_of_the_sum_over_charges() {
    const BATCHES: usize = 500;
    const SIZE: usize = 4;
    let ((flow, parameters), action) = (flow_of_links(), action());
    let estimator = estimator(Gradient::Reparametrised, &flow, &action);
    let at = |step: f64| {
        let mut moved = parameters.clone();
        *moved.last_mut().expect("a logit") += step;
        losses_of_all_charges(&flow, &moved, &action, BATCHES * SIZE)
    };
    let differences: Vec<f64> = at(1e-4).iter().zip(at(-1e-4)).map(|(up, down)| (up - down) / 2e-4).collect();
    let off: Vec<f64> = (0u64..)
        .zip(differences.chunks(SIZE))
        .map(|(batch, differences)| {
            let first = batch * SIZE as u64;
            let end = [first + SIZE as u64];
            let found = Parts::new(&flow, &parameters, first..end[0], &end).gradient(&*estimator).gradient;
            of_charges(&found)[LARGEST - 1] - differences.iter().sum::<f64>() / SIZE as f64
        })
        .collect();
    let gradient = differences.iter().sum::<f64>() / differences.len() as f64;
    assert_vanishes(&off, gradient, "the last logit");
}

#[test]
fn all_estimators_have_the_same_gradient_by_probabilities_of_charges() {
    const BATCHES: u64 = 500;
    let ((flow, parameters), action) = (flow_of_links(), action());
    let gradients = GRADIENTS.map(|kind| {
        let estimator = estimator(kind, &flow, &action);
        let of_batch = |batch: u64| {
            let end = [2 * batch + 2];
            let parts = Parts::new(&flow, &parameters, 2 * batch..end[0], &end);
            of_charges(&parts.gradient(&*estimator).gradient)
        };
        (0..BATCHES).map(of_batch).collect::<Vec<_>>()
    });
    for parameter in 0..LARGEST {
        let scale = gradients[0].iter().map(|of| of[parameter]).sum::<f64>() / BATCHES as f64;
        for (kind, others) in GRADIENTS.iter().zip(&gradients).skip(1) {
            // The same configurations, so that only what differs is noise.
            let off: Vec<f64> =
                others.iter().zip(&gradients[0]).map(|(a, b)| a[parameter] - b[parameter]).collect();
            assert_vanishes(&off, scale, &format!("{kind:?}, logit {parameter}"));
        }
    }
}

/// In parts, and as a part of a sum of two divergences.
#[test]
fn scores_are_those_of_the_whole_batch_and_have_the_weight_of_their_loss() {
    let ((flow, parameters), action) = (flow_of_links(), action());
    let samples = samples(&action);
    let forward_kl = ForwardKlSpec::Ensemble("theta.npz".into());
    let gradient_in = |loss: &LossSpec, ends: &[u64]| {
        let estimator =
            build(loss, draws(&flow, &action, 5), Some(Target::Stored(&samples)), Seed(5)).unwrap();
        Parts::new(&flow, &parameters, 3..8, ends).gradient(&*estimator).gradient
    };
    let forward = gradient_in(&LossSpec::ForwardKl(forward_kl.clone()), &[8]);
    for gradient in GRADIENTS {
        let reverse = gradient_in(&reverse_kl(gradient), &[8]);
        let mixture = LossSpec::Mixture(MixtureSpec {
            reverse_weight: 2.0,
            forward_weight: 0.5,
            reverse_kl: ReverseKlSpec { gradient },
            forward_kl: forward_kl.clone(),
        });
        let both: Vec<f64> = reverse.iter().zip(&forward).map(|(r, f)| 2.0 * r + 0.5 * f).collect();
        for (loss, expected) in [(reverse_kl(gradient), &reverse), (mixture, &both)] {
            let scale = largest(expected).max(1.0);
            for ends in [&[8][..], &[5, 8], &[4, 5, 6, 7, 8]] {
                // Sums in another order.
                let is_same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12 * scale;
                let found = gradient_in(&loss, ends);
                assert!(found.iter().zip(expected).all(is_same), "{loss:?} in parts {ends:?}");
            }
        }
    }
}
