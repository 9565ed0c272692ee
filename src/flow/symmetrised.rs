//! Densities made even under φ → -φ, so that a model of one of two mirrored modes is a model of both.

use super::log_sum::log_sum;
use crate::rng::Stream;
use burn::tensor::Tensor;
use rand::RngExt;
use std::f64::consts::LN_2;
use std::ops::Range;

/// `ln ½ (e^a + e^b)`, from `a = log q(φ)` and `b = log q(-φ)`.
///
/// # Shapes
/// `[batch]`, `[batch]` → `[batch]`
pub fn log_mean(a: Tensor<1>, b: Tensor<1>) -> Tensor<1> {
    log_sum(a, b, LN_2)
}

/// A sign for each item of a stream of draws, from a stream of their own.
pub fn signs(draws: &Stream, items: Range<u64>) -> Vec<f64> {
    let coins = draws.beside("sign");
    items.map(|item| if coins.item(item).random::<bool>() { 1.0 } else { -1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use burn::tensor::Device;

    /// Equal densities, some that differ, and some so much that `e^a` and `e^b` are not numbers of single precision.
    const PAIRS: [[f32; 2]; 6] =
        [[0.5, 0.5], [-3.0, 1.0], [1.0, -3.0], [200.0, -300.0], [-500.0, -80.0], [90.0, 91.0]];

    #[test]
    fn the_mean_of_two_densities_has_its_value_and_its_gradient() {
        for [a, b] in PAIRS {
            let device = Device::flex().autodiff();
            let [left, right] = [a, b].map(|x| Tensor::<1>::from_data([x], &device).require_grad());
            let mean = log_mean(left.clone(), right.clone());
            let gradients = mean.backward();
            let of = |x: &Tensor<1>| x.grad(&gradients).expect("it is tracked").into_scalar::<f32>();
            let [a, b] = [a, b].map(f64::from);
            let expected = a.max(b) + (-(a - b).abs()).exp().ln_1p() - LN_2;
            let weight = 1.0 / (1.0 + (b - a).exp());
            // Rounding of numbers of this size in single precision.
            let close = |found: f32, expected: f64, scale: f64| {
                assert!((f64::from(found) - expected).abs() < 3e-7 * scale, "{found} is not {expected}");
            };
            close(mean.into_scalar::<f32>(), expected, 1.0 + a.abs().max(b.abs()));
            close(of(&left), weight, 1.0);
            close(of(&right), 1.0 - weight, 1.0);
        }
    }

    #[test]
    fn signs_are_those_of_their_items_and_as_often_plus_as_minus() {
        let stream = Seed(1).stream("draws");
        let all = signs(&stream, 0..10_000);
        assert_eq!(all[70..90], signs(&stream, 70..90));
        let sum = all.iter().sum::<f64>();
        // Five standard errors.
        assert!(sum.abs() < 500.0, "{sum}");
    }
}
