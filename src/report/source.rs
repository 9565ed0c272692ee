//! Results of finished cells from a table of a run, and how they are told apart along a key.

use super::along::{Along, SEED};
use super::columns::Columns;
use super::names::Names;
use super::results::{Results, Value};
use super::run::Run;
use super::series::Point;
use crate::error::{Error, Result};
use crate::spec::STAGE;
use std::collections::{BTreeMap, BTreeSet};

/// Values from a table of a run.
pub struct Source<'a> {
    run: &'a Run,
    pub table: &'a Columns,
    pub values: Vec<Value>,
    /// The value of the key along the axis, where it is no column because it does not vary.
    constant: Option<String>,
}

/// The table of a run that results are in.
pub type Of = fn(&Run) -> Option<&Columns>;

/// The results of all runs that have the table.
///
/// # Errors
/// Those of `results`.
pub fn sources<'a>(
    runs: &'a [Run],
    table: Of,
    results: &Results<'_>,
    along: &Along,
) -> Result<Vec<Source<'a>>> {
    let tables = runs.iter().filter_map(|run| Some((run, table(run)?)));
    let source = |(run, table): (&'a Run, &'a Columns)| {
        let constant = along.may_be_constant(table).then(|| run.constant(&along.key)).flatten();
        Ok(Source { run, table, values: results(table)?, constant })
    };
    tables.map(source).collect()
}

impl Source<'_> {
    /// The text of the key along the axis in a row.
    pub fn text(&self, along: &Along, row: usize) -> &str {
        self.constant.as_deref().unwrap_or_else(|| along.text(self.table, row))
    }

    /// Keeps only results of stages in which the key along the axis varies, if there are such.
    pub fn keep_varied(&mut self, along: &Along) {
        let mut places: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for value in &self.values {
            let stage = self.table.text(STAGE, value.row);
            places.entry(stage).or_default().insert(self.text(along, value.row));
        }
        let varied: BTreeSet<String> = places
            .iter()
            .filter(|(_, texts)| texts.len() > 1)
            .map(|(stage, _)| (*stage).to_owned())
            .collect();
        if !varied.is_empty() {
            let table = self.table;
            self.values.retain(|value| varied.contains(table.text(STAGE, value.row)));
        }
    }

    /// The keys that vary at the same place of the axis.
    pub fn keys_apart(&self, along: &Along) -> Vec<&str> {
        self.others(along).filter(|key| !self.follows(key, along)).collect()
    }

    /// The name of a result's series: its run, its method, and the keys that tell it apart.
    pub fn label(
        &self,
        keys: &[&str],
        along: &Along,
        value: &Value,
        (names, several): (Names, bool),
    ) -> String {
        let run = if several { self.run.label.as_str() } else { "" };
        let others = keys.iter().map(|key| (key, self.table.text(key, value.row)));
        let others =
            others.filter(|(_, text)| !text.is_empty()).map(|(key, text)| names.assignment(key, text));
        let parts = [run.to_owned(), value.name.clone()].into_iter().chain(others);
        let parts = parts.chain(self.length(along, value.row)).filter(|part| !part.is_empty());
        let label = parts.collect::<Vec<String>>().join(", ");
        if label.is_empty() { self.run.label.clone() } else { label }
    }

    /// Where a result is drawn.
    ///
    /// # Errors
    /// [`Error::Usage`] if the run has no number for the key along the axis.
    pub fn point(&self, along: &Along, value: &Value) -> Result<Point> {
        let x = along.place(self.text(along, value.row)).ok_or_else(|| Error::Usage {
            message: format!("{}: has no numbers for the key `{}`", self.run.folder.display(), along.key),
            hint: "choose a key that varies in all the runs with --x, or draw them apart".into(),
        })?;
        let (range, lower_bound) = (value.range, value.lower_bound);
        Ok(Point { range, lower_bound, ..Point::new(x, value.y) })
    }

    /// The keys that are not along the axis, without that of repeats.
    fn others(&self, along: &Along) -> impl Iterator<Item = &str> {
        self.table.keys().filter(move |key| *key != along.key && *key != SEED)
    }

    /// The texts of a key in the rows that are drawn.
    fn texts(&self, key: &str) -> Vec<&str> {
        self.values.iter().map(|value| self.table.text(key, value.row)).collect()
    }

    /// Whether a key has one value for each of the one along the axis.
    fn follows(&self, key: &str, along: &Along) -> bool {
        let mut found: BTreeMap<&str, &str> = BTreeMap::new();
        let places = self.values.iter().map(|value| self.text(along, value.row));
        let mut both = places.zip(self.texts(key));
        both.all(|(place, text)| *found.entry(place).or_insert(text) == text)
    }

    /// The length of a list, if lists of several lengths share the axis: lattices of several dimensions are no one curve.
    fn length(&self, along: &Along, row: usize) -> Option<String> {
        let length = |text: &str| text.split(',').count();
        let own = length(self.text(along, row));
        let varies = self.values.iter().any(|value| length(self.text(along, value.row)) != own);
        varies.then(|| format!("number of {} = {own}", along.key))
    }

    /// The keys that vary with the one along the axis.
    pub fn followers(&self, along: &Along) -> Vec<&str> {
        let varies = |key: &&str| {
            let texts = self.texts(key);
            texts.iter().any(|text| *text != texts[0])
        };
        self.others(along).filter(|key| self.follows(key, along)).filter(varies).collect()
    }
}
