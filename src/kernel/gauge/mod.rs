//! A U(1) gauge field in two dimensions: its plaquettes, and its action with Wilson fermions.

mod action;
mod begun;
#[cfg(feature = "wgpu")]
mod gpu;
mod on_device;
mod plaquette;
mod stripes;
#[cfg(test)]
mod tests;

pub use action::GaugeAction;
pub use plaquette::{Plaquettes, reduced};
pub use stripes::Stripes;
