//! Where what is made from run directories goes if nobody says.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A name in one run's directory, or beside several runs of the same folder.
///
/// # Errors
/// [`Error::Usage`] with the hint for runs of different folders.
pub fn beside(runs: &[PathBuf], name: &str, hint: &str) -> Result<PathBuf> {
    if let [run] = runs {
        return Ok(run.join(name));
    }
    let parent = |run: &PathBuf| run.canonicalize().ok().and_then(|run| run.parent().map(Path::to_owned));
    let parents: Vec<Option<PathBuf>> = runs.iter().map(parent).collect();
    match runs[0].parent().filter(|_| parents.iter().all(|parent| *parent == parents[0])) {
        Some(parent) => Ok(parent.join(name)),
        None => Err(Error::Usage { message: "the runs are in different folders".into(), hint: hint.into() }),
    }
}
