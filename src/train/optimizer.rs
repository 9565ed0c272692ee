//! Update rules, on the host: they are cheap, and so their state is exact, small and the same on every device.

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

/// Moments of Adam.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamState {
    /// Updates made.
    pub updates: u64,
    /// First moment m.
    pub first_moment: Vec<f32>,
    /// Second moment v.
    pub second_moment: Vec<f32>,
}

impl AdamState {
    /// Before the first update.
    pub fn new(parameters: usize) -> Self {
        Self { updates: 0, first_moment: vec![0.0; parameters], second_moment: vec![0.0; parameters] }
    }
}

impl Adam {
    /// The rule with the constants of a specification.
    pub fn new(spec: &AdamSpec) -> Self {
        Self { beta_1: spec.beta_1, beta_2: spec.beta_2, epsilon: spec.epsilon }
    }

    /// One update of all parameters.
    pub fn update(
        &self,
        state: &mut AdamState,
        learning_rate: f64,
        gradient: &[f64],
        parameters: &mut [f32],
    ) {
        assert_eq!(gradient.len(), parameters.len(), "gradient and parameters");
        state.updates += 1;
        let power = state.updates as f64;
        let (unbias_1, unbias_2) = (1.0 - self.beta_1.powf(power), 1.0 - self.beta_2.powf(power));
        let moments = state.first_moment.iter_mut().zip(&mut state.second_moment);
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
        let (adam, mut state, mut theta) = (Adam::new(&spec), AdamState::new(2), [1f32, -2.0]);
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
