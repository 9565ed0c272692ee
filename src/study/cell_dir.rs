//! The folder of a cell, which owns all that is known of it: its specification, tables, checkpoints, ensembles, log and record.
//!
//! A run of one cell has no further folder: there it is the run directory.

use super::record::{CellRecord, Start};
use crate::error::{Error, Result};
use crate::files::{read_present, remove_leftovers, write_atomically};
use crate::spec::Spec;
use std::path::{Path, PathBuf};

const RECORD: &str = "record.json";
const STARTS: &str = "starts.json";

/// The folder of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellDir {
    path: PathBuf,
}

/// How far a cell has come.
#[derive(Debug, Clone, PartialEq)]
pub enum CellState {
    /// It is not finished, or was with another specification.
    Open,
    /// It was finished, but what it found cannot be read.
    DamagedRecord,
    /// It is finished.
    Finished(Box<CellRecord>),
}

impl CellDir {
    /// The folder at this path, which need not exist.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.file("checkpoints")
    }

    /// The folder of the ensembles.
    pub fn ensembles(&self) -> PathBuf {
        self.file("ensembles")
    }

    /// Makes the folders, and removes what killed processes left half written.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn prepare(&self) -> Result<()> {
        let checkpoints = self.checkpoints();
        std::fs::create_dir_all(&checkpoints).map_err(Error::io(&checkpoints, "create the folder"))?;
        [&self.path, &checkpoints, &self.ensembles()]
            .into_iter()
            .try_for_each(|folder| remove_leftovers(folder))
    }

    /// How far the cell has come with this specification.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it is finished and a table is not as it was left, [`Error::Io`].
    pub fn state(&self, spec: &Spec) -> Result<CellState> {
        let Some(text) = read_present(&self.file(RECORD))? else { return Ok(CellState::Open) };
        let Ok(record) = serde_json::from_str::<CellRecord>(&text) else {
            return Ok(CellState::DamagedRecord);
        };
        if record.spec_digest != spec.digest() {
            return Ok(CellState::Open);
        }
        self.verify_tables(&record)?;
        Ok(CellState::Finished(Box::new(record)))
    }

    /// Whether there is a record that can be read.
    pub fn has_record(&self) -> bool {
        let text = read_present(&self.file(RECORD)).ok().flatten();
        text.is_some_and(|text| serde_json::from_str::<CellRecord>(&text).is_ok())
    }

    /// Whether the tables are as they were when the cell was finished.
    ///
    /// # Errors
    /// [`Error::BadFile`] if one is not, [`Error::Io`].
    pub fn verify_tables(&self, record: &CellRecord) -> Result<()> {
        for (name, mark) in &record.tables {
            mark.verify(&self.file(name)).map_err(|error| match error {
                Error::BadFile { path, rule, .. } => Error::BadFile {
                    path,
                    rule: format!("{rule}, and the run is finished"),
                    hint: format!(
                        "restore the file as it was; or remove {RECORD} and manifest.json in {}: what the last checkpoint leads \
                         to is then made again",
                        self.path.display()
                    ),
                },
                other => other,
            })?;
        }
        Ok(())
    }

    /// Writes the record: from then on the cell is finished.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(&self, record: &CellRecord) -> Result<()> {
        write_json(&self.file(RECORD), record)
    }

    /// Notes that a process works on the cell; all that did.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn start(&self, start: Start) -> Result<Vec<Start>> {
        let starts = [self.starts(), vec![start]].concat();
        write_json(&self.file(STARTS), &starts)?;
        Ok(starts)
    }

    /// All processes that worked on the cell, as far as that is known.
    pub fn starts(&self) -> Vec<Start> {
        let text = read_present(&self.file(STARTS)).ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// Replaces a file by data as JSON.
///
/// # Errors
/// [`Error::Io`].
pub fn write_json(path: &Path, data: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(data).expect("plain data");
    text.push('\n');
    write_atomically(path, text.as_bytes())
}
