//! D_KL(q‖p) on configurations of the model, with path gradients.

use super::gradient::{BatchSums, Begun, Estimator, Part, passes};
use super::model_draws::ModelDraws;
use crate::device::to_host;
use crate::flow::{BoundFlow, Flow, Sample};
use burn::tensor::Tensor;

/// The path gradient of `⟨log q(φ) + S(φ)⟩`, φ = f(z), z from the stream `train/base`; ESS of eq. (A7).
///
/// `⟨∂φ/∂θ · ∂/∂φ [log q(φ) + S(φ)]⟩`: the reparametrised gradient without its term `⟨∂ log q(φ)/∂θ⟩` at fixed φ, which is zero. What is
/// left vanishes for every φ once q = p, so that there is no noise where a model has learned. `∂ log q/∂φ` comes from the inverse flow
/// at fixed parameters.
///
/// Probabilities of charges that a flow moves by have their score, as with reparametrised gradients: it vanishes there, too.
///
/// Source: V22. The pass that draws the configurations is kept for their derivative, so that they are not flowed a second time.
pub struct PathGradient<'a>(pub ModelDraws<'a>);

impl Estimator for PathGradient<'_> {
    fn waits_for_host(&self) -> bool {
        self.0.waits_for_host()
    }

    fn begin<'a>(&'a self, flow: &'a BoundFlow<'_>, part: &Part<'a>) -> Begun<'a, BatchSums> {
        let Sample { phi, log_q, charges } = self.0.flowed(flow, part);
        let fixed = phi.clone().detach().require_grad();
        let (action, size) = (self.0.begin_action(&fixed, true), part.batch.size() as f64);
        let log_prob = flow.at_fixed_parameters().log_prob(fixed.clone());
        Box::new(move || {
            let action = action(fixed.clone());
            let by_fields = (log_prob + action.clone()).backward();
            let by_field = Tensor::from_inner(fixed.grad(&by_fields).expect("its gradient was asked for"));
            let gradients = ((phi * by_field).sum() / size).backward();
            let losses: Vec<f64> = to_host(log_q.inner() + action.inner())?;
            let sums = BatchSums::of_model(losses, flow.gradient(&gradients)?);
            Ok(sums.with_scores(flow.scores(&charges)))
        })
    }

    /// Forward, inverse with its gradient by the field, and the gradients by activations and weights of the forward pass; the
    /// action with its gradient.
    fn flops_per_sample(&self, flow: &Flow) -> f64 {
        passes(5, flow) + self.0.action.gradient_flops()
    }
}
