//! One CSV file that grows a flushed row at a time and can be cut back to a checkpoint.

use crate::error::{Error, Result};
use crate::files::{Mark, sync_folder};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// A CSV file of rows `R`, each behind the same leading columns: the cell and the keys that vary.
pub struct Table<R> {
    path: PathBuf,
    writer: csv::Writer<Hashed>,
    leading: Leading,
    header: Header,
    row: PhantomData<R>,
}

/// A file and the digest of what it holds.
struct Hashed {
    file: File,
    hasher: blake3::Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// The first line of a file.
enum Header {
    /// It is still to be written.
    Missing,
    /// It was there, and is compared with the first row that comes.
    Found(Vec<String>),
    /// It is that of the rows.
    Fits,
}

/// Names and values of the leading columns.
pub type Leading = Vec<(String, String)>;

impl<R: Serialize> Table<R> {
    /// An empty file, replacing what was there.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::BadFile`] if something else than a file has that name.
    pub fn create(path: &Path, leading: Leading) -> Result<Self> {
        if path.exists() && !path.is_file() {
            let (rule, hint) = ("is no file".into(), "remove it, or choose another folder with --out".into());
            return Err(Error::BadFile { path: path.to_owned(), rule, hint });
        }
        let file = File::create(path).map_err(Error::io(path, "create"))?;
        // A checkpoint that knows of the table must not outlive it.
        path.parent().map_or(Ok(()), sync_folder)?;
        Ok(Self::from_file(path, Hashed { file, hasher: blake3::Hasher::new() }, leading, Header::Missing))
    }

    /// The file as it was at a mark; rows after that are dropped.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::BadFile`] if the file does not begin with what it held then: it is left as it is.
    pub fn resume(path: &Path, mark: &Mark, leading: Leading) -> Result<Self> {
        if mark.bytes == 0 {
            return Self::create(path, leading);
        }
        let hasher = mark.verify(path)?;
        is_whole_rows(path, mark)?;
        let open = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.set_len(mark.bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(Error::io(path, "reopen"))?;
        let mut reader =
            csv::Reader::from_path(path).map_err(|error| Error::io(path, "read")(error.into()))?;
        let names = reader.headers().map_err(|error| Error::io(path, "read")(error.into()))?;
        let found = names.iter().map(str::to_owned).collect();
        Ok(Self::from_file(path, Hashed { file, hasher }, leading, Header::Found(found)))
    }

    fn from_file(path: &Path, file: Hashed, leading: Leading, header: Header) -> Self {
        let writer = csv::WriterBuilder::new().has_headers(false).flexible(false).from_writer(file);
        Self { path: path.to_owned(), writer, leading, header, row: PhantomData }
    }

    /// Appends a row and flushes it.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::BadFile`] if the file has other columns.
    pub fn append(&mut self, row: &R) -> Result<()> {
        if !matches!(self.header, Header::Fits) {
            let names = self.leading.iter().map(|(name, _)| name.clone());
            let header: Vec<String> = names.chain(columns(row)).collect();
            match std::mem::replace(&mut self.header, Header::Fits) {
                Header::Found(found) if found != header => return Err(self.other_columns(found)),
                Header::Missing => {
                    self.writer.write_record(header).map_err(|error| self.failed(error.into()))?;
                }
                Header::Found(_) | Header::Fits => {}
            }
        }
        let values: Vec<&String> = self.leading.iter().map(|(_, value)| value).collect();
        self.writer.serialize((values, row)).map_err(|error| self.failed(error.into()))?;
        self.writer.flush().map_err(Error::io(&self.path, "write a row to"))
    }

    /// How far the file has grown, all of it on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<Mark> {
        self.writer.flush().map_err(Error::io(&self.path, "write to"))?;
        let Hashed { file, hasher } = self.writer.get_ref();
        file.sync_data().map_err(Error::io(&self.path, "write to"))?;
        Ok(Mark::new(hasher))
    }

    fn other_columns(&mut self, found: Vec<String>) -> Error {
        self.header = Header::Found(found);
        Error::BadFile {
            path: self.path.clone(),
            rule: "has other columns than this version of flowqcd writes".into(),
            hint: "continue with the version that manifest.json names, or start over with --fresh".into(),
        }
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::io(&self.path, "write a row to")(source)
    }
}

/// A mark without a digest says only where a row ended.
///
/// # Errors
/// [`Error::BadFile`] if none ends there.
fn is_whole_rows(path: &Path, mark: &Mark) -> Result<()> {
    let last = || -> std::io::Result<[u8; 2]> {
        let (mut file, mut bytes) = (File::open(path)?, [0; 2]);
        file.seek(SeekFrom::Start(mark.bytes.saturating_sub(2)))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    match last().map_err(Error::io(path, "read"))? {
        [before, b'\n'] if before != b'\r' => Ok(()),
        _ => Err(Error::BadFile {
            path: path.to_owned(),
            rule: format!("has no row that ends after {} bytes: it was changed", mark.bytes),
            hint: "restore the file as it was, or start over with --fresh".into(),
        }),
    }
}

/// The names of a row's fields, in order.
fn columns(row: &impl Serialize) -> Vec<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.serialize(row).ok().and_then(|()| writer.into_inner().ok()).unwrap_or_default();
    let mut reader = csv::Reader::from_reader(&written[..]);
    reader.headers().map(|names| names.iter().map(str::to_owned).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_table_is_the_uninterrupted_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        #[derive(Serialize)]
        struct Row {
            a: u32,
            b: Option<f64>,
        }
        let row = |a| Row { a, b: (a > 1).then_some(0.1) };
        let leading = || vec![("cell".to_owned(), "3".to_owned())];
        let mut table = Table::create(&path, leading()).unwrap();
        table.append(&row(1)).unwrap();
        let mark = table.sync().unwrap();
        table.append(&row(7)).unwrap();
        drop(table);
        let mut table = Table::resume(&path, &mark, leading()).unwrap();
        table.append(&row(2)).unwrap();
        drop(table);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "cell,a,b\n3,1,\n3,2,0.1\n");
        let mut other = Table::resume(&path, &mark, vec![("run".to_owned(), "3".to_owned())]).unwrap();
        assert!(matches!(other.append(&row(2)), Err(Error::BadFile { .. })));
        drop(other);
        // Neither a shorter file nor one with other line ends is cut, whether the mark has a digest or not.
        let old = Mark { digest: None, ..mark.clone() };
        for text in ["cell,a", "cell,a,b\r\n3,1,\r\n3,2,0.1\r\n"] {
            std::fs::write(&path, text).unwrap();
            for mark in [&mark, &old] {
                assert!(matches!(Table::<Row>::resume(&path, mark, leading()), Err(Error::BadFile { .. })));
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
