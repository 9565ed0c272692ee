//! Layouts of observables that are many numbers: correlators with effective masses, and charges.

use super::super::axis::Axis;
use super::super::canvas::Width;
use super::super::columns::Columns;
use super::super::figure::Figure;
use super::super::names::Names;
use super::super::run::Run;
use super::super::series::{Point, Series};
use super::super::sheet::Sheet;
use crate::error::{Error, Result};

/// Series that can be told apart.
const MOST: usize = 24;

/// What the exact values are called.
const EXACT: &str = "exact";

/// Two-point functions above effective masses, against the time.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn correlator(runs: &[Run]) -> Result<Sheet> {
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
        Ok(Figure::new(prefix, (Axis::plain("t/a"), y), series))
    });
    Ok(Sheet { name: String::new(), panels: panels.collect::<Result<_>>()?, width: Width::Column })
}

/// Probabilities of the sizes of topological charges.
///
/// # Errors
/// As of [`super::Layout::sheet`].
pub fn charge(runs: &[Run]) -> Result<Sheet> {
    let axes = (Axis::plain("|Q|"), Axis::from_zero("P(|Q|)"));
    let panel = Figure::new("charge", axes, numbered(runs, "charge_probability_")?);
    Ok(Sheet { name: String::new(), panels: vec![panel], width: Width::Column })
}

/// The observables `PREFIX_n` against n: a series for each method and cell, and the exact values of each cell, if they are known, on a
/// line.
///
/// # Errors
/// [`Error::Usage`] for more series than can be told apart, [`Error::BadFile`] for a table that is not one.
fn numbered(runs: &[Run], prefix: &str) -> Result<Vec<Series>> {
    let (mut found, mut exact) = (Vec::new(), Vec::new());
    for run in runs {
        let Some(table) = &run.observables else { continue };
        let name = if runs.len() > 1 { run.label.as_str() } else { "" };
        add(table, name, prefix, &mut found, &mut exact)?;
    }
    let count = found.len();
    if count > MOST {
        return Err(Error::Usage {
            message: format!("{count} methods and cells are more than can be told apart in one figure"),
            hint: "choose some with --where KEY=VALUE, e.g. --where cell=0".into(),
        });
    }
    found.extend(exact);
    found.iter_mut().for_each(|series: &mut Series| series.arrange(None));
    Ok(found)
}

fn add(
    table: &Columns,
    run: &str,
    prefix: &str,
    found: &mut Vec<Series>,
    exact: &mut Vec<Series>,
) -> Result<()> {
    let (methods, names) = (table.texts("method")?, table.texts("observable")?);
    let [values, known] = [table.numbers("value")?, table.ends("exact")?];
    let ranges = ranges(table, &values)?;
    let of = |row: &usize| names[*row].strip_prefix(prefix).and_then(|n| n.parse::<u32>().ok());
    let rows: Vec<usize> = (0..table.count()).filter(|row| of(row).is_some()).collect();
    let varies = |texts: &dyn Fn(usize) -> String| rows.iter().any(|row| texts(*row) != texts(rows[0]));
    let keys: Vec<&str> = table.keys().filter(|key| varies(&|row| table.text(key, row).to_owned())).collect();
    let several_methods = varies(&|row| methods[row].to_owned());
    for row in rows {
        let n = f64::from(of(&row).expect("a number"));
        let texts = keys.iter().map(|key| (key, table.text(key, row))).filter(|(_, text)| !text.is_empty());
        let texts: Vec<String> = texts.map(|(key, text)| Names::Symbols.assignment(key, text)).collect();
        let label = |kind: &str| {
            let parts = [run, kind].into_iter().filter(|part| !part.is_empty()).map(str::to_owned);
            parts.chain(texts.iter().cloned()).collect::<Vec<String>>().join(", ")
        };
        let own = if several_methods || (keys.is_empty() && run.is_empty()) { methods[row] } else { "" };
        if let Some(y) = values[row] {
            let point = Point { range: ranges[row], ..Point::new(n, y) };
            push(found, label(own), point, false);
        }
        if let Some(y) = known[row].filter(|y| y.is_finite()) {
            push(exact, label(EXACT), Point::new(n, y), true);
        }
    }
    Ok(())
}

/// Adds a point to the series of this name, once at every place of a line.
fn push(all: &mut Vec<Series>, label: String, point: Point, line: bool) {
    match all.iter_mut().find(|series| series.label == label) {
        Some(series) if line && series.points.iter().any(|known| known.x == point.x) => {}
        Some(series) => series.points.push(point),
        None => all.push(Series { label, points: vec![point], line, law_of: None }),
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
