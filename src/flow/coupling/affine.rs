//! Affine checkerboard couplings of real fields.

use super::equivariant::Mirrored;
use super::weights;
use crate::flow::{Bijection, mask, net};
use crate::kernel::{Affine, ConvStack, CouplingStack, Direction, SiteCoupling};
use crate::lattice::Lattice;
use crate::rng::Stream;
use crate::spec::{AffineSpec, InitialSpec, Symmetrise};
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
    couplings: Mirrored<SiteCoupling<Affine>>,
    initial: InitialSpec,
}

impl AffineCouplings {
    /// The stack that a specification names.
    pub fn new(spec: &AffineSpec, lattice: Lattice) -> Self {
        let sublattices = [0, 1].map(|parity| mask::checkerboard(&lattice, parity));
        // Layers of the same parity share their site lists, which are large on large lattices.
        let networks = [0, 1].map(|parity| {
            let [active, frozen] = [parity, 1 - parity].map(|parity| sublattices[parity].clone());
            net::affine(spec, &lattice, frozen, active)
        });
        let layer = |index: usize| (SiteCoupling { map: Affine }, Arc::clone(&networks[index % 2]));
        let stack = CouplingStack::new((0..spec.layers).map(layer).collect());
        let is_equivariant = spec.symmetrise == Symmetrise::Equivariant;
        Self { couplings: Mirrored { stack, is_equivariant }, initial: spec.initial }
    }

    fn networks(&self) -> &[Arc<ConvStack>] {
        self.couplings.stack.networks().layers()
    }
}

impl Bijection for AffineCouplings {
    fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        weights::shapes(self.networks())
    }

    fn initial_parameters(&self, stream: &Stream) -> Vec<f32> {
        weights::initial(self.networks(), self.initial, stream)
    }

    fn multiply_adds(&self) -> u64 {
        weights::multiply_adds(self.networks()) * self.couplings.applications() as u64
    }

    fn activations(&self) -> usize {
        // The hidden layers, the field, and (s, t); of tensor operations their results, too.
        let beside = if self.couplings.is_equivariant { 6 } else { 3 };
        let layers = self.networks().iter();
        layers.map(|net| (net.hidden_width() + beside) * net.volume()).sum::<usize>()
            * self.couplings.applications()
    }

    fn working(&self) -> usize {
        // One layer's, the log det, and the field as it came and as it goes.
        let layers = self.networks().iter();
        let most = layers.map(|net| (net.hidden_width() + 6) * net.volume()).max();
        most.unwrap_or(0) * self.couplings.applications()
    }

    fn forward_and_log_det(&self, x: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        self.couplings.through(x, parameters, Direction::Forward)
    }

    fn inverse_and_log_det(&self, y: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        self.couplings.through(y, parameters, Direction::Inverse)
    }
}
