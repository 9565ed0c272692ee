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
    /// The model distribution; with `train` or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowSpec>,
    /// How the model is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<TrainSpec>,
    /// How the model is judged.
    #[serde(default)]
    pub evaluate: EvaluateSpec,
    /// What is sampled, from the trained model and without it.
    #[serde(default)]
    pub sample: SampleSpec,
    /// The points at which all this is done; one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<StudySpec>,
}

/// A model, how it is trained and judged.
#[derive(Debug, Clone, Copy)]
pub struct ModelSpec<'a> {
    /// The flow.
    pub flow: &'a FlowSpec,
    /// Its training.
    pub train: &'a TrainSpec,
    /// How it is judged.
    pub evaluate: &'a EvaluateSpec,
}

/// A specification without a model, as it is written.
#[derive(Serialize)]
struct Baseline<'a> {
    version: u32,
    seed: u64,
    theory: &'a TheorySpec,
    sample: &'a SampleSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    study: &'a Option<StudySpec>,
}

impl Spec {
    /// The specification with every default filled in.
    pub fn to_toml(&self) -> String {
        match self.flow {
            Some(_) => toml::to_string(self),
            None => toml::to_string(&self.baseline()),
        }
        .expect("a specification has only TOML types")
    }

    /// The same as a table.
    pub fn to_table(&self) -> toml::Table {
        match self.flow {
            Some(_) => toml::Table::try_from(self),
            None => toml::Table::try_from(self.baseline()),
        }
        .expect("a specification has only TOML types")
    }

    /// What there is without a model: nothing to evaluate.
    fn baseline(&self) -> Baseline<'_> {
        let Self { version, seed, ref theory, ref sample, ref study, .. } = *self;
        Baseline { version, seed, theory, sample, study }
    }

    /// What is trained, if anything is.
    pub fn model(&self) -> Option<ModelSpec<'_>> {
        let (flow, train) = (self.flow.as_ref()?, self.train.as_ref()?);
        Some(ModelSpec { flow, train, evaluate: &self.evaluate })
    }

    /// Digest of the resolved specification, but for the micro-batch, which is a matter of memory.
    pub fn digest(&self) -> String {
        let mut spec = self.clone();
        spec.train.iter_mut().for_each(|train| train.batch.micro_batch = None);
        blake3::hash(spec.to_toml().as_bytes()).to_hex().to_string()
    }

    /// Digest of everything that training depends on.
    pub fn training_digest(&self) -> String {
        Self { sample: SampleSpec::default(), study: None, ..self.clone() }.digest()
    }

    /// The keys in which two specifications differ, with both values.
    pub fn differences(&self, other: &Self) -> Vec<(String, String, String)> {
        let leaves = |spec: &Self| leaves(&spec.to_table().into());
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
