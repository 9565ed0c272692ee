//! Flows of link angles: what they learn in seconds, and the symmetry that they have before they have learned anything.

use super::check::Check;
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::flow::{Base, Flow, PureGauge};
use crate::kernel::gauge::Plaquettes;
use crate::lattice::Lattice;
use crate::rng::Seed;
use crate::sample::{Batch, Model, Wanted};
use crate::spec::Spec;
use crate::theory::{self, PureU1};

/// Rounding of log q in single precision: a few hundred terms of order one.
const ROUNDING: f64 = 1e-4;

/// Configurations that symmetries are looked for in.
const CONFIGURATIONS: u64 = 16;

/// Links that are drawn from the gauge theory alone.
const DRAWS: usize = 20_000;

/// A gauge theory with a flow small enough to train in seconds, and chains of HMC with instanton updates.
pub fn specification(beta: f64, kappa: f64) -> Spec {
    let text = format!(
        "version = 1\nseed = 22\ntheory.schwinger = {{ extents = [4, 4], beta = {beta:?}, kappa = {kappa:?} }}\n\
         flow.gauge = {{ layers = 8, kernel_size = 3, hidden = [8], map.spline.knots = 4 }}\n\
         train.batch.size = 128\ntrain.optimizer.adam.learning_rate = 5e-3\ntrain.stop.steps = 300\n\
         sample.hmc = {{ trajectories = 2000, thermalization = 200, chains = 16 }}\n\
         sample.independence.proposals = 65536\n"
    );
    Spec::parse(&text, &[]).expect("the specification is valid")
}

/// How far log q of a flow that has learned nothing is off where a field is drawn and found again, and where it is gauge transformed.
///
/// # Errors
/// [`crate::error::Error::Device`].
pub fn symmetries(device: &ComputeDevice) -> Result<Vec<Check>> {
    let spec = specification(1.0, 0.0);
    let (action, seed) = (theory::build(&spec.theory).action, Seed(spec.seed));
    let (lattice, volume) = (action.lattice(), action.lattice().volume());
    let flow = Flow::new(spec.model().expect("the specification has one").flow, lattice);
    let parameters = flow.initial_parameters(seed);
    let model = Model {
        flow: &flow,
        parameters: &parameters,
        action: &*action,
        device,
        observables: None,
        at_most: None,
    };
    let (bound, mut drawn) = (model.bind(), Batch::default());
    let wanted = Wanted { stream: &seed.stream("verify/draws"), items: 0..CONFIGURATIONS, fields: true };
    model.draw(&bound, &wanted, &mut |batch| {
        drawn.fields.extend(batch.fields);
        drawn.log_q.extend(batch.log_q);
        Ok(())
    })?;
    let phases = seed.stream("verify/phases").normals(0, 1, volume);
    let turned = |(place, angle): (usize, &f64)| {
        let (mu, site) = (place / volume % 2, place % volume);
        angle + f64::from(phases[site] - phases[lattice.forward(site, mu)])
    };
    let turned: Vec<f64> = drawn.fields.iter().enumerate().map(turned).collect();
    let off = |fields: &[f64]| {
        let found = model.log_prob(&bound, fields)?;
        let off = found.iter().zip(&drawn.log_q).map(|(found, drawn)| (found - drawn).abs());
        Ok(off.fold(0.0, f64::max))
    };
    let [again, turned] = [&drawn.fields, &turned].map(|fields| off(fields));
    Ok(vec![
        Check::new("flow of links: log q of a drawn field, found again", again?, 0.0, ROUNDING),
        Check::new("flow of links: log q of a gauge transformed field", turned?, 0.0, ROUNDING),
    ])
}

/// What flows may start from, exact draws of the gauge theory without fermions, at β = 7, where plain chains hardly change their charge.
pub fn exact_draws() -> Vec<Check> {
    let (lattice, beta) = (Lattice::new([8, 8]), 7.0);
    let (exact, plaquettes) = (PureU1::new(lattice.volume(), beta), Plaquettes::new(lattice));
    let drawn = PureGauge::new(lattice, beta).draw(&Seed(23).stream("verify/draws"), 0, DRAWS);
    let fields = drawn
        .chunks_exact(plaquettes.links())
        .map(|field| field.iter().map(|&angle| f64::from(angle)).collect());
    let fields: Vec<Vec<f64>> = fields.collect();
    let check = |name: &str, exact: f64, of: &dyn Fn(&[f64]) -> f64| {
        let values: Vec<f64> = fields.iter().map(|field| of(field)).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Check::new(format!("U(1), beta = 7, exact draws: {name}"), mean, exact, (variance / count).sqrt())
    };
    vec![
        check("plaquette", exact.wilson_loop(1), &|field| {
            plaquettes.sum_of_cosines(field) / lattice.volume() as f64
        }),
        check("<Q^2>", exact.charge_squared(), &|field| plaquettes.charge(field).powi(2)),
    ]
}
