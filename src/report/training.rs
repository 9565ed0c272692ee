//! Quality against cost while training: figures, and what a level of the ESS cost.

use super::axis::Axis;
use super::curve::Curve;
use super::figure::Figure;
use super::names::Names;
use super::series::{Point, Series};
use serde::Serialize;

/// What is along the axis.
const SAMPLES: &str = "training samples";

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

/// ESS and loss against the samples drawn for training, with the ESS on fresh configurations where it was judged; curves of several
/// seeds look the same.
pub fn figures(curves: &[Curve], levels: &[f64]) -> Vec<Figure> {
    let samples = curves.iter().flat_map(Curve::samples);
    // Both have the same axis, though one begins later.
    let is_log = Axis::wide(SAMPLES, samples).log;
    let x = || if is_log { Axis::logarithmic(SAMPLES) } else { Axis::from_zero(SAMPLES) };
    let line = |curve: &Curve, points: Vec<Point>| Series {
        label: curve.series(Names::Columns),
        points,
        line: true,
        law_of: None,
    };
    let ess = curves.iter().map(|curve| line(curve, curve.ess_points()));
    let fresh = curves.iter().filter(|curve| !curve.fresh.is_empty());
    let fresh = fresh.map(|curve| Series { line: false, ..line(curve, curve.fresh.clone()) });
    let series: Vec<Series> = ess.chain(fresh).collect();
    let has_fresh = series.iter().any(|series| !series.line);
    let y = Axis::from_zero("ESS of training batches, smoothed");
    let notes = has_fresh.then(|| "points: fresh configurations".to_owned()).into_iter().collect();
    let ess = Figure { levels: levels.to_vec(), notes, ..Figure::new("training_ess", (x(), y), series) };
    let loss = curves.iter().map(|curve| line(curve, curve.loss_points())).collect();
    vec![ess, Figure::new("training_loss", (x(), Axis::plain("loss")), loss)]
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
            let alike: Vec<&Curve> = curves.iter().filter(|other| other.varied() == curve.varied()).collect();
            let cheapest =
                alike.iter().filter_map(|c| first(c)).map(|cost| cost[1]).fold(f64::INFINITY, f64::min);
            let reached = first(curve).map(|[steps, samples, flops, wall_s]| {
                let ratio = (alike.len() > 1).then_some(samples / cheapest);
                Reached { steps, samples, flops, wall_s, ratio }
            });
            found.push(Level { ess, run: curve.label(), reached });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::curve::curves;
    use super::super::run::labelled;
    use super::*;

    #[test]
    fn the_ess_on_fresh_configurations_stands_beside_that_of_batches_on_axes_of_one_kind() {
        let folder = tempfile::tempdir().unwrap();
        let train = "cell,step,samples,flops,wall_s,ess_smoothed,loss\n\
                     0,1,100,1e6,0.1,0.1,-10\n0,2,90000,1e9,9,0.5,-20\n0,3,100000,1e9,9,0.6,-21\n";
        let ess = "cell,stage,samples,ess,ess_low,ess_high\n\
                   0,train_eval,90000,0.25,0.2,0.3\n0,final,100000,0.5,0.4,0.6\n";
        for (name, text) in [("spec.toml", ""), ("train.csv", train), ("ess.csv", ess)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let curves = curves(&labelled(&[folder.path().to_owned()]).unwrap()).unwrap();
        let [ess, loss] = <[Figure; 2]>::try_from(figures(&curves, &[])).ok().unwrap();
        let fresh = &ess.series[1];
        assert_eq!(fresh.label, ess.series[0].label);
        assert_eq!(fresh.points[0], Point { range: Some([0.2, 0.3]), ..Point::new(90000.0, 0.25) });
        assert_eq!((fresh.points.len(), ess.remarks().len()), (2, 1));
        // The loss of the first row is not drawn, which would leave an axis of less than a decade.
        assert_eq!(loss.series[0].points.len(), 2);
        assert!(ess.x.log && loss.x.log);
    }
}
