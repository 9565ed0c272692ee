//! The number of integration steps, found during thermalisation.

/// Finds the fewest steps that reach the acceptance aimed at.
pub struct Tuning {
    pub target: f64,
    /// The most steps that were seen not to reach it.
    pub too_few: usize,
}

impl Tuning {
    /// The next number of steps to try, from `1 - P ∝ √⟨ΔH⟩ ∝ ε²` for integrators of second order.
    ///
    /// Source: Gupta, Irbäck, Karsch, Petersson, Phys. Lett. B 242 (1990) 437.
    pub fn next(&mut self, steps: usize, acceptance: f64) -> usize {
        // -ln P is 1 - P where it is small and does not saturate where it is not.
        let violation = |p: f64| -p.clamp(0.01, 0.999).ln();
        let factor = (violation(acceptance) / violation(self.target)).sqrt().clamp(0.5, 2.0);
        let scaled = (steps as f64 * factor).round() as usize;
        if acceptance < self.target {
            self.too_few = self.too_few.max(steps);
            scaled.max(steps + 1)
        } else {
            scaled.clamp((self.too_few + 1).min(steps), steps)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_settles_on_the_fewest_steps_that_reach_the_target() {
        let acceptance = |steps: usize| (-12.0 / (steps * steps) as f64).exp();
        for start in [1, 3, 8, 100] {
            let (mut tuning, mut steps) = (Tuning { target: 0.8, too_few: 0 }, start);
            for _ in 0..12 {
                steps = tuning.next(steps, acceptance(steps));
            }
            assert_eq!(steps, 8, "from {start}");
        }
    }
}
