//! The training loop.

use super::estimator::{self, Estimator, ModelDraws};
use super::optimizer::{self, Optimizer};
use super::precision::Precision;
use super::schedule;
use super::state::TrainState;
use super::step::{Step, StepInfo};
use super::stop::{self, StopReason};
use super::target::{Target, TargetBatch, TargetChains, TargetState};
use crate::cost::Cost;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::flow::Flow;
use crate::rng::Seed;
use crate::spec::{DeterminantSpec, OptimizerStart, TrainSpec};
use crate::stats::RollingMean;
use crate::theory::Action;
use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::time::Instant;

/// Why a step was not made.
#[derive(Debug)]
pub enum StepFailure {
    /// A quantity that is not a finite number, and its value; the state is of no use.
    NotFinite(&'static str, f64),
    /// The device gave up, or somebody asked for a stop; the state is that before the step.
    Ended(Error),
}

/// Who watches the loop: writes rows, checkpoints, shows progress, asks for a stop.
pub trait Observer {
    /// Called after every step.
    ///
    /// # Errors
    /// Whatever ends the run: a signal, a full disk.
    fn after_step(&mut self, state: &TrainState, info: &StepInfo) -> Result<()>;

    /// Asked between the parts of the step that follows so many finished ones.
    ///
    /// # Errors
    /// Whatever ends the run before the step is made.
    fn within_step(&self, _finished: u64) -> Result<()> {
        Ok(())
    }

    /// Where the newest checkpoint is, for messages.
    fn last_checkpoint(&self) -> String;
}

/// Watches nothing and keeps nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Observer for Nobody {
    fn after_step(&mut self, _: &TrainState, _: &StepInfo) -> Result<()> {
        Ok(())
    }

    fn last_checkpoint(&self) -> String {
        "none".into()
    }
}

/// Trains one flow.
pub struct Trainer<'a> {
    pub(super) flow: &'a Flow,
    action: &'a dyn Action,
    pub(super) spec: &'a TrainSpec,
    pub(super) device: &'a ComputeDevice,
    seed: Seed,
    pub(super) estimator: Box<dyn Estimator + 'a>,
    chains: Option<&'a dyn TargetChains>,
    optimizer: Box<dyn Optimizer>,
    pub(super) micro_batch: Cell<usize>,
}

impl<'a> Trainer<'a> {
    /// A trainer with the loss and the update rule of a specification; `target` is where the configurations of the target come from
    /// that it names, if it names some.
    ///
    /// # Errors
    /// [`Error::Usage`] for a loss on configurations of the target without any.
    pub fn new(
        flow: &'a Flow,
        action: &'a dyn Action,
        spec: &'a TrainSpec,
        target: Option<Target<'a>>,
        device: &'a ComputeDevice,
        seed: Seed,
    ) -> Result<Self> {
        let held = spec.loss.passes_held() as f64 * flow.activations_per_sample();
        let suited = device.micro_batch(held, flow.working_per_sample());
        let micro_batch = Cell::new(spec.batch.micro_batch.unwrap_or(suited));
        let draws = ModelDraws::new(flow, action, spec.determinant, seed);
        let estimator = estimator::build(&spec.loss, draws, target, seed)?;
        let optimizer = optimizer::build(&spec.optimizer);
        let chains = match target {
            Some(Target::Running(chains)) => Some(chains),
            Some(Target::Stored(_)) | None => None,
        };
        Ok(Self { flow, action, spec, device, seed, estimator, chains, optimizer, micro_batch })
    }

    /// The state before the first step.
    pub fn initial_state(&self, seed: Seed) -> TrainState {
        let parameters = self.flow.initial_parameters(seed);
        TrainState {
            step: 0,
            cost: Cost::default(),
            before: Cost::default(),
            optimizer: self.optimizer.start(parameters.len()),
            parameters,
            ess: RollingMean::new(self.spec.smoothing_window, []),
            target: None,
        }
    }

    /// The state before the first step of a training that goes on from another one.
    ///
    /// # Panics
    /// If the flow has another number of parameters, or the optimizer is another.
    pub fn state_after(&self, other: TrainState, optimizer: OptimizerStart) -> TrainState {
        assert_eq!(other.parameters.len(), self.flow.layout().len(), "parameters there and here");
        let mut before = other.before;
        before += other.cost;
        let optimizer = match optimizer {
            OptimizerStart::Carried => other.optimizer,
            OptimizerStart::Reset => self.optimizer.start(other.parameters.len()),
        };
        assert_eq!(optimizer.name, self.optimizer.name(), "optimizers there and here");
        let ess = RollingMean::new(self.spec.smoothing_window, []);
        TrainState {
            step: 0,
            cost: Cost::default(),
            before,
            optimizer,
            parameters: other.parameters,
            ess,
            target: None,
        }
    }

    /// Configurations that are meant to be on the device at once.
    pub fn micro_batch(&self) -> usize {
        self.micro_batch.get()
    }

    /// Counted floating-point operations of a training step per configuration, without those of chains that run beside it.
    pub fn flops_per_sample(&self) -> f64 {
        self.estimator.flops_per_sample(self.flow)
    }

    /// How precise the loss is on the first configurations of the next batch, as many as are on the device at once; nothing where it is
    /// computed in double precision.
    ///
    /// # Errors
    /// [`crate::error::Error::Device`].
    pub fn precision(&self, state: &TrainState) -> Result<Option<Precision>> {
        let is_single = self.spec.determinant == DeterminantSpec::Device && !self.device.is_cpu();
        if !is_single || self.spec.loss.reverse().is_none() {
            return Ok(None);
        }
        let bound = self.flow.bind_for_training(&state.parameters, &self.device.plain());
        let (stream, first) = (self.seed.stream("train/base"), state.next_item());
        let count = schedule::batch_size(&self.spec.batch, state.step).min(self.micro_batch.get());
        let mut found = Precision::default();
        let compute = |places: Range<usize>| {
            let start = first + places.start as u64;
            let z = self.flow.base().draw(&stream, start, places.len());
            let items = start..start + places.len() as u64;
            Precision::measured(self.action, bound.sample(bound.field(z), &stream, items).phi)
        };
        let add = |part| {
            found = found.and(part);
            Ok(())
        };
        self.device.in_parts(count, count, compute, add)?;
        Ok(Some(found))
    }

    /// Steps until a stop rule speaks.
    ///
    /// # Errors
    /// [`Error::Diverged`], [`Error::Device`], or whatever the observer returns.
    pub fn run(&self, state: &mut TrainState, observer: &mut dyn Observer) -> Result<StopReason> {
        let mut stop = stop::reached(&self.spec.stop, state);
        loop {
            if let Some(reason) = stop {
                return Ok(reason);
            }
            let finished = state.step;
            let info = self.try_step(state, &|| observer.within_step(finished));
            let info = info.map_err(|failure| self.error(failure, finished + 1, observer))?;
            stop = info.stop;
            observer.after_step(state, &info)?;
        }
    }

    fn error(&self, failure: StepFailure, step: u64, observer: &dyn Observer) -> Error {
        match failure {
            StepFailure::Ended(error) => error,
            StepFailure::NotFinite(quantity, value) => {
                let checkpoint = observer.last_checkpoint();
                Error::Diverged { step, quantity, value, checkpoint, optimizer: self.optimizer.name() }
            }
        }
    }

    /// One gradient step.
    ///
    /// # Errors
    /// Why there was none.
    pub fn step(&self, state: &mut TrainState) -> Result<StepInfo, StepFailure> {
        self.try_step(state, &|| Ok(()))
    }

    /// A gradient step that `go_on` may end between two parts of the batch.
    pub(super) fn try_step(
        &self,
        state: &mut TrainState,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<StepInfo, StepFailure> {
        let start = Instant::now();
        let batch_size = schedule::batch_size(&self.spec.batch, state.step);
        let rate = self.spec.optimizer.learning_rate();
        let learning_rate = schedule::learning_rate(&self.spec.learning_rate, rate, state.step);
        let drawn = self.draw_target(state, batch_size, go_on).map_err(StepFailure::Ended)?;
        let (target, of_target) = drawn.unzip();
        let step = Step {
            finished: state.step,
            first: state.next_item(),
            batch_size,
            micro_batch: self.micro_batch.get(),
            parameters: Cow::Borrowed(&state.parameters),
            target: of_target.as_ref().map(Cow::Borrowed),
        };
        let sums = self.lead(&step, go_on).map_err(StepFailure::Ended)?;
        let mut batch = self.estimator.finish(sums);
        let gradient_norm = batch.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        finite("loss", batch.loss)?;
        finite("gradient norm", gradient_norm)?;
        let scale = (self.spec.gradient_clip / gradient_norm).min(1.0);
        batch.gradient.iter_mut().for_each(|g| *g *= scale);
        let TrainState { optimizer, parameters, .. } = state;
        self.optimizer.update(optimizer, learning_rate, &batch.gradient, parameters);
        parameters.iter().try_for_each(|value| finite("updated parameter", f64::from(*value)))?;

        state.ess.push(batch.ess);
        state.target = target;
        state.step += 1;
        state.cost += Cost {
            samples: batch_size as u64,
            flops: self.flops_per_sample() * batch_size as f64 + of_target.map_or(0.0, |batch| batch.flops),
            wall_s: start.elapsed().as_secs_f64(),
        };
        Ok(StepInfo {
            batch_size,
            learning_rate,
            loss: batch.loss,
            ess: batch.ess,
            ess_smoothed: state.ess.mean().unwrap_or(batch.ess),
            gradient_norm,
            micro_batch: self.micro_batch.get().min(batch_size),
            stop: stop::reached(&self.spec.stop, state),
        })
    }

    /// Configurations of the target for a batch, and where chains of it stand then; nothing where none run.
    fn draw_target(
        &self,
        state: &TrainState,
        batch_size: usize,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<Option<(TargetState, TargetBatch)>> {
        self.chains.map(|chains| chains.draw(state.target.as_ref(), batch_size, go_on)).transpose()
    }
}

fn finite(quantity: &'static str, value: f64) -> Result<(), StepFailure> {
    if value.is_finite() { Ok(()) } else { Err(StepFailure::NotFinite(quantity, value)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;
    use crate::theory;

    #[test]
    fn a_loss_on_configurations_of_the_target_is_not_trained_without_them() {
        let text = "version = 1\nseed = 1\n\
                    theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.0 }\n\
                    flow.affine = { layers = 2, kernel_size = 3, hidden = [2] }\n\
                    train = { batch.size = 2, optimizer.adam.learning_rate = 1e-3, stop.steps = 1 }\n";
        let (device, seed) = (ComputeDevice::cpu(), Seed(1));
        for (set, is_trained) in [(None, true), (Some("train.loss.forward_kl.ensemble=phi.npz"), false)] {
            let set: Vec<String> = set.map(str::to_owned).into_iter().collect();
            let spec = Spec::parse(text, &set).unwrap();
            let action = theory::build(&spec.theory).action;
            let model = spec.model().expect("it has one");
            let flow = Flow::new(model.flow, action.lattice());
            let trainer = Trainer::new(&flow, &*action, model.train, None, &device, seed);
            assert_eq!(trainer.is_ok(), is_trained);
            assert!(is_trained || trainer.err().is_some_and(|error| error.to_string().contains("phi.npz")));
        }
    }
}
