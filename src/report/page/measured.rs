//! The observables of a cell by method, side by side, with exact values and pulls.

use super::super::columns::Columns;
use super::markup::{Field, Purpose, boxed, parsed};
use super::source::{CellKeys, Source, rows};
use crate::theory::is_of_time;
use maud::{Markup, html};

/// Standard errors from which on a value is marked.
const FAR: f64 = 3.0;

/// A row of `observables.csv`.
type Row<'t> = (&'t Columns, usize);

/// The tables of a cell: what is a number, then what is a function of the time.
pub fn measured(source: &Source<'_>, cell: &CellKeys) -> Markup {
    let found: Vec<Row<'_>> = rows(source.run.observables.as_ref(), cell).collect();
    let (of_time, others): (Vec<Row<'_>>, Vec<Row<'_>>) =
        found.into_iter().partition(|(table, row)| is_of_time(table.field("observable", *row)));
    // All digits of a study are in its table.
    let purpose = if source.is_study() { Purpose::Read } else { Purpose::Digits };
    let title = |text: &str| match source.is_study() {
        true => format!("{text}, cell {}", cell.number),
        false => text.to_owned(),
    };
    html! {
        @if !others.is_empty() { (by_method(&title("Observables"), purpose, &others)) }
        @if !of_time.is_empty() {
            details {
                summary { "Functions of the time (" (of_time.len()) " values)" }
                (by_method(&title("Functions of the time"), purpose, &of_time))
            }
        }
    }
}

/// A row for each observable, and columns for each method.
fn by_method(caption: &str, purpose: Purpose, rows: &[Row<'_>]) -> Markup {
    let beside = Beside::new(rows);
    let lines: Vec<Vec<Field>> = once(rows, "observable").into_iter().map(|name| beside.line(name)).collect();
    boxed(caption, purpose, beside.head(), &lines)
}

/// Methods side by side.
struct Beside<'a> {
    rows: &'a [Row<'a>],
    parts: Vec<Parts<'a>>,
    is_exact: bool,
}

impl<'a> Beside<'a> {
    fn new(rows: &'a [Row<'a>]) -> Self {
        let has = |column: &str, method: &str| {
            let mut of_method = rows.iter().filter(|(table, row)| table.field("method", *row) == method);
            of_method.any(|(table, row)| parsed(table.field(column, *row)).is_some())
        };
        let part = |method| Parts { method, tau: has("tau_int", method), pull: has("pull", method) };
        let parts: Vec<Parts<'_>> = once(rows, "method").into_iter().map(part).collect();
        let is_exact = parts.iter().any(|part| has("exact", part.method));
        Self { rows, parts, is_exact }
    }

    fn line(&self, name: &str) -> Vec<Field> {
        let of_name = || self.rows.iter().filter(|(table, row)| table.field("observable", *row) == name);
        let of = |method: &str| of_name().find(|(table, row)| table.field("method", *row) == method);
        let mut exact = of_name().map(|(table, row)| table.field("exact", *row));
        let exact =
            self.is_exact.then(|| Field::number(exact.find(|exact| !exact.is_empty()).unwrap_or_default()));
        let found = self.parts.iter().flat_map(|part| part.fields(of(part.method)));
        std::iter::once(Field::Text(name.to_owned())).chain(exact).chain(found).collect()
    }

    fn head(&self) -> Markup {
        html! {
            tr {
                th scope="col" rowspan="2" { "Observable" }
                @if self.is_exact { th.n scope="col" rowspan="2" { "exact" } }
                @for part in &self.parts { th.group scope="colgroup" colspan=(part.columns()) { (part.method) } }
            }
            tr {
                @for part in &self.parts {
                    th.n scope="col" { "value" }
                    @if part.pull { th.n scope="col" { "pull" } }
                    @if part.tau { th.n scope="col" { "τ" } }
                }
            }
        }
    }
}

/// What is shown of a method.
struct Parts<'a> {
    method: &'a str,
    tau: bool,
    pull: bool,
}

impl Parts<'_> {
    fn columns(&self) -> usize {
        1 + usize::from(self.tau) + usize::from(self.pull)
    }

    fn fields(&self, row: Option<&Row<'_>>) -> Vec<Field> {
        let text = |name: &str| row.map_or("", |(table, row)| table.field(name, *row));
        let mut fields = vec![Field::measured(text("value"), text("error"))];
        if self.pull {
            fields.push(pull(parsed(text("pull"))));
        }
        if self.tau {
            let tau = [text("tau_int"), text("tau_int_exact")].into_iter().filter_map(parsed);
            fields.push(Field::some(tau.reduce(f64::max), |tau| format!("{tau:.2}")));
        }
        fields
    }
}

/// A pull, which is marked if it is large: not by its colour alone.
fn pull(pull: Option<f64>) -> Field {
    match pull {
        Some(pull) if pull.abs() > FAR => Field::Marked(pull, format!("{pull:+.1} σ !")),
        pull => Field::some(pull, |pull| format!("{pull:+.1} σ")),
    }
}

/// The texts of a column, each once, as they come.
pub fn once<'t>(rows: &[Row<'t>], name: &str) -> Vec<&'t str> {
    rows.iter().map(|(table, row)| table.field(name, *row)).fold(Vec::new(), |mut seen, text| {
        if !seen.contains(&text) {
            seen.push(text);
        }
        seen
    })
}
