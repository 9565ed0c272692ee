//! The effective sample size per configuration, eqs. (A7) and (A8) of A22, with what the tail of the weights allows.

use super::gamma::{WINDOW, gamma_method};
use super::interval::Interval;
use super::pareto::{ParetoShape, Tail, summary};

/// An effective sample size with what is needed to trust it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ess {
    /// ESS per configuration, in (0, 1], eq. (A7).
    pub value: f64,
    /// The median of what the weights allow, the largest of them replaced by a fitted tail: below [`Self::value`] as long as the
    /// largest weights have not been met.
    pub median: f64,
    /// Where the true ESS is, by the same draws.
    pub interval: Interval,
    /// Share of `Σ w` that the largest weight carries.
    pub max_weight_share: f64,
    /// Shape of the tail of the weights; nothing if they are few or equal.
    pub tail: Option<ParetoShape>,
    /// Mean ESS of quarters and of sixteenths of the configurations, which is larger where few weights make it.
    pub of_parts: [Option<f64>; 2],
}

/// Configurations of a part whose ESS is worth a look.
const FEWEST_OF_PART: usize = 32;

/// `ESS = (Σ w)² / (N Σ w²)` from `log w` of independent samples of the model. Source: A22, eq. (A7).
///
/// # Shapes
/// `log_weights`: `[N]`
///
/// # Panics
/// If there are no weights.
pub fn effective_sample_size(log_weights: &[f64]) -> f64 {
    assert!(!log_weights.is_empty(), "the effective sample size of no weights");
    let (mut sum, mut square) = (0.0, 0.0);
    for w in relative_weights(log_weights) {
        sum += w;
        square += w * w;
    }
    sum * sum / square / log_weights.len() as f64
}

impl Ess {
    /// From `log w` of independent samples of the model.
    ///
    /// `⟨w⟩` and `⟨w²⟩` are drawn as sums over a body, log-normal with the covariance of its numbers, and over a tail of Pareto's
    /// form with all that is not known of it; the draws of `⟨w⟩²/⟨w²⟩` give median and interval. A tail with k ≥ ½ has no second
    /// moment, so that its ESS is nought. Without a tail the error is that of the influence of one sample,
    /// `ESS · (2 w/⟨w⟩ - w²/⟨w²⟩ - 1)`.
    ///
    /// # Shapes
    /// `log_weights`: `[N]`
    ///
    /// # Panics
    /// If there are no weights.
    pub fn of(log_weights: &[f64]) -> Self {
        let (value, n) = (effective_sample_size(log_weights), log_weights.len());
        let (weights, max_weight_share) = normalized(log_weights);
        let tail = Tail::new(&weights, 1.0);
        let (median, interval) = match &tail {
            None => (value, Interval::normal(value, linear_error(&weights, value)).clamp(0.0, 1.0)),
            Some(tail) => {
                let inside = weights.iter().filter(|w| !tail.holds(**w));
                let body = Body::new(inside.map(|w| [*w, w * w]), 1.0);
                summary(tail.draws(|tail| {
                    let [mean, square] = body.draw(tail.normals);
                    let mean = (1.0 - tail.share) * mean + tail.share * tail.mean;
                    let square = (1.0 - tail.share) * square + tail.share * tail.square;
                    if square.is_finite() { (mean * mean / square).min(1.0) } else { 0.0 }
                }))
            }
        };
        let of_parts = [4, 16].map(|parts| {
            let part = n / parts;
            let sizes = || log_weights.chunks_exact(part).take(parts).map(effective_sample_size);
            (part >= FEWEST_OF_PART).then(|| sizes().sum::<f64>() / parts as f64)
        });
        let tail = tail.map(|tail| tail.shape());
        Self { value, median, interval, max_weight_share, tail, of_parts }
    }

    /// From the value to the farther end of the interval of 68.3%.
    pub fn error(&self) -> f64 {
        self.interval.reach(self.value)
    }
}

/// The effective sample size on configurations of the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetEss {
    /// `1 / (⟨1/w⟩ ⟨w⟩)`.
    pub value: f64,
    /// The median of what the weights allow.
    pub median: f64,
    /// Where the true ESS is.
    pub interval: Interval,
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

impl TargetEss {
    /// From weights on samples of the target, one of each of so many chains in turn; the autocorrelation of the weights, cut off
    /// where their tail begins, says as how many independent ones they count. The tail of w is fitted, that of 1/w is not. A
    /// configuration without a finite weight is one that the model cannot give: then all is nought.
    ///
    /// # Shapes
    /// `log_weights`: `[time, chain]`
    ///
    /// # Panics
    /// If there are no weights.
    pub fn of(log_weights: &[f64], chains: usize) -> Self {
        if log_weights.iter().any(|log_w| !log_w.is_finite()) {
            return Self { value: 0.0, median: 0.0, interval: Interval::normal(0.0, 0.0) };
        }
        let value = target_sample_ess(log_weights);
        let (weights, _) = normalized(log_weights);
        // Both in units of their means, so that nothing overflows and the value is that of the draws' middle.
        let negative: Vec<f64> = log_weights.iter().map(|log_w| -log_w).collect();
        let (inverse, _) = normalized(&negative);
        let cut = Tail::threshold_of(&weights).unwrap_or(f64::INFINITY);
        let series = |chain| -> Vec<f64> {
            weights.iter().skip(chain).step_by(chains).map(|weight| weight.min(cut)).collect()
        };
        let series: Vec<Vec<f64>> = (0..chains.min(weights.len())).map(series).collect();
        let replicas: Vec<&[f64]> = series.iter().map(Vec::as_slice).collect();
        let independent = (0.5 / gamma_method(&replicas, WINDOW).tau_int).min(1.0);
        let (median, interval) = match Tail::new(&weights, independent) {
            None => {
                let n = independent * weights.len() as f64;
                // In these units `w · 1/w` is the value, so that the covariance of the two is the value less one.
                let spread = variance(&weights) + variance(&inverse) + 2.0 * (value - 1.0);
                let error = value * (spread.max(0.0) / n).sqrt();
                (value, Interval::normal(value, error).clamp(0.0, 1.0))
            }
            Some(tail) => {
                let pairs = || weights.iter().zip(&inverse).map(|(w, inverse)| [*w, *inverse]);
                let body = Body::new(pairs().filter(|pair| !tail.holds(pair[0])), independent);
                let beyond = pairs().filter(|pair| tail.holds(pair[0])).map(|pair| pair[1]);
                let inverse_beyond = beyond.clone().sum::<f64>() / beyond.count() as f64;
                summary(tail.draws(|tail| {
                    let [mean, inverse] = body.draw(tail.normals);
                    let mean = (1.0 - tail.share) * mean + tail.share * tail.mean;
                    let inverse = (1.0 - tail.share) * inverse + tail.share * inverse_beyond;
                    (value / (mean * inverse)).clamp(0.0, 1.0)
                }))
            }
        };
        Self { value, median, interval }
    }

    /// From the value to the farther end of the interval of 68.3%.
    pub fn error(&self) -> f64 {
        self.interval.reach(self.value)
    }

    /// How many standard errors this is below an ESS on the model's own configurations, each interval taken on the side that faces
    /// the other.
    pub fn below(&self, model: &Ess) -> f64 {
        let difference = model.median - self.median;
        let (ours, theirs) = if difference > 0.0 {
            (self.interval.high - self.median, model.median - model.interval.low)
        } else {
            (self.median - self.interval.low, model.interval.high - model.median)
        };
        if difference == 0.0 { 0.0 } else { difference / ours.hypot(theirs) }
    }
}

/// Means of pairs of numbers in the body. Their logarithms are taken to be normal, which keeps positive ones positive where few numbers
/// make them.
pub(super) struct Body {
    means: [f64; 2],
    /// A root of the covariance of the logarithms, lower triangle.
    root: [f64; 3],
}

impl Body {
    /// Of pairs each of which counts as so many independent ones.
    pub(super) fn new(pairs: impl Iterator<Item = [f64; 2]> + Clone, independent: f64) -> Self {
        let n = pairs.clone().count() as f64;
        let mean = |i: usize| pairs.clone().map(|pair| pair[i]).sum::<f64>() / n;
        let means = [mean(0), mean(1)];
        let relative = |pair: [f64; 2], i: usize| if means[i] > 0.0 { pair[i] / means[i] - 1.0 } else { 0.0 };
        let product = |i: usize, j: usize| {
            let sum: f64 = pairs.clone().map(|pair| relative(pair, i) * relative(pair, j)).sum();
            sum / (n * n * independent)
        };
        let first = product(0, 0).sqrt();
        let mixed = if first > 0.0 { product(0, 1) / first } else { 0.0 };
        let root = [first, mixed, (product(1, 1) - mixed * mixed).max(0.0).sqrt()];
        Self { means, root }
    }

    pub(super) fn draw(&self, [a, b]: [f64; 2]) -> [f64; 2] {
        let ([first, second], [l, m, r]) = (self.means, self.root);
        [first * (l * a).exp(), second * (m * a + r * b).exp()]
    }
}

/// One standard error of `⟨w⟩²/⟨w²⟩` from the influence of a sample.
fn linear_error(weights: &[f64], value: f64) -> f64 {
    let n = weights.len() as f64;
    let influence = |w: &f64| (2.0 * w - w * w * value - 1.0).powi(2);
    value * (weights.iter().map(influence).sum::<f64>() / n / n).sqrt()
}

/// Of numbers with the mean one.
fn variance(values: &[f64]) -> f64 {
    values.iter().map(|value| (value - 1.0).powi(2)).sum::<f64>() / values.len() as f64
}

/// Weights with the mean one, and the share of the largest in their sum.
pub(super) fn normalized(log_weights: &[f64]) -> (Vec<f64>, f64) {
    let mut weights = relative_weights(log_weights);
    let (n, sum) = (weights.len() as f64, weights.iter().sum::<f64>());
    weights.iter_mut().for_each(|w| *w *= n / sum);
    (weights, 1.0 / sum)
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
    use rand::RngExt;

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
        let ess = Ess::of(&of_q);
        assert!((ess.value - exact).abs() < 4.0 * ess.error());
        // The weights on p are bounded by one here: the error of their mean is a fraction of a per cent.
        assert!((target_sample_ess(&of_p) - exact).abs() < 0.005 * exact);
        let missed = |(i, log_w): (usize, &f64)| if i % 2 == 0 { *log_w } else { log_w + 20.0 };
        let of_p: Vec<f64> = of_p.iter().enumerate().map(missed).collect();
        assert!(target_sample_ess(&of_p) < 1e-6);
        let on_target = TargetEss::of(&of_p, 1);
        assert!(on_target.interval.high_95 < 1e-5 && on_target.below(&ess) > 10.0, "{on_target:?}");
    }

    /// As above, half of the samples of the target so far off that their weights overflow.
    #[test]
    fn weights_of_any_size_have_an_ess() {
        let x = Seed(4).stream("x").normals(0, 1, 8192);
        let log_w = |(i, x): (usize, &f32)| f64::from(*x) + if i % 2 == 0 { 0.0 } else { 2000.0 };
        let log_weights: Vec<f64> = x.iter().enumerate().map(log_w).collect();
        let TargetEss { value, median, interval } = TargetEss::of(&log_weights, 4);
        assert_eq!([value, median, interval.low_95, interval.high_95], [0.0; 4]);
        let ess = Ess::of(&log_weights);
        assert!(ess.value > 0.1 && ess.interval.low_95.is_finite() && ess.median.is_finite(), "{ess:?}");
    }

    /// With `log w` an autoregressive process of τ = 4.5 in each of four chains: the interval is wider by √(2τ), and holds.
    #[test]
    fn correlated_weights_on_the_target_count_for_less() {
        let (sigma, rho, chains, times, repetitions) = (0.7f64, 0.8f64, 4, 1024, 200);
        let exact = (-sigma * sigma).exp();
        let (mut one, mut two) = (0, 0);
        for i in 0..repetitions {
            let noise = Seed(9).stream("chains").normals(i, 1, chains * times);
            let mut x: Vec<f64> = noise[..chains].iter().map(|&v| v.into()).collect();
            let mut log_weights = Vec::new();
            for (index, &eta) in noise.iter().enumerate() {
                let x = &mut x[index % chains];
                *x = rho * *x + (1.0 - rho * rho).sqrt() * f64::from(eta);
                log_weights.push(sigma * *x + sigma * sigma);
            }
            let interval = TargetEss::of(&log_weights, chains).interval;
            one += usize::from((interval.low..=interval.high).contains(&exact));
            two += usize::from((interval.low_95..=interval.high_95).contains(&exact));
        }
        let (one, two) = (one as f64 / repetitions as f64, two as f64 / repetitions as f64);
        // Four standard errors of 200 repetitions, and a window that cuts a few per cent of τ off.
        assert!((one - 0.683).abs() < 0.14 && (two - 0.95).abs() < 0.07, "{one}, {two}");
    }

    #[test]
    fn a_configuration_that_the_model_cannot_give_leaves_nothing() {
        let found = TargetEss::of(&[0.0, f64::INFINITY, 1.0], 1);
        assert_eq!([found.value, found.median, found.error()], [0.0; 3]);
    }

    #[test]
    fn smaller_ensembles_miss_the_largest_weights() {
        let mut rng = Seed(5).stream("parts").item(0);
        let log_weights: Vec<f64> = (0..16384).map(|_| -0.45 * (1.0 - rng.random::<f64>()).ln()).collect();
        let Ess { value, of_parts, .. } = Ess::of(&log_weights);
        let [Some(quarter), Some(sixteenth)] = of_parts else { panic!("{of_parts:?}") };
        assert!(value < quarter && quarter < sixteenth, "{value} {quarter} {sixteenth}");
        assert_eq!(Ess::of(&log_weights[..500]).of_parts.map(|part| part.is_some()), [true, false]);
    }

    /// The interval of the target-sample ESS holds the exact one as often as it says: `log w` normal on the model with variance σ²
    /// is normal on the target too, shifted by σ².
    #[test]
    fn the_target_sample_ess_has_an_interval_that_holds() {
        let (sigma, n, repetitions) = (0.7f64, 4096, 200);
        let exact = (-sigma * sigma).exp();
        let (mut one, mut two) = (0, 0);
        for i in 0..repetitions {
            let normals = Seed(9).stream("on target").normals(i, 1, n);
            let log_weights: Vec<f64> =
                normals.iter().map(|&v| sigma * f64::from(v) + sigma * sigma).collect();
            let interval = TargetEss::of(&log_weights, 8).interval;
            one += usize::from((interval.low..=interval.high).contains(&exact));
            two += usize::from((interval.low_95..=interval.high_95).contains(&exact));
        }
        let (one, two) = (one as f64 / repetitions as f64, two as f64 / repetitions as f64);
        // Four standard errors of 200 repetitions: 0.13 and 0.06.
        assert!((one - 0.683).abs() < 0.13 && (two - 0.95).abs() < 0.06, "{one}, {two}");
    }

    #[test]
    fn equal_weights_give_one_and_a_single_heavy_one_gives_1_over_n() {
        for n in [64, 4096] {
            let ess = Ess::of(&vec![-700.0; n]);
            assert_eq!((ess.value, ess.error(), ess.max_weight_share), (1.0, 0.0, 1.0 / n as f64));
            assert_eq!(ess.tail, None);
        }
        let mut weights = [-1000.0; 64];
        weights[5] = 1000.0;
        let ess = Ess::of(&weights);
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
                let ess = Ess::of(&log_weights);
                (ess.value - exact) / ess.error()
            })
            .collect();
        let mean = pulls.iter().sum::<f64>() / pulls.len() as f64;
        let square = pulls.iter().map(|p| p * p).sum::<f64>() / pulls.len() as f64;
        // Five standard errors of the mean and of the variance of 50 unit normals.
        assert!(mean.abs() < 5.0 / 50f64.sqrt(), "mean pull {mean}");
        assert!((square - 1.0).abs() < 5.0 * (2.0 / 50f64).sqrt(), "mean squared pull {square}");
    }

    /// Weights with `P(w > t) = t^{-1/k}` have the ESS `(1-2k)/(1-k)²`.
    #[test]
    fn pareto_weights_have_their_exact_ess_in_the_interval_as_often_as_it_says() {
        for k in [0.2, 0.35, 0.45] {
            let exact = (1.0 - 2.0 * k) / (1.0 - k) / (1.0 - k);
            let (mut one, mut two) = (0, 0);
            let repetitions = 200;
            for i in 0..repetitions {
                let mut rng = Seed(5).stream("pareto").item(i);
                let log_weights: Vec<f64> =
                    (0..4096).map(|_| -k * (1.0 - rng.random::<f64>()).ln()).collect();
                let interval = Ess::of(&log_weights).interval;
                one += usize::from((interval.low..=interval.high).contains(&exact));
                two += usize::from((interval.low_95..=interval.high_95).contains(&exact));
            }
            // Four standard errors of 200 repetitions: 0.13 and 0.06.
            let (one, two) = (one as f64 / repetitions as f64, two as f64 / repetitions as f64);
            assert!((one - 0.683).abs() < 0.13 && (two - 0.95).abs() < 0.06, "k = {k}: {one}, {two}");
        }
    }
}
