//! Results of studies against a key that varies.

use super::along::{Along, SEED};
use super::axis::Axis;
use super::columns::Columns;
use super::figure::Figure;
use super::names::Names;
use super::results::{effective_samples, final_ess, training_cost};
use super::run::Run;
use super::series::{Point, Series, Spread};
use super::source::{Source, sources};
use super::volume_law::Transfers;
use crate::error::Result;

/// A figure before its data: name, what is along the vertical axis, and which axis it is.
pub struct Kind {
    pub name: &'static str,
    pub y: &'static str,
    pub axis: fn(&str, Vec<f64>) -> Axis,
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

/// How results are laid out.
pub struct View<'a> {
    /// The key along the axis.
    pub along: &'a Along,
    /// What keys are called.
    pub names: Names,
    /// What becomes of several seeds.
    pub spread: Spread,
    /// Whether there are several runs, which tell series apart.
    pub several: bool,
}

/// ESS, effective samples per second and cost of training of finished cells, for runs with several.
///
/// # Errors
/// [`Error::BadFile`](crate::error::Error::BadFile) for a table that is not one, [`Error::Usage`](crate::error::Error::Usage) for a key
/// that does not vary over numbers.
pub fn figures(runs: &[Run], asked: Option<&str>) -> Result<Vec<Figure>> {
    let Some(along) = along(runs, asked)? else { return Ok(Vec::new()) };
    let ess = sources(runs, |run| run.ess.as_ref(), &final_ess, &along)?;
    let rates = sources(runs, |run| run.cost.as_ref(), &effective_samples, &along)?;
    let costs = sources(runs, |run| run.cost.as_ref(), &training_cost, &along)?;
    let view =
        View { along: &along, names: Names::Columns, spread: Spread::Extremes, several: runs.len() > 1 };
    let kinds = [(ESS, ess), (RATES, rates), (COSTS, costs)];
    // Figures of one study have one kind of axis.
    let places = places(kinds.iter().flat_map(|(_, sources)| sources), &along);
    kinds.into_iter().map(|(kind, sources)| figure(&kind, &view, sources, &places)).collect()
}

/// The key along the axis of the results of runs, if there is one.
///
/// # Errors
/// As of [`Along::choose`].
pub fn along(runs: &[Run], asked: Option<&str>) -> Result<Option<Along>> {
    let tables =
        |table: fn(&Run) -> Option<&Columns>| runs.iter().filter_map(table).collect::<Vec<&Columns>>();
    let (ess, cost) = (tables(|run| run.ess.as_ref()), tables(|run| run.cost.as_ref()));
    // Without a model nothing has an ESS.
    Along::choose(if ess.is_empty() { &cost } else { &ess }, asked)
}

/// Where results are along the axis.
pub fn places<'a>(sources: impl Iterator<Item = &'a Source<'a>>, along: &Along) -> Vec<f64> {
    let places = sources.flat_map(|source| source.values.iter().map(|value| source.text(along, value.row)));
    places.filter_map(|text| along.place(text)).collect()
}

/// The results of some sources along a key, on an axis that has room for some places.
///
/// # Errors
/// [`Error::Usage`](crate::error::Error::Usage) if one has no number for the key along the axis.
pub fn figure(kind: &Kind, view: &View<'_>, mut sources: Vec<Source<'_>>, places: &[f64]) -> Result<Figure> {
    let along = view.along;
    // What all results have in common is said once.
    let common = common_name(&sources).unwrap_or_default();
    if !common.is_empty() {
        sources.iter_mut().flat_map(|source| &mut source.values).for_each(|value| value.name.clear());
    }
    let (mut series, mut transfers) = (Vec::<Series>::new(), Transfers::default());
    for source in &sources {
        let keys = source.keys_apart(along);
        for value in &source.values {
            let label = source.label(&keys, along, value, (view.names, view.several));
            let point = source.point(along, value)?;
            if value.transferred && along.is_of_volume() {
                transfers.push(&label, point, source.text(along, value.row));
            }
            match series.iter_mut().find(|series| series.label == label) {
                Some(series) => series.points.push(point),
                None => series.push(Series { label, points: vec![point], line: false, law_of: None }),
            }
        }
    }
    series.extend(transfers.laws());
    let repeats = (along.key != SEED).then_some(view.spread);
    series.iter_mut().for_each(|series| series.arrange(repeats));
    let values = |of: fn(&Point) -> f64| series.iter().flat_map(move |series| series.points.iter().map(of));
    let x = Axis::wide(&label_of_axis(&sources, view), places.iter().copied()).without_zero();
    let label = if common.is_empty() { kind.y.to_owned() } else { format!("{} ({common})", kind.y) };
    let y = (kind.axis)(&label, values(|p| p.y).collect());
    Ok(Figure { spread: view.spread, ..Figure::new(kind.name, (x, y), series) })
}

/// What all results are called, if they have one name.
fn common_name(sources: &[Source<'_>]) -> Option<String> {
    let mut names = sources.iter().flat_map(|source| source.values.iter().map(|value| &value.name));
    let first = names.next()?;
    names.all(|name| name == first).then(|| first.clone())
}

/// The name of the axis: the key, and, in tables' own words, those that follow it.
fn label_of_axis(sources: &[Source<'_>], view: &View<'_>) -> String {
    let label = view.along.label(view.names);
    let followers = sources.first().map(|source| source.followers(view.along)).unwrap_or_default();
    match followers.is_empty() || view.names == Names::Symbols {
        true => label,
        false => format!("{label} (and with it {})", followers.join(", ")),
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

    #[test]
    fn figures_of_one_study_have_one_kind_of_axis() {
        let ess = "cell,coupling,stage,ess,ess_err\n0,1,final,0.5,\n1,1000,final,0.25,\n";
        let cost = "cell,coupling,method,effective_samples_per_s\n0,1,direct,10\n1,2,direct,20\n";
        let figures = drawn(ess, cost, None);
        assert!(figures[0].x.log && figures[1].x.log);
    }

    #[test]
    fn a_run_of_one_cell_has_its_place_among_those_of_a_study() {
        let folder = tempfile::tempdir().unwrap();
        let spec = "version = 1\nseed = 1\n[theory.phi4]\nextents = [4, 4]\nmass_squared = 1.0\ncoupling = 1.5\n\
                    convention = \"paper\"\n[sample.hmc]\ntrajectories = 10\n";
        let single = "cell,stage,ess,ess_low,ess_high\n0,final,0.5,0.4,0.6\n";
        for (name, spec, ess) in [("study", "", ESS_ROWS), ("run", spec, single)] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("spec.toml"), spec).unwrap();
            std::fs::write(folder.path().join(name).join("ess.csv"), ess).unwrap();
        }
        let folders = ["study", "run"].map(|name| folder.path().join(name));
        let figures = figures(&labelled(&folders).unwrap(), None).unwrap();
        let run = figures[0].series.iter().find(|series| series.label == "run").unwrap();
        assert_eq!(run.points.iter().map(|point| (point.x, point.y)).collect::<Vec<_>>(), [(1.5, 0.5)]);
    }
}
