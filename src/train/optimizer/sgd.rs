//! Stochastic gradient descent, with and without momentum.

use super::rule::{Optimizer, OptimizerState};
use crate::spec::SgdSpec;

/// Gradient descent as `torch.optim.SGD` without dampening and weight decay.
///
/// - plain: `θ ← θ - η g`
/// - with momentum: `v ← μ v + g`, `θ ← θ - η v`. PyTorch begins with `v = g`, which is `v = 0` before the first step. The rate
///   does not enter `v`, so a schedule acts at once
/// - with Nesterov's: `v ← μ v + g`, `θ ← θ - η (g + μ v)`
#[derive(Debug, Clone)]
pub struct Sgd {
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    /// The rule with the constants of a specification.
    pub fn new(spec: &SgdSpec) -> Self {
        Self { momentum: spec.momentum, nesterov: spec.nesterov }
    }

    /// Makes `v` the new one, and gives what the parameter goes along.
    fn direction(&self, velocity: &mut f32, g: f64) -> f64 {
        let v = self.momentum * f64::from(*velocity) + g;
        *velocity = v as f32;
        if self.nesterov { g + self.momentum * v } else { v }
    }
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn moments(&self) -> &'static [&'static str] {
        if self.momentum > 0.0 { &["velocity"] } else { &[] }
    }

    fn update(
        &self,
        state: &mut OptimizerState,
        learning_rate: f64,
        gradient: &[f64],
        parameters: &mut [f32],
    ) {
        assert_eq!(gradient.len(), parameters.len(), "gradient and parameters");
        assert_eq!(state.moments.len(), self.moments().len(), "moments of the state and of the rule");
        state.updates += 1;
        match &mut state.moments[..] {
            [velocity] => {
                let directions = velocity.values.iter_mut().zip(gradient);
                descend(parameters, learning_rate, directions.map(|(v, &g)| self.direction(v, g)));
            }
            _ => descend(parameters, learning_rate, gradient.iter().copied()),
        }
    }
}

fn descend(parameters: &mut [f32], learning_rate: f64, directions: impl Iterator<Item = f64>) {
    for (theta, direction) in parameters.iter_mut().zip(directions) {
        *theta = (f64::from(*theta) - learning_rate * direction) as f32;
    }
}
