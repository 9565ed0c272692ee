//! One cell: train or continue, judge on fresh configurations, sample by every method that is asked for, compare.

use super::Run;
use super::costs::Costs;
use super::estimates::{MethodResult, ess_row, free_energy_row, observable_rows};
use super::experiment::Experiment;
use super::recorder::{Recorder, Tables};
use super::row::{ChainRow, CostRow, EssRow, TrainRow};
use super::sampling::Sampled;
use super::warnings::{self, Chains, Evidence, Weights};
use crate::device;
use crate::ensemble::TargetSamples;
use crate::error::{Error, Result};
use crate::rng::Seed;
use crate::sample::{Draws, IndependenceChains};
use crate::spec::{Cell, Spec};
use crate::stats::{Bootstrap, Ensemble, Series, effective_sample_size, kullback_leibler};
use crate::theory::Action;
use crate::train::{TrainState, Trainer, checkpoint};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The final table of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Why training ended.
    pub stop_reason: String,
    /// Training steps.
    pub steps: u64,
    /// Configurations flowed in training.
    pub train_samples: u64,
    /// Seconds of training.
    pub train_s: f64,
    /// Training ESS, smoothed over the last steps.
    pub ess_smoothed: f64,
    /// ESS on fresh configurations.
    pub ess: f64,
    /// One standard error.
    pub ess_err: f64,
    /// ESS from configurations of the target, eq. (A8), if Hybrid Monte Carlo gave some.
    pub ess_target: Option<f64>,
    /// Share of the total weight that the largest weight carries.
    pub max_weight_share: f64,
    /// `D_KL(q‖p)` with its error, if ln Z is known.
    pub kl: Option<(f64, f64)>,
    /// What each method found.
    pub observables: Vec<ObservableSummary>,
    /// What each method costs.
    pub methods: Vec<MethodSummary>,
    /// What a reader has to know before trusting the figures.
    pub warnings: Vec<String>,
}

/// One observable of one method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservableSummary {
    /// `direct`, `independence` or `hmc`.
    pub method: String,
    /// Name.
    pub observable: String,
    /// Mean under the target.
    pub value: f64,
    /// One standard error.
    pub error: f64,
    /// The same by bootstrap, for reweighted configurations.
    #[serde(default)]
    pub error_bootstrap: Option<f64>,
    /// Integrated autocorrelation time and its error, for chains.
    pub tau_int: Option<(f64, f64)>,
    /// τ that the weights of the proposals imply, for independence Metropolis.
    #[serde(default)]
    pub tau_int_exact: Option<f64>,
    /// Exact value, if known.
    pub exact: Option<f64>,
    /// Whether costs are given for it.
    pub primary: bool,
}

/// What one method costs, for the observable that takes it longest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSummary {
    /// `direct`, `independence` or `hmc`.
    pub method: String,
    /// That observable; `weights` for direct sampling.
    pub observable: String,
    /// Configurations or steps.
    pub n: u64,
    /// Accepted per proposal or trajectory, for chains.
    pub acceptance: Option<f64>,
    /// Configurations or steps per second.
    pub per_s: f64,
    /// Equivalent independent configurations per second.
    pub effective_per_s: f64,
    /// From so many independent configurations on cheaper than Hybrid Monte Carlo, if ever.
    pub crossover_n_indep: Option<f64>,
}

/// A cell and the run it belongs to.
pub struct CellRun<'a> {
    pub run: &'a Run<'a>,
    pub cell: &'a Cell,
    /// Where its checkpoints are.
    pub folder: PathBuf,
    /// Where its ensembles go.
    pub ensembles: PathBuf,
}

impl CellRun<'_> {
    /// The specification of this cell.
    pub fn spec(&self) -> &Spec {
        &self.cell.spec
    }

    pub fn seed(&self) -> Seed {
        Seed(self.spec().seed)
    }

    /// Everything, from the newest checkpoint on.
    ///
    /// # Errors
    /// Whatever stops it.
    pub fn execute(&self, tables: &mut Tables<'_>) -> Result<Summary> {
        let experiment = Experiment::load(self.spec())?;
        self.run.progress.begin(&experiment.action.describe());
        let (state, stop_reason) = self.train(&experiment, tables)?;
        let sampled = self.sample(&experiment, &state)?;
        self.write(&experiment, &state, stop_reason, &sampled, tables)
    }

    fn train(&self, experiment: &Experiment, tables: &mut Tables<'_>) -> Result<(TrainState, String)> {
        let (spec, run) = (self.spec(), self.run);
        let Experiment { action, flow, data, .. } = experiment;
        let trainer = Trainer::new(flow, &**action, &spec.train, run.device, self.seed())
            .learning_from(data.as_ref(), self.seed());
        let remark = |text: &str| run.progress.note(text);
        let found = checkpoint::newest(&self.folder, flow.layout(), spec.train.smoothing_window, remark)?;
        let (last, mut state, stop_reason) = match found {
            Some(loaded) => {
                self.check_same_training(&loaded, data.as_ref())?;
                tables.cut_back(&loaded.header.table_bytes);
                run.progress.note(&format!("continuing after step {}", loaded.state.step));
                (Some(loaded.path), loaded.state, loaded.header.stop_reason)
            }
            None => (None, trainer.initial_state(self.seed()), None),
        };
        // Rows of an earlier attempt go before the first new one comes.
        tables.open::<TrainRow>()?;
        tables.open::<EssRow>()?;
        if let Some(reason) = stop_reason {
            return Ok((state, reason));
        }
        let mut recorder = Recorder::new(self, experiment, tables, last, trainer.micro_batch(), state.step);
        let outcome = trainer.run(&mut state, &mut recorder);
        if let Err(Error::Device { .. }) = &outcome {
            // The state is on the host, and whole.
            recorder.save_after_failure(&state)?;
        }
        let reason = outcome?.to_string();
        recorder.save(&state, Some(reason.clone()))?;
        Ok((state, reason))
    }

    /// # Errors
    /// [`Error::BadFile`] if the checkpoint belongs to another run.
    fn check_same_training(&self, loaded: &checkpoint::Loaded, data: Option<&TargetSamples>) -> Result<()> {
        let rule = if loaded.header.spec_digest != self.spec().training_digest() {
            "was written for another specification"
        } else if loaded.header.data_digest.as_deref() != data.map(TargetSamples::digest) {
            "was written while learning from another ensemble: the file has changed since"
        } else {
            return Ok(());
        };
        Err(Error::BadFile {
            path: loaded.path.clone(),
            rule: rule.into(),
            hint: "remove it from the run directory, or start over with --fresh".into(),
        })
    }

    fn write(
        &self,
        experiment: &Experiment,
        state: &TrainState,
        stop_reason: String,
        sampled: &Sampled,
        tables: &mut Tables<'_>,
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
        let costs = Costs { cell: self, flow, action, state, stop_reason: &stop_reason, learned_from_data }
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
            let alone = self.spec().sample.independence.as_ref().is_some_and(|spec| spec.hmc.is_none());
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
        let hmc = sampled.hmc.as_ref().zip(self.spec().sample.hmc.as_ref());
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

/// All results of one method.
pub struct Method {
    pub name: &'static str,
    pub results: Vec<MethodResult>,
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
