//! The normal distribution of the circle.

use rand::{Rng, RngExt};
use rand_distr::Distribution;
use std::f64::consts::{PI, SQRT_2};

/// Angles with the density `e^{κ cos φ} / 2π I₀(κ)`. Source: Best, Fisher, J. R. Stat. Soc. C 28 (1979) 152.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VonMises {
    kappa: f64,
    /// Of the wrapped Cauchy density that trials are drawn from.
    r: f64,
}

impl VonMises {
    /// Of a concentration `κ ≥ 0`.
    pub fn new(kappa: f64) -> Self {
        let root = (1.0 + 4.0 * kappa * kappa).sqrt();
        let tau = 1.0 + root;
        // (τ - √(2τ)) / 2κ, without the difference of two numbers that are alike for small κ.
        let rho = 2.0 * kappa * tau.sqrt() / (tau * (tau.sqrt() + SQRT_2));
        Self { kappa, r: (1.0 + rho * rho) / (2.0 * rho) }
    }
}

impl Distribution<f64> for VonMises {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        let Self { kappa, r } = *self;
        if kappa < 1e-8 {
            return PI * (2.0 * rng.random::<f64>() - 1.0);
        }
        loop {
            let [u, v, side] = [(); 3].map(|()| rng.random::<f64>());
            let z = (PI * u).cos();
            let f = (1.0 + r * z) / (r + z);
            let c = kappa * (r - f);
            if v < c * (2.0 - c) || (c / v).ln() + 1.0 >= c {
                let angle = f.clamp(-1.0, 1.0).acos();
                return if side < 0.5 { -angle } else { angle };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// `⟨cos φ⟩ = I₁(κ)/I₀(κ)` and `⟨cos 2φ⟩ = I₂(κ)/I₀(κ)`, by NumPy.
    #[test]
    fn angles_have_the_moments_of_their_density() {
        let n = 200_000;
        for (kappa, first, second) in [
            (1.2e-8, 0.0, 0.0),
            (1e-4, 0.00005, 0.0),
            (0.5, 0.2424996126, 0.0300015497),
            (2.0, 0.6977746580, 0.3022253420),
            (14.0, 0.9635963848, 0.8623433736),
        ] {
            let mut rng = Seed(5).stream("von Mises").item(0);
            let angles: Vec<f64> = VonMises::new(kappa).sample_iter(&mut rng).take(n).collect();
            let check = |of: &dyn Fn(f64) -> f64, expected: f64| {
                let values: Vec<f64> = angles.iter().map(|angle| of(*angle)).collect();
                let mean = values.iter().sum::<f64>() / n as f64;
                let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n as f64;
                let error = (variance / n as f64).sqrt();
                assert!((mean - expected).abs() < 4.0 * error, "{kappa}: {mean} +- {error}, not {expected}");
            };
            check(&f64::cos, first);
            check(&|angle| (2.0 * angle).cos(), second);
            check(&f64::sin, 0.0);
        }
    }
}
