//! Few rows that show how chains went and how weights are spread, for figures: a part of what was drawn.

use super::row::{HistoryRow, WeightRow};
use crate::sample::MethodRun;
use crate::stats::Ensemble;
use crate::theory::Derived;

/// Observables whose history is kept, of those that a theory has.
const OBSERVABLES: [&str; 4] = ["magnetization", "energy_density", "plaquette", "topological_charge"];

/// Chains of which a history is kept.
const CHAINS: usize = 2;

/// Steps of a history, at most.
const STEPS: usize = 250;

/// Bins of a histogram.
const BINS: usize = 60;

/// The histories of a method's chains, thinned.
pub fn history(run: &MethodRun, derived: &[Derived]) -> Vec<HistoryRow> {
    let kept = derived.iter().filter(|observable| OBSERVABLES.contains(&observable.name.as_str()));
    let mut rows = Vec::new();
    for observable in kept {
        for (chain, series) in run.series().iter().take(CHAINS).enumerate() {
            let every = series.rows().len().div_ceil(STEPS).max(1);
            for (number, row) in series.rows().enumerate().skip(every - 1).step_by(every) {
                let value = (observable.value)(row);
                let step = (number as u64 + 1) * series.bin();
                let row = HistoryRow {
                    method: run.method,
                    observable: observable.name.clone(),
                    chain,
                    step,
                    value,
                };
                rows.extend(value.is_finite().then_some(row));
            }
        }
    }
    rows
}

/// The histogram of a method's weights; nothing without a model.
pub fn weights(run: &MethodRun) -> Vec<WeightRow> {
    let Ensemble::Weighted { log_weights, .. } = &run.ensemble else { return Vec::new() };
    let ends = |start: f64, better: fn(f64, f64) -> f64| log_weights.iter().copied().fold(start, better);
    let (least, most) = (ends(f64::INFINITY, f64::min), ends(f64::NEG_INFINITY, f64::max));
    if !(most - least).is_finite() {
        return Vec::new();
    }
    // Equal weights are a bin of one unit.
    let (start, width) =
        if most > least { (least, (most - least) / BINS as f64) } else { (least - 0.5, 1.0) };
    let bins = if most > least { BINS } else { 1 };
    let (mut counts, mut shares) = (vec![0; bins], vec![0.0; bins]);
    for log_w in log_weights {
        let bin = (((log_w - start) / width) as usize).min(bins - 1);
        counts[bin] += 1;
        shares[bin] += (log_w - most).exp();
    }
    let total: f64 = shares.iter().sum();
    let row = |bin: usize| WeightRow {
        method: run.method,
        log_w_low: start + bin as f64 * width,
        log_w_high: start + (bin + 1) as f64 * width,
        configurations: counts[bin],
        weight_share: shares[bin] / total,
    };
    (0..bins).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Method, MethodCost};
    use crate::stats::TimeSeries;

    fn run(method: Method, ensemble: Ensemble) -> MethodRun {
        let cost = MethodCost { setup: None, flops_per_configuration: 0.0, wall_s: 1.0 };
        MethodRun::new(method, ensemble, cost, None)
    }

    fn weighted(log_weights: Vec<f64>) -> MethodRun {
        let rows = vec![0.0; log_weights.len()];
        run(Method::Direct, Ensemble::Weighted { log_weights, rows, width: 1 })
    }

    #[test]
    fn a_histogram_counts_all_configurations_and_all_of_their_weight() {
        let rows = weights(&weighted((0..1000).map(|i| (f64::from(i) * 0.7).sin()).collect()));
        assert_eq!(rows.iter().map(|row| row.configurations).sum::<u64>(), 1000);
        let share: f64 = rows.iter().map(|row| row.weight_share).sum();
        // Rounding of sixty numbers.
        assert!((share - 1.0).abs() < 1e-12, "{share}");
        // What is heavier has more of the weight than of the configurations.
        let last = &rows[BINS - 1];
        assert!(last.weight_share > last.configurations as f64 / 1000.0);
        let equal = weights(&weighted(vec![-3.0; 10]));
        assert_eq!((equal.len(), equal[0].configurations, equal[0].weight_share), (1, 10, 1.0));
    }

    #[test]
    fn a_history_has_the_values_of_some_steps_of_some_chains() {
        let chain = |shift: f64| {
            let mut series = TimeSeries::of_chains(1, 3);
            (0..1000).for_each(|step| series.push(&[f64::from(step) + shift], 1));
            series
        };
        let run = run(Method::Hmc, Ensemble::Chains([0.0, 0.5, 0.25].map(chain).into()));
        let derived = [Derived::new("plaquette", |a| a[0]), Derived::new("condensate", |a| a[0])];
        let rows = history(&run, &derived);
        assert_eq!(rows.len(), 2 * STEPS);
        let first = &rows[STEPS];
        assert_eq!((first.chain, first.step, first.value), (1, 4, 3.5));
        assert!(rows.iter().all(|row| row.observable == "plaquette"));
        assert!(weights(&run).is_empty());
    }
}
