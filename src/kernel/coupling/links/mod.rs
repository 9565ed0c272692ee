//! Gauge layers on a GPU: loops of links as features of a network, and active plaquettes that are mapped through one link each.
//!
//! [`record`] is what kernels look up about a layer, [`loops`] the arithmetic of plaquettes, written once for fields of a tile in
//! global memory and of a sample in shared memory. A layer takes a launch for its features, one for each convolution, and one for the
//! map with what it does to links and log det; backwards two for each convolution and two more. Where a stack fits, the
//! [`super::resident`] kernels take all layers at once.

mod kernels;
pub mod loops;
mod pass;
pub mod record;
#[cfg(test)]
mod tests;

pub use pass::pass;
