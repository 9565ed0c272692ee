//! The action of a real field with nearest-neighbour hopping and a quartic potential, as an operation on tensors.

use super::cpu;
#[cfg(feature = "wgpu")]
use super::gpu;
use crate::kernel::fused::{Fused, Pass, is_fused, unary};
use crate::lattice::{Lattice, Neighbours};
use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Int, Tensor, TensorData};
use std::sync::Arc;

/// `S = Σ_x [ -Σ_μ φ(x) φ(x+μ̂) + a φ² + λ φ⁴ ]`, periodic, in one to four dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Quartic {
    /// The lattice.
    pub lattice: Lattice,
    /// a.
    pub quadratic: f64,
    /// λ.
    pub coupling: f64,
    /// Those of every site.
    pub neighbours: Arc<Neighbours>,
}

impl Fused for Quartic {
    fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, keep: bool) -> Pass<Flex> {
        let [field] = <[_; 1]>::try_from(inputs).expect("a field");
        cpu::pass(field, Arc::clone(&self.neighbours), [self.quadratic, self.coupling], keep)
    }

    #[cfg(feature = "wgpu")]
    fn on_gpu(
        self: Arc<Self>,
        inputs: Vec<FloatTensor<burn::backend::Cube>>,
        keep: bool,
    ) -> Pass<burn::backend::Cube> {
        let [field] = <[_; 1]>::try_from(inputs).expect("a field");
        gpu::pass(field, self.lattice, [self.quadratic as f32, self.coupling as f32], keep)
    }
}

impl Quartic {
    /// The action with these coefficients.
    pub fn new(lattice: Lattice, quadratic: f64, coupling: f64) -> Self {
        Self { lattice, quadratic, coupling, neighbours: Arc::new(lattice.neighbours()) }
    }

    /// The action of every configuration: fused where the device has kernels, else the [`Self::reference`].
    ///
    /// # Shapes
    /// `[batch, 1, site]` → `[batch]`
    ///
    /// # Panics
    /// If the field has another number of sites or components.
    pub fn action(&self, field: Tensor<3>) -> Tensor<1> {
        let expected = [1, self.lattice.volume()];
        assert_eq!(field.dims()[1..], expected, "[components, sites] of the field and of the action");
        match is_fused(&field.device(), field.dtype()) {
            true => unary(field, Arc::new(self.clone())),
            false => self.reference(field),
        }
    }

    /// The same in plain tensor operations, differentiated by burn.
    ///
    /// # Shapes
    /// As [`Self::action`].
    pub fn reference(&self, field: Tensor<3>) -> Tensor<1> {
        let batch = field.dims()[0];
        let along = (0..self.lattice.dimensions()).map(|mu| self.shifted(field.clone(), mu));
        let neighbours = along.reduce(|sum, next| sum + next).expect("a lattice has a dimension");
        let square = field.clone() * field.clone();
        let density = square.clone() * (square * self.coupling + self.quadratic) - field * neighbours;
        density.reshape([batch as i32, -1]).sum_dim(1).reshape([batch])
    }

    /// The neighbour one step forward of every site.
    fn shifted(&self, field: Tensor<3>, mu: usize) -> Tensor<3> {
        let volume = self.lattice.volume();
        let places: Vec<i64> = (0..volume).map(|site| i64::from(self.neighbours.forward(site)[mu])).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [volume]), &field.device());
        field.select(2, places)
    }
}
