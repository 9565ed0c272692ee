//! Figures, comparisons and pages from the tables of run directories; reads files only and computes no physics.

mod along;
mod axis;
mod chart;
mod columns;
mod compare;
mod digits;
mod figure;
mod gather;
mod legend;
pub mod live;
mod page;
mod palette;
mod points;
mod raster;
mod results;
mod run;
mod selection;
mod series;
mod study;
mod training;
mod value;
mod volume_law;

pub use compare::{CellComparison, Comparison, Estimate, Largest, Rate, RunInfo, Verdict, compare};
pub use digits::{short, with_error};
pub use page::{PageRequest, page};
pub use points::{StudyFigure, StudyPoint};
pub use selection::Condition;
pub use training::{Level, Reached};

use crate::error::{Error, Result};
use crate::files::write_atomically;
use gather::Gathered;
use run::labelled;
use selection::select;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What to draw.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Run directories; several are drawn into the same figures.
    pub runs: &'a [PathBuf],
    /// The rows to draw; all if there are none.
    pub only: &'a [Condition],
    /// Values of the ESS to mark, and to look up the cost of.
    pub levels: &'a [f64],
    /// The varied key along the axis of studies, by the name of its column, or `1/KEY`; if left out the extents, or another that
    /// varies.
    pub key: Option<&'a str>,
    /// Where figures go.
    pub folder: &'a Path,
}

/// What was drawn.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The files, a figure as SVG and as PNG each.
    pub files: Vec<PathBuf>,
    /// The cost of every level that was asked for.
    pub levels: Vec<Level>,
    /// The figures of studies in numbers.
    pub studies: Vec<StudyFigure>,
}

/// Draws every figure that the tables of the runs have data for.
///
/// # Errors
/// [`Error::Usage`] for a folder that is no run directory, a key that does not vary, or rows that there are not,
/// [`Error::BadFile`] for a table without an expected column or with something else than a number in it, [`Error::Io`].
pub fn plot(request: &Request<'_>) -> Result<Figures> {
    let mut runs = labelled(request.runs)?;
    select(&mut runs, request.only)?;
    let gathered = Gathered::new(&runs, request.levels, request.key)?;
    let mut drawn = Vec::new();
    for figure in gathered.all() {
        drawn.extend(figure.files(request.folder)?);
    }
    if drawn.is_empty() {
        return Err(nothing(request));
    }
    std::fs::create_dir_all(request.folder).map_err(Error::io(request.folder, "create"))?;
    drawn.iter().try_for_each(|(path, bytes)| write_atomically(path, bytes))?;
    Ok(Figures {
        files: drawn.into_iter().map(|(path, _)| path).collect(),
        levels: training::levels(&gathered.curves, request.levels),
        studies: gathered.studies.iter().map(StudyFigure::from).collect(),
    })
}

/// The tables have no rows to draw.
fn nothing(request: &Request<'_>) -> Error {
    let [message, hint] = match request.only.is_empty() {
        true => [
            "nothing to draw: no run has a row in train.csv, or finished cells that differ in a number",
            "let a run write its first rows; what a single cell without a model found is in observables.csv",
        ],
        false => [
            "nothing to draw: no row has all that --where asks for, or those that do differ in no number",
            "leave one of the conditions out",
        ],
    };
    Error::Usage { message: message.into(), hint: hint.into() }
}
