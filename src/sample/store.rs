//! What can be continued, on the disk: a checksummed state, the records that belong to it, and whose they are.

use super::arrays::Arrays;
use super::records::{Mark, Records};
use crate::error::{Error, Result};
use crate::files::remove_present;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A state that can be saved and put back.
pub trait Resumable {
    /// Everything that changes while it is drawn.
    fn save(&self) -> Arrays;

    /// Puts what was saved into a state that nothing has happened to; nothing if it does not fit.
    fn restore(&mut self, saved: Arrays) -> Option<()>;

    /// Takes out the records that have come since the last call; they are kept beside the state, in the order they come.
    fn take_records(&mut self) -> Vec<f64> {
        Vec::new()
    }
}

/// Where one resumable state is kept.
pub struct Store<'a> {
    file: PathBuf,
    identity: String,
    records: Option<Records>,
    saved: Option<Arrays>,
    is_due: &'a mut dyn FnMut() -> bool,
}

/// What is saved beside arrays.
#[derive(Serialize, Deserialize)]
struct Header {
    identity: String,
    kept: Option<Mark>,
    state: serde_json::Value,
}

impl<'a> Store<'a> {
    /// The store of this name in a folder, for what has this `identity` and records of so many numbers, if any; `is_due` says
    /// now and then that it is time to save.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] if it is damaged or holds something else.
    pub fn open(
        folder: &Path,
        name: &str,
        identity: String,
        width: Option<usize>,
        is_due: &'a mut dyn FnMut() -> bool,
    ) -> Result<Self> {
        let [file, records] = files(folder, name);
        let (saved, kept) = match Arrays::load(&file)? {
            None => (None, None),
            Some(mut arrays) => {
                let header = serde_json::from_value::<Header>(std::mem::take(&mut arrays.header));
                let header = header.ok().filter(|header| header.identity == identity);
                let header = header.ok_or_else(|| others(&file))?;
                arrays.header = header.state;
                (Some(arrays), header.kept)
            }
        };
        let mut records = width.map(|width| Records::open(&records, width)).transpose()?;
        records.as_mut().map_or(Ok(()), |records| records.cut_back(kept.as_ref()))?;
        Ok(Self { file, identity, records, saved, is_due })
    }

    /// Removes the store of this name from a folder, if there is one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(folder: &Path, name: &str) -> Result<()> {
        remove_present(files(folder, name))
    }

    /// Whether something is there to continue.
    pub fn has_state(&self) -> bool {
        self.saved.is_some()
    }

    /// The records that are kept.
    ///
    /// # Panics
    /// If the store was opened without.
    pub fn records(&mut self) -> &mut Records {
        self.records.as_mut().expect("a store with records")
    }

    /// Puts back what was saved, if anything was.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it does not fit.
    pub(super) fn restore(&mut self, state: &mut impl Resumable) -> Result<()> {
        let Some(saved) = self.saved.take() else { return Ok(()) };
        state.restore(saved).ok_or_else(|| others(&self.file))
    }

    /// Appends the records that have come, and saves the state if it must be or if it is time to.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn keep(&mut self, state: &mut impl Resumable, must_save: bool) -> Result<()> {
        let new = state.take_records();
        self.records.as_mut().map_or(Ok(()), |records| records.append(&new))?;
        if !(must_save || (self.is_due)()) {
            return Ok(());
        }
        let mut arrays = state.save();
        let kept = self.records.as_mut().map(Records::mark).transpose()?;
        let header =
            Header { identity: self.identity.clone(), kept, state: std::mem::take(&mut arrays.header) };
        arrays.header = serde_json::to_value(&header).expect("a header is plain data");
        arrays.save(&self.file)
    }
}

/// A digest of everything that determines what is drawn, so that it is continued only where it belongs.
pub fn identity(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    hasher.finalize().to_hex().to_string()
}

/// The state, and the records.
fn files(folder: &Path, name: &str) -> [PathBuf; 2] {
    [folder.join(format!("{name}.safetensors")), folder.join(format!("{name}.records"))]
}

fn others(file: &Path) -> Error {
    Error::BadFile {
        path: file.to_owned(),
        rule: "does not hold what this run has drawn: another model, seed, specification or version of the program wrote it".into(),
        hint: "remove it: what it holds is drawn again".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts, and records every count.
    #[derive(Default)]
    struct Counter {
        count: f64,
        new: Vec<f64>,
    }

    impl Counter {
        fn count(&mut self) {
            self.count += 1.0;
            self.new.push(self.count);
        }
    }

    impl Resumable for Counter {
        fn save(&self) -> Arrays {
            let mut arrays = Arrays::new(serde_json::Value::Null);
            arrays.push("count", vec![self.count]);
            arrays
        }

        fn restore(&mut self, mut saved: Arrays) -> Option<()> {
            self.count = *saved.take("count")?.first()?;
            Some(())
        }

        fn take_records(&mut self) -> Vec<f64> {
            std::mem::take(&mut self.new)
        }
    }

    #[test]
    fn a_state_goes_on_from_where_it_was_saved_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let whose = |seed: u8| identity(&[b"counter", &[seed]]);
        let mut never = || false;
        let mut store = Store::open(folder.path(), "counter", whose(1), Some(1), &mut never).unwrap();
        let mut counter = Counter::default();
        store.restore(&mut counter).unwrap();
        for must_save in [false, true, false] {
            counter.count();
            store.keep(&mut counter, must_save).unwrap();
        }
        drop(store);
        let mut store = Store::open(folder.path(), "counter", whose(1), Some(1), &mut never).unwrap();
        let mut counter = Counter::default();
        store.restore(&mut counter).unwrap();
        assert_eq!((counter.count, store.records().count()), (2.0, 2));
        drop(store);
        let other = Store::open(folder.path(), "counter", whose(2), Some(1), &mut never);
        assert!(matches!(other, Err(Error::BadFile { .. })));
        Store::remove(folder.path(), "counter").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
