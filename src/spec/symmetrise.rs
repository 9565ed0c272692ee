//! `[flow.*] symmetrise`: how the density of a model is made even under the change of sign of its fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the density is made even: `q̄(φ) = ½ (q(φ) + q(-φ))` takes the place of q, which costs a pass through the inverse flow, or the
/// flow itself commutes with φ → -φ. Of link angles this is charge conjugation, θ → -θ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Symmetrise {
    /// Nowhere.
    #[default]
    Never,
    /// In all that is drawn and judged; training is that of q.
    AfterTraining,
    /// There, and in the loss.
    Always,
    /// q itself is even: the parameters of every coupling are made those of a map that commutes with the change of sign, by networks
    /// that are applied to both signs.
    Equivariant,
}

impl Symmetrise {
    /// Whether the density is q̄, the mean of two.
    pub fn is_mean(&self) -> bool {
        matches!(self, Self::AfterTraining | Self::Always)
    }

    /// Passes that the loss takes of a configuration: there, and back for the density at -φ.
    pub fn passes_in_training(&self) -> usize {
        if *self == Self::Always { 2 } else { 1 }
    }

    /// What weights are trained for, whether the mean is taken or not.
    pub(super) fn of_weights(&self) -> Self {
        if self.is_mean() { Self::Never } else { *self }
    }

    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
