//! `[flow.gauge.sectors]`: moves between topological sectors behind the couplings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[flow.gauge.sectors]`: behind the couplings a field of uniform flux moves a configuration by a charge k that is drawn, so that the
/// density is `Σ_k w_k q(θ - k A)` with that of the couplings q; it costs a pass through the inverse flow for every charge but one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SectorsSpec {
    /// Charges are -largest, …, largest.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub largest: usize,
    /// The probabilities w of all charges; the same if left out.
    #[serde(default, skip_serializing_if = "SectorWeights::is_default")]
    pub weights: SectorWeights,
}

/// `[flow.gauge.sectors.weights.*]`: one table, named by the choice; a charge and its opposite have the same probability.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SectorWeights {
    /// The same for every charge.
    #[default]
    Uniform,
    /// A probability of being moved, shared by all charges but zero.
    Fixed(FixedWeights),
    /// Learned with the couplings, from the same for every charge on: `w_k ∝ e^{a_|k|}`, a number for every charge but zero.
    Learned(LearnedWeights),
}

/// `[flow.gauge.sectors.weights.fixed]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FixedWeights {
    /// Probability of being moved.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub moving: f64,
}

/// `[flow.gauge.sectors.weights.learned]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LearnedWeights {}

impl SectorWeights {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl SectorsSpec {
    /// Charges, zero among them.
    pub fn charges(&self) -> usize {
        2 * self.largest + 1
    }

    /// Numbers that are learned.
    pub fn parameters(&self) -> usize {
        match self.weights {
            SectorWeights::Uniform | SectorWeights::Fixed(_) => 0,
            SectorWeights::Learned(_) => self.largest,
        }
    }

    /// The same with all numbers that do not change its size at their defaults.
    pub(super) fn architecture(&self) -> Self {
        let weights = match self.weights {
            SectorWeights::Uniform | SectorWeights::Fixed(_) => SectorWeights::Uniform,
            SectorWeights::Learned(learned) => SectorWeights::Learned(learned),
        };
        Self { weights, ..self.clone() }
    }
}

fn one() -> usize {
    1
}
