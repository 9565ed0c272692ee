//! The training of one cell as its tables have it.

use super::along::SEED;
use super::columns::Columns;
use super::names::Names;
use super::results::judged;
use super::run::Run;
use super::series::Point;
use crate::error::Result;

/// The part of a run, by samples, whose loss is left out of figures: it would flatten the rest.
const STEEP: f64 = 0.01;

/// A key and the text of its value.
type Assignment = (String, String);

/// The rows of one cell.
pub struct Curve {
    /// The run, if there are several.
    run: Option<String>,
    /// What the run is called.
    alone: String,
    /// The varied keys.
    varied: Vec<Assignment>,
    /// Those that tell it from other cells.
    apart: Vec<Assignment>,
    /// Steps, samples, FLOPs, seconds.
    pub cost: Vec<[f64; 4]>,
    pub ess: Vec<f64>,
    pub loss: Vec<f64>,
    /// ESS on fresh configurations.
    pub fresh: Vec<Point>,
}

impl Curve {
    /// Samples drawn for training at every row.
    pub fn samples(&self) -> impl Iterator<Item = f64> + '_ {
        self.cost.iter().map(|cost| cost[1])
    }

    /// ESS of training batches against samples.
    pub fn ess_points(&self) -> Vec<Point> {
        self.samples().zip(&self.ess).map(|(x, y)| Point::new(x, *y)).collect()
    }

    /// Loss against samples without its steep beginning.
    pub fn loss_points(&self) -> Vec<Point> {
        let first = self.samples().last().unwrap_or(0.0) * STEEP;
        let points = self.samples().zip(&self.loss).map(|(x, y)| Point::new(x, *y));
        points.filter(|point| point.x >= first).collect()
    }

    /// Run and cell.
    pub fn label(&self) -> String {
        self.called(self.varied())
    }

    /// The varied keys with their values.
    pub fn varied(&self) -> String {
        let texts = self.varied.iter().map(|(key, text)| format!("{key} = {text}"));
        texts.collect::<Vec<String>>().join(", ")
    }

    /// Run and cell without the seed and what all cells have in common.
    pub fn series(&self, names: Names) -> String {
        let known = self.apart.iter().filter(|(_, text)| !text.is_empty());
        let texts = known.map(|(key, text)| names.assignment(key, text));
        self.called(texts.collect::<Vec<String>>().join(", "))
    }

    /// The value of a key, if it varies.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.varied.iter().find(|(name, _)| name == key).map(|(_, text)| text.as_str())
    }

    /// The keys that vary.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.varied.iter().map(|(key, _)| key.as_str())
    }

    /// Leaves out a key that tells it from other cells.
    pub fn forget(&mut self, key: &str) {
        self.apart.retain(|(name, _)| name != key);
    }

    fn called(&self, values: String) -> String {
        match (&self.run, values.is_empty()) {
            (_, true) => self.alone.clone(),
            (Some(run), false) => format!("{run}, {values}"),
            (None, false) => values,
        }
    }
}

/// A curve for each cell of each run.
///
/// # Errors
/// [`Error::BadFile`](crate::error::Error::BadFile) for a table that is not one.
pub fn curves(runs: &[Run]) -> Result<Vec<Curve>> {
    let mut curves = Vec::new();
    for run in runs {
        let Some(table) = &run.train else { continue };
        let mut found = of_table(run, table, runs.len() > 1)?;
        if let Some(table) = &run.ess {
            for (row, point) in judged(table)? {
                let of_cell = found.iter_mut().find(|(cell, _)| *cell == table.cell(row));
                of_cell.into_iter().for_each(|(_, curve)| curve.fresh.push(point));
            }
        }
        curves.extend(found.into_iter().map(|(_, curve)| curve));
    }
    Ok(curves)
}

/// A curve for each cell, with its number; a row counts where its ESS is known.
fn of_table<'a>(run: &Run, table: &'a Columns, several: bool) -> Result<Vec<(&'a str, Curve)>> {
    let (keys, apart): (Vec<&str>, Vec<&str>) = (table.keys().collect(), keys_apart(table));
    let names = ["step", "samples", "flops", "wall_s", "ess_smoothed", "loss"];
    let numbers: Result<Vec<Vec<Option<f64>>>> = names.iter().map(|name| table.numbers(name)).collect();
    let numbers = numbers?;
    let mut curves: Vec<(&str, Curve)> = Vec::new();
    for row in 0..numbers[0].len() {
        let found: Option<Vec<f64>> = numbers.iter().map(|column| column[row]).collect();
        let Some(found) = found else { continue };
        if curves.last().is_none_or(|(cell, _)| *cell != table.cell(row)) {
            let values = |keys: &[&str]| {
                keys.iter().map(|key| ((*key).to_owned(), table.text(key, row).to_owned())).collect()
            };
            let curve = Curve {
                run: several.then(|| run.label.clone()),
                alone: run.label.clone(),
                varied: values(&keys),
                apart: values(&apart),
                cost: Vec::new(),
                ess: Vec::new(),
                loss: Vec::new(),
                fresh: Vec::new(),
            };
            curves.push((table.cell(row), curve));
        }
        let (_, curve) = curves.last_mut().expect("one was just made");
        curve.cost.push([found[0], found[1], found[2], found[3]]);
        curve.ess.push(found[4]);
        curve.loss.push(found[5]);
    }
    Ok(curves)
}

/// The keys that tell series apart: those with several values, but for the seed if there are others.
fn keys_apart(table: &Columns) -> Vec<&str> {
    let varies = |key: &&str| {
        let texts = table.key(key).unwrap_or_default();
        texts.iter().any(|text| *text != texts[0])
    };
    let varying: Vec<&str> = table.keys().filter(varies).collect();
    if varying == [SEED] { varying } else { varying.into_iter().filter(|key| *key != SEED).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::run::labelled;
    use super::*;

    /// Names of the series, and of the cells.
    fn names(keys: &str, cells: &[&str]) -> [Vec<String>; 2] {
        let folder = tempfile::tempdir().unwrap();
        let rows = cells.iter().enumerate();
        let rows = rows.map(|(cell, keys)| format!("{cell},{keys},1,100,1e6,0.1,0.3,-20\n"));
        let header = format!("cell,{keys},step,samples,flops,wall_s,ess_smoothed,loss\n");
        std::fs::write(folder.path().join("train.csv"), header + &rows.collect::<String>()).unwrap();
        std::fs::write(folder.path().join("spec.toml"), "").unwrap();
        let curves = curves(&labelled(&[folder.path().to_owned()]).unwrap()).unwrap();
        [|curve: &Curve| curve.series(Names::Columns), Curve::label]
            .map(|name| curves.iter().map(name).collect())
    }

    #[test]
    fn seeds_of_a_series_have_one_name_and_levels_tell_them_apart() {
        let [series, cells] = names("study_stage,layers,seed", &["base,8,1", "base,8,2", "base,16,1"]);
        assert_eq!(series, ["layers = 8", "layers = 8", "layers = 16"]);
        assert_eq!(cells[1], "study_stage = base, layers = 8, seed = 2");
        let [series, _] = names("seed", &["1", "2"]);
        assert_eq!(series, ["seed = 1", "seed = 2"]);
    }
}
