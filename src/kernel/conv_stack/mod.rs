//! A stack of periodic convolutions as one operation: the conditioner network of every coupling layer.

mod blocks;
mod cpu;
pub(super) mod network;
mod on_cpu;
#[cfg(feature = "wgpu")]
mod on_gpu;
mod operation;
mod patches;
pub(super) mod plan;
mod reference;
mod stack;
#[cfg(test)]
mod tests;
mod weight_blocks;
mod winograd;

pub use operation::{FusedConvStack, conv_stack};
pub(super) use reference::mask;
pub use reference::reference;
pub use stack::{ConvStack, OutputActivation};
