//! The numbers kernels compute with.

use super::elementary;
use super::pool::Pool;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// Elements the kernels compute with: `f32` for work, `f64` for verification.
pub trait Element:
    burn::tensor::Element
    + bytemuck::Pod
    + Default
    + Send
    + Sync
    + PartialOrd
    + AddAssign
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The distance from one to the next number above it.
    const EPSILON: Self;
    /// Rounds to this type.
    fn from_f64(value: f64) -> Self;
    /// Hyperbolic tangent of every element, in place.
    fn tanh_in_place(values: &mut [Self]);
    /// `e^self`.
    fn exponential(self) -> Self;
    /// `ln self`, NaN unless `self` is positive.
    fn logarithm(self) -> Self;
    /// `ln(1 + self)` of a number in [0, 1].
    fn log_one_plus(self) -> Self;
    /// `√self`.
    fn square_root(self) -> Self;
    /// Sine and cosine of an angle of a few turns.
    fn sine_cosine(self) -> (Self, Self);
    /// The angle in [-π/2, π/2] with this tangent.
    fn arctangent(self) -> Self;
    /// The nearest integer of a number of at most some millions.
    fn nearest(self) -> Self;
    /// The larger of `self` and `-self`.
    fn magnitude(self) -> Self;
    /// Spare buffers of this type.
    fn pool() -> &'static Pool<Self>;
    /// `gradient · (1 - y²)`, the derivative of `y = tanh(x)` applied to a gradient.
    fn tanh_gradient(gradient: Self, y: Self) -> Self;
}

impl Element for f32 {
    const EPSILON: Self = f32::EPSILON;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn tanh_in_place(values: &mut [Self]) {
        for value in values {
            *value = elementary::tanh(*value);
        }
    }

    #[inline(always)]
    fn exponential(self) -> Self {
        elementary::exp(self)
    }

    #[inline(always)]
    fn logarithm(self) -> Self {
        elementary::ln(self)
    }

    #[inline(always)]
    fn log_one_plus(self) -> Self {
        elementary::ln_1p(self)
    }

    #[inline(always)]
    fn square_root(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn sine_cosine(self) -> (Self, Self) {
        elementary::sin_cos(self)
    }

    #[inline(always)]
    fn arctangent(self) -> Self {
        elementary::atan(self)
    }

    #[inline(always)]
    fn nearest(self) -> Self {
        elementary::nearest(self)
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        self.abs()
    }

    fn pool() -> &'static Pool<Self> {
        static POOL: Pool<f32> = Pool::new();
        &POOL
    }

    #[inline(always)]
    fn tanh_gradient(gradient: Self, y: Self) -> Self {
        gradient * (1.0 - y * y)
    }
}

impl Element for f64 {
    const EPSILON: Self = f64::EPSILON;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn tanh_in_place(values: &mut [Self]) {
        for value in values {
            *value = value.tanh();
        }
    }

    #[inline(always)]
    fn exponential(self) -> Self {
        self.exp()
    }

    #[inline(always)]
    fn logarithm(self) -> Self {
        // The logarithm of zero is -∞ elsewhere.
        if self > 0.0 { self.ln() } else { f64::NAN }
    }

    #[inline(always)]
    fn log_one_plus(self) -> Self {
        self.ln_1p()
    }

    #[inline(always)]
    fn square_root(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn sine_cosine(self) -> (Self, Self) {
        self.sin_cos()
    }

    #[inline(always)]
    fn arctangent(self) -> Self {
        self.atan()
    }

    #[inline(always)]
    fn nearest(self) -> Self {
        self.round()
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        self.abs()
    }

    fn pool() -> &'static Pool<Self> {
        static POOL: Pool<f64> = Pool::new();
        &POOL
    }

    #[inline(always)]
    fn tanh_gradient(gradient: Self, y: Self) -> Self {
        gradient * (1.0 - y * y)
    }
}
