//! The affine map in kernels.

use super::mapped::Mapped;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// `e^s x + t`, or its inverse.
#[cube]
pub fn apply(parameters: &Array<f32>, before: f32, #[comptime] forward: bool) -> Mapped {
    let (s, t) = (parameters[0usize], parameters[1usize]);
    if comptime!(forward) {
        Mapped { value: fma(before, f32::exp(s), t), log_det: s }
    } else {
        Mapped { value: (before - t) * f32::exp(-s), log_det: -s }
    }
}

/// See [`super::gradient`].
#[cube]
pub fn gradient(
    parameters: &Array<f32>,
    before: f32,
    g: f32,
    by_log_det: f32,
    by_parameters: &mut Array<f32>,
    #[comptime] forward: bool,
) -> f32 {
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
