//! A NumPy archive (`.npz`) of configurations, read in parts.

use super::header;
use crate::error::{Error, Result};
use npyz::{DType, NpyFile, Order, TypeChar};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

/// Numbers that are read at once.
const PART: usize = 1 << 20;

/// Bytes of a text that are read.
const MOST_TEXT: u64 = 1 << 22;

/// An archive that was opened, with the number of configurations it holds.
pub struct Archive {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    field: String,
    numbers: usize,
    count: u64,
}

impl Archive {
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

    /// Opens an archive of whatever for its texts.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is none.
    pub fn for_texts(path: &Path) -> Result<Self> {
        let refuse = |error: &dyn std::fmt::Display| Error::Usage {
            message: format!("{}: cannot read the ensemble: {error}", path.display()),
            hint: "an ensemble is an archive of numpy.savez".into(),
        };
        let file = File::open(path).map_err(|error| refuse(&error))?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| refuse(&error))?;
        Ok(Self { path: path.to_owned(), zip, field: String::new(), numbers: 0, count: 0 })
    }

    /// A byte string, if there is one of this name.
    pub fn text(&mut self, name: &str) -> Option<String> {
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
