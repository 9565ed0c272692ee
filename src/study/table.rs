//! One CSV file that grows a flushed row at a time and can be cut back to a checkpoint.

use crate::error::{Error, Result};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// A CSV file of rows `R`, each behind the same leading columns: the cell and the keys that vary.
pub struct Table<R> {
    path: PathBuf,
    writer: csv::Writer<File>,
    leading: Leading,
    header: Header,
    row: PhantomData<R>,
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
    /// [`Error::Io`].
    pub fn create(path: &Path, leading: Leading) -> Result<Self> {
        let file = File::create(path).map_err(Error::io(path, "create"))?;
        Ok(Self::from_file(path, file, leading, Header::Missing))
    }

    /// The file as it was when it had `bytes` bytes; rows after that are dropped.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::BadFile`] if the file is shorter than that.
    pub fn resume(path: &Path, bytes: u64, leading: Leading) -> Result<Self> {
        if bytes == 0 {
            return Self::create(path, leading);
        }
        let open = || -> std::io::Result<(File, u64)> {
            let mut file = OpenOptions::new().write(true).open(path)?;
            let length = file.metadata()?.len();
            file.set_len(bytes.min(length))?;
            file.seek(SeekFrom::End(0))?;
            Ok((file, length))
        };
        let (file, length) = open().map_err(Error::io(path, "reopen"))?;
        if length < bytes {
            return Err(Error::BadFile {
                path: path.to_owned(),
                rule: format!("has {length} bytes, but the checkpoint was written after {bytes}"),
                hint: "restore the file, or start over with --fresh".into(),
            });
        }
        let mut reader =
            csv::Reader::from_path(path).map_err(|error| Error::io(path, "read")(error.into()))?;
        let names = reader.headers().map_err(|error| Error::io(path, "read")(error.into()))?;
        let found = names.iter().map(str::to_owned).collect();
        Ok(Self::from_file(path, file, leading, Header::Found(found)))
    }

    fn from_file(path: &Path, file: File, leading: Leading, header: Header) -> Self {
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

    /// Bytes written so far, all of them on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<u64> {
        self.writer.flush().map_err(Error::io(&self.path, "write to"))?;
        let file = self.writer.get_ref();
        let length = file.sync_data().and_then(|()| file.metadata()).map(|metadata| metadata.len());
        length.map_err(Error::io(&self.path, "write to"))
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
        let bytes = table.sync().unwrap();
        table.append(&row(7)).unwrap();
        drop(table);
        let mut table = Table::resume(&path, bytes, leading()).unwrap();
        table.append(&row(2)).unwrap();
        drop(table);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "cell,a,b\n3,1,\n3,2,0.1\n");
        assert!(matches!(Table::<Row>::resume(&path, 1000, leading()), Err(Error::BadFile { .. })));
        let mut other = Table::resume(&path, bytes, vec![("run".to_owned(), "3".to_owned())]).unwrap();
        assert!(matches!(other.append(&row(2)), Err(Error::BadFile { .. })));
    }
}
