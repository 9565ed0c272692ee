//! Coupling layers: some sites change by a map whose parameters are computed from the others.

mod affine;
mod equivariant;
mod gauge;
mod weights;

pub use affine::AffineCouplings;
pub use gauge::GaugeCouplings;

use super::bijection::Bijection;
use crate::kernel::{Spline, TanMixture};
use crate::lattice::Lattice;
use crate::spec::{FlowSpec, MapSpec};

/// The stack of couplings that a specification names.
pub fn build(spec: &FlowSpec, lattice: Lattice) -> Box<dyn Bijection> {
    match spec {
        FlowSpec::Affine(spec) => Box::new(AffineCouplings::new(spec, lattice)),
        FlowSpec::Gauge(spec) => match spec.map {
            MapSpec::Spline(map) => Box::new(GaugeCouplings::new(spec, Spline { knots: map.knots }, lattice)),
            MapSpec::Tan(map) => {
                let map = TanMixture { components: map.components };
                Box::new(GaugeCouplings::new(spec, map, lattice))
            }
        },
    }
}
