//! The affine flow on a GPU for small batches: one launch forwards, one backwards, and one for each gradient by weights.
//!
//! A workgroup takes one sample through all layers. Field and activations stay in shared memory, so that layers wait for each
//! other at a barrier and not at the end of a launch, which costs more than the arithmetic of a small batch. Every sum has the
//! order of the tiled kernels: both give the same bits.

mod kernels;

use super::{AffineFlow, Direction};
use crate::kernel::conv_stack::ConvStack;
use crate::kernel::conv_stack::plan::{Convolution, SiteGroup};
use crate::kernel::gpu::layout::Channels;
use crate::kernel::gpu::weights::Operand;
use crate::kernel::gpu::{Buffer, LANES, Mode, Packed, tiles};
use burn::tensor::Shape;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::prelude::{CubeCount, CubeDim};
use burn_cubecl::tensor::CubeTensor;
use kernels::{all_layers, all_layers_back};

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
        shape.near_weights = shape.shared_bytes() <= room;
        (shape.shared_bytes() <= room && size_of::<f32>() * kept <= KEPT_BYTES).then_some(shape)
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

    /// Shared memory of a workgroup.
    fn shared_bytes(&self) -> usize {
        size_of::<f32>() * (self.shared_words() + 4 * self.weight_vectors())
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
