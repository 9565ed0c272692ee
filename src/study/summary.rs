//! What a cell found, in numbers: the final table.

use crate::sample::Method;
use serde::{Deserialize, Serialize};

/// The final table of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Why training ended.
    pub stop_reason: String,
    /// Training steps.
    pub steps: u64,
    /// Configurations flowed in training.
    pub train_samples: u64,
    /// Seconds of training.
    pub train_s: f64,
    /// Training ESS, smoothed over the last steps.
    pub ess_smoothed: f64,
    /// ESS on fresh configurations.
    pub ess: f64,
    /// One standard error.
    pub ess_err: f64,
    /// ESS from configurations of the target, eq. (A8), if Hybrid Monte Carlo gave some.
    pub ess_target: Option<f64>,
    /// Share of the total weight that the largest weight carries.
    pub max_weight_share: f64,
    /// `D_KL(q‖p)` with its error, if ln Z is known.
    pub kl: Option<(f64, f64)>,
    /// What each method found.
    pub observables: Vec<ObservableSummary>,
    /// What each method costs.
    pub methods: Vec<MethodSummary>,
    /// What a reader has to know before trusting the figures.
    pub warnings: Vec<String>,
}

/// One observable of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservableSummary {
    /// `direct`, `independence` or `hmc`.
    pub method: Method,
    /// Name.
    pub observable: String,
    /// Mean under the target.
    pub value: f64,
    /// One standard error.
    pub error: f64,
    /// The same by bootstrap, for reweighted configurations.
    #[serde(default)]
    pub error_bootstrap: Option<f64>,
    /// Integrated autocorrelation time and its error, for chains.
    pub tau_int: Option<(f64, f64)>,
    /// τ that the weights of the proposals imply, for independence Metropolis.
    #[serde(default)]
    pub tau_int_exact: Option<f64>,
    /// Exact value, if known.
    pub exact: Option<f64>,
    /// Whether costs are given for it.
    pub primary: bool,
}

/// What one method costs, for the observable that takes it longest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSummary {
    /// `direct`, `independence` or `hmc`.
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
