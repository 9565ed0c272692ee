//! `[evaluate]`: the effective sample size on fresh configurations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[evaluate]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluateSpec {
    /// Fresh configurations of one evaluation.
    #[serde(default = "samples")]
    #[schemars(range(min = 2))]
    pub samples: usize,
    /// Evaluate during training every so many steps; only at the end if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub every: Option<u64>,
}

impl Default for EvaluateSpec {
    fn default() -> Self {
        Self { samples: samples(), every: None }
    }
}

fn samples() -> usize {
    16384
}
