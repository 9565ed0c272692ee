//! A whole stack of coupling layers as one operation: a tile of samples goes through all layers while it is in cache.
//!
//! Three things make a coupling and are kept apart: the conditioner network ([`mod@super::conv_stack`]), what it reads and where
//! its result is written (`Coupling`), and the map of a number given its parameters (`CouplingMap`). The walk through
//! layers and tiles is written once for all of them.

mod affine;
mod circle;
mod cpu;
mod gauge;
#[cfg(feature = "wgpu")]
mod gpu_map;
mod layer;
#[cfg(feature = "wgpu")]
mod links;
#[cfg(feature = "wgpu")]
mod log_det;
mod map;
#[cfg(test)]
mod map_laws;
#[cfg(test)]
mod map_trials;
mod networks;
mod on_cpu;
#[cfg(feature = "wgpu")]
mod on_gpu;
mod operation;
mod reference;
#[cfg(feature = "wgpu")]
mod resident;
mod sites;
mod spline;
mod tan_mixture;
#[cfg(test)]
mod tests;
#[cfg(feature = "wgpu")]
mod tiled;
#[cfg(test)]
mod trials;
mod walk;

pub use affine::Affine;
pub use gauge::GaugeCoupling;
pub use layer::Coupling;
pub use map::CouplingMap;
pub use networks::{Direction, Networks};
pub use operation::{CouplingStack, coupling_stack};
pub use reference::{layer_by_layer, reference};
pub use sites::SiteCoupling;
pub use spline::Spline;
pub use tan_mixture::TanMixture;
