//! Trajectories of Hybrid Monte Carlo: momenta, molecular dynamics, accept or reject, for a tile of chains at once.

use super::sums::TrajectorySums;
use crate::rng::{Seed, Stream};
use crate::sample::integrator::Schedule;
use crate::spec::Integrator;
use crate::theory::{Dynamics, Parts};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Floating-point operations between two questions whether to stop: a fraction of a second.
const ASKED_EVERY: f64 = 1e8;

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
    /// Steps with the cheap part of the force to one with the other, where a theory has two.
    pub cheap_steps: usize,
    /// Whether auxiliary fields stand for a part of the action, where a theory knows some.
    pub auxiliary: bool,
}

impl Motion {
    /// Where something else than trajectories moves the chains.
    pub const NONE: Self =
        Self { length: 0.0, spread: 0.0, integrator: Integrator::Leapfrog, cheap_steps: 1, auxiliary: false };
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
    jumps: Vec<Stream>,
}

/// Who may stop a trajectory in the middle.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

impl<'a> Trajectories<'a> {
    /// Chains that draw from the streams `NAME/0`, `NAME/1`, …
    pub fn new(dynamics: &'a dyn Dynamics, motion: Motion, seed: Seed, name: &'a str) -> Self {
        Self { dynamics, motion, seed, name }
    }

    /// Whose trajectories they are.
    pub fn dynamics(&self) -> &'a dyn Dynamics {
        self.dynamics
    }

    /// Actions of a tile that something else has moved.
    pub fn measure_actions(&self, tile: &mut Tile) {
        tile.actions = self.dynamics.actions(&tile.field);
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

    /// Chains that are nowhere yet.
    pub fn empty(&self, tile: usize) -> Tile {
        let chains = self.dynamics.chains();
        let stream = |chain: usize| self.seed.stream(&format!("{}/{}", self.name, tile * chains + chain));
        Tile {
            field: vec![0.0; self.dynamics.numbers() * chains],
            actions: vec![0.0; chains],
            streams: (0..chains).map(stream).collect(),
            lengths: self.seed.stream(&format!("{}/length/{tile}", self.name)),
            jumps: (0..chains)
                .map(|chain| self.seed.stream(&format!("{}/jump/{}", self.name, tile * chains + chain)))
                .collect(),
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
        let auxiliary = self.dynamics.auxiliary().filter(|_| self.motion.auxiliary);
        let drawn = auxiliary.map(|auxiliary| auxiliary.draw(&tile.field, &mut generators[0]));
        let dynamics = drawn.as_ref().map_or(self.dynamics, |drawn| drawn.dynamics());
        let energies = drawn.as_ref().map_or_else(|| tile.actions.clone(), |drawn| vec![drawn.action()]);
        let before = dynamics.kinetic(&momenta);
        let mut field = tile.field.clone();
        self.integrate(dynamics, &schedule, &mut field, &mut momenta, stop)?;
        let (after, mut actions) = (dynamics.kinetic(&momenta), dynamics.actions(&field));
        let delta_h: Vec<f64> =
            (0..chains).map(|c| after[c] + actions[c] - before[c] - energies[c]).collect();
        let mut sums = TrajectorySums::default();
        if let Some(drawn) = &drawn {
            sums.iterations = drawn.iterations();
            // What is kept is the action itself.
            actions = self.dynamics.actions(&field);
        }
        let of_drift = self.motion.integrator.forces(self.motion.cheap_steps);
        let inner = if self.is_split(dynamics) { schedule.updates.len() * of_drift } else { 0 };
        let forces = [schedule.forces(), inner].map(|count| count as u64);
        // Of auxiliary fields the dear part is counted by iterations.
        let [forces, cheap] = match &drawn {
            Some(_) => [0, if inner > 0 { forces[1] } else { forces[0] }],
            None => forces,
        };
        for (chain, rng) in generators.iter_mut().enumerate() {
            let weight = (-delta_h[chain]).exp();
            let (uniform, flip) = (rng.random::<f64>(), rng.random::<bool>());
            // A trajectory that ran away has ΔH = NaN or ∞, and is rejected.
            let accepted = uniform < weight;
            let sign = if flip && self.dynamics.is_even() { -1.0 } else { 1.0 };
            let proposed = field[chain..].iter().step_by(chains);
            for (own, new) in tile.field[chain..].iter_mut().step_by(chains).zip(proposed) {
                *own = sign * if accepted { *new } else { *own };
            }
            tile.actions[chain] = if accepted { actions[chain] } else { tile.actions[chain] };
            let weight = if (weight * weight).is_finite() { weight } else { 0.0 };
            sums = sums.add(TrajectorySums {
                trajectories: 1,
                accepted: u64::from(accepted),
                forces,
                cheap,
                exp: weight,
                exp_square: weight * weight,
                ..TrajectorySums::default()
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
        dynamics: &dyn Dynamics,
        schedule: &Schedule,
        field: &mut [f64],
        momenta: &mut [f64],
        stop: Stop<'_>,
    ) -> Option<()> {
        let cost = dynamics.force_flops() * dynamics.chains() as f64;
        // What a solver takes is not known.
        let at_once = if dynamics.parts().is_some() { 1 } else { (ASKED_EVERY / cost) as usize + 1 };
        if let Some(parts) = dynamics.parts().filter(|_| self.is_split(dynamics)) {
            return self.integrate_parts(dynamics, schedule, parts, (field, momenta), stop);
        }
        dynamics.kick(field, schedule.first, momenta);
        for updates in schedule.updates.chunks(at_once) {
            if stop() {
                return None;
            }
            for &(step, kick) in updates {
                dynamics.drift(field, step, momenta);
                dynamics.kick(field, kick, momenta);
            }
        }
        Some(())
    }

    /// Whether the cheap part of a force is integrated in smaller steps.
    fn is_split(&self, dynamics: &dyn Dynamics) -> bool {
        self.motion.cheap_steps > 1 && dynamics.parts().is_some()
    }

    /// A trajectory with the cheap part of the force stands for every drift of the schedule.
    fn integrate_parts(
        &self,
        dynamics: &dyn Dynamics,
        schedule: &Schedule,
        parts: &dyn Parts,
        (field, momenta): (&mut [f64], &mut [f64]),
        stop: Stop<'_>,
    ) -> Option<()> {
        parts.kick_dear(field, schedule.first, momenta);
        for &(length, kick) in &schedule.updates {
            if stop() {
                return None;
            }
            let inner = Schedule::new(self.motion.integrator, length, self.motion.cheap_steps);
            parts.kick_cheap(field, inner.first, momenta);
            for &(step, kick) in &inner.updates {
                dynamics.drift(field, step, momenta);
                parts.kick_cheap(field, kick, momenta);
            }
            parts.kick_dear(field, kick, momenta);
        }
        Some(())
    }

    /// A jump of every chain of a tile, where the theory knows one, accepted with `min(1, e^{-ΔS})`.
    pub fn jump(&self, tile: &mut Tile, index: u64) -> TrajectorySums {
        let mut sums = TrajectorySums::default();
        let Some(jumps) = self.dynamics.jumps() else { return sums };
        let mut generators: Vec<_> = tile.jumps.iter().map(|stream| stream.item(index)).collect();
        let mut proposed = tile.clone();
        for (chain, rng) in generators.iter_mut().enumerate() {
            proposed.place(chain, jumps.jump(&tile.chain(chain), rng));
        }
        proposed.actions = self.dynamics.actions(&proposed.field);
        for (chain, rng) in generators.iter_mut().enumerate() {
            let accepted = rng.random::<f64>() < (tile.actions[chain] - proposed.actions[chain]).exp();
            if accepted {
                tile.place(chain, proposed.chain(chain));
                tile.actions[chain] = proposed.actions[chain];
            }
            sums.jumps += 1;
            sums.jumps_accepted += u64::from(accepted);
        }
        sums
    }
}

impl Tile {
    /// The configuration of one chain.
    pub fn chain(&self, chain: usize) -> Vec<f64> {
        self.field[chain..].iter().step_by(self.streams.len()).copied().collect()
    }

    /// The random numbers of a step of one chain.
    pub fn generator(&self, chain: usize, index: u64) -> ChaCha8Rng {
        self.streams[chain].item(index)
    }

    /// Puts a configuration in the place of one chain's.
    pub fn place(&mut self, chain: usize, field: impl IntoIterator<Item = f64>) {
        let places = self.field[chain..].iter_mut().step_by(self.streams.len());
        places.zip(field).for_each(|(to, from)| *to = from);
    }
}
