//! Elementary functions with the error of a few roundings on every driver: of its own, WGSL promises four digits of a sine.
//!
//! The polynomials are those of the CPU's, without its arithmetic of bits.

use burn_cubecl::cubecl;
use cubecl::prelude::*;
use std::f32::consts::{FRAC_2_PI, FRAC_PI_2, FRAC_PI_4};

/// Sine and cosine of an angle.
#[derive(CubeType)]
pub struct SineCosine {
    pub sine: f32,
    pub cosine: f32,
}

/// Sine and cosine of an angle of a few turns.
///
/// `x = q π/2 + r` with |r| ≤ π/4 and Taylor polynomials to r⁹ and r¹⁰; q modulo four says which of the two is which, and their signs.
#[cube]
pub fn sine_cosine(x: f32) -> SineCosine {
    let q = f32::round(x * f32::new(FRAC_2_PI));
    // π/2 in three parts, the first two short enough for exact products with q.
    let r = ((x - q * 1.570_312_5) - q * 4.837_513e-4) - q * 7.549_79e-8;
    let s = r * r;
    let sine = r * (1.0 - s * (0.166_666_67 - s * (8.333_334e-3 - s * (1.984_127e-4 - s * 2.755_732e-6))));
    let higher = 0.041_666_668 - s * (1.388_888_9e-3 - s * (2.480_158_8e-5 - s * 2.755_732e-7));
    let cosine = 1.0 - s * (0.5 - s * higher);
    let quadrant = q - 4.0 * f32::floor(q * 0.25);
    let odd = quadrant == 1.0 || quadrant == 3.0;
    let (first, second) = (select(odd, cosine, sine), select(odd, sine, cosine));
    SineCosine {
        sine: select(quadrant >= 2.0, -first, first),
        cosine: select(quadrant == 1.0 || quadrant == 2.0, -second, second),
    }
}

/// The angle in [-π/2, π/2] with this tangent.
///
/// Two rotations bring the tangent below tan(π/8), where the Taylor polynomial of degree 17 serves.
#[cube]
pub fn arctangent(x: f32) -> f32 {
    let t = select(x < 0.0, -x, x);
    let (far, middle) = (t > 2.414_213_7, t > 0.414_213_57);
    let above = select(far, f32::new(comptime!(-1.0f32)), select(middle, t - 1.0, t));
    let below = select(far, t, select(middle, t + 1.0, f32::new(1.0)));
    let angle = select(far, f32::new(FRAC_PI_2), select(middle, f32::new(FRAC_PI_4), f32::new(0.0)));
    let t = above / below;
    let q = t * t;
    let mut sum = f32::new(1.0 / 17.0);
    #[unroll]
    for step in 0..8usize {
        sum = f32::new(comptime!(1.0 / (15 - 2 * step) as f32)) - q * sum;
    }
    let found = angle + t * sum;
    select(x < 0.0, -found, found)
}

/// `ln(1 + x)` for x in [0, 1]: `2 artanh t` with `t = x/(2 + x)`, to the power t¹⁷.
#[cube]
pub fn log_one_plus(x: f32) -> f32 {
    let t = x / (2.0 + x);
    let q = t * t;
    let mut sum = f32::new(1.0 / 17.0);
    #[unroll]
    for step in 0..8usize {
        sum = sum * q + f32::new(comptime!(1.0 / (15 - 2 * step) as f32));
    }
    2.0 * t * sum
}

/// `e^x`, arguments cut off at ±87, so that no power is infinite.
#[cube]
pub fn exponential(x: f32) -> f32 {
    // Written so that NaN stays NaN, which `min` would not promise.
    let x = select(x > 87.0, f32::new(87.0), x);
    let x = select(x < f32::new(comptime!(-87.0f32)), f32::new(comptime!(-87.0f32)), x);
    f32::exp(x)
}
