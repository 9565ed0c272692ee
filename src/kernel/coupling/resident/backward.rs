//! The kernel that takes a gradient back through all layers.

use super::links::{by_loops_to, read_loops_back, turn_back};
use super::sample::{Sample, sample, word_of};
use super::shape::Resident;
use super::sums::{HEADER, Lists, bring, leaky, lists, sums_at};
use crate::kernel::coupling::gpu_map::{self, Subject};
use crate::kernel::gpu::table::{block, directory};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Gradients by the sums of the last convolution, and by the field before the map, from that by the field after it.
#[cube]
#[allow(clippy::too_many_arguments)]
fn unmap(
    near: &mut [f32],
    table: &[u32],
    kept: &[f32],
    gradients: &mut [f32],
    sample: &Sample,
    lists: &Lists,
    record: usize,
    layer_start: usize,
    gradient_start: usize,
    by_log_det: f32,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
) {
    let last = comptime!(shape.convolutions - 1);
    let output = layer_start + comptime!(shape.kept(last + 1));
    let target = gradient_start + comptime!(shape.gradient(last));
    let side = comptime!(shape.side_of(last));
    let outputs = comptime!(shape.channels[last + 1]);
    let mut parameters = Array::<f32>::new(outputs);
    let mut by_parameters = Array::<f32>::new(outputs);
    let mut place = UNIT_POS as usize;
    while place < lists.sites {
        let site = block::site(table, lists.headers + place * HEADER, 0usize);
        #[unroll]
        for channel in 0..outputs {
            parameters[channel] = kept[word_of(sample, output, site, channel, outputs, shape)];
        }
        let by = &mut by_parameters;
        match shape.layer.subject {
            Subject::Sites => {
                let before = kept[word_of(sample, layer_start, site, 0usize, 1usize, shape)];
                let (g, map) = (near[site], comptime!(shape.layer.map));
                near[site] = gpu_map::gradient(&parameters, before, g, by_log_det, by, map, forward);
            }
            Subject::Plaquettes => turn_back(
                near,
                &parameters,
                table,
                kept,
                sample,
                record,
                layer_start,
                site,
                by_log_det,
                by,
                shape,
                forward,
            ),
        }
        #[unroll]
        for channel in 0..outputs {
            let mut by = by_parameters[channel];
            if comptime!(shape.tanh) {
                by *= 1.0 - parameters[channel] * parameters[channel];
            }
            near[comptime!(side + channel * shape.volume) + site] = by;
            gradients[word_of(sample, target, site, channel, outputs, shape)] = by;
        }
        place += shape.units;
    }
}

/// The gradient by the inputs of convolution `c`: before the LeakyReLU that made them, or added to that by the field.
#[cube]
#[allow(clippy::too_many_arguments)]
fn convolve_back(
    near: &mut [f32],
    near_weights: &[Vector<f32, Const<4>>],
    weights: &[Vector<f32, Const<4>>],
    table: &[u32],
    kept: &[f32],
    gradients: &mut [f32],
    sample: &Sample,
    lists: &Lists,
    layer_start: usize,
    gradient_start: usize,
    slope: f32,
    #[comptime] c: usize,
    #[comptime] shape: Resident,
) {
    let (inputs, gathered) = comptime!((shape.channels[c], shape.gathered(c, true)));
    let from = comptime!(shape.side_of(c));
    let mut place = UNIT_POS as usize;
    while place < lists.sites {
        let header = lists.headers + place * HEADER;
        let sums = sums_at(&*near, near_weights, weights, table, lists, header, from, gathered, shape);
        let site = block::site(table, header, 0usize);
        if comptime!(c == 0) {
            match shape.layer.subject {
                Subject::Sites => near[site] += sums[0].extract(0usize),
                Subject::Plaquettes => by_loops_to(near, &sums, kept, sample, layer_start, site, shape),
            }
        } else {
            let activation = layer_start + comptime!(shape.kept(c));
            let target = gradient_start + comptime!(shape.gradient(c - 1));
            #[unroll]
            for channel in 0..inputs {
                let sum = sums[comptime!(channel / 4)].extract(comptime!(channel % 4));
                let sign = kept[word_of(sample, activation, site, channel, inputs, shape)];
                let value = leaky(sum, sign, slope);
                near[comptime!(shape.side_of(c - 1) + channel * shape.volume) + site] = value;
                gradients[word_of(sample, target, site, channel, inputs, shape)] = value;
            }
        }
        place += shape.units;
    }
}

/// The gradient by the field of a sample from shared memory.
#[cube]
fn store_gradient(near: &[f32], x_gradient: &mut [f32], sample: &Sample, #[comptime] shape: Resident) {
    let numbers = comptime!(shape.numbers());
    for round in 0..comptime!(numbers.div_ceil(shape.units)) {
        let place = round * shape.units + UNIT_POS as usize;
        if place < numbers {
            x_gradient[sample.index * numbers + place] = near[place];
        }
    }
}

/// The gradient by `y` and the log det through all layers, into `x_gradient`; `gradients` gets those by the outputs of every
/// convolution.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments, clippy::collapsible_if)]
pub fn all_layers_back(
    kept: &[f32],
    weights: &[Vector<f32, Const<4>>],
    table: &[u32],
    y_gradient: &[f32],
    gradients: &mut [f32],
    x_gradient: &mut [f32],
    rows: u32,
    record_places: u32,
    layers: u32,
    tiles: u32,
    batch: u32,
    slope: f32,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
    #[comptime] want_x: bool,
) {
    let (numbers, convolutions) = comptime!((shape.numbers(), shape.convolutions));
    let sample = sample(tiles, shape);
    let mut near = Shared::<[f32]>::new_slice(comptime!(shape.shared_words()));
    let mut near_weights = Shared::<[Vector<f32, Const<4>>]>::new_slice(comptime!(shape.weight_vectors()));
    // Samples beyond the batch have no gradient.
    let known = sample.index < batch as usize;
    let source = min(sample.index, batch as usize - 1) * comptime!(numbers + 1);
    for round in 0..comptime!(numbers.div_ceil(shape.units)) {
        let place = round * shape.units + UNIT_POS as usize;
        if place < numbers {
            near[place] = select(known, y_gradient[source + place], 0.0);
        }
    }
    let by_log_det = select(known, y_gradient[source + numbers], 0.0);
    for step in 0..layers as usize {
        let layer = if comptime!(forward) { layers as usize - 1 - step } else { step };
        let start = layer * comptime!(shape.kept_words());
        let record = table[record_places as usize + layer] as usize;
        let target = layer * comptime!(shape.held(1..=convolutions));
        let mapped = lists(table, rows, layer, comptime!(convolutions - 1), directory::FORWARD, shape);
        sync_cube();
        unmap(
            &mut near, table, kept, gradients, &sample, &mapped, record, start, target, by_log_det, shape,
            forward,
        );
        #[unroll]
        for reversed in 0..convolutions {
            let c = comptime!(convolutions - 1 - reversed);
            let lists = lists(table, rows, layer, c, directory::BACKWARD, shape);
            // Before the weights of the convolution before it make room.
            if comptime!(shape.near_weights && reversed > 0) {
                sync_cube();
            }
            bring(&mut near_weights, weights, &lists, comptime!(shape.vectors(c, true)), shape);
            convolve_back(
                &mut near,
                &near_weights,
                weights,
                table,
                kept,
                gradients,
                &sample,
                &lists,
                start,
                target,
                slope,
                c,
                shape,
            );
        }
        if comptime!(shape.layer.subject == Subject::Plaquettes) {
            sync_cube();
            read_loops_back(&mut near, table, record, shape);
        }
    }
    sync_cube();
    if comptime!(want_x) {
        if known {
            store_gradient(&near, x_gradient, &sample, shape);
        }
    }
}
