//! Configurations drawn from a model by all processes, in rounds of a batch each.

use super::draws::{Batch, Model};
use super::rounds::{Rounds, answer};
use crate::comm::{Call, Crew, Task};
use crate::device::{ComputeDevice, Failure, to_host};
use crate::error::Result;
use crate::flow::{Ahead, BoundFlow, Flow, Sample};
use crate::rng::Stream;
use crate::theory::Theory;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Which configurations are drawn.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Where their random numbers come from.
    pub stream: &'a Stream,
    /// Which items of it.
    pub items: Range<u64>,
    /// Whether the configurations themselves are needed, beside their numbers: other processes would have to send them.
    pub fields: bool,
}

/// What all have to know who draw.
#[derive(Serialize, Deserialize)]
pub struct Opening<'a> {
    /// Where random numbers come from.
    pub stream: Cow<'a, Stream>,
    parameters: Cow<'a, [f32]>,
    is_measured: bool,
    fields: bool,
    at_most: Option<usize>,
}

/// Items that all processes draw together, and those that come after.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Round {
    items: Range<u64>,
    next: Range<u64>,
}

/// Who draws.
pub struct Drawing<'a> {
    model: &'a Model<'a>,
    bound: &'a BoundFlow<'a>,
    base: Ahead,
    fields: bool,
}

impl Model<'_> {
    /// Calls `each` with the configurations that are wanted, in order, in batches that fit the device. While it works on those of one
    /// round other processes draw the next.
    ///
    /// # Errors
    /// What `each` returns, or [`crate::error::Error::Device`].
    pub fn draw(
        &self,
        bound: &BoundFlow<'_>,
        wanted: &Wanted<'_>,
        each: &mut dyn FnMut(Batch) -> Result<()>,
    ) -> Result<()> {
        let Wanted { stream, ref items, fields } = *wanted;
        let rounds = Rounds::open(self.crew(), Task::Draw, || Opening::of(self, stream, fields));
        let drawing = Drawing::new(self, bound, wanted.stream, fields);
        let held = if fields { self.numbers() } else { self.width() };
        let after = |start: u64| start..items.end.min(start + self.round(held) as u64);
        let (mut drawn, mut next) = (Vec::new(), after(items.start));
        while !next.is_empty() {
            let round = Round { items: next.clone(), next: after(next.end) };
            rounds.call(|| &round);
            let own = drawn.drain(..).flatten().try_for_each(&mut *each).and_then(|()| drawing.round(&round));
            drawn = self.crew().collect(own)?;
            next = round.next;
        }
        drawn.into_iter().flatten().try_for_each(each)
    }
}

/// What a process that does not lead does when it is called to draw.
pub fn assist(call: &Call, flow: &Flow, theory: &Theory, device: &ComputeDevice) {
    let opening = call.job::<Opening<'_>>();
    let model = opening.model(flow, theory, device);
    let bound = model.bind();
    let drawing = Drawing::new(&model, &bound, &opening.stream, opening.fields);
    // The leader says what became of it.
    answer(device.crew(), Task::Draw, |round| drop(device.crew().collect(drawing.round(&round))));
}

impl<'a> Opening<'a> {
    /// With a model, from a stream.
    pub fn of(model: &'a Model<'_>, stream: &'a Stream, fields: bool) -> Self {
        Self {
            stream: Cow::Borrowed(stream),
            parameters: Cow::Borrowed(model.parameters),
            is_measured: model.observables.is_some(),
            fields,
            at_most: model.at_most,
        }
    }

    /// The leader's model.
    pub fn model(&'a self, flow: &'a Flow, theory: &'a Theory, device: &'a ComputeDevice) -> Model<'a> {
        let observables = self.is_measured.then_some(&*theory.observables);
        let (parameters, action, at_most) = (&*self.parameters, &*theory.action, self.at_most);
        Model { flow, parameters, action, device, observables, at_most }
    }
}

impl<'a> Drawing<'a> {
    /// Draws with a model from a stream, and keeps configurations beside their numbers or not.
    pub fn new(model: &'a Model<'a>, bound: &'a BoundFlow<'a>, stream: &Stream, fields: bool) -> Self {
        let base = Ahead::new(Arc::clone(model.flow.base()), stream.clone());
        Self { model, bound, base, fields }
    }

    /// The model.
    pub fn model(&self) -> &'a Model<'a> {
        self.model
    }

    /// The processes that draw.
    pub fn crew(&self) -> &'a Crew {
        self.model.crew()
    }

    /// This process's share of a round.
    fn round(&self, round: &Round) -> Result<Vec<Batch>> {
        self.compute(self.share(&round.items), self.share(&round.next))
    }

    /// Consecutive items in batches that fit the device, and those that will probably be asked for next.
    ///
    /// # Errors
    /// [`crate::error::Error::Device`].
    pub fn compute(&self, share: Range<u64>, next: Range<u64>) -> Result<Vec<Batch>> {
        let (crew, device) = (self.crew(), self.model.device);
        let mut batches = Vec::new();
        let draw = |part: Range<usize>| {
            let [start, end] = [part.start, part.end].map(|place| share.start + place as u64);
            // As many again, or what is left: also where parts had to be made smaller.
            let more = if end < share.end { end..share.end } else { next.clone() };
            let more = more.start..more.end.min(more.start + part.len() as u64);
            self.draw(start..end, (!device.is_cpu() && !more.is_empty()).then_some(more))
        };
        let keep = |(fields, log_q)| {
            let batch = self.model.measured(fields, log_q);
            batches.push(if self.fields { batch } else { Batch { fields: Vec::new(), ..batch } });
            if crew.is_left() { Err(Crew::left_error()) } else { Ok(()) }
        };
        let count = (share.end - share.start) as usize;
        device.sample_in_parts(count, self.model.batch(), draw, keep)?;
        Ok(batches)
    }

    /// This process's share of consecutive items.
    pub fn share(&self, items: &Range<u64>) -> Range<u64> {
        let share = self.model.share((items.end - items.start) as usize);
        items.start + share.start as u64..items.start + share.end as u64
    }

    /// Configurations with their `log q`; random numbers that will probably be asked for next are drawn ahead.
    fn draw(&self, items: Range<u64>, then: Option<Range<u64>>) -> Result<(Vec<f64>, Vec<f64>), Failure> {
        let (model, stream) = (self.model, self.base.stream());
        let z = self.base.draw(items.clone(), then);
        let Sample { phi, log_q, .. } = self.bound.sample(self.bound.field(z), stream, items.clone());
        let (mut fields, log_q) = (to_host(phi)?, to_host(log_q)?);
        if let Some(signs) = model.flow.signs(stream, items) {
            let configurations = fields.chunks_exact_mut(model.numbers()).zip(signs);
            configurations.for_each(|(field, sign)| field.iter_mut().for_each(|phi| *phi *= sign));
        }
        model.action.make_canonical(&mut fields);
        Ok((fields, log_q))
    }
}
