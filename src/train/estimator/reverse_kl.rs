//! D_KL(q‖p) on configurations of the model, with reparametrised gradients.

use super::gradient::{BatchSums, Estimator, Part, passes};
use super::model_draws::ModelDraws;
use crate::device::{Failure, to_host};
use crate::flow::{BoundFlow, Flow, Sample};

/// The reparametrised gradient of `⟨log q(φ) + S(φ)⟩`, φ = f(z), z from the stream `train/base`; ESS of eq. (A7).
///
/// Charges that a flow moves by are drawn with probabilities of their own, whose score stands for what no configuration follows.
///
/// Source: A22, Sec. 2.2; A19.
pub struct ReverseKl<'a>(pub ModelDraws<'a>);

impl Estimator for ReverseKl<'_> {
    fn part(&self, flow: &BoundFlow<'_>, part: &Part<'_>) -> Result<BatchSums, Failure> {
        let Sample { phi, log_q, charges } = self.0.flowed(flow, part);
        let loss = log_q + self.0.action.action(phi);
        let gradients = (loss.clone() / part.batch.size() as f64).backward();
        let losses: Vec<f64> = to_host(loss)?;
        let sums = BatchSums::of_model(losses, flow.gradient(&gradients)?);
        Ok(sums.with_scores(flow.scores(&charges)))
    }

    fn flops_per_sample(&self, flow: &Flow) -> f64 {
        passes(3, flow) + self.0.action.gradient_flops()
    }
}
