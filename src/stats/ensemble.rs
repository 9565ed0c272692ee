//! Observables with errors from whatever a sampler leaves: weighted independent configurations, or chains.

use super::ess::relative_weights;
use super::gamma::{ChainEstimate, TauInt, WINDOW, gamma_method};
use super::interval::Interval;
use super::subsample::{Studentized, Term};
use super::time_series::TimeSeries;

/// Measurements of one sampling method.
#[derive(Debug, Clone, PartialEq)]
pub enum Ensemble {
    /// Independent configurations of the model with `log w`, and their measurements `[configuration][width]`.
    Weighted {
        /// `log w = -S - log q`.
        log_weights: Vec<f64>,
        /// Measurements.
        rows: Vec<f64>,
        /// Numbers of a measurement.
        width: usize,
    },
    /// Chains of the target distribution.
    Chains(Vec<TimeSeries>),
}

/// A function of means with its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The estimate.
    pub value: f64,
    /// What 68.3% of such estimates are off by at most.
    pub error: f64,
    /// The same by a formula that trusts the largest weights to have been met: linear, or from the chain alone.
    pub error_plain: f64,
    /// Where the true value is: rather on one side of the estimate where few weights make it.
    pub interval: Interval,
    /// Integrated autocorrelation time and its error in units of chain steps, for chains.
    pub tau_int: Option<(f64, f64)>,
    /// The same as the weights of all proposals imply it, for independence Metropolis.
    pub tau_int_exact: Option<TauInt>,
    /// Whether the error is from that τ.
    pub by_weights: bool,
    /// Configurations used.
    pub n: u64,
}

impl Measured {
    /// The larger τ of the chain's own and that of the weights. That of a chain may be longer than both say where the weights do.
    pub fn tau_int_used(&self) -> Option<TauInt> {
        let (value, error) = self.tau_int?;
        let chain = Interval::normal(value, error).clamp(0.5, f64::INFINITY);
        Some(match self.tau_int_exact {
            Some(exact) if exact.value > value => exact,
            Some(exact) => TauInt { value, interval: chain.hull(&exact.interval) },
            None => TauInt { value, interval: chain },
        })
    }

    /// A value with a plain error that is set right by what subsamples of the weights show, if they are enough.
    pub(super) fn calibrated(value: f64, linear: f64, by: Option<Studentized>, n: u64) -> Self {
        let (error, interval) = match by {
            Some(t) => (t.error(linear), t.interval(value, linear)),
            None => (linear, Interval::normal(value, linear)),
        };
        Self {
            value,
            error,
            error_plain: linear,
            interval,
            tau_int: None,
            tau_int_exact: None,
            by_weights: false,
            n,
        }
    }
}

impl Ensemble {
    /// Configurations.
    pub fn count(&self) -> u64 {
        match self {
            Self::Weighted { log_weights, .. } => log_weights.len() as u64,
            Self::Chains(chains) => chains.iter().map(TimeSeries::count).sum(),
        }
    }

    /// Means of the measured numbers under the target.
    pub fn means(&self) -> Vec<f64> {
        match self {
            Self::Weighted { log_weights, rows, width } => {
                let weights = relative_weights(log_weights);
                let total: f64 = weights.iter().sum();
                let mut means = vec![0.0; *width];
                for (w, row) in weights.iter().zip(rows.chunks_exact(*width)) {
                    means.iter_mut().zip(row).for_each(|(mean, value)| *mean += w / total * value);
                }
                means
            }
            Self::Chains(chains) => {
                let n = self.count() as f64;
                let width = chains.first().map_or(0, TimeSeries::width);
                (0..width).map(|i| chains.iter().map(|chain| chain.sums(i, 0.0).0).sum::<f64>() / n).collect()
            }
        }
    }

    /// `f` of the means, with the error from the fluctuations of `δ = Σ_i ∂f/∂a_i (x_i - a_i)`: by the Γ-method for
    /// [`Self::Chains`]; for [`Self::Weighted`] `√(Σ w² δ²) / Σ w` in the calibration of subsamples. Source: W04, eqs. (9)-(14).
    ///
    /// Nothing if `f` is not finite at the means, or if no chain ever moved: then nothing is known of its error.
    pub fn measured(&self, f: &dyn Fn(&[f64]) -> f64) -> Option<Measured> {
        let means = self.means();
        let value = f(&means);
        let slopes = slopes(f, &means)?;
        let project = |row: &[f64]| linear_part(row, &means, &slopes);
        let measured = match self {
            Self::Weighted { log_weights, rows, width } => {
                let terms = terms(log_weights, rows.chunks_exact(*width).map(project));
                let total: f64 = terms.iter().map(|term| term.weight).sum();
                let square: f64 = terms.iter().map(|term| (term.weight * term.deviation).powi(2)).sum();
                let linear = square.sqrt() / total;
                let by = Studentized::of_mean(&terms);
                Measured::calibrated(value, linear, by, self.count())
            }
            Self::Chains(chains) => {
                let projected: Vec<Vec<f64>> =
                    chains.iter().map(|chain| chain.rows().map(project).collect()).collect();
                let replicas: Vec<&[f64]> = projected.iter().map(Vec::as_slice).collect();
                let found = gamma_method(&replicas, WINDOW);
                if found.error == 0.0 {
                    return None;
                }
                let tau_int = self.tau_in_steps(&found, &means, &slopes);
                let interval = Interval::normal(value, found.error);
                let ChainEstimate { error, .. } = found;
                let (tau_int_exact, by_weights, n) = (None, false, self.count());
                Measured { value, error, error_plain: error, interval, tau_int, tau_int_exact, by_weights, n }
            }
        };
        value.is_finite().then_some(measured)
    }

    /// What decides how well independence Metropolis with these configurations as proposals knows `f` of the means: their weights,
    /// and how far each is from the mean in linear approximation. Nothing for chains, or if `f` is not finite at the means.
    pub fn terms(&self, f: &dyn Fn(&[f64]) -> f64) -> Option<Vec<Term>> {
        let Self::Weighted { log_weights, rows, width } = self else { return None };
        let means = self.means();
        let slopes = slopes(f, &means)?;
        Some(terms(log_weights, rows.chunks_exact(*width).map(|row| linear_part(row, &means, &slopes))))
    }

    /// τ in chain steps: as found while bins are single values; else from `error² = 2 τ variance / n`, which needs the
    /// variance of single values and so is known for functions of one number only.
    fn tau_in_steps(&self, found: &ChainEstimate, means: &[f64], slopes: &[f64]) -> Option<(f64, f64)> {
        let Self::Chains(chains) = self else { return None };
        if chains.iter().all(|chain| chain.bin() == 1) {
            return Some((found.tau_int, found.tau_int_err));
        }
        let mut numbers = (0..slopes.len()).filter(|&i| slopes[i] != 0.0);
        let (number, None) = (numbers.next()?, numbers.next()) else { return None };
        let n = self.count() as f64;
        let square: f64 = chains.iter().map(|chain| chain.sums(number, means[number]).1).sum();
        let variance = slopes[number].powi(2) * square / n;
        let tau = found.error.powi(2) * n / (2.0 * variance);
        Some((tau, tau * found.tau_int_err / found.tau_int))
    }
}

/// `Σ_i ∂f/∂a_i (x_i - a_i)`.
fn linear_part(row: &[f64], means: &[f64], slopes: &[f64]) -> f64 {
    row.iter().zip(means).zip(slopes).map(|((x, mean), slope)| slope * (x - mean)).sum()
}

fn terms(log_weights: &[f64], deviations: impl Iterator<Item = f64>) -> Vec<Term> {
    let weights = relative_weights(log_weights).into_iter();
    weights.zip(deviations).map(|(weight, deviation)| Term { weight, deviation }).collect()
}

/// Derivatives at the means by central differences; a relative step of 1e-5 leaves ten digits of a smooth function.
fn slopes(f: &dyn Fn(&[f64]) -> f64, means: &[f64]) -> Option<Vec<f64>> {
    let slope = |i: usize| {
        let step = 1e-5 * means[i].abs().max(1e-12);
        let at = |sign: f64| {
            let mut moved = means.to_vec();
            moved[i] += sign * step;
            f(&moved)
        };
        (at(1.0) - at(-1.0)) / (2.0 * step)
    };
    let slopes: Vec<f64> = (0..means.len()).map(slope).collect();
    slopes.iter().all(|slope| slope.is_finite()).then_some(slopes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// For unit normals ⟨x²⟩ = 1, ⟨x⁴⟩ = 3; the Binder ratio 1 - ⟨x⁴⟩/(3⟨x²⟩²) is 0 with variance 8/3 per value.
    #[test]
    fn a_ratio_of_means_has_the_error_of_its_linear_part() {
        let n = 200_000;
        let x = Seed(5).stream("normals").normals(0, 1, n);
        let rows: Vec<f64> = x.iter().map(|&x| f64::from(x).powi(2)).flat_map(|y| [y, y * y]).collect();
        let mut series = TimeSeries::new(2, 1 << 20);
        rows.chunks_exact(2).for_each(|row| series.push(row, 1));
        let mut binned = TimeSeries::new(2, 1 << 10);
        rows.chunks_exact(2).for_each(|row| binned.push(row, 1));
        let weighted = Ensemble::Weighted { log_weights: vec![0.0; n], rows, width: 2 };
        let binder = |a: &[f64]| 1.0 - a[1] / (3.0 * a[0] * a[0]);
        let exact_error = (8.0 / 3.0 / n as f64).sqrt();
        for ensemble in [weighted, Ensemble::Chains(vec![series]), Ensemble::Chains(vec![binned])] {
            let found = ensemble.measured(&binder).expect("finite");
            assert!((found.error / exact_error - 1.0).abs() < 0.15, "{found:?}, exact error {exact_error}");
            assert!(found.value.abs() < 4.0 * exact_error);
            let mean = ensemble.measured(&|a: &[f64]| 2.0 * a[0]).expect("finite");
            if let Some((tau, error)) = mean.tau_int {
                assert!((tau - 0.5).abs() < 4.0 * error.max(0.02), "{tau} +- {error}");
            }
        }
    }

    #[test]
    fn what_noise_leaves_undefined_is_left_out() {
        let ensemble = Ensemble::Weighted { log_weights: vec![0.0; 3], rows: vec![1.0, 2.0, 4.0], width: 1 };
        assert_eq!(ensemble.measured(&|a: &[f64]| (a[0] - 100.0).sqrt()), None);
    }
}
