//! A model that is sampled, and a batch of configurations from it with their weights and measurements.

use crate::comm::Crew;
use crate::device::ComputeDevice;
use crate::flow::{BoundFlow, Flow};
use crate::theory::{Action, Observables};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Shares of processes are made of so many configurations: whole tiles of all kernels.
const SHARED: usize = 64;

/// Numbers that the leader holds of a round of several processes, about: a gigabyte.
const HELD: usize = 1 << 27;

/// A trained model and what it is measured with.
pub struct Model<'a> {
    /// The architecture.
    pub flow: &'a Flow,
    /// Its parameters.
    pub parameters: &'a [f32],
    /// The target.
    pub action: &'a dyn Action,
    /// Where to compute.
    pub device: &'a ComputeDevice,
    /// What is measured; nothing if left out.
    pub observables: Option<&'a dyn Observables>,
    /// Configurations that a GPU takes at once, at most, where its memory is short.
    pub at_most: Option<usize>,
}

/// Some configurations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Batch {
    /// `[configuration][component, site]`; empty where nobody needs them.
    pub fields: Vec<f64>,
    /// `log q` of every configuration.
    pub log_q: Vec<f64>,
    /// The action of every configuration, in double precision.
    pub actions: Vec<f64>,
    /// Measurements `[configuration][width]`.
    pub rows: Vec<f64>,
}

impl Batch {
    /// `log w = -S - log q`.
    pub fn log_weight(&self, index: usize) -> f64 {
        -self.actions[index] - self.log_q[index]
    }
}

impl Model<'_> {
    /// Numbers of a configuration.
    pub fn numbers(&self) -> usize {
        self.flow.field_shape().iter().product()
    }

    /// Numbers of a measurement.
    pub fn width(&self) -> usize {
        self.observables.map_or(0, Observables::width)
    }

    /// Counted floating-point operations to draw one configuration with its weight: those of the flow and of the action.
    pub fn flops_per_sample(&self) -> f64 {
        self.flow.flops_per_sample() + self.action.value_flops()
    }

    /// What stands for its density where draws are told apart: the parameters, and what the flow is beside them.
    pub fn density_id(&self) -> Vec<u8> {
        let parameters: &[u8] = bytemuck::cast_slice(self.parameters);
        [parameters, self.flow.density_id().as_bytes()].concat()
    }

    /// The parameters on the device.
    pub fn bind(&self) -> BoundFlow<'_> {
        self.flow.bind(self.parameters, &self.device.plain())
    }

    /// The processes that compute together.
    pub(super) fn crew(&self) -> &Crew {
        self.device.crew()
    }

    /// Configurations that suit the device at once.
    pub(super) fn batch(&self) -> usize {
        self.device.sample_batch(self.flow.working_per_sample(), self.at_most)
    }

    /// Configurations that suit the devices of all processes at once, where the leader holds so many numbers of each.
    pub(super) fn round(&self, held: usize) -> usize {
        let (size, batch) = (self.crew().size(), self.batch());
        match self.crew().is_alone() {
            true => batch,
            false => (size * batch).min((HELD / held.max(1)).max(size * SHARED)),
        }
    }

    /// This process's share of so many configurations.
    pub(super) fn share(&self, count: usize) -> Range<usize> {
        self.crew().share(count, SHARED)
    }

    /// Configurations with their actions and measurements.
    pub(super) fn measured(&self, fields: Vec<f64>, log_q: Vec<f64>) -> Batch {
        let (numbers, width) = (self.numbers(), self.width());
        let mut actions = vec![0.0; log_q.len()];
        let mut rows = vec![0.0; log_q.len() * width];
        let (target, observables) = (self.action, self.observables);
        let one = |field: &[f64], action: &mut f64, row: &mut [f64]| {
            *action = target.action_f64(field);
            if let Some(observables) = observables {
                observables.measure(field, *action, row);
            }
        };
        match width {
            0 => fields.par_chunks_exact(numbers).zip(&mut actions).for_each(|(f, a)| one(f, a, &mut [])),
            _ => fields
                .par_chunks_exact(numbers)
                .zip(&mut actions)
                .zip(rows.par_chunks_exact_mut(width))
                .for_each(|((f, a), row)| one(f, a, row)),
        }
        Batch { fields, log_q, actions, rows }
    }
}
