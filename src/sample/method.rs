//! What every sampling method leaves behind: configurations to average over, what they cost, how its chains went.

use crate::cost::Cost;
use crate::stats::{Ensemble, Ess, Measured, Proposals, TimeSeries};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::OnceLock;

/// How configurations of the target are had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Drawn from the model, and reweighted.
    Direct,
    /// Independence Metropolis with the model as proposal.
    Independence,
    /// Hybrid Monte Carlo.
    Hmc,
    /// Heat bath and overrelaxation.
    HeatBath,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Independence => "independence",
            Self::Hmc => "hmc",
            Self::HeatBath => "heat_bath",
        })
    }
}

/// One method, run.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodRun {
    /// Which.
    pub method: Method,
    /// What means are taken over.
    pub ensemble: Ensemble,
    /// What was spent.
    pub cost: MethodCost,
    /// How the chains went, if there were any.
    pub chain: Option<ChainInfo>,
    ess: OnceLock<Option<Ess>>,
    proposals: OnceLock<Option<Proposals>>,
}

/// What a method spent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MethodCost {
    /// What came before the first configuration that counts; nothing where that was the training of the model.
    pub setup: Option<Cost>,
    /// Counted floating-point operations of a configuration or step.
    pub flops_per_configuration: f64,
    /// Seconds of sampling, measurements included.
    pub wall_s: f64,
}

/// How chains went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChainInfo {
    /// Accepted per proposal or trajectory.
    pub acceptance: f64,
    /// Steps of each chain before the first measured one, if there were to be any.
    pub thermalization: Option<u64>,
    /// Chains side by side that keep a thread busy at once, if that matters.
    pub side_by_side: Option<usize>,
    /// Most rejections in a row.
    pub longest_rejection_run: Option<u64>,
    /// Trajectories of HMC between flow proposals.
    pub trajectories_between: Option<u64>,
    /// `⟨e^{-ΔH}⟩`, one in exact arithmetic, with its error.
    pub exp_minus_delta_h: Option<(f64, f64)>,
    /// Integration steps of a trajectory, after tuning.
    pub integration_steps: Option<usize>,
    /// Iterations of a solver per trajectory, if it needs one.
    pub solver_iterations: Option<f64>,
    /// Accepted jumps to other sectors per jump.
    pub jump_acceptance: Option<f64>,
    /// The first proposals, where nothing but their weights decides: they imply the autocorrelation time.
    pub proposals: Option<Ensemble>,
}

impl MethodRun {
    /// What a method left behind.
    pub fn new(method: Method, ensemble: Ensemble, cost: MethodCost, chain: Option<ChainInfo>) -> Self {
        let (ess, proposals) = (OnceLock::new(), OnceLock::new());
        Self { method, ensemble, cost, chain, ess, proposals }
    }

    /// `log w` of configurations of the model; none for chains.
    pub fn log_weights(&self) -> &[f64] {
        match &self.ensemble {
            Ensemble::Weighted { log_weights, .. } => log_weights,
            Ensemble::Chains(_) => &[],
        }
    }

    /// The weights that its means rest on: of configurations, or of what a chain was offered; nothing if it needed none.
    pub fn weights(&self) -> Option<&[f64]> {
        let proposals = self.chain.as_ref().and_then(|chain| chain.proposals.as_ref());
        [Some(&self.ensemble), proposals].into_iter().flatten().find_map(|ensemble| match ensemble {
            Ensemble::Weighted { log_weights, .. } => Some(&log_weights[..]),
            Ensemble::Chains(_) => None,
        })
    }

    /// The ESS of these weights, computed once.
    pub fn ess(&self) -> Option<Ess> {
        *self.ess.get_or_init(|| self.weights().map(Ess::of))
    }

    /// A function of means with its error, in which the weights of a chain's proposals have a say.
    ///
    /// Nothing where [`Ensemble::measured`] has nothing.
    pub fn measured(&self, f: &dyn Fn(&[f64]) -> f64) -> Option<Measured> {
        let measured = self.ensemble.measured(f)?;
        let terms = self.chain.as_ref().and_then(|chain| chain.proposals.as_ref()?.terms(f));
        let Some(terms) = terms else { return Some(measured) };
        let proposals = self.proposals.get_or_init(|| self.weights().map(Proposals::new));
        Some(proposals.as_ref().map_or(measured, |proposals| proposals.judge(measured, &terms)))
    }

    /// The measurements of every chain; none for configurations of the model.
    pub fn series(&self) -> &[TimeSeries] {
        match &self.ensemble {
            Ensemble::Weighted { .. } => &[],
            Ensemble::Chains(series) => series,
        }
    }
}
