//! A stack of couplings on a GPU: in one launch for small batches, else a launch for each convolution.

use super::gpu_map::GpuMap;
use super::networks::{Direction, Networks};
use super::resident::{self, Resident};
use super::tiled;
use crate::kernel::fused::Pass;
use burn::backend::{Cube, TensorMetadata};
use burn_cubecl::tensor::CubeTensor;
use std::sync::Arc;

/// A pass through the layers, `[batch, 1, site]` → `[batch, site + 1]`, the log det last.
pub fn pass(
    networks: Arc<Networks>,
    map: GpuMap,
    direction: Direction,
    [x, parameters]: [CubeTensor; 2],
    keep: bool,
) -> Pass<Cube> {
    let shape = x.shape();
    assert_eq!(shape[1], 1, "numbers per site of a field in the GPU kernels of couplings");
    match Resident::of(&networks, map, shape[0], &x.client) {
        Some(resident) => resident::pass(networks, resident, direction, [x, parameters], keep),
        None => tiled::pass(networks, map, direction, [x, parameters], keep),
    }
}
