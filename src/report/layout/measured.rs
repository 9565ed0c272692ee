//! Layouts of observables that are many numbers: correlators with effective masses, and charges.

use super::super::axis::Axis;
use super::super::columns::Columns;
use super::super::figure::Figure;
use super::super::run::Run;
use super::super::series::{Point, Series};
use super::draws::history;
use super::rows::{Labels, check_count};
use crate::error::Result;

/// What the exact values are called.
const EXACT: &str = "exact";

/// Two-point functions above effective masses, against the time.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn correlator(runs: &[Run]) -> Result<Vec<Figure>> {
    let kinds = [
        ("two_point_", "two-point function C(t)"),
        ("pseudoscalar_", "pseudoscalar correlator C(t)"),
        ("effective_mass_", "effective mass am(t)"),
    ];
    let panels = kinds.into_iter().map(|(prefix, label)| {
        let series = numbered(runs, prefix)?;
        let mut values = series.iter().flat_map(|series| series.points.iter().map(|point| point.y));
        let is_correlator = prefix != "effective_mass_" && values.all(|value| value > 0.0);
        let y = if is_correlator { Axis::logarithmic(label) } else { Axis::plain(label) };
        Ok(of_numbers(prefix, (Axis::whole("t/a"), y), series))
    });
    panels.collect()
}

/// The charge along chains, above the probabilities of its sizes.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn charge(runs: &[Run]) -> Result<Vec<Figure>> {
    let axes = (Axis::whole("|Q|"), Axis::from_zero("P(|Q|)"));
    let panel = of_numbers("charge", axes, numbered(runs, "charge_probability_")?);
    let panels = vec![history(runs, "topological_charge")?, panel];
    Ok(panels)
}

/// A figure in which broken lines are exact values.
fn of_numbers(name: &str, axes: (Axis, Axis), series: Vec<Series>) -> Figure {
    Figure { law: EXACT.to_owned(), beside: true, ..Figure::new(name, axes, series) }
}

/// The observables `PREFIX_n` against n: a series for each method and cell, and the exact values of each cell, if they are known, on a
/// line.
///
/// # Errors
/// As of [`super::Layout::sheet`].
fn numbered(runs: &[Run], prefix: &str) -> Result<Vec<Series>> {
    let (mut found, mut exact) = (Vec::new(), Vec::new());
    for run in runs {
        let Some(table) = &run.observables else { continue };
        add((run, table), runs.len() > 1, prefix, &mut found, &mut exact)?;
    }
    check_count(&found)?;
    found.extend(exact);
    found.iter_mut().for_each(|series: &mut Series| series.arrange(None));
    Ok(found)
}

fn add(
    (run, table): (&Run, &Columns),
    several: bool,
    prefix: &str,
    found: &mut Vec<Series>,
    exact: &mut Vec<Series>,
) -> Result<()> {
    let (methods, names) = (table.texts("method")?, table.texts("observable")?);
    let [values, known] = [table.numbers("value")?, table.ends("exact")?];
    let ranges = ranges(table, &values)?;
    let of = |row: &usize| names[*row].strip_prefix(prefix).and_then(|n| n.parse::<u32>().ok());
    let rows: Vec<usize> = (0..table.count()).filter(|row| of(row).is_some()).collect();
    let labels = Labels::new(run, table, &rows, several);
    let several_methods = rows.iter().any(|row| methods[*row] != methods[rows[0]]);
    for row in rows {
        let n = f64::from(of(&row).expect("a number"));
        let own = if several_methods || labels.are_empty() { methods[row] } else { "" };
        let label = labels.of(row, own);
        if let Some(y) = values[row] {
            let point = Point { range: ranges[row], ..Point::new(n, y) };
            push(found, &label, None, point);
        }
        if let Some(y) = known[row].filter(|y| y.is_finite()) {
            push(exact, &labels.of(row, EXACT), Some(label), Point::new(n, y));
        }
    }
    Ok(())
}

/// Adds a point to the series of this name; to a law, a line in the colour of the first series that it is of, once at every place.
fn push(all: &mut Vec<Series>, label: &str, law_of: Option<String>, point: Point) {
    match all.iter_mut().find(|series| series.label == label) {
        Some(series) if series.law_of.is_some() && series.points.iter().any(|known| known.x == point.x) => {}
        Some(series) => series.points.push(point),
        None => {
            let line = law_of.is_some();
            all.push(Series { label: label.to_owned(), points: vec![point], line, law_of });
        }
    }
}

/// Intervals of 68.3%, or in older tables standard errors.
fn ranges(table: &Columns, values: &[Option<f64>]) -> Result<Vec<Option<[f64; 2]>>> {
    if table.has("low") {
        let ends = table.ends("low")?.into_iter().zip(table.ends("high")?);
        let finite = |range: &[f64; 2]| range.iter().all(|end| end.is_finite());
        return Ok(ends.map(|(low, high)| Some([low?, high?]).filter(finite)).collect());
    }
    let errors = table.ends("error")?.into_iter().zip(values);
    Ok(errors.map(|(error, y)| Some([(*y)? - error?, (*y)? + error?])).collect())
}
