//! Fused operations as burn backend extensions, each beside its reference in plain tensor operations.

pub mod conv_stack;
mod vector;

pub use vector::Isa;

pub use conv_stack::{ConvStack, OutputActivation, conv_stack};
