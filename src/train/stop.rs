//! When training ends; the reason is data.

use super::state::TrainState;
use crate::spec::StopSpec;
use std::fmt;

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The smoothed ESS reached its target.
    Ess,
    /// The number of steps was reached.
    Steps,
    /// The number of configurations was reached.
    Samples,
    /// The time was used up.
    Seconds,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ess => "ess",
            Self::Steps => "steps",
            Self::Samples => "samples",
            Self::Seconds => "seconds",
        })
    }
}

/// The first rule that is met, if any.
pub fn reached(spec: &StopSpec, state: &TrainState) -> Option<StopReason> {
    let ess = state.ess.mean().filter(|_| state.ess.is_full()).unwrap_or(0.0);
    let rules = [
        (spec.ess.is_some_and(|target| ess >= target), StopReason::Ess),
        (spec.steps.is_some_and(|limit| state.step >= limit), StopReason::Steps),
        (spec.samples.is_some_and(|limit| state.cost.samples >= limit), StopReason::Samples),
        (spec.seconds.is_some_and(|limit| state.cost.wall_s >= limit), StopReason::Seconds),
    ];
    rules.into_iter().find_map(|(met, reason)| met.then_some(reason))
}
