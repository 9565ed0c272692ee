//! Tables and numbers in HTML.

use super::super::digits::{grouped, seconds, short, with_error};
use maud::{Markup, html};

/// The heading of a column.
pub struct Heading {
    text: String,
    numeric: bool,
}

impl Heading {
    /// Of texts.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), numeric: false }
    }

    /// Of numbers.
    pub fn number(text: impl Into<String>) -> Self {
        Self { text: text.into(), numeric: true }
    }
}

/// What is in a field of a table.
pub enum Field {
    /// A text.
    Text(String),
    /// A number with how it is shown; nothing where it is not known.
    Number(Option<f64>, String),
    /// The same in a row that it sets apart.
    Marked(f64, String),
}

impl Field {
    /// A number with as many digits as count, from what a table has in it.
    pub fn number(text: &str) -> Self {
        Self::shown(text, short)
    }

    /// The value of a key, as it was written.
    pub fn key(text: &str) -> Self {
        Self::shown(text, |_| text.to_owned())
    }

    /// A whole number.
    pub fn count(text: &str) -> Self {
        Self::shown(text, grouped)
    }

    /// Seconds.
    pub fn seconds(value: Option<f64>) -> Self {
        Self::Number(value, value.map(seconds).unwrap_or_default())
    }

    /// Some number.
    pub fn some(value: Option<f64>, show: fn(f64) -> String) -> Self {
        Self::Number(value, value.map(show).unwrap_or_default())
    }

    /// A value with its error, if both are known.
    pub fn measured(value: &str, error: &str) -> Self {
        match (parsed(value), parsed(error)) {
            (Some(value), Some(error)) => Self::Number(Some(value), with_error(value, error, "±")),
            _ => Self::number(value),
        }
    }

    /// What is no number is shown as it is.
    fn shown(text: &str, show: impl Fn(f64) -> String) -> Self {
        let value = parsed(text);
        Self::Number(value, value.map_or_else(|| text.to_owned(), show))
    }

    fn markup(&self, purpose: Purpose) -> Markup {
        let digits = |value: Option<f64>| value.filter(|_| purpose != Purpose::Read);
        match self {
            Self::Text(text) => html! { td.t { (text) } },
            Self::Number(value, shown) => html! { td data-value=[digits(*value)] { (shown) } },
            Self::Marked(value, shown) => html! { td.far data-value=[digits(Some(*value))] { (shown) } },
        }
    }
}

/// What a table is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    /// To be read.
    Read,
    /// To be copied, too: all digits are beside what is shown.
    Digits,
    /// The same, and a click on a heading sorts it.
    Sorted,
}

/// The number in a field of a table.
pub fn parsed(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| !number.is_nan())
}

/// A table in a box that scrolls by itself; the first field of a row names it.
pub fn table(caption: &str, purpose: Purpose, headings: &[Heading], rows: &[Vec<Field>]) -> Markup {
    let head = html! {
        tr { @for heading in headings { th scope="col" class=[heading.numeric.then_some("n")] { (heading.text) } } }
    };
    boxed(caption, purpose, head, rows)
}

/// The same with rows of headings of one's own.
pub fn boxed(caption: &str, purpose: Purpose, head: Markup, rows: &[Vec<Field>]) -> Markup {
    html! {
        div.box role="region" tabindex="0" aria-label=(caption) {
            table data-sortable[purpose == Purpose::Sorted] {
                caption { (caption) }
                thead { (head) }
                tbody { @for row in rows { (line(row, purpose)) } }
            }
        }
    }
}

fn line(row: &[Field], purpose: Purpose) -> Markup {
    let Some((first, others)) = row.split_first() else { return html! {} };
    html! {
        tr {
            @match first {
                Field::Text(text) => th scope="row" { (text) },
                Field::Number(value, shown) => th.n scope="row" data-value=[value.as_ref()] { (shown) },
                Field::Marked(value, shown) => th.n.far scope="row" data-value=(value) { (shown) },
            }
            @for field in others { (field.markup(purpose)) }
        }
    }
}

/// Names with what they stand for.
pub fn list(entries: &[(&str, String)]) -> Markup {
    html! {
        dl { @for (name, value) in entries { @if !value.is_empty() { div { dt { (name) } dd { (value) } } } } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_files_is_escaped() {
        let rows = [vec![Field::Text("</td><script>".into()), Field::number("a&b")]];
        let html =
            table("\"<&", Purpose::Sorted, &[Heading::text("<"), Heading::number("&")], &rows).into_string();
        assert!(html.contains("aria-label=\"&quot;&lt;&amp;\""), "{html}");
        assert!(html.contains("<th scope=\"row\">&lt;/td&gt;&lt;script&gt;</th>"), "{html}");
        assert!(html.contains("<td>a&amp;b</td>"), "{html}");
    }

    #[test]
    fn values_keep_all_digits_beside_what_is_shown() {
        let field =
            |value: &str, error: &str| Field::measured(value, error).markup(Purpose::Digits).into_string();
        assert_eq!(field("0.12345678", "0.0012"), "<td data-value=\"0.12345678\">0.1235 ± 0.0012</td>");
        assert_eq!(field("0.5", ""), "<td data-value=\"0.5\">0.5</td>");
        assert_eq!(Field::number("").markup(Purpose::Sorted).into_string(), "<td></td>");
        assert_eq!(Field::number("0.25").markup(Purpose::Read).into_string(), "<td>0.25</td>");
    }
}
