//! The target distribution `p = e^{-S} / Z`: actions, their molecular dynamics, observables, exact values.

mod action;
mod dynamics;
mod exact;
mod free_field;
mod observables;
mod phi4;
mod scalar_observables;
mod transfer_matrix;

pub use action::Action;
pub use dynamics::Dynamics;
pub use exact::Exact;
pub use free_field::FreeField;
pub use observables::{Derived, Function, Observables};
pub use phi4::Phi4;
pub use scalar_observables::ScalarObservables;
pub use transfer_matrix::TransferMatrix;

use crate::lattice::Lattice;
use crate::spec::TheorySpec;
use std::sync::Arc;

/// A theory from every side that it is seen from.
#[derive(Clone)]
pub struct Theory {
    /// What flows learn and weights are made of.
    pub action: Arc<dyn Action>,
    /// What Hybrid Monte Carlo moves by.
    pub dynamics: Arc<dyn Dynamics>,
    /// What is measured.
    pub observables: Arc<dyn Observables>,
}

impl Theory {
    /// The real scalar field, see [`Phi4`].
    pub fn phi4(lattice: Lattice, mass_squared: f64, coupling: f64) -> Self {
        let phi4 = Arc::new(Phi4::new(lattice, mass_squared, coupling));
        let observables = Arc::new(ScalarObservables::new(lattice, phi4.exact().cloned()));
        Self { action: phi4.clone(), dynamics: phi4, observables }
    }
}

/// The theory that a specification names.
pub fn build(spec: &TheorySpec) -> Theory {
    match spec {
        TheorySpec::Phi4(spec) => {
            let couplings = spec.couplings();
            Theory::phi4(spec.lattice(), couplings.mass_squared, couplings.coupling)
        }
    }
}
