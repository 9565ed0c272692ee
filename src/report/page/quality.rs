//! How good a model is: its ESS on fresh configurations and on those of the target.

use super::super::columns::Columns;
use super::super::digits::{grouped, short, with_error};
use super::markup::{list, parsed};
use super::source::{CellKeys, Source, rows};
use maud::{Markup, html};

/// The stages of an evaluation that is the last one.
const LAST: [&str; 2] = ["final", "transfer"];

/// The row of the last evaluation of a cell.
pub fn last_evaluation<'t>(source: &'t Source<'_>, cell: &CellKeys) -> Option<(&'t Columns, usize)> {
    rows(source.run.ess.as_ref(), cell)
        .filter(|(table, row)| LAST.contains(&table.field("stage", *row)))
        .last()
}

/// ESS with the ends of its interval, if it has one.
pub fn ess_with_interval(table: &Columns, row: usize, name: &str) -> Option<String> {
    let number = |end: &str| parsed(table.field(&format!("{name}{end}"), row));
    let ess = number("")?;
    Some(match (number("_low"), number("_high"), number("_err")) {
        (Some(low), Some(high), _) => format!("{} ({} … {})", short(ess), short(low), short(high)),
        (_, _, Some(error)) => with_error(ess, error, "±"),
        _ => short(ess),
    })
}

/// The model of a cell, if there is one.
pub fn quality(source: &Source<'_>, cell: &CellKeys) -> Markup {
    let Some((table, row)) = last_evaluation(source, cell) else { return html! {} };
    let number = |name: &str| parsed(table.field(name, row));
    let shown = |name: &str, show: fn(f64) -> String| number(name).map(show).unwrap_or_default();
    let pareto = number("pareto_k").zip(number("pareto_k_err")).map(|(k, error)| with_error(k, error, "±"));
    let fresh = ess_with_interval(table, row, "ess").unwrap_or_default();
    let n = shown("n", grouped);
    let entries = [
        ("ESS on fresh configurations, with what holds it with 68%", format!("{fresh}, of {n}")),
        (
            "ESS on configurations of the target",
            ess_with_interval(table, row, "ess_target").unwrap_or_default(),
        ),
        ("Pareto shape of the largest weights", pareto.unwrap_or_default()),
        (
            "Share of the largest weight",
            shown("max_weight_share", |share| format!("{}%", short(100.0 * share))),
        ),
        ("D_KL(q‖p)", shown("kl", short)),
        ("Acceptance of independence Metropolis", shown("acceptance", short)),
        ("Training steps", shown("step", grouped)),
        ("Training samples", shown("samples", grouped)),
    ];
    list(&entries)
}
