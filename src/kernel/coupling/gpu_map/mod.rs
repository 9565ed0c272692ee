//! The maps of couplings on a GPU, chosen when a kernel is compiled: a further one is a file, and a branch of two functions here.

mod affine;
mod circle;
mod kind;
mod mapped;
mod piece;
mod spline;
mod tan_mixture;
#[cfg(test)]
mod tests;

pub use circle::reduced;
pub use kind::{GpuLayer, GpuMap, Subject};
pub use mapped::Mapped;

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// The map, or its inverse.
#[cube]
pub fn apply(
    parameters: &Array<f32>,
    before: f32,
    #[comptime] map: GpuMap,
    #[comptime] forward: bool,
) -> Mapped {
    let after = match map {
        GpuMap::Affine => affine::apply(parameters, before, forward),
        GpuMap::Spline { knots } => spline::apply(parameters, before, knots, forward),
        GpuMap::TanMixture { components } => tan_mixture::apply(parameters, before, components, forward),
    };
    mapped::visible(after)
}

/// From the gradients by the number after the map and by the log det to that by the number before it, which is returned, and
/// those by the parameters.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn gradient(
    parameters: &Array<f32>,
    before: f32,
    g: f32,
    by_log_det: f32,
    by_parameters: &mut Array<f32>,
    #[comptime] map: GpuMap,
    #[comptime] forward: bool,
) -> f32 {
    match map {
        GpuMap::Affine => affine::gradient(parameters, before, g, by_log_det, by_parameters, forward),
        GpuMap::Spline { knots } => {
            spline::gradient(parameters, before, g, by_log_det, by_parameters, knots, forward)
        }
        GpuMap::TanMixture { components } => {
            tan_mixture::gradient(parameters, before, g, by_log_det, by_parameters, components, forward)
        }
    }
}
