//! What is put together from the cells of a run: its tables and its manifest.

use super::cell_dir::{CellState, RECORD};
use super::manifest::{FailedCell, Manifest};
use super::merge::Merge;
use super::place::Place;
use super::record::{CellRecord, Start};
use super::run_dir::RunDir;
use crate::error::Result;
use crate::spec::Spec;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Publishing may take this part of the time that a study does.
const SHARE: u32 = 20;

/// Writes what is known of a run, now and then.
pub struct Publisher<'a> {
    /// The specification.
    pub spec: &'a Spec,
    /// Where it goes.
    pub dir: &'a RunDir,
    /// What was known before.
    pub before: Option<Manifest>,
    /// Its tables.
    pub merge: Merge<'a>,
    /// This process, if it works on the run.
    pub start: Option<Start>,
    /// When it was done last, and what that took.
    last: Cell<(Instant, Duration)>,
}

impl<'a> Publisher<'a> {
    /// For a run of which this was known before.
    pub fn new(spec: &'a Spec, dir: &'a RunDir, before: Option<Manifest>, merge: Merge<'a>) -> Self {
        let last = Cell::new((Instant::now(), Duration::ZERO));
        Self { spec, dir, before, merge, start: None, last }
    }

    /// Puts tables and manifest together from the cells as they are now.
    ///
    /// # Errors
    /// As of [`Merge::all`].
    pub fn publish(&self, places: &[Place<'_>]) -> Result<Manifest> {
        let start = Instant::now();
        loop {
            let before = finished(places);
            self.merge.all()?;
            let manifest = self.manifest(places);
            self.dir.write_manifest(&manifest)?;
            // Another process that has finished a cell since may have put its tables in place before this one did.
            if finished(places) == before {
                self.last.set((Instant::now(), start.elapsed()));
                return Ok(manifest);
            }
        }
    }

    /// The same, unless that would take much of the time.
    ///
    /// # Errors
    /// As of [`Self::publish`].
    pub fn publish_now_and_then(&self, places: &[Place<'_>]) -> Result<()> {
        let (ended, took) = self.last.get();
        if ended.elapsed() < took * SHARE { Ok(()) } else { self.publish(places).map(drop) }
    }

    /// What is known of the whole run, this process included if it works on it.
    pub fn manifest(&self, places: &[Place<'_>]) -> Manifest {
        let mut starts: Vec<Start> = places.iter().flat_map(|place| place.dir.starts()).collect();
        starts.extend(self.start.clone());
        let record = |place: &Place<'_>| {
            let found = place.record.clone().or_else(|| match place.dir.state(&place.cell.spec) {
                Ok(CellState::Finished(record)) => Some(*record),
                _ => None,
            });
            // A cell may have had other columns when it was finished.
            found.map(|record| CellRecord { values: place.cell.values.clone(), ..record })
        };
        let records: Vec<CellRecord> = places.iter().filter_map(record).collect();
        let is_finished = records.len() == places.len();
        let mut manifest = Manifest::new(self.spec.digest(), self.spec.seed, &starts, records);
        manifest.finished =
            manifest.cells.iter().map(|cell| cell.finished.clone()).max().filter(|_| is_finished);
        let failed = |place: &Place<'_>| {
            let (cell, values) = (place.cell.index, place.cell.values.clone());
            Some(FailedCell { cell, values, reason: place.failed.clone()? })
        };
        manifest.failed = places.iter().filter_map(failed).collect();
        match &self.before {
            Some(before) => manifest.after(before),
            None => manifest,
        }
    }
}

/// How many cells are finished, by whichever process.
fn finished(places: &[Place<'_>]) -> usize {
    // Records are put in place whole: whether they are there is enough, and is asked often.
    places.iter().filter(|place| place.dir.file(RECORD).is_file()).count()
}
