//! Conditioner networks: what coupling layers compute their parameters with.

use crate::kernel::{ConvStack, OutputActivation};
use crate::lattice::Lattice;
use crate::spec::{AffineSpec, GaugeSpec};
use std::sync::Arc;

/// The network of an affine coupling: frozen sites in, scale and shift of the active sites out.
///
/// `1 → hidden → … → 2` channels, LeakyReLU(0.01) between, tanh at the end. Source: A22, App. A; A21.
pub fn affine(spec: &AffineSpec, lattice: &Lattice, frozen: Vec<bool>, active: Vec<bool>) -> Arc<ConvStack> {
    let channels = [1].into_iter().chain(spec.hidden.iter().copied()).chain([2]).collect();
    let mut stack = ConvStack::new(*lattice, channels, spec.kernel_size);
    stack.activation = OutputActivation::Tanh;
    stack.inputs = frozen;
    stack.outputs = active;
    Arc::new(stack)
}

/// The network of a gauge coupling: features of frozen loops in, parameters of the maps of active plaquettes out.
///
/// `6 → hidden → … → parameters of the map` channels, LeakyReLU(0.01) between, nothing at the end. Source: A22, App. A.
pub fn gauge(spec: &GaugeSpec, lattice: &Lattice, frozen: Vec<bool>, active: Vec<bool>) -> Arc<ConvStack> {
    let mut stack = ConvStack::new(*lattice, spec.channels(), spec.kernel_size);
    if let Some(dilations) = &spec.dilations {
        stack.dilations.clone_from(dilations);
    }
    stack.inputs = frozen;
    stack.outputs = active;
    Arc::new(stack)
}
