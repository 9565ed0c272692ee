//! Fused operations as burn backend extensions, each beside its reference in plain tensor operations.
//!
//! A *tile* is what is computed on side by side, one number of each in a row: on the CPU as many samples as a register holds
//! (16 with AVX-512, else 8), on a GPU 32 samples, in molecular dynamics 8 chains ([`quartic::CHAINS`]).

pub mod conv_stack;
pub mod coupling;
mod element;
mod elementary;
mod fused;
pub mod gauge;
#[cfg(feature = "wgpu")]
mod gpu;
pub mod hartley;
mod isa;
mod peak;
mod pool;
pub mod quartic;
mod tile;
mod vector;
pub mod wilson;

pub use conv_stack::{ConvStack, FusedConvStack, OutputActivation, conv_stack};
pub use coupling::{
    Affine, CouplingStack, Direction, GaugeCoupling, SiteCoupling, Spline, TanMixture, coupling_stack,
};
#[cfg(feature = "wgpu")]
pub use gpu::{Spread, memory_held};
pub use hartley::Hartley;
pub use isa::Isa;
pub use peak::fma_peak;
