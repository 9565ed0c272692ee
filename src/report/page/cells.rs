//! The cells of a study: one line each, and what each found.

use super::super::columns::Columns;
use super::super::digits::{grouped, short};
use super::costs::of_cell;
use super::markup::{Field, Heading, Purpose, parsed, table};
use super::measured::{measured, once};
use super::prices::{prices, slowest};
use super::quality::{ess_with_interval, last_evaluation};
use super::source::{CellKeys, Source, rows};
use maud::{Markup, html};

/// The section.
pub fn cells(source: &Source<'_>) -> Markup {
    let columns = columns(source);
    let keys = source.keys.iter().map(Heading::number);
    let leading = std::iter::once(Heading::number("Cell")).chain(keys);
    let headings: Vec<Heading> = leading.chain(columns.iter().map(Column::heading)).collect();
    let line = |cell: &CellKeys| {
        let results = columns.iter().map(|column| column.field(source, cell));
        cell.leading().map(Field::key).chain(results).collect()
    };
    let lines: Vec<Vec<Field>> = source.cells.iter().map(line).collect();
    html! {
        (table("Cells", Purpose::Sorted, &headings, &lines))
        details {
            summary { "What each cell found, and what it cost" }
            @for cell in &source.cells { (found(source, cell)) }
        }
    }
}

/// All that a cell found.
fn found(source: &Source<'_>, cell: &CellKeys) -> Markup {
    let keys = cell.describe(&source.keys);
    html! {
        details.cell {
            summary { "Cell " (cell.number) @if !keys.is_empty() { ": " (keys) } }
            (measured(source, cell))
            (of_cell(source, cell))
        }
    }
}

/// What is said of every cell.
enum Column<'s> {
    /// ESS by a column of `ess.csv`, and what the table calls it.
    Ess(&'static str, &'static str),
    /// Samples drawn in training.
    Samples,
    /// Acceptance of a kind of chain.
    Acceptance(&'s str),
    /// Effective samples per second by a method, for the observable that takes it longest.
    Rate(&'s str),
    /// Why training ended.
    EndedBy,
    /// How many warnings there are.
    Warnings,
}

/// What some cell has something of.
fn columns<'s>(source: &'s Source<'_>) -> Vec<Column<'s>> {
    let (ess, cost, chains) = (&source.run.ess, &source.run.cost, &source.run.chains);
    let has = |name: &str| {
        ess.as_ref().is_some_and(|ess| (0..ess.count()).any(|row| !ess.field(name, row).is_empty()))
    };
    let methods = |table: &'s Option<Columns>| {
        let rows = table.iter().flat_map(|table| (0..table.count()).map(move |row| (table, row)));
        once(&rows.collect::<Vec<(&Columns, usize)>>(), "method")
    };
    let trained = has("ess").then_some([Column::Ess("ess", "ESS (68%)"), Column::Samples]);
    let target = has("ess_target").then_some(Column::Ess("ess_target", "ESS on target (68%)"));
    let ended = (has("ess") && cost.is_some()).then_some(Column::EndedBy);
    trained
        .into_iter()
        .flatten()
        .chain(target)
        .chain(methods(chains).into_iter().map(Column::Acceptance))
        .chain(methods(cost).into_iter().map(Column::Rate))
        .chain(ended)
        .chain(source.manifest.is_some().then_some(Column::Warnings))
        .collect()
}

impl Column<'_> {
    fn heading(&self) -> Heading {
        match self {
            Self::Ess(_, title) => Heading::number(*title),
            Self::Samples => Heading::number("training samples"),
            Self::Acceptance(method) => Heading::number(format!("acceptance, {method}")),
            Self::Rate(method) => Heading::number(format!("effective/s, {method}")),
            Self::EndedBy => Heading::text("ended by"),
            Self::Warnings => Heading::number("warnings"),
        }
    }

    fn field(&self, source: &Source<'_>, cell: &CellKeys) -> Field {
        let evaluated =
            |name: &str| last_evaluation(source, cell).map_or("", |(table, row)| table.field(name, row));
        match self {
            Self::Ess(name, _) => {
                let shown = last_evaluation(source, cell)
                    .and_then(|(table, row)| ess_with_interval(table, row, name));
                Field::Number(parsed(evaluated(name)), shown.unwrap_or_default())
            }
            Self::Samples => Field::count(evaluated("samples")),
            Self::Acceptance(method) => {
                let mut of_method = rows(source.run.chains.as_ref(), cell);
                let chain = of_method.find(|(table, row)| table.field("method", *row) == *method);
                Field::number(chain.map_or("", |(table, row)| table.field("acceptance", row)))
            }
            Self::Rate(method) => {
                let prices = prices(source, cell);
                let price = slowest(&prices).into_iter().find(|price| price.method == *method);
                Field::some(price.and_then(|price| price.number("effective_samples_per_s")), short)
            }
            Self::EndedBy => {
                let first = prices(source, cell).first().map(|price| price.field("stop_reason").to_owned());
                Field::Text(first.unwrap_or_default())
            }
            Self::Warnings => Field::some(warnings(source, cell), grouped),
        }
    }
}

/// How many warnings a cell has, if it is finished.
fn warnings(source: &Source<'_>, cell: &CellKeys) -> Option<f64> {
    let records = &source.manifest.as_ref()?.cells;
    let record = records.iter().find(|record| record.cell.to_string() == cell.number)?;
    Some(record.summary.warnings.len() as f64)
}
