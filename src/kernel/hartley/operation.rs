//! The transform as an operation on tensors: fused where the device has kernels, else its reference.

use super::cpu;
#[cfg(feature = "wgpu")]
use super::gpu;
use super::waves::Waves;
use crate::kernel::fused::{Fused, Pass, is_fused, unary};
use crate::lattice::Lattice;
use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Tensor, TensorData};
use std::sync::Arc;

/// `(Hφ)(k) = V^{-1/2} Σ_x Π_ν cas(k_ν x_ν) φ(x)` with `cas = cos + sin`, `k_ν = 2π n_ν/L_ν`: real, symmetric, its own inverse and
/// its own gradient.
///
/// `cas(kx)` spans the waves of momentum ±k, so a function of `cos k_ν` alone acts here as it does on the Fourier transform.
/// It is made one direction after the other with `V Σ_ν L_ν` multiply-adds, which on 32 x 32 are a thousandth of those of 24
/// couplings with K = 5.
#[derive(Debug)]
pub struct Hartley {
    waves: Arc<Waves>,
}

impl Fused for Hartley {
    fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, keep: bool) -> Pass<Flex> {
        let [field] = <[_; 1]>::try_from(inputs).expect("a field");
        cpu::pass(field, Arc::clone(&self.waves), keep)
    }

    #[cfg(feature = "wgpu")]
    fn on_gpu(
        self: Arc<Self>,
        inputs: Vec<FloatTensor<burn::backend::Cube>>,
        keep: bool,
    ) -> Pass<burn::backend::Cube> {
        let [field] = <[_; 1]>::try_from(inputs).expect("a field");
        gpu::pass(field, Arc::clone(&self.waves), keep)
    }
}

impl Hartley {
    /// The transform of fields on a lattice.
    pub fn new(lattice: Lattice) -> Self {
        Self { waves: Arc::new(Waves::new(lattice)) }
    }

    /// Where its fields are.
    pub fn lattice(&self) -> Lattice {
        self.waves.lattice()
    }

    /// The transform of every component of every configuration: fused where the device has kernels, else the
    /// [`Self::reference`].
    ///
    /// # Shapes
    /// `[batch, component, site]` → `[batch, component, momentum]`, momenta numbered as sites are
    ///
    /// # Panics
    /// If the field has another number of sites.
    pub fn transform(self: &Arc<Self>, field: Tensor<3>) -> Tensor<3> {
        assert_eq!(field.dims()[2], self.lattice().volume(), "sites of the field and of the transform");
        match is_fused(&field.device(), field.dtype()) {
            true => unary(field, self.clone()),
            false => self.reference(field),
        }
    }

    /// The same in plain tensor operations, differentiated by burn.
    ///
    /// # Shapes
    /// As [`Self::transform`].
    pub fn reference(&self, field: Tensor<3>) -> Tensor<3> {
        let [batch, components, volume] = field.dims();
        // Always along the last direction, which then becomes the first: after all of them the order is as it was.
        let transformed = self.waves.directions().rev().fold(field, |field, (wave, _)| {
            let extent = wave.len();
            let rows = field.reshape([batch * components, volume / extent, extent]);
            let matrix = matrix(wave, &rows);
            rows.matmul(matrix).swap_dims(1, 2)
        });
        transformed.reshape([batch, components, volume])
    }
}

/// `cas(2π kn/L)/√L` for all k and n, `[1, k, n]`, on the device and of the kind of another tensor.
fn matrix(wave: &[f64], like: &Tensor<3>) -> Tensor<3> {
    let extent = wave.len();
    let values = (0..extent * extent).map(|place| wave[place / extent * (place % extent) % extent]).collect();
    let data = TensorData::new::<f64, _>(values, [1, extent, extent]);
    Tensor::from_data(data.convert_dtype(like.dtype()), (&like.device(), like.dtype()))
}
