//! The run of all chains: thermalised and tuned, then measured; saved now and then, and continued from there.

use super::trajectory::{Motion, Stop, Tile, Trajectories, TrajectorySums};
use super::tuning::Tuning;
use crate::cost::Cost;
use crate::error::Result;
use crate::rng::Seed;
use crate::sample::arrays::Arrays;
use crate::sample::chain::{Transition, run_chain};
use crate::sample::method::{ChainInfo, Method, MethodCost, MethodRun};
use crate::sample::store::{Resumable, Store, identity};
use crate::sample::watch::Watch;
use crate::spec::{Fermions, HmcSpec};
use crate::stats::{Ensemble, TimeSeries};
use crate::theory::Theory;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Thermalisation is cut into so many parts; the step size is tuned after each but the last two.
const TUNING_ROUNDS: u64 = 10;

/// Bins of measurements of all chains together.
const BINS: usize = 1 << 21;

/// Chains of Hybrid Monte Carlo with their thermalisation; a step is one trajectory of every chain.
pub struct Hmc<'a> {
    theory: &'a Theory,
    spec: &'a HmcSpec,
    seed: Seed,
    every: Option<u64>,
    /// Trajectories between two jumps; none if zero.
    instanton_every: u64,
    trajectories: Trajectories<'a>,
}

/// Where the chains are; what is saved and continued.
#[derive(Debug, Clone)]
pub struct HmcState {
    progress: Progress,
    /// Of the present part of thermalisation.
    round: TrajectorySums,
    tiles: Vec<RunningTile>,
    series: Vec<TimeSeries>,
    /// After thermalisation.
    sums: TrajectorySums,
    /// Configurations that were kept and are not yet on the disk, `[time][chain][number]`.
    kept: Vec<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Progress {
    /// Trajectories that every chain has made, thermalisation included.
    made: u64,
    steps: usize,
    too_few: usize,
    /// Of all chains in thermalisation.
    #[serde(default)]
    thermalization: TrajectorySums,
    thermalization_s: f64,
    wall_s: f64,
}

/// A tile on its way: it may be ahead of the others, if these were stopped.
#[derive(Debug, Clone)]
struct RunningTile {
    tile: Tile,
    made: u64,
    /// Since all tiles were at the same trajectory.
    sums: TrajectorySums,
    /// Configurations kept since then, `[time][chain][number]`.
    kept: Vec<f64>,
}

impl<'a> Hmc<'a> {
    /// Chains that draw from the streams `sample/hmc/0`, `sample/hmc/1`, … and keep their configuration after every so many measured
    /// trajectories, if they are to.
    pub fn new(theory: &'a Theory, spec: &'a HmcSpec, seed: Seed, every: Option<u64>) -> Self {
        let motion = Motion {
            length: spec.trajectory_length,
            spread: spec.length_spread,
            integrator: spec.integrator,
            cheap_steps: spec.gauge_steps.unwrap_or(1),
            auxiliary: spec.fermions == Some(Fermions::Pseudofermions),
        };
        let trajectories = Trajectories::new(&*theory.dynamics, motion, seed, "sample/hmc");
        let instanton_every = spec.instanton_every.unwrap_or(1);
        Self { theory, spec, seed, every, instanton_every, trajectories }
    }

    /// Whose the chains and the configurations that they keep are.
    pub fn identity(&self) -> String {
        let spec = serde_json::to_string(self.spec).expect("plain data");
        let numbers = [self.seed.0, self.every.unwrap_or(u64::MAX)].map(u64::to_le_bytes);
        identity(&[self.theory.action.id().as_bytes(), spec.as_bytes(), &numbers.concat()])
    }

    /// Thermalises, tunes, and measures after every trajectory; with a store, whose records are the configurations that are kept,
    /// continues what it holds and saves there.
    ///
    /// # Errors
    /// What `watch` returns, which hears of every chain's trajectories, once the state is saved; errors of the store.
    pub fn run(&self, store: Option<&mut Store<'_>>, watch: Watch<'_>) -> Result<MethodRun> {
        let mut state = self.start();
        run_chain(self, &mut state, self.spec.thermalization + self.spec.trajectories, store, watch)?;
        Ok(self.finish(state))
    }

    fn start(&self) -> HmcState {
        let (chains, side_by_side) = (self.spec.chains, self.theory.dynamics.chains());
        let tiles = (0..chains.div_ceil(side_by_side)).map(|tile| RunningTile {
            tile: self.trajectories.start(tile),
            made: 0,
            sums: TrajectorySums::default(),
            kept: Vec::new(),
        });
        let tiles: Vec<RunningTile> = tiles.collect();
        let capacity = (BINS / chains).next_multiple_of(2).max(1 << 6);
        let series = TimeSeries::new(self.theory.observables.width(), capacity);
        HmcState {
            progress: Progress {
                made: 0,
                steps: self.spec.steps,
                too_few: 0,
                thermalization: TrajectorySums::default(),
                thermalization_s: 0.0,
                wall_s: 0.0,
            },
            round: TrajectorySums::default(),
            // The last tile may hold more chains than were asked for.
            series: vec![series; tiles.len() * side_by_side],
            tiles,
            sums: TrajectorySums::default(),
            kept: Vec::new(),
        }
    }

    /// The part of thermalisation that the next trajectory belongs to, if it does, and where that part ends.
    fn part(&self, made: u64) -> Option<(u64, u64)> {
        let end = |part: u64| self.spec.thermalization * part / TUNING_ROUNDS;
        (1..=TUNING_ROUNDS).map(|part| (part, end(part))).find(|&(_, end)| end > made)
    }

    /// The trajectories of a tile up to `last`, with measurements or without, as far as it is not stopped.
    fn advance_tile(
        &self,
        running: &mut RunningTile,
        series: &mut [TimeSeries],
        steps: usize,
        last: u64,
        stop: Stop<'_>,
    ) {
        let mut row = vec![0.0; self.theory.observables.width()];
        while running.made < last {
            let index = running.made;
            let sums = self.trajectories.advance(&mut running.tile, steps, index, stop);
            let Some(sums) = sums else { return };
            running.sums = running.sums.add(sums);
            running.made += 1;
            if self.instanton_every > 0 && running.made.is_multiple_of(self.instanton_every) {
                let jumps = self.trajectories.jump(&mut running.tile, index);
                running.sums = running.sums.add(jumps);
            }
            for (chain, series) in series.iter_mut().enumerate() {
                let field = running.tile.chain(chain);
                self.theory.observables.measure(&field, running.tile.actions[chain], &mut row);
                series.push(&row, 1);
                if self.every.is_some_and(|every| series.count().is_multiple_of(every)) {
                    running.kept.extend(field);
                }
            }
        }
    }

    /// Brings together what the tiles did, once all of them are there.
    fn join(&self, state: &mut HmcState, last: u64, part: Option<(u64, u64)>) {
        let sums = if part.is_some() { &mut state.round } else { &mut state.sums };
        let tiles = state.tiles.iter_mut().map(|tile| std::mem::take(&mut tile.sums));
        *sums = tiles.fold(*sums, TrajectorySums::add);
        state.progress.made = last;
        let numbers = self.theory.dynamics.numbers();
        let times = state.tiles[0].kept.len() / (numbers * self.used(0));
        let kept: Vec<Vec<f64>> = state.tiles.iter_mut().map(|tile| std::mem::take(&mut tile.kept)).collect();
        for time in 0..times {
            for (index, kept) in kept.iter().enumerate() {
                let size = numbers * self.used(index);
                state.kept.extend(&kept[time * size..][..size]);
            }
        }
        if let Some((part, end)) = part
            && last == end
        {
            self.tune(state, part);
        }
    }

    /// Chains of a tile that were asked for.
    fn used(&self, tile: usize) -> usize {
        let side_by_side = self.theory.dynamics.chains();
        side_by_side.min(self.spec.chains - tile * side_by_side)
    }

    /// The first part is too far from equilibrium to learn from, the last two let the tuned chains settle.
    fn tune(&self, state: &mut HmcState, part: u64) {
        let round = std::mem::take(&mut state.round);
        let progress = &mut state.progress;
        progress.thermalization = progress.thermalization.add(round);
        if self.spec.tune && (2..=TUNING_ROUNDS - 2).contains(&part) {
            let mut tuning = Tuning { target: self.spec.target_acceptance, too_few: progress.too_few };
            progress.steps = tuning.next(progress.steps, round.acceptance());
            progress.too_few = tuning.too_few;
        }
    }

    fn finish(&self, state: HmcState) -> MethodRun {
        let HmcState { mut series, sums, progress, tiles, .. } = state;
        let (spec, dynamics) = (self.spec, &self.theory.dynamics);
        series.truncate(spec.chains);
        // What was counted is that of whole tiles.
        let part_asked_for = spec.chains as f64 / (tiles.len() * dynamics.chains()) as f64;
        let cost = MethodCost {
            setup: Some(Cost {
                samples: spec.thermalization * spec.chains as u64,
                flops: progress.thermalization.flops(&**dynamics) * part_asked_for,
                wall_s: progress.thermalization_s,
            }),
            flops_per_configuration: sums.flops(&**dynamics) / sums.trajectories as f64,
            wall_s: progress.wall_s,
        };
        let chain = ChainInfo {
            acceptance: sums.acceptance(),
            thermalization: Some(spec.thermalization),
            side_by_side: Some(dynamics.chains()),
            exp_minus_delta_h: Some(sums.exp_minus_delta_h()),
            integration_steps: Some(progress.steps),
            jump_acceptance: sums.jump_acceptance(),
            solver_iterations: sums.iterations_per_trajectory(),
            ..ChainInfo::default()
        };
        MethodRun::new(Method::Hmc, Ensemble::Chains(series), cost, Some(chain))
    }
}

impl Transition for Hmc<'_> {
    type State = HmcState;
    const PART: u64 = 100;

    fn made(&self, state: &HmcState) -> u64 {
        state.progress.made
    }

    fn advance(&self, state: &mut HmcState, until: u64, watch: Watch<'_>) -> Result<()> {
        let (clock, part) = (Instant::now(), self.part(state.progress.made));
        let last = part.map_or(until, |(_, end)| end.min(until));
        let (steps, side_by_side) = (state.progress.steps, self.theory.dynamics.chains());
        let places = state.tiles.par_iter_mut().zip(state.series.par_chunks_mut(side_by_side)).enumerate();
        places.for_each(|(index, (tile, series))| {
            let measured = if part.is_some() { 0 } else { self.used(index) };
            self.advance_tile(tile, &mut series[..measured], steps, last, watch.is_stopped);
        });
        let seconds = match part {
            Some(_) => &mut state.progress.thermalization_s,
            None => &mut state.progress.wall_s,
        };
        *seconds += clock.elapsed().as_secs_f64();
        if state.tiles.iter().all(|tile| tile.made == last) {
            self.join(state, last, part);
        }
        Ok(())
    }
}

impl Resumable for HmcState {
    fn save(&self) -> Arrays {
        let mut arrays = Arrays::new(serde_json::to_value(&self.progress).expect("plain data"));
        arrays.push("round", self.round.to_numbers());
        arrays.push("sums", self.sums.to_numbers());
        arrays.push("made", self.tiles.iter().map(|tile| tile.made as f64).collect());
        for (index, running) in self.tiles.iter().enumerate() {
            arrays.push(format!("field.{index}"), running.tile.field.clone());
            arrays.push(format!("action.{index}"), running.tile.actions.clone());
            arrays.push(format!("sums.{index}"), running.sums.to_numbers());
            arrays.push(format!("kept.{index}"), running.kept.clone());
        }
        for (chain, series) in self.series.iter().enumerate() {
            arrays.push(format!("series.{chain}"), series.to_numbers());
        }
        arrays
    }

    fn restore(&mut self, mut saved: Arrays) -> Option<()> {
        self.progress = serde_json::from_value(saved.header.take()).ok()?;
        self.round = TrajectorySums::from_numbers(&saved.take("round")?)?;
        self.sums = TrajectorySums::from_numbers(&saved.take("sums")?)?;
        let made = saved.take("made").filter(|made| made.len() == self.tiles.len())?;
        for ((index, running), made) in self.tiles.iter_mut().enumerate().zip(made) {
            let (numbers, chains) = (running.tile.field.len(), running.tile.actions.len());
            running.tile.field = saved.take(&format!("field.{index}")).filter(|f| f.len() == numbers)?;
            running.tile.actions = saved.take(&format!("action.{index}")).filter(|a| a.len() == chains)?;
            running.sums = TrajectorySums::from_numbers(&saved.take(&format!("sums.{index}"))?)?;
            running.kept = saved.take(&format!("kept.{index}"))?;
            running.made = made as u64;
        }
        for (chain, series) in self.series.iter_mut().enumerate() {
            let restored = TimeSeries::from_numbers(&saved.take(&format!("series.{chain}"))?)?;
            *series = Some(restored).filter(|restored| restored.width() == series.width())?;
        }
        Some(())
    }

    fn take_records(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.kept)
    }
}
