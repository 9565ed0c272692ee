//! `[evaluate]`: the effective sample size on fresh configurations, and on those of the target.

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
    /// An ensemble of the target (.npz) to judge the model on as well, as a path from where the program is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl Default for EvaluateSpec {
    fn default() -> Self {
        Self { samples: samples(), every: None, target: None }
    }
}

fn samples() -> usize {
    16384
}
