//! A column of a table, or an observable, by its name.

use super::columns::Columns;
use super::results::Value;
use super::run::{Run, TABLES};
use super::source::Of;
use crate::error::{Error, Result};
use crate::spec::nearest;

/// Columns that tell rows of a cell apart.
pub const KINDS: [&str; 4] = ["stage", "method", "observable", "chain"];

/// Where the errors of points are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errors<'a> {
    /// The columns that belong to the one that is drawn.
    Own,
    /// Nowhere.
    None,
    /// A column of standard errors.
    Column(&'a str),
}

/// A column that can be drawn.
pub struct Column {
    /// Its table.
    pub table: &'static str,
    /// The same of a run.
    pub of: Of,
    name: String,
    /// The observable whose rows alone count.
    observable: Option<String>,
}

impl Column {
    /// The column of this name in the first table that has it beside the one that it is drawn `along`, or without, `TABLE.COLUMN`, or the
    /// values of an observable.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, with those that there are.
    pub fn find(runs: &[Run], asked: &str, along: &str) -> Result<Self> {
        let of_tables = TABLES.into_iter().flat_map(|name| {
            let tables = runs.iter().filter_map(move |run| run.named(name));
            tables.map(move |table| (name, table))
        });
        let all: Vec<(&'static str, &Columns)> = of_tables.collect();
        let column = |table: &'static str, name: &str| Self {
            table,
            of: of(table),
            name: name.to_owned(),
            observable: None,
        };
        let mut found = all.iter().filter_map(|(table, columns)| {
            let qualified = asked.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
            let name = qualified.unwrap_or(asked);
            columns.has(name).then(|| (columns.has(along), column(table, name)))
        });
        let first = found.next();
        let found = match first {
            Some((false, first)) => Some(found.find(|(both, _)| *both).map_or(first, |(_, column)| column)),
            first => first.map(|(_, column)| column),
        };
        let of_observable = || {
            let has = |(name, columns): &&(&'static str, &Columns)| {
                *name == "observables" && observables(columns).contains(&asked)
            };
            all.iter().find(has).map(|_| Self::of_observable(asked))
        };
        found.or_else(of_observable).ok_or_else(|| {
            let known = all.iter().flat_map(|(name, columns)| {
                let measured = if *name == "observables" { observables(columns) } else { Vec::new() };
                columns.fixed().iter().map(String::as_str).chain(measured)
            });
            unknown("--y", asked, known)
        })
    }

    /// The values of an observable.
    pub fn of_observable(name: &str) -> Self {
        let (table, of, value) = ("observables", of("observables"), "value".to_owned());
        Self { table, of, name: value, observable: Some(name.to_owned()) }
    }

    /// Its numbers with their errors; empty and infinite ones are left out. `group` are keys and columns that tell series apart, if they
    /// are not all to.
    ///
    /// # Errors
    /// [`Error::BadFile`] for something else than numbers.
    pub fn values(&self, table: &Columns, errors: Errors<'_>, group: &[String]) -> Result<Vec<Value>> {
        let ys = table.ends(&self.name)?;
        let ranges = self.ranges(table, errors, &ys)?;
        let of =
            |row: usize| self.observable.as_deref().is_none_or(|name| table.field("observable", row) == name);
        let rows: Vec<usize> =
            (0..table.count()).filter(|row| of(*row) && ys[*row].is_some_and(f64::is_finite)).collect();
        let apart = |kind: &&&str| {
            let varies = rows.iter().any(|row| table.field(kind, *row) != table.field(kind, rows[0]));
            if group.is_empty() { varies } else { group.iter().any(|asked| asked == *kind) }
        };
        let kinds: Vec<&str> = KINDS.iter().filter(apart).copied().collect();
        let value = |&row: &usize| {
            let texts = kinds.iter().map(|kind| table.field(kind, row)).filter(|text| !text.is_empty());
            let name = texts.collect::<Vec<&str>>().join(", ");
            let range = ranges[row].filter(|range| range.iter().all(|end| end.is_finite()));
            Some(Value { name, range, ..Value::new(row, ys[row]?) })
        };
        Ok(rows.iter().filter_map(value).collect())
    }

    /// What errors leave open: the columns `low` and `high` of observables, else `NAME_low` and `NAME_high`, else `NAME_err`.
    fn ranges(
        &self,
        table: &Columns,
        errors: Errors<'_>,
        ys: &[Option<f64>],
    ) -> Result<Vec<Option<[f64; 2]>>> {
        let ends = match (self.table, self.name.as_str()) {
            ("observables", "value") => ["low".to_owned(), "high".to_owned()],
            (_, name) => ["low", "high"].map(|end| format!("{name}_{end}")),
        };
        let about = |name: &str| -> Result<Vec<Option<[f64; 2]>>> {
            let errors = table.ends(name)?.into_iter().zip(ys);
            Ok(errors.map(|(error, y)| Some([(*y)? - error?, (*y)? + error?])).collect())
        };
        let own = format!("{}_err", self.name);
        match errors {
            Errors::Column(name) if !table.has(name) => {
                Err(unknown("--errors", name, table.fixed().iter().map(String::as_str).chain(["none"])))
            }
            Errors::Column(name) => about(name),
            Errors::Own if ends.iter().all(|end| table.has(end)) => {
                let both = table.ends(&ends[0])?.into_iter().zip(table.ends(&ends[1])?);
                Ok(both.map(|(low, high)| Some([low?, high?])).collect())
            }
            Errors::Own if table.has(&own) => about(&own),
            Errors::Own | Errors::None => Ok(vec![None; table.count()]),
        }
    }
}

/// Where the table of this name is in a run.
fn of(table: &str) -> Of {
    match table {
        "train" => |run| run.train.as_ref(),
        "ess" => |run| run.ess.as_ref(),
        "cost" => |run| run.cost.as_ref(),
        "observables" => |run| run.observables.as_ref(),
        "chains" => |run| run.chains.as_ref(),
        "history" => |run| run.history.as_ref(),
        _ => |run| run.weights.as_ref(),
    }
}

/// Every observable once.
fn observables(table: &Columns) -> Vec<&str> {
    let texts = table.texts("observable").unwrap_or_default();
    texts.into_iter().fold(Vec::new(), |mut seen, text| {
        if !seen.contains(&text) {
            seen.push(text);
        }
        seen
    })
}

/// A name that there is not, beside those that there are.
pub fn unknown<'n>(option: &str, asked: &str, known: impl Iterator<Item = &'n str>) -> Error {
    let known: Vec<String> = known.fold(Vec::new(), |mut names, name| {
        if !names.iter().any(|there| there == name) {
            names.push(name.to_owned());
        }
        names
    });
    let near = nearest(asked, &known).map_or(String::new(), |near| format!("did you mean {near}? "));
    Error::Usage {
        message: format!("{option} = {asked}: there is no such column in these runs"),
        hint: format!("{near}there are: {}", known.join(", ")),
    }
}
