//! A figure as the script of the page reads it.

use super::super::axis::{Axis, Scale};
use super::super::figure::Figure;
use super::super::palette::{Shape, Style};
use super::super::series::{Point, Series};
use super::thin::thin;
use serde::Serialize;

/// Parts of the axis of which a curve keeps four points each, at most.
const MOST_PARTS: usize = 500;

/// The same, at least.
const FEWEST_PARTS: usize = 25;

/// Points of all curves of a figure together, about.
const POINTS: usize = 24_000;

/// A figure.
#[derive(Serialize)]
pub struct Plot<'a> {
    name: &'a str,
    x: Along<'a>,
    y: Along<'a>,
    levels: &'a [f64],
    series: Vec<Curve<'a>>,
}

/// An axis with its ends.
#[derive(Serialize)]
struct Along<'a> {
    label: &'a str,
    log: bool,
    range: [f64; 2],
}

/// A series and how it looks. What no point has is left out.
#[derive(Serialize)]
struct Curve<'a> {
    label: &'a str,
    colour: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dashes: Option<(u32, u32)>,
    shape: &'static str,
    line: bool,
    x: Vec<f64>,
    y: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    low: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    high: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seeds: Vec<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bound: Vec<bool>,
}

impl<'a> Plot<'a> {
    /// The figure, and into how many parts the axis of its curves was divided if they were thinned.
    pub fn new(figure: &'a Figure) -> (Self, Option<usize>) {
        let (x, y) = figure.scales();
        let lines = figure.series.iter().filter(|series| series.line).count().max(1);
        let parts = (POINTS / 4 / lines).clamp(FEWEST_PARTS, MOST_PARTS);
        let is_thinned = figure.series.iter().any(|series| series.line && series.points.len() > 4 * parts);
        let curve = |(series, style): (&'a Series, Style)| Curve::new(series, style, &figure.x, parts);
        let plot = Self {
            name: &figure.name,
            x: Along::new(&figure.x, &x),
            y: Along::new(&figure.y, &y),
            levels: &figure.levels,
            series: figure.series.iter().zip(figure.styles()).map(curve).collect(),
        };
        (plot, is_thinned.then_some(parts))
    }
}

impl<'a> Along<'a> {
    fn new(axis: &'a Axis, scale: &Scale) -> Self {
        let place = |end: f64| if axis.log { 10f64.powf(end) } else { end };
        Self { label: &axis.label, log: axis.log, range: [place(scale.range.start), place(scale.range.end)] }
    }
}

impl<'a> Curve<'a> {
    fn new(series: &'a Series, style: Style, x: &Axis, parts: usize) -> Self {
        let points = match series.line {
            true => thin(&series.points, |point| x.place(point.x), parts),
            false => series.points.clone(),
        };
        let ranged = points.iter().any(|point| point.range.is_some());
        let end =
            |end: usize| points.iter().filter(|_| ranged).map(|p| p.range.map(|range| range[end])).collect();
        let (means, bounds) = (series.has_means(), points.iter().any(|point| point.lower_bound));
        let number = |value: f64| if series.line { rounded(value) } else { value };
        Self {
            label: &series.label,
            colour: style.hex(),
            dashes: style.dashes(),
            shape: match style.shape() {
                Shape::Circle => "circle",
                Shape::Triangle => "triangle",
                Shape::Cross => "cross",
            },
            line: series.line,
            x: points.iter().map(|point| point.x).collect(),
            y: points.iter().map(|point| number(point.y)).collect(),
            low: end(0),
            high: end(1),
            seeds: points.iter().filter(|_| means).map(|point| point.seeds).collect(),
            bound: points.iter().filter(|_| bounds).map(|point: &Point| point.lower_bound).collect(),
        }
    }
}

/// Seven digits, more than can be seen, of what there are thousands of.
fn rounded(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}
