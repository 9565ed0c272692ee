//! From a text to a specification, or to everything that is wrong with it.

use super::check::MOST_PROBLEMS;
use super::document::Document;
use super::read;
use super::schema::json_schema;
use super::specification::Spec;
use super::validate::validated;
use crate::error::{Error, Problem, Result};
use std::path::Path;

impl Spec {
    /// Reads and validates a file, or standard input if it is named `-`, with `PATH=VALUE` overrides.
    ///
    /// # Errors
    /// [`Error::Spec`] with every problem found, or [`Error::Usage`] for a file that cannot be read.
    pub fn load(file: &Path, overrides: &[String]) -> Result<Self> {
        let text = read::text(file)?;
        Self::parse(&text, overrides).map_err(|problems| Error::Spec { file: file.to_owned(), problems })
    }

    /// Validates a text with `PATH=VALUE` overrides.
    ///
    /// # Errors
    /// Every problem found, up to a hundred.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self, Vec<Problem>> {
        let schema = json_schema();
        let mut document = Document::parse(text)?;
        let mut problems = document.apply(overrides, &schema);
        let validated = validated(&document.value, &schema).map_err(|found| problems.extend(found));
        if let (Ok(spec), true) = (validated, problems.is_empty()) {
            return spec.cells().map(|_| spec);
        }
        problems.truncate(MOST_PROBLEMS);
        document.add_lines(&mut problems);
        Err(problems)
    }
}
