//! `[train.optimizer.*]`: the update rule, with the defaults of PyTorch where it has some.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[train.optimizer.*]`: one table, named by the choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerSpec {
    /// Adam.
    Adam(AdamSpec),
    /// Adadelta.
    Adadelta(AdadeltaSpec),
    /// Stochastic gradient descent.
    Sgd(SgdSpec),
}

impl OptimizerSpec {
    /// The name of the choice; moments saved under one name are of no use under another.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adam(_) => "adam",
            Self::Adadelta(_) => "adadelta",
            Self::Sgd(_) => "sgd",
        }
    }

    /// Whether it can go on with the moments of another.
    pub fn carries_on(&self, other: &Self) -> bool {
        (self.name(), self.moments()) == (other.name(), other.moments())
    }

    /// Step size of the first step.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Adam(adam) => adam.learning_rate,
            Self::Adadelta(adadelta) => adadelta.learning_rate,
            Self::Sgd(sgd) => sgd.learning_rate,
        }
    }

    /// Numbers that are remembered of each parameter.
    pub fn moments(&self) -> usize {
        match self {
            Self::Adam(_) | Self::Adadelta(_) => 2,
            Self::Sgd(sgd) => usize::from(sgd.momentum > 0.0),
        }
    }
}

/// `[train.optimizer.adam]`: Kingma and Ba, arXiv:1412.6980, with bias correction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdamSpec {
    /// Step size of the first step.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Decay of the first moment.
    #[serde(default = "beta_1")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta_1: f64,
    /// Decay of the second moment.
    #[serde(default = "beta_2")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta_2: f64,
    /// Added to the root of the second moment.
    #[serde(default = "adam_epsilon")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon: f64,
}

/// `[train.optimizer.adadelta]`: Zeiler, arXiv:1212.5701, its changes scaled by a learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdadeltaSpec {
    /// Factor of all changes, at the first step.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Decay of the mean squares of gradients and changes.
    #[serde(default = "rho")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub rho: f64,
    /// Added to both mean squares; its root is the scale of the first changes.
    #[serde(default = "adadelta_epsilon")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub epsilon: f64,
}

/// `[train.optimizer.sgd]`: the gradient itself, or a sum of past ones with decaying weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SgdSpec {
    /// Step size of the first step.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Decay of past gradients; 0 forgets them.
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// Whether to step as if the gradient were that of where the momentum leads (Nesterov).
    #[serde(default)]
    pub nesterov: bool,
}

fn beta_1() -> f64 {
    0.9
}

fn beta_2() -> f64 {
    0.999
}

fn adam_epsilon() -> f64 {
    1e-8
}

fn one() -> f64 {
    1.0
}

fn rho() -> f64 {
    0.9
}

fn adadelta_epsilon() -> f64 {
    1e-6
}
