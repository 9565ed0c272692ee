//! The Γ-method: errors of chain averages from their autocorrelation, with an automatic window. Source: W04.

use super::interval::Interval;
use rustfft::{FftPlanner, num_complex::Complex};

/// Lags below this are summed one by one, N operations each; all others come from one Fourier transform of 2N log 2N.
const SUMMED: usize = 256;

/// Window parameter S of [`gamma_method`]: the ratio of the exponential to the integrated autocorrelation time that is
/// allowed for. The default of pyerrors; W04 recommends 1 to 2.
pub const WINDOW: f64 = 2.0;

/// A chain average with its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainEstimate {
    /// The mean over all replicas.
    pub value: f64,
    /// One standard error, W04 eqs. (44) and (49).
    pub error: f64,
    /// Integrated autocorrelation time, ½ for independent values; W04 eqs. (41) and (49).
    pub tau_int: f64,
    /// One standard error of it, W04 eq. (42).
    pub tau_int_err: f64,
    /// Where the sum of the autocorrelation is cut.
    pub window: usize,
    /// Values used.
    pub n: usize,
}

/// An integrated autocorrelation time, and where the true one is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TauInt {
    /// The estimate.
    pub value: f64,
    /// Its upper ends are infinite where weights decide, and may have a tail without variance.
    pub interval: Interval,
}

impl TauInt {
    /// From the value to the farther end of the interval of 68.3%.
    pub fn error(&self) -> f64 {
        self.interval.reach(self.value)
    }
}

/// Mean, error and integrated autocorrelation time of replicas of one chain (the same law, independent of each other).
///
/// `Γ(t) = Σ_r Σ_i δ_i δ_{i+t} / Σ_r (N_r - t)`, δ the deviation from the mean over all replicas;
/// `τ(W) = ½ + Σ_{t ≤ W} Γ(t)/Γ(0)`; W is the first window with `e^{-W/τ} < τ/√(W N)`, `τ = S / ln((2τ(W)+1)/(2τ(W)-1))`.
/// The bias of Γ from the subtracted mean is corrected for. Source: W04; the conventions are those of pyerrors.
///
/// # Shapes
/// `replicas`: any number of series of any lengths
///
/// # Panics
/// If there are no values.
pub fn gamma_method(replicas: &[&[f64]], s: f64) -> ChainEstimate {
    let n: usize = replicas.iter().map(|replica| replica.len()).sum();
    assert!(n > 0, "the Gamma method on no values");
    let value = replicas.iter().flat_map(|replica| replica.iter()).sum::<f64>() / n as f64;
    let deviations: Vec<Vec<f64>> =
        replicas.iter().map(|replica| replica.iter().map(|v| v - value).collect()).collect();
    let mut transformed = None;
    let mut gamma = |t: usize| {
        let pairs: usize = deviations.iter().map(|d| d.len().saturating_sub(t)).sum();
        let products = match t {
            ..SUMMED => products(&deviations, t),
            _ => transformed.get_or_insert_with(|| all_products(&deviations))[t],
        };
        products / pairs.max(1) as f64
    };
    let variance = gamma(0);
    let longest = deviations.iter().map(Vec::len).max().unwrap_or(0) / 2;
    // What rounding of the mean leaves of a constant, a few million values long.
    if variance <= (1e-10 * value).powi(2) {
        return ChainEstimate { value, error: 0.0, tau_int: 0.5, tau_int_err: 0.0, window: 0, n };
    }
    let count = n as f64;
    let (mut sum, mut tau, mut window) = (0.5, 0.5, 0);
    for w in 1..longest {
        sum += gamma(w) / variance;
        // Below ½ there is no exponential; the neighbouring number gives the shortest window.
        tau = if sum <= 0.5 { 0.5 + f64::EPSILON } else { sum };
        window = w;
        let exponential = s / ((2.0 * tau + 1.0) / (2.0 * tau - 1.0)).ln();
        let steps = w as f64;
        if (-steps / exponential).exp() < exponential / (steps * count).sqrt() {
            break;
        }
    }
    let steps = window as f64;
    let tau_int = tau * (1.0 + (2.0 * steps + 1.0) / count) / (1.0 + 1.0 / count);
    ChainEstimate {
        value,
        error: (2.0 * tau_int * variance * (1.0 + 1.0 / count) / count).sqrt(),
        tau_int,
        tau_int_err: 2.0 * tau * ((steps + 0.5 - tau).abs() / count).sqrt(),
        window,
        n,
    }
}

/// `Σ_r Σ_i δ_i δ_{i+t}`.
fn products(deviations: &[Vec<f64>], t: usize) -> f64 {
    deviations.iter().filter(|d| d.len() > t).map(|d| dot(&d[t..], &d[..d.len() - t])).sum()
}

/// The same for all t, as the inverse transform of the sum of power spectra of the series with zeros behind them.
fn all_products(deviations: &[Vec<f64>]) -> Vec<f64> {
    let longest = deviations.iter().map(Vec::len).max().unwrap_or(0);
    let size = (2 * longest).next_power_of_two();
    let mut planner = FftPlanner::new();
    let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
    let mut spectrum = vec![Complex::new(0.0, 0.0); size];
    let mut series = spectrum.clone();
    for deviations in deviations {
        series.fill(Complex::new(0.0, 0.0));
        series.iter_mut().zip(deviations).for_each(|(z, value)| z.re = *value);
        forward.process(&mut series);
        spectrum.iter_mut().zip(&series).for_each(|(sum, z)| sum.re += z.norm_sqr());
    }
    inverse.process(&mut spectrum);
    spectrum[..longest].iter().map(|z| z.re / size as f64).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// `x_{i+1} = ρ x_i + √(1-ρ²) η_i`, started in equilibrium: τ = ½ (1+ρ)/(1-ρ).
    fn autoregressive(rho: f64, n: usize, index: u64) -> Vec<f64> {
        let noise = Seed(12).stream("ar1").normals(index, 1, n);
        let mut x = f64::from(noise[0]);
        let step = |&eta: &f32| {
            x = rho * x + (1.0 - rho * rho).sqrt() * f64::from(eta);
            x
        };
        noise.iter().map(step).collect()
    }

    #[test]
    fn an_autoregressive_process_has_its_tau_and_error() {
        for rho in [0.0, 0.5, 0.9] {
            let exact = 0.5 * (1.0 + rho) / (1.0 - rho);
            let repetitions = 40;
            let found: Vec<ChainEstimate> = (0..repetitions)
                .map(|index| gamma_method(&[&autoregressive(rho, 20_000, index)], WINDOW))
                .collect();
            let mean =
                |f: &dyn Fn(&ChainEstimate) -> f64| found.iter().map(f).sum::<f64>() / repetitions as f64;
            let tau = mean(&|e| e.tau_int);
            let tau_err = mean(&|e| e.tau_int_err) / (repetitions as f64).sqrt();
            // The window cuts off e^{-W/τ} of the sum, a per cent or two; plus four standard errors.
            assert!((tau - exact).abs() < 0.02 * exact + 4.0 * tau_err, "rho {rho}: {tau} is not {exact}");
            let square = mean(&|e| (e.value / e.error).powi(2));
            assert!((square - 1.0).abs() < 5.0 * (2.0 / repetitions as f64).sqrt(), "rho {rho}: {square}");
        }
    }

    /// pyerrors 2.17.0 on the same series: `Obs([x], ["a"]).gamma_method(S=...)`; for replicas with `means` = the mean over all
    /// of them, which is W04's choice.
    #[test]
    fn every_digit_is_that_of_pyerrors() {
        // A series that both languages make exactly: dyadic rationals from an integer recursion.
        let mut state = 12_345u64;
        let mut x = 0.0f64;
        let mut next = || {
            state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
            let noise = (state >> 15) as f64 / 65_536.0 - 0.5;
            x = 0.75 * x + noise;
            x
        };
        let series: Vec<f64> = (0..3000).map(|_| next()).collect();
        let (a, rest) = series.split_at(1000);
        let (b, c) = rest.split_at(600);
        for (replicas, s, expected) in [
            (vec![&series[..]], 2.0, PYERRORS[0]),
            (vec![&series[..]], 1.5, PYERRORS[1]),
            (vec![a, b, c], 2.0, PYERRORS[2]),
        ] {
            let found = gamma_method(&replicas, s);
            let found = [found.value, found.error, found.tau_int, found.tau_int_err, found.window as f64];
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-13 * expected.abs().max(1.0),
                    "{found} is not {expected}"
                );
            }
        }
    }

    /// Value, error, τ, its error, window.
    const PYERRORS: [[f64; 5]; 3] = [
        [0.0031540078238592333, 0.018165033150379584, 2.9572359425377637, 0.4709787672359055, 22.0],
        [0.0031540078238592333, 0.01865208245050243, 3.117943489189138, 0.44176076457492813, 18.0],
        [0.0031540078238592333, 0.018124607266298946, 2.9440880611419824, 0.4690398769985988, 22.0],
    ];

    /// The mean of 0.1 is not 0.1 to the last digit.
    #[test]
    fn a_constant_has_no_error() {
        for constant in [0.0, 3.0, 0.1] {
            let found = gamma_method(&[&[constant; 1003]], WINDOW);
            assert!((found.value - constant).abs() < 1e-12);
            assert_eq!((found.error, found.tau_int), (0.0, 0.5));
        }
    }

    #[test]
    fn the_transform_gives_the_sums() {
        let series: Vec<Vec<f64>> =
            [700, 513, 2].iter().zip(0..).map(|(&n, i)| autoregressive(0.9, n, i)).collect();
        let all = all_products(&series);
        assert_eq!(all.len(), 700);
        for (t, found) in all.iter().enumerate() {
            let expected = products(&series, t);
            assert!((found - expected).abs() < 1e-11 * all[0], "lag {t}: {found} is not {expected}");
        }
    }

    /// The window is some five times τ = 1000, far beyond what is summed one by one.
    #[test]
    fn a_slow_process_has_its_tau() {
        let (rho, n) = (0.999f64, 2_000_000);
        let found = gamma_method(&[&autoregressive(rho, n, 0)], WINDOW);
        let exact = 0.5 * (1.0 + rho) / (1.0 - rho);
        assert!(found.window > 10 * SUMMED, "{}", found.window);
        assert!((found.tau_int - exact).abs() < 4.0 * found.tau_int_err, "{} is not {exact}", found.tau_int);
    }
}
