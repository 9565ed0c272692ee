//! Records on the disk, all of one width: appended as they come, cut back to what a saved state knows of.

use crate::error::{Error, Result};
use crate::files::sync_folder;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Records read at once, about so many numbers.
const PART: usize = 1 << 18;

/// A file of raw double-precision records, so many numbers each: draws with their measurements, configurations of a chain.
pub struct Records {
    path: PathBuf,
    file: File,
    numbers: usize,
    count: u64,
    hasher: blake3::Hasher,
}

/// How far the records had come when a state was saved.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// Records.
    pub count: u64,
    /// BLAKE3 of their bytes.
    pub digest: String,
}

impl Records {
    /// Opens the file, or makes it, for records of so many numbers; what it holds counts only after
    /// [`Self::cut_back`].
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(path: &Path, numbers: usize) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(Error::io(path, "open"))?;
        // A state that knows of the records must not outlive them.
        path.parent().map_or(Ok(()), sync_folder)?;
        Ok(Self { path: path.to_owned(), file, numbers, count: 0, hasher: blake3::Hasher::new() })
    }

    /// Keeps the records up to a mark, none without one, and drops the rest.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::BadFile`] if they are not those of the mark.
    pub fn cut_back(&mut self, mark: Option<&Mark>) -> Result<()> {
        self.count = mark.map_or(0, |mark| mark.count);
        self.hasher = blake3::Hasher::new();
        let bytes = self.count * self.numbers as u64 * 8;
        let mut cut = || -> std::io::Result<bool> {
            let held = self.file.metadata()?.len();
            // Never longer: what is not there cannot be made up.
            self.file.set_len(bytes.min(held))?;
            self.file.rewind()?;
            self.hasher.update_reader(&self.file)?;
            self.file.seek(SeekFrom::End(0))?;
            Ok(held >= bytes)
        };
        let enough = cut().map_err(Error::io(&self.path, "read"))?;
        match enough && mark.is_none_or(|mark| mark.digest == self.digest()) {
            true => Ok(()),
            false => Err(Error::BadFile {
                path: self.path.clone(),
                rule: "does not hold what the saved state left there".into(),
                hint: "remove it together with the state beside it: what it holds is drawn again".into(),
            }),
        }
    }

    /// Appends records.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn append(&mut self, records: &[f64]) -> Result<()> {
        let bytes: Vec<u8> = records.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.file.write_all(&bytes).map_err(Error::io(&self.path, "write"))?;
        self.hasher.update(&bytes);
        self.count += (records.len() / self.numbers) as u64;
        Ok(())
    }

    /// Where the file stands, all of it on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn mark(&mut self) -> Result<Mark> {
        self.file.sync_data().map_err(Error::io(&self.path, "write"))?;
        Ok(Mark { count: self.count, digest: self.digest() })
    }

    /// Records.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Calls `each` with all records in order, some at a time.
    ///
    /// # Errors
    /// What `each` returns, or [`Error::Io`].
    pub fn read(&mut self, each: &mut dyn FnMut(Vec<f64>) -> Result<()>) -> Result<()> {
        self.file.rewind().map_err(Error::io(&self.path, "read"))?;
        let at_once = (PART / self.numbers).max(1) as u64;
        let mut left = self.count;
        while left > 0 {
            let this = left.min(at_once);
            let mut bytes = vec![0; this as usize * self.numbers * 8];
            self.file.read_exact(&mut bytes).map_err(Error::io(&self.path, "read"))?;
            each(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())?;
            left -= this;
        }
        Ok(())
    }

    fn digest(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_after_a_mark_is_dropped_and_damage_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let all = |records: &mut Records| {
            let mut all = Vec::new();
            let keep = &mut |part| {
                all.extend(part);
                Ok(())
            };
            records.read(keep).unwrap();
            all
        };
        let mut records = Records::open(&path, 2).unwrap();
        records.cut_back(None).unwrap();
        records.append(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        let mark = records.mark().unwrap();
        records.append(&[5.0, 6.0]).unwrap();
        drop(records);
        let mut records = Records::open(&path, 2).unwrap();
        records.cut_back(Some(&mark)).unwrap();
        records.append(&[7.0, 8.0]).unwrap();
        assert_eq!(all(&mut records), [1.0, 2.0, 3.0, 4.0, 7.0, 8.0]);
        assert_eq!(records.count(), 3);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[9] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(records.cut_back(Some(&mark)), Err(Error::BadFile { .. })));
        std::fs::write(&path, [0; 9]).unwrap();
        assert!(matches!(records.cut_back(Some(&mark)), Err(Error::BadFile { .. })));
    }
}
