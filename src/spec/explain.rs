//! What the schema says of a table or a key, in words.

use super::check::{enumeration, nearest, resolve_key};
use super::schema::json_schema;
use crate::error::Problem;
use serde_json::Value as Json;

/// A table or a key of specifications.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Where it stands, e.g. `train.stop`.
    pub path: String,
    /// What may stand there: type, range, default.
    pub kind: String,
    /// What it is for, its paragraphs; lines end where they do in the source.
    pub text: Vec<String>,
    /// Names that a value may have, with what each means.
    pub names: Vec<(String, String)>,
    /// Of a table what stands in it.
    pub below: Vec<Explanation>,
}

/// Explains a table or a key; the whole specification if the path is empty.
///
/// # Errors
/// That there is none, with the nearest that there is.
pub fn explain(path: &str) -> Result<Explanation, Problem> {
    let schema = json_schema();
    let keys: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
    resolve_key(schema, &keys, true).map_err(|(wrong, candidates)| {
        let problem = Problem::new(wrong.clone(), "is no table or key of specifications");
        problem.hint(match nearest(&wrong, &candidates) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("there are {}", candidates.join(", ")),
        })
    })?;
    let (mut here, mut is_required) = (schema, true);
    for key in keys {
        is_required = requires(here, key);
        here = here["properties"].get(key).unwrap_or(&here["additionalProperties"]);
    }
    Ok(explained(path, here, is_required, true))
}

fn explained(path: &str, schema: &Json, is_required: bool, with_below: bool) -> Explanation {
    let text = schema["description"].as_str().unwrap_or_default();
    let names = schema["oneOf"].as_array().into_iter().flatten().filter_map(|choice| {
        let text = choice["description"].as_str().unwrap_or_default();
        Some((choice["const"].as_str()?.to_owned(), text.to_owned()))
    });
    let properties = schema["properties"].as_object().into_iter().flatten().filter(|_| with_below);
    let below = properties.map(|(key, below)| {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        explained(&path, below, requires(schema, key), false)
    });
    Explanation {
        path: path.into(),
        kind: kind(schema, is_required),
        text: text.split("\n\n").map(str::to_owned).collect(),
        names: names.collect(),
        below: below.collect(),
    }
}

fn requires(table: &Json, key: &str) -> bool {
    table["required"].as_array().is_some_and(|required| required.iter().any(|name| name == key))
}

/// `integer, 1 to 4096, default 8`.
fn kind(schema: &Json, is_required: bool) -> String {
    let default = &schema["default"];
    let need = match default {
        Json::Null if is_required => Some("required".to_owned()),
        Json::Object(_) | Json::Null => None,
        value => Some(format!("default {value}")),
    };
    let parts = [Some(what(schema)), range(schema), need];
    parts.into_iter().flatten().collect::<Vec<String>>().join(", ")
}

/// The type.
fn what(schema: &Json) -> String {
    if let Some(names) = enumeration(schema) {
        return format!("one of {}", names.join(", "));
    }
    let keys = schema["properties"].as_object();
    match schema["type"].as_str() {
        Some("object") if schema["maxProperties"] == 1 => {
            let names = keys.into_iter().flatten().map(|(key, _)| key.as_str());
            format!("table, one of {}", names.collect::<Vec<&str>>().join(", "))
        }
        Some("object") => "table".into(),
        Some("array") => {
            let items = &schema["items"];
            let each = [Some(what(items)), range(items)].into_iter().flatten().collect::<Vec<String>>();
            let count = match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
                (Some(least), Some(most)) if least == most => format!(" of {most}"),
                (Some(least), Some(most)) => format!(" of {least} to {most}"),
                _ => String::new(),
            };
            format!("list{count}: {}", each.join(", "))
        }
        Some("boolean") => "true or false".into(),
        Some("integer") if schema["multipleOf"] == 2 => "even integer".into(),
        Some("integer") if schema["not"]["multipleOf"] == 2 => "odd integer".into(),
        Some(other) => other.into(),
        None => "any value".into(),
    }
}

/// `1 to 64`, `at least 1`, `above 0`.
fn range(schema: &Json) -> Option<String> {
    let bound = |key: &str| Some(&schema[key]).filter(|bound| bound.is_number());
    let least = bound("minimum").map(|least| format!("at least {least}"));
    let least = least.or_else(|| bound("exclusiveMinimum").map(|limit| format!("above {limit}")));
    let most = bound("maximum").map(|most| format!("at most {most}"));
    let most = most.or_else(|| bound("exclusiveMaximum").map(|limit| format!("below {limit}")));
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        _ => [least, most].into_iter().flatten().reduce(|least, most| format!("{least}, {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All tables and keys from one on.
    fn all(from: &str) -> Vec<Explanation> {
        let found = explain(from).unwrap();
        let below = found.below.iter().flat_map(|below| all(&below.path)).collect::<Vec<Explanation>>();
        [vec![found], below].concat()
    }

    #[test]
    fn every_key_says_what_it_is_for_and_what_it_may_be() {
        let all = all("");
        assert!(all.len() > 150, "{}", all.len());
        for found in &all[1..] {
            assert!(
                found.text.iter().all(|text| !text.is_empty()),
                "{} does not say what it is for",
                found.path
            );
            assert!(
                !found.kind.is_empty() && !found.kind.contains("any value"),
                "{}: {}",
                found.path,
                found.kind
            );
        }
    }

    #[test]
    fn types_ranges_and_defaults_are_those_of_the_schema() {
        let kind = |path: &str| explain(path).unwrap().kind;
        assert_eq!(kind("flow.gauge.layers"), "integer, 1 to 4096, required");
        assert_eq!(kind("flow.gauge.kernel_size"), "odd integer, at least 1, required");
        assert_eq!(kind("flow.gauge.map"), "table, one of spline, tan");
        assert_eq!(kind("flow.gauge.map.spline.knots"), "integer, 2 to 32, default 8");
        assert_eq!(kind("flow.gauge.base.pure_gauge.beta"), "number, above 0, at most 1000, required");
        assert_eq!(kind("theory.schwinger.extents"), "list of 2: even integer, at least 2, required");
        let boundary = explain("theory.schwinger.boundary").unwrap();
        assert_eq!(boundary.names[0], ("antiperiodic".into(), "Fermions change sign.".into()));
        // Below a name of one's own.
        assert_eq!(kind("study.stage.small.repeats"), kind("study.repeats"));
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is_near() {
        let problem = explain("flow.gauge.mop").unwrap_err();
        assert_eq!(problem.key, "flow.gauge.mop");
        assert_eq!(problem.hint.as_deref(), Some("did you mean `flow.gauge.map`?"));
    }
}
