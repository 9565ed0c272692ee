//! What training carries from step to step.

use super::optimizer::OptimizerState;
use super::target::TargetState;
use crate::cost::Cost;
use crate::stats::RollingMean;

/// Everything that changes during training; a checkpoint holds exactly this.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    /// Finished steps.
    pub step: u64,
    /// What they cost.
    pub cost: Cost,
    /// Parameters of the flow, in the order of its layout.
    pub parameters: Vec<f32>,
    /// Moments of the optimizer.
    pub optimizer: OptimizerState,
    /// Training ESS of the last steps.
    pub ess: RollingMean,
    /// Where chains of the target stand, once some run beside training.
    pub target: Option<TargetState>,
}
