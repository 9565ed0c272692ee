//! Estimators of the gradient of the reverse Kullback-Leibler divergence.

use crate::flow::BoundFlow;
use crate::theory::Action;
use burn::backend::ExecutionError;

/// Log weights of a batch and the gradient of its loss.
#[derive(Debug, Clone, PartialEq)]
pub struct LossAndGradient {
    /// `log w = -S - log q` of every configuration; the loss is minus their mean.
    pub log_weights: Vec<f64>,
    /// Gradient of the loss by all parameters.
    pub gradient: Vec<f64>,
}

impl LossAndGradient {
    /// Nothing yet.
    pub fn zero(parameters: usize) -> Self {
        Self { log_weights: Vec::new(), gradient: vec![0.0; parameters] }
    }

    /// Accumulates a part of the same batch.
    pub fn add(&mut self, part: Self) {
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
) -> Result<LossAndGradient, ExecutionError> {
    let (phi, log_q) = flow.sample_and_log_prob(flow.field(z));
    let loss = log_q + action.action(phi);
    let gradients = (loss.clone().sum() / batch_size as f64).backward();
    let log_weights = loss.try_into_data()?.iter::<f64>().map(|loss| -loss).collect();
    Ok(LossAndGradient { log_weights, gradient: flow.gradient(&gradients)? })
}
