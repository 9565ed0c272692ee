//! Axes with round numbers at even distances.

/// Decimals and powers of ten beyond which a mark has an exponent.
const DECIMALS: i32 = 6;

/// Parts of a number that are not told apart.
const RESOLVED: f64 = 1e-9;

/// An axis from a round number to a round number.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its ends.
    pub ends: [f64; 2],
    /// What is written at even distances from end to end, ends included.
    pub marks: Vec<String>,
}

impl Axis {
    /// An axis that holds these numbers, with so many distances between marks at most, but one.
    pub fn over(low: f64, high: f64, most: usize) -> Self {
        let is_wide = high - low > RESOLVED * low.abs().max(high.abs());
        let (low, high) = if is_wide { (low, high) } else { around(high) };
        let mut step = round_up((high - low) / most.max(1) as f64);
        // Rounding the ends outwards may take one distance too many.
        let [mut first, mut last] = [(low / step).floor(), (high / step).ceil()];
        if last - first > most.max(1) as f64 {
            step = round_up(1.01 * step);
            [first, last] = [(low / step).floor(), (high / step).ceil()];
        }
        let ends = [first * step, last * step];
        let count = (last - first) as usize;
        let marks = (0..=count).map(|place| mark((first + place as f64) * step, step, ends)).collect();
        Self { ends, marks }
    }
}

/// What an axis holds around a single number.
fn around(value: f64) -> (f64, f64) {
    let beside = 0.05 * value.abs();
    if value == 0.0 { (0.0, 1.0) } else { (value - beside, value + beside) }
}

/// The next of 1, 2 and 5 times powers of ten.
fn round_up(step: f64) -> f64 {
    let decade = 10f64.powi(step.log10().floor() as i32);
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * decade >= (1.0 - 1e-9) * step);
    factor.unwrap_or(10.0) * decade
}

/// A multiple of a round distance, with all digits that it has.
fn mark(value: f64, step: f64, ends: [f64; 2]) -> String {
    // The logarithm of a power of ten may be a rounding below a whole number.
    let decade = |size: f64| (size.log10() + 1e-9).floor() as i32;
    let size = ends[0].abs().max(ends[1].abs());
    let decimals = (-decade(step)).max(0);
    // Zero without a sign.
    let value = if value.abs() < 0.5 * step { 0.0 } else { value };
    if decimals <= DECIMALS && decade(size) <= DECIMALS || value == 0.0 && decimals == 0 {
        return format!("{value:.*}", decimals as usize);
    }
    let digits = (decade(size) - decade(step)).max(0) as usize;
    if value == 0.0 { "0".into() } else { format!("{value:.digits$e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(low: f64, high: f64, most: usize) -> String {
        Axis::over(low, high, most).marks.join(" ")
    }

    #[test]
    fn marks_are_round_and_can_be_told_apart() {
        assert_eq!(marks(0.0, 0.8, 4), "0.0 0.2 0.4 0.6 0.8");
        assert_eq!(marks(0.0, 501.0, 6), "0 100 200 300 400 500 600");
        assert_eq!(marks(0.0, 501.0, 3), "0 200 400 600");
        assert_eq!(marks(-1234.567, -1234.512, 4), "-1234.58 -1234.56 -1234.54 -1234.52 -1234.50");
        assert_eq!(marks(-10.0, -10.0, 2), "-10.5 -10.0 -9.5");
        assert_eq!(marks(0.0, 1e-3, 2), "0.0000 0.0005 0.0010");
        assert_eq!(marks(0.0, 2e-8, 2), "0 1e-8 2e-8");
        assert_eq!(marks(0.0, 26_214_400.0, 3), "0 1e7 2e7 3e7");
        assert_eq!(marks(-0.02, 0.02, 4), "-0.02 -0.01 0.00 0.01 0.02");
    }

    #[test]
    fn an_axis_holds_all_and_has_few_marks() {
        let numbers = [-1e9_f64, -17.3, -1e-9, 0.0, 1e-9, 0.02, 17.3, 128.0, 1e9];
        for case in 0..12 * numbers.len() * numbers.len() {
            let (most, low) = (1 + case % 12, numbers[case / 12 % numbers.len()]);
            let high = low.max(numbers[case / 12 / numbers.len()]);
            let Axis { ends, marks } = Axis::over(low, high, most);
            assert!(ends[0] <= low && ends[1] >= high, "{low} to {high}: {ends:?}");
            assert!(marks.len() >= 2 && marks.len() <= most + 2, "{low} to {high} in {most}: {marks:?}");
            assert!(marks.windows(2).all(|pair| pair[0] != pair[1]), "{marks:?}");
        }
    }
}
