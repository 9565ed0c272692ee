//! Symplectic integrators of molecular dynamics, as lists of kicks and drifts.

use crate::spec::Integrator;

/// Minimal-norm parameter of the second-order integrator of Omelyan et al., Comput. Phys. Commun. 151 (2003) 272.
const OMELYAN: f64 = 0.193_183_327_503_783_6;

/// A trajectory as alternating kicks `p += k F(φ)` and drifts `φ += d p`: one kick more than drifts.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Kick before the first drift.
    pub first: f64,
    /// Drift, then kick.
    pub updates: Vec<(f64, f64)>,
}

impl Schedule {
    /// `steps` steps that add up to `length`.
    ///
    /// - leapfrog: kick ε/2, drift ε, kick ε/2
    /// - Omelyan: kick λε, drift ε/2, kick (1-2λ)ε, drift ε/2, kick λε
    ///
    /// Both are reversible, keep volume and have `ΔH ∝ ε²` at fixed length. Neighbouring kicks are one.
    pub fn new(integrator: Integrator, length: f64, steps: usize) -> Self {
        let epsilon = length / steps as f64;
        let (first, step) = match integrator {
            Integrator::Leapfrog => (0.5, vec![(1.0, 0.5)]),
            Integrator::Omelyan => (OMELYAN, vec![(0.5, 1.0 - 2.0 * OMELYAN), (0.5, OMELYAN)]),
        };
        let all = step.len() * steps;
        let update = |(index, &(drift, kick)): (usize, &(f64, f64))| {
            let is_joint = (index + 1) % step.len() == 0 && index + 1 < all;
            (epsilon * drift, epsilon * if is_joint { kick + first } else { kick })
        };
        let updates = step.iter().cycle().take(all).enumerate().map(update).collect();
        Self { first: epsilon * first, updates }
    }

    /// Force evaluations of a trajectory.
    pub fn forces(&self) -> usize {
        self.updates.len() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kicks_and_drifts_add_up_to_the_length_and_read_the_same_backwards() {
        for integrator in [Integrator::Leapfrog, Integrator::Omelyan] {
            for steps in [1, 2, 7] {
                let schedule = Schedule::new(integrator, 1.4, steps);
                let drifts: Vec<f64> = schedule.updates.iter().map(|u| u.0).collect();
                let mut kicks = vec![schedule.first];
                kicks.extend(schedule.updates.iter().map(|u| u.1));
                for mut list in [drifts, kicks] {
                    assert!((list.iter().sum::<f64>() - 1.4).abs() < 1e-14);
                    let forwards = list.clone();
                    list.reverse();
                    assert!(list.iter().zip(&forwards).all(|(a, b)| (a - b).abs() < 1e-15));
                }
                let per_step = if integrator == Integrator::Leapfrog { 1 } else { 2 };
                assert_eq!(schedule.forces(), per_step * steps + 1);
                assert_eq!(schedule.forces(), integrator.forces(steps));
            }
        }
    }
}
