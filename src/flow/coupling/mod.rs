//! Coupling layers: some sites change by a map whose parameters are computed from the others.

mod affine;

pub use affine::AffineCouplings;
