//! The index of an ensemble that is spread over archives.

use crate::error::{Error, Result};
use crate::files::{remove_present, write_atomically};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Which archives make one ensemble, in order; a JSON file beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Name of the array of configurations.
    pub field: String,
    /// Its shape over all archives.
    pub shape: Vec<u64>,
    /// The archives.
    pub files: Vec<IndexedFile>,
}

/// An archive of an ensemble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexedFile {
    /// Its name, from the folder of the index.
    pub file: String,
    /// Configurations that it holds.
    pub count: u64,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of it.
    pub blake3: String,
}

impl Index {
    /// Where the index of an ensemble is that is asked for under a name.
    pub fn place(path: &Path) -> PathBuf {
        path.with_extension("json")
    }

    /// Where the archive of one of several processes is; their order is that of names, too.
    pub fn place_of(path: &Path, rank: usize, processes: usize) -> PathBuf {
        let digits = (processes - 1).to_string().len();
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(format!(".rank-{rank:0digits$}.npz"));
        path.with_file_name(name)
    }

    /// Whether a file is an index; an archive is none.
    pub fn is_at(path: &Path) -> bool {
        let mut first = [0];
        path.is_file()
            && File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok()
            && first == *b"{"
    }

    /// Reads an index.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is none.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        let read = serde_json::from_str::<Self>(&text).map_err(|error| error.to_string());
        let named =
            |index: Self| if index.files.is_empty() { Err("it names no archive".into()) } else { Ok(index) };
        read.and_then(named).map_err(|error| Error::Usage {
            message: format!("{}: is no index of an ensemble: {error}", path.display()),
            hint: "`flowqcd sample` of several processes writes one beside its archives".into(),
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, serde_json::to_string_pretty(self).expect("plain data").as_bytes())
    }

    /// Removes the index of an ensemble that is about to be replaced, if there is one: its archives are no ensemble meanwhile.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(path: &Path) -> Result<()> {
        remove_present([path.to_owned()])
    }

    /// Removes all archives that it names, as far as that can be.
    pub fn remove_archives(&self, path: &Path) {
        let _ = remove_present(self.paths(path));
    }

    /// Where the archives are, of an index that is there.
    pub fn paths(&self, path: &Path) -> Vec<PathBuf> {
        let folder = path.parent().unwrap_or(Path::new(""));
        self.files.iter().map(|file| folder.join(&file.file)).collect()
    }

    /// The archives, each checked to be what the index was written for.
    ///
    /// # Errors
    /// [`Error::BadFile`] for the first that is not.
    pub fn archives(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let places = self.files.iter().zip(self.paths(path));
        places.map(|(file, path)| file.check(&path).map(|()| path)).collect()
    }
}

impl IndexedFile {
    fn check(&self, path: &Path) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        let found = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
        let rule = match found {
            Ok(()) if *hasher.finalize().to_hex() == *self.blake3 => return Ok(()),
            Ok(()) => "is not the file that the index of the ensemble was written for".into(),
            Err(error) => format!("cannot be read, but the index of the ensemble names it: {error}"),
        };
        Err(Error::BadFile {
            path: path.to_owned(),
            rule,
            hint: "draw the ensemble again, or put the file back".into(),
        })
    }
}
