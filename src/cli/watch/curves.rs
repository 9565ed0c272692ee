//! Points of a cell for the chart: what is asked for against what is asked for.

use super::choices::{Across, Choices, Quantity};
use crate::report::live::{CellFiles, Evaluation, TrainPoint};

/// The part of a training, at its beginning, whose loss does not set the scale: it would flatten the rest.
const STEEP: f64 = 0.01;

/// Points that belong together.
#[derive(Debug, PartialEq)]
pub struct Curve {
    /// What it is.
    pub name: &'static str,
    /// Drawn as a line, or as single points of this sign.
    pub sign: Option<char>,
    /// In the order of the axis.
    pub points: Vec<(f64, f64)>,
}

/// Curves of a cell with something in them.
pub fn curves(files: &CellFiles, choices: Choices) -> Vec<Curve> {
    let line = |name: &'static str, y: fn(&TrainPoint) -> f64| Curve {
        name,
        sign: None,
        points: finite(files.training.points().map(|point| (place(point, choices.across), y(point)))),
    };
    let of_fresh = |name: &'static str, sign: char, y: fn(&Evaluation) -> Option<f64>| {
        let places =
            files.evaluations.iter().map(|found| Some((found_at(files, found, choices.across)?, y(found)?)));
        Curve { name, sign: Some(sign), points: finite(places.flatten()) }
    };
    let mut curves = match choices.quantity {
        Quantity::Ess => vec![
            line("smoothed", |point| point.ess_smoothed),
            of_fresh("fresh", 'o', |found| Some(found.ess)),
            of_fresh("target", 'x', |found| found.ess_target),
        ],
        Quantity::Loss => vec![line("loss", |point| point.loss)],
        Quantity::LearningRate => vec![line("learning rate", |point| point.learning_rate)],
        Quantity::BatchSize => vec![line("batch size", |point| point.batch_size)],
        Quantity::GradNorm => vec![line("gradient norm", |point| point.grad_norm)],
    };
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

/// Ends of the axes; nothing without points.
pub fn bounds(curves: &[Curve], quantity: Quantity) -> Option<[[f64; 2]; 2]> {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let (_, right) = ends(points().map(|(x, _)| x))?;
    let right = if right > 0.0 { right } else { 1.0 };
    let settled = points().filter(|(x, _)| quantity != Quantity::Loss || *x >= STEEP * right);
    let (low, high) = ends(settled.map(|(_, y)| y))?;
    let margin = 0.05 * if high > low { high - low } else { high.abs().max(1e-12) };
    let low = if quantity == Quantity::Loss { low - margin } else { low.min(0.0) };
    Some([[0.0, right], [low, high + margin]])
}

fn place(point: &TrainPoint, across: Across) -> f64 {
    match across {
        Across::Steps => point.step,
        Across::Samples => point.samples,
        Across::Seconds => point.wall_s,
    }
}

/// Where an evaluation was; its time is that of the training then.
fn found_at(files: &CellFiles, found: &Evaluation, across: Across) -> Option<f64> {
    match across {
        Across::Steps => Some(found.step),
        Across::Samples => Some(found.samples),
        Across::Seconds if found.step == 0.0 => Some(0.0),
        Across::Seconds => {
            files.training.points().find(|point| point.step >= found.step).map(|point| point.wall_s)
        }
    }
}

fn finite(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |ends, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_hold_all_points_but_those_of_a_steep_start_of_the_loss() {
        let curve = |points: Vec<(f64, f64)>| [Curve { name: "", sign: None, points }];
        let curves = curve(vec![(0.5, 900.0), (1.0, 10.0), (100.0, -10.0)]);
        assert_eq!(bounds(&curves, Quantity::Loss), Some([[0.0, 100.0], [-11.0, 11.0]]));
        assert_eq!(bounds(&curves, Quantity::GradNorm).unwrap()[1][0], -10.0);
        let flat = bounds(&curve(vec![(0.0, 0.0)]), Quantity::Ess).unwrap();
        assert!(flat.iter().all(|[low, high]| high > low), "{flat:?}");
        assert_eq!(bounds(&[], Quantity::Ess), None);
    }
}
