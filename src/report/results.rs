//! What the rows of a table say of finished cells.

use super::columns::Columns;
use super::series::Point;
use crate::error::Result;

/// The reason to stop of a cell that reached its ESS.
const REACHED: &str = "ess";

/// The stage of a model that was judged as it started, without a step.
const TRANSFER: &str = "transfer";

/// A result in a row of a table.
pub struct Value {
    /// The row.
    pub row: usize,
    /// Part of the name of its series.
    pub name: String,
    /// The number.
    pub y: f64,
    /// What its error leaves open.
    pub range: Option<[f64; 2]>,
    /// The true value is at least this.
    pub lower_bound: bool,
    /// Of a model as it was trained on another lattice.
    pub transferred: bool,
}

impl Value {
    /// A number of a row.
    pub fn new(row: usize, y: f64) -> Self {
        Self { row, name: String::new(), y, range: None, lower_bound: false, transferred: false }
    }
}

/// Reads the results of a table.
pub type Results<'a> = dyn Fn(&Columns) -> Result<Vec<Value>> + 'a;

/// ESS on fresh configurations, with the interval that holds the true one with 68.3%.
///
/// # Errors
/// [`Error::BadFile`](crate::error::Error::BadFile) for a table without the columns, or something else than numbers in them.
pub fn final_ess(table: &Columns) -> Result<Vec<Value>> {
    let (stages, ess) = (table.texts("stage")?, table.numbers("ess")?);
    let ranges = ranges(table, &ess)?;
    let rows = (0..stages.len()).filter(|row| ["final", TRANSFER].contains(&stages[*row]));
    let value = |row: usize| {
        let transferred = stages[row] == TRANSFER;
        Some(Value { range: ranges[row], transferred, ..Value::new(row, ess[row]?) })
    };
    Ok(rows.filter_map(value).collect())
}

/// The intervals of ESS that hold the true one with 68.3%.
fn ranges(table: &Columns, ess: &[Option<f64>]) -> Result<Vec<Option<[f64; 2]>>> {
    if table.has("ess_low") {
        let ends = table.numbers("ess_low")?.into_iter().zip(table.numbers("ess_high")?);
        return Ok(ends.map(|(low, high)| Some([low?, high?])).collect());
    }
    // Tables of older versions have no interval.
    let errors = table.numbers("ess_err")?.into_iter().zip(ess);
    Ok(errors.map(|(error, ess)| error.zip(*ess).map(|(error, ess)| [ess - error, ess + error])).collect())
}

/// ESS on fresh configurations against the samples drawn for training until then, with the rows; nothing of a model that was not
/// trained, or from a table without the column.
///
/// # Errors
/// As of [`final_ess`].
pub fn judged(table: &Columns) -> Result<Vec<(usize, Point)>> {
    if !table.has("samples") {
        return Ok(Vec::new());
    }
    let (samples, ess) = (table.numbers("samples")?, table.numbers("ess")?);
    let ranges = ranges(table, &ess)?;
    let point = |row: usize| {
        let x = samples[row].filter(|samples| *samples > 0.0)?;
        Some((row, Point { range: ranges[row], ..Point::new(x, ess[row]?) }))
    };
    Ok((0..table.count()).filter_map(point).collect())
}

/// Effective samples per second by each method, with one standard error of the effective size, times being exact; of a chain the
/// observable that has the fewest.
///
/// # Errors
/// As of [`final_ess`].
pub fn effective_samples(table: &Columns) -> Result<Vec<Value>> {
    let (methods, rates) = (table.texts("method")?, table.numbers("effective_samples_per_s")?);
    let errors = relative_errors(table)?;
    let mut least: Vec<Value> = Vec::new();
    for (row, method) in methods.into_iter().enumerate() {
        let Some(y) = rates[row] else { continue };
        let range = errors[row].map(|error| [y * (1.0 - error).max(0.0), y * (1.0 + error)]);
        let same = |value: &&mut Value| value.name == method && table.cell(value.row) == table.cell(row);
        match least.iter_mut().find(same) {
            Some(value) if value.y > y => (value.y, value.range) = (y, range),
            Some(_) => {}
            None => least.push(Value { name: method.to_owned(), range, ..Value::new(row, y) }),
        }
    }
    Ok(least)
}

/// The error of the effective size in units of it; tables of older versions have none.
fn relative_errors(table: &Columns) -> Result<Vec<Option<f64>>> {
    if !table.has("ess_per_configuration_err") {
        return Ok(vec![None; table.count()]);
    }
    let sizes = table.numbers("ess_per_configuration")?.into_iter();
    // An error that is not known may be infinite.
    let errors = table.ends("ess_per_configuration_err")?;
    let ratios = sizes.zip(errors).map(|(size, error)| Some(error? / size?));
    Ok(ratios.map(|ratio| ratio.filter(|ratio| ratio.is_finite())).collect())
}

/// Samples that the training of a cell took until it reached its ESS, without those of the model it started from; of one that was
/// stopped before a lower bound. Nothing if no cell reached its ESS, or all at the same cost.
///
/// # Errors
/// As of [`final_ess`].
pub fn training_cost(table: &Columns) -> Result<Vec<Value>> {
    if !table.has("n_train") {
        return Ok(Vec::new());
    }
    let (samples, reasons) = (table.numbers("n_train")?, table.texts("stop_reason")?);
    let mut found: Vec<Value> = Vec::new();
    for (row, samples) in samples.into_iter().enumerate() {
        // Methods without a model, and cells that only judge one, have none.
        let Some(y) = samples.filter(|samples| *samples > 0.0) else { continue };
        if !found.iter().any(|value| table.cell(value.row) == table.cell(row)) {
            found.push(Value { lower_bound: reasons[row] != REACHED, ..Value::new(row, y) });
        }
    }
    let reached = found.iter().any(|value| !value.lower_bound);
    let varies = found.iter().any(|value| value.y != found[0].y);
    Ok(if reached && varies { found } else { Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(rows: &[&str]) -> Vec<(usize, bool, f64)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cost.csv");
        std::fs::write(&path, format!("cell,method,n_train,stop_reason\n{}\n", rows.join("\n"))).unwrap();
        let found = training_cost(&Columns::read(&path, "method").unwrap()).unwrap();
        found.into_iter().map(|value| (value.row, value.lower_bound, value.y)).collect()
    }

    #[test]
    fn the_cost_of_training_is_one_number_for_a_cell_that_trained() {
        let rows = ["0,direct,100,ess", "0,independence,100,ess", "0,hmc,0,ess", "1,direct,300,ess"];
        assert_eq!(costs(&rows), [(0, false, 100.0), (3, false, 300.0)]);
        // A model that was only judged took no training.
        assert_eq!(costs(&[&rows[..], &["2,direct,0,steps"]].concat()).len(), 2);
    }

    #[test]
    fn of_a_cell_that_did_not_reach_its_ess_a_bound_is_known() {
        let found = costs(&["0,direct,100,ess", "1,direct,300,seconds"]);
        assert_eq!(found, [(0, false, 100.0), (1, true, 300.0)]);
        assert_eq!(costs(&["0,direct,100,steps", "1,direct,300,steps"]), []);
        assert_eq!(costs(&["0,direct,100,ess", "1,direct,100,ess"]), []);
    }

    #[test]
    fn effective_samples_have_the_error_of_their_effective_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cost.csv");
        let rows = "cell,method,ess_per_configuration,ess_per_configuration_err,effective_samples_per_s\n\
                    0,hmc,0.5,0.125,800\n0,hmc,0.25,0.125,400\n0,direct,0.5,inf,100\n";
        std::fs::write(&path, rows).unwrap();
        let found = effective_samples(&Columns::read(&path, "method").unwrap()).unwrap();
        let found: Vec<_> = found.into_iter().map(|value| (value.y, value.range)).collect();
        assert_eq!(found, [(400.0, Some([200.0, 600.0])), (100.0, None)]);
    }
}
