//! Holds a document against the schema: unknown and missing keys, types, ranges, all in one go.

use crate::error::Problem;
use serde_json::Value as Json;
use toml::Value;

/// Problems that are told, about: a reader mends a few and looks again.
pub const MOST_PROBLEMS: usize = 100;

/// Every way in which `value` breaks `schema`, up to [`MOST_PROBLEMS`].
pub fn check(value: &Value, schema: &Json) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_at("", value, schema, &mut problems);
    for problem in problems.iter_mut().filter(|problem| problem.hint.is_none()) {
        problem.hint = about(schema, &problem.key);
    }
    problems
}

/// What the schema says a key is for, as a hint.
fn about(schema: &Json, path: &str) -> Option<String> {
    let key = path.split('[').next().unwrap_or_default();
    let place = key.split('.').try_fold(schema, |schema, key| schema["properties"].get(key))?;
    let text = place["description"].as_str()?.split("\n\n").next()?.trim_end_matches('.');
    Some(format!("`{key}`: {text}"))
}

/// Follows a key path through the schema to a value, or to a table as well if these may be given `whole`; the error is the first
/// path that leads to neither, and the keys allowed there.
pub fn resolve_key(schema: &Json, path: &[&str], whole: bool) -> Result<(), (String, Vec<String>)> {
    let mut here = schema;
    for depth in 0..path.len() {
        let prefix = path[..depth].join(".");
        match below(here, path[depth]) {
            Some(next) => here = next,
            None => {
                let candidates = keys(here).map(|key| join(&prefix, key)).collect();
                return Err((path[..=depth].join("."), candidates));
            }
        }
    }
    match keys(here).next() {
        None => Ok(()),
        Some(_) if whole => Ok(()),
        // A value is wanted.
        Some(_) => Err((path.join("."), keys(here).map(|key| join(&path.join("."), key)).collect())),
    }
}

/// What stands below a schema under a key: one of its own, or one that may have any name.
fn below<'a>(schema: &'a Json, key: &str) -> Option<&'a Json> {
    let any = Some(&schema["additionalProperties"]).filter(|any| any["properties"].is_object());
    schema["properties"].get(key).or(any)
}

/// The candidate nearest to a mistyped key, if it is near at all.
pub fn nearest<'a>(key: &str, candidates: &'a [String]) -> Option<&'a String> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let score = |candidate: &String| strsim::damerau_levenshtein(&last(key), &last(candidate));
    let near = |candidate: &&String| score(candidate) <= 2.max(last(candidate).len() / 3);
    candidates.iter().filter(near).min_by_key(|candidate| score(candidate))
}

fn keys(schema: &Json) -> impl Iterator<Item = &str> {
    schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str())
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.into() } else { format!("{prefix}.{key}") }
}

fn check_at(path: &str, value: &Value, schema: &Json, problems: &mut Vec<Problem>) {
    if problems.len() >= MOST_PROBLEMS {
        return;
    }
    if let Some(names) = enumeration(schema) {
        if !names.iter().any(|name| value.as_str() == Some(name)) {
            problems.push(Problem::new(path, format!("must be one of: {}", names.join(", "))).value(value));
        }
        return;
    }
    let fail = |rule: &str| Problem::new(path, rule).value(value);
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Table(table)) => check_table(path, table, schema, problems),
        (Some("array"), Value::Array(items)) => {
            let (least, most) = (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
            let count = items.len() as u64;
            match (least, most) {
                (Some(least), Some(most)) if least == most && count != least => {
                    problems.push(fail(&format!("must have {least} entries")));
                }
                (Some(least), Some(most)) if !(least..=most).contains(&count) => {
                    problems.push(fail(&format!("must have {least} to {most} entries")));
                }
                (Some(least), None) if count < least => {
                    problems.push(fail(&format!("must have at least {least} entries")));
                }
                _ => {}
            }
            for (index, item) in items.iter().enumerate() {
                check_at(&format!("{path}[{index}]"), item, &schema["items"], problems);
            }
        }
        (Some("integer"), Value::Integer(number)) => {
            problems.extend(check_number(*number as f64, schema).map(|rule| fail(&rule)));
        }
        (Some("number"), Value::Integer(number)) => {
            problems.extend(check_number(*number as f64, schema).map(|rule| fail(&rule)));
        }
        (Some("number"), Value::Float(number)) => {
            problems.extend(check_number(*number, schema).map(|rule| fail(&rule)));
        }
        (Some("boolean"), Value::Boolean(_)) | (Some("string"), Value::String(_)) | (None, _) => {}
        (Some(kind), _) => {
            let kind = match kind {
                "object" => "a table",
                "array" => "a list",
                "integer" => "an integer",
                "number" => "a number",
                "boolean" => "true or false",
                _ => "a string",
            };
            problems.push(fail(&format!("must be {kind}, not {}", toml_kind(value))));
        }
    }
}

fn check_table(path: &str, table: &toml::Table, schema: &Json, problems: &mut Vec<Problem>) {
    let candidates: Vec<String> = keys(schema).map(|key| join(path, key)).collect();
    for (key, value) in table {
        let place = join(path, key);
        match schema["properties"].get(key) {
            Some(schema) => check_at(&place, value, schema, problems),
            None if schema["additionalProperties"].is_object() => {
                check_at(&place, value, &schema["additionalProperties"], problems);
            }
            // What stands there is held against the schema where it is put.
            None if schema["additionalProperties"] == true => {}
            None => {
                let problem = Problem::new(&place, "unknown key");
                problems.push(match nearest(&place, &candidates) {
                    Some(nearest) => problem.hint(format!("did you mean `{nearest}`?")),
                    None => problem.hint(format!("keys here: {}", candidates.join(", "))),
                });
            }
        }
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if !table.contains_key(key) {
            problems.push(Problem::new(join(path, key), "missing"));
        }
    }
    // Unknown keys have been named already.
    let known = table.keys().filter(|key| schema["properties"].get(key).is_some()).count() as u64;
    if table.is_empty() && schema["minProperties"].as_u64().is_some() {
        problems.push(Problem::new(path, format!("needs one of: {}", candidates.join(", "))));
    }
    if schema["maxProperties"].as_u64().is_some_and(|most| known > most) {
        problems.push(Problem::new(path, format!("takes only one of: {}", candidates.join(", "))));
    }
}

fn check_number(number: f64, schema: &Json) -> Option<String> {
    let bound = |key: &str| schema[key].as_f64();
    let divides = |divisor: f64| number % divisor == 0.0;
    if !number.is_finite() {
        return Some("must be finite".into());
    }
    if let Some(least) = bound("minimum").filter(|&least| number < least) {
        return Some(format!("must be at least {least}"));
    }
    if let Some(most) = bound("maximum").filter(|&most| number > most) {
        return Some(format!("must be at most {most}"));
    }
    if let Some(limit) = bound("exclusiveMinimum").filter(|&limit| number <= limit) {
        return Some(format!("must be greater than {limit}"));
    }
    if let Some(limit) = bound("exclusiveMaximum").filter(|&limit| number >= limit) {
        return Some(format!("must be less than {limit}"));
    }
    if schema["multipleOf"].as_f64() == Some(2.0) && !divides(2.0) {
        return Some("must be even (a checkerboard needs even extents)".into());
    }
    if schema["not"]["multipleOf"].as_f64() == Some(2.0) && divides(2.0) {
        return Some("must be odd (the kernel is centred on its site)".into());
    }
    None
}

/// The names of an enumeration, written by schemars as `enum` or as a list of `const`s.
pub(super) fn enumeration(schema: &Json) -> Option<Vec<&str>> {
    if let Some(names) = schema["enum"].as_array() {
        return Some(names.iter().filter_map(Json::as_str).collect());
    }
    schema["oneOf"].as_array()?.iter().map(|choice| choice["const"].as_str()).collect()
}

fn toml_kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a number with a decimal point",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}
