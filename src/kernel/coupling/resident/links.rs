//! What gauge layers do beside their networks, with links and gradients in shared memory.

use super::sample::{Sample, word_of};
use super::shape::Resident;
use crate::kernel::coupling::links::loops::{
    ByLoops, FEATURES, active_link, by_loops, by_plaquette, features, sign, turned, turned_back,
};
use crate::kernel::coupling::links::record::{ACTIVE, around};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// The features of every site that a network reads, to where the first convolution reads them.
#[cube]
#[allow(clippy::too_many_arguments, clippy::collapsible_if)]
pub fn read_loops(
    near: &mut [f32],
    table: &[u32],
    kept: &mut [f32],
    sample: &Sample,
    record: usize,
    layer_start: usize,
    #[comptime] shape: Resident,
    #[comptime] keep: bool,
) {
    let (volume, to) = comptime!((shape.volume, shape.read_by(0)));
    for round in 0..comptime!(volume.div_ceil(shape.units)) {
        let site = round * shape.units + UNIT_POS as usize;
        if site < volume {
            if around(table, record, site).kind != ACTIVE {
                let found = features(&*near, 0usize, table, record, site, volume, 1usize);
                #[unroll]
                for channel in 0..FEATURES {
                    near[comptime!(to + channel * volume) + site] = found[channel];
                    if comptime!(keep) {
                        kept[word_of(sample, layer_start, site, channel, FEATURES, shape)] = found[channel];
                    }
                }
            }
        }
    }
}

/// Maps an active plaquette through its link.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn turn(
    near: &mut [f32],
    parameters: &Array<f32>,
    table: &[u32],
    kept: &mut [f32],
    sample: &Sample,
    record: usize,
    layer_start: usize,
    site: usize,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
    #[comptime] keep: bool,
) {
    let (volume, map) = comptime!((shape.volume, shape.layer.map));
    let after = turned(parameters, &*near, 0usize, table, record, site, volume, 1usize, map, forward);
    near[active_link(table, record, site, volume)] = after.link;
    near[comptime!(shape.numbers()) + site] += after.log_det;
    if comptime!(keep) {
        let place = word_of(sample, layer_start + comptime!(shape.before()), site, 0usize, 1usize, shape);
        kept[place] = after.before;
    }
}

/// The gradients by the parameters of a map, and by its plaquette in the place of the log det.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn turn_back(
    near: &mut [f32],
    parameters: &Array<f32>,
    table: &[u32],
    kept: &[f32],
    sample: &Sample,
    record: usize,
    layer_start: usize,
    site: usize,
    by_log_det: f32,
    by_parameters: &mut Array<f32>,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
) {
    let (volume, map) = comptime!((shape.volume, shape.layer.map));
    let place = word_of(sample, layer_start + comptime!(shape.before()), site, 0usize, 1usize, shape);
    let by_link = near[active_link(table, record, site, volume)];
    let sign = sign(table, record);
    near[comptime!(shape.numbers()) + site] =
        turned_back(parameters, kept[place], by_link, by_log_det, sign, by_parameters, map, forward);
}

/// The gradients by the loops at a site from those by the features, the sums of the first convolution's way back, to where features
/// would be.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn by_loops_to(
    near: &mut [f32],
    sums: &Array<Vector<f32, Const<4>>>,
    kept: &[f32],
    sample: &Sample,
    layer_start: usize,
    site: usize,
    #[comptime] shape: Resident,
) {
    let mut features = Array::<f32>::new(FEATURES);
    let mut by = Array::<f32>::new(FEATURES);
    #[unroll]
    for channel in 0..FEATURES {
        features[channel] = kept[word_of(sample, layer_start, site, channel, FEATURES, shape)];
        by[channel] = sums[comptime!(channel / 4)].extract(comptime!(channel % 4));
    }
    let found = by_loops(&features, &by);
    let to = comptime!(shape.read_by(0));
    near[to + site] = found.own;
    near[comptime!(to + shape.volume) + site] = found.across;
}

/// The gradient by the plaquette of a site.
#[cube]
fn by_plaquette_at(
    near: &[f32],
    table: &[u32],
    record: usize,
    site: usize,
    #[comptime] shape: Resident,
) -> f32 {
    let sites = around(table, record, site);
    let (own, across) = comptime!((shape.read_by(0), shape.read_by(0) + shape.volume));
    let here = ByLoops { own: near[own + site], across: near[across + site] };
    let kind_behind = around(table, record, sites.behind).kind;
    let mapped = near[comptime!(shape.numbers()) + site];
    by_plaquette(sites.kind, kind_behind, mapped, &here, near[across + sites.behind])
}

/// Adds the gradients by plaquettes to those by their links.
#[cube]
pub fn read_loops_back(near: &mut [f32], table: &[u32], record: usize, #[comptime] shape: Resident) {
    let volume = comptime!(shape.volume);
    for round in 0..comptime!(volume.div_ceil(shape.units)) {
        let site = round * shape.units + UNIT_POS as usize;
        if site < volume {
            let sites = around(table, record, site);
            let here = by_plaquette_at(&*near, table, record, site, shape);
            let down = by_plaquette_at(&*near, table, record, sites.down, shape);
            let left = by_plaquette_at(&*near, table, record, sites.left, shape);
            near[site] += here - left;
            near[volume + site] += down - here;
        }
    }
}
