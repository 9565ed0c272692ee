//! A stack of couplings on a GPU: in one launch for small batches, else a few launches for each layer.

use super::gpu_map::{GpuLayer, Subject};
use super::links;
use super::networks::{Direction, Networks};
use super::resident::{self, Resident};
use super::tiled;
use crate::kernel::fused::Pass;
use burn::backend::{Cube, TensorMetadata};
use burn_cubecl::tensor::CubeTensor;
use std::sync::Arc;

/// A pass through the layers, `[batch, component, site]` → `[batch, component · site + 1]`, the log det last; `records` are what
/// kernels look up about each layer.
pub fn pass(
    networks: Arc<Networks>,
    layer: GpuLayer,
    records: &dyn Fn(usize) -> Vec<u32>,
    direction: Direction,
    [x, parameters]: [CubeTensor; 2],
    keep: bool,
) -> Pass<Cube> {
    let shape = x.shape();
    assert_eq!(
        shape[1],
        layer.subject.components(),
        "numbers per site of a field in the GPU kernels of couplings"
    );
    let resident = Resident::of(&networks, layer, shape[0], &x.client);
    match (resident, layer.subject) {
        (Some(resident), _) => resident::pass(networks, resident, records, direction, [x, parameters], keep),
        (None, Subject::Sites) => tiled::pass(networks, layer.map, direction, [x, parameters], keep),
        (None, Subject::Plaquettes) => {
            links::pass(networks, layer.map, records, direction, [x, parameters], keep)
        }
    }
}
