//! Run directories to draw from, and what they are called in figures.

use super::columns::Columns;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A run directory and what it is called in figures.
pub struct Run {
    pub label: String,
    pub folder: PathBuf,
}

impl Run {
    /// A table of the run, whose keys end before the column `first`; none if there is no such file, or nothing in it yet.
    pub fn table(&self, name: &str, first: &str) -> Result<Option<Columns>> {
        let path = self.folder.join(name);
        let there = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        there.then(|| Columns::read(&path, first)).transpose()
    }
}

/// The runs, called by their folders' names where these differ.
///
/// # Errors
/// [`Error::Usage`] for a folder that is no run directory, or one that is named twice.
pub fn labelled(folders: &[PathBuf]) -> Result<Vec<Run>> {
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
