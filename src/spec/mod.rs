//! Specifications: TOML in, plain validated values out; no tensors, no devices.
//!
//! Each table is one struct: serde reads and writes it, schemars describes it, and `check` holds a file against
//! that description, so the rules a user meets, the JSON Schema and the code cannot drift apart. Rules that span
//! several keys are in `rules`.
//!
//! A choice is an enum, written as a table that holds one table named by the choice: `[train.optimizer.adam]` is
//! `OptimizerSpec::Adam(AdamSpec)`. A further choice is one variant and the struct of its keys. A choice that is
//! made where a file makes none is the enum's default, has no keys and is not written.

mod check;
mod document;
mod evaluate;
mod flow;
mod rules;
mod sample;
mod schema;
mod study;
mod theory;
mod train;

pub use evaluate::EvaluateSpec;
pub use flow::{AffineSpec, FlowSpec};
pub use sample::{DirectSpec, HmcSpec, IndependenceSpec, Integrator, InterludeSpec, SampleSpec};
pub use schema::json_schema;
pub use study::{Cell, StudySpec};
pub use theory::{Convention, Phi4Couplings, Phi4Spec, TheorySpec};
pub use train::{
    AdamSpec, BatchSpec, DoubleSpec, ForwardKlSpec, HalveSpec, LearningRateSpec, LossSpec, OptimizerSpec,
    StopSpec, TrainSpec,
};

use crate::error::{Error, Problem, Result};
use document::Document;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Version of the specification format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Seed of all randomness.
    #[schemars(range(max = 9_223_372_036_854_775_807u64))]
    pub seed: u64,
    /// The target distribution.
    pub theory: TheorySpec,
    /// The model distribution.
    pub flow: FlowSpec,
    /// How the model is trained.
    pub train: TrainSpec,
    /// How the model is judged.
    #[serde(default)]
    pub evaluate: EvaluateSpec,
    /// What is sampled from the trained model.
    #[serde(default)]
    pub sample: SampleSpec,
    /// The points at which all this is done; one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<StudySpec>,
}

impl Spec {
    /// Reads and validates a file, with `PATH=VALUE` overrides.
    ///
    /// # Errors
    /// [`Error::Spec`] with every problem found, or [`Error::Usage`] for a file that cannot be read.
    pub fn load(file: &Path, overrides: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|source| Error::Usage {
            message: format!("{}: cannot read the specification: {source}", file.display()),
            hint: "name a TOML file, e.g. configs/smoke.toml".into(),
        })?;
        Self::parse(&text, overrides).map_err(|problems| Error::Spec { file: file.to_owned(), problems })
    }

    /// Validates a text with `PATH=VALUE` overrides.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse(text: &str, overrides: &[String]) -> Result<Self, Vec<Problem>> {
        let schema = json_schema();
        let mut document = Document::parse(text)?;
        let mut problems = document.apply(overrides, &schema);
        problems.extend(check::check(&document.value, &schema));
        problems.extend(rules::check(&document.value));
        if problems.is_empty() {
            let parsed = document.value.clone().try_into::<Self>();
            let spec = parsed.map_err(|error| vec![Problem::new("", error.message())])?;
            return spec.cells().map(|_| spec);
        }
        document.add_lines(&mut problems);
        Err(problems)
    }

    /// The cells of its study; one without a study.
    ///
    /// # Errors
    /// Everything wrong with a cell; nothing for a specification that was parsed.
    pub fn cells(&self) -> Result<Vec<Cell>, Vec<Problem>> {
        study::cells(self)
    }

    /// Digest of everything that training depends on.
    pub fn training_digest(&self) -> String {
        Self { sample: SampleSpec::default(), study: None, ..self.clone() }.digest()
    }

    /// The specification with every default filled in.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a specification has only TOML types")
    }

    /// Digest of the resolved specification, but for the micro-batch, which is a matter of memory.
    pub fn digest(&self) -> String {
        let mut spec = self.clone();
        spec.train.batch.micro_batch = None;
        blake3::hash(spec.to_toml().as_bytes()).to_hex().to_string()
    }

    /// The keys in which two specifications differ, with both values.
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let leaves = |spec: &Self| {
            let table = toml::Table::try_from(spec).expect("a specification has only TOML types");
            document::leaves(&table.into())
        };
        let (ours, theirs) = (leaves(self), leaves(other));
        let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let value = |leaves: &std::collections::BTreeMap<String, String>, key: &String| {
            leaves.get(key).cloned().unwrap_or_else(|| "(not set)".into())
        };
        keys.into_iter()
            .filter(|key| ours.get(*key) != theirs.get(*key))
            .map(|key| (key.clone(), value(&ours, key), value(&theirs, key)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
