//! The affine flow on a GPU for small batches: one launch forwards, one backwards, and one for each gradient by weights.
//!
//! A workgroup takes one sample through all layers. Field and activations stay in shared memory, so that layers wait for each
//! other at a barrier and not at the end of a launch, which costs more than the arithmetic of a small batch. Every sum has the
//! order of the tiled kernels: both give the same bits.

use super::gpu::{coupled, uncoupled};
use super::{AffineFlow, Direction};
use crate::kernel::conv_stack::ConvStack;
use crate::kernel::conv_stack::plan::{Convolution, SiteGroup};
use crate::kernel::gpu::layout::Channels;
use crate::kernel::gpu::plan::directory;
use crate::kernel::gpu::weights::Operand;
use crate::kernel::gpu::{Buffer, LANES, Mode, Packed, tiles};
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::client::Client;
use cubecl::prelude::*;

/// Units of a workgroup, at most: every adapter has them.
const UNITS: usize = 256;

/// Units that run together on most GPUs; a workgroup is a multiple of them.
const TOGETHER: usize = 32;

/// Convolutions of a network, at most.
const MOST: usize = 6;

/// Samples, at most: with more, the tiled kernels keep a card busy, and load a weight for several samples at once.
const SAMPLES: usize = 512;

/// Bytes of shared memory, at most: several workgroups have to fit a multiprocessor.
const SHARED_BYTES: usize = 1 << 15;

/// Bytes of the activations of all layers, at most; their gradients take as many.
const KEPT_BYTES: usize = 1 << 29;

/// The networks of a flow that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resident {
    /// Channels from input to output of every network; those beyond the last convolution are zero.
    channels: [usize; MOST + 1],
    convolutions: usize,
    volume: usize,
    taps: usize,
    /// Units of a workgroup.
    units: usize,
    /// Whether shared memory has room for the weights of a convolution too.
    near_weights: bool,
}

impl Resident {
    /// The shape of a flow, if it and a batch can be taken this way.
    pub fn of(flow: &AffineFlow, batch: usize, client: &Client) -> Option<Self> {
        let network = &flow.layers[0];
        let convolutions = network.channels.len() - 1;
        let alike = flow.alike.get_or_init(|| flow.layers.iter().all(|layer| alike(layer, network)));
        // Without hidden layers a network would read the field while it changes.
        if !alike || !(2..=MOST).contains(&convolutions) || batch > SAMPLES || flow.plans.forced().is_some() {
            return None;
        }
        let mut channels = [0; MOST + 1];
        channels[..=convolutions].copy_from_slice(&network.channels);
        let (volume, taps) = (flow.volume(), network.kernel_size * network.kernel_size);
        let units = volume.div_ceil(volume.div_ceil(UNITS)).next_multiple_of(TOGETHER);
        let mut shape = Self { channels, convolutions, volume, taps, units, near_weights: true };
        let kept = flow.layers.len() * tiles(batch) * LANES * shape.volume * shape.held(0..=convolutions);
        let room = SHARED_BYTES.min(client.properties().hardware.max_shared_memory_size);
        shape.near_weights = size_of::<f32>() * (shape.shared_words() + 4 * shape.weight_vectors()) <= room;
        let fits = size_of::<f32>() * shape.shared_words() <= room && size_of::<f32>() * kept <= KEPT_BYTES;
        fits.then_some(shape)
    }

    /// Numbers that the last convolution and those before it write, per site, with padding.
    fn held(&self, convolutions: std::ops::RangeInclusive<usize>) -> usize {
        convolutions.map(|c| Channels::of(self.channels[c]).padded()).sum()
    }

    /// Where the inputs of convolution `c` are among what a layer keeps, per site; the last are `(s, t)`.
    fn kept(&self, c: usize) -> usize {
        if c == 0 { 0 } else { self.held(0..=c - 1) }
    }

    /// Where the gradient by the outputs of convolution `c` is among those of a layer, per site.
    fn gradient(&self, c: usize) -> usize {
        if c == 0 { 0 } else { self.held(1..=c) }
    }

    /// Numbers of a side of [`Self::shared_words`].
    fn side(&self) -> usize {
        self.volume * self.channels.iter().max().expect("there are some")
    }

    /// The field or its gradient, the log det, then two sides between which activations go to and fro.
    fn shared_words(&self) -> usize {
        2 * (self.volume + self.side())
    }

    /// Vectors of weights of convolution `c`, forwards or for its gradient.
    fn vectors(&self, c: usize, back: bool) -> usize {
        let (from, to) = if back { (c + 1, c) } else { (c, c + 1) };
        self.taps * self.channels[from] * self.channels[to].div_ceil(4)
    }

    /// The most of any convolution, which shared memory is for.
    fn weight_vectors(&self) -> usize {
        let most = (0..self.convolutions).flat_map(|c| [self.vectors(c, false), self.vectors(c, true)]).max();
        most.filter(|_| self.near_weights).unwrap_or(1)
    }

    /// Where convolution `c` of a pass writes in shared memory.
    fn side_of(&self, c: usize) -> usize {
        2 * self.volume + c % 2 * self.side()
    }
}

/// Whether networks differ only in which sites their lists name, and in the order of the lists.
fn alike(a: &ConvStack, b: &ConvStack) -> bool {
    let taps = |groups: &[SiteGroup]| {
        let mut taps: Vec<usize> = groups.iter().map(|group| group.taps.len()).collect();
        taps.sort_unstable();
        taps
    };
    let lists = |c: &Convolution| [taps(&c.forward), taps(&c.backward)];
    (&a.channels, a.kernel_size, a.slope) == (&b.channels, b.kernel_size, b.slope)
        && a.convolutions().iter().map(lists).eq(b.convolutions().iter().map(lists))
}

/// The sample of a workgroup.
#[derive(CubeType)]
struct Sample {
    index: usize,
    tile: usize,
    lane: usize,
}

#[cube]
fn sample() -> Sample {
    let index = (CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize;
    Sample { index, tile: index / LANES, lane: index % LANES }
}

/// The word of a channel of a site of a sample, as the tiled kernels keep them.
#[cube]
fn word_of(
    sample: &Sample,
    site: usize,
    #[comptime] channel: usize,
    #[comptime] volume: usize,
    #[comptime] held: Channels,
) -> usize {
    let vector = (sample.tile * volume + site) * comptime!(held.vectors) + comptime!(channel / held.width);
    (vector * LANES + sample.lane) * comptime!(held.width) + comptime!(channel % held.width)
}

/// Copies the weights of a convolution to shared memory, if they are to be there, and waits for all units.
#[cube]
fn bring(
    near_weights: &mut Shared<[Vector<f32, Const<4>>]>,
    weights: &[Vector<f32, Const<4>>],
    first_weight: usize,
    #[comptime] vectors: usize,
    #[comptime] shape: Resident,
) {
    if comptime!(shape.near_weights) {
        for round in 0..comptime!(vectors.div_ceil(shape.units)) {
            let k = round * shape.units + UNIT_POS as usize;
            if k < vectors {
                near_weights[k] = weights[first_weight + k];
            }
        }
    }
    sync_cube();
}

/// `Σ_taps Σ_inputs weight · x` of all output channels of one site from shared memory, starting from the bias, or from zero.
#[cube]
#[allow(clippy::too_many_arguments)]
fn gather(
    near: &Shared<[f32]>,
    near_weights: &Shared<[Vector<f32, Const<4>>]>,
    weights: &[Vector<f32, Const<4>>],
    table: &[u32],
    header: usize,
    first_weight: usize,
    bias: usize,
    #[comptime] from: usize,
    #[comptime] inputs: usize,
    #[comptime] vectors: usize,
    #[comptime] with_bias: bool,
    #[comptime] shape: Resident,
) -> Array<Vector<f32, Const<4>>> {
    let mut sums = Array::<Vector<f32, Const<4>>>::new(vectors);
    #[unroll]
    for v in 0..vectors {
        sums[v] = if comptime!(with_bias) { weights[bias + v] } else { Vector::new(0.0) };
    }
    let (taps, tap_count) = (table[header] as usize, table[header + 1] as usize);
    let neighbours = table[header + 2] as usize;
    let (volume, is_near) = comptime!((shape.volume, shape.near_weights));
    let unroll = comptime!((1..=4).rev().find(|n| inputs.is_multiple_of(*n)).unwrap_or(1));
    for tap in 0..tap_count {
        let mut place = from + table[neighbours + tap] as usize;
        let mut row = table[taps + tap] as usize * comptime!(inputs * vectors);
        if comptime!(!is_near) {
            row += first_weight;
        }
        for _ in 0..comptime!(inputs / unroll) {
            #[unroll]
            for u in 0..unroll {
                let value = Vector::new(near[place + comptime!(u * volume)]);
                #[unroll]
                for v in 0..vectors {
                    let k = row + comptime!(u * vectors + v);
                    let weight = if comptime!(is_near) { near_weights[k] } else { weights[k] };
                    sums[v] = fma(value, weight, sums[v]);
                }
            }
            place += comptime!(unroll * volume);
            row += comptime!(unroll * vectors);
        }
    }
    sums
}

/// `value` times the slope where `sign` is negative.
#[cube]
fn leaky(value: f32, sign: f32, slope: f32) -> f32 {
    select(sign < 0.0, value * slope, value)
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn all_layers(
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
    let sample = sample();
    let mut near = Shared::<[f32]>::new_slice(comptime!(shape.shared_words()));
    let mut near_weights = Shared::<[Vector<f32, Const<4>>]>::new_slice(comptime!(shape.weight_vectors()));
    let source = min(sample.index, batch as usize - 1) * volume;
    for round in 0..comptime!(volume.div_ceil(shape.units)) {
        let site = round * shape.units + UNIT_POS as usize;
        if site < volume {
            near[site] = x[source + site];
            near[volume + site] = f32::new(0.0);
        }
    }
    let span = tiles as usize * comptime!(LANES * volume);
    for step in 0..layers as usize {
        let layer = if comptime!(forward) { step } else { layers as usize - 1 - step };
        let first = layer * comptime!(shape.held(0..=convolutions));
        if comptime!(keep) {
            for round in 0..comptime!(volume.div_ceil(shape.units)) {
                let site = round * shape.units + UNIT_POS as usize;
                if site < volume {
                    kept[first * span + word_of(&sample, site, 0usize, volume, comptime!(Channels::of(1)))] =
                        near[site];
                }
            }
        }
        #[unroll]
        for c in 0..convolutions {
            let row = rows as usize + (layer * convolutions + c) * directory::WORDS + directory::FORWARD;
            let (headers, blocks) = (table[row] as usize, table[row + 1] as usize);
            let (inputs, outputs) = comptime!((shape.channels[c], shape.channels[c + 1]));
            let held = comptime!(Channels::of(outputs));
            let from = comptime!(if c == 0 { 0 } else { shape.side_of(c - 1) });
            let region = (first + comptime!(shape.kept(c + 1))) * span;
            let first_weight = table[row + 2] as usize;
            bring(&mut near_weights, weights, first_weight, comptime!(shape.vectors(c, false)), shape);
            let mut block = UNIT_POS as usize;
            while block < blocks {
                let header = headers + block * 5;
                let sums = gather(
                    &near,
                    &near_weights,
                    weights,
                    table,
                    header,
                    first_weight,
                    table[row + 3] as usize,
                    from,
                    inputs,
                    comptime!(outputs.div_ceil(4)),
                    true,
                    shape,
                );
                let site = table[header + 4] as usize;
                if comptime!(c + 1 == convolutions) {
                    let after =
                        coupled(sums[0].extract(0usize), sums[0].extract(1usize), near[site], forward);
                    near[site] = after.field;
                    near[volume + site] += after.log_det;
                    if comptime!(keep) {
                        kept[region + word_of(&sample, site, 0usize, volume, held)] = after.s;
                        kept[region + word_of(&sample, site, 1usize, volume, held)] = after.t;
                    }
                } else {
                    #[unroll]
                    for channel in 0..outputs {
                        let sum = sums[comptime!(channel / 4)].extract(comptime!(channel % 4));
                        let value = leaky(sum, sum, slope);
                        near[comptime!(shape.side_of(c) + channel * volume) + site] = value;
                        if comptime!(keep) {
                            kept[region + word_of(&sample, site, channel, volume, held)] = value;
                        }
                    }
                }
                block += shape.units;
            }
            // Before its weights make room for others, and before other units read the field.
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

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments, clippy::collapsible_if)]
fn all_layers_back(
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
    let sample = sample();
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
    let span = tiles as usize * comptime!(LANES * volume);
    let (one, two) = comptime!((Channels::of(1), Channels::of(2)));
    for step in 0..layers as usize {
        let layer = if comptime!(forward) { layers as usize - 1 - step } else { step };
        let first = layer * comptime!(shape.held(0..=convolutions));
        let first_gradient = layer * comptime!(shape.held(1..=convolutions));
        let row = rows as usize + (layer + 1) * comptime!(convolutions * directory::WORDS) - directory::WORDS;
        let (headers, blocks) = (table[row] as usize, table[row + 1] as usize);
        sync_cube();
        let mut block = UNIT_POS as usize;
        while block < blocks {
            let site = table[headers + block * 5 + 4] as usize;
            let output = (first + comptime!(shape.kept(convolutions))) * span;
            let s = kept[output + word_of(&sample, site, 0usize, volume, two)];
            let t = kept[output + word_of(&sample, site, 1usize, volume, two)];
            let before = kept[first * span + word_of(&sample, site, 0usize, volume, one)];
            let by = uncoupled(s, t, before, near[site], by_log_det, forward);
            near[site] = by.field;
            let region = (first_gradient + comptime!(shape.gradient(convolutions - 1))) * span;
            let side = comptime!(shape.side_of(convolutions - 1));
            near[side + site] = by.s;
            near[side + volume + site] = by.t;
            gradients[region + word_of(&sample, site, 0usize, volume, two)] = by.s;
            gradients[region + word_of(&sample, site, 1usize, volume, two)] = by.t;
            block += shape.units;
        }
        #[unroll]
        for reversed in 0..convolutions {
            let c = comptime!(convolutions - 1 - reversed);
            let row = rows as usize + (layer * convolutions + c) * directory::WORDS + directory::BACKWARD;
            let (headers, blocks) = (table[row] as usize, table[row + 1] as usize);
            let (inputs, outputs) = comptime!((shape.channels[c], shape.channels[c + 1]));
            let held = comptime!(Channels::of(inputs));
            let first_weight = table[row + 2] as usize;
            // Before the weights of the convolution before it make room.
            if comptime!(shape.near_weights && reversed > 0) {
                sync_cube();
            }
            bring(&mut near_weights, weights, first_weight, comptime!(shape.vectors(c, true)), shape);
            let mut block = UNIT_POS as usize;
            while block < blocks {
                let header = headers + block * 5;
                let sums = gather(
                    &near,
                    &near_weights,
                    weights,
                    table,
                    header,
                    first_weight,
                    0usize,
                    comptime!(shape.side_of(c)),
                    outputs,
                    comptime!(inputs.div_ceil(4)),
                    false,
                    shape,
                );
                let site = table[header + 4] as usize;
                if comptime!(c == 0) {
                    near[site] += sums[0].extract(0usize);
                } else {
                    let activation = (first + comptime!(shape.kept(c))) * span;
                    let region = (first_gradient + comptime!(shape.gradient(c - 1))) * span;
                    #[unroll]
                    for channel in 0..inputs {
                        let word = word_of(&sample, site, channel, volume, held);
                        let sum = sums[comptime!(channel / 4)].extract(comptime!(channel % 4));
                        let value = leaky(sum, kept[activation + word], slope);
                        near[comptime!(shape.side_of(c - 1) + channel * volume) + site] = value;
                        gradients[region + word] = value;
                    }
                }
                block += shape.units;
            }
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

/// A pass through the flow, and what its backward pass needs.
#[derive(Debug)]
pub struct Saved {
    shape: Resident,
    packed: Packed,
    /// Per layer the field before it, its hidden activations, `(s, t)`.
    kept: Buffer,
    batch: usize,
}

/// A workgroup for each sample of whole tiles.
fn workgroups(batch: usize, shape: &Resident) -> (CubeCount, CubeDim) {
    (CubeCount::Static((tiles(batch) * LANES) as u32, 1, 1), CubeDim::new_1d(shape.units as u32))
}

/// See [`super::gpu::forward`].
pub fn forward(
    x: CubeTensor,
    parameters: CubeTensor,
    flow: &AffineFlow,
    shape: Resident,
    direction: Direction,
    keep: bool,
) -> (CubeTensor, Saved) {
    let (client, device) = (x.client.clone(), x.device.clone());
    let (x, parameters) = (Buffer::tensor(x), Buffer::tensor(parameters));
    let (batch, layers) = (x.words() / shape.volume, flow.layers.len());
    let plan = flow.plans.get(&client, &device, Mode::Resident, &flow.networks());
    let packed = Packed::new(&client, plan, &parameters);
    let per_site = if keep { shape.held(0..=shape.convolutions) } else { 0 };
    let kept = Buffer::empty(&client, (layers * tiles(batch) * LANES * shape.volume * per_site).max(1));
    let y = Buffer::empty(&client, batch * (shape.volume + 1));
    let (count, dim) = workgroups(batch, &shape);
    // SAFETY: the plan lists only sites of the lattice and rows of the packed weights, and `kept` has whole tiles.
    unsafe {
        all_layers::launch_unchecked(
            &client,
            count,
            dim,
            x.arg(),
            packed.weights.vectors(4),
            packed.plan.table.arg(),
            y.arg(),
            kept.arg(),
            packed.plan.directory as u32,
            layers as u32,
            tiles(batch) as u32,
            batch as u32,
            flow.layers[0].slope as f32,
            shape,
            direction == Direction::Forward,
            keep,
        );
    }
    let y = y.into_tensor(&client, &device, Shape::from([batch, shape.volume + 1]));
    (y, Saved { shape, packed, kept, batch })
}

/// See [`super::gpu::backward`].
pub fn backward(
    saved: &Saved,
    y_gradient: CubeTensor,
    flow: &AffineFlow,
    direction: Direction,
    want_x: bool,
) -> (Option<CubeTensor>, CubeTensor) {
    let Saved { shape, packed, kept, batch } = saved;
    let (client, device) = (y_gradient.client.clone(), y_gradient.device.clone());
    let (batch, layers, plan) = (*batch, flow.layers.len(), &packed.plan);
    let span = tiles(batch) * LANES * shape.volume;
    let (per_layer, per_layer_back) =
        (span * shape.held(0..=shape.convolutions), span * shape.held(1..=shape.convolutions));
    let gradients = Buffer::empty(&client, layers * per_layer_back);
    let by_x = Buffer::empty(&client, if want_x { batch * shape.volume } else { 1 });
    let (count, dim) = workgroups(batch, shape);
    // SAFETY: as forwards.
    unsafe {
        all_layers_back::launch_unchecked(
            &client,
            count,
            dim,
            kept.arg(),
            packed.weights.vectors(4),
            plan.table.arg(),
            Buffer::tensor(y_gradient).arg(),
            gradients.arg(),
            by_x.arg(),
            plan.directory as u32,
            layers as u32,
            tiles(batch) as u32,
            batch as u32,
            flow.layers[0].slope as f32,
            *shape,
            direction == Direction::Forward,
            want_x,
        );
    }
    let partials = packed.partials(batch);
    for c in 0..shape.convolutions {
        let x = Operand { buffer: kept, start: span * shape.kept(c), stride: per_layer };
        let gradient =
            Operand { buffer: &gradients, start: span * shape.gradient(c), stride: per_layer_back };
        partials.add(&client, plan, [0, c, layers], &x, &gradient, [shape.volume, batch]);
    }
    let by_parameters = partials.sum(&client, plan);
    let by_parameters = by_parameters.into_tensor(&client, &device, Shape::from([flow.parameter_count()]));
    let [t, s] = flow.extents();
    let by_x = want_x.then(|| by_x.into_tensor(&client, &device, Shape::from([batch, 1, t, s])));
    (by_x, by_parameters)
}
