//! From what a cell sampled to its rows and its summary.

use super::context::Context;
use super::costs::Costs;
use super::estimates::{Method, MethodResult, ess_row, free_energy_row, observable_rows};
use super::experiment::Experiment;
use super::row::{ChainRow, CostRow};
use super::sampling::Sampled;
use super::summary::{MethodSummary, ObservableSummary, Summary};
use super::tables::Tables;
use super::warnings::{self, Chains, Evidence, Weights};
use crate::device;
use crate::error::Result;
use crate::sample::{Draws, IndependenceChains};
use crate::stats::{Bootstrap, Ensemble, Series, effective_sample_size, kullback_leibler};
use crate::theory::Action;
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
        let (flow, action) = (&experiment.flow, &*experiment.action);
        let learned_from_data = experiment.data.is_some();
        let mut ess = ess_row("final", state, &sampled.evaluation.log_weights, sampled.on_target, action)?;
        ess.acceptance = sampled.independence.as_ref().map(IndependenceChains::acceptance);
        tables.append(&ess)?;

        let methods = self.methods(action, sampled);
        let rows: Vec<&MethodResult> = methods.iter().flat_map(|method| &method.results).collect();
        rows.iter().try_for_each(|result| tables.append(&result.row))?;
        chain_rows(sampled).iter().try_for_each(|row| tables.append(row))?;
        let costs =
            Costs { context: self, flow, action, state, stop_reason: &stop_reason, learned_from_data }
                .rows(sampled, &methods);
        costs.iter().try_for_each(|row| tables.append(row))?;

        let kl = action.log_partition().map(|log_z| kullback_leibler(&sampled.evaluation.log_weights, log_z));
        let mut summary = Summary {
            stop_reason,
            steps: state.step,
            train_samples: state.cost.samples,
            train_s: state.cost.wall_s,
            ess_smoothed: state.ess.mean().unwrap_or(f64::NAN),
            ess: ess.ess,
            ess_err: ess.ess_err,
            ess_target: ess.ess_target,
            max_weight_share: ess.max_weight_share,
            kl: kl.map(|kl| (kl.value, kl.error)),
            observables: rows.iter().map(|result| observable_summary(result)).collect(),
            methods: method_summaries(&costs, sampled),
            warnings: Vec::new(),
        };
        summary.warnings = warnings::of(&summary, &self.evidence(sampled));
        Ok(summary)
    }

    fn methods(&self, action: &dyn Action, sampled: &Sampled) -> Vec<Method> {
        let derived = action.observables().derived();
        let mut methods = Vec::new();
        let draws = sampled.direct.as_ref().unwrap_or(&sampled.evaluation);
        let stream = self.seed().stream("stats/bootstrap");
        let bootstrap = Bootstrap::new(&draws.log_weights, &draws.rows, draws.width, &stream);
        let free_energy = free_energy_row(&draws.log_weights, &bootstrap, action);
        let mut results = vec![MethodResult { row: free_energy, primary: false }];
        results.extend(observable_rows("direct", &draws.ensemble(), &derived, Some(&bootstrap), None));
        methods.push(Method { name: "direct", results });
        if let Some(chains) = &sampled.independence {
            let ensemble = Ensemble::Chains(&chains.series);
            let alone = self.spec.sample.independence.as_ref().is_some_and(|spec| spec.hmc.is_none());
            let proposals = alone.then_some((&chains.log_weights[..], &chains.rows[..]));
            let results = observable_rows("independence", &ensemble, &derived, None, proposals);
            methods.push(Method { name: "independence", results });
        }
        if let Some(chains) = &sampled.hmc {
            let ensemble = Ensemble::Chains(&chains.series);
            let results = observable_rows("hmc", &ensemble, &derived, None, None);
            methods.push(Method { name: "hmc", results });
        }
        methods
    }

    /// What warnings are drawn from beside the summary.
    fn evidence(&self, sampled: &Sampled) -> Evidence {
        let weights = |of, key, draws: &Draws| Weights {
            of,
            key,
            n: draws.log_weights.len(),
            ess: effective_sample_size(&draws.log_weights),
        };
        let evaluation = weights("evaluation", "evaluate.samples", &sampled.evaluation);
        let direct = sampled.direct.as_ref();
        let direct = direct.map(|draws| weights("direct", "sample.direct.configurations", draws));
        let length = |series: &[Series]| series.first().map_or(0, Series::count);
        let independence = sampled.independence.as_ref().map(|chains| Chains {
            method: "independence",
            chains: chains.series.len(),
            length: length(&chains.series),
            thermalization: None,
            acceptance: chains.acceptance(),
            exp_minus_delta_h: None,
        });
        let hmc = sampled.hmc.as_ref().zip(self.spec.sample.hmc.as_ref());
        let hmc = hmc.map(|(chains, spec)| Chains {
            method: "hmc",
            chains: chains.series.len(),
            length: length(&chains.series),
            thermalization: Some(spec.thermalization),
            acceptance: chains.acceptance,
            exp_minus_delta_h: Some(chains.exp_minus_delta_h),
        });
        Evidence {
            weights: [Some(evaluation), direct].into_iter().flatten().collect(),
            chains: [independence, hmc].into_iter().flatten().collect(),
            target_samples: sampled.on_target.map(|judged| judged.n),
            threads: device::threads(),
        }
    }
}

fn chain_rows(sampled: &Sampled) -> Vec<ChainRow> {
    let steps = |series: &[Series]| series.iter().map(Series::count).sum();
    let independence = sampled.independence.as_ref().map(|chains| ChainRow {
        method: "independence",
        chains: chains.series.len(),
        n: steps(&chains.series),
        acceptance: chains.acceptance(),
        longest_rejection_run: Some(chains.tally().longest_run),
        trajectories_between: (chains.trajectories > 0).then_some(chains.trajectories),
        exp_minus_delta_h: None,
        exp_minus_delta_h_err: None,
        integration_steps: None,
        wall_s: chains.wall_s,
    });
    let hmc = sampled.hmc.as_ref().map(|chains| ChainRow {
        method: "hmc",
        chains: chains.series.len(),
        n: steps(&chains.series),
        acceptance: chains.acceptance,
        longest_rejection_run: None,
        trajectories_between: None,
        exp_minus_delta_h: Some(chains.exp_minus_delta_h.0),
        exp_minus_delta_h_err: Some(chains.exp_minus_delta_h.1),
        integration_steps: Some(chains.steps),
        wall_s: chains.wall_s,
    });
    independence.into_iter().chain(hmc).collect()
}

fn observable_summary(result: &MethodResult) -> ObservableSummary {
    let row = &result.row;
    ObservableSummary {
        method: row.method.into(),
        observable: row.observable.clone(),
        value: row.value,
        error: row.error,
        error_bootstrap: row.error_bootstrap,
        tau_int: row.tau_int.zip(row.tau_int_err),
        tau_int_exact: row.tau_int_exact,
        exact: row.exact,
        primary: result.primary,
    }
}

fn method_summaries(costs: &[CostRow], sampled: &Sampled) -> Vec<MethodSummary> {
    let mut found: Vec<MethodSummary> = Vec::new();
    for row in costs {
        let acceptance = match row.method {
            "independence" => sampled.independence.as_ref().map(IndependenceChains::acceptance),
            "hmc" => sampled.hmc.as_ref().map(|chains| chains.acceptance),
            _ => None,
        };
        let this = MethodSummary {
            method: row.method.into(),
            observable: row.observable.clone(),
            n: row.n_raw,
            acceptance,
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
