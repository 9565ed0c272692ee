//! Hybrid Monte Carlo: many independent chains, side by side in vectors and over threads.

use super::integrator::Schedule;
use crate::error::Result;
use crate::kernel::quartic::{CHAINS, drift, kinetic_energy};
use crate::rng::{Seed, Stream};
use crate::spec::HmcSpec;
use crate::stats::Series;
use crate::theory::{Action, observable::Observables};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use std::time::Instant;

/// Thermalisation is cut into so many parts; the step size is tuned after each but the last two.
const TUNING_ROUNDS: u64 = 10;

/// Spread of the configurations that chains start from.
const START_WIDTH: f64 = 0.1;

/// Trajectories between two questions whether to go on.
const CHUNK: u64 = 100;

/// Bins of measurements of all chains together.
const BINS: usize = 1 << 21;

/// What chains leave behind.
#[derive(Debug, Clone, PartialEq)]
pub struct HmcChains {
    /// Measurements, one series per chain.
    pub series: Vec<Series>,
    /// Accepted trajectories per trajectory, after thermalisation.
    pub acceptance: f64,
    /// `⟨e^{-ΔH}⟩` after thermalisation, one in exact arithmetic, with its error.
    pub exp_minus_delta_h: (f64, f64),
    /// Steps of a trajectory of the nominal length, after tuning.
    pub steps: usize,
    /// Force evaluations of a trajectory after tuning, on average.
    pub forces_per_trajectory: f64,
    /// Seconds of thermalisation.
    pub thermalization_s: f64,
    /// Seconds after it, measurements included.
    pub wall_s: f64,
    /// Configurations from all over the chains.
    pub fields: Vec<Vec<f64>>,
}

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

    /// Thermalises, tunes, and measures after every trajectory; about `keep` configurations are kept.
    ///
    /// # Errors
    /// What `go_on` returns, which is asked now and then.
    pub fn run(
        &self,
        observables: &dyn Observables,
        keep: usize,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<HmcChains> {
        let start = Instant::now();
        let chains = self.spec.chains;
        let mut tiles: Vec<Tile> = (0..chains.div_ceil(CHAINS)).map(|tile| self.start(tile)).collect();
        let mut steps = self.spec.steps;
        let mut tuning = Tuning { target: self.spec.target_acceptance, too_few: 0 };
        let mut done = 0;
        for round in 1..=TUNING_ROUNDS {
            let end = self.spec.thermalization * round / TUNING_ROUNDS;
            let mut tally = Tally::default();
            for first in (done..end).step_by(CHUNK as usize) {
                let last = end.min(first + CHUNK);
                let parts =
                    tiles.par_iter_mut().map(|tile| self.advance(tile, steps, first..last, &mut |_| ()));
                tally = parts.collect::<Vec<Tally>>().into_iter().fold(tally, Tally::add);
                go_on()?;
            }
            done = end;
            // The first part is too far from equilibrium to learn from, the last two let the tuned chains settle.
            if self.spec.tune && (2..=TUNING_ROUNDS - 2).contains(&round) && tally.trajectories > 0 {
                steps = tuning.next(steps, tally.acceptance());
            }
        }
        let thermalization_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let capacity = (BINS / chains).next_multiple_of(2).max(1 << 10);
        let mut series = vec![Series::new(observables.width(), capacity); tiles.len() * CHAINS];
        let mut tally = Tally::default();
        let mut kept: Vec<Vec<Vec<f64>>> = vec![Vec::new(); tiles.len()];
        let stride = (self.spec.trajectories * chains as u64).div_ceil(keep.max(1) as u64).max(1);
        let end = done + self.spec.trajectories;
        for first in (done..end).step_by(CHUNK as usize) {
            let last = end.min(first + CHUNK);
            let places = series.par_chunks_mut(CHAINS).zip(&mut kept).enumerate();
            let parts = tiles.par_iter_mut().zip(places).map(|(tile, (index, (series, kept)))| {
                let used = CHAINS.min(chains - index * CHAINS);
                let mut row = vec![0.0; observables.width()];
                let mut measure = |tile: &Tile| {
                    for (chain, series) in series.iter_mut().enumerate().take(used) {
                        let field = tile.chain(chain);
                        observables.measure(&field, tile.action[chain], &mut row);
                        series.push(&row, 1);
                        if series.count().is_multiple_of(stride) {
                            kept.push(field);
                        }
                    }
                };
                self.advance(tile, steps, first..last, &mut measure)
            });
            tally = parts.collect::<Vec<Tally>>().into_iter().fold(tally, Tally::add);
            go_on()?;
        }
        // The last tile may hold more chains than were asked for.
        series.truncate(chains);
        let fields = kept.into_iter().flatten().collect();
        Ok(HmcChains {
            series,
            acceptance: tally.acceptance(),
            exp_minus_delta_h: tally.exp_minus_delta_h(),
            steps,
            forces_per_trajectory: tally.forces as f64 / tally.trajectories as f64,
            thermalization_s,
            wall_s: start.elapsed().as_secs_f64(),
            fields,
        })
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

/// Finds the fewest steps that reach the acceptance aimed at.
struct Tuning {
    target: f64,
    /// The most steps that were seen not to reach it.
    too_few: usize,
}

impl Tuning {
    /// The next number of steps to try, from `1 - P ∝ √⟨ΔH⟩ ∝ ε²` for integrators of second order.
    ///
    /// Source: Gupta, Irbäck, Karsch, Petersson, Phys. Lett. B 242 (1990) 437.
    fn next(&mut self, steps: usize, acceptance: f64) -> usize {
        // -ln P is 1 - P where it is small and does not saturate where it is not.
        let violation = |p: f64| -p.clamp(0.01, 0.999).ln();
        let factor = (violation(acceptance) / violation(self.target)).sqrt().clamp(0.5, 2.0);
        let scaled = (steps as f64 * factor).round() as usize;
        if acceptance < self.target {
            self.too_few = self.too_few.max(steps);
            scaled.max(steps + 1)
        } else {
            scaled.clamp((self.too_few + 1).min(steps), steps)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::Lattice;
    use crate::spec::Integrator;
    use crate::theory::Phi4;

    fn spec(integrator: Integrator, steps: usize) -> HmcSpec {
        HmcSpec {
            trajectories: 1000,
            thermalization: 200,
            chains: 16,
            trajectory_length: 1.0,
            steps,
            integrator,
            tune: false,
            target_acceptance: 0.8,
            length_spread: 0.5,
        }
    }

    fn interacting() -> Phi4 {
        Phi4::new(Lattice::new([6, 4]), -4.0, 2.0)
    }

    /// A tile in equilibrium with fresh momenta.
    fn thermalized(hmc: &Hmc<'_>) -> (Tile, Vec<f64>) {
        let mut tile = hmc.start(0);
        hmc.advance(&mut tile, 10, 0..200, &mut |_| ());
        let mut momenta = vec![0.0; tile.field.len()];
        let streams = tile.streams.iter().enumerate();
        streams.for_each(|(chain, stream)| fill_normals(&mut momenta, chain, &mut stream.item(1 << 40)));
        (tile, momenta)
    }

    #[test]
    fn a_trajectory_runs_back_to_where_it_began() {
        let action = interacting();
        for integrator in [Integrator::Leapfrog, Integrator::Omelyan] {
            let spec = spec(integrator, 12);
            let hmc = Hmc::new(&action, &spec, Seed(2), "sample/hmc");
            let (tile, start) = thermalized(&hmc);
            let (mut field, mut momenta) = (tile.field.clone(), start);
            hmc.integrate(&Schedule::new(integrator, 1.0, 12), &mut field, &mut momenta);
            momenta.iter_mut().for_each(|p| *p = -*p);
            hmc.integrate(&Schedule::new(integrator, 1.0, 12), &mut field, &mut momenta);
            let worst = field.iter().zip(&tile.field).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-12, "{integrator:?}: off by {worst:e}");
        }
    }

    #[test]
    fn the_energy_violation_falls_with_the_square_of_the_step() {
        let action = interacting();
        for integrator in [Integrator::Leapfrog, Integrator::Omelyan] {
            let spec = spec(integrator, 12);
            let hmc = Hmc::new(&action, &spec, Seed(2), "sample/hmc");
            let (tile, start) = thermalized(&hmc);
            let violation = |steps: usize| {
                let (mut field, mut momenta) = (tile.field.clone(), start.clone());
                hmc.integrate(&Schedule::new(integrator, 1.0, steps), &mut field, &mut momenta);
                let (before, after) = (kinetic_energy(&start), kinetic_energy(&momenta));
                let action = hmc.action.tile_action(&field);
                let of = |chain: usize| after[chain] + action[chain] - before[chain] - tile.action[chain];
                (0..CHAINS).map(|chain| of(chain).powi(2)).sum::<f64>().sqrt()
            };
            let ratio = violation(40) / violation(80);
            // The next order is smaller by ε² = 1/1600.
            assert!((ratio - 4.0).abs() < 0.1, "{integrator:?}: {ratio}");
        }
    }

    /// The free field's exact values, ⟨e^{-ΔH}⟩ = 1, and an acceptance that tuning reaches.
    #[test]
    fn chains_sample_the_target() {
        let action = Phi4::new(Lattice::new([4, 6]), 0.8, 0.0);
        let observables = action.observables();
        for integrator in [Integrator::Leapfrog, Integrator::Omelyan] {
            let spec = HmcSpec { tune: true, trajectories: 4000, ..spec(integrator, 3) };
            let chains =
                Hmc::new(&action, &spec, Seed(5), "sample/hmc").run(&*observables, 100, &|| Ok(())).unwrap();
            assert!(chains.acceptance > 0.75 && chains.acceptance < 0.999, "{}", chains.acceptance);
            assert_eq!(chains.series.len(), 16);
            let (mean, error) = chains.exp_minus_delta_h;
            assert!((mean - 1.0).abs() < 4.0 * error, "<exp(-dH)> = {mean} +- {error}");
            let ensemble = crate::stats::Ensemble::Chains(chains.series);
            for observable in observables.derived() {
                let Some(exact) = observable.exact else { continue };
                let found = ensemble.measured(&*observable.value).expect("finite");
                let pull = (found.value - exact) / found.error;
                assert!(pull.abs() < 4.0, "{}: {found:?} is not {exact}", observable.name);
            }
        }
    }

    #[test]
    fn tuning_settles_on_the_fewest_steps_that_reach_the_target() {
        let acceptance = |steps: usize| (-12.0 / (steps * steps) as f64).exp();
        for start in [1, 3, 8, 100] {
            let (mut tuning, mut steps) = (Tuning { target: 0.8, too_few: 0 }, start);
            for _ in 0..12 {
                steps = tuning.next(steps, acceptance(steps));
            }
            assert_eq!(steps, 8, "from {start}");
        }
    }

    #[test]
    fn threads_and_chains_beside_it_do_not_change_a_chain() {
        let action = interacting();
        let observables = action.observables();
        let few = HmcSpec { chains: 3, trajectories: 50, ..spec(Integrator::Omelyan, 5) };
        let many = HmcSpec { chains: 20, ..few.clone() };
        let run = |spec: &HmcSpec| {
            Hmc::new(&action, spec, Seed(5), "sample/hmc").run(&*observables, 1, &|| Ok(())).unwrap()
        };
        assert_eq!(run(&few).series[2].to_numbers()[5..], run(&many).series[2].to_numbers()[5..]);
    }
}
