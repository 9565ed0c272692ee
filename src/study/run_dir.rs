//! The folder of a run: its files, who may write to it, and what it already holds.

use super::summary::Summary;
use crate::error::{Error, Result};
use crate::files::{remove_present, write_atomically};
use crate::spec::Spec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

const FILES: [&str; 7] =
    ["manifest.json", "train.csv", "ess.csv", "cost.csv", "observables.csv", "chains.csv", "spec.toml"];

/// A run directory that this process alone writes to.
pub struct RunDir {
    path: PathBuf,
    _lock: File,
}

/// `manifest.json`: what ran, where and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the program.
    pub version: String,
    /// Commit it was built from.
    pub git_commit: String,
    /// Digest of the resolved specification.
    pub spec_digest: String,
    /// Device.
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
}

/// A finished cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRecord {
    /// Its number.
    pub cell: u64,
    /// The varied keys with their values.
    pub values: Vec<(String, String)>,
    /// When it finished (UTC).
    pub finished: String,
    /// Bytes of every table at that time.
    pub table_bytes: BTreeMap<String, u64>,
    /// The final table.
    pub summary: Summary,
}

impl RunDir {
    /// Opens a folder for a run of `spec`, making it if need be; `fresh` removes the results of an earlier run.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder holds a run of another specification, or files that are no run;
    /// [`Error::BadFile`] if another process is writing to it; [`Error::Io`].
    pub fn open(path: &Path, spec: &Spec, fresh: bool) -> Result<Self> {
        let this = Self { path: path.to_owned(), _lock: lock(path)? };
        let spec_file = this.file("spec.toml");
        if fresh && spec_file.exists() {
            this.clear()?;
        }
        if spec_file.exists() {
            this.check_same(&spec_file, spec)?;
        } else if let Some(name) = FILES.iter().find(|name| this.file(name).exists()) {
            return Err(Error::Usage {
                message: format!("{}: holds a {name} but no spec.toml", path.display()),
                hint: "choose another folder with --out".into(),
            });
        }
        let checkpoints = this.checkpoints();
        std::fs::create_dir_all(&checkpoints).map_err(Error::io(&checkpoints, "create the folder"))?;
        // What a finished run was made with stays, whatever micro-batch it is asked about with.
        let manifest = this.manifest();
        if manifest.finished.is_none() || manifest.spec_digest != spec.digest() {
            write_atomically(&spec_file, spec.to_toml().as_bytes())?;
        }
        Ok(this)
    }

    fn check_same(&self, spec_file: &Path, spec: &Spec) -> Result<()> {
        let text = std::fs::read_to_string(spec_file).map_err(Error::io(spec_file, "read"))?;
        let theirs = Spec::parse(&text, &[])
            .map_err(|problems| Error::Spec { file: spec_file.to_owned(), problems })?;
        let longer_chain = |(key, before, now): &(String, String, String)| {
            let (before, now) = (before.parse::<u64>(), now.parse::<u64>());
            let is_longer = matches!((before, now), (Ok(b), Ok(n)) if b < n);
            spec.study.is_none() && key == "sample.independence.proposals" && is_longer
        };
        let differences: Vec<String> = theirs
            .differences(spec)
            .into_iter()
            // A chain may be drawn on; in a study the rows of later cells would have to move. Memory may be short later on.
            .filter(|difference| !longer_chain(difference) && difference.0 != "train.batch.micro_batch")
            .map(|(key, theirs, ours)| format!("\n  {key}: {theirs} there, {ours} now"))
            .collect();
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Usage {
            message: format!(
                "{}: holds a run of another specification:{}",
                self.path.display(),
                differences.concat()
            ),
            hint: "choose another folder with --out, or discard that run with --fresh".into(),
        })
    }

    /// The specification goes last: until then the folder is still that run's, to be cleared again if this is cut short.
    fn clear(&self) -> Result<()> {
        for folder in [self.checkpoints(), self.ensembles()] {
            if folder.exists() {
                std::fs::remove_dir_all(&folder).map_err(Error::io(&folder, "remove"))?;
            }
        }
        remove_present(FILES.map(|name| self.file(name)))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.file("checkpoints")
    }

    /// The folder of the ensembles.
    pub fn ensembles(&self) -> PathBuf {
        self.file("ensembles")
    }

    /// The manifest as it stands, or an empty one.
    pub fn manifest(&self) -> Manifest {
        let text = std::fs::read_to_string(self.file("manifest.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Replaces the manifest.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        let mut text = serde_json::to_string_pretty(manifest).expect("a manifest is plain data");
        text.push('\n');
        write_atomically(&self.file("manifest.json"), text.as_bytes())
    }
}

fn lock(path: &Path) -> Result<File> {
    std::fs::create_dir_all(path).map_err(Error::io(path, "create the run directory"))?;
    let name = path.join(".lock");
    let file = File::create(&name).map_err(Error::io(&name, "create"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::BadFile {
            path: path.to_owned(),
            rule: "another process is running in this run directory".into(),
            hint: "wait for it, or choose another folder with --out".into(),
        }),
        // Some network file systems have no locks; then the run goes on without one.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}
