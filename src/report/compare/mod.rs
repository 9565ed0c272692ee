//! Two runs beside each other: what differs in their specifications, and in their results with its significance.

mod estimate;
mod found;
mod judge;
mod pairs;
mod side;

pub use estimate::Estimate;
pub use judge::{CellComparison, Rate, Verdict};
pub use side::RunInfo;

use crate::error::{Error, Result};
use crate::spec::Change;
use judge::judge;
use pairs::pairs;
use serde::Serialize;
use side::Side;
use std::path::Path;

/// Everything that differs.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The first run.
    pub a: RunInfo,
    /// The second.
    pub b: RunInfo,
    /// The keys in which the resolved specifications differ.
    pub spec: Vec<Change>,
    /// Whether all that both runs wrote is the same to the last digit, but for times and where it was computed.
    pub identical: bool,
    /// Difference in standard errors up to which results agree.
    pub limit: f64,
    /// Results that were compared.
    pub compared: usize,
    /// Results that differ by more than the limit.
    pub disagreeing: usize,
    /// The result that differs most among those that must agree.
    pub largest: Option<Largest>,
    /// Pairs of cells with the same values of the varied keys.
    pub cells: Vec<CellComparison>,
    /// Cells that only the first run has.
    pub only_a: Vec<String>,
    /// Cells that only the second one has.
    pub only_b: Vec<String>,
}

/// The result that differs most.
#[derive(Debug, Clone, Serialize)]
pub struct Largest {
    /// The cell in the first run.
    pub cell: String,
    /// Method and name.
    pub result: String,
    /// Difference in standard errors; nothing if there is a difference and no error.
    pub sigmas: Option<f64>,
}

/// Compares two run directories by their files alone.
///
/// # Errors
/// [`Error::Usage`] for a folder that is no run directory, or if no result of the one has its like in the other;
/// [`Error::BadFile`] for a file that cannot be read as what it is, [`Error::Io`].
pub fn compare(a: &Path, b: &Path, limit: f64) -> Result<Comparison> {
    let sides = [Side::read(a)?, Side::read(b)?];
    let [left, right] = &sides;
    let pairs = pairs([(&left.spec, &left.cells), (&right.spec, &right.cells)]);
    // Models of one training are the same model; those of two have no reason to be equally good.
    let same_model = left.spec.training_digest() == right.spec.training_digest();
    let cells =
        pairs.both.iter().map(|[one, other]| judge([(left, *one), (right, *other)], same_model, limit));
    let cells: Vec<CellComparison> = cells.collect();
    if cells.iter().all(|cell| cell.results.is_empty()) {
        return Err(nothing(&sides));
    }
    let judged = || cells.iter().flat_map(|cell| cell.results.iter().map(move |result| (cell, result)));
    let largest = judged()
        .filter(|(_, result)| result.judged)
        .max_by(|(_, one), (_, other)| one.size().total_cmp(&other.size()));
    let largest = largest.map(|(cell, result)| Largest {
        cell: cell.a.clone(),
        result: format!("{} {}", result.method, result.quantity),
        sigmas: result.sigmas,
    });
    let [only_a, only_b] = [(left, &pairs.only[0]), (right, &pairs.only[1])]
        .map(|(side, only)| only.iter().map(|cell| side.name(cell)).collect::<Vec<String>>());
    let are_all_there = only_a.is_empty() && only_b.is_empty();
    Ok(Comparison {
        spec: left.spec.changes(&right.spec),
        identical: are_all_there && cells.iter().all(|cell| cell.differing_tables.is_empty()),
        limit,
        compared: judged().count(),
        disagreeing: judged().filter(|(_, result)| !result.agrees).count(),
        largest,
        only_a,
        only_b,
        cells,
        a: sides[0].info.clone(),
        b: sides[1].info.clone(),
    })
}

/// There is nothing to say.
fn nothing([a, b]: &[Side; 2]) -> Error {
    let finished = |side: &Side| match side.cells.values().any(|found| !found.estimates.is_empty()) {
        true => String::new(),
        false => format!("; {} has no results yet", side.info.folder),
    };
    Error::Usage {
        message: format!(
            "{} and {}: no result of the one has its like in the other{}{}",
            a.info.folder,
            b.info.folder,
            finished(a),
            finished(b)
        ),
        hint: "cells are alike if their varied keys have the same values, and results if their method and name are the same".into(),
    }
}
