//! Fused operations as burn backend extensions, each beside its reference in plain tensor operations.

pub mod affine_flow;
pub mod conv_stack;
mod peak;
mod pool;
mod scalar;
mod tile;
mod vector;

pub use affine_flow::{AffineFlow, Direction, affine_flow};
pub use conv_stack::{ConvStack, OutputActivation, conv_stack};
pub use peak::fma_peak;
pub use vector::Isa;
