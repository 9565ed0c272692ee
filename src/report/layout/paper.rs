//! Layouts of results along a key: Figs. 3 and 5 to 8 of A22.

use super::super::along::Along;
use super::super::axis::Axis;
use super::super::column::{Column, Errors};
use super::super::columns::Columns;
use super::super::figure::Figure;
use super::super::names::Names;
use super::super::results::{Results, Value, effective_samples, final_ess, training_cost};
use super::super::run::Run;
use super::super::series::Spread;
use super::super::source::{Of, sources};
use super::super::study::{self, Kind, View};
use crate::error::Result;

/// Which stages of a study are drawn.
#[derive(Clone, Copy, PartialEq)]
enum Stages {
    /// All.
    All,
    /// Those along which the key varies: not the models that others start from.
    Varied,
}

/// A panel: what it is called, and the table and results that it shows.
type Part<'a> = (Kind, Of, &'a Results<'a>);

/// The method of chains of proposals of a model.
const CHAIN: &str = "independence";

const OF_ESS: Of = |run| run.ess.as_ref();
const OF_COST: Of = |run| run.cost.as_ref();

/// Training samples of the retraining to a target ESS against 1/λ.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn fig3(runs: &[Run], key: Option<&str>) -> Result<Vec<Figure>> {
    let axis = |label: &str, _| Axis::logarithmic(label);
    let cost = Kind { name: "training_cost", y: "training cost [samples]", axis };
    panels(runs, key.unwrap_or("1/coupling"), Stages::Varied, vec![(cost, OF_COST, &training_cost)])
}

/// ESS after so many steps of retraining against λ.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn fig5(runs: &[Run], key: Option<&str>) -> Result<Vec<Figure>> {
    let ess = Kind { name: "ess", y: "ESS", axis: |label, _| Axis::plain(label) };
    panels(runs, key.unwrap_or("coupling"), Stages::Varied, vec![(ess, OF_ESS, &final_ess)])
}

/// ESS above effective samples per second, against λ.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn fig6(runs: &[Run], key: Option<&str>) -> Result<Vec<Figure>> {
    let ess = Kind { name: "ess", y: "ESS", axis: |label, _| Axis::from_zero(label) };
    let axis = |label: &str, values: Vec<f64>| Axis::cost(label, values.into_iter()).counted();
    let rates = Kind { name: "effective_samples", y: "effective samples / s", axis };
    let parts: Vec<Part<'_>> = vec![(ess, OF_ESS, &final_ess), (rates, OF_COST, &effective_samples)];
    panels(runs, key.unwrap_or("coupling"), Stages::All, parts)
}

/// ESS of fixed models above the pion mass, against L.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn fig7(runs: &[Run], key: Option<&str>) -> Result<Vec<Figure>> {
    let ess = Kind { name: "ess", y: "ESS", axis: |label, _| Axis::logarithmic(label) };
    let mass = Kind { name: "pion_mass", y: "aM_π", axis: |label, _| Axis::plain(label) };
    let masses = |table: &Columns| {
        let mut found = Column::of_observable("pion_mass").values(table, Errors::Own, &[])?;
        // Where both are there, chains need no large weights to have been met.
        let is_of_chain = |value: &Value| table.field("method", value.row) == CHAIN;
        if found.iter().any(is_of_chain) {
            found.retain(is_of_chain);
            found.iter_mut().for_each(|value| value.name.clear());
        }
        Ok(found)
    };
    let parts: Vec<Part<'_>> =
        vec![(ess, OF_ESS, &final_ess), (mass, |run| run.observables.as_ref(), &masses)];
    panels(runs, key.unwrap_or("extents"), Stages::Varied, parts)
}

/// ESS against the number of couplings.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn fig8(runs: &[Run], key: Option<&str>) -> Result<Vec<Figure>> {
    let ess = Kind { name: "ess", y: "ESS", axis: |label, _| Axis::from_zero(label) };
    panels(runs, key.unwrap_or("layers"), Stages::All, vec![(ess, OF_ESS, &final_ess)])
}

/// The panels of some parts along a key, on axes of one kind.
fn panels(runs: &[Run], key: &str, stages: Stages, parts: Vec<Part<'_>>) -> Result<Vec<Figure>> {
    let mut panels = Vec::new();
    if let Some(along) = study::along(runs, Some(key))? {
        let kinds = parts.into_iter().map(|(kind, of, results)| {
            let mut found = sources(runs, of, results, &along)?;
            if stages == Stages::Varied {
                found.iter_mut().for_each(|source| source.keep_varied(&along));
            }
            Ok((kind, found))
        });
        let kinds: Vec<_> = kinds.collect::<Result<_>>()?;
        let places = study::places(kinds.iter().flat_map(|(_, found)| found), &along);
        let view = view(&along, runs.len() > 1);
        for (kind, found) in kinds {
            panels.push(study::figure(&kind, &view, found, &places)?);
        }
        panels.iter_mut().for_each(|panel| panel.joined = true);
    }
    Ok(panels)
}

fn view(along: &Along, several: bool) -> View<'_> {
    View { along, names: Names::Symbols, spread: Spread::StandardError, several }
}
