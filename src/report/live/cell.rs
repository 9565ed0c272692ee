//! What the files of one cell say so far.

use super::growing::{Growing, Row};
use super::tail::Tail;
use super::training::{TrainPoint, Training};
use crate::error::Result;
use std::collections::VecDeque;
use std::path::Path;

/// Lines of the log that are kept.
const MOST_LINES: usize = 50;

/// An evaluation on fresh configurations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Finished steps.
    pub step: f64,
    /// Configurations flowed in training.
    pub samples: f64,
    /// ESS.
    pub ess: f64,
    /// The interval that holds the true one with 68.3%, where it is known.
    pub interval: Option<[f64; 2]>,
    /// ESS by configurations of the target, if there are some.
    pub ess_target: Option<f64>,
}

impl Evaluation {
    fn of(row: &Row<'_>) -> Option<Self> {
        let interval = row.number("ess_low").zip(row.number("ess_high")).map(|(low, high)| [low, high]);
        Some(Self {
            step: row.number("step")?,
            samples: row.number("samples")?,
            ess: row.number("ess")?,
            interval,
            ess_target: row.number("ess_target"),
        })
    }
}

/// The files of a cell, as far as they were read.
#[derive(Debug)]
pub struct CellFiles {
    train: Growing,
    ess: Growing,
    log: Tail,
    /// The rows of `train.csv`.
    pub training: Training,
    /// The rows of `ess.csv`.
    pub evaluations: Vec<Evaluation>,
    /// The last warnings and errors of `log.txt`, the latest last.
    pub warnings: VecDeque<String>,
    /// The last line of `log.txt`.
    pub last_line: Option<String>,
}

impl CellFiles {
    /// The files in a folder that need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            train: Growing::new(folder.join("train.csv")),
            ess: Growing::new(folder.join("ess.csv")),
            log: Tail::new(folder.join("log.txt")),
            training: Training::default(),
            evaluations: Vec::new(),
            warnings: VecDeque::new(),
            last_line: None,
        }
    }

    /// Reads what has come since the last time.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    pub fn look(&mut self) -> Result<()> {
        let rows = self.train.read()?;
        if rows.restarted {
            self.training = Training::default();
        }
        rows.iter().filter_map(|row| TrainPoint::of(&row)).for_each(|point| self.training.push(point));
        let rows = self.ess.read()?;
        if rows.restarted {
            self.evaluations.clear();
        }
        self.evaluations.extend(rows.iter().filter_map(|row| Evaluation::of(&row)));
        let log = self.log.read()?;
        if log.restarted {
            self.warnings.clear();
            self.last_line = None;
        }
        log.text.lines().for_each(|line| self.heard(line));
        Ok(())
    }

    /// A line of the log: what begins with spaces goes on with the line before.
    fn heard(&mut self, line: &str) {
        let text = line.split_once(' ').map_or(line, |(_, text)| text);
        let is_warning = ["warning: ", "error: "].iter().any(|word| text.starts_with(word));
        if line.starts_with(' ') {
            return;
        }
        self.last_line = Some(line.to_owned());
        // One that is said again, since the run was continued, is the latest again.
        if is_warning {
            self.warnings.retain(|known| known != text);
            self.warnings.push_back(text.to_owned());
        }
        if self.warnings.len() > MOST_LINES {
            self.warnings.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_those_of_the_log_the_latest_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = CellFiles::new(folder.path());
        files.look().unwrap();
        assert_eq!(files.last_line, None);
        let log = "T1 real scalar field\nT2 warning: one\nT3 error: two\n  goes on\nT4 warning: one\nT5 finished\nT6 wa";
        std::fs::write(folder.path().join("log.txt"), log).unwrap();
        files.look().unwrap();
        assert_eq!(files.warnings, ["error: two", "warning: one"]);
        assert_eq!(files.last_line.as_deref(), Some("T5 finished"));
    }
}
