//! The effective sample size per configuration, eq. (A7) of A22.

/// An effective sample size with what is needed to trust it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ess {
    /// ESS per configuration, in (0, 1].
    pub value: f64,
    /// One standard error by the delta method.
    pub error: f64,
    /// Share of `Σ w` that the largest weight carries; above a few per cent the error cannot be trusted.
    pub max_weight_share: f64,
}

/// `ESS = (Σ w)² / (N Σ w²)` from `log w` of independent samples of the model. Source: A22, eq. (A7).
///
/// The error follows from the influence of one sample, `ESS · (2 w/⟨w⟩ - w²/⟨w²⟩ - 1)`.
///
/// # Shapes
/// `log_weights`: `[N]`
///
/// # Panics
/// If there are no weights.
pub fn effective_sample_size(log_weights: &[f64]) -> Ess {
    assert!(!log_weights.is_empty(), "the effective sample size of no weights");
    let weights = relative_weights(log_weights);
    let n = weights.len() as f64;
    let mean = weights.iter().sum::<f64>() / n;
    let square = weights.iter().map(|w| w * w).sum::<f64>() / n;
    let value = mean * mean / square;
    let influence = |w: &f64| (2.0 * w / mean - w * w / square - 1.0).powi(2);
    let error = value * (weights.iter().map(influence).sum::<f64>() / n / n).sqrt();
    Ess { value, error, max_weight_share: 1.0 / (mean * n) }
}

/// `w / max w`, so that nothing overflows.
pub(super) fn relative_weights(log_weights: &[f64]) -> Vec<f64> {
    let largest = log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    log_weights.iter().map(|log_w| (log_w - largest).exp()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn equal_weights_give_one_and_a_single_heavy_one_gives_1_over_n() {
        let ess = effective_sample_size(&[-700.0; 64]);
        assert_eq!((ess.value, ess.error, ess.max_weight_share), (1.0, 0.0, 1.0 / 64.0));
        let mut weights = [-1000.0; 64];
        weights[5] = 1000.0;
        let ess = effective_sample_size(&weights);
        assert!((ess.value - 1.0 / 64.0).abs() < 1e-15);
        assert!((ess.max_weight_share - 1.0).abs() < 1e-15);
    }

    /// For log w normal with variance σ², ESS = e^{-σ²}. Fifty repetitions check value and error bar.
    #[test]
    fn log_normal_weights_have_their_exact_ess_within_the_error() {
        let (sigma, n, repetitions) = (0.7f64, 20_000, 50);
        let exact = (-sigma * sigma).exp();
        let pulls: Vec<f64> = (0..repetitions)
            .map(|i| {
                let normals = Seed(9).stream("log-normal").normals(i, 1, n);
                let log_weights: Vec<f64> = normals.iter().map(|&v| sigma * f64::from(v)).collect();
                let ess = effective_sample_size(&log_weights);
                (ess.value - exact) / ess.error
            })
            .collect();
        let mean = pulls.iter().sum::<f64>() / pulls.len() as f64;
        let square = pulls.iter().map(|p| p * p).sum::<f64>() / pulls.len() as f64;
        // Five standard errors of the mean and of the variance of 50 unit normals.
        assert!(mean.abs() < 5.0 / 50f64.sqrt(), "mean pull {mean}");
        assert!((square - 1.0).abs() < 5.0 * (2.0 / 50f64).sqrt(), "mean squared pull {square}");
    }
}
