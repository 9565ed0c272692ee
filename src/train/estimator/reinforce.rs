//! D_KL(q‖p) on configurations of the model, without derivatives of the action.

use super::gradient::{BatchSums, Begun, Draws, DrawsFirst, Estimator, Part, passes};
use super::model_draws::ModelDraws;
use crate::device::to_host;
use crate::flow::{BoundFlow, Flow, Sample};

/// The gradient of `⟨ℓ⟩`, `ℓ = log q(φ) + S(φ)`, from that of the density alone; φ = f(z), z from the stream `train/base`; ESS of eq.
/// (A7).
///
/// `1/N Σ_i (ℓ_i - b_i) ∂ log q(φ_i)/∂θ` at fixed φ, with the mean over the other configurations as the baseline
/// `b_i = 1/(N-1) Σ_{j≠i} ℓ_j`: it leaves the mean of the gradient as it is, because it does not depend on φ_i, and takes the large
/// constant of ℓ out. The weight of a configuration is `(ℓ_i - ⟨ℓ⟩)/(N-1)`.
///
/// All configurations are drawn before the gradient of any is taken: a difference of two sums would lose that constant's digits.
///
/// Source: B23.
pub struct Reinforce<'a>(pub ModelDraws<'a>);

impl DrawsFirst for Reinforce<'_> {
    fn begin_draw<'a>(&'a self, flow: &'a BoundFlow<'_>, part: &Part<'a>) -> Begun<'a, Draws> {
        let Sample { phi, log_q, .. } = self.0.flowed(&flow.at_fixed_parameters(), part);
        let (action, places) = (self.0.begin_action(&phi, false), part.places());
        Box::new(move || {
            let losses = to_host(log_q + action(phi.clone()))?;
            let fields = to_host(phi)?.into_iter().map(|number| number as f32).collect();
            Ok(Draws { places, fields, losses })
        })
    }
}

impl Estimator for Reinforce<'_> {
    fn draws_first(&self) -> Option<&dyn DrawsFirst> {
        Some(self)
    }

    fn waits_for_host(&self) -> bool {
        self.0.waits_for_host()
    }

    /// # Panics
    /// If the batch, or the part on this process, was not drawn, or the batch holds one configuration alone.
    fn begin<'a>(&'a self, flow: &'a BoundFlow<'_>, part: &Part<'a>) -> Begun<'a, BatchSums> {
        let (places, draws) = (part.places(), part.batch.draws.expect("a batch that was drawn"));
        let count = draws.losses.len();
        assert!(count > 1, "configurations of a batch: {count}, and a baseline needs two");
        let mean = draws.losses.iter().sum::<f64>() / count as f64;
        let losses = draws.losses[places.clone()].to_vec();
        let weights = losses.iter().map(|loss| (loss - mean) / (count - 1) as f64).collect();
        let numbers = draws.fields.len() / draws.places.len();
        let [first, end] = [places.start, places.end].map(|place| (place - draws.places.start) * numbers);
        let fields = draws.fields[first..end].to_vec();
        let log_q = flow.log_prob(flow.field(fields));
        Box::new(move || {
            let gradients = (log_q * flow.numbers(weights)).backward();
            Ok(BatchSums::of_model(losses, flow.gradient(&gradients)?))
        })
    }

    /// Forward, and inverse with its gradients by activations and weights; the action.
    fn flops_per_sample(&self, flow: &Flow) -> f64 {
        passes(4, flow) + self.0.action.value_flops()
    }
}
