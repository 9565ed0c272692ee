//! What the training loop does, written down: rows, evaluations, checkpoints, answers to signals.

use super::context::Context;
use super::estimates::ess_row;
use super::experiment::Experiment;
use super::row::TrainRow;
use super::tables::Tables;
use crate::error::Result;
use crate::rng::Seed;
use crate::sample::{Watch, draw};
use crate::spec::TrainSpec;
use crate::train::checkpoint::{self, Header};
use crate::train::{Observer, StepInfo, TrainState};
use std::path::PathBuf;
use std::time::Instant;

/// Checkpoints kept: the newest, and one to fall back on.
const KEPT_CHECKPOINTS: usize = 2;

/// Writes what the training loop of a cell does.
pub struct Recorder<'a> {
    context: &'a Context<'a>,
    train: &'a TrainSpec,
    experiment: &'a Experiment,
    tables: &'a mut Tables,
    last_checkpoint: Option<PathBuf>,
    /// Digest of the model that the training goes on from, if it does.
    start: Option<String>,
    /// Configurations that were on the device at once last, or are meant to be.
    micro_batch: usize,
    /// Whether the evaluation after the last step is still to be made.
    evaluation_due: bool,
    saved: Instant,
}

impl<'a> Recorder<'a> {
    pub fn new(
        context: &'a Context<'a>,
        train: &'a TrainSpec,
        experiment: &'a Experiment,
        tables: &'a mut Tables,
        last_checkpoint: Option<PathBuf>,
        micro_batch: usize,
        start: Option<String>,
    ) -> Self {
        let (evaluation_due, saved) = (false, Instant::now());
        Self {
            context,
            train,
            experiment,
            tables,
            last_checkpoint,
            start,
            micro_batch,
            evaluation_due,
            saved,
        }
    }

    /// Makes the evaluation that is due.
    ///
    /// # Errors
    /// As [`Observer::after_step`].
    pub fn evaluate(&mut self, state: &TrainState) -> Result<()> {
        self.evaluation_due = true;
        self.append_evaluation(state)?;
        self.evaluation_due = false;
        Ok(())
    }

    pub fn save(&mut self, state: &TrainState, stop_reason: Option<String>) -> Result<()> {
        let spec = self.context.spec;
        let header = Header {
            spec_digest: spec.training_digest(),
            spec: spec.to_toml(),
            step: state.step,
            cost: state.cost,
            before: state.before,
            start_digest: self.start.clone(),
            updates: state.optimizer.updates,
            tables: self.tables.marks()?,
            stop_reason,
            data_digest: self.experiment.data.as_ref().map(|data| data.digest().to_owned()),
            evaluation_due: self.evaluation_due,
        };
        let path = self.context.checkpoints.join(checkpoint::file_name(state.step));
        checkpoint::save(&path, &header, state, self.experiment.flow.layout())?;
        checkpoint::prune(&self.context.checkpoints, KEPT_CHECKPOINTS)?;
        self.last_checkpoint = Some(path);
        self.saved = Instant::now();
        Ok(())
    }

    fn append_evaluation(&mut self, state: &TrainState) -> Result<()> {
        let spec = self.context.spec;
        let stream = Seed(spec.seed).stream(&format!("evaluate/{}", state.step));
        let model = self.experiment.model(&state.parameters, self.context.device, None);
        let watch = Watch { hear: &|_| self.context.go_on(state.step), ..Watch::NOBODY };
        let draws = draw(&model, &stream, spec.evaluate.samples as u64, None, watch)?;
        let on_target = self.experiment.judge(&model)?;
        let action = &*self.experiment.theory.action;
        self.tables.append(&ess_row("train_eval", state, &draws, on_target, action)?)
    }
}

impl Observer for Recorder<'_> {
    fn after_step(&mut self, state: &TrainState, info: &StepInfo) -> Result<()> {
        let context = self.context;
        let spec = context.spec;
        if info.micro_batch < self.micro_batch.min(info.batch_size) {
            context
                .progress
                .note(&format!("the device had no room: {} configurations at once now", info.micro_batch));
            self.micro_batch = info.micro_batch;
        }
        // The last step is always a row: what a run took is read off there.
        if state.step.is_multiple_of(self.train.log_every) || info.stop.is_some() {
            self.tables.append(&train_row(state, info))?;
        }
        if spec.evaluate.every.is_some_and(|every| state.step.is_multiple_of(every)) {
            self.evaluate(state)?;
        }
        context.progress.step(&self.train.stop, state, info);
        context.go_on(state.step)?;
        if self.saved.elapsed().as_secs_f64() >= self.train.checkpoint_seconds {
            self.save(state, None)?;
        }
        Ok(())
    }

    fn within_step(&self, finished: u64) -> Result<()> {
        self.context.go_on(finished)
    }

    fn last_checkpoint(&self) -> String {
        self.last_checkpoint.as_ref().map_or("none".into(), |path| path.display().to_string())
    }
}

fn train_row(state: &TrainState, info: &StepInfo) -> TrainRow {
    TrainRow {
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
