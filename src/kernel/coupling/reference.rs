//! A stack of couplings in plain tensor operations, differentiated by burn: what the fused kernels are held against.

use super::layer::Coupling;
use super::networks::{Direction, Networks};
use crate::kernel::conv_stack::reference as network;
use burn::tensor::Tensor;

/// The field after all layers, and the log det of the map.
///
/// # Shapes
/// As [`super::coupling_stack`].
pub fn reference<C: Coupling>(
    x: Tensor<3>,
    parameters: Tensor<1>,
    (networks, couplings): (&Networks, &[C]),
    direction: Direction,
) -> (Tensor<3>, Tensor<1>) {
    let batch = x.dims()[0];
    let start = Tensor::<1>::zeros([batch], (&x.device(), x.dtype()));
    networks.order(direction).into_iter().fold((x, start), |(x, total), layer| {
        let (coupling, stack, range) =
            (&couplings[layer], &networks.layers()[layer], networks.parameters_of(layer));
        let parameters = parameters.clone().narrow(0, range.start, range.len());
        let output = network(coupling.plain_features(x.clone()), parameters, stack);
        let (x, log_det) = coupling.plain_apply(direction, stack, x, output);
        (x, total + log_det)
    })
}
