//! What the weights of all proposals say of chains of independence Metropolis: their exact autocorrelation, their errors.

use super::ensemble::Measured;
use super::ess::{Body, normalized};
use super::gamma::TauInt;
use super::interval::Interval;
use super::pareto::{Tail, summary};
use super::subsample::{Studentized, Term};

/// The weights of all proposals that chains were offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposals {
    /// Places of the weights in ascending order.
    order: Vec<usize>,
    /// In that order, with the mean one.
    weights: Vec<f64>,
    tail: Option<Tail>,
}

impl Proposals {
    /// # Shapes
    /// `log_weights`: `[N]`
    pub fn new(log_weights: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..log_weights.len()).collect();
        order.sort_by(|&a, &b| log_weights[a].total_cmp(&log_weights[b]));
        let (weights, _) = normalized(log_weights);
        // A weight too small for a number would divide nought by nought.
        let weights: Vec<f64> = order.iter().map(|&i| weights[i].max(f64::MIN_POSITIVE)).collect();
        let tail = Tail::new(&weights, 1.0);
        Self { order, weights, tail }
    }

    /// An average over a chain, its error set right: by the larger τ of the chain's own and that of the weights, in the calibration of
    /// the subsamples.
    ///
    /// # Shapes
    /// `terms`: `[N]`, of the same proposals
    pub fn judge(&self, measured: Measured, terms: &[Term]) -> Measured {
        let deviations: Vec<f64> = terms.iter().map(|term| term.deviation).collect();
        let Some(exact) = self.tau_int(&deviations) else { return measured };
        // The τ of a chain is not known for functions of several numbers in bins.
        let longer = match measured.tau_int {
            Some((tau, _)) => (exact.value / tau).sqrt(),
            None => (2.0 * exact.value * variance(terms) / measured.n as f64).sqrt() / measured.error,
        };
        let by = Studentized::of_mean(terms);
        let calibrated =
            Measured::calibrated(measured.value, measured.error * longer.max(1.0), by, measured.n);
        let Measured { error, tau_int, .. } = measured;
        let by_weights = longer > 1.0;
        Measured { error_plain: error, tau_int, tau_int_exact: Some(exact), by_weights, ..calibrated }
    }

    /// `τ_int` of an observable under independence Metropolis whose proposals are uniform over these configurations.
    ///
    /// With the weights in ascending order the transition matrix is triangular up to two sums, so the Poisson equation
    /// `(1 - P) f = O - ⟨O⟩` is solved by one pass: `τ = ⟨(O-⟨O⟩) f⟩/⟨(O-⟨O⟩)²⟩ - ½`, means with the weights. Up to the finite
    /// number of proposals this is the τ that an infinitely long chain has, without the noise of one.
    ///
    /// A chain stays at a heavy weight for `w/⟨w⟩` steps, so that those of the tail enter with `w²`: the interval is from draws of both
    /// means as sums over a body and over that tail, as for [`Ess`](super::Ess).
    ///
    /// # Shapes
    /// `values`: `[N]`
    ///
    /// Nothing for fewer than two configurations or an observable without spread.
    pub fn tau_int(&self, values: &[f64]) -> Option<TauInt> {
        assert_eq!(self.weights.len(), values.len(), "weights and values");
        let (w, n) = (&self.weights, values.len());
        let total: f64 = w.iter().sum();
        let mean = self.order.iter().zip(w).map(|(&i, w)| w * values[i]).sum::<f64>() / total;
        let o: Vec<f64> = self.order.iter().map(|&i| values[i] - mean).collect();
        let variances: Vec<f64> = o.iter().zip(w).map(|(o, w)| w * o * o).collect();
        let spread = variances.iter().sum::<f64>() / total;
        if n < 2 || spread.is_nan() || spread <= 0.0 {
            return None;
        }
        let f = self.solution(&o);
        let products: Vec<f64> = (0..n).map(|x| w[x] * o[x] * f[x]).collect();
        let value = products.iter().sum::<f64>() / total / spread - 0.5;
        let interval = self.interval(value, &products, &variances).clamp(0.5, f64::INFINITY);
        Some(TauInt { value, interval })
    }

    /// `f` of the Poisson equation, its mean under the weights zero.
    fn solution(&self, o: &[f64]) -> Vec<f64> {
        // For w_x in ascending order, N times row x of the equation:
        //   (N - x + W_x/w_x) f_x - Σ_{y>x} f_y - (1/w_x) Σ_{y<x} w_y f_y = N O_x,   W_x = Σ_{y<x} w_y, x from 1,
        // and the difference of neighbouring rows leaves sums over y < x only. f is free up to a constant: f_1 = 0 at first.
        let (w, count) = (&self.weights, o.len() as f64);
        let (mut f, mut below, mut weighted) = (vec![0.0; o.len()], 0.0, 0.0);
        for x in 0..o.len() - 1 {
            let rest = count - (x + 1) as f64;
            let own = (rest + below / w[x]) * f[x] - weighted / w[x];
            below += w[x];
            weighted += w[x] * f[x];
            f[x + 1] = (count * (o[x + 1] - o[x]) + own + weighted / w[x + 1]) / (rest + below / w[x + 1]);
        }
        let (sum, total) = f.iter().zip(w).fold((0.0, 0.0), |(sum, total), (f, w)| (sum + w * f, total + w));
        f.iter_mut().for_each(|f| *f -= sum / total);
        f
    }

    /// Of `Σ products / Σ variances - ½`, products of the heaviest in proportion to `w²/⟨w⟩`.
    fn interval(&self, value: f64, products: &[f64], variances: &[f64]) -> Interval {
        let pairs = products.iter().zip(variances).map(|(&product, &variance)| [product, variance]);
        let Some(tail) = &self.tail else {
            let total: f64 = variances.iter().sum();
            let square: f64 =
                pairs.map(|[product, variance]| (product - (value + 0.5) * variance).powi(2)).sum();
            return Interval::normal(value, square.sqrt() / total);
        };
        let beyond = self.weights.iter().filter(|w| tail.holds(**w)).count();
        let inside = self.weights.len() - beyond;
        let body = Body::new(pairs.take(inside), 1.0);
        let mean_of = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let heaviest = &self.weights[inside..];
        let [product, variance, weight] = [&products[inside..], &variances[inside..], heaviest].map(mean_of);
        let square = heaviest.iter().map(|w| w * w).sum::<f64>() / beyond as f64;
        let body_weight = mean_of(&self.weights[..inside]);
        summary(tail.draws(|tail| {
            if !tail.square.is_finite() {
                return f64::INFINITY;
            }
            let ([products, variances], share) = (body.draw(tail.normals), tail.share);
            let mean = (1.0 - share) * body_weight + share * tail.mean;
            let product = (1.0 - share) * products + share * product * tail.square / square / mean;
            product / ((1.0 - share) * variances + share * variance * tail.mean / weight) - 0.5
        }))
        .1
    }
}

/// Of the deviations under the target.
fn variance(proposals: &[Term]) -> f64 {
    let sum = |of: fn(&Term) -> f64| proposals.iter().map(of).sum::<f64>();
    sum(|term| term.weight * term.deviation.powi(2)) / sum(|term| term.weight)
}

/// [`Proposals::tau_int`] of weights that are asked about once.
///
/// # Shapes
/// `log_weights`, `values`: `[N]`
pub fn exact_tau_int(log_weights: &[f64], values: &[f64]) -> Option<TauInt> {
    Proposals::new(log_weights).tau_int(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use rand::RngExt;

    /// τ from the powers of the transition matrix itself.
    fn by_powers(log_w: &[f64], o: &[f64]) -> f64 {
        let n = o.len();
        let w: Vec<f64> = log_w.iter().map(|l| l.exp()).collect();
        let total: f64 = w.iter().sum();
        let mut p = vec![vec![0.0; n]; n];
        for x in 0..n {
            for y in (0..n).filter(|&y| y != x) {
                p[x][y] = (w[y] / w[x]).min(1.0) / n as f64;
            }
            p[x][x] = 1.0 - p[x].iter().sum::<f64>();
        }
        let mean = w.iter().zip(o).map(|(w, o)| w * o).sum::<f64>() / total;
        let mut v: Vec<f64> = o.iter().map(|o| o - mean).collect();
        let first = v.clone();
        let overlap = |v: &[f64]| (0..n).map(|x| w[x] * first[x] * v[x]).sum::<f64>();
        let (variance, mut tau) = (overlap(&v), 0.5);
        for _ in 0..20_000 {
            v = (0..n).map(|x| (0..n).map(|y| p[x][y] * v[y]).sum()).collect();
            tau += overlap(&v) / variance;
        }
        tau
    }

    #[test]
    fn the_solution_is_that_of_the_matrix() {
        for (index, n) in [(0, 2), (1, 5), (2, 24)] {
            let normals = Seed(6).stream("tau").normals(index, 2, n);
            let (a, b) = normals.split_at(n);
            let log_w: Vec<f64> = a.iter().map(|&v| 1.5 * f64::from(v)).collect();
            let o: Vec<f64> = b.iter().map(|&v| f64::from(v)).collect();
            let (found, expected) = (exact_tau_int(&log_w, &o).expect("spread").value, by_powers(&log_w, &o));
            assert!((found - expected).abs() < 1e-9 * expected, "{n}: {found} is not {expected}");
        }
    }

    /// Proposals of two kinds, the second of weight 4, that measure their kind: an error of the chain that is from a τ half as long
    /// as that of the weights is √2 too small, and one from a τ twice as long is kept.
    #[test]
    fn the_longer_tau_makes_the_error() {
        let mut rng = Seed(6).stream("kinds").item(0);
        let kinds = (0..4096).map(|_| f64::from(rng.random_range(0..2)));
        let terms: Vec<Term> = kinds.map(|kind| Term { weight: 1.0 + 3.0 * kind, deviation: kind }).collect();
        let total: f64 = terms.iter().map(|term| term.weight).sum();
        let mean = terms.iter().map(|term| term.weight * term.deviation).sum::<f64>() / total;
        let terms: Vec<Term> =
            terms.into_iter().map(|term| Term { deviation: term.deviation - mean, ..term }).collect();
        let log_weights: Vec<f64> = terms.iter().map(|term| term.weight.ln()).collect();
        let deviations: Vec<f64> = terms.iter().map(|term| term.deviation).collect();
        let proposals = Proposals::new(&log_weights);
        let tau = proposals.tau_int(&deviations).expect("spread");
        // Light weights: what subsamples show is the plain error, within a tenth for parts of 256.
        let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.15;
        let (n, variance) = (10_000, mean * (1.0 - mean));
        let error_of = |tau: f64| (2.0 * tau * variance / n as f64).sqrt();
        for (seen, by_weights) in [(0.5 * tau.value, true), (2.0 * tau.value, false)] {
            for known in [true, false] {
                let plain = error_of(seen);
                let measured = Measured {
                    tau_int: known.then_some((seen, 0.1)),
                    ..Measured::calibrated(0.8, plain, None, n)
                };
                let found = proposals.judge(measured, &terms);
                let expected = error_of(seen.max(tau.value));
                assert!(close(found.error, expected), "{found:?}, not {expected}");
                assert_eq!((found.by_weights, found.error_plain), (by_weights, plain));
                assert_eq!((found.tau_int, found.tau_int_exact), (measured.tau_int, Some(tau)));
                let width = found.interval.high - found.interval.low;
                assert!(close(width, 2.0 * expected), "{width}");
            }
        }
    }

    #[test]
    fn equal_weights_are_independent_and_a_constant_has_no_tau() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let tau = exact_tau_int(&[3.0; 100], &values).expect("spread").value;
        // Every proposal is accepted; one in a hundred is the configuration itself.
        assert!((tau - 0.5).abs() < 1e-12, "{tau}");
        assert_eq!(exact_tau_int(&[0.0, 1.0], &[2.0, 2.0]), None);
    }
}
