//! Adadelta.

use super::rule::{Optimizer, OptimizerState};
use crate::spec::AdadeltaSpec;

/// Adadelta (arXiv:1212.5701, algorithm 1) with a learning rate, as `torch.optim.Adadelta`.
///
/// `v ← ρ v + (1-ρ) g²`, `δ = g · √(u + ε) / √(v + ε)`, `u ← ρ u + (1-ρ) δ²`, `θ ← θ - η δ`: the change is in the unit of
/// the parameter whatever that of the loss. The rate does not enter `u`, so a schedule leaves the memory as it is.
#[derive(Debug, Clone)]
pub struct Adadelta {
    rho: f64,
    epsilon: f64,
}

impl Adadelta {
    /// The rule with the constants of a specification.
    pub fn new(spec: &AdadeltaSpec) -> Self {
        Self { rho: spec.rho, epsilon: spec.epsilon }
    }
}

impl Optimizer for Adadelta {
    fn name(&self) -> &'static str {
        "adadelta"
    }

    fn moments(&self) -> &'static [&'static str] {
        &["squared_gradient", "squared_change"]
    }

    fn update(
        &self,
        state: &mut OptimizerState,
        learning_rate: f64,
        gradient: &[f64],
        parameters: &mut [f32],
    ) {
        assert_eq!(gradient.len(), parameters.len(), "gradient and parameters");
        let [gradients, changes] = &mut state.moments[..] else { panic!("Adadelta has two moments") };
        state.updates += 1;
        let moments = gradients.values.iter_mut().zip(&mut changes.values);
        for ((theta, &g), (gradients, changes)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let v = self.rho * f64::from(*gradients) + (1.0 - self.rho) * g * g;
            let u = f64::from(*changes);
            let change = g * (u + self.epsilon).sqrt() / (v + self.epsilon).sqrt();
            *gradients = v as f32;
            *changes = (self.rho * u + (1.0 - self.rho) * change * change) as f32;
            *theta = (f64::from(*theta) - learning_rate * change) as f32;
        }
    }
}
