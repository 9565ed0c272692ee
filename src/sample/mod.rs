//! Configurations: direct from the model, by independence Metropolis, and by Hybrid Monte Carlo.

mod arrays;
pub mod direct;
mod draws;
pub mod hmc;
pub mod independence;
mod integrator;
pub mod metropolis;
mod spool;

pub use direct::Draws;
pub use draws::{Batch, Model};
pub use hmc::{ChainStore, Hmc, HmcChains};
pub use independence::{Independence, IndependenceChains};
