//! `[study]`: the same experiment at several points, in stages that go on from each other.

use super::train::OptimizerStart;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values by key, all lists of the same length.
pub type Lists = BTreeMap<String, Vec<serde_json::Value>>;

/// `[study]`: cells, one for each combination of the lists and each repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StudySpec {
    /// Lists of values by key, all of the same length: point i takes the i-th value of each.
    #[serde(default)]
    pub vary: Lists,
    /// Further such tables of lists: there is a cell for every combination of a point of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grid: Vec<Lists>,
    /// Repeats of every cell with the seeds seed, seed + 1, …
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub repeats: u64,
    /// Where the training of a cell starts, in a study without stages.
    #[serde(default, skip_serializing_if = "CellStartSpec::is_default")]
    pub start: CellStartSpec,
    /// Stages by name; all of them are gone through at each point of the lists above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stage: BTreeMap<String, StageSpec>,
}

/// `[study.stage.NAME]`: cells of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// Values by key that all cells of the stage have instead of those of the file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, serde_json::Value>,
    /// Lists of values by key, all of the same length: point i takes the i-th value of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vary: Lists,
    /// Further such tables of lists: there is a cell for every combination of a point of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grid: Vec<Lists>,
    /// Repeats of every cell with the seeds seed, seed + 1, …
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub repeats: u64,
    /// Where the training of a cell starts.
    #[serde(default, skip_serializing_if = "CellStartSpec::is_default")]
    pub start: CellStartSpec,
}

/// `[study.start.*]`, `[study.stage.NAME.start.*]`: one table, named by the choice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellStartSpec {
    /// Each cell by itself, as `[train.start]` says.
    #[default]
    Alone,
    /// Each cell of another stage is gone on from at every point of this one.
    Stage(StageStartSpec),
    /// Each cell goes on from the one before it along a list: a chain.
    Previous(PreviousStartSpec),
}

/// `start.stage`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageStartSpec {
    /// The stage.
    pub name: String,
    /// What becomes of the moments of its optimizer.
    #[serde(default)]
    pub optimizer: OptimizerStart,
}

/// `start.previous`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviousStartSpec {
    /// A key of the list to follow; the only one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub along: Option<String>,
    /// The stage whose cells the first of each chain go on from; they start by themselves if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What becomes of the moments of the optimizer.
    #[serde(default)]
    pub optimizer: OptimizerStart,
}

impl CellStartSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The stage that cells go on from, with the key that names it.
    pub fn stage(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Alone => None,
            Self::Stage(start) => Some(("start.stage.name", &start.name)),
            Self::Previous(start) => Some(("start.previous.from", start.from.as_deref()?)),
        }
    }

    /// What becomes of the moments of the optimizer.
    pub fn optimizer(&self) -> OptimizerStart {
        match self {
            Self::Alone => OptimizerStart::default(),
            Self::Stage(start) => start.optimizer,
            Self::Previous(start) => start.optimizer,
        }
    }
}

fn one() -> u64 {
    1
}
