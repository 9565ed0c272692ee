//! The affine checkerboard coupling of real fields.

use crate::flow::{Bijection, init, mask, net};
use crate::kernel::{ConvStack, conv_stack};
use crate::lattice::Lattice;
use crate::rng::Stream;
use crate::spec::AffineSpec;
use burn::tensor::Tensor;
use std::sync::Arc;

/// `y_a = e^{s} x_a + t` on active sites, `y_f = x_f` on frozen ones, `(s, t) = net(x_f)`.
///
/// - inverse: `x_a = e^{-s} (y_a - t)`
/// - log det: `Σ_a s`, and `-Σ_a s` of the inverse
///
/// Source: A22, App. A as in A21.
#[derive(Debug)]
pub struct AffineCoupling {
    net: Arc<ConvStack>,
    initial_width: f64,
}

impl AffineCoupling {
    /// A layer that changes the sites of `active_parity` and freezes the others.
    pub fn new(spec: &AffineSpec, lattice: Lattice, active_parity: usize) -> Self {
        let frozen = mask::checkerboard(&lattice, 1 - active_parity);
        let active = mask::checkerboard(&lattice, active_parity);
        let net = net::affine(spec, &lattice, frozen, active);
        Self { net, initial_width: spec.initial_width }
    }

    /// Scale s and shift t, zero on frozen sites, `[batch, 1, T, X]` each.
    fn scale_and_shift(&self, x: Tensor<4>, parameters: Tensor<1>) -> (Tensor<4>, Tensor<4>) {
        let out = conv_stack(x, parameters, &self.net);
        (out.clone().narrow(1, 0, 1), out.narrow(1, 1, 1))
    }
}

fn sum_over_sites(s: Tensor<4>) -> Tensor<1> {
    let [batch, components, t, x] = s.dims();
    s.reshape([batch, components * t * x]).sum_dim(1).reshape([batch])
}

impl Bijection for AffineCoupling {
    fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        self.net.parameter_shapes()
    }

    fn initial_parameters(&self, stream: &Stream, first: u64) -> Vec<f32> {
        init::kaiming_uniform(&self.net, self.initial_width, stream, first)
    }

    fn multiply_adds(&self) -> u64 {
        self.net.multiply_adds()
    }

    fn activations(&self) -> usize {
        // The hidden layers, and the field, (s, t), e^s and their products outside the network.
        (self.net.hidden_width() + 8) * self.net.volume()
    }

    fn forward_and_log_det(&self, x: Tensor<4>, parameters: Tensor<1>) -> (Tensor<4>, Tensor<1>) {
        let (s, t) = self.scale_and_shift(x.clone(), parameters);
        (x * s.clone().exp() + t, sum_over_sites(s))
    }

    fn inverse_and_log_det(&self, y: Tensor<4>, parameters: Tensor<1>) -> (Tensor<4>, Tensor<1>) {
        let (s, t) = self.scale_and_shift(y.clone(), parameters);
        ((y - t) * (-s.clone()).exp(), -sum_over_sites(s))
    }
}
