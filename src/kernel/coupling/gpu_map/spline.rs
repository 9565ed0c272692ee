//! Circular splines with a shift in kernels; formulas and source are those of the CPU's.

use super::circle::{positive, unit};
use super::mapped::Mapped;
use super::piece::{self, Piece};
use crate::kernel::coupling::spline::bins::{LEAST_SLOPE, SLOPE_OFFSET, sizes};
use crate::kernel::gpu::elementary::{exponential, log_one_plus};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Softmax of `knots` parameters from `first` on.
#[cube]
fn shares(parameters: &Array<f32>, #[comptime] first: usize, #[comptime] knots: usize) -> Array<f32> {
    let mut most = parameters[first];
    #[unroll]
    for bin in 1..knots {
        let parameter = parameters[comptime!(first + bin)];
        most = select(parameter > most, parameter, most);
    }
    let mut found = Array::<f32>::new(knots);
    let mut sum = f32::new(0.0);
    #[unroll]
    for bin in 0..knots {
        let share = exponential(parameters[comptime!(first + bin)] - most);
        found[bin] = share;
        sum += share;
    }
    let per_sum = 1.0 / sum;
    #[unroll]
    for bin in 0..knots {
        found[bin] *= per_sum;
    }
    found
}

/// The bin that a number is in.
#[derive(CubeType)]
struct Bin {
    index: usize,
    /// Where it begins, and the spline above that.
    place: f32,
    value: f32,
    width: f32,
    height: f32,
    /// Parameters of the slopes at both ends, the offset added.
    left: f32,
    right: f32,
}

/// The bin of `at`, in [0, 2π], among the places of the knots or, for the inverse, among the values of the spline there; the first
/// one for what is no number.
#[cube]
fn bin_of(
    at: f32,
    widths: &Array<f32>,
    heights: &Array<f32>,
    parameters: &Array<f32>,
    #[comptime] knots: usize,
    #[comptime] forward: bool,
) -> Bin {
    let (least, factor) =
        (f32::new(comptime!(sizes(knots)[0] as f32)), f32::new(comptime!(sizes(knots)[1] as f32)));
    let (mut place, mut value) = (f32::new(0.0), f32::new(0.0));
    let (mut index, mut start, mut above) = (0usize, f32::new(0.0), f32::new(0.0));
    let (mut width, mut height) = (f32::new(0.0), f32::new(0.0));
    let (mut left, mut right) = (f32::new(0.0), f32::new(0.0));
    #[unroll]
    for bin in 0..knots {
        let (wide, high) = (least + factor * widths[bin], least + factor * heights[bin]);
        let begin = if comptime!(forward) { place } else { value };
        let inside = if comptime!(bin == 0) { true.runtime() } else { at >= begin };
        index = select(inside, comptime!(bin).runtime(), index);
        start = select(inside, place, start);
        above = select(inside, value, above);
        width = select(inside, wide, width);
        height = select(inside, high, height);
        left = select(inside, parameters[comptime!(2 * knots + bin)], left);
        right = select(inside, parameters[comptime!(2 * knots + (bin + 1) % knots)], right);
        place += wide;
        value += high;
    }
    let offset = f32::new(comptime!(SLOPE_OFFSET as f32));
    Bin { index, place: start, value: above, width, height, left: left + offset, right: right + offset }
}

/// `ln(1 + e^x)`.
#[cube]
fn softplus(x: f32) -> f32 {
    let positive = select(x > 0.0, x, f32::new(0.0));
    let magnitude = select(x < 0.0, -x, x);
    positive + log_one_plus(exponential(-magnitude))
}

/// The derivative of [`softplus`].
#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

#[cube]
fn piece_of(bin: &Bin) -> Piece {
    let least = f32::new(comptime!(LEAST_SLOPE as f32));
    Piece {
        width: bin.width,
        height: bin.height,
        left: least + softplus(bin.left),
        right: least + softplus(bin.right),
    }
}

/// The spline, or its inverse.
#[cube]
pub fn apply(
    parameters: &Array<f32>,
    before: f32,
    #[comptime] knots: usize,
    #[comptime] forward: bool,
) -> Mapped {
    let (widths, heights) = (shares(parameters, 0usize, knots), shares(parameters, knots, knots));
    let shift = parameters[comptime!(3 * knots)];
    let at = positive(if comptime!(forward) { before } else { before - shift });
    let bin = bin_of(at, &widths, &heights, parameters, knots, forward);
    let piece = piece_of(&bin);
    if comptime!(forward) {
        let point = piece::at(&piece, unit((at - bin.place) / bin.width));
        let moved = bin.value + bin.height * point.share - at + shift;
        Mapped { value: before + moved, log_det: f32::ln(point.slope) }
    } else {
        let xi = piece::inverse(&piece, unit((at - bin.value) / bin.height));
        let moved = bin.place + bin.width * xi - at - shift;
        Mapped { value: before + moved, log_det: -f32::ln(piece::at(&piece, xi).slope) }
    }
}

/// From the derivatives by the start and by the size of the bin at `index` to those by the parameters of all sizes, from `first`
/// on: `∂/∂w_j = factor · p_j (q_j - Σ_i p_i q_i)` with q the derivative by a size, which moves all later bins.
#[cube]
#[allow(clippy::too_many_arguments)]
fn by_sizes(
    shares: &Array<f32>,
    index: usize,
    by_start: f32,
    by_size: f32,
    by_parameters: &mut Array<f32>,
    #[comptime] first: usize,
    #[comptime] knots: usize,
) {
    let factor = f32::new(comptime!(sizes(knots)[1] as f32));
    let mut mean = f32::new(0.0);
    #[unroll]
    for bin in 0..knots {
        let by = select(bin < index, by_start, select(bin == index, by_size, f32::new(0.0)));
        by_parameters[comptime!(first + bin)] = by;
        mean += shares[bin] * by;
    }
    #[unroll]
    for bin in 0..knots {
        let by = by_parameters[comptime!(first + bin)];
        by_parameters[comptime!(first + bin)] = factor * shares[bin] * (by - mean);
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
    #[comptime] knots: usize,
    #[comptime] forward: bool,
) -> f32 {
    let (widths, heights) = (shares(parameters, 0usize, knots), shares(parameters, knots, knots));
    let shift = parameters[comptime!(3 * knots)];
    let at = positive(if comptime!(forward) { before } else { before - shift });
    let bin = bin_of(at, &widths, &heights, parameters, knots, forward);
    let piece = piece_of(&bin);
    let xi = if comptime!(forward) {
        unit((at - bin.place) / bin.width)
    } else {
        piece::inverse(&piece, unit((at - bin.value) / bin.height))
    };
    // By the image, and what becomes of it for the map itself where the inverse is wanted.
    let by_y = if comptime!(forward) {
        g
    } else {
        let of_log = piece::gradient(&piece, xi, f32::new(0.0), by_log_det).place;
        (g - of_log) / piece::at(&piece, xi).slope
    };
    let by_value = if comptime!(forward) { by_y } else { -by_y };
    let by_log = if comptime!(forward) { by_log_det } else { -by_log_det };
    let by = piece::gradient(&piece, xi, by_value, by_log);
    by_sizes(&widths, bin.index, -by.place, by.width, by_parameters, 0usize, knots);
    by_sizes(&heights, bin.index, by_value, by.height, by_parameters, knots, knots);
    let (by_left, by_right) = (by.left * sigmoid(bin.left), by.right * sigmoid(bin.right));
    #[unroll]
    for knot in 0..knots {
        let begins = select(bin.index == knot, by_left, f32::new(0.0));
        let ends = select(bin.index == comptime!((knot + knots - 1) % knots), by_right, f32::new(0.0));
        by_parameters[comptime!(2 * knots + knot)] = begins + ends;
    }
    by_parameters[comptime!(3 * knots)] = by_value;
    if comptime!(forward) { by.place } else { by_y }
}
