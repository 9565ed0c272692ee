//! Gauge-equivariant couplings of link angles.

use super::equivariant::Mirrored;
use super::weights;
use crate::flow::{Bijection, net};
use crate::kernel::coupling::CouplingMap;
use crate::kernel::gauge::Stripes;
use crate::kernel::{ConvStack, CouplingStack, Direction, GaugeCoupling};
use crate::lattice::Lattice;
use crate::rng::Stream;
use crate::spec::{GaugeSpec, InitialSpec, Symmetrise};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Results of tensor operations that are kept for each site where couplings are equivariant: measured with splines of eight knots, and
/// more than mixtures of six need.
const RESULTS: usize = 40;

/// A stack of couplings `θ_μ → θ_μ ± (P' - P)` of active links, each the only active one of its plaquette P, and `P' = m(P)` with the map
/// M of the circle, whose parameters a network computes from loops of links that do not move.
///
/// - inverse: the same with the inverse map
/// - log det: `Σ ln m'(P)` over the plaquettes of active links
///
/// Where they are equivariant they commute with charge conjugation, θ → -θ, too, which leaves cosines of loops and changes the sign of
/// their sines.
///
/// Loops are all that is read, and links only turn by what their plaquettes do, so that the stack commutes with gauge transformations.
///
/// Sources: arXiv:2003.06413; arXiv:2202.11712 with the changes of A22, App. A.
#[derive(Debug)]
pub struct GaugeCouplings<M> {
    couplings: Mirrored<GaugeCoupling<M>>,
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
        let (stack, is_equivariant) =
            (CouplingStack::new(layers), spec.symmetrise == Symmetrise::Equivariant);
        Self { couplings: Mirrored { stack, is_equivariant }, initial: spec.initial }
    }

    fn networks(&self) -> &[Arc<ConvStack>] {
        self.couplings.stack.networks().layers()
    }

    /// Numbers of a site in one layer: the links, and all channels; of tensor operations their results, too.
    fn per_site(&self, network: &ConvStack) -> usize {
        let pass = 2 + network.channels.iter().sum::<usize>();
        match self.couplings.is_equivariant {
            true => 2 * pass + RESULTS,
            false => pass,
        }
    }
}

impl<M: CouplingMap> Bijection for GaugeCouplings<M> {
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
        self.networks().iter().map(|net| self.per_site(net) * net.volume()).sum()
    }

    fn working(&self) -> usize {
        // One layer's, the log det, and the links as they came.
        self.networks().iter().map(|net| (3 + self.per_site(net)) * net.volume()).max().unwrap_or(0)
    }

    fn forward_and_log_det(&self, x: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        self.couplings.through(x, parameters, Direction::Forward)
    }

    fn inverse_and_log_det(&self, y: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        self.couplings.through(y, parameters, Direction::Inverse)
    }
}
