//! The cells of a study: the specification of each, and what tells it from the others.

use super::document::{put, unknown_key};
use super::schema::json_schema;
use super::specification::Spec;
use super::study::StudySpec;
use super::validate::validated;
use super::varied::Varied;
use crate::error::Problem;
use serde_json::Value as Json;
use toml::Value;

/// Cells of a study, at most.
const MOST_CELLS: u64 = 10_000;

/// One point of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its number.
    pub index: u64,
    /// The varied keys by their last part, or by as many as tell them apart, with their values here; `seed` too if there are repeats.
    pub values: Varied,
    /// What it runs.
    pub spec: Spec,
}

impl Spec {
    /// The cells of its study; one without a study.
    ///
    /// # Errors
    /// Everything wrong with the lists or with a cell; nothing for a specification that was parsed.
    pub fn cells(&self) -> Result<Vec<Cell>, Vec<Problem>> {
        let base = Self { study: None, ..self.clone() };
        let Some(study) = &self.study else {
            return Ok(vec![Cell { index: 0, values: Varied::default(), spec: base }]);
        };
        let schema = json_schema();
        let problems = problems(study, &schema);
        if !problems.is_empty() {
            return Err(problems);
        }
        let base = Value::Table(base.to_table());
        let points = (0..study.points()).map(|index| point(study, &base, &schema, index));
        let points: Vec<_> = points.collect();
        let wrong: Vec<Problem> =
            points.iter().filter_map(|point| point.as_ref().err()).flatten().cloned().collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let cells = points.into_iter().flatten().flat_map(|point| repeats(study, point));
        Ok((0..).zip(cells).map(|(index, cell)| Cell { index, ..cell }).collect())
    }
}

/// What is wrong with the lists, whatever is in them.
fn problems(study: &StudySpec, schema: &Json) -> Vec<Problem> {
    let points = study.points();
    let uneven = study.vary.iter().filter(|(_, values)| values.len() != points || values.is_empty());
    let uneven = uneven.map(|(key, values)| {
        let rule = format!("must have as many values as the longest list, {points} (and one at least)");
        Problem::new(place(key), rule).value(format!("{} values", values.len()))
    });
    let unknown = study.vary.keys().filter_map(|key| unknown_key(schema, place(key), key));
    let cells = study.cells().filter(|&cells| cells <= MOST_CELLS);
    let too_many = cells.is_none().then(|| {
        let rule =
            format!("must be at most {MOST_CELLS} in all, {points} points as often as study.repeats says");
        Problem::new("study: number of cells", rule).value(u128::from(study.repeats) * points as u128)
    });
    uneven.chain(unknown).chain(too_many).collect()
}

fn place(key: &str) -> String {
    format!("study.vary.\"{key}\"")
}

/// One point of the lists, before repeats.
fn point(study: &StudySpec, base: &Value, schema: &Json, index: usize) -> Result<Cell, Vec<Problem>> {
    let (mut document, mut values) = (base.clone(), Varied::default());
    let at_cell = |mut problem: Problem| {
        problem.key = format!("study.vary, cell {index}: {}", problem.key);
        problem
    };
    for (key, list) in &study.vary {
        let value = Value::try_from(&list[index])
            .map_err(|error| vec![at_cell(Problem::new(key, error.to_string()))])?;
        values.push(short_name(key, study.vary.keys()), value.clone());
        put(&mut document, key, value).map_err(|problem| vec![at_cell(problem)])?;
    }
    let spec = validated(&document, schema)
        .map_err(|problems| problems.into_iter().map(at_cell).collect::<Vec<Problem>>())?;
    if spec.seed + (study.repeats - 1) > i64::MAX as u64 {
        let rule = "must leave room for the seeds of all repeats";
        return Err(vec![at_cell(Problem::new("seed", rule).value(spec.seed))]);
    }
    Ok(Cell { index: 0, values, spec })
}

/// The last parts of a key, as few as tell it from the others.
fn short_name<'a>(key: &'a str, all: impl Iterator<Item = &'a String> + Clone) -> &'a str {
    let starts = key.rmatch_indices('.').map(|(dot, _)| dot + 1).chain([0]);
    let mut names = starts.map(|start| &key[start..]);
    let is_suffix = |other: &str, name: &str| {
        other.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let is_clear = |name: &&str| all.clone().filter(|other| is_suffix(other, name)).count() == 1;
    names.find(is_clear).unwrap_or(key)
}

/// A point with the seeds seed, seed + 1, …
fn repeats(study: &StudySpec, point: Cell) -> impl Iterator<Item = Cell> {
    let count = study.repeats;
    (0..count).map(move |repeat| {
        let mut cell = point.clone();
        cell.spec.seed += repeat;
        if count > 1 {
            cell.values.push("seed", Value::Integer(cell.spec.seed as i64));
        }
        cell
    })
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
        ]
        .map(str::to_owned);
        let names = keys.each_ref().map(|key| short_name(key, keys.iter()));
        let expected =
            ["coupling", "evaluate.every", "double.every", "maximum", "sample.every", "seed", "other.seed"];
        assert_eq!(names, expected);
    }
}
