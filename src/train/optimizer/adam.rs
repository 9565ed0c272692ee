//! Adam.

use super::rule::{Optimizer, OptimizerState};
use crate::spec::AdamSpec;

/// Adam with bias correction (arXiv:1412.6980, algorithm 1).
///
/// `m ← β₁ m + (1-β₁) g`, `v ← β₂ v + (1-β₂) g²`,
/// `θ ← θ - η · m/(1-β₁ᵗ) / (√(v/(1-β₂ᵗ)) + ε)`.
#[derive(Debug, Clone)]
pub struct Adam {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
}

impl Adam {
    /// The rule with the constants of a specification.
    pub fn new(spec: &AdamSpec) -> Self {
        Self { beta_1: spec.beta_1, beta_2: spec.beta_2, epsilon: spec.epsilon }
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn moments(&self) -> &'static [&'static str] {
        &["first_moment", "second_moment"]
    }

    fn update(
        &self,
        state: &mut OptimizerState,
        learning_rate: f64,
        gradient: &[f64],
        parameters: &mut [f32],
    ) {
        assert_eq!(gradient.len(), parameters.len(), "gradient and parameters");
        let [first, second] = &mut state.moments[..] else { panic!("Adam has two moments") };
        state.updates += 1;
        let power = state.updates as f64;
        let (unbias_1, unbias_2) = (1.0 - self.beta_1.powf(power), 1.0 - self.beta_2.powf(power));
        let moments = first.values.iter_mut().zip(&mut second.values);
        for ((theta, &g), (first, second)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let m = self.beta_1 * f64::from(*first) + (1.0 - self.beta_1) * g;
            let v = self.beta_2 * f64::from(*second) + (1.0 - self.beta_2) * g * g;
            (*first, *second) = (m as f32, v as f32);
            let change = learning_rate * (m / unbias_1) / ((v / unbias_2).sqrt() + self.epsilon);
            *theta = (f64::from(*theta) - change) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.optim.Adam([θ], lr=0.1)` on `L = ½ Σ a θ²`, a = (1, 10), θ₀ = (1, -2), PyTorch 2, float64.
    #[test]
    fn adam_takes_the_steps_of_pytorch() {
        let spec = AdamSpec { learning_rate: 0.1, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8 };
        let adam = Adam::new(&spec);
        let (mut state, mut theta) = (adam.start(2), [1f32, -2.0]);
        for _ in 0..10 {
            let gradient = [f64::from(theta[0]), 10.0 * f64::from(theta[1])];
            adam.update(&mut state, 0.1, &gradient, &mut theta);
        }
        for (found, expected) in theta.iter().zip(PYTORCH_AFTER_10_STEPS) {
            assert!((f64::from(*found) - expected).abs() < 2e-6, "{found} is not {expected}");
        }
    }

    const PYTORCH_AFTER_10_STEPS: [f64; 2] = [0.07624916061975533, -1.024586835707361];
}
