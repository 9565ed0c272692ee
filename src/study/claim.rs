//! Who works on a cell: claims that one of several processes gets, on whatever file system, and that outlive nobody for long.
//!
//! A claim is a file `.claim-N` in the folder of the cell, made by a call that fails if it exists, so that one process alone
//! can be the N-th to have the cell. The claim with the largest number counts. Its owner writes to it every few seconds; when a
//! process sees that it has stopped to, or that the owner has died on the same machine, it makes the next one, and an owner
//! that finds a larger number than its own (it was asleep, or cut off) leaves the cell alone.

use super::owner::Owner;
use crate::error::{Error, Result};
use crate::files::names;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(4);

/// Without a sign of life for so long an owner counts as dead: many beats, since a network file system may show them late.
const SILENCE: Duration = Duration::from_secs(60);

const PREFIX: &str = ".claim-";

/// A cell that is this process's to work on, until this is dropped.
#[derive(Debug)]
pub struct Claim {
    folder: PathBuf,
    number: u64,
    lost: Arc<AtomicBool>,
    stop: Arc<(Mutex<bool>, Condvar)>,
    heart: Option<JoinHandle<()>>,
}

/// What claims looked like when they were seen last.
#[derive(Debug, Default)]
pub struct Watcher {
    seen: Vec<(PathBuf, Vec<u8>, Instant)>,
}

/// The claim that counts, and whose it is if somebody works on the cell as far as can be seen.
struct Seen {
    number: u64,
    owner: Option<Owner>,
}

impl Watcher {
    /// The process that works on the cell of a folder, if one does as far as can be seen.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn owner(&mut self, folder: &Path) -> Result<Option<Owner>> {
        self.look(folder).map(|seen| seen.owner)
    }

    fn look(&mut self, folder: &Path) -> Result<Seen> {
        loop {
            let Some(number) = largest(folder)? else { return Ok(Seen { number: 0, owner: None }) };
            let path = file(folder, number);
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                // A later claim has replaced it, or its cell is finished.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io(&path, "read")(error)),
            };
            let silent = self.silence(&path, &bytes);
            let owner = match serde_json::from_slice::<Owner>(&bytes) {
                Ok(owner) if owner.released => None,
                Ok(owner) => Some(owner).filter(|owner| !owner.is_dead().unwrap_or(silent >= SILENCE)),
                // It is being written, unless it has been for long: then its process was killed just then.
                Err(_) => (silent.max(age(&path)) < SILENCE).then(Owner::here),
            };
            return Ok(Seen { number, owner });
        }
    }

    /// Claims the cell of a folder, unless another process works on it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn claim(&mut self, folder: &Path) -> Result<Option<Claim>> {
        let Seen { number, owner: None } = self.look(folder)? else { return Ok(None) };
        // Not the next after the largest there is now: that would take the cell from whoever has claimed it since.
        let number = number + 1;
        let (path, owner) = (file(folder, number), Owner::here());
        let made = match OpenOptions::new().write(true).create_new(true).open(&path) {
            // One that says nothing would keep everybody out.
            Ok(mut made) => made.write_all(&owner.text()).inspect_err(|_| drop(std::fs::remove_file(&path))),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => Err(error),
        };
        made.map_err(Error::io(&path, "claim the cell"))?;
        if largest(folder)? != Some(number) {
            return Ok(None);
        }
        remove_below(folder, number);
        Claim::new(folder, number, owner).map(Some)
    }

    /// For how long nothing of a file has changed while it was looked at.
    fn silence(&mut self, path: &Path, bytes: &[u8]) -> Duration {
        match self.seen.iter_mut().find(|(known, ..)| known == path) {
            Some((_, before, since)) if before == bytes => since.elapsed(),
            Some(entry) => {
                *entry = (path.to_owned(), bytes.to_owned(), Instant::now());
                Duration::ZERO
            }
            None => {
                self.seen.push((path.to_owned(), bytes.to_owned(), Instant::now()));
                Duration::ZERO
            }
        }
    }
}

impl Claim {
    /// # Errors
    /// [`Error::Io`] if there is no thread for the signs of life; the claim is then given back.
    fn new(folder: &Path, number: u64, owner: Owner) -> Result<Self> {
        let (lost, stop) = (Arc::new(AtomicBool::new(false)), Arc::new((Mutex::new(false), Condvar::new())));
        let beating = (folder.to_owned(), Arc::clone(&lost), Arc::clone(&stop));
        let mut claim = Self { folder: folder.to_owned(), number, lost, stop, heart: None };
        let heart = move || {
            let (folder, lost, stop) = beating;
            beat(&folder, number, owner, &lost, &stop);
        };
        let heart = std::thread::Builder::new().spawn(heart);
        claim.heart =
            Some(heart.map_err(Error::io(folder, "start a thread that watches over the claim of"))?);
        Ok(claim)
    }

    /// # Errors
    /// [`Error::BadFile`] if another process has the cell now.
    pub fn check(&self) -> Result<()> {
        if !self.lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Error::BadFile {
            path: self.folder.clone(),
            rule: "another process works on this cell now: this one gave no sign of life for a minute".into(),
            hint: "nothing is lost: that process goes on from the last checkpoint".into(),
        })
    }
}

impl Drop for Claim {
    /// Gives the cell back: the file goes if the cell is finished, and is marked otherwise, so that numbers only grow.
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = true;
        self.stop.1.notify_all();
        if let Some(heart) = self.heart.take() {
            let _ = heart.join();
        }
        if self.lost.load(Ordering::Relaxed) {
            return;
        }
        let path = file(&self.folder, self.number);
        if self.folder.join(super::cell_dir::RECORD).is_file() {
            let _ = std::fs::remove_file(path);
        } else {
            let _ = overwrite(&path, &Owner { released: true, ..Owner::here() });
        }
    }
}

/// Gives signs of life until told to stop, or until the claim is lost.
fn beat(folder: &Path, number: u64, mut owner: Owner, lost: &AtomicBool, stop: &(Mutex<bool>, Condvar)) {
    let (stopped, told) = stop;
    loop {
        let guard = stopped.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let waited = told.wait_timeout_while(guard, BEAT, |stopped| !*stopped);
        let stopped = *waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        if stopped {
            return;
        }
        if largest(folder).is_ok_and(|largest| largest != Some(number)) {
            lost.store(true, Ordering::Relaxed);
            return;
        }
        owner.beat += 1;
        // A disk that is full or away for a while is no reason to stop.
        let _ = overwrite(&file(folder, number), &owner);
    }
}

/// How long ago a file was written to, by the clock of this machine.
fn age(path: &Path) -> Duration {
    let written = std::fs::metadata(path).and_then(|file| file.modified());
    written.ok().and_then(|time| time.elapsed().ok()).unwrap_or_default()
}

/// Replaces what a claim that exists says; one that was removed is not made again.
fn overwrite(path: &Path, owner: &Owner) -> std::io::Result<()> {
    let text = owner.text();
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(&text)?;
    File::set_len(&file, text.len() as u64)
}

fn file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:06}"))
}

/// Numbers of all claims in a folder.
fn numbers(folder: &Path) -> Result<Vec<u64>> {
    let names = match names(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(folder, "read")(error)),
    };
    let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix(PREFIX)?.parse().ok();
    Ok(names.into_iter().filter_map(number).collect())
}

fn largest(folder: &Path) -> Result<Option<u64>> {
    Ok(numbers(folder)?.into_iter().max())
}

/// Older claims do not count any more.
fn remove_below(folder: &Path, number: u64) {
    for older in numbers(folder).unwrap_or_default().into_iter().filter(|older| *older < number) {
        let _ = std::fs::remove_file(file(folder, older));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    /// A claim by a process that cannot be looked at from here.
    fn foreign(folder: &Path, number: u64, beat: u64) {
        let owner = Owner { namespace: Some("elsewhere".into()), beat, ..Owner::here() };
        std::fs::write(file(folder, number), owner.text()).unwrap();
    }

    #[test]
    fn a_cell_is_claimed_once_until_it_is_given_back() {
        let folder = folder();
        let (mut one, mut other) = (Watcher::default(), Watcher::default());
        let claim = one.claim(folder.path()).unwrap().expect("it is free");
        assert!(claim.check().is_ok());
        assert!(other.claim(folder.path()).unwrap().is_none());
        assert_eq!(other.owner(folder.path()).unwrap().map(|owner| owner.pid), Some(std::process::id()));
        drop(claim);
        assert!(other.owner(folder.path()).unwrap().is_none());
        let again = other.claim(folder.path()).unwrap().expect("it was given back");
        assert_eq!(numbers(folder.path()).unwrap(), [2], "numbers only grow");
        std::fs::write(folder.path().join(super::super::cell_dir::RECORD), "{}").unwrap();
        drop(again);
        assert!(numbers(folder.path()).unwrap().is_empty(), "a finished cell needs none");
    }

    #[test]
    fn many_at_once_get_one_claim() {
        let folder = folder();
        let claims: Vec<Option<Claim>> = std::thread::scope(|scope| {
            let race = || Watcher::default().claim(folder.path()).unwrap();
            let racers: Vec<_> = (0..16).map(|_| scope.spawn(race)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(claims.iter().flatten().count(), 1);
    }

    #[test]
    fn the_claim_of_a_process_that_died_here_is_taken_over_at_once() {
        let folder = folder();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = Owner { pid: child.id(), ..Owner::here() };
        child.wait().unwrap();
        std::fs::write(file(folder.path(), 1), dead.text()).unwrap();
        let claim = Watcher::default().claim(folder.path()).unwrap();
        assert_eq!(
            claim.is_some(),
            crate::study::owner::namespace().is_some(),
            "where processes can be told"
        );
    }

    #[test]
    fn a_claim_that_was_never_written_keeps_nobody_out_for_long() {
        let folder = folder();
        let claim = File::create(file(folder.path(), 1)).unwrap();
        assert!(Watcher::default().claim(folder.path()).unwrap().is_none(), "it may just be being written");
        claim.set_modified(std::time::SystemTime::now() - SILENCE).unwrap();
        assert!(Watcher::default().claim(folder.path()).unwrap().is_some());
    }

    #[test]
    fn another_machine_is_waited_for_as_long_as_it_gives_signs_of_life() {
        let folder = folder();
        let mut watcher = Watcher::default();
        foreign(folder.path(), 3, 1);
        assert!(watcher.claim(folder.path()).unwrap().is_none());
        let later = |watcher: &mut Watcher| {
            watcher.seen.iter_mut().for_each(|(.., since)| *since -= SILENCE);
        };
        later(&mut watcher);
        foreign(folder.path(), 3, 2);
        assert!(watcher.claim(folder.path()).unwrap().is_none(), "it has given one");
        later(&mut watcher);
        let claim = watcher.claim(folder.path()).unwrap().expect("it is silent");
        assert_eq!(numbers(folder.path()).unwrap(), [4]);
        // It was asleep, and another one has taken over from this one in the meantime.
        foreign(folder.path(), 5, 1);
        let start = Instant::now();
        while claim.check().is_ok() {
            assert!(start.elapsed() < 5 * BEAT, "the loss is never noticed");
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(claim);
        assert_eq!(largest(folder.path()).unwrap(), Some(5), "what is lost is left alone");
    }
}
