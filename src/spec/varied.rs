//! What tells the cells of a study apart: the varied keys with their values.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use toml::Value;

/// The varied keys of a cell, as columns call them, with their values here, in the order of the tables' columns; a key that only
/// other cells have has none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Varied(Vec<(String, Option<Value>)>);

impl Varied {
    /// Sets a key, which comes last.
    pub fn push(&mut self, key: &str, value: Option<Value>) {
        self.0.retain(|(other, _)| other != key);
        self.0.push((key.to_owned(), value));
    }

    /// Keys with their values as text, as they stand in tables: empty where there is none.
    pub fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_ref().map(text).unwrap_or_default()))
    }
}

/// A value as tables show it: a choice as `adam learning_rate=0.001`.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Table(table) => entries(table),
        other => other.to_string(),
    }
}

fn entries(table: &toml::Table) -> String {
    let entry = |(key, value): (&String, &Value)| match value {
        Value::Table(keys) if keys.is_empty() => key.clone(),
        Value::Table(keys) => format!("{key} {}", entries(keys)),
        other => format!("{key}={}", text(other)),
    };
    table.iter().map(entry).collect::<Vec<String>>().join(" ")
}

impl fmt::Display for Varied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.texts().filter(|(_, value)| !value.is_empty());
        let all: Vec<String> = known.map(|(key, value)| format!("{key} = {value}")).collect();
        f.write_str(&all.join(", "))
    }
}

impl Serialize for Varied {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for Varied {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VariedVisitor)
    }
}

struct VariedVisitor;

impl<'de> Visitor<'de> for VariedVisitor {
    type Value = Varied;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("keys with values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Varied, A::Error> {
        let mut varied = Varied::default();
        while let Some((key, value)) = map.next_entry::<String, Option<Value>>()? {
            varied.push(&key, value);
        }
        Ok(varied)
    }

    /// Pairs of texts, as older versions wrote them.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Varied, A::Error> {
        let mut varied = Varied::default();
        while let Some((key, text)) = list.next_element::<(String, String)>()? {
            varied.push(&key, Some(Value::String(text)));
        }
        Ok(varied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_types_and_their_order_in_json() {
        let mut varied = Varied::default();
        let extents = Value::Array(vec![Value::Integer(4), Value::Integer(6)]);
        let values = [
            ("mass_squared", Value::Float(-4.0)),
            ("extents", extents),
            ("convention", Value::String("paper".into())),
            ("seed", Value::Integer(7)),
        ];
        values.into_iter().for_each(|(key, value)| varied.push(key, Some(value)));
        let json = serde_json::to_string(&varied).unwrap();
        assert_eq!(json, r#"{"mass_squared":-4.0,"extents":[4,6],"convention":"paper","seed":7}"#);
        assert_eq!(serde_json::from_str::<Varied>(&json).unwrap(), varied);
        let shown = "mass_squared = -4.0, extents = [4, 6], convention = paper, seed = 7";
        assert_eq!(varied.to_string(), shown);
        let older = r#"[["mass_squared","-4.0"],["extents","[4, 6]"],["convention","paper"],["seed","7"]]"#;
        assert_eq!(serde_json::from_str::<Varied>(older).unwrap().to_string(), shown);
    }
    #[test]
    fn choices_are_shown_by_their_names_and_what_a_cell_has_not_is_left_out() {
        let mut varied = Varied::default();
        let table: Value = toml::from_str("adam = { learning_rate = 0.001, beta_1 = 0.9 }").unwrap();
        varied.push("optimizer", Some(table));
        varied.push("ess", None);
        assert_eq!(varied.to_string(), "optimizer = adam beta_1=0.9 learning_rate=0.001");
        let texts: Vec<String> = varied.texts().map(|(_, text)| text).collect();
        assert_eq!(texts, ["adam beta_1=0.9 learning_rate=0.001", ""]);
        let json = serde_json::to_string(&varied).unwrap();
        assert_eq!(json, r#"{"optimizer":{"adam":{"beta_1":0.9,"learning_rate":0.001}},"ess":null}"#);
        assert_eq!(serde_json::from_str::<Varied>(&json).unwrap(), varied);
    }
}
