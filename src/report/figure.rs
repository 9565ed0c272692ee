//! One figure: what is drawn between two axes, and what is said of it above them.

use super::axis::{Axis, Scale};
use super::legend::{Entry, Symbol};
use super::palette::Style;
use super::series::{Series, Spread};
use super::volume_law;

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
        Self { name: name.into(), x, y, series, levels, spread, joined: false, law, notes }
    }

    /// Whether there is anything to draw.
    pub fn has_data(&self) -> bool {
        self.series.iter().any(|series| !series.points.is_empty())
    }

    /// The axes for all points with their errors.
    pub fn scales(&self) -> (Scale, Scale) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let heights = points().flat_map(|p| p.range.unwrap_or([p.y; 2]).into_iter().chain([p.y]));
        // The error of a value on a logarithmic axis may reach below zero.
        let heights = heights.filter(|y| !self.y.log || *y > 0.0).chain(self.levels.iter().copied());
        (self.x.scale(points().map(|p| p.x)), self.y.scale(heights))
    }

    /// The style of every series: of those with the same name the same, and of a law that of its series, broken.
    pub fn styles(&self) -> Vec<Style> {
        let names = self.names();
        let place = |label: &String| Style::of(names.iter().position(|name| name == label).unwrap_or(0));
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

    /// What stands above the axes.
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |(place, label): (usize, &str)| {
            let alike = || self.series.iter().filter(|series| series.label == label);
            let mark = alike().any(|series| !series.line);
            let band = alike().any(Series::has_means);
            let line = alike().any(|series| series.line) || band || self.joined;
            Entry { label: label.into(), symbol: Some(Symbol { style: Style::of(place), line, mark, band }) }
        };
        let level = self.describe_levels().map(|label| {
            let style = Style::of_levels();
            Entry { label, symbol: Some(Symbol { style, line: true, mark: false, band: false }) }
        });
        let remarks = self.remarks().into_iter().map(|label| Entry { label, symbol: None });
        let names = self.names().into_iter().enumerate().map(entry);
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
        let laws = self.series.iter().any(|series| series.law_of.is_some());
        let laws = laws.then(|| format!("broken: {}", self.law));
        self.notes.iter().cloned().chain(bands).chain(open).chain(laws).collect()
    }
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
}
