//! The kernel that takes a sample through all layers.

use super::links::{read_loops, turn};
use super::sample::{Sample, sample, word_of};
use super::shape::Resident;
use super::sums::{HEADER, Lists, bring, leaky, lists, sums_at};
use crate::kernel::coupling::gpu_map::{self, Subject};
use crate::kernel::gpu::convolution::tanh;
use crate::kernel::gpu::table::{block, directory};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Convolution `c` of a layer: hidden activations to a side of shared memory, or the map of the field.
#[cube]
#[allow(clippy::too_many_arguments)]
fn convolve(
    near: &mut [f32],
    near_weights: &[Vector<f32, Const<4>>],
    weights: &[Vector<f32, Const<4>>],
    table: &[u32],
    kept: &mut [f32],
    sample: &Sample,
    lists: &Lists,
    record: usize,
    layer_start: usize,
    slope: f32,
    #[comptime] c: usize,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
    #[comptime] keep: bool,
) {
    let (outputs, gathered) = comptime!((shape.channels[c + 1], shape.gathered(c, false)));
    let from = comptime!(shape.read_by(c));
    let before = layer_start + comptime!(shape.kept(c + 1));
    let mut place = UNIT_POS as usize;
    while place < lists.sites {
        let header = lists.headers + place * HEADER;
        let sums = sums_at(&*near, near_weights, weights, table, lists, header, from, gathered, shape);
        let site = block::site(table, header, 0usize);
        if comptime!(c + 1 == shape.convolutions) {
            let mut parameters = Array::<f32>::new(outputs);
            #[unroll]
            for channel in 0..outputs {
                let sum = sums[comptime!(channel / 4)].extract(comptime!(channel % 4));
                parameters[channel] = if comptime!(shape.tanh) { tanh(sum) } else { sum };
            }
            match shape.layer.subject {
                Subject::Sites => {
                    let after = gpu_map::apply(&parameters, near[site], shape.layer.map, forward);
                    near[site] = after.value;
                    near[shape.volume + site] += after.log_det;
                }
                Subject::Plaquettes => turn(
                    near,
                    &parameters,
                    table,
                    kept,
                    sample,
                    record,
                    layer_start,
                    site,
                    shape,
                    forward,
                    keep,
                ),
            }
            if comptime!(keep) {
                #[unroll]
                for channel in 0..outputs {
                    kept[word_of(sample, before, site, channel, outputs, shape)] = parameters[channel];
                }
            }
        } else {
            #[unroll]
            for channel in 0..outputs {
                let sum = sums[comptime!(channel / 4)].extract(comptime!(channel % 4));
                let value = leaky(sum, sum, slope);
                near[comptime!(shape.side_of(c) + channel * shape.volume) + site] = value;
                if comptime!(keep) {
                    kept[word_of(sample, before, site, channel, outputs, shape)] = value;
                }
            }
        }
        place += shape.units;
    }
}

/// The field of a sample to shared memory, and a log det of zero for each site.
#[cube]
fn load_field(near: &mut [f32], x: &[f32], source: usize, #[comptime] shape: Resident) {
    let (volume, numbers) = comptime!((shape.volume, shape.numbers()));
    for round in 0..comptime!((numbers + volume).div_ceil(shape.units)) {
        let place = round * shape.units + UNIT_POS as usize;
        if place < numbers {
            near[place] = x[source + place];
        } else if place < comptime!(numbers + volume) {
            near[place] = f32::new(0.0);
        }
    }
}

/// The sites as they are before a layer, for the backward pass.
#[cube]
fn keep_field(
    near: &[f32],
    kept: &mut [f32],
    sample: &Sample,
    layer_start: usize,
    #[comptime] shape: Resident,
) {
    for round in 0..comptime!(shape.volume.div_ceil(shape.units)) {
        let site = round * shape.units + UNIT_POS as usize;
        if site < shape.volume {
            kept[word_of(sample, layer_start, site, 0usize, 1usize, shape)] = near[site];
        }
    }
}

/// The field of a sample from shared memory, and its log det behind it.
#[cube]
fn store_field(near: &[f32], y: &mut [f32], sample: &Sample, #[comptime] shape: Resident) {
    let numbers = comptime!(shape.numbers());
    let target = sample.index * comptime!(numbers + 1);
    for round in 0..comptime!(numbers.div_ceil(shape.units)) {
        let place = round * shape.units + UNIT_POS as usize;
        if place < numbers {
            y[target + place] = near[place];
        }
    }
    if UNIT_POS == 0 {
        let mut total = f32::new(0.0);
        for site in 0..shape.volume {
            total += near[numbers + site];
        }
        y[target + numbers] = total;
    }
}

/// A sample of `x` through all layers, into `y` with its log det; with `keep` also what the backward pass needs.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn all_layers(
    x: &[f32],
    weights: &[Vector<f32, Const<4>>],
    table: &[u32],
    y: &mut [f32],
    kept: &mut [f32],
    rows: u32,
    record_places: u32,
    layers: u32,
    tiles: u32,
    batch: u32,
    slope: f32,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
    #[comptime] keep: bool,
) {
    let (numbers, convolutions) = comptime!((shape.numbers(), shape.convolutions));
    let sample = sample(tiles, shape);
    let mut near = Shared::<[f32]>::new_slice(comptime!(shape.shared_words()));
    let mut near_weights = Shared::<[Vector<f32, Const<4>>]>::new_slice(comptime!(shape.weight_vectors()));
    // Samples beyond the batch are the last one again.
    let source = min(sample.index, batch as usize - 1) * numbers;
    load_field(&mut near, x, source, shape);
    for step in 0..layers as usize {
        let layer = if comptime!(forward) { step } else { layers as usize - 1 - step };
        let layer_start = layer * comptime!(shape.kept_words());
        let record = table[record_places as usize + layer] as usize;
        if comptime!(shape.layer.subject == Subject::Plaquettes) {
            // Before other units have loaded or changed the field.
            if step == 0 {
                sync_cube();
            }
            read_loops(&mut near, table, kept, &sample, record, layer_start, shape, keep);
        } else if comptime!(keep) {
            keep_field(&near, kept, &sample, layer_start, shape);
        }
        #[unroll]
        for c in 0..convolutions {
            let lists = lists(table, rows, layer, c, directory::FORWARD, shape);
            bring(&mut near_weights, weights, &lists, comptime!(shape.vectors(c, false)), shape);
            convolve(
                &mut near,
                &near_weights,
                weights,
                table,
                kept,
                &sample,
                &lists,
                record,
                layer_start,
                slope,
                c,
                shape,
                forward,
                keep,
            );
            // Before these weights make room for others, and before other units read the field.
            if comptime!(shape.near_weights || c + 1 == convolutions) {
                sync_cube();
            }
        }
    }
    if sample.index < batch as usize {
        store_field(&near, y, &sample, shape);
    }
}
