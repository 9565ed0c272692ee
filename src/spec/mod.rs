//! Specifications: TOML in, plain validated values out; no tensors, no devices.
//!
//! Each table is one struct: serde reads and writes it, schemars describes it, and `check` holds a file against
//! that description, so the rules a user meets, the JSON Schema and the code cannot drift apart. Rules that span
//! several keys are in `rules`.
//!
//! A choice is an enum, written as a table that holds one table named by the choice: `[train.optimizer.adam]` is
//! `OptimizerSpec::Adam(AdamSpec)`. A further choice is one variant and the struct of its keys. A choice that is
//! made where a file makes none is the enum's default, has no keys and is not written.

mod base;
mod cells;
mod check;
mod document;
mod evaluate;
mod flow;
mod needs;
mod parse;
mod read;
mod remarks;
mod rules;
mod sample;
mod schema;
mod specification;
mod study;
#[cfg(test)]
mod tests;
mod theory;
mod train;
mod validate;
mod varied;

pub use base::{BaseSpec, FreeFieldSpec};
pub use cells::Cell;
pub use evaluate::EvaluateSpec;
pub use flow::{AffineSpec, FlowSpec, Symmetrise};
pub use needs::Need;
pub use sample::{
    DirectSpec, Fermions, HeatBathSpec, HmcSpec, IndependenceSpec, Integrator, InterludeSpec, SampleSpec,
};
pub use schema::json_schema;
pub use specification::{ModelSpec, Spec};
pub use study::StudySpec;
pub use theory::{Boundary, Convention, Phi4Couplings, Phi4Spec, SchwingerSpec, TheorySpec};
pub use train::{
    AdamSpec, BatchSpec, DoubleSpec, ForwardKlSpec, HalveSpec, LearningRateSpec, LossSpec, OptimizerSpec,
    StopSpec, TrainSpec,
};
pub use varied::Varied;
