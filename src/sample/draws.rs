//! Configurations from the model with their weights and measurements, a batch at a time.

use crate::device::{ComputeDevice, Failure, to_host};
use crate::error::Result;
use crate::flow::{Ahead, BoundFlow, Flow, Sample};
use crate::rng::Stream;
use crate::theory::{Action, Observables};
use burn::tensor::Element;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// `[configuration][component, site]`.
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

    /// Calls `each` with the items `first..first + count` of a stream, in order, in batches that fit the device.
    ///
    /// # Errors
    /// What `each` returns, or [`crate::error::Error::Device`].
    pub fn draw(
        &self,
        bound: &BoundFlow<'_>,
        stream: &Stream,
        first: u64,
        count: u64,
        each: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        let last = first + count;
        let base = Ahead::new(Arc::clone(self.flow.base()), stream.clone());
        let draw = |part: Range<usize>| {
            let [start, end] = [part.start, part.end].map(|place| first + place as u64);
            let more = end < last && !self.device.is_cpu();
            // As many again, or what is left: also where parts had to be made smaller.
            let z = base.draw(start..end, more.then(|| end..last.min(end + part.len() as u64)));
            let Sample { phi, log_q, .. } = bound.sample(bound.field(z), stream, start..end);
            let (mut fields, log_q) = (to_host(phi)?, to_host(log_q)?);
            if let Some(signs) = self.flow.signs(stream, start..end) {
                let configurations = fields.chunks_exact_mut(self.numbers()).zip(signs);
                configurations.for_each(|(field, sign)| field.iter_mut().for_each(|phi| *phi *= sign));
            }
            self.action.make_canonical(&mut fields);
            Ok::<_, Failure>((fields, log_q))
        };
        let measure = |(fields, log_q)| each(self.measured(fields, log_q));
        self.device.sample_in_parts(count as usize, self.batch(), draw, measure)
    }

    /// `log q` of given configurations, through the inverse flow.
    ///
    /// # Shapes
    /// `fields`: `[configuration][component, site]`
    ///
    /// # Errors
    /// [`crate::error::Error::Device`].
    pub fn log_prob<E: Element>(&self, bound: &BoundFlow<'_>, fields: &[E]) -> Result<Vec<f64>> {
        let (numbers, mut all) = (self.numbers(), Vec::new());
        let compute = |part: Range<usize>| {
            let fields = fields[part.start * numbers..part.end * numbers].iter();
            let mut fields: Vec<f64> = fields.map(|number| number.elem()).collect();
            self.action.make_canonical(&mut fields);
            to_host(bound.log_prob(bound.field(fields)))
        };
        let keep = |log_q: Vec<f64>| {
            all.extend(log_q);
            Ok(())
        };
        self.device.sample_in_parts(fields.len() / numbers, self.batch(), compute, keep)?;
        Ok(all)
    }

    /// Configurations that suit the device at once.
    fn batch(&self) -> usize {
        self.device.sample_batch(self.flow.working_per_sample(), self.at_most)
    }

    fn measured(&self, fields: Vec<f64>, log_q: Vec<f64>) -> Batch {
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
