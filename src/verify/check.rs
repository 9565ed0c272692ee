//! One thing measured beside what it must be.

use crate::sample::MethodRun;
use serde::Serialize;

/// A check that is off by more standard errors has failed: one in two million by chance.
const LARGEST_PULL: f64 = 5.0;

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What is measured.
    pub name: String,
    /// The result.
    pub measured: f64,
    /// What it must be.
    pub exact: f64,
    /// One standard error of the difference, rounding included.
    pub error: f64,
}

impl Check {
    pub(super) fn new(name: impl Into<String>, measured: f64, exact: f64, error: f64) -> Self {
        Self { name: name.into(), measured, exact, error }
    }

    /// `(measured - exact) / error`.
    pub fn pull(&self) -> f64 {
        (self.measured - self.exact) / self.error
    }

    /// Whether measured and exact agree; a pull that is not a number says that they do not.
    pub fn passed(&self) -> bool {
        self.pull().abs() <= LARGEST_PULL
    }
}

/// `⟨e^{-ΔH}⟩ = 1`.
pub(super) fn violation(of: &str, run: &MethodRun) -> Check {
    let chain = run.chain.as_ref().expect("HMC has chains");
    let (mean, error) = chain.exp_minus_delta_h.expect("HMC counts it");
    Check::new(format!("{of}, HMC: <exp(-dH)>"), mean, 1.0, error)
}
