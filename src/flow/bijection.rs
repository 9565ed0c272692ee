//! An invertible map of the field with a tractable Jacobian.

use crate::rng::Stream;
use burn::tensor::Tensor;

/// A part of a flow, one layer or many; the parameters are handed in, so a bijection is only an architecture.
pub trait Bijection: std::fmt::Debug + Send + Sync {
    /// Name and shape of every parameter, in packed order.
    fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)>;

    /// Initial parameters in packed order, from a stream of its own.
    fn initial_parameters(&self, stream: &Stream) -> Vec<f32>;

    /// Multiply-adds of the forward map for one configuration.
    fn multiply_adds(&self) -> u64;

    /// Numbers per configuration that a backward pass has to keep, about.
    fn activations(&self) -> usize;

    /// Numbers per configuration that a pass without gradients needs at once, about.
    fn working(&self) -> usize;

    /// `y = g(x)` and `log|det ∂g/∂x|`.
    ///
    /// # Shapes
    /// `[batch, component, site]`, `[parameters]` → `[batch, component, site]`, `[batch]`
    fn forward_and_log_det(&self, x: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>);

    /// `x = g⁻¹(y)` and `log|det ∂g⁻¹/∂y|`; shapes as in the forward map.
    fn inverse_and_log_det(&self, y: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>);
}
