//! The Wilson operator of a U(1) gauge field in two dimensions: determinant, gradient and inverse in double precision, and the
//! first two in single precision on a GPU.

mod elimination;
mod even_odd;
#[cfg(feature = "wgpu")]
pub mod gpu;
mod inverse;
mod matrix;
mod operator;
pub mod reference;
mod slice;
#[cfg(test)]
mod tests;

pub use elimination::Workspace;
pub use even_odd::{EvenOdd, Solution, Spinors};
pub use operator::{Determinant, Propagator, Wilson};
