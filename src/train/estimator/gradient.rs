//! What an estimator of a loss is asked for: sums over parts of a batch, and the gradient that they finish to.

use crate::device::Failure;
use crate::flow::{BoundFlow, Flow};
use crate::stats::effective_sample_size;
use crate::train::target::TargetBatch;
use std::ops::Range;

/// A batch, by its place in the streams that configurations come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<'a> {
    /// Items of the streams.
    pub items: Range<u64>,
    /// The configurations, where all of them are drawn before the gradient of any is taken.
    pub draws: Option<&'a Draws>,
    /// As many of the target, where chains of it run beside training.
    pub target: Option<&'a TargetBatch>,
}

impl Batch<'_> {
    /// Configurations.
    pub fn size(&self) -> usize {
        (self.items.end - self.items.start) as usize
    }
}

/// A part of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Part<'a> {
    /// Items of the streams.
    pub items: Range<u64>,
    /// Items that will probably be asked for next, where it pays to draw them ahead.
    pub next: Option<Range<u64>>,
    /// The whole batch.
    pub batch: Batch<'a>,
}

impl Part<'_> {
    /// Places in the batch.
    pub fn places(&self) -> Range<usize> {
        let place = |item: u64| (item - self.batch.items.start) as usize;
        place(self.items.start)..place(self.items.end)
    }
}

/// Configurations of the model with what the loss is the mean of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draws {
    /// Places in the batch of the configurations that this process has.
    pub places: Range<usize>,
    /// `[configuration][component, site]` of these.
    pub fields: Vec<f32>,
    /// `log q + S` of every configuration: of these, or of the whole batch once all are drawn.
    pub losses: Vec<f64>,
}

impl Draws {
    /// None yet of those from a place on.
    pub fn from(place: usize) -> Self {
        Self { places: place..place, ..Self::default() }
    }

    /// Adds the part that follows.
    pub fn add(&mut self, part: Self) {
        self.places.end = part.places.end;
        self.fields.extend(part.fields);
        self.losses.extend(part.losses);
    }
}

/// What a part of a batch adds to its sums.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchSums {
    /// What the loss is the mean of, for every configuration.
    pub losses: Vec<f64>,
    /// `log w = -S - log q` of every configuration.
    pub log_weights: Vec<f64>,
    /// Gradient by all parameters.
    pub gradient: Vec<f64>,
    /// Scores `∂ ln w` of what configurations drew beside the base, one after the other, by the last parameters; empty where they drew
    /// nothing of which something is learned.
    pub scores: Vec<f64>,
}

impl BatchSums {
    /// Of configurations of the model: what the loss `log q + S` is the mean of, and the gradient.
    pub fn of_model(losses: Vec<f64>, gradient: Vec<f64>) -> Self {
        let log_weights = losses.iter().map(|loss| -loss).collect();
        Self { losses, log_weights, gradient, scores: Vec::new() }
    }

    /// The same with the scores of what its configurations drew beside the base.
    pub fn with_scores(self, scores: Vec<f64>) -> Self {
        Self { scores, ..self }
    }

    /// The gradient, with what scores add to it by the last parameters:
    ///
    /// `1/N Σ_i (ℓ_i - b_i) ∂ ln w_i`, `ℓ = log q + S`, with the mean over the other configurations as the baseline b, as in
    /// [`super::Reinforce`].
    ///
    /// # Panics
    /// If there are scores of one configuration alone.
    pub fn with_baseline(self) -> Vec<f64> {
        let (count, mut gradient) = (self.log_weights.len(), self.gradient);
        if self.scores.is_empty() {
            return gradient;
        }
        assert!(count > 1, "configurations of a batch: {count}, and a baseline needs two");
        let width = self.scores.len() / count;
        let mean = self.log_weights.iter().sum::<f64>() / count as f64;
        let last = gradient.len() - width;
        for (scores, log_weight) in self.scores.chunks_exact(width).zip(&self.log_weights) {
            let above = (mean - log_weight) / (count - 1) as f64;
            gradient[last..].iter_mut().zip(scores).for_each(|(by, score)| *by += above * score);
        }
        gradient
    }

    /// Mean of the losses.
    pub fn mean_loss(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }
}

/// What a whole batch says.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchGradient {
    /// Mean over the batch.
    pub loss: f64,
    /// Effective sample size of the batch.
    pub ess: f64,
    /// Gradient of the loss by all parameters.
    pub gradient: Vec<f64>,
}

/// What a device has been given to do: finishes it, and waits for what it needs. Its error is what the device gives as the reason that it
/// did not compute.
pub type Begun<'a, T> = Box<dyn FnOnce() -> Result<T, Failure> + 'a>;

/// Draws the configurations of a batch before the gradient of any is taken.
pub trait DrawsFirst {
    /// Begins to draw those of a part.
    fn begin_draw<'a>(&'a self, flow: &'a BoundFlow<'_>, part: &Part<'a>) -> Begun<'a, Draws>;
}

/// How the gradient of a loss is estimated from a batch of configurations.
pub trait Estimator {
    /// How the configurations are drawn, where a part has to know the whole batch.
    fn draws_first(&self) -> Option<&dyn DrawsFirst> {
        None
    }

    /// Whether parts wait for what the host computes, so that it pays to begin a part before the one before it is finished.
    fn waits_for_host(&self) -> bool {
        false
    }

    /// Begins what a part of a batch adds; its gradient is already divided by the size of the batch.
    fn begin<'a>(&'a self, flow: &'a BoundFlow<'_>, part: &Part<'a>) -> Begun<'a, BatchSums>;

    /// The gradient from the sums over all parts; the ESS is that of eq. (A7) of A22, of configurations of the model, where nothing
    /// else is said.
    fn finish(&self, sums: BatchSums) -> BatchGradient {
        let (loss, ess) = (sums.mean_loss(), effective_sample_size(&sums.log_weights));
        BatchGradient { loss, ess, gradient: sums.with_baseline() }
    }

    /// Counted floating-point operations per configuration: those of the flow and of the action.
    fn flops_per_sample(&self, flow: &Flow) -> f64;
}

/// Passes through the flow and back: forward, gradient by the activations and gradient by the weights cost the same each.
pub fn passes(count: u32, flow: &Flow) -> f64 {
    f64::from(count) * flow.flops_in_training()
}
