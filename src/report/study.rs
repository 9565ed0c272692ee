//! Results of studies against the key that varies.

use super::Run;
use super::columns::Columns;
use super::figure::{Axis, Figure, Point, Series};
use crate::error::{Error, Result};

/// A row of a table as a point.
struct Value<'a> {
    series: String,
    cell: &'a str,
    x: f64,
    y: f64,
    error: Option<f64>,
}

/// ESS and effective samples per second of finished cells, for runs with several.
///
/// # Errors
/// [`Error::BadFile`] for a table that is not one, [`Error::Usage`] for a key that does not vary in any run.
pub fn figures(runs: &[Run], key: Option<&str>) -> Result<Vec<Figure>> {
    let (mut ess, mut cost, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for run in runs {
        let prefix = if runs.len() > 1 { format!("{}, ", run.label) } else { String::new() };
        if let Some(table) = run.table("ess.csv")?
            && let Some((name, x)) = along(&table, "stage", key)?
        {
            keys.push(name);
            ess.extend(final_ess(&run.label, &table, &x)?);
        }
        if let Some(table) = run.table("cost.csv")?
            && let Some((_, x)) = along(&table, "method", key)?
        {
            cost.extend(effective_samples(&prefix, &table, &x)?);
        }
    }
    match (keys.first(), key) {
        (Some(name), _) => {
            let figure = |file: &str, y: Axis, series: Vec<Series>| Figure {
                name: file.into(),
                x: Axis::plain(name),
                y,
                series,
                levels: vec![],
            };
            let rates: Vec<f64> = cost.iter().flat_map(|s: &Series| s.points.iter().map(|p| p.y)).collect();
            Ok(vec![
                figure("ess", Axis::from_zero("ESS"), ess),
                figure(
                    "effective_samples",
                    Axis::wide("effective samples per second", rates.into_iter()),
                    cost,
                ),
            ])
        }
        (None, Some(key)) => Err(Error::Usage {
            message: format!("--x = {key}: does not vary over numbers in the finished cells of any run"),
            hint: "name a column between `cell` and `stage` of ess.csv".into(),
        }),
        (None, None) => Ok(Vec::new()),
    }
}

/// The key along the axis and its value in every row: the one asked for, or the first with different numbers in all cells.
fn along(table: &Columns, first: &str, asked: Option<&str>) -> Result<Option<(String, Vec<f64>)>> {
    let cells = table.texts("cell")?;
    for key in table.keys(first)?.iter().filter(|key| asked.is_none_or(|asked| asked == key.as_str())) {
        let values: Option<Vec<f64>> = table.texts(key)?.into_iter().map(number).collect();
        let Some(values) = values else { continue };
        let mut points: Vec<(&str, f64)> = cells.iter().copied().zip(values.iter().copied()).collect();
        points.dedup();
        points.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)));
        points.dedup();
        let distinct = points.windows(2).all(|pair| pair[0].1 != pair[1].1);
        if points.len() > 1 && (distinct || asked.is_some()) {
            return Ok(Some((key.clone(), values)));
        }
    }
    Ok(None)
}

/// A number, or a list of equal numbers such as `[8, 8]`.
fn number(text: &str) -> Option<f64> {
    let list = text.trim_start_matches('[').trim_end_matches(']').split(',');
    let numbers: Option<Vec<f64>> = list.map(|part| part.trim().parse().ok()).collect();
    let numbers = numbers?;
    numbers.iter().all(|n| *n == numbers[0] && n.is_finite()).then(|| numbers[0])
}

fn final_ess(label: &str, table: &Columns, x: &[f64]) -> Result<Vec<Series>> {
    let (stages, cells) = (table.texts("stage")?, table.texts("cell")?);
    let (ess, errors) = (table.numbers("ess")?, table.numbers("ess_err")?);
    let rows = (0..x.len()).filter(|row| stages[*row] == "final");
    let values = rows.filter_map(|row| {
        Some(Value {
            series: label.to_owned(),
            cell: cells[row],
            x: x[row],
            y: ess[row]?,
            error: errors[row],
        })
    });
    Ok(grouped(values))
}

/// Of a chain the observable that has the fewest effective samples.
fn effective_samples(prefix: &str, table: &Columns, x: &[f64]) -> Result<Vec<Series>> {
    let (methods, cells) = (table.texts("method")?, table.texts("cell")?);
    let rates = table.numbers("effective_samples_per_s")?;
    let mut least: Vec<Value<'_>> = Vec::new();
    for row in 0..x.len() {
        let Some(y) = rates[row] else { continue };
        let series = format!("{prefix}{}", methods[row]);
        match least.iter_mut().find(|value| value.series == series && value.cell == cells[row]) {
            Some(value) => value.y = value.y.min(y),
            None => least.push(Value { series, cell: cells[row], x: x[row], y, error: None }),
        }
    }
    Ok(grouped(least.into_iter()))
}

/// The values by series, along the axis.
fn grouped<'a>(values: impl Iterator<Item = Value<'a>>) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for Value { series: label, x, y, error, .. } in values {
        let point = Point { x, y, error };
        match all.iter_mut().find(|series| series.label == label) {
            Some(series) => series.points.push(point),
            None => all.push(Series { label, points: vec![point], line: false }),
        }
    }
    all.iter_mut().for_each(|series| series.points.sort_by(|a, b| a.x.total_cmp(&b.x)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_equal_numbers_is_a_number() {
        assert_eq!(number("[8, 8]"), Some(8.0));
        assert_eq!(number("1.5"), Some(1.5));
        assert_eq!(number("[8, 16]"), None);
        assert_eq!(number("paper"), None);
        assert_eq!(number("inf"), None);
    }
}
