//! Hybrid Monte Carlo and local updates: many independent chains, side by side in vectors and over threads.

mod beside;
mod chains;
mod moves;
mod sums;
mod sweeps;
#[cfg(test)]
mod tests;
mod tiles;
mod together;
mod trajectory;
mod tuning;

pub use beside::Beside;
pub use chains::Chains;
pub use together::assist;
pub use trajectory::{Motion, Trajectories};
