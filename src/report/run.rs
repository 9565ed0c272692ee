//! Run directories to draw from: their tables, and what they are called in figures.

use super::columns::Columns;
use crate::error::{Error, Result};
use crate::spec::Spec;
use std::path::{Path, PathBuf};

/// A run directory, what it is called in figures, and its tables; none where there is no such file, or nothing in it yet.
pub struct Run {
    pub label: String,
    pub folder: PathBuf,
    pub train: Option<Columns>,
    pub ess: Option<Columns>,
    pub cost: Option<Columns>,
    pub observables: Option<Columns>,
    pub chains: Option<Columns>,
    pub history: Option<Columns>,
    pub weights: Option<Columns>,
}

/// The tables by their names, in the order in which a column is looked for.
pub const TABLES: [&str; 7] = ["ess", "cost", "observables", "chains", "train", "history", "weights"];

impl Run {
    fn read(label: String, folder: &Path) -> Result<Self> {
        Ok(Self {
            label,
            folder: folder.to_owned(),
            train: table(folder, "train.csv", "step")?,
            ess: table(folder, "ess.csv", "stage")?,
            cost: table(folder, "cost.csv", "method")?,
            observables: table(folder, "observables.csv", "method")?,
            chains: table(folder, "chains.csv", "method")?,
            history: table(folder, "history.csv", "method")?,
            weights: table(folder, "weights.csv", "method")?,
        })
    }

    /// The text that a key would have in the tables if it varied, in a run in which it does not; none if that is not clear.
    pub fn constant(&self, key: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.folder.join("spec.toml")).ok()?;
        Spec::parse(&text, &[]).ok()?.shown(key)
    }

    /// The table of this name, if there is anything in it.
    pub fn named(&self, name: &str) -> Option<&Columns> {
        let place = TABLES.iter().position(|table| *table == name)?;
        self.places()[place].as_ref()
    }

    fn places(&self) -> [&Option<Columns>; TABLES.len()] {
        [&self.ess, &self.cost, &self.observables, &self.chains, &self.train, &self.history, &self.weights]
    }

    /// The tables that there are.
    pub fn tables(&self) -> impl Iterator<Item = &Columns> {
        self.places().into_iter().flatten()
    }

    /// The same to change them.
    pub fn tables_mut(&mut self) -> impl Iterator<Item = &mut Columns> {
        let Self { train, ess, cost, observables, chains, history, weights, .. } = self;
        [train, ess, cost, observables, chains, history, weights].into_iter().flatten()
    }
}

/// A table of a run whose column after the keys is called `first`, if there is anything in it yet.
///
/// # Errors
/// As of [`Columns::read`].
pub fn table(folder: &Path, name: &str, first: &str) -> Result<Option<Columns>> {
    let path = folder.join(name);
    let there = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
    there.then(|| Columns::read(&path, first)).transpose()
}

/// The runs, called by their folders' names where these differ.
///
/// # Errors
/// [`Error::Usage`] for a folder that is no run directory, or one that is named twice; [`Error::BadFile`] for a table that is not
/// one.
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
    labels.zip(folders).map(|(label, folder)| Run::read(label, folder)).collect()
}
