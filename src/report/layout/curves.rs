//! Layouts of training curves: Figs. 1 and 4 of A22, and ESS above loss.

use super::super::axis::Axis;
use super::super::curve::{Curve, curves};
use super::super::figure::Figure;
use super::super::names::Names;
use super::super::run::Run;
use super::super::series::{Point, Series, Spread};
use crate::error::Result;
use crate::spec::STAGE;

/// The levels of Fig. 1.
const LEVELS: [f64; 2] = [0.2, 0.6];

/// What is along the horizontal axis.
const COST: &str = "training cost [samples]";

/// ESS of training batches against samples, with 0.2 and 0.6 marked unless other levels are asked for.
///
/// # Errors
/// As of [`curves`].
pub fn fig1(runs: &[Run], levels: &[f64]) -> Result<Vec<Figure>> {
    let curves = curves(runs)?;
    let levels = if levels.is_empty() { &LEVELS } else { levels };
    Ok(vec![panel(&curves.iter().collect::<Vec<_>>(), levels)])
}

/// The same with a panel for each stage.
///
/// # Errors
/// As of [`curves`].
pub fn fig4(runs: &[Run], levels: &[f64]) -> Result<Vec<Figure>> {
    let mut stages: Vec<(String, Vec<Curve>)> = Vec::new();
    for curve in curves(runs)? {
        let stage = curve.value(STAGE).unwrap_or_default().to_owned();
        match stages.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, of_stage)) => of_stage.push(curve),
            None => stages.push((stage, vec![curve])),
        }
    }
    let panels = stages.into_iter().map(|(stage, mut of_stage)| {
        forget_common(&mut of_stage);
        let notes =
            if stage.is_empty() { Vec::new() } else { vec![format!("stage {}", stage.replace('_', " "))] };
        Figure { notes, ..panel(&of_stage.iter().collect::<Vec<_>>(), levels) }
    });
    Ok(panels.collect())
}

/// Leaves out of the names what all curves have in common.
fn forget_common(curves: &mut [Curve]) {
    let keys: Vec<String> =
        curves.first().map(|curve| curve.keys().map(str::to_owned).collect()).unwrap_or_default();
    for key in keys {
        if curves.iter().all(|curve| curve.value(&key) == curves[0].value(&key)) {
            curves.iter_mut().for_each(|curve| curve.forget(&key));
        }
    }
}

/// ESS on batches and on fresh configurations, and loss.
///
/// # Errors
/// As of [`curves`].
pub fn training(runs: &[Run], levels: &[f64]) -> Result<Vec<Figure>> {
    let curves = curves(runs)?;
    let all: Vec<&Curve> = curves.iter().collect();
    let mut ess = panel(&all, levels);
    let fresh = curves.iter().filter(|curve| !curve.fresh.is_empty()).map(|curve| Series {
        label: curve.series(Names::Symbols),
        points: curve.fresh.clone(),
        line: false,
        law_of: None,
    });
    ess.series.extend(fresh);
    if ess.series.iter().any(|series| !series.line) {
        ess.notes.push("points: fresh configurations".into());
    }
    let axes = (Axis::counts(COST), Axis::plain("loss"));
    let loss = Figure::new("loss", axes, merged(&all, Curve::loss_points));
    Ok(vec![ess, Figure { spread: Spread::StandardError, ..loss }])
}

fn panel(curves: &[&Curve], levels: &[f64]) -> Figure {
    let axes = (Axis::counts(COST), Axis::from_zero("ESS"));
    let (levels, spread) = (levels.to_vec(), Spread::StandardError);
    Figure { levels, spread, ..Figure::new("ess", axes, merged(curves, Curve::ess_points)) }
}

/// A curve for each name: the mean of several seeds, as far as all of them go and have rows at the same samples; if they never do, each
/// for itself.
fn merged(curves: &[&Curve], points: fn(&Curve) -> Vec<Point>) -> Vec<Series> {
    let mut named: Vec<(String, Vec<Vec<Point>>)> = Vec::new();
    for curve in curves {
        let label = curve.series(Names::Symbols);
        match named.iter_mut().find(|(name, _)| *name == label) {
            Some((_, all)) => all.push(points(curve)),
            None => named.push((label, vec![points(curve)])),
        }
    }
    let series = |label: &String, points| Series { label: label.clone(), points, line: true, law_of: None };
    let of_name = |(label, all): (String, Vec<Vec<Point>>)| {
        let mut mean = series(&label, all.concat());
        mean.arrange(Some(Spread::StandardError));
        mean.points.retain(|point| point.seeds == all.len());
        match mean.points.is_empty() {
            true => all.into_iter().map(|points| series(&label, points)).collect(),
            false => vec![mean],
        }
    };
    named.into_iter().flat_map(of_name).collect()
}
