//! D_KL(p‖q) on stored configurations of the target.

use super::gradient::{BatchGradient, BatchSums, Estimator, Part, only, passes};
use crate::device::{Failure, to_host};
use crate::ensemble::TargetSamples;
use crate::flow::{BoundFlow, Flow};
use crate::rng::{Seed, Stream};
use crate::stats::target_sample_ess;
use rand::RngExt;
use std::ops::Range;

/// The gradient of `-⟨log q(φ)⟩` over configurations φ of the target, picked by the stream `train/data` with replacement; ESS
/// of eq. (A8).
///
/// Source: H21.
pub struct ForwardKl<'a> {
    samples: &'a TargetSamples,
    picks: Stream,
}

impl<'a> ForwardKl<'a> {
    /// Learns from these configurations.
    pub fn new(samples: &'a TargetSamples, seed: Seed) -> Self {
        Self { samples, picks: seed.stream("train/data") }
    }

    /// Fields and actions of the items of the stream.
    fn pick(&self, items: Range<u64>) -> (Vec<f32>, Vec<f64>) {
        let samples = self.samples;
        let pick = |item| self.picks.item(item).random_range(0..samples.count());
        let indices: Vec<usize> = items.map(pick).collect();
        let fields = indices.iter().flat_map(|&index| samples.field(index)).copied().collect();
        (fields, indices.iter().map(|&index| samples.actions()[index]).collect())
    }
}

impl Estimator for ForwardKl<'_> {
    fn part(&self, flow: &BoundFlow<'_>, part: &Part<'_>) -> Result<BatchSums, Failure> {
        let (fields, actions) = self.pick(part.items.clone());
        let log_q = flow.log_prob(flow.field(fields));
        let gradients = (-log_q.clone() / part.batch.size() as f64).backward();
        let losses: Vec<f64> = to_host(log_q)?.into_iter().map(|log_q: f64| -log_q).collect();
        let log_weights =
            actions.iter().zip(&losses).map(|(action, minus_log_q)| minus_log_q - action).collect();
        Ok(BatchSums { losses, log_weights, gradients: vec![flow.gradient(&gradients)?] })
    }

    fn finish(&self, sums: BatchSums) -> BatchGradient {
        let (loss, ess) = (sums.mean_loss(), target_sample_ess(&sums.log_weights));
        BatchGradient { loss, ess, gradient: only(sums.gradients) }
    }

    fn flops_per_sample(&self, flow: &Flow) -> f64 {
        passes(3, flow)
    }
}
