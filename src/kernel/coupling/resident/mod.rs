//! A stack of couplings on a GPU for small batches: one launch forwards, one backwards, and one for each gradient by weights.
//!
//! A workgroup takes one sample through all layers. Field and activations stay in shared memory, so that layers wait for each
//! other at a barrier and not at the end of a launch, which costs more than the arithmetic of a small batch. Every sum of a network
//! has the order of the tiled kernels: both give the same bits for affine layers, and those of gauge layers differ by no more than
//! what a compiler does with formulas.

mod backward;
mod forward;
mod links;
mod pass;
mod sample;
mod shape;
mod sums;

pub use pass::pass;
pub use shape::Resident;
