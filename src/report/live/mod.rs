//! A run directory as it is now, from its files only, whether somebody writes to it or not.

mod cell;
mod found;
mod growing;
mod tail;
mod training;

pub use cell::CellFiles;
pub use found::{ChainFacts, Evaluation, Measured};
pub use training::{TrainPoint, Training};

use crate::error::Result;
use crate::spec::{StopSpec, TrainSpec};
use crate::study::{CellStatus, Overview, Progression, Seen};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A run that is looked at again and again; every row is read once.
pub struct Live {
    path: PathBuf,
    overview: Overview,
    /// The files that say which cells there are, as they were then.
    planned: Stamps,
    seen: Seen,
    cells: Vec<CellStatus>,
    files: BTreeMap<PathBuf, CellFiles>,
}

/// When the specification and the plan were written, and their bytes.
type Stamps = [Option<(SystemTime, u64)>; 2];

impl Live {
    /// The run in a folder.
    ///
    /// # Errors
    /// As of [`Overview::open`] and [`Overview::cells`].
    pub fn open(path: &Path) -> Result<Self> {
        let planned = stamps(path);
        let (overview, mut seen) = (Overview::open(path)?, Seen::default());
        let cells = overview.cells_again(&mut seen)?;
        Ok(Self { path: path.to_owned(), overview, planned, seen, cells, files: BTreeMap::new() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds out how far the cells have come; a study may have been edited since.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn survey(&mut self) -> Result<()> {
        let planned = stamps(&self.path);
        if planned == self.planned {
            self.cells = self.overview.cells_again(&mut self.seen)?;
            return Ok(());
        }
        // Both or neither: cells are known by their place in the overview.
        let overview = Overview::open(&self.path)?;
        self.cells = overview.cells_again(&mut self.seen)?;
        (self.overview, self.planned) = (overview, planned);
        Ok(())
    }

    /// The cells, by their place.
    pub fn cells(&self) -> &[CellStatus] {
        &self.cells
    }

    /// The cell to begin with: one that runs, or the first that is not finished.
    pub fn first(&self) -> usize {
        let place = |is: fn(&Progression) -> bool| self.cells.iter().position(|cell| is(&cell.progression));
        let running = place(|state| matches!(state, Progression::Running { .. }));
        running.or_else(|| place(|state| !matches!(state, Progression::Done { .. }))).unwrap_or(0)
    }

    /// Reads what has come in the files of a cell since it was looked at last.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    ///
    /// # Panics
    /// If there is no such cell.
    pub fn look(&mut self, position: usize) -> Result<&CellFiles> {
        let folder = self.overview.folder(position);
        let files = self.files.entry(folder).or_insert_with_key(|folder| CellFiles::new(folder));
        files.look()?;
        Ok(files)
    }

    /// What was read of a cell, if it was looked at.
    pub fn files(&self, position: usize) -> Option<&CellFiles> {
        self.files.get(&self.overview.folder(position))
    }

    /// When the training of a cell is to end, if it has one.
    pub fn stop(&self, position: usize) -> Option<&StopSpec> {
        self.overview.spec(position).train.as_ref().map(|train: &TrainSpec| &train.stop)
    }
}

fn stamps(run: &Path) -> Stamps {
    ["spec.toml", "plan.json"].map(|name| {
        let file = std::fs::metadata(run.join(name)).ok()?;
        Some((file.modified().ok()?, file.len()))
    })
}

/// Seconds until the nearest of the stop rules on steps, samples and seconds, at the pace of the last rows; nothing where no such
/// rule is, or nothing is known of the pace.
pub fn seconds_left(stop: &StopSpec, training: &Training) -> Option<f64> {
    let (last, [steps, samples, seconds]) = (training.last()?, training.pace()?);
    let at_pace =
        |limit: u64, done: f64, pace: f64| (pace > 0.0).then(|| (limit as f64 - done) * seconds / pace);
    let clocks = [
        stop.steps.and_then(|limit| at_pace(limit, last.step, steps)),
        stop.samples.and_then(|limit| at_pace(limit, last.samples, samples)),
        stop.seconds.map(|limit| limit - last.wall_s),
    ];
    clocks.into_iter().flatten().reduce(f64::min).map(|left| left.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::training::tests::point;
    use super::*;

    #[test]
    fn the_nearest_of_the_clocks_says_how_long_it_takes() {
        let mut training = Training::default();
        let stop = StopSpec { steps: Some(100), samples: None, seconds: None, ess: Some(0.9) };
        assert_eq!(seconds_left(&stop, &training), None);
        (1..=10).for_each(|step| training.push(point(f64::from(step))));
        assert_eq!(seconds_left(&stop, &training), Some(180.0));
        let by_samples = StopSpec { samples: Some(2000), ..stop.clone() };
        assert_eq!(seconds_left(&by_samples, &training), Some(20.0));
        let by_time = StopSpec { seconds: Some(15.0), ..by_samples };
        assert_eq!(seconds_left(&by_time, &training), Some(0.0));
        assert_eq!(seconds_left(&StopSpec { steps: None, ..stop }, &training), None);
    }

    #[test]
    fn a_study_that_is_edited_is_seen_as_it_is_now_and_one_that_cannot_be_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| std::fs::write(folder.path().join("spec.toml"), text).unwrap();
        let spec = "version = 1\nseed = 1\nsample.hmc.trajectories = 2\n\
                    theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.0 }\n";
        let study = |couplings: &str| format!("{spec}[study.vary]\n\"theory.phi4.coupling\" = {couplings}\n");
        write(&study("[0.0, 1.0, 2.0]"));
        let mut live = Live::open(folder.path()).unwrap();
        assert_eq!((live.cells().len(), live.first()), (3, 0));
        write("version = 1, and so on");
        assert!(live.survey().is_err());
        live.look(2).unwrap();
        write(&study("[0.0, 1.0]"));
        live.survey().unwrap();
        assert_eq!(live.cells().len(), 2);
        // A cell of an only one is the run directory.
        write(spec);
        live.survey().unwrap();
        std::fs::write(folder.path().join("log.txt"), "T1 HMC: 2 chains\n").unwrap();
        assert_eq!(live.look(0).unwrap().last_line.as_deref(), Some("T1 HMC: 2 chains"));
        assert!(live.stop(0).is_none());
    }
}
