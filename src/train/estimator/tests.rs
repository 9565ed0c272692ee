//! The gradient of every estimator is that of its loss, whatever parts a batch comes in, and those of one loss have one mean.

use super::*;
use crate::ensemble::{EnsembleWriter, Provenance, file_shape};
use crate::flow::BoundFlow;
use crate::lattice::Lattice;
use crate::spec::{AffineSpec, FlowSpec, MixtureSpec};
use crate::theory::Phi4;
use burn::tensor::{Device, Tensor, TensorData};
use std::ops::Range;

const BATCH: usize = 5;
const GRADIENTS: [Gradient; 3] = [Gradient::Reparametrised, Gradient::Path, Gradient::Reinforce];

fn reverse_kl(gradient: Gradient) -> LossSpec {
    LossSpec::ReverseKl(ReverseKlSpec { gradient })
}

/// Some configurations, as if they were of the target.
fn samples(action: &Phi4) -> TargetSamples {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("phi.npz");
    let volume = action.lattice().volume();
    let fields: Vec<f64> =
        Seed(2).stream("phi").normals(0, 7, volume).into_iter().map(|phi| 0.5 * f64::from(phi)).collect();
    let actions: Vec<f64> = fields.chunks_exact(volume).map(|field| action.action_f64(field)).collect();
    let mut writer =
        EnsembleWriter::create(&file, action.field_name(), &file_shape(action), actions.len() as u64)
            .unwrap();
    writer.push(&fields, &vec![0.0; actions.len()], &actions).unwrap();
    writer.finish(&Provenance { method: "hmc", spec: "" }).unwrap();
    TargetSamples::load(&file, action).unwrap()
}

/// Two couplings on 4 x 4 with double-precision parameters of some size.
fn flow() -> (Flow, Vec<f64>) {
    let affine = AffineSpec { layers: 2, kernel_size: 3, hidden: vec![4], initial_width: 1.5 };
    let flow = Flow::new(&FlowSpec::Affine(affine), Lattice::new([4, 4]));
    let parameters = flow.initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
    (flow, parameters)
}

/// A batch in parts of given ends.
struct Parts<'a> {
    bound: BoundFlow<'a>,
    items: Range<u64>,
    ends: &'a [u64],
}

impl<'a> Parts<'a> {
    fn new(flow: &'a Flow, parameters: &[f64], items: Range<u64>, ends: &'a [u64]) -> Self {
        Self { bound: flow.bind(parameters, &Device::flex().autodiff()), items, ends }
    }

    fn each<'b>(&self, draws: Option<&'b Draws>) -> impl Iterator<Item = Part<'b>> {
        let starts = [self.items.start].into_iter().chain(self.ends.iter().copied());
        let batch = Batch { items: self.items.clone(), draws };
        let part = |(start, &end)| Part { items: start..end, next: None, batch: batch.clone() };
        starts.zip(self.ends).map(part).collect::<Vec<_>>().into_iter()
    }

    fn draws(&self, estimator: &dyn Estimator) -> Option<Draws> {
        let first = estimator.draws_first()?;
        let mut draws = Draws::default();
        self.each(None).for_each(|part| draws.add(first.draw(&self.bound, &part).expect("the CPU computes")));
        Some(draws)
    }

    fn gradient(&self, estimator: &dyn Estimator) -> BatchGradient {
        let (draws, mut sums) = (self.draws(estimator), BatchSums::default());
        for part in self.each(draws.as_ref()) {
            sums.add(estimator.part(&self.bound, &part).expect("the CPU computes"));
        }
        estimator.finish(sums)
    }
}

/// Loss and gradient of the items 3 to 8 in one part.
fn whole(estimator: &dyn Estimator, flow: &Flow, parameters: &[f64]) -> BatchGradient {
    Parts::new(flow, parameters, 3..3 + BATCH as u64, &[3 + BATCH as u64]).gradient(estimator)
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()))
}

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

fn mean(numbers: Tensor<1>) -> f64 {
    let numbers: Vec<f64> = numbers.into_data().iter::<f64>().collect();
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

#[test]
fn the_gradient_is_that_of_finite_differences_of_the_loss() {
    let (flow, parameters) = flow();
    let action = Phi4::new(flow.lattice(), -1.0, 0.7);
    let samples = samples(&action);
    let forward_kl = ForwardKlSpec { ensemble: "phi.npz".into() };
    let mixture = LossSpec::Mixture(MixtureSpec {
        reverse_weight: 0.3,
        forward_weight: 1.6,
        reverse_kl: ReverseKlSpec::default(),
        forward_kl: forward_kl.clone(),
    });
    for loss in [reverse_kl(Gradient::Reparametrised), LossSpec::ForwardKl(forward_kl), mixture] {
        let estimator = build(&loss, &flow, &action, Some(&samples), Seed(5)).unwrap();
        let gradient = whole(&*estimator, &flow, &parameters).gradient;
        let loss_at = |moved: &[f64]| whole(&*estimator, &flow, moved).loss;
        assert_gradient_of(&format!("{loss:?}"), &gradient, &parameters, &loss_at);
    }
}

/// The configurations move with the parameters, the density that they are judged by does not.
#[test]
fn the_path_gradient_is_that_of_finite_differences_at_a_fixed_density() {
    let (flow, parameters) = flow();
    let action = Phi4::new(flow.lattice(), -1.0, 0.7);
    let estimator = PathGradient::new(&flow, &action, Seed(5));
    let z = flow.base().draw(&Seed(5).stream("train/base"), 3, BATCH);
    let fixed = flow.bind(&parameters, &Device::flex());
    let loss_at = |moved: &[f64]| {
        let moved = flow.bind(moved, &Device::flex());
        let phi = moved.forward_and_log_det(moved.field(z.clone())).0;
        mean(fixed.log_prob(phi.clone()) + action.action(phi))
    };
    let gradient = whole(&estimator, &flow, &parameters).gradient;
    assert_gradient_of("path", &gradient, &parameters, &loss_at);
}

/// The density moves with the parameters; the configurations and their losses do not, and the baseline leaves a loss out of its own.
#[test]
fn the_gradient_of_the_density_alone_is_that_of_finite_differences_of_weighted_densities() {
    let (flow, parameters) = flow();
    let action = Phi4::new(flow.lattice(), -1.0, 0.7);
    let estimator = Reinforce::new(&flow, &action, Seed(5));
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
    let forward_kl = ForwardKlSpec { ensemble: "phi.npz".into() };
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
        let estimator = build(&loss, &flow, &action, Some(&samples), Seed(5)).unwrap();
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

/// Independent normals: the product of a density for each site, which couplings without weights can be.
#[derive(Debug)]
struct Normals {
    lattice: Lattice,
    /// Logarithm of the width and mean on each sublattice.
    of_parity: [(f64, f64); 2],
    constant: f64,
}

impl Normals {
    fn standardised(&self, field: Tensor<3>) -> Tensor<3> {
        let volume = self.lattice.volume();
        let of_sites = |number: fn(&(f64, f64)) -> f64| {
            let numbers: Vec<f64> =
                (0..volume).map(|site| number(&self.of_parity[self.lattice.parity(site)])).collect();
            Tensor::<3>::from_data(TensorData::new(numbers, [1, 1, volume]), (&field.device(), field.dtype()))
        };
        (field.clone() - of_sites(|(_, mean)| *mean)) * of_sites(|(log_width, _)| (-log_width).exp())
    }
}

impl Action for Normals {
    fn id(&self) -> String {
        self.describe()
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn field_name(&self) -> &'static str {
        "phi"
    }

    fn lattice(&self) -> Lattice {
        self.lattice
    }

    fn components(&self) -> usize {
        1
    }

    fn action(&self, field: Tensor<3>) -> Tensor<1> {
        let z = self.standardised(field);
        let [batch, _, volume] = z.dims();
        (z.clone() * z).reshape([batch, volume]).sum_dim(1).reshape([batch]) * 0.5 + self.constant
    }

    fn action_f64(&self, field: &[f64]) -> f64 {
        let data = TensorData::new(field.to_vec(), [1, 1, field.len()]);
        mean(self.action(Tensor::from_data(data, (&Device::flex(), burn::tensor::DType::F64))))
    }

    fn log_partition(&self) -> Option<f64> {
        None
    }
}

/// Parameters at which the last convolutions read nothing and give the map `e^s z + t` with `(s, t) = tanh(bias)` on each sublattice.
fn learned(flow: &Flow, mut parameters: Vec<f64>) -> (Vec<f64>, [(f64, f64); 2]) {
    let biases = [[0.3, -0.4], [-0.5, 0.2]];
    for (layer, biases) in biases.iter().enumerate() {
        for (name, values) in [("weight", &[][..]), ("bias", biases)] {
            let name = format!("flow.layers.{layer}.conv.1.{name}");
            let slot = flow.layout().slots().iter().find(|slot| slot.name == name).expect("two convolutions");
            parameters[slot.range.clone()].fill(0.0);
            parameters[slot.range.clone()].iter_mut().zip(values).for_each(|(to, from)| *to = *from);
        }
    }
    (parameters, biases.map(|[s, t]: [f64; 2]| (s.tanh(), t.tanh())))
}

/// Without its baseline the third would be as noisy as the first: `ln Z` is not zero.
#[test]
fn gradients_without_the_score_vanish_for_every_configuration_of_a_model_that_is_the_target() {
    let (flow, parameters) = flow();
    let (parameters, of_parity) = learned(&flow, parameters);
    let action = Normals { lattice: flow.lattice(), of_parity, constant: 7.0 };
    for gradient in GRADIENTS {
        let estimator = build(&reverse_kl(gradient), &flow, &action, None, Seed(5)).unwrap();
        for first in 0..4 {
            // One configuration where that is a batch.
            let end = [first + if gradient == Gradient::Reinforce { 2 } else { 1 }];
            let of_one = Parts::new(&flow, &parameters, first..end[0], &end).gradient(&*estimator);
            let size = largest(&of_one.gradient);
            match gradient {
                Gradient::Reparametrised => assert!(size > 0.1, "{gradient:?}: {size}"),
                // Rounding of sums of a few dozen terms in double precision.
                Gradient::Path | Gradient::Reinforce => assert!(size < 1e-11, "{gradient:?}: {size}"),
            }
        }
    }
}

#[test]
fn a_constant_of_the_action_changes_no_gradient() {
    let (flow, parameters) = flow();
    for gradient in GRADIENTS {
        let of_parity = [(0.2, 0.1), (-0.3, 0.4)];
        let [plain, raised] = [0.0, 1e3].map(|constant| {
            let action = Normals { lattice: flow.lattice(), of_parity, constant };
            let estimator = build(&reverse_kl(gradient), &flow, &action, None, Seed(5)).unwrap();
            whole(&*estimator, &flow, &parameters)
        });
        assert!((raised.loss - plain.loss - 1e3).abs() < 1e-9);
        let scale = largest(&plain.gradient);
        let change = plain.gradient.iter().zip(&raised.gradient).map(|(a, b)| a - b).collect::<Vec<f64>>();
        // Digits of the loss that its constant takes, in double precision.
        assert!(scale > 0.1 && largest(&change) < 1e-11 * scale, "{gradient:?}: {change:?}");
    }
}

/// With batches of two, a baseline of the wrong kind is off by a factor of two, and so is a sum that should be a mean.
#[test]
fn the_estimators_have_the_same_mean() {
    const BATCHES: u64 = 1500;
    let (flow, parameters) = flow();
    let action = Phi4::new(flow.lattice(), -1.0, 0.7);
    let gradient = |gradient: Gradient, first: u64, size: u64| {
        let estimator = build(&reverse_kl(gradient), &flow, &action, None, Seed(6)).unwrap();
        let end = [first + size];
        Parts::new(&flow, &parameters, first..end[0], &end).gradient(&*estimator).gradient
    };
    let gradients =
        GRADIENTS.map(|kind| (0..BATCHES).map(|batch| gradient(kind, 2 * batch, 2)).collect::<Vec<_>>());
    // Of configurations that are not among them.
    let direction = gradient(Gradient::Path, 2 * BATCHES, 500);
    let length = direction.iter().map(|number| number * number).sum::<f64>();
    let along =
        |gradient: &Vec<f64>| gradient.iter().zip(&direction).map(|(a, b)| a * b).sum::<f64>() / length;
    for (kind, others) in GRADIENTS.iter().zip(&gradients).skip(1) {
        // The same configurations, so that only what differs is noise.
        let differences: Vec<f64> =
            others.iter().zip(&gradients[0]).map(|(a, b)| along(a) - along(b)).collect();
        let off = differences.iter().sum::<f64>() / BATCHES as f64;
        let variance = differences.iter().map(|d| (d - off).powi(2)).sum::<f64>() / BATCHES as f64;
        let error = (variance / BATCHES as f64).sqrt();
        println!("{kind:?}: off by {off} ± {error} of the gradient");
        assert!(error < 0.1 && off.abs() < 4.0 * error, "{kind:?}: off by {off} ± {error} of the gradient");
    }
}
