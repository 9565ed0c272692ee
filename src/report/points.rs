//! The numbers behind the figures of studies.

use super::figure::Figure;
use serde::Serialize;

/// A figure of a study in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct StudyFigure {
    /// Name of its files without extension.
    pub figure: String,
    /// What is along the horizontal axis.
    pub x: String,
    /// What is along the vertical axis.
    pub y: String,
    /// Its points, series by series.
    pub points: Vec<StudyPoint>,
}

/// A point of such a figure.
#[derive(Debug, Clone, Serialize)]
pub struct StudyPoint {
    /// Name of the series, as in the legend.
    pub series: String,
    /// Horizontal.
    pub x: f64,
    /// Vertical; of several seeds their mean.
    pub y: f64,
    /// Of one seed the lower end of the interval that holds the true value with 68.3%, if it has one; of several the smallest value.
    pub low: Option<f64>,
    /// The upper end, or the largest value.
    pub high: Option<f64>,
    /// How many seeds it stands for.
    pub seeds: usize,
    /// The true value is at least `y`: training was stopped before it reached its ESS.
    pub lower_bound: bool,
}

impl From<&Figure> for StudyFigure {
    fn from(figure: &Figure) -> Self {
        // Curves have more points than one reads.
        let points = figure.series.iter().filter(|series| !series.line || series.law_of.is_some());
        let points = points.flat_map(|series| {
            series.points.iter().map(|point| StudyPoint {
                series: series.label.clone(),
                x: point.x,
                y: point.y,
                low: point.range.map(|[low, _]| low),
                high: point.range.map(|[_, high]| high),
                seeds: point.seeds,
                lower_bound: point.lower_bound,
            })
        });
        Self {
            figure: figure.name.clone(),
            x: figure.x.label.clone(),
            y: figure.y.label.clone(),
            points: points.collect(),
        }
    }
}
