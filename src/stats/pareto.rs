//! The tail of weights: a generalised Pareto distribution fitted to the largest ones.

use super::interval::Interval;
use crate::rng::{Seed, Stream};
use rand::RngExt;
use rand_distr::{Beta, Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Fewer excesses than this say nothing about a shape.
const FEWEST: usize = 16;

/// Shapes and scales of a grid, each.
const GRID: usize = 41;

/// Shapes that are thought of. Beyond one not even the mean exists.
const SHAPES: [f64; 2] = [-1.0, 3.0];

/// Logarithms of scales that are thought of, in units of the median excess, which is `σ (2^k - 1)/k`.
const LOG_SCALES: [f64; 2] = [-2.5, 2.5];

/// Standard deviations on either side of the mean that the fine grid covers.
const REACH: f64 = 4.5;

/// Excesses that the coarse grid looks at, about.
const COARSE: usize = 200;

/// How far the shape beyond the largest weights may be from that of the largest ones: for a flow it grows along the tail, by 0.04
/// from 1024 to two million configurations (`tests/campaigns.md`).
const DEEPER: f64 = 0.03;

/// Grids around the mean of the one before, at most, until one is finer than the posterior is wide.
const REFINEMENTS: usize = 3;

/// Draws of what a tail allows; the ends of an interval have errors of a per cent or two of its width.
const DRAWS: u64 = 4000;

/// A tail that may be beyond this shape, within an error, makes means untrustworthy whatever is done to their errors.
///
/// Source: Vehtari et al., arXiv:1507.02646.
const HEAVY: f64 = 0.7;

/// The shape of the largest weights.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ParetoShape {
    /// `k`: weights beyond w are as many as `w^{-1/k}`. Below ½ their variance exists, below 1 their mean.
    pub k: f64,
    /// One standard error.
    pub error: f64,
}

/// What a shape implies for averages with these weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// k < ½: errors are as printed.
    Errors,
    /// k up to 0.7: errors shrink more slowly than with the root of the number of configurations.
    SlowErrors,
    /// k may be beyond 0.7 within its error: too few weights to tell.
    Unknown,
    /// k > 0.7: nothing is to be trusted.
    Nothing,
}

impl ParetoShape {
    /// What it implies.
    pub fn trust(&self) -> Trust {
        match self.k {
            k if k > HEAVY => Trust::Nothing,
            k if k + self.error > HEAVY => Trust::Unknown,
            k if k >= 0.5 => Trust::SlowErrors,
            _ => Trust::Errors,
        }
    }

    /// Configurations from which on reweighted means are of use at all: `10^{1/(1-k)}`; none are enough for k ≥ 1.
    ///
    /// Source: Vehtari et al., arXiv:1507.02646.
    pub fn fewest_configurations(&self) -> f64 {
        if self.k < 1.0 { 10f64.powf(1.0 / (1.0 - self.k.max(0.0))) } else { f64::INFINITY }
    }
}

/// Positive numbers as a body and a tail that is known by its distribution.
///
/// The `M = min(N/5, 3√N)` largest are in the tail; their excesses y over the largest of the body have the density
/// `(1/σ)(1 + k y/σ)^{-1/k - 1}`. The posterior of `(k, ln σ)` under a flat prior is kept on a grid.
///
/// Source: Vehtari et al., arXiv:1507.02646, for the size of the tail; Pickands, Ann. Stat. 3 (1975) 119, for its law.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// Where the tail begins.
    threshold: f64,
    /// The median excess, in which excesses are counted.
    unit: f64,
    /// How many are below and beyond.
    counts: [usize; 2],
    /// Independent numbers that each counts as.
    independent: f64,
    posterior: Posterior,
}

/// Moments of numbers with such a tail, drawn from what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Share of the numbers in the tail.
    pub share: f64,
    /// Mean over the tail; infinite where there is none.
    pub mean: f64,
    /// Mean square over the tail; infinite where there is none.
    pub square: f64,
    /// Two independent unit normals, for the body.
    pub normals: [f64; 2],
}

impl Tail {
    /// The tail of positive numbers, each of which counts as so many independent ones, 1/(2τ). Nothing if there are too few, if the
    /// largest are all alike, or so far apart that no law can be fitted.
    pub fn new(values: &[f64], independent: f64) -> Option<Self> {
        let (threshold, largest) = largest(values)?;
        let mut excesses: Vec<f64> = largest.iter().map(|value| value - threshold).collect();
        excesses.sort_by(f64::total_cmp);
        let (beyond, unit) = (excesses.len(), excesses[excesses.len() / 2]);
        // Numbers that differ by rounding alone have no tail.
        if unit <= 1e-12 * threshold.abs() {
            return None;
        }
        excesses.iter_mut().for_each(|excess| *excess /= unit);
        let posterior = Posterior::new(&excesses, independent)?;
        let counts = [values.len() - beyond, beyond];
        Some(Self { threshold, unit, counts, independent, posterior })
    }

    /// Where the tail of numbers would begin.
    pub fn threshold_of(values: &[f64]) -> Option<f64> {
        largest(values).map(|(threshold, _)| threshold)
    }

    /// Whether a number belongs to the tail.
    pub fn holds(&self, value: f64) -> bool {
        value > self.threshold
    }

    /// Its shape.
    pub fn shape(&self) -> ParetoShape {
        let ((k, error), _) = self.posterior.means_and_deviations();
        ParetoShape { k, error: error.hypot(DEEPER) }
    }

    /// Calls `f` with draws of the moments; the draws are the same every time.
    pub fn draws(&self, f: impl Fn(Moments) -> f64 + Sync) -> Vec<f64> {
        let stream = Seed(0).stream("stats/tail");
        let [below, beyond] = self.counts.map(|count| count as f64 * self.independent);
        let shares = Beta::new(beyond, below).expect("positive counts");
        (0..DRAWS).into_par_iter().map(|index| f(self.draw(&stream, index, &shares))).collect()
    }

    fn draw(&self, stream: &Stream, index: u64, shares: &Beta<f64>) -> Moments {
        let mut rng = stream.item(index);
        let [u, v, w] = [(); 3].map(|()| rng.random::<f64>());
        let (k, scale) = self.posterior.pick(u, [v, w]);
        let sigma = scale * self.unit;
        let share = shares.sample(&mut rng);
        let deeper: f64 = StandardNormal.sample(&mut rng);
        let k = k + DEEPER * deeper;
        let normals = [(); 2].map(|()| StandardNormal.sample(&mut rng));
        let (first, t) = (sigma / (1.0 - k), self.threshold);
        let second = 2.0 * sigma * first / (1.0 - 2.0 * k);
        let mean = if k < 1.0 { t + first } else { f64::INFINITY };
        let square = if k < 0.5 { t * t + 2.0 * t * first + second } else { f64::INFINITY };
        Moments { share, mean, square, normals }
    }
}

/// The numbers of the tail and the largest one before them; nothing if there are too few.
fn largest(values: &[f64]) -> Option<(f64, Vec<f64>)> {
    let n = values.len();
    let beyond = (n / 5).min((3.0 * (n as f64).sqrt()) as usize);
    if beyond < FEWEST {
        return None;
    }
    let mut sorted = values.to_vec();
    let (_, threshold, largest) = sorted.select_nth_unstable_by(n - beyond - 1, f64::total_cmp);
    Some((*threshold, largest.to_vec()))
}

/// Probabilities of shapes and scales on a grid.
#[derive(Debug, Clone, PartialEq)]
struct Posterior {
    shapes: [f64; GRID],
    log_scales: [f64; GRID],
    /// Sums of the probabilities, shape after shape.
    cumulative: Vec<f64>,
}

impl Posterior {
    /// From excesses in units of their median, in ascending order; nothing if no shape and scale give them.
    fn new(excesses: &[f64], independent: f64) -> Option<Self> {
        let every = excesses.len().div_ceil(COARSE);
        let some: Vec<f64> = excesses.iter().skip(every / 2).step_by(every).copied().collect();
        // Where the tail may end depends on the largest of all.
        let largest = excesses[excesses.len() - 1];
        let mut found = Self::on(&some, largest, independent * every as f64, SHAPES, LOG_SCALES)?;
        for _ in 0..REFINEMENTS {
            let (shape, scale) = found.means_and_deviations();
            let shapes = around(shape, SHAPES, &found.shapes);
            let log_scales = around(scale, LOG_SCALES, &found.log_scales);
            found = Self::on(excesses, largest, independent, shapes, log_scales)?;
            if found.is_fine() {
                break;
            }
        }
        Some(found)
    }

    fn on(
        excesses: &[f64],
        largest: f64,
        independent: f64,
        shapes: [f64; 2],
        log_scales: [f64; 2],
    ) -> Option<Self> {
        let grid = |[low, high]: [f64; 2]| {
            std::array::from_fn(|i| low + (high - low) * i as f64 / (GRID - 1) as f64)
        };
        let (shapes, log_scales): ([f64; GRID], [f64; GRID]) = (grid(shapes), grid(log_scales));
        let one = |k: f64, log_scale: f64| independent * log_likelihood(excesses, largest, k, log_scale);
        let row = |k: &f64| log_scales.map(|log_scale| one(*k, log_scale));
        let logs: Vec<f64> = shapes.par_iter().map(row).collect::<Vec<_>>().into_iter().flatten().collect();
        let best = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut total = 0.0;
        let add = |log: f64| {
            total += (log - best).exp();
            total
        };
        best.is_finite().then(|| Self { shapes, log_scales, cumulative: logs.into_iter().map(add).collect() })
    }

    /// Whether neighbouring points are nearer than the posterior is wide.
    fn is_fine(&self) -> bool {
        let ((_, shape), (_, scale)) = self.means_and_deviations();
        shape > 2.0 * (self.shapes[1] - self.shapes[0])
            && scale > 2.0 * (self.log_scales[1] - self.log_scales[0])
    }

    /// Points of the grid with their probabilities.
    fn points(&self) -> impl Iterator<Item = (f64, f64, f64)> + '_ {
        let total = self.cumulative[GRID * GRID - 1];
        let mut before = 0.0;
        self.cumulative.iter().enumerate().map(move |(index, &sum)| {
            let probability = (sum - before) / total;
            before = sum;
            (self.shapes[index / GRID], self.log_scales[index % GRID], probability)
        })
    }

    fn means_and_deviations(&self) -> ((f64, f64), (f64, f64)) {
        let of = |value: &dyn Fn(f64, f64) -> f64| {
            let mean: f64 = self.points().map(|(k, s, p)| p * value(k, s)).sum();
            let square: f64 = self.points().map(|(k, s, p)| p * (value(k, s) - mean).powi(2)).sum();
            (mean, square.sqrt())
        };
        (of(&|k, _| k), of(&|_, log_scale| log_scale))
    }

    /// Shape and scale of the point at a uniform number, anywhere within its cell.
    fn pick(&self, u: f64, [v, w]: [f64; 2]) -> (f64, f64) {
        let total = self.cumulative[GRID * GRID - 1];
        let index = self.cumulative.partition_point(|sum| *sum < u * total).min(GRID * GRID - 1);
        let within = |grid: &[f64; GRID], place: usize, v: f64| grid[place] + (v - 0.5) * (grid[1] - grid[0]);
        let k = within(&self.shapes, index / GRID, v);
        (k, within(&self.log_scales, index % GRID, w).exp())
    }
}

/// Some standard deviations on either side of a mean, within bounds; a distribution between two points of a grid may be anywhere
/// between them.
fn around((mean, deviation): (f64, f64), [low, high]: [f64; 2], grid: &[f64; GRID]) -> [f64; 2] {
    let reach = REACH * deviation.max(grid[1] - grid[0]);
    [(mean - reach).max(low), (mean + reach).min(high)]
}

/// `-Σ [ln σ + (1/k + 1) ln(1 + k y/σ)]`, where a tail of this shape reaches as far as `largest`.
fn log_likelihood(excesses: &[f64], largest: f64, k: f64, log_scale: f64) -> f64 {
    let (n, scale) = (excesses.len() as f64, (-log_scale).exp());
    if k.abs() < 1e-8 {
        return -n * log_scale - excesses.iter().map(|y| y * scale).sum::<f64>();
    }
    if 1.0 + k * scale * largest <= 0.0 {
        return f64::NEG_INFINITY;
    }
    -n * log_scale - (1.0 + 1.0 / k) * excesses.iter().map(|y| (k * scale * y).ln_1p()).sum::<f64>()
}

/// The interval of draws, and their median.
pub(super) fn summary(mut draws: Vec<f64>) -> (f64, Interval) {
    let interval = Interval::of_draws(&mut draws);
    (draws[draws.len() / 2], interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers with `P(x > t) = t^{-1/k}`.
    fn pareto(k: f64, n: usize, index: u64) -> Vec<f64> {
        let mut rng = Seed(5).stream("pareto").item(index);
        (0..n).map(|_| (1.0 - rng.random::<f64>()).powf(-k)).collect()
    }

    /// The error of a shape is `(1 + k)/√M`; M is 192 here.
    #[test]
    fn a_pareto_tail_has_its_shape_within_the_error() {
        for k in [0.2, 0.5, 0.9] {
            let repetitions = 60;
            let shapes: Vec<ParetoShape> = (0..repetitions)
                .map(|i| Tail::new(&pareto(k, 4096, i), 1.0).expect("a tail").shape())
                .collect();
            let expected = ((1.0 + k) / 192f64.sqrt()).hypot(DEEPER);
            let errors = shapes.iter().map(|shape| shape.error).sum::<f64>() / repetitions as f64;
            assert!((errors / expected - 1.0).abs() < 0.15, "k = {k}: error {errors}, not {expected}");
            let mean = shapes.iter().map(|shape| shape.k).sum::<f64>() / repetitions as f64;
            // A flat prior shifts the mean by about 1/M of a few errors.
            assert!((mean - k).abs() < 0.02 + 4.0 * errors / (repetitions as f64).sqrt(), "k = {k}: {mean}");
        }
    }

    /// Uniform numbers: the excesses are uniform too, k = -1 at the edge of what is thought of; exponential ones have k = 0.
    #[test]
    fn light_tails_have_no_positive_shape() {
        let uniform: Vec<f64> = pareto(1.0, 4096, 0).iter().map(|x| 2.0 - 1.0 / x).collect();
        assert!(Tail::new(&uniform, 1.0).expect("a tail").shape().k < -0.7);
        let exponential: Vec<f64> = pareto(1.0, 4096, 1).iter().map(|x| 1.0 + x.ln()).collect();
        let ParetoShape { k, error } = Tail::new(&exponential, 1.0).expect("a tail").shape();
        assert!(k.abs() < 4.0 * error, "{k} +- {error}");
    }

    /// The coarse look at 8192 numbers leaves the largest out.
    #[test]
    fn one_number_far_beyond_a_bounded_tail_has_a_say() {
        let mut numbers: Vec<f64> = pareto(1.0, 8192, 2).iter().map(|x| 2.0 - 1.0 / x).collect();
        let bounded = Tail::new(&numbers, 1.0).expect("a tail").shape();
        numbers[17] = 100.0;
        let ParetoShape { k, error } = Tail::new(&numbers, 1.0).expect("a tail").shape();
        assert!(bounded.k < -0.7 && k > bounded.k + 0.5 && error > 0.0, "{bounded:?}, {k} +- {error}");
    }

    #[test]
    fn a_tail_of_many_numbers_is_resolved() {
        let shape = Tail::new(&pareto(0.4, 2_000_000, 3), 1.0).expect("a tail").shape();
        let expected = 1.4 / (3.0 * 2e6f64.sqrt()).sqrt();
        let with_what_is_deeper = expected.hypot(DEEPER);
        assert!((shape.error / with_what_is_deeper - 1.0).abs() < 0.02, "{shape:?}");
        assert!((shape.k - 0.4).abs() < 4.0 * expected, "{shape:?}");
    }

    #[test]
    fn few_or_equal_numbers_have_no_tail() {
        assert!(Tail::new(&pareto(0.5, 70, 0), 1.0).is_none());
        assert!(Tail::new(&[1.0; 4096], 1.0).is_none());
    }

    #[test]
    fn numbers_too_far_apart_have_no_tail() {
        let mut numbers = vec![0.0; 4096];
        numbers[5] = 1.0;
        assert!(Tail::new(&numbers, 1.0).is_none());
    }

    #[test]
    fn a_shape_says_what_is_to_be_trusted() {
        let trust = |k, error| ParetoShape { k, error }.trust();
        assert_eq!(trust(0.3, 0.1), Trust::Errors);
        assert_eq!(trust(0.3, 0.5), Trust::Unknown);
        assert_eq!(trust(0.55, 0.1), Trust::SlowErrors);
        assert_eq!(trust(0.75, 0.1), Trust::Nothing);
    }

    #[test]
    fn what_is_needed_grows_with_the_shape() {
        let fewest = |k| ParetoShape { k, error: 0.1 }.fewest_configurations();
        assert_eq!((fewest(-0.5), fewest(0.5), fewest(1.0)), (10.0, 100.0, f64::INFINITY));
        assert!((fewest(0.75) - 1e4).abs() < 1e-6);
    }
}
