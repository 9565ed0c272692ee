//! How far the cells of a run have come, from its files alone.

use super::cell_dir::{CellDir, CellState, RECORD};
use super::claim::Watcher;
use super::merge::Merge;
use super::owner::Owner;
use super::plan::Plan;
use crate::error::{Error, Result};
use crate::spec::{Spec, Varied};
use crate::train::checkpoint;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A run directory that is only looked at.
pub struct Overview {
    path: PathBuf,
    plan: Plan,
}

/// How far a cell has come.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Progression {
    /// Nobody works on it.
    Waiting {
        /// The cell that it goes on from, if that is not finished.
        for_cell: Option<u64>,
        /// The newest checkpoint, if it was begun.
        step: Option<u64>,
    },
    /// A process works on it.
    Running {
        /// Which.
        #[serde(flatten)]
        owner: Owner,
        /// Steps at the newest checkpoint.
        step: Option<u64>,
    },
    /// It is finished.
    Done {
        /// When (UTC).
        finished: String,
    },
    /// It could not be finished; the next run tries again.
    Failed {
        /// When (UTC).
        time: String,
        /// Why.
        reason: String,
    },
}

/// What was seen of a run that is looked at again and again: signs of life, and finished cells, whose tables are read only once.
#[derive(Debug, Default)]
pub struct Seen {
    watcher: Watcher,
    /// By number, with the record as it was then.
    finished: BTreeMap<u64, (Stamp, Progression)>,
}

/// When a file was written, and its bytes.
type Stamp = (SystemTime, u64);

/// A cell and how far it has come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellStatus {
    /// Its number.
    pub cell: u64,
    /// The varied keys with their values.
    pub values: Varied,
    /// How far it has come.
    #[serde(flatten)]
    pub progression: Progression,
}

impl Overview {
    /// The run in a folder.
    ///
    /// # Errors
    /// As of [`Spec::of_run`].
    pub fn open(path: &Path) -> Result<Self> {
        let spec = Spec::of_run(path)?;
        Ok(Self { path: path.to_owned(), plan: Plan::of_directory(path, &spec) })
    }

    /// Digest of all cells.
    pub fn identity(&self) -> String {
        self.plan.identity()
    }

    /// The folder of a cell, by its place among the cells.
    ///
    /// # Panics
    /// If there is no such cell.
    pub fn folder(&self, position: usize) -> PathBuf {
        self.plan.folders(&self.path)[position].path().to_owned()
    }

    /// What a cell runs, by its place among the cells.
    ///
    /// # Panics
    /// If there is no such cell.
    pub fn spec(&self, position: usize) -> &Spec {
        &self.plan.cells[position].spec
    }

    /// Every cell.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn cells(&self) -> Result<Vec<CellStatus>> {
        self.cells_again(&mut Seen::default())
    }

    /// The same for those who have looked before.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn cells_again(&self, seen: &mut Seen) -> Result<Vec<CellStatus>> {
        let dirs = self.plan.folders(&self.path);
        let mut all: Vec<CellStatus> = Vec::with_capacity(dirs.len());
        for (cell, dir) in self.plan.cells.iter().zip(&dirs) {
            let before = cell.start.map(|start| &all[start.position]);
            let for_cell = before.filter(|before| !matches!(before.progression, Progression::Done { .. }));
            let for_cell = for_cell.map(|before| before.cell);
            let record = stamp(&dir.file(RECORD));
            let known = seen.finished.get(&cell.index).filter(|(then, _)| Some(*then) == record);
            let progression = match known {
                Some((_, progression)) => progression.clone(),
                None => look(dir, &cell.spec, &mut seen.watcher, for_cell)?,
            };
            if let (Some(record), Progression::Done { .. }) = (record, &progression) {
                seen.finished.insert(cell.index, (record, progression.clone()));
            }
            all.push(CellStatus { cell: cell.index, values: cell.values.clone(), progression });
        }
        Ok(all)
    }

    /// Puts the tables together from those of the cells; the names of those that were not like that before. A run of one cell has
    /// nothing to put together.
    ///
    /// # Errors
    /// [`Error::BadFile`] if cells have different columns, [`Error::Io`].
    pub fn merge(&self) -> Result<Option<Vec<&'static str>>> {
        if self.plan.cells.len() == 1 {
            return Ok(None);
        }
        let dirs = self.plan.folders(&self.path);
        Merge::new(&self.path, &self.plan.cells, &dirs).all().map(Some)
    }
}

fn look(dir: &CellDir, spec: &Spec, watcher: &mut Watcher, for_cell: Option<u64>) -> Result<Progression> {
    match dir.state(spec) {
        Ok(CellState::Finished(record)) => Ok(Progression::Done { finished: record.finished }),
        // A table that was changed since is for `run` to complain of.
        Err(Error::BadFile { path, rule, .. }) => {
            let reason = format!("{}: {rule}", path.display());
            Ok(Progression::Failed { time: String::new(), reason })
        }
        Err(error) => Err(error),
        Ok(_) => unfinished(dir, watcher, for_cell),
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

fn unfinished(dir: &CellDir, watcher: &mut Watcher, for_cell: Option<u64>) -> Result<Progression> {
    let step = newest_step(dir);
    if let Some(owner) = watcher.owner(dir.path())? {
        return Ok(Progression::Running { owner, step });
    }
    Ok(match dir.failure() {
        Some(failure) => Progression::Failed { time: failure.time, reason: failure.reason },
        None => Progression::Waiting { for_cell, step },
    })
}

/// Steps at the newest checkpoint of a cell, by its name.
fn newest_step(dir: &CellDir) -> Option<u64> {
    let newest = checkpoint::list(&dir.checkpoints()).ok()?.pop()?;
    newest.file_stem()?.to_str()?.strip_prefix("step-")?.parse().ok()
}
