//! Complex numbers in kernels.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// A complex number.
#[derive(CubeType)]
pub struct Complex {
    pub re: f32,
    pub im: f32,
}

/// `a b`.
#[cube]
pub fn times(a: &Complex, b: &Complex) -> Complex {
    Complex { re: fma(a.re, b.re, -(a.im * b.im)), im: fma(a.re, b.im, a.im * b.re) }
}

/// `a* b`.
#[cube]
pub fn conjugate_times(a: &Complex, b: &Complex) -> Complex {
    Complex { re: fma(a.re, b.re, a.im * b.im), im: fma(a.re, b.im, -(a.im * b.re)) }
}

/// `a b + c`.
#[cube]
pub fn times_plus(a: &Complex, b: &Complex, c: &Complex) -> Complex {
    Complex { re: fma(a.re, b.re, fma(-a.im, b.im, c.re)), im: fma(a.re, b.im, fma(a.im, b.re, c.im)) }
}

/// `|a|²`.
#[cube]
pub fn square(a: &Complex) -> f32 {
    fma(a.re, a.re, a.im * a.im)
}
