//! Results of studies against a key that varies.

use super::columns::Columns;
use super::figure::{Axis, Figure, Point, Series};
use super::run::Run;
use crate::error::{Error, Result};

/// The key of repeats, which tells nothing apart.
const SEED: &str = "seed";

/// The key along the axis if there is a choice: other keys usually follow the volume.
const EXTENTS: &str = "extents";

/// A table of a run with what its series are called.
struct Source<'a> {
    run: &'a Run,
    label: String,
    table: Columns,
}

/// ESS and effective samples per second of finished cells, for runs with several.
///
/// # Errors
/// [`Error::BadFile`] for a table that is not one, [`Error::Usage`] for a key that does not vary over numbers.
pub fn figures(runs: &[Run], asked: Option<&str>) -> Result<Vec<Figure>> {
    let sources = |file: &str, first: &str| -> Result<Vec<Source<'_>>> {
        let mut found = Vec::new();
        for run in runs {
            let label = if runs.len() > 1 { run.label.clone() } else { String::new() };
            found.extend(run.table(file, first)?.map(|table| Source { run, label, table }));
        }
        Ok(found)
    };
    let (ess, cost) = (sources("ess.csv", "stage")?, sources("cost.csv", "method")?);
    // Without a model nothing has an ESS.
    let finished = if ess.is_empty() { &cost } else { &ess };
    let Some(key) = chosen(finished, asked)? else { return Ok(Vec::new()) };
    let figure =
        |name: &str, y: fn(&[Series]) -> Axis, sources: &[Source<'_>], of: Values| -> Result<Figure> {
            let mut series = Vec::new();
            for source in sources {
                for value in of(&source.table)? {
                    add(&mut series, source, &key, value)?;
                }
            }
            series.iter_mut().for_each(|s: &mut Series| s.points.sort_by(|a, b| a.x.total_cmp(&b.x)));
            let places = series.iter().flat_map(|series| series.points.iter().map(|p| p.x));
            let x = Axis::wide(&with_followers(sources, &key), places).without_zero();
            Ok(Figure { name: name.into(), x, y: y(&series), series, levels: vec![] })
        };
    let rate = |series: &[Series]| {
        let rates = series.iter().flat_map(|series| series.points.iter().map(|p| p.y));
        Axis::wide("effective samples per second of sampling", rates)
    };
    Ok(vec![
        figure("ess", |_| Axis::from_zero("ESS"), &ess, final_ess)?,
        figure("effective_samples", rate, &cost, effective_samples)?,
    ])
}

/// A result in a row of a table.
struct Value {
    row: usize,
    /// Part of the name of its series.
    name: String,
    y: f64,
    bar: Option<[f64; 2]>,
}

type Values = fn(&Columns) -> Result<Vec<Value>>;

fn final_ess(table: &Columns) -> Result<Vec<Value>> {
    let (stages, ess) = (table.texts("stage")?, table.numbers("ess")?);
    let bars: Vec<Option<[f64; 2]>> = match table.has("ess_low") {
        true => {
            let ends = table.numbers("ess_low")?.into_iter().zip(table.numbers("ess_high")?);
            ends.map(|(low, high)| Some([low?, high?])).collect()
        }
        // Tables of older versions have no interval.
        false => {
            let errors = table.numbers("ess_err")?.into_iter().zip(&ess);
            errors
                .map(|(error, ess)| error.zip(*ess).map(|(error, ess)| [ess - error, ess + error]))
                .collect()
        }
    };
    let rows = (0..stages.len()).filter(|row| ["final", "transfer"].contains(&stages[*row]));
    let value = |row: usize| Some(Value { row, name: String::new(), y: ess[row]?, bar: bars[row] });
    Ok(rows.filter_map(value).collect())
}

/// Of a chain the observable that has the fewest effective samples.
fn effective_samples(table: &Columns) -> Result<Vec<Value>> {
    let (methods, rates) = (table.texts("method")?, table.numbers("effective_samples_per_s")?);
    let mut least: Vec<Value> = Vec::new();
    for (row, method) in methods.into_iter().enumerate() {
        let Some(y) = rates[row] else { continue };
        let same = |value: &&mut Value| value.name == method && table.cell(value.row) == table.cell(row);
        match least.iter_mut().find(same) {
            Some(value) => value.y = value.y.min(y),
            None => least.push(Value { row, name: method.to_owned(), y, bar: None }),
        }
    }
    Ok(least)
}

/// The key along the axis: the one asked for, or the first that has several numbers.
fn chosen(sources: &[Source<'_>], asked: Option<&str>) -> Result<Option<String>> {
    let mut names: Vec<&str> = sources.iter().flat_map(|source| source.table.keys()).collect();
    names.sort_by_key(|name| (*name == SEED, *name != EXTENTS));
    names.dedup();
    let varies = |name: &&str| {
        let values = sources.iter().filter_map(|source| source.table.key(name)).flatten();
        let numbers: Option<Vec<f64>> = values.map(number).collect();
        numbers.is_some_and(|numbers| numbers.iter().any(|n| *n != numbers[0]))
    };
    let fitting: Vec<&str> = names.into_iter().filter(varies).collect();
    match asked {
        None => Ok(fitting.first().map(|name| (*name).to_owned())),
        Some(asked) if fitting.contains(&asked) => Ok(Some(asked.to_owned())),
        Some(asked) => Err(Error::Usage {
            message: format!("--x = {asked}: must vary over numbers in the finished cells"),
            hint: match fitting.is_empty() {
                true => "no key does in these runs: leave --x out".into(),
                false => format!("these do: {}", fitting.join(", ")),
            },
        }),
    }
}

/// Adds a result to its series: that of its run, its method, and the keys that vary at the same place of the axis.
fn add(all: &mut Vec<Series>, source: &Source<'_>, key: &str, value: Value) -> Result<()> {
    let table = &source.table;
    let x = table.key(key).and_then(|texts| number(texts[value.row])).ok_or_else(|| Error::Usage {
        message: format!("{}: has no numbers for the key `{key}`", source.run.folder.display()),
        hint: "choose a key that varies in all the runs with --x, or draw them apart".into(),
    })?;
    let others = table.keys().filter(|name| *name != key && *name != SEED && !follows(table, name, key));
    let others = others.map(|name| format!("{name} = {}", table.key(name).unwrap_or_default()[value.row]));
    let others = others.chain(length(table, key, value.row));
    let parts = [source.label.clone(), value.name].into_iter().chain(others).filter(|part| !part.is_empty());
    let label = parts.collect::<Vec<String>>().join(", ");
    let label = if label.is_empty() { source.run.label.clone() } else { label };
    let point = Point { x, y: value.y, bar: value.bar };
    match all.iter_mut().find(|series| series.label == label) {
        Some(series) => series.points.push(point),
        None => all.push(Series { label, points: vec![point], line: false }),
    }
    Ok(())
}

/// The length of a list, if lists of several lengths share the axis: lattices of several dimensions are no one curve.
fn length(table: &Columns, key: &str, row: usize) -> Option<String> {
    let lengths: Vec<usize> = table.key(key)?.iter().map(|text| text.split(',').count()).collect();
    let varies = lengths.iter().any(|length| *length != lengths[0]);
    varies.then(|| format!("number of {key} = {}", lengths[row]))
}

/// Whether a key has one value for each of another.
fn follows(table: &Columns, name: &str, key: &str) -> bool {
    let (Some(values), Some(keys)) = (table.key(name), table.key(key)) else { return false };
    let first = |row: usize| keys.iter().position(|text| *text == keys[row]).unwrap_or(row);
    (0..keys.len()).all(|row| values[row] == values[first(row)])
}

/// The name of the axis: the key, and those that follow it.
fn with_followers(sources: &[Source<'_>], key: &str) -> String {
    let Some(Source { table, .. }) = sources.first() else { return key.to_owned() };
    let varies =
        |name: &&str| table.key(name).is_some_and(|texts| texts.iter().any(|text| *text != texts[0]));
    let followers = table.keys().filter(|name| *name != key && *name != SEED && follows(table, name, key));
    let followers: Vec<&str> = followers.filter(varies).collect();
    if followers.is_empty() {
        key.to_owned()
    } else {
        format!("{key} (and with it {})", followers.join(", "))
    }
}

/// A number, or a list of equal numbers such as `[8, 8]`.
fn number(text: &str) -> Option<f64> {
    let list = text.trim_start_matches('[').trim_end_matches(']').split(',');
    let numbers: Option<Vec<f64>> = list.map(|part| part.trim().parse().ok()).collect();
    let numbers = numbers?;
    numbers.iter().all(|n| *n == numbers[0] && n.is_finite()).then(|| numbers[0])
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
