//! Points that belong together in a figure.

use std::cmp::Ordering;

/// What the range of the mean of several seeds is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// From the smallest to the largest value.
    Extremes,
    /// One standard error of the mean to either side.
    StandardError,
}

impl Spread {
    /// As legends say it.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Extremes => "smallest to largest",
            Self::StandardError => "its standard error",
        }
    }

    /// As tables say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Extremes => "smallest_to_largest",
            Self::StandardError => "standard_error",
        }
    }

    /// The range of some values, of which there are several, about their mean: `± sqrt(Σ (y - ȳ)² / (n (n - 1)))` for a standard error.
    fn of(self, values: &[f64], mean: f64) -> [f64; 2] {
        match self {
            Self::Extremes => {
                [values.iter().copied().fold(mean, f64::min), values.iter().copied().fold(mean, f64::max)]
            }
            Self::StandardError => {
                let n = values.len() as f64;
                let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
                let error = (squares / (n * (n - 1.0))).sqrt();
                [mean - error, mean + error]
            }
        }
    }
}

/// A line, or points with errors.
pub struct Series {
    /// In the legend; series of the same name look the same and are there once.
    pub label: String,
    /// In the order of `x`.
    pub points: Vec<Point>,
    /// Joined by a line, without marks.
    pub line: bool,
    /// The label of the series that it is computed from by a law, if it is: a broken line of the same colour.
    pub law_of: Option<String>,
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Horizontal.
    pub x: f64,
    /// Vertical.
    pub y: f64,
    /// What its error leaves open; of a mean its [`Spread`].
    pub range: Option<[f64; 2]>,
    /// How many values it is the mean of.
    pub seeds: usize,
    /// The true value is at least this.
    pub lower_bound: bool,
}

impl Series {
    /// Whether there are means among the points.
    pub fn has_means(&self) -> bool {
        self.points.iter().any(Point::is_mean)
    }

    /// Puts points in the order of `x`, and those at the same place, if they are repeats, into one: their mean, with its spread.
    pub fn arrange(&mut self, repeats: Option<Spread>) {
        self.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        if let Some(spread) = repeats {
            let same = |a: &Point, b: &Point| a.x.total_cmp(&b.x) == Ordering::Equal;
            self.points = self.points.chunk_by(same).map(|points| Point::mean(points, spread)).collect();
        }
    }
}

impl Point {
    /// A point without an error.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, range: None, seeds: 1, lower_bound: false }
    }

    /// Whether it stands for several seeds.
    pub fn is_mean(&self) -> bool {
        self.seeds > 1
    }

    fn mean(points: &[Self], spread: Spread) -> Self {
        let &[first, _, ..] = points else { return points[0] };
        let values: Vec<f64> = points.iter().map(|point| point.y).collect();
        let y = values.iter().sum::<f64>() / points.len() as f64;
        let lower_bound = points.iter().any(|point| point.lower_bound);
        Self { x: first.x, y, range: Some(spread.of(&values, y)), seeds: points.len(), lower_bound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_become_their_mean_with_the_smallest_and_the_largest() {
        let point = |x: f64, y: f64| Point { range: Some([y - 0.1, y + 0.1]), ..Point::new(x, y) };
        let points = vec![point(2.0, 0.5), point(1.0, 0.25), point(2.0, 1.0), point(2.0, 0.75)];
        let mut series = Series { label: String::new(), points, line: false, law_of: None };
        series.arrange(None);
        assert_eq!((series.points.len(), series.has_means()), (4, false));
        series.arrange(Some(Spread::Extremes));
        let mean = Point { x: 2.0, y: 0.75, range: Some([0.5, 1.0]), seeds: 3, lower_bound: false };
        assert_eq!(series.points, [point(1.0, 0.25), mean]);
        let bound = Point { lower_bound: true, ..point(1.0, 0.75) };
        series.points.push(bound);
        series.arrange(Some(Spread::Extremes));
        assert_eq!((series.points[0].y, series.points[0].lower_bound), (0.5, true));
        assert!(series.has_means());
    }

    #[test]
    fn the_standard_error_of_a_mean_is_that_of_independent_values() {
        let points = [0.5, 0.75, 1.0].map(|y| Point::new(2.0, y)).into();
        let mut series = Series { label: String::new(), points, line: false, law_of: None };
        series.arrange(Some(Spread::StandardError));
        // The squares of 1/4, 0 and 1/4 are 1/8 together; over 3 times 2 values.
        let error = (1.0f64 / 48.0).sqrt();
        assert_eq!(series.points[0].range, Some([0.75 - error, 0.75 + error]));
    }
}
