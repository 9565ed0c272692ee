//! The bins of a spline from the numbers a network writes, and the bin that a number is in, for all lanes at once.

// Loops over lanes are the innermost ones and have no branches, so that the compiler makes each a few instructions.
#![allow(clippy::needless_range_loop)]

use super::piece::Piece;
use crate::kernel::element::Element;
use crate::kernel::vector::{MOST_LANES, Vector};
use std::f64::consts::PI;

/// Least width and height of a bin, as a share of the circle. As in the code of arXiv:1906.04032.
const LEAST_SHARE: f64 = 1e-3;
/// Least slope at a knot. As in the code of arXiv:1906.04032.
pub const LEAST_SLOPE: f64 = 1e-3;

/// What is added to a slope's parameter, so that zero makes the slope one: `ln(e^{1-m} - 1)` with the least slope m.
pub const SLOPE_OFFSET: f64 = 0.539_742_417_236_952;

/// The size of a bin is `2π m + factor · share`, m the least share; these two numbers.
pub fn sizes(knots: usize) -> [f64; 2] {
    [2.0 * PI * LEAST_SHARE, 2.0 * PI * (1.0 - knots as f64 * LEAST_SHARE)]
}

/// Softmax over the rows of `[bin][lane]`.
#[inline(always)]
pub fn softmax<V: Vector>(parameters: &[V::Elem], shares: &mut [V::Elem]) {
    let mut most = [V::Elem::default(); MOST_LANES];
    most[..V::LANES].copy_from_slice(&parameters[..V::LANES]);
    for row in parameters.chunks_exact(V::LANES) {
        for lane in 0..V::LANES {
            most[lane] = if row[lane] > most[lane] { row[lane] } else { most[lane] };
        }
    }
    let mut sum = [V::Elem::default(); MOST_LANES];
    for (row, shares) in parameters.chunks_exact(V::LANES).zip(shares.chunks_exact_mut(V::LANES)) {
        for lane in 0..V::LANES {
            shares[lane] = (row[lane] - most[lane]).exponential();
            sum[lane] += shares[lane];
        }
    }
    for lane in 0..V::LANES {
        sum[lane] = V::Elem::from_f64(1.0) / sum[lane];
    }
    for shares in shares.chunks_exact_mut(V::LANES) {
        for lane in 0..V::LANES {
            shares[lane] = shares[lane] * sum[lane];
        }
    }
}

/// The bin of every lane.
pub struct Bins<T> {
    /// Which one it is.
    pub index: [T; MOST_LANES],
    /// Where it begins, and the spline above that.
    pub start: [[T; MOST_LANES]; 2],
    /// Width and height.
    pub size: [[T; MOST_LANES]; 2],
    /// Parameters of the slopes at both ends, the offset added.
    pub slopes: [[T; MOST_LANES]; 2],
}

/// Where a number is looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Among the places of the knots.
    Place,
    /// Among the values of the spline there.
    Value,
}

impl<T: Element> Bins<T> {
    /// The bins of the numbers `at`, in [0, 2π]; the first one for what is no number.
    ///
    /// # Shapes
    /// `shares`: widths and heights `[bin][lane]`; `slopes`: `[knot][lane]`
    #[inline(always)]
    pub fn of<V: Vector<Elem = T>>(
        axis: Axis,
        at: &[T; MOST_LANES],
        [widths, heights]: [&[T]; 2],
        slopes: &[T],
    ) -> Self {
        let knots = widths.len() / V::LANES;
        let [least, factor] = sizes(knots).map(T::from_f64);
        let zero = [T::default(); MOST_LANES];
        let (mut index, mut start, mut size, mut ends) = (zero, [zero; 2], [zero; 2], [zero; 2]);
        let (mut place, mut value) = (zero, zero);
        let rows = widths.chunks_exact(V::LANES).zip(heights.chunks_exact(V::LANES)).enumerate();
        for (bin, (widths, heights)) in rows {
            let number = T::from_f64(bin as f64);
            let next = (bin + 1) % knots;
            let left = &slopes[bin * V::LANES..][..V::LANES];
            let right = &slopes[next * V::LANES..][..V::LANES];
            for lane in 0..V::LANES {
                let (width, height) = (least + factor * widths[lane], least + factor * heights[lane]);
                let begin = if axis == Axis::Place { place[lane] } else { value[lane] };
                let inside = bin == 0 || at[lane] >= begin;
                index[lane] = if inside { number } else { index[lane] };
                start[0][lane] = if inside { place[lane] } else { start[0][lane] };
                start[1][lane] = if inside { value[lane] } else { start[1][lane] };
                size[0][lane] = if inside { width } else { size[0][lane] };
                size[1][lane] = if inside { height } else { size[1][lane] };
                ends[0][lane] = if inside { left[lane] } else { ends[0][lane] };
                ends[1][lane] = if inside { right[lane] } else { ends[1][lane] };
                place[lane] += width;
                value[lane] += height;
            }
        }
        let offset = T::from_f64(SLOPE_OFFSET);
        for lane in 0..V::LANES {
            ends[0][lane] += offset;
            ends[1][lane] += offset;
        }
        Self { index, start, size, slopes: ends }
    }

    /// The piece above the bin of a lane.
    #[inline(always)]
    pub fn piece(&self, lane: usize) -> Piece<T> {
        let slopes = [softplus(self.slopes[0][lane]), softplus(self.slopes[1][lane])];
        let least = T::from_f64(LEAST_SLOPE);
        Piece {
            width: self.size[0][lane],
            height: self.size[1][lane],
            slopes: [least + slopes[0], least + slopes[1]],
        }
    }
}

/// `ln(1 + e^x)`.
#[inline(always)]
fn softplus<T: Element>(x: T) -> T {
    let positive = if x > T::default() { x } else { T::default() };
    // NaN is none of both and stays in the second term.
    positive + (-x.magnitude()).exponential().log_one_plus()
}

/// The derivative of [`softplus`], `1/(1 + e^{-x})`.
#[inline(always)]
pub fn sigmoid<T: Element>(x: T) -> T {
    let one = T::from_f64(1.0);
    one / (one + (-x).exponential())
}
