//! Where the figures of a cell would mislead.

use super::summary::{ObservableSummary, Summary};
use crate::kernel::quartic::CHAINS;
use crate::stats::Ess;

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

/// Autocorrelation times after which little is left of where a chain started.
const THERMALIZED: f64 = 10.0;

/// Where weights imply a τ larger by this factor than the chain shows, the chain has not met its worst configurations.
const HIDDEN_TAU: f64 = 1.5;

/// An ESS on the target's configurations smaller than this part of the model's own: modes are missing.
const COLLAPSE: f64 = 0.5;

/// Fewer configurations of the target than this may all lie where the model is good.
const FEW_TARGET_SAMPLES: usize = 1000;

/// Acceptance of flow proposals below which a chain hardly moves.
const LOW_ACCEPTANCE: f64 = 0.05;

/// Acceptance of trajectories that no tuning would settle at.
const LOW_HMC_ACCEPTANCE: f64 = 0.3;

/// Standard errors between ⟨e^{-ΔH}⟩ and one.
const VIOLATION: f64 = 5.0;

/// Standard errors between flow and HMC, for the worst of a handful of observables.
const DISAGREEMENT: f64 = 4.0;

/// What a summary does not say.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Weights that means and costs rest on.
    pub weights: Vec<Weights>,
    /// Chains that were run.
    pub chains: Vec<Chains>,
    /// Configurations of the target that the model was judged on.
    pub target_samples: Option<usize>,
    /// CPU threads.
    pub threads: usize,
}

/// Independent configurations of the model.
#[derive(Debug, Clone, Copy)]
pub struct Weights {
    /// What they are for.
    pub of: &'static str,
    /// The key that says how many there are.
    pub key: &'static str,
    /// Configurations.
    pub n: usize,
    /// Their ESS.
    pub ess: Ess,
}

/// Chains of one method.
#[derive(Debug, Clone, Copy)]
pub struct Chains {
    /// `independence` or `hmc`.
    pub method: &'static str,
    /// How many.
    pub chains: usize,
    /// Steps of one.
    pub length: u64,
    /// Steps before the first measured one, if there were to be any.
    pub thermalization: Option<u64>,
    /// Accepted per proposal or trajectory.
    pub acceptance: f64,
    /// `⟨e^{-ΔH}⟩` with its error.
    pub exp_minus_delta_h: Option<(f64, f64)>,
}

/// Everything a reader has to know before trusting the figures.
pub fn of(summary: &Summary, evidence: &Evidence) -> Vec<String> {
    let mut found: Vec<String> = evidence.weights.iter().filter_map(of_weights).collect();
    found.extend(not_linear(summary, evidence));
    found.extend(mode_collapse(summary, evidence));
    for chains in &evidence.chains {
        found.extend(of_chains(summary, chains));
    }
    found.extend(evidence.chains.iter().filter_map(|chains| idle_threads(chains, evidence.threads)));
    found.extend(["direct", "independence"].iter().filter_map(|method| disagreement(summary, method)));
    found
}

/// The gravest fault of weights; the others follow from it.
fn of_weights(weights: &Weights) -> Option<String> {
    let Weights { of, key, n, ess } = weights;
    let effective = *n as f64 * ess.value;
    if ess.max_weight_share > DOMINANT_WEIGHT {
        Some(format!(
            "{of}: one configuration carries {:.1}% of the total weight: ESS and reweighted errors are unreliable; train \
             longer or raise {key}",
            100.0 * ess.max_weight_share
        ))
    } else if effective < FEW_EFFECTIVE {
        Some(format!(
            "{of}: the ESS rests on {effective:.0} effective configurations: it reads too high; raise {key}"
        ))
    } else if ess.error > UNCERTAIN * ess.value {
        Some(format!(
            "{of}: ESS = {:.3} +- {:.3}: a few large weights make it, and the reweighted errors cannot be trusted; train \
             longer or raise {key}",
            ess.value, ess.error
        ))
    } else {
        None
    }
}

fn not_linear(summary: &Summary, evidence: &Evidence) -> Option<String> {
    let primary = summary.observables.iter().filter(|o| o.primary);
    let excess = primary.filter(|o| o.error > 0.0).filter_map(|o| Some((o, o.error_bootstrap? / o.error)));
    let (worst, factor) =
        excess.filter(|(_, factor)| *factor > NOT_LINEAR).max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(format!(
        "{}: the error of {} is {factor:.1} times larger by bootstrap: too few weights carry the average; raise {}",
        worst.method,
        worst.observable,
        evidence.weights.last().map_or("evaluate.samples", |weights| weights.key)
    ))
}

fn mode_collapse(summary: &Summary, evidence: &Evidence) -> Option<String> {
    let (target, n) = summary.ess_target.zip(evidence.target_samples)?;
    if target < COLLAPSE * summary.ess {
        return Some(format!(
            "ESS is {:.3} on the model's configurations but {target:.3} on those of the target: the model misses a part \
             of the distribution (mode collapse), and nothing drawn from it shows that",
            summary.ess
        ));
    }
    (n < FEW_TARGET_SAMPLES).then(|| {
        format!(
            "the target-sample ESS rests on {n} configurations: too few to show a part of the distribution that the model \
             misses"
        )
    })
}

fn of_chains(summary: &Summary, chains: &Chains) -> Vec<String> {
    let Chains { method, length, .. } = *chains;
    let mut found = Vec::new();
    let percent = 100.0 * chains.acceptance;
    if method == "independence" && chains.acceptance < LOW_ACCEPTANCE {
        found.push(format!("independence: only {percent:.2}% of the flow's proposals are accepted"));
    }
    if method == "hmc" && chains.acceptance < LOW_HMC_ACCEPTANCE {
        found.push(format!(
            "hmc: only {percent:.2}% of the trajectories are accepted; raise sample.hmc.steps, or set sample.hmc.tune with \
             some thermalization"
        ));
    }
    // Where hardly anything is accepted, the mean rests on rare trajectories, and its error is none.
    let settled = chains.exp_minus_delta_h.filter(|_| chains.acceptance >= LOW_HMC_ACCEPTANCE);
    let violation = settled.filter(|(mean, error)| (mean - 1.0).abs() > VIOLATION * error);
    found.extend(violation.map(|(mean, error)| {
        format!("{method}: <e^-dH> = {mean:.4} +- {error:.4} is not 1: the chains are not in equilibrium")
    }));
    let of_method = summary.observables.iter().filter(|o| o.method == method);
    let slowest = of_method.filter_map(|o| Some((o, o.tau_int?))).max_by(|a, b| a.1.0.total_cmp(&b.1.0));
    let Some((observable, (tau, _))) = slowest else { return found };
    let name = &observable.observable;
    if (length as f64) < SHORT_CHAIN * tau {
        found.push(format!(
            "{method}: a chain of {length} steps is shorter than {SHORT_CHAIN} autocorrelation times of {name} ({tau:.1} \
             steps): its errors are unreliable"
        ));
    } else if chains.thermalization.is_none()
        && chains.chains > 1
        && (chains.chains as f64) * tau > length as f64
    {
        // A start of τ steps biases the mean by τ/length of its distance, the error is √(2τ/(chains · length)) of the spread.
        found.push(format!(
            "{method}: {} chains of {length} steps all start from the model, and what is left of that is as large as the \
             statistical error ({name}: {tau:.1} steps); run fewer chains or more proposals",
            chains.chains
        ));
    }
    if let Some(steps) = chains.thermalization.filter(|steps| (*steps as f64) < THERMALIZED * tau) {
        found.push(format!(
            "{method}: {steps} steps of thermalisation are fewer than {THERMALIZED} autocorrelation times of {name} \
             ({tau:.1} steps): the start may bias all means"
        ));
    }
    found.extend(hidden_tau(summary, method));
    found
}

/// The observable whose τ from the weights is the most beyond that of the chain.
fn hidden_tau(summary: &Summary, method: &str) -> Option<String> {
    let of_method = summary.observables.iter().filter(|o| o.method == method);
    let both = of_method.filter_map(|o| Some((o, o.tau_int_exact?, o.tau_int?)));
    let hidden =
        both.filter(|(_, exact, (tau, error))| *exact > HIDDEN_TAU * tau && exact - tau > 3.0 * error);
    let (observable, exact, (tau, _)) = hidden.max_by(|a, b| (a.1 / a.2.0).total_cmp(&(b.1 / b.2.0)))?;
    Some(format!(
        "{method}: the weights of the proposals imply an autocorrelation time of {exact:.1} steps for {}, the chain shows \
         {tau:.1}: its errors may be too small; make more proposals",
        observable.observable
    ))
}

/// Threads that HMC, tiles of chains side by side, left without work make it look dearer than it is.
fn idle_threads(chains: &Chains, threads: usize) -> Option<String> {
    let tiles = chains.chains.div_ceil(CHAINS);
    let room = tiles.div_ceil(threads) * threads * CHAINS;
    let used = chains.chains as f64 / room as f64;
    (chains.method == "hmc" && used < 0.75).then(|| {
        format!(
            "hmc: {} chains keep {:.0}% of {threads} threads busy, so its costs are overstated by what is left; a multiple of {} uses all",
            chains.chains,
            100.0 * used,
            threads * CHAINS
        )
    })
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

    fn observable(method: &str, tau_int: Option<(f64, f64)>) -> ObservableSummary {
        ObservableSummary {
            method: method.into(),
            observable: "chi_2".into(),
            value: 1.5,
            error: 0.01,
            error_bootstrap: (method == "direct").then_some(0.0102),
            tau_int,
            tau_int_exact: (method == "independence").then_some(2.1),
            exact: None,
            primary: true,
        }
    }

    /// A cell that nothing is wrong with.
    fn sound() -> (Summary, Evidence) {
        let summary = Summary {
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
                // Slower than what the weights tell of, and no plain mean.
                ObservableSummary {
                    observable: "binder".into(),
                    primary: false,
                    tau_int_exact: None,
                    ..observable("independence", Some((2.5, 0.1)))
                },
                observable("hmc", Some((3.0, 0.1))),
            ],
            methods: Vec::new(),
            warnings: Vec::new(),
        };
        let ess = Ess { value: 0.5, error: 0.01, max_weight_share: 0.001 };
        let chains = Chains {
            method: "independence",
            chains: 1,
            length: 1000,
            thermalization: None,
            acceptance: 0.6,
            exp_minus_delta_h: None,
        };
        let hmc = Chains {
            method: "hmc",
            chains: 64,
            thermalization: Some(100),
            exp_minus_delta_h: Some((1.001, 0.001)),
            ..chains
        };
        let evidence = Evidence {
            weights: vec![Weights { of: "direct", key: "sample.direct.configurations", n: 10_000, ess }],
            chains: vec![chains, hmc],
            target_samples: Some(2000),
            threads: 2,
        };
        (summary, evidence)
    }

    #[test]
    fn a_sound_cell_has_none_and_each_fault_has_its_own() {
        let (summary, evidence) = sound();
        assert_eq!(of(&summary, &evidence), Vec::<String>::new());
        type Fault = (&'static str, fn(&mut Summary, &mut Evidence));
        let faults: [Fault; 15] = [
            ("direct: one configuration carries 20.0% of the total weight", |_, seen| {
                seen.weights[0].ess.max_weight_share = 0.2;
            }),
            ("rests on 50 effective configurations", |_, seen| seen.weights[0].n = 100),
            ("ESS = 0.500 +- 0.200", |_, seen| seen.weights[0].ess.error = 0.2),
            ("mode collapse", |cell, _| cell.ess_target = Some(0.1)),
            ("rests on 10 configurations", |_, seen| seen.target_samples = Some(10)),
            ("direct: the error of chi_2 is 2.0 times larger by bootstrap", |cell, _| {
                cell.observables[0].error_bootstrap = Some(0.02);
            }),
            ("only 1.00% of the flow's proposals", |_, seen| seen.chains[0].acceptance = 0.01),
            ("only 10.00% of the trajectories", |_, seen| seen.chains[1].acceptance = 0.1),
            ("<e^-dH> = 1.1000 +- 0.0100", |_, seen| seen.chains[1].exp_minus_delta_h = Some((1.1, 0.01))),
            ("independence: a chain of 99 steps is shorter than 50 autocorrelation times", |_, seen| {
                seen.chains[0].length = 99;
            }),
            ("600 chains of 1000 steps all start from the model", |_, seen| seen.chains[0].chains = 600),
            ("hmc: 20 steps of thermalisation", |_, seen| seen.chains[1].thermalization = Some(20)),
            ("imply an autocorrelation time of 4.0 steps for chi_2, the chain shows 2.0", |cell, _| {
                cell.observables[1].tau_int_exact = Some(4.0);
            }),
            ("64 chains keep 50% of 16 threads busy", |_, seen| seen.threads = 16),
            ("direct and HMC disagree: chi^2 = 50.0 over 1 observables, chi_2 by 7.1", |cell, _| {
                cell.observables[0].value = 1.6;
            }),
        ];
        for (expected, spoil) in faults {
            let (mut summary, mut evidence) = sound();
            spoil(&mut summary, &mut evidence);
            let warnings = of(&summary, &evidence);
            assert!(warnings.len() == 1 && warnings[0].contains(expected), "{expected}: {warnings:?}");
        }
    }
}
