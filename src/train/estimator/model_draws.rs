//! What every estimator on configurations of the model has: the action to learn, where it is computed, and the stream that
//! configurations are flowed from.

use super::gradient::Part;
use crate::flow::{Ahead, BoundFlow, Flow, Sample};
use crate::rng::Seed;
use crate::spec::DeterminantSpec;
use crate::theory::{Action, BegunAction};
use burn::tensor::Tensor;
use std::sync::Arc;

/// An action, and draws of a flow's base from the stream `train/base`.
pub struct ModelDraws<'a> {
    /// The action S.
    pub action: &'a dyn Action,
    determinant: DeterminantSpec,
    base: Ahead,
}

impl<'a> ModelDraws<'a> {
    /// For a flow that learns an action.
    pub fn new(flow: &Flow, action: &'a dyn Action, determinant: DeterminantSpec, seed: Seed) -> Self {
        let base = Ahead::new(Arc::clone(flow.base()), seed.stream("train/base"));
        Self { action, determinant, base }
    }

    /// The action of configurations, begun where the host computes it; its gradient only where that is said.
    pub fn begin_action(&self, phi: &Tensor<3>, with_gradient: bool) -> BegunAction<'a> {
        let action = self.action;
        match self.determinant {
            DeterminantSpec::Host => action.begin(phi, with_gradient),
            DeterminantSpec::Device => Box::new(move |phi| action.action_on_device(phi)),
        }
    }

    /// Whether a device waits for the host's actions.
    pub fn waits_for_host(&self) -> bool {
        self.determinant == DeterminantSpec::Host && self.action.is_of_host()
    }

    /// `φ = f(z)` and `log q(φ)` for a part of a batch, and in which sectors they are.
    pub fn flowed(&self, flow: &BoundFlow<'_>, part: &Part<'_>) -> Sample {
        let z = self.base.draw(part.items.clone(), part.next.clone());
        flow.sample(flow.field(z), self.base.stream(), part.items.clone())
    }
}
