//! A real field with nearest-neighbour hopping and a quartic potential: its action on tensors, and its molecular dynamics.

mod dynamics;
#[cfg(feature = "wgpu")]
mod gpu;

pub use dynamics::{CHAINS, MolecularDynamics, drift, kinetic_energy};

use crate::lattice::Lattice;
use burn::tensor::Tensor;

/// `S = Σ_x [ -Σ_μ φ(x) φ(x+μ̂) + a φ² + λ φ⁴ ]`, periodic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartic {
    /// The lattice.
    pub lattice: Lattice,
    /// a.
    pub quadratic: f64,
    /// λ.
    pub coupling: f64,
}

impl Quartic {
    /// The action of every configuration: a fused kernel on a GPU, where launches count, elsewhere the [`Self::reference`].
    ///
    /// # Shapes
    /// `[batch, 1, T, X]` → `[batch]`
    ///
    /// # Panics
    /// If the field has other extents or components.
    pub fn action(&self, field: Tensor<4>) -> Tensor<1> {
        let [t, x] = self.lattice.extents();
        assert_eq!(field.dims()[1..], [1, t, x], "[components, T, X] of the field and of the action");
        #[cfg(feature = "wgpu")]
        if super::gpu::runs_on(&field.device().inner(), field.dtype()) {
            return gpu::action(field, *self);
        }
        self.reference(field)
    }

    /// The same in plain tensor operations, differentiated by burn.
    ///
    /// # Shapes
    /// As [`Self::action`].
    pub fn reference(&self, field: Tensor<4>) -> Tensor<1> {
        let batch = field.dims()[0];
        let neighbours = field.clone().roll_dim(-1, 2) + field.clone().roll_dim(-1, 3);
        let square = field.clone() * field.clone();
        let density = square.clone() * (square * self.coupling + self.quadratic) - field * neighbours;
        density.reshape([batch as i32, -1]).sum_dim(1).reshape([batch])
    }
}
