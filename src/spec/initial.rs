//! `[flow.*.initial.*]`: what the weights of networks are drawn from before training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[flow.*.initial.*]`: one table, named by the choice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InitialSpec {
    /// Weights and biases uniform in ±width/√fan_in, as PyTorch draws them by default.
    Kaiming(KaimingSpec),
    /// Weights uniform in ±gain √(6/(fan_in + fan_out)), biases as PyTorch draws them by default.
    Xavier(XavierSpec),
}

impl Default for InitialSpec {
    fn default() -> Self {
        Self::Kaiming(KaimingSpec { width: one() })
    }
}

impl InitialSpec {
    /// Whether it is the choice that is made where a file makes none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `[flow.*.initial.kaiming]`: He et al., arXiv:1502.01852, with `a = √5`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KaimingSpec {
    /// Overall factor of weights and biases.
    #[serde(default = "one")]
    #[schemars(range(min = 0))]
    pub width: f64,
}

/// `[flow.*.initial.xavier]`: Glorot and Bengio, AISTATS 2010, p. 249.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct XavierSpec {
    /// Factor of the weights.
    #[serde(default = "one")]
    #[schemars(range(min = 0))]
    pub gain: f64,
}

fn one() -> f64 {
    1.0
}
