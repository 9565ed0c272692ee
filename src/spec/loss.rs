//! `[train.loss.*]`: what training minimises, and how its gradient is estimated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[train.loss.*]`: one table, named by the choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossSpec {
    /// D_KL(q‖p) on configurations of the model.
    ReverseKl(ReverseKlSpec),
    /// D_KL(p‖q) on configurations of the target.
    ForwardKl(ForwardKlSpec),
    /// Both, each with a weight.
    Mixture(MixtureSpec),
}

impl Default for LossSpec {
    fn default() -> Self {
        Self::ReverseKl(ReverseKlSpec::default())
    }
}

impl LossSpec {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is minimised on configurations of the model, if anything is.
    pub fn reverse(&self) -> Option<&ReverseKlSpec> {
        match self {
            Self::ReverseKl(reverse) => Some(reverse),
            Self::ForwardKl(_) => None,
            Self::Mixture(mixture) => Some(&mixture.reverse_kl),
        }
    }

    /// What is minimised on configurations of the target, if anything is.
    pub fn forward(&self) -> Option<&ForwardKlSpec> {
        match self {
            Self::ReverseKl(_) => None,
            Self::ForwardKl(forward) => Some(forward),
            Self::Mixture(mixture) => Some(&mixture.forward_kl),
        }
    }

    /// Passes of a configuration through the flow whose activations are held at once.
    pub fn passes_held(&self) -> usize {
        let is_path = self.reverse().is_some_and(|reverse| reverse.gradient == Gradient::Path);
        if is_path { 2 } else { 1 }
    }
}

/// `[train.loss.reverse_kl]`: ⟨log q + S⟩ over configurations of the model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReverseKlSpec {
    /// How the gradient is estimated.
    #[serde(default)]
    pub gradient: Gradient,
}

impl ReverseKlSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Estimators of the gradient of the reverse divergence; all have the same mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gradient {
    /// Through the configuration and through its density.
    #[default]
    Reparametrised,
    /// Through the configuration alone: vanishes for every configuration of a model that has learned the target.
    Path,
    /// Through the density alone, less the mean over the rest of the batch: needs no derivative of the action.
    Reinforce,
}

/// `[train.loss.forward_kl]`: -⟨log q⟩ over a stored ensemble, drawn with replacement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardKlSpec {
    /// The ensemble (.npz), as a path from where the program is started.
    pub ensemble: String,
}

/// `[train.loss.mixture]`: reverse_weight · D_KL(q‖p) + forward_weight · D_KL(p‖q), each on a whole batch of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MixtureSpec {
    /// Factor of D_KL(q‖p).
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub reverse_weight: f64,
    /// Factor of D_KL(p‖q).
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub forward_weight: f64,
    /// The part on configurations of the model.
    #[serde(default, skip_serializing_if = "ReverseKlSpec::is_default")]
    pub reverse_kl: ReverseKlSpec,
    /// The part on configurations of the target.
    pub forward_kl: ForwardKlSpec,
}
