//! Affine checkerboard couplings of real fields.

use crate::flow::{Bijection, init, mask, net};
use crate::kernel::{AffineFlow, Direction, affine_flow};
use crate::lattice::Lattice;
use crate::rng::Stream;
use crate::spec::AffineSpec;
use burn::tensor::Tensor;
use std::sync::Arc;

/// A stack of couplings `y_a = e^{s} x_a + t` on active sites, `y_f = x_f` on frozen ones, `(s, t) = net(x_f)`; layer i
/// changes the sites of parity i mod 2.
///
/// - inverse: `x_a = e^{-s} (y_a - t)`
/// - log det: `Σ_a s` of each layer, and `-Σ_a s` of the inverse
///
/// The stack is one bijection, not one per layer, because its kernel keeps a tile of samples in cache through all of it.
///
/// Source: A22, App. A, as in A21.
#[derive(Debug)]
pub struct AffineCouplings {
    flow: Arc<AffineFlow>,
    initial_width: f64,
}

impl AffineCouplings {
    /// The stack that a specification names.
    pub fn new(spec: &AffineSpec, lattice: Lattice) -> Self {
        let layer = |index: usize| {
            let frozen = mask::checkerboard(&lattice, (index + 1) % 2);
            let active = mask::checkerboard(&lattice, index % 2);
            net::affine(spec, &lattice, frozen, active)
        };
        let flow = Arc::new(AffineFlow::new((0..spec.layers).map(layer).collect()));
        Self { flow, initial_width: spec.initial_width }
    }
}

impl Bijection for AffineCouplings {
    fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let layers = self.flow.layers().iter().enumerate();
        layers
            .flat_map(|(index, net)| {
                let shapes = net.parameter_shapes().into_iter();
                shapes.map(move |(name, shape)| (format!("layers.{index}.{name}"), shape))
            })
            .collect()
    }

    fn initial_parameters(&self, stream: &Stream) -> Vec<f32> {
        let layers = (0u64..).zip(self.flow.layers());
        layers.flat_map(|(i, net)| init::kaiming_uniform(net, self.initial_width, stream, i << 32)).collect()
    }

    fn multiply_adds(&self) -> u64 {
        self.flow.layers().iter().map(|net| net.multiply_adds()).sum()
    }

    fn activations(&self) -> usize {
        // The hidden layers, the field, and (s, t).
        self.flow.layers().iter().map(|net| (net.hidden_width() + 3) * net.volume()).sum()
    }

    fn working(&self) -> usize {
        // One layer's, the log det, and the field as it came and as it goes.
        self.flow.layers().iter().map(|net| (net.hidden_width() + 6) * net.volume()).max().unwrap_or(0)
    }

    fn forward_and_log_det(&self, x: Tensor<4>, parameters: Tensor<1>) -> (Tensor<4>, Tensor<1>) {
        affine_flow(x, parameters, &self.flow, Direction::Forward)
    }

    fn inverse_and_log_det(&self, y: Tensor<4>, parameters: Tensor<1>) -> (Tensor<4>, Tensor<1>) {
        affine_flow(y, parameters, &self.flow, Direction::Inverse)
    }
}
