//! The JSON Schema of a specification: for editors, and for [`super::check`].

use super::specification::Spec;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// JSON Schema (draft 2020-12) of a specification file.
pub fn json_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(generate);
    &SCHEMA
}

fn generate() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Spec>();
    let mut value = schema.to_value();
    strip_null(&mut value);
    choices_as_tables(&mut value);
    value
}

/// A choice is an enum, which schemars describes as alternatives; a file has a table that holds exactly one of them, so that
/// editors complete its names and [`super::check`] needs no rule of its own.
fn choices_as_tables(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(choices_as_tables),
        Value::Object(object) => {
            object.values_mut().for_each(choices_as_tables);
            let Some(choices) = object.get("oneOf").and_then(Value::as_array).and_then(|all| choices(all))
            else {
                return;
            };
            object.remove("oneOf");
            object.extend(table(choices));
            object.extend([("minProperties".into(), 1.into()), ("maxProperties".into(), 1.into())]);
        }
        _ => {}
    }
}

/// The tables of a choice by their names; nothing for an enumeration, which is names alone.
fn choices(alternatives: &[Value]) -> Option<Map<String, Value>> {
    let is_name = |alternative: &Value| alternative["type"] == "string";
    if alternatives.iter().all(is_name) { None } else { alternatives.iter().map(choice).collect() }
}

/// Name and table of one choice; one without keys of its own is an empty table.
fn choice(alternative: &Value) -> Option<(String, Value)> {
    let (name, mut keys) = match alternative["const"].as_str() {
        Some(name) => (name, table(Map::new())),
        None => {
            let (name, keys) = alternative["properties"].as_object()?.iter().next()?;
            (name.as_str(), keys.as_object()?.clone())
        }
    };
    keys.insert("description".into(), alternative["description"].clone());
    Some((name.to_owned(), keys.into()))
}

/// The schema of a table that takes these keys and no others.
fn table(keys: Map<String, Value>) -> Map<String, Value> {
    let parts =
        [("type", "object".into()), ("properties", keys.into()), ("additionalProperties", false.into())];
    parts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// TOML has no null: an optional key is one that may be left out.
fn strip_null(schema: &mut Value) {
    if let Value::Object(object) = schema {
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [only] = &types[..] {
                object["type"] = only.clone();
            }
        }
        strip_null_alternative(object);
        object.retain(|key, value| !(key == "default" && value.is_null()));
        object.values_mut().for_each(strip_null);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(strip_null);
    }
}

fn strip_null_alternative(object: &mut Map<String, Value>) {
    let Some(Value::Array(alternatives)) = object.get_mut("anyOf") else { return };
    alternatives.retain(|alternative| alternative != &json!({"type": "null"}));
    if let [Value::Object(only)] = &mut alternatives[..] {
        let only = std::mem::take(only);
        object.remove("anyOf");
        // The description of the key itself wins over that of the table it holds.
        only.into_iter().for_each(|(key, value)| {
            object.entry(key).or_insert(value);
        });
    }
}
