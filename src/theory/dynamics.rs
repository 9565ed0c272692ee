//! What Hybrid Monte Carlo needs of a target: energies and forces of several chains side by side.

use rand::rngs::ChaCha8Rng;

/// Molecular dynamics of `H = ½ Σ p² + S(φ)` on tiles of chains, in double precision.
///
/// A tile is `[number][chain]`, the numbers of a configuration in the order of files.
pub trait Dynamics: std::fmt::Debug + Send + Sync {
    /// Chains of a tile: as many as the force is fastest with.
    fn chains(&self) -> usize;

    /// Numbers of a configuration.
    fn numbers(&self) -> usize;

    /// The action of every chain.
    fn actions(&self, tile: &[f64]) -> Vec<f64>;

    /// `½ Σ p²` of every chain.
    fn kinetic(&self, momenta: &[f64]) -> Vec<f64>;

    /// `momenta += scale · force`, `force = -∂S/∂φ`.
    fn kick(&self, tile: &[f64], scale: f64, momenta: &mut [f64]);

    /// `tile += scale · momenta`.
    fn drift(&self, tile: &mut [f64], scale: f64, momenta: &[f64]);

    /// Where a chain starts.
    ///
    /// # Shapes
    /// `[number]`
    fn start(&self, rng: &mut ChaCha8Rng) -> Vec<f64>;

    /// Floating-point operations of one force on one configuration, with the update of its momenta.
    fn force_flops(&self) -> f64;

    /// Whether `S(-φ) = S(φ)`, so that a chain may flip the sign of its configuration at any time.
    fn is_even(&self) -> bool;
}
