//! Direct sampling: independent configurations of the model with `log w = -S - log q`.

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::flow::{BoundFlow, Flow};
use crate::rng::Stream;
use crate::theory::{Action, observable::Observable};
use burn::backend::ExecutionError;
use std::time::Instant;

/// Log weights and measurements of independent configurations.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    /// `log w = -S - log q` of every configuration, S in double precision.
    pub log_weights: Vec<f64>,
    /// `observables[i][n]`: observable i on configuration n.
    pub observables: Vec<Vec<f64>>,
    /// Seconds spent, measurements included.
    pub wall_s: f64,
}

/// A trained model and what it is to be measured with.
pub struct DirectSampler<'a> {
    /// The architecture.
    pub flow: &'a Flow,
    /// Its parameters.
    pub parameters: &'a [f32],
    /// The target.
    pub action: &'a dyn Action,
    /// Where to compute.
    pub device: &'a ComputeDevice,
    /// What to measure.
    pub observables: &'a [Observable],
}

impl DirectSampler<'_> {
    /// Draws the items `0..count` of a stream and measures them; memory holds one batch of fields.
    ///
    /// # Errors
    /// What `go_on` returns, which is asked after every batch, or [`crate::error::Error::Device`].
    pub fn draw(&self, stream: &Stream, count: usize, go_on: &dyn Fn() -> Result<()>) -> Result<Draws> {
        let start = Instant::now();
        let bound = self.flow.bind(self.parameters, &self.device.plain());
        let mut draws = Draws {
            log_weights: Vec::with_capacity(count),
            observables: vec![Vec::with_capacity(count); self.observables.len()],
            wall_s: 0.0,
        };
        let numbers: usize = self.flow.field_shape().iter().product();
        let mut batch = self.device.sample_batch(self.flow.activations_per_sample());
        while draws.log_weights.len() < count {
            let first = draws.log_weights.len();
            let size = batch.min(count - first);
            let z = self.flow.base().draw(stream, first as u64, size);
            let (phi, log_q) = match flowed(&bound, z) {
                Ok(flowed) => flowed,
                // What does not fit the device is tried again in halves.
                Err(_) if size > 1 => {
                    self.device.clean_up();
                    batch = size / 2;
                    continue;
                }
                Err(error) => return Err(self.device.failed(error)),
            };
            for (phi, log_q) in phi.chunks_exact(numbers).zip(log_q) {
                let s = self.action.action_f64(phi);
                draws.log_weights.push(-s - log_q);
                for (values, observable) in draws.observables.iter_mut().zip(self.observables) {
                    values.push((observable.measure)(phi, s));
                }
            }
            go_on()?;
        }
        draws.wall_s = start.elapsed().as_secs_f64();
        Ok(draws)
    }
}

/// Configurations and their `log q`.
fn flowed(flow: &BoundFlow<'_>, z: Vec<f32>) -> Result<(Vec<f64>, Vec<f64>), ExecutionError> {
    let (phi, log_q) = flow.sample_and_log_prob(flow.field(z));
    let phi = phi.try_into_data()?.iter::<f64>().collect();
    Ok((phi, log_q.try_into_data()?.iter::<f64>().collect()))
}
