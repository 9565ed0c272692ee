//! Quality against cost while training: figures, and what a level of the ESS cost.

use super::Run;
use super::columns::Columns;
use super::figure::{Axis, Figure, Point, Series};
use crate::error::Result;
use serde::Serialize;

/// The part of a run, by samples, whose loss is left out of the figure: it would flatten the rest.
const STEEP: f64 = 0.01;

/// What it took to reach an ESS.
#[derive(Debug, Clone, Serialize)]
pub struct Level {
    /// The ESS of a batch, smoothed.
    pub ess: f64,
    /// Run and cell.
    pub run: String,
    /// What it took; nothing if it was not reached.
    pub reached: Option<Reached>,
}

/// The first row of a run at or above a level.
#[derive(Debug, Clone, Serialize)]
pub struct Reached {
    /// Optimizer steps.
    pub steps: f64,
    /// Samples drawn for training.
    pub samples: f64,
    /// Their cost.
    pub flops: f64,
    /// Seconds.
    pub wall_s: f64,
    /// Samples in units of those of the cheapest run.
    pub ratio: f64,
}

/// The rows of one cell.
struct Curve {
    label: String,
    /// Steps, samples, FLOPs, seconds.
    cost: Vec<[f64; 4]>,
    ess: Vec<f64>,
    loss: Vec<f64>,
}

impl Curve {
    fn samples(&self) -> impl Iterator<Item = f64> + '_ {
        self.cost.iter().map(|cost| cost[1])
    }
}

/// ESS and loss against the samples drawn for training.
///
/// # Errors
/// [`Error::BadFile`](crate::error::Error::BadFile) for a table that is not one.
pub fn figures(runs: &[Run], levels: &[f64]) -> Result<Vec<Figure>> {
    let curves = curves(runs)?;
    let figure = |name: &str, y: Axis, levels: &[f64], of: &dyn Fn(&Curve) -> Vec<(f64, f64)>| {
        let point = |(x, y)| Point { x, y, error: None };
        let series = curves.iter().map(|curve| Series {
            label: curve.label.clone(),
            points: of(curve).into_iter().map(point).collect(),
            line: true,
        });
        let series: Vec<Series> = series.collect();
        let samples = series.iter().flat_map(|series| series.points.iter().map(|p| p.x));
        let x = Axis::wide("training samples", samples);
        Figure { name: name.into(), x, y, series, levels: levels.to_vec() }
    };
    let ess = Axis::from_zero("ESS, smoothed over 250 steps");
    Ok(vec![
        figure("training_ess", ess, levels, &|curve| {
            curve.samples().zip(curve.ess.iter().copied()).collect()
        }),
        figure("training_loss", Axis::plain("loss"), &[], &|curve| {
            let first = curve.samples().last().unwrap_or(0.0) * STEEP;
            let points = curve.samples().zip(curve.loss.iter().copied());
            points.filter(|(samples, _)| *samples >= first).collect()
        }),
    ])
}

/// The cost of every level in every cell of every run, level by level.
///
/// # Errors
/// As of [`figures`].
pub fn levels(runs: &[Run], levels: &[f64]) -> Result<Vec<Level>> {
    let curves = curves(runs)?;
    let mut found = Vec::new();
    for &ess in levels {
        let first =
            |curve: &Curve| curve.ess.iter().position(|value| *value >= ess).map(|row| curve.cost[row]);
        let cheapest = curves.iter().filter_map(first).map(|cost| cost[1]).fold(f64::INFINITY, f64::min);
        found.extend(curves.iter().map(|curve| {
            let reached = |[steps, samples, flops, wall_s]: [f64; 4]| Reached {
                steps,
                samples,
                flops,
                wall_s,
                ratio: samples / cheapest,
            };
            Level { ess, run: curve.label.clone(), reached: first(curve).map(reached) }
        }));
    }
    Ok(found)
}

fn curves(runs: &[Run]) -> Result<Vec<Curve>> {
    let mut curves = Vec::new();
    for run in runs {
        if let Some(table) = run.table("train.csv")? {
            curves.extend(of_table(run, &table, runs.len() > 1)?);
        }
    }
    Ok(curves)
}

/// A curve for each cell; a row counts where its ESS is known.
fn of_table(run: &Run, table: &Columns, several: bool) -> Result<Vec<Curve>> {
    let keys = table.keys("step")?;
    let values: Result<Vec<Vec<&str>>> = keys.iter().map(|key| table.texts(key)).collect();
    let (values, cells) = (values?, table.texts("cell")?);
    let names = ["step", "samples", "flops", "wall_s", "ess_smoothed", "loss"];
    let numbers: Result<Vec<Vec<Option<f64>>>> = names.iter().map(|name| table.numbers(name)).collect();
    let numbers = numbers?;
    let mut curves: Vec<(&str, Curve)> = Vec::new();
    for row in 0..cells.len() {
        let found: Option<Vec<f64>> = numbers.iter().map(|column| column[row]).collect();
        let Some(found) = found else { continue };
        if curves.last().is_none_or(|(cell, _)| *cell != cells[row]) {
            let varied = keys.iter().zip(&values).map(|(key, values)| format!("{key} = {}", values[row]));
            let parts = several.then(|| run.label.clone()).into_iter().chain(varied);
            let label = parts.collect::<Vec<String>>().join(", ");
            let label = if label.is_empty() { run.label.clone() } else { label };
            curves.push((cells[row], Curve { label, cost: vec![], ess: vec![], loss: vec![] }));
        }
        let (_, curve) = curves.last_mut().expect("one was just made");
        curve.cost.push([found[0], found[1], found[2], found[3]]);
        curve.ess.push(found[4]);
        curve.loss.push(found[5]);
    }
    Ok(curves.into_iter().map(|(_, curve)| curve).collect())
}
