//! `flowqcd explain`: tables and keys of specifications, columns of tables, warnings, conventions, in the words of their doc comments.

mod doc_comments;
mod layout;
#[cfg(test)]
mod tests;

use super::output::print;
use crate::error::{Error, Result};
use crate::spec::{self, Explanation};
use doc_comments::{Item, list_of_file, of_type};
use layout::{entry, indented};

/// The tables of a run directory, with the types of their rows.
const TABLES: [(&str, &str); 7] = [
    ("train.csv", "pub struct TrainRow"),
    ("ess.csv", "pub struct EssRow"),
    ("cost.csv", "pub struct CostRow"),
    ("observables.csv", "pub struct ObservableRow"),
    ("chains.csv", "pub struct ChainRow"),
    ("history.csv", "pub struct HistoryRow"),
    ("weights.csv", "pub struct WeightRow"),
];

const ROWS: &str = include_str!("../../study/row.rs");
const WARNINGS: &str = include_str!("../../study/warnings.rs");
const LIBRARY: &str = include_str!("../../lib.rs");

/// Prints what there is to say of a topic, or which topics there are.
///
/// # Errors
/// [`Error::Usage`] if there is no such topic, [`Error::Io`] if stdout cannot be written.
pub fn explain(topic: Option<&str>) -> Result<()> {
    let text = topic.map_or_else(|| Ok(topics()), in_words).map_err(|problem| Error::Usage {
        message: problem.to_string(),
        hint: problem.hint.unwrap_or_default(),
    })?;
    print(&text)
}

fn in_words(topic: &str) -> Result<String, crate::error::Problem> {
    let table = TABLES.iter().find(|(file, _)| *file == topic || file.strip_suffix(".csv") == Some(topic));
    match (topic, table) {
        // `train` is a table of specifications.
        (_, Some(&(file, row))) if topic != "train" => Ok(columns(file, row)),
        ("columns", _) => Ok(TABLES.map(|(file, row)| columns(file, row)).join("\n\n")),
        ("warnings", _) => Ok(warnings()),
        ("conventions", _) => Ok(conventions()),
        ("spec", _) => spec::explain("").map(|whole| specification(&whole)),
        _ => spec::explain(topic).map(|found| specification(&found)),
    }
}

fn topics() -> String {
    let whole = spec::explain("").expect("the whole specification");
    let tables: Vec<&str> = whole.below.iter().map(|below| below.path.as_str()).collect();
    let files = TABLES.map(|(file, _)| file).join(", ");
    [
        entry(
            "spec",
            &format!(
                "Specifications: {}, and every table and key below them, as train.stop or flow.gauge.map.",
                tables.join(", ")
            ),
        ),
        entry("columns", &format!("What stands in the tables of a run directory: {files}, or one of them.")),
        entry("warnings", "Where figures would mislead, when that is said, and what helps."),
        entry("conventions", "Signs, units, shapes, what is counted."),
    ]
    .join("\n")
}

/// A table with what stands in it, or a key.
fn specification(found: &Explanation) -> String {
    let title = if found.path.is_empty() { "A specification".to_owned() } else { title(found) };
    let paragraphs = found.text.iter().filter(|text| !text.is_empty()).map(|text| indented(text, 4));
    let names = found.names.iter().map(|(name, text)| indented(&format!("\"{name}\": {text}"), 4));
    let head = [title].into_iter().chain(paragraphs).chain(names).collect::<Vec<String>>().join("\n");
    let below = found.below.iter().map(|below| entry(&title_of_entry(below), &below.text[0]));
    [head].into_iter().chain(below).collect::<Vec<String>>().join("\n\n")
}

fn title(found: &Explanation) -> String {
    let is_table = found.kind.starts_with("table");
    let name = if is_table { format!("[{}]", found.path) } else { found.path.clone() };
    format!("{name}: {}", found.kind)
}

/// Tables are written as they are in a file, keys by their names.
fn title_of_entry(below: &Explanation) -> String {
    let key = below.path.rsplit('.').next().unwrap_or_default().to_owned();
    if below.kind.starts_with("table") { title(below) } else { format!("{key}: {}", below.kind) }
}

fn columns(file: &str, row: &str) -> String {
    let (text, items) = of_type(ROWS, row);
    let text = text.trim_start_matches(&format!("`{file}`: ")).to_owned();
    let first = "The cell of the study, 0 if there is none; after it a column for each key that varies.";
    let cell = Item { name: "cell".into(), text: first.into() };
    let columns = [cell].into_iter().chain(items).map(|column| entry(&column.name, &column.text));
    let head = format!("{file}: a row is {text}");
    [head].into_iter().chain(columns).collect::<Vec<String>>().join("\n")
}

fn warnings() -> String {
    let (_, items) = of_type(WARNINGS, "pub enum Warning");
    items.iter().map(|item| entry(&spaced(&item.name), &item.text)).collect::<Vec<String>>().join("\n")
}

/// `ModeCollapse` → `mode collapse`.
fn spaced(name: &str) -> String {
    let letter = |c: char| if c.is_uppercase() { format!(" {}", c.to_lowercase()) } else { c.to_string() };
    name.chars().map(letter).collect::<String>().trim_start().replace("hmc", "HMC")
}

fn conventions() -> String {
    let [signs, papers] = ["Conventions", "References"].map(|heading| {
        let entries = list_of_file(LIBRARY, heading);
        entries
            .iter()
            .map(|text| format!("- {}", indented(text, 2).trim_start()))
            .collect::<Vec<String>>()
            .join("\n")
    });
    format!("Conventions\n{signs}\n\nPapers\n{papers}")
}
