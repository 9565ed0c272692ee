//! `[train.loss.*]`: what training minimises, and how its gradient is estimated.

use super::sample::{HmcSpec, Integrator};
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

/// `[train.loss.forward_kl]`: -⟨log q⟩ over configurations of the target, from one of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardKlSpec {
    /// A stored ensemble (.npz), as a path from where the program is started; drawn with replacement.
    Ensemble(String),
    /// Chains of Hybrid Monte Carlo that run beside training.
    Hmc(TargetHmcSpec),
}

impl ForwardKlSpec {
    /// The file, if it is one.
    pub fn ensemble(&self) -> Option<&str> {
        match self {
            Self::Ensemble(file) => Some(file),
            Self::Hmc(_) => None,
        }
    }

    /// The chains, if these are what gives configurations.
    pub fn hmc(&self) -> Option<&TargetHmcSpec> {
        match self {
            Self::Ensemble(_) => None,
            Self::Hmc(hmc) => Some(hmc),
        }
    }
}

/// `[train.loss.forward_kl.hmc]`: chains side by side, which give one configuration each in turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetHmcSpec {
    /// Chains; multiples of 8 use the vector units fully.
    #[serde(default = "super::sample::chains")]
    #[schemars(range(min = 1, max = 65536))]
    pub chains: usize,
    /// Trajectories of a chain between two of its configurations.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub every: u64,
    /// Trajectories of each chain before the first.
    #[serde(default = "super::sample::thermalization")]
    #[schemars(range(min = 0, max = 1_000_000_000_000u64))]
    pub thermalization: u64,
    /// Length of a trajectory.
    #[serde(default = "super::sample::one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub trajectory_length: f64,
    /// Lengths are drawn from trajectory_length · (1 ± spread), so that no mode comes back in phase.
    #[serde(default = "super::sample::half")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub length_spread: f64,
    /// Steps of a trajectory, before tuning.
    #[serde(default = "super::sample::steps")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps: usize,
    /// How the equations of motion are integrated.
    #[serde(default)]
    pub integrator: Integrator,
    /// Whether the number of steps is tuned, during thermalisation only.
    #[serde(default = "super::sample::yes")]
    pub tune: bool,
    /// Acceptance that tuning aims at.
    #[serde(default = "super::sample::target_acceptance")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub target_acceptance: f64,
}

impl TargetHmcSpec {
    /// The same chains on their own, of so many measured trajectories.
    pub fn alone(&self, trajectories: u64) -> HmcSpec {
        HmcSpec {
            trajectories,
            thermalization: self.thermalization,
            chains: self.chains,
            trajectory_length: self.trajectory_length,
            length_spread: self.length_spread,
            steps: self.steps,
            integrator: self.integrator,
            tune: self.tune,
            target_acceptance: self.target_acceptance,
            instanton_every: None,
            fermions: None,
            gauge_steps: None,
            save_every: None,
        }
    }
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

fn ten() -> u64 {
    10
}
