//! The files of a run that a page is made of.

use super::super::columns::Columns;
use super::super::run::Run;
use crate::error::{Error, Result};
use crate::files::read_present;
use crate::spec::Spec;
use crate::study::Manifest;
use std::collections::BTreeMap;

/// A run with its specification, its manifest and all of its tables.
pub struct Source<'a> {
    /// Name, folder, and the tables that figures are drawn from.
    pub run: &'a Run,
    /// The resolved specification as it is in the file.
    pub text: String,
    /// The same, if this version can read it.
    pub spec: Option<Spec>,
    /// What ran, where and when, if that is known.
    pub manifest: Option<Manifest>,
    /// The keys that vary.
    pub keys: Vec<String>,
    /// The cells that have rows in a table, in the order of their numbers.
    pub cells: Vec<CellKeys>,
}

/// A cell with its varied keys.
pub struct CellKeys {
    /// Its number, as tables have it.
    pub number: String,
    /// The texts of the keys; empty where it has none.
    pub values: Vec<String>,
}

impl CellKeys {
    /// The number and the values, as a row of a table begins.
    pub fn leading(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.number.as_str()).chain(self.values.iter().map(String::as_str))
    }

    /// `coupling = 1.5, layers = 8`.
    pub fn describe(&self, keys: &[String]) -> String {
        let known = keys.iter().zip(&self.values).filter(|(_, value)| !value.is_empty());
        known.map(|(key, value)| format!("{key} = {value}")).collect::<Vec<String>>().join(", ")
    }
}

impl<'a> Source<'a> {
    /// Reads what there is.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a table or a manifest that is not one, [`Error::Io`].
    pub fn read(run: &'a Run) -> Result<Self> {
        let text = read_present(&run.folder.join("spec.toml"))?.unwrap_or_default();
        let mut source = Self {
            run,
            spec: Spec::parse(&text, &[]).ok(),
            text,
            manifest: manifest(run)?,
            keys: Vec::new(),
            cells: Vec::new(),
        };
        source.keys = run.tables().flat_map(Columns::keys).fold(Vec::new(), |mut keys, key| {
            if !keys.iter().any(|known| known == key) {
                keys.push(key.to_owned());
            }
            keys
        });
        source.cells = source.found_cells();
        Ok(source)
    }

    fn found_cells(&self) -> Vec<CellKeys> {
        let mut found: BTreeMap<(u64, &str), Vec<String>> = BTreeMap::new();
        for table in self.run.tables() {
            for row in 0..table.count() {
                let number = table.cell(row);
                let values = || self.keys.iter().map(|key| table.text(key, row).to_owned()).collect();
                found.entry((number.parse().unwrap_or(u64::MAX), number)).or_insert_with(values);
            }
        }
        let cell =
            |((_, number), values): ((u64, &str), Vec<String>)| CellKeys { number: number.into(), values };
        found.into_iter().map(cell).collect()
    }

    /// Whether there are several cells, or are to be.
    pub fn is_study(&self) -> bool {
        self.cells.len() > 1 || self.spec.as_ref().is_some_and(|spec| spec.study.is_some())
    }

    /// The texts of a key that varies, each once, as they come.
    pub fn values(&self, key: usize) -> Vec<&str> {
        self.cells.iter().map(|cell| cell.values[key].as_str()).fold(Vec::new(), |mut seen, value| {
            if !value.is_empty() && !seen.contains(&value) {
                seen.push(value);
            }
            seen
        })
    }
}

/// The rows of a cell in a table, if there is one.
pub fn rows<'t>(table: Option<&'t Columns>, cell: &CellKeys) -> impl Iterator<Item = (&'t Columns, usize)> {
    let rows = table.into_iter().flat_map(|table| (0..table.count()).map(move |row| (table, row)));
    rows.filter(|(table, row)| table.cell(*row) == cell.number)
}

fn manifest(run: &Run) -> Result<Option<Manifest>> {
    let path = run.folder.join("manifest.json");
    let Some(text) = read_present(&path)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| Error::BadFile {
        path,
        rule: format!("is no manifest of a run: {error}"),
        hint: "the manifest is made again from the cells when the run is continued, or by `flowqcd merge`"
            .into(),
    })
}
