//! Whether the files that a specification names can be used, before anything is written.

use super::experiment::Experiment;
use super::start;
use crate::error::{Error, Result};
use crate::spec::Spec;
use std::path::Path;

/// Checks the models that cells start from and the ensembles that they read, each once.
///
/// # Errors
/// [`Error::Spec`] with all that is wrong with models, else what is wrong with an ensemble.
pub fn check_files(file: &Path, spec: &Spec) -> Result<()> {
    let problems = start::problems(spec);
    if !problems.is_empty() {
        return Err(Error::Spec { file: file.to_owned(), problems });
    }
    Experiment::check_ensembles(spec)
}
