//! Hybrid Monte Carlo: many independent chains, side by side in vectors and over threads.

mod chains;
mod store;
#[cfg(test)]
mod tests;
mod tuning;

pub use chains::HmcChains;
pub use store::ChainStore;

use super::integrator::Schedule;
use crate::kernel::quartic::{CHAINS, drift, kinetic_energy};
use crate::rng::{Seed, Stream};
use crate::spec::HmcSpec;
use crate::theory::Action;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Spread of the configurations that chains start from.
const START_WIDTH: f64 = 0.1;

/// Hybrid Monte Carlo of one action.
///
/// `H = ½ Σ p² + S(φ)`; momenta are refreshed before every trajectory, which is accepted with `min(1, e^{-ΔH})`; an even
/// action's configurations change sign with probability ½. Source: A22, Sec. 2.1; W04 for the errors.
pub struct Hmc<'a> {
    action: &'a dyn Action,
    spec: &'a HmcSpec,
    seed: Seed,
    name: &'a str,
}

/// [`CHAINS`] chains.
#[derive(Debug, Clone)]
struct Tile {
    field: Vec<f64>,
    action: [f64; CHAINS],
    streams: Vec<Stream>,
    lengths: Stream,
}

/// Sums over trajectories.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Tally {
    trajectories: u64,
    accepted: u64,
    forces: u64,
    exp: f64,
    exp_square: f64,
}

impl Tally {
    fn add(mut self, other: Self) -> Self {
        self.trajectories += other.trajectories;
        self.accepted += other.accepted;
        self.forces += other.forces;
        self.exp += other.exp;
        self.exp_square += other.exp_square;
        self
    }

    fn acceptance(&self) -> f64 {
        self.accepted as f64 / self.trajectories as f64
    }

    /// As plain numbers, for checkpoints.
    fn to_numbers(self) -> Vec<f64> {
        let counts = [self.trajectories, self.accepted, self.forces].map(|count| count as f64);
        [&counts[..], &[self.exp, self.exp_square]].concat()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let &[trajectories, accepted, forces, exp, exp_square] = numbers else { return None };
        let [trajectories, accepted, forces] = [trajectories, accepted, forces].map(|count| count as u64);
        Some(Self { trajectories, accepted, forces, exp, exp_square })
    }

    fn exp_minus_delta_h(&self) -> (f64, f64) {
        let n = self.trajectories as f64;
        let mean = self.exp / n;
        (mean, ((self.exp_square / n - mean * mean).max(0.0) / n).sqrt())
    }
}

impl<'a> Hmc<'a> {
    /// Chains that draw from the streams `NAME/0`, `NAME/1`, …
    pub fn new(action: &'a dyn Action, spec: &'a HmcSpec, seed: Seed, name: &'a str) -> Self {
        Self { action, spec, seed, name }
    }

    fn numbers(&self) -> usize {
        self.action.components() * self.action.lattice().volume()
    }

    /// The configurations one trajectory later, with their actions, whether it was accepted or not.
    ///
    /// # Shapes
    /// `fields`: `[chain][number]`
    pub fn trajectory_of(&self, fields: &[&[f64]], index: u64) -> Vec<(Vec<f64>, f64)> {
        let tiles = fields.par_chunks(CHAINS).enumerate().map(|(tile, chains)| {
            let mut tile = self.start(tile);
            for (chain, field) in chains.iter().enumerate() {
                tile.field[chain..].iter_mut().step_by(CHAINS).zip(*field).for_each(|(to, from)| *to = *from);
            }
            tile.action = self.action.tile_action(&tile.field);
            let schedule = self.schedule(self.spec.steps, &tile, index);
            self.trajectory(&mut tile, &schedule, index);
            (0..chains.len()).map(|chain| (tile.chain(chain), tile.action[chain])).collect::<Vec<_>>()
        });
        tiles.flatten().collect()
    }

    /// A trajectory of the next length: uniform in `length · (1 ± spread)`, in steps no longer than `length / steps`.
    ///
    /// At a fixed length modes whose phase comes back to itself would never decorrelate. Source: Mackenzie,
    /// Phys. Lett. B 226 (1989) 369.
    fn schedule(&self, steps: usize, tile: &Tile, index: u64) -> Schedule {
        let uniform: f64 = tile.lengths.item(index).random();
        let factor = 1.0 + self.spec.length_spread * (2.0 * uniform - 1.0);
        let needed = (steps as f64 * factor).ceil().max(1.0) as usize;
        Schedule::new(self.spec.integrator, self.spec.trajectory_length * factor, needed)
    }

    /// Small fluctuations around zero to start from: a rough start has forces that no step size tuned for equilibrium follows, and
    /// a chain that begins there may never leave.
    fn start(&self, tile: usize) -> Tile {
        let streams: Vec<Stream> = (0..CHAINS)
            .map(|chain| self.seed.stream(&format!("{}/{}", self.name, tile * CHAINS + chain)))
            .collect();
        let mut field = vec![0.0; self.numbers() * CHAINS];
        for (chain, stream) in streams.iter().enumerate() {
            // Trajectories are the items from zero on; the start is the last item there is.
            fill_normals(&mut field, chain, &mut stream.item(u64::MAX));
        }
        field.iter_mut().for_each(|phi| *phi *= START_WIDTH);
        let action = self.action.tile_action(&field);
        let lengths = self.seed.stream(&format!("{}/length/{tile}", self.name));
        Tile { field, action, streams, lengths }
    }

    fn advance(
        &self,
        tile: &mut Tile,
        steps: usize,
        trajectories: std::ops::Range<u64>,
        after: &mut dyn FnMut(&Tile),
    ) -> Tally {
        let mut tally = Tally::default();
        for trajectory in trajectories {
            tally = tally.add(self.trajectory(tile, &self.schedule(steps, tile, trajectory), trajectory));
            after(tile);
        }
        tally
    }

    fn trajectory(&self, tile: &mut Tile, schedule: &Schedule, index: u64) -> Tally {
        let mut generators: Vec<_> = tile.streams.iter().map(|stream| stream.item(index)).collect();
        let mut momenta = vec![0.0; tile.field.len()];
        generators.iter_mut().enumerate().for_each(|(chain, rng)| fill_normals(&mut momenta, chain, rng));
        let before = kinetic_energy(&momenta);
        let mut field = tile.field.clone();
        self.integrate(schedule, &mut field, &mut momenta);
        let (after, action) = (kinetic_energy(&momenta), self.action.tile_action(&field));
        let mut tally = Tally::default();
        for (chain, rng) in generators.iter_mut().enumerate() {
            let delta_h = after[chain] + action[chain] - before[chain] - tile.action[chain];
            let weight = (-delta_h).exp();
            let (uniform, flip) = (rng.random::<f64>(), rng.random::<bool>());
            // A trajectory that ran away has ΔH = NaN or infinity, and is rejected.
            let accepted = uniform < weight;
            let sign = if flip && self.action.is_even() { -1.0 } else { 1.0 };
            let proposed = field[chain..].iter().step_by(CHAINS);
            for (own, new) in tile.field[chain..].iter_mut().step_by(CHAINS).zip(proposed) {
                *own = sign * if accepted { *new } else { *own };
            }
            tile.action[chain] = if accepted { action[chain] } else { tile.action[chain] };
            let weight = if weight.is_finite() { weight } else { 0.0 };
            tally = tally.add(Tally {
                trajectories: 1,
                accepted: u64::from(accepted),
                forces: schedule.forces() as u64,
                exp: weight,
                exp_square: weight * weight,
            });
        }
        tally
    }

    fn integrate(&self, schedule: &Schedule, field: &mut [f64], momenta: &mut [f64]) {
        self.action.kick(field, schedule.first, momenta);
        for &(step, kick) in &schedule.updates {
            drift(field, step, momenta);
            self.action.kick(field, kick, momenta);
        }
    }
}

impl Tile {
    fn chain(&self, chain: usize) -> Vec<f64> {
        self.field[chain..].iter().step_by(CHAINS).copied().collect()
    }
}

fn fill_normals(tile: &mut [f64], chain: usize, rng: &mut impl rand::Rng) {
    for value in tile[chain..].iter_mut().step_by(CHAINS) {
        *value = StandardNormal.sample(rng);
    }
}
