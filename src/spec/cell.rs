//! A cell of a study: what it runs, what tells it from the others, and where its training starts.

use super::specification::Spec;
use super::train::OptimizerStart;
use super::varied::Varied;

/// The column of the stage, where a study has some.
pub const STAGE: &str = "study_stage";

/// One point of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its number.
    pub index: u64,
    /// The stage, if there are stages, and the varied keys by their last part, or by as many as tell them apart, with their values
    /// here; `seed` too if there are repeats.
    pub values: Varied,
    /// What it runs.
    pub spec: Spec,
    /// The cell that its training goes on from, if it does.
    pub start: Option<CellStart>,
}

/// A cell whose training another one goes on from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellStart {
    /// Its place in the list of cells, before the other's.
    pub position: usize,
    /// What becomes of the moments of the optimizer.
    pub optimizer: OptimizerStart,
    /// Whether it is the one before in the same chain.
    pub chain: bool,
}
