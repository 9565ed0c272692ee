//! Angles in kernels, and where they are on the circle.

use burn_cubecl::cubecl;
use cubecl::prelude::*;
use std::f32::consts::{FRAC_1_PI, TAU};

/// The angle in [-π, π], up to rounding, that differs by whole turns.
#[cube]
pub fn reduced(angle: f32) -> f32 {
    angle - f32::round(angle * f32::new(comptime!(0.5 * FRAC_1_PI))) * f32::new(TAU)
}

/// The angle in [0, 2π], up to rounding, that differs by whole turns.
#[cube]
pub fn positive(angle: f32) -> f32 {
    let angle = reduced(angle);
    select(angle < 0.0, angle + f32::new(TAU), angle)
}

/// The nearest number of [0, 1]; NaN stays NaN.
#[cube]
pub fn unit(x: f32) -> f32 {
    let x = select(x > 1.0, f32::new(1.0), x);
    select(x < 0.0, f32::new(0.0), x)
}
