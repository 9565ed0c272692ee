//! The affine flow on a GPU: [`resident`] for small batches, else three launches for a layer of two hidden convolutions
//! forwards, seven backwards.

use super::resident::{self, Resident};
use super::{AffineFlow, Direction};
use crate::kernel::gpu::convolution::{accumulate, tanh, work_of_unit};
use crate::kernel::gpu::layout::{Beyond, Extent, copy, from_lanes, row_of_unit, to_lanes, vector_at, zeros};
use crate::kernel::gpu::shape::GatherShape;
use crate::kernel::gpu::{Buffer, LANES, Net, Packed, flat, grid, tiles};
use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// What an affine map makes of a site.
#[derive(CubeType)]
pub struct Coupled {
    pub s: f32,
    pub t: f32,
    pub field: f32,
    /// What it adds to the log det.
    pub log_det: f32,
}

/// The map `e^s x + t`, or its inverse, from `(s, t)` before the tanh.
#[cube]
pub fn coupled(s: f32, t: f32, before: f32, #[comptime] forward: bool) -> Coupled {
    let (s, t) = (tanh(s), tanh(t));
    if comptime!(forward) {
        Coupled { s, t, field: fma(before, f32::exp(s), t), log_det: s }
    } else {
        Coupled { s, t, field: (before - t) * f32::exp(-s), log_det: -s }
    }
}

/// Gradients by what an affine map reads at a site.
#[derive(CubeType)]
pub struct Uncoupled {
    /// By the field before it.
    pub field: f32,
    /// By `s` before the tanh.
    pub s: f32,
    /// By `t` before the tanh.
    pub t: f32,
}

/// The gradients from `g` by the field after the map, and by the log det.
#[cube]
pub fn uncoupled(
    s: f32,
    t: f32,
    before: f32,
    g: f32,
    by_log_det: f32,
    #[comptime] forward: bool,
) -> Uncoupled {
    let field = g * f32::exp(if comptime!(forward) { s } else { -s });
    let by_s =
        if comptime!(forward) { field * before + by_log_det } else { -field * (before - t) - by_log_det };
    let by_t = if comptime!(forward) { g } else { -field };
    Uncoupled { field, s: by_s * (1.0 - s * s), t: by_t * (1.0 - t * t) }
}

/// `(s, t)` of a block of sites, and the map of the field where they are.
///
/// `saved` is `[tile][slot][s, t, field before][lane]`, a slot for each site of each block.
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
    let used = table[header + 3] as usize;
    #[unroll]
    for i in 0..shape.sites {
        if work.writes && i < used {
            let place = vector_at(work.tile, table[header + 4 + i] as usize, volume, 1usize);
            let before = field[place];
            let after = coupled(sums[i].extract(0usize), sums[i].extract(1usize), before, forward);
            field[place] = after.field;
            log_det[place] += after.log_det;
            if comptime!(keep) {
                let slot = work.block * shape.sites + i;
                let slot = vector_at(work.tile, slot, blocks as usize * shape.sites, 3usize);
                saved[slot] = after.s;
                saved[slot + LANES] = after.t;
                saved[slot + 2 * LANES] = before;
            }
        }
    }
}

/// Gradient before the tanh of `(s, t)`, and the field and its gradient before the layer.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn uncouple(
    saved: &[f32],
    log_det_gradient: &[f32],
    table: &[u32],
    field: &mut [f32],
    field_gradient: &mut [f32],
    gradient: &mut [Vector<f32, Const<2>>],
    headers: u32,
    slots: u32,
    batch: u32,
    volume: u32,
    #[comptime] shape: GatherShape,
    #[comptime] forward: bool,
) {
    let (row, slots) = (row_of_unit(), slots as usize);
    let (tile, slot) = (row / slots, row % slots);
    if tile * LANES >= batch as usize {
        terminate!();
    }
    let within = slot % shape.sites;
    let header = headers as usize + slot / shape.sites * shape.header_words();
    if within < table[header + 3] as usize {
        let volume = volume as usize;
        let place = vector_at(tile, table[header + 4 + within] as usize, volume, 1usize);
        let first = vector_at(tile, slot, slots, 3usize);
        let (s, t, before) = (saved[first], saved[first + LANES], saved[first + 2 * LANES]);
        // Lanes beyond the batch have no gradient; theirs by the field is zero already.
        let (sample, batch) = (tile * LANES + UNIT_POS_X as usize, batch as usize);
        let last = (min(sample, batch - 1) + 1) * (volume + 1) - 1;
        let by_log_det = select(sample < batch, log_det_gradient[last], 0.0);
        let by = uncoupled(s, t, before, field_gradient[place], by_log_det, forward);
        field_gradient[place] = by.field;
        field[place] = before;
        let mut by_output = Vector::empty();
        by_output.insert(0usize, by.s);
        by_output.insert(1usize, by.t);
        gradient[place] = by_output;
    }
}

/// Sums the log det over sites, into the last number of every sample.
#[cube(launch_unchecked)]
fn sum_sites(log_det: &[f32], y: &mut [f32], volume: u32, batch: u32) {
    let sample = ABSOLUTE_POS;
    if sample >= batch as usize {
        terminate!();
    }
    let first = sample / LANES * volume as usize * LANES + sample % LANES;
    let mut total = f32::new(0.0);
    for site in 0..volume as usize {
        total += log_det[first + site * LANES];
    }
    y[(sample + 1) * (volume as usize + 1) - 1] = total;
}

/// What the backward pass needs of one layer.
#[derive(Debug)]
struct Layer {
    hidden: Vec<Buffer>,
    saved: Buffer,
}

/// What the backward pass needs of a pass through the flow.
#[derive(Debug)]
pub enum Saved {
    /// Of one with a launch for each convolution.
    Tiled(Tiled),
    /// Of one in a single launch.
    Resident(resident::Saved),
}

/// What the backward pass needs of a pass through the flow in tiles.
#[derive(Debug)]
pub struct Tiled {
    packed: Packed,
    /// The field after the last layer.
    field: Buffer,
    layers: Vec<Layer>,
    batch: usize,
}

fn extent(flow: &AffineFlow, batch: usize, stride: usize) -> Extent {
    Extent { volume: flow.volume(), channels: 1, stride, batch }
}

/// `[batch, 1, T, X]` → `[batch, T · X + 1]`, the log det last.
pub fn forward(
    x: CubeTensor,
    parameters: CubeTensor,
    flow: &AffineFlow,
    direction: Direction,
    keep: bool,
) -> (CubeTensor, Saved) {
    let (client, device) = (x.client.clone(), x.device.clone());
    let (batch, volume) = (x.shape()[0], flow.volume());
    if let Some(shape) = Resident::of(flow, batch, &client) {
        let (y, saved) = resident::forward(x, parameters, flow, shape, direction, keep);
        return (y, Saved::Resident(saved));
    }
    let plan = flow.plans.get(&client, &device, flow.plans.tiled(batch, volume), &flow.networks());
    let packed = Packed::new(&client, plan, &Buffer::tensor(parameters));
    let field = to_lanes(&client, &Buffer::tensor(x), extent(flow, batch, volume), Beyond::LastSample);
    let log_det = zeros(&client, field.words());
    let mut layers = Vec::new();
    for layer in flow.order(direction) {
        let net = packed.network(layer, &flow.layers[layer], batch);
        let hidden = net.hidden(&field);
        let saved = through(&net, &hidden, [&field, &log_det], direction, keep);
        if keep {
            layers.push(Layer { hidden, saved });
        }
    }
    let y = Buffer::empty(&client, batch * (volume + 1));
    from_lanes(&client, &field, None, &y, extent(flow, batch, volume + 1));
    let (count, dim) = flat(batch);
    // SAFETY: units beyond the batch stop.
    unsafe {
        sum_sites::launch_unchecked(&client, count, dim, log_det.arg(), y.arg(), volume as u32, batch as u32);
    }
    let y = y.into_tensor(&client, &device, Shape::from([batch, volume + 1]));
    (y, Saved::Tiled(Tiled { packed, field, layers, batch }))
}

/// One layer, in place; returns what [`back`] needs, or an empty buffer.
fn through(
    net: &Net<'_>,
    hidden: &[Buffer],
    [field, log_det]: [&Buffer; 2],
    direction: Direction,
    keep: bool,
) -> Buffer {
    let (client, gather) = (net.client(), &net.last().forward);
    assert_eq!(gather.shape.depth(), 1, "units over the two output channels of a coupling");
    let slots = gather.blocks * gather.shape.sites;
    let saved = Buffer::empty(client, if keep { slots * 3 * tiles(net.batch()) * LANES } else { 1 });
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
            direction == Direction::Forward,
            keep,
        );
    }
    saved
}

/// Undoes one layer: the field and its gradient in place; returns the gradient before the tanh of `(s, t)`.
fn back(
    net: &Net<'_>,
    saved: &Buffer,
    log_det_gradient: &Buffer,
    [field, field_gradient]: [&Buffer; 2],
    direction: Direction,
) -> Buffer {
    let (client, gather) = (net.client(), &net.last().forward);
    let gradient = net.room(2);
    let slots = gather.blocks * gather.shape.sites;
    let (count, dim) = grid(slots * tiles(net.batch()), 1);
    // SAFETY: as in `through`.
    unsafe {
        uncouple::launch_unchecked(
            client,
            count,
            dim,
            saved.arg(),
            log_det_gradient.arg(),
            net.table().arg(),
            field.arg(),
            field_gradient.arg(),
            gradient.vectors(2),
            gather.headers as u32,
            slots as u32,
            net.batch() as u32,
            net.volume() as u32,
            gather.shape,
            direction == Direction::Forward,
        );
    }
    gradient
}

/// Gradients by the field (if wanted) and by the parameters, from the gradient `[batch, T · X + 1]`.
pub fn backward(
    saved: &Saved,
    y_gradient: CubeTensor,
    flow: &AffineFlow,
    direction: Direction,
    want_x: bool,
) -> (Option<CubeTensor>, CubeTensor) {
    let saved = match saved {
        Saved::Tiled(saved) => saved,
        Saved::Resident(saved) => return resident::backward(saved, y_gradient, flow, direction, want_x),
    };
    let Tiled { packed, layers, batch, .. } = saved;
    let (client, device) = (y_gradient.client.clone(), y_gradient.device.clone());
    let (batch, volume) = (*batch, flow.volume());
    let y_gradient = Buffer::tensor(y_gradient);
    let field_gradient = to_lanes(&client, &y_gradient, extent(flow, batch, volume + 1), Beyond::Zero);
    // A second backward pass would start from the same field.
    let field = copy(&client, &saved.field);
    let partials = packed.partials(batch);
    for (index, layer) in flow.order(direction).into_iter().enumerate().rev() {
        let net = packed.network(layer, &flow.layers[layer], batch);
        let Layer { hidden, saved } = &layers[index];
        let gradient = back(&net, saved, &y_gradient, [&field, &field_gradient], direction);
        let wanted = (index > 0 || want_x).then_some(&field_gradient);
        net.backward(&field, hidden, gradient, &partials, wanted);
    }
    let by_parameters = partials.sum(&client, &packed.plan);
    let by_parameters = by_parameters.into_tensor(&client, &device, Shape::from([flow.parameter_count()]));
    let by_x = want_x.then(|| {
        let by_x = Buffer::empty(&client, batch * volume);
        from_lanes(&client, &field_gradient, None, &by_x, extent(flow, batch, volume));
        let [t, s] = flow.extents();
        by_x.into_tensor(&client, &device, Shape::from([batch, 1, t, s]))
    });
    (by_x, by_parameters)
}
