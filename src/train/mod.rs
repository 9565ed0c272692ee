//! The only training loop: draw, flow, differentiate, clip, update, until a stop rule speaks.

pub mod checkpoint;
mod estimator;
mod optimizer;
#[cfg(all(test, feature = "wgpu"))]
mod overlap;
mod precision;
mod scaling;
mod schedule;
mod share;
mod state;
mod step;
mod stop;
mod target;
mod trainer;

pub use estimator::{
    Batch, BatchGradient, BatchSums, BatchTotals, Begun, Draws, DrawsFirst, Estimator, ForwardKl, Mixture,
    Part, PathGradient, Reinforce, ReverseKl,
};
pub use optimizer::{Adam, Moment, Optimizer, OptimizerState, build as build_optimizer};
pub use precision::Precision;
pub use scaling::{PredictedStep, StepSize};
pub use schedule::samples_until;
pub use state::TrainState;
pub use step::StepInfo;
pub use stop::StopReason;
pub use target::{Target, TargetBatch, TargetChains, TargetState};
pub use trainer::{Nobody, Observer, StepFailure, Trainer};
