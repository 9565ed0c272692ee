//! The self-test behind `flowqcd verify`: what the program measures beside what is known exactly.

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::flow::Flow;
use crate::rng::Seed;
use crate::sample::{Hmc, Model, direct};
use crate::spec::Spec;
use crate::stats::{
    Ensemble, Series, WINDOW, effective_sample_size, exact_tau_int, free_energy, gamma_method,
    kullback_leibler,
};
use crate::theory::{self, Action};
use crate::train::{Observer, StepInfo, TrainState, Trainer};
use serde::Serialize;

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What is measured.
    pub name: String,
    /// The result.
    pub measured: f64,
    /// What it must be.
    pub exact: f64,
    /// One standard error of the difference, rounding included.
    pub error: f64,
}

impl Check {
    fn new(name: impl Into<String>, measured: f64, exact: f64, error: f64) -> Self {
        Self { name: name.into(), measured, exact, error }
    }

    /// `(measured - exact) / error`.
    pub fn pull(&self) -> f64 {
        (self.measured - self.exact) / self.error
    }
}

/// A theory with a flow small enough to train in seconds, and chains of HMC.
fn specification(extent: usize, mass_squared: f64, coupling: f64, steps: u64) -> Spec {
    let text = format!(
        "version = 1\nseed = 20\n\
         theory.phi4 = {{ extents = [{extent}, {extent}], mass_squared = {mass_squared:?}, coupling = {coupling:?} }}\n\
         flow.affine = {{ layers = 8, kernel_size = 3, hidden = [8, 8] }}\n\
         train.batch.size = 256\ntrain.optimizer.adam.learning_rate = 2e-3\ntrain.stop.steps = {steps}\n\
         sample.hmc = {{ trajectories = 4000, chains = 64 }}\n"
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
    checks.extend(free_field(device)?);
    note("interacting field, 6 x 6, m^2 = -4, lambda = 1.74375: HMC against the flow");
    checks.extend(interacting(device)?);
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
    let ess = effective_sample_size(&log_weights);
    let ones: Vec<f64> = (0..1000).map(|i| f64::from(i % 10)).collect();
    let tau = exact_tau_int(&vec![0.0; ones.len()], &ones).unwrap_or(f64::NAN);
    vec![
        Check::new("AR(1): integrated autocorrelation time", found.tau_int, exact, found.tau_int_err),
        Check::new("AR(1): mean", found.value, 0.0, found.error),
        Check::new("log-normal weights: ESS", ess.value, (-0.36f64).exp(), ess.error),
        // Every proposal is accepted; rounding only.
        Check::new("independence Metropolis, equal weights: tau", tau, 0.5, 1e-9),
    ]
}

/// Nobody watches a self-test.
struct Silent;

impl Observer for Silent {
    fn after_step(&mut self, _: &TrainState, _: &StepInfo) -> Result<()> {
        Ok(())
    }

    fn last_checkpoint(&self) -> String {
        "none".into()
    }
}

/// A trained flow's draws, and chains of HMC.
struct Both {
    flow: direct::Draws,
    hmc: Vec<Series>,
    exp_minus_delta_h: (f64, f64),
}

fn both(spec: &Spec, action: &dyn Action, device: &ComputeDevice) -> Result<Both> {
    let seed = Seed(spec.seed);
    let flow = Flow::new(&spec.flow, action.lattice());
    let trainer = Trainer::new(&flow, action, &spec.train, None, device, seed)?;
    let mut state = trainer.initial_state(seed);
    trainer.run(&mut state, &mut Silent)?;
    let observables = action.observables();
    let model = Model {
        flow: &flow,
        parameters: &state.parameters,
        action,
        device,
        observables: Some(&*observables),
        at_most: None,
    };
    let draws = direct::draw(&model, &seed.stream("verify/draws"), 65_536, None, &|_| Ok(()))?;
    let spec = spec.sample.hmc.as_ref().expect("the specification has it");
    let chains = Hmc::new(action, spec, seed, "sample/hmc").run(&*observables, None, &|_| Ok(()))?;
    Ok(Both { flow: draws, hmc: chains.series, exp_minus_delta_h: chains.exp_minus_delta_h })
}

fn free_field(device: &ComputeDevice) -> Result<Vec<Check>> {
    let spec = specification(8, 1.0, 0.0, 600);
    let action = theory::build(&spec.theory);
    let both = both(&spec, &*action, device)?;
    let log_z = action.log_partition().expect("a free field");
    let f = free_energy(&both.flow.log_weights);
    let kl = kullback_leibler(&both.flow.log_weights, log_z);
    let mut checks = vec![
        Check::new("free field, flow: F", f.value, -log_z, f.error),
        Check::new("free field, HMC: <exp(-dH)>", both.exp_minus_delta_h.0, 1.0, both.exp_minus_delta_h.1),
        // A divergence is not negative; small ones are as good as zero.
        Check::new("free field, flow: D_KL below zero", kl.value.min(0.0), 0.0, kl.error),
    ];
    for observable in action.observables().derived() {
        let Some(exact) = observable.exact else { continue };
        for (method, ensemble) in [("flow", both.flow.ensemble()), ("HMC", Ensemble::Chains(&both.hmc))] {
            let name = format!("free field, {method}: {}", observable.name);
            let found = ensemble.measured(&*observable.value);
            let (value, error) = found.map_or((f64::NAN, f64::NAN), |found| (found.value, found.error));
            checks.push(Check::new(name, value, exact, error));
        }
    }
    Ok(checks)
}

fn interacting(device: &ComputeDevice) -> Result<Vec<Check>> {
    let spec = specification(6, -4.0, 1.74375, 1500);
    let action = theory::build(&spec.theory);
    let both = both(&spec, &*action, device)?;
    let mut checks = vec![Check::new(
        "interacting, HMC: <exp(-dH)>",
        both.exp_minus_delta_h.0,
        1.0,
        both.exp_minus_delta_h.1,
    )];
    for observable in action.observables().derived().iter().filter(|observable| observable.primary) {
        let measured = |ensemble: Ensemble<'_>| {
            ensemble
                .measured(&*observable.value)
                .map_or((f64::NAN, f64::NAN), |found| (found.value, found.error))
        };
        let (flow, hmc) = (measured(both.flow.ensemble()), measured(Ensemble::Chains(&both.hmc)));
        let name = format!("interacting, flow against HMC: {}", observable.name);
        checks.push(Check::new(name, flow.0, hmc.0, flow.1.hypot(hmc.1)));
    }
    Ok(checks)
}
