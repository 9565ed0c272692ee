//! The CSV contract: one struct per file, its fields are the columns in order, after `cell` and the keys that vary.

use crate::sample::Method;
use serde::Serialize;

/// `train.csv`: one logged training step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainRow {
    /// Finished steps.
    pub step: u64,
    /// Configurations flowed so far.
    pub samples: u64,
    /// Configurations in this step's batch.
    pub batch_size: usize,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Mean over the batch: `⟨log q + S⟩`, or `-⟨log q⟩` where an ensemble is learned from.
    pub loss: f64,
    /// ESS of the training batch, eq. (A7), or (A8) where an ensemble is learned from.
    pub ess: f64,
    /// Its mean over the smoothing window.
    pub ess_smoothed: f64,
    /// Norm over all gradients before clipping.
    pub grad_norm: f64,
    /// Seconds of training so far.
    pub wall_s: f64,
    /// Counted floating-point operations so far.
    pub flops: f64,
}

/// `ess.csv`: one evaluation on fresh configurations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EssRow {
    /// `train_eval`, `final`, or `transfer` for a model that was judged as it started, without a step.
    pub stage: &'static str,
    /// Finished training steps.
    pub step: u64,
    /// Configurations flowed in training so far.
    pub samples: u64,
    /// Configurations of this evaluation.
    pub n: usize,
    /// ESS per configuration, eq. (A7).
    pub ess: f64,
    /// From the value to the farther end of its interval of 68.3%.
    pub ess_err: f64,
    /// Lower end of the interval that holds the true ESS with 68.3%.
    pub ess_low: f64,
    /// Its upper end.
    pub ess_high: f64,
    /// Lower end of the interval of 95%.
    pub ess_low_95: f64,
    /// Its upper end.
    pub ess_high_95: f64,
    /// Median of what the weights allow, the largest of them replaced by a fitted tail.
    pub ess_median: f64,
    /// Mean ESS of quarters of the configurations.
    pub ess_quarter: Option<f64>,
    /// Mean ESS of sixteenths of the configurations.
    pub ess_sixteenth: Option<f64>,
    /// Pareto shape k of the largest weights.
    pub pareto_k: Option<f64>,
    /// One standard error.
    pub pareto_k_err: Option<f64>,
    /// Target-sample ESS, eq. (A8), if there are target samples.
    pub ess_target: Option<f64>,
    /// From the value to the farther end of its interval of 68.3%.
    pub ess_target_err: Option<f64>,
    /// Lower end of that interval.
    pub ess_target_low: Option<f64>,
    /// Its upper end.
    pub ess_target_high: Option<f64>,
    /// Standard errors by which it is below the ESS on the model's own configurations.
    pub ess_target_sigmas: Option<f64>,
    /// `-⟨log q⟩` over the target samples.
    pub nll_target: Option<f64>,
    /// Share of the total weight that the largest weight carries.
    pub max_weight_share: f64,
    /// `D_KL(q‖p)`, if ln Z is known.
    pub kl: Option<f64>,
    /// Acceptance of the independence Metropolis chain, if one was run.
    pub acceptance: Option<f64>,
}

/// `cost.csv`: the cost decomposition of one sampling method, eqs. (4)-(7) of A22.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostRow {
    /// `direct`, `independence`, `hmc` or `heat_bath`.
    pub method: Method,
    /// What the ESS refers to; `weights` for direct sampling.
    pub observable: String,
    /// Configurations flowed in training.
    pub n_train: u64,
    /// Seconds of training, or of thermalisation.
    pub setup_s: f64,
    /// Seconds of training per configuration.
    pub train_s_per_sample: Option<f64>,
    /// Seconds of sampling per configuration.
    pub sample_s_per_configuration: f64,
    /// Configurations drawn, or steps of all chains.
    pub n_raw: u64,
    /// ESS per configuration.
    pub ess_per_configuration: f64,
    /// From the value to the farther end of the interval of 68.3%.
    pub ess_per_configuration_err: f64,
    /// Integrated autocorrelation time, for chains: the larger of the chain's own and that of the weights.
    pub tau_int: Option<f64>,
    /// From that value to the farther end of the interval of 68.3%; infinite where the weights do not exclude that chains get stuck
    /// for ever.
    pub tau_int_err: Option<f64>,
    /// Equivalent independent configurations, `n_raw · ESS`.
    pub n_indep: f64,
    /// Seconds of sampling.
    pub sample_s: f64,
    /// Seconds of training and sampling.
    pub total_s: f64,
    /// `n_indep / sample_s`.
    pub effective_samples_per_s: f64,
    /// Counted floating-point operations per drawn configuration or step.
    pub flops_per_sample: f64,
    /// Counted floating-point operations of the setup.
    pub setup_flops: f64,
    /// From so many independent configurations on the flow is cheaper than HMC, its training included; empty if never, or if it
    /// learned from an ensemble, whose cost is not known.
    pub crossover_n_indep: Option<f64>,
    /// Device.
    pub device: String,
    /// CPU threads.
    pub threads: usize,
    /// Why training ended.
    pub stop_reason: String,
    /// Configurations flowed in the trainings that this one went on from.
    pub n_train_before: u64,
    /// Seconds of those.
    pub setup_before_s: f64,
}

/// `observables.csv`: one expectation value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObservableRow {
    /// `direct`, `independence`, `hmc` or `heat_bath`.
    pub method: Method,
    /// Name of the observable.
    pub observable: String,
    /// Its mean under the target.
    pub value: f64,
    /// What 68.3% of such values are off by at most: of the linear part of a function of means, by the Γ-method for chains; in the
    /// calibration of subsamples for reweighted configurations and for chains that were offered them.
    pub error: f64,
    /// The same by a formula that trusts the largest weights to have been met: linear, or from the chain alone.
    pub error_plain: f64,
    /// Lower end of the interval that holds the true value with 68.3%.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Lower end of the interval of 95%.
    pub low_95: f64,
    /// Its upper end.
    pub high_95: f64,
    /// One standard error without the linear approximation, for reweighted configurations; empty if the observable is not
    /// defined within it. To be compared with `error_plain`: it trusts the largest weights to have been met, too.
    pub error_bootstrap: Option<f64>,
    /// How far the value is off on average because it is no linear function of means, for reweighted configurations, known to 3% of
    /// the error; it is not corrected for.
    pub bias_bootstrap: Option<f64>,
    /// Integrated autocorrelation time, for chains.
    pub tau_int: Option<f64>,
    /// One standard error that the chain claims.
    pub tau_int_err: Option<f64>,
    /// τ that the weights of the proposals imply, for independence Metropolis.
    pub tau_int_exact: Option<f64>,
    /// Which τ the error is from: `chain`, or `weights` where that is the larger one; empty without chains.
    pub tau_int_used: Option<&'static str>,
    /// Lower end of the interval that holds this τ with 68.3%.
    pub tau_int_low: Option<f64>,
    /// Its upper end; infinite where the weights do not exclude that chains get stuck for ever.
    pub tau_int_high: Option<f64>,
    /// Pareto shape k of the weights that the value rests on.
    pub pareto_k: Option<f64>,
    /// Configurations used.
    pub n: u64,
    /// Exact value, if known.
    pub exact: Option<f64>,
    /// `(value - exact) / error`.
    pub pull: Option<f64>,
}

/// `chains.csv`: how one kind of chain went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChainRow {
    /// `independence`, `hmc` or `heat_bath`.
    pub method: Method,
    /// Chains side by side.
    pub chains: usize,
    /// Steps of all chains together, after thermalisation.
    pub n: u64,
    /// Accepted proposals or trajectories per proposal or trajectory.
    pub acceptance: f64,
    /// Most rejections in a row.
    pub longest_rejection_run: Option<u64>,
    /// Trajectories of HMC between flow proposals.
    pub trajectories_between: Option<u64>,
    /// `⟨e^{-ΔH}⟩`, one for exact arithmetic.
    pub exp_minus_delta_h: Option<f64>,
    /// One standard error.
    pub exp_minus_delta_h_err: Option<f64>,
    /// Integration steps of a trajectory, after tuning.
    pub integration_steps: Option<usize>,
    /// Accepted instanton updates per update.
    pub instanton_acceptance: Option<f64>,
    /// Iterations of the solver per trajectory, for pseudofermions.
    pub solver_iterations: Option<f64>,
    /// Seconds, measurements included.
    pub wall_s: f64,
}

/// `history.csv`: an observable at a step of a chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryRow {
    /// `independence`, `hmc` or `heat_bath`.
    pub method: Method,
    /// Name of the observable.
    pub observable: String,
    /// Number of the chain.
    pub chain: usize,
    /// Steps of the chain after thermalisation; of every so many one is kept.
    pub step: u64,
    /// The observable there; of a chain that was too long for its memory the mean of a few steps up to there.
    pub value: f64,
}

/// `weights.csv`: a bin of the histogram of `log w` of configurations of the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightRow {
    /// `direct`.
    pub method: Method,
    /// Where the bin begins.
    pub log_w_low: f64,
    /// Where it ends.
    pub log_w_high: f64,
    /// Configurations in it, drawn from the model.
    pub configurations: u64,
    /// Their share of the sum of all weights: that of the target in this bin.
    pub weight_share: f64,
}
