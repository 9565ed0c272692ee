//! Whether a model knows the sectors of a target: the shares of its configurations in each against those of Hybrid Monte Carlo.

use super::summary::{ObservableSummary, Summary};
use crate::sample::{Method, MethodRun};
use crate::stats::Ensemble;
use crate::theory::Derived;
use std::fmt;

/// Sectors with a smaller share of the target are not asked for: what is in them hardly changes an average.
const NEGLIGIBLE: f64 = 1e-3;

/// As many configurations that should be in a sector are there at least once, but for one time in e¹⁰.
const EXPECTED: f64 = 10.0;

/// Standard errors between two shares, for the worst of a handful of sectors.
const DISAGREEMENT: f64 = 4.0;

/// What is wrong with a sector.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The model has never drawn a configuration of it.
    Missed { sector: String, share: f64, drawn: usize },
    /// Its share is another one than by Hybrid Monte Carlo.
    Share { method: Method, sector: String, model: [f64; 2], hmc: [f64; 2], sigmas: f64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed { sector, share, drawn } => write!(
                f,
                "none of {drawn} configurations of the model is in a sector that HMC gives {sector} = {share:.4}: no weight makes up \
                 for what is never drawn"
            ),
            Self::Share { method, sector, model: [model, model_err], hmc: [hmc, hmc_err], sigmas } => write!(
                f,
                "{method}: {sector} = {model:.4} +- {model_err:.4}, but {hmc:.4} +- {hmc_err:.4} by HMC, {sigmas:.1} standard errors \
                 apart: one of them does not go through the sectors as the target does"
            ),
        }
    }
}

/// The sectors that the model misses, and for each method with its proposals the one whose share is off by most, if it is by much.
pub fn faults(summary: &Summary, runs: &[&MethodRun], derived: &[Derived]) -> Vec<Fault> {
    let sectors: Vec<&Derived> = derived.iter().filter(|observable| observable.sector).collect();
    let of_hmc = |sector: &Derived| find(summary, Method::Hmc, &sector.name).filter(|o| o.value > NEGLIGIBLE);
    let known: Vec<(&Derived, &ObservableSummary)> =
        sectors.into_iter().filter_map(|sector| Some((sector, of_hmc(sector)?))).collect();
    let drawn = runs.iter().filter(|run| run.method == Method::Direct);
    let missed: Vec<Fault> =
        drawn.flat_map(|run| known.iter().filter_map(|(sector, hmc)| missed(run, sector, hmc))).collect();
    let is_missed = |name: &str| {
        missed.iter().any(|fault| matches!(fault, Fault::Missed { sector, .. } if sector.as_str() == name))
    };
    let worst = |method: Method| {
        let others = known.iter().filter(|(sector, _)| !is_missed(&sector.name));
        let off = others.filter_map(|(_, hmc)| share(summary, method, hmc));
        off.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, fault)| fault)
    };
    let off: Vec<Fault> = [Method::Direct, Method::Independence].into_iter().filter_map(worst).collect();
    missed.into_iter().chain(off).collect()
}

fn find<'a>(summary: &'a Summary, method: Method, name: &str) -> Option<&'a ObservableSummary> {
    summary.observables.iter().find(|o| o.method == method && o.observable == name)
}

/// By the draws as they are: weights cannot be trusted where something is missing.
fn missed(run: &MethodRun, sector: &Derived, hmc: &ObservableSummary) -> Option<Fault> {
    let Ensemble::Weighted { log_weights, rows, width } = &run.ensemble else { return None };
    let drawn = log_weights.len();
    // Its low end by HMC itself, which may have met it by a rare chance.
    let share = hmc.value - 2.0 * hmc.error;
    let is_there = rows.chunks_exact(*width).any(|row| (sector.value)(row) > 0.0);
    (!is_there && share * drawn as f64 > EXPECTED).then(|| Fault::Missed {
        sector: sector.name.clone(),
        share: hmc.value,
        drawn,
    })
}

/// The share by a method with its distance from that by HMC, if that is large.
fn share(summary: &Summary, method: Method, hmc: &ObservableSummary) -> Option<(f64, Fault)> {
    let model = find(summary, method, &hmc.observable)?;
    let sigmas = (model.value - hmc.value).abs() / model.error.hypot(hmc.error);
    (sigmas > DISAGREEMENT).then(|| {
        let [model, hmc_share] = [model, hmc].map(|found| [found.value, found.error]);
        let sector = hmc.observable.clone();
        (sigmas, Fault::Share { method, sector, model, hmc: hmc_share, sigmas })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::MethodCost;

    fn observable(method: Method, sector: usize, value: f64) -> ObservableSummary {
        ObservableSummary {
            method,
            observable: format!("charge_probability_{sector}"),
            value,
            error: 0.01,
            error_plain: Some(0.01),
            tau_int: None,
            tau_int_exact: None,
            exact: None,
            must_vanish: None,
            primary: false,
        }
    }

    /// Ten thousand draws with equal weights, of which every tenth is in the second sector if any is, and what was found by each method.
    fn found(second: bool, direct: f64, hmc: f64) -> Vec<String> {
        let rows = (0..10_000).flat_map(|i| if second && i % 10 == 0 { [0.0, 1.0] } else { [1.0, 0.0] });
        let ensemble = Ensemble::Weighted { log_weights: vec![0.0; 10_000], rows: rows.collect(), width: 2 };
        let cost = MethodCost { setup: None, flops_per_configuration: 1.0, wall_s: 1.0 };
        let run = MethodRun::new(Method::Direct, ensemble, cost, None);
        let derived: Vec<Derived> = (0..2)
            .map(|sector| {
                let name = format!("charge_probability_{sector}");
                Derived::new(name, move |row: &[f64]| row[sector]).sector()
            })
            .collect();
        let both = |method, second: f64| {
            [observable(method, 0, 1.0 - second), observable(method, 1, second)].into_iter()
        };
        let observables = both(Method::Direct, direct).chain(both(Method::Hmc, hmc)).collect();
        let summary = Summary { model: None, observables, methods: Vec::new(), warnings: Vec::new() };
        faults(&summary, &[&run], &derived).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sectors_that_are_missed_or_have_another_share_are_named() {
        assert_eq!(found(true, 0.1, 0.11), Vec::<String>::new());
        let missed = found(false, 0.0, 0.1);
        assert!(
            missed[0].starts_with("none of 10000 configurations of the model is in a sector"),
            "{missed:?}"
        );
        assert!(missed[0].contains("charge_probability_1 = 0.1000"), "{missed:?}");
        // What is left is too large by as much, and that is said as well.
        assert!(missed.len() == 2 && missed[1].contains("charge_probability_0 = 1.0000"), "{missed:?}");
        let off = found(true, 0.1, 0.2);
        assert!(off.len() == 1 && off[0].starts_with("direct: charge_probability_"), "{off:?}");
        assert!(off[0].contains("7.1 standard errors apart"), "{off:?}");
        // Neither a rare sector nor one that Hybrid Monte Carlo hardly knows.
        assert_eq!(found(false, 0.0, 0.0005), Vec::<String>::new());
        assert_eq!(found(false, 0.0, 0.015), Vec::<String>::new());
    }
}
