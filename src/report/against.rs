//! One column of the tables against another, or against a key.

use super::along::{Along, SEED};
use super::axis::Axis;
use super::column::{Column, Errors, KINDS, unknown};
use super::figure::Figure;
use super::names::Names;
use super::run::Run;
use super::series::{Point, Series, Spread};
use super::sheet::Sheet;
use super::source::{Source, sources};
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// Tables whose rows follow each other.
const OF_STEPS: [&str; 2] = ["train", "history"];

/// What to draw against what.
#[derive(Debug, Clone)]
pub struct Against<'a> {
    /// A column or a key that varies, or `1/KEY`.
    pub x: &'a str,
    /// A column, perhaps as `TABLE.COLUMN`, or an observable.
    pub y: &'a str,
    /// Keys and columns that tell series apart; if empty all that vary at the same place.
    pub group: &'a [String],
    /// What errors are from.
    pub errors: Errors<'a>,
}

/// The figure, with rows that differ in nothing but the seed as one point, their mean.
///
/// # Errors
/// [`Error::Usage`] for a column that there is not, [`Error::BadFile`] for one with something else than numbers in it.
pub fn against(runs: &[Run], asked: &Against<'_>) -> Result<Sheet> {
    let column = Column::find(runs, asked.y, asked.x)?;
    check_group(runs, &column, asked.group)?;
    let along = along(runs, asked.x, &column)?;
    let values = |table: &_| column.values(table, asked.errors, asked.group);
    let sources = sources(runs, column.of, &values, &along)?;
    let found = placed(&sources, &along, asked.group);
    let series = series(&sources, found, &along, &column, asked.group);
    let name = format!("{}_against_{}", asked.y, asked.x.replace("1/", "inverse_")).replace(['/', '\\'], "_");
    let axes = (Axis::plain(&along.label(Names::Columns)), Axis::plain(asked.y));
    let figure = Figure { spread: Spread::StandardError, ..Figure::new(&name, axes, series) };
    if !figure.has_data() {
        return Err(Error::Usage {
            message: format!("nothing to draw: no row has both {} and {}", asked.x, asked.y),
            hint: "choose columns of the same rows, or leave out --where".into(),
        });
    }
    Ok(Sheet::fitting(&name, vec![figure]))
}

/// A row that is drawn: the name of its series, its run and cell, and where it is.
struct Placed<'a> {
    label: String,
    cell: (usize, &'a str),
    point: Point,
}

/// The rows that have a place along the axis.
fn placed<'s>(sources: &'s [Source<'_>], along: &Along, group: &[String]) -> Vec<Placed<'s>> {
    let mut found = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let keys = keys(source, along, group);
        for value in &source.values {
            let Ok(point) = source.point(along, value) else { continue };
            let label = source.label(&keys, along, value, (Names::Columns, sources.len() > 1));
            found.push(Placed { label, cell: (number, source.table.cell(value.row)), point });
        }
    }
    found
}

/// Whether rows of one name at one place differ in nothing but the seed.
fn are_repeats(sources: &[Source<'_>], found: &[Placed<'_>], along: &Along, group: &[String]) -> bool {
    let mut of_cells = BTreeSet::new();
    along.key != SEED
        && sources.iter().all(|source| keys(source, along, group).len() >= source.keys_apart(along).len())
        && found.iter().all(|row| of_cells.insert((&row.label, row.cell, row.point.x.to_bits())))
}

/// The rows by their names: means of repeats, or, of rows that follow each other, a curve for each cell.
fn series(
    sources: &[Source<'_>],
    found: Vec<Placed<'_>>,
    along: &Along,
    column: &Column,
    group: &[String],
) -> Vec<Series> {
    let (merge, line) = (are_repeats(sources, &found, along, group), OF_STEPS.contains(&column.table));
    let mut series: Vec<(Option<(usize, &str)>, Series)> = Vec::new();
    for Placed { label, cell, point } in found {
        let cell = (line && !merge).then_some(cell);
        match series.iter_mut().find(|(of, series)| *of == cell && series.label == label) {
            Some((_, series)) => series.points.push(point),
            None => series.push((cell, Series { label, points: vec![point], line, law_of: None })),
        }
    }
    let mut series: Vec<Series> = series.into_iter().map(|(_, series)| series).collect();
    series.iter_mut().for_each(|series| series.arrange(merge.then_some(Spread::StandardError)));
    series
}

/// # Errors
/// [`Error::Usage`] for a name that tells no rows apart.
fn check_group(runs: &[Run], column: &Column, group: &[String]) -> Result<()> {
    let tables: Vec<_> = runs.iter().filter_map(column.of).collect();
    let keys = tables.iter().flat_map(|table| table.keys());
    let kinds = KINDS.into_iter().filter(|kind| tables.iter().any(|table| table.has(kind)));
    let known: Vec<&str> = keys.chain(kinds).collect();
    match group.iter().find(|asked| !known.contains(&asked.as_str())) {
        Some(asked) => Err(unknown("--group", asked, known.into_iter())),
        None => Ok(()),
    }
}

/// The keys in the names of series.
fn keys<'s>(source: &'s Source<'_>, along: &Along, group: &[String]) -> Vec<&'s str> {
    let all = source.table.keys();
    match group.is_empty() {
        true => source.keys_apart(along),
        false => all.filter(|key| group.iter().any(|asked| asked == key)).collect(),
    }
}

/// The column along the axis.
fn along(runs: &[Run], asked: &str, of: &Column) -> Result<Along> {
    let tables: Vec<_> = runs.iter().filter_map(of.of).collect();
    if tables.iter().any(|table| table.has(asked)) {
        return Ok(Along::field(asked));
    }
    let is_key = |name: &str| tables.iter().any(|table| table.key(name).is_some());
    if !is_key(asked) && !asked.strip_prefix("1/").is_some_and(is_key) {
        let known =
            tables.iter().flat_map(|table| table.keys().chain(table.fixed().iter().map(String::as_str)));
        return Err(unknown("--x", asked, known));
    }
    let along = Along::choose(&tables, Some(asked))?;
    Ok(along.expect("a key that was asked for"))
}
