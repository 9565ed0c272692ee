//! What is known of a scalar field without sampling it.

use super::free_field::FreeField;
use super::transfer_matrix::TransferMatrix;
use crate::lattice::Lattice;

/// Where exact values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Exact {
    /// Without interaction, in any dimension.
    Free(FreeField),
    /// With it, in one.
    Chain(TransferMatrix),
}

impl Exact {
    /// For the couplings of eq. (A1) of A22, if there are any.
    pub fn new(lattice: Lattice, mass_squared: f64, coupling: f64) -> Option<Self> {
        match lattice.extents()[..] {
            _ if coupling == 0.0 => FreeField::new(lattice, mass_squared).map(Self::Free),
            [times] => TransferMatrix::new(times, mass_squared, coupling).map(Self::Chain),
            _ => None,
        }
    }

    /// `ln Z`.
    pub fn log_partition(&self) -> f64 {
        match self {
            Self::Free(free) => free.log_partition(),
            Self::Chain(chain) => chain.log_partition(),
        }
    }
}
