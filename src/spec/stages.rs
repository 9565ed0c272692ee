//! The stages of a study in the order in which they need each other, and what is wrong with their tables.

use super::check::nearest;
use super::document::unknown_key;
use super::grid::{Grid, length};
use super::study::{CellStartSpec, Lists, StudySpec};
use crate::error::Problem;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A stage, or a study without stages.
#[derive(Debug, Clone)]
pub struct Stage<'a> {
    /// Its name, if the study has stages.
    pub name: Option<&'a str>,
    /// What all its cells have instead of what the file says.
    pub set: Option<&'a BTreeMap<String, Json>>,
    /// Its points.
    pub grid: Grid<'a>,
    /// Cells at a point for each cell that they go on from.
    pub repeats: u64,
    /// Where its cells start.
    pub start: &'a CellStartSpec,
    /// The stage that they go on from, by its place in the order; nothing for the first ones.
    pub parent: Option<usize>,
    /// The list that chains follow.
    pub chain: Option<usize>,
}

/// What the lists of the whole study are repeated over, where it has stages.
pub fn common(study: &StudySpec) -> Option<(Grid<'_>, u64)> {
    (!study.stage.is_empty()).then(|| (Grid::new(&study.vary, &study.grid), study.repeats))
}

/// All stages, those that others go on from before them.
///
/// # Errors
/// Everything wrong with the tables, whatever the cells are.
pub fn stages<'a>(study: &'a StudySpec, schema: &Json) -> Result<Vec<Stage<'a>>, Vec<Problem>> {
    let mut problems = of_lists("study", &study.vary, &study.grid, schema);
    if study.stage.is_empty() {
        let grid = Grid::new(&study.vary, &study.grid);
        let start = &study.start;
        if let Some((key, name)) = start.stage() {
            let rule = "must be a stage, and the study has none: each is a table [study.stage.NAME]";
            problems.push(Problem::new(format!("study.{key}"), rule).value(name));
        }
        let chain = chain("study", start, &grid).map_err(|problem| problems.push(problem)).ok().flatten();
        let only = Stage { name: None, set: None, grid, repeats: study.repeats, start, parent: None, chain };
        return if problems.is_empty() { Ok(vec![only]) } else { Err(problems) };
    }
    if study.start != CellStartSpec::default() {
        let rule = "is for a study without stages: each stage has a start of its own";
        problems.push(Problem::new("study.start", rule));
    }
    let order = order(study).map_err(|found| problems.extend(found)).unwrap_or_default();
    let mut all: Vec<Stage<'a>> = Vec::with_capacity(order.len());
    for name in order {
        let (stage, place) = (&study.stage[name], format!("study.stage.{name}"));
        problems.extend(of_lists(&place, &stage.vary, &stage.grid, schema));
        problems.extend(of_settings(&place, &stage.set, schema));
        let grid = Grid::new(&stage.vary, &stage.grid);
        problems.extend(said_twice(study, &place, &grid, &stage.set));
        let chain = chain(&place, &stage.start, &grid).map_err(|problem| problems.push(problem));
        let parent = stage.start.stage();
        let parent = parent.and_then(|(_, parent)| all.iter().position(|stage| stage.name == Some(parent)));
        let (repeats, start, chain) = (stage.repeats, &stage.start, chain.ok().flatten());
        all.push(Stage { name: Some(name), set: Some(&stage.set), grid, repeats, start, parent, chain });
    }
    if problems.is_empty() { Ok(all) } else { Err(problems) }
}

/// Names of the stages, each after the one that it goes on from, otherwise by name.
fn order(study: &StudySpec) -> Result<Vec<&str>, Vec<Problem>> {
    let needs = |name: &str| study.stage[name].start.stage();
    let names: Vec<String> = study.stage.keys().cloned().collect();
    let unknown = |name: &String| {
        let (key, wanted) = needs(name).filter(|(_, wanted)| !study.stage.contains_key(*wanted))?;
        let problem =
            Problem::new(format!("study.stage.{name}.{key}"), "must be a stage of the study").value(wanted);
        Some(match nearest(wanted, &names) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("stages: {}", names.join(", "))),
        })
    };
    let problems: Vec<Problem> = names.iter().filter_map(unknown).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut order: Vec<&str> = Vec::new();
    while order.len() < study.stage.len() {
        let free = |name: &&String| {
            let needed = needs(name).is_none_or(|(_, needed)| order.contains(&needed));
            needed && !order.contains(&name.as_str())
        };
        match study.stage.keys().find(free) {
            Some(name) => order.push(name),
            None => return Err(vec![circle(study, &order)]),
        }
    }
    Ok(order)
}

/// Stages that wait for each other.
fn circle(study: &StudySpec, done: &[&str]) -> Problem {
    let next = |name: &str| study.stage[name].start.stage().map_or("", |(_, next)| next).to_owned();
    let first = study.stage.keys().find(|name| !done.contains(&name.as_str())).expect("one is left");
    let mut path = vec![first.clone()];
    let last = loop {
        let following = next(&path[path.len() - 1]);
        if path.contains(&following) {
            break following;
        }
        path.push(following);
    };
    let begin = path.iter().position(|name| *name == last).unwrap_or(0);
    let names = [&path[begin..], &[last]].concat();
    Problem::new(format!("study.stage.{}.start", names[0]), "must not lead back to the stage itself")
        .value(names.join(" from "))
        .hint("one stage has to start by itself: leave out its start")
}

/// The factor of the grid that chains follow, if there are chains.
fn chain(place: &str, start: &CellStartSpec, grid: &Grid<'_>) -> Result<Option<usize>, Problem> {
    let CellStartSpec::Previous(previous) = start else { return Ok(None) };
    let keys: Vec<String> = grid.keys().cloned().collect();
    let key = format!("{place}.start.previous.along");
    match &previous.along {
        None if grid.dimensions() == 1 => Ok(Some(0)),
        None if keys.is_empty() => {
            let rule = "needs lists to follow, in vary or grid of the same table";
            Err(Problem::new(format!("{place}.start.previous"), rule))
        }
        None => Err(Problem::new(key, "missing: there are several lists to follow")
            .hint(format!("keys in lists: {}", keys.join(", ")))),
        Some(along) => grid.factor(along).map(Some).ok_or_else(|| {
            let problem = Problem::new(key, "must be a key of a list in the same table").value(along);
            match nearest(along, &keys) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("keys in lists: {}", keys.join(", "))),
            }
        }),
    }
}

/// What is wrong with lists, whatever is in them.
fn of_lists(place: &str, vary: &Lists, grid: &[Lists], schema: &Json) -> Vec<Problem> {
    let further = grid.iter().enumerate().map(|(index, lists)| (format!("{place}.grid[{index}]"), lists));
    let mut problems = Vec::new();
    for (table, lists) in std::iter::once((format!("{place}.vary"), vary)).chain(further) {
        let longest = length(lists);
        let uneven = lists.iter().filter(|(_, values)| values.len() != longest || values.is_empty());
        problems.extend(uneven.map(|(key, values)| {
            let rule = format!("must have as many values as the longest list, {longest} (and one at least)");
            Problem::new(format!("{table}.\"{key}\""), rule).value(format!("{} values", values.len()))
        }));
        problems.extend(lists.keys().filter_map(|key| of_key(&table, key, schema)));
        if lists.is_empty() && table.ends_with(']') {
            problems.push(Problem::new(&table, "must have a list").hint("leave the table out"));
        }
    }
    let grid = Grid::new(vary, grid);
    let mut keys: Vec<&String> = grid.keys().collect();
    keys.sort();
    let twice = keys.windows(2).filter(|pair| pair[0] == pair[1]);
    problems.extend(twice.map(|pair| Problem::new(format!("{place}.grid: {}", pair[0]), "is varied twice")));
    problems
}

fn of_settings(place: &str, set: &BTreeMap<String, Json>, schema: &Json) -> Vec<Problem> {
    set.keys().filter_map(|key| of_key(&format!("{place}.set"), key, schema)).collect()
}

/// A key that cells cannot have.
fn of_key(table: &str, key: &str, schema: &Json) -> Option<Problem> {
    let place = format!("{table}.\"{key}\"");
    if key == "study" || key.starts_with("study.") || key == "version" {
        return Some(Problem::new(place, "is not of a cell: only what a cell runs can be varied or set"));
    }
    unknown_key(schema, place, key, true)
}

/// Keys that a stage varies although the study does, or both sets and varies.
fn said_twice(study: &StudySpec, place: &str, grid: &Grid<'_>, set: &BTreeMap<String, Json>) -> Vec<Problem> {
    let common: Vec<&String> = Grid::new(&study.vary, &study.grid).keys().collect();
    let of_grid = grid.keys().map(|key| (key, set.contains_key(key)));
    let twice = of_grid.chain(set.keys().map(|key| (key, false))).filter_map(|(key, also_set)| {
        let rule = match (common.contains(&key), also_set) {
            (true, _) => "is varied for all stages by the lists of the study",
            (false, true) => "is both varied and set",
            (false, false) => return None,
        };
        Some(Problem::new(format!("{place}: {key}"), rule))
    });
    twice.collect()
}
