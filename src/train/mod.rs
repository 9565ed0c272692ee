//! The only training loop: draw, flow, differentiate, clip, update, until a stop rule speaks.

pub mod checkpoint;
mod estimator;
mod optimizer;
mod schedule;
mod stop;

pub use estimator::{LossAndGradient, reverse_kl};
pub use optimizer::{Adam, AdamState};
pub use schedule::samples_until;
pub use stop::StopReason;

use crate::cost::Cost;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::flow::Flow;
use crate::rng::{Seed, Stream};
use crate::spec::TrainSpec;
use crate::stats::{RollingMean, effective_sample_size};
use crate::theory::Action;
use burn::backend::ExecutionError;
use std::cell::Cell;
use std::time::Instant;

/// Everything that changes during training; a checkpoint holds exactly this.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    /// Finished steps.
    pub step: u64,
    /// What they cost.
    pub cost: Cost,
    /// Parameters of the flow, in the order of its layout.
    pub parameters: Vec<f32>,
    /// Moments of the optimizer.
    pub adam: AdamState,
    /// Training ESS of the last steps.
    pub ess: RollingMean,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepInfo {
    /// Configurations in the batch.
    pub batch_size: usize,
    /// Learning rate of the update.
    pub learning_rate: f64,
    /// `⟨log q + S⟩` over the batch.
    pub loss: f64,
    /// Effective sample size of the batch.
    pub ess: f64,
    /// The smoothed one.
    pub ess_smoothed: f64,
    /// Norm over all gradients before clipping.
    pub gradient_norm: f64,
    /// Configurations whose gradient was taken at once.
    pub micro_batch: usize,
}

/// Why a step was not made.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// A quantity that is not a finite number, and its value.
    NotFinite(&'static str, f64),
    /// The reason the device gave.
    Device(String),
}

/// Who watches the loop: writes rows, checkpoints, shows progress, asks for a stop.
pub trait Observer {
    /// Called after every step.
    ///
    /// # Errors
    /// Whatever ends the run: a signal, a full disk.
    fn after_step(&mut self, state: &TrainState, info: &StepInfo) -> Result<()>;

    /// Where the newest checkpoint is, for messages.
    fn last_checkpoint(&self) -> String;
}

/// Trains one flow towards one action.
pub struct Trainer<'a> {
    flow: &'a Flow,
    action: &'a dyn Action,
    spec: &'a TrainSpec,
    device: &'a ComputeDevice,
    base: Stream,
    micro_batch: Cell<usize>,
}

impl<'a> Trainer<'a> {
    /// A trainer that draws its base samples from the stream `train/base`.
    pub fn new(
        flow: &'a Flow,
        action: &'a dyn Action,
        spec: &'a TrainSpec,
        device: &'a ComputeDevice,
        seed: Seed,
    ) -> Self {
        let suited = device.micro_batch(flow.activations_per_sample());
        let micro_batch = Cell::new(spec.batch.micro_batch.unwrap_or(suited));
        Self { flow, action, spec, device, base: seed.stream("train/base"), micro_batch }
    }

    /// The state before the first step.
    pub fn initial_state(&self, seed: Seed) -> TrainState {
        let parameters = self.flow.initial_parameters(seed);
        TrainState {
            step: 0,
            cost: Cost::default(),
            adam: AdamState::new(parameters.len()),
            parameters,
            ess: RollingMean::new(self.spec.smoothing_window, []),
        }
    }

    /// Steps until a stop rule speaks.
    ///
    /// # Errors
    /// [`Error::Diverged`], [`Error::Device`], or whatever the observer returns.
    pub fn run(&self, state: &mut TrainState, observer: &mut dyn Observer) -> Result<StopReason> {
        loop {
            if let Some(reason) = stop::reached(&self.spec.stop, state) {
                return Ok(reason);
            }
            let info = self.step(state).map_err(|failure| match failure {
                Failure::Device(reason) => self.device.failed(reason),
                Failure::NotFinite(quantity, value) => Error::Diverged {
                    step: state.step + 1,
                    quantity,
                    value,
                    checkpoint: observer.last_checkpoint(),
                },
            })?;
            observer.after_step(state, &info)?;
        }
    }

    /// One gradient step; after an error the state is of no use.
    ///
    /// # Errors
    /// Why there was none.
    pub fn step(&self, state: &mut TrainState) -> Result<StepInfo, Failure> {
        let start = Instant::now();
        let batch_size = schedule::batch_size(&self.spec.batch, state.step);
        let learning_rate = schedule::learning_rate(
            &self.spec.learning_rate,
            self.spec.optimizer.adam.learning_rate,
            state.step,
        );
        let mut batch = self.loss_and_gradient(state, batch_size)?;
        let loss = -batch.log_weights.iter().sum::<f64>() / batch_size as f64;
        let gradient_norm = batch.gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        for (quantity, value) in [("loss", loss), ("gradient norm", gradient_norm)] {
            if !value.is_finite() {
                return Err(Failure::NotFinite(quantity, value));
            }
        }
        let scale = (self.spec.gradient_clip / gradient_norm).min(1.0);
        batch.gradient.iter_mut().for_each(|g| *g *= scale);
        let adam = Adam::new(&self.spec.optimizer.adam);
        adam.update(&mut state.adam, learning_rate, &batch.gradient, &mut state.parameters);
        if let Some(&value) = state.parameters.iter().find(|value| !value.is_finite()) {
            return Err(Failure::NotFinite("updated parameter", f64::from(value)));
        }

        let ess = effective_sample_size(&batch.log_weights).value;
        state.ess.push(ess);
        state.step += 1;
        state.cost += Cost {
            samples: batch_size as u64,
            // Forward, gradient by the activations and gradient by the weights cost the same each.
            flops: 3.0 * self.flow.flops_per_sample() * batch_size as f64,
            wall_s: start.elapsed().as_secs_f64(),
        };
        let ess_smoothed = state.ess.mean().unwrap_or(ess);
        let micro_batch = self.micro_batch.get().min(batch_size);
        Ok(StepInfo { batch_size, learning_rate, loss, ess, ess_smoothed, gradient_norm, micro_batch })
    }

    /// The whole batch; what does not fit the device is tried again in halves.
    fn loss_and_gradient(&self, state: &TrainState, batch_size: usize) -> Result<LossAndGradient, Failure> {
        loop {
            let micro_batch = self.micro_batch.get().min(batch_size);
            match self.in_parts(state, batch_size, micro_batch) {
                Ok(batch) => return Ok(batch),
                Err(error) if micro_batch == 1 => return Err(Failure::Device(error.to_string())),
                Err(_) => {
                    self.device.clean_up();
                    self.micro_batch.set(micro_batch / 2);
                }
            }
        }
    }

    /// The whole batch, a micro-batch at a time, so that memory does not grow with the batch.
    fn in_parts(
        &self,
        state: &TrainState,
        batch_size: usize,
        micro_batch: usize,
    ) -> Result<LossAndGradient, ExecutionError> {
        let bound = self.flow.bind(&state.parameters, &self.device.autodiff());
        let mut total = LossAndGradient::zero(state.parameters.len());
        let mut done = 0;
        while done < batch_size {
            let count = micro_batch.min(batch_size - done);
            let z = self.flow.base().draw(&self.base, state.cost.samples + done as u64, count);
            total.add(reverse_kl(&bound, self.action, z, batch_size)?);
            done += count;
        }
        Ok(total)
    }
}
