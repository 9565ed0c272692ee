//! A number with what its error leaves open on either side, and how far two of them are apart.

use serde::Serialize;

/// Standard errors of a normal number within its interval of 95%.
const SIGMAS_OF_95: f64 = 1.96;

/// A number of a table with one standard error downwards and one upwards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// How far the true one may be below it.
    pub below: f64,
    /// How far above.
    pub above: f64,
}

impl Estimate {
    /// From the intervals that hold the true number with 68.3% and, where it is known, with 95%: where tails are heavy the wider one
    /// is more than 1.96 of the other, and counts. A number without an interval, or beside it, has its error on both sides.
    pub fn new(value: f64, error: f64, ends: Option<[f64; 2]>, wide: Option<[f64; 2]>) -> Self {
        let around = |ends: &[f64; 2]| ends[0] <= value && value <= ends[1];
        let Some([low, high]) = ends.filter(around) else {
            return Self { value, below: error, above: error };
        };
        let [low_95, high_95] = wide.filter(around).unwrap_or([value; 2]);
        let side = |one: f64, two: f64| one.max(two / SIGMAS_OF_95);
        Self { value, below: side(value - low, value - low_95), above: side(high - value, high_95 - value) }
    }

    /// By how many of its standard errors the difference `other - self` is off zero, as if the two were independent: those are of
    /// the sides that face each other, in quadrature. Nothing if there is a difference and no error.
    pub fn sigmas(&self, other: &Self) -> Option<f64> {
        let difference = other.value - self.value;
        if difference == 0.0 {
            return Some(0.0);
        }
        let error = match difference > 0.0 {
            true => self.above.hypot(other.below),
            false => self.below.hypot(other.above),
        };
        (error > 0.0).then(|| difference / error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_those_of_the_sides_that_face_each_other() {
        let low = Estimate { value: 1.0, below: 9.0, above: 3.0 };
        let high = Estimate { value: 11.0, below: 4.0, above: 7.0 };
        assert_eq!([low.sigmas(&high), high.sigmas(&low)], [Some(2.0), Some(-2.0)]);
        assert_eq!(low.sigmas(&low), Some(0.0));
        let unknown = Estimate { above: f64::INFINITY, ..low };
        assert_eq!(unknown.sigmas(&high), Some(0.0));
    }

    #[test]
    fn numbers_without_errors_agree_if_they_are_equal() {
        let exact = |value: f64| Estimate { value, below: 0.0, above: 0.0 };
        assert_eq!([exact(2.0).sigmas(&exact(2.0)), exact(2.0).sigmas(&exact(3.0))], [Some(0.0), None]);
    }

    #[test]
    fn the_interval_that_is_wider_in_units_of_a_normal_number_counts() {
        let normal = Estimate::new(1.0, 0.5, Some([0.5, 1.5]), Some([0.02, 1.98]));
        assert_eq!([normal.below, normal.above], [0.5, 0.5]);
        let heavy = Estimate::new(1.0, 0.5, Some([0.5, 1.25]), Some([-0.96, 1.25]));
        assert_eq!([heavy.below, heavy.above], [1.0, 0.25]);
    }

    #[test]
    fn a_number_beside_its_interval_is_not_excused_by_it() {
        for ends in [None, Some([0.25, 0.5])] {
            let estimate = Estimate::new(1.0, 0.125, ends, Some([0.0, 2.0]));
            assert_eq!([estimate.below, estimate.above], [0.125, 0.125]);
        }
    }
}
