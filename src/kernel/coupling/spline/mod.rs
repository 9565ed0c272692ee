//! Circular rational-quadratic splines with a shift: the map of an angle.

// Loops over lanes are the innermost ones and have no branches, so that the compiler makes each a few instructions.
#![allow(clippy::needless_range_loop)]

pub(super) mod bins;
mod piece;
mod plain;
#[cfg(test)]
mod tests;

use super::circle::positive;
#[cfg(feature = "wgpu")]
use super::gpu_map::GpuMap;
use super::map::CouplingMap;
use super::networks::Direction;
use crate::kernel::element::Element;
use crate::kernel::vector::{MOST_LANES, Vector};
use bins::{Axis, Bins, sigmoid, sizes, softmax};
use burn::tensor::Tensor;
use piece::{ByPiece, unit};

/// `f(x) = g(x) + t` for an angle x, where g maps the circle onto itself: a monotone spline of rational-quadratic pieces on [0, 2π)
/// with g(0) = 0 and g(2π) = 2π, and the same slope at both ends. Beyond, `f(x + 2π) = f(x) + 2π`: what is no circle gets no seam.
///
/// Its parameters are the widths of the bins and their heights, softmax of as many numbers as there are bins, the slopes at the knots,
/// softplus of as many numbers, and t. Zeros make it the identity.
///
/// - inverse: x at which `g(x) = y - t`, a root of a quadratic
/// - log det: `ln g'(x)`, and the opposite for the inverse
///
/// Source: arXiv:2002.02428, Sec. 2.1.3, with the splines of arXiv:1906.04032.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spline {
    /// Number of bins, from two to [`Self::MOST_KNOTS`].
    pub knots: usize,
}

/// Room for the widths or the heights of a vector of samples.
type Shares<T> = [T; Spline::MOST_KNOTS * MOST_LANES];

impl Spline {
    /// The most bins.
    pub const MOST_KNOTS: usize = 32;

    /// Parameters of the widths, of the heights, of the slopes, and the shift.
    #[inline(always)]
    fn split<'a, V: Vector>(&self, parameters: &'a [V::Elem]) -> [&'a [V::Elem]; 4] {
        let size = self.knots * V::LANES;
        let (widths, rest) = parameters.split_at(size);
        let (heights, rest) = rest.split_at(size);
        let (slopes, shift) = rest.split_at(size);
        [widths, heights, slopes, &shift[..V::LANES]]
    }

    /// The angle that is looked up in every lane, in [0, 2π].
    #[inline(always)]
    fn looked_up<V: Vector>(direction: Direction, x: &[V::Elem], shift: &[V::Elem]) -> [V::Elem; MOST_LANES] {
        let mut found = [V::Elem::default(); MOST_LANES];
        for lane in 0..V::LANES {
            let forward = direction == Direction::Forward;
            found[lane] = positive(if forward { x[lane] } else { x[lane] - shift[lane] });
        }
        found
    }
}

/// The axis on which a direction looks its angle up.
#[inline(always)]
fn axis(direction: Direction) -> Axis {
    if direction == Direction::Forward { Axis::Place } else { Axis::Value }
}

impl CouplingMap for Spline {
    fn parameters(&self) -> usize {
        assert!(
            (2..=Self::MOST_KNOTS).contains(&self.knots),
            "two to {} knots, got {}",
            Self::MOST_KNOTS,
            self.knots
        );
        3 * self.knots + 1
    }

    #[inline(always)]
    fn apply<V: Vector>(
        &self,
        direction: Direction,
        parameters: &[V::Elem],
        x: &mut [V::Elem],
        log_det: &mut [V::Elem],
    ) {
        let [widths, heights, slopes, shift] = self.split::<V>(parameters);
        let mut room: [Shares<V::Elem>; 2] = [[V::Elem::default(); Spline::MOST_KNOTS * MOST_LANES]; 2];
        let [width_shares, height_shares] = &mut room;
        let shares = [&mut width_shares[..widths.len()], &mut height_shares[..heights.len()]];
        softmax::<V>(widths, shares[0]);
        softmax::<V>(heights, shares[1]);
        let at = Self::looked_up::<V>(direction, x, shift);
        let bins = Bins::of::<V>(axis(direction), &at, [&*shares[0], &*shares[1]], slopes);
        for lane in 0..V::LANES {
            let piece = bins.piece(lane);
            if direction == Direction::Forward {
                let xi = unit((at[lane] - bins.start[0][lane]) / piece.width);
                let (share, slope) = piece.at(xi);
                x[lane] += bins.start[1][lane] + piece.height * share - at[lane] + shift[lane];
                log_det[lane] += slope.logarithm();
            } else {
                let xi = piece.inverse(unit((at[lane] - bins.start[1][lane]) / piece.height));
                x[lane] += bins.start[0][lane] + piece.width * xi - at[lane] - shift[lane];
                log_det[lane] += -piece.at(xi).1.logarithm();
            }
        }
    }

    /// Backwards from the derivatives of the map itself: where `f(x) = y`, a sum over x and `-ln f'` has the derivative
    /// `by_y = (by_x - by_log · ∂ ln f'/∂x)/f'` by y, and by parameters those of `-by_y · f - by_log · ln f'`.
    #[inline(always)]
    fn gradient<V: Vector>(
        &self,
        direction: Direction,
        parameters: &[V::Elem],
        before: &[V::Elem],
        by_log_det: &[V::Elem],
        g: &mut [V::Elem],
        by_parameters: &mut [V::Elem],
    ) {
        let zero = [V::Elem::default(); MOST_LANES];
        let [widths, heights, slopes, shift] = self.split::<V>(parameters);
        let (by_widths, rest) = by_parameters.split_at_mut(widths.len());
        let (by_heights, rest) = rest.split_at_mut(heights.len());
        let (by_slopes, by_shift) = rest.split_at_mut(slopes.len());
        // The shares are here until their derivatives take their place.
        softmax::<V>(widths, by_widths);
        softmax::<V>(heights, by_heights);
        let at = Self::looked_up::<V>(direction, before, shift);
        let bins = Bins::of::<V>(axis(direction), &at, [&*by_widths, &*by_heights], slopes);
        let (mut by_start, mut by_size, mut by_ends) = ([zero; 2], [zero; 2], [zero; 2]);
        for lane in 0..V::LANES {
            let piece = bins.piece(lane);
            let ByPiece { place, width, height, slopes } = if direction == Direction::Forward {
                let xi = unit((at[lane] - bins.start[0][lane]) / piece.width);
                by_shift[lane] = g[lane];
                by_start[1][lane] = g[lane];
                let by = piece.gradient(xi, g[lane], by_log_det[lane]);
                g[lane] = by.place;
                by
            } else {
                let xi = piece.inverse(unit((at[lane] - bins.start[1][lane]) / piece.height));
                let of_log = piece.gradient(xi, V::Elem::default(), by_log_det[lane]).place;
                let by_y = (g[lane] - of_log) / piece.at(xi).1;
                by_shift[lane] = -by_y;
                by_start[1][lane] = -by_y;
                g[lane] = by_y;
                piece.gradient(xi, -by_y, -by_log_det[lane])
            };
            by_start[0][lane] = -place;
            by_size[0][lane] = width;
            by_size[1][lane] = height;
            by_ends[0][lane] = slopes[0] * sigmoid(bins.slopes[0][lane]);
            by_ends[1][lane] = slopes[1] * sigmoid(bins.slopes[1][lane]);
        }
        by_shares::<V>(&bins.index, [&by_start[0], &by_size[0]], by_widths);
        by_shares::<V>(&bins.index, [&by_start[1], &by_size[1]], by_heights);
        by_knots::<V>(&bins.index, &by_ends, by_slopes);
    }

    fn plain_apply(
        &self,
        direction: Direction,
        x: Tensor<3>,
        parameters: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        plain::apply(self.knots, direction, x, parameters)
    }

    /// Around the circle the other way: bin j is the one that was j-th from the end, and so is the knot where it ends. Bin 0 begins at
    /// the seam, whose knot stays the first.
    fn plain_mirrored(&self, parameters: Tensor<3>) -> Tensor<3> {
        let from = |first: usize, count: usize| parameters.clone().narrow(1, first, count);
        let [widths, heights] = [0, self.knots].map(|first| from(first, self.knots).flip([1]));
        let seam = from(2 * self.knots, 1);
        let others = from(2 * self.knots + 1, self.knots - 1).flip([1]);
        Tensor::cat(vec![widths, heights, seam, others, -from(3 * self.knots, 1)], 1)
    }

    #[cfg(feature = "wgpu")]
    fn gpu_map(&self) -> GpuMap {
        GpuMap::Spline { knots: self.knots }
    }
}

/// From the derivatives by the start and by the size of the bin at `index` to those by the parameters of all sizes, in the place of
/// their shares p: `∂/∂w_j = factor · p_j (q_j - Σ_i p_i q_i)` with q the derivative by a size, which moves all later bins.
#[inline(always)]
fn by_shares<V: Vector>(
    index: &[V::Elem; MOST_LANES],
    [by_start, by_size]: [&[V::Elem; MOST_LANES]; 2],
    shares: &mut [V::Elem],
) {
    let zero = V::Elem::default();
    let factor = V::Elem::from_f64(sizes(shares.len() / V::LANES)[1]);
    let mut mean = [zero; MOST_LANES];
    for (bin, row) in shares.chunks_exact(V::LANES).enumerate() {
        let bin = V::Elem::from_f64(bin as f64);
        for lane in 0..V::LANES {
            let before = if bin < index[lane] { by_start[lane] } else { zero };
            mean[lane] += row[lane] * if bin == index[lane] { by_size[lane] } else { before };
        }
    }
    for (bin, row) in shares.chunks_exact_mut(V::LANES).enumerate() {
        let bin = V::Elem::from_f64(bin as f64);
        for lane in 0..V::LANES {
            let before = if bin < index[lane] { by_start[lane] } else { zero };
            let by = if bin == index[lane] { by_size[lane] } else { before };
            row[lane] = factor * row[lane] * (by - mean[lane]);
        }
    }
}

/// From the derivatives by the slopes at both ends of the bin at `index` to those by the slopes at all knots, the last being the first.
#[inline(always)]
fn by_knots<V: Vector>(
    index: &[V::Elem; MOST_LANES],
    by_ends: &[[V::Elem; MOST_LANES]; 2],
    by_slopes: &mut [V::Elem],
) {
    let zero = V::Elem::default();
    let knots = by_slopes.len() / V::LANES;
    for (knot, row) in by_slopes.chunks_exact_mut(V::LANES).enumerate() {
        let [begins, ends] = [knot, (knot + knots - 1) % knots].map(|bin| V::Elem::from_f64(bin as f64));
        for lane in 0..V::LANES {
            let left = if begins == index[lane] { by_ends[0][lane] } else { zero };
            let right = if ends == index[lane] { by_ends[1][lane] } else { zero };
            row[lane] = left + right;
        }
    }
}
