//! What the tables of a run say of each of its cells.

use super::estimate::Estimate;
use crate::error::Result;
use crate::report::columns::Columns;
use crate::report::results::effective_samples;
use std::collections::BTreeMap;
use std::path::Path;

/// The tables, each with the column that comes after its keys.
pub const TABLES: [(&str, &str); 7] = [
    ("train.csv", "step"),
    ("ess.csv", "stage"),
    ("cost.csv", "method"),
    ("observables.csv", "method"),
    ("chains.csv", "method"),
    ("history.csv", "method"),
    ("weights.csv", "method"),
];

/// What stands for the method of results of the model itself.
pub const MODEL: &str = "model";

/// A cell of a run.
#[derive(Debug, Default)]
pub struct Found {
    /// The varied keys with their values.
    pub keys: Vec<(String, String)>,
    /// Numbers with errors, by method and name, in the order of the tables.
    pub estimates: Vec<(Name, Estimate)>,
    /// Numbers without.
    pub rates: Vec<(Name, f64)>,
    /// Digests of its rows in every table, without times and without where it ran.
    pub digests: BTreeMap<&'static str, blake3::Hasher>,
}

/// Method and name of a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub method: String,
    pub quantity: String,
}

impl Name {
    fn new(method: &str, quantity: &str) -> Self {
        Self { method: method.to_owned(), quantity: quantity.to_owned() }
    }
}

/// The cells of a run by their numbers, as text.
pub type Cells = BTreeMap<String, Found>;

/// Reads the tables of a run directory that there are.
///
/// # Errors
/// [`Error::BadFile`](crate::error::Error::BadFile) for a table that is not one, [`Error::Io`](crate::error::Error::Io).
pub fn cells(folder: &Path) -> Result<Cells> {
    let mut cells = Cells::new();
    for (name, first) in TABLES {
        let path = folder.join(name);
        if !std::fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() > 0) {
            continue;
        }
        let table = Columns::read(&path, first)?;
        digest(name, &table, &mut cells)?;
        match name {
            "ess.csv" => qualities(&table, &mut cells)?,
            "observables.csv" => observables(&table, &mut cells)?,
            "cost.csv" => costs(&table, &mut cells)?,
            "chains.csv" => numbers(&table, &["acceptance"], &mut cells)?,
            _ => {}
        }
    }
    Ok(cells)
}

/// Whether a column depends on the clock or on where it was computed.
fn is_of_the_machine(column: &str) -> bool {
    let is_time = column.ends_with("_s") || column.contains("_s_");
    is_time || ["threads", "device", "crossover_n_indep"].contains(&column)
}

fn digest(name: &'static str, table: &Columns, cells: &mut Cells) -> Result<()> {
    let kept: Vec<&String> = table.fixed().iter().filter(|column| !is_of_the_machine(column)).collect();
    let columns: Result<Vec<Vec<&str>>> = kept.iter().map(|column| table.texts(column)).collect();
    let columns = columns?;
    let keys: Vec<(&str, Vec<&str>)> =
        table.keys().map(|key| (key, table.key(key).unwrap_or_default())).collect();
    for row in 0..columns.first().map_or(0, Vec::len) {
        let found = cells.entry(table.cell(row).to_owned()).or_default();
        if found.keys.is_empty() {
            found.keys = keys.iter().map(|(key, texts)| ((*key).to_owned(), texts[row].to_owned())).collect();
        }
        let hasher = found.digests.entry(name).or_default();
        for (column, texts) in kept.iter().zip(&columns) {
            // A zero byte is in no table.
            hasher.update(format!("{column}\0{}\0", texts[row]).as_bytes());
        }
    }
    Ok(())
}

/// ESS by the model's own configurations, and by those of the target.
fn qualities(table: &Columns, cells: &mut Cells) -> Result<()> {
    let stages = table.texts("stage")?;
    let own = [estimates(table, "ess", "ess_err", ["ess_low", "ess_high"])?];
    let of_target = table
        .has("ess_target")
        .then(|| estimates(table, "ess_target", "ess_target_err", ["ess_target_low", "ess_target_high"]));
    for (quantity, found) in
        ["ess", "ess_target"].into_iter().zip(own.into_iter().chain(of_target.transpose()?))
    {
        for (row, estimate) in found.into_iter().enumerate().filter(|(row, _)| stages[*row] != "train_eval") {
            estimate
                .into_iter()
                .for_each(|estimate| push(cells, table, row, Name::new(MODEL, quantity), estimate));
        }
    }
    Ok(())
}

fn observables(table: &Columns, cells: &mut Cells) -> Result<()> {
    let (methods, names) = (table.texts("method")?, table.texts("observable")?);
    for (row, estimate) in estimates(table, "value", "error", ["low", "high"])?.into_iter().enumerate() {
        let name = Name::new(methods[row], names[row]);
        estimate.into_iter().for_each(|estimate| push(cells, table, row, name.clone(), estimate));
    }
    Ok(())
}

/// A column with its errors and its intervals, that of 95% in columns of the same names with `_95`.
fn estimates(
    table: &Columns,
    value: &str,
    error: &str,
    [low, high]: [&str; 2],
) -> Result<Vec<Option<Estimate>>> {
    let (values, errors) = (table.numbers(value)?, table.ends(error)?);
    let narrow = ends(table, low, high)?;
    let wide = ends(table, &format!("{low}_95"), &format!("{high}_95"))?;
    let estimate = |(row, value): (usize, Option<f64>)| {
        Some(Estimate::new(value?, errors[row].unwrap_or(0.0), narrow[row], wide[row]))
    };
    Ok(values.into_iter().enumerate().map(estimate).collect())
}

/// Ends of intervals, which tables of older versions do not have.
fn ends(table: &Columns, low: &str, high: &str) -> Result<Vec<Option<[f64; 2]>>> {
    if !table.has(low) {
        return Ok(vec![None; table.texts(&table.fixed()[0])?.len()]);
    }
    let ends = table.ends(low)?.into_iter().zip(table.ends(high)?);
    Ok(ends.map(|(low, high)| Some([low?, high?])).collect())
}

/// What training took, how fast each method samples, and how many of its samples count.
fn costs(table: &Columns, cells: &mut Cells) -> Result<()> {
    numbers(table, &["n_train", "setup_s"], cells)?;
    let methods = table.texts("method")?;
    for (row, seconds) in table.numbers("sample_s_per_configuration")?.into_iter().enumerate() {
        let rate = seconds.map(f64::recip).filter(|rate| rate.is_finite());
        rate.into_iter()
            .for_each(|rate| rated(cells, table, row, methods[row], "configurations_per_s", rate));
    }
    for value in effective_samples(table)? {
        rated(cells, table, value.row, &value.name, "effective_samples_per_s", value.y);
    }
    Ok(())
}

/// Columns of numbers without errors, by method.
fn numbers(table: &Columns, columns: &[&str], cells: &mut Cells) -> Result<()> {
    let methods = table.texts("method")?;
    for column in columns {
        for (row, number) in table.numbers(column)?.into_iter().enumerate() {
            number.into_iter().for_each(|number| rated(cells, table, row, methods[row], column, number));
        }
    }
    Ok(())
}

fn push(cells: &mut Cells, table: &Columns, row: usize, name: Name, estimate: Estimate) {
    cells.entry(table.cell(row).to_owned()).or_default().estimates.push((name, estimate));
}

/// Of several rows of a method, one for each observable, the first.
fn rated(cells: &mut Cells, table: &Columns, row: usize, method: &str, quantity: &str, number: f64) {
    let rates = &mut cells.entry(table.cell(row).to_owned()).or_default().rates;
    let name = Name::new(method, quantity);
    if !rates.iter().any(|(known, _)| *known == name) {
        rates.push((name, number));
    }
}
