//! Results of studies against a key that varies.

use super::along::{Along, SEED};
use super::axis::Axis;
use super::columns::Columns;
use super::figure::Figure;
use super::results::{Results, Value, effective_samples, final_ess, training_cost};
use super::run::Run;
use super::series::{Point, Series};
use super::volume_law::Transfers;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// Values from a table of a run.
struct Source<'a> {
    run: &'a Run,
    table: &'a Columns,
    values: Vec<Value>,
}

/// A figure before its data: name, what is along the vertical axis, and which axis it is.
struct Kind {
    name: &'static str,
    y: &'static str,
    axis: fn(&str, Vec<f64>) -> Axis,
}

const ESS: Kind = Kind { name: "ess", y: "ESS", axis: |label, _| Axis::from_zero(label) };

const RATES: Kind = Kind {
    name: "effective_samples",
    y: "effective samples per second of sampling",
    axis: |label, values| Axis::wide(label, values.into_iter()),
};

const COSTS: Kind = Kind {
    name: "training_cost",
    y: "training samples of the cell",
    axis: |label, values| Axis::cost(label, values.into_iter()),
};

/// ESS, effective samples per second and cost of training of finished cells, for runs with several.
///
/// # Errors
/// [`Error::BadFile`] for a table that is not one, [`Error::Usage`] for a key that does not vary over numbers.
pub fn figures(runs: &[Run], asked: Option<&str>) -> Result<Vec<Figure>> {
    let ess: Vec<&Columns> = runs.iter().filter_map(|run| run.ess.as_ref()).collect();
    let cost: Vec<&Columns> = runs.iter().filter_map(|run| run.cost.as_ref()).collect();
    // Without a model nothing has an ESS.
    let Some(along) = Along::choose(if ess.is_empty() { &cost } else { &ess }, asked)? else {
        return Ok(Vec::new());
    };
    let ess = sources(runs, |run| run.ess.as_ref(), final_ess)?;
    let rates = sources(runs, |run| run.cost.as_ref(), effective_samples)?;
    let costs = sources(runs, |run| run.cost.as_ref(), training_cost)?;
    [(ESS, ess), (RATES, rates), (COSTS, costs)]
        .into_iter()
        .map(|(kind, sources)| figure(&kind, &along, sources, runs.len() > 1))
        .collect()
}

fn sources<'a>(
    runs: &'a [Run],
    table: fn(&Run) -> Option<&Columns>,
    results: Results,
) -> Result<Vec<Source<'a>>> {
    let tables = runs.iter().filter_map(|run| Some((run, table(run)?)));
    tables.map(|(run, table)| Ok(Source { run, table, values: results(table)? })).collect()
}

fn figure(kind: &Kind, along: &Along, mut sources: Vec<Source<'_>>, several: bool) -> Result<Figure> {
    // What all results have in common is said once.
    let common = common_name(&sources).unwrap_or_default();
    if !common.is_empty() {
        sources.iter_mut().flat_map(|source| &mut source.values).for_each(|value| value.name.clear());
    }
    let (mut series, mut transfers) = (Vec::<Series>::new(), Transfers::default());
    for source in &sources {
        let keys = source.keys_apart(along);
        for value in &source.values {
            let (label, point) = (source.label(&keys, along, value, several), source.point(along, value)?);
            if value.transferred && along.is_of_volume() {
                transfers.push(&label, point, source.table.text(&along.key, value.row));
            }
            match series.iter_mut().find(|series| series.label == label) {
                Some(series) => series.points.push(point),
                None => series.push(Series { label, points: vec![point], line: false, law_of: None }),
            }
        }
    }
    series.extend(transfers.laws());
    series.iter_mut().for_each(|series| series.arrange(along.key != SEED));
    let values = |of: fn(&Point) -> f64| series.iter().flat_map(move |series| series.points.iter().map(of));
    let x = Axis::wide(&label_of_axis(&sources, along), values(|p| p.x)).without_zero();
    let label = if common.is_empty() { kind.y.to_owned() } else { format!("{} ({common})", kind.y) };
    let y = (kind.axis)(&label, values(|p| p.y).collect());
    Ok(Figure { name: kind.name.into(), x, y, series, levels: vec![] })
}

/// What all results are called, if they have one name.
fn common_name(sources: &[Source<'_>]) -> Option<String> {
    let mut names = sources.iter().flat_map(|source| source.values.iter().map(|value| &value.name));
    let first = names.next()?;
    names.all(|name| name == first).then(|| first.clone())
}

impl Source<'_> {
    /// The keys that vary at the same place of the axis.
    fn keys_apart(&self, along: &Along) -> Vec<&str> {
        self.others(along).filter(|key| !self.follows(key, along)).collect()
    }

    /// The name of a result's series: its run, its method, and the keys that tell it apart.
    fn label(&self, keys: &[&str], along: &Along, value: &Value, several: bool) -> String {
        let run = if several { self.run.label.as_str() } else { "" };
        let others = keys.iter().map(|key| (key, self.table.text(key, value.row)));
        let others = others.filter(|(_, text)| !text.is_empty()).map(|(key, text)| format!("{key} = {text}"));
        let parts = [run.to_owned(), value.name.clone()].into_iter().chain(others);
        let parts = parts.chain(self.length(along, value.row)).filter(|part| !part.is_empty());
        let label = parts.collect::<Vec<String>>().join(", ");
        if label.is_empty() { self.run.label.clone() } else { label }
    }

    fn point(&self, along: &Along, value: &Value) -> Result<Point> {
        let x = along.place(self.table, value.row).ok_or_else(|| Error::Usage {
            message: format!("{}: has no numbers for the key `{}`", self.run.folder.display(), along.key),
            hint: "choose a key that varies in all the runs with --x, or draw them apart".into(),
        })?;
        let (range, lower_bound) = (value.range, value.lower_bound);
        Ok(Point { range, lower_bound, ..Point::new(x, value.y) })
    }

    /// The keys that are not along the axis, without that of repeats.
    fn others(&self, along: &Along) -> impl Iterator<Item = &str> {
        self.table.keys().filter(move |key| *key != along.key && *key != SEED)
    }

    /// The texts of a key in the rows that are drawn.
    fn texts(&self, key: &str) -> Vec<&str> {
        self.values.iter().map(|value| self.table.text(key, value.row)).collect()
    }

    /// Whether a key has one value for each of the one along the axis.
    fn follows(&self, key: &str, along: &Along) -> bool {
        let mut found: BTreeMap<&str, &str> = BTreeMap::new();
        let mut both = self.texts(&along.key).into_iter().zip(self.texts(key));
        both.all(|(place, text)| *found.entry(place).or_insert(text) == text)
    }

    /// The length of a list, if lists of several lengths share the axis: lattices of several dimensions are no one curve.
    fn length(&self, along: &Along, row: usize) -> Option<String> {
        let length = |text: &str| text.split(',').count();
        let own = length(self.table.text(&along.key, row));
        let varies = self.texts(&along.key).into_iter().any(|text| length(text) != own);
        varies.then(|| format!("number of {} = {own}", along.key))
    }
}

/// The name of the axis: the key, and those that follow it.
fn label_of_axis(sources: &[Source<'_>], along: &Along) -> String {
    let Some(source) = sources.first() else { return along.label() };
    let varies = |key: &&str| {
        let texts = source.texts(key);
        texts.iter().any(|text| *text != texts[0])
    };
    let followers = source.others(along).filter(|key| source.follows(key, along)).filter(varies);
    let followers: Vec<&str> = followers.collect();
    match followers.is_empty() {
        true => along.label(),
        false => format!("{} (and with it {})", along.label(), followers.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::labelled;
    use super::*;

    fn drawn(ess: &str, cost: &str, x: Option<&str>) -> Vec<Figure> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("spec.toml", ""), ("ess.csv", ess), ("cost.csv", cost)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        figures(&labelled(&[folder.path().to_owned()]).unwrap(), x).unwrap()
    }

    /// Two architectures at two couplings, with two seeds at the first.
    const ESS_ROWS: &str = "cell,study_stage,coupling,layers,seed,stage,ess,ess_low,ess_high\n\
        0,base,1,8,1,final,0.5,0.4,0.6\n1,base,1,8,2,final,0.75,0.7,0.8\n2,base,2,8,1,final,0.25,0.2,0.3\n\
        3,base,1,16,1,final,0.8,0.7,0.9\n4,base,1,16,2,train_eval,0.1,0.1,0.1\n4,base,1,16,2,final,0.6,0.5,0.7\n\
        5,base,2,16,1,final,0.5,0.4,0.6\n";

    #[test]
    fn seeds_are_points_of_their_mean_and_constant_keys_are_not_named() {
        let figures = drawn(ESS_ROWS, "", None);
        let ess = &figures[0];
        assert_eq!(ess.x.label, "coupling");
        let labels: Vec<&str> = ess.series.iter().map(|series| series.label.as_str()).collect();
        assert_eq!(labels, ["layers = 8", "layers = 16"]);
        let mean = Point { range: Some([0.5, 0.75]), seeds: 2, ..Point::new(1.0, 0.625) };
        let single = Point { range: Some([0.2, 0.3]), ..Point::new(2.0, 0.25) };
        assert_eq!(ess.series[0].points, [mean, single]);
    }

    #[test]
    fn the_axis_may_be_the_inverse_of_a_key() {
        let figures = drawn(ESS_ROWS, "", Some("1/coupling"));
        assert_eq!(figures[0].x.label, "1/coupling");
        let places: Vec<f64> = figures[0].series[1].points.iter().map(|point| point.x).collect();
        assert_eq!(places, [0.5, 1.0]);
    }

    #[test]
    fn seeds_along_the_axis_are_points_of_their_own() {
        let figures = drawn("cell,seed,stage,ess,ess_err\n0,1,final,0.5,0.1\n1,2,final,0.75,0.1\n", "", None);
        let points = &figures[0].series[0].points;
        assert_eq!(
            points.iter().map(|point| (point.x, point.seeds)).collect::<Vec<_>>(),
            [(1.0, 1), (2.0, 1)]
        );
    }

    #[test]
    fn what_training_took_is_drawn_where_cells_stop_at_an_ess() {
        let cost = |samples: [u64; 4]| {
            let rows = ["1,1", "1,2", "2,1", "2,2"].into_iter().zip(samples).enumerate();
            let rows = rows.map(|(cell, (keys, samples))| {
                format!("{cell},{keys},direct,{samples},ess,9\n{cell},{keys},hmc,0,ess,5\n")
            });
            let header = "cell,coupling,seed,method,n_train,stop_reason,effective_samples_per_s\n";
            header.to_owned() + &rows.collect::<String>()
        };
        let figures = drawn("", &cost([100, 300, 5000, 3000]), None);
        let figure = figures.iter().find(|figure| figure.name == "training_cost").unwrap();
        assert!(figure.y.log && figure.y.label == "training samples of the cell");
        let mean =
            |x: f64, y: f64, range: [f64; 2]| Point { range: Some(range), seeds: 2, ..Point::new(x, y) };
        let expected = [mean(1.0, 200.0, [100.0, 300.0]), mean(2.0, 4000.0, [3000.0, 5000.0])];
        assert_eq!(figure.series[0].points, expected);
        let rates = figures.iter().find(|figure| figure.name == "effective_samples").unwrap();
        let labels: Vec<&str> = rates.series.iter().map(|series| series.label.as_str()).collect();
        assert_eq!(labels, ["direct", "hmc"]);
        let same = drawn("", &cost([100; 4]), None);
        assert!(!same.iter().any(|figure| figure.name == "training_cost" && figure.has_data()));
    }

    #[test]
    fn a_method_that_all_have_is_said_along_the_axis() {
        let rows = "cell,coupling,layers,method,effective_samples_per_s\n0,1,8,direct,10\n1,2,8,direct,20\n\
                    2,1,16,direct,30\n3,2,16,direct,40\n";
        let figures = drawn("", rows, None);
        let rates = figures.iter().find(|figure| figure.name == "effective_samples").unwrap();
        assert_eq!(rates.y.label, "effective samples per second of sampling (direct)");
        assert_eq!(rates.series[0].label, "layers = 8");
    }
}
