//! What is said while a cell runs, kept in its folder.

use super::progress::Progress;
use super::record::now;
use crate::error::{Error, Result};
use crate::spec::StopSpec;
use crate::train::{StepInfo, TrainState};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Passes everything on, and appends what is worth a line to `log.txt`.
pub struct Log<'a> {
    progress: &'a dyn Progress,
    file: File,
}

impl<'a> Log<'a> {
    /// The log in a folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(folder: &Path, progress: &'a dyn Progress) -> Result<Self> {
        let path = folder.join("log.txt");
        if path.exists() && !path.is_file() {
            let (rule, hint) = ("is no file".into(), "remove it, or choose another folder with --out".into());
            return Err(Error::BadFile { path, rule, hint });
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self { progress, file: file.map_err(Error::io(&path, "open"))? })
    }

    /// Appends a line that nobody else is told.
    pub fn line(&self, text: &str) {
        // A log that cannot be written is no reason to stop: what matters goes to files that must be.
        let _ = writeln!(&self.file, "{} {}", now(), text.replace('\n', "\n  "));
    }
}

impl Progress for Log<'_> {
    fn begin(&self, text: &str) {
        self.line(text);
        self.progress.begin(text);
    }

    fn step(&self, stop: &StopSpec, state: &TrainState, info: &StepInfo) {
        self.progress.step(stop, state, info);
    }

    fn done(&self, done: u64, total: u64, unit: &str) {
        self.progress.done(done, total, unit);
    }

    fn note(&self, text: &str) {
        self.line(text);
        self.progress.note(text);
    }

    fn warn(&self, text: &str) {
        self.line(text);
        self.progress.warn(text);
    }
}
