//! What the files of one cell say so far.

use super::found::{ChainFacts, Evaluation, Measured};
use super::growing::{Growing, Row};
use super::tail::Tail;
use super::training::{TrainPoint, Training};
use crate::error::Result;
use std::collections::VecDeque;
use std::path::Path;

/// Lines of the log that are kept.
const MOST_LINES: usize = 50;

/// The files of a cell, as far as they were read.
#[derive(Debug)]
pub struct CellFiles {
    train: Growing,
    ess: Growing,
    chain_table: Growing,
    observable_table: Growing,
    log: Tail,
    /// The rows of `train.csv`.
    pub training: Training,
    /// The rows of `ess.csv`.
    pub evaluations: Vec<Evaluation>,
    /// The rows of `chains.csv`.
    pub chains: Vec<ChainFacts>,
    /// The rows of `observables.csv`, but those of functions of the time.
    pub observables: Vec<Measured>,
    /// Whether more of `train.csv` is there than was read.
    pub is_behind: bool,
    /// The last warnings and errors of `log.txt`, the latest last.
    pub warnings: VecDeque<String>,
    /// The last line of `log.txt`, if it is not the last of the warnings.
    pub last_line: Option<String>,
}

impl CellFiles {
    /// The files in a folder that need not be there yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            train: Growing::new(folder.join("train.csv")),
            ess: Growing::new(folder.join("ess.csv")),
            chain_table: Growing::new(folder.join("chains.csv")),
            observable_table: Growing::new(folder.join("observables.csv")),
            log: Tail::new(folder.join("log.txt")),
            training: Training::default(),
            evaluations: Vec::new(),
            chains: Vec::new(),
            observables: Vec::new(),
            is_behind: false,
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
        self.is_behind = rows.is_part;
        append(&mut self.ess, &mut self.evaluations, Evaluation::of)?;
        append(&mut self.chain_table, &mut self.chains, ChainFacts::of)?;
        append(&mut self.observable_table, &mut self.observables, Measured::of)?;
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
        self.last_line = Some(line.to_owned()).filter(|_| !is_warning);
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

/// Adds the rows that have come.
fn append<T>(table: &mut Growing, known: &mut Vec<T>, of: fn(&Row<'_>) -> Option<T>) -> Result<()> {
    let rows = table.read()?;
    if rows.restarted {
        known.clear();
    }
    known.extend(rows.iter().filter_map(|row| of(&row)));
    Ok(())
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
        std::fs::write(folder.path().join("log.txt"), format!("{log}rning: three\n")).unwrap();
        files.look().unwrap();
        assert_eq!(
            (files.warnings.back().map(String::as_str), files.last_line),
            (Some("warning: three"), None)
        );
    }
}
