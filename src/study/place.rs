//! A cell of a run, where it lives, and what has become of it.

use super::cell_dir::{CellDir, CellState, Failure};
use super::record::CellRecord;
use super::sampling::forget_stores;
use crate::error::Result;
use crate::files::remove_leftovers;
use crate::spec::Cell;

/// A cell, its folder, and what it found if it is finished.
pub struct Place<'a> {
    pub cell: &'a Cell,
    pub identity: &'a str,
    pub dir: &'a CellDir,
    pub record: Option<CellRecord>,
    /// Why it is not going to be, if it failed.
    pub failed: Option<String>,
}

impl Place<'_> {
    /// Whether it is neither finished nor has failed.
    pub fn is_open(&self) -> bool {
        self.record.is_none() && self.failed.is_none()
    }

    /// Notes what another process has made of it since; a failure of `earlier` does not count, as it is tried again.
    ///
    /// # Errors
    /// As of [`CellDir::state`].
    pub fn look(&mut self, earlier: Option<&Failure>) -> Result<()> {
        if !self.is_open() {
            return Ok(());
        }
        if let CellState::Finished(record) = self.dir.state(&self.cell.spec)? {
            self.record = Some(*record);
            return Ok(());
        }
        let failure = self.dir.failure().filter(|failure| Some(failure) != earlier);
        self.failed = failure.map(|failure| failure.reason);
        Ok(())
    }

    /// A finished cell needs none of what only running methods do, and has not failed, whatever came after its record; a record that was
    /// lost is written again.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    pub fn settle(&self) -> Result<()> {
        remove_leftovers(self.dir.path())?;
        if let Some(record) = self.record.as_ref().filter(|_| !self.dir.has_record()) {
            self.dir.finish(record)?;
        }
        self.dir.forget_failure()?;
        forget_stores(&self.dir.checkpoints())
    }
}
