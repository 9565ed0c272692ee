//! The networks of a stack of couplings: names and initial values of their weights, and what they take.

use crate::flow::init;
use crate::kernel::ConvStack;
use crate::rng::Stream;
use crate::spec::InitialSpec;
use std::sync::Arc;

/// The networks of all layers.
pub type Layers = [Arc<ConvStack>];

/// Name and shape of every parameter, in packed order.
pub fn shapes(layers: &Layers) -> Vec<(String, Vec<usize>)> {
    let of_layer = |(index, net): (usize, &Arc<ConvStack>)| {
        let shapes = net.parameter_shapes().into_iter();
        shapes.map(move |(name, shape)| (format!("layers.{index}.{name}"), shape))
    };
    layers.iter().enumerate().flat_map(of_layer).collect()
}

/// Initial parameters in packed order; those of a layer are items of their own of the stream.
pub fn initial(layers: &Layers, initial: InitialSpec, stream: &Stream) -> Vec<f32> {
    let layers = (0u64..).zip(layers);
    layers.flat_map(|(layer, net)| init::uniform(net, initial, stream, layer << 32)).collect()
}

/// Multiply-adds of all networks for one configuration.
pub fn multiply_adds(layers: &Layers) -> u64 {
    layers.iter().map(|net| net.multiply_adds()).sum()
}
