//! One of two runs that are compared, as its files say.

use super::found::{Cells, cells};
use crate::error::Result;
use crate::files::read_present;
use crate::spec::Spec;
use crate::study::Manifest;
use serde::Serialize;
use std::path::Path;

/// A run.
pub struct Side {
    pub info: RunInfo,
    pub spec: Spec,
    pub cells: Cells,
}

/// Where and with what a run was made.
#[derive(Debug, Clone, Serialize)]
pub struct RunInfo {
    /// Its folder.
    pub folder: String,
    /// Its seed.
    pub seed: u64,
    /// Version of the program, if `manifest.json` says.
    pub version: Option<String>,
    /// Commit that it was built from.
    pub git_commit: Option<String>,
    /// Every device that was used.
    pub device: Option<String>,
    /// CPU threads.
    pub threads: Option<usize>,
}

impl Side {
    /// Reads the files of a folder.
    ///
    /// # Errors
    /// As of [`super::compare`].
    pub fn read(folder: &Path) -> Result<Self> {
        let spec = Spec::of_run(folder)?;
        // One that is not there or damaged has nothing to say; the tables are what counts.
        let manifest = read_present(&folder.join("manifest.json"))?;
        let manifest = manifest.and_then(|text| serde_json::from_str::<Manifest>(&text).ok());
        let info = RunInfo {
            folder: folder.display().to_string(),
            seed: spec.seed,
            version: manifest.as_ref().map(|manifest| manifest.version.clone()),
            git_commit: manifest.as_ref().map(|manifest| manifest.git_commit.clone()),
            device: manifest.as_ref().map(|manifest| manifest.device.clone()),
            threads: manifest.as_ref().map(|manifest| manifest.threads),
        };
        Ok(Self { info, spec, cells: cells(folder)? })
    }

    /// Number and varied keys of a cell.
    pub fn name(&self, cell: &str) -> String {
        let keys = self.cells.get(cell).map(|found| found.keys.as_slice()).unwrap_or_default();
        let known = keys.iter().filter(|(_, text)| !text.is_empty());
        let known: Vec<String> = known.map(|(key, text)| format!("{key} = {text}")).collect();
        match known.is_empty() {
            true => cell.to_owned(),
            false => format!("{cell}: {}", known.join(", ")),
        }
    }
}
