//! `[study]`: the same experiment at several points.

use super::Spec;
use crate::error::Problem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Value;

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

/// One point of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its number.
    pub index: u64,
    /// The varied keys by their last part, with their values here; `seed` too if there are repeats.
    pub values: Vec<(String, String)>,
    /// What it runs.
    pub spec: Spec,
}

impl StudySpec {
    fn points(&self) -> usize {
        self.vary.values().map(Vec::len).max().unwrap_or(1)
    }
}

/// The cells of a specification: one if it has no study.
///
/// # Errors
/// Everything wrong with the lists or with a cell.
pub fn cells(spec: &Spec) -> Result<Vec<Cell>, Vec<Problem>> {
    let base = Spec { study: None, ..spec.clone() };
    let Some(study) = &spec.study else {
        return Ok(vec![Cell { index: 0, values: Vec::new(), spec: base }]);
    };
    let points = study.points();
    let mut problems: Vec<Problem> = study
        .vary
        .iter()
        .filter(|(_, values)| values.len() != points || values.is_empty())
        .map(|(key, values)| {
            let rule = format!("must have as many values as the longest list, {points} (and one at least)");
            Problem::new(format!("study.vary.\"{key}\""), rule).value(format!("{} values", values.len()))
        })
        .collect();
    let mut cells = Vec::new();
    let text = base.to_toml();
    for (index, repeat) in (0..points).flat_map(|point| (0..study.repeats).map(move |repeat| (point, repeat)))
    {
        let at = |(key, values): (&String, &Vec<serde_json::Value>)| {
            let value = values.get(index).and_then(|value| Value::try_from(value).ok());
            (key.clone(), value.map_or_else(String::new, |value| value.to_string()))
        };
        let point: Vec<(String, String)> = study.vary.iter().map(at).collect();
        let mut overrides: Vec<String> = point.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let seed = spec.seed + repeat;
        overrides.push(format!("seed={seed}"));
        let last = |key: &String| key.rsplit('.').next().unwrap_or_default().to_owned();
        let mut values: Vec<(String, String)> =
            point.iter().map(|(key, value)| (last(key), value.trim_matches('"').to_owned())).collect();
        if study.repeats > 1 {
            values.push(("seed".into(), seed.to_string()));
        }
        match Spec::parse(&text, &overrides) {
            Ok(spec) => cells.push(Cell { index: cells.len() as u64, values, spec }),
            Err(of_cell) => problems.extend(of_cell.into_iter().map(|mut problem| {
                problem.key = format!("study.vary, cell {index}: {}", problem.key.replace("--set ", ""));
                problem.line = None;
                problem
            })),
        }
    }
    if problems.is_empty() { Ok(cells) } else { Err(problems) }
}
