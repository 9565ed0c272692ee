//! D_KL(p‖q) on configurations of the target.

use super::gradient::{BatchGradient, BatchSums, Begun, Estimator, Part, passes};
use crate::device::to_host;
use crate::ensemble::TargetSamples;
use crate::flow::{BoundFlow, Flow};
use crate::rng::{Seed, Stream};
use crate::stats::target_sample_ess;
use rand::RngExt;
use std::ops::Range;

/// The gradient of `-⟨log q(φ)⟩` over configurations φ of the target; ESS of eq. (A8).
///
/// Source: H21.
pub struct ForwardKl<'a> {
    source: Source<'a>,
}

/// Which configurations a batch has.
enum Source<'a> {
    /// Stored ones, picked by the stream `train/data` with replacement.
    Stored(&'a TargetSamples, Stream),
    /// Those that come with it.
    OfBatch,
}

impl<'a> ForwardKl<'a> {
    /// Learns from these configurations.
    pub fn on_stored(samples: &'a TargetSamples, seed: Seed) -> Self {
        Self { source: Source::Stored(samples, seed.stream("train/data")) }
    }

    /// Learns from what chains of the target give for each batch.
    pub fn on_the_fly() -> Self {
        Self { source: Source::OfBatch }
    }

    /// Fields and actions of a part.
    ///
    /// # Panics
    /// If the batch has none of the target, and should.
    fn configurations(&self, part: &Part<'_>) -> (Vec<f32>, Vec<f64>) {
        match &self.source {
            Source::Stored(samples, picks) => pick(samples, picks, part.items.clone()),
            Source::OfBatch => {
                let (places, target) = (part.places(), part.batch.target.expect("a batch of the target"));
                let numbers = target.fields.len() / target.actions.len();
                let fields = &target.fields[places.start * numbers..places.end * numbers];
                (fields.to_vec(), target.actions[places].to_vec())
            }
        }
    }
}

/// Fields and actions that the items of a stream pick.
fn pick(samples: &TargetSamples, picks: &Stream, items: Range<u64>) -> (Vec<f32>, Vec<f64>) {
    let pick = |item| picks.item(item).random_range(0..samples.count());
    let indices: Vec<usize> = items.map(pick).collect();
    let fields = indices.iter().flat_map(|&index| samples.field(index)).copied().collect();
    (fields, indices.iter().map(|&index| samples.actions()[index]).collect())
}

impl Estimator for ForwardKl<'_> {
    fn begin<'a>(&'a self, flow: &'a BoundFlow<'_>, part: &Part<'a>) -> Begun<'a, BatchSums> {
        let (fields, actions) = self.configurations(part);
        let log_q = flow.log_prob(flow.field(fields));
        let size = part.batch.size() as f64;
        Box::new(move || {
            let gradients = (-log_q.clone() / size).backward();
            let losses: Vec<f64> = to_host(log_q)?.into_iter().map(|log_q: f64| -log_q).collect();
            let log_weights =
                actions.iter().zip(&losses).map(|(action, minus_log_q)| minus_log_q - action).collect();
            let gradient = flow.gradient(&gradients)?;
            Ok(BatchSums { losses, log_weights, gradient, scores: Vec::new() })
        })
    }

    fn finish(&self, sums: BatchSums) -> BatchGradient {
        let (loss, ess) = (sums.mean_loss(), target_sample_ess(&sums.log_weights));
        BatchGradient { loss, ess, gradient: sums.gradient }
    }

    fn flops_per_sample(&self, flow: &Flow) -> f64 {
        passes(3, flow)
    }
}
