//! One piece of a monotone rational-quadratic spline in kernels; formulas and source are those of the CPU's.

use super::circle::unit;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// A piece above its bin: width W, height H, slopes d₀ and d₁ at its ends.
#[derive(CubeType)]
pub struct Piece {
    pub width: f32,
    pub height: f32,
    pub left: f32,
    pub right: f32,
}

/// A piece at ξ.
#[derive(CubeType)]
pub struct Point {
    /// The part of the height below it.
    pub share: f32,
    pub slope: f32,
}

/// Derivatives of a sum over results by everything that a piece depends on.
#[derive(CubeType)]
pub struct ByPiece {
    /// By the place x at a fixed bin; by the start of the bin it is the opposite.
    pub place: f32,
    pub width: f32,
    pub height: f32,
    pub left: f32,
    pub right: f32,
}

/// Value and slope at ξ.
#[cube]
pub fn at(piece: &Piece, xi: f32) -> Point {
    let mean = piece.height / piece.width;
    let zeta = 1.0 - xi;
    let both = xi * zeta;
    let below = mean + (piece.left + piece.right - 2.0 * mean) * both;
    let ratio = mean / below;
    Point {
        share: (mean * xi * xi + piece.left * both) / below,
        slope: ratio * ratio * (piece.right * xi * xi + 2.0 * mean * both + piece.left * zeta * zeta),
    }
}

/// ξ where the part of the height is η, in the form that subtracts nothing.
#[cube]
pub fn inverse(piece: &Piece, eta: f32) -> f32 {
    let mean = piece.height / piece.width;
    let b = piece.left - (piece.left + piece.right - 2.0 * mean) * eta;
    let (difference, product) = (b - 2.0 * mean * eta, 2.0 * mean);
    let root = f32::sqrt(difference * difference + product * product * eta * (1.0 - eta));
    let is_negative = b < 0.0;
    let above = select(is_negative, root - b, 2.0 * mean * eta);
    let below = select(is_negative, 2.0 * (mean - b), b + root);
    // Zero over zero at the left end of a piece that is flat there.
    unit(select(eta > 0.0, above / below, eta))
}

/// Derivatives of `by_y · y + by_log · ln(dy/dx)` at ξ.
#[cube]
pub fn gradient(piece: &Piece, xi: f32, by_y: f32, by_log: f32) -> ByPiece {
    let per_width = 1.0 / piece.width;
    let mean = piece.height * per_width;
    let zeta = 1.0 - xi;
    let (both, bend) = (xi * zeta, piece.left + piece.right - 2.0 * mean);
    let (square, opposite) = (xi * xi, zeta * zeta);
    let (above, below) = (mean * square + piece.left * both, mean + bend * both);
    let slope = piece.right * square + 2.0 * mean * both + piece.left * opposite;
    let per_below = 1.0 / below;
    let share = above * per_below;
    let by_above = by_y * piece.height * per_below;
    let by_below = -(by_above * share + 2.0 * by_log * per_below);
    let by_slope = by_log / slope;
    let by_mean = by_above * square + by_below * (1.0 - 2.0 * both) + 2.0 * (by_slope * both + by_log / mean);
    let tilt = 1.0 - 2.0 * xi;
    let by_xi = by_above * (2.0 * mean * xi + piece.left * tilt)
        + by_below * bend * tilt
        + 2.0 * by_slope * (piece.right * xi + mean * tilt - piece.left * zeta);
    ByPiece {
        place: by_xi * per_width,
        width: -(by_mean * mean + by_xi * xi) * per_width,
        height: by_y * share + by_mean * per_width,
        left: (by_above + by_below) * both + by_slope * opposite,
        right: by_below * both + by_slope * square,
    }
}
