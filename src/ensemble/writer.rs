//! Ensembles written as NumPy archives (`.npz`), in parts, with only the weights in memory.

use crate::error::{Error, Result};
use crate::files;
use npyz::{DType, TypeStr, WriteOptions, WriterBuilder};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What an ensemble was drawn from, so that reweighting is not forgotten.
pub const MODEL: &str = "direct";

/// Where an ensemble comes from; kept in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance<'a> {
    /// `direct` for configurations of the model, `hmc` for those of the target.
    pub method: &'a str,
    /// The resolved specification.
    pub spec: &'a str,
}

/// Writes an ensemble under a temporary name, and renames it at the end.
///
/// Arrays, little-endian double precision, in the conventions of the program: the configurations under the name of the field
/// (`phi`, `theta`), `action`, with a model `log_q` and `log_w = -action - log_q`, and for gauge
/// fields from one `topological_charge`; and two byte strings without dimensions, `method` and `spec`.
pub struct EnsembleWriter {
    path: PathBuf,
    zip: ZipWriter<BufWriter<Target>>,
    numbers: usize,
    count: u64,
    log_q: Vec<f64>,
    actions: Vec<f64>,
    charges: Vec<f64>,
}

impl EnsembleWriter {
    /// Opens the file for `count` configurations of the given shape.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path, field: &str, shape: &[usize], count: u64) -> Result<Self> {
        let file = Target { file: files::temporary(path)?, broken: false };
        let mut this = Self {
            path: path.to_owned(),
            zip: ZipWriter::new(BufWriter::with_capacity(1 << 20, file)),
            numbers: shape.iter().product(),
            count,
            log_q: Vec::new(),
            actions: Vec::new(),
            charges: Vec::new(),
        };
        this.begin(field, "<f8", &array_shape(count, shape))?;
        Ok(this)
    }

    /// Configurations that it is for.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Appends configurations.
    ///
    /// # Shapes
    /// `fields`: `[configuration][component, site]`, `actions`: `[configuration]`, `log_q`: the same, or none where no model has a say
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn push(&mut self, fields: &[f64], log_q: &[f64], actions: &[f64]) -> Result<()> {
        assert_eq!(
            fields.len(),
            actions.len() * self.numbers,
            "numbers of as many configurations as actions"
        );
        assert!(log_q.is_empty() || actions.len() == log_q.len(), "log q for every action or for none");
        self.write(fields)?;
        self.log_q.extend(log_q);
        self.actions.extend(actions);
        Ok(())
    }

    /// Adds the topological charges of the configurations that were appended last, of all or of none.
    ///
    /// # Shapes
    /// `[configuration]`
    pub fn push_charges(&mut self, charges: impl IntoIterator<Item = f64>) {
        self.charges.extend(charges);
    }

    /// Writes what belongs to the configurations and puts the file in place.
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Panics
    /// As of [`Self::complete`].
    pub fn finish(self, provenance: &Provenance<'_>) -> Result<()> {
        self.complete(provenance)?.put_in_place()
    }

    /// Writes what belongs to the configurations; the file is whole, but has its temporary name.
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Panics
    /// If there are not as many configurations as were announced.
    pub fn complete(mut self, provenance: &Provenance<'_>) -> Result<CompleteEnsemble> {
        assert_eq!(self.actions.len() as u64, self.count, "configurations written and announced");
        let (log_q, actions) = (std::mem::take(&mut self.log_q), std::mem::take(&mut self.actions));
        let log_w: Vec<f64> = log_q.iter().zip(&actions).map(|(log_q, action)| -action - log_q).collect();
        let charges = std::mem::take(&mut self.charges);
        let arrays =
            [("log_q", &log_q), ("action", &actions), ("log_w", &log_w), ("topological_charge", &charges)];
        for (name, values) in arrays.into_iter().filter(|(_, values)| values.len() == actions.len()) {
            self.begin(name, "<f8", &[self.count])?;
            self.write(values)?;
        }
        for (name, text) in [("method", provenance.method), ("spec", provenance.spec)] {
            self.begin(name, &format!("|S{}", text.len().max(1)), &[])?;
            self.zip.write_all(text.as_bytes()).map_err(Error::io(&self.path, "write"))?;
        }
        let end = |zip: ZipWriter<BufWriter<Target>>| -> io::Result<NamedTempFile> {
            Ok(zip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.file)
        };
        let file = end(self.zip).map_err(Error::io(&self.path, "write"))?;
        Ok(CompleteEnsemble { path: self.path, file })
    }

    /// Begins the next array.
    fn begin(&mut self, name: &str, scalar: &str, shape: &[u64]) -> Result<()> {
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
        let mut write = || -> io::Result<()> {
            self.zip.start_file(npyz::npz::file_name_from_array_name(name), options)?;
            let scalar: TypeStr = scalar.parse().expect("a type of NumPy");
            let header = WriteOptions::new_header_only().dtype(DType::new_scalar(scalar)).shape(shape);
            header.writer(&mut self.zip).write_header_only().map(|_| ())
        };
        write().map_err(Error::io(&self.path, "write"))
    }

    fn write(&mut self, values: &[f64]) -> Result<()> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.zip.write_all(&bytes).map_err(Error::io(&self.path, "write"))
    }
}

/// The shape of an array of so many configurations of a given shape: a single component has no axis of its own.
pub fn array_shape(count: u64, shape: &[usize]) -> Vec<u64> {
    let sites = shape.iter().enumerate().filter(|&(axis, &extent)| axis > 0 || extent > 1);
    std::iter::once(count).chain(sites.map(|(_, &extent)| extent as u64)).collect()
}

/// A whole archive that still has a temporary name; it goes if it is not put in place.
pub struct CompleteEnsemble {
    path: PathBuf,
    file: NamedTempFile,
}

impl CompleteEnsemble {
    /// Its size.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn bytes(&self) -> Result<u64> {
        Ok(self.file.as_file().metadata().map_err(Error::io(&self.path, "read"))?.len())
    }

    /// Its size, and BLAKE3 of it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn digest(&mut self) -> Result<(u64, String)> {
        let mut hasher = blake3::Hasher::new();
        let mut read = || {
            self.file.as_file_mut().rewind()?;
            hasher.update_reader(self.file.as_file()).map(|_| ())
        };
        read().map_err(Error::io(&self.path, "read"))?;
        Ok((hasher.count(), hasher.finalize().to_hex().to_string()))
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn put_in_place(self) -> Result<()> {
        files::put_in_place(self.file, &self.path)
    }
}

/// A file that takes everything once a write has failed: the archive's own clean-up would complain about it a second time.
struct Target {
    file: NamedTempFile,
    broken: bool,
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.broken {
            return Ok(bytes.len());
        }
        self.file.write(bytes).inspect_err(|error| self.broken = error.kind() != io::ErrorKind::Interrupted)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Target {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}
