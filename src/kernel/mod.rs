//! Fused operations as burn backend extensions, each beside its reference in plain tensor operations.

pub mod affine_flow;
pub mod conv_stack;
mod fused;
#[cfg(feature = "wgpu")]
mod gpu;
mod peak;
mod pool;
pub mod quartic;
mod scalar;
mod tile;
mod vector;

pub use affine_flow::{AffineFlow, Direction, affine_flow};
pub use conv_stack::{ConvStack, OutputActivation, conv_stack};
#[cfg(feature = "wgpu")]
pub use gpu::{Spread, memory_held};
pub use peak::fma_peak;
pub use vector::Isa;

/// Whether the fused kernels run where a tensor is and on numbers of its kind.
fn is_fused(x: &burn::tensor::Tensor<4>) -> bool {
    let device = x.device().inner();
    if device == burn::tensor::Device::flex() {
        return true;
    }
    #[cfg(feature = "wgpu")]
    return gpu::runs_on(&device, x.dtype());
    #[cfg(not(feature = "wgpu"))]
    return false;
}
