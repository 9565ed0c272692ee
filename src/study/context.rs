//! What a cell is run with: its specification and folders, the device, who watches, and who may ask it to stop.

use super::progress::{Interrupt, Progress};
use super::start::Origin;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::rng::Seed;
use crate::spec::Spec;
use std::path::PathBuf;
use std::time::Instant;

/// Seconds between two saves where nothing is trained, whose specification would say.
const CHECKPOINT_SECONDS: f64 = 60.0;

/// The surroundings of one cell.
pub struct Context<'a> {
    /// The specification of the cell.
    pub spec: &'a Spec,
    /// Where it computes.
    pub device: &'a ComputeDevice,
    /// Every device that has worked on it, this one too.
    pub devices: String,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Who may ask it to stop.
    pub interrupt: &'a Interrupt,
    /// The command that continues it, for messages.
    pub resume_command: &'a str,
    /// Where its checkpoints are.
    pub checkpoints: PathBuf,
    /// Where its ensembles go.
    pub ensembles: PathBuf,
    /// The model that its training goes on from, if it does.
    pub origin: Option<Origin>,
    /// Whether the cell is still this process's to work on.
    pub held: &'a dyn Fn() -> Result<()>,
}

impl Context<'_> {
    /// The seed of all its randomness.
    pub fn seed(&self) -> Seed {
        Seed(self.spec.seed)
    }

    /// # Errors
    /// [`Error::Interrupted`] once a signal has arrived, [`Error::BadFile`] if another process has taken the cell over.
    pub fn go_on(&self, step: u64) -> Result<()> {
        (self.held)()?;
        let Some(signal) = self.interrupt.signal() else { return Ok(()) };
        let step = self.spec.model().map(|_| step);
        Err(Error::Interrupted { signal, step, resume: self.resume_command.into() })
    }

    /// Shows how far sampling has come, and stops it when a signal has arrived; `step` is the last of training.
    pub fn watch(&self, step: u64, total: u64, unit: &'static str) -> impl Fn(u64) -> Result<()> {
        move |done| {
            self.progress.done(done, total, unit);
            self.go_on(step)
        }
    }

    /// Says every so many seconds that it is time to save.
    pub fn save_clock(&self) -> impl FnMut() -> bool + use<> {
        let training = self.spec.train.as_ref().map(|train| train.checkpoint_seconds);
        let asked = self.spec.sample.checkpoint_seconds.or(training);
        let (every, mut saved) = (asked.unwrap_or(CHECKPOINT_SECONDS), Instant::now());
        move || {
            let due = saved.elapsed().as_secs_f64() >= every;
            saved = if due { Instant::now() } else { saved };
            due
        }
    }
}
