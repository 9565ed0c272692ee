//! What training learns from that is not the model's own: a stored ensemble of the target, or chains of it that run beside.

use crate::ensemble::TargetSamples;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Where configurations of the target come from.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// From an ensemble.
    Stored(&'a TargetSamples),
    /// From chains that go on with training.
    Running(&'a dyn TargetChains),
}

/// Chains of the target that run beside training and give each batch, one configuration of each chain in turn.
pub trait TargetChains {
    /// The next configurations, and where the chains stand then; nothing is where they stand before they have begun.
    ///
    /// # Errors
    /// What `go_on` returns, which is asked now and then; the state is as it was.
    fn draw(
        &self,
        state: Option<&TargetState>,
        count: usize,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<(TargetState, TargetBatch)>;
}

/// Where chains of the target stand.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetState {
    /// Trajectories that every chain has made.
    pub made: u64,
    /// Steps of integration of a trajectory.
    pub steps: u64,
    /// Configurations that have been given.
    pub given: u64,
    /// Configurations of all chains, `[chain][number]`.
    pub fields: Vec<f64>,
    /// Their actions.
    pub actions: Vec<f64>,
}

/// Configurations of the target for one batch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetBatch {
    /// `[configuration][component, site]`
    pub fields: Vec<f32>,
    /// Their actions.
    pub actions: Vec<f64>,
    /// Counted floating-point operations that they took.
    pub flops: f64,
}
