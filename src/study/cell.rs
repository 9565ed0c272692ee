//! One cell: train or continue, judge on fresh configurations, sample by every method that is asked for, compare.

use super::assist::CellCall;
use super::context::Context;
use super::experiment::Experiment;
use super::recorder::Recorder;
use super::row::{EssRow, TrainRow};
use super::start::first_state;
use super::summary::Summary;
use super::tables::Tables;
use crate::ensemble::TargetSamples;
use crate::error::{Error, Result};
use crate::spec::{DeterminantSpec, ModelSpec, TrainSpec};
use crate::theory;
use crate::train::checkpoint::{self, Loaded};
use crate::train::{TrainState, Trainer, build_optimizer};
use std::path::PathBuf;

impl Context<'_> {
    /// Everything, from the newest checkpoint on.
    ///
    /// # Errors
    /// Whatever stops it.
    pub fn execute(&self, tables: &mut Tables) -> Result<Summary> {
        let Some(model) = self.spec.model() else { return self.baseline(tables) };
        let experiment = Experiment::load(self.spec)?;
        CellCall::tell(self.device.crew(), self.spec, experiment.data.as_ref())?;
        self.progress.begin(&experiment.theory.action.describe());
        let (state, stop_reason) = self.train(model, &experiment, tables)?;
        let sampled = self.sample(&experiment, &state)?;
        self.write(&experiment, &state, stop_reason, &sampled, tables)
    }

    /// What needs no model.
    fn baseline(&self, tables: &mut Tables) -> Result<Summary> {
        let theory = theory::build(&self.spec.theory);
        CellCall::tell(self.device.crew(), self.spec, None)?;
        self.progress.begin(&theory.action.describe());
        let runs = self.sample_baseline(&theory)?;
        self.write_baseline(&theory, &runs.iter().collect::<Vec<_>>(), tables)
    }

    fn train(
        &self,
        model: ModelSpec<'_>,
        experiment: &Experiment,
        tables: &mut Tables,
    ) -> Result<(TrainState, String)> {
        let (Experiment { theory, flow, .. }, train) = (experiment, model.train);
        let beside = experiment.beside(train, self.seed());
        let (target, device) = (experiment.learned_from(beside.as_ref()), self.device);
        let trainer = Trainer::new(flow, &*theory.action, train, target, device, self.seed())?;
        let first = || first_state(&trainer, flow, model, self.seed(), self.origin.as_ref());
        let (found, mut state, start) = match self.newest(train, experiment)? {
            Some(Loaded { path, header, state }) => {
                // A model that is gone by now is not needed any more.
                let same_start = first().map_or(true, |(_, digest)| digest == header.start_digest);
                let rule = "was written after starting from another model: that file has changed since";
                if !same_start {
                    return Err(of_another_run(path, rule));
                }
                let start = header.start_digest.clone();
                (Some((path, header)), state, start)
            }
            None => {
                let (state, start) = first()?;
                (None, state, start)
            }
        };
        let header = found.as_ref().map(|(_, header)| header);
        // Rows of an earlier attempt go before the first new one comes.
        if let Some(header) = header {
            tables.keep(&header.tables);
        }
        tables.open::<TrainRow>()?;
        tables.open::<EssRow>()?;
        if let Some(reason) = header.and_then(|header| header.stop_reason.clone()) {
            return Ok((state, reason));
        }
        self.tell_precision(train, &trainer, &state)?;
        self.tell_idle(train, &trainer);
        let is_due = header.is_some_and(|header| header.evaluation_due);
        let last = found.map(|(path, _)| path);
        let mut recorder = Recorder::new(self, train, experiment, tables, last, trainer.micro_batch(), start);
        let caught_up = if is_due { recorder.evaluate(&state) } else { Ok(()) };
        let outcome = caught_up.and_then(|()| trainer.run(&mut state, &mut recorder));
        if let Err(Error::Device { .. } | Error::Interrupted { .. }) = &outcome {
            // The state is on the host, and whole: a step that was not made has not touched it.
            recorder.save(&state, None)?;
        }
        let reason = outcome?.to_string();
        recorder.save(&state, Some(reason.clone()))?;
        Ok((state, reason))
    }

    /// Says what a loss in single precision is worth, where one was asked for.
    fn tell_precision(&self, train: &TrainSpec, trainer: &Trainer<'_>, state: &TrainState) -> Result<()> {
        if train.determinant == DeterminantSpec::Device && self.device.is_cpu() {
            let text = "train.determinant has no effect on the CPU: determinants are in double precision";
            self.progress.note(text);
        }
        match trainer.precision(state)? {
            Some(precision) if precision.is_poor() => self.progress.warn(&precision.to_string()),
            Some(precision) => self.progress.note(&precision.to_string()),
            None => {}
        }
        Ok(())
    }

    /// Says that processes have nothing to do, where the batch has too few parts.
    fn tell_idle(&self, train: &TrainSpec, trainer: &Trainer<'_>) {
        let (processes, size, part) = (self.device.crew().size(), train.batch.size, trainer.micro_batch());
        let busy = size.div_ceil(part).min(processes);
        if busy < processes {
            self.progress.warn(&format!(
                "{} of {processes} processes idle in training: a batch of {size} has {busy} parts of \
                 train.batch.micro_batch = {part} configurations; {} or less suits them",
                processes - busy,
                size.div_ceil(processes)
            ));
        }
    }

    /// The checkpoint to go on from, if there is one.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it belongs to another run.
    fn newest(&self, train: &TrainSpec, experiment: &Experiment) -> Result<Option<Loaded>> {
        let Experiment { flow, data, .. } = experiment;
        let (layout, optimizer) = (flow.layout(), build_optimizer(&train.optimizer));
        let remark = |text: &str| self.progress.note(text);
        let found =
            checkpoint::newest(&self.checkpoints, layout, &*optimizer, train.smoothing_window, remark)?;
        if let Some(loaded) = &found {
            self.check_same_training(loaded, data.as_ref())?;
            self.progress.note(&format!("continuing after step {}", loaded.state.step));
        }
        Ok(found)
    }

    /// # Errors
    /// [`Error::BadFile`] if the checkpoint belongs to another run.
    fn check_same_training(&self, loaded: &Loaded, data: Option<&TargetSamples>) -> Result<()> {
        let rule = if loaded.header.spec_digest != self.spec.training_digest() {
            "was written for another specification"
        } else if loaded.header.data_digest.as_deref() != data.map(TargetSamples::digest) {
            "was written while learning from another ensemble: the file has changed since"
        } else {
            return Ok(());
        };
        Err(of_another_run(loaded.path.clone(), rule))
    }
}

fn of_another_run(path: PathBuf, rule: &str) -> Error {
    let hint = "remove it from the run directory, or start over with --fresh".into();
    Error::BadFile { path, rule: rule.into(), hint }
}
