//! Estimators of the gradients of the Kullback-Leibler divergences.

use crate::device::{Failure, to_host};
use crate::flow::BoundFlow;
use crate::theory::Action;

/// Log weights of a batch and the gradient of its loss.
#[derive(Debug, Clone, PartialEq)]
pub struct LossAndGradient {
    /// What the loss is the mean of, for every configuration.
    pub losses: Vec<f64>,
    /// `log w = -S - log q` of every configuration.
    pub log_weights: Vec<f64>,
    /// Gradient of the loss by all parameters.
    pub gradient: Vec<f64>,
}

impl LossAndGradient {
    /// Nothing yet.
    pub fn zero(parameters: usize) -> Self {
        Self { losses: Vec::new(), log_weights: Vec::new(), gradient: vec![0.0; parameters] }
    }

    /// Accumulates a part of the same batch.
    pub fn add(&mut self, part: Self) {
        self.losses.extend(part.losses);
        self.log_weights.extend(part.log_weights);
        self.gradient.iter_mut().zip(&part.gradient).for_each(|(sum, term)| *sum += term);
    }
}

/// The reparametrised gradient of `⟨log q(φ) + S(φ)⟩`, φ = f(z): part `z` of a batch of `batch_size`.
///
/// Source: A22, Sec. 2.2; A19.
///
/// # Shapes
/// `z`: `[count, component, T, X]`, flat
///
/// # Errors
/// What the device gives as the reason that it did not compute.
pub fn reverse_kl(
    flow: &BoundFlow<'_>,
    action: &dyn Action,
    z: Vec<f32>,
    batch_size: usize,
) -> Result<LossAndGradient, Failure> {
    let (phi, log_q) = flow.sample_and_log_prob(flow.field(z));
    let loss = log_q + action.action(phi);
    let gradients = (loss.clone() / batch_size as f64).backward();
    let losses = to_host(loss)?;
    let log_weights = losses.iter().map(|loss| -loss).collect();
    Ok(LossAndGradient { losses, log_weights, gradient: flow.gradient(&gradients)? })
}

/// The gradient of `-⟨log q(φ)⟩` over configurations φ of the target, a part of a batch of `batch_size`.
///
/// Source: H21.
///
/// # Shapes
/// `fields`: `[count, component, T, X]`, flat; `actions`: `[count]`
///
/// # Errors
/// What the device gives as the reason that it did not compute.
pub fn forward_kl(
    flow: &BoundFlow<'_>,
    fields: Vec<f32>,
    actions: &[f64],
    batch_size: usize,
) -> Result<LossAndGradient, Failure> {
    let log_q = flow.log_prob(flow.field(fields));
    let gradients = (-log_q.clone() / batch_size as f64).backward();
    let losses: Vec<f64> = to_host(log_q)?.into_iter().map(|log_q| -log_q).collect();
    let log_weights = actions.iter().zip(&losses).map(|(action, minus_log_q)| minus_log_q - action).collect();
    Ok(LossAndGradient { losses, log_weights, gradient: flow.gradient(&gradients)? })
}
