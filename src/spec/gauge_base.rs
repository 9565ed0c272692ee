//! `[flow.gauge.base.*]`: the density of link angles that a flow starts from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[flow.gauge.base.*]`: one table, named by the choice.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GaugeBaseSpec {
    /// Independent uniform angles.
    #[default]
    HaarUniform,
    /// The gauge theory without fermions, drawn exactly: what couplings have to learn of a theory with fermions is the determinant.
    PureGauge(PureGaugeSpec),
}

/// `[flow.gauge.base.pure_gauge]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PureGaugeSpec {
    /// β of the base density, whatever that of the theory; a draw takes about `√(2πβ)` trials.
    #[schemars(range(max = 1000), extend("exclusiveMinimum" = 0))]
    pub beta: f64,
}

impl GaugeBaseSpec {
    /// Whether it is the choice that is made where a file makes none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The same kind, at β = 1.
    pub fn kind(&self) -> Self {
        match self {
            Self::HaarUniform => Self::HaarUniform,
            Self::PureGauge(_) => Self::PureGauge(PureGaugeSpec { beta: 1.0 }),
        }
    }
}
