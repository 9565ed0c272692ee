//! The target distribution `p = e^{-S} / Z`: actions, forces and observables.

mod action;
pub mod observable;
mod phi4;
mod scalar_observables;

pub use action::Action;
pub use phi4::Phi4;

use crate::spec::TheorySpec;
use std::sync::Arc;

/// The action that a specification names.
pub fn build(spec: &TheorySpec) -> Arc<dyn Action> {
    let phi4 = spec.phi4.couplings();
    Arc::new(Phi4::new(spec.phi4.lattice(), phi4.mass_squared, phi4.coupling))
}
