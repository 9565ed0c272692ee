//! From what a cell sampled to its rows and its summary.

use super::context::Context;
use super::costs::Costs;
use super::draws;
use super::estimates::{MethodResult, ess_row, method_results};
use super::experiment::Experiment;
use super::row::{ChainRow, CostRow};
use super::sampling::Sampled;
use super::summary::{MethodSummary, ModelSummary, ObservableSummary, Summary};
use super::tables::Tables;
use super::warnings::{self, Evidence, Weights};
use crate::cost::Cost;
use crate::error::Result;
use crate::sample::{Method, MethodRun};
use crate::stats::kullback_leibler;
use crate::theory::{Derived, Theory};
use crate::train::TrainState;

impl Context<'_> {
    /// Writes the rows of everything that was sampled and sums them up.
    ///
    /// # Errors
    /// [`crate::error::Error::Diverged`], [`crate::error::Error::Io`].
    pub fn write(
        &self,
        experiment: &Experiment,
        state: &TrainState,
        stop_reason: String,
        sampled: &Sampled,
        tables: &mut Tables,
    ) -> Result<Summary> {
        let (theory, evaluated) = (&experiment.theory, sampled.evaluation.log_weights());
        let action = &*theory.action;
        let of_evaluation = sampled.evaluation.ess().expect("an evaluation has weights");
        let stage = if state.step == 0 && state.before.samples > 0 { "transfer" } else { "final" };
        let mut ess = ess_row(stage, state, &sampled.evaluation, sampled.on_target, action)?;
        let independence = sampled.asked_for.iter().find(|run| run.method == Method::Independence);
        ess.acceptance = independence.and_then(|run| Some(run.chain.as_ref()?.acceptance));
        tables.append(&ess)?;
        let learned_from_data = experiment.data.is_some();
        let (training, before, device) = (state.cost, state.before, &*self.devices);
        let threads = self.device.threads_of_all();
        let costs = Costs { training, before, device, threads, stop_reason: &stop_reason, learned_from_data };
        let kl = action.log_partition().map(|log_z| kullback_leibler(evaluated, log_z));
        let model = ModelSummary {
            stop_reason: stop_reason.clone(),
            steps: state.step,
            train_samples: state.cost.samples,
            train_s: state.cost.wall_s,
            train_samples_before: state.before.samples,
            ess_smoothed: state.ess.mean(),
            ess: ess.ess,
            ess_err: ess.ess_err,
            ess_interval: Some(of_evaluation.interval),
            ess_median: Some(of_evaluation.median),
            ess_of_parts: of_evaluation.of_parts,
            pareto: of_evaluation.tail,
            ess_target: ess.ess_target,
            ess_target_interval: sampled.on_target.map(|judged| judged.ess.interval),
            ess_target_sigmas: ess.ess_target_sigmas,
            max_weight_share: ess.max_weight_share,
            kl: kl.map(|kl| (kl.value, kl.error)),
        };
        let runs = sampled.methods();
        let derived = theory.observables.derived();
        let summary = self.write_methods(theory, &derived, &runs, &costs, tables)?;
        Ok(self.warn(Summary { model: Some(model), ..summary }, &evidence(sampled, &runs, &derived, threads)))
    }

    /// The same where nothing was trained.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    pub fn write_baseline(
        &self,
        theory: &Theory,
        runs: &[&MethodRun],
        tables: &mut Tables,
    ) -> Result<Summary> {
        let (training, before, device) = (Cost::default(), Cost::default(), &*self.devices);
        let stop_reason = "no training";
        let threads = self.device.threads_of_all();
        let costs = Costs { training, before, device, threads, stop_reason, learned_from_data: false };
        let derived = theory.observables.derived();
        let summary = self.write_methods(theory, &derived, runs, &costs, tables)?;
        let (weights, target_samples) = (Vec::new(), None);
        let evidence = Evidence { weights, runs, derived: &derived, target_samples, threads };
        Ok(self.warn(summary, &evidence))
    }

    fn warn(&self, mut summary: Summary, evidence: &Evidence<'_>) -> Summary {
        let found = warnings::of(&summary, evidence);
        summary.warnings = self.spec.remarks();
        summary.warnings.extend(found.iter().map(ToString::to_string));
        summary
    }

    /// Observables, chains, samples of what was drawn, and costs of all methods.
    fn write_methods(
        &self,
        theory: &Theory,
        derived: &[Derived],
        runs: &[&MethodRun],
        costs: &Costs<'_>,
        tables: &mut Tables,
    ) -> Result<Summary> {
        let resampling = self.seed().stream("stats/bootstrap");
        let action = &*theory.action;
        let results = runs.iter().map(|&run| (run, method_results(run, derived, action, &resampling)));
        let results: Vec<(&MethodRun, Vec<MethodResult>)> = results.collect();
        let found: Vec<&MethodResult> = results.iter().flat_map(|(_, results)| results).collect();
        found.iter().try_for_each(|result| tables.append(&result.row))?;
        runs.iter().filter_map(|run| chain_row(run)).try_for_each(|row| tables.append(&row))?;
        for run in runs {
            draws::history(run, derived).iter().try_for_each(|row| tables.append(row))?;
            draws::weights(run).iter().try_for_each(|row| tables.append(row))?;
        }
        let costs = costs.rows(&results);
        costs.iter().try_for_each(|row| tables.append(row))?;
        Ok(Summary {
            model: None,
            observables: found.iter().map(|result| observable_summary(result)).collect(),
            methods: method_summaries(&costs, runs),
            warnings: Vec::new(),
        })
    }
}

/// What warnings are drawn from beside the summary.
fn evidence<'a>(
    sampled: &Sampled,
    runs: &'a [&'a MethodRun],
    derived: &'a [Derived],
    threads: usize,
) -> Evidence<'a> {
    let weights =
        |of, key, run: &MethodRun| Some(Weights { of, key, n: run.weights()?.len(), ess: run.ess()? });
    let direct = sampled.asked_for.iter().find(|run| run.method == Method::Direct);
    // Chains are offered configurations of the same model.
    let all = [
        weights("evaluation", "evaluate.samples", &sampled.evaluation),
        direct.and_then(|run| weights("direct", "sample.direct.configurations", run)),
    ];
    Evidence {
        weights: all.into_iter().flatten().collect(),
        runs,
        derived,
        target_samples: sampled.on_target.map(|judged| judged.n),
        threads,
    }
}

fn chain_row(run: &MethodRun) -> Option<ChainRow> {
    let chain = run.chain.as_ref()?;
    Some(ChainRow {
        method: run.method,
        chains: run.series().len(),
        n: run.ensemble.count(),
        acceptance: chain.acceptance,
        longest_rejection_run: chain.longest_rejection_run,
        trajectories_between: chain.trajectories_between,
        exp_minus_delta_h: chain.exp_minus_delta_h.map(|(mean, _)| mean),
        exp_minus_delta_h_err: chain.exp_minus_delta_h.map(|(_, error)| error),
        integration_steps: chain.integration_steps,
        instanton_acceptance: chain.jump_acceptance,
        solver_iterations: chain.solver_iterations,
        wall_s: run.cost.wall_s,
    })
}

pub fn observable_summary(result: &MethodResult) -> ObservableSummary {
    let row = &result.row;
    ObservableSummary {
        method: row.method,
        observable: row.observable.clone(),
        value: row.value,
        error: row.error,
        error_plain: Some(row.error_plain),
        tau_int: row.tau_int.zip(row.tau_int_err),
        tau_int_exact: row.tau_int_exact,
        exact: row.exact,
        must_vanish: result.must_vanish.map(str::to_owned),
        primary: result.primary,
    }
}

/// The dearest row of each method.
fn method_summaries(costs: &[CostRow], runs: &[&MethodRun]) -> Vec<MethodSummary> {
    let mut found: Vec<MethodSummary> = Vec::new();
    for row in costs {
        let run = runs.iter().find(|run| run.method == row.method);
        let this = MethodSummary {
            method: row.method,
            observable: row.observable.clone(),
            n: row.n_raw,
            acceptance: run.and_then(|run| Some(run.chain.as_ref()?.acceptance)),
            per_s: 1.0 / row.sample_s_per_configuration,
            effective_per_s: row.effective_samples_per_s,
            crossover_n_indep: row.crossover_n_indep,
        };
        match found.iter_mut().find(|other| other.method == row.method) {
            Some(other) if other.effective_per_s > this.effective_per_s => *other = this,
            Some(_) => {}
            None => found.push(this),
        }
    }
    found
}
