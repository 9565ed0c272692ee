//! Mixtures of tangent maps with a shift in kernels; formulas and source are those of the CPU's.

use super::circle::reduced;
use super::mapped::Mapped;
use crate::kernel::coupling::tan_mixture::mixture::MOST_ROUNDS;
use crate::kernel::gpu::elementary::{arctangent, exponential, sine_cosine};
use burn_cubecl::cubecl;
use cubecl::prelude::*;
use std::f32::consts::PI;

/// Rounding of an angle, relative to it.
const NEAR: f32 = 4.0 * f32::EPSILON;

/// A mixture at an angle x.
#[derive(CubeType)]
struct Mixture {
    /// `h(x) - x`.
    step: f32,
    /// `h'(x)`.
    slope: f32,
    /// `h''(x)`.
    bend: f32,
    /// Sine and cosine of x/2.
    sine: f32,
    cosine: f32,
}

#[cube]
fn mixture_at(parameters: &Array<f32>, x: f32, #[comptime] components: usize) -> Mixture {
    let half = sine_cosine(0.5 * reduced(x));
    let (sine, cosine) = (half.sine, half.cosine);
    let product = sine * cosine;
    let (mut step, mut slope, mut bend) = (f32::new(0.0), f32::new(0.0), f32::new(0.0));
    #[unroll]
    for component in 0..components {
        let a = exponential(0.5 * parameters[component]);
        let b = 1.0 / a;
        let (above, below) = (a * sine * sine, b * cosine * cosine);
        let steep = 1.0 / (a * above + b * below);
        step += 2.0 * arctangent((a - b) * product / (above + below));
        slope += steep;
        bend += (b * b - a * a) * product * steep * steep;
    }
    let mean = f32::new(comptime!(1.0 / components as f32));
    Mixture { step: step * mean, slope: slope * mean, bend: bend * mean, sine, cosine }
}

/// The angle x with `h(x) = v`: Newton's method between bounds that close in, as on the CPU.
#[cube]
fn solved(parameters: &Array<f32>, v: f32, #[comptime] components: usize) -> f32 {
    let goal = reduced(v);
    let (mut low, mut high) = (f32::new(comptime!(-PI)), f32::new(PI));
    let mut x = reduced(v);
    let mut round = 0u32;
    while round < comptime!(MOST_ROUNDS as u32) {
        let mixture = mixture_at(parameters, x, components);
        let off = x + mixture.step - goal;
        low = select(off < 0.0, x, low);
        high = select(off > 0.0, x, high);
        let (step, middle) = (x - off / mixture.slope, 0.5 * (low + high));
        let is_between = step > low && step < high && round % 3 != 2;
        let rounding = f32::new(NEAR) * (f32::abs(x) + f32::abs(goal));
        // What is no number is not away either.
        let is_away = f32::abs(off) > rounding && high - low > f32::new(NEAR) * f32::abs(x);
        x = select(is_away, select(is_between, step, middle), x);
        round = select(is_away, round + 1, comptime!(MOST_ROUNDS as u32).runtime());
    }
    // Whole turns.
    x + (v - goal)
}

/// The angle at which the mixture is looked at: that before the map, or that its inverse finds.
#[cube]
fn place(
    parameters: &Array<f32>,
    before: f32,
    #[comptime] components: usize,
    #[comptime] forward: bool,
) -> f32 {
    if comptime!(forward) { before } else { solved(parameters, before - parameters[components], components) }
}

/// The map, or its inverse.
#[cube]
pub fn apply(
    parameters: &Array<f32>,
    before: f32,
    #[comptime] components: usize,
    #[comptime] forward: bool,
) -> Mapped {
    let place = place(parameters, before, components, forward);
    let mixture = mixture_at(parameters, place, components);
    let log = f32::ln(mixture.slope);
    if comptime!(forward) {
        Mapped { value: before + (mixture.step + parameters[components]), log_det: log }
    } else {
        // What is no number stays none.
        Mapped { value: place + 0.0 * mixture.step, log_det: -log }
    }
}

/// See [`super::gradient`]; backwards from the derivatives of the map itself, as on the CPU.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn gradient(
    parameters: &Array<f32>,
    before: f32,
    g: f32,
    by_log_det: f32,
    by_parameters: &mut Array<f32>,
    #[comptime] components: usize,
    #[comptime] forward: bool,
) -> f32 {
    let mixture = mixture_at(parameters, place(parameters, before, components, forward), components);
    let of_log = by_log_det * mixture.bend / mixture.slope;
    let by_before =
        if comptime!(forward) { g * mixture.slope + of_log } else { (g - of_log) / mixture.slope };
    let by_value = if comptime!(forward) { g } else { -by_before };
    let by_log = if comptime!(forward) { by_log_det } else { -by_log_det };
    let by_slope = by_log / mixture.slope;
    let mean = f32::new(comptime!(1.0 / components as f32));
    #[unroll]
    for component in 0..components {
        let s = parameters[component];
        let (narrow, wide) =
            (exponential(s) * mixture.sine * mixture.sine, exponential(-s) * mixture.cosine * mixture.cosine);
        let slope = 1.0 / (wide + narrow);
        let of_slope = by_slope * (wide - narrow) * slope;
        by_parameters[component] = mean * slope * (by_value * 2.0 * mixture.sine * mixture.cosine + of_slope);
    }
    by_parameters[components] = by_value;
    by_before
}
