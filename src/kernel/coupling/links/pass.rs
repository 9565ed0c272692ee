//! Passes of a batch through gauge layers, tile by tile.

use super::kernels::{read_loops, read_loops_back, turn, turn_back};
use super::loops::FEATURES;
use super::record::active_count;
use crate::kernel::conv_stack::OutputActivation;
use crate::kernel::coupling::gpu_map::GpuMap;
use crate::kernel::coupling::log_det;
use crate::kernel::coupling::networks::{Direction, Networks};
use crate::kernel::fused::{Back, Pass};
use crate::kernel::gpu::convolution::Landing;
use crate::kernel::gpu::layout::{Beyond, Channels, Extent, from_lanes, to_lanes, zeros};
use crate::kernel::gpu::{Buffer, LANES, Net, Packed, grid, tiles};
use burn::backend::{Cube, TensorMetadata};
use burn::tensor::Shape;
use burn_cubecl::tensor::CubeTensor;
use std::sync::Arc;

/// What the backward pass needs of one layer.
#[derive(Debug)]
struct Layer {
    features: Buffer,
    hidden: Vec<Buffer>,
    /// What the network has written.
    output: Buffer,
    /// Active plaquettes, in [-π, π].
    before: Buffer,
}

/// What the backward pass needs.
#[derive(Debug)]
struct Kept {
    networks: Arc<Networks>,
    map: GpuMap,
    direction: Direction,
    packed: Packed,
    layers: Vec<Layer>,
    batch: usize,
}

/// A layer in a pass: its network, the place of its record, its map.
struct Pieces<'a> {
    net: Net<'a>,
    record: usize,
    map: GpuMap,
    direction: Direction,
}

/// Links one by one, as the sites of a field of one channel.
fn links(networks: &Networks, batch: usize, stride: usize) -> Extent {
    Extent { volume: 2 * networks.volume(), channels: 1, stride, batch }
}

/// See [`crate::kernel::coupling::on_gpu::pass`].
pub fn pass(
    networks: Arc<Networks>,
    map: GpuMap,
    records: &dyn Fn(usize) -> Vec<u32>,
    direction: Direction,
    [x, parameters]: [CubeTensor; 2],
    keep: bool,
) -> Pass<Cube> {
    let (client, device) = (x.client.clone(), x.device.clone());
    let (batch, volume) = (x.shape()[0], networks.volume());
    let (numbers, mode) = (2 * volume, networks.plans.tiled(batch, volume));
    let plan = networks.plans.get(&client, &device, mode, &networks.stacks(), records);
    let packed = Packed::new(&client, plan, &Buffer::tensor(parameters));
    let field = to_lanes(&client, &Buffer::tensor(x), links(&networks, batch, numbers), Beyond::LastSample);
    let log_det = zeros(&client, tiles(batch) * LANES * volume);
    let mut layers = Vec::new();
    for layer in networks.order(direction) {
        let net = packed.network(layer, &networks.layers()[layer], batch);
        let pieces = Pieces { net, record: packed.plan.records[layer], map, direction };
        let kept = pieces.through(&field, &log_det, keep);
        if keep {
            layers.push(kept);
        }
    }
    let y = Buffer::empty(&client, batch * (numbers + 1));
    from_lanes(&client, &field, None, &y, links(&networks, batch, numbers + 1));
    log_det::total(&client, &log_det, &y, [volume, numbers, batch]);
    let output = y.into_tensor(&client, &device, Shape::from([batch, numbers + 1]));
    let kept = || Kept { networks, map, direction, packed, layers, batch };
    Pass { output, back: keep.then(|| Arc::new(kept()) as Arc<dyn Back<Cube>>) }
}

impl Pieces<'_> {
    fn features(&self, field: &Buffer) -> Buffer {
        let (net, features) = (&self.net, self.net.room(FEATURES));
        let (count, dim) = grid(net.volume() * tiles(net.batch()), 1);
        // SAFETY: the record lists only sites of the lattice, buffers have whole tiles, and units beyond them stop.
        unsafe {
            read_loops::launch_unchecked(
                net.client(),
                count,
                dim,
                field.arg(),
                net.table().arg(),
                features.vectors(4),
                self.record as u32,
                net.volume() as u32,
                tiles(net.batch()) as u32,
            );
        }
        features
    }

    /// The layer, in place.
    fn through(&self, field: &Buffer, log_det: &Buffer, keep: bool) -> Layer {
        let net = &self.net;
        let features = self.features(field);
        let hidden = net.hidden(&features);
        let output = net.output(hidden.last().unwrap_or(&features));
        let rows = active_count(net.volume()) * tiles(net.batch());
        let before = Buffer::empty(net.client(), if keep { rows * LANES } else { 1 });
        let width = Channels::of(self.map.parameters()).width;
        let (count, dim) = grid(rows, 1);
        // SAFETY: as for the features; a plaquette contains no active link but its own.
        unsafe {
            turn::launch_unchecked(
                net.client(),
                count,
                dim,
                width,
                output.vectors(width),
                net.table().arg(),
                field.arg(),
                log_det.arg(),
                before.arg(),
                self.record as u32,
                net.volume() as u32,
                active_count(net.volume()) as u32,
                tiles(net.batch()) as u32,
                self.map,
                self.direction == Direction::Forward,
                keep,
            );
        }
        Layer { features, hidden, output, before }
    }

    /// Gradients by what the network has written, and by active plaquettes through the map.
    fn turned_back(&self, layer: &Layer, y_gradient: &Buffer, field_gradient: &Buffer) -> [Buffer; 2] {
        let net = &self.net;
        let (gradient, mapped) = (net.room(self.map.parameters()), net.room(1));
        let width = Channels::of(self.map.parameters()).width;
        let (count, dim) = grid(active_count(net.volume()) * tiles(net.batch()), 1);
        // SAFETY: as forwards.
        unsafe {
            turn_back::launch_unchecked(
                net.client(),
                count,
                dim,
                width,
                layer.output.vectors(width),
                layer.before.arg(),
                net.table().arg(),
                y_gradient.arg(),
                field_gradient.arg(),
                gradient.vectors(width),
                mapped.arg(),
                self.record as u32,
                net.volume() as u32,
                active_count(net.volume()) as u32,
                tiles(net.batch()) as u32,
                net.batch() as u32,
                self.map,
                net.activation() == OutputActivation::Tanh,
                self.direction == Direction::Forward,
            );
        }
        [gradient, mapped]
    }

    /// Adds to the gradient by the links.
    fn read_back(&self, layer: &Layer, by_features: &Buffer, mapped: &Buffer, field_gradient: &Buffer) {
        let net = &self.net;
        let (count, dim) = grid(net.volume() * tiles(net.batch()), 1);
        // SAFETY: as forwards; every unit has its own links.
        unsafe {
            read_loops_back::launch_unchecked(
                net.client(),
                count,
                dim,
                layer.features.vectors(4),
                by_features.vectors(4),
                mapped.arg(),
                net.table().arg(),
                field_gradient.arg(),
                self.record as u32,
                net.volume() as u32,
                tiles(net.batch()) as u32,
            );
        }
    }
}

impl Back<Cube> for Kept {
    fn gradients(&self, y_gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let Self { networks, map, direction, packed, layers, batch } = self;
        let (client, device) = (y_gradient.client.clone(), y_gradient.device.clone());
        let (batch, numbers) = (*batch, 2 * networks.volume());
        let y_gradient = Buffer::tensor(y_gradient);
        let field_gradient =
            to_lanes(&client, &y_gradient, links(networks, batch, numbers + 1), Beyond::Zero);
        let partials = wanted[1].then(|| packed.partials(batch));
        for (index, layer) in networks.order(*direction).into_iter().enumerate().rev() {
            let (map, direction, record) = (*map, *direction, packed.plan.records[layer]);
            let net = packed.network(layer, &networks.layers()[layer], batch);
            let (pieces, kept) = (Pieces { net, record, map, direction }, &layers[index]);
            let [gradient, mapped] = pieces.turned_back(kept, &y_gradient, &field_gradient);
            let by_features = (index > 0 || wanted[0]).then(|| (pieces.net.room(FEATURES), Landing::Stored));
            let to = by_features.as_ref().map(|(buffer, landing)| (buffer, *landing));
            pieces.net.backward(&kept.features, &kept.hidden, gradient, partials.as_ref(), to);
            if let Some((by_features, _)) = by_features {
                pieces.read_back(kept, &by_features, &mapped, &field_gradient);
            }
        }
        let by_parameters = partials.map(|partials| {
            let sum = partials.sum(&client, &packed.plan);
            sum.into_tensor(&client, &device, Shape::from([networks.parameter_count()]))
        });
        let by_x = wanted[0].then(|| {
            let by_x = Buffer::empty(&client, batch * numbers);
            from_lanes(&client, &field_gradient, None, &by_x, links(networks, batch, numbers));
            by_x.into_tensor(&client, &device, Shape::from([batch, 2, networks.volume()]))
        });
        vec![by_x, by_parameters]
    }
}
