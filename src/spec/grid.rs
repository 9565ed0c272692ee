//! The points of a product of zipped lists.

use super::study::Lists;
use serde_json::Value as Json;

/// Lists that go together, times further such lists: the first changes slowest.
#[derive(Debug, Clone)]
pub struct Grid<'a> {
    factors: Vec<&'a Lists>,
}

impl<'a> Grid<'a> {
    /// The product of `vary` and each table of `grid`; tables without lists are no factor.
    pub fn new(vary: &'a Lists, grid: &'a [Lists]) -> Self {
        let factors = std::iter::once(vary).chain(grid).filter(|lists| !lists.is_empty());
        Self { factors: factors.collect() }
    }

    /// The keys, factor by factor.
    pub fn keys(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        self.factors.clone().into_iter().flat_map(|lists| lists.keys())
    }

    /// Number of points, unless there are more than can be counted.
    pub fn count(&self) -> Option<u64> {
        self.factors.iter().try_fold(1u64, |count, lists| count.checked_mul(length(lists) as u64))
    }

    /// Number of factors.
    pub fn dimensions(&self) -> usize {
        self.factors.len()
    }

    /// The factor that a key is in.
    pub fn factor(&self, key: &str) -> Option<usize> {
        self.factors.iter().position(|lists| lists.contains_key(key))
    }

    /// The values of a key, if it is in a list.
    pub fn list(&self, key: &str) -> Option<&'a [Json]> {
        self.factors.iter().find_map(|lists| lists.get(key)).map(Vec::as_slice)
    }

    /// The place of a point along a factor, and how many points further the next along it is.
    pub fn along(&self, factor: usize, point: usize) -> (usize, usize) {
        let stride = self.factors[factor + 1..].iter().map(|lists| length(lists)).product();
        (point / stride % length(self.factors[factor]), stride)
    }

    /// The keys with their values at a point.
    pub fn values(&self, point: usize) -> Vec<(&'a str, &'a Json)> {
        let of_factor = |factor: usize| {
            let (place, _) = self.along(factor, point);
            self.factors[factor].iter().map(move |(key, list)| (key.as_str(), &list[place]))
        };
        (0..self.factors.len()).flat_map(of_factor).collect()
    }
}

/// Values of the longest list.
pub fn length(lists: &Lists) -> usize {
    lists.values().map(Vec::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(all: &[(&str, &[i64])]) -> Lists {
        let list = |(key, values): &(&str, &[i64])| {
            ((*key).to_owned(), values.iter().map(|&value| Json::from(value)).collect())
        };
        all.iter().map(list).collect()
    }

    #[test]
    fn the_first_factor_changes_slowest_and_lists_of_a_factor_go_together() {
        let (vary, further) = (lists(&[("a", &[1, 2]), ("b", &[3, 4])]), [lists(&[("c", &[5, 6, 7])])]);
        let grid = Grid::new(&vary, &further);
        assert_eq!(grid.count(), Some(6));
        let point = |index: usize| -> Vec<i64> {
            grid.values(index).into_iter().map(|(_, value)| value.as_i64().unwrap()).collect()
        };
        assert_eq!([0, 1, 2, 3].map(point), [[1, 3, 5], [1, 3, 6], [1, 3, 7], [2, 4, 5]]);
        assert_eq!((grid.factor("b"), grid.factor("c"), grid.factor("d")), (Some(0), Some(1), None));
        assert_eq!([0, 3, 5].map(|point| grid.along(0, point)), [(0, 3), (1, 3), (1, 3)]);
        assert_eq!([0, 2, 5].map(|point| grid.along(1, point)), [(0, 1), (2, 1), (2, 1)]);
    }

    #[test]
    fn without_lists_there_is_one_point() {
        let none = Lists::new();
        let grid = Grid::new(&none, &[]);
        assert_eq!((grid.count(), grid.values(0).len(), grid.dimensions()), (Some(1), 0, 0));
    }

    #[test]
    fn more_points_than_can_be_counted_are_none() {
        let long = lists(&[("a", &[0; 1 << 16])]);
        let further = vec![long.clone(); 3];
        assert_eq!(Grid::new(&long, &further[..2]).count(), Some(1 << 48));
        assert_eq!(Grid::new(&long, &further).count(), None);
    }
}
