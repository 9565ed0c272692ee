//! The kernels around the network of a gauge layer, a lane for each sample of a tile.

use super::loops::{
    ByLoops, FEATURES, active_link, by_loops, by_plaquette, features, sign, turned, turned_back,
};
use super::record::{self, ACTIVE, around};
use crate::kernel::coupling::gpu_map::GpuMap;
use crate::kernel::gpu::LANES;
use crate::kernel::gpu::layout::{Channels, row_of_unit, vector_at};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Vectors of the features of a site.
const VECTORS: usize = FEATURES.div_ceil(4);

/// The features of every site that a network reads.
#[cube(launch_unchecked)]
pub fn read_loops(
    field: &[f32],
    table: &[u32],
    to: &mut [Vector<f32, Const<4>>],
    record: u32,
    volume: u32,
    tiles: u32,
) {
    let (row, record, volume) = (row_of_unit(), record as usize, volume as usize);
    let (tile, site) = (row / volume, row % volume);
    if tile >= tiles as usize {
        terminate!();
    }
    if around(table, record, site).kind != ACTIVE {
        let first = vector_at(tile, 0usize, 2 * volume, 1usize);
        let found = features(field, first, table, record, site, volume, LANES);
        let place = vector_at(tile, site, volume, VECTORS);
        #[unroll]
        for v in 0..VECTORS {
            let mut vector = Vector::<f32, Const<4>>::new(0.0);
            #[unroll]
            for n in 0..comptime!(4usize.min(FEATURES - 4 * v)) {
                vector.insert(n, found[comptime!(4 * v + n)]);
            }
            to[place + comptime!(v * LANES)] = vector;
        }
    }
}

/// The site of an active plaquette that a unit takes, and where what is kept of it is.
#[derive(CubeType)]
struct Place {
    tile: usize,
    site: usize,
    slot: usize,
}

/// The place of a unit; beyond the tiles that of another.
#[cube]
fn place_of_unit(table: &[u32], record: usize, count: usize, volume: usize) -> Place {
    let row = row_of_unit();
    let (tile, index) = (row / count, row % count);
    Place {
        tile,
        site: record::active(table, record, index, volume),
        slot: vector_at(tile, index, count, 1usize),
    }
}

/// What the network has written at a site.
#[cube]
fn parameters_at<N: Size>(
    output: &[Vector<f32, N>],
    place: usize,
    #[comptime] count: usize,
    #[comptime] held: Channels,
) -> Array<f32> {
    let mut found = Array::<f32>::new(count);
    #[unroll]
    for p in 0..count {
        let vector = output[place + comptime!(p / held.width * LANES)];
        found[p] = vector.extract(comptime!(p % held.width));
    }
    found
}

/// Maps active plaquettes through their links and adds to the log det of their sites.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn turn<N: Size>(
    output: &[Vector<f32, N>],
    table: &[u32],
    field: &mut [f32],
    log_det: &mut [f32],
    before: &mut [f32],
    record: u32,
    volume: u32,
    count: u32,
    tiles: u32,
    #[comptime] map: GpuMap,
    #[comptime] forward: bool,
    #[comptime] keep: bool,
) {
    let (record, volume, count) = (record as usize, volume as usize, count as usize);
    if row_of_unit() >= tiles as usize * count {
        terminate!();
    }
    let Place { tile, site, slot } = place_of_unit(table, record, count, volume);
    let held = comptime!(Channels::of(map.parameters()));
    let output_place = vector_at(tile, site, volume, held.vectors);
    let parameters = parameters_at::<N>(output, output_place, comptime!(map.parameters()), held);
    let first = vector_at(tile, 0usize, 2 * volume, 1usize);
    let after = turned(&parameters, &*field, first, table, record, site, volume, LANES, map, forward);
    field[first + active_link(table, record, site, volume) * LANES] = after.link;
    log_det[vector_at(tile, site, volume, 1usize)] += after.log_det;
    if comptime!(keep) {
        before[slot] = after.before;
    }
}

/// Gradients by what the network has written, before its output activation, and by active plaquettes through the map.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn turn_back<N: Size>(
    output: &[Vector<f32, N>],
    before: &[f32],
    table: &[u32],
    y_gradient: &[f32],
    field_gradient: &[f32],
    gradient: &mut [Vector<f32, N>],
    mapped: &mut [f32],
    record: u32,
    volume: u32,
    count: u32,
    tiles: u32,
    batch: u32,
    #[comptime] map: GpuMap,
    #[comptime] with_tanh: bool,
    #[comptime] forward: bool,
) {
    let (record, volume, count) = (record as usize, volume as usize, count as usize);
    let batch = batch as usize;
    if row_of_unit() >= tiles as usize * count {
        terminate!();
    }
    let Place { tile, site, slot } = place_of_unit(table, record, count, volume);
    let (channels, held) = comptime!((map.parameters(), Channels::of(map.parameters())));
    let output_place = vector_at(tile, site, volume, held.vectors);
    let parameters = parameters_at::<N>(output, output_place, channels, held);
    // Lanes beyond the batch have no gradient; theirs by the field is zero already.
    let sample = tile * LANES + UNIT_POS_X as usize;
    let last = (min(sample, batch - 1) + 1) * (2 * volume + 1) - 1;
    let by_log_det = select(sample < batch, y_gradient[last], 0.0);
    let link = active_link(table, record, site, volume);
    let by_link = field_gradient[vector_at(tile, link, 2 * volume, 1usize)];
    let mut by = Array::<f32>::new(channels);
    let sign = sign(table, record);
    mapped[vector_at(tile, site, volume, 1usize)] =
        turned_back(&parameters, before[slot], by_link, by_log_det, sign, &mut by, map, forward);
    #[unroll]
    for v in 0..held.vectors {
        let mut vector = Vector::<f32, N>::new(0.0);
        #[unroll]
        for n in 0..comptime!(held.width.min(channels - v * held.width)) {
            let p = comptime!(v * held.width + n);
            let mut value = by[p];
            if comptime!(with_tanh) {
                value *= 1.0 - parameters[p] * parameters[p];
            }
            vector.insert(n, value);
        }
        gradient[output_place + comptime!(v * LANES)] = vector;
    }
}

/// Gradients by the loops that a network reads at a site.
#[cube]
fn by_loops_at(
    features: &[Vector<f32, Const<4>>],
    by_features: &[Vector<f32, Const<4>>],
    place: usize,
) -> ByLoops {
    let held = comptime!(Channels::of(FEATURES));
    let features = parameters_at::<Const<4>>(features, place, FEATURES, held);
    let by = parameters_at::<Const<4>>(by_features, place, FEATURES, held);
    by_loops(&features, &by)
}

/// The gradient by the plaquette of a site.
#[cube]
#[allow(clippy::too_many_arguments)]
fn by_plaquette_at(
    features: &[Vector<f32, Const<4>>],
    by_features: &[Vector<f32, Const<4>>],
    mapped: &[f32],
    table: &[u32],
    record: usize,
    tile: usize,
    site: usize,
    volume: usize,
) -> f32 {
    let near = around(table, record, site);
    let behind = near.behind;
    let here = by_loops_at(features, by_features, vector_at(tile, site, volume, VECTORS));
    let there = by_loops_at(features, by_features, vector_at(tile, behind, volume, VECTORS));
    let kind_behind = around(table, record, behind).kind;
    by_plaquette(near.kind, kind_behind, mapped[vector_at(tile, site, volume, 1usize)], &here, there.across)
}

/// Adds the gradients by plaquettes to those by their links.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn read_loops_back(
    features: &[Vector<f32, Const<4>>],
    by_features: &[Vector<f32, Const<4>>],
    mapped: &[f32],
    table: &[u32],
    field_gradient: &mut [f32],
    record: u32,
    volume: u32,
    tiles: u32,
) {
    let (row, record, volume) = (row_of_unit(), record as usize, volume as usize);
    let (tile, site) = (row / volume, row % volume);
    if tile >= tiles as usize {
        terminate!();
    }
    let near = around(table, record, site);
    let here = by_plaquette_at(features, by_features, mapped, table, record, tile, site, volume);
    let down = by_plaquette_at(features, by_features, mapped, table, record, tile, near.down, volume);
    let left = by_plaquette_at(features, by_features, mapped, table, record, tile, near.left, volume);
    field_gradient[vector_at(tile, site, 2 * volume, 1usize)] += here - left;
    field_gradient[vector_at(tile, volume + site, 2 * volume, 1usize)] += down - here;
}
