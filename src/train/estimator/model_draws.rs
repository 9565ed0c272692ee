//! What every estimator on configurations of the model has: the action to learn, and the stream that they are flowed from.

use super::gradient::Part;
use crate::flow::{Ahead, BoundFlow, Flow};
use crate::rng::Seed;
use crate::theory::Action;
use burn::tensor::Tensor;
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

    /// `φ = f(z)` and `log q(φ)` for a part of a batch.
    ///
    /// # Shapes
    /// `[batch, component, site]` and `[batch]`
    pub fn flowed(&self, flow: &BoundFlow<'_>, part: &Part<'_>) -> (Tensor<3>, Tensor<1>) {
        let z = self.base.draw(part.items.clone(), part.next.clone());
        flow.sample_and_log_prob(flow.field(z))
    }
}
