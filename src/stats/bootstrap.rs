//! Errors of functions of reweighted means by resampling, which needs no linear approximation.

use super::ess::relative_weights;
use crate::rng::Stream;
use rand::RngExt;
use rayon::prelude::*;

/// Resampled ensembles; the error of an error is 1/√(2·1000), 2.2%.
const REPLICATES: u64 = 1000;

/// Configurations are resampled in so many blocks at most. They are independent, so blocks cost only the precision of the error:
/// 1/√(2·2048), 1.6%.
const BLOCKS: usize = 2048;

/// Reweighted means of ensembles resampled with replacement.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    /// `[replicate][width]`
    means: Vec<Vec<f64>>,
    /// Mean weight of every replicate, relative to the largest.
    weights: Vec<f64>,
}

impl Bootstrap {
    /// Resamples independent configurations of the model together with their weights.
    ///
    /// # Shapes
    /// `log_weights`: `[N]`, `rows`: `[N][width]`
    pub fn new(log_weights: &[f64], rows: &[f64], width: usize, stream: &Stream) -> Self {
        let blocks = block_sums(log_weights, rows, width);
        let replicate = |index: u64| {
            let mut rng = stream.item(index);
            let mut sums = vec![0.0; width + 1];
            let mut count = 0;
            for _ in 0..blocks.len() {
                let (size, block) = &blocks[rng.random_range(0..blocks.len())];
                count += size;
                sums.iter_mut().zip(block).for_each(|(sum, value)| *sum += value);
            }
            let weight = sums[width];
            sums.truncate(width);
            sums.iter_mut().for_each(|sum| *sum /= weight);
            (sums, weight / count as f64)
        };
        let (means, weights) = (0..REPLICATES).into_par_iter().map(replicate).unzip();
        Self { means, weights }
    }

    /// The standard deviation of `f` of the means over the replicates; nothing if `f` is not finite on one of them, so that its
    /// own error bar leads where it has no value.
    pub fn error(&self, f: &dyn Fn(&[f64]) -> f64) -> Option<f64> {
        deviation(self.means.iter().map(|means| f(means)))
    }

    /// How far the mean of `f` over the replicates is from its value for all configurations: about as far as that is from the true
    /// value, on average.
    pub fn bias(&self, f: &dyn Fn(&[f64]) -> f64, value: f64) -> Option<f64> {
        let sum: f64 = self.means.iter().map(|means| f(means)).sum();
        Some(sum / self.means.len() as f64 - value).filter(|bias| bias.is_finite())
    }

    /// The error of `-ln ⟨w⟩`.
    pub fn free_energy_error(&self) -> Option<f64> {
        deviation(self.weights.iter().map(|weight| -weight.ln()))
    }
}

/// Sizes of blocks with `[Σ w x, …, Σ w]`; sizes differ by one at most.
fn block_sums(log_weights: &[f64], rows: &[f64], width: usize) -> Vec<(usize, Vec<f64>)> {
    let weights = relative_weights(log_weights);
    let (n, count) = (weights.len(), weights.len().min(BLOCKS));
    let block = |index: usize| {
        let part = n * index / count..n * (index + 1) / count;
        let mut sums = vec![0.0; width + 1];
        for i in part.clone() {
            let row = &rows[i * width..][..width];
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += weights[i] * value);
            sums[width] += weights[i];
        }
        (part.len(), sums)
    };
    (0..count).into_par_iter().map(block).collect()
}

fn deviation(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    Some((square / (n - 1.0)).sqrt()).filter(|deviation| deviation.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use crate::stats::{Ensemble, free_energy};

    fn normals(n: usize) -> Vec<f64> {
        Seed(8).stream("normals").normals(0, 1, n).into_iter().map(f64::from).collect()
    }

    /// Log-normal weights with a measurement correlated with them; both sizes, blocks of one and of many.
    #[test]
    fn where_a_function_is_linear_both_errors_agree() {
        for n in [1500, 100_000] {
            let x = normals(2 * n);
            let log_weights: Vec<f64> = x[..n].iter().map(|x| 0.5 * x).collect();
            let rows: Vec<f64> = x[..n].iter().zip(&x[n..]).map(|(a, b)| 3.0 + a + b).collect();
            let bootstrap = Bootstrap::new(&log_weights, &rows, 1, &Seed(1).stream("bootstrap"));
            let linear = free_energy(&log_weights).error;
            // Four errors of the error: replicates, blocks and the fourth moment of log-normal weights.
            let found = bootstrap.free_energy_error().expect("finite");
            assert!((found / linear - 1.0).abs() < 0.12, "{found} is not {linear}");
            let ensemble = Ensemble::Weighted { log_weights, rows, width: 1 };
            let linear = ensemble.measured(&|a: &[f64]| a[0]).expect("finite").error;
            let found = bootstrap.error(&|a: &[f64]| a[0]).expect("finite");
            assert!((found / linear - 1.0).abs() < 0.12, "{found} is not {linear}");
        }
    }

    /// `e^{a x̄/σ_x̄}` is log-normal: its deviation is `√((e^{a²} - 1) e^{a²})` times its value at the mean, the linear one a times.
    #[test]
    fn where_it_is_not_the_spread_is_that_of_the_function() {
        let (n, a) = (50_000, 0.7f64);
        let rows = normals(n);
        let scale = a * (n as f64).sqrt();
        let f = move |means: &[f64]| (scale * means[0]).exp();
        let at_mean = f(&[rows.iter().sum::<f64>() / n as f64]);
        let bootstrap = Bootstrap::new(&vec![0.0; n], &rows, 1, &Seed(2).stream("bootstrap"));
        let exact = ((a * a).exp() * ((a * a).exp() - 1.0)).sqrt();
        let found = bootstrap.error(&f).expect("finite") / at_mean;
        assert!((found / exact - 1.0).abs() < 0.15, "{found} is not {exact}");
        assert!(found > 1.3 * a);
    }

    #[test]
    fn a_function_without_a_value_within_its_error_has_none() {
        let rows = normals(1000);
        let bootstrap = Bootstrap::new(&[0.0; 1000], &rows, 1, &Seed(3).stream("bootstrap"));
        assert_eq!(bootstrap.error(&|a: &[f64]| (a[0] + 0.01).sqrt()), None);
        assert!(bootstrap.error(&|a: &[f64]| (a[0] + 1.0).sqrt()).is_some());
    }
}
