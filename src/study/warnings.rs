//! Where the figures of a cell would mislead.

use super::sectors::{self, Fault};
use super::summary::{ObservableSummary, Summary};
use crate::sample::{ChainInfo, Method, MethodRun};
use crate::stats::{Ess, FRAGILE, ParetoShape, TimeSeries, Trust};
use crate::theory::Derived;
use std::fmt;

/// More configurations than anyone draws.
const MOST_CONFIGURATIONS: f64 = 1e12;

/// Fewer effective configurations than this give no error bar to trust.
const FEW_EFFECTIVE: f64 = 100.0;

/// A chain should be that many autocorrelation times long; W04 advises more.
const SHORT_CHAIN: f64 = 50.0;

/// Autocorrelation times after which little is left of where a chain started.
const THERMALIZED: f64 = 10.0;

/// Standard errors by which an ESS on the target's configurations is below that on the model's own: modes are missing.
const COLLAPSE: f64 = 4.0;

/// The part of it that it is below then: what differs by less is no mode.
const SMALLER: f64 = 0.8;

/// The same if it is at most this part of it, within its interval of 95%: the model's own may reach down to zero.
const COLLAPSED_TO: f64 = 0.5;

/// Standard errors from zero of what a symmetry makes zero.
const BROKEN: f64 = 4.0;

/// Fewer configurations of the target than this may all lie where the model is good.
const FEW_TARGET_SAMPLES: usize = 1000;

/// Acceptance of flow proposals below which a chain hardly moves.
const LOW_ACCEPTANCE: f64 = 0.05;

/// Acceptance of trajectories that no tuning would settle at.
const LOW_HMC_ACCEPTANCE: f64 = 0.3;

/// Standard errors between ⟨e^{-ΔH}⟩ and one.
const VIOLATION: f64 = 5.0;

/// Threads that are busy for a smaller part of the time make costs look larger than they are.
const BUSY: f64 = 0.75;

/// Standard errors between flow and HMC, for the worst of a handful of observables.
const DISAGREEMENT: f64 = 4.0;

/// Where the figures of a cell would mislead, one variant for each way.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// The largest weights of the model's configurations fall off so slowly (Pareto shape k, Vehtari et al., arXiv:1507.02646) that ESS, means and
    /// errors cannot be trusted: train longer, or draw as many configurations as it says.
    HeavyTail { of: &'static str, key: &'static str, shape: ParetoShape, n: usize },
    /// Fewer than 100 effective configurations are left of an evaluation: its ESS reads too high; draw more.
    FewEffective { of: &'static str, key: &'static str, effective: f64 },
    /// Parts of the configurations scatter by more than the error of an average claims: too few weights carry it; draw more.
    Fragile { observable: String, factor: f64, key: &'static str },
    /// The ESS on configurations of the target is below that on the model's own: the model misses a mode, and nothing that is drawn from it
    /// shows that. More layers, a symmetrised density or training by `forward_kl` reach missing modes.
    ModeCollapse { ess: f64, target: f64 },
    /// An average that a symmetry makes zero is more than 4 standard errors from zero: chains are too few or too short to have seen both
    /// sides.
    BrokenSymmetry { method: Method, observable: String, value: f64, error: f64, missing: String },
    /// Something has happened in some configurations that never does if all is well, such as a charge that is not whole or an operator that
    /// is nearly singular.
    GoneWrong { method: Method, share: f64, wrong: &'static str },
    /// An observable is the same in all configurations of chains, as the topological charge where no chain changes it: nothing is known of it.
    Frozen { method: Method, observable: String },
    /// A topological sector that HMC finds is missing from the model's configurations, or has another probability there.
    Sector(Fault),
    /// Fewer than 1000 configurations of the target stand behind its ESS: they may all lie where the model is good.
    FewTargetSamples { n: usize },
    /// Independence Metropolis accepts fewer than 5% of the model's proposals: its chain hardly moves.
    LowAcceptance { acceptance: f64 },
    /// HMC accepts fewer than 30% of its trajectories: more `sample.hmc.steps`, or let it tune them.
    LowHmcAcceptance { acceptance: f64 },
    /// `⟨e^{-ΔH}⟩` of HMC is more than 5 standard errors from one, which it is in equilibrium: more thermalisation.
    NoEquilibrium { method: Method, mean: f64, error: f64 },
    /// A chain is shorter than 50 autocorrelation times of an observable: errors are unreliable (W04).
    ShortChain { method: Method, length: u64, observable: String, tau: f64 },
    /// Many chains of independence Metropolis start from the model each, and what is left of that is as large as the statistical error: fewer
    /// chains, or more proposals.
    ManyStarts { method: Method, chains: usize, length: u64, observable: String, tau: f64 },
    /// Fewer than 10 autocorrelation times of thermalisation: what a chain started from may bias all means.
    ShortThermalization { method: Method, steps: u64, observable: String, tau: f64 },
    /// Threads were idle for more than a quarter of the time, so that costs of HMC are overstated: a multiple of their number of chains uses
    /// them all.
    IdleThreads { chains: usize, used: f64, threads: usize, multiple: usize },
    /// Flow and HMC find averages more than 4 standard errors apart, over all primary observables: one of them does not sample the target.
    Disagreement { method: Method, chi_squared: f64, observables: usize, worst: String, sigmas: f64 },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeavyTail { of, key, shape, n } => heavy_tail(f, of, key, shape, *n),
            Self::FewEffective { of, key, effective } => write!(
                f,
                "{of}: the ESS rests on {effective:.0} effective configurations: it reads too high; raise {key}"
            ),
            Self::Fragile { observable, factor, key } => write!(
                f,
                "direct: parts of the configurations are off by {factor:.1} times the error of {observable} that they claim: \
                 too few weights carry the average, and its interval may still be too short; raise {key}"
            ),
            Self::ModeCollapse { ess, target } => write!(
                f,
                "ESS is {ess:.3} on the model's configurations but {target:.3} on those of the target: the model misses a part \
                 of the distribution (mode collapse), and nothing drawn from it shows that"
            ),
            Self::BrokenSymmetry { method, observable, value, error, missing } => write!(
                f,
                "{method}: {observable} = {value:.3e} +- {error:.1e} must be zero by symmetry: there may be too few {missing}"
            ),
            Self::GoneWrong { method, share, wrong } => {
                write!(f, "{method}: in {:.3}% of the configurations {wrong}", 100.0 * share)
            }
            Self::Frozen { method, observable } => write!(
                f,
                "{method}: {observable} is the same in all configurations: the chains are frozen, and nothing is known of it"
            ),
            Self::Sector(fault) => fault.fmt(f),
            Self::FewTargetSamples { n } => write!(
                f,
                "the target-sample ESS rests on {n} configurations: too few to show a part of the distribution that the model \
                 misses"
            ),
            Self::LowAcceptance { acceptance } => write!(
                f,
                "independence: only {:.2}% of the flow's proposals are accepted",
                100.0 * acceptance
            ),
            Self::LowHmcAcceptance { acceptance } => write!(
                f,
                "hmc: only {:.2}% of the trajectories are accepted; raise sample.hmc.steps, or set sample.hmc.tune with \
                 some thermalization",
                100.0 * acceptance
            ),
            Self::NoEquilibrium { method, mean, error } => write!(
                f,
                "{method}: <e^-dH> = {mean:.4} +- {error:.4} is not 1: the chains are not in equilibrium"
            ),
            Self::ShortChain { method, length, observable, tau } => write!(
                f,
                "{method}: a chain of {length} steps is shorter than {SHORT_CHAIN} autocorrelation times of {observable} \
                 ({tau:.1} steps): its errors are unreliable"
            ),
            Self::ManyStarts { method, chains, length, observable, tau } => write!(
                f,
                "{method}: {chains} chains of {length} steps all start from the model, and what is left of that is as large \
                 as the statistical error ({observable}: {tau:.1} steps); run fewer chains or more proposals"
            ),
            Self::ShortThermalization { method, steps, observable, tau } => write!(
                f,
                "{method}: {steps} steps of thermalisation are fewer than {THERMALIZED} autocorrelation times of {observable} \
                 ({tau:.1} steps): the start may bias all means"
            ),
            Self::IdleThreads { chains, used, threads, multiple } => write!(
                f,
                "hmc: {chains} chains keep {:.0}% of {threads} threads busy, so its costs are overstated by what is left; a \
                 multiple of {multiple} uses all",
                100.0 * used
            ),
            Self::Disagreement { method, chi_squared, observables, worst, sigmas } => write!(
                f,
                "{method} and HMC disagree: chi^2 = {chi_squared:.1} over {observables} observables, {worst} by {sigmas:.1} \
                 standard errors; one of them does not sample the target"
            ),
        }
    }
}

/// What a tail means for averages, and what would help.
fn heavy_tail(f: &mut fmt::Formatter<'_>, of: &str, key: &str, shape: &ParetoShape, n: usize) -> fmt::Result {
    let ParetoShape { k, error } = shape;
    write!(f, "{of}: the largest of {n} weights fall off with a Pareto shape of {k:.2} +- {error:.2}: ")?;
    let (needed, held) = (shape.fewest_configurations(), n as f64);
    if shape.trust() != Trust::Nothing && needed <= held {
        return write!(f, "too few weights to exclude a tail whose means cannot be trusted; raise {key}");
    }
    f.write_str("ESS, means and errors are not to be trusted; ")?;
    match needed {
        MOST_CONFIGURATIONS.. => f.write_str("more configurations would not help: train longer"),
        _ if needed > held => {
            write!(f, "at least {needed:.0e} configurations would be needed ({key}), or longer training")
        }
        _ => write!(f, "they converge slowly with more configurations ({key}): train longer"),
    }
}

/// What a summary does not say.
#[derive(Clone)]
pub struct Evidence<'a> {
    /// Weights that means and costs rest on.
    pub weights: Vec<Weights>,
    /// The methods that were run.
    pub runs: &'a [&'a MethodRun],
    /// What was measured.
    pub derived: &'a [Derived],
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

impl Weights {
    /// Equivalent independent configurations.
    fn effective(&self) -> f64 {
        self.n as f64 * self.ess.value
    }

    /// Whether they are fewer than make an error bar.
    fn are_few(&self) -> bool {
        self.effective() < FEW_EFFECTIVE
    }
}

/// Everything a reader has to know before trusting the figures.
pub fn of(summary: &Summary, evidence: &Evidence<'_>) -> Vec<Warning> {
    let mut found: Vec<Warning> = evidence.weights.iter().filter_map(of_weights).collect();
    found.extend(mode_collapse(summary, evidence));
    let of_sectors = sectors::faults(summary, evidence.runs, evidence.derived);
    found.extend(of_sectors.into_iter().map(Warning::Sector));
    found.extend(summary.observables.iter().filter_map(|found| broken_symmetry(found, evidence)));
    for run in evidence.runs {
        found.extend(evidence.derived.iter().filter_map(|observable| constant(run, observable)));
    }
    let chains = || evidence.runs.iter().filter_map(|run| Some((*run, run.chain.as_ref()?)));
    chains().for_each(|(run, chain)| found.extend(of_chains(summary, run, chain)));
    found.extend(chains().filter_map(|(run, chain)| idle_threads(run, chain, evidence.threads)));
    let others = [Method::Direct, Method::Independence, Method::HeatBath];
    found.extend(fragile(summary, evidence));
    found.extend(others.into_iter().filter_map(|method| disagreement(summary, method)));
    found
}

/// The gravest fault of weights; the others follow from it.
fn of_weights(weights: &Weights) -> Option<Warning> {
    let Weights { of, key, n, ess } = *weights;
    let is_heavy = |shape: &ParetoShape| {
        matches!(shape.trust(), Trust::Unknown | Trust::Nothing) || shape.fewest_configurations() > n as f64
    };
    if let Some(shape) = ess.tail.filter(is_heavy) {
        Some(Warning::HeavyTail { of, key, shape, n })
    } else if weights.are_few() {
        Some(Warning::FewEffective { of, key, effective: weights.effective() })
    } else {
        None
    }
}

/// The average over configurations of the model that is the farthest from normal.
fn fragile(summary: &Summary, evidence: &Evidence<'_>) -> Option<Warning> {
    let reweighted = summary.observables.iter().filter(|o| o.method == Method::Direct && o.primary);
    let excess = reweighted.filter_map(|o| Some((o, o.error / o.error_plain.filter(|error| *error > 0.0)?)));
    let (worst, factor) =
        excess.filter(|(_, factor)| *factor > FRAGILE).max_by(|a, b| a.1.total_cmp(&b.1))?;
    // Of several sets of weights the last is that of the means.
    let key = evidence.weights.last()?.key;
    Some(Warning::Fragile { observable: worst.observable.clone(), factor, key })
}

fn mode_collapse(summary: &Summary, evidence: &Evidence<'_>) -> Option<Warning> {
    let model = summary.model.as_ref()?;
    let (target, n) = model.ess_target.zip(evidence.target_samples)?;
    let at_most = model.ess_target_interval.map_or(target, |interval| interval.high_95);
    let is_below = model.ess_target_sigmas.is_some_and(|sigmas| sigmas > COLLAPSE);
    if (is_below && target < SMALLER * model.ess) || at_most < COLLAPSED_TO * model.ess {
        return Some(Warning::ModeCollapse { ess: model.ess, target });
    }
    (n < FEW_TARGET_SAMPLES).then_some(Warning::FewTargetSamples { n })
}

fn broken_symmetry(found: &ObservableSummary, evidence: &Evidence<'_>) -> Option<Warning> {
    let missing = found.must_vanish.clone()?;
    // Nothing is known of an average that a handful of weights make, and that is said already.
    let of_model = matches!(found.method, Method::Direct | Method::Independence);
    let too_few = of_model && evidence.weights.last().is_some_and(Weights::are_few);
    if too_few {
        return None;
    }
    let ObservableSummary { method, observable, value, error, .. } = found;
    (value.abs() > BROKEN * error).then(|| Warning::BrokenSymmetry {
        method: *method,
        observable: observable.clone(),
        value: *value,
        error: *error,
        missing,
    })
}

/// What has no error, because it is the same in all configurations, and says something by that.
fn constant(run: &MethodRun, observable: &Derived) -> Option<Warning> {
    let (method, value) = (run.method, (observable.value)(&run.ensemble.means()));
    if let Some(wrong) = observable.never.filter(|_| value > 0.0) {
        return Some(Warning::GoneWrong { method, share: value, wrong });
    }
    let is_frozen = observable.primary && run.chain.is_some() && value.is_finite();
    (is_frozen && run.measured(&*observable.value).is_none())
        .then(|| Warning::Frozen { method, observable: observable.name.clone() })
}

fn of_chains(summary: &Summary, run: &MethodRun, chain: &ChainInfo) -> Vec<Warning> {
    let (method, acceptance) = (run.method, chain.acceptance);
    let mut found = Vec::new();
    if method == Method::Independence && acceptance < LOW_ACCEPTANCE {
        found.push(Warning::LowAcceptance { acceptance });
    }
    if method == Method::Hmc && acceptance < LOW_HMC_ACCEPTANCE {
        found.push(Warning::LowHmcAcceptance { acceptance });
    }
    // Where hardly anything is accepted, the mean rests on rare trajectories, and its error is none.
    let settled = chain.exp_minus_delta_h.filter(|_| acceptance >= LOW_HMC_ACCEPTANCE);
    let violation = settled.filter(|(mean, error)| (mean - 1.0).abs() > VIOLATION * error);
    found.extend(violation.map(|(mean, error)| Warning::NoEquilibrium { method, mean, error }));
    found.extend(too_short(summary, run, chain));
    found
}

/// What is wrong with the length of chains, and with the τ that it is measured by.
fn too_short(summary: &Summary, run: &MethodRun, chain: &ChainInfo) -> Vec<Warning> {
    let (method, chains) = (run.method, run.series().len());
    let length = run.series().first().map_or(0, TimeSeries::count);
    let of_method = summary.observables.iter().filter(|o| o.method == method);
    let tau = |o: &ObservableSummary| Some(o.tau_int?.0.max(o.tau_int_exact.unwrap_or(0.0)));
    let slowest = of_method.filter_map(|o| Some((o, tau(o)?))).max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((observable, tau)) = slowest else { return Vec::new() };
    let observable = observable.observable.clone();
    let mut found = Vec::new();
    if (length as f64) < SHORT_CHAIN * tau {
        found.push(Warning::ShortChain { method, length, observable: observable.clone(), tau });
    } else if chain.thermalization.is_none() && chains > 1 && (chains as f64) * tau > length as f64 {
        // A start of τ steps biases the mean by τ/length of its distance, the error is √(2τ/(chains · length)) of the spread.
        found.push(Warning::ManyStarts { method, chains, length, observable: observable.clone(), tau });
    }
    let few = chain.thermalization.filter(|steps| (*steps as f64) < THERMALIZED * tau);
    found.extend(few.map(|steps| Warning::ShortThermalization { method, steps, observable, tau }));
    found
}

/// Threads that tiles of chains side by side left without work make them look dearer than they are.
fn idle_threads(run: &MethodRun, chain: &ChainInfo, threads: usize) -> Option<Warning> {
    let (chains, side_by_side) = (run.series().len(), chain.side_by_side?);
    let multiple = threads * side_by_side;
    let used = chains as f64 / chains.next_multiple_of(multiple) as f64;
    (used < BUSY).then_some(Warning::IdleThreads { chains, used, threads, multiple })
}

fn disagreement(summary: &Summary, method: Method) -> Option<Warning> {
    let distance = |flow: &ObservableSummary, hmc: &ObservableSummary| {
        (flow.value - hmc.value).abs() / flow.error.hypot(hmc.error)
    };
    let of = |method: Method| summary.observables.iter().filter(move |o| o.method == method && o.primary);
    let pairs = of(method).filter_map(|flow| {
        of(Method::Hmc).find(|hmc| hmc.observable == flow.observable).map(|hmc| (flow, hmc))
    });
    let distances: Vec<(&str, f64)> =
        pairs.map(|(flow, hmc)| (flow.observable.as_str(), distance(flow, hmc))).collect();
    let chi_squared: f64 = distances.iter().map(|(_, distance)| distance * distance).sum();
    let (worst, sigmas) = distances.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (worst, observables) = (worst.to_owned(), distances.len());
    (sigmas > DISAGREEMENT).then_some(Warning::Disagreement {
        method,
        chi_squared,
        observables,
        worst,
        sigmas,
    })
}

#[cfg(test)]
mod tests {
    use super::super::summary::ModelSummary;
    use super::*;
    use crate::sample::MethodCost;
    use crate::stats::{Ensemble, Interval};

    fn observable(method: Method, tau_int: Option<(f64, f64)>) -> ObservableSummary {
        ObservableSummary {
            method,
            observable: "chi_2".into(),
            value: 1.5,
            error: 0.01,
            error_plain: Some(0.0098),
            tau_int,
            tau_int_exact: (method == Method::Independence).then_some(2.1),
            exact: None,
            must_vanish: None,
            primary: true,
        }
    }

    /// A cell that nothing is wrong with.
    fn sound() -> (Summary, Seen) {
        let summary = Summary {
            model: Some(ModelSummary {
                stop_reason: "steps".into(),
                steps: 100,
                train_samples: 12_800,
                train_s: 1.0,
                train_samples_before: 0,
                ess_smoothed: Some(0.5),
                ess: 0.5,
                ess_err: 0.01,
                ess_interval: None,
                ess_median: Some(0.5),
                ess_of_parts: [None; 2],
                pareto: None,
                ess_target: Some(0.48),
                ess_target_interval: None,
                ess_target_sigmas: Some(1.0),
                max_weight_share: 0.001,
                kl: None,
            }),
            observables: vec![
                observable(Method::Direct, None),
                observable(Method::Independence, Some((2.0, 0.1))),
                // Slower than what the weights tell of, and no plain mean.
                ObservableSummary {
                    observable: "binder".into(),
                    primary: false,
                    ..observable(Method::Independence, Some((2.5, 0.1)))
                },
                observable(Method::Hmc, Some((3.0, 0.1))),
            ],
            methods: Vec::new(),
            warnings: Vec::new(),
        };
        let ess = Ess {
            value: 0.5,
            median: 0.5,
            interval: Interval::normal(0.5, 0.01),
            max_weight_share: 0.001,
            tail: Some(ParetoShape { k: 0.3, error: 0.1 }),
            of_parts: [None; 2],
        };
        let independence = ChainInfo { acceptance: 0.6, ..ChainInfo::default() };
        let hmc = ChainInfo {
            thermalization: Some(100),
            side_by_side: Some(8),
            exp_minus_delta_h: Some((1.001, 0.001)),
            ..independence.clone()
        };
        let seen = Seen {
            weights: Weights { of: "direct", key: "sample.direct.configurations", n: 10_000, ess },
            independence: (independence, 1, 1000),
            hmc: (hmc, 64, 1000),
            target_samples: Some(2000),
            derived: Vec::new(),
            threads: 2,
        };
        (summary, seen)
    }

    /// What evidence is made of: of each method its chains, how many there are and how long.
    struct Seen {
        weights: Weights,
        independence: (ChainInfo, usize, u64),
        hmc: (ChainInfo, usize, u64),
        target_samples: Option<usize>,
        derived: Vec<Derived>,
        threads: usize,
    }

    fn run(method: Method, (chain, chains, length): (ChainInfo, usize, u64)) -> MethodRun {
        let mut series = TimeSeries::new(1, 64);
        series.push(&[0.0], length);
        let cost = MethodCost { setup: None, flops_per_configuration: 1.0, wall_s: 1.0 };
        MethodRun::new(method, Ensemble::Chains(vec![series; chains]), cost, Some(chain))
    }

    fn found(summary: &Summary, seen: Seen) -> Vec<String> {
        let runs = [run(Method::Independence, seen.independence), run(Method::Hmc, seen.hmc)];
        let Seen { weights, target_samples, threads, derived, .. } = seen;
        let runs = [&runs[0], &runs[1]];
        let weights = vec![weights];
        let evidence = Evidence { weights, runs: &runs, derived: &derived, target_samples, threads };
        of(summary, &evidence).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_cell_has_none_and_each_fault_has_its_own() {
        let (summary, seen) = sound();
        assert_eq!(found(&summary, seen), Vec::<String>::new());
        type Fault = (&'static str, fn(&mut Summary, &mut Seen));
        let faults: [Fault; 17] = [
            (
                "Pareto shape of 0.80 +- 0.10: ESS, means and errors are not to be trusted; at least 1e5",
                |_, seen| {
                    seen.weights.ess.tail = Some(ParetoShape { k: 0.8, error: 0.1 });
                },
            ),
            ("0.50 +- 0.30: too few weights to exclude a tail", |_, seen| {
                seen.weights.ess.tail = Some(ParetoShape { k: 0.5, error: 0.3 });
            }),
            ("more configurations would not help", |_, seen| {
                seen.weights.ess.tail = Some(ParetoShape { k: 1.2, error: 0.1 });
            }),
            (
                "direct: chi_2 = 1.500e0 +- 1.0e-2 must be zero by symmetry: there may be too few of a kind",
                |cell, _| {
                    cell.observables[0].must_vanish = Some("of a kind".into());
                },
            ),
            ("rests on 50 effective configurations", |cell, seen| {
                cell.observables[0].must_vanish = Some("of a kind".into());
                seen.weights.n = 100;
            }),
            ("mode collapse", |cell, _| {
                let model = cell.model.as_mut().expect("it has one");
                (model.ess_target, model.ess_target_sigmas) = (Some(0.3), Some(5.0));
            }),
            ("mode collapse", |cell, _| {
                let model = cell.model.as_mut().expect("it has one");
                model.ess_target_interval = Some(Interval::normal(0.1, 0.05));
            }),
            ("rests on 10 configurations", |_, seen| seen.target_samples = Some(10)),
            ("direct: parts of the configurations are off by 4.0 times the error of chi_2", |cell, _| {
                cell.observables[0].error_plain = Some(0.0025);
            }),
            ("only 1.00% of the flow's proposals", |_, seen| seen.independence.0.acceptance = 0.01),
            ("only 10.00% of the trajectories", |_, seen| seen.hmc.0.acceptance = 0.1),
            ("<e^-dH> = 1.1000 +- 0.0100", |_, seen| seen.hmc.0.exp_minus_delta_h = Some((1.1, 0.01))),
            ("independence: a chain of 99 steps is shorter than 50 autocorrelation times", |_, seen| {
                seen.independence.2 = 99;
            }),
            ("600 chains of 1000 steps all start from the model", |_, seen| seen.independence.1 = 600),
            ("hmc: 20 steps of thermalisation", |_, seen| seen.hmc.0.thermalization = Some(20)),
            ("64 chains keep 50% of 16 threads busy", |_, seen| seen.threads = 16),
            ("direct and HMC disagree: chi^2 = 50.0 over 1 observables, chi_2 by 7.1", |cell, _| {
                cell.observables[0].value = 1.6;
            }),
        ];
        for (expected, spoil) in faults {
            let (mut summary, mut seen) = sound();
            spoil(&mut summary, &mut seen);
            let warnings = found(&summary, seen);
            assert!(warnings.len() == 1 && warnings[0].contains(expected), "{expected}: {warnings:?}");
        }
    }

    /// Both kinds of chains of [`sound`] stay where they are.
    #[test]
    fn what_is_the_same_in_all_configurations_is_said_of_every_chain() {
        let frozen = Derived::new("m", |means| means[0]).primary();
        let broken = Derived::new("m", |_| 0.5).never("something broke");
        let undefined = Derived::new("m", |_| f64::NAN).primary();
        for (observable, expected) in [
            (frozen, Some("m is the same in all configurations: the chains are frozen")),
            (broken, Some("in 50.000% of the configurations something broke")),
            (undefined, None),
        ] {
            let (summary, mut seen) = sound();
            seen.derived.push(observable);
            let warnings = found(&summary, seen);
            let methods = ["independence: ", "hmc: "];
            let all: Vec<String> =
                methods.iter().flat_map(|method| expected.map(|text| format!("{method}{text}"))).collect();
            let is_said = warnings.iter().zip(&all).all(|(found, start)| found.starts_with(start));
            assert!(warnings.len() == all.len() && is_said, "{warnings:?}");
        }
    }
}
