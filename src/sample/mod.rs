//! Configurations: direct from the model, by independence Metropolis, and by Hybrid Monte Carlo.

mod arrays;
pub mod direct;
mod draw_store;
mod draws;
pub mod hmc;
pub mod independence;
mod integrator;
pub mod metropolis;
mod spool;

use crate::error::Result;
pub use direct::Draws;
pub use draw_store::DrawStore;
pub use draws::{Batch, Model};
pub use hmc::{ChainStore, Hmc, HmcChains};
pub use independence::{Independence, IndependenceChains};

/// Hears now and then how many configurations, proposals or trajectories of a chain are done; its error stops what runs.
pub type Watch<'a> = &'a dyn Fn(u64) -> Result<()>;
