//! Means under the target from independent samples of the model, with their errors.

use super::ensemble::Measured;
use super::ess::relative_weights;
use super::subsample::{Studentized, Term};

/// A number with one standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// One standard error.
    pub error: f64,
}

/// `F = -ln Z = -ln ⟨w⟩_q`, with the error of the mean relative to it in the calibration of subsamples.
///
/// # Shapes
/// `log_weights`: `[N]`
pub fn free_energy(log_weights: &[f64]) -> Measured {
    let largest = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights = relative_weights(log_weights);
    let Estimate { value, error } = mean(&weights);
    let terms: Vec<Term> = weights.iter().map(|w| Term { weight: w / value, deviation: 0.0 }).collect();
    let by = Studentized::of_log_weight(&terms).map(Studentized::mirrored);
    Measured::calibrated(-largest - value.ln(), error / value, by, log_weights.len() as u64)
}

/// `D_KL(q‖p) = ⟨log q + S⟩_q + ln Z = ln Z - ⟨log w⟩_q`.
///
/// # Shapes
/// `log_weights`: `[N]`
pub fn kullback_leibler(log_weights: &[f64], log_partition: f64) -> Estimate {
    let mean = mean(log_weights);
    Estimate { value: log_partition - mean.value, error: mean.error }
}

fn mean(values: &[f64]) -> Estimate {
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (n - 1.0);
    Estimate { value, error: (variance / n).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use crate::stats::Ensemble;

    /// Weights `e^{a x²/2}` of unit normals, ⟨w⟩ = (1-a)^{-1/2}: F reads too high where the largest are missing, so that its interval
    /// reaches further down than up.
    #[test]
    fn the_free_energy_of_heavy_weights_is_in_its_interval() {
        let (a, n, repetitions) = (0.6f64, 4096, 300);
        let exact = 0.5 * (1.0 - a).ln();
        let (mut one, mut two, mut down, mut up) = (0, 0, 0.0, 0.0);
        for index in 0..repetitions {
            let x = Seed(8).stream("free energy").normals(index, 1, n);
            let log_weights: Vec<f64> = x.iter().map(|&x| 0.5 * a * f64::from(x).powi(2)).collect();
            let Measured { value, interval, .. } = free_energy(&log_weights);
            one += usize::from((interval.low..=interval.high).contains(&exact));
            two += usize::from((interval.low_95..=interval.high_95).contains(&exact));
            down += value - interval.low_95;
            up += interval.high_95 - value;
        }
        let share = |count: usize| count as f64 / repetitions as f64;
        assert!(down > 1.3 * up, "{down} down, {up} up");
        // Three standard errors of 300 repetitions: 0.08 and 0.04; a tail with k = 0.6 costs a few per cent of the narrow one.
        assert!((share(one) - 0.66).abs() < 0.09, "{}", share(one));
        assert!((share(two) - 0.95).abs() < 0.05, "{}", share(two));
    }

    /// Model: unit normal. Target: `e^{-x²/2s²}`, so ⟨x²⟩ = s², Z = √(2π) s, D_KL = ½(1/s² - 1) + ln s.
    #[test]
    fn a_gaussian_target_is_reweighted_to_its_exact_values() {
        let (s, n) = (0.8f64, 200_000);
        let x: Vec<f64> = Seed(2).stream("x").normals(0, 1, n).into_iter().map(f64::from).collect();
        let log_2pi = (2.0 * std::f64::consts::PI).ln();
        let log_w: Vec<f64> =
            x.iter().map(|x| -x * x / (2.0 * s * s) + 0.5 * x * x + 0.5 * log_2pi).collect();
        let rows: Vec<f64> = x.iter().map(|x| x * x).collect();
        let ensemble = Ensemble::Weighted { log_weights: log_w.clone(), rows, width: 1 };
        let squares = ensemble.measured(&|means: &[f64]| means[0]).expect("finite");
        let log_z = 0.5 * log_2pi + s.ln();
        let estimate = |found: Measured| Estimate { value: found.value, error: found.error };
        for (found, exact) in [
            (estimate(squares), s * s),
            (estimate(free_energy(&log_w)), -log_z),
            (kullback_leibler(&log_w, log_z), 0.5 * (1.0 / (s * s) - 1.0) + s.ln()),
        ] {
            assert!(found.error > 0.0 && found.error < 0.01);
            assert!((found.value - exact).abs() < 4.0 * found.error, "{found:?} is not {exact}");
        }
    }
}
