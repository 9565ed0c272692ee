//! Points that belong together in a figure.

use std::cmp::Ordering;

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
    /// What its error leaves open; of a mean the smallest and the largest value.
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

    /// Puts points in the order of `x`, and those at the same place into one if they are `repeats`: their mean, with the smallest
    /// and the largest.
    pub fn arrange(&mut self, repeats: bool) {
        self.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        if repeats {
            let same = |a: &Point, b: &Point| a.x.total_cmp(&b.x) == Ordering::Equal;
            self.points = self.points.chunk_by(same).map(Point::mean).collect();
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

    fn mean(points: &[Self]) -> Self {
        let &[first, _, ..] = points else { return points[0] };
        let values = || points.iter().map(|point| point.y);
        let range = [values().fold(first.y, f64::min), values().fold(first.y, f64::max)];
        let y = values().sum::<f64>() / points.len() as f64;
        let lower_bound = points.iter().any(|point| point.lower_bound);
        Self { x: first.x, y, range: Some(range), seeds: points.len(), lower_bound }
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
        series.arrange(false);
        assert_eq!((series.points.len(), series.has_means()), (4, false));
        series.arrange(true);
        let mean = Point { x: 2.0, y: 0.75, range: Some([0.5, 1.0]), seeds: 3, lower_bound: false };
        assert_eq!(series.points, [point(1.0, 0.25), mean]);
        let bound = Point { lower_bound: true, ..point(1.0, 0.75) };
        series.points.push(bound);
        series.arrange(true);
        assert_eq!((series.points[0].y, series.points[0].lower_bound), (0.5, true));
        assert!(series.has_means());
    }
}
