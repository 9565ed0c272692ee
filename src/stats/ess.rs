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

/// `ESS = 1 / (⟨1/w⟩ ⟨w⟩)`, both means over samples of the target. Source: A22, eq. (A8); H21.
///
/// `⟨1/w⟩_p` is 1/Z and `⟨w⟩_p` is `⟨w²⟩_q/⟨w⟩_q`, so this has the limit of [`effective_sample_size`]; but where the model misses
/// a part of the target, the target's samples have large weights there and show it, which no sample of the model does.
///
/// # Shapes
/// `log_weights`: `[N]`, `log w = -S - log q` on samples of the target
pub fn target_sample_ess(log_weights: &[f64]) -> f64 {
    let log_mean = |sign: f64| {
        let largest = log_weights.iter().map(|log| sign * log).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = log_weights.iter().map(|log| (sign * log - largest).exp()).sum();
        largest + (sum / log_weights.len() as f64).ln()
    };
    (-log_mean(-1.0) - log_mean(1.0)).exp()
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

    /// q = N(0, 1), p = N(0, s²): with a = 1/s² - 1, ⟨w⟩_q = (1+a)^{-1/2} and ⟨w²⟩_q = (1+2a)^{-1/2}.
    #[test]
    fn both_definitions_agree_unless_the_model_misses_a_part() {
        let (s, n) = (0.8f64, 400_000);
        let x: Vec<f64> = Seed(4).stream("x").normals(0, 1, n).into_iter().map(f64::from).collect();
        let log_w = |x: f64| -x * x / (2.0 * s * s) + 0.5 * x * x;
        let of_q: Vec<f64> = x.iter().map(|&x| log_w(x)).collect();
        let of_p: Vec<f64> = x.iter().map(|&x| log_w(s * x)).collect();
        let a = 1.0 / (s * s) - 1.0;
        let exact = (1.0 + 2.0 * a).sqrt() / (1.0 + a);
        let ess = effective_sample_size(&of_q);
        assert!((ess.value - exact).abs() < 4.0 * ess.error);
        // The weights on p are bounded by one here: the error of their mean is a fraction of a per cent.
        assert!((target_sample_ess(&of_p) - exact).abs() < 0.005 * exact);
        let missed = |(i, log_w): (usize, &f64)| if i % 2 == 0 { *log_w } else { log_w + 20.0 };
        let of_p: Vec<f64> = of_p.iter().enumerate().map(missed).collect();
        assert!(target_sample_ess(&of_p) < 1e-6);
    }

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
