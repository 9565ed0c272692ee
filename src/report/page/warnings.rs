//! What a reader has to know before trusting the figures.

use super::source::Source;
use crate::study::Manifest;
use maud::{Markup, html};

/// Warnings that are shown at once.
const SHOWN: usize = 8;

/// A warning and the cells that have it.
struct Warning<'a> {
    text: &'a str,
    cells: Vec<String>,
}

/// The section: what is missing, then what the run warned of.
pub fn warnings(source: &Source<'_>) -> Markup {
    let missing = missing(source);
    let warnings = source.manifest.as_ref().map(of_cells).unwrap_or_default();
    let is_study = source.is_study();
    let line = |warning: &Warning<'_>| {
        html! {
            li { @if is_study { strong { (cells(&warning.cells)) ": " } } (warning.text) }
        }
    };
    let (shown, more) = warnings.split_at(warnings.len().min(SHOWN));
    html! {
        @if missing.is_empty() && warnings.is_empty() { p.fine { "None." } }
        @else {
            ul.warnings {
                @for text in &missing { li { (text) } }
                @for warning in shown { (line(warning)) }
            }
        }
        @if !more.is_empty() {
            details {
                summary { (more.len()) " more" }
                ul.warnings { @for warning in more { (line(warning)) } }
            }
        }
    }
}

/// What there is no result of.
fn missing(source: &Source<'_>) -> Vec<String> {
    let Some(manifest) = &source.manifest else {
        return vec![
            "There is no manifest.json: nothing is known of where this ran and what it warned of.".into(),
        ];
    };
    let failed = manifest.failed.iter().map(|cell| {
        let values = cell.values.to_string();
        let values = if values.is_empty() { values } else { format!(" ({values})") };
        format!("Cell {}{values} failed: {}", cell.cell, cell.reason)
    });
    let unfinished = manifest.finished.is_none().then(|| match manifest.cells.len() {
        0 => "The run is not finished: these are the rows that it has written so far.".into(),
        count => format!("The run is not finished: {count} of its cells are."),
    });
    unfinished.into_iter().chain(failed).collect()
}

/// The warnings of all cells, each once.
fn of_cells(manifest: &Manifest) -> Vec<Warning<'_>> {
    let mut found: Vec<Warning<'_>> = Vec::new();
    for record in &manifest.cells {
        for text in &record.summary.warnings {
            let cell = record.cell.to_string();
            match found.iter_mut().find(|known| known.text == text) {
                Some(known) => known.cells.push(cell),
                None => found.push(Warning { text, cells: vec![cell] }),
            }
        }
    }
    found
}

fn cells(numbers: &[String]) -> String {
    let plural = if numbers.len() == 1 { "Cell" } else { "Cells" };
    format!("{plural} {}", numbers.join(", "))
}
