//! The cells of a study before their specifications are put together: which values each has, and which one it goes on from.

use super::cell::CellStart;
use super::grid::Grid;
use super::stages::{Stage, common};
use super::study::StudySpec;
use serde_json::Value as Json;

/// A cell to be.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its stage, by its place in the order.
    pub stage: usize,
    /// The varied keys with their values, those of the cells that it goes on from before its own.
    pub assigned: Vec<(String, Json)>,
    /// What the seed is moved by.
    pub repeat: u64,
    /// The cell that it goes on from, if it does.
    pub start: Option<CellStart>,
}

/// What the cells of a stage are made for, one for each of its points and repeats.
#[derive(Debug, Clone, Default)]
struct Root {
    /// The cell that they go on from, if they do.
    cell: Option<usize>,
    assigned: Vec<(String, Json)>,
    repeat: u64,
}

/// Number of cells, unless there are more than can be counted.
pub fn count(study: &StudySpec, stages: &[Stage<'_>]) -> Option<u64> {
    let roots = match common(study) {
        Some((grid, repeats)) => grid.count()?.checked_mul(repeats)?,
        None => 1,
    };
    let mut counts: Vec<u64> = Vec::with_capacity(stages.len());
    for stage in stages {
        let roots = stage.parent.map_or(roots, |parent| counts[parent]);
        counts.push(roots.checked_mul(stage.grid.count()?)?.checked_mul(stage.repeats)?);
    }
    counts.into_iter().try_fold(0u64, u64::checked_add)
}

/// All cells, each after the one that it goes on from; of a study that can be counted.
pub fn drafts(study: &StudySpec, stages: &[Stage<'_>]) -> Vec<Draft> {
    let mut all: Vec<Draft> = Vec::new();
    for (number, stage) in stages.iter().enumerate() {
        let roots = match stage.parent {
            None => first_roots(study),
            Some(parent) => going_on(&all, parent),
        };
        for root in &roots {
            for point in points(&stage.grid) {
                for repeat in 0..stage.repeats {
                    let start = start(stage, point, all.len(), root);
                    let assigned = [&root.assigned[..], &values(&stage.grid, point)].concat();
                    all.push(Draft { stage: number, assigned, repeat: root.repeat + repeat, start });
                }
            }
        }
    }
    all
}

/// One for each point of the lists of the whole study and each repeat of these.
fn first_roots(study: &StudySpec) -> Vec<Root> {
    let Some((grid, repeats)) = common(study) else { return vec![Root::default()] };
    let seeds = points(&grid).flat_map(|point| (0..repeats).map(move |repeat| (point, repeat)));
    seeds.map(|(point, repeat)| Root { cell: None, assigned: values(&grid, point), repeat }).collect()
}

/// One for each cell of a stage.
fn going_on(all: &[Draft], stage: usize) -> Vec<Root> {
    let cells = all.iter().enumerate().filter(|(_, draft)| draft.stage == stage);
    let root = |(position, draft): (usize, &Draft)| Root {
        cell: Some(position),
        assigned: draft.assigned.clone(),
        repeat: draft.repeat,
    };
    cells.map(root).collect()
}

/// What the cell that comes at this position goes on from: the one before it in its chain, else that of the root.
fn start(stage: &Stage<'_>, point: usize, position: usize, root: &Root) -> Option<CellStart> {
    let along = stage.chain.map(|factor| stage.grid.along(factor, point));
    let before = along.filter(|(place, _)| *place > 0);
    let before = before.map(|(_, stride)| position - stride * stage.repeats as usize);
    let optimizer = stage.start.optimizer();
    before.or(root.cell).map(|position| CellStart { position, optimizer, chain: before.is_some() })
}

fn points(grid: &Grid<'_>) -> std::ops::Range<usize> {
    0..grid.count().unwrap_or(0) as usize
}

fn values(grid: &Grid<'_>, point: usize) -> Vec<(String, Json)> {
    grid.values(point).into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()
}
