//! A whole stack of affine couplings as one operation: a tile of samples goes through all layers while it is in cache.

pub(super) mod backward;
mod cpu;
#[cfg(feature = "wgpu")]
pub(super) mod gpu;
#[cfg(feature = "wgpu")]
mod resident;
#[cfg(test)]
mod tests;

use super::conv_stack::{ConvStack, OutputActivation, conv_stack};
use super::fused::{Operation, apply};
#[cfg(feature = "wgpu")]
use super::gpu::Plans;
use burn::tensor::Tensor;
use std::ops::Range;
use std::sync::Arc;
#[cfg(feature = "wgpu")]
use std::sync::OnceLock;

/// Affine couplings one after the other, each with a network `x_frozen → (s, t)` ending in tanh.
///
/// On the sites that a layer's network writes, `y = e^s x + t` and log det = Σ s; the other sites stay. The parameters
/// are those of the layers, one after the other.
#[derive(Debug, Clone)]
pub struct AffineFlow {
    layers: Vec<Arc<ConvStack>>,
    parameters: Vec<Range<usize>>,
    #[cfg(feature = "wgpu")]
    plans: Plans,
    /// Whether the networks differ only in the sites of their lists.
    #[cfg(feature = "wgpu")]
    alike: OnceLock<bool>,
}

/// Which way to go through the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `y = e^s x + t`, first layer first.
    Forward,
    /// `x = e^{-s} (y - t)`, last layer first.
    Inverse,
}

impl AffineFlow {
    /// # Panics
    /// If there are no layers, or networks that do not take one channel to two through tanh on the same lattice.
    pub fn new(layers: Vec<Arc<ConvStack>>) -> Self {
        assert!(!layers.is_empty(), "an affine flow needs a layer");
        for layer in &layers {
            let channels = (layer.input_channels(), layer.output_channels());
            assert_eq!(channels, (1, 2), "channels read and written by the network of an affine coupling");
            assert_eq!(
                layer.activation,
                OutputActivation::Tanh,
                "what ends the network of an affine coupling"
            );
            assert_eq!(layer.extents, layers[0].extents, "extents of all layers");
        }
        let mut end = 0;
        let next = |layer: &Arc<ConvStack>| {
            let start = end;
            end += layer.parameter_count();
            start..end
        };
        let parameters = layers.iter().map(next).collect();
        Self {
            layers,
            parameters,
            #[cfg(feature = "wgpu")]
            plans: Plans::default(),
            #[cfg(feature = "wgpu")]
            alike: OnceLock::new(),
        }
    }

    /// The networks.
    pub fn layers(&self) -> &[Arc<ConvStack>] {
        &self.layers
    }

    /// Length of the packed parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.end)
    }

    /// `[T, X]`.
    pub fn extents(&self) -> [usize; 2] {
        self.layers[0].extents
    }

    fn volume(&self) -> usize {
        self.layers[0].volume()
    }

    #[cfg(feature = "wgpu")]
    fn networks(&self) -> Vec<&ConvStack> {
        self.layers.iter().map(|layer| &**layer).collect()
    }

    /// Layers in the order in which a direction applies them.
    fn order(&self, direction: Direction) -> Vec<usize> {
        let layers = 0..self.layers.len();
        match direction {
            Direction::Forward => layers.collect(),
            Direction::Inverse => layers.rev().collect(),
        }
    }

    fn check_shapes(&self, x: [usize; 4], parameters: [usize; 1]) {
        let [t, s] = self.extents();
        assert_eq!(x[1..], [1, t, s], "affine_flow: [channels, T, X] of the field and of the flow");
        assert_eq!(parameters, [self.parameter_count()], "affine_flow: packed parameters");
    }
}

/// Sends fields through all layers and returns the log det of the map: a fused kernel where the device has one, else the
/// [`reference()`].
///
/// # Shapes
/// - `x`: `[batch, 1, T, X]`
/// - `parameters`: `[parameter_count]`
/// - result: `[batch, 1, T, X]` and `[batch]`
///
/// # Panics
/// If a shape does not fit the flow.
pub fn affine_flow(
    x: Tensor<4>,
    parameters: Tensor<1>,
    flow: &Arc<AffineFlow>,
    direction: Direction,
) -> (Tensor<4>, Tensor<1>) {
    flow.check_shapes(x.dims(), parameters.dims());
    if !super::is_fused(&x) {
        return reference(x, parameters, flow, direction);
    }
    let ([batch, ..], [t, s], volume) = (x.dims(), flow.extents(), flow.volume());
    let both: Tensor<2> = apply(x, parameters, Operation::AffineFlow(Arc::clone(flow), direction));
    let y = both.clone().narrow(1, 0, volume).reshape([batch, 1, t, s]);
    (y, both.narrow(1, volume, 1).reshape([batch]))
}

/// The same in plain tensor operations, differentiated by burn.
///
/// # Shapes
/// As [`affine_flow`].
pub fn reference(
    x: Tensor<4>,
    parameters: Tensor<1>,
    flow: &AffineFlow,
    direction: Direction,
) -> (Tensor<4>, Tensor<1>) {
    flow.check_shapes(x.dims(), parameters.dims());
    let batch = x.dims()[0];
    let start = Tensor::<1>::zeros([batch], (&x.device(), x.dtype()));
    flow.order(direction).into_iter().fold((x, start), |(x, total), layer| {
        let range = &flow.parameters[layer];
        let parameters = parameters.clone().narrow(0, range.start, range.len());
        let out = conv_stack(x.clone(), parameters, &flow.layers[layer]);
        let (s, t) = (out.clone().narrow(1, 0, 1), out.narrow(1, 1, 1));
        let log_det = s.clone().reshape([batch, flow.volume()]).sum_dim(1).reshape([batch]);
        match direction {
            Direction::Forward => (x * s.exp() + t, total + log_det),
            Direction::Inverse => ((x - t) * (-s).exp(), total - log_det),
        }
    })
}
