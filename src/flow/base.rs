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

    /// What tells it apart from others that flows with the same parameters may start from; empty for the usual one.
    fn id(&self) -> String {
        String::new()
    }
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

/// Uniform angles for all links, `log r(z) = -2V ln 2π` by the measure dθ: the Haar measure of U(1), which no gauge transformation changes.
///
/// Source: arXiv:2003.06413.
#[derive(Debug, Clone)]
pub struct HaarUniform {
    links: usize,
}

impl HaarUniform {
    /// Of the links of a lattice of two dimensions.
    pub fn new(lattice: Lattice) -> Self {
        Self { links: 2 * lattice.volume() }
    }
}

impl Base for HaarUniform {
    /// One for each direction.
    fn components(&self) -> usize {
        2
    }

    fn draw(&self, stream: &Stream, first: u64, count: usize) -> Vec<f32> {
        stream.angles(first, count, self.links)
    }

    fn log_density(&self, z: Tensor<3>) -> Tensor<1> {
        Tensor::full([z.dims()[0]], -(self.links as f64) * (2.0 * PI).ln(), (&z.device(), z.dtype()))
    }
}
