//! `[sample.*]`: what is drawn once the model is trained.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[sample]`: any of these.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleSpec {
    /// Direct sampling with reweighting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<DirectSpec>,
}

/// `[sample.direct]`: independent configurations from the model, reweighted with w = e^{-S}/q.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectSpec {
    /// Configurations to draw.
    #[schemars(range(min = 2))]
    pub configurations: usize,
}
