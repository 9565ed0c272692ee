//! What one training step needs, and what it did.

use super::stop::StopReason;
use super::target::TargetBatch;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A step, as every process has to know it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Step<'a> {
    /// Steps before it.
    pub finished: u64,
    /// Place in the streams of configurations that its batch begins at.
    pub first: u64,
    /// Configurations of the batch.
    pub batch_size: usize,
    /// Configurations of a part.
    pub micro_batch: usize,
    /// Parameters of the flow.
    pub parameters: Cow<'a, [f32]>,
    /// Configurations of the target, where chains of it run beside training.
    pub target: Option<Cow<'a, TargetBatch>>,
}

impl Step<'_> {
    /// The same in parts of another size, without a copy of what is large.
    pub fn in_parts_of(&self, micro_batch: usize) -> Step<'_> {
        let target = self.target.as_deref().map(Cow::Borrowed);
        Step { micro_batch, parameters: Cow::Borrowed(&self.parameters), target, ..*self }
    }
}

/// What one step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepInfo {
    /// Configurations in the batch.
    pub batch_size: usize,
    /// Learning rate of the update.
    pub learning_rate: f64,
    /// Mean over the batch: `⟨log q + S⟩`, or `-⟨log q⟩` over configurations of the target, or their weighted sum.
    pub loss: f64,
    /// Effective sample size of the batch: eq. (A7) of A22, or (A8) on configurations of the target alone.
    pub ess: f64,
    /// The smoothed one.
    pub ess_smoothed: f64,
    /// Norm over all gradients before clipping.
    pub gradient_norm: f64,
    /// Configurations whose gradient was taken at once.
    pub micro_batch: usize,
    /// Why training ends with this step, if it does.
    pub stop: Option<StopReason>,
}
