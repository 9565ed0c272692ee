//! Heat bath and overrelaxation of U(1) link angles.

use super::dynamics::Local;
use super::von_mises::VonMises;
use crate::kernel::gauge::GaugeAction;
use rand::rngs::ChaCha8Rng;
use rand_distr::Distribution;

/// A link θ is in two plaquettes, whose cosines add up to `R cos(θ + α)`: given all others it has the density `e^{βR cos(θ + α)}`, and
/// `θ → -θ - 2α` leaves the action as it is.
impl Local for GaugeAction {
    fn heat_bath(&self, field: &mut [f64], rng: &mut ChaCha8Rng) {
        self.plaquettes().for_each_link(field, |[sin, cos], _| {
            let alpha = sin.atan2(cos);
            VonMises::new(self.beta() * sin.hypot(cos)).sample(rng) - alpha
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::Lattice;
    use crate::rng::Seed;

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
