//! Gauge-equivariant couplings of link angles.

use super::weights;
use crate::flow::{Bijection, net};
use crate::kernel::coupling::CouplingMap;
use crate::kernel::gauge::Stripes;
use crate::kernel::{ConvStack, CouplingStack, Direction, GaugeCoupling, coupling_stack};
use crate::lattice::Lattice;
use crate::rng::Stream;
use crate::spec::{GaugeSpec, InitialSpec};
use burn::tensor::Tensor;
use std::sync::Arc;

/// A stack of couplings `θ_μ → θ_μ ± (P' - P)` of active links, each the only active one of its plaquette P, and `P' = m(P)` with the map
/// M of the circle, whose parameters a network computes from loops of links that do not move.
///
/// - inverse: the same with the inverse map
/// - log det: `Σ ln m'(P)` over the plaquettes of active links
///
/// Loops are all that is read, and links only turn by what their plaquettes do, so that the stack commutes with gauge transformations.
///
/// Sources: arXiv:2003.06413; arXiv:2202.11712 with the changes of A22, App. A.
#[derive(Debug)]
pub struct GaugeCouplings<M> {
    stack: CouplingStack<GaugeCoupling<M>>,
    initial: InitialSpec,
}

impl<M: CouplingMap> GaugeCouplings<M> {
    /// The stack that a specification names, with a map.
    ///
    /// # Panics
    /// If the masks do not fit the lattice.
    pub fn new(spec: &GaugeSpec, map: M, lattice: Lattice) -> Self {
        // Layers with the same mask share their site lists, which are large on large lattices.
        let masks = (0..spec.layers.min(Stripes::PERIOD)).map(|layer| {
            let coupling = GaugeCoupling::new(map.clone(), lattice, layer);
            let network = net::gauge(spec, &lattice, coupling.conditioned(), coupling.active());
            (coupling, network)
        });
        let masks: Vec<(GaugeCoupling<M>, Arc<ConvStack>)> = masks.collect();
        let layers = masks.iter().cycle().take(spec.layers).cloned().collect();
        Self { stack: CouplingStack::new(layers), initial: spec.initial }
    }
}

impl<M: CouplingMap> Bijection for GaugeCouplings<M> {
    fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        weights::shapes(self.stack.networks().layers())
    }

    fn initial_parameters(&self, stream: &Stream) -> Vec<f32> {
        weights::initial(self.stack.networks().layers(), self.initial, stream)
    }

    fn multiply_adds(&self) -> u64 {
        weights::multiply_adds(self.stack.networks().layers())
    }

    fn activations(&self) -> usize {
        // The links, and all channels; on a GPU these are vectors of four, and of the links active plaquettes are kept.
        let layers = self.stack.networks().layers().iter();
        layers.map(|net| (2 + net.channels.iter().sum::<usize>()) * net.volume()).sum()
    }

    fn working(&self) -> usize {
        // One layer's, the log det, and the links as they came and as they go.
        let layers = self.stack.networks().layers().iter();
        layers.map(|net| (5 + net.channels.iter().sum::<usize>()) * net.volume()).max().unwrap_or(0)
    }

    fn forward_and_log_det(&self, x: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        coupling_stack(x, parameters, &self.stack, Direction::Forward)
    }

    fn inverse_and_log_det(&self, y: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        coupling_stack(y, parameters, &self.stack, Direction::Inverse)
    }
}
