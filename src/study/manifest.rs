//! `manifest.json`: what ran, where and how it ended.

use super::record::{CellRecord, Start, devices};
use crate::spec::Varied;
use serde::{Deserialize, Serialize};

/// Between the names of several devices.
pub const SEPARATOR: &str = "; ";

/// The whole run; everything in it can be made again from its cells.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the program.
    pub version: String,
    /// Commit it was built from.
    pub git_commit: String,
    /// Digest of the resolved specification.
    pub spec_digest: String,
    /// Every device that was used, in the order of first use.
    pub device: String,
    /// CPU threads.
    pub threads: usize,
    /// Seed of all randomness.
    pub seed: u64,
    /// Every start of the run, oldest first (UTC).
    pub started: Vec<String>,
    /// When it finished, if it has.
    pub finished: Option<String>,
    /// Why training ended, if it has; in a study that of the last finished cell.
    pub stop_reason: Option<String>,
    /// The finished cells.
    pub cells: Vec<CellRecord>,
    /// The cells that could not be finished the last time they were tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedCell>,
}

/// A cell that could not be finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedCell {
    /// Its number.
    pub cell: u64,
    /// The varied keys with their values.
    pub values: Varied,
    /// Why.
    pub reason: String,
}

impl Manifest {
    /// The manifest of a run of which these processes and these finished cells are known.
    pub fn new(spec_digest: String, seed: u64, starts: &[Start], cells: Vec<CellRecord>) -> Self {
        let mut starts = starts.to_vec();
        starts.sort_by(|a, b| a.time.cmp(&b.time));
        let last = starts.last().cloned();
        let mut started: Vec<String> = starts.iter().map(|start| start.time.clone()).collect();
        started.dedup();
        Self {
            version: last.as_ref().map(|start| start.version.clone()).unwrap_or_default(),
            git_commit: last.as_ref().map(|start| start.git_commit.clone()).unwrap_or_default(),
            spec_digest,
            device: devices(&starts).join(SEPARATOR),
            threads: last.map_or(0, |start| start.threads),
            seed,
            started,
            finished: None,
            stop_reason: cells
                .last()
                .and_then(|record| Some(record.summary.model.as_ref()?.stop_reason.clone())),
            cells,
            failed: Vec::new(),
        }
    }

    /// The same with the starts and devices that an earlier manifest knows of.
    pub fn after(mut self, before: &Self) -> Self {
        self.started.extend(before.started.iter().cloned());
        self.started.sort();
        self.started.dedup();
        let mut devices: Vec<&str> = before.device.split(SEPARATOR).filter(|name| !name.is_empty()).collect();
        for device in self.device.split(SEPARATOR) {
            if !devices.contains(&device) {
                devices.push(device);
            }
        }
        self.device = devices.join(SEPARATOR);
        self
    }
}
