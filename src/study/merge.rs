//! The tables of a run of several cells, put together from those of its cells.

use super::cell_dir::CellDir;
use super::table::Leading;
use super::tables::{TABLES, leading};
use crate::error::{Error, Result};
use crate::files::{put_in_place, temporary};
use crate::spec::Cell;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Puts tables together.
pub struct Merge<'a> {
    folder: &'a Path,
    cells: Vec<Source<'a>>,
}

/// A cell, and what its rows are to begin with.
struct Source<'a> {
    dir: &'a CellDir,
    leading: Leading,
}

impl<'a> Merge<'a> {
    /// The tables of a folder from those of cells, in this order.
    pub fn new(folder: &'a Path, cells: &[Cell], dirs: &'a [CellDir]) -> Self {
        let source =
            |(cell, dir): (&Cell, &'a CellDir)| Source { dir, leading: leading(cell.index, &cell.values) };
        let cells = cells.iter().zip(dirs).map(source).collect();
        Self { folder, cells }
    }

    /// All tables, each written whole under a temporary name and renamed; the names of those that were not like that before.
    ///
    /// # Errors
    /// [`Error::BadFile`] if cells have different columns, [`Error::Io`].
    pub fn all(&self) -> Result<Vec<&'static str>> {
        let mut changed = Vec::new();
        for name in TABLES {
            if self.table(name)? {
                changed.push(name);
            }
        }
        Ok(changed)
    }

    fn table(&self, name: &str) -> Result<bool> {
        let path = self.folder.join(name);
        let mut file = temporary(&path)?;
        let mut header: Option<(Vec<u8>, PathBuf)> = None;
        for source in self.cells.iter().filter(|source| source.dir.file(name).is_file()) {
            let cell = source.dir.file(name);
            let bytes = std::fs::read(&cell).map_err(Error::io(&cell, "read"))?;
            let bytes = source.relabelled(bytes).map_err(|error| unreadable(&cell, &error))?;
            let (first, rows) = split(&bytes);
            match &header {
                _ if first.is_empty() => continue,
                None => {
                    file.write_all(first).map_err(Error::io(&path, "write"))?;
                    header = Some((first.to_owned(), cell.clone()));
                }
                Some((columns, other)) if columns != first => return Err(other_columns(cell, other)),
                Some(_) => {}
            }
            file.write_all(rows).map_err(Error::io(&path, "write"))?;
        }
        if header.is_none() || same(file.path(), &path).map_err(Error::io(&path, "read"))? {
            return Ok(false);
        }
        put_in_place(file, &path).map(|()| true)
    }
}

impl Source<'_> {
    /// The table with the columns that the study has now, if it was begun when the study had others.
    fn relabelled(&self, table: Vec<u8>) -> Result<Vec<u8>, csv::Error> {
        let named = self.dir.named().map(|before| leading(before.cell, &before.values));
        let Some(before) = named.filter(|before| *before != self.leading) else { return Ok(table) };
        let (first, rows) = split(&table);
        let whole = [first, rows].concat();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&whole[..]);
        let mut writer = csv::Writer::from_writer(Vec::new());
        for (number, record) in reader.records().enumerate() {
            let record = record?;
            let leading = self.leading.iter().map(|(key, value)| if number == 0 { key } else { value });
            let rest = record.iter().skip(before.len());
            writer.write_record(leading.map(String::as_str).chain(rest))?;
        }
        Ok(writer.into_inner().map_err(|error| error.into_error())?)
    }
}

fn unreadable(path: &Path, error: &csv::Error) -> Error {
    Error::BadFile {
        path: path.to_owned(),
        rule: format!("is no table: {error}"),
        hint: "restore the file as it was, or start over with --fresh".into(),
    }
}

/// The line of the names and the rows that are whole.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    let first = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    (&bytes[..first], &bytes[first..end])
}

fn other_columns(cell: PathBuf, other: &Path) -> Error {
    Error::BadFile {
        path: cell,
        rule: format!("has other columns than {}: another version of flowqcd wrote it", other.display()),
        hint: "continue with the version that manifest.json names, or start over with --fresh".into(),
    }
}

/// Whether two files hold the same.
fn same(a: &Path, b: &Path) -> std::io::Result<bool> {
    if !b.is_file() || std::fs::metadata(a)?.len() != std::fs::metadata(b)?.len() {
        return Ok(false);
    }
    let [mut a, mut b] = [std::fs::File::open(a)?, std::fs::File::open(b)?];
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = a.read(&mut left)?;
        if count == 0 {
            return Ok(true);
        }
        b.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cell_dir::CellNote;
    use super::*;
    use crate::spec::Varied;

    #[test]
    fn tables_are_those_of_the_cells_in_order_and_are_mended() {
        let folder = tempfile::tempdir().unwrap();
        let cells = [0, 1, 2].map(|cell| CellDir::new(folder.path().join(format!("cells/{cell}"))));
        cells.iter().for_each(|cell| std::fs::create_dir_all(cell.path()).unwrap());
        // The last is being written, the second has no row yet.
        for (cell, text) in cells.iter().zip(["cell,a\n0,1\n0,2\n", "", "cell,a\n2,5\n2,"]) {
            std::fs::write(cell.file("ess.csv"), text).unwrap();
        }
        let source = |(number, dir)| Source { dir, leading: leading(number, &Varied::default()) };
        let sources = (0..).zip(&cells).map(source).collect();
        let merge = Merge { folder: folder.path(), cells: sources };
        assert_eq!(merge.all().unwrap(), ["ess.csv"]);
        let merged = || std::fs::read_to_string(folder.path().join("ess.csv")).unwrap();
        assert_eq!(merged(), "cell,a\n0,1\n0,2\n2,5\n");
        assert_eq!(merge.all().unwrap(), Vec::<&str>::new());
        std::fs::write(folder.path().join("ess.csv"), "cell,a\n0,1\n0,3\n2,5\n").unwrap();
        assert_eq!(merge.all().unwrap(), ["ess.csv"]);
        assert_eq!(merged(), "cell,a\n0,1\n0,2\n2,5\n");
        std::fs::write(cells[1].file("ess.csv"), "cell,b\n1,1\n").unwrap();
        assert!(matches!(merge.all(), Err(Error::BadFile { .. })));
        assert_eq!(merged(), "cell,a\n0,1\n0,2\n2,5\n", "nothing is lost where something is wrong");
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "cells and ess.csv, nothing temporary");
    }

    #[test]
    fn rows_of_before_an_edit_begin_with_the_columns_of_today() {
        let folder = tempfile::tempdir().unwrap();
        let dir = CellDir::new(folder.path().join("cell"));
        std::fs::create_dir_all(dir.path()).unwrap();
        std::fs::write(dir.file("ess.csv"), "cell,extents,ess\n2,\"[4, 4]\",0.5\n2,\"[4, 4]\",\n2,").unwrap();
        let mut values = Varied::default();
        values.push("extents", Some(vec![4, 4].into()));
        let note = CellNote { cell: 2, identity: "x".into(), values: values.clone() };
        dir.name(note).unwrap();
        values.push("coupling", Some(1.5.into()));
        let cells = vec![Source { dir: &dir, leading: leading(2, &values) }];
        let merge = Merge { folder: folder.path(), cells };
        merge.all().unwrap();
        let merged = std::fs::read_to_string(folder.path().join("ess.csv")).unwrap();
        assert_eq!(merged, "cell,extents,coupling,ess\n2,\"[4, 4]\",1.5,0.5\n2,\"[4, 4]\",1.5,\n");
    }
}
