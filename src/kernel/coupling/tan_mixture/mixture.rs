//! The mean of tangent maps: value, derivatives, inverse, for all lanes at once.

// Loops over lanes are the innermost ones and have no branches, so that the compiler makes each a few instructions.
#![allow(clippy::needless_range_loop)]

use crate::kernel::coupling::circle::reduced;
use crate::kernel::element::Element;
use crate::kernel::vector::{MOST_LANES, Vector};
use std::f64::consts::PI;

/// A mixture at the angles of all lanes.
pub struct Mixture<T> {
    /// `h(x) - x`, which has no seam.
    pub step: [T; MOST_LANES],
    /// `h'(x)`.
    pub slope: [T; MOST_LANES],
    /// `h''(x)`.
    pub bend: [T; MOST_LANES],
    /// Sine and cosine of x/2.
    half: [[T; MOST_LANES]; 2],
}

/// `h_s(x) - x`, `h_s'(x)` and `h_s''(x)` from s and the sine and cosine of x/2.
///
/// With `a = e^{s/2}` and `b = 1/a`, `h_s(x) - x = 2 arctan[(a - b) sin cos/(b cos² + a sin²)]`, the difference of two angles of which
/// neither is needed.
#[inline(always)]
fn component<T: Element>(s: T, sine: T, cosine: T) -> [T; 3] {
    let (one, two) = (T::from_f64(1.0), T::from_f64(2.0));
    let a = (T::from_f64(0.5) * s).exponential();
    let b = one / a;
    let (product, above, below) = (sine * cosine, a * sine * sine, b * cosine * cosine);
    let step = two * ((a - b) * product / (above + below)).arctangent();
    let slope = one / (a * above + b * below);
    [step, slope, (b * b - a * a) * product * slope * slope]
}

impl<T: Element> Mixture<T> {
    /// # Shapes
    /// `components`: `[component][lane]`
    #[inline(always)]
    pub fn at<V: Vector<Elem = T>>(components: &[T], x: &[T; MOST_LANES]) -> Self {
        let zero = [T::default(); MOST_LANES];
        let (mut step, mut slope, mut bend, mut half) = (zero, zero, zero, [zero; 2]);
        for lane in 0..V::LANES {
            (half[0][lane], half[1][lane]) = (T::from_f64(0.5) * reduced(x[lane])).sine_cosine();
        }
        for row in components.chunks_exact(V::LANES) {
            for lane in 0..V::LANES {
                let [one_step, one_slope, one_bend] = component(row[lane], half[0][lane], half[1][lane]);
                step[lane] += one_step;
                slope[lane] += one_slope;
                bend[lane] += one_bend;
            }
        }
        let mean = T::from_f64(V::LANES as f64 / components.len() as f64);
        for lane in 0..V::LANES {
            step[lane] = step[lane] * mean;
            slope[lane] = slope[lane] * mean;
            bend[lane] = bend[lane] * mean;
        }
        Self { step, slope, bend, half }
    }

    /// The derivative of a sum over h and over ln h' by the parameters of the components:
    /// `∂h_s/∂s = sin x · h_s'` and `∂h_s'/∂s = h_s' (e^{-s} cos² - e^s sin²) h_s'`.
    #[inline(always)]
    pub fn by_components<V: Vector<Elem = T>>(
        &self,
        components: &[T],
        [by_value, by_log]: [&[T; MOST_LANES]; 2],
        by: &mut [T],
    ) {
        let two = T::from_f64(2.0);
        let mean = T::from_f64(V::LANES as f64 / components.len() as f64);
        for (row, by) in components.chunks_exact(V::LANES).zip(by.chunks_exact_mut(V::LANES)) {
            for lane in 0..V::LANES {
                let (sine, cosine) = (self.half[0][lane], self.half[1][lane]);
                let (narrow, wide) =
                    (row[lane].exponential() * sine * sine, (-row[lane]).exponential() * cosine * cosine);
                let slope = T::from_f64(1.0) / (wide + narrow);
                let by_slope = by_log[lane] / self.slope[lane];
                let of_slope = by_slope * (wide - narrow) * slope;
                by[lane] = mean * slope * (by_value[lane] * two * sine * cosine + of_slope);
            }
        }
    }
}

/// Rounds after which the search ends. A third of them halve the bounds, and single precision can halve 2π no more than 150 times
/// before the bounds are what it calls zero; some ten rounds are what it takes for parameters of order one.
pub const MOST_ROUNDS: usize = 450;

/// Replaces angles v by those x with `h(x) = v`.
///
/// Newton's method from x = v between bounds that close in: h is monotone and maps [-π, π] onto itself. Steps that would leave the
/// bounds, and every third step, halve them. A lane has arrived
/// when its image is off by no more than rounding, or when the bounds have met.
#[inline(always)]
pub fn solve<V: Vector>(components: &[V::Elem], v: &mut [V::Elem; MOST_LANES]) {
    let (half, zero) = (V::Elem::from_f64(0.5), V::Elem::default());
    let near = V::Elem::from_f64(4.0) * V::Elem::EPSILON;
    let mut goal = [zero; MOST_LANES];
    let (mut low, mut high) = ([V::Elem::from_f64(-PI); MOST_LANES], [V::Elem::from_f64(PI); MOST_LANES]);
    for lane in 0..V::LANES {
        goal[lane] = reduced(v[lane]);
    }
    let mut x = goal;
    for round in 0..MOST_ROUNDS {
        let mixture = Mixture::at::<V>(components, &x);
        let mut moving = zero;
        for lane in 0..V::LANES {
            let (here, slope) = (x[lane], mixture.slope[lane]);
            let off = here + mixture.step[lane] - goal[lane];
            low[lane] = if off < zero { here } else { low[lane] };
            high[lane] = if off > zero { here } else { high[lane] };
            let (step, middle) = (here - off / slope, half * (low[lane] + high[lane]));
            let is_between = step > low[lane] && step < high[lane] && round % 3 != 2;
            // Steep maps jump over it from one angle to the next; their search ends with the bounds.
            let rounding = near * (here.magnitude() + goal[lane].magnitude());
            // What is no number is not away either.
            let is_away = off.magnitude() > rounding && high[lane] - low[lane] > near * here.magnitude();
            let next = if is_between { step } else { middle };
            x[lane] = if is_away { next } else { here };
            moving += if is_away { V::Elem::from_f64(1.0) } else { zero };
        }
        if moving == zero {
            break;
        }
    }
    let mixture = Mixture::at::<V>(components, &x);
    for lane in 0..V::LANES {
        // Whole turns, and what is no number stays none.
        v[lane] = x[lane] + (v[lane] - goal[lane]) + zero * mixture.step[lane];
    }
}
