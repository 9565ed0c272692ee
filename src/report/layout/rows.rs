//! How rows of a table are told apart where none of their keys is along an axis.

use super::super::columns::Columns;
use super::super::names::Names;
use super::super::run::Run;
use super::super::series::Series;
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// Series that can be told apart.
const MOST: usize = 16;

/// The keys that vary among some rows of a table of a run.
pub struct Labels<'a> {
    run: &'a str,
    table: &'a Columns,
    keys: Vec<&'a str>,
}

impl<'a> Labels<'a> {
    /// Those of some rows.
    pub fn new(run: &'a Run, table: &'a Columns, rows: &[usize], several: bool) -> Self {
        let varies = |key: &&str| rows.iter().any(|row| table.text(key, *row) != table.text(key, rows[0]));
        let keys = table.keys().filter(varies).collect();
        Self { run: if several { &run.label } else { "" }, table, keys }
    }

    /// Whether nothing tells the rows apart.
    pub fn are_empty(&self) -> bool {
        self.run.is_empty() && self.keys.is_empty()
    }

    /// The name of a row: its run, what it is, and the keys that tell it apart.
    pub fn of(&self, row: usize, kind: &str) -> String {
        let texts = self.keys.iter().map(|key| (key, self.table.text(key, row)));
        let texts = texts.filter(|(_, text)| !text.is_empty());
        let texts = texts.map(|(key, text)| Names::Symbols.assignment(key, text));
        let parts = [self.run, kind].into_iter().filter(|part| !part.is_empty()).map(str::to_owned);
        parts.chain(texts).collect::<Vec<String>>().join(", ")
    }
}

/// # Errors
/// [`Error::Usage`] for more series than can be told apart.
pub fn check_count(series: &[Series]) -> Result<()> {
    let count = series.iter().map(|series| series.label.as_str()).collect::<BTreeSet<&str>>().len();
    if count <= MOST {
        return Ok(());
    }
    Err(Error::Usage {
        message: format!("{count} curves are more than can be told apart in one figure"),
        hint: "choose some with --where KEY=VALUE, e.g. --where cell=0".into(),
    })
}
