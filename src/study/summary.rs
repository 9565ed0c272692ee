//! What a cell found, in numbers: the final table.

use crate::sample::Method;
use crate::stats::{Interval, ParetoShape};
use serde::{Deserialize, Serialize};

/// The final table of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How the model did, if there is one.
    #[serde(flatten)]
    pub model: Option<ModelSummary>,
    /// What each method found.
    pub observables: Vec<ObservableSummary>,
    /// What each method costs.
    pub methods: Vec<MethodSummary>,
    /// What a reader has to know before trusting the figures.
    pub warnings: Vec<String>,
}

/// The part of a final table that is about the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Why training ended.
    pub stop_reason: String,
    /// Training steps.
    pub steps: u64,
    /// Configurations flowed in training.
    pub train_samples: u64,
    /// Seconds of training.
    pub train_s: f64,
    /// Configurations flowed in the trainings that this one went on from.
    #[serde(default)]
    pub train_samples_before: u64,
    /// Training ESS, smoothed over the last steps; nothing without steps.
    pub ess_smoothed: Option<f64>,
    /// ESS on fresh configurations.
    pub ess: f64,
    /// From the value to the farther end of its interval of 68.3%.
    pub ess_err: f64,
    /// Where the true ESS is.
    #[serde(default)]
    pub ess_interval: Option<Interval>,
    /// Median of what the weights allow, the largest of them replaced by a fitted tail.
    #[serde(default)]
    pub ess_median: Option<f64>,
    /// Mean ESS of quarters and of sixteenths of the configurations.
    #[serde(default)]
    pub ess_of_parts: [Option<f64>; 2],
    /// Shape of the tail of the weights.
    #[serde(default)]
    pub pareto: Option<ParetoShape>,
    /// ESS from configurations of the target, eq. (A8), if Hybrid Monte Carlo gave some.
    pub ess_target: Option<f64>,
    /// Where the true ESS is by these.
    #[serde(default)]
    pub ess_target_interval: Option<Interval>,
    /// Standard errors by which it is below the ESS on fresh configurations.
    #[serde(default)]
    pub ess_target_sigmas: Option<f64>,
    /// Share of the total weight that the largest weight carries.
    pub max_weight_share: f64,
    /// `D_KL(q‖p)` with its error, if ln Z is known.
    pub kl: Option<(f64, f64)>,
}

/// One observable of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservableSummary {
    /// `direct`, `independence`, `hmc` or `heat_bath`.
    pub method: Method,
    /// Name.
    pub observable: String,
    /// Mean under the target.
    pub value: f64,
    /// One standard error.
    pub error: f64,
    /// The same by a formula that trusts the largest weights to have been met.
    #[serde(default)]
    pub error_plain: Option<f64>,
    /// Integrated autocorrelation time and its error, for chains.
    pub tau_int: Option<(f64, f64)>,
    /// τ that the weights of the proposals imply, for independence Metropolis.
    #[serde(default)]
    pub tau_int_exact: Option<f64>,
    /// Exact value, if known.
    pub exact: Option<f64>,
    /// What is missing if it is not zero, where a symmetry of the target says that it must be.
    #[serde(default)]
    pub must_vanish: Option<String>,
    /// Whether costs are given for it.
    pub primary: bool,
}

/// What one method costs, for the observable that takes it longest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSummary {
    /// `direct`, `independence`, `hmc` or `heat_bath`.
    pub method: Method,
    /// That observable; `weights` for direct sampling.
    pub observable: String,
    /// Configurations or steps.
    pub n: u64,
    /// Accepted per proposal or trajectory, for chains.
    pub acceptance: Option<f64>,
    /// Configurations or steps per second.
    pub per_s: f64,
    /// Equivalent independent configurations per second.
    pub effective_per_s: f64,
    /// From so many independent configurations on cheaper than Hybrid Monte Carlo, if ever.
    pub crossover_n_indep: Option<f64>,
}
