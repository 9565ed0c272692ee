//! Independence Metropolis: proposals from the model, accepted with `min(1, w'/w)`, alone or between trajectories of HMC.

use super::chain::{Alternate, Transition, run_chain};
use super::drawing::Wanted;
use super::draws::Model;
use super::hmc::{Motion, Trajectories};
use super::method::{ChainInfo, Method, MethodCost, MethodRun};
use super::metropolis::{Proposed, Walker, Walkers};
use super::store::{Store, identity};
use super::watch::Watch;
use crate::error::Result;
use crate::flow::BoundFlow;
use crate::rng::{Seed, Stream};
use crate::spec::{IndependenceSpec, InterludeSpec};
use crate::stats::Ensemble;
use crate::theory::Theory;
use std::time::Instant;

/// Independence Metropolis with one model.
pub struct Independence<'a> {
    model: &'a Model<'a>,
    theory: &'a Theory,
    spec: &'a IndependenceSpec,
    seed: Seed,
}

impl<'a> Independence<'a> {
    /// Chains that draw from the streams `sample/independence` and `sample/independence/accept`.
    pub fn new(model: &'a Model<'a>, theory: &'a Theory, spec: &'a IndependenceSpec, seed: Seed) -> Self {
        Self { model, theory, spec, seed }
    }

    /// Whose the chains are; how long they are is no part of it.
    pub fn identity(&self) -> String {
        let spec = IndependenceSpec { proposals: 0, ..self.spec.clone() };
        let spec = serde_json::to_string(&spec).expect("plain data");
        let target = self.model.action.id();
        identity(&[target.as_bytes(), &self.seed.0.to_le_bytes(), spec.as_bytes(), &self.model.density_id()])
    }

    /// Starts, or continues what a store holds, until all proposals are made.
    ///
    /// # Errors
    /// What `watch` returns, which hears of proposals after every batch, once the state is saved; errors of the store, or
    /// [`crate::error::Error::Device`].
    pub fn run(&self, store: Option<&mut Store<'_>>, watch: Watch<'_>) -> Result<MethodRun> {
        let bound = self.model.bind();
        let proposals = FlowProposals {
            model: self.model,
            bound: &bound,
            proposals: self.seed.stream("sample/independence"),
            accept: self.seed.stream("sample/independence/accept"),
        };
        let chains = self.spec.hmc.as_ref().map_or(1, |interlude| interlude.chains);
        let mut walkers = Walkers::new(chains, self.model.width(), self.spec.hmc.is_some());
        // Between two trajectories every chain takes the same number of proposals.
        let total = self.spec.proposals.div_ceil(chains as u64) * chains as u64;
        match &self.spec.hmc {
            None => run_chain(&proposals, &mut walkers, total, store, watch)?,
            Some(interlude) => {
                let second = self.trajectories(interlude, &bound);
                let every = interlude.every * chains as u64;
                let both = Alternate { first: proposals, every, second };
                run_chain(&both, &mut walkers, total, store, watch)?;
            }
        }
        Ok(self.finish(walkers))
    }

    fn trajectories(&self, interlude: &InterludeSpec, bound: &'a BoundFlow<'a>) -> FlowTrajectories<'a> {
        let InterludeSpec { trajectory_length, steps, integrator, .. } = *interlude;
        let motion =
            Motion { length: trajectory_length, spread: 0.0, integrator, cheap_steps: 1, auxiliary: false };
        let name = "sample/independence/hmc";
        let trajectories = Trajectories::new(&*self.theory.dynamics, motion, self.seed, name);
        FlowTrajectories { model: self.model, bound, trajectories, steps }
    }

    fn finish(&self, walkers: Walkers) -> MethodRun {
        let mut chain = ChainInfo {
            acceptance: walkers.acceptance(),
            longest_rejection_run: Some(walkers.longest_rejection_run()),
            trajectories_between: (walkers.trajectories > 0).then_some(walkers.trajectories),
            ..ChainInfo::default()
        };
        let (wall_s, width) = (walkers.wall_s, self.model.width());
        let (series, log_weights, rows) = walkers.into_parts();
        // With trajectories between, the weights alone do not decide where a chain is.
        let alone = self.spec.hmc.is_none();
        chain.proposals = alone.then_some(Ensemble::Weighted { log_weights, rows, width });
        let flops_per_configuration = self.model.flops_per_sample();
        let cost = MethodCost { setup: None, flops_per_configuration, wall_s };
        MethodRun::new(Method::Independence, Ensemble::Chains(series), cost, Some(chain))
    }
}

/// Proposals from a model; a step is one proposal.
struct FlowProposals<'a> {
    model: &'a Model<'a>,
    bound: &'a BoundFlow<'a>,
    proposals: Stream,
    accept: Stream,
}

impl Transition for FlowProposals<'_> {
    type State = Walkers;
    const PART: u64 = 1 << 14;

    fn made(&self, walkers: &Walkers) -> u64 {
        walkers.proposals()
    }

    fn advance(&self, walkers: &mut Walkers, until: u64, watch: Watch<'_>) -> Result<()> {
        let (clock, before_s) = (Instant::now(), walkers.wall_s);
        let wanted = Wanted {
            stream: &self.proposals,
            items: walkers.proposals()..until,
            fields: walkers.keeps_fields(),
        };
        self.model.draw(self.bound, &wanted, &mut |batch| {
            let log_weights: Vec<f64> = (0..batch.log_q.len()).map(|index| batch.log_weight(index)).collect();
            let proposed = Proposed { log_weights: &log_weights, rows: &batch.rows, fields: &batch.fields };
            walkers.judge(proposed, &self.accept);
            walkers.wall_s = before_s + clock.elapsed().as_secs_f64();
            (watch.hear)(walkers.proposals())
        })
    }
}

/// Trajectories of HMC; the weight where one ends needs `log q` through the inverse flow. A step is one trajectory of every chain.
struct FlowTrajectories<'a> {
    model: &'a Model<'a>,
    bound: &'a BoundFlow<'a>,
    trajectories: Trajectories<'a>,
    steps: usize,
}

impl Transition for FlowTrajectories<'_> {
    type State = Walkers;
    const PART: u64 = 1;

    fn made(&self, walkers: &Walkers) -> u64 {
        walkers.trajectories
    }

    fn advance(&self, walkers: &mut Walkers, _: u64, watch: Watch<'_>) -> Result<()> {
        let clock = Instant::now();
        let fields: Vec<&[f64]> = walkers.walkers().iter().map(|walker| &walker.field[..]).collect();
        let ends = self.trajectories.from(&fields, self.steps, walkers.trajectories, watch.is_stopped);
        let Some(ends) = ends else { return (watch.hear)(walkers.proposals()) };
        let flat: Vec<f64> = ends.iter().flat_map(|(field, _)| field.iter().copied()).collect();
        let log_q = self.model.log_prob(self.bound, &flat)?;
        let moved =
            walkers.walkers().iter().zip(ends).zip(log_q).map(|((walker, (field, action)), log_q)| {
                let mut row = walker.row.clone();
                if let Some(observables) = self.model.observables {
                    observables.measure(&field, action, &mut row);
                }
                Walker { counts: walker.counts, log_weight: -action - log_q, row, field }
            });
        let moved = moved.collect();
        walkers.move_to(moved);
        walkers.trajectories += 1;
        walkers.wall_s += clock.elapsed().as_secs_f64();
        Ok(())
    }
}
