//! D_KL(q‖p) on configurations of the model, with reparametrised gradients.

use super::gradient::{BatchSums, Begun, Estimator, Part, passes};
use super::model_draws::ModelDraws;
use crate::device::to_host;
use crate::flow::{BoundFlow, Flow, Sample};

/// The reparametrised gradient of `⟨log q(φ) + S(φ)⟩`, φ = f(z), z from the stream `train/base`; ESS of eq. (A7).
///
/// Charges that a flow moves by are drawn with probabilities of their own, whose score stands for what no configuration follows.
///
/// Source: A22, Sec. 2.2; A19.
pub struct ReverseKl<'a>(pub ModelDraws<'a>);

impl Estimator for ReverseKl<'_> {
    fn waits_for_host(&self) -> bool {
        self.0.waits_for_host()
    }

    fn begin<'a>(&'a self, flow: &'a BoundFlow<'_>, part: &Part<'a>) -> Begun<'a, BatchSums> {
        let Sample { phi, log_q, charges } = self.0.flowed(flow, part);
        let (action, size) = (self.0.begin_action(&phi, true), part.batch.size() as f64);
        Box::new(move || {
            let loss = log_q + action(phi);
            let gradients = (loss.clone() / size).backward();
            let losses: Vec<f64> = to_host(loss)?;
            let sums = BatchSums::of_model(losses, flow.gradient(&gradients)?);
            Ok(sums.with_scores(flow.scores(&charges)))
        })
    }

    fn flops_per_sample(&self, flow: &Flow) -> f64 {
        passes(3, flow) + self.0.action.gradient_flops()
    }
}
