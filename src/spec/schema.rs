//! The JSON Schema of a specification: for editors, and for [`super::check`].

use super::Spec;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// JSON Schema (draft 2020-12) of a specification file.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Spec>();
    let mut value = schema.to_value();
    strip_null(&mut value);
    value
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
