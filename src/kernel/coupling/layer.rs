//! What a coupling layer does beside its network: what the network reads, and what becomes of its output.

#[cfg(feature = "wgpu")]
use super::gpu_map::GpuLayer;
use super::map::CouplingMap;
use super::networks::Direction;
use crate::kernel::conv_stack::ConvStack;
use crate::kernel::vector::Vector;
use burn::tensor::Tensor;
use std::fmt::Debug;

/// One coupling layer without its network.
///
/// On the CPU a tile of the field is `[component · site][lane]`, tiles of features and of outputs are `[site][channel][lane]`.
/// `read` and `written` are the sites that the network reads and writes.
pub trait Coupling: Debug + Clone + Send + Sync + 'static {
    /// The map of a number.
    type Map: CouplingMap;

    /// Which one it is.
    fn map(&self) -> &Self::Map;

    /// Numbers of the field per site.
    fn components(&self) -> usize;

    /// Channels of the features that the network reads, where they are not the field itself.
    fn own_features(&self) -> usize;

    /// # Panics
    /// If a network does not read the features or does not write the parameters of the map.
    fn check(&self, network: &ConvStack);

    /// What the network reads: the field itself, or features of it written to `room`.
    fn features<'a, V: Vector>(&self, field: &'a [V::Elem], room: &'a mut [V::Elem]) -> &'a [V::Elem];

    /// Maps the field in place by the network's output and adds to the log det.
    fn apply<V: Vector>(
        &self,
        direction: Direction,
        written: impl Iterator<Item = usize>,
        output: &[V::Elem],
        field: &mut [V::Elem],
        log_det: &mut [V::Elem],
    );

    /// The way back through the map: `g` is the gradient by the field after the layer and becomes that by the field `before` it,
    /// but for what the network adds.
    #[allow(clippy::too_many_arguments)]
    fn apply_gradient<V: Vector>(
        &self,
        direction: Direction,
        written: impl Iterator<Item = usize>,
        output: &[V::Elem],
        before: &[V::Elem],
        by_log_det: &[V::Elem],
        g: &mut [V::Elem],
        by_output: &mut [V::Elem],
    );

    /// Adds the gradient by what the network reads, which were these `features`, to that by the field.
    fn features_gradient<V: Vector>(
        &self,
        read: impl Iterator<Item = usize>,
        features: &[V::Elem],
        by_features: &[V::Elem],
        g: &mut [V::Elem],
    );

    /// [`Self::features`] in plain tensor operations.
    ///
    /// # Shapes
    /// `[batch, component, site]` → `[batch, feature, site]`
    fn plain_features(&self, field: Tensor<3>) -> Tensor<3>;

    /// [`Self::apply`] in plain tensor operations, with `map` for the map of a number and its log det, and with the log det of every
    /// site; what is not written stays.
    ///
    /// # Shapes
    /// `[batch, component, site]` → `[batch, component, site]`, `[batch, 1, site]`; `map`: `[batch, 1, site]` → the same, twice
    fn plain_apply(
        &self,
        network: &ConvStack,
        field: Tensor<3>,
        map: impl FnOnce(Tensor<3>) -> (Tensor<3>, Tensor<3>),
    ) -> (Tensor<3>, Tensor<3>);

    /// What the GPU kernels are compiled for, if they know this coupling.
    #[cfg(feature = "wgpu")]
    fn gpu_layer(&self) -> Option<GpuLayer>;

    /// What the GPU kernels look up about it beside the site lists of its network.
    #[cfg(feature = "wgpu")]
    fn gpu_record(&self) -> Vec<u32>;
}
