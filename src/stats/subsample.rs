//! Errors of reweighted means from subsamples: how far off their means are, in units of the errors that they would claim.

use super::interval::{Interval, one_sigma_of};
use crate::rng::{Seed, Stream};
use rand::RngExt;
use rayon::prelude::*;

/// Subsamples; a quantile of 68% of them is off by 2%.
const SUBSAMPLES: u64 = 1000;

/// Subsamples are so many times smaller than the whole.
const SMALLER: usize = 16;

/// Configurations are drawn in so many blocks at most. They are independent, so blocks cost only precision.
const BLOCKS: usize = 2048;

/// Configurations of a subsample, at least, that have an error worth the name.
const FEWEST: usize = 32;

/// Where parts of the configurations are off by more than so many of the errors that they claim, a few weights carry the average.
pub const FRAGILE: f64 = 3.0;

/// Weight and deviation of one configuration.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// `w`, in any unit.
    pub weight: f64,
    /// `δ`, whose weighted mean over all configurations is zero.
    pub deviation: f64,
}

/// The law of `t = (subsample - whole) / (error that the subsample claims)`.
///
/// Where the weights are light, t is a unit normal. Where few heavy ones matter, most samples lack the heaviest, read too low
/// and claim too small an error; t is skewed and wide then, for a sixteenth of the configurations much as for all of them, so
/// that its quantiles give intervals that hold what they say. Subsampling needs no second moment.
///
/// Source: Politis and Romano, Ann. Stat. 22 (1994) 2031; Romano and Wolf, Metrika 50 (1999) 55, for tails without variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Studentized {
    quantiles: Interval,
    one_sigma: f64,
}

impl Studentized {
    /// Of the weighted mean of the deviations.
    pub fn of_mean(terms: &[Term]) -> Option<Self> {
        Self::of(terms, |sums| (sums.wd / sums.w, sums.error_of_mean()))
    }

    /// Of the logarithm of the mean weight, weights in units of their mean.
    pub fn of_log_weight(terms: &[Term]) -> Option<Self> {
        Self::of(terms, |sums| {
            let mean = sums.w / sums.n;
            let variance = sums.ww / sums.n - mean * mean;
            (mean.ln(), (variance / sums.n).sqrt() / mean)
        })
    }

    /// Of a number that is zero for the whole, from its value and error for parts.
    fn of(terms: &[Term], of_part: impl Fn(&Sums) -> (f64, f64) + Sync) -> Option<Self> {
        let blocks = blocks(terms);
        let of_block = (terms.len() / blocks.len().max(1)).max(1);
        let wanted = (blocks.len() / SMALLER).max(FEWEST.div_ceil(of_block));
        if wanted > blocks.len() / 4 {
            return None;
        }
        let stream = Seed(0).stream("stats/subsample");
        // What is drawn without replacement is nearer to the whole than an independent sample would be.
        let nearer = (1.0 - wanted as f64 / blocks.len() as f64).sqrt();
        let one = |index: u64| {
            let (difference, error) = of_part(&subsample(&blocks, wanted, &stream, index));
            difference / (error * nearer)
        };
        let mut found: Vec<f64> = (0..SUBSAMPLES).into_par_iter().map(one).collect();
        // A subsample of equal numbers claims no error at all.
        found.retain(|t| t.is_finite());
        if found.len() < SUBSAMPLES as usize / 2 {
            return None;
        }
        let one_sigma = one_sigma_of(&found);
        Some(Self { quantiles: Interval::of_draws(&mut found), one_sigma })
    }

    /// The law of the negative of the number.
    pub fn mirrored(self) -> Self {
        Self { quantiles: self.quantiles.map(|t| -t), ..self }
    }

    /// The error that 68.3% of the values stay within, from the linear one; never smaller.
    pub fn error(&self, linear: f64) -> f64 {
        linear * self.one_sigma.max(1.0)
    }

    /// The interval for a value with a linear error.
    pub fn interval(&self, value: f64, linear: f64) -> Interval {
        self.quantiles.map(|t| value - t * linear)
    }
}

/// Sums over some terms.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    w: f64,
    ww: f64,
    wd: f64,
    wwd: f64,
    wwdd: f64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.w += other.w;
        self.ww += other.ww;
        self.wd += other.wd;
        self.wwd += other.wwd;
        self.wwdd += other.wwdd;
    }

    /// One standard error of the weighted mean of the deviations.
    fn error_of_mean(&self) -> f64 {
        let mean = self.wd / self.w;
        (self.wwdd - 2.0 * mean * self.wwd + mean * mean * self.ww).sqrt() / self.w
    }
}

fn blocks(terms: &[Term]) -> Vec<Sums> {
    let (n, count) = (terms.len(), terms.len().min(BLOCKS));
    let block = |index: usize| {
        let mut sums = Sums::default();
        for &Term { weight: w, deviation } in &terms[n * index / count..n * (index + 1) / count] {
            let wd = w * deviation;
            sums.add(&Sums { n: 1.0, w, ww: w * w, wd, wwd: w * wd, wwdd: wd * wd });
        }
        sums
    };
    (0..count).into_par_iter().map(block).collect()
}

/// Some of the blocks, none of them twice.
fn subsample(blocks: &[Sums], wanted: usize, stream: &Stream, index: u64) -> Sums {
    let mut rng = stream.item(index);
    let mut order: Vec<u16> = (0..blocks.len() as u16).collect();
    let mut sums = Sums::default();
    for place in 0..wanted {
        order.swap(place, rng.random_range(place..blocks.len()));
        sums.add(&blocks[usize::from(order[place])]);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normals(index: u64, n: usize) -> Vec<f64> {
        Seed(8).stream("normals").normals(index, 1, n).into_iter().map(f64::from).collect()
    }

    #[test]
    fn equal_weights_have_the_quantiles_of_a_normal_number() {
        for n in [1500, 40_000] {
            let terms: Vec<Term> =
                normals(0, n).into_iter().map(|deviation| Term { weight: 1.0, deviation }).collect();
            let mean = terms.iter().map(|term| term.deviation).sum::<f64>() / n as f64;
            let centred: Vec<Term> =
                terms.iter().map(|term| Term { deviation: term.deviation - mean, ..*term }).collect();
            let t = Studentized::of_mean(&centred).expect("enough");
            assert!((t.one_sigma - 1.0).abs() < 0.1, "{t:?}");
            let Interval { low, high, low_95, high_95 } = t.quantiles;
            let found = [low, high, low_95, high_95];
            let expected = [-1.0, 1.0, -1.96, 1.96];
            // Four errors of the 2.5% quantile of 1000 draws: 4·√(0.025·0.975/1000)/0.058 = 0.34.
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.34), "{found:?}");
        }
    }

    #[test]
    fn few_or_equal_terms_say_nothing() {
        let term = |deviation: f64| Term { weight: 1.0, deviation };
        assert_eq!(Studentized::of_mean(&[term(0.5); 100]), None);
        assert_eq!(Studentized::of_mean(&[term(0.0); 4096]), None);
    }

    /// Model: unit normal; target: a normal of variance `1/(1-a)`, whose weights `e^{a x²/2}` have a Pareto tail of shape a.
    #[test]
    fn intervals_hold_what_they_say_where_the_linear_error_does_not() {
        let (a, n, repetitions) = (0.45, 4096, 300);
        let exact = 1.0 / (1.0 - a);
        let [mut linear, mut one, mut two, mut error] = [0; 4];
        for index in 0..repetitions {
            let x = normals(index, n);
            let weights: Vec<f64> = x.iter().map(|x| (0.5 * a * x * x).exp()).collect();
            let total: f64 = weights.iter().sum();
            let mean = x.iter().zip(&weights).map(|(x, w)| w * x * x).sum::<f64>() / total;
            let terms: Vec<Term> =
                x.iter().zip(&weights).map(|(x, &weight)| Term { weight, deviation: x * x - mean }).collect();
            let square: f64 = terms.iter().map(|term| (term.weight * term.deviation).powi(2)).sum();
            let claimed = square.sqrt() / total;
            let t = Studentized::of_mean(&terms).expect("enough");
            let interval = t.interval(mean, claimed);
            let off = (mean - exact).abs();
            linear += usize::from(off < claimed);
            error += usize::from(off < t.error(claimed));
            one += usize::from((interval.low..=interval.high).contains(&exact));
            two += usize::from((interval.low_95..=interval.high_95).contains(&exact));
        }
        let share = |count: usize| count as f64 / repetitions as f64;
        // Three standard errors of 300 repetitions are 0.08 and 0.04.
        assert!(share(linear) < 0.63, "{}", share(linear));
        assert!((share(error) - 0.683).abs() < 0.1, "{}", share(error));
        assert!((share(one) - 0.683).abs() < 0.08, "{}", share(one));
        assert!((share(two) - 0.95).abs() < 0.04, "{}", share(two));
    }
}
