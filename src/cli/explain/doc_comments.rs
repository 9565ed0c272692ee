//! What doc comments of this program's own source say: they are what users are told, so that nothing is written twice.

use super::layout::in_one_line;

/// A field of a struct or a variant of an enum.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Its doc comment.
    pub text: String,
}

/// What is said of a type, and of its fields or variants in their order.
///
/// # Panics
/// If the source has no such type.
pub fn of_type(source: &str, declaration: &str) -> (String, Vec<Item>) {
    let start = source.find(&format!("{declaration} {{\n")).expect("a type of this source");
    let before = source[..start].lines().rev();
    let above: Vec<&str> =
        before.take_while(|line| line.starts_with("///") || line.starts_with("#[")).collect();
    let above = above.into_iter().rev().filter_map(|line| line.strip_prefix("///"));
    let text = in_one_line(&above.collect::<String>());
    let body = source[start..].lines().skip(1).take_while(|line| *line != "}");
    (text, items(body))
}

fn items<'a>(body: impl Iterator<Item = &'a str>) -> Vec<Item> {
    let (mut found, mut text) = (Vec::new(), String::new());
    for line in body.map(str::trim) {
        match line.strip_prefix("///") {
            Some(more) => text.push_str(more),
            None if line.starts_with("#[") => {}
            None => {
                let name = line.trim_start_matches("pub ").split([':', ' ', '(', ',']).next();
                let text = in_one_line(&std::mem::take(&mut text));
                found.push(Item { name: name.unwrap_or_default().into(), text });
            }
        }
    }
    found
}

/// The list below a heading of a file's own doc comment, an entry each.
pub fn list_of_file(source: &str, heading: &str) -> Vec<String> {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim_start);
    let below = lines.skip_while(|line| *line != format!("# {heading}")).skip(1);
    let below = below.take_while(|line| !line.starts_with("# ") && !line.is_empty());
    let mut found: Vec<String> = Vec::new();
    for line in below {
        match (line.strip_prefix("- "), found.last_mut()) {
            (None, Some(last)) => *last = format!("{last} {line}"),
            (entry, _) => found.push(entry.unwrap_or(line).into()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "//! First.\n//!\n//! # Signs\n//! - one, which\n//!   goes on\n//! - two\n//!\n//! # Else\n//! - no\n\n\
        /// Of a thing,\n/// in two lines.\n#[derive(Debug)]\npub struct Thing {\n    /// The first\n    /// field.\n    #[serde(default)]\n    \
        pub first: u64,\n    /// Second.\n    pub second: Option<f64>,\n}\n\npub enum Kind {\n    /// With fields.\n    One { a: u8 },\n    \
        /// Without.\n    Two,\n    /// Of one.\n    Three(u8),\n}\n";

    #[test]
    fn fields_and_variants_are_found_with_what_is_said_of_them() {
        let item = |name: &str, text: &str| Item { name: name.into(), text: text.into() };
        let (text, fields) = of_type(SOURCE, "pub struct Thing");
        assert_eq!(text, "Of a thing, in two lines.");
        assert_eq!(fields, [item("first", "The first field."), item("second", "Second.")]);
        let (text, variants) = of_type(SOURCE, "pub enum Kind");
        assert_eq!(text, "");
        assert_eq!(
            variants,
            [item("One", "With fields."), item("Two", "Without."), item("Three", "Of one.")]
        );
    }

    #[test]
    fn a_list_ends_with_its_section() {
        assert_eq!(list_of_file(SOURCE, "Signs"), ["one, which goes on", "two"]);
    }
}
