//! `[train.*]`: loss, schedules, batches, and when to stop.

use super::loss::LossSpec;
use super::optimizer::OptimizerSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[train]`: stochastic gradient descent on a divergence between model and target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainSpec {
    /// The norm over all gradients is scaled down to this if it is larger.
    #[serde(default = "hundred")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub gradient_clip: f64,
    /// Steps over which the training ESS is averaged.
    #[serde(default = "smoothing_window")]
    #[schemars(range(min = 1))]
    pub smoothing_window: usize,
    /// A row of `train.csv` every so many steps.
    #[serde(default = "every_step")]
    #[schemars(range(min = 1))]
    pub log_every: u64,
    /// A checkpoint every so many seconds.
    #[serde(default = "minute")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub checkpoint_seconds: f64,
    /// What is minimised; the reverse divergence if left out.
    #[serde(default, skip_serializing_if = "LossSpec::is_default")]
    pub loss: LossSpec,
    /// Where the loss takes determinants of fermions from, where a GPU computes it; from the host if left out.
    #[serde(default, skip_serializing_if = "DeterminantSpec::is_default")]
    pub determinant: DeterminantSpec,
    /// Where training starts; from scratch if left out.
    #[serde(default, skip_serializing_if = "StartSpec::is_default")]
    pub start: StartSpec,
    /// Configurations per gradient step.
    pub batch: BatchSpec,
    /// The update rule.
    pub optimizer: OptimizerSpec,
    /// How the learning rate changes with the step; constant if left out.
    #[serde(default, skip_serializing_if = "LearningRateSpec::is_default")]
    pub learning_rate: LearningRateSpec,
    /// Training ends on the first of these.
    pub stop: StopSpec,
}

/// Where determinants and plaquettes of a loss are computed, and with which precision. Weights of record, chains and ensembles have
/// theirs from the host whatever is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeterminantSpec {
    /// On the host, in double precision.
    #[default]
    Host,
    /// Where the flow is: on a GPU in single precision, so that it does not wait for the host.
    Device,
}

impl DeterminantSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[train.start.*]`: one table, named by the choice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartSpec {
    /// From initial weights.
    #[default]
    Scratch,
    /// From a trained model of the same architecture, on whatever lattice.
    Model(ModelStartSpec),
}

impl StartSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[train.start.model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelStartSpec {
    /// A checkpoint, or a run directory, of which the newest is taken; as a path from where the program is started.
    pub file: String,
    /// What becomes of the moments of its optimizer.
    #[serde(default)]
    pub optimizer: OptimizerStart,
}

/// What becomes of the moments of an optimizer where a training goes on from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerStart {
    /// They are carried over, with the number of updates.
    #[default]
    Carried,
    /// They begin anew.
    Reset,
}

/// `[train.batch]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchSpec {
    /// Configurations of the first step.
    #[schemars(range(min = 1))]
    pub size: usize,
    /// Configurations whose gradient is taken at once: bounds the memory, changes results only by rounding. What suits the
    /// device if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub micro_batch: Option<usize>,
    /// Doubles the batch now and then; constant if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub double: Option<DoubleSpec>,
}

/// `[train.batch.double]`: batch = min(size · 2^⌊step/every⌋, maximum).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DoubleSpec {
    /// Steps between doublings.
    #[schemars(range(min = 1))]
    pub every: u64,
    /// The largest batch.
    #[schemars(range(min = 1))]
    pub maximum: usize,
}

/// `[train.learning_rate.*]`: one table, named by the choice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearningRateSpec {
    /// The learning rate of the optimizer throughout.
    #[default]
    Constant,
    /// Halves the learning rate now and then.
    Halve(HalveSpec),
}

impl LearningRateSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[train.learning_rate.halve]`: rate · 2^{-⌊step/every⌋}.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HalveSpec {
    /// Steps between halvings.
    #[schemars(range(min = 1))]
    pub every: u64,
}

/// `[train.stop]`: at least one of these.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct StopSpec {
    /// After this many gradient steps; none leaves a model as it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// Once this many configurations have been flowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub samples: Option<u64>,
    /// After this many seconds of training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub seconds: Option<f64>,
    /// Once the smoothed training ESS reaches this, with the smoothing window full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 1))]
    pub ess: Option<f64>,
}

impl StopSpec {
    /// Whether one of the rules is met after a time that can be foreseen.
    pub fn has_clock(&self) -> bool {
        self.steps.is_some() || self.samples.is_some() || self.seconds.is_some()
    }
}

fn hundred() -> f64 {
    100.0
}

fn smoothing_window() -> usize {
    250
}

fn every_step() -> u64 {
    1
}

fn minute() -> f64 {
    60.0
}
