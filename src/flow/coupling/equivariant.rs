//! Couplings that commute with the change of sign of the field.

use crate::kernel::coupling::{Coupling, CouplingMap};
use crate::kernel::{CouplingStack, Direction, FusedConvStack, conv_stack, coupling_stack};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use std::sync::Arc;

/// A stack of couplings, and whether their networks are applied to the field and to its mirror image.
#[derive(Debug)]
pub struct Mirrored<C> {
    /// The couplings.
    pub stack: CouplingStack<C>,
    /// Whether they commute with the change of sign.
    pub is_equivariant: bool,
}

impl<C: Coupling> Mirrored<C> {
    /// Times that a pass applies each network.
    pub fn applications(&self) -> usize {
        if self.is_equivariant { 2 } else { 1 }
    }

    /// The field after all layers, and the log det.
    ///
    /// # Shapes
    /// As [`crate::kernel::coupling_stack`].
    pub fn through(
        &self,
        x: Tensor<3>,
        parameters: Tensor<1>,
        direction: Direction,
    ) -> (Tensor<3>, Tensor<1>) {
        match self.is_equivariant {
            true => equivariant(x, parameters, &self.stack, direction),
            false => coupling_stack(x, parameters, &self.stack, direction),
        }
    }
}

/// The field after all layers of a stack whose networks are each applied to what they read of the field and of its mirror image:
///
/// `h = ½ (ĥ(φ) + ĥ(-φ)*)`
///
/// where ĥ is what the network says and h* are the parameters of the mirrored map, `m(-x; h*) = -m(x; h)`: of affine maps
/// `(s, t)* = (s, -t)`. So `h(-φ) = h(φ)*`, and `f(-z) = -f(z)` to the last bit: of an even base density such a flow makes an even one.
///
/// A layer is a network on twice the batch and plain tensor operations, not a part of the kernel that goes through all layers.
///
/// Source: Z₂-equivariant flows as in arXiv:2105.12481, there by networks of odd functions without biases.
///
/// # Shapes
/// As [`crate::kernel::coupling_stack`].
fn equivariant<C: Coupling>(
    x: Tensor<3>,
    parameters: Tensor<1>,
    stack: &CouplingStack<C>,
    direction: Direction,
) -> (Tensor<3>, Tensor<1>) {
    let [batch, _, volume] = x.dims();
    let (networks, operations) = (stack.networks(), stack.networks().fused());
    let start = Tensor::zeros([batch, 1, volume], (&x.device(), x.dtype()));
    let (y, log_det) = networks.order(direction).into_iter().fold((x, start), |(x, total), layer| {
        let (coupling, network) = (&stack.couplings()[layer], &operations[layer]);
        let range = networks.parameters_of(layer);
        let parameters = parameters.clone().narrow(0, range.start, range.len());
        let sites = written(network, &x.device());
        let of_map = of_both_signs(coupling, x.clone(), parameters, (network, &sites));
        // Only there: what is elsewhere is not read.
        let map = |number: Tensor<3>| {
            let chosen = number.clone().select(2, sites.clone());
            let (y, log_det) = coupling.map().plain_apply_odd(direction, chosen, of_map);
            let rest = number.zeros_like();
            let put = |values: Tensor<3>| {
                rest.clone().select_assign(2, sites.clone(), values, IndexingUpdateOp::Add)
            };
            (put(y), put(log_det))
        };
        let (y, log_det) = coupling.plain_apply(network.stack(), x, map);
        (y, total + log_det)
    });
    (y, log_det.reshape([batch, volume]).sum_dim(1).reshape([batch]))
}

/// The sites that a network writes.
fn written(network: &FusedConvStack, device: &Device) -> Tensor<1, Int> {
    let sites = (0i64..).zip(&network.stack().outputs).filter(|(_, on)| **on);
    let sites: Vec<i64> = sites.map(|(site, _)| site).collect();
    let count = sites.len();
    Tensor::from_data(TensorData::new(sites, [count]), device)
}

/// The parameters of the map at the sites that are written, `[batch, parameter, written]`.
fn of_both_signs<C: Coupling>(
    coupling: &C,
    x: Tensor<3>,
    parameters: Tensor<1>,
    (network, sites): (&Arc<FusedConvStack>, &Tensor<1, Int>),
) -> Tensor<3> {
    let batch = x.dims()[0];
    let features = coupling.plain_features(Tensor::cat(vec![x.clone(), -x], 0));
    let both = conv_stack(features, parameters, network).select(2, sites.clone());
    let [there, mirrored] = [0, batch].map(|first| both.clone().narrow(0, first, batch));
    (there + coupling.map().plain_mirrored(mirrored)) * 0.5
}
