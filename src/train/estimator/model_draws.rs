//! What every estimator on configurations of the model has: the action to learn, and the stream that they are flowed from.

use super::gradient::Part;
use crate::flow::{Ahead, BoundFlow, Flow, Sample};
use crate::rng::Seed;
use crate::theory::Action;
use std::sync::Arc;

/// An action, and draws of a flow's base from the stream `train/base`.
pub struct ModelDraws<'a> {
    /// The action S.
    pub action: &'a dyn Action,
    base: Ahead,
}

impl<'a> ModelDraws<'a> {
    /// For a flow that learns an action.
    pub fn new(flow: &Flow, action: &'a dyn Action, seed: Seed) -> Self {
        Self { action, base: Ahead::new(Arc::clone(flow.base()), seed.stream("train/base")) }
    }

    /// `φ = f(z)` and `log q(φ)` for a part of a batch, and in which sectors they are.
    pub fn flowed(&self, flow: &BoundFlow<'_>, part: &Part<'_>) -> Sample {
        let z = self.base.draw(part.items.clone(), part.next.clone());
        flow.sample(flow.field(z), self.base.stream(), part.items.clone())
    }
}
