//! Plaquettes and frozen loops of a configuration in kernels, and their gradients.
//!
//! Link μ of a site is the number `μ · volume + site` of a configuration. Number n of it is at `first + n · stride` of a slice: a
//! stride of one for a sample in shared memory, of a tile's lanes for one among others.

use super::record::{ACTIVE, FROZEN, around, direction};
use crate::kernel::coupling::gpu_map::{self, GpuMap, reduced};
use crate::kernel::gpu::elementary::sine_cosine;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Channels that a network reads at a site: cosine and sine of the plaquette, and of those around two plaquettes along time and along
/// space.
pub const FEATURES: usize = 6;

/// The plaquette of a site, not reduced.
#[cube]
#[allow(clippy::too_many_arguments)]
fn plaquette(
    field: &[f32],
    first: usize,
    table: &[u32],
    record: usize,
    site: usize,
    volume: usize,
    #[comptime] stride: usize,
) -> f32 {
    let near = around(table, record, site);
    let (a, b) = (field[first + site * stride], field[first + (volume + near.up) * stride]);
    let (c, d) = (field[first + near.right * stride], field[first + (volume + site) * stride]);
    (a - c) + (b - d)
}

/// What a network reads at a site that is not active: loops that contain an active link count as zero.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn features(
    field: &[f32],
    first: usize,
    table: &[u32],
    record: usize,
    site: usize,
    volume: usize,
    #[comptime] stride: usize,
) -> Array<f32> {
    let near = around(table, record, site);
    let own = plaquette(field, first, table, record, site, volume, stride);
    let across = own + plaquette(field, first, table, record, near.across, volume, stride);
    let (own, across) = (sine_cosine(own), sine_cosine(across));
    let (is_frozen, along_time) = (near.kind == FROZEN, direction(table, record) == 0);
    let mut found = Array::<f32>::new(FEATURES);
    found[0] = select(is_frozen, own.cosine, f32::new(0.0));
    found[1] = select(is_frozen, own.sine, f32::new(0.0));
    found[2] = select(along_time, f32::new(0.0), across.cosine);
    found[3] = select(along_time, f32::new(0.0), across.sine);
    found[4] = select(along_time, across.cosine, f32::new(0.0));
    found[5] = select(along_time, across.sine, f32::new(0.0));
    found
}

/// Gradients by the two loops that a network reads at a site.
#[derive(CubeType)]
pub struct ByLoops {
    pub own: f32,
    pub across: f32,
}

/// They from the features and the gradients by them; zero where the plaquette is not frozen, as its cosine and sine are.
#[cube]
pub fn by_loops(features: &Array<f32>, by: &Array<f32>) -> ByLoops {
    let own = features[0] * by[1] - features[1] * by[0];
    // Of the other two pairs one is zero.
    let along_space = features[2] * by[3] - features[3] * by[2];
    let along_time = features[4] * by[5] - features[5] * by[4];
    ByLoops { own, across: along_space + along_time }
}

/// The gradient by a plaquette: through the map where it is active, else through the loops that begin there, and through the loop
/// that begins behind it.
#[cube]
pub fn by_plaquette(kind: u32, kind_behind: u32, mapped: f32, here: &ByLoops, behind: f32) -> f32 {
    select(kind == ACTIVE, mapped, here.own + here.across)
        + select(kind_behind == ACTIVE, f32::new(0.0), behind)
}

/// The number of an active link.
#[cube]
pub fn active_link(table: &[u32], record: usize, site: usize, volume: usize) -> usize {
    direction(table, record) * volume + site
}

/// Its sign in its plaquette.
#[cube]
pub fn sign(table: &[u32], record: usize) -> f32 {
    select(direction(table, record) == 0, f32::new(1.0), f32::new(comptime!(-1.0f32)))
}

/// An active plaquette before and after the map.
#[derive(CubeType)]
pub struct Turned {
    pub before: f32,
    /// The link after it.
    pub link: f32,
    pub log_det: f32,
}

/// Maps the plaquette of an active site; the link is not written.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn turned(
    parameters: &Array<f32>,
    field: &[f32],
    first: usize,
    table: &[u32],
    record: usize,
    site: usize,
    volume: usize,
    #[comptime] stride: usize,
    #[comptime] map: GpuMap,
    #[comptime] forward: bool,
) -> Turned {
    let before = reduced(plaquette(field, first, table, record, site, volume, stride));
    let after = gpu_map::apply(parameters, before, map, forward);
    let link = field[first + active_link(table, record, site, volume) * stride];
    let link = reduced(link + sign(table, record) * (after.value - before));
    Turned { before, link, log_det: after.log_det }
}

/// The gradient by an active plaquette `before` the map, apart from that through its link, from that by the link after it.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn turned_back(
    parameters: &Array<f32>,
    before: f32,
    by_link: f32,
    by_log_det: f32,
    sign: f32,
    by_parameters: &mut Array<f32>,
    #[comptime] map: GpuMap,
    #[comptime] forward: bool,
) -> f32 {
    let by_after = sign * by_link;
    // The link takes up the difference of the plaquettes.
    gpu_map::gradient(parameters, before, by_after, by_log_det, by_parameters, map, forward) - by_after
}
