//! How a run talks to whoever started it, and how it is asked to stop.

use crate::error::Signal;
use crate::spec::StopSpec;
use crate::train::{StepInfo, TrainState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Receives what happens; the command line shows it.
pub trait Progress {
    /// Something that takes a while begins.
    fn begin(&self, text: &str);

    /// A training step is done.
    fn step(&self, stop: &StopSpec, state: &TrainState, info: &StepInfo);

    /// So many of the configurations, proposals or trajectories that were asked for are done.
    fn done(&self, done: u64, total: u64, unit: &str);

    /// Something worth a line.
    fn note(&self, text: &str);

    /// Something that went wrong and does not end the run.
    fn warn(&self, text: &str);
}

/// A signal number set by a handler, read between steps.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(pub Arc<AtomicUsize>);

impl Interrupt {
    /// The signal that arrived, if one did.
    pub fn signal(&self) -> Option<Signal> {
        u8::try_from(self.0.load(Ordering::Relaxed)).ok().filter(|&number| number > 0).map(Signal)
    }
}
