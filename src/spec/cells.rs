//! The cells of a study, from its lists and stages.

use super::cell::{Cell, STAGE};
use super::document::{lookup, put};
use super::drafts::{Draft, count, drafts};
use super::grid::Grid;
use super::links::problems_of_links;
use super::schema::json_schema;
use super::specification::Spec;
use super::stages::{Stage, common, stages};
use super::study::StudySpec;
use super::validate::validated;
use super::varied::Varied;
use crate::error::Problem;
use serde_json::Value as Json;
use toml::Value;

/// Cells of a study, at most.
const MOST_CELLS: u64 = 10_000;

impl Spec {
    /// The cells of its study, each after the one that it goes on from; one without a study.
    ///
    /// # Errors
    /// Everything wrong with the lists or with a cell; nothing for a specification that was parsed.
    pub fn cells(&self) -> Result<Vec<Cell>, Vec<Problem>> {
        let base = Self { study: None, ..self.clone() };
        let Some(study) = &self.study else {
            return Ok(vec![Cell { index: 0, values: Varied::default(), spec: base, start: None }]);
        };
        let schema = json_schema();
        let stages = stages(study, schema)?;
        count(study, &stages).filter(|&cells| cells <= MOST_CELLS).ok_or_else(|| vec![too_many(study)])?;
        let drafts = drafts(study, &stages);
        let columns = Columns::new(study, &stages);
        let base = Value::Table(base.to_table());
        let made = drafts.into_iter().enumerate();
        let made = made.map(|(index, draft)| columns.cell(&base, schema, index, &draft));
        let (cells, wrong): (Vec<_>, Vec<_>) = made.partition(Result::is_ok);
        let wrong: Vec<Problem> = wrong.into_iter().filter_map(Result::err).flatten().collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let cells: Vec<Cell> = cells.into_iter().flatten().collect();
        let wrong = problems_of_links(&cells);
        if wrong.is_empty() { Ok(cells) } else { Err(wrong) }
    }
}

fn too_many(study: &StudySpec) -> Problem {
    let stages = if study.stage.is_empty() { "" } else { ", over all stages" };
    let rule = format!(
        "must be at most {MOST_CELLS} in all: every combination of the lists, as often as repeats say{stages}"
    );
    let points = Grid::new(&study.vary, &study.grid).count().map(u128::from);
    let problem = Problem::new("study: number of cells", rule);
    match points.filter(|_| study.stage.is_empty()) {
        Some(points) => problem.value(u128::from(study.repeats) * points),
        None => problem,
    }
}

/// The columns of a study, and what its cells are made from.
struct Columns<'a> {
    common: Option<Grid<'a>>,
    stages: &'a [Stage<'a>],
    /// The varied keys of all stages, with what they are called.
    keys: Vec<(&'a str, &'a str)>,
    repeats: bool,
}

impl<'a> Columns<'a> {
    fn new(study: &'a StudySpec, stages: &'a [Stage<'a>]) -> Self {
        let common = common(study).map(|(grid, _)| grid);
        let of_study = common.iter().flat_map(Grid::keys);
        let mut keys: Vec<&String> = Vec::new();
        for key in of_study.chain(stages.iter().flat_map(|stage| stage.grid.keys())) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let named = keys.iter().map(|key| (key.as_str(), short_name(key, keys.iter().copied()))).collect();
        let repeats = study.repeats > 1 || stages.iter().any(|stage| stage.repeats > 1);
        Self { common, stages, keys: named, repeats }
    }

    fn cell(&self, base: &Value, schema: &Json, index: usize, draft: &Draft) -> Result<Cell, Vec<Problem>> {
        let stage = &self.stages[draft.stage];
        let at_cell = |mut problem: Problem| {
            let place = stage.name.map_or("study.vary".into(), |name| format!("study.stage.{name}"));
            problem.key = format!("{place}, cell {index}: {}", problem.key);
            problem
        };
        // What a cell varies wins over what its stage sets, and that over what it has from the cell it goes on from.
        let own = stage.grid.keys().count();
        let (inherited, own) = draft.assigned.split_at(draft.assigned.len() - own);
        let set: Vec<(String, Json)> =
            stage.set.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut document = base.clone();
        for (key, value) in [inherited, &set, own].concat() {
            let value = Value::try_from(&value)
                .map_err(|error| vec![at_cell(Problem::new(&key, error.to_string()))])?;
            put(&mut document, &key, value).map_err(|problem| vec![at_cell(problem)])?;
        }
        let mut spec = validated(&document, schema)
            .map_err(|problems| problems.into_iter().map(at_cell).collect::<Vec<Problem>>())?;
        let seed = spec.seed.checked_add(draft.repeat).filter(|&seed| seed <= i64::MAX as u64);
        let rule = "must leave room for the seeds of all repeats";
        spec.seed = seed.ok_or_else(|| vec![at_cell(Problem::new("seed", rule).value(spec.seed))])?;
        let mut values = Varied::default();
        if let Some(name) = stage.name {
            values.push(STAGE, Some(Value::String(name.into())));
        }
        for (key, name) in &self.keys {
            values.push(name, lookup(&document, key).map(|value| self.told_apart(key, value)));
        }
        if self.repeats {
            values.push("seed", Some(Value::Integer(spec.seed as i64)));
        }
        Ok(Cell { index: index as u64, values, spec, start: draft.start })
    }
}

impl Columns<'_> {
    /// A value without what no list of the study says anything of: where a table is varied, the resolved one has every default.
    fn told_apart(&self, key: &str, value: &Value) -> Value {
        let lists = self.common.iter().chain(self.stages.iter().map(|stage| &stage.grid));
        let listed: Vec<&Json> = lists.filter_map(|grid| grid.list(key)).flatten().collect();
        if listed.iter().all(|value| value.is_object()) {
            without_unlisted(value, &listed)
        } else {
            value.clone()
        }
    }
}

/// A table with those of its entries that a listed one has, too.
fn without_unlisted(value: &Value, listed: &[&Json]) -> Value {
    let Value::Table(table) = value else { return value.clone() };
    let entry = |(key, value): (&String, &Value)| {
        let below: Vec<&Json> = listed.iter().filter_map(|listed| listed.get(key)).collect();
        (!below.is_empty()).then(|| (key.clone(), without_unlisted(value, &below)))
    };
    Value::Table(table.iter().filter_map(entry).collect())
}

/// Last parts of keys that tables have columns of their own for.
const TAKEN: [&str; 3] = ["ess", "loss", "samples"];

/// The last parts of a key, as few as tell it from the others and from the columns of tables.
fn short_name<'a>(key: &'a str, all: impl Iterator<Item = &'a String> + Clone) -> &'a str {
    let starts = key.rmatch_indices('.').map(|(dot, _)| dot + 1).chain([0]);
    let mut names = starts.map(|start| &key[start..]);
    let is_suffix = |other: &str, name: &str| {
        other.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let is_clear = |name: &&str| {
        !TAKEN.contains(name) && all.clone().filter(|other| is_suffix(other, name)).count() == 1
    };
    names.find(is_clear).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_called_by_as_few_of_its_last_parts_as_tell_it_from_the_others() {
        let keys = [
            "theory.phi4.coupling",
            "evaluate.every",
            "train.batch.double.every",
            "train.batch.maximum",
            "sample.every",
            "seed",
            "other.seed",
            "train.stop.ess",
        ]
        .map(str::to_owned);
        let names = keys.each_ref().map(|key| short_name(key, keys.iter()));
        let expected = [
            "coupling",
            "evaluate.every",
            "double.every",
            "maximum",
            "sample.every",
            "seed",
            "other.seed",
            "stop.ess",
        ];
        assert_eq!(names, expected);
    }
}
