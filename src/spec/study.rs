//! `[study]`: the same experiment at several points.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[study]`: cells, each trained from scratch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudySpec {
    /// Lists of values by key, all of the same length: cell i takes the i-th value of each.
    #[serde(default)]
    pub vary: BTreeMap<String, Vec<serde_json::Value>>,
    /// Repeats of every cell with the seeds seed, seed + 1, …
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub repeats: u64,
}

fn one() -> u64 {
    1
}

impl StudySpec {
    /// Values of the longest list; one point without lists.
    pub fn points(&self) -> usize {
        self.vary.values().map(Vec::len).max().unwrap_or(1)
    }

    /// All points with all repeats, unless there are more than can be counted.
    pub fn cells(&self) -> Option<u64> {
        self.repeats.checked_mul(self.points() as u64)
    }
}
