//! Specifications: TOML in, plain validated values out; no tensors, no devices.
//!
//! Each table is one struct: serde reads and writes it, schemars describes it, and `check` holds a file against
//! that description, so the rules a user meets, the JSON Schema and the code cannot drift apart. Rules that span
//! several keys are in `rules`.
//!
//! A choice is an enum, written as a table that holds one table named by the choice: `[train.optimizer.adam]` is
//! `OptimizerSpec::Adam(AdamSpec)`. A further choice is one variant and the struct of its keys. A choice that is
//! made where a file makes none is the enum's default, has no keys and is not written; but the initial weights, which had a key
//! before there was a choice, are written with it.

mod affine;
mod base;
mod cell;
mod cells;
mod changes;
mod check;
mod document;
mod drafts;
mod evaluate;
mod explain;
mod flow;
mod gauge;
mod gauge_base;
mod gauge_rules;
mod grid;
mod initial;
mod links;
mod loss;
mod needs;
mod optimizer;
mod parse;
mod read;
mod remarks;
mod rules;
mod sample;
mod schema;
mod sectors;
mod specification;
mod stages;
mod study;
mod symmetrise;
#[cfg(test)]
mod tests;
mod theory;
mod train;
mod validate;
mod varied;
mod view;

pub use affine::AffineSpec;
pub use base::{BaseSpec, FreeFieldSpec};
pub use cell::{Cell, CellStart, STAGE};
pub use changes::Change;
pub use check::nearest;
pub use evaluate::EvaluateSpec;
pub use explain::{Explanation, explain};
pub use flow::FlowSpec;
pub use gauge::{GaugeSpec, MapSpec, SplineSpec, TanSpec};
pub use gauge_base::{GaugeBaseSpec, PureGaugeSpec};
pub use initial::{InitialSpec, KaimingSpec, XavierSpec};
pub use links::identities;
pub use loss::{ForwardKlSpec, Gradient, LossSpec, MixtureSpec, ReverseKlSpec, TargetHmcSpec};
pub use needs::Need;
pub use optimizer::{AdadeltaSpec, AdamSpec, OptimizerSpec, SgdSpec};
pub use sample::{
    DirectSpec, Fermions, HeatBathSpec, HmcSpec, IndependenceSpec, Integrator, InterludeSpec, SampleSpec,
};
pub use schema::json_schema;
pub use sectors::{FixedWeights, LearnedWeights, SectorWeights, SectorsSpec};
pub use specification::{ModelSpec, Spec};
pub use study::{CellStartSpec, Lists, PreviousStartSpec, StageSpec, StageStartSpec, StudySpec};
pub use symmetrise::Symmetrise;
pub use theory::{Boundary, Convention, DEVICE_EXTENTS, Phi4Couplings, Phi4Spec, SchwingerSpec, TheorySpec};
pub use train::{
    BatchSpec, DeterminantSpec, DoubleSpec, HalveSpec, LearningRateSpec, ModelStartSpec, OptimizerStart,
    StartSpec, StopSpec, TrainSpec,
};
pub use varied::Varied;
