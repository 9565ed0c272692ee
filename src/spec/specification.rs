//! A whole specification, and how two of them are told apart.

use super::document::leaves;
use super::evaluate::EvaluateSpec;
use super::flow::FlowSpec;
use super::sample::SampleSpec;
use super::study::StudySpec;
use super::theory::TheorySpec;
use super::train::TrainSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

    /// Digest of everything that training depends on.
    pub fn training_digest(&self) -> String {
        Self { sample: SampleSpec::default(), study: None, ..self.clone() }.digest()
    }

    /// The keys in which two specifications differ, with both values.
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let leaves = |spec: &Self| {
            let table = toml::Table::try_from(spec).expect("a specification has only TOML types");
            leaves(&table.into())
        };
        let (ours, theirs) = (leaves(self), leaves(other));
        let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        let value = |leaves: &BTreeMap<String, String>, key: &String| {
            leaves.get(key).cloned().unwrap_or_else(|| "(not set)".into())
        };
        keys.into_iter()
            .filter(|key| ours.get(*key) != theirs.get(*key))
            .map(|key| (key.clone(), value(&ours, key), value(&theirs, key)))
            .collect()
    }
}
