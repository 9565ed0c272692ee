//! Quality against cost while training: figures, and what a level of the ESS cost.

use super::along::SEED;
use super::axis::Axis;
use super::columns::Columns;
use super::figure::Figure;
use super::run::Run;
use super::series::{Point, Series};
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
    /// Samples in units of those of the cheapest run with the same varied keys; none if there is no other.
    pub ratio: Option<f64>,
}

/// The rows of one cell.
pub struct Curve {
    /// Run and cell.
    label: String,
    /// The same without the seed and what all cells have in common.
    series: String,
    /// The varied keys with their values.
    varied: String,
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

/// ESS and loss against the samples drawn for training; curves of several seeds look the same.
pub fn figures(curves: &[Curve], levels: &[f64]) -> Vec<Figure> {
    let figure = |name: &str, y: Axis, levels: &[f64], of: &dyn Fn(&Curve) -> Vec<(f64, f64)>| {
        let series = curves.iter().map(|curve| Series {
            label: curve.series.clone(),
            points: of(curve).into_iter().map(|(x, y)| Point::new(x, y)).collect(),
            line: true,
            law_of: None,
        });
        let series: Vec<Series> = series.collect();
        let samples = series.iter().flat_map(|series| series.points.iter().map(|p| p.x));
        let x = Axis::wide("training samples", samples);
        Figure { name: name.into(), x, y, series, levels: levels.to_vec() }
    };
    let ess = Axis::from_zero("ESS of training batches, smoothed");
    vec![
        figure("training_ess", ess, levels, &|curve| {
            curve.samples().zip(curve.ess.iter().copied()).collect()
        }),
        figure("training_loss", Axis::plain("loss"), &[], &|curve| {
            let first = curve.samples().last().unwrap_or(0.0) * STEEP;
            let points = curve.samples().zip(curve.loss.iter().copied());
            points.filter(|(samples, _)| *samples >= first).collect()
        }),
    ]
}

/// The cost of every level in every cell of every run, level by level.
pub fn levels(curves: &[Curve], levels: &[f64]) -> Vec<Level> {
    let mut found = Vec::new();
    for &ess in levels {
        let first = |curve: &Curve| {
            let row = curve.ess.iter().position(|value| *value >= ess)?;
            Some(curve.cost[row])
        };
        for curve in curves {
            let alike: Vec<&Curve> = curves.iter().filter(|other| other.varied == curve.varied).collect();
            let cheapest =
                alike.iter().filter_map(|c| first(c)).map(|cost| cost[1]).fold(f64::INFINITY, f64::min);
            let reached = first(curve).map(|[steps, samples, flops, wall_s]| {
                let ratio = (alike.len() > 1).then_some(samples / cheapest);
                Reached { steps, samples, flops, wall_s, ratio }
            });
            found.push(Level { ess, run: curve.label.clone(), reached });
        }
    }
    found
}

/// A curve for each cell of each run.
///
/// # Errors
/// [`Error::BadFile`](crate::error::Error::BadFile) for a table that is not one.
pub fn curves(runs: &[Run]) -> Result<Vec<Curve>> {
    let mut curves = Vec::new();
    for run in runs {
        if let Some(table) = &run.train {
            curves.extend(of_table(run, table, runs.len() > 1)?);
        }
    }
    Ok(curves)
}

/// A curve for each cell; a row counts where its ESS is known.
fn of_table(run: &Run, table: &Columns, several: bool) -> Result<Vec<Curve>> {
    let (keys, apart): (Vec<&str>, Vec<&str>) = (table.keys().collect(), keys_apart(table));
    let names = ["step", "samples", "flops", "wall_s", "ess_smoothed", "loss"];
    let numbers: Result<Vec<Vec<Option<f64>>>> = names.iter().map(|name| table.numbers(name)).collect();
    let numbers = numbers?;
    let mut curves: Vec<(&str, Curve)> = Vec::new();
    for row in 0..numbers[0].len() {
        let found: Option<Vec<f64>> = numbers.iter().map(|column| column[row]).collect();
        let Some(found) = found else { continue };
        if curves.last().is_none_or(|(cell, _)| *cell != table.cell(row)) {
            let values = |keys: &[&str]| {
                let values = keys.iter().map(|key| format!("{key} = {}", table.text(key, row)));
                values.collect::<Vec<String>>().join(", ")
            };
            let called = |values: &str| match (several, values.is_empty()) {
                (_, true) => run.label.clone(),
                (true, false) => format!("{}, {values}", run.label),
                (false, false) => values.to_owned(),
            };
            let varied = values(&keys);
            let (label, series) = (called(&varied), called(&values(&apart)));
            let curve = Curve { label, series, varied, cost: vec![], ess: vec![], loss: vec![] };
            curves.push((table.cell(row), curve));
        }
        let (_, curve) = curves.last_mut().expect("one was just made");
        curve.cost.push([found[0], found[1], found[2], found[3]]);
        curve.ess.push(found[4]);
        curve.loss.push(found[5]);
    }
    Ok(curves.into_iter().map(|(_, curve)| curve).collect())
}

/// The keys that tell series apart: those with several values, but for the seed if there are others.
fn keys_apart(table: &Columns) -> Vec<&str> {
    let varies = |key: &&str| {
        let texts = table.key(key).unwrap_or_default();
        texts.iter().any(|text| *text != texts[0])
    };
    let varying: Vec<&str> = table.keys().filter(varies).collect();
    if varying == [SEED] { varying } else { varying.into_iter().filter(|key| *key != SEED).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::run::labelled;
    use super::*;

    /// Names of the series, and of the cells.
    fn names(keys: &str, cells: &[&str]) -> [Vec<String>; 2] {
        let folder = tempfile::tempdir().unwrap();
        let rows = cells.iter().enumerate();
        let rows = rows.map(|(cell, keys)| format!("{cell},{keys},1,100,1e6,0.1,0.3,-20\n"));
        let header = format!("cell,{keys},step,samples,flops,wall_s,ess_smoothed,loss\n");
        std::fs::write(folder.path().join("train.csv"), header + &rows.collect::<String>()).unwrap();
        std::fs::write(folder.path().join("spec.toml"), "").unwrap();
        let curves = curves(&labelled(&[folder.path().to_owned()]).unwrap()).unwrap();
        [|curve: &Curve| curve.series.clone(), |curve: &Curve| curve.label.clone()]
            .map(|name| curves.iter().map(name).collect())
    }

    #[test]
    fn seeds_of_a_series_have_one_name_and_levels_tell_them_apart() {
        let [series, cells] = names("study_stage,layers,seed", &["base,8,1", "base,8,2", "base,16,1"]);
        assert_eq!(series, ["layers = 8", "layers = 8", "layers = 16"]);
        assert_eq!(cells[1], "study_stage = base, layers = 8, seed = 2");
        let [series, _] = names("seed", &["1", "2"]);
        assert_eq!(series, ["seed = 1", "seed = 2"]);
    }
}
