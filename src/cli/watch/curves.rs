//! Points of a cell for the chart: what is asked for against what is asked for.

use super::choices::{Across, Choices, Quantity};
use crate::report::live::{CellFiles, Evaluation, TrainPoint};

/// The part of a training, at its beginning, whose loss and gradients do not set the scale: they would flatten the rest.
const STEEP: f64 = 0.1;

/// Points that belong together.
#[derive(Debug, PartialEq)]
pub struct Curve {
    /// What it is, where there may be several.
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
            line("training", |point| point.ess_smoothed),
            of_fresh("fresh", 'o', |found| Some(found.ess)),
            of_fresh("target samples", 'x', |found| found.ess_target),
        ],
        Quantity::Loss => vec![line("", |point| point.loss)],
        Quantity::LearningRate => vec![line("", |point| point.learning_rate)],
        Quantity::BatchSize => vec![line("", |point| point.batch_size)],
        Quantity::GradNorm => vec![line("", |point| point.grad_norm)],
        Quantity::Observables | Quantity::Warnings => Vec::new(),
    };
    curves.retain(|curve| !curve.points.is_empty());
    curves
}

/// What the axes have to hold; nothing without points.
pub fn ends(curves: &[Curve], quantity: Quantity) -> Option<[[f64; 2]; 2]> {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    let (_, right) = least_and_most(points().map(|(x, _)| x))?;
    let begins_steeply = matches!(quantity, Quantity::Loss | Quantity::GradNorm);
    let settled = points().filter(|(x, _)| !begins_steeply || *x >= STEEP * right);
    let (low, high) = least_and_most(settled.map(|(_, y)| y))?;
    // Only the loss has no zero that means something.
    Some([[0.0, right.max(0.0)], [if quantity == Quantity::Loss { low } else { low.min(0.0) }, high]])
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
        Across::Seconds => files.training.time_of(found.step),
    }
}

fn finite(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
}

fn least_and_most(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |ends, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((value.min(low), value.max(high)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_hold_all_points_but_those_of_a_steep_start() {
        let curve = |points: Vec<(f64, f64)>| [Curve { name: "", sign: None, points }];
        let curves = curve(vec![(5.0, 900.0), (10.0, 10.0), (100.0, -10.0)]);
        assert_eq!(ends(&curves, Quantity::Loss), Some([[0.0, 100.0], [-10.0, 10.0]]));
        assert_eq!(ends(&curves, Quantity::GradNorm).unwrap()[1], [-10.0, 10.0]);
        assert_eq!(ends(&curves, Quantity::Ess).unwrap()[1], [-10.0, 900.0]);
        assert_eq!(ends(&curve(vec![(3.0, 0.5)]), Quantity::Ess), Some([[0.0, 3.0], [0.0, 0.5]]));
        assert_eq!(ends(&[], Quantity::Ess), None);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let points = [(1.0, f64::NAN), (2.0, 0.5), (f64::INFINITY, 1.0)];
        assert_eq!(finite(points.into_iter()), [(2.0, 0.5)]);
    }
}
