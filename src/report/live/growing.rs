//! A table that another process writes, row by row.

use super::tail::Tail;
use crate::error::Result;
use csv::StringRecord;
use std::path::PathBuf;

/// A CSV file and the rows that have come since it was looked at last.
#[derive(Debug)]
pub struct Growing {
    tail: Tail,
    header: Option<StringRecord>,
}

/// What has come since.
#[derive(Debug, Default)]
pub struct NewRows {
    /// Whether all rows of before are void.
    pub restarted: bool,
    /// Whether there are more, which were left for the next time.
    pub is_part: bool,
    header: StringRecord,
    rows: Vec<StringRecord>,
}

impl Growing {
    /// A table that need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { tail: Tail::new(path), header: None }
    }

    /// The rows that have come since the last time; lines with other than all their fields are left out.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    pub fn read(&mut self) -> Result<NewRows> {
        let grown = self.tail.read()?;
        let new = NewRows { restarted: grown.restarted, is_part: grown.is_part, ..NewRows::default() };
        if new.restarted {
            self.header = None;
        }
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(grown.text.as_bytes());
        let mut records = reader.records().filter_map(Result::ok);
        let header = match self.header.take().or_else(|| records.next()) {
            Some(header) => self.header.insert(header).clone(),
            None => return Ok(new),
        };
        let rows = records.filter(|row| row.len() == header.len()).collect();
        Ok(NewRows { header, rows, ..new })
    }
}

impl NewRows {
    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|fields| Row { header: &self.header, fields })
    }
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    header: &'a StringRecord,
    fields: &'a StringRecord,
}

impl<'a> Row<'a> {
    /// The text of a column; keys, which may be called as a column, come before.
    pub fn text(&self, column: &str) -> &'a str {
        let places = self.header.iter().zip(self.fields).filter(|(name, _)| *name == column);
        places.last().map_or("", |(_, text)| text)
    }

    /// The number of a column, if it has one that is finite.
    pub fn number(&self, column: &str) -> Option<f64> {
        self.text(column).parse().ok().filter(|number: &f64| number.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_once_by_the_names_of_their_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ess.csv");
        let mut table = Growing::new(path.clone());
        let mut read = |text: &str| -> (bool, Vec<(Option<f64>, String)>) {
            std::fs::write(&path, text).unwrap();
            let new = table.read().unwrap();
            (new.restarted, new.iter().map(|row| (row.number("ess"), row.text("stage").to_owned())).collect())
        };
        let row = |ess: Option<f64>, stage: &str| (ess, stage.to_owned());
        // A key may be called as a column, and hold a comma.
        let first = "cell,ess,stage,ess\n0,\"[4, 4]\",final,0.5\n";
        assert_eq!(read("cell,ess,st"), (false, vec![]));
        assert_eq!(read(first), (false, vec![row(Some(0.5), "final")]));
        assert_eq!(read(&format!("{first}0,x\n0,1,final,\n0,1,")), (false, vec![row(None, "final")]));
        assert_eq!(read("cell,stage,ess\n0,transfer,0.25\n"), (true, vec![row(Some(0.25), "transfer")]));
    }
}
