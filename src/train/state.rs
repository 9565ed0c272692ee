//! What training carries from step to step.

use super::optimizer::OptimizerState;
use super::target::TargetState;
use crate::cost::Cost;
use crate::stats::RollingMean;

/// Everything that training is made of and changes; a checkpoint holds exactly this.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    /// Finished steps.
    pub step: u64,
    /// What they cost.
    pub cost: Cost,
    /// What the trainings cost that this one goes on from; streams of configurations continue where these ended.
    pub before: Cost,
    /// Parameters of the flow, in the order of its layout.
    pub parameters: Vec<f32>,
    /// Moments of the optimizer.
    pub optimizer: OptimizerState,
    /// Training ESS of the last steps.
    pub ess: RollingMean,
    /// Where chains of the target stand, once some run beside training.
    pub target: Option<TargetState>,
}

impl TrainState {
    /// Place in the streams of configurations that the next step begins at.
    pub fn next_item(&self) -> u64 {
        self.before.samples + self.cost.samples
    }

    /// Digest of the parameters and of what the optimizer carries on: of the model that training has led to, not of how long it
    /// took.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(bytemuck::cast_slice(&self.parameters));
        hasher.update(self.optimizer.name.as_bytes()).update(&self.optimizer.updates.to_le_bytes());
        for moment in &self.optimizer.moments {
            hasher.update(moment.name.as_bytes()).update(bytemuck::cast_slice(&moment.values));
        }
        hasher.finalize().to_hex().to_string()
    }
}
