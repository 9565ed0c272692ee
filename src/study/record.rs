//! What is known of a cell: who worked on it, and, once it is finished, what it found.

use super::summary::Summary;
use crate::device::ComputeDevice;
use crate::files::Mark;
use crate::spec::Varied;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `record.json` of a cell, written last: a cell with a record is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// Its number.
    pub cell: u64,
    /// The varied keys with their values.
    pub values: Varied,
    /// Digest of the specification of the cell.
    #[serde(default)]
    pub spec_digest: String,
    /// When it finished (UTC).
    pub finished: String,
    /// Every table of the cell as it was then.
    #[serde(alias = "table_bytes")]
    pub tables: BTreeMap<String, Mark>,
    /// The final table.
    pub summary: Summary,
}

/// A process that worked on a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// When it began to (UTC).
    pub time: String,
    /// Device.
    pub device: String,
    /// CPU threads.
    pub threads: usize,
    /// Version of the program.
    pub version: String,
    /// Commit it was built from.
    pub git_commit: String,
}

impl Start {
    /// This process, now.
    pub fn now(device: &ComputeDevice) -> Self {
        Self {
            time: now(),
            device: device.of_all(),
            threads: device.threads_of_all(),
            version: env!("CARGO_PKG_VERSION").into(),
            git_commit: env!("FLOWQCD_GIT_COMMIT").into(),
        }
    }
}

/// Every device that was used, in the order of first use.
pub fn devices(starts: &[Start]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for start in starts {
        if !found.contains(&start.device) {
            found.push(start.device.clone());
        }
    }
    found
}

/// The time now, UTC.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
