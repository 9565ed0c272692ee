//! Gauge fields and Wilson fermions against exact values, a dense computation in NumPy, and their symmetries.

use super::check::{Check, violation};
use crate::error::Result;
use crate::kernel::wilson::Wilson;
use crate::lattice::Lattice;
use crate::rng::Seed;
use crate::sample::{Chains, MethodRun, Watch};
use crate::spec::Spec;
use crate::theory::{self, Theory};
use std::f64::consts::PI;

const KAPPA: f64 = 0.26;

/// Link angles `[μ, t, x]` on 4 x 4.
const FIELD: [f64; 32] = [
    -0.641545140202758,
    -1.059487196502516,
    -0.19868929767619883,
    0.3363561904524172,
    0.9088372259917142,
    0.08776511945744656,
    -0.442117856428986,
    -0.6278242842754227,
    0.5989966165876729,
    1.307826434366862,
    0.21821502067577742,
    -0.9866629312246173,
    -0.766612164348871,
    1.2800152711992894,
    0.16230595240688672,
    -1.385707873951668,
    -0.06695695425362065,
    -0.9305807787557989,
    -0.5034304752492437,
    -0.390404658621486,
    -0.5706506973057949,
    0.4427027762826316,
    -0.050468777540231324,
    -0.4715450064260838,
    0.3277102612456936,
    0.6638842456490592,
    -1.3144186971245417,
    -0.20538410109239524,
    -0.7845978848352101,
    -0.13852417988962565,
    -1.031534997403087,
    0.01655231523007296,
];

/// `∂ ln|det D|/∂θ` there at κ = 0.26, antiperiodic, by central differences of a dense determinant in NumPy.
const GRADIENT: [f64; 32] = [
    0.02940218,
    -0.17999026,
    0.05589661,
    0.08857594,
    -0.14570508,
    -0.13900959,
    0.14559530,
    0.13300382,
    0.02607350,
    -0.28581914,
    -0.02168612,
    0.27531622,
    0.08205327,
    -0.28680663,
    -0.09058254,
    0.28922036,
    0.00661976,
    -0.10019660,
    -0.24667575,
    -0.04603133,
    -0.07285464,
    -0.11383532,
    -0.20353401,
    -0.24796190,
    -0.28151182,
    -0.13470227,
    0.03257915,
    -0.10973325,
    -0.08524575,
    -0.08425826,
    -0.01536184,
    -0.02926597,
];

/// Chains of Hybrid Monte Carlo of a gauge theory on 8 x 8 at β = 2.
fn chains(kappa: f64, trajectories: usize) -> Result<(Theory, MethodRun)> {
    let text = format!(
        "version = 1\nseed = 21\ntheory.schwinger = {{ extents = [8, 8], beta = 2.0, kappa = {kappa:?} }}\n\
         sample.hmc = {{ trajectories = {trajectories}, thermalization = 200, chains = 16 }}\n"
    );
    let spec = Spec::parse(&text, &[]).expect("the specification is valid");
    let theory = theory::build(&spec.theory);
    let asked = spec.sample.hmc.as_ref().expect("the specification has it");
    let run = Chains::hmc(&theory, asked, Seed(spec.seed), None).run(None, Watch::NOBODY)?;
    Ok((theory, run))
}

/// Whether an observable counts charges that are too rare for an error.
pub fn is_rare(name: &str) -> bool {
    name.starts_with("charge_") && name.ends_with(['3', '4'])
}

/// Everything that is known exactly without fermions, but for charges that are too rare for an error.
pub fn pure() -> Result<Vec<Check>> {
    let (theory, run) = chains(0.0, 4000)?;
    let haar = theory.action.log_partition().expect("exact values") - 128.0 * (2.0 * PI).ln();
    // The value is that of Σ_n I_n(2)^64 in NumPy.
    let mut checks =
        vec![Check::new("U(1): ln Z, Haar measure", haar, 52.7355866551, 1e-9), violation("U(1)", &run)];
    for observable in theory.observables.derived() {
        let Some(exact) = observable.exact.filter(|_| !is_rare(&observable.name)) else { continue };
        let (value, error) =
            run.measured(&*observable.value).map_or((f64::NAN, 1.0), |found| (found.value, found.error));
        checks.push(Check::new(format!("U(1), HMC: {}", observable.name), value, exact, error));
    }
    Ok(checks)
}

/// The determinant at unit links against momenta, and on a fixed field against NumPy, with its gradient.
pub fn determinant() -> Vec<Check> {
    let mut checks = Vec::new();
    for (extents, kappa) in [([8, 8], 0.2), ([8, 8], 0.276), ([16, 16], 0.263)] {
        for antiperiodic in [false, true] {
            let lattice = Lattice::new(extents);
            let wilson = Wilson::new(lattice, kappa, antiperiodic);
            let found = wilson.determinant(&vec![0.0; 2 * lattice.volume()], &mut wilson.workspace());
            let exact = momenta(extents, antiperiodic).map(|p| norm(p, kappa).ln()).sum::<f64>();
            let name =
                format!("ln det D, unit links, {lattice}, kappa = {kappa}, {}", boundary(antiperiodic));
            checks.push(Check::new(name, found.log_abs, exact, 1e-10));
        }
    }
    for (antiperiodic, exact) in [(true, 0.55216667532963), (false, -0.12591690392941)] {
        let wilson = Wilson::new(Lattice::new([4, 4]), KAPPA, antiperiodic);
        let found = wilson.determinant(&FIELD, &mut wilson.workspace());
        let name = format!("ln|det D| of a fixed field, {}", boundary(antiperiodic));
        checks.push(Check::new(name, found.log_abs, exact, 1e-12));
    }
    let theory = Theory::schwinger(Lattice::new([4, 4]), 2.0, KAPPA, true);
    let action = theory.action.action_f64(&FIELD);
    checks.push(Check::new("Schwinger: action of a fixed field", action, -15.226405177889, 1e-11));
    let wilson = Wilson::new(Lattice::new([4, 4]), KAPPA, true);
    let (mut work, mut gradient) = (wilson.workspace(), [0.0; 32]);
    wilson.gradient(&FIELD, 1.0, &mut work, &mut gradient);
    let off = gradient.iter().zip(GRADIENT).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    // The values are known to eight digits.
    checks.push(Check::new("gradient of ln|det D| of a fixed field, largest error", off, 0.0, 1e-8));
    let condensate = wilson.propagator(&FIELD, &mut work).condensate;
    checks.push(Check::new("tr D^-1 / V of a fixed field", condensate, 1.7962929589626, 1e-12));
    checks
}

/// Gauge transformations, charge conjugation, and `σ₃ D σ₃ = D†`, by which the determinant is real.
pub fn symmetries() -> Vec<Check> {
    let lattice = Lattice::new([4, 4]);
    let theory = Theory::schwinger(lattice, 2.0, KAPPA, true);
    let volume = lattice.volume();
    let phases: Vec<f64> =
        Seed(3).stream("verify/gauge").normals(0, 1, volume).into_iter().map(f64::from).collect();
    let turned = |(place, angle): (usize, &f64)| {
        let (mu, site) = (place / volume, place % volume);
        angle + phases[site] - phases[lattice.forward(site, mu)]
    };
    let turned: Vec<f64> = FIELD.iter().enumerate().map(turned).collect();
    let conjugate = FIELD.map(|angle| -angle);
    let action = |field: &[f64]| theory.action.action_f64(field);
    let exact = action(&FIELD);
    let dense = crate::kernel::wilson::reference::dense(lattice, &FIELD, KAPPA, true).determinant();
    vec![
        Check::new("Schwinger: action of a gauge transformed field", action(&turned), exact, 1e-11),
        Check::new("Schwinger: action of the conjugate field", action(&conjugate), exact, 1e-11),
        Check::new("phase of det D by a dense matrix", dense.im / dense.re, 0.0, 1e-12),
        Check::new("ln|det D| by a dense matrix", dense.norm().ln(), 0.55216667532963, 1e-12),
    ]
}

/// The pseudoscalar correlator of free fermions, summed over momenta: `D(p) = 1 - 2κ Σ cos p + 2iκ Σ σ sin p`.
pub fn free_fermions() -> Vec<Check> {
    let (extents, kappa) = ([8, 8], 0.21);
    let wilson = Wilson::new(Lattice::new(extents), kappa, true);
    let found = wilson.propagator(&[0.0; 128], &mut wilson.workspace()).pseudoscalar;
    let exact = |t: usize| {
        // At every space momentum `Σ_x |D⁻¹(t x, 0)|²` is that of the Fourier sum over times.
        (0..extents[1])
            .map(|m| {
                let mut parts = [[0.0; 2]; 3];
                for p in momenta(extents, true).skip(m).step_by(extents[1]) {
                    let scalar = 1.0 - 2.0 * kappa * (p[0].cos() + p[1].cos());
                    let vector = p.map(|p| 2.0 * kappa * p.sin());
                    for (part, value) in parts.iter_mut().zip([scalar, vector[0], vector[1]]) {
                        let (sin, cos) = (p[0] * t as f64).sin_cos();
                        let value = value / norm(p, kappa) / extents[0] as f64;
                        *part = [part[0] + value * cos, part[1] + value * sin];
                    }
                }
                2.0 * parts.iter().flatten().map(|part| part * part).sum::<f64>() / extents[1] as f64
            })
            .sum::<f64>()
    };
    let check = |(t, found): (usize, &f64)| {
        Check::new(format!("free fermions: pseudoscalar correlator, t = {t}"), *found, exact(t), 1e-12)
    };
    found.iter().enumerate().map(check).collect()
}

/// Hybrid Monte Carlo with the exact determinant.
pub fn schwinger() -> Result<Vec<Check>> {
    let (theory, run) = chains(KAPPA, 400)?;
    let mut checks = vec![violation("Schwinger", &run)];
    for observable in theory.observables.derived().iter().filter(|one| one.must_vanish.is_some()) {
        if observable.name.ends_with(['3', '4']) {
            continue;
        }
        let (value, error) =
            run.measured(&*observable.value).map_or((f64::NAN, 1.0), |found| (found.value, found.error));
        checks.push(Check::new(format!("Schwinger, HMC: {}", observable.name), value, 0.0, error));
    }
    Ok(checks)
}

fn boundary(antiperiodic: bool) -> &'static str {
    if antiperiodic { "antiperiodic" } else { "periodic" }
}

/// `[p₀, p₁]`, the last innermost.
fn momenta([times, space]: [usize; 2], antiperiodic: bool) -> impl Iterator<Item = [f64; 2]> {
    let half = if antiperiodic { 0.5 } else { 0.0 };
    (0..times * space).map(move |index| {
        let (n, m) = ((index / space) as f64 + half, (index % space) as f64);
        [2.0 * PI * n / times as f64, 2.0 * PI * m / space as f64]
    })
}

/// `det D(p)`.
fn norm(p: [f64; 2], kappa: f64) -> f64 {
    let scalar = 1.0 - 2.0 * kappa * (p[0].cos() + p[1].cos());
    scalar * scalar + 4.0 * kappa * kappa * (p[0].sin().powi(2) + p[1].sin().powi(2))
}
