//! Base densities r: what flows start from.

use crate::lattice::Lattice;
use crate::rng::Stream;
use burn::tensor::Tensor;
use std::f64::consts::PI;

/// A density that can be drawn from directly.
pub trait Base: std::fmt::Debug + Send + Sync {
    /// Numbers per site.
    fn components(&self) -> usize;

    /// The items `first..first + count` of a stream, as `[count, component, site]`.
    fn draw(&self, stream: &Stream, first: u64, count: usize) -> Vec<f32>;

    /// `log r(z)`.
    ///
    /// # Shapes
    /// `[batch, component, site]` → `[batch]`
    fn log_density(&self, z: Tensor<3>) -> Tensor<1>;
}

/// An independent unit normal for every number: `log r(z) = -½ Σ z² - (n/2) ln 2π`.
#[derive(Debug, Clone)]
pub struct UnitNormal {
    components: usize,
    numbers: usize,
}

impl UnitNormal {
    /// Unit normals for `components` numbers per site.
    pub fn new(lattice: Lattice, components: usize) -> Self {
        Self { components, numbers: components * lattice.volume() }
    }
}

impl Base for UnitNormal {
    fn components(&self) -> usize {
        self.components
    }

    fn draw(&self, stream: &Stream, first: u64, count: usize) -> Vec<f32> {
        stream.normals(first, count, self.numbers)
    }

    fn log_density(&self, z: Tensor<3>) -> Tensor<1> {
        let batch = z.dims()[0];
        let squares = (z.clone() * z).reshape([batch, self.numbers]).sum_dim(1).reshape([batch]);
        squares * -0.5 - 0.5 * self.numbers as f64 * (2.0 * PI).ln()
    }
}
