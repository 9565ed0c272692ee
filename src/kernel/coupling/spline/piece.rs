//! One piece of a monotone rational-quadratic spline: value, derivative, inverse, gradients.
//!
//! With ξ in [0, 1] across a bin of width W and height H, mean slope s = H/W and slopes d₀, d₁ at its ends, ζ = 1 - ξ,
//!
//! `y = H N/D`, `N = s ξ² + d₀ ξζ`, `D = s + (d₀ + d₁ - 2s) ξζ`, `dy/dx = s² M/D²`, `M = d₁ ξ² + 2s ξζ + d₀ ζ²`
//!
//! Source: Gregory and Delbourgo (1982), as in arXiv:1906.04032, eqs. (4) and (5).

use crate::kernel::element::Element;

/// A piece above its bin.
#[derive(Clone, Copy)]
pub struct Piece<T> {
    /// W.
    pub width: T,
    /// H.
    pub height: T,
    /// The slopes d₀ and d₁.
    pub slopes: [T; 2],
}

/// Derivatives of a sum over results by everything that a piece depends on.
#[derive(Clone, Copy)]
pub struct ByPiece<T> {
    /// By the place x at a fixed bin; by the start of the bin it is the opposite.
    pub place: T,
    pub width: T,
    pub height: T,
    pub slopes: [T; 2],
}

impl<T: Element> Piece<T> {
    /// N/D and dy/dx at ξ.
    #[inline(always)]
    pub fn at(self, xi: T) -> (T, T) {
        let (one, two) = (T::from_f64(1.0), T::from_f64(2.0));
        let ([left, right], mean) = (self.slopes, self.height / self.width);
        let zeta = one - xi;
        let both = xi * zeta;
        let below = mean + (left + right - two * mean) * both;
        let share = (mean * xi * xi + left * both) / below;
        let ratio = mean / below;
        (share, ratio * ratio * (right * xi * xi + two * mean * both + left * zeta * zeta))
    }

    /// ξ where N/D is η.
    ///
    /// It solves `a ξ² + b ξ = s η` with `b = d₀ - (d₀ + d₁ - 2s) η` and `a = s - b`. The discriminant `b² + 4asη` is written as
    /// `(b - 2sη)² + 4s² η(1-η)`, and the root in the form that subtracts nothing: both hold their digits in single precision.
    #[inline(always)]
    pub fn inverse(self, eta: T) -> T {
        let (zero, one, two) = (T::default(), T::from_f64(1.0), T::from_f64(2.0));
        let ([left, right], mean) = (self.slopes, self.height / self.width);
        let b = left - (left + right - two * mean) * eta;
        let (difference, product) = (b - two * mean * eta, two * mean);
        let root = (difference * difference + product * product * eta * (one - eta)).square_root();
        let is_negative = b < zero;
        let above = if is_negative { root - b } else { two * mean * eta };
        let below = if is_negative { two * (mean - b) } else { b + root };
        // Zero over zero at the left end of a piece that is flat there.
        unit(if eta > zero { above / below } else { eta })
    }

    /// Derivatives of `by_y · y + by_log · ln(dy/dx)` at ξ.
    #[inline(always)]
    pub fn gradient(self, xi: T, by_y: T, by_log: T) -> ByPiece<T> {
        let (one, two) = (T::from_f64(1.0), T::from_f64(2.0));
        let ([left, right], per_width) = (self.slopes, one / self.width);
        let mean = self.height * per_width;
        let zeta = one - xi;
        let (both, bend) = (xi * zeta, left + right - two * mean);
        let (square, opposite) = (xi * xi, zeta * zeta);
        let (above, below) = (mean * square + left * both, mean + bend * both);
        let slope = right * square + two * mean * both + left * opposite;
        let per_below = one / below;
        let share = above * per_below;
        // By N, D and M, then by what they are made of.
        let by_above = by_y * self.height * per_below;
        let by_below = -(by_above * share + two * by_log * per_below);
        let by_slope = by_log / slope;
        let by_mean =
            by_above * square + by_below * (one - two * both) + two * (by_slope * both + by_log / mean);
        let tilt = one - two * xi;
        let by_xi = by_above * (two * mean * xi + left * tilt)
            + by_below * bend * tilt
            + two * by_slope * (right * xi + mean * tilt - left * zeta);
        ByPiece {
            place: by_xi * per_width,
            width: -(by_mean * mean + by_xi * xi) * per_width,
            height: by_y * share + by_mean * per_width,
            slopes: [(by_above + by_below) * both + by_slope * opposite, by_below * both + by_slope * square],
        }
    }
}

/// The nearest number of [0, 1]; NaN stays NaN.
#[inline(always)]
pub fn unit<T: Element>(x: T) -> T {
    let (zero, one) = (T::default(), T::from_f64(1.0));
    let x = if x > one { one } else { x };
    if x < zero { zero } else { x }
}
