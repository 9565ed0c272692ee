//! Convolutions of a sample in shared memory, a site a unit: their lists, their weights, their sums.

use super::shape::Resident;
use crate::kernel::gpu::convolution::{gather, starts};
use crate::kernel::gpu::shape::GatherShape;
use crate::kernel::gpu::table::{block, directory};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Words of the record of a block of one site.
pub const HEADER: usize = block::WORDS + 1;

/// What the table says about a convolution.
#[derive(CubeType)]
pub struct Lists {
    pub headers: usize,
    pub sites: usize,
    weights: usize,
    bias: usize,
}

/// The lists of convolution `c` of a layer, forwards or backwards.
#[cube]
pub fn lists(
    table: &[u32],
    rows: u32,
    layer: usize,
    #[comptime] c: usize,
    #[comptime] part: usize,
    #[comptime] shape: Resident,
) -> Lists {
    let row = rows as usize
        + layer * comptime!(shape.convolutions * directory::WORDS)
        + comptime!(c * directory::WORDS + part);
    Lists {
        headers: directory::blocks(table, row),
        sites: directory::block_count(table, row),
        weights: directory::weights(table, row),
        bias: directory::bias(table, row),
    }
}

/// Copies the weights of a convolution to shared memory, if they are to be there, and waits for all units.
#[cube]
pub fn bring(
    near_weights: &mut [Vector<f32, Const<4>>],
    weights: &[Vector<f32, Const<4>>],
    lists: &Lists,
    #[comptime] vectors: usize,
    #[comptime] shape: Resident,
) {
    if comptime!(shape.near_weights) {
        for round in 0..comptime!(vectors.div_ceil(shape.units)) {
            let k = round * shape.units + UNIT_POS as usize;
            if k < vectors {
                near_weights[k] = weights[lists.weights + k];
            }
        }
    }
    sync_cube();
}

/// The sums of convolution `c` of a layer, forwards or for the gradient by its inputs, at one site.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn sums_at(
    near: &[f32],
    near_weights: &[Vector<f32, Const<4>>],
    weights: &[Vector<f32, Const<4>>],
    table: &[u32],
    lists: &Lists,
    header: usize,
    #[comptime] from: usize,
    #[comptime] gathered: GatherShape,
    #[comptime] shape: Resident,
) -> Array<Vector<f32, Const<4>>> {
    let mut sums = starts::<Const<4>>(weights, lists.bias, gathered);
    let (part, stride) = (lists.weights, comptime!(shape.volume));
    let near = near.as_vectorized();
    gather::<Const<4>, Const<1>>(
        &mut sums,
        near,
        near_weights,
        weights,
        part,
        table,
        header,
        from,
        1usize,
        stride,
        gathered,
    );
    sums
}

/// `value` times the slope where `sign` is negative.
#[cube]
pub fn leaky(value: f32, sign: f32, slope: f32) -> f32 {
    select(sign < 0.0, value * slope, value)
}
