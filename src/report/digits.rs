//! Numbers as people read them.

/// Digits of a number, at least.
const DIGITS: i32 = 4;

/// A narrow space that does not break lines, between thousands.
const THIN: char = '\u{202f}';

/// From here on thousands are no longer counted out.
const MANY: f64 = 1e12;

/// Whole from a thousand on, else with four digits that count, without zeros at the end.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e15).contains(&size) {
        return format!("{value:.3e}");
    }
    let leading = if size == 0.0 { 0 } else { size.log10().floor() as i32 };
    let decimals = (DIGITS - 1 - leading).clamp(0, 8) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A value and its error with two digits of the error, and what stands between them.
pub fn with_error(value: f64, error: f64, between: &str) -> String {
    let digits = if error > 0.0 { (1 - error.log10().floor() as i32).clamp(0, 12) as usize } else { 6 };
    format!("{value:.digits$} {between} {error:.digits$}")
}

/// A whole number with its thousands apart.
pub fn grouped(value: f64) -> String {
    if value.abs() >= MANY {
        return format!("{value:.2e}");
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let places = digits.chars().enumerate();
    let apart = places.flat_map(|(place, digit)| {
        let begins = place > 0 && (digits.len() - place).is_multiple_of(3);
        begins.then_some(THIN).into_iter().chain([digit])
    });
    sign.chars().chain(apart).collect()
}

/// The same of a number that is known to three digits.
pub fn about(value: f64) -> String {
    if value.abs() < 1000.0 || !value.is_finite() {
        return short(value);
    }
    let unit = 10f64.powi(value.abs().log10().floor() as i32 - 2);
    grouped((value / unit).round() * unit)
}

/// Seconds in the unit in which they are a small number.
pub fn seconds(value: f64) -> String {
    let (factor, unit) = match value.abs() {
        0.0 => (1.0, "s"),
        size if size < 1e-6 => (1e9, "ns"),
        size if size < 1e-3 => (1e6, "µs"),
        size if size < 1.0 => (1e3, "ms"),
        size if size < 120.0 => (1.0, "s"),
        size if size < 7200.0 => (1.0 / 60.0, "min"),
        _ => (1.0 / 3600.0, "h"),
    };
    format!("{} {unit}", three(value * factor))
}

/// Three digits that count, and no exponent.
fn three(value: f64) -> String {
    let leading = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    format!("{value:.*}", (2 - leading).clamp(0, 2) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_count() {
        let shown = [0.0, 0.25, 0.123456, -4.0, 1339648.0, 1234.5678, 0.000123456, 2e-7, 12.3456].map(short);
        let expected = ["0", "0.25", "0.1235", "-4", "1339648", "1235", "0.0001235", "2.000e-7", "12.35"];
        assert_eq!(shown, expected);
    }

    #[test]
    fn errors_have_two_digits() {
        assert_eq!(with_error(0.123456, 0.00067, "±"), "0.12346 ± 0.00067");
        assert_eq!(with_error(-16.49, 0.0123, "+-"), "-16.490 +- 0.012");
        assert_eq!(with_error(1.0, 0.0, "+-"), "1.000000 +- 0.000000");
        assert_eq!(with_error(3.2, f64::INFINITY, "±"), "3 ± inf");
    }

    #[test]
    fn large_numbers_are_read_in_thousands() {
        assert_eq!(
            [999.0, 1000.0, -1234567.0].map(grouped),
            ["999", "1\u{202f}000", "-1\u{202f}234\u{202f}567"]
        );
        assert_eq!([12345.6, 0.5, 3e15].map(about), ["12\u{202f}300", "0.5", "3.00e15"]);
    }

    #[test]
    fn seconds_have_a_unit_that_fits() {
        let shown = [0.0, 4.46e-6, 0.0381, 74.51, 451.0, 8640.0].map(seconds);
        assert_eq!(shown, ["0.00 s", "4.46 µs", "38.1 ms", "74.5 s", "7.52 min", "2.40 h"]);
    }
}
