//! From a text to a specification, or to everything that is wrong with it.

use super::check::MOST_PROBLEMS;
use super::document::Document;
use super::read;
use super::schema::json_schema;
use super::specification::Spec;
use super::theory::TheorySpec;
use super::validate::validated;
use crate::error::{Error, Problem, Result};
use crate::files::read_present;
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

    /// Reads the specification that a run keeps in its folder.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is no run directory, [`Error::BadFile`] if the file is damaged, [`Error::Io`].
    pub fn of_run(folder: &Path) -> Result<Self> {
        let path = folder.join("spec.toml");
        let Some(text) = read_present(&path)? else {
            return Err(Error::Usage {
                message: format!("{}: is no run directory, it has no spec.toml", folder.display()),
                hint: "name the folder that `flowqcd run` wrote, e.g. runs/smoke".into(),
            });
        };
        Self::parse(&text, &[]).map_err(|problems| Error::BadFile {
            path,
            rule: format!("is no specification any more: {}", problems[0]),
            hint:
                "the run keeps it to know what it is: put it back, or start over with `flowqcd run --fresh`"
                    .into(),
        })
    }

    /// Reads the theory alone of a file, which need not hold anything else, with overrides.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_theory(file: &Path, overrides: &[String]) -> Result<TheorySpec> {
        let text = read::text(file)?;
        let refuse = |problems| Error::Spec { file: file.to_owned(), problems };
        let mut document = Document::parse(&text).map_err(refuse)?;
        let schema = json_schema();
        let mut problems = document.apply(overrides, schema);
        let mut alone: toml::Table =
            toml::from_str("version = 1\nseed = 0\nsample.hmc.trajectories = 2").expect("it is TOML");
        if let Some(theory) = document.value.get("theory") {
            alone.insert("theory".into(), theory.clone());
        }
        let validated = validated(&alone.into(), schema).map_err(|found| problems.extend(found));
        if let (Ok(spec), true) = (validated, problems.is_empty()) {
            return Ok(spec.theory);
        }
        document.add_lines(&mut problems);
        Err(refuse(problems))
    }

    /// Validates a text with `PATH=VALUE` overrides.
    ///
    /// # Errors
    /// Every problem found, up to a hundred.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self, Vec<Problem>> {
        let schema = json_schema();
        let mut document = Document::parse(text)?;
        let mut problems = document.apply(overrides, schema);
        let validated = validated(&document.value, schema).map_err(|found| problems.extend(found));
        if let (Ok(spec), true) = (validated, problems.is_empty()) {
            return spec.cells().map(|_| spec);
        }
        problems.truncate(MOST_PROBLEMS);
        document.add_lines(&mut problems);
        Err(problems)
    }
}
