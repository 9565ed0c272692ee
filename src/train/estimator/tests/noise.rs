//! The estimators of one gradient have one mean, and no noise where the model is the target unless the score is in them.

use super::*;
use burn::tensor::{DType, TensorData};

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
        mean(self.action(Tensor::from_data(data, (&Device::flex(), DType::F64))))
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
        let estimator = build(&reverse_kl(gradient), draws(&flow, &action, 5), None, Seed(5)).unwrap();
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
            let estimator = build(&reverse_kl(gradient), draws(&flow, &action, 5), None, Seed(5)).unwrap();
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
    const BATCHES: u64 = 6000;
    let (flow, parameters) = flow();
    let action = Phi4::new(flow.lattice(), -1.0, 0.7);
    let gradient = |gradient: Gradient, first: u64, size: u64| {
        let estimator = build(&reverse_kl(gradient), draws(&flow, &action, 6), None, Seed(6)).unwrap();
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
        assert!(error < 0.05 && off.abs() < 4.0 * error, "{kind:?}: off by {off} ± {error} of the gradient");
    }
}
