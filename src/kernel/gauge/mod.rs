//! A U(1) gauge field in two dimensions: its plaquettes, and its action with Wilson fermions.

mod action;
mod plaquette;
mod stripes;
#[cfg(test)]
mod tests;

pub use action::GaugeAction;
pub use plaquette::{Plaquettes, reduced};
pub use stripes::Stripes;
