//! A stack of couplings on a GPU for small batches: one launch forwards, one backwards, and one for each gradient by weights.
//!
//! A workgroup takes one sample through all layers. Field and activations stay in shared memory, so that layers wait for each
//! other at a barrier and not at the end of a launch, which costs more than the arithmetic of a small batch. Every sum has the
//! order of the tiled kernels: both give the same bits.

mod kernels;
mod pass;
mod shape;

pub use pass::pass;
pub use shape::Resident;
