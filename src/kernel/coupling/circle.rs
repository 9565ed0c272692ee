//! Angles, and where they are on the circle.

use crate::kernel::element::Element;
use burn::tensor::Tensor;
use std::f64::consts::PI;

/// The angle in [-π, π], up to rounding, that differs by whole turns.
#[inline(always)]
pub fn reduced<T: Element>(angle: T) -> T {
    angle - (angle * T::from_f64(0.5 / PI)).nearest() * T::from_f64(2.0 * PI)
}

/// The angle in [0, 2π], up to rounding, that differs by whole turns.
#[inline(always)]
pub fn positive<T: Element>(angle: T) -> T {
    let angle = reduced(angle);
    if angle < T::default() { angle + T::from_f64(2.0 * PI) } else { angle }
}

/// [`reduced()`] in plain tensor operations; its derivative is one.
pub fn plain_reduced<const D: usize>(angle: Tensor<D>) -> Tensor<D> {
    let turns = (angle.clone().detach() / (2.0 * PI)).round();
    angle - turns * (2.0 * PI)
}

/// [`positive()`] in plain tensor operations; its derivative is one.
pub fn plain_positive<const D: usize>(angle: Tensor<D>) -> Tensor<D> {
    let angle = plain_reduced(angle);
    let below = angle.clone().detach().lower_elem(0.0).float().cast(angle.dtype());
    angle + below * (2.0 * PI)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_come_back_from_whole_turns() {
        for turns in -3..=3 {
            for angle in [-3.1, -1.0, 0.0, 0.5, 3.1] {
                let moved = angle + 2.0 * PI * f64::from(turns);
                assert!((reduced(moved) - angle).abs() < 1e-14);
                let expected = if angle < 0.0 { angle + 2.0 * PI } else { angle };
                let distance = (positive(moved) - expected).abs();
                // Zero may come out as a whole turn.
                assert!(distance < 1e-14 || (distance - 2.0 * PI).abs() < 1e-14);
                assert!((reduced(moved as f32) - angle as f32).abs() < 3e-6);
            }
        }
        assert!(reduced(f32::NAN).is_nan() && positive(f64::NAN).is_nan());
    }
}
