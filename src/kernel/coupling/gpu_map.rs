//! The maps of couplings on a GPU, chosen when a kernel is compiled.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// The map that a kernel is compiled for; a further one is a further branch of [`apply()`] and of [`gradient()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GpuMap {
    /// `e^s x + t`.
    Affine,
}

impl GpuMap {
    /// Parameters of a number.
    pub fn parameters(self) -> usize {
        match self {
            Self::Affine => 2,
        }
    }
}

/// What a map makes of a number.
#[derive(CubeType)]
pub struct Mapped {
    pub value: f32,
    /// What it adds to the log det.
    pub log_det: f32,
}

/// The map, or its inverse.
#[cube]
pub fn apply(
    parameters: &Array<f32>,
    before: f32,
    #[comptime] map: GpuMap,
    #[comptime] forward: bool,
) -> Mapped {
    let _ = comptime!(map);
    let (s, t) = (parameters[0usize], parameters[1usize]);
    if comptime!(forward) {
        Mapped { value: fma(before, f32::exp(s), t), log_det: s }
    } else {
        Mapped { value: (before - t) * f32::exp(-s), log_det: -s }
    }
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
    let _ = comptime!(map);
    let (s, t) = (parameters[0usize], parameters[1usize]);
    let by_before = g * f32::exp(if comptime!(forward) { s } else { -s });
    if comptime!(forward) {
        by_parameters[0usize] = by_before * before + by_log_det;
        by_parameters[1usize] = g;
    } else {
        by_parameters[0usize] = -by_before * (before - t) - by_log_det;
        by_parameters[1usize] = -by_before;
    }
    by_before
}
