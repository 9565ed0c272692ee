//! The map of one number of the field given its parameters.

#[cfg(feature = "wgpu")]
use super::gpu_map::GpuMap;
use super::networks::Direction;
use crate::kernel::element::Element;
use crate::kernel::vector::Vector;
use burn::tensor::Tensor;
use std::fmt::Debug;

/// An invertible map of a number whose parameters a network has computed, for a vector of samples at once.
///
/// Everything here is `inline(always)` for the reason given at `kernel::vector::Kernel`.
pub trait CouplingMap: Debug + Clone + Send + Sync + 'static {
    /// Parameters of a number: the channels that the network writes.
    fn parameters(&self) -> usize;

    /// Maps `x` in place and adds to the log det.
    ///
    /// # Shapes
    /// `parameters`: `[parameter][lane]`; `x`, `log_det`: `[lane]`
    fn apply<V: Vector>(
        &self,
        direction: Direction,
        parameters: &[V::Elem],
        x: &mut [V::Elem],
        log_det: &mut [V::Elem],
    );

    /// The way back: `g` is the gradient by the result and becomes that by `before`, the number before the map.
    ///
    /// # Shapes
    /// `parameters`, `by_parameters`: `[parameter][lane]`; `before`, `g`, `by_log_det`: `[lane]`
    fn gradient<V: Vector>(
        &self,
        direction: Direction,
        parameters: &[V::Elem],
        before: &[V::Elem],
        by_log_det: &[V::Elem],
        g: &mut [V::Elem],
        by_parameters: &mut [V::Elem],
    );

    /// [`Self::apply`] in plain tensor operations on all sites, with the log det of each.
    ///
    /// # Shapes
    /// `[batch, 1, site]`, `[batch, parameter, site]` → `[batch, 1, site]`, `[batch, 1, site]`
    fn plain_apply(
        &self,
        direction: Direction,
        x: Tensor<3>,
        parameters: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>);

    /// Parameters h* of the mirrored map, `f(-x; h*) = -f(x; h)`: numbers change places and signs, so that it is linear, and undone by
    /// itself, to the last bit.
    ///
    /// # Shapes
    /// `[batch, parameter, site]` → `[batch, parameter, site]`
    fn plain_mirrored(&self, parameters: Tensor<3>) -> Tensor<3>;

    /// [`Self::plain_apply`] with the same rounding at -x and h* as at x and h. Unless all operations of a map are odd, those of
    /// negative numbers are done at -x and h*.
    ///
    /// # Shapes
    /// As [`Self::plain_apply`].
    fn plain_apply_odd(
        &self,
        direction: Direction,
        x: Tensor<3>,
        parameters: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        let is_negative = x.clone().detach().lower_elem(0.0);
        let signs = is_negative.clone().float().cast(x.dtype()) * -2.0 + 1.0;
        let mirrored = self.plain_mirrored(parameters.clone());
        let parameters = parameters.clone().mask_where(is_negative.expand(parameters.dims()), mirrored);
        let (y, log_det) = self.plain_apply(direction, x * signs.clone(), parameters);
        (y * signs, log_det)
    }

    /// What the GPU kernels are compiled for.
    #[cfg(feature = "wgpu")]
    fn gpu_map(&self) -> GpuMap;
}

/// `g · (1 - y²)` for every number: from the gradient by `y = tanh(x)` to that by x.
#[inline(always)]
pub fn tanh_gradient<T: Element>(y: &[T], g: &mut [T]) {
    for (g, y) in g.iter_mut().zip(y) {
        *g = T::tanh_gradient(*g, *y);
    }
}
