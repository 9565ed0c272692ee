//! Intervals for numbers whose errors are not normal, and their ends from draws.

use serde::{Deserialize, Serialize};

/// Probability of an interval of one standard error on either side of a normal number.
const ONE_SIGMA: f64 = 0.682_689_492_137;

/// Ends of the intervals that hold the true value with 68.3% and with 95%.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end, 68.3%.
    pub low: f64,
    /// Upper end, 68.3%.
    pub high: f64,
    /// Lower end, 95%.
    pub low_95: f64,
    /// Upper end, 95%.
    pub high_95: f64,
}

impl Interval {
    /// That of a normal number.
    pub fn normal(value: f64, error: f64) -> Self {
        let at = |sigmas: f64| value + sigmas * error;
        Self { low: at(-1.0), high: at(1.0), low_95: at(-1.96), high_95: at(1.96) }
    }

    /// From draws of the number, which are sorted on the way.
    ///
    /// # Panics
    /// If there are none.
    pub fn of_draws(draws: &mut [f64]) -> Self {
        draws.sort_by(f64::total_cmp);
        let at = |probability: f64| quantile(draws, probability);
        let (one, two) = (0.5 * ONE_SIGMA, 0.475);
        Self { low: at(0.5 - one), high: at(0.5 + one), low_95: at(0.5 - two), high_95: at(0.5 + two) }
    }

    /// How far the farther end of the 68.3% interval is.
    pub fn reach(&self, value: f64) -> f64 {
        (value - self.low).max(self.high - value)
    }

    /// All ends held within bounds.
    pub fn clamp(&self, least: f64, most: f64) -> Self {
        self.map(|end| end.clamp(least, most))
    }

    /// The smallest that holds both.
    pub fn hull(&self, other: &Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            low_95: self.low_95.min(other.low_95),
            high_95: self.high_95.max(other.high_95),
        }
    }

    /// All ends mapped by a function that falls or rises.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        let ordered = |a: f64, b: f64| if a <= b { (a, b) } else { (b, a) };
        let (low, high) = ordered(f(self.low), f(self.high));
        let (low_95, high_95) = ordered(f(self.low_95), f(self.high_95));
        Self { low, high, low_95, high_95 }
    }
}

/// The number below which so much of a sorted list lies, between neighbours by a straight line.
pub(super) fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let place = probability * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    if part == 0.0 || sorted[below] == sorted[above] {
        sorted[below]
    } else {
        sorted[below] + part * (sorted[above] - sorted[below])
    }
}

/// What 68.3% of the absolute values stay below.
pub(super) fn one_sigma_of(draws: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = draws.iter().map(|draw| draw.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    quantile(&sizes, ONE_SIGMA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn normal_draws_have_the_interval_of_a_normal_number() {
        let normals = Seed(7).stream("normals").normals(0, 1, 200_000);
        let mut draws: Vec<f64> = normals.into_iter().map(|x| 3.0 + 2.0 * f64::from(x)).collect();
        let deviations: Vec<f64> = draws.iter().map(|x| x - 3.0).collect();
        assert!((one_sigma_of(&deviations) - 2.0).abs() < 0.02);
        let (found, expected) = (Interval::of_draws(&mut draws), Interval::normal(3.0, 2.0));
        let pairs = [
            (found.low, expected.low),
            (found.high, expected.high),
            (found.low_95, expected.low_95),
            (found.high_95, expected.high_95),
        ];
        // Four errors of the outermost quantile of so many draws: 2·√(0.025·0.975/2e5)/0.058 = 0.012.
        assert!(pairs.iter().all(|(a, b)| (a - b).abs() < 0.05), "{found:?}");
        let mirrored = found.map(|x| -x);
        assert_eq!((mirrored.low, mirrored.high_95), (-found.high, -found.low_95));
    }
}
