//! The discrete Hartley transform of fields on the periodic lattice, in which every operator with the lattice's translations and
//! reflections is diagonal.

mod cpu;
#[cfg(feature = "wgpu")]
mod gpu;
mod operation;
#[cfg(test)]
mod tests;
mod waves;

pub use operation::Hartley;
