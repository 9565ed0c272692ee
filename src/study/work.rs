//! Which cell a process works on next, among others that share the run: the first that is free and whose start is there.

use super::cell_dir::{CellDir, Failure};
use super::claim::{Claim, Watcher};
use super::place::Place;
use super::progress::{Interrupt, Progress};
use super::record::CellRecord;
use crate::error::{Error, Result};
use crate::files::create_folder;
use std::time::Duration;

/// Between two looks at what other processes have done.
const PAUSE: Duration = Duration::from_millis(500);

/// Which cells of a run a process works on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// The i-th of n parts (from 1), chains whole; everything if left out. What its cells go on from is part of it, too.
    pub shard: Option<(u64, u64)>,
    /// Whether the first cell that fails ends it.
    pub fail_fast: bool,
}

/// How a claimed cell is run, going on from that in another folder or not.
type RunCell<'a> = &'a dyn Fn(&Place<'_>, Option<&CellDir>, &Claim) -> Result<CellRecord>;

/// What a process works on, and with whom it talks.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    pub part: Part,
    pub progress: &'a dyn Progress,
    pub interrupt: &'a Interrupt,
    /// The command that continues it, for messages.
    pub resume: &'a str,
}

/// The work of one process.
pub struct Work<'a> {
    who: Who<'a>,
    run_cell: RunCell<'a>,
    /// Whether a cell is this process's to see to.
    wanted: Vec<bool>,
    /// Failures that were there before: these cells are tried again.
    earlier: Vec<Option<Failure>>,
    watcher: Watcher,
    /// Whether it was said that others are waited for.
    is_waiting: bool,
}

/// What a process does next.
enum Next {
    Cell(usize, Claim),
    /// Cells are left that others work on, or that go on from one of these.
    Wait,
    Done,
}

impl<'a> Work<'a> {
    /// The work of a process that begins now.
    pub fn new(who: Who<'a>, places: &[Place<'_>], run_cell: RunCell<'a>) -> Self {
        let wanted = wanted(who.part.shard, places);
        let earlier = places.iter().map(|place| place.dir.failure()).collect();
        Self { who, run_cell, wanted, earlier, watcher: Watcher::default(), is_waiting: false }
    }

    /// Works until every cell is finished, by whoever, or cannot be; `after` is called after each of this process.
    ///
    /// # Errors
    /// [`Error::Interrupted`], and whatever does not concern a cell alone.
    pub fn until_done<'p>(
        mut self,
        places: &mut [Place<'p>],
        mut after: impl FnMut(&[Place<'p>]) -> Result<()>,
    ) -> Result<()> {
        loop {
            match self.next(places)? {
                Next::Cell(index, claim) => {
                    self.is_waiting = false;
                    self.attempt(places, index, claim)?;
                    after(places)?;
                }
                Next::Wait => self.wait()?,
                Next::Done => return Ok(()),
            }
        }
    }

    fn next(&mut self, places: &mut [Place<'_>]) -> Result<Next> {
        if self.who.part.fail_fast {
            (0..places.len()).try_for_each(|index| self.look(places, index))?;
            if places.iter().any(|place| place.failed.is_some()) {
                return Ok(Next::Done);
            }
        }
        let mut next = Next::Done;
        for index in 0..places.len() {
            if !self.wanted[index] || !places[index].is_open() {
                continue;
            }
            if self.can_start(places, index)?
                && let Some(claim) = self.claim(places, index)?
            {
                return Ok(Next::Cell(index, claim));
            }
            if places[index].is_open() {
                next = Next::Wait;
            }
        }
        Ok(next)
    }

    /// Whether what a cell goes on from is there; it fails where that has.
    fn can_start(&self, places: &mut [Place<'_>], index: usize) -> Result<bool> {
        let Some(start) = places[index].cell.start else { return Ok(true) };
        self.look(places, start.position)?;
        let before = &places[start.position];
        let (number, is_there, has_failed) =
            (before.cell.index, before.record.is_some(), before.failed.is_some());
        if has_failed {
            places[index].failed = Some(format!("cell {number}, which it goes on from, has failed"));
        }
        Ok(is_there)
    }

    /// The claim of a cell, unless somebody works on it, or has finished it or failed to since it was looked at.
    fn claim(&mut self, places: &mut [Place<'_>], index: usize) -> Result<Option<Claim>> {
        let folder = places[index].dir.path();
        create_folder(folder)?;
        let claim = self.watcher.claim(folder)?;
        self.look(places, index)?;
        Ok(claim.filter(|_| places[index].is_open()))
    }

    /// Notes what another process has made of a cell since.
    fn look(&self, places: &mut [Place<'_>], index: usize) -> Result<()> {
        places[index].look(self.earlier[index].as_ref())
    }

    /// Runs a cell; that it fails is noted.
    fn attempt(&mut self, places: &mut [Place<'_>], index: usize, claim: Claim) -> Result<()> {
        let done = places.iter().filter(|place| place.record.is_some()).count();
        let (place, count) = (&places[index], places.len());
        let progress = self.who.progress;
        progress.note(&format!("cell {} ({done} of {count} done): {}", place.cell.index, place.cell.values));
        place.dir.forget_failure()?;
        let origin = place.cell.start.map(|start| places[start.position].dir);
        match (self.run_cell)(place, origin, &claim) {
            Ok(record) => {
                places[index].record = Some(record);
                places[index].settle()
            }
            Err(error @ Error::Interrupted { .. }) => Err(error),
            Err(error) if claim.check().is_err() => {
                progress.note(&error.to_string());
                Ok(())
            }
            Err(error) => {
                let text = error.to_string();
                let reason = text.trim_start_matches("error: ").to_owned();
                progress.warn(&format!("cell {} failed ({}): {reason}", place.cell.index, place.cell.values));
                places[index].dir.fail(&reason)?;
                places[index].failed = Some(reason);
                Ok(())
            }
        }
    }

    fn wait(&mut self) -> Result<()> {
        if let Some(signal) = self.who.interrupt.signal() {
            let resume = self.who.resume.to_owned();
            return Err(Error::Interrupted { signal, step: None, resume });
        }
        if !self.is_waiting {
            self.who.progress.note("waiting for cells that other processes work on");
            self.is_waiting = true;
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

/// The cells of a shard and all that they go back to.
fn wanted(shard: Option<(u64, u64)>, places: &[Place<'_>]) -> Vec<bool> {
    let Some((part, parts)) = shard else { return vec![true; places.len()] };
    let (mut groups, mut count) = (Vec::with_capacity(places.len()), 0);
    for place in places {
        // A chain is worked on by one process, as it cannot be by several.
        let group = match place.cell.start.filter(|start| start.chain) {
            Some(start) => groups[start.position],
            None => {
                count += 1;
                count - 1
            }
        };
        groups.push(group);
    }
    let mut wanted: Vec<bool> = groups.iter().map(|group| group % parts == part - 1).collect();
    for index in (0..places.len()).rev() {
        if let Some(start) = places[index].cell.start.filter(|_| wanted[index]) {
            wanted[start.position] = true;
        }
    }
    wanted
}
