//! The two kernels that take a sample through all layers.

use super::shape::Resident;
use crate::kernel::coupling::gpu_map;
use crate::kernel::gpu::LANES;
use crate::kernel::gpu::convolution::{gather, starts, tanh};
use crate::kernel::gpu::layout::Channels;
use crate::kernel::gpu::shape::GatherShape;
use crate::kernel::gpu::table::{block, directory};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Words of the record of a block of one site.
const HEADER: usize = block::WORDS + 1;

/// The sample of a workgroup.
#[derive(CubeType)]
struct Sample {
    index: usize,
    tile: usize,
    lane: usize,
    /// Numbers that all samples have for each channel.
    span: usize,
}

#[cube]
fn sample(tiles: u32, #[comptime] shape: Resident) -> Sample {
    let index = (CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize;
    let span = tiles as usize * comptime!(LANES * shape.volume);
    Sample { index, tile: index / LANES, lane: index % LANES, span }
}

/// The word of a channel of a site, in a region of so many channels that starts after `before` others, as the tiled kernels
/// keep them.
#[cube]
fn word_of(
    sample: &Sample,
    before: usize,
    site: usize,
    #[comptime] channel: usize,
    #[comptime] channels: usize,
    #[comptime] shape: Resident,
) -> usize {
    let held = comptime!(Channels::of(channels));
    let vector =
        (sample.tile * shape.volume + site) * comptime!(held.vectors) + comptime!(channel / held.width);
    before * sample.span
        + (vector * LANES + sample.lane) * comptime!(held.width)
        + comptime!(channel % held.width)
}

/// What the table says about a convolution.
#[derive(CubeType)]
struct Lists {
    headers: usize,
    sites: usize,
    weights: usize,
    bias: usize,
}

/// The lists of convolution `c` of a layer, forwards or backwards.
#[cube]
fn lists(
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
fn bring(
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
fn sums_at(
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
fn leaky(value: f32, sign: f32, slope: f32) -> f32 {
    select(sign < 0.0, value * slope, value)
}

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
    layer_start: usize,
    slope: f32,
    #[comptime] c: usize,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
    #[comptime] keep: bool,
) {
    let (outputs, gathered) = comptime!((shape.channels[c + 1], shape.gathered(c, false)));
    let from = comptime!(if c == 0 { 0 } else { shape.side_of(c - 1) });
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
            let after = gpu_map::apply(&parameters, near[site], shape.map, forward);
            near[site] = after.value;
            near[shape.volume + site] += after.log_det;
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
    layers: u32,
    tiles: u32,
    batch: u32,
    slope: f32,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
    #[comptime] keep: bool,
) {
    let (volume, convolutions) = comptime!((shape.volume, shape.convolutions));
    let sample = sample(tiles, shape);
    let mut near = Shared::<[f32]>::new_slice(comptime!(shape.shared_words()));
    let mut near_weights = Shared::<[Vector<f32, Const<4>>]>::new_slice(comptime!(shape.weight_vectors()));
    // Samples beyond the batch are the last one again.
    let source = min(sample.index, batch as usize - 1) * volume;
    for round in 0..comptime!(volume.div_ceil(shape.units)) {
        let site = round * shape.units + UNIT_POS as usize;
        if site < volume {
            near[site] = x[source + site];
            near[volume + site] = f32::new(0.0);
        }
    }
    for step in 0..layers as usize {
        let layer = if comptime!(forward) { step } else { layers as usize - 1 - step };
        let layer_start = layer * comptime!(shape.held(0..=convolutions));
        if comptime!(keep) {
            for round in 0..comptime!(volume.div_ceil(shape.units)) {
                let site = round * shape.units + UNIT_POS as usize;
                if site < volume {
                    kept[word_of(&sample, layer_start, site, 0usize, 1usize, shape)] = near[site];
                }
            }
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
        let target = sample.index * comptime!(volume + 1);
        for round in 0..comptime!(volume.div_ceil(shape.units)) {
            let site = round * shape.units + UNIT_POS as usize;
            if site < volume {
                y[target + site] = near[site];
            }
        }
        if UNIT_POS == 0 {
            let mut total = f32::new(0.0);
            for site in 0..volume {
                total += near[volume + site];
            }
            y[target + volume] = total;
        }
    }
}

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
        let before = kept[word_of(sample, layer_start, site, 0usize, 1usize, shape)];
        let g = near[site];
        near[site] =
            gpu_map::gradient(&parameters, before, g, by_log_det, &mut by_parameters, shape.map, forward);
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
            near[site] += sums[0].extract(0usize);
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
    layers: u32,
    tiles: u32,
    batch: u32,
    slope: f32,
    #[comptime] shape: Resident,
    #[comptime] forward: bool,
    #[comptime] want_x: bool,
) {
    let (volume, convolutions) = comptime!((shape.volume, shape.convolutions));
    let sample = sample(tiles, shape);
    let mut near = Shared::<[f32]>::new_slice(comptime!(shape.shared_words()));
    let mut near_weights = Shared::<[Vector<f32, Const<4>>]>::new_slice(comptime!(shape.weight_vectors()));
    // Samples beyond the batch have no gradient.
    let known = sample.index < batch as usize;
    let source = min(sample.index, batch as usize - 1) * comptime!(volume + 1);
    for round in 0..comptime!(volume.div_ceil(shape.units)) {
        let site = round * shape.units + UNIT_POS as usize;
        if site < volume {
            near[site] = select(known, y_gradient[source + site], 0.0);
        }
    }
    let by_log_det = select(known, y_gradient[source + volume], 0.0);
    for step in 0..layers as usize {
        let layer = if comptime!(forward) { layers as usize - 1 - step } else { step };
        let start = layer * comptime!(shape.held(0..=convolutions));
        let target = layer * comptime!(shape.held(1..=convolutions));
        let mapped = lists(table, rows, layer, comptime!(convolutions - 1), directory::FORWARD, shape);
        sync_cube();
        unmap(&mut near, table, kept, gradients, &sample, &mapped, start, target, by_log_det, shape, forward);
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
    }
    sync_cube();
    if comptime!(want_x) {
        if known {
            for round in 0..comptime!(volume.div_ceil(shape.units)) {
                let site = round * shape.units + UNIT_POS as usize;
                if site < volume {
                    x_gradient[sample.index * volume + site] = near[site];
                }
            }
        }
    }
}
