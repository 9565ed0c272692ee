//! Circular splines in plain tensor operations.

use super::bins::{LEAST_SLOPE, SLOPE_OFFSET, sizes};
use crate::kernel::coupling::circle::plain_positive;
use crate::kernel::coupling::networks::Direction;
use burn::tensor::{Tensor, activation};

/// The bins of a spline, or those that numbers are in.
struct Bins {
    /// Where they begin, and the spline above that.
    start: [Tensor<3>; 2],
    /// Width and height.
    size: [Tensor<3>; 2],
    /// Slopes at both ends.
    slopes: [Tensor<3>; 2],
}

impl Bins {
    /// All bins, `[batch, bin, site]`.
    fn all(knots: usize, parameters: &Tensor<3>) -> Self {
        let part = |index: usize| parameters.clone().narrow(1, index * knots, knots);
        let [least, factor] = sizes(knots);
        let size = [0, 1].map(|index| activation::softmax(part(index), 1) * factor + least);
        let start = size.clone().map(|size| size.clone().cumsum(1) - size);
        let left = activation::softplus(part(2) + SLOPE_OFFSET, 1.0) + LEAST_SLOPE;
        let right = left.clone().roll_dim(-1, 1);
        Self { start, size, slopes: [left, right] }
    }

    /// The bins of the numbers `at`, `[batch, 1, site]`, by the starts on one axis.
    fn of(self, at: &Tensor<3>, axis: usize) -> Self {
        let knots = self.start[axis].dims()[1];
        let begun = self.start[axis].clone().lower_equal(at.clone()).float().cast(at.dtype()).detach();
        // Every bin up to the one wanted has begun, the first one always.
        let later = begun.narrow(1, 1, knots - 1);
        let rows = at.zeros_like();
        let chosen =
            Tensor::cat(vec![rows.ones_like(), later.clone()], 1) - Tensor::cat(vec![later, rows], 1);
        let pick = |all: Tensor<3>| (all * chosen.clone()).sum_dim(1);
        Self { start: self.start.map(pick), size: self.size.map(pick), slopes: self.slopes.map(pick) }
    }
}

/// See [`super::Spline`].
pub fn apply(
    knots: usize,
    direction: Direction,
    x: Tensor<3>,
    parameters: Tensor<3>,
) -> (Tensor<3>, Tensor<3>) {
    let shift = parameters.clone().narrow(1, 3 * knots, 1);
    let all = Bins::all(knots, &parameters);
    match direction {
        Direction::Forward => {
            let at = plain_positive(x.clone());
            let Bins { start: [place, value], size, slopes } = all.of(&at, 0);
            let xi = (at.clone() - place) / size[0].clone();
            let (share, slope) = piece(xi, &size, slopes);
            (x + value + size[1].clone() * share - at + shift, slope.log())
        }
        Direction::Inverse => {
            let at = plain_positive(x.clone() - shift.clone());
            let Bins { start: [place, value], size, slopes } = all.of(&at, 1);
            let eta = (at.clone() - value) / size[1].clone();
            let xi = inverse(eta, &size, slopes.clone());
            let (_, slope) = piece(xi.clone(), &size, slopes);
            (x + place + size[0].clone() * xi - at - shift, -slope.log())
        }
    }
}

/// The share of the height, and the slope, at ξ.
fn piece(
    xi: Tensor<3>,
    [width, height]: &[Tensor<3>; 2],
    [left, right]: [Tensor<3>; 2],
) -> (Tensor<3>, Tensor<3>) {
    let mean = height.clone() / width.clone();
    let zeta = -xi.clone() + 1.0;
    let both = xi.clone() * zeta.clone();
    let below = mean.clone() + (left.clone() + right.clone() - mean.clone() * 2.0) * both.clone();
    let square = xi.clone() * xi;
    let above = mean.clone() * square.clone() + left.clone() * both.clone();
    let slope = right * square + mean.clone() * both * 2.0 + left * zeta.clone() * zeta;
    let ratio = mean / below.clone();
    (above / below, ratio.clone() * ratio * slope)
}

/// ξ where the share of the height is η, in the form of [`super::piece`] that subtracts nothing.
fn inverse(eta: Tensor<3>, [width, height]: &[Tensor<3>; 2], [left, right]: [Tensor<3>; 2]) -> Tensor<3> {
    let mean = height.clone() / width.clone();
    let b = left.clone() - (left + right - mean.clone() * 2.0) * eta.clone();
    let product = mean.clone() * 2.0 * eta.clone();
    let difference = b.clone() - product.clone();
    let rest = product.clone() * mean.clone() * 2.0 * (-eta + 1.0);
    let root = (difference.clone() * difference + rest).sqrt();
    let is_negative = b.clone().lower_elem(0.0);
    let above = product.mask_where(is_negative.clone(), root.clone() - b.clone());
    let below = (b.clone() + root).mask_where(is_negative, (mean - b) * 2.0);
    above / below
}
