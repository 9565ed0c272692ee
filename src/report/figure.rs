//! One figure: what is drawn between two axes, and what is said of it above them.

use super::axis::{Axis, Scale};
use super::legend::{Entry, Symbol};
use super::palette::{DISTINCT, Style};
use super::series::{Series, Spread};
use super::volume_law;

/// Distance of points that are drawn side by side, as a part of the axis: a little more than one is wide.
const SIDE_BY_SIDE: f64 = 0.02;

/// Part of the distance of two places that the points of one may take.
const CLOSE: f64 = 0.5;

/// Series that are named where there are too many for all.
const EXAMPLES: usize = 6;

/// A figure, or a panel of one.
pub struct Figure {
    /// Name of the files without extension.
    pub name: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Values of `y` marked by a broken line.
    pub levels: Vec<f64>,
    /// What the ranges of means are.
    pub spread: Spread,
    /// Points are joined by lines even where they are no means.
    pub joined: bool,
    /// Points of several series at one place are drawn side by side.
    pub beside: bool,
    /// What broken lines in the colour of a series are.
    pub law: String,
    /// What else is said beside the names of the series.
    pub notes: Vec<String>,
}

impl Figure {
    /// A figure of series between two axes.
    pub fn new(name: &str, (x, y): (Axis, Axis), series: Vec<Series>) -> Self {
        let (levels, notes, spread) = (Vec::new(), Vec::new(), Spread::Extremes);
        let law = format!("{}, V₀ the largest", volume_law::FORMULA);
        let (joined, beside) = (false, false);
        Self { name: name.into(), x, y, series, levels, spread, joined, beside, law, notes }
    }

    /// Whether there is anything to draw.
    pub fn has_data(&self) -> bool {
        self.series.iter().any(|series| !series.points.is_empty())
    }

    /// The axes for all points with their errors.
    pub fn scales(&self) -> (Scale, Scale) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let shifted = self.series.iter().zip(self.shifts()).flat_map(|(series, shift)| {
            series.points.iter().map(move |point| self.x.value(self.x.place(point.x) + shift))
        });
        let heights = points().flat_map(|p| p.range.unwrap_or([p.y; 2]).into_iter().chain([p.y]));
        // The error of a value on a logarithmic axis may reach below zero.
        let heights = heights.filter(|y| !self.y.log || *y > 0.0).chain(self.levels.iter().copied());
        (self.x.scale(shifted), self.y.scale(heights))
    }

    /// The style of every series: of those with the same name the same, and of a law that of its series, broken.
    pub fn styles(&self) -> Vec<Style> {
        let names = self.names();
        let place = |label: &String| {
            Style::among(names.iter().position(|name| name == label).unwrap_or(0), names.len())
        };
        let style = |series: &Series| match &series.law_of {
            None => place(&series.label),
            Some(label) => place(label).broken(),
        };
        self.series.iter().map(style).collect()
    }

    /// The names of the series, each once; laws are remarked on.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for series in self.series.iter().filter(|series| series.law_of.is_none()) {
            if !names.contains(&series.label.as_str()) {
                names.push(&series.label);
            }
        }
        names
    }

    /// How far each series is drawn from its place along the axis, in its coordinates: points that would hide each other stand side by
    /// side, closer to their place than to the next one.
    pub fn shifts(&self) -> Vec<f64> {
        let labels = if self.beside { self.marked() } else { Vec::new() };
        let (middle, step) = (labels.len().saturating_sub(1) as f64 / 2.0, self.step(labels.len()));
        let shift = |series: &Series| {
            let place = labels.iter().position(|label| *label == series.label && !series.line);
            place.map_or(0.0, |place| (place as f64 - middle) * step)
        };
        self.series.iter().map(shift).collect()
    }

    /// The distance of points of so many series that stand side by side.
    fn step(&self, count: usize) -> f64 {
        let points = self.series.iter().filter(|series| !series.line).flat_map(|series| &series.points);
        let mut places: Vec<f64> = points.map(|point| self.x.place(point.x)).collect();
        places.sort_by(f64::total_cmp);
        let gaps = || places.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.0);
        let nearest = gaps().fold(f64::INFINITY, f64::min);
        let span = if nearest.is_finite() { gaps().sum() } else { 1.0 };
        (SIDE_BY_SIDE * span).min(CLOSE * nearest / count as f64)
    }

    /// Names of the series that have points with marks.
    fn marked(&self) -> Vec<&str> {
        let is_marked = |series: &&Series| !series.line && !series.points.is_empty();
        let has_marks =
            |name: &&str| self.series.iter().filter(is_marked).any(|series| series.label == *name);
        self.names().into_iter().filter(has_marks).collect()
    }

    /// What stands above the axes: of many series only some, from the first to the last, as the colours of the others are between.
    pub fn entries(&self) -> Vec<Entry> {
        let all = self.names();
        let entry = |(place, label): (usize, &str)| {
            let alike = || self.series.iter().filter(|series| series.label == label);
            let mark = alike().any(|series| !series.line);
            let band = alike().any(Series::has_means);
            let line = alike().any(|series| series.line) || band || self.joined;
            let style = Style::among(place, all.len());
            Entry { label: label.into(), symbol: Some(Symbol { style, line, mark, band }) }
        };
        let level = self.describe_levels().map(|label| {
            let style = Style::of_levels();
            Entry { label, symbol: Some(Symbol { style, line: true, mark: false, band: false }) }
        });
        let remarks = self.remarks().into_iter().map(|label| Entry { label, symbol: None });
        let is_named = |(place, _): &(usize, &str)| all.len() <= DISTINCT || is_example(*place, all.len());
        let names = all.iter().copied().enumerate().filter(is_named).map(entry);
        names.chain(level).chain(remarks).collect()
    }

    /// What the broken lines across the figure are.
    fn describe_levels(&self) -> Option<String> {
        let levels: Vec<String> = self.levels.iter().map(f64::to_string).collect();
        (!levels.is_empty()).then(|| format!("ESS {}", levels.join(", ")))
    }

    /// What bands, open points and broken lines are, if there are any.
    pub fn remarks(&self) -> Vec<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let seeds = || points().map(|point| point.seeds);
        let (least, most) = (seeds().min().unwrap_or(1), seeds().max().unwrap_or(1));
        let count = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let bands = (most > 1).then(|| format!("mean of {count} seeds, band: {}", self.spread.describe()));
        let open = points()
            .any(|point| point.lower_bound)
            .then(|| "open: stopped before its ESS, a lower bound".into());
        let many = self.names().len();
        let many =
            (many > DISTINCT).then(|| format!("{many} series, coloured in their order, all in the CSV"));
        let shifted = self.shifts().iter().any(|shift| *shift != 0.0);
        let shifted = shifted.then(|| "points at one place are drawn side by side".into());
        let laws = self.series.iter().any(|series| series.law_of.is_some());
        let laws = laws.then(|| format!("broken: {}", self.law));
        self.notes.iter().cloned().chain(many).chain(shifted).chain(bands).chain(open).chain(laws).collect()
    }
}

/// Whether a series is one of those that are named among so many: the first, the last, and some between at even distances.
fn is_example(place: usize, count: usize) -> bool {
    (0..EXAMPLES).any(|example| place == (example * (count - 1) + (EXAMPLES - 1) / 2) / (EXAMPLES - 1))
}

#[cfg(test)]
pub mod tests {
    use super::super::series::Point;
    use super::*;

    pub fn figure(series: Vec<Series>) -> Figure {
        let xs = series.iter().flat_map(|series| series.points.iter().map(|p| p.x));
        let x = Axis::wide("x", xs);
        Figure { levels: vec![0.2], ..Figure::new("figure", (x, Axis::from_zero("y")), series) }
    }

    #[test]
    fn what_is_drawn_with_marks_and_lines_is_in_the_legend_once() {
        let series = |line: bool| Series {
            label: "run".into(),
            points: [0.0, 1.0].map(|x| Point::new(x, x)).into(),
            line,
            law_of: None,
        };
        let both = figure(vec![series(true), series(false)]);
        assert_eq!(both.styles(), [Style::of(0), Style::of(0)]);
        // The series, the level.
        assert_eq!(both.entries().len(), 2);
        assert_eq!(both.describe_levels().as_deref(), Some("ESS 0.2"));
    }

    #[test]
    fn of_many_series_some_are_named_from_the_first_to_the_last() {
        let series = |n: usize| Series {
            label: format!("coupling = {n}"),
            points: [0.0, 1.0].map(|x| Point::new(x, n as f64)).into(),
            line: true,
            law_of: None,
        };
        let labels = |count: usize| -> Vec<String> {
            figure((0..count).map(series).collect()).entries().into_iter().map(|entry| entry.label).collect()
        };
        // The names, the level.
        assert_eq!(labels(DISTINCT).len(), DISTINCT + 1);
        let named = [0, 6, 12, 18, 24, 30].map(|n| format!("coupling = {n}"));
        let more = ["ESS 0.2".to_owned(), "31 series, coloured in their order, all in the CSV".to_owned()];
        assert_eq!(labels(31), [&named[..], &more].concat());
        assert_eq!(labels(17).len(), EXAMPLES + 2);
    }

    #[test]
    fn points_at_one_place_are_drawn_side_by_side_and_closer_to_it_than_to_the_next() {
        let series = |label: &str, line: bool| Series {
            label: label.into(),
            points: [0.0, 1.0, 2.0].map(|x| Point::new(x, 0.5)).into(),
            line,
            law_of: None,
        };
        let labels = ["a", "b", "c"];
        let all =
            || labels.map(|label| series(label, false)).into_iter().chain([series("exact", true)]).collect();
        let apart = Figure { beside: true, ..figure(all()) };
        // 2% of the way from 0 to 2.
        assert_eq!(apart.shifts(), [-0.04, 0.0, 0.04, 0.0]);
        let columns = apart.scales().0.range;
        assert!(columns.start < -0.04 && columns.end > 2.04, "{columns:?}");
        assert!(apart.remarks().iter().any(|remark| remark.contains("side by side")));
        assert_eq!(figure(all()).shifts(), [0.0; 4]);
        let many = (0..16).map(|n| series(&n.to_string(), false)).collect();
        let shifts = Figure { beside: true, ..figure(many) }.shifts();
        assert!(shifts[15] > 0.2 && shifts[15] < 0.25 && shifts[0] == -shifts[15], "{shifts:?}");
        let one = Series { points: vec![Point::new(1.0, 0.5)], ..series("a", false) };
        let other = Series { label: "b".into(), points: one.points.clone(), ..series("", false) };
        assert_eq!(Figure { beside: true, ..figure(vec![one, other]) }.shifts(), [-0.01, 0.01]);
    }
}
