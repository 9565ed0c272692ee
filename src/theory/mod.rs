//! The target distribution `p = e^{-S} / Z`: actions, their molecular dynamics, observables, exact values.

mod action;
mod dynamics;
mod exact;
mod free_field;
mod gauge_local;
mod gauge_observables;
mod observables;
mod phi4;
mod pseudofermions;
mod pure_u1;
mod scalar_observables;
mod schwinger;
mod transfer_matrix;
mod von_mises;

pub use action::{Action, BegunAction};
pub use dynamics::{Auxiliary, Drawn, Dynamics, Jumps, Local, Parts};
pub use exact::Exact;
pub use free_field::FreeField;
pub use gauge_observables::GaugeObservables;
pub use observables::{Derived, Function, Observables, is_of_time};
pub use phi4::Phi4;
pub use pseudofermions::Pseudofermions;
pub use pure_u1::PureU1;
pub use scalar_observables::ScalarObservables;
pub use schwinger::Schwinger;
pub use transfer_matrix::TransferMatrix;
pub use von_mises::VonMises;

use crate::lattice::Lattice;
use crate::spec::{Boundary, TheorySpec};
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

    /// The Schwinger model, see [`Schwinger`]; without fermions where κ = 0.
    pub fn schwinger(lattice: Lattice, beta: f64, kappa: f64, antiperiodic: bool) -> Self {
        let theory = Schwinger::new(lattice, beta, kappa, antiperiodic);
        let observables = Arc::new(GaugeObservables::new(lattice, theory.clone()));
        let theory = Arc::new(theory);
        Self { action: theory.clone(), dynamics: theory, observables }
    }
}

/// The theory that a specification names.
pub fn build(spec: &TheorySpec) -> Theory {
    match spec {
        TheorySpec::Phi4(spec) => {
            let couplings = spec.couplings();
            Theory::phi4(spec.lattice(), couplings.mass_squared, couplings.coupling)
        }
        TheorySpec::Schwinger(spec) => {
            let antiperiodic = spec.boundary == Boundary::Antiperiodic;
            Theory::schwinger(spec.lattice(), spec.beta, spec.kappa, antiperiodic)
        }
    }
}
