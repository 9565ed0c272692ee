//! What the weights of all proposals say of chains of independence Metropolis: their exact autocorrelation, their errors.

use super::ensemble::Measured;
use super::subsample::{Studentized, Term};

/// An average over a chain, its error set right by the proposals that the chain was offered: by the larger τ of the chain's own
/// and that of the weights, in the calibration of the subsamples.
pub fn judged_by_weights(measured: Measured, proposals: &[Term]) -> Measured {
    let log_weights: Vec<f64> = proposals.iter().map(|term| term.weight.ln()).collect();
    let deviations: Vec<f64> = proposals.iter().map(|term| term.deviation).collect();
    let tau_int_exact = exact_tau_int(&log_weights, &deviations);
    let Some(exact) = tau_int_exact else { return measured };
    // The τ of a chain is not known for functions of several numbers in bins.
    let longer = match measured.tau_int {
        Some((tau, _)) => (exact / tau).sqrt(),
        None => (2.0 * exact * variance(proposals) / measured.n as f64).sqrt() / measured.error,
    };
    let by = Studentized::of_mean(proposals);
    let calibrated = Measured::calibrated(measured.value, measured.error * longer.max(1.0), by, measured.n);
    let Measured { error, tau_int, .. } = measured;
    Measured { error_plain: error, tau_int, tau_int_exact, by_weights: longer > 1.0, ..calibrated }
}

/// Of the deviations under the target.
fn variance(proposals: &[Term]) -> f64 {
    let sum = |of: fn(&Term) -> f64| proposals.iter().map(of).sum::<f64>();
    sum(|term| term.weight * term.deviation.powi(2)) / sum(|term| term.weight)
}

/// `τ_int` of an observable under independence Metropolis whose proposals are uniform over the given configurations.
///
/// With the weights in ascending order the transition matrix is triangular up to two sums, so the Poisson equation
/// `(1 - P) f = O - ⟨O⟩` is solved by one pass: `τ = ⟨(O-⟨O⟩) f⟩/⟨(O-⟨O⟩)²⟩ - ½`, means with the weights. Up to the finite number
/// of proposals this is the τ that an infinitely long chain has, without the noise of one.
///
/// # Shapes
/// `log_weights`, `values`: `[N]`
///
/// Nothing for fewer than two configurations or an observable without spread.
pub fn exact_tau_int(log_weights: &[f64], values: &[f64]) -> Option<f64> {
    assert_eq!(log_weights.len(), values.len(), "weights and values");
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| log_weights[a].total_cmp(&log_weights[b]));
    let largest = *order.last()?;
    // A weight too small for a number would divide nought by nought.
    let weight = |&i: &usize| (log_weights[i] - log_weights[largest]).exp().max(f64::MIN_POSITIVE);
    let w: Vec<f64> = order.iter().map(weight).collect();
    let total: f64 = w.iter().sum();
    let mean = order.iter().zip(&w).map(|(&i, w)| w * values[i]).sum::<f64>() / total;
    let o: Vec<f64> = order.iter().map(|&i| values[i] - mean).collect();
    let spread = o.iter().zip(&w).map(|(o, w)| w * o * o).sum::<f64>() / total;
    if n < 2 || spread.is_nan() || spread <= 0.0 {
        return None;
    }
    // For w_x in ascending order, N times row x of the equation:
    //   (N - x + W_x/w_x) f_x - Σ_{y>x} f_y - (1/w_x) Σ_{y<x} w_y f_y = N O_x,   W_x = Σ_{y<x} w_y, x from 1,
    // and the difference of neighbouring rows leaves sums over y < x only. f is free up to a constant: f_1 = 0.
    let count = n as f64;
    let (mut f, mut product, mut below, mut weighted) = (0.0, 0.0, 0.0, 0.0);
    for x in 0..n {
        product += w[x] * o[x] * f;
        if x + 1 == n {
            break;
        }
        let rest = count - (x + 1) as f64;
        let own = (rest + below / w[x]) * f - weighted / w[x];
        below += w[x];
        weighted += w[x] * f;
        f = (count * (o[x + 1] - o[x]) + own + weighted / w[x + 1]) / (rest + below / w[x + 1]);
    }
    Some(product / total / spread - 0.5)
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
            let (found, expected) = (exact_tau_int(&log_w, &o).expect("spread"), by_powers(&log_w, &o));
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
        let tau = exact_tau_int(&log_weights, &deviations).expect("spread");
        // Light weights: what subsamples show is the plain error, within a tenth for parts of 256.
        let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.15;
        let (n, variance) = (10_000, mean * (1.0 - mean));
        let error_of = |tau: f64| (2.0 * tau * variance / n as f64).sqrt();
        for (seen, by_weights) in [(0.5 * tau, true), (2.0 * tau, false)] {
            for known in [true, false] {
                let plain = error_of(seen);
                let measured = Measured {
                    tau_int: known.then_some((seen, 0.1)),
                    ..Measured::calibrated(0.8, plain, None, n)
                };
                let found = judged_by_weights(measured, &terms);
                let expected = error_of(seen.max(tau));
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
        let tau = exact_tau_int(&[3.0; 100], &values).expect("spread");
        // Every proposal is accepted; one in a hundred is the configuration itself.
        assert!((tau - 0.5).abs() < 1e-12, "{tau}");
        assert_eq!(exact_tau_int(&[0.0, 1.0], &[2.0, 2.0]), None);
    }
}
