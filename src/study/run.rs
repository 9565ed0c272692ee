//! A run: its cells, each in its folder, and what is put together from them.

use super::cell_dir::{CellDir, CellNote, CellState};
use super::claim::{Claim, Watcher};
use super::context::Context;
use super::log::Log;
use super::manifest::{Manifest, SEPARATOR};
use super::merge::Merge;
use super::place::Place;
use super::progress::{Interrupt, Progress};
use super::publish::Publisher;
use super::record::{CellRecord, Start, devices, now};
use super::run_dir::{RunDir, others};
use super::start::Origin;
use super::tables::{Tables, leading};
use super::work::{Part, Who, Work};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::files::write_atomically;
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
    /// Which of its cells are worked on.
    pub part: Part,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Who may ask it to stop.
    pub interrupt: &'a Interrupt,
    /// The command that continues it, for messages.
    pub resume_command: String,
}

impl Run<'_> {
    /// Runs or continues the cells that are asked for; finished ones are only reported again. Cells that fail are noted in what is
    /// returned and in their folders, and do not touch the others; that of a run of one cell is the error.
    ///
    /// # Errors
    /// Whatever stops it; what was written by then stays and can be continued.
    pub fn execute(&self) -> Result<Manifest> {
        self.execute_after(&|| Ok(()))
    }

    /// The same after other processes have worked on the cells of a study, which `by_others` starts and waits for; what they have
    /// left is done here.
    ///
    /// # Errors
    /// As of [`Self::execute`], and those of `by_others`.
    pub fn execute_after(&self, by_others: &dyn Fn() -> Result<()>) -> Result<Manifest> {
        let before = self.dir.manifest();
        if self.dir.is_older_study() {
            return self.older_study(before);
        }
        let (plan, dirs) = (self.dir.plan(), self.dir.cells());
        let known = before.as_ref().filter(|before| before.spec_digest == self.spec.digest());
        let mut places = Vec::with_capacity(dirs.len());
        for ((cell, identity), dir) in plan.cells.iter().zip(&plan.identities).zip(&dirs) {
            let record = self.record(cell, dir, known)?;
            places.push(Place { cell, identity, dir, record, failed: None });
        }
        self.tell_edit();
        let merge = Merge::new(self.dir.path(), &plan.cells, &dirs);
        let mut publisher = Publisher::new(self.spec, self.dir, before, merge);
        if places.iter().all(|place| place.record.is_some()) {
            return self.show(&places, &publisher);
        }
        self.dir.begin(self.spec)?;
        // Whoever finished them may have been stopped right then.
        places.iter().filter(|place| place.record.is_some()).try_for_each(Place::settle)?;
        let start = Start::now(self.device);
        publisher.start = Some(start.clone());
        if let [only] = &mut places[..] {
            self.dir.write_manifest(&publisher.manifest(std::slice::from_ref(only)))?;
            self.only(only, &start)?;
            let manifest = publisher.manifest(&places);
            return self.dir.write_manifest(&manifest).map(|()| manifest);
        }
        publisher.publish(&places)?;
        let run_cell = |place: &Place<'_>, origin: Option<&CellDir>, claim: &Claim| {
            self.cell(place, origin, &start, claim)
        };
        let (progress, interrupt, resume) = (self.progress, self.interrupt, &*self.resume_command);
        let who = Who { part: self.part, progress, interrupt, resume };
        let work = Work::new(who, &places, &run_cell);
        let after = |places: &[Place<'_>]| publisher.publish_now_and_then(places);
        let worked = by_others().and_then(|()| work.until_done(&mut places, after));
        // What there is of the others is shown even if this process was stopped.
        let published = publisher.publish(&places);
        worked?;
        published
    }

    /// What became of the cells of a study that was edited.
    fn tell_edit(&self) {
        let Some(edit) = self.dir.edit() else { return };
        let list = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<String>>().join(", ");
        self.progress.note(&format!("the study was edited: cells {} are kept", list(&edit.kept)));
        if !edit.new.is_empty() {
            self.progress.note(&format!("cells {} are new", list(&edit.new)));
        }
        if !edit.retired.is_empty() {
            let text = "are not part of it any more; their folders stay";
            self.progress.note(&format!("cells {} {text}", list(&edit.retired)));
        }
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
    fn show(&self, places: &[Place<'_>], publisher: &Publisher<'_>) -> Result<Manifest> {
        self.progress.note("this run is finished; start over with --fresh");
        let before = publisher.before.clone();
        let is_known = before.is_some();
        // One that knows of failures is from before the last cell was finished.
        let whole = before.filter(|before| {
            before.finished.is_some() && before.failed.is_empty() && before.spec_digest == self.spec.digest()
        });
        let manifest = whole.clone().unwrap_or_else(|| publisher.manifest(places));
        if !self.dir.is_writable() {
            return Ok(manifest);
        }
        if self.dir.edit().is_some() {
            self.dir.begin(self.spec)?;
        }
        places.iter().try_for_each(Place::settle)?;
        if places.len() > 1 {
            for name in publisher.merge.all()? {
                self.progress.note(&format!("{name} was not as the cells have it: it is made again"));
            }
        }
        if !is_known {
            self.progress.note("manifest.json could not be read: it is made again from the cells");
        }
        if whole.is_none() {
            self.dir.write_manifest(&manifest)?;
        }
        Ok(manifest)
    }

    /// The cell of a run that has no others.
    fn only(&self, place: &mut Place<'_>, start: &Start) -> Result<()> {
        let claim = Watcher::default().claim(place.dir.path())?;
        let claim = claim.ok_or_else(|| others(place.dir.path(), ""))?;
        place.record = Some(self.cell(place, None, start, &claim)?);
        place.settle()
    }

    /// Runs a claimed cell; `origin` is the folder of the cell that it goes on from, if it does.
    ///
    /// # Errors
    /// Whatever stops it.
    fn cell(
        &self,
        place: &Place<'_>,
        origin: Option<&CellDir>,
        start: &Start,
        claim: &Claim,
    ) -> Result<CellRecord> {
        let Place { cell, dir, identity, .. } = place;
        dir.prepare()?;
        let starts = dir.start(start.clone())?;
        let log = Log::open(dir.path(), self.progress)?;
        let values = cell.values.clone();
        let mut named = CellNote { cell: cell.index, identity: (*identity).to_owned(), values };
        if self.dir.plan().cells.len() > 1 {
            write_atomically(&dir.file("spec.toml"), cell.spec.to_toml().as_bytes())?;
            named = dir.name(named)?;
        }
        let of_cell = cell
            .start
            .zip(origin)
            .map(|(start, origin)| Origin { path: origin.path().to_owned(), optimizer: start.optimizer });
        let own = || cell.spec.train.as_ref().and_then(Origin::of);
        let context = Context {
            spec: &cell.spec,
            device: self.device,
            devices: devices(&starts).join(SEPARATOR),
            progress: &log,
            interrupt: self.interrupt,
            resume_command: &self.resume_command,
            checkpoints: dir.checkpoints(),
            ensembles: dir.ensembles(),
            origin: of_cell.or_else(own),
            held: &|| claim.check(),
        };
        let mut tables = Tables::new(dir.path(), leading(named.cell, &named.values));
        let summary = context.execute(&mut tables).inspect_err(|error| log.line(&error.to_string()))?;
        claim.check()?;
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
