//! A real field with nearest-neighbour hopping and a quartic potential: its action on tensors, and its molecular dynamics.

mod action;
mod cpu;
mod dynamics;
#[cfg(feature = "wgpu")]
mod gpu;
#[cfg(test)]
mod tests;

pub use action::Quartic;
pub use dynamics::{CHAINS, drift, kinetic_energy};
