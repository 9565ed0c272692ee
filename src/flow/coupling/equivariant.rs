//! Affine couplings that commute with φ → -φ.

use crate::kernel::coupling::CouplingMap;
use crate::kernel::{Affine, CouplingStack, Direction, FusedConvStack, SiteCoupling, conv_stack};
use burn::tensor::Tensor;
use std::sync::Arc;

/// The field after all layers of a stack whose networks are each applied to the frozen sites and to their mirror image:
///
/// `s = ½ (ŝ(x_f) + ŝ(-x_f))`, `t = ½ (t̂(x_f) - t̂(-x_f))`
///
/// where `(ŝ, t̂)` is what the network says. s is even and t is odd to the last bit, so `f(-z) = -f(z)`: of an even base density such a
/// flow makes an even one.
///
/// A layer is a network on twice the batch and plain tensor operations, not a part of the kernel that goes through all layers.
///
/// Source: Z₂-equivariant flows as in arXiv:2105.12481, there by networks of odd functions without biases.
///
/// # Shapes
/// As [`crate::kernel::coupling_stack`].
pub fn equivariant(
    x: Tensor<3>,
    parameters: Tensor<1>,
    stack: &CouplingStack<SiteCoupling<Affine>>,
    direction: Direction,
) -> (Tensor<3>, Tensor<1>) {
    let [batch, components, volume] = x.dims();
    let (networks, operations) = (stack.networks(), stack.networks().fused());
    let start = Tensor::zeros([batch, components, volume], (&x.device(), x.dtype()));
    let (y, log_det) = networks.order(direction).into_iter().fold((x, start), |(x, total), layer| {
        let range = networks.parameters_of(layer);
        let parameters = parameters.clone().narrow(0, range.start, range.len());
        // (s, t) are zero where the layer changes nothing, and (0, 0) is the identity.
        let scale_and_shift = scale_and_shift(x.clone(), parameters, &operations[layer]);
        let (y, log_det) = Affine.plain_apply(direction, x, scale_and_shift);
        (y, total + log_det)
    });
    (y, log_det.reshape([batch, volume]).sum_dim(1).reshape([batch]))
}

/// (s, t) of every site, `[batch, 2, site]`.
fn scale_and_shift(x: Tensor<3>, parameters: Tensor<1>, network: &Arc<FusedConvStack>) -> Tensor<3> {
    let batch = x.dims()[0];
    let parities = Tensor::<3>::from_data([[[1.0], [-1.0]]], (&x.device(), x.dtype()));
    let both = conv_stack(Tensor::cat(vec![x.clone(), -x], 0), parameters, network);
    let [there, mirrored] = [0, batch].map(|first| both.clone().narrow(0, first, batch));
    (there + mirrored * parities) * 0.5
}
