//! How far a file that grows is known.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How far a file had grown at some time, and what it held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "MarkWire")]
pub struct Mark {
    /// Bytes.
    pub bytes: u64,
    /// BLAKE3 of them; older versions did not note it.
    pub digest: Option<String>,
}

/// A mark as it is read: older versions noted the bytes alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum MarkWire {
    Bytes(u64),
    Whole { bytes: u64, digest: Option<String> },
}

impl From<MarkWire> for Mark {
    fn from(wire: MarkWire) -> Self {
        match wire {
            MarkWire::Bytes(bytes) => Self { bytes, digest: None },
            MarkWire::Whole { bytes, digest } => Self { bytes, digest },
        }
    }
}

impl Mark {
    /// The mark of a file whose bytes went through a hasher.
    pub fn new(hasher: &blake3::Hasher) -> Self {
        Self { bytes: hasher.count(), digest: Some(hasher.finalize().to_hex().to_string()) }
    }

    /// Reads a file up to the mark; what follows it does not count.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it does not begin with what it held then, [`Error::Io`].
    pub fn verify(&self, path: &Path) -> Result<blake3::Hasher> {
        let mut hasher = blake3::Hasher::new();
        let length = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
        let Some(length) = length else { return Err(self.broken(path, "is missing".into())) };
        if length < self.bytes {
            return Err(self.broken(path, format!("has {length} bytes, but was left with {}", self.bytes)));
        }
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        hasher.update_reader(file.take(self.bytes)).map_err(Error::io(path, "read"))?;
        if self.digest.is_some() && Self::new(&hasher).digest != self.digest {
            let rule = "does not hold what it was left with: it was changed, or its line ends were converted";
            return Err(self.broken(path, rule.into()));
        }
        Ok(hasher)
    }

    fn broken(&self, path: &Path, rule: String) -> Error {
        Error::BadFile {
            path: path.to_owned(),
            rule,
            hint: "restore the file as it was, or start over with --fresh".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_grow_after_its_mark_and_may_not_change_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let mark = Mark::new(blake3::Hasher::new().update(b"a\n1\n"));
        assert!(matches!(mark.verify(&path), Err(Error::BadFile { .. })), "there is no such file");
        for (text, holds) in [("a\n1\n", true), ("a\n1\n2\n", true), ("a\n1", false), ("a\r\n1\r\n", false)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(mark.verify(&path).is_ok(), holds, "{text:?}");
        }
    }

    #[test]
    fn marks_of_older_versions_are_read() {
        let read = |text: &str| serde_json::from_str::<Mark>(text).unwrap();
        assert_eq!(read("53698"), Mark { bytes: 53698, digest: None });
        let mark = Mark { bytes: 3, digest: Some("ab".into()) };
        assert_eq!(read(&serde_json::to_string(&mark).unwrap()), mark);
    }
}
