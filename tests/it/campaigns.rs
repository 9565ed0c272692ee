//! How often errors and intervals hold what they say: long, so only on request. `tests/campaigns.md` has the commands and tables.

use flowqcd::device::ComputeDevice;
use flowqcd::flow::Flow;
use flowqcd::rng::Seed;
use flowqcd::sample::{Chains, Independence, MethodRun, Model, Watch, draw};
use flowqcd::spec::Spec;
use flowqcd::stats::{
    Bootstrap, Ensemble, Ess, FRAGILE, Interval, Measured, Trust, exact_tau_int, free_energy,
    kullback_leibler,
};
use flowqcd::theory::{self, Theory};
use flowqcd::train::{Nobody, Trainer};
use std::collections::BTreeMap;

/// Configurations by which τ of an exact tail is taken to be known.
const REFERENCE: u64 = 1 << 20;

/// Configurations of a repeat.
const CONFIGURATIONS: u64 = 4096;

/// Repeats of one estimate.
#[derive(Default)]
struct Coverage {
    repeats: usize,
    /// Off by less than one and two errors.
    errors: [usize; 2],
    /// In the intervals of 68.3% and 95%.
    intervals: [usize; 2],
    pulls: f64,
    /// Off by more than three errors, and how many of these are warned of.
    misses: [usize; 2],
    warnings: usize,
}

impl Coverage {
    fn add(&mut self, value: f64, error: f64, interval: Interval, exact: f64, warned: bool) {
        let off = (value - exact).abs();
        self.repeats += 1;
        self.warnings += usize::from(warned);
        self.pulls += (value - exact) / error;
        (0..2).for_each(|i| self.errors[i] += usize::from(off <= (i + 1) as f64 * error));
        self.intervals[0] += usize::from((interval.low..=interval.high).contains(&exact));
        self.intervals[1] += usize::from((interval.low_95..=interval.high_95).contains(&exact));
        if off > 3.0 * error {
            self.misses[0] += 1;
            self.misses[1] += usize::from(warned);
        }
    }

    fn row(&self, name: &str) -> String {
        let share = |count: usize| format!("{:.1}", 100.0 * count as f64 / self.repeats as f64);
        let [one, two] = self.errors.map(share);
        let [narrow, wide] = self.intervals.map(share);
        let pull = self.pulls / self.repeats as f64;
        let [missed, warned] = self.misses;
        format!(
            "| {name} | {} | {one} | {two} | {narrow} | {wide} | {pull:.2} | {missed} | {warned} | {} |",
            self.repeats,
            share(self.warnings)
        )
    }
}

/// Coverages by what is estimated, and the shapes of tails that were met.
#[derive(Default)]
struct Campaign {
    found: BTreeMap<String, Coverage>,
    shapes: Vec<f64>,
}

impl Campaign {
    fn add(&mut self, name: &str, measured: Option<Measured>, exact: f64, warned: bool) {
        let Some(Measured { value, error, interval, .. }) = measured else { return };
        self.found.entry(name.into()).or_default().add(value, error, interval, exact, warned);
    }

    fn add_ess(&mut self, ess: &Ess, exact: f64, warned: bool) {
        let one = self.found.entry("ESS".into()).or_default();
        one.add(ess.value, ess.error(), ess.interval, exact, warned);
    }

    /// An error without an interval of its own.
    fn add_normal(&mut self, name: &str, value: f64, error: f64, exact: f64) {
        let one = self.found.entry(name.into()).or_default();
        one.add(value, error, Interval::normal(value, error), exact, false);
    }

    /// Direct sampling and independence Metropolis, from the same model.
    fn judge(&mut self, runs: [&MethodRun; 2], theory: &Theory, exact: &BTreeMap<String, f64>) {
        let ess = Ess::of(runs[0].log_weights());
        let tail = ess.tail.expect("so many weights have a tail");
        self.shapes.push(tail.k);
        let derived = theory.observables.derived();
        let primary = derived.iter().filter(|observable| observable.primary);
        let mut measured = primary.filter_map(|observable| runs[0].measured(&*observable.value));
        let is_fragile = measured.any(|found| found.error > FRAGILE * found.error_plain);
        let warned = is_fragile || matches!(tail.trust(), Trust::Unknown | Trust::Nothing);
        self.add_ess(&ess, exact["ess"], warned);
        self.add("F", Some(free_energy(runs[0].log_weights())), exact["free_energy"], warned);
        let slow = derived.iter().find(|observable| observable.name == SLOW).expect("it is measured");
        self.add_tau(&runs[1].measured(&*slow.value).expect("finite"), exact["tau"], warned);
        for observable in &derived {
            let Some(&exact) = exact.get(&observable.name) else { continue };
            for (method, run) in ["direct", "independence"].into_iter().zip(runs) {
                self.add(
                    &format!("{method} {}", observable.name),
                    run.measured(&*observable.value),
                    exact,
                    warned,
                );
            }
        }
    }

    /// The τ that the error of a chain is from.
    fn add_tau(&mut self, measured: &Measured, exact: f64, warned: bool) {
        let Some(tau) = measured.tau_int_used() else { return };
        let one = self.found.entry(format!("independence tau of {SLOW}")).or_default();
        one.add(tau.value, tau.error(), tau.interval, exact, warned);
    }

    fn print(&self, title: &str) {
        let mean = self.shapes.iter().sum::<f64>() / self.shapes.len() as f64;
        let shapes = if mean.is_nan() { String::new() } else { format!("; fitted k = {mean:.2} on average") };
        println!("\n**{title}{shapes}**\n");
        println!(
            "| | repeats | 1 error | 2 errors | 68.3% | 95% | mean pull | off by 3 | of these warned of | warned of, % |"
        );
        println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        self.found.iter().for_each(|(name, coverage)| println!("{}", coverage.row(name)));
    }
}

fn spec(extents: &str, mass_squared: f64, coupling: f64, steps: usize) -> Spec {
    let text = format!(
        "version = 1\nseed = 1\n\
         theory.phi4 = {{ extents = {extents}, mass_squared = {mass_squared:?}, coupling = {coupling:?} }}\n\
         flow.affine = {{ layers = 8, kernel_size = 3, hidden = [8, 8] }}\n\
         train = {{ batch.size = 128, optimizer.adam.learning_rate = 1e-3, stop.steps = {steps} }}\n\
         sample.independence.proposals = {CONFIGURATIONS}\n\
         sample.hmc = {{ trajectories = 100000, thermalization = 500, chains = 64, steps = 6 }}\n"
    );
    Spec::parse(&text, &[]).expect("the specification is valid")
}

/// Something to sample with.
struct Sampler {
    spec: Spec,
    theory: Theory,
    flow: Flow,
    device: ComputeDevice,
}

impl Sampler {
    fn new(spec: Spec) -> Self {
        let theory = theory::build(&spec.theory);
        let flow = Flow::new(spec.model().expect("it has one").flow, theory.action.lattice());
        Self { spec, theory, flow, device: ComputeDevice::cpu() }
    }

    fn model<'a>(&'a self, parameters: &'a [f32]) -> Model<'a> {
        let (action, observables) = (&*self.theory.action, Some(&*self.theory.observables));
        Model { flow: &self.flow, parameters, action, device: &self.device, observables, at_most: None }
    }

    fn trained(&self, seed: u64) -> Vec<f32> {
        let action = &*self.theory.action;
        let train = self.spec.model().expect("it has one").train;
        let trainer = Trainer::new(&self.flow, action, train, None, &self.device, Seed(seed))
            .expect("no data is needed");
        let mut state = trainer.initial_state(Seed(seed));
        trainer.run(&mut state, &mut Nobody).expect("it trains");
        state.parameters
    }

    fn direct(&self, parameters: &[f32], seed: u64, count: u64) -> MethodRun {
        let stream = Seed(seed).stream("campaign/direct");
        draw(&self.model(parameters), &stream, count, None, Watch::NOBODY).expect("the CPU computes")
    }

    fn independence(&self, parameters: &[f32], seed: u64) -> MethodRun {
        let asked = self.spec.sample.independence.as_ref().expect("it is asked for");
        let model = self.model(parameters);
        let chain = Independence::new(&model, &self.theory, asked, Seed(seed));
        chain.run(None, Watch::NOBODY).expect("the CPU computes")
    }

    /// The autocorrelation time that the weights of so many configurations imply.
    fn tau(&self, run: &MethodRun) -> f64 {
        let derived = self.theory.observables.derived();
        let slow = derived.iter().find(|observable| observable.name == SLOW).expect("it is measured");
        let terms = run.ensemble.terms(&*slow.value).expect("finite");
        let deviations: Vec<f64> = terms.iter().map(|term| term.deviation).collect();
        exact_tau_int(run.log_weights(), &deviations).expect("spread").value
    }

    /// Values of the observables by long chains of Hybrid Monte Carlo.
    fn by_hmc(&self, names: &[&str]) -> BTreeMap<String, f64> {
        let asked = self.spec.sample.hmc.as_ref().expect("it is asked for");
        let run = Chains::hmc(&self.theory, asked, Seed(99), None).run(None, Watch::NOBODY).expect("it runs");
        let derived = self.theory.observables.derived();
        let known = derived.iter().filter(|observable| names.contains(&observable.name.as_str()));
        known
            .map(|observable| {
                let found = run.measured(&*observable.value).expect("finite");
                println!("{} = {} +- {} by HMC", observable.name, found.value, found.error);
                (observable.name.clone(), found.value)
            })
            .collect()
    }
}

/// Whose autocorrelation is looked at.
const SLOW: &str = "chi_2";

const OBSERVABLES: [&str; 3] = ["phi_squared", "chi_2", "binder"];

/// The free field on four sites from unit normals: with the mode p̂² of mass m² its weight has the factor `e^{a x²/2}`,
/// `a = 1 - m² - p̂²`, so that weights have a Pareto tail of shape 1 - m², and everything is known exactly.
#[test]
#[ignore = "a campaign of minutes"]
fn coverage_of_exact_tails() {
    for shape in [0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8] {
        let sampler = Sampler::new(spec("[4]", 1.0 - shape, 0.0, 1));
        // Without parameters the flow is the identity.
        let parameters = vec![0.0; sampler.flow.layout().len()];
        let theory = &sampler.theory;
        let mut exact: BTreeMap<String, f64> = theory
            .observables
            .derived()
            .into_iter()
            .filter(|observable| OBSERVABLES.contains(&observable.name.as_str()))
            .filter_map(|observable| Some((observable.name, observable.exact?)))
            .collect();
        exact.insert("free_energy".into(), -theory.action.log_partition().expect("free"));
        // ⟨w⟩²/⟨w²⟩ of a mode; without a second moment it is nought.
        let of_mode = |p2: f64| {
            let a = shape - p2;
            (1.0 - 2.0 * a).max(0.0).sqrt() / (1.0 - a)
        };
        let ess: f64 = [0.0, 2.0, 4.0, 2.0].into_iter().map(of_mode).product();
        exact.insert("ess".into(), ess);
        exact.insert("tau".into(), sampler.tau(&sampler.direct(&parameters, 1 << 40, REFERENCE)));
        let mut campaign = Campaign::default();
        for seed in 0..1000 {
            let direct = sampler.direct(&parameters, seed, CONFIGURATIONS);
            let chain = sampler.independence(&parameters, seed);
            campaign.judge([&direct, &chain], theory, &exact);
        }
        campaign.print(&format!("Free field, Pareto shape {shape}, exact ESS {ess:.4}"));
    }
}

/// Flows against long chains of Hybrid Monte Carlo; F and ESS from many more configurations of the models, which for heavy tails
/// still read too high.
fn coverage_of_flows(title: &str, sampler: &Sampler, seeds: u64, repeats: u64, reference: u64) {
    let mut exact = sampler.by_hmc(&OBSERVABLES);
    let models: Vec<Vec<f32>> = (1..=seeds).map(|seed| sampler.trained(seed)).collect();
    let references: Vec<(Ess, Measured, f64)> = models
        .iter()
        .map(|parameters| {
            let run = sampler.direct(parameters, 1 << 40, reference);
            (Ess::of(run.log_weights()), free_energy(run.log_weights()), sampler.tau(&run))
        })
        .collect();
    let precision: f64 = references.iter().map(|(_, f, _)| f.error.powi(-2)).sum();
    let f = references.iter().map(|(_, f, _)| f.value * f.error.powi(-2)).sum::<f64>() / precision;
    let within =
        references.iter().filter(|(ess, ..)| ess.interval.reach(ess.value) < 0.1 * ess.value).count();
    println!("reference ESS known to 10% for {within} of {seeds} models");
    println!("free_energy = {f} +- {} by all models", precision.powf(-0.5));
    exact.insert("free_energy".into(), f);
    let mut campaign = Campaign::default();
    for (parameters, (ess, _, tau)) in models.iter().zip(&references) {
        exact.insert("ess".into(), ess.value);
        exact.insert("tau".into(), *tau);
        for repeat in 0..repeats {
            let direct = sampler.direct(parameters, repeat, CONFIGURATIONS);
            let chain = sampler.independence(parameters, repeat);
            campaign.judge([&direct, &chain], &sampler.theory, &exact);
        }
    }
    let mean = references.iter().map(|(ess, ..)| ess.value).sum::<f64>() / seeds as f64;
    campaign.print(&format!("{title}, ESS {mean:.2} on average"));
}

#[test]
#[ignore = "a campaign of minutes"]
fn coverage_of_weakly_trained_flows() {
    for steps in [600, 1500] {
        let sampler = Sampler::new(spec("[4, 4]", -4.0, 2.2, steps));
        coverage_of_flows(&format!("4 x 4, {steps} steps of training"), &sampler, 50, 20, 262_144);
    }
}

#[test]
#[ignore = "a campaign of minutes"]
fn coverage_of_trained_flows() {
    let small = Sampler::new(spec("[4, 4]", -4.0, 2.2, 6000));
    coverage_of_flows("4 x 4, 6000 steps of training", &small, 10, 100, 1 << 20);
    let large = Sampler::new(spec("[6, 6]", -4.0, 1.74375, 6000));
    coverage_of_flows("6 x 6, 6000 steps of training", &large, 3, 200, 1 << 21);
}

/// `D_KL(q‖p)` of the free field from unit normals: half of `m² + p̂² - 1 - ln(m² + p̂²)` for each mode. Whatever tails the weights have,
/// their logarithms have moments. Beside it the errors of the bootstrap (`bootstrap_err`), which trust the weights that were met.
#[test]
#[ignore = "a campaign of minutes"]
fn coverage_of_divergences_and_bootstraps() {
    for shape in [0.2, 0.5, 0.8] {
        let mut campaign = Campaign::default();
        let sampler = Sampler::new(spec("[4]", 1.0 - shape, 0.0, 1));
        let parameters = vec![0.0; sampler.flow.layout().len()];
        let log_partition = sampler.theory.action.log_partition().expect("free");
        let of_mode = |p2: f64| 0.5 * (p2 - shape - (1.0 - shape + p2).ln());
        let divergence: f64 = [0.0, 2.0, 4.0, 2.0].into_iter().map(of_mode).sum();
        let observables = sampler.theory.observables.derived();
        for seed in 0..1000 {
            let run = sampler.direct(&parameters, seed, CONFIGURATIONS);
            let found = kullback_leibler(run.log_weights(), log_partition);
            campaign.add_normal("D_KL", found.value, found.error, divergence);
            let Ensemble::Weighted { log_weights, rows, width } = &run.ensemble else {
                panic!("draws have weights")
            };
            let bootstrap =
                Bootstrap::new(log_weights, rows, *width, &Seed(seed).stream("campaign/bootstrap"));
            let f = free_energy(log_weights).value;
            let error = bootstrap.free_energy_error().expect("finite");
            campaign.add_normal("F, bootstrap", f, error, -log_partition);
            for observable in observables.iter().filter(|one| OBSERVABLES.contains(&&*one.name)) {
                let value = run.measured(&*observable.value).expect("finite").value;
                let error = bootstrap.error(&*observable.value).expect("finite");
                let exact = observable.exact.expect("free");
                campaign.add_normal(&format!("{}, bootstrap", observable.name), value, error, exact);
            }
        }
        campaign.print(&format!("Free field, Pareto shape {shape}"));
    }
}

/// Chains of fixed step size, by what is known of their theories.
fn coverage_of_chains_of(title: &str, theory: &str, hmc: &str) {
    let chains = |number: usize, trajectories: usize| {
        let text = format!(
            "version = 1\nseed = 1\n{theory}\n\
             sample.hmc = {{ chains = {number}, trajectories = {trajectories}, tune = false, {hmc} }}\n"
        );
        Spec::parse(&text, &[]).expect("the specification is valid")
    };
    let run = |spec: &Spec, seed: u64| {
        let asked = spec.sample.hmc.as_ref().expect("it is asked for");
        Chains::hmc(&theory::build(&spec.theory), asked, Seed(seed), None)
            .run(None, Watch::NOBODY)
            .expect("it runs")
    };
    let (short, long) = (chains(8, 500), chains(64, 40_000));
    let observables = theory::build(&short.theory).observables.derived();
    let known = || observables.iter().filter(|observable| observable.primary && observable.exact.is_some());
    let reference = run(&long, 1 << 40);
    let tau = |run: &MethodRun, of: &dyn Fn(&[f64]) -> f64| run.measured(of)?.tau_int;
    let exact: Vec<f64> =
        known().map(|observable| tau(&reference, &*observable.value).expect("chains have it").0).collect();
    let mut campaign = Campaign::default();
    for seed in 0..1000 {
        let run = run(&short, seed);
        for (observable, tau) in known().zip(&exact) {
            let measured = run.measured(&*observable.value).expect("finite");
            let found = measured.tau_int_used().expect("chains have it");
            campaign.add(&observable.name, Some(measured), observable.exact.expect("known"), false);
            let one = campaign.found.entry(format!("tau of {}", observable.name)).or_default();
            one.add(found.value, found.error(), found.interval, *tau, false);
        }
    }
    campaign.print(title);
    known().zip(exact).for_each(|(observable, tau)| println!("\ntau of {} = {tau:.3}", observable.name));
}

#[test]
#[ignore = "a campaign of minutes"]
fn coverage_of_chains() {
    let scalar = |extents: &str, mass_squared: f64, coupling: f64| {
        format!(
            "theory.phi4 = {{ extents = {extents}, mass_squared = {mass_squared:?}, coupling = {coupling:?} }}"
        )
    };
    let quick = "thermalization = 200, steps = 6";
    coverage_of_chains_of("Free field, 4 x 4, m² = 1", &scalar("[4, 4]", 1.0, 0.0), quick);
    let slow = "thermalization = 1000, steps = 3, trajectory_length = 0.4";
    coverage_of_chains_of(
        "Free field, 8 x 8, m² = 0.3, short trajectories",
        &scalar("[8, 8]", 0.3, 0.0),
        slow,
    );
    coverage_of_chains_of("8 sites, m² = -2, λ = 0.5", &scalar("[8]", -2.0, 0.5), quick);
    let links = "theory.schwinger = { extents = [4, 4], beta = 2.0, kappa = 0.0 }";
    let hops = "thermalization = 200, steps = 6, instanton_every = 1";
    coverage_of_chains_of("U(1), 4 x 4, β = 2, instanton updates", links, hops);
}

/// The shape of the largest weights of parts of one ensemble: the deeper in the tail they lie, the larger it is.
#[test]
#[ignore = "a campaign of minutes"]
fn shapes_along_a_tail() {
    let sampler = Sampler::new(spec("[6, 6]", -4.0, 1.74375, 6000));
    let run = sampler.direct(&sampler.trained(1), 1 << 40, 1 << 21);
    println!("| configurations | parts | k | ESS, middle of its interval |");
    println!("|---:|---:|---:|---:|");
    for size in [1 << 10, 1 << 12, 1 << 16, 1 << 21] {
        let parts = run.log_weights().chunks_exact(size).take(256).map(Ess::of);
        let found: Vec<(f64, f64)> =
            parts.map(|ess| (ess.tail.expect("so many weights have a tail").k, ess.median)).collect();
        let count = found.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| found.iter().map(of).sum::<f64>() / count;
        println!("| {size} | {count} | {:.3} | {:.3} |", mean(|found| found.0), mean(|found| found.1));
    }
}
