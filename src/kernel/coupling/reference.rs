//! A stack of couplings layer by layer, differentiated by burn: what devices without a kernel for the whole stack do, and, with plain
//! tensor operations for the networks too, what the fused kernels are held against.

use super::layer::Coupling;
use super::map::CouplingMap;
use super::networks::{Direction, Networks};
use crate::kernel::conv_stack::{conv_stack, reference as plain_network};
use burn::tensor::Tensor;

/// The field after all layers, and the log det of the map, in plain tensor operations.
///
/// # Shapes
/// As [`super::coupling_stack`].
pub fn reference<C: Coupling>(
    x: Tensor<3>,
    parameters: Tensor<1>,
    (networks, couplings): (&Networks, &[C]),
    direction: Direction,
) -> (Tensor<3>, Tensor<1>) {
    layers(x, parameters, (networks, couplings), direction, |layer, features, parameters| {
        plain_network(features, parameters, &networks.layers()[layer])
    })
}

/// The same with fused networks where the device has kernels for them.
///
/// # Shapes
/// As [`super::coupling_stack`].
pub fn layer_by_layer<C: Coupling>(
    x: Tensor<3>,
    parameters: Tensor<1>,
    (networks, couplings): (&Networks, &[C]),
    direction: Direction,
) -> (Tensor<3>, Tensor<1>) {
    layers(x, parameters, (networks, couplings), direction, |layer, features, parameters| {
        conv_stack(features, parameters, &networks.fused()[layer])
    })
}

/// Layer after layer with networks that are applied by `network`, from the features and the parameters of a layer.
fn layers<C: Coupling>(
    x: Tensor<3>,
    parameters: Tensor<1>,
    (networks, couplings): (&Networks, &[C]),
    direction: Direction,
    network: impl Fn(usize, Tensor<3>, Tensor<1>) -> Tensor<3>,
) -> (Tensor<3>, Tensor<1>) {
    let [batch, _, volume] = x.dims();
    let start = Tensor::<1>::zeros([batch], (&x.device(), x.dtype()));
    networks.order(direction).into_iter().fold((x, start), |(x, total), layer| {
        let (coupling, range) = (&couplings[layer], networks.parameters_of(layer));
        let parameters = parameters.clone().narrow(0, range.start, range.len());
        let output = network(layer, coupling.plain_features(x.clone()), parameters);
        let map = |number: Tensor<3>| coupling.map().plain_apply(direction, number, output);
        let (x, log_det) = coupling.plain_apply(&networks.layers()[layer], x, map);
        (x, total + log_det.reshape([batch, volume]).sum_dim(1).reshape([batch]))
    })
}
