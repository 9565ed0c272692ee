//! The folder of a run: who may write to it, which specification it belongs to, and where its cells are.

use super::cell_dir::{CellDir, write_json};
use super::manifest::Manifest;
use super::tables::TABLES;
use crate::error::{Error, Result};
use crate::files::{read_present, remove_folder, remove_leftovers, remove_present, write_atomically};
use crate::spec::Spec;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

const SPEC: &str = "spec.toml";
const MANIFEST: &str = "manifest.json";

/// A run directory that this process alone writes to, or one that cannot be written to.
pub struct RunDir {
    path: PathBuf,
    lock: Option<File>,
}

impl RunDir {
    /// Opens a folder for a run of `spec`, making it if need be; `fresh` removes the results of an earlier run. What is there but
    /// cannot be written to can still be shown.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder holds a run of another specification, or files that are no run;
    /// [`Error::BadFile`] if another process is writing to it; [`Error::Io`].
    pub fn open(path: &Path, spec: &Spec, fresh: bool) -> Result<Self> {
        let there = path.join(SPEC).is_file();
        let lock = match lock(path) {
            Ok(lock) => Some(lock),
            Err(Error::Io { .. }) if there && !fresh => None,
            Err(error) => return Err(error),
        };
        let this = Self { path: path.to_owned(), lock };
        if this.is_writable() {
            remove_leftovers(path)?;
        }
        if fresh && there {
            this.clear()?;
        } else if there {
            this.check_same(spec)?;
        } else if let Some(name) = files().find(|name| this.file(name).exists()) {
            return Err(Error::Usage {
                message: format!("{}: holds a {name} but no {SPEC}", path.display()),
                hint: "choose another folder with --out".into(),
            });
        }
        Ok(this)
    }

    fn check_same(&self, spec: &Spec) -> Result<()> {
        let file = self.file(SPEC);
        let text = read_present(&file)?.unwrap_or_default();
        let theirs = Spec::parse(&text, &[]).map_err(|problems| Error::Spec { file, problems })?;
        let longer_chain = |(key, before, now): &(String, String, String)| {
            let (before, now) = (before.parse::<u64>(), now.parse::<u64>());
            let is_longer = matches!((before, now), (Ok(b), Ok(n)) if b < n);
            key == "sample.independence.proposals" && is_longer
        };
        let differences: Vec<String> = theirs
            .differences(spec)
            .into_iter()
            // A chain may be drawn on. Memory may be short later on.
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
        ["cells", "checkpoints", "ensembles"]
            .into_iter()
            .try_for_each(|name| remove_folder(&self.file(name)))?;
        remove_present(files().chain([SPEC]).map(|name| self.file(name)))
    }

    /// Whether anything can be written.
    pub fn is_writable(&self) -> bool {
        self.lock.is_some()
    }

    /// Makes it the folder of this run, to be written to from now on.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be.
    pub fn begin(&self, spec: &Spec) -> Result<()> {
        if !self.is_writable() {
            lock(&self.path)?;
        }
        write_atomically(&self.file(SPEC), spec.to_toml().as_bytes())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folders of so many cells; that of an only one is the run directory itself.
    pub fn cells(&self, count: usize) -> Vec<CellDir> {
        match count {
            1 => vec![CellDir::new(self.path.clone())],
            _ => (0..count).map(|cell| CellDir::new(self.file(&format!("cells/{cell:04}")))).collect(),
        }
    }

    /// Whether it holds a study of a version that kept the cells' checkpoints in one folder and their rows in one table.
    pub fn is_older_study(&self) -> bool {
        self.file("checkpoints/cell-0000").is_dir()
    }

    /// The manifest as it stands, if it can be read.
    pub fn manifest(&self) -> Option<Manifest> {
        let text = read_present(&self.file(MANIFEST)).ok()??;
        serde_json::from_str(&text).ok()
    }

    /// Replaces the manifest.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        write_json(&self.file(MANIFEST), manifest)
    }
}

/// The files of a run beside its specification.
fn files() -> impl Iterator<Item = &'static str> {
    [MANIFEST, "record.json", "starts.json", "log.txt"].into_iter().chain(TABLES)
}

fn lock(path: &Path) -> Result<File> {
    std::fs::create_dir_all(path).map_err(Error::io(path, "create the run directory"))?;
    let name = path.join(".lock");
    if name.exists() && !name.is_file() {
        // Opening a pipe would wait for somebody who reads it.
        return Err(Error::io(&name, "create")(std::io::Error::other("there is something that is no file")));
    }
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
