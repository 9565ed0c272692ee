//! The self-test behind `flowqcd verify`: what the program measures beside what is known exactly.

mod check;
mod gauge;
mod gauge_flow;

pub use check::Check;
use check::violation;

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::flow::Flow;
use crate::rng::Seed;
use crate::sample::{Chains, Independence, MethodRun, Model, Watch, draw};
use crate::spec::{ModelSpec, Spec};
use crate::stats::{Ess, WINDOW, exact_tau_int, free_energy, gamma_method, kullback_leibler};
use crate::theory::{self, Theory};
use crate::train::{Nobody, Trainer};

/// A theory with a flow small enough to train in seconds, and chains of HMC.
fn specification(extents: &[usize], mass_squared: f64, coupling: f64, steps: u64) -> Spec {
    let text = format!(
        "version = 1\nseed = 20\n\
         theory.phi4 = {{ extents = {extents:?}, mass_squared = {mass_squared:?}, coupling = {coupling:?} }}\n\
         flow.affine = {{ layers = 8, kernel_size = 3, hidden = [8, 8] }}\n\
         train.batch.size = 256\ntrain.optimizer.adam.learning_rate = 2e-3\ntrain.stop.steps = {steps}\n\
         sample.hmc = {{ trajectories = 4000, chains = 64 }}\nsample.independence.proposals = 65536\n"
    );
    Spec::parse(&text, &[]).expect("the specification is valid")
}

/// All checks, on a device; `note` hears what comes next.
///
/// # Errors
/// [`crate::error::Error::Device`], or training that diverges.
pub fn all(device: &ComputeDevice, note: &dyn Fn(&str)) -> Result<Vec<Check>> {
    note("random numbers and statistics");
    let mut checks = random_numbers();
    checks.extend(statistics());
    note("free field, 8 x 8, m^2 = 1: HMC and flow against exact values");
    checks.extend(against_exact("free field", &specification(&[8, 8], 1.0, 0.0, 600), device)?);
    note("interacting field, 8 sites, m^2 = -2, lambda = 0.5: HMC and flow against the transfer matrix");
    checks.extend(against_exact("one dimension", &specification(&[8], -2.0, 0.5, 600), device)?);
    note("interacting field, 6 x 6, m^2 = -4, lambda = 1.74375: HMC against the flow");
    checks.extend(against_chains("interacting", &specification(&[6, 6], -4.0, 1.74375, 1500), device)?);
    note("U(1) gauge field, 8 x 8, beta = 2: HMC with instanton updates against exact values");
    checks.extend(gauge::pure()?);
    note("Wilson fermions: determinant and its gradient, symmetries, the Schwinger model by HMC");
    checks.extend(gauge::determinant());
    checks.extend(gauge::symmetries());
    checks.extend(gauge::free_fermions());
    checks.extend(gauge::schwinger()?);
    note("U(1) gauge field, 4 x 4, beta = 1: flow of links and HMC against exact values");
    checks.extend(gauge_flow::symmetries(device)?);
    checks.extend(gauge_flow::exact_draws());
    checks.extend(against_exact("U(1)", &gauge_flow::specification(1.0, 0.0), device)?);
    note("Schwinger model, 4 x 4, beta = 2, kappa = 0.2: HMC against the flow of links");
    checks.extend(against_chains("Schwinger", &gauge_flow::specification(2.0, 0.2), device)?);
    Ok(checks)
}

fn random_numbers() -> Vec<Check> {
    let n = 1_000_000;
    let normals = Seed(1).stream("verify").normals(0, n / 64, 64);
    let count = normals.len() as f64;
    let moment = |power: i32| normals.iter().map(|&v| f64::from(v).powi(power)).sum::<f64>() / count;
    let lag = normals.windows(65).map(|w| f64::from(w[0] * w[64])).sum::<f64>() / count;
    vec![
        Check::new("random normals: mean", moment(1), 0.0, count.powf(-0.5)),
        Check::new("random normals: variance", moment(2), 1.0, (2.0 / count).sqrt()),
        Check::new("random normals: fourth moment", moment(4), 3.0, (96.0 / count).sqrt()),
        Check::new("random normals: neighbouring items", lag, 0.0, count.powf(-0.5)),
    ]
}

/// An autoregressive process with known τ, and log-normal weights with known ESS and τ.
fn statistics() -> Vec<Check> {
    let (rho, n) = (0.8f64, 400_000);
    let noise = Seed(1).stream("verify/ar1").normals(0, 1, n);
    let mut x = f64::from(noise[0]);
    let step = |&eta: &f32| {
        x = rho * x + (1.0 - rho * rho).sqrt() * f64::from(eta);
        x
    };
    let series: Vec<f64> = noise.iter().map(step).collect();
    let found = gamma_method(&[&series], WINDOW);
    let exact = 0.5 * (1.0 + rho) / (1.0 - rho);
    let log_weights: Vec<f64> = noise.iter().map(|&eta| 0.6 * f64::from(eta)).collect();
    let ess = Ess::of(&log_weights);
    let ones: Vec<f64> = (0..1000).map(|i| f64::from(i % 10)).collect();
    let tau = exact_tau_int(&vec![0.0; ones.len()], &ones).map_or(f64::NAN, |tau| tau.value);
    vec![
        Check::new("AR(1): integrated autocorrelation time", found.tau_int, exact, found.tau_int_err),
        Check::new("AR(1): mean", found.value, 0.0, found.error),
        Check::new("log-normal weights: ESS", ess.value, (-0.36f64).exp(), ess.error()),
        // Every proposal is accepted; rounding only.
        Check::new("independence Metropolis, equal weights: tau", tau, 0.5, 1e-9),
    ]
}

/// A trained flow's draws and its chain, and chains of HMC.
struct Methods {
    flow: MethodRun,
    independence: MethodRun,
    hmc: MethodRun,
}

impl Methods {
    fn run(spec: &Spec, theory: &Theory, device: &ComputeDevice) -> Result<Self> {
        let seed = Seed(spec.seed);
        let action = &*theory.action;
        let ModelSpec { flow, train, .. } = spec.model().expect("the specification has one");
        let flow = Flow::new(flow, action.lattice());
        let trainer = Trainer::new(&flow, action, train, None, device, seed)?;
        let mut state = trainer.initial_state(seed);
        trainer.run(&mut state, &mut Nobody)?;
        let model = Model {
            flow: &flow,
            parameters: &state.parameters,
            action,
            device,
            observables: Some(&*theory.observables),
            at_most: None,
        };
        let asked = "the specification has it";
        let (independence, hmc) = (&spec.sample.independence, &spec.sample.hmc);
        let independence = Independence::new(&model, theory, independence.as_ref().expect(asked), seed);
        let hmc = Chains::hmc(theory, hmc.as_ref().expect(asked), seed, None);
        Ok(Self {
            flow: draw(&model, &seed.stream("verify/draws"), 65_536, None, Watch::NOBODY)?,
            independence: independence.run(None, Watch::NOBODY)?,
            hmc: hmc.run(None, Watch::NOBODY)?,
        })
    }
}

/// Value and error of a function of means; not numbers where it has none.
fn measured(run: &MethodRun, of: &dyn Fn(&[f64]) -> f64) -> (f64, f64) {
    run.measured(of).map_or((f64::NAN, f64::NAN), |found| (found.value, found.error))
}

/// Everything that is known of a theory, by all methods.
fn against_exact(of: &str, spec: &Spec, device: &ComputeDevice) -> Result<Vec<Check>> {
    let theory = theory::build(&spec.theory);
    let methods = Methods::run(spec, &theory, device)?;
    let log_z = theory.action.log_partition().expect("exact values");
    let f = free_energy(methods.flow.log_weights());
    let kl = kullback_leibler(methods.flow.log_weights(), log_z);
    let mut checks = vec![
        Check::new(format!("{of}, flow: F"), f.value, -log_z, f.error),
        violation(of, &methods.hmc),
        // A divergence is not negative; small ones are as good as zero.
        Check::new(format!("{of}, flow: D_KL below zero"), kl.value.min(0.0), 0.0, kl.error),
    ];
    let named = [("flow", &methods.flow), ("independence", &methods.independence), ("HMC", &methods.hmc)];
    for observable in theory.observables.derived() {
        let Some(exact) = observable.exact.filter(|_| !gauge::is_rare(&observable.name)) else { continue };
        for (method, run) in named {
            let (value, error) = measured(run, &*observable.value);
            checks.push(Check::new(format!("{of}, {method}: {}", observable.name), value, exact, error));
        }
    }
    Ok(checks)
}

/// What costs are given for, by the flow and by chains.
fn against_chains(of: &str, spec: &Spec, device: &ComputeDevice) -> Result<Vec<Check>> {
    let theory = theory::build(&spec.theory);
    let methods = Methods::run(spec, &theory, device)?;
    let mut checks = vec![violation(of, &methods.hmc)];
    for observable in theory.observables.derived().iter().filter(|observable| observable.primary) {
        let [flow, hmc] = [&methods.flow, &methods.hmc].map(|run| measured(run, &*observable.value));
        let name = format!("{of}, flow against HMC: {}", observable.name);
        checks.push(Check::new(name, flow.0, hmc.0, flow.1.hypot(hmc.1)));
    }
    Ok(checks)
}
