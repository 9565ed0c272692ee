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

    /// The same of one action, where it is worth counting beside forces.
    fn action_flops(&self) -> f64 {
        0.0
    }

    /// Whether `S(-φ) = S(φ)`, so that a chain may flip the sign of its configuration at any time.
    fn is_even(&self) -> bool;

    /// The force in two parts, where one costs much more than the other.
    fn parts(&self) -> Option<&dyn Parts> {
        None
    }

    /// Auxiliary fields in whose place the action has a costly part, if the theory knows some.
    fn auxiliary(&self) -> Option<&dyn Auxiliary> {
        None
    }

    /// Updates of single numbers from their distribution given all others, if the theory knows it.
    fn local(&self) -> Option<&dyn Local> {
        None
    }

    /// Moves to where molecular dynamics hardly comes, where the theory knows some.
    fn jumps(&self) -> Option<&dyn Jumps> {
        None
    }
}

/// Auxiliary fields that are drawn anew for every trajectory.
pub trait Auxiliary {
    /// The dynamics with fields drawn for a configuration: its energy and force in place of those of the whole action.
    ///
    /// # Shapes
    /// `field`: `[number]`
    fn draw<'a>(&'a self, field: &[f64], rng: &mut ChaCha8Rng) -> Box<dyn Drawn + 'a>;

    /// Floating-point operations of an iteration of the solver.
    fn iteration_flops(&self) -> f64;
}

/// Auxiliary fields that were drawn.
pub trait Drawn {
    /// With which a trajectory is integrated, of one chain.
    fn dynamics(&self) -> &dyn Dynamics;

    /// The energy of the configuration that they were drawn for, which is known without solving.
    fn action(&self) -> f64;

    /// Iterations of the solver up to now.
    fn iterations(&self) -> u64;
}

/// Updates of single numbers of a configuration, one after the other.
pub trait Local: Sync {
    /// Draws every number from its distribution given all others.
    ///
    /// # Shapes
    /// `[number]`
    fn heat_bath(&self, field: &mut [f64], rng: &mut ChaCha8Rng);

    /// Moves every number to where the action is the same, as far away as can be.
    ///
    /// # Shapes
    /// `[number]`
    fn overrelax(&self, field: &mut [f64]);

    /// Floating-point operations of one such sweep.
    fn sweep_flops(&self) -> f64;
}

/// Moves far away, each as likely to be proposed as the one back.
pub trait Jumps {
    /// A configuration to move to.
    ///
    /// # Shapes
    /// `[number]`
    fn jump(&self, field: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64>;
}

/// A force in two parts, for integrators that take smaller steps with the cheap one. Source: Sexton, Weingarten, Nucl. Phys. B 380
/// (1992) 665.
pub trait Parts {
    /// [`Dynamics::kick`] with the cheap part.
    fn kick_cheap(&self, tile: &[f64], scale: f64, momenta: &mut [f64]);

    /// The same with the other.
    fn kick_dear(&self, tile: &[f64], scale: f64, momenta: &mut [f64]);

    /// Floating-point operations of the cheap part on one configuration.
    fn cheap_flops(&self) -> f64;
}
