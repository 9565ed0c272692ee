//! Where the figures of a cell would mislead.

use super::cell::{ObservableSummary, Summary};

/// Where a single weight rules, its error bars mean little.
const DOMINANT_WEIGHT: f64 = 0.05;

/// Fewer effective configurations than this give no error bar to trust.
const FEW_EFFECTIVE: f64 = 100.0;

/// An ESS with a larger error, relative to itself, rests on a few large weights.
const UNCERTAIN: f64 = 0.3;

/// Where the error by bootstrap is larger than the linear one by this factor, the error bar is not that of a normal distribution.
const NOT_LINEAR: f64 = 1.5;

/// A chain should be that many autocorrelation times long; W04 advises more.
const SHORT_CHAIN: f64 = 50.0;

/// An ESS on the target's configurations smaller than this part of the model's own: modes are missing.
const COLLAPSE: f64 = 0.5;

/// Acceptance of flow proposals below which a chain hardly moves.
const LOW_ACCEPTANCE: f64 = 0.05;

/// Standard errors between flow and HMC, for the worst of a handful of observables.
const DISAGREEMENT: f64 = 4.0;

/// Everything a reader has to know before trusting the figures.
pub fn of(summary: &Summary, chain_lengths: &[(&'static str, u64)], evaluated: usize) -> Vec<String> {
    let mut found = Vec::new();
    if summary.max_weight_share > DOMINANT_WEIGHT {
        found.push(format!(
            "one configuration carries {:.1}% of the total weight: ESS and reweighted errors are unreliable; train \
             longer or raise evaluate.samples",
            100.0 * summary.max_weight_share
        ));
    }
    let effective = evaluated as f64 * summary.ess;
    if effective < FEW_EFFECTIVE {
        found.push(format!(
            "the ESS rests on {effective:.0} effective configurations: it reads too high; raise evaluate.samples"
        ));
    }
    if summary.ess_err > UNCERTAIN * summary.ess {
        found.push(format!(
            "ESS = {:.3} +- {:.3}: a few large weights make it, and the reweighted errors cannot be trusted; train longer or \
             raise evaluate.samples",
            summary.ess, summary.ess_err
        ));
    }
    let not_linear = summary.observables.iter().filter(|o| o.primary);
    let excess = not_linear.filter_map(|o| Some((o, o.error_bootstrap? / o.error)));
    if let Some((worst, factor)) =
        excess.filter(|(_, factor)| *factor > NOT_LINEAR).max_by(|a, b| a.1.total_cmp(&b.1))
    {
        found.push(format!(
            "{}: the error of {} is {factor:.1} times larger by bootstrap: too few weights carry the average; draw more",
            worst.method, worst.observable
        ));
    }
    if let Some(target) = summary.ess_target.filter(|target| *target < COLLAPSE * summary.ess) {
        found.push(format!(
            "ESS is {:.3} on the model's configurations but {target:.3} on those of the target: the model misses a part \
             of the distribution (mode collapse), and nothing drawn from it shows that",
            summary.ess
        ));
    }
    for method in &summary.methods {
        let low = method.acceptance.filter(|rate| method.method == "independence" && *rate < LOW_ACCEPTANCE);
        found.extend(
            low.map(|rate| format!("only {:.2}% of the flow's proposals are accepted", 100.0 * rate)),
        );
    }
    for &(method, length) in chain_lengths {
        let of_method = summary.observables.iter().filter(|o| o.method == method);
        let slowest = of_method.filter_map(|o| Some((o, o.tau_int?.0))).max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((observable, tau)) = slowest.filter(|(_, tau)| (length as f64) < SHORT_CHAIN * tau) {
            found.push(format!(
                "{method}: a chain of {length} steps is shorter than {SHORT_CHAIN} autocorrelation times of {} ({tau:.0} \
                 steps): its errors are unreliable",
                observable.observable
            ));
        }
    }
    for method in ["direct", "independence"] {
        found.extend(disagreement(summary, method));
    }
    found
}

fn disagreement(summary: &Summary, method: &str) -> Option<String> {
    let distance = |flow: &ObservableSummary, hmc: &ObservableSummary| {
        (flow.value - hmc.value).abs() / flow.error.hypot(hmc.error)
    };
    let of = |method: &str| {
        let method = method.to_owned();
        summary.observables.iter().filter(move |o| o.method == method && o.primary)
    };
    let pairs = of(method)
        .filter_map(|flow| of("hmc").find(|hmc| hmc.observable == flow.observable).map(|hmc| (flow, hmc)));
    let distances: Vec<(&str, f64)> =
        pairs.map(|(flow, hmc)| (flow.observable.as_str(), distance(flow, hmc))).collect();
    let chi_squared: f64 = distances.iter().map(|(_, distance)| distance * distance).sum();
    let (worst, sigmas) = distances.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (sigmas > DISAGREEMENT).then(|| {
        format!(
            "{method} and HMC disagree: chi^2 = {chi_squared:.1} over {} observables, {worst} by {sigmas:.1} standard \
             errors; one of them does not sample the target",
            distances.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::MethodSummary;

    fn observable(method: &str, tau_int: Option<(f64, f64)>) -> ObservableSummary {
        ObservableSummary {
            method: method.into(),
            observable: "chi_2".into(),
            value: 1.5,
            error: 0.01,
            error_bootstrap: (method == "direct").then_some(0.0102),
            tau_int,
            exact: None,
            primary: true,
        }
    }

    /// A cell that nothing is wrong with: 10000 configurations evaluated, chains of 1000 steps.
    fn sound() -> Summary {
        Summary {
            stop_reason: "steps".into(),
            steps: 100,
            train_samples: 12_800,
            train_s: 1.0,
            ess_smoothed: 0.5,
            ess: 0.5,
            ess_err: 0.01,
            ess_target: Some(0.48),
            max_weight_share: 0.001,
            kl: None,
            observables: vec![
                observable("direct", None),
                observable("independence", Some((2.0, 0.1))),
                observable("hmc", Some((3.0, 0.1))),
            ],
            methods: vec![MethodSummary {
                method: "independence".into(),
                observable: "chi_2".into(),
                n: 1000,
                acceptance: Some(0.6),
                per_s: 1.0,
                effective_per_s: 1.0,
                crossover_n_indep: None,
            }],
            warnings: Vec::new(),
        }
    }

    fn found(summary: &Summary) -> Vec<String> {
        of(summary, &[("independence", 1000), ("hmc", 1000)], 10_000)
    }

    #[test]
    fn a_sound_cell_has_none_and_each_fault_has_its_own() {
        assert_eq!(found(&sound()), Vec::<String>::new());
        type Fault = (&'static str, fn(&mut Summary));
        let faults: [Fault; 8] = [
            ("carries 20.0% of the total weight", |cell| cell.max_weight_share = 0.2),
            ("rests on 50 effective configurations", |cell| {
                (cell.ess, cell.ess_err, cell.ess_target) = (0.005, 0.001, None);
            }),
            ("ESS = 0.500 +- 0.200", |cell| cell.ess_err = 0.2),
            ("mode collapse", |cell| cell.ess_target = Some(0.1)),
            ("direct: the error of chi_2 is 2.0 times larger by bootstrap", |cell| {
                cell.observables[0].error_bootstrap = Some(0.02);
            }),
            ("only 1.00% of the flow's proposals", |cell| cell.methods[0].acceptance = Some(0.01)),
            (
                "hmc: a chain of 1000 steps is shorter than 50 autocorrelation times of chi_2 (30 steps)",
                |cell| {
                    cell.observables[2].tau_int = Some((30.0, 3.0));
                },
            ),
            ("direct and HMC disagree: chi^2 = 50.0 over 1 observables, chi_2 by 7.1", |cell| {
                cell.observables[0].value = 1.6;
            }),
        ];
        for (expected, spoil) in faults {
            let mut cell = sound();
            spoil(&mut cell);
            let warnings = found(&cell);
            assert!(warnings.len() == 1 && warnings[0].contains(expected), "{expected}: {warnings:?}");
        }
    }
}
