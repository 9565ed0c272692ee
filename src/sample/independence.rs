//! Independence Metropolis: proposals from the model, accepted with `min(1, w'/w)`, alone or between trajectories of HMC.

use super::Watch;
use super::arrays::{Arrays, identity};
use super::draws::{Batch, Model};
use super::hmc::Hmc;
use super::metropolis::{Tally, Uniforms, accepts};
use crate::error::Result;
use crate::flow::BoundFlow;
use crate::rng::{Seed, Stream};
use crate::spec::{HmcSpec, IndependenceSpec, InterludeSpec};
use crate::stats::Series;
use std::path::Path;
use std::time::Instant;

/// Proposals whose weights are kept for the exact autocorrelation time.
const KEPT: usize = 1 << 18;

/// Proposals between two questions whether to save.
const PART: u64 = 1 << 14;

/// Bins of measurements of all chains together.
const BINS: usize = 1 << 21;

/// What chains leave behind, and what continues them.
#[derive(Debug, Clone, PartialEq)]
pub struct IndependenceChains {
    /// Counts of every chain.
    pub tallies: Vec<Tally>,
    /// Measurements of every chain.
    pub series: Vec<Series>,
    /// `log w` of the first proposals, 2¹⁸ at most.
    pub log_weights: Vec<f64>,
    /// Their measurements `[proposal][width]`.
    pub rows: Vec<f64>,
    /// Seconds spent, measurements included.
    pub wall_s: f64,
    /// Trajectories between flow proposals, of every chain.
    pub trajectories: u64,
    walkers: Vec<Walker>,
}

/// Where a chain is.
#[derive(Debug, Clone, Default, PartialEq)]
struct Walker {
    log_weight: f64,
    row: Vec<f64>,
    /// The configuration, which only trajectories need.
    field: Vec<f64>,
}

impl IndependenceChains {
    /// Counts of all chains.
    pub fn tally(&self) -> Tally {
        self.tallies.iter().copied().fold(Tally::default(), Tally::join)
    }

    /// Flow proposals of all chains.
    pub fn proposals(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.proposals).sum()
    }

    /// Accepted flow proposals per proposal.
    pub fn acceptance(&self) -> f64 {
        let n = self.tallies.len() as f64;
        self.tallies.iter().map(Tally::acceptance).sum::<f64>() / n
    }
}

/// Independence Metropolis with one model.
pub struct Independence<'a> {
    model: &'a Model<'a>,
    spec: &'a IndependenceSpec,
    proposals: Stream,
    accept: Stream,
    seed: Seed,
}

impl<'a> Independence<'a> {
    /// Chains that draw from the streams `sample/independence` and `sample/independence/accept`.
    pub fn new(model: &'a Model<'a>, spec: &'a IndependenceSpec, seed: Seed) -> Self {
        let proposals = seed.stream("sample/independence");
        Self { model, spec, proposals, accept: seed.stream("sample/independence/accept"), seed }
    }

    fn chains(&self) -> usize {
        self.spec.hmc.as_ref().map_or(1, |interlude| interlude.chains)
    }

    /// What the chains depend on; how long they are is no part of it.
    fn identity(&self) -> String {
        let spec = IndependenceSpec { proposals: 0, ..self.spec.clone() };
        let spec = serde_json::to_string(&spec).expect("plain data");
        let parameters = bytemuck::cast_slice(self.model.parameters);
        let target = self.model.action.describe();
        identity(&[target.as_bytes(), &self.seed.0.to_le_bytes(), spec.as_bytes(), parameters])
    }

    /// Starts, or continues what `file` holds, until all proposals are made; `save` says now and then whether the state is to be
    /// written.
    ///
    /// # Errors
    /// What `watch` returns, which hears of proposals after every batch, once the state is written; [`crate::error::Error::Io`], [`crate::error::Error::BadFile`],
    /// [`crate::error::Error::Device`].
    pub fn run(
        &self,
        file: &Path,
        mut save: impl FnMut() -> bool,
        watch: Watch<'_>,
    ) -> Result<IndependenceChains> {
        let bound = self.model.bind();
        let mut state = self.load(file)?.unwrap_or_else(|| self.start());
        let chains = self.chains() as u64;
        // Between two trajectories every chain takes the same number of proposals.
        let total = self.spec.proposals.div_ceil(chains) * chains;
        while state.proposals() < total {
            let done = state.proposals();
            let until = self.next_trajectory(done).unwrap_or(total).min(total);
            // Parts are kept short, so that the state can be written between them.
            let count = (until - done).min(PART);
            let clock = Instant::now();
            let asked = self.model.draw(&bound, &self.proposals, done, count, &mut |batch| {
                self.judge(&mut state, &batch);
                watch(state.proposals())
            });
            if let Some(interlude) = &self.spec.hmc
                && self.next_trajectory(done) == Some(state.proposals())
            {
                self.trajectory(&mut state, interlude, &bound)?;
            }
            state.wall_s += clock.elapsed().as_secs_f64();
            if asked.is_err() || save() {
                self.store(&state, file)?;
            }
            asked?;
        }
        self.store(&state, file)?;
        Ok(state)
    }

    /// After how many proposals the trajectory comes that is due next after so many.
    fn next_trajectory(&self, done: u64) -> Option<u64> {
        let stretch = self.spec.hmc.as_ref()?.every * self.chains() as u64;
        Some((done / stretch + 1) * stretch)
    }

    fn start(&self) -> IndependenceChains {
        let chains = self.chains();
        let capacity = (BINS / chains).next_multiple_of(2).max(1 << 6);
        IndependenceChains {
            tallies: vec![Tally::default(); chains],
            series: vec![Series::new(self.model.width(), capacity); chains],
            log_weights: Vec::new(),
            rows: Vec::new(),
            wall_s: 0.0,
            trajectories: 0,
            walkers: vec![Walker::default(); chains],
        }
    }

    /// Accepts or rejects a batch of proposals, in order; proposal i belongs to chain i mod chains.
    fn judge(&self, state: &mut IndependenceChains, batch: &Batch) {
        let (numbers, width, chains) = (self.model.numbers(), self.model.width(), self.chains());
        let first = state.proposals();
        let uniforms = Uniforms::starting_at(&self.accept, first);
        for (index, u) in (0..batch.log_q.len()).zip(uniforms) {
            let chain = (first as usize + index) % chains;
            let (proposed, row) = (batch.log_weight(index), &batch.rows[index * width..][..width]);
            if state.log_weights.len() < KEPT {
                state.log_weights.push(proposed);
                state.rows.extend(row);
            }
            let (tally, walker) = (&mut state.tallies[chain], &mut state.walkers[chain]);
            let accepted = tally.proposals == 0 || accepts(walker.log_weight, proposed, u);
            tally.count(accepted);
            if accepted {
                walker.log_weight = proposed;
                walker.row = row.to_vec();
                if self.spec.hmc.is_some() {
                    walker.field = batch.fields[index * numbers..][..numbers].to_vec();
                }
            }
            state.series[chain].push(&walker.row, 1);
        }
    }

    /// One trajectory of every chain; the weight where it ends needs `log q` through the inverse flow.
    fn trajectory(
        &self,
        state: &mut IndependenceChains,
        interlude: &InterludeSpec,
        bound: &BoundFlow<'_>,
    ) -> Result<()> {
        let spec = HmcSpec {
            trajectories: 1,
            thermalization: 0,
            chains: interlude.chains,
            trajectory_length: interlude.trajectory_length,
            steps: interlude.steps,
            integrator: interlude.integrator,
            tune: false,
            target_acceptance: 0.5,
            length_spread: 0.0,
            save_every: None,
        };
        let hmc = Hmc::new(self.model.action, &spec, self.seed, "sample/independence/hmc");
        let fields: Vec<&[f64]> = state.walkers.iter().map(|walker| &walker.field[..]).collect();
        let moved = hmc.trajectory_of(&fields, state.trajectories);
        let flat: Vec<f64> = moved.iter().flat_map(|(field, _)| field.iter().copied()).collect();
        let log_q = self.model.log_prob(bound, &flat)?;
        state.trajectories += 1;
        for ((walker, (field, action)), log_q) in state.walkers.iter_mut().zip(moved).zip(log_q) {
            walker.log_weight = -action - log_q;
            if let Some(observables) = self.model.observables {
                observables.measure(&field, action, &mut walker.row);
            }
            walker.field = field;
        }
        for (series, walker) in state.series.iter_mut().zip(&state.walkers) {
            series.push(&walker.row, 1);
        }
        Ok(())
    }

    fn store(&self, state: &IndependenceChains, file: &Path) -> Result<()> {
        let mut arrays = Arrays::new(serde_json::json!({
            "identity": self.identity(),
            "tallies": state.tallies,
            "trajectories": state.trajectories,
            "wall_s": state.wall_s,
        }));
        arrays.push("log_weights", state.log_weights.clone());
        arrays.push("rows", state.rows.clone());
        for (chain, (series, walker)) in state.series.iter().zip(&state.walkers).enumerate() {
            arrays.push(format!("series.{chain}"), series.to_numbers());
            arrays.push(format!("log_weight.{chain}"), vec![walker.log_weight]);
            arrays.push(format!("row.{chain}"), walker.row.clone());
            arrays.push(format!("field.{chain}"), walker.field.clone());
        }
        arrays.save(file)
    }

    fn load(&self, file: &Path) -> Result<Option<IndependenceChains>> {
        let Some(mut arrays) = Arrays::load(file)? else { return Ok(None) };
        let same = arrays.header["identity"] == self.identity();
        let mut restored = || -> Option<IndependenceChains> {
            let tallies: Vec<Tally> = serde_json::from_value(arrays.header["tallies"].clone()).ok()?;
            let chains = tallies.len();
            let mut series = Vec::with_capacity(chains);
            let mut walkers = Vec::with_capacity(chains);
            for chain in 0..chains {
                series.push(Series::from_numbers(&arrays.take(&format!("series.{chain}"))?)?);
                walkers.push(Walker {
                    log_weight: *arrays.take(&format!("log_weight.{chain}"))?.first()?,
                    row: arrays.take(&format!("row.{chain}"))?,
                    field: arrays.take(&format!("field.{chain}"))?,
                });
            }
            Some(IndependenceChains {
                series,
                walkers,
                tallies,
                log_weights: arrays.take("log_weights")?,
                rows: arrays.take("rows")?,
                wall_s: arrays.header["wall_s"].as_f64()?,
                trajectories: arrays.header["trajectories"].as_u64()?,
            })
        };
        let fits = |state: &IndependenceChains| {
            state.tallies.len() == self.chains()
                && state.series.iter().all(|series| series.width() == self.model.width())
        };
        match restored().filter(|state| same && fits(state)) {
            Some(state) => Ok(Some(state)),
            None => Err(crate::error::Error::BadFile {
                path: file.to_owned(),
                rule: "does not hold the chains of this run: another model, seed or specification wrote it"
                    .into(),
                hint: "remove it: the chains are drawn again".into(),
            }),
        }
    }
}
