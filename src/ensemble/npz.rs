//! Ensembles as NumPy archives (`.npz`): written and read in parts, with only the weights in memory.

use super::header;
use crate::error::{Error, Result};
use crate::files;
use crate::spec::Spec;
use npyz::{DType, NpyFile, Order, TypeChar, TypeStr, WriteOptions, WriterBuilder};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Numbers that are read at once.
const PART: usize = 1 << 20;

/// Bytes of a text that are read.
const MOST_TEXT: u64 = 1 << 22;

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
        // A single component has no axis of its own.
        let sites = shape.iter().enumerate().filter(|&(axis, &extent)| axis > 0 || extent > 1);
        let shape: Vec<u64> = std::iter::once(count).chain(sites.map(|(_, &extent)| extent as u64)).collect();
        this.begin(field, "<f8", &shape)?;
        Ok(this)
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
    /// If there are not as many configurations as were announced.
    pub fn finish(mut self, provenance: &Provenance<'_>) -> Result<()> {
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
        files::put_in_place(file, &self.path)
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

/// An archive that was opened, with the number of configurations it holds.
pub struct EnsembleReader {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    field: String,
    numbers: usize,
    count: u64,
}

impl EnsembleReader {
    /// Opens an archive and checks that it holds configurations of this field and shape.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn open(path: &Path, field: &str, shape: &[usize]) -> Result<Self> {
        let refuse = |error: &dyn std::fmt::Display| Error::Usage {
            message: format!("{}: {error}", path.display()),
            hint: format!(
                "an ensemble is an archive of numpy.savez with an array `{field}` of shape (N, {}), such as `flowqcd run` \
                 writes with sample.hmc.save_every",
                sites(shape)
            ),
        };
        let file = File::open(path).map_err(|error| refuse(&format!("cannot read the ensemble: {error}")))?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| refuse(&error))?;
        let numbers = shape.iter().product();
        let mut this = Self { path: path.to_owned(), zip, field: field.to_owned(), numbers, count: 0 };
        let count = this.entry(field).and_then(|mut entry| {
            let array = NpyFile::new(&mut entry).map_err(|error| error.to_string())?;
            configurations(&array, shape)
        });
        this.count = count.map_err(|rule| refuse(&format!("{field}: {rule}")))?;
        Ok(this)
    }

    /// Configurations.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The method that drew the ensemble, if the file says.
    pub fn method(&mut self) -> Option<String> {
        self.text("method")
    }

    /// The specification that an archive carries, if it does.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is no archive.
    pub fn spec_of(path: &Path) -> Result<Option<Spec>> {
        let refuse = |error: &dyn std::fmt::Display| Error::Usage {
            message: format!("{}: cannot read the ensemble: {error}", path.display()),
            hint: "an ensemble is an archive of numpy.savez".into(),
        };
        let file = File::open(path).map_err(|error| refuse(&error))?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| refuse(&error))?;
        let mut this = Self { path: path.to_owned(), zip, field: String::new(), numbers: 0, count: 0 };
        Ok(this.text("spec").and_then(|text| Spec::parse(&text, &[]).ok()))
    }

    /// The chains of Hybrid Monte Carlo that drew it, if the file says.
    pub fn chains(&mut self) -> Option<usize> {
        let spec = Spec::parse(&self.text("spec")?, &[]).ok()?;
        spec.sample.hmc.map(|hmc| hmc.chains)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let mut text = String::new();
        let mut entry = self.entry(name).ok()?;
        NpyFile::new(&mut entry).ok()?;
        entry.take(MOST_TEXT).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// An array of one number for every configuration (`action`, `log_q`), if there is one.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a damaged file.
    pub fn array(&mut self, name: &str) -> Result<Option<Vec<f64>>> {
        if self.zip.index_for_name(&npyz::npz::file_name_from_array_name(name)).is_none() {
            return Ok(None);
        }
        let mut all = Vec::new();
        self.numbers(name, &mut |value| all.push(value))?;
        Ok(Some(all))
    }

    /// Calls `each` with the configurations in order, a part at a time.
    ///
    /// # Shapes
    /// `[configuration][component, site]`
    ///
    /// # Errors
    /// What `each` returns, or [`Error::BadFile`] for a damaged file.
    pub fn fields(&mut self, each: &mut dyn FnMut(&[f64]) -> Result<()>) -> Result<()> {
        let (name, size) = (self.field.clone(), (PART / self.numbers).max(1) * self.numbers);
        let mut part = Vec::with_capacity(size);
        let mut failed = Ok(());
        self.numbers(&name, &mut |value| {
            part.push(value);
            if part.len() == size && failed.is_ok() {
                failed = each(&part);
                part.clear();
            }
        })?;
        failed?;
        if part.is_empty() { Ok(()) } else { each(&part) }
    }

    /// Every number of an array in single or double precision.
    fn numbers(&mut self, name: &str, each: &mut dyn FnMut(f64)) -> Result<()> {
        let path = self.path.clone();
        let damaged = |error: String| Error::BadFile {
            path,
            rule: format!("{name}: {error}"),
            hint: "the file is damaged: make it again".into(),
        };
        let mut entry = self.entry(name).map_err(damaged.clone())?;
        let mut read = || -> Result<(), Box<dyn std::error::Error>> {
            let array = NpyFile::new(&mut entry)?;
            if is_float(&array, 4) {
                array.data::<f32>()?.try_for_each(|value| value.map(|value| each(value.into())))?;
            } else {
                array.data::<f64>()?.try_for_each(|value| value.map(&mut *each))?;
            }
            // The checksum is compared at the very end.
            io::copy(&mut entry, &mut io::sink())?;
            Ok(())
        };
        read().map_err(|error| damaged(error.to_string()))
    }

    fn entry(&mut self, name: &str) -> Result<BufReader<impl Read>, String> {
        let entry = self.zip.by_name(&npyz::npz::file_name_from_array_name(name));
        let mut entry = entry.map_err(|error| match error {
            ZipError::FileNotFound => "there is no such array".into(),
            other => format!("cannot be read: {other}"),
        })?;
        match entry.compression() {
            CompressionMethod::Stored => {
                let header = header::read(&mut entry)?;
                Ok(BufReader::new(Cursor::new(header).chain(entry)))
            }
            _ => Err("is compressed: write it with numpy.savez, not savez_compressed".into()),
        }
    }
}

/// Configurations in an array, if it has the shape `(N, component, T, X, …)`, or that without its single component.
fn configurations<R: Read>(array: &NpyFile<R>, shape: &[usize]) -> Result<u64, String> {
    let sites: Vec<u64> = shape.iter().map(|&extent| extent as u64).collect();
    let found = array.shape();
    let fits = |found: &[u64]| found == sites || sites[0] == 1 && found == &sites[1..];
    if !found.get(1..).is_some_and(fits) {
        let extents: Vec<String> = found.iter().map(u64::to_string).collect();
        return Err(format!("has shape ({}): must be (N, {})", extents.join(", "), self::sites(shape)));
    }
    if array.order() != Order::C {
        return Err("is in Fortran order: write numpy.ascontiguousarray of it".into());
    }
    if found[0] == 0 {
        return Err("holds no configurations".into());
    }
    match is_float(array, 4) || is_float(array, 8) {
        true => Ok(found[0]),
        false => Err(format!("has the type {}: must be float32 or float64", array.dtype().descr())),
    }
}

fn is_float<R: Read>(array: &NpyFile<R>, bytes: u64) -> bool {
    matches!(array.dtype(), DType::Plain(kind) if kind.type_char() == TypeChar::Float && kind.size_field() == bytes)
}

fn sites(shape: &[usize]) -> String {
    let extents: Vec<String> = shape.iter().skip(usize::from(shape[0] == 1)).map(usize::to_string).collect();
    extents.join(", ")
}
