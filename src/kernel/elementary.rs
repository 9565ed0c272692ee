//! Elementary functions of single precision without branches, which the compiler vectorises.
//!
//! Polynomials are cut Taylor series: no table of coefficients to trust.

use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, LN_2};

/// Adding 1.5·2²³ rounds to an integer in the low bits of the mantissa.
const ROUND: f32 = 12_582_912.0;

/// Branch-free exponential that the compiler vectorises; relative error below 3e-7, arguments cut off at ±87.
///
/// `e^x = 2^k e^r` with |r| ≤ ln 2 / 2 and a Taylor polynomial of degree 7 (next term 2e-8 of the result).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Written so that NaN stays NaN, which `clamp` on vectors would not promise.
    let x = if x > 87.0 { 87.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * 0.693_359_4) + k * 2.121_944_4e-4;
    let mut p = 1.0 / 5040.0;
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = p * r + c;
    }
    p * f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23)
}

/// Branch-free tanh that the compiler vectorises; absolute error below 3e-7 on all reals.
///
/// `tanh x = 1 - 2/(e^{2x}+1)` for large |x|, and the continued fraction of tanh, cut after five terms, below
/// |x| = 0.6, where the first form would lose digits.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let magnitude = if x.abs() > 10.0 { 10.0 } else { x.abs() };
    let large = 1.0 - 2.0 / (exp(2.0 * magnitude) + 1.0);
    let q = magnitude * magnitude;
    let small = magnitude * (945.0 + q * (105.0 + q)) / (945.0 + q * (420.0 + 15.0 * q));
    (if magnitude < 0.6 { small } else { large }).copysign(x)
}

/// The nearest integer, of two the even one; numbers beyond 2²² come out changed by a few units at most.
#[inline(always)]
pub fn nearest(x: f32) -> f32 {
    (x + ROUND) - ROUND
}

/// Natural logarithm; absolute error below 3e-7 or relative error below 3e-7, whichever is larger. NaN unless `x > 0`; arguments are no
/// subnormal numbers.
///
/// `x = 2^e m` with m between √½ and √2, and `ln m = 2 artanh t`, `t = (m-1)/(m+1)`, to the power t⁹ (next term 8e-10).
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    const SQRT_HALF_BITS: i32 = 0x3f35_04f3;
    let bits = x.to_bits() as i32;
    let exponent = bits.wrapping_sub(SQRT_HALF_BITS) >> 23;
    let mantissa = f32::from_bits(bits.wrapping_sub(exponent << 23) as u32);
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let found = exponent as f32 * LN_2 + twice_artanh::<5>(t);
    // Written so that NaN and ∞ stay what they are.
    let found = if x < f32::INFINITY { found } else { x };
    if x <= 0.0 { f32::NAN } else { found }
}

/// `ln(1 + x)` for x in [0, 1]; relative error below 3e-7.
///
/// `2 artanh t` with `t = x/(2+x)`, to the power t¹⁷ (next term 3e-10 of the result).
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    twice_artanh::<9>(x / (2.0 + x))
}

/// `2 (t + t³/3 + t⁵/5 + …)`, so many terms.
#[inline(always)]
fn twice_artanh<const TERMS: usize>(t: f32) -> f32 {
    let q = t * t;
    let mut sum = 0.0;
    let mut term = TERMS;
    while term > 0 {
        term -= 1;
        sum = sum * q + 1.0 / (2 * term + 1) as f32;
    }
    2.0 * t * sum
}

/// Sine and cosine; absolute error below 1.5e-7 for angles up to some hundred turns.
///
/// `x = q π/2 + r` with |r| ≤ π/4 and Taylor polynomials to r⁹ and r¹⁰ (next terms 2e-9 and 1e-10); q modulo four says which of the two
/// is which, and their signs.
#[inline(always)]
pub fn sin_cos(x: f32) -> (f32, f32) {
    // π/2 in three parts, the first two short enough for exact products with q.
    const PARTS: [f32; 3] = [1.570_312_5, 4.837_513e-4, 7.549_79e-8];
    let shifted = x * std::f32::consts::FRAC_2_PI + ROUND;
    let q = shifted - ROUND;
    let r = ((x - q * PARTS[0]) - q * PARTS[1]) - q * PARTS[2];
    let s = r * r;
    let sine = r * (1.0 + s * (-1.0 / 6.0 + s * (1.0 / 120.0 + s * (-1.0 / 5040.0 + s * (1.0 / 362_880.0)))));
    let higher = 1.0 / 24.0 + s * (-1.0 / 720.0 + s * (1.0 / 40320.0 - s * (1.0 / 3_628_800.0)));
    let cosine = 1.0 + s * (-0.5 + s * higher);
    let quadrant = shifted.to_bits();
    let odd = quadrant & 1 == 1;
    let (first, second) = (if odd { cosine } else { sine }, if odd { sine } else { cosine });
    // The second bit of q is the sign of the sine, that of q + 1 the sign of the cosine.
    let sine = f32::from_bits(first.to_bits() ^ ((quadrant & 2) << 30));
    let cosine = f32::from_bits(second.to_bits() ^ ((quadrant.wrapping_add(1) & 2) << 30));
    (sine, cosine)
}

/// Arcus tangent of any number; absolute error below 2e-7.
///
/// Two rotations bring the tangent below tan(π/8), where the Taylor polynomial of degree 17 serves (next term 3e-9).
#[inline(always)]
pub fn atan(x: f32) -> f32 {
    /// tan(π/8), and tan(3π/8).
    const TANGENTS: [f32; 2] = [0.414_213_57, 2.414_213_7];
    let t = x.abs();
    let (far, middle) = (t > TANGENTS[1], t > TANGENTS[0]);
    let above = if far {
        -1.0
    } else if middle {
        t - 1.0
    } else {
        t
    };
    let below = if far {
        t
    } else if middle {
        t + 1.0
    } else {
        1.0
    };
    let angle = if far {
        FRAC_PI_2
    } else if middle {
        FRAC_PI_4
    } else {
        0.0
    };
    let t = above / below;
    let q = t * t;
    let mut sum = 1.0 / 17.0;
    for odd in [15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = 1.0 / odd - q * sum;
    }
    (angle + t * sum).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// Twice the rounding of a result near one.
    const TANH_ERROR: f64 = 3e-7;

    #[test]
    fn tanh_is_accurate_everywhere() {
        let mut worst = 0f64;
        for i in -400_000..=400_000 {
            let x = i as f32 * 5e-5;
            worst = worst.max((f64::from(tanh(x)) - f64::from(x).tanh()).abs());
        }
        assert!(worst < TANH_ERROR, "absolute error {worst:e}");
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(-1e30), -1.0);
        assert_eq!(tanh(0.0), 0.0);
        assert!(tanh(f32::NAN).is_nan());
    }

    #[test]
    fn exp_is_accurate_wherever_it_is_a_number() {
        let mut worst = 0f64;
        for i in -86_000..=86_000 {
            let x = i as f32 * 1e-3;
            worst = worst.max((f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs());
        }
        assert!(worst < TANH_ERROR, "relative error {worst:e}");
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn logarithms_are_accurate_for_all_magnitudes() {
        let mut worst = 0f64;
        for i in -87_000..=88_000 {
            let x = (f64::from(i) * 1e-3).exp() as f32;
            let exact = f64::from(x).ln();
            worst = worst.max((f64::from(ln(x)) - exact).abs() / exact.abs().max(1.0));
        }
        assert!(worst < TANH_ERROR, "error {worst:e}");
        let near_one = [1.0 + f32::EPSILON, 1.001, 0.9999].map(|x: f32| (ln(x), f64::from(x).ln()));
        assert!(near_one.iter().all(|(found, exact)| (f64::from(*found) / exact - 1.0).abs() < TANH_ERROR));
        assert_eq!((ln(1.0), ln(f32::INFINITY)), (0.0, f32::INFINITY));
        assert!([0.0, -1.0, f32::NAN, f32::NEG_INFINITY].iter().all(|x| ln(*x).is_nan()));
    }

    #[test]
    fn logarithms_of_one_and_a_little_keep_their_digits() {
        let mut worst = 0f64;
        for i in 0..=100_000 {
            let x = (-f64::from(i) * 8e-4).exp() as f32;
            worst = worst.max((f64::from(ln_1p(x)) / f64::from(x).ln_1p() - 1.0).abs());
        }
        assert!(worst < TANH_ERROR, "relative error {worst:e}");
        assert_eq!(ln_1p(0.0), 0.0);
        assert!(ln_1p(f32::NAN).is_nan());
    }

    #[test]
    fn sine_and_cosine_are_accurate_over_many_turns() {
        let mut worst = 0f64;
        for i in -400_000..=400_000 {
            let x = (f64::from(i) * 1e-3) as f32;
            let ((sine, cosine), (exact_sine, exact_cosine)) = (sin_cos(x), f64::from(x).sin_cos());
            worst = worst.max((f64::from(sine) - exact_sine).abs());
            worst = worst.max((f64::from(cosine) - exact_cosine).abs());
        }
        assert!(worst < 1.5e-7, "absolute error {worst:e}");
        assert_eq!(sin_cos(0.0), (0.0, 1.0));
        assert!(sin_cos(f32::NAN).0.is_nan() && sin_cos(f32::INFINITY).1.is_nan());
    }

    #[test]
    fn arcus_tangent_is_accurate_everywhere() {
        let mut worst = 0f64;
        for i in -99_999..=99_999 {
            let x = (f64::from(i) * PI / 200_000.0).tan() as f32;
            worst = worst.max((f64::from(atan(x)) - f64::from(x).atan()).abs());
        }
        assert!(worst < 2e-7, "absolute error {worst:e}");
        assert_eq!([f32::INFINITY, -1e30, 0.0].map(atan), [FRAC_PI_2, -FRAC_PI_2, 0.0]);
        assert!(atan(f32::NAN).is_nan());
        let small = 1e-20;
        assert_eq!(atan(small), small);
    }

    #[test]
    fn the_nearest_integer_is_found_on_both_sides_of_zero() {
        assert_eq!(
            [0.4, 0.6, -0.4, -0.6, 1.5, 2.5, -1234.4].map(nearest),
            [0.0, 1.0, 0.0, -1.0, 2.0, 2.0, -1234.0]
        );
        assert!(nearest(f32::NAN).is_nan());
    }
}
