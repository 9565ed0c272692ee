//! Which stacks of couplings can be taken through all layers in one launch, and where everything is then.

use crate::kernel::conv_stack::ConvStack;
use crate::kernel::conv_stack::OutputActivation;
use crate::kernel::conv_stack::plan::{Convolution, SiteGroup};
use crate::kernel::coupling::gpu_map::{GpuLayer, Subject};
use crate::kernel::coupling::networks::Networks;
use crate::kernel::gpu::layout::Channels;
use crate::kernel::gpu::shape::GatherShape;
use crate::kernel::gpu::{LANES, tiles};
use burn_cubecl::cubecl::client::Client;

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

/// The networks of a stack that fits, and what its layers do beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resident {
    /// Channels from input to output of every network; those beyond the last convolution are zero.
    pub channels: [usize; MOST + 1],
    pub convolutions: usize,
    pub volume: usize,
    taps: usize,
    pub layer: GpuLayer,
    /// Whether the networks end in tanh.
    pub tanh: bool,
    /// Units of a workgroup.
    pub units: usize,
    /// Whether shared memory has room for the weights of a convolution too.
    pub near_weights: bool,
}

impl Resident {
    /// The shape of a stack, if it and a batch can be taken this way.
    pub fn of(networks: &Networks, layer: GpuLayer, batch: usize, client: &Client) -> Option<Self> {
        let (layers, network) = (networks.layers(), &networks.layers()[0]);
        let convolutions = network.channels.len() - 1;
        let alike = networks.alike.get_or_init(|| layers.iter().all(|layer| alike(layer, network)));
        // Without hidden layers a network would read the field while it changes.
        if !alike
            || !(2..=MOST).contains(&convolutions)
            || batch > SAMPLES
            || networks.plans.forced().is_some()
        {
            return None;
        }
        let mut channels = [0; MOST + 1];
        channels[..=convolutions].copy_from_slice(&network.channels);
        let (volume, taps) = (network.volume(), network.taps());
        let units = volume.div_ceil(volume.div_ceil(UNITS)).next_multiple_of(TOGETHER);
        let tanh = network.activation == OutputActivation::Tanh;
        let mut shape = Self { channels, convolutions, volume, taps, layer, tanh, units, near_weights: true };
        let kept = layers.len() * tiles(batch) * LANES * shape.volume * shape.kept_words();
        let room = SHARED_BYTES.min(client.properties().hardware.max_shared_memory_size);
        shape.near_weights = shape.shared_bytes() <= room;
        (shape.shared_bytes() <= room && size_of::<f32>() * kept <= KEPT_BYTES).then_some(shape)
    }

    /// Numbers that the last convolution and those before it write, per site, with padding.
    pub fn held(&self, convolutions: std::ops::RangeInclusive<usize>) -> usize {
        convolutions.map(|c| Channels::of(self.channels[c]).padded()).sum()
    }

    /// Numbers of the field.
    pub fn numbers(&self) -> usize {
        self.layer.subject.components() * self.volume
    }

    /// Numbers that a layer keeps, per site.
    pub fn kept_words(&self) -> usize {
        let mapped = match self.layer.subject {
            // A field before a layer is what its network reads.
            Subject::Sites => 0,
            Subject::Plaquettes => 1,
        };
        self.held(0..=self.convolutions) + mapped
    }

    /// Where plaquettes before the map are among what a layer keeps, per site.
    pub fn before(&self) -> usize {
        self.held(0..=self.convolutions)
    }

    /// Where the inputs of convolution `c` are among what a layer keeps, per site; the last are the parameters of the map.
    pub fn kept(&self, c: usize) -> usize {
        if c == 0 { 0 } else { self.held(0..=c - 1) }
    }

    /// Where the gradient by the outputs of convolution `c` is among those of a layer, per site.
    pub fn gradient(&self, c: usize) -> usize {
        if c == 0 { 0 } else { self.held(1..=c) }
    }

    /// Numbers of a side of [`Self::shared_words`].
    fn side(&self) -> usize {
        self.volume * self.channels.iter().max().expect("there are some")
    }

    /// The field or its gradient, the log det or the gradient by plaquettes, then two sides between which activations go to and fro.
    pub fn shared_words(&self) -> usize {
        self.numbers() + self.volume + 2 * self.side()
    }

    /// What a unit does in convolution `c`, forwards or for the gradient by its inputs.
    pub fn gathered(&self, c: usize, back: bool) -> GatherShape {
        let (from, to) = if back { (c + 1, c) } else { (c, c + 1) };
        let shape = GatherShape::resident([self.channels[from], self.channels[to], self.taps], !back);
        GatherShape { shared: self.near_weights, ..shape }
    }

    /// Vectors of weights of convolution `c`, forwards or for its gradient.
    pub fn vectors(&self, c: usize, back: bool) -> usize {
        self.gathered(c, back).weights()
    }

    /// The most of any convolution, which shared memory is for.
    pub fn weight_vectors(&self) -> usize {
        let most = (0..self.convolutions).flat_map(|c| [self.vectors(c, false), self.vectors(c, true)]).max();
        most.filter(|_| self.near_weights).unwrap_or(1)
    }

    /// Shared memory of a workgroup.
    fn shared_bytes(&self) -> usize {
        size_of::<f32>() * (self.shared_words() + 4 * self.weight_vectors())
    }

    /// Where convolution `c` of a pass writes in shared memory.
    pub fn side_of(&self, c: usize) -> usize {
        self.numbers() + self.volume + c % 2 * self.side()
    }

    /// Where convolution `c` of a pass reads in shared memory: the field, or features on the side that the second one writes.
    pub fn read_by(&self, c: usize) -> usize {
        match (c, self.layer.subject) {
            (0, Subject::Sites) => 0,
            (0, Subject::Plaquettes) => self.side_of(1),
            _ => self.side_of(c - 1),
        }
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
    (&a.channels, a.kernel_size, a.slope, a.activation) == (&b.channels, b.kernel_size, b.slope, b.activation)
        && a.convolutions().iter().map(lists).eq(b.convolutions().iter().map(lists))
}
