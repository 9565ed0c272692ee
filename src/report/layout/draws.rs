//! Layouts of what was drawn: histories of chains, and histograms of weights.

use super::super::axis::Axis;
use super::super::columns::Columns;
use super::super::figure::Figure;
use super::super::run::Run;
use super::super::series::{Point, Series};
use super::rows::{Labels, check_count};
use crate::error::Result;

/// The first chain of every method, a panel for each observable.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn chain(runs: &[Run]) -> Result<Vec<Figure>> {
    let mut observables: Vec<&str> = Vec::new();
    for table in runs.iter().filter_map(|run| run.history.as_ref()) {
        for name in table.texts("observable")? {
            if !observables.contains(&name) {
                observables.push(name);
            }
        }
    }
    observables.into_iter().map(|name| history(runs, name)).collect()
}

/// The history of an observable along the first chain of every method.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn history(runs: &[Run], observable: &str) -> Result<Figure> {
    let mut series: Vec<Series> = Vec::new();
    for run in runs {
        let Some(table) = &run.history else { continue };
        let (names, chains) = (table.texts("observable")?, table.texts("chain")?);
        let rows = (0..table.count()).filter(|row| names[*row] == observable && chains[*row] == "0");
        let rows: Vec<usize> = rows.collect();
        let (steps, values) = (table.numbers("step")?, table.numbers("value")?);
        let labels = Labels::new(run, table, &rows, runs.len() > 1);
        let mut last = None;
        for row in rows {
            let (Some(x), Some(y)) = (steps[row], values[row]) else { continue };
            // Cells of one name are lines of their own.
            let chain = (table.cell(row), table.field("method", row));
            if last != Some(chain) {
                let label = labels.of(row, table.field("method", row));
                series.push(Series { label, points: Vec::new(), line: true, law_of: None });
                last = Some(chain);
            }
            series.last_mut().expect("one was just made").points.push(Point::new(x, y));
        }
    }
    check_count(&series)?;
    let y = Axis::plain(&observable.replace('_', " "));
    Ok(Figure::new(observable, (Axis::counts("step of the chain"), y), series))
}

/// The densities of `log w` of configurations of the model, and of the same as their weights count.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn weights(runs: &[Run]) -> Result<Vec<Figure>> {
    let mut series: Vec<Series> = Vec::new();
    for run in runs {
        let Some(table) = &run.weights else { continue };
        let rows: Vec<usize> = (0..table.count()).collect();
        let labels = Labels::new(run, table, &rows, runs.len() > 1);
        for cells in rows.chunk_by(|a, b| table.cell(*a) == table.cell(*b)) {
            for (kind, density) in densities(table, cells)? {
                let points = density.into_iter().filter(|point| point.y > 0.0).collect();
                series.push(Series { label: labels.of(cells[0], kind), points, line: true, law_of: None });
            }
        }
    }
    check_count(&series)?;
    let axes = (Axis::plain("log w"), Axis::logarithmic("density"));
    Ok(vec![Figure::new("weights", axes, series)])
}

/// The densities of a cell at the middle of every bin.
fn densities(table: &Columns, rows: &[usize]) -> Result<[(&'static str, Vec<Point>); 2]> {
    let [low, high] = [table.numbers("log_w_low")?, table.numbers("log_w_high")?];
    let [counts, shares] = [table.numbers("configurations")?, table.numbers("weight_share")?];
    let total: f64 = rows.iter().filter_map(|row| counts[*row]).sum();
    let density = |of: &[Option<f64>], total: f64| {
        let point = |row: &usize| {
            let (low, high) = (low[*row]?, high[*row]?);
            Some(Point::new((low + high) / 2.0, of[*row]? / total / (high - low)))
        };
        rows.iter().filter_map(point).collect::<Vec<Point>>()
    };
    Ok([("model", density(&counts, total)), ("reweighted", density(&shares, 1.0))])
}
