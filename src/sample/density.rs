//! The density of a model where configurations are, computed by all processes.

use super::draws::Model;
use super::rounds::{Rounds, answer};
use crate::comm::{Call, Crew, Task};
use crate::device::{ComputeDevice, to_host};
use crate::error::Result;
use crate::flow::{BoundFlow, Flow};
use crate::theory::Theory;
use burn::tensor::Element;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;

/// What all have to know who compute it.
#[derive(Serialize, Deserialize)]
struct Opening<'a> {
    parameters: Cow<'a, [f32]>,
    at_most: Option<usize>,
}

impl Model<'_> {
    /// `log q` of given configurations, through the inverse flow.
    ///
    /// # Shapes
    /// `fields`: `[configuration][component, site]`
    ///
    /// # Errors
    /// [`crate::error::Error::Device`].
    pub fn log_prob<E: Element>(&self, bound: &BoundFlow<'_>, fields: &[E]) -> Result<Vec<f64>> {
        let (crew, numbers) = (self.crew(), self.numbers());
        let rounds = Rounds::open(crew, Task::Density, || Opening {
            parameters: Cow::Borrowed(self.parameters),
            at_most: self.at_most,
        });
        let round = if crew.is_alone() { fields.len() / numbers } else { self.round(numbers) };
        let mut all = Vec::new();
        for fields in fields.chunks(round.max(1) * numbers) {
            rounds.call(|| fields.iter().map(|number| number.elem()).collect::<Vec<f64>>());
            let shares = crew.collect(self.share_of_log_prob(bound, fields))?;
            all.extend(shares.into_iter().flatten());
        }
        Ok(all)
    }

    /// The same of this process's share of them.
    fn share_of_log_prob<E: Element>(&self, bound: &BoundFlow<'_>, fields: &[E]) -> Result<Vec<f64>> {
        let (numbers, mut all) = (self.numbers(), Vec::new());
        let share = self.share(fields.len() / numbers);
        let compute = |part: Range<usize>| {
            let [start, end] = [part.start, part.end].map(|place| (share.start + place) * numbers);
            let mut fields: Vec<f64> = fields[start..end].iter().map(|number| number.elem()).collect();
            self.action.make_canonical(&mut fields);
            to_host(bound.log_prob(bound.field(fields)))
        };
        let keep = |log_q: Vec<f64>| {
            all.extend(log_q);
            if self.crew().is_left() { Err(Crew::left_error()) } else { Ok(()) }
        };
        self.device.sample_in_parts(share.len(), self.batch(), compute, keep)?;
        Ok(all)
    }
}

/// What a process that does not lead does when it is called for densities.
pub fn assist(call: &Call, flow: &Flow, theory: &Theory, device: &ComputeDevice) {
    let Opening { parameters, at_most } = call.job::<Opening<'_>>();
    let (parameters, action) = (&*parameters, &*theory.action);
    let model = Model { flow, parameters, action, device, observables: None, at_most };
    let bound = model.bind();
    // The leader says what became of it.
    answer(device.crew(), Task::Density, |fields: Vec<f64>| {
        drop(device.crew().collect(model.share_of_log_prob(&bound, &fields)));
    });
}
