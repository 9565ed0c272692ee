//! D_KL(q‖p) on configurations of the model, with reparametrised gradients.

use super::gradient::{BatchGradient, BatchSums, Estimator, Part, only, passes};
use crate::device::{Failure, to_host};
use crate::flow::{Ahead, BoundFlow, Flow};
use crate::rng::Seed;
use crate::stats::effective_sample_size;
use crate::theory::Action;
use std::sync::Arc;

/// The reparametrised gradient of `⟨log q(φ) + S(φ)⟩`, φ = f(z), z from the stream `train/base`; ESS of eq. (A7).
///
/// Source: A22, Sec. 2.2; A19.
pub struct ReverseKl<'a> {
    action: &'a dyn Action,
    base: Ahead,
}

impl<'a> ReverseKl<'a> {
    /// For a flow that learns an action.
    pub fn new(flow: &Flow, action: &'a dyn Action, seed: Seed) -> Self {
        Self { action, base: Ahead::new(Arc::clone(flow.base()), seed.stream("train/base")) }
    }
}

impl Estimator for ReverseKl<'_> {
    fn part(&self, flow: &BoundFlow<'_>, part: &Part<'_>) -> Result<BatchSums, Failure> {
        let z = self.base.draw(part.items.clone(), part.next.clone());
        let (phi, log_q) = flow.sample_and_log_prob(flow.field(z));
        let loss = log_q + self.action.action(phi);
        let gradients = (loss.clone() / part.batch.size() as f64).backward();
        let losses: Vec<f64> = to_host(loss)?;
        let log_weights = losses.iter().map(|loss| -loss).collect();
        Ok(BatchSums { losses, log_weights, gradients: vec![flow.gradient(&gradients)?] })
    }

    fn finish(&self, sums: BatchSums) -> BatchGradient {
        let (loss, ess) = (sums.mean_loss(), effective_sample_size(&sums.log_weights));
        BatchGradient { loss, ess, gradient: only(sums.gradients) }
    }

    fn flops_per_sample(&self, flow: &Flow) -> f64 {
        passes(3, flow)
    }
}
