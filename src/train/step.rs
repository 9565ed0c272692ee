//! What one training step did.

use super::stop::StopReason;

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
