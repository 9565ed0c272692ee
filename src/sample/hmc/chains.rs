//! The run of all chains: thermalised and tuned, then measured; saved now and then, and continued from there.

use super::sums::TrajectorySums;
use super::sweeps::Sweeps;
use super::tiles::{Leg, Mover, RunningTile};
use super::trajectory::{Motion, Tile, Trajectories};
use super::tuning::Tuning;
use crate::comm::Crew;
use crate::cost::Cost;
use crate::error::Result;
use crate::rng::Seed;
use crate::sample::arrays::Arrays;
use crate::sample::chain::{Transition, run_chain};
use crate::sample::method::{ChainInfo, Method, MethodCost, MethodRun};
use crate::sample::store::{Resumable, Store, identity};
use crate::sample::watch::Watch;
use crate::spec::{Fermions, HeatBathSpec, HmcSpec};
use crate::stats::{Ensemble, TimeSeries};
use crate::theory::Theory;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Thermalisation is cut into so many parts; the step size is tuned after each but the last two.
const TUNING_ROUNDS: u64 = 10;

/// Chains of Hybrid Monte Carlo or of local updates with their thermalisation; a step is one trajectory or sweep of every chain.
pub struct Chains<'a> {
    plan: Plan,
    identity: String,
    pub(super) kind: Kind,
    pub(super) seed: Seed,
    pub(super) mover: Mover<'a>,
    /// Who moves them together.
    pub(super) crew: Crew,
}

/// Which chains.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Kind {
    /// Of Hybrid Monte Carlo.
    Hmc(HmcSpec),
    /// Of local updates.
    HeatBath(HeatBathSpec),
}

/// How many of what.
#[derive(Debug, Clone, Copy)]
struct Plan {
    method: Method,
    measured: u64,
    /// Steps of integration, at first.
    steps: usize,
    /// The acceptance that they are tuned for, if they are.
    target: Option<f64>,
}

/// Where the chains are; what is saved and continued.
#[derive(Debug, Clone)]
pub struct ChainsState {
    progress: Progress,
    /// Of the present part of thermalisation, and of those before.
    round: TrajectorySums,
    thermalization: TrajectorySums,
    pub(super) tiles: Vec<RunningTile>,
    pub(super) series: Vec<TimeSeries>,
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
    thermalization_s: f64,
    wall_s: f64,
}

impl<'a> Chains<'a> {
    /// Chains of Hybrid Monte Carlo that draw from the streams `sample/hmc/0`, `sample/hmc/1`, … and keep their configuration after
    /// every so many measured trajectories, if they are to.
    pub fn hmc(theory: &'a Theory, spec: &HmcSpec, seed: Seed, every: Option<u64>) -> Self {
        Self::named("sample/hmc", theory, spec, seed, every)
    }

    /// The same with streams of another name.
    pub(super) fn named(
        name: &'static str,
        theory: &'a Theory,
        spec: &HmcSpec,
        seed: Seed,
        every: Option<u64>,
    ) -> Self {
        let motion = Motion {
            length: spec.trajectory_length,
            spread: spec.length_spread,
            integrator: spec.integrator,
            cheap_steps: spec.gauge_steps.unwrap_or(1),
            auxiliary: spec.fermions == Some(Fermions::Pseudofermions),
        };
        let plan = Plan {
            method: Method::Hmc,
            measured: spec.trajectories,
            steps: spec.steps,
            target: spec.tune.then_some(spec.target_acceptance),
        };
        let mover = Mover {
            theory,
            moves: Box::new(Trajectories::new(&*theory.dynamics, motion, seed, name)),
            chains: spec.chains,
            thermalization: spec.thermalization,
            jump_every: spec.instanton_every.unwrap_or(1),
            every,
        };
        Self::new(plan, Kind::Hmc(spec.clone()), seed, mover)
    }

    /// Chains of heat bath and overrelaxation, the same with the streams `sample/heat_bath/0`, …; nothing if the theory knows no local
    /// updates.
    pub fn heat_bath(
        theory: &'a Theory,
        spec: &HeatBathSpec,
        seed: Seed,
        every: Option<u64>,
    ) -> Option<Self> {
        let local = theory.dynamics.local()?;
        let plan = Plan { method: Method::HeatBath, measured: spec.sweeps, steps: 0, target: None };
        let streams = Trajectories::new(&*theory.dynamics, Motion::NONE, seed, "sample/heat_bath");
        let mover = Mover {
            theory,
            moves: Box::new(Sweeps::new(local, spec.overrelaxation, streams)),
            chains: spec.chains,
            thermalization: spec.thermalization,
            jump_every: spec.instanton_every.unwrap_or(1),
            every,
        };
        Some(Self::new(plan, Kind::HeatBath(spec.clone()), seed, mover))
    }

    /// Chains of either kind.
    pub(super) fn of(theory: &'a Theory, kind: Kind, seed: Seed, every: Option<u64>) -> Option<Self> {
        match kind {
            Kind::Hmc(spec) => Some(Self::hmc(theory, &spec, seed, every)),
            Kind::HeatBath(spec) => Self::heat_bath(theory, &spec, seed, every),
        }
    }

    fn new(plan: Plan, kind: Kind, seed: Seed, mover: Mover<'a>) -> Self {
        let identity = match &kind {
            Kind::Hmc(spec) => identity_of(&mover, spec, seed),
            Kind::HeatBath(spec) => identity_of(&mover, spec, seed),
        };
        Self { plan, identity, kind, seed, mover, crew: Crew::alone() }
    }

    /// The same chains, moved by these processes together.
    pub fn among(self, crew: &Crew) -> Self {
        Self { crew: crew.clone(), ..self }
    }

    /// Whose the chains and the configurations that they keep are.
    pub fn identity(&self) -> String {
        self.identity.clone()
    }

    /// Steps of every chain, thermalisation included.
    pub fn steps(&self) -> u64 {
        self.mover.thermalization + self.plan.measured
    }

    /// Thermalises, tunes, and measures after every trajectory; with a store, whose records are the configurations that are kept,
    /// continues what it holds and saves there.
    ///
    /// # Errors
    /// What `watch` returns, which hears of every chain's trajectories, once the state is saved; errors of the store.
    pub fn run(&self, store: Option<&mut Store<'_>>, watch: Watch<'_>) -> Result<MethodRun> {
        let mut state = self.start();
        run_chain(self, &mut state, self.steps(), store, watch)?;
        Ok(self.finish(state))
    }

    /// Where all tiles start; the last one may hold more chains than were asked for.
    pub(super) fn start_tiles(&self) -> Vec<Tile> {
        (0..self.mover.tiles()).map(|tile| self.mover.moves.start(tile)).collect()
    }

    /// Chains that were asked for.
    pub(super) fn count(&self) -> usize {
        self.mover.chains
    }

    /// Steps of every chain before the first that counts.
    pub(super) fn thermalization(&self) -> u64 {
        self.mover.thermalization
    }

    /// The chains after their thermalisation, the steps of integration that they were tuned to, and what was counted.
    ///
    /// # Errors
    /// What `go_on` returns, which is asked now and then.
    pub(super) fn thermalised(
        &self,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<(Vec<Tile>, usize, TrajectorySums)> {
        let mut state = self.start();
        while state.progress.made < self.mover.thermalization {
            let until = self.mover.thermalization.min(state.progress.made + Self::PART);
            self.advance(&mut state, until, Watch::NOBODY)?;
            go_on()?;
        }
        let tiles = state.tiles.into_iter().map(|running| running.tile).collect();
        Ok((tiles, state.progress.steps, state.thermalization))
    }

    /// Counted floating-point operations of the chains that were asked for, from the sums over whole tiles.
    pub(super) fn flops(&self, sums: &TrajectorySums) -> f64 {
        let side_by_side = self.mover.theory.dynamics.chains();
        let held = self.mover.chains.div_ceil(side_by_side) * side_by_side;
        self.mover.moves.flops(sums) * (self.mover.chains as f64 / held as f64)
    }

    fn start(&self) -> ChainsState {
        let side_by_side = self.mover.theory.dynamics.chains();
        let running = |tile| RunningTile { tile, made: 0, sums: TrajectorySums::default(), kept: Vec::new() };
        let tiles: Vec<RunningTile> = self.start_tiles().into_iter().map(running).collect();
        let series = TimeSeries::of_chains(self.mover.theory.observables.width(), self.mover.chains);
        ChainsState {
            progress: Progress {
                made: 0,
                steps: self.plan.steps,
                too_few: 0,
                thermalization_s: 0.0,
                wall_s: 0.0,
            },
            round: TrajectorySums::default(),
            thermalization: TrajectorySums::default(),
            // The last tile may hold more chains than were asked for.
            series: vec![series; tiles.len() * side_by_side],
            tiles,
            sums: TrajectorySums::default(),
            kept: Vec::new(),
        }
    }

    /// The part of thermalisation that the next trajectory belongs to, if it does, and where that part ends.
    fn part(&self, made: u64) -> Option<(u64, u64)> {
        let end = |part: u64| self.mover.thermalization * part / TUNING_ROUNDS;
        (1..=TUNING_ROUNDS).map(|part| (part, end(part))).find(|&(_, end)| end > made)
    }

    /// Brings together what the tiles did, once all of them are there.
    fn join(&self, state: &mut ChainsState, last: u64, part: Option<(u64, u64)>) {
        let sums = if part.is_some() { &mut state.round } else { &mut state.sums };
        let tiles = state.tiles.iter_mut().map(|tile| std::mem::take(&mut tile.sums));
        *sums = tiles.fold(*sums, TrajectorySums::add);
        state.progress.made = last;
        let numbers = self.mover.theory.dynamics.numbers();
        let times = state.tiles[0].kept.len() / (numbers * self.mover.used(0));
        let kept: Vec<Vec<f64>> = state.tiles.iter_mut().map(|tile| std::mem::take(&mut tile.kept)).collect();
        for time in 0..times {
            for (index, kept) in kept.iter().enumerate() {
                let size = numbers * self.mover.used(index);
                state.kept.extend(&kept[time * size..][..size]);
            }
        }
        if let Some((part, end)) = part
            && last == end
        {
            self.tune(state, part);
        }
    }

    /// The first part is too far from equilibrium to learn from, the last two let the tuned chains settle.
    fn tune(&self, state: &mut ChainsState, part: u64) {
        let round = std::mem::take(&mut state.round);
        state.thermalization = state.thermalization.add(round);
        let progress = &mut state.progress;
        if let Some(target) = self.plan.target.filter(|_| (2..=TUNING_ROUNDS - 2).contains(&part)) {
            let mut tuning = Tuning { target, too_few: progress.too_few };
            progress.steps = tuning.next(progress.steps, round.acceptance());
            progress.too_few = tuning.too_few;
        }
    }

    fn finish(&self, state: ChainsState) -> MethodRun {
        let ChainsState { mut series, sums, thermalization, progress, .. } = state;
        let (plan, dynamics) = (self.plan, &self.mover.theory.dynamics);
        series.truncate(self.mover.chains);
        let cost = MethodCost {
            setup: Some(Cost {
                samples: self.mover.thermalization * self.mover.chains as u64,
                flops: self.flops(&thermalization),
                wall_s: progress.thermalization_s,
            }),
            flops_per_configuration: self.mover.moves.flops(&sums) / sums.trajectories as f64,
            wall_s: progress.wall_s,
        };
        let chain = ChainInfo {
            acceptance: sums.acceptance(),
            thermalization: Some(self.mover.thermalization),
            side_by_side: Some(dynamics.chains()),
            exp_minus_delta_h: (plan.method == Method::Hmc).then(|| sums.exp_minus_delta_h()),
            integration_steps: (plan.method == Method::Hmc).then_some(progress.steps),
            jump_acceptance: sums.jump_acceptance(),
            solver_iterations: sums.iterations_per_trajectory(),
            ..ChainInfo::default()
        };
        MethodRun::new(plan.method, Ensemble::Chains(series), cost, Some(chain))
    }
}

/// Of chains with these settings.
fn identity_of(mover: &Mover<'_>, spec: &impl Serialize, seed: Seed) -> String {
    let spec = serde_json::to_string(spec).expect("plain data");
    let numbers = [seed.0, mover.every.unwrap_or(u64::MAX)].map(u64::to_le_bytes);
    identity(&[mover.theory.action.id().as_bytes(), spec.as_bytes(), &numbers.concat()])
}

impl Transition for Chains<'_> {
    type State = ChainsState;
    const PART: u64 = 100;

    fn made(&self, state: &ChainsState) -> u64 {
        state.progress.made
    }

    fn advance(&self, state: &mut ChainsState, until: u64, watch: Watch<'_>) -> Result<()> {
        let (clock, part) = (Instant::now(), self.part(state.progress.made));
        let last = part.map_or(until, |(_, end)| end.min(until));
        let leg = Leg { steps: state.progress.steps, last };
        let moved = self.move_tiles(state, leg, watch.is_stopped);
        let seconds = match part {
            Some(_) => &mut state.progress.thermalization_s,
            None => &mut state.progress.wall_s,
        };
        *seconds += clock.elapsed().as_secs_f64();
        if state.tiles.iter().all(|tile| tile.made == last) {
            self.join(state, last, part);
        }
        moved
    }
}

impl Resumable for ChainsState {
    fn save(&self) -> Arrays {
        let mut arrays = Arrays::new(serde_json::to_value(&self.progress).expect("plain data"));
        arrays.push("round", self.round.to_numbers());
        arrays.push("thermalization", self.thermalization.to_numbers());
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
        self.thermalization = TrajectorySums::from_numbers(&saved.take("thermalization")?)?;
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
