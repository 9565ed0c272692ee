//! A raw document as rules look at it.

use super::document::lookup;
use toml::Value;

/// A document before it is known to be a specification: what is absent or of the wrong type is nothing.
pub struct View<'a>(pub &'a Value);

impl View<'_> {
    /// The value of a key.
    pub fn get(&self, path: &str) -> Option<&Value> {
        lookup(self.0, path)
    }

    /// What a table named by a choice holds, with its path.
    pub fn chosen(&self, table: &str) -> Option<(String, &Value)> {
        let (name, value) = self.get(table)?.as_table()?.iter().next()?;
        Some((format!("{table}.{name}"), value))
    }

    /// The same, if it is whole.
    pub fn integer(&self, path: &str) -> Option<i64> {
        self.get(path)?.as_integer()
    }

    /// The same, if it is a number.
    pub fn number(&self, path: &str) -> Option<f64> {
        let value = self.get(path)?;
        value.as_float().or_else(|| value.as_integer().map(|integer| integer as f64))
    }
}
