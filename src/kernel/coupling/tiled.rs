//! A stack of couplings on a GPU, tile by tile: three launches for a layer of two hidden convolutions forwards, seven backwards.

use super::gpu_map::{self, GpuMap};
use super::log_det;
use super::networks::{Direction, Networks};
use crate::kernel::conv_stack::OutputActivation;
use crate::kernel::fused::{Back, Pass};
use crate::kernel::gpu::convolution::{Landing, accumulate, tanh, work_of_unit};
use crate::kernel::gpu::layout::{Beyond, Extent, copy, from_lanes, row_of_unit, to_lanes, vector_at, zeros};
use crate::kernel::gpu::shape::GatherShape;
use crate::kernel::gpu::table::block;
use crate::kernel::gpu::{Buffer, LANES, Net, Packed, grid, tiles};
use burn::backend::{Cube, TensorMetadata};
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use std::sync::Arc;

/// The parameters of the map for a block of sites, and the map of the field where they are.
///
/// `saved` is `[tile][slot][parameters, field before][lane]`, a slot for each site of each block.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn couple<N: Size, M: Size>(
    x: &[Vector<f32, M>],
    weights: &[Vector<f32, N>],
    table: &[u32],
    field: &mut [f32],
    log_det: &mut [f32],
    saved: &mut [f32],
    headers: u32,
    blocks: u32,
    first_weight: u32,
    bias: u32,
    tiles: u32,
    volume: u32,
    #[comptime] shape: GatherShape,
    #[comptime] map: GpuMap,
    #[comptime] with_tanh: bool,
    #[comptime] forward: bool,
    #[comptime] keep: bool,
) {
    let work = work_of_unit(blocks, tiles);
    let header = headers as usize + work.block * shape.header_words();
    let volume = volume as usize;
    let sums = accumulate::<N, M>(
        x,
        weights,
        table,
        header,
        first_weight as usize,
        bias as usize,
        work.tile,
        volume,
        shape,
    );
    let used = block::used(table, header);
    let count = comptime!(map.parameters());
    let mut parameters = Array::<f32>::new(count);
    #[unroll]
    for i in 0..shape.sites {
        if work.writes && i < used {
            let place = vector_at(work.tile, block::site(table, header, i), volume, 1usize);
            let before = field[place];
            #[unroll]
            for p in 0..count {
                let vector = comptime!(i * shape.vectors + p / shape.outputs.width);
                let sum = sums[vector].extract(comptime!(p % shape.outputs.width));
                parameters[p] = if comptime!(with_tanh) { tanh(sum) } else { sum };
            }
            let after = gpu_map::apply(&parameters, before, map, forward);
            field[place] = after.value;
            log_det[place] += after.log_det;
            if comptime!(keep) {
                let slot = work.block * shape.sites + i;
                let slot = vector_at(work.tile, slot, blocks as usize * shape.sites, comptime!(count + 1));
                #[unroll]
                for p in 0..count {
                    saved[slot + comptime!(p * LANES)] = parameters[p];
                }
                saved[slot + comptime!(count * LANES)] = before;
            }
        }
    }
}

/// Gradient by the sums of the last convolution, and the field and its gradient before the layer.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn uncouple<N: Size>(
    saved: &[f32],
    log_det_gradient: &[f32],
    table: &[u32],
    field: &mut [f32],
    field_gradient: &mut [f32],
    gradient: &mut [Vector<f32, N>],
    headers: u32,
    slots: u32,
    batch: u32,
    volume: u32,
    #[comptime] shape: GatherShape,
    #[comptime] map: GpuMap,
    #[comptime] with_tanh: bool,
    #[comptime] forward: bool,
) {
    let (row, slots) = (row_of_unit(), slots as usize);
    let (tile, slot) = (row / slots, row % slots);
    if tile * LANES >= batch as usize {
        terminate!();
    }
    let within = slot % shape.sites;
    let header = headers as usize + slot / shape.sites * shape.header_words();
    if within < block::used(table, header) {
        let volume = volume as usize;
        let site = block::site(table, header, within);
        let place = vector_at(tile, site, volume, 1usize);
        let count = comptime!(map.parameters());
        let first = vector_at(tile, slot, slots, comptime!(count + 1));
        let mut parameters = Array::<f32>::new(count);
        #[unroll]
        for p in 0..count {
            parameters[p] = saved[first + comptime!(p * LANES)];
        }
        let before = saved[first + comptime!(count * LANES)];
        // Lanes beyond the batch have no gradient; theirs by the field is zero already.
        let (sample, batch) = (tile * LANES + UNIT_POS_X as usize, batch as usize);
        let last = (min(sample, batch - 1) + 1) * (volume + 1) - 1;
        let by_log_det = select(sample < batch, log_det_gradient[last], 0.0);
        let mut by_parameters = Array::<f32>::new(count);
        let g = field_gradient[place];
        field_gradient[place] =
            gpu_map::gradient(&parameters, before, g, by_log_det, &mut by_parameters, map, forward);
        field[place] = before;
        let outputs = vector_at(tile, site, volume, shape.outputs.vectors);
        #[unroll]
        for v in 0..shape.outputs.vectors {
            let mut by_output = Vector::<f32, N>::new(0.0);
            #[unroll]
            for n in 0..shape.outputs.width {
                let p = comptime!(v * shape.outputs.width + n);
                if comptime!(p < count) {
                    let mut by = by_parameters[p];
                    if comptime!(with_tanh) {
                        by *= 1.0 - parameters[p] * parameters[p];
                    }
                    by_output.insert(n, by);
                }
            }
            gradient[outputs + comptime!(v * LANES)] = by_output;
        }
    }
}

/// What the backward pass needs of one layer.
#[derive(Debug)]
struct Layer {
    hidden: Vec<Buffer>,
    saved: Buffer,
}

/// What the backward pass needs.
#[derive(Debug)]
struct Kept {
    networks: Arc<Networks>,
    map: GpuMap,
    direction: Direction,
    packed: Packed,
    /// The field after the last layer.
    field: Buffer,
    layers: Vec<Layer>,
    batch: usize,
}

fn extent(networks: &Networks, batch: usize, stride: usize) -> Extent {
    Extent { volume: networks.volume(), channels: 1, stride, batch }
}

/// See [`super::on_gpu::pass`].
pub fn pass(
    networks: Arc<Networks>,
    map: GpuMap,
    direction: Direction,
    [x, parameters]: [CubeTensor; 2],
    keep: bool,
) -> Pass<Cube> {
    let (client, device) = (x.client.clone(), x.device.clone());
    let (batch, volume) = (x.shape()[0], networks.volume());
    let mode = networks.plans.tiled(batch, volume);
    let plan = networks.plans.get(&client, &device, mode, &networks.stacks(), &|_| Vec::new());
    let packed = Packed::new(&client, plan, &Buffer::tensor(parameters));
    let field = to_lanes(&client, &Buffer::tensor(x), extent(&networks, batch, volume), Beyond::LastSample);
    let log_det = zeros(&client, field.words());
    let mut layers = Vec::new();
    for layer in networks.order(direction) {
        let net = packed.network(layer, &networks.layers()[layer], batch);
        let hidden = net.hidden(&field);
        let saved = through(&net, &hidden, [&field, &log_det], map, direction, keep);
        if keep {
            layers.push(Layer { hidden, saved });
        }
    }
    let y = Buffer::empty(&client, batch * (volume + 1));
    from_lanes(&client, &field, None, &y, extent(&networks, batch, volume + 1));
    log_det::total(&client, &log_det, &y, [volume, volume, batch]);
    let output = y.into_tensor(&client, &device, Shape::from([batch, volume + 1]));
    let kept = || Kept { networks, map, direction, packed, field, layers, batch };
    Pass { output, back: keep.then(|| Arc::new(kept()) as Arc<dyn Back<Cube>>) }
}

/// One layer, in place; returns what [`back`] needs, or an empty buffer.
fn through(
    net: &Net<'_>,
    hidden: &[Buffer],
    [field, log_det]: [&Buffer; 2],
    map: GpuMap,
    direction: Direction,
    keep: bool,
) -> Buffer {
    let (client, gather) = (net.client(), &net.last().forward);
    assert_eq!(gather.shape.depth(), 1, "units over the output channels of a coupling");
    let slots = gather.blocks * gather.shape.sites;
    let saved = Buffer::empty(
        client,
        if keep { slots * (map.parameters() + 1) * tiles(net.batch()) * LANES } else { 1 },
    );
    // Without hidden layers the network reads the field that is changed here.
    let copied = hidden.is_empty().then(|| copy(client, field));
    let input = hidden.last().or(copied.as_ref()).unwrap_or(field);
    let (count, dim) = grid(gather.blocks * tiles(net.batch()), 1);
    // SAFETY: the plan lists only sites of the lattice, buffers have whole tiles, and only units of a block write.
    unsafe {
        couple::launch_unchecked(
            client,
            count,
            dim,
            gather.shape.outputs.width,
            gather.shape.inputs.width,
            input.vectors(gather.shape.inputs.width),
            net.weights().vectors(gather.shape.outputs.width),
            net.table().arg(),
            field.arg(),
            log_det.arg(),
            saved.arg(),
            gather.headers as u32,
            gather.blocks as u32,
            gather.weights as u32,
            gather.bias as u32,
            tiles(net.batch()) as u32,
            net.volume() as u32,
            gather.shape,
            map,
            net.activation() == OutputActivation::Tanh,
            direction == Direction::Forward,
            keep,
        );
    }
    saved
}

/// Undoes one layer: the field and its gradient in place; returns the gradient by the sums of the last convolution.
fn back(
    net: &Net<'_>,
    saved: &Buffer,
    log_det_gradient: &Buffer,
    [field, field_gradient]: [&Buffer; 2],
    map: GpuMap,
    direction: Direction,
) -> Buffer {
    let (client, gather) = (net.client(), &net.last().forward);
    let gradient = net.room(map.parameters());
    let slots = gather.blocks * gather.shape.sites;
    let (count, dim) = grid(slots * tiles(net.batch()), 1);
    // SAFETY: as in `through`.
    unsafe {
        uncouple::launch_unchecked(
            client,
            count,
            dim,
            gather.shape.outputs.width,
            saved.arg(),
            log_det_gradient.arg(),
            net.table().arg(),
            field.arg(),
            field_gradient.arg(),
            gradient.vectors(gather.shape.outputs.width),
            gather.headers as u32,
            slots as u32,
            net.batch() as u32,
            net.volume() as u32,
            gather.shape,
            map,
            net.activation() == OutputActivation::Tanh,
            direction == Direction::Forward,
        );
    }
    gradient
}

impl Back<Cube> for Kept {
    fn gradients(&self, y_gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let Self { networks, map, direction, packed, layers, batch, .. } = self;
        let (client, device) = (y_gradient.client.clone(), y_gradient.device.clone());
        let (batch, volume) = (*batch, networks.volume());
        let y_gradient = Buffer::tensor(y_gradient);
        let field_gradient =
            to_lanes(&client, &y_gradient, extent(networks, batch, volume + 1), Beyond::Zero);
        // A second backward pass would start from the same field.
        let field = copy(&client, &self.field);
        let partials = wanted[1].then(|| packed.partials(batch));
        for (index, layer) in networks.order(*direction).into_iter().enumerate().rev() {
            let net = packed.network(layer, &networks.layers()[layer], batch);
            let Layer { hidden, saved } = &layers[index];
            let gradient = back(&net, saved, &y_gradient, [&field, &field_gradient], *map, *direction);
            let by_field = (index > 0 || wanted[0]).then_some((&field_gradient, Landing::Added));
            net.backward(&field, hidden, gradient, partials.as_ref(), by_field);
        }
        let by_parameters = partials.map(|partials| {
            let sum = partials.sum(&client, &packed.plan);
            sum.into_tensor(&client, &device, Shape::from([networks.parameter_count()]))
        });
        let by_x = wanted[0].then(|| {
            let by_x = Buffer::empty(&client, batch * volume);
            from_lanes(&client, &field_gradient, None, &by_x, extent(networks, batch, volume));
            by_x.into_tensor(&client, &device, Shape::from([batch, 1, volume]))
        });
        vec![by_x, by_parameters]
    }
}
