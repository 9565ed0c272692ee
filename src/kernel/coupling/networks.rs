//! The conditioner networks of all layers, where their parameters are, and which way to go through them.

use crate::kernel::conv_stack::{ConvStack, FusedConvStack};
#[cfg(feature = "wgpu")]
use crate::kernel::gpu::Plans;
use crate::lattice::Lattice;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Which way to go through the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// As the layers map, first layer first.
    Forward,
    /// Their inverses, last layer first.
    Inverse,
}

/// The networks of a stack of couplings; their parameters lie one after the other in one vector.
#[derive(Debug, Clone)]
pub struct Networks {
    layers: Vec<Arc<ConvStack>>,
    parameters: Vec<Range<usize>>,
    fused: OnceLock<Vec<Arc<FusedConvStack>>>,
    #[cfg(feature = "wgpu")]
    pub(super) plans: Plans,
    /// Whether the networks differ only in the sites of their lists.
    #[cfg(feature = "wgpu")]
    pub(super) alike: OnceLock<bool>,
}

impl Networks {
    /// # Panics
    /// If there are none, or if they are on different lattices.
    pub fn new(layers: Vec<Arc<ConvStack>>) -> Self {
        assert!(!layers.is_empty(), "a stack of couplings needs a layer");
        assert!(layers.iter().all(|layer| layer.lattice == layers[0].lattice), "lattice of all layers");
        let mut end = 0;
        let next = |layer: &Arc<ConvStack>| {
            let start = end;
            end += layer.parameter_count();
            start..end
        };
        let parameters = layers.iter().map(next).collect();
        Self {
            layers,
            parameters,
            fused: OnceLock::new(),
            #[cfg(feature = "wgpu")]
            plans: Plans::default(),
            #[cfg(feature = "wgpu")]
            alike: OnceLock::new(),
        }
    }

    /// The network of every layer.
    pub fn layers(&self) -> &[Arc<ConvStack>] {
        &self.layers
    }

    /// Each as an operation of its own, for a walk layer by layer; layers that share a network share its operation.
    pub fn fused(&self) -> &[Arc<FusedConvStack>] {
        self.fused.get_or_init(|| {
            let mut operations: Vec<Arc<FusedConvStack>> = Vec::new();
            for layer in &self.layers {
                let same = operations.iter().find(|known| std::ptr::eq(known.stack(), &**layer)).cloned();
                operations.push(same.unwrap_or_else(|| Arc::new(FusedConvStack::new(Arc::clone(layer)))));
            }
            operations
        })
    }

    /// The networks for the planner of the GPU kernels.
    #[cfg(feature = "wgpu")]
    pub(super) fn stacks(&self) -> Vec<&ConvStack> {
        self.layers.iter().map(|layer| &**layer).collect()
    }

    /// Where the parameters of a layer are.
    pub fn parameters_of(&self, layer: usize) -> Range<usize> {
        self.parameters[layer].clone()
    }

    /// Length of the packed parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters.last().map_or(0, |last| last.end)
    }

    /// The lattice of all layers.
    pub fn lattice(&self) -> Lattice {
        self.layers[0].lattice
    }

    /// Number of sites.
    pub fn volume(&self) -> usize {
        self.layers[0].volume()
    }

    /// Layers in the order in which a direction applies them.
    pub fn order(&self, direction: Direction) -> Vec<usize> {
        let layers = 0..self.layers.len();
        match direction {
            Direction::Forward => layers.collect(),
            Direction::Inverse => layers.rev().collect(),
        }
    }
}
