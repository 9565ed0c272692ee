//! Hybrid Monte Carlo: many independent chains, side by side in vectors and over threads.

mod chains;
#[cfg(test)]
mod tests;
mod trajectory;
mod tuning;

pub use chains::Hmc;
pub use trajectory::{Motion, Trajectories};
