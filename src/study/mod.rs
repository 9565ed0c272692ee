//! From a specification to a run directory: cell after cell trained, evaluated, sampled, and every figure written down.

mod cell;
mod context;
mod costs;
mod estimates;
mod experiment;
mod progress;
mod recorder;
mod results;
pub mod row;
mod run_dir;
mod sampling;
mod summary;
mod table;
mod trained;
mod warnings;

pub use experiment::Experiment;
pub use progress::{Interrupt, Progress};
pub use run_dir::{CellRecord, Manifest, RunDir};
pub use summary::{MethodSummary, ObservableSummary, Summary};
pub use table::Leading;
pub use trained::{Draw, Drawn, Trained};

use crate::device::{self, ComputeDevice};
use crate::error::{Error, Result};
use crate::files::remove_leftovers;
use crate::spec::{Cell, Spec};
use context::Context;
use recorder::Tables;
use sampling::forget_stores;
use std::path::PathBuf;

/// One run with everything it needs.
pub struct Run<'a> {
    /// The specification.
    pub spec: &'a Spec,
    /// Where it computes.
    pub device: &'a ComputeDevice,
    /// Where it writes.
    pub dir: &'a RunDir,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Who may ask it to stop.
    pub interrupt: &'a Interrupt,
    /// The command that continues it, for messages.
    pub resume_command: String,
}

impl Run<'_> {
    /// Runs or continues all cells; finished ones are only reported again.
    ///
    /// # Errors
    /// Whatever stops it; what was written by then stays and can be continued.
    pub fn execute(&self) -> Result<Vec<CellRecord>> {
        let cells = self
            .spec
            .cells()
            .map_err(|problems| Error::Spec { file: self.dir.file("spec.toml"), problems })?;
        let before = self.dir.manifest();
        let same = before.spec_digest == self.spec.digest();
        if same && before.finished.is_some() {
            self.progress.note("this run is finished; start over with --fresh");
            return Ok(before.cells);
        }
        let mut manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").into(),
            git_commit: env!("FLOWQCD_GIT_COMMIT").into(),
            spec_digest: self.spec.digest(),
            device: self.device.name().into(),
            threads: device::threads(),
            seed: self.spec.seed,
            started: [before.started, vec![now()]].concat(),
            stop_reason: before.stop_reason.filter(|_| same),
            // A longer chain than before is drawn on; everything else of a cell is made again.
            cells: if same { before.cells } else { Vec::new() },
            finished: None,
        };
        self.dir.write_manifest(&manifest)?;
        // A process may have been killed after it had recorded a cell.
        for cell in &cells[..manifest.cells.len().min(cells.len())] {
            forget_stores(&of_cell(self.dir.checkpoints(), cell, cells.len()))?;
        }
        for cell in &cells[manifest.cells.len().min(cells.len())..] {
            let record = self.cell(cell, cells.len(), manifest.cells.last())?;
            manifest.stop_reason = Some(record.summary.stop_reason.clone());
            manifest.cells.push(record);
            self.dir.write_manifest(&manifest)?;
            forget_stores(&of_cell(self.dir.checkpoints(), cell, cells.len()))?;
        }
        manifest.finished = Some(now());
        self.dir.write_manifest(&manifest)?;
        Ok(manifest.cells)
    }

    fn cell(&self, cell: &Cell, count: usize, last: Option<&CellRecord>) -> Result<CellRecord> {
        if count > 1 {
            let values: Vec<String> =
                cell.values.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            self.progress.note(&format!("cell {} of {count}: {}", cell.index + 1, values.join(", ")));
        }
        let folder = of_cell(self.dir.checkpoints(), cell, count);
        let ensembles = of_cell(self.dir.ensembles(), cell, count);
        std::fs::create_dir_all(&folder).map_err(Error::io(&folder, "create the folder"))?;
        [&folder, &ensembles].into_iter().try_for_each(|folder| remove_leftovers(folder))?;
        let bytes = last.map(|record| record.table_bytes.clone()).unwrap_or_default();
        let mut tables = Tables::new(self.dir, cell, bytes);
        let context = Context {
            spec: &cell.spec,
            device: self.device,
            progress: self.progress,
            interrupt: self.interrupt,
            resume_command: &self.resume_command,
            checkpoints: folder,
            ensembles,
        };
        let summary = context.execute(&mut tables)?;
        Ok(CellRecord {
            cell: cell.index,
            values: cell.values.clone(),
            finished: now(),
            table_bytes: tables.bytes()?,
            summary,
        })
    }
}

/// The part of a folder that belongs to one of so many cells.
fn of_cell(folder: PathBuf, cell: &Cell, count: usize) -> PathBuf {
    match count {
        1 => folder,
        _ => folder.join(format!("cell-{:04}", cell.index)),
    }
}

/// The time now, UTC.
fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
