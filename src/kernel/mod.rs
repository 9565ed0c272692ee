//! Fused operations as burn backend extensions, each beside its reference in plain tensor operations.

pub mod affine_flow;
pub mod conv_stack;
mod pool;
mod vector;

pub use vector::{Isa, fma_peak};

pub use affine_flow::{AffineFlow, Direction, affine_flow};
pub use conv_stack::{ConvStack, OutputActivation, conv_stack};
