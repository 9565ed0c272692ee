//! Axes of figures: linear or logarithmic, with short marks.

use super::digits::short;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

/// Greatest over least value beyond which an axis is logarithmic.
const WIDE: f64 = 100.0;

/// The same for costs, which are compared by their ratios.
const WIDE_COST: f64 = 10.0;

/// How far a mark is from a whole number by rounding at most, or from zero in units of the axis.
const WHOLE: f64 = 1e-9;

/// An axis: what it shows and how.
pub struct Axis {
    /// What is written along it.
    pub label: String,
    /// Logarithmic, or linear.
    pub log: bool,
    from_zero: bool,
    /// Marks are in thousands and millions.
    counts: bool,
    /// Marks are whole numbers.
    whole: bool,
}

impl Axis {
    /// A linear axis.
    pub fn plain(label: &str) -> Self {
        Self { label: label.into(), log: false, from_zero: false, counts: false, whole: false }
    }

    /// A linear axis that begins at zero.
    pub fn from_zero(label: &str) -> Self {
        Self { from_zero: true, ..Self::plain(label) }
    }

    /// A linear axis of large numbers that begins at zero, marked as 5k or 5M.
    pub fn counts(label: &str) -> Self {
        Self { counts: true, ..Self::from_zero(label) }
    }

    /// A linear axis of whole numbers.
    pub fn whole(label: &str) -> Self {
        Self { whole: true, ..Self::plain(label) }
    }

    /// A logarithmic axis.
    pub fn logarithmic(label: &str) -> Self {
        Self { log: true, ..Self::plain(label) }
    }

    /// A logarithmic axis if the values are positive and span more than two decades, else a linear one from zero.
    pub fn wide(label: &str, values: impl Iterator<Item = f64>) -> Self {
        Self::wide_beyond(WIDE, label, values)
    }

    /// A logarithmic axis if the values are positive and span more than one decade, else a linear one from zero.
    pub fn cost(label: &str, values: impl Iterator<Item = f64>) -> Self {
        Self::wide_beyond(WIDE_COST, label, values)
    }

    fn wide_beyond(ratio: f64, label: &str, values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = bounds(values).unwrap_or((1.0, 1.0));
        let log = least > 0.0 && most / least > ratio;
        Self { log, from_zero: !log, ..Self::plain(label) }
    }

    /// The same without zero at its beginning.
    pub fn without_zero(self) -> Self {
        Self { from_zero: false, ..self }
    }

    /// The same with large numbers as 5k or 5M.
    pub fn counted(self) -> Self {
        Self { counts: true, ..self }
    }

    /// The same with a logarithmic scale.
    pub fn into_log(self) -> Self {
        Self { log: true, from_zero: false, ..self }
    }

    /// The coordinate of a value.
    pub fn place(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// The value at a coordinate.
    pub fn value(&self, place: f64) -> f64 {
        if self.log { 10f64.powf(place) } else { place }
    }

    /// What is written beside a mark.
    pub fn mark(&self, place: f64) -> String {
        let superscript = |n: i32| {
            let digit = |c: char| {
                if c == '-' {
                    '⁻'
                } else {
                    ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][c as usize - '0' as usize]
                }
            };
            n.to_string().chars().map(digit).collect::<String>()
        };
        let scientific = |decade: i32, factor: f64| match factor.round() {
            1.0 => format!("10{}", superscript(decade)),
            factor => format!("{factor}·10{}", superscript(decade)),
        };
        if self.log {
            // A mark at a whole decade may be a rounding below it.
            let decade = (place + 1e-9).floor();
            return scientific(decade as i32, 10f64.powf(place - decade));
        }
        if self.counts && place.abs() >= 1e3 {
            let (unit, letter) = if place.abs() >= 1e6 { (1e6, "M") } else { (1e3, "k") };
            return format!("{}{letter}", short(place / unit));
        }
        if place != 0.0 && !(1e-4..1e6).contains(&place.abs()) {
            return format!("{place:.3e}").replace(".000e", "e");
        }
        let text = format!("{place:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Coordinates from end to end, with a margin.
    pub fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        let (least, most) = bounds(values.map(|value| self.place(value))).unwrap_or((0.0, 1.0));
        let least = if self.from_zero { least.min(0.0) } else { least };
        let span = if most > least { most - least } else { most.abs().max(1.0) };
        let below = if self.from_zero && least == 0.0 { 0.0 } else { 0.04 * span };
        Scale { range: (least - below)..(most + 0.04 * span), log: self.log, whole: self.whole }
    }
}

/// Coordinates of an axis with their marks.
#[derive(Clone)]
pub struct Scale {
    /// From end to end.
    pub range: std::ops::Range<f64>,
    log: bool,
    whole: bool,
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    /// Of a logarithmic axis whole decades, and 2 and 5 between them where there are few.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if !self.log {
            let mut marks = RangedCoordf64::from(self.range.clone()).key_points(hint);
            // Steps to zero may end beside it by rounding.
            let zero = WHOLE * (self.range.end - self.range.start);
            marks.iter_mut().filter(|mark| mark.abs() < zero).for_each(|mark| *mark = 0.0);
            marks.retain(|mark| !self.whole || (mark - mark.round()).abs() < WHOLE);
            return marks;
        }
        let decades = self.range.start.floor() as i32..=self.range.end.ceil() as i32;
        let factors: &[f64] = if self.range.end - self.range.start < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let marks = decades.flat_map(|decade| factors.iter().map(move |f| f64::from(decade) + f.log10()));
        marks.filter(|mark| self.range.contains(mark)).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.clone()
    }
}

/// Least and greatest, if there are values.
fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (least, most) = bounds.unwrap_or((value, value));
        Some((value.min(least), value.max(most)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_short() {
        let linear = Axis::plain("");
        assert_eq!([0.0, 0.25, -24.0, 1e4].map(|v| linear.mark(v)), ["0", "0.25", "-24", "10000"]);
        assert_eq!([2e-7, 3e8].map(|v| linear.mark(v)), ["2e-7", "3e8"]);
        let counts = Axis::counts("");
        assert_eq!([500.0, 2.5e3, 5e6, 2.5e7].map(|v| counts.mark(v)), ["500", "2.5k", "5M", "25M"]);
        let log = Axis::wide("", [1.0, 1000.0].into_iter());
        assert_eq!([2.0, 5f64.log10(), 3f64, -1.0].map(|v| log.mark(v)), ["10²", "5·10⁰", "10³", "10⁻¹"]);
    }

    #[test]
    fn an_axis_is_logarithmic_where_values_span_decades() {
        assert!(Axis::wide("", [1e3, 1e6].into_iter()).log);
        assert!(!Axis::wide("", [1e3, 2e3].into_iter()).log);
        assert!(!Axis::wide("", [0.0, 1e6].into_iter()).log);
        assert!(!Axis::wide("", [1e3, 2e4].into_iter()).log);
        assert!(Axis::cost("", [1e3, 2e4].into_iter()).log);
    }

    #[test]
    fn marks_are_at_zero_and_at_whole_numbers() {
        let marks = |axis: Axis, ends: [f64; 2]| axis.scale(ends.into_iter()).key_points(6);
        // Steps of 0.2 from -0.4 end at -5.6e-17.
        assert!(marks(Axis::plain(""), [-0.5, 0.6]).contains(&0.0));
        assert_eq!(marks(Axis::whole(""), [1.0, 3.0]), [1.0, 2.0, 3.0]);
    }
}
