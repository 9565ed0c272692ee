//! Coupling layers: some sites change by a map whose parameters are computed from the others.

mod affine;
mod equivariant;

pub use affine::AffineCouplings;

use super::bijection::Bijection;
use crate::lattice::Lattice;
use crate::spec::FlowSpec;

/// The stack of couplings that a specification names.
pub fn build(spec: &FlowSpec, lattice: Lattice) -> Box<dyn Bijection> {
    match spec {
        FlowSpec::Affine(spec) => Box::new(AffineCouplings::new(spec, lattice)),
    }
}
