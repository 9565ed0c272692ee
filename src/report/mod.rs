//! Figures from the tables of run directories; reads files only and computes no physics.

mod columns;
mod figure;
mod study;
mod training;

pub use training::Level;

use crate::error::{Error, Result};
use columns::Columns;
use figure::Figure;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What to draw.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Run directories; several are drawn into the same figures.
    pub runs: &'a [PathBuf],
    /// Values of the ESS to mark, and to look up the cost of.
    pub levels: &'a [f64],
    /// The varied key along the axis of studies, by the name of its column; the first that tells cells apart if left out.
    pub key: Option<&'a str>,
    /// Where figures go.
    pub folder: &'a Path,
}

/// What was drawn.
#[derive(Debug, Clone, Serialize)]
pub struct Drawn {
    /// The files, a figure as SVG and as PNG each.
    pub files: Vec<PathBuf>,
    /// The cost of every level that was asked for.
    pub levels: Vec<Level>,
}

/// A run directory and what it is called in figures.
struct Run {
    label: String,
    folder: PathBuf,
}

impl Run {
    /// A table of the run; none if there is no such file, or no row in it yet.
    fn table(&self, name: &str) -> Result<Option<Columns>> {
        let path = self.folder.join(name);
        let there = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        there.then(|| Columns::read(&path)).transpose()
    }
}

/// Draws every figure that the tables of the runs have data for.
///
/// # Errors
/// [`Error::Usage`] for a folder that is no run directory or a key that does not vary, [`Error::BadFile`] for a table without
/// an expected column or with something else than a number in it, [`Error::Io`].
pub fn plot(request: &Request<'_>) -> Result<Drawn> {
    let runs = labelled(request.runs)?;
    let mut figures = training::figures(&runs, request.levels)?;
    figures.extend(study::figures(&runs, request.key)?);
    figures.retain(Figure::has_data);
    if figures.is_empty() {
        return Err(Error::Usage {
            message: format!("{}: no table has a row yet", request.runs[0].display()),
            hint: "let the run write its first rows".into(),
        });
    }
    std::fs::create_dir_all(request.folder).map_err(Error::io(request.folder, "create"))?;
    let mut files = Vec::new();
    for figure in &figures {
        files.extend(figure.save(request.folder)?);
    }
    Ok(Drawn { files, levels: training::levels(&runs, request.levels)? })
}

/// The runs, called by their folders' names where these differ.
fn labelled(folders: &[PathBuf]) -> Result<Vec<Run>> {
    if let Some(folder) = folders.iter().find(|folder| !folder.join("spec.toml").is_file()) {
        return Err(Error::Usage {
            message: format!("{}: is no run directory, it has no spec.toml", folder.display()),
            hint: "name the folder that `flowqcd run` wrote, e.g. runs/smoke".into(),
        });
    }
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let unique = |folder: &Path| folders.iter().filter(|other| name(other) == name(folder)).count() == 1;
    let label = |folder: &PathBuf| match name(folder) {
        Some(name) if unique(folder) => name,
        _ => folder.display().to_string(),
    };
    Ok(folders.iter().map(|folder| Run { label: label(folder), folder: folder.clone() }).collect())
}
