//! Values of keys as tables show them: texts, numbers, lists of numbers.

/// A number, or a list of equal numbers such as `[8, 8]`.
pub fn number(text: &str) -> Option<f64> {
    let numbers: Option<Vec<f64>> = parts(text).map(|part| part.parse().ok()).collect();
    let numbers = numbers?;
    numbers.iter().all(|n| *n == numbers[0] && n.is_finite()).then(|| numbers[0])
}

/// The product of a list of numbers such as `[8, 8]`.
pub fn product(text: &str) -> Option<f64> {
    parts(text).map(|part| part.parse::<f64>().ok()).product()
}

/// Whether the text of a table is the value asked for: numbers compare as numbers, a list with a list part by part, and a number
/// with a list of numbers equal to it.
pub fn is(asked: &str, text: &str) -> bool {
    let is_list = |text: &str| text.trim_start().starts_with('[');
    let equal = |(asked, text): (&str, &str)| match (asked.parse::<f64>(), text.parse::<f64>()) {
        (Ok(asked), Ok(text)) => asked == text,
        _ => asked == text,
    };
    match (is_list(asked), is_list(text)) {
        (false, true) => number(asked).is_some_and(|asked| number(text) == Some(asked)),
        (true, true) => {
            parts(asked).count() == parts(text).count() && parts(asked).zip(parts(text)).all(equal)
        }
        _ => equal((asked.trim(), text.trim())),
    }
}

/// The same text for values that compare as equal, a list and its number apart.
pub fn canonical(text: &str) -> String {
    let part = |part: &str| part.parse::<f64>().map_or_else(|_| part.to_owned(), |number| number.to_string());
    match text.trim_start().starts_with('[') {
        true => format!("[{}]", parts(text).map(part).collect::<Vec<String>>().join(", ")),
        false => part(text.trim()),
    }
}

/// The parts of a list, or the text itself.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.trim().trim_start_matches('[').trim_end_matches(']').split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_equal_numbers_is_a_number() {
        assert_eq!(number("[8, 8]"), Some(8.0));
        assert_eq!(number("1.5"), Some(1.5));
        assert_eq!(number("[8, 16]"), None);
        assert_eq!(number("paper"), None);
        assert_eq!(number("inf"), None);
        assert_eq!([product("[8, 4]"), product("6"), product("[8, x]")], [Some(32.0), Some(6.0), None]);
    }

    #[test]
    fn numbers_compare_as_numbers_and_all_else_as_text() {
        for (asked, text) in [
            ("1", "1.0"),
            ("1e-3", "0.001"),
            ("retrain", "retrain"),
            ("[8,8]", "[8, 8]"),
            ("8", "[8, 8]"),
            ("adam learning_rate=0.001", "adam learning_rate=0.001"),
            ("", ""),
        ] {
            assert!(is(asked, text), "{asked} is {text}");
        }
        for (one, other) in [("1", "1.0"), ("1e-3", "0.001"), ("[8,8]", "[8.0, 8]"), ("paper", "paper ")] {
            assert_eq!(canonical(one), canonical(other));
        }
        assert_ne!(canonical("8"), canonical("[8]"));
        for (asked, text) in [
            ("1", "1.5"),
            ("retrain", "base"),
            ("[8, 8]", "[8, 8, 8]"),
            ("[8, 8]", "[8, 16]"),
            ("8", "[8, 16]"),
            ("1", ""),
            ("", "1"),
            ("[8]", "8"),
        ] {
            assert!(!is(asked, text), "{asked} is not {text}");
        }
    }
}
