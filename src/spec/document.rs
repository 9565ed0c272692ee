//! The TOML text itself: values with `--set` overrides, and the lines that keys stand on.

use super::check::{nearest, resolve_key};
use crate::error::Problem;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use toml::Value;
use toml::de::{DeTable, DeValue};

/// A parsed file.
pub struct Document<'a> {
    text: &'a str,
    /// Its content, overrides applied.
    pub value: Value,
    overridden: Vec<String>,
}

impl<'a> Document<'a> {
    pub fn parse(text: &'a str) -> Result<Self, Vec<Problem>> {
        let value = text.parse::<toml::Table>().map_err(|error| {
            let mut problem =
                Problem::new("", format!("broken TOML: {}", error.message().replace('\n', ", ")));
            problem.line = error.span().map(|span| line_of(text, span.start));
            vec![problem]
        })?;
        Ok(Self { text, value: Value::Table(value), overridden: Vec::new() })
    }

    /// Applies `PATH=VALUE` overrides; keys the schema does not know are problems.
    pub fn apply(&mut self, overrides: &[String], schema: &Json) -> Vec<Problem> {
        overrides.iter().filter_map(|text| self.apply_one(text, schema).err()).collect()
    }

    fn apply_one(&mut self, text: &str, schema: &Json) -> Result<(), Problem> {
        let Some((path, value)) = text.split_once('=') else {
            return Err(Problem::new("--set", "must have the form PATH=VALUE")
                .value(text)
                .hint("for example --set theory.phi4.coupling=1.5"));
        };
        let (path, value) = (path.trim(), value.trim());
        let place = format!("--set {path}");
        // A bare word is a string, so that names need no quotes on the command line.
        let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
        let parsed = parsed.unwrap_or_else(|| Value::String(value.into()));
        if let Some(problem) = unknown_key(schema, &place, path, parsed.is_table()) {
            return Err(problem.value(value));
        }
        put(&mut self.value, path, parsed).map_err(|problem| Problem { key: place, ..problem })?;
        self.overridden.push(path.into());
        Ok(())
    }

    /// Adds to each problem the line its key stands on, if it comes from the file.
    pub fn add_lines(&self, problems: &mut [Problem]) {
        let Ok(table) = DeTable::parse(self.text) else { return };
        for problem in problems.iter_mut().filter(|problem| problem.line.is_none()) {
            let plain = problem.key.split('[').next().unwrap_or_default();
            if !self.overridden.iter().any(|path| path == plain) {
                problem.line = key_offset(table.get_ref(), plain).map(|at| line_of(self.text, at));
            }
        }
    }
}

/// The problem at `place` of a path that the schema does not know; tables count as known where they may be given `whole`.
pub fn unknown_key(schema: &Json, place: impl Into<String>, path: &str, whole: bool) -> Option<Problem> {
    let keys: Vec<&str> = path.split('.').collect();
    let (unknown, candidates) = resolve_key(schema, &keys, whole).err()?;
    let problem = Problem::new(place, format!("unknown key `{unknown}`"));
    Some(match nearest(&unknown, &candidates) {
        Some(key) => problem.hint(format!("did you mean `{key}`?")),
        None => problem.hint(format!("keys here: {}", candidates.join(", "))),
    })
}

/// Puts a value at a dotted path, with tables on the way to it.
///
/// # Errors
/// The problem that something on the way is no table.
pub fn put(document: &mut Value, path: &str, value: Value) -> Result<(), Problem> {
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().expect("a path has a key");
    let mut table = document.as_table_mut().expect("a document is a table");
    for key in keys {
        let entry = table.entry(key).or_insert_with(|| Value::Table(Default::default()));
        let is_none = || Problem::new(path, format!("`{key}` is not a table in the file"));
        table = entry.as_table_mut().ok_or_else(is_none)?;
    }
    table.insert(last.into(), value);
    Ok(())
}

/// The value at a dotted path, if there is one.
pub fn lookup<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(document, |value, key| value.get(key))
}

/// Byte offset at which the key of a dotted path begins.
fn key_offset(table: &DeTable<'_>, path: &str) -> Option<usize> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let (key, value) = table.iter().find(|(key, _)| key.get_ref().as_ref() == first)?;
    match (rest, value.get_ref()) {
        (None, _) => Some(key.span().start),
        (Some(rest), DeValue::Table(table)) => key_offset(table, rest),
        _ => None,
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset.min(text.len())].matches('\n').count() + 1
}

/// Every value that is not a table, by its dotted path.
pub fn leaves(value: &Value) -> BTreeMap<String, String> {
    let Value::Table(table) = value else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (key, value) in table {
        match value {
            Value::Table(_) => {
                found.extend(leaves(value).into_iter().map(|(k, v)| (format!("{key}.{k}"), v)))
            }
            leaf => {
                found.insert(key.clone(), leaf.to_string());
            }
        }
    }
    found
}
