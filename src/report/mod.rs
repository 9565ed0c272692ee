//! Figures from the tables of run directories; reads files only and computes no physics.

mod columns;
mod figure;
mod study;
mod training;

pub use training::Level;

use crate::error::{Error, Result};
use crate::files::write_atomically;
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
    /// The varied key along the axis of studies, by the name of its column; if left out the extents, or another that varies.
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
    /// A table of the run, whose keys end before the column `first`; none if there is no such file, or nothing in it yet.
    fn table(&self, name: &str, first: &str) -> Result<Option<Columns>> {
        let path = self.folder.join(name);
        let there = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        there.then(|| Columns::read(&path, first)).transpose()
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
            message:
                "nothing to draw: no run has a row in train.csv, or finished cells that differ in a number"
                    .into(),
            hint: "let a run write its first rows".into(),
        });
    }
    let levels = training::levels(&runs, request.levels)?;
    let mut drawn = Vec::new();
    for figure in &figures {
        drawn.extend(figure.files(request.folder)?);
    }
    std::fs::create_dir_all(request.folder).map_err(Error::io(request.folder, "create"))?;
    drawn.iter().try_for_each(|(path, bytes)| write_atomically(path, bytes))?;
    Ok(Drawn { files: drawn.into_iter().map(|(path, _)| path).collect(), levels })
}

/// The runs, called by their folders' names where these differ.
fn labelled(folders: &[PathBuf]) -> Result<Vec<Run>> {
    if let Some(folder) = folders.iter().find(|folder| !folder.join("spec.toml").is_file()) {
        return Err(Error::Usage {
            message: format!("{}: is no run directory, it has no spec.toml", folder.display()),
            hint: "name the folder that `flowqcd run` wrote, e.g. runs/smoke".into(),
        });
    }
    let whole = |folder: &PathBuf| folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let named: Vec<PathBuf> = folders.iter().map(whole).collect();
    if let Some(twice) = (1..named.len()).find(|index| named[..*index].contains(&named[*index])) {
        return Err(Error::Usage {
            message: format!("{}: is named twice", folders[twice].display()),
            hint: "name every run directory once".into(),
        });
    }
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let unique = |folder: &Path| named.iter().filter(|other| name(other) == name(folder)).count() == 1;
    let label = |(folder, named): (&PathBuf, &PathBuf)| match name(named) {
        Some(name) if unique(named) => name,
        _ => folder.display().to_string(),
    };
    let labels = folders.iter().zip(&named).map(label);
    Ok(labels.zip(folders).map(|(label, folder)| Run { label, folder: folder.clone() }).collect())
}
