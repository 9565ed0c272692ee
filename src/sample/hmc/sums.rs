//! What is counted over trajectories, sweeps and jumps.

use crate::theory::{Dynamics, Parts};
use serde::{Deserialize, Serialize};

/// Sums over trajectories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TrajectorySums {
    pub trajectories: u64,
    pub accepted: u64,
    /// Force evaluations.
    pub forces: u64,
    /// Evaluations of the cheap part alone.
    pub cheap: u64,
    /// Jumps proposed.
    pub jumps: u64,
    pub jumps_accepted: u64,
    /// Iterations of the solver.
    pub iterations: u64,
    /// `e^{-ΔH}`.
    pub exp: f64,
    pub exp_square: f64,
}

impl TrajectorySums {
    pub fn add(mut self, other: Self) -> Self {
        self.trajectories += other.trajectories;
        self.accepted += other.accepted;
        self.forces += other.forces;
        self.cheap += other.cheap;
        self.jumps += other.jumps;
        self.jumps_accepted += other.jumps_accepted;
        self.iterations += other.iterations;
        self.exp += other.exp;
        self.exp_square += other.exp_square;
        self
    }

    pub fn acceptance(&self) -> f64 {
        self.accepted as f64 / self.trajectories as f64
    }

    /// Iterations of the solver per trajectory, if there were any.
    pub fn iterations_per_trajectory(&self) -> Option<f64> {
        (self.iterations > 0).then(|| self.iterations as f64 / self.trajectories as f64)
    }

    /// Accepted jumps per jump, if there were any.
    pub fn jump_acceptance(&self) -> Option<f64> {
        (self.jumps > 0).then(|| self.jumps_accepted as f64 / self.jumps as f64)
    }

    /// Counted floating-point operations of all trajectories and jumps.
    pub fn flops(&self, dynamics: &dyn Dynamics) -> f64 {
        let cheap = dynamics.parts().map_or(0.0, Parts::cheap_flops);
        let solver = dynamics.auxiliary().map_or(0.0, |auxiliary| auxiliary.iteration_flops());
        let actions = (self.trajectories + self.jumps) as f64;
        self.forces as f64 * dynamics.force_flops()
            + self.cheap as f64 * cheap
            + actions * dynamics.action_flops()
            + self.iterations as f64 * solver
    }

    /// `⟨e^{-ΔH}⟩` with its error.
    pub fn exp_minus_delta_h(&self) -> (f64, f64) {
        let n = self.trajectories as f64;
        let mean = self.exp / n;
        (mean, ((self.exp_square / n - mean * mean).max(0.0) / n).sqrt())
    }

    /// As plain numbers, for checkpoints.
    pub fn to_numbers(self) -> Vec<f64> {
        let Self {
            trajectories,
            accepted,
            forces,
            cheap,
            jumps,
            jumps_accepted,
            iterations,
            exp,
            exp_square,
        } = self;
        let counts = [trajectories, accepted, forces, cheap, jumps, jumps_accepted, iterations];
        counts.into_iter().map(|count| count as f64).chain([exp, exp_square]).collect()
    }

    pub fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let &[ref counts @ .., exp, exp_square] = numbers else { return None };
        let counts: Vec<u64> = counts.iter().map(|count| *count as u64).collect();
        let [trajectories, accepted, forces, cheap, jumps, jumps_accepted, iterations] = counts[..] else {
            return None;
        };
        Some(Self {
            trajectories,
            accepted,
            forces,
            cheap,
            jumps,
            jumps_accepted,
            iterations,
            exp,
            exp_square,
        })
    }
}
