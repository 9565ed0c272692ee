//! One self-contained HTML page of runs: what was asked, what came out, figures, costs, and how to repeat it.

mod asked;
mod cells;
mod costs;
mod crossover;
mod curves;
mod document;
mod environment;
mod markup;
mod measured;
mod plots;
mod prices;
mod quality;
mod source;
mod theory;
mod thin;
mod warnings;

use super::gather::Gathered;
use super::run::labelled;
use crate::error::Result;
use document::{Section, document};
use maud::{Markup, html};
use source::Source;
use std::path::PathBuf;

/// What to report on.
#[derive(Debug, Clone)]
pub struct PageRequest<'a> {
    /// Run directories; several share their figures.
    pub runs: &'a [PathBuf],
    /// Values of the ESS to mark in the figure of training.
    pub levels: &'a [f64],
    /// The varied key along the axis of studies, or `1/KEY`.
    pub key: Option<&'a str>,
}

/// The text of the page. It depends on nothing but the files of the runs, and needs nothing else to be read.
///
/// # Errors
/// [`Error::Usage`](crate::error::Error::Usage) for a folder that is no run directory or a key that does not vary,
/// [`Error::BadFile`](crate::error::Error::BadFile) for a table or a manifest that is not one,
/// [`Error::Io`](crate::error::Error::Io).
pub fn page(request: &PageRequest<'_>) -> Result<String> {
    let runs = labelled(request.runs)?;
    let sources = runs.iter().map(Source::read).collect::<Result<Vec<Source<'_>>>>()?;
    let gathered = Gathered::new(&runs, request.levels, request.key)?;
    let plots = plots::plots(&gathered)?;
    let sections = match sources.as_slice() {
        [source] => of_one(source, plots.section()),
        several => of_several(several, plots.section()),
    };
    Ok(document(&sources, &sections, &plots.data))
}

/// The sections of a page of one run.
fn of_one(source: &Source<'_>, figures: Section) -> Vec<Section> {
    vec![
        Section::new("asked", "What was asked", asked::asked(source)),
        Section::new("warnings", "Warnings", warnings::warnings(source)),
        Section::new("results", "What came out", results(source)),
        figures,
        Section::new("costs", "Costs", costs::costs(source)),
        Section::new("environment", "Environment", environment::environment(source)),
        Section::new("repeat", "How to repeat it", environment::repeat(source)),
    ]
}

/// A part of what is said of a run.
type Part = fn(&Source<'_>) -> Markup;

/// The sections of a page of several runs: warnings and figures of all, then each run for itself.
fn of_several(sources: &[Source<'_>], figures: Section) -> Vec<Section> {
    let warnings =
        html! { @for source in sources { h3 { (source.run.label) } (warnings::warnings(source)) } };
    let mut sections = vec![Section::new("warnings", "Warnings", warnings), figures];
    for (number, source) in sources.iter().enumerate() {
        let parts: [(&str, Part); 5] = [
            ("What was asked", asked::asked),
            ("What came out", results),
            ("Costs", costs::costs),
            ("Environment", environment::environment),
            ("How to repeat it", environment::repeat),
        ];
        let body = html! { @for (title, part) in parts { h3 { (title) } (part(source)) } };
        sections.push(Section::new(&format!("run-{number}"), &source.run.label, body));
    }
    sections
}

/// What came out of one cell, or of each.
fn results(source: &Source<'_>) -> Markup {
    match source.cells.as_slice() {
        [] => html! { p { "There are no results yet." } },
        [cell] => html! { (quality::quality(source, cell)) (measured::measured(source, cell)) },
        _ => cells::cells(source),
    }
}
