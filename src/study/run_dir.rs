//! The folder of a run: who may write to it, which specification it belongs to, and where its cells are.

use super::cell_dir::{CellDir, write_json};
use super::manifest::Manifest;
use super::plan::{Edit, Plan};
use super::tables::TABLES;
use crate::error::{Error, Result};
use crate::files::{
    create_folder, read_present, remove_folder, remove_leftovers, remove_present, sync_folder,
    write_atomically,
};
use crate::spec::Spec;
use std::cell::{Cell, OnceCell};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SPEC: &str = "spec.toml";
const MANIFEST: &str = "manifest.json";

/// There while a run is removed to be started over; whoever finds it later removes the rest.
const CLEARING: &str = ".fresh";

/// How long others may take to set up a run that they share with this process.
const SETTING_UP: Duration = Duration::from_secs(10);

/// A run directory that this process alone writes to, one of several that work on different cells, or nobody.
pub struct RunDir {
    path: PathBuf,
    lock: OnceCell<File>,
    /// Whether nobody else has it.
    alone: Cell<bool>,
    plan: Plan,
    edit: Option<Edit>,
}

impl RunDir {
    /// Opens a folder for a run of `spec`, making it if need be; `fresh` removes the results of an earlier run, as does whoever finds that
    /// this was cut short. What is there but
    /// cannot be written to can still be shown. A run of several cells is shared with other processes that have it open.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder holds a run of another specification, or files that are no run;
    /// [`Error::BadFile`] if another process is writing to it that cannot share it; [`Error::Io`].
    pub fn open(path: &Path, spec: &Spec, fresh: bool) -> Result<Self> {
        let plan = Plan::new(spec);
        let can_share = plan.cells.len() > 1 && !fresh;
        let is_there = || path.join(SPEC).is_file();
        let (lock, alone) = match lock(path, can_share) {
            Ok((lock, alone)) => (OnceCell::from(lock), alone),
            Err(Error::Io { .. }) if is_there() && !fresh => (OnceCell::new(), false),
            Err(error) => return Err(error),
        };
        let there = is_there();
        let mut this = Self { path: path.to_owned(), lock, alone: Cell::new(alone), plan, edit: None };
        if alone {
            remove_leftovers(path)?;
        }
        let is_cut_short = alone && this.file(CLEARING).is_file();
        if fresh && there || is_cut_short {
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

    /// Takes the numbers of the cells from what is there, if that is a run of this specification, or of one that has cells in common.
    fn check_same(&mut self, spec: &Spec) -> Result<()> {
        let theirs = Spec::of_run(&self.path)?;
        let longer_chain = |(key, before, now): &(String, String, String)| {
            let (before, now) = (before.parse::<u64>(), now.parse::<u64>());
            let is_longer = matches!((before, now), (Ok(b), Ok(n)) if b < n);
            key == "sample.independence.proposals" && is_longer
        };
        let differences: Vec<_> = theirs
            .differences(spec)
            .into_iter()
            // A chain may be drawn on. Memory may be short later on.
            .filter(|difference| !longer_chain(difference) && difference.0 != "train.batch.micro_batch")
            .collect();
        if differences.is_empty() {
            self.plan = self.plan.clone().numbered_as_in(&self.path);
            return Ok(());
        }
        let (plan, edit) = self.plan.clone().edited(&Plan::of_directory(&self.path, &theirs));
        let are_studies = plan.cells.len() > 1 && self.file("cells").is_dir();
        if !are_studies || edit.kept.is_empty() {
            return Err(self.another(&differences));
        }
        if self.is_writable() && !self.alone.get() {
            return Err(others(&self.path, "and the specification was edited since"));
        }
        (self.plan, self.edit) = (plan, Some(edit));
        Ok(())
    }

    /// That the folder holds a run of another specification, and what to do instead of continuing it.
    fn another(&self, differences: &[(String, String, String)]) -> Error {
        let folder = self.path.display();
        let lines: String = differences
            .iter()
            .map(|(key, theirs, ours)| format!("\n  {key}: {theirs} there, {ours} now"))
            .collect();
        let is_end = differences.iter().all(|(key, ..)| key.starts_with("train.stop."));
        let hint = match is_end && self.plan.cells.len() == 1 {
            true => format!(
                "to train its model further, choose another folder with --out and add --set train.start.model.file={folder} \
                 (schedules count their steps anew there); --fresh discards the run"
            ),
            false => "choose another folder with --out, or discard that run with --fresh".into(),
        };
        Error::Usage { message: format!("{folder}: holds a run of another specification:{lines}"), hint }
    }

    /// Removes a run. Of one that is cut short meanwhile the rest is removed by whoever comes next, whatever they want: what is
    /// left of it is no run.
    fn clear(&self) -> Result<()> {
        let clearing = self.file(CLEARING);
        write_atomically(&clearing, b"")?;
        ["cells", "checkpoints", "ensembles"]
            .into_iter()
            .try_for_each(|name| remove_folder(&self.file(name)))?;
        remove_present(files().chain([SPEC]).map(|name| self.file(name)))?;
        // Else a loss of power could bring it back beside a new run.
        sync_folder(&self.path)?;
        remove_present([clearing])?;
        sync_folder(&self.path)
    }

    /// Whether anything can be written.
    pub fn is_writable(&self) -> bool {
        self.lock.get().is_some()
    }

    /// Makes it the folder of this run, to be written to from now on; from then on a run of several cells is shared with whoever
    /// comes.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be, [`Error::BadFile`] if another process has begun something else there.
    pub fn begin(&self, spec: &Spec) -> Result<()> {
        if !self.is_writable() {
            // Why it cannot be is the error; where it was for a moment only, the lock is needed all the same.
            let (lock, alone) = lock(&self.path, false)?;
            self.lock.get_or_init(|| lock);
            self.alone.set(alone);
        }
        let is_shared = self.is_writable() && !self.alone.get();
        if is_shared {
            return if self.plan.is_in(&self.path) {
                Ok(())
            } else {
                Err(others(&self.path, "with other cells"))
            };
        }
        write_atomically(&self.file(SPEC), spec.to_toml().as_bytes())?;
        if self.plan.cells.len() > 1 {
            // The plan goes last: others that find it may begin, once this process has let go.
            self.plan.write(&self.path)?;
            if let Some(lock) = self.lock.get() {
                let _ = lock.unlock().and_then(|()| lock.lock_shared());
                self.alone.set(false);
            }
        }
        Ok(())
    }

    /// The cells with their numbers.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What an edited specification has made of the cells there were.
    pub fn edit(&self) -> Option<&Edit> {
        self.edit.as_ref()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folders of the cells.
    pub fn cells(&self) -> Vec<CellDir> {
        self.plan.folders(&self.path)
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
    [MANIFEST, "plan.json", "record.json", "failed.json", "cell.json", "starts.json", "log.txt"]
        .into_iter()
        .chain(TABLES)
}

/// The lock of a folder and whether nobody else has it; else, where that is allowed, one that is shared.
fn lock(path: &Path, can_share: bool) -> Result<(File, bool)> {
    create_folder(path)?;
    let name = path.join(".lock");
    if name.exists() && !name.is_file() {
        // Opening a pipe would wait for somebody who reads it.
        return Err(Error::io(&name, "create")(std::io::Error::other("there is something that is no file")));
    }
    let file = File::create(&name).map_err(Error::io(&name, "create"))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            // Some network file systems have no locks; then the run goes on without one.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok((file, true)),
            Err(TryLockError::WouldBlock) if !can_share => return Err(others(path, "")),
            Err(TryLockError::WouldBlock) => {}
        }
        if file.try_lock_shared().is_ok() {
            if path.join("plan.json").is_file() {
                return Ok((file, false));
            }
            // Whoever was there has gone before anything was set up.
            let _ = file.unlock();
        }
        if start.elapsed() > SETTING_UP {
            return Err(others(path, ""));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// That another process works on what cannot be shared.
pub fn others(path: &Path, how: &str) -> Error {
    let rule = format!("another process is running in this run directory {how}");
    Error::BadFile {
        path: path.to_owned(),
        rule: rule.trim_end().into(),
        hint: "wait for it, or choose another folder with --out".into(),
    }
}
