//! A table of a run directory, by the names of its columns.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The leading column of every table.
const CELL: &str = "cell";

/// A CSV file in memory.
pub struct Columns {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it is no table with a column `cell` in front, [`Error::Io`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let bad = |rule: String| bad(path, rule);
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let header = reader.headers().map_err(|error| bad(error.to_string()))?;
        let header: Vec<String> = header.iter().map(str::to_owned).collect();
        if header.first().is_none_or(|first| first != CELL) {
            return Err(bad(format!("must begin with a column `{CELL}`")));
        }
        let rows: Result<Vec<Vec<String>>, csv::Error> =
            reader.records().map(|row| Ok(row?.iter().map(str::to_owned).collect())).collect();
        Ok(Self { path: path.to_owned(), header, rows: rows.map_err(|error| bad(error.to_string()))? })
    }

    /// The columns of varied keys: those between `cell` and a column that every table of this kind has.
    ///
    /// # Errors
    /// [`Error::BadFile`] if there is no such column.
    pub fn keys(&self, first: &str) -> Result<&[String]> {
        Ok(&self.header[1..self.place(first)?])
    }

    /// The texts of a column.
    ///
    /// # Errors
    /// [`Error::BadFile`] if there is no such column.
    pub fn texts(&self, name: &str) -> Result<Vec<&str>> {
        let place = self.place(name)?;
        Ok(self.rows.iter().map(|row| row[place].as_str()).collect())
    }

    /// The numbers of a column; an empty field is none.
    ///
    /// # Errors
    /// [`Error::BadFile`] if there is no such column or it has something else in it.
    pub fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let number = |(row, text): (usize, &str)| match text {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| bad(&self.path, format!("line {}, {name} = {text}: must be a number", row + 2))),
        };
        self.texts(name)?.into_iter().enumerate().map(number).collect()
    }

    fn place(&self, name: &str) -> Result<usize> {
        let place = self.header.iter().position(|column| column == name);
        place.ok_or_else(|| bad(&self.path, format!("must have a column `{name}`")))
    }
}

fn bad(path: &Path, rule: String) -> Error {
    let hint = "tables of another version cannot be drawn by this one; run again with --fresh".into();
    Error::BadFile { path: path.to_owned(), rule, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Columns> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.csv");
        std::fs::write(&path, text).unwrap();
        Columns::read(&path)
    }

    #[test]
    fn columns_are_found_by_name_and_varied_keys_by_place() {
        let table =
            read("cell,extents,coupling,step,ess\n0,\"[6, 6]\",1.5,10,\n1,\"[8, 8]\",1.2,10,0.5\n").unwrap();
        assert_eq!(table.keys("step").unwrap(), ["extents", "coupling"]);
        assert_eq!(table.texts("extents").unwrap(), ["[6, 6]", "[8, 8]"]);
        assert_eq!(table.numbers("ess").unwrap(), [None, Some(0.5)]);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said_with_its_line() {
        let message = |text: &str| match read(text).and_then(|table| table.numbers("ess")) {
            Err(error) => error.to_string(),
            Ok(found) => panic!("{found:?}"),
        };
        assert!(message("cell,ess\n0,1\n0,x\n").contains("line 3, ess = x: must be a number"));
        assert!(message("cell,step\n0,1\n").contains("must have a column `ess`"));
        assert!(message("step,ess\n0,1\n").contains("must begin with a column `cell`"));
        assert!(message("cell,ess\n0\n").contains("found record with 1 fields"));
    }
}
