//! A table of a run directory, by the names of its columns.

use crate::error::{Error, Result};
use csv::StringRecord;
use std::path::{Path, PathBuf};

/// The leading column of every table.
const CELL: &str = "cell";

/// A CSV file in memory: the cell, the keys that vary, and the columns that every table of its kind has.
pub struct Columns {
    path: PathBuf,
    header: Vec<String>,
    /// Where the columns after the keys begin.
    fixed: usize,
    rows: Vec<StringRecord>,
}

impl Columns {
    /// Reads a whole file, whose keys end before the column `first`; a last line without its end is left out, as the run that
    /// writes it will when it goes on.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it is no such table, [`Error::Io`].
    pub fn read(path: &Path, first: &str) -> Result<Self> {
        let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut reader = csv::Reader::from_reader(&text[..whole]);
        let header = reader.headers().map_err(|error| damaged(path, error.to_string()))?;
        let header: Vec<String> = header.iter().map(str::to_owned).collect();
        if whole > 0 && header[0] != CELL {
            return Err(unknown(path, format!("must begin with a column `{CELL}`")));
        }
        // A key may be called as a column; keys come first.
        let fixed = header.iter().rposition(|name| name == first).unwrap_or(header.len());
        let rows: Result<Vec<StringRecord>, csv::Error> = reader.records().collect();
        let rows = rows.map_err(|error| damaged(path, error.to_string()))?;
        Ok(Self { path: path.to_owned(), header, fixed, rows })
    }

    /// The keys that vary.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.leading().iter().skip(1).map(String::as_str)
    }

    /// The texts of a key, if it varies.
    pub fn key(&self, name: &str) -> Option<Vec<&str>> {
        let place = 1 + self.keys().position(|key| key == name)?;
        Some(self.column(place))
    }

    /// The text of a key in a row; empty if it does not vary.
    pub fn text(&self, name: &str, row: usize) -> &str {
        self.keys().position(|key| key == name).map_or("", |place| &self.rows[row][1 + place])
    }

    /// The cell and the keys that vary.
    pub fn leading(&self) -> &[String] {
        &self.header[..self.fixed]
    }

    /// The texts of the cell or of a key that varies.
    pub fn leading_texts(&self, name: &str) -> Option<Vec<&str>> {
        self.leading().iter().position(|leading| leading == name).map(|place| self.column(place))
    }

    /// Keeps the rows for which it is true.
    pub fn retain(&mut self, kept: &[bool]) {
        let mut kept = kept.iter();
        self.rows.retain(|_| kept.next().copied().unwrap_or(false));
    }

    /// The cell of a row.
    pub fn cell(&self, row: usize) -> &str {
        &self.rows[row][0]
    }

    /// The columns that are no keys.
    pub fn fixed(&self) -> &[String] {
        &self.header[self.fixed..]
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The text of a column that is no key in a row; empty if there is no such column.
    pub fn field(&self, name: &str, row: usize) -> &str {
        let place = self.header[self.fixed..].iter().position(|column| column == name);
        place.map_or("", |place| &self.rows[row][self.fixed + place])
    }

    /// Whether there is such a column that is no key.
    pub fn has(&self, name: &str) -> bool {
        self.header[self.fixed..].iter().any(|column| column == name)
    }

    /// The texts of a column that is no key.
    ///
    /// # Errors
    /// [`Error::BadFile`] if there is no such column.
    pub fn texts(&self, name: &str) -> Result<Vec<&str>> {
        let place = self.header[self.fixed..].iter().position(|column| column == name);
        let place = place.ok_or_else(|| unknown(&self.path, format!("must have a column `{name}`")))?;
        Ok(self.column(self.fixed + place))
    }

    /// The numbers of a column that is no key; an empty field is none.
    ///
    /// # Errors
    /// [`Error::BadFile`] if there is no such column or it has something else in it.
    pub fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>> {
        self.parsed(name, "must be a finite number", f64::is_finite)
    }

    /// The same for ends of intervals, which may be infinite.
    ///
    /// # Errors
    /// As of [`Self::numbers`].
    pub fn ends(&self, name: &str) -> Result<Vec<Option<f64>>> {
        self.parsed(name, "must be a number", |number| !number.is_nan())
    }

    fn parsed(&self, name: &str, rule: &str, is_good: fn(f64) -> bool) -> Result<Vec<Option<f64>>> {
        let number = |(row, text): (usize, &str)| match (text, text.parse::<f64>()) {
            ("", _) => Ok(None),
            (_, Ok(number)) if is_good(number) => Ok(Some(number)),
            _ => {
                let line = self.rows[row].position().map_or(0, csv::Position::line);
                Err(damaged(&self.path, format!("line {line}, {name} = {text}: {rule}")))
            }
        };
        self.texts(name)?.into_iter().enumerate().map(number).collect()
    }

    fn column(&self, place: usize) -> Vec<&str> {
        self.rows.iter().map(|row| &row[place]).collect()
    }
}

/// A table that this version does not know.
fn unknown(path: &Path, rule: String) -> Error {
    let hint = "tables of another version cannot be drawn by this one".into();
    Error::BadFile { path: path.to_owned(), rule, hint }
}

/// A table with something in it that no run writes.
fn damaged(path: &Path, rule: String) -> Error {
    let hint =
        "a run that is continued cuts its tables back to its last checkpoint; mend or remove the line".into();
    Error::BadFile { path: path.to_owned(), rule, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Columns> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.csv");
        std::fs::write(&path, text).unwrap();
        Columns::read(&path, "step")
    }

    #[test]
    fn columns_are_found_by_name_and_varied_keys_by_place() {
        let table =
            read("cell,extents,coupling,step,ess\n0,\"[6, 6]\",1.5,10,\n1,\"[8, 8]\",1.2,10,0.5\n").unwrap();
        assert_eq!(table.keys().collect::<Vec<&str>>(), ["extents", "coupling"]);
        assert_eq!(table.key("extents").unwrap(), ["[6, 6]", "[8, 8]"]);
        assert_eq!(table.numbers("ess").unwrap(), [None, Some(0.5)]);
    }

    #[test]
    fn a_key_called_as_a_column_is_not_that_column() {
        let table = read("cell,samples,step,samples\n0,7,1,100\n").unwrap();
        assert_eq!(table.key("samples").unwrap(), ["7"]);
        assert_eq!(table.numbers("samples").unwrap(), [Some(100.0)]);
        assert_eq!([table.field("samples", 0), table.field("abacus", 0)], ["100", ""]);
    }

    #[test]
    fn rows_that_are_left_keep_their_lines() {
        let mut table = read("cell,coupling,step,ess\n0,1,1,x\n1,2,1,0.5\n2,2,1,y\n").unwrap();
        assert_eq!(table.leading(), ["cell", "coupling"]);
        assert_eq!(table.leading_texts("cell").unwrap(), ["0", "1", "2"]);
        assert_eq!(table.leading_texts("step"), None);
        table.retain(&[false, true, true]);
        let error = table.numbers("ess").unwrap_err().to_string();
        assert!(error.contains("line 4, ess = y: must be a finite number"), "{error}");
        table.retain(&[true, false]);
        assert_eq!((table.cell(0), table.numbers("ess").unwrap()), ("1", vec![Some(0.5)]));
    }

    #[test]
    fn a_line_that_was_not_finished_is_left_out() {
        let table = read("cell,step,ess\n0,1,0.5\n0,2,0.").unwrap();
        assert_eq!(table.numbers("ess").unwrap(), [Some(0.5)]);
        let none = read("cell,st").unwrap();
        assert!(none.rows.is_empty() && none.keys().next().is_none());
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said_with_its_line() {
        let message = |text: &str| match read(text).and_then(|table| table.numbers("ess")) {
            Err(error) => error.to_string(),
            Ok(found) => panic!("{found:?}"),
        };
        assert!(
            message("cell,step,ess\n0,1,1\n0,2,x\n").contains("line 3, ess = x: must be a finite number")
        );
        assert!(message("cell,step,ess\n0,1,NaN\n").contains("line 2, ess = NaN: must be a finite number"));
        assert!(message("cell,step\n0,1\n").contains("must have a column `ess`"));
        assert!(message("step,ess\n0,1\n").contains("must begin with a column `cell`"));
        assert!(message("cell,step,ess\n0\n").contains("found record with 1 fields"));
    }
}
