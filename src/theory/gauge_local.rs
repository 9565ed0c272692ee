//! Heat bath and overrelaxation of U(1) link angles.

use super::dynamics::Local;
use crate::kernel::gauge::GaugeAction;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use std::f64::consts::{PI, SQRT_2};

/// A link θ is in two plaquettes, whose cosines add up to `R cos(θ + α)`: given all others it has the density `e^{βR cos(θ + α)}`, and
/// `θ → -θ - 2α` leaves the action as it is.
impl Local for GaugeAction {
    fn heat_bath(&self, field: &mut [f64], rng: &mut ChaCha8Rng) {
        self.plaquettes().for_each_link(field, |[sin, cos], _| {
            let alpha = sin.atan2(cos);
            von_mises(self.beta() * sin.hypot(cos), rng) - alpha
        });
    }

    fn overrelax(&self, field: &mut [f64]) {
        self.plaquettes().for_each_link(field, |[sin, cos], theta| -theta - 2.0 * sin.atan2(cos));
    }

    fn sweep_flops(&self) -> f64 {
        // Two plaquettes of three additions, sine and cosine of each, an arc tangent.
        40.0 * self.plaquettes().links() as f64
    }
}

/// An angle with the density `e^{κ cos φ} / 2π I₀(κ)`. Source: Best, Fisher, J. R. Stat. Soc. C 28 (1979) 152.
fn von_mises(kappa: f64, rng: &mut ChaCha8Rng) -> f64 {
    if kappa < 1e-8 {
        return PI * (2.0 * rng.random::<f64>() - 1.0);
    }
    let root = (1.0 + 4.0 * kappa * kappa).sqrt();
    let tau = 1.0 + root;
    // (τ - √(2τ)) / 2κ, without the difference of two numbers that are alike for small κ.
    let rho = 2.0 * kappa * tau.sqrt() / (tau * (tau.sqrt() + SQRT_2));
    let r = (1.0 + rho * rho) / (2.0 * rho);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::Lattice;
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
            let angles: Vec<f64> = (0..n).map(|_| von_mises(kappa, &mut rng)).collect();
            let check = |of: &dyn Fn(f64) -> f64, expected: f64| {
                let values: Vec<f64> = angles.iter().map(|angle| of(*angle)).collect();
                let mean = values.iter().sum::<f64>() / f64::from(n);
                let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / f64::from(n);
                let error = (variance / f64::from(n)).sqrt();
                assert!((mean - expected).abs() < 4.0 * error, "{kappa}: {mean} +- {error}, not {expected}");
            };
            check(&f64::cos, first);
            check(&|angle| (2.0 * angle).cos(), second);
            check(&f64::sin, 0.0);
        }
    }

    #[test]
    fn overrelaxation_moves_every_link_and_keeps_the_action() {
        let action = GaugeAction::new(Lattice::new([4, 6]), 2.0, None);
        let normals = Seed(5).stream("field").normals(0, 2, 24);
        let before: Vec<f64> = normals.into_iter().map(f64::from).collect();
        let mut after = before.clone();
        action.overrelax(&mut after);
        assert!((action.value(&after) - action.value(&before)).abs() < 1e-12);
        assert!(after.iter().zip(&before).all(|(a, b)| (a - b).abs() > 1e-6));
    }
}
