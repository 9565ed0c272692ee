//! The only training loop: draw, flow, differentiate, clip, update, until a stop rule speaks.

pub mod checkpoint;
mod estimator;
mod optimizer;
mod schedule;
mod stop;

pub use estimator::{LossAndGradient, forward_kl, reverse_kl};
pub use optimizer::{Adam, AdamState};
pub use schedule::samples_until;
pub use stop::StopReason;

use crate::cost::Cost;
use crate::device::ComputeDevice;
use crate::ensemble::TargetSamples;
use crate::error::{Error, Result};
use crate::flow::{Ahead, Flow};
use crate::rng::{Seed, Stream};
use crate::spec::TrainSpec;
use crate::stats::{RollingMean, effective_sample_size, target_sample_ess};
use crate::theory::Action;
use rand::RngExt;
use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;
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
    /// Mean over the batch: `⟨log q + S⟩`, or `-⟨log q⟩` over configurations of the target.
    pub loss: f64,
    /// Effective sample size of the batch: eq. (A7) of A22, or (A8) on configurations of the target.
    pub ess: f64,
    /// The smoothed one.
    pub ess_smoothed: f64,
    /// Norm over all gradients before clipping.
    pub gradient_norm: f64,
    /// Configurations whose gradient was taken at once.
    pub micro_batch: usize,
}

/// Why a step was not made.
#[derive(Debug)]
pub enum Failure {
    /// A quantity that is not a finite number, and its value.
    NotFinite(&'static str, f64),
    /// The device gave up.
    Device(Error),
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
    base: Ahead,
    /// Configurations to learn from, with the stream that picks them.
    data: Option<(&'a TargetSamples, Stream)>,
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
        let suited = device.micro_batch(flow.activations_per_sample(), flow.working_per_sample());
        let micro_batch = Cell::new(spec.batch.micro_batch.unwrap_or(suited));
        let base = Ahead::new(Arc::clone(flow.base()), seed.stream("train/base"));
        Self { flow, action, spec, device, base, data: None, micro_batch }
    }

    /// Learns from configurations of the target instead, picked by the stream `train/data` with replacement: D_KL(p‖q).
    pub fn learning_from(mut self, samples: Option<&'a TargetSamples>, seed: Seed) -> Self {
        self.data = samples.map(|samples| (samples, seed.stream("train/data")));
        self
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

    /// Configurations that are meant to be on the device at once.
    pub fn micro_batch(&self) -> usize {
        self.micro_batch.get()
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
                Failure::Device(error) => error,
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
        let mut batch = self.loss_and_gradient(state, batch_size).map_err(Failure::Device)?;
        let loss = batch.losses.iter().sum::<f64>() / batch_size as f64;
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

        let ess = match self.data {
            None => effective_sample_size(&batch.log_weights).value,
            Some(_) => target_sample_ess(&batch.log_weights),
        };
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

    /// The base samples after a part of this step's batch: of its next part or of the next step's first, if neither has to
    /// be made smaller.
    fn next_part(&self, state: &TrainState, batch_size: usize, part: &Range<usize>) -> Range<u64> {
        let count = match batch_size - part.end {
            0 => schedule::batch_size(&self.spec.batch, state.step + 1).min(self.micro_batch.get()),
            left => left.min(part.len()),
        };
        let start = state.cost.samples + part.end as u64;
        start..start + count as u64
    }

    /// The whole batch, a micro-batch at a time, so that memory does not grow with the batch.
    fn loss_and_gradient(&self, state: &TrainState, batch_size: usize) -> Result<LossAndGradient> {
        let bound = self.flow.bind(&state.parameters, &self.device.autodiff());
        let mut total = LossAndGradient::zero(state.parameters.len());
        let compute = |part: Range<usize>| {
            let first = state.cost.samples + part.start as u64;
            if let Some((samples, stream)) = &self.data {
                let (fields, actions) = pick(samples, stream, first, part.len());
                return forward_kl(&bound, fields, &actions, batch_size);
            }
            let then = (!self.device.is_cpu()).then(|| self.next_part(state, batch_size, &part));
            let z = self.base.draw(first..first + part.len() as u64, then);
            reverse_kl(&bound, self.action, z, batch_size)
        };
        let add = |part| {
            total.add(part);
            Ok(())
        };
        self.micro_batch.set(self.device.in_parts(batch_size, self.micro_batch.get(), compute, add)?);
        Ok(total)
    }
}

/// The items `first..first + count` of a stream of configurations that are picked with replacement, with their actions.
fn pick(samples: &TargetSamples, stream: &Stream, first: u64, count: usize) -> (Vec<f32>, Vec<f64>) {
    let indices = (first..).take(count).map(|item| stream.item(item).random_range(0..samples.count()));
    let indices: Vec<usize> = indices.collect();
    let fields = indices.iter().flat_map(|&index| samples.field(index)).copied().collect();
    (fields, indices.iter().map(|&index| samples.actions()[index]).collect())
}
