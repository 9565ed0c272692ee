//! `[sample.*]`: what is drawn once the model is trained, and from the baseline.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[sample]`: any of these.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleSpec {
    /// Seconds between two saves of what can be continued; those of train, or a minute, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub checkpoint_seconds: Option<f64>,
    /// Direct sampling with reweighting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct: Option<DirectSpec>,
    /// Independence Metropolis with the model as proposal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub independence: Option<IndependenceSpec>,
    /// Hybrid Monte Carlo, the baseline without a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmc: Option<HmcSpec>,
    /// Heat bath with overrelaxation, for a gauge field without fermions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heat_bath: Option<HeatBathSpec>,
}

/// `[sample.direct]`: independent configurations from the model, reweighted with w = e^{-S}/q.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectSpec {
    /// Configurations to draw.
    #[schemars(range(min = 2))]
    pub configurations: usize,
}

/// `[sample.independence]`: proposals from the model, accepted with min(1, w'/w).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndependenceSpec {
    /// Proposals of the chain. More of them continue a finished chain.
    #[schemars(range(min = 2))]
    pub proposals: u64,
    /// Trajectories of Hybrid Monte Carlo between flow proposals; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmc: Option<InterludeSpec>,
}

/// `[sample.independence.hmc]`: one trajectory after every so many flow proposals, on many chains side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InterludeSpec {
    /// Flow proposals of a chain between two trajectories.
    #[schemars(range(min = 1))]
    pub every: u64,
    /// Chains, which share the proposals.
    #[serde(default = "chains")]
    #[schemars(range(min = 1, max = 65536))]
    pub chains: usize,
    /// Steps of a trajectory.
    #[serde(default = "steps")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps: usize,
    /// Length of a trajectory.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub trajectory_length: f64,
    /// How the equations of motion are integrated.
    #[serde(default)]
    pub integrator: Integrator,
}

/// Symplectic integrators of second order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Integrator {
    /// Leapfrog: one force per step.
    Leapfrog,
    /// Minimal norm (Omelyan, Mryglod, Folk): two forces per step, a smaller error at equal cost.
    #[default]
    Omelyan,
}

impl Integrator {
    /// Force evaluations of a trajectory of so many steps.
    pub fn forces(self, steps: usize) -> usize {
        let of_step = match self {
            Self::Leapfrog => 1,
            Self::Omelyan => 2,
        };
        of_step * steps + 1
    }
}

/// How trajectories of Hybrid Monte Carlo take fermions into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fermions {
    /// The exact determinant, O(T X^3) for a force.
    Determinant,
    /// Pseudofermions with even-odd preconditioned conjugate gradients, O(V) for an iteration. Their noise asks for shorter steps:
    /// they begin to pay at about 64 x 64.
    Pseudofermions,
}

/// `[sample.hmc]`: independent chains of Hybrid Monte Carlo, side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HmcSpec {
    /// Trajectories of each chain that are measured.
    #[schemars(range(min = 2, max = 1_000_000_000_000u64))]
    pub trajectories: u64,
    /// Trajectories of each chain before, not measured.
    #[serde(default = "thermalization")]
    #[schemars(range(min = 0, max = 1_000_000_000_000u64))]
    pub thermalization: u64,
    /// Chains; of a scalar field multiples of 8 use the vector units fully.
    #[serde(default = "chains")]
    #[schemars(range(min = 1, max = 65536))]
    pub chains: usize,
    /// Length of a trajectory.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub trajectory_length: f64,
    /// Lengths are drawn from trajectory_length · (1 ± spread), so that no mode comes back in phase.
    #[serde(default = "half")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub length_spread: f64,
    /// Steps of a trajectory, before tuning.
    #[serde(default = "steps")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps: usize,
    /// How the equations of motion are integrated.
    #[serde(default)]
    pub integrator: Integrator,
    /// Whether the number of steps is tuned, during thermalisation only.
    #[serde(default = "yes")]
    pub tune: bool,
    /// Acceptance that tuning aims at.
    #[serde(default = "target_acceptance")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub target_acceptance: f64,
    /// Gauge theories: an update by a field of uniform flux ±1 after every so many trajectories, 1 if left out, 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instanton_every: Option<u64>,
    /// How trajectories take fermions into account; by their determinant if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fermions: Option<Fermions>,
    /// Steps with the force of the gauge field to one with that of fermions; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub gauge_steps: Option<usize>,
    /// Keeps the configuration of every chain after every so many trajectories, in ensembles/hmc.npz of the run directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub save_every: Option<u64>,
}

/// `[sample.heat_bath]`: independent chains of heat bath and overrelaxation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeatBathSpec {
    /// Sweeps of the heat bath of each chain that are measured.
    #[schemars(range(min = 2, max = 1_000_000_000_000u64))]
    pub sweeps: u64,
    /// Sweeps of each chain before, not measured.
    #[serde(default = "thermalization")]
    #[schemars(range(min = 0, max = 1_000_000_000_000u64))]
    pub thermalization: u64,
    /// Chains.
    #[serde(default = "chains")]
    #[schemars(range(min = 1, max = 65536))]
    pub chains: usize,
    /// Sweeps of overrelaxation after each of the heat bath.
    #[serde(default = "overrelaxation")]
    #[schemars(range(max = 1000))]
    pub overrelaxation: usize,
    /// An update by a field of uniform flux ±1 after every so many sweeps, 1 if left out, 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instanton_every: Option<u64>,
}

fn overrelaxation() -> usize {
    3
}

pub(super) fn thermalization() -> u64 {
    1000
}

/// Chains where their number is left out.
pub const CHAINS: usize = 64;

pub(super) fn chains() -> usize {
    CHAINS
}

pub(super) fn one() -> f64 {
    1.0
}

pub(super) fn half() -> f64 {
    0.5
}

pub(super) fn steps() -> usize {
    8
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn target_acceptance() -> f64 {
    0.8
}
