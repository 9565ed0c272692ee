//! A run: its cells, one after the other, each in its folder, and what is put together from them.

use super::cell_dir::{CellDir, CellState};
use super::context::Context;
use super::log::Log;
use super::manifest::{Manifest, SEPARATOR};
use super::merge::Merge;
use super::progress::{Interrupt, Progress};
use super::record::{CellRecord, Start, devices, now};
use super::run_dir::RunDir;
use super::sampling::forget_stores;
use super::tables::Tables;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::files::{remove_leftovers, write_atomically};
use crate::spec::{Cell, Spec};
use crate::train::checkpoint;

/// One run with everything it needs.
pub struct Run<'a> {
    /// The specification.
    pub spec: &'a Spec,
    /// Where it computes.
    pub device: &'a ComputeDevice,
    /// Where it writes.
    pub dir: &'a RunDir,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Who may ask it to stop.
    pub interrupt: &'a Interrupt,
    /// The command that continues it, for messages.
    pub resume_command: String,
}

/// A cell, its folder, and what it found if it is finished.
struct Place<'a> {
    cell: &'a Cell,
    dir: &'a CellDir,
    record: Option<CellRecord>,
}

impl Run<'_> {
    /// Runs or continues all cells; finished ones are only reported again.
    ///
    /// # Errors
    /// Whatever stops it; what was written by then stays and can be continued.
    pub fn execute(&self) -> Result<Manifest> {
        let cells = self
            .spec
            .cells()
            .map_err(|problems| Error::Spec { file: self.dir.file("spec.toml"), problems })?;
        let before = self.dir.manifest();
        if self.dir.is_older_study() {
            return self.older_study(before);
        }
        let dirs = self.dir.cells(cells.len());
        let known = before.as_ref().filter(|before| before.spec_digest == self.spec.digest());
        let mut places = Vec::with_capacity(cells.len());
        for (cell, dir) in cells.iter().zip(&dirs) {
            places.push(Place { cell, dir, record: self.record(cell, dir, known)? });
        }
        let mut merge = Merge::new(self.dir.path(), &dirs);
        if places.iter().all(|place| place.record.is_some()) {
            return self.show(&places, before, &mut merge);
        }
        self.dir.begin(self.spec)?;
        let start = Start::now(self.device);
        self.dir.write_manifest(&self.manifest(&places, before.as_ref(), Some(&start)))?;
        let outcome = self.work(&mut places, &start, before.as_ref(), &mut merge);
        if places.len() > 1 {
            // What there is of the others is shown even if one has stopped.
            let merged = merge.all();
            outcome?;
            merged?;
        } else {
            outcome?;
        }
        let manifest = self.manifest(&places, before.as_ref(), Some(&start));
        self.dir.write_manifest(&manifest)?;
        Ok(manifest)
    }

    /// What a cell found, if it is finished: as its record says or, where that is lost, the manifest.
    fn record(&self, cell: &Cell, dir: &CellDir, known: Option<&Manifest>) -> Result<Option<CellRecord>> {
        let state = dir.state(&cell.spec)?;
        if let CellState::Finished(record) = state {
            return Ok(Some(*record));
        }
        let lost = known.and_then(|known| known.cells.iter().find(|record| record.cell == cell.index));
        if let Some(lost) = lost {
            dir.verify_tables(lost)?;
            return Ok(Some(CellRecord { spec_digest: cell.spec.digest(), ..lost.clone() }));
        }
        if state == CellState::DamagedRecord {
            let path = dir.file("record.json");
            if !dir.checkpoints().is_dir() || checkpoint::list(&dir.checkpoints())?.is_empty() {
                return Err(Error::BadFile {
                    path,
                    rule: "cannot be read, and there is no checkpoint to make it again from".into(),
                    hint: "restore the file, or start over with --fresh".into(),
                });
            }
            self.progress.note(&format!("{} cannot be read: it is made again", path.display()));
        }
        Ok(None)
    }

    /// A finished run; what is put together from its cells is mended if need be.
    fn show(
        &self,
        places: &[Place<'_>],
        before: Option<Manifest>,
        merge: &mut Merge<'_>,
    ) -> Result<Manifest> {
        self.progress.note("this run is finished; start over with --fresh");
        let whole = before
            .clone()
            .filter(|before| before.finished.is_some() && before.spec_digest == self.spec.digest());
        let manifest = whole.clone().unwrap_or_else(|| self.manifest(places, before.as_ref(), None));
        if !self.dir.is_writable() {
            return Ok(manifest);
        }
        places.iter().try_for_each(settle)?;
        if places.len() > 1 {
            for name in merge.all()? {
                self.progress.note(&format!("{name} was not as the cells have it: it is made again"));
            }
        }
        if before.is_none() {
            self.progress.note("manifest.json could not be read: it is made again from the cells");
        }
        if whole.is_none() {
            self.dir.write_manifest(&manifest)?;
        }
        Ok(manifest)
    }

    /// The cells that are not finished.
    fn work(
        &self,
        places: &mut [Place<'_>],
        start: &Start,
        before: Option<&Manifest>,
        merge: &mut Merge<'_>,
    ) -> Result<()> {
        for index in 0..places.len() {
            if places[index].record.is_none() {
                let done = places.iter().filter(|place| place.record.is_some()).count();
                let record = self.cell(&places[index], (places.len(), done), start)?;
                places[index].record = Some(record);
            }
            settle(&places[index])?;
            if places.len() > 1 && merge.now_and_then()? {
                self.dir.write_manifest(&self.manifest(places, before, Some(start)))?;
            }
        }
        Ok(())
    }

    fn cell(&self, place: &Place<'_>, (count, done): (usize, usize), start: &Start) -> Result<CellRecord> {
        let Place { cell, dir, .. } = place;
        dir.prepare()?;
        let starts = dir.start(start.clone())?;
        let log = Log::open(dir.path(), self.progress)?;
        if count > 1 {
            write_atomically(&dir.file("spec.toml"), cell.spec.to_toml().as_bytes())?;
            log.announce(cell, count, done);
        }
        let context = Context {
            spec: &cell.spec,
            device: self.device,
            devices: devices(&starts).join(SEPARATOR),
            progress: &log,
            interrupt: self.interrupt,
            resume_command: &self.resume_command,
            checkpoints: dir.checkpoints(),
            ensembles: dir.ensembles(),
        };
        let mut tables = Tables::new(dir.path(), cell);
        let summary = context.execute(&mut tables).inspect_err(|error| log.line(&error.to_string()))?;
        summary.warnings.iter().for_each(|text| log.line(&format!("warning: {text}")));
        let record = CellRecord {
            cell: cell.index,
            values: cell.values.clone(),
            spec_digest: cell.spec.digest(),
            finished: now(),
            tables: tables.marks()?,
            summary,
        };
        dir.finish(&record)?;
        log.line("finished");
        Ok(record)
    }

    /// What is known of the whole run, this process included if it works on it.
    fn manifest(&self, places: &[Place<'_>], before: Option<&Manifest>, start: Option<&Start>) -> Manifest {
        let mut starts: Vec<Start> = places.iter().flat_map(|place| place.dir.starts()).collect();
        starts.extend(start.cloned());
        let records: Vec<CellRecord> = places.iter().filter_map(|place| place.record.clone()).collect();
        let is_finished = records.len() == places.len();
        let mut manifest = Manifest::new(self.spec.digest(), self.spec.seed, &starts, records);
        manifest.finished =
            manifest.cells.iter().map(|cell| cell.finished.clone()).max().filter(|_| is_finished);
        match before {
            Some(before) => manifest.after(before),
            None => manifest,
        }
    }

    /// # Errors
    /// [`Error::BadFile`] unless it is finished: its rows cannot be told apart safely enough to go on.
    fn older_study(&self, before: Option<Manifest>) -> Result<Manifest> {
        let version = before.as_ref().map(|manifest| manifest.version.clone()).unwrap_or_default();
        let same =
            |manifest: &Manifest| manifest.finished.is_some() && manifest.spec_digest == self.spec.digest();
        if let Some(finished) = before.filter(same) {
            self.progress.note("this run is finished; start over with --fresh");
            return Ok(finished);
        }
        Err(Error::BadFile {
            path: self.dir.path().to_owned(),
            rule: "holds a study of an older version of flowqcd, which kept all cells in common files".into(),
            hint: format!(
                "continue it with that version ({version}), choose another folder with --out, or discard it with --fresh"
            ),
        })
    }
}

/// A finished cell needs none of what only running methods do; a record that was lost is written again.
fn settle(place: &Place<'_>) -> Result<()> {
    let Place { dir, record, .. } = place;
    remove_leftovers(dir.path())?;
    if let Some(record) = record.as_ref().filter(|_| !dir.has_record()) {
        dir.finish(record)?;
    }
    forget_stores(&dir.checkpoints())
}
