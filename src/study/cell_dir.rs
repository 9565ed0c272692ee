//! The folder of a cell, which owns all that is known of it: its specification, tables, checkpoints, ensembles, log and record.
//!
//! A run of one cell has no further folder: there it is the run directory.

use super::record::{CellRecord, Start, now};
use crate::error::{Error, Result};
use crate::files::{create_folder, read_present, remove_leftovers, remove_present, write_atomically};
use crate::spec::{Spec, Varied};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub const RECORD: &str = "record.json";
const STARTS: &str = "starts.json";
const CELL: &str = "cell.json";
const FAILED: &str = "failed.json";

/// `cell.json`: what a cell was called when its tables were begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellNote {
    /// Its number.
    pub cell: u64,
    /// What it is by its specification and by that of the cells it goes back to.
    pub identity: String,
    /// The varied keys with their values.
    pub values: Varied,
}

/// `failed.json`: why a cell could not be finished; gone once it is tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// When (UTC).
    pub time: String,
    /// The error.
    pub reason: String,
}

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
        create_folder(&checkpoints)?;
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

    /// What the cell is called in its tables: as it was when they were begun, which is now if they are not.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn name(&self, now: CellNote) -> Result<CellNote> {
        match self.named().filter(|before| before.identity == now.identity) {
            Some(before) => Ok(before),
            None => write_json(&self.file(CELL), &now).map(|()| now),
        }
    }

    /// What the cell is called in its tables, as far as that is known.
    pub fn named(&self) -> Option<CellNote> {
        read_json(&self.file(CELL))
    }

    /// Why the cell could not be finished, if that was so the last time.
    pub fn failure(&self) -> Option<Failure> {
        read_json(&self.file(FAILED))
    }

    /// Notes why the cell cannot be finished.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn fail(&self, reason: &str) -> Result<Failure> {
        let failure = Failure { time: now(), reason: reason.to_owned() };
        write_json(&self.file(FAILED), &failure).map(|()| failure)
    }

    /// Forgets that the cell could not be finished: it is tried again.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn forget_failure(&self) -> Result<()> {
        remove_present([self.file(FAILED)])
    }

    /// Notes that a process works on the cell; all that did.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn start(&self, start: Start) -> Result<Vec<Start>> {
        let before = read_present(&self.file(STARTS))?.and_then(|text| serde_json::from_str(&text).ok());
        let starts = [before.unwrap_or_default(), vec![start]].concat();
        write_json(&self.file(STARTS), &starts)?;
        Ok(starts)
    }

    /// All processes that worked on the cell, as far as that is known.
    pub fn starts(&self) -> Vec<Start> {
        read_json(&self.file(STARTS)).unwrap_or_default()
    }
}

/// What a file holds, if it is there and can be read.
fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = read_present(path).ok()??;
    serde_json::from_str(&text).ok()
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
