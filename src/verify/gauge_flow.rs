//! Flows of link angles: what they learn in seconds, and the symmetry that they have before they have learned anything.

use super::check::Check;
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::flow::Flow;
use crate::rng::Seed;
use crate::sample::{Batch, Model};
use crate::spec::Spec;
use crate::theory;

/// Rounding of log q in single precision: a few hundred terms of order one.
const ROUNDING: f64 = 1e-4;

/// Configurations that symmetries are looked for in.
const CONFIGURATIONS: u64 = 16;

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
    model.draw(&bound, &seed.stream("verify/draws"), 0, CONFIGURATIONS, &mut |batch| {
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
