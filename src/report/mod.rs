//! Figures from the tables of run directories; reads files only and computes no physics.

mod columns;
mod figure;
mod run;
mod study;
mod training;

pub use training::Level;

use crate::error::{Error, Result};
use crate::files::write_atomically;
use figure::Figure;
use run::labelled;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What to draw.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Run directories; several are drawn into the same figures.
    pub runs: &'a [PathBuf],
    /// Values of the ESS to mark, and to look up the cost of.
    pub levels: &'a [f64],
    /// The varied key along the axis of studies, by the name of its column; if left out the extents, or another that varies.
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
}

/// Draws every figure that the tables of the runs have data for.
///
/// # Errors
/// [`Error::Usage`] for a folder that is no run directory or a key that does not vary, [`Error::BadFile`] for a table without
/// an expected column or with something else than a number in it, [`Error::Io`].
pub fn plot(request: &Request<'_>) -> Result<Figures> {
    let runs = labelled(request.runs)?;
    let mut figures = training::figures(&runs, request.levels)?;
    figures.extend(study::figures(&runs, request.key)?);
    figures.retain(Figure::has_data);
    if figures.is_empty() {
        return Err(Error::Usage {
            message:
                "nothing to draw: no run has a row in train.csv, or finished cells that differ in a number"
                    .into(),
            hint: "let a run write its first rows; what a single cell without a model found is in observables.csv".into(),
        });
    }
    let levels = training::levels(&runs, request.levels)?;
    let mut drawn = Vec::new();
    for figure in &figures {
        drawn.extend(figure.files(request.folder)?);
    }
    std::fs::create_dir_all(request.folder).map_err(Error::io(request.folder, "create"))?;
    drawn.iter().try_for_each(|(path, bytes)| write_atomically(path, bytes))?;
    Ok(Figures { files: drawn.into_iter().map(|(path, _)| path).collect(), levels })
}
