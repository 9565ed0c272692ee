//! A document held against the schema and the rules, and turned into a specification.

use super::check;
use super::rules;
use super::specification::Spec;
use crate::error::Problem;
use serde_json::Value as Json;
use toml::Value;

/// The specification that a document is.
///
/// # Errors
/// Every problem found.
pub fn validated(document: &Value, schema: &Json) -> Result<Spec, Vec<Problem>> {
    let mut problems = check::check(document, schema);
    problems.extend(rules::check(document));
    if !problems.is_empty() {
        return Err(problems);
    }
    document.clone().try_into().map_err(|error| vec![Problem::new("", error.message())])
}
