//! The run of all chains: thermalised and tuned, then measured; saved now and then, and continued from there.

use super::store::ChainStore;
use super::tuning::Tuning;
use super::{Hmc, Tally, Tile};
use crate::error::Result;
use crate::kernel::quartic::CHAINS;
use crate::sample::Watch;
use crate::stats::Series;
use crate::theory::observable::Observables;
use rayon::prelude::*;
use std::time::Instant;

/// Thermalisation is cut into so many parts; the step size is tuned after each but the last two.
const TUNING_ROUNDS: u64 = 10;

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
}

/// Where the chains are; what is saved and continued.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// Trajectories of every chain, thermalisation included.
    pub done: u64,
    pub steps: usize,
    pub too_few: usize,
    /// Of the present part of thermalisation.
    pub round: Tally,
    pub tiles: Vec<Tile>,
    pub series: Vec<Series>,
    /// After thermalisation.
    pub tally: Tally,
    pub thermalization_s: f64,
    pub wall_s: f64,
}

impl Hmc<'_> {
    /// Thermalises, tunes, and measures after every trajectory; with a store, continues what it holds and saves there.
    ///
    /// # Errors
    /// What `watch` returns, which hears of every chain's trajectories, once the state is saved; errors of the store.
    pub fn run(
        &self,
        observables: &dyn Observables,
        mut store: Option<&mut ChainStore<'_>>,
        watch: Watch<'_>,
    ) -> Result<HmcChains> {
        let loaded = store.as_deref_mut().map(|store| store.load(self, observables.width())).transpose()?;
        let mut state = loaded.flatten().unwrap_or_else(|| self.begin(observables.width()));
        let every = store.as_ref().map_or(u64::MAX, |store| store.every);
        let thermalization = self.spec.thermalization;
        let total = thermalization + self.spec.trajectories;
        while state.done < total {
            let clock = Instant::now();
            let part = (1..=TUNING_ROUNDS).find(|part| thermalization * part / TUNING_ROUNDS > state.done);
            let end = part.map_or(total, |part| thermalization * part / TUNING_ROUNDS);
            let last = end.min(state.done + CHUNK);
            if let Some(part) = part {
                self.thermalize(&mut state, last);
                state.thermalization_s += clock.elapsed().as_secs_f64();
                if last == end {
                    self.tune(&mut state, part);
                }
            } else {
                let kept = self.measure(&mut state, last, observables, every);
                state.wall_s += clock.elapsed().as_secs_f64();
                store.as_deref_mut().map_or(Ok(()), |store| store.keep(&kept))?;
            }
            let asked = watch(state.done);
            if let Some(store) = store.as_deref_mut()
                && (asked.is_err() || state.done == total || (store.is_due)())
            {
                store.save(self, &state)?;
            }
            asked?;
        }
        Ok(self.finish(state))
    }

    pub(super) fn begin(&self, width: usize) -> State {
        let chains = self.spec.chains;
        let tiles: Vec<Tile> = (0..chains.div_ceil(CHAINS)).map(|tile| self.start(tile)).collect();
        let capacity = (BINS / chains).next_multiple_of(2).max(1 << 6);
        State {
            done: 0,
            steps: self.spec.steps,
            too_few: 0,
            round: Tally::default(),
            // The last tile may hold more chains than were asked for.
            series: vec![Series::new(width, capacity); tiles.len() * CHAINS],
            tiles,
            tally: Tally::default(),
            thermalization_s: 0.0,
            wall_s: 0.0,
        }
    }

    fn thermalize(&self, state: &mut State, last: u64) {
        let (steps, first) = (state.steps, state.done);
        let tiles = state.tiles.par_iter_mut();
        let parts: Vec<Tally> =
            tiles.map(|tile| self.advance(tile, steps, first..last, &mut |_| ())).collect();
        state.round = parts.into_iter().fold(state.round, Tally::add);
        state.done = last;
    }

    /// The first part is too far from equilibrium to learn from, the last two let the tuned chains settle.
    fn tune(&self, state: &mut State, part: u64) {
        if self.spec.tune && (2..=TUNING_ROUNDS - 2).contains(&part) {
            let mut tuning = Tuning { target: self.spec.target_acceptance, too_few: state.too_few };
            state.steps = tuning.next(state.steps, state.round.acceptance());
            state.too_few = tuning.too_few;
        }
        state.round = Tally::default();
    }

    /// The configurations after every so many trajectories, `[time][chain][number]`.
    fn measure(&self, state: &mut State, last: u64, observables: &dyn Observables, every: u64) -> Vec<f64> {
        let (steps, first, chains) = (state.steps, state.done, self.spec.chains);
        let places = state.tiles.par_iter_mut().zip(state.series.par_chunks_mut(CHAINS)).enumerate();
        let parts = places.map(|(index, (tile, series))| {
            let used = CHAINS.min(chains - index * CHAINS);
            let mut row = vec![0.0; observables.width()];
            let mut kept: Vec<Vec<f64>> = Vec::new();
            let mut measure = |tile: &Tile| {
                let mut all = Vec::new();
                for (chain, series) in series.iter_mut().enumerate().take(used) {
                    let field = tile.chain(chain);
                    observables.measure(&field, tile.action[chain], &mut row);
                    series.push(&row, 1);
                    if series.count().is_multiple_of(every) {
                        all.extend(field);
                    }
                }
                kept.extend((!all.is_empty()).then_some(all));
            };
            (self.advance(tile, steps, first..last, &mut measure), kept)
        });
        let parts: Vec<(Tally, Vec<Vec<f64>>)> = parts.collect();
        state.tally = parts.iter().fold(state.tally, |sum, (tally, _)| sum.add(*tally));
        state.done = last;
        let times = parts[0].1.len();
        (0..times).flat_map(|time| parts.iter().flat_map(move |(_, kept)| &kept[time])).copied().collect()
    }

    fn finish(&self, state: State) -> HmcChains {
        let State { mut series, tally, steps, thermalization_s, wall_s, .. } = state;
        series.truncate(self.spec.chains);
        HmcChains {
            series,
            acceptance: tally.acceptance(),
            exp_minus_delta_h: tally.exp_minus_delta_h(),
            steps,
            forces_per_trajectory: tally.forces as f64 / tally.trajectories as f64,
            thermalization_s,
            wall_s,
        }
    }
}
