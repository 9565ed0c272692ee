//! From a specification to a run directory: train, evaluate, sample, and write down every figure.

mod progress;
pub mod row;
mod run_dir;
mod table;

pub use progress::{Interrupt, Progress};
pub use run_dir::{Manifest, RunDir};

use crate::device::{self, ComputeDevice};
use crate::error::{Error, Result};
use crate::flow::Flow;
use crate::rng::Seed;
use crate::sample::{DirectSampler, Draws};
use crate::spec::Spec;
use crate::stats::{Estimate, effective_sample_size, free_energy, kullback_leibler, reweighted_mean};
use crate::theory::{self, Action};
use crate::train::checkpoint::{self, Header};
use crate::train::{Observer, StepInfo, TrainState, Trainer};
use row::{CostRow, EssRow, ObservableRow, TrainRow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use table::Table;

/// Checkpoints kept in the run directory: the newest, and one to fall back on.
const KEPT_CHECKPOINTS: usize = 2;

/// The final table of a run.
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
    /// Share of the total weight that the largest weight carries.
    pub max_weight_share: f64,
    /// `D_KL(q‖p)` with its error, if ln Z is known.
    pub kl: Option<(f64, f64)>,
    /// Name, value, error and exact value of every observable.
    pub observables: Vec<(String, f64, f64, Option<f64>)>,
    /// Configurations per second of sampling.
    pub configurations_per_s: f64,
    /// Equivalent independent configurations per second of sampling.
    pub effective_samples_per_s: f64,
}

/// One training run with everything it needs.
pub struct Run<'a> {
    /// The specification.
    pub spec: &'a Spec,
    /// Where it computes.
    pub device: &'a ComputeDevice,
    /// Where it writes.
    pub dir: &'a RunDir,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// Who may ask it to stop.
    pub interrupt: &'a Interrupt,
    /// The command that continues it, for messages.
    pub resume_command: String,
}

impl Run<'_> {
    /// Trains or continues, evaluates, samples; a finished run is only reported again.
    ///
    /// # Errors
    /// Whatever stops it; what was written by then stays and can be continued.
    pub fn execute(&self) -> Result<Summary> {
        let mut manifest = self.dir.manifest();
        if let (Some(_), Some(summary)) = (&manifest.finished, &manifest.summary) {
            self.progress.note("this run is finished; start over with --fresh");
            return Ok(summary.clone());
        }
        manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").into(),
            git_commit: env!("FLOWQCD_GIT_COMMIT").into(),
            spec_digest: self.spec.digest(),
            device: self.device.name().into(),
            threads: device::threads(),
            seed: self.spec.seed,
            started: [manifest.started, vec![now()]].concat(),
            ..Manifest::default()
        };
        self.dir.write_manifest(&manifest)?;

        let action = theory::build(&self.spec.theory);
        let flow = Flow::new(&self.spec.flow, action.lattice());
        self.progress.note(&action.describe());
        let (state, stop_reason, mut ess_table) = self.train(&flow, &action)?;
        let summary = self.evaluate_and_sample(&flow, &action, &state, &stop_reason, &mut ess_table)?;

        manifest.finished = Some(now());
        manifest.stop_reason = Some(stop_reason);
        manifest.summary = Some(summary.clone());
        self.dir.write_manifest(&manifest)?;
        Ok(summary)
    }

    fn train(&self, flow: &Flow, action: &Arc<dyn Action>) -> Result<(TrainState, String, Table<EssRow>)> {
        let seed = Seed(self.spec.seed);
        let trainer = Trainer::new(flow, &**action, &self.spec.train, self.device, seed);
        let window = self.spec.train.smoothing_window;
        let remark = |text: &str| self.progress.note(text);
        let found = checkpoint::newest(&self.dir.checkpoints(), flow.layout(), window, remark)?;
        let (last, header, mut state) = match found {
            Some(loaded) => {
                self.check_same_spec(&loaded)?;
                self.progress.note(&format!("continuing after step {}", loaded.state.step));
                (Some(loaded.path), Some(loaded.header), loaded.state)
            }
            None => (None, None, trainer.initial_state(seed)),
        };
        let bytes = |name: &str| header.as_ref().and_then(|h| h.table_bytes.get(name)).copied().unwrap_or(0);
        let mut recorder = Recorder {
            run: self,
            flow,
            action: &**action,
            train: Table::resume(&self.dir.file("train.csv"), bytes("train.csv"))?,
            ess: Table::resume(&self.dir.file("ess.csv"), bytes("ess.csv"))?,
            last_checkpoint: last,
            saved: Instant::now(),
        };
        if let Some(reason) = header.and_then(|header| header.stop_reason) {
            return Ok((state, reason, recorder.ess));
        }
        let reason = trainer.run(&mut state, &mut recorder)?.to_string();
        recorder.save(&state, Some(reason.clone()))?;
        Ok((state, reason, recorder.ess))
    }

    fn evaluate_and_sample(
        &self,
        flow: &Flow,
        action: &Arc<dyn Action>,
        state: &TrainState,
        stop_reason: &str,
        ess_table: &mut Table<EssRow>,
    ) -> Result<Summary> {
        let seed = Seed(self.spec.seed);
        let observables = action.observables();
        let sampler = DirectSampler {
            flow,
            parameters: &state.parameters,
            action: &**action,
            device: self.device,
            observables: &observables,
        };
        let draw = |stream: &str, count: usize| {
            sampler.draw(&seed.stream(stream), count, &|| self.go_on(state.step))
        };
        self.progress.note(&format!("evaluating on {} fresh configurations", self.spec.evaluate.samples));
        let evaluation = draw("evaluate/final", self.spec.evaluate.samples)?;
        let row = ess_row("final", state, &evaluation.log_weights, &**action)?;
        ess_table.append(&row)?;

        let sampled = match &self.spec.sample.direct {
            Some(direct) => {
                self.progress.note(&format!("sampling {} configurations", direct.configurations));
                Some(draw("sample/direct", direct.configurations)?)
            }
            None => None,
        };
        let draws = sampled.as_ref().unwrap_or(&evaluation);
        check_finite(state, &draws.log_weights)?;
        let mut observables = Table::create(&self.dir.file("observables.csv"))?;
        let rows = observable_rows(draws, &**action);
        rows.iter().try_for_each(|row| observables.append(row))?;
        let cost = self.cost_row(flow, state, draws, stop_reason);
        Table::create(&self.dir.file("cost.csv"))?.append(&cost)?;

        let kl = action.log_partition().map(|log_z| kullback_leibler(&evaluation.log_weights, log_z));
        Ok(Summary {
            stop_reason: stop_reason.into(),
            steps: state.step,
            train_samples: state.cost.samples,
            train_s: state.cost.wall_s,
            ess_smoothed: state.ess.mean().unwrap_or(f64::NAN),
            ess: row.ess,
            ess_err: row.ess_err,
            max_weight_share: row.max_weight_share,
            kl: kl.map(|kl| (kl.value, kl.error)),
            observables: rows.into_iter().map(|r| (r.observable, r.value, r.error, r.exact)).collect(),
            configurations_per_s: 1.0 / cost.sample_s_per_configuration,
            effective_samples_per_s: cost.effective_samples_per_s,
        })
    }

    /// # Errors
    /// [`Error::BadFile`] if the checkpoint belongs to another run.
    fn check_same_spec(&self, loaded: &checkpoint::Loaded) -> Result<()> {
        if loaded.header.spec_digest == self.spec.digest() {
            return Ok(());
        }
        Err(Error::BadFile {
            path: loaded.path.clone(),
            rule: "was written for another specification".into(),
            hint: "remove it from the run directory, or start over with --fresh".into(),
        })
    }

    /// # Errors
    /// [`Error::Interrupted`] once a signal has arrived.
    fn go_on(&self, step: u64) -> Result<()> {
        let Some(signal) = self.interrupt.signal() else { return Ok(()) };
        Err(Error::Interrupted { signal, step, resume: self.resume_command.clone() })
    }

    fn cost_row(&self, flow: &Flow, state: &TrainState, draws: &Draws, stop_reason: &str) -> CostRow {
        let ess = effective_sample_size(&draws.log_weights);
        let n_raw = draws.log_weights.len();
        let n_indep = n_raw as f64 * ess.value;
        CostRow {
            cell: 0,
            method: "direct",
            observable: "weights",
            n_train: state.cost.samples,
            setup_s: state.cost.wall_s,
            train_s_per_sample: state.cost.wall_s / state.cost.samples as f64,
            sample_s_per_configuration: draws.wall_s / n_raw as f64,
            n_raw,
            ess_per_configuration: ess.value,
            ess_per_configuration_err: ess.error,
            tau_int: None,
            tau_int_err: None,
            n_indep,
            sample_s: draws.wall_s,
            total_s: state.cost.wall_s + draws.wall_s,
            effective_samples_per_s: n_indep / draws.wall_s,
            flops_per_sample: flow.flops_per_sample(),
            device: self.device.name().into(),
            threads: device::threads(),
            stop_reason: stop_reason.into(),
        }
    }
}

/// Writes what the training loop does.
struct Recorder<'a> {
    run: &'a Run<'a>,
    flow: &'a Flow,
    action: &'a dyn Action,
    train: Table<TrainRow>,
    ess: Table<EssRow>,
    last_checkpoint: Option<PathBuf>,
    saved: Instant,
}

impl Recorder<'_> {
    fn save(&mut self, state: &TrainState, stop_reason: Option<String>) -> Result<()> {
        let table_bytes = BTreeMap::from([
            ("train.csv".to_owned(), self.train.sync()?),
            ("ess.csv".to_owned(), self.ess.sync()?),
        ]);
        let header = Header {
            spec_digest: self.run.spec.digest(),
            spec: self.run.spec.to_toml(),
            step: state.step,
            cost: state.cost,
            adam_updates: state.adam.updates,
            table_bytes,
            stop_reason,
        };
        let folder = self.run.dir.checkpoints();
        let path = folder.join(checkpoint::file_name(state.step));
        checkpoint::save(&path, &header, state, self.flow.layout())?;
        checkpoint::prune(&folder, KEPT_CHECKPOINTS)?;
        self.last_checkpoint = Some(path);
        self.saved = Instant::now();
        Ok(())
    }

    fn evaluate(&mut self, state: &TrainState) -> Result<()> {
        let run = self.run;
        let stream = Seed(run.spec.seed).stream(&format!("evaluate/{}", state.step));
        let sampler = DirectSampler {
            flow: self.flow,
            parameters: &state.parameters,
            action: self.action,
            device: run.device,
            observables: &[],
        };
        // An interruption waits for the end of an evaluation, so that every row is complete.
        let draws = sampler.draw(&stream, run.spec.evaluate.samples, &|| Ok(()))?;
        self.ess.append(&ess_row("train_eval", state, &draws.log_weights, self.action)?)
    }
}

impl Observer for Recorder<'_> {
    fn after_step(&mut self, state: &TrainState, info: &StepInfo) -> Result<()> {
        let spec = self.run.spec;
        if state.step.is_multiple_of(spec.train.log_every) {
            self.train.append(&train_row(state, info))?;
        }
        if spec.evaluate.every.is_some_and(|every| state.step.is_multiple_of(every)) {
            self.evaluate(state)?;
        }
        self.run.progress.step(&spec.train.stop, state, info);
        if let Err(interrupted) = self.run.go_on(state.step) {
            self.save(state, None)?;
            return Err(interrupted);
        }
        if self.saved.elapsed().as_secs_f64() >= spec.train.checkpoint_seconds {
            self.save(state, None)?;
        }
        Ok(())
    }

    fn last_checkpoint(&self) -> String {
        self.last_checkpoint.as_ref().map_or("none".into(), |path| path.display().to_string())
    }
}

fn train_row(state: &TrainState, info: &StepInfo) -> TrainRow {
    TrainRow {
        cell: 0,
        step: state.step,
        samples: state.cost.samples,
        batch_size: info.batch_size,
        learning_rate: info.learning_rate,
        loss: info.loss,
        ess: info.ess,
        ess_smoothed: info.ess_smoothed,
        grad_norm: info.gradient_norm,
        wall_s: state.cost.wall_s,
        flops: state.cost.flops,
    }
}

/// The row of one evaluation.
///
/// # Errors
/// [`Error::Diverged`] if a weight is not a number: nothing computed from it could be trusted.
fn ess_row(
    stage: &'static str,
    state: &TrainState,
    log_weights: &[f64],
    action: &dyn Action,
) -> Result<EssRow> {
    check_finite(state, log_weights)?;
    let ess = effective_sample_size(log_weights);
    Ok(EssRow {
        cell: 0,
        stage,
        step: state.step,
        samples: state.cost.samples,
        n: log_weights.len(),
        ess: ess.value,
        ess_err: ess.error,
        ess_target: None,
        max_weight_share: ess.max_weight_share,
        kl: action.log_partition().map(|log_z| kullback_leibler(log_weights, log_z).value),
        acceptance: None,
    })
}

fn check_finite(state: &TrainState, log_weights: &[f64]) -> Result<()> {
    let Some(&value) = log_weights.iter().find(|log_w| !log_w.is_finite()) else { return Ok(()) };
    let quantity = "log weight of a fresh configuration";
    Err(Error::Diverged { step: state.step, quantity, value, checkpoint: "none of use".into() })
}

fn observable_rows(draws: &Draws, action: &dyn Action) -> Vec<ObservableRow> {
    let n = draws.log_weights.len();
    let row = |name: &str, estimate: Estimate, exact: Option<f64>| ObservableRow {
        cell: 0,
        method: "direct",
        observable: name.into(),
        value: estimate.value,
        error: estimate.error,
        tau_int: None,
        tau_int_err: None,
        n,
        exact,
        pull: exact.map(|exact| (estimate.value - exact) / estimate.error),
    };
    let exact = action.log_partition().map(|log_z| -log_z);
    let mut rows = vec![row("free_energy", free_energy(&draws.log_weights), exact)];
    for (observable, values) in action.observables().iter().zip(&draws.observables) {
        rows.push(row(observable.name, reweighted_mean(&draws.log_weights, values), observable.exact));
    }
    rows
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
