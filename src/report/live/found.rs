//! What was found of a model: rows of the small tables.

use super::growing::Row;
use crate::theory::is_of_time;

/// An evaluation on fresh configurations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Finished steps.
    pub step: f64,
    /// Configurations flowed in training.
    pub samples: f64,
    /// ESS.
    pub ess: f64,
    /// The interval that holds the true one with 68.3%, where it is known.
    pub interval: Option<[f64; 2]>,
    /// ESS by configurations of the target, if there are some.
    pub ess_target: Option<f64>,
}

impl Evaluation {
    pub(super) fn of(row: &Row<'_>) -> Option<Self> {
        let interval = row.number("ess_low").zip(row.number("ess_high")).map(|(low, high)| [low, high]);
        Some(Self {
            step: row.number("step")?,
            samples: row.number("samples")?,
            ess: row.number("ess")?,
            interval,
            ess_target: row.number("ess_target"),
        })
    }
}

/// How one kind of chain went.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainFacts {
    /// `independence`, `hmc` or `heat_bath`.
    pub method: String,
    /// Accepted proposals or trajectories per proposal or trajectory.
    pub acceptance: f64,
}

impl ChainFacts {
    pub(super) fn of(row: &Row<'_>) -> Option<Self> {
        Some(Self { method: row.text("method").to_owned(), acceptance: row.number("acceptance")? })
    }
}

/// An expectation value.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// `direct`, `independence`, `hmc` or `heat_bath`.
    pub method: String,
    /// Name of the observable.
    pub observable: String,
    /// Its mean under the target.
    pub value: f64,
    /// Its error.
    pub error: f64,
    /// Integrated autocorrelation time, for chains: the larger of the chain's own and that of the weights.
    pub tau: Option<f64>,
    /// Exact value, if known.
    pub exact: Option<f64>,
}

impl Measured {
    /// The numbers of a row, unless it is of a function of the time: these have many.
    pub(super) fn of(row: &Row<'_>) -> Option<Self> {
        let observable = Some(row.text("observable")).filter(|name| !is_of_time(name))?.to_owned();
        let taus = [row.number("tau_int"), row.number("tau_int_exact")];
        Some(Self {
            method: row.text("method").to_owned(),
            observable,
            value: row.number("value")?,
            // Infinite where the weights exclude nothing.
            error: row.text("error").parse().ok()?,
            tau: taus.into_iter().flatten().reduce(f64::max),
            exact: row.number("exact"),
        })
    }
}
