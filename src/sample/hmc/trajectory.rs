//! Trajectories of Hybrid Monte Carlo: momenta, molecular dynamics, accept or reject, for a tile of chains at once.

use crate::rng::{Seed, Stream};
use crate::sample::integrator::Schedule;
use crate::spec::Integrator;
use crate::theory::Dynamics;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Site updates between two questions whether to stop: a fraction of a second.
const ASKED_EVERY: usize = 1 << 24;

/// Hybrid Monte Carlo of one theory.
///
/// `H = ½ Σ p² + S(φ)`; momenta are refreshed before every trajectory, which is accepted with `min(1, e^{-ΔH})`; an even
/// action's configurations change sign with probability ½. Source: A22, Sec. 2.1; W04 for the errors.
pub struct Trajectories<'a> {
    dynamics: &'a dyn Dynamics,
    motion: Motion,
    seed: Seed,
    name: &'a str,
}

/// How far trajectories go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// Length of a trajectory.
    pub length: f64,
    /// Lengths are drawn from `length · (1 ± spread)`.
    pub spread: f64,
    /// How the equations of motion are integrated.
    pub integrator: Integrator,
}

/// Chains side by side, as many as the dynamics takes at once.
#[derive(Debug, Clone)]
pub struct Tile {
    /// `[number][chain]`
    pub field: Vec<f64>,
    /// `[chain]`
    pub actions: Vec<f64>,
    streams: Vec<Stream>,
    lengths: Stream,
}

/// Sums over trajectories.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct TrajectorySums {
    pub trajectories: u64,
    pub accepted: u64,
    /// Force evaluations.
    pub forces: u64,
    /// `e^{-ΔH}`.
    pub exp: f64,
    pub exp_square: f64,
}

impl TrajectorySums {
    pub fn add(mut self, other: Self) -> Self {
        self.trajectories += other.trajectories;
        self.accepted += other.accepted;
        self.forces += other.forces;
        self.exp += other.exp;
        self.exp_square += other.exp_square;
        self
    }

    pub fn acceptance(&self) -> f64 {
        self.accepted as f64 / self.trajectories as f64
    }

    pub fn forces_per_trajectory(&self) -> f64 {
        self.forces as f64 / self.trajectories as f64
    }

    /// `⟨e^{-ΔH}⟩` with its error.
    pub fn exp_minus_delta_h(&self) -> (f64, f64) {
        let n = self.trajectories as f64;
        let mean = self.exp / n;
        (mean, ((self.exp_square / n - mean * mean).max(0.0) / n).sqrt())
    }

    /// As plain numbers, for checkpoints.
    pub fn to_numbers(self) -> Vec<f64> {
        let counts = [self.trajectories, self.accepted, self.forces].map(|count| count as f64);
        [&counts[..], &[self.exp, self.exp_square]].concat()
    }

    pub fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let &[trajectories, accepted, forces, exp, exp_square] = numbers else { return None };
        let [trajectories, accepted, forces] = [trajectories, accepted, forces].map(|count| count as u64);
        Some(Self { trajectories, accepted, forces, exp, exp_square })
    }
}

/// Who may stop a trajectory in the middle.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

impl<'a> Trajectories<'a> {
    /// Chains that draw from the streams `NAME/0`, `NAME/1`, …
    pub fn new(dynamics: &'a dyn Dynamics, motion: Motion, seed: Seed, name: &'a str) -> Self {
        Self { dynamics, motion, seed, name }
    }

    /// The configurations one trajectory of so many steps later, with their actions, whether it was accepted or not; nothing if it
    /// was stopped.
    ///
    /// # Shapes
    /// `fields`: `[chain][number]`
    pub fn from(
        &self,
        fields: &[&[f64]],
        steps: usize,
        index: u64,
        stop: Stop<'_>,
    ) -> Option<Vec<(Vec<f64>, f64)>> {
        let tiles = fields.par_chunks(self.dynamics.chains()).enumerate().map(|(tile, chains)| {
            let mut tile = self.empty(tile);
            chains.iter().enumerate().for_each(|(chain, field)| tile.place(chain, field.iter().copied()));
            tile.actions = self.dynamics.actions(&tile.field);
            self.advance(&mut tile, steps, index, stop)?;
            Some((0..chains.len()).map(|chain| (tile.chain(chain), tile.actions[chain])).collect::<Vec<_>>())
        });
        let tiles: Option<Vec<_>> = tiles.collect();
        Some(tiles?.into_iter().flatten().collect())
    }

    /// Where the chains of a tile start.
    pub fn start(&self, tile: usize) -> Tile {
        let mut tile = self.empty(tile);
        for chain in 0..tile.streams.len() {
            // Trajectories are the items from zero on; the start is the last item there is.
            let field = self.dynamics.start(&mut tile.streams[chain].item(u64::MAX));
            tile.place(chain, field);
        }
        tile.actions = self.dynamics.actions(&tile.field);
        tile
    }

    fn empty(&self, tile: usize) -> Tile {
        let chains = self.dynamics.chains();
        let stream = |chain: usize| self.seed.stream(&format!("{}/{}", self.name, tile * chains + chain));
        Tile {
            field: vec![0.0; self.dynamics.numbers() * chains],
            actions: vec![0.0; chains],
            streams: (0..chains).map(stream).collect(),
            lengths: self.seed.stream(&format!("{}/length/{tile}", self.name)),
        }
    }

    /// One trajectory of every chain of a tile; nothing, and the tile as it was, if it was stopped.
    pub fn advance(
        &self,
        tile: &mut Tile,
        steps: usize,
        index: u64,
        stop: Stop<'_>,
    ) -> Option<TrajectorySums> {
        let (chains, schedule) = (tile.streams.len(), self.schedule(steps, tile, index));
        let mut generators: Vec<_> = tile.streams.iter().map(|stream| stream.item(index)).collect();
        let mut momenta = vec![0.0; tile.field.len()];
        for (chain, rng) in generators.iter_mut().enumerate() {
            momenta[chain..].iter_mut().step_by(chains).for_each(|p| *p = StandardNormal.sample(rng));
        }
        let before = self.dynamics.kinetic(&momenta);
        let mut field = tile.field.clone();
        self.integrate(&schedule, &mut field, &mut momenta, stop)?;
        let (after, actions) = (self.dynamics.kinetic(&momenta), self.dynamics.actions(&field));
        let mut sums = TrajectorySums::default();
        for (chain, rng) in generators.iter_mut().enumerate() {
            let delta_h = after[chain] + actions[chain] - before[chain] - tile.actions[chain];
            let weight = (-delta_h).exp();
            let (uniform, flip) = (rng.random::<f64>(), rng.random::<bool>());
            // A trajectory that ran away has ΔH = NaN or infinity, and is rejected.
            let accepted = uniform < weight;
            let sign = if flip && self.dynamics.is_even() { -1.0 } else { 1.0 };
            let proposed = field[chain..].iter().step_by(chains);
            for (own, new) in tile.field[chain..].iter_mut().step_by(chains).zip(proposed) {
                *own = sign * if accepted { *new } else { *own };
            }
            tile.actions[chain] = if accepted { actions[chain] } else { tile.actions[chain] };
            let weight = if weight.is_finite() { weight } else { 0.0 };
            sums = sums.add(TrajectorySums {
                trajectories: 1,
                accepted: u64::from(accepted),
                forces: schedule.forces() as u64,
                exp: weight,
                exp_square: weight * weight,
            });
        }
        Some(sums)
    }

    /// A trajectory of the next length: uniform in `length · (1 ± spread)`, in steps no longer than `length / steps`.
    ///
    /// At a fixed length modes whose phase comes back to itself would never decorrelate. Source: Mackenzie,
    /// Phys. Lett. B 226 (1989) 369.
    fn schedule(&self, steps: usize, tile: &Tile, index: u64) -> Schedule {
        let uniform: f64 = tile.lengths.item(index).random();
        let factor = 1.0 + self.motion.spread * (2.0 * uniform - 1.0);
        let needed = (steps as f64 * factor).ceil().max(1.0) as usize;
        Schedule::new(self.motion.integrator, self.motion.length * factor, needed)
    }

    pub(super) fn integrate(
        &self,
        schedule: &Schedule,
        field: &mut [f64],
        momenta: &mut [f64],
        stop: Stop<'_>,
    ) -> Option<()> {
        let at_once = ASKED_EVERY / field.len().max(1) + 1;
        self.dynamics.kick(field, schedule.first, momenta);
        for updates in schedule.updates.chunks(at_once) {
            if stop() {
                return None;
            }
            for &(step, kick) in updates {
                self.dynamics.drift(field, step, momenta);
                self.dynamics.kick(field, kick, momenta);
            }
        }
        Some(())
    }
}

impl Tile {
    /// The configuration of one chain.
    pub fn chain(&self, chain: usize) -> Vec<f64> {
        self.field[chain..].iter().step_by(self.streams.len()).copied().collect()
    }

    fn place(&mut self, chain: usize, field: impl IntoIterator<Item = f64>) {
        let places = self.field[chain..].iter_mut().step_by(self.streams.len());
        places.zip(field).for_each(|(to, from)| *to = from);
    }
}
