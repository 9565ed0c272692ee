//! Fewer points of a curve that looks the same.

use super::super::series::Point;

/// Keeps of every one of so many equal parts of the axis the first, the last, the least and the greatest point; all if there are no more
/// than these could be. The first and the last point and all extremes of the curve are among them.
///
/// Source: Jugel et al., "M4: a visualization-oriented time series data aggregation", VLDB 7 (2014): lines between these points cover
/// the same dots as those between all, where a part is a dot wide.
pub fn thin(points: &[Point], place: impl Fn(&Point) -> f64, parts: usize) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let (start, width) = (place(first), (place(last) - place(first)) / parts as f64);
    if points.len() <= 4 * parts || width <= 0.0 {
        return points.to_vec();
    }
    let part = |point: &Point| (((place(point) - start) / width) as usize).min(parts - 1);
    points.chunk_by(|a, b| part(a) == part(b)).flat_map(kept).collect()
}

/// The four points of a part, in their order and each once.
fn kept(points: &[Point]) -> Vec<Point> {
    let heights = || points.iter().enumerate().map(|(index, point)| (index, point.y));
    let least = heights().min_by(|a, b| a.1.total_cmp(&b.1));
    let most = heights().max_by(|a, b| a.1.total_cmp(&b.1));
    let mut indices: Vec<usize> = [least, most].into_iter().flatten().map(|(index, _)| index).collect();
    indices.extend([0, points.len() - 1]);
    indices.sort_unstable();
    indices.dedup();
    indices.into_iter().map(|index| points[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_extremes_are_kept() {
        let wave = |i: usize| Point::new(i as f64, (i as f64 * 0.7).sin() + if i == 517 { 9.0 } else { 0.0 });
        let points: Vec<Point> = (0..1000).map(wave).collect();
        let few = thin(&points, |point| point.x, 25);
        assert!((50..=100).contains(&few.len()), "{}", few.len());
        assert_eq!((few[0], few[few.len() - 1]), (points[0], points[999]));
        assert!(few.contains(&points[517]) && few.is_sorted_by(|a, b| a.x < b.x));
        let least = |points: &[Point]| points.iter().map(|point| point.y).fold(f64::INFINITY, f64::min);
        assert_eq!(least(&few), least(&points));
        assert_eq!(thin(&points, |point| point.x, 250), points);
        assert_eq!(thin(&[], |point: &Point| point.x, 250), []);
    }
}
