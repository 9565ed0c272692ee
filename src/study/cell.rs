//! One cell: train or continue, judge on fresh configurations, sample by every method that is asked for, compare.

use super::costs::Costs;
use super::estimates::{MethodResult, check_finite, ess_row, free_energy_row, observable_rows};
use super::recorder::{Recorder, Tables};
use super::row::{ChainRow, CostRow, EssRow, TrainRow};
use super::{Run, warnings};
use crate::error::{Error, Result};
use crate::flow::Flow;
use crate::rng::Seed;
use crate::sample::{Draws, Hmc, HmcChains, Independence, IndependenceChains, Model, direct};
use crate::spec::{Cell, Spec};
use crate::stats::{Ensemble, kullback_leibler, target_sample_ess};
use crate::theory::{self, Action};
use crate::train::{TrainState, Trainer, checkpoint};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Instant;

/// Configurations of Hybrid Monte Carlo that are sent back through the flow, about.
const TARGET_SAMPLES: usize = 16_384;

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
    /// Integrated autocorrelation time and its error, for chains.
    pub tau_int: Option<(f64, f64)>,
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
    pub folder: PathBuf,
}

/// What sampling left behind.
pub struct Sampled {
    pub evaluation: Draws,
    pub direct: Option<Draws>,
    pub hmc: Option<HmcChains>,
    pub independence: Option<IndependenceChains>,
    ess_target: Option<f64>,
}

impl CellRun<'_> {
    /// The specification of this cell.
    pub fn spec(&self) -> &Spec {
        &self.cell.spec
    }

    fn seed(&self) -> Seed {
        Seed(self.spec().seed)
    }

    /// Everything, from the newest checkpoint on.
    ///
    /// # Errors
    /// Whatever stops it.
    pub fn execute(&self, tables: &mut Tables<'_>) -> Result<Summary> {
        let action = theory::build(&self.spec().theory);
        let flow = Flow::new(&self.spec().flow, action.lattice());
        self.run.progress.note(&action.describe());
        let (state, stop_reason) = self.train(&flow, &*action, tables)?;
        let sampled = self.sample(&flow, &*action, &state)?;
        self.write(&flow, &*action, &state, stop_reason, &sampled, tables)
    }

    fn train(
        &self,
        flow: &Flow,
        action: &dyn Action,
        tables: &mut Tables<'_>,
    ) -> Result<(TrainState, String)> {
        let (spec, run) = (self.spec(), self.run);
        let trainer = Trainer::new(flow, action, &spec.train, run.device, self.seed());
        let remark = |text: &str| run.progress.note(text);
        let found = checkpoint::newest(&self.folder, flow.layout(), spec.train.smoothing_window, remark)?;
        let (last, mut state, stop_reason) = match found {
            Some(loaded) => {
                self.check_same_training(&loaded)?;
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
        let mut recorder = Recorder::new(self, flow, action, tables, last);
        let reason = trainer.run(&mut state, &mut recorder)?.to_string();
        recorder.save(&state, Some(reason.clone()))?;
        Ok((state, reason))
    }

    /// # Errors
    /// [`Error::BadFile`] if the checkpoint belongs to another run.
    fn check_same_training(&self, loaded: &checkpoint::Loaded) -> Result<()> {
        if loaded.header.spec_digest == self.spec().training_digest() {
            return Ok(());
        }
        Err(Error::BadFile {
            path: loaded.path.clone(),
            rule: "was written for another specification".into(),
            hint: "remove it from the run directory, or start over with --fresh".into(),
        })
    }

    fn sample(&self, flow: &Flow, action: &dyn Action, state: &TrainState) -> Result<Sampled> {
        let (spec, progress) = (self.spec(), self.run.progress);
        let observables = action.observables();
        let model = Model {
            flow,
            parameters: &state.parameters,
            action,
            device: self.run.device,
            observables: Some(&*observables),
        };
        let go_on = || self.run.go_on(state.step);
        let draw = |stream: &str, count: usize| {
            direct::draw(&model, &self.seed().stream(stream), count as u64, &go_on)
        };
        progress.note(&format!("evaluating on {} fresh configurations", spec.evaluate.samples));
        let evaluation = draw("evaluate/final", spec.evaluate.samples)?;
        check_finite(state, &evaluation.log_weights)?;
        let mut sampled =
            Sampled { evaluation, direct: None, hmc: None, independence: None, ess_target: None };
        if let Some(direct) = &spec.sample.direct {
            progress.note(&format!("sampling {} configurations", direct.configurations));
            let draws = draw("sample/direct", direct.configurations)?;
            check_finite(state, &draws.log_weights)?;
            sampled.direct = Some(draws);
        }
        if let Some(hmc) = &spec.sample.hmc {
            progress.note(&format!("HMC: {} chains of {} trajectories", hmc.chains, hmc.trajectories));
            let chains = Hmc::new(action, hmc, self.seed(), "sample/hmc").run(
                &*observables,
                TARGET_SAMPLES,
                &go_on,
            )?;
            let log_weights = log_weights(&model, &chains.fields)?;
            sampled.ess_target = Some(target_sample_ess(&log_weights));
            sampled.hmc = Some(chains);
        }
        if let Some(independence) = &spec.sample.independence {
            progress.note(&format!("independence Metropolis: {} proposals", independence.proposals));
            let file = self.folder.join("independence.safetensors");
            let mut saved = Instant::now();
            let save = || {
                let due = saved.elapsed().as_secs_f64() >= spec.train.checkpoint_seconds;
                saved = if due { Instant::now() } else { saved };
                due
            };
            let chain = Independence::new(&model, independence, self.seed());
            sampled.independence = Some(chain.run(&file, save, &go_on)?);
        }
        Ok(sampled)
    }

    fn write(
        &self,
        flow: &Flow,
        action: &dyn Action,
        state: &TrainState,
        stop_reason: String,
        sampled: &Sampled,
        tables: &mut Tables<'_>,
    ) -> Result<Summary> {
        let mut ess = ess_row("final", state, &sampled.evaluation.log_weights, action)?;
        ess.ess_target = sampled.ess_target;
        ess.acceptance = sampled.independence.as_ref().map(IndependenceChains::acceptance);
        tables.append(&ess)?;

        let methods = self.methods(action, sampled);
        let rows: Vec<&MethodResult> = methods.iter().flat_map(|method| &method.results).collect();
        rows.iter().try_for_each(|result| tables.append(&result.row))?;
        chain_rows(sampled).iter().try_for_each(|row| tables.append(row))?;
        let costs =
            Costs { cell: self, flow, action, state, stop_reason: &stop_reason }.rows(sampled, &methods);
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
        summary.warnings = warnings::of(&summary, &self.chain_lengths(sampled), ess.n);
        Ok(summary)
    }

    fn methods(&self, action: &dyn Action, sampled: &Sampled) -> Vec<Method> {
        let derived = action.observables().derived();
        let mut methods = Vec::new();
        let draws = sampled.direct.as_ref().unwrap_or(&sampled.evaluation);
        let free_energy = free_energy_row(&draws.log_weights, action);
        let mut results = vec![MethodResult { row: free_energy, primary: false }];
        results.extend(observable_rows("direct", &draws.ensemble(), &derived, None));
        methods.push(Method { name: "direct", results });
        if let Some(chains) = &sampled.independence {
            let ensemble = Ensemble::Chains(chains.series.clone());
            let alone = self.spec().sample.independence.as_ref().is_some_and(|spec| spec.hmc.is_none());
            let proposals = alone.then_some((&chains.log_weights[..], &chains.rows[..]));
            let results = observable_rows("independence", &ensemble, &derived, proposals);
            methods.push(Method { name: "independence", results });
        }
        if let Some(chains) = &sampled.hmc {
            let ensemble = Ensemble::Chains(chains.series.clone());
            methods.push(Method { name: "hmc", results: observable_rows("hmc", &ensemble, &derived, None) });
        }
        methods
    }

    /// Steps of one chain, by method.
    fn chain_lengths(&self, sampled: &Sampled) -> Vec<(&'static str, u64)> {
        let length = |series: &[crate::stats::Series]| series.first().map_or(0, crate::stats::Series::count);
        let independence =
            sampled.independence.as_ref().map(|chains| ("independence", length(&chains.series)));
        let hmc = sampled.hmc.as_ref().map(|chains| ("hmc", length(&chains.series)));
        independence.into_iter().chain(hmc).collect()
    }
}

/// All results of one method.
pub struct Method {
    pub name: &'static str,
    pub results: Vec<MethodResult>,
}

/// `log w` of configurations of the target, through the inverse flow.
fn log_weights(model: &Model<'_>, fields: &[Vec<f64>]) -> Result<Vec<f64>> {
    let bound = model.bind();
    let mut all = Vec::with_capacity(fields.len());
    for part in fields.chunks(model.device.sample_batch(model.flow.activations_per_sample())) {
        let log_q = bound.log_prob(bound.field(part.concat())).try_into_data();
        let log_q = log_q.map_err(|error| model.device.failed(error))?;
        let actions = part.iter().map(|field| model.action.action_f64(field));
        all.extend(actions.zip(log_q.iter::<f64>()).map(|(action, log_q)| -action - log_q));
    }
    Ok(all)
}

fn chain_rows(sampled: &Sampled) -> Vec<ChainRow> {
    let steps = |series: &[crate::stats::Series]| series.iter().map(crate::stats::Series::count).sum();
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
        tau_int: row.tau_int.zip(row.tau_int_err),
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
