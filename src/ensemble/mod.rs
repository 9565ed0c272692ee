//! Ensembles of configurations in files: those of a model to work on elsewhere, those of the target to learn and judge from.

mod archive;
mod header;
mod index;
mod reader;
mod writer;

pub use index::{Index, IndexedFile};
pub use reader::EnsembleReader;
pub use writer::{CompleteEnsemble, EnsembleWriter, MODEL, Provenance, array_shape};

use crate::error::{Error, Result};
use crate::theory::Action;
use rayon::prelude::*;
use std::path::Path;

/// Stored and computed actions may differ by this much, relative to `1 + |S|`: configurations in single precision do.
const SAME_ACTION: f64 = 1e-4;

/// Configurations of the target that a file holds, in single precision as flows take them.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetSamples {
    numbers: usize,
    fields: Vec<f32>,
    actions: Vec<f64>,
    chains: usize,
    digest: String,
}

impl TargetSamples {
    /// Reads an ensemble of this action.
    ///
    /// # Errors
    /// [`Error::Usage`] if the file holds anything else, [`Error::BadFile`] if it is damaged.
    pub fn load(path: &Path, action: &dyn Action) -> Result<Self> {
        let mut reader = open(path, action)?;
        let numbers = file_shape(action).iter().product();
        let (mut fields, mut actions) = (Vec::new(), Vec::new());
        reader.fields(&mut |part| {
            actions.par_extend(part.par_chunks_exact(numbers).map(|field| action.action_f64(field)));
            let mut part = part.to_vec();
            action.make_canonical(&mut part);
            fields.extend(part.into_iter().map(|number| number as f32));
            Ok(())
        })?;
        check_actions(path, &mut reader, &actions)?;
        let (chains, digest) = (reader.chains().unwrap_or(1), reader.digest()?);
        Ok(Self { numbers, fields, actions, chains, digest })
    }

    /// Configurations.
    pub fn count(&self) -> usize {
        self.actions.len()
    }

    /// One configuration `[component, site]`.
    pub fn field(&self, index: usize) -> &[f32] {
        &self.fields[index * self.numbers..][..self.numbers]
    }

    /// All configurations `[configuration][component, site]`.
    pub fn fields(&self) -> &[f32] {
        &self.fields
    }

    /// How many chains gave one configuration each in turn; one if the file does not say.
    pub fn chains(&self) -> usize {
        self.chains
    }

    /// The actions of all configurations.
    pub fn actions(&self) -> &[f64] {
        &self.actions
    }

    /// BLAKE3 of the file: of the archive, or of the index of several, which holds theirs.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Checks that all configurations have finite actions, those of the file where it has some.
///
/// # Errors
/// [`Error::Usage`] with the first that has not, [`Error::BadFile`] if the file is damaged.
pub fn check_actions(path: &Path, reader: &mut EnsembleReader, actions: &[f64]) -> Result<()> {
    let refuse = |index: usize, rule: String, hint: &str| Error::Usage {
        message: format!("{}: configuration {index}: {rule}", path.display()),
        hint: hint.into(),
    };
    if let Some(index) = actions.iter().position(|action| !action.is_finite()) {
        return Err(refuse(index, "is not finite".into(), "leave it out"));
    }
    let Some(stored) = reader.array("action")? else { return Ok(()) };
    if stored.len() != actions.len() {
        let message =
            format!("{}: has {} actions for {} configurations", path.display(), stored.len(), actions.len());
        return Err(Error::Usage { message, hint: "leave them out, or write one for each".into() });
    }
    // What is no number differs.
    let differs = |&(_, (a, b)): &(usize, (&f64, &f64))| {
        let is_same = (a - b).abs() <= SAME_ACTION * (1.0 + b.abs());
        !is_same
    };
    let Some((index, (stored, computed))) = stored.iter().zip(actions).enumerate().find(differs) else {
        return Ok(());
    };
    let rule = format!("has the action {stored} in the file, but {computed} by this specification");
    let hint = "the ensemble was drawn at other parameters, or is in another convention: the program stores fields in that of the \
                paper";
    Err(refuse(index, rule, hint))
}

/// `[component, T, X, …]`, as files keep a configuration.
pub fn file_shape(action: &dyn Action) -> Vec<usize> {
    [&[action.components()], action.lattice().extents()].concat()
}

fn open(path: &Path, action: &dyn Action) -> Result<EnsembleReader> {
    let mut reader = EnsembleReader::open(path, action.field_name(), &file_shape(action))?;
    match reader.method() {
        Some(method) if method == MODEL => Err(Error::Usage {
            message: format!("{}: holds configurations of a model: must be of the target", path.display()),
            hint: "draw them with HMC: sample.hmc.save_every".into(),
        }),
        _ => Ok(reader),
    }
}

#[cfg(test)]
mod tests;
