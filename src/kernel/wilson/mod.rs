//! The Wilson operator of a U(1) gauge field in two dimensions: determinant, gradient and inverse in double precision.

mod elimination;
mod inverse;
mod matrix;
mod operator;
pub mod reference;
mod slice;
#[cfg(test)]
mod tests;

pub use elimination::Workspace;
pub use operator::{Determinant, Propagator, Wilson};
