//! The convolution stack on the CPU: tiles of samples, samples innermost, blocks of sums held in registers.
//!
//! A tile is `LANES` samples laid out as `[site][channel][lane]`. Every load is contiguous whatever the lattice,
//! periodic neighbours are an index table, masked-out sites are not listed. Tiles are independent and their
//! parameter gradients are added in tile order, so results do not depend on the number of threads.

// Register blocks are indexed on both sides; iterators would hide which sum is meant.
#![allow(clippy::needless_range_loop)]

use super::ConvStack;
use super::plan::{Convolution, SiteGroup};
use crate::kernel::vector::{Isa, Portable, Scalar, Vector};
use rayon::prelude::*;
use std::marker::PhantomData;

/// Numbers per site block and channel block: (sites, channels) accumulators, for 32 and for 16 registers.
const BLOCKS_32: &[usize] = &[12, 8, 4, 2, 1];
const BLOCKS_16: &[usize] = &[6, 4, 2, 1];

/// Splits `width` channels into `(first, size)` blocks of the listed sizes, largest first.
fn blocks(width: usize, sizes: &[usize]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut first = 0;
    while first < width {
        let size = *sizes.iter().find(|&&size| size <= width - first).expect("sizes end in 1");
        found.push((first, size));
        first += size;
    }
    found
}

/// Weights of one convolution in the order the kernel reads them: per block of written channels
/// `[tap][read channel][written channel in block]`.
struct Packed<T> {
    blocks: Vec<(usize, usize)>,
    weights: Vec<T>,
}

impl<T: Scalar> Packed<T> {
    /// `weight(read, written, tap)` is the coefficient.
    fn new(
        [read, written, taps]: [usize; 3],
        sizes: &[usize],
        weight: impl Fn(usize, usize, usize) -> T,
    ) -> Self {
        let blocks = blocks(written, sizes);
        let mut weights = Vec::with_capacity(read * written * taps);
        for &(first, size) in &blocks {
            for tap in 0..taps {
                for from in 0..read {
                    weights.extend((first..first + size).map(|to| weight(from, to, tap)));
                }
            }
        }
        Self { blocks, weights }
    }
}

/// Where the samples of a tile come from and go to: `[batch, channels, sites]`.
fn gather<T: Scalar>(from: &[T], channels: usize, volume: usize, lanes: usize, tile: &mut [T]) {
    let samples = from.len() / (channels * volume);
    for site in 0..volume {
        for channel in 0..channels {
            let to = &mut tile[(site * channels + channel) * lanes..][..lanes];
            to.fill(T::default());
            for (lane, value) in to.iter_mut().enumerate().take(samples) {
                *value = from[(lane * channels + channel) * volume + site];
            }
        }
    }
}

fn scatter<T: Scalar>(tile: &[T], channels: usize, volume: usize, lanes: usize, to: &mut [T]) {
    let samples = to.len() / (channels * volume);
    for lane in 0..samples {
        for channel in 0..channels {
            let row = &mut to[(lane * channels + channel) * volume..][..volume];
            for (site, value) in row.iter_mut().enumerate() {
                *value = tile[(site * channels + channel) * lanes + lane];
            }
        }
    }
}

/// What happens to a finished sum before it is stored.
enum Epilogue<'a, V: Vector> {
    /// Add nothing, change nothing.
    Plain,
    /// LeakyReLU of the sum.
    LeakyRelu(V),
    /// Multiply by the derivative of LeakyReLU at the activation stored in the same place.
    LeakyGradient(V, &'a [V::Elem]),
}

/// Sums over taps and read channels for `S` sites and `O` written channels at once.
///
/// # Safety
/// The instruction set of `V` must be there; neighbours must be sites of `from`.
#[inline(always)]
unsafe fn conv_block<V: Vector, const S: usize, const O: usize>(
    from: &[V::Elem],
    read: usize,
    weights: &[V::Elem],
    taps: &[usize],
    neighbours: [&[usize]; S],
    initial: [V; O],
) -> [[V; O]; S] {
    let mut sums = [initial; S];
    for (index, &tap) in taps.iter().enumerate() {
        // SAFETY: a neighbour is a site of the tile `from` and a tap one of the packed weights.
        unsafe {
            let source: [*const V::Elem; S] = std::array::from_fn(|s| {
                from.as_ptr().add(neighbours[s].get_unchecked(index) * read * V::LANES)
            });
            let weight = weights.as_ptr().add(tap * read * O);
            for channel in 0..read {
                let x: [V; S] = std::array::from_fn(|s| V::load(source[s].add(channel * V::LANES)));
                for o in 0..O {
                    let w = V::splat(*weight.add(channel * O + o));
                    for s in 0..S {
                        sums[s][o] = x[s].mul_add(w, sums[s][o]);
                    }
                }
            }
        }
    }
    sums
}

/// One block of written channels for all sites of a group, `S` sites at a time.
///
/// # Safety
/// As [`conv_block`].
#[inline(always)]
unsafe fn conv_group<V: Vector, const S: usize, const O: usize>(
    from: &[V::Elem],
    to: &mut [V::Elem],
    [read, written, first]: [usize; 3],
    weights: &[V::Elem],
    bias: Option<&[V::Elem]>,
    group: &SiteGroup,
    epilogue: &Epilogue<V>,
) {
    // SAFETY: the last block repeats the last site, so every index is a listed site; stores stay inside `to`,
    // which holds `written` channels of `LANES` samples for each site.
    unsafe {
        let initial = std::array::from_fn(|o| V::splat(bias.map_or(V::Elem::default(), |b| b[first + o])));
        let last = group.sites.len() - 1;
        for start in (0..group.sites.len()).step_by(S) {
            let index: [usize; S] = std::array::from_fn(|s| (start + s).min(last));
            let neighbours = index.map(|i| group.neighbours[i].as_slice());
            let sums = conv_block::<V, S, O>(from, read, weights, &group.taps, neighbours, initial);
            for s in 0..S {
                let place = (group.sites[index[s]] * written + first) * V::LANES;
                debug_assert!(place + O * V::LANES <= to.len());
                for o in 0..O {
                    let offset = place + o * V::LANES;
                    let value = match epilogue {
                        Epilogue::Plain => sums[s][o],
                        Epilogue::LeakyRelu(slope) => sums[s][o].leaky_relu(*slope),
                        Epilogue::LeakyGradient(slope, activation) => {
                            sums[s][o].leaky_gradient(V::load(activation.as_ptr().add(offset)), *slope)
                        }
                    };
                    value.store(to.as_mut_ptr().add(offset));
                }
            }
        }
    }
}

/// One convolution of one tile over the listed sites.
///
/// # Safety
/// The instruction set of `V` must be there.
#[inline(always)]
unsafe fn conv<V: Vector>(
    from: &[V::Elem],
    to: &mut [V::Elem],
    [read, written, taps]: [usize; 3],
    packed: &Packed<V::Elem>,
    bias: Option<&[V::Elem]>,
    groups: &[SiteGroup],
    epilogue: &Epilogue<V>,
) {
    for group in groups {
        for &(first, size) in &packed.blocks {
            let weights = &packed.weights[taps * read * first..][..taps * read * size];
            let shape = [read, written, first];
            macro_rules! block {
                ($s:literal, $o:literal) => {
                    // SAFETY: passed on from the caller.
                    unsafe { conv_group::<V, $s, $o>(from, to, shape, weights, bias, group, epilogue) }
                };
            }
            match (V::REGISTERS, size) {
                (32, 12) => block!(2, 12),
                (32, 8) => block!(3, 8),
                (32, 4) => block!(6, 4),
                (32, 2) => block!(12, 2),
                (16, 6) => block!(2, 6),
                (16, 4) => block!(3, 4),
                (16, 2) => block!(6, 2),
                _ => block!(8, 1),
            }
        }
    }
}

/// Weight gradients of `I` read and `O` written channels under one tap, summed over sites and lanes.
///
/// # Safety
/// The instruction set of `V` must be there; pairs must be sites of `x` and `g`.
#[inline(always)]
unsafe fn weight_block<V: Vector, const I: usize, const O: usize>(
    x: &[V::Elem],
    g: &[V::Elem],
    [read, written]: [usize; 2],
    [i0, o0]: [usize; 2],
    pairs: &[(usize, usize)],
) -> [[V::Elem; O]; I] {
    // SAFETY: pairs are sites of the tiles; channels i0..i0+I and o0..o0+O exist.
    unsafe {
        let mut sums = [[V::splat(V::Elem::default()); O]; I];
        for &(from, to) in pairs {
            let x = x.as_ptr().add((from * read + i0) * V::LANES);
            let g = g.as_ptr().add((to * written + o0) * V::LANES);
            let g: [V; O] = std::array::from_fn(|o| V::load(g.add(o * V::LANES)));
            for i in 0..I {
                let x = V::load(x.add(i * V::LANES));
                for o in 0..O {
                    sums[i][o] = x.mul_add(g[o], sums[i][o]);
                }
            }
        }
        sums.map(|row| row.map(|sum| sum.sum()))
    }
}

/// Adds the weight and bias gradients of one convolution of one tile to the packed gradient.
///
/// # Safety
/// The instruction set of `V` must be there.
#[inline(always)]
unsafe fn weight_gradient<V: Vector>(
    convolution: &Convolution,
    x: &[V::Elem],
    g: &[V::Elem],
    gradient: &mut [V::Elem],
) {
    let (read, written, taps) = (convolution.inputs, convolution.outputs, convolution.taps);
    let wide = V::REGISTERS == 32;
    let (read_sizes, written_sizes): (&[usize], &[usize]) = match (wide, read, written) {
        (true, _, 1..=2) => (&[12, 4, 2, 1], &[2, 1]),
        (true, 1..=2, _) => (&[2, 1], BLOCKS_32),
        (true, _, _) => (&[4, 2, 1], &[6, 4, 2, 1]),
        (false, _, 1..=2) => (&[6, 4, 2, 1], &[2, 1]),
        (false, 1..=2, _) => (&[2, 1], BLOCKS_16),
        (false, _, _) => (&[3, 2, 1], &[4, 2, 1]),
    };
    let (read_blocks, written_blocks) = (blocks(read, read_sizes), blocks(written, written_sizes));
    for (tap, pairs) in convolution.pairs.iter().enumerate() {
        for &(i0, i_size) in &read_blocks {
            for &(o0, o_size) in &written_blocks {
                macro_rules! block {
                    ($i:literal, $o:literal) => {{
                        // SAFETY: passed on from the caller.
                        let sums =
                            unsafe { weight_block::<V, $i, $o>(x, g, [read, written], [i0, o0], pairs) };
                        for (i, row) in sums.iter().enumerate() {
                            for (o, &sum) in row.iter().enumerate() {
                                let place = ((o0 + o) * read + i0 + i) * taps + tap;
                                gradient[convolution.weight + place] += sum;
                            }
                        }
                    }};
                }
                match (i_size, o_size) {
                    (12, 2) => block!(12, 2),
                    (12, 1) => block!(12, 1),
                    (6, 2) => block!(6, 2),
                    (6, 1) => block!(6, 1),
                    (4, 6) => block!(4, 6),
                    (4, 4) => block!(4, 4),
                    (4, 2) => block!(4, 2),
                    (4, 1) => block!(4, 1),
                    (3, 4) => block!(3, 4),
                    (3, 2) => block!(3, 2),
                    (3, 1) => block!(3, 1),
                    (2, 12) => block!(2, 12),
                    (2, 8) => block!(2, 8),
                    (2, 6) => block!(2, 6),
                    (2, 4) => block!(2, 4),
                    (2, 2) => block!(2, 2),
                    (2, 1) => block!(2, 1),
                    (1, 12) => block!(1, 12),
                    (1, 8) => block!(1, 8),
                    (1, 6) => block!(1, 6),
                    (1, 4) => block!(1, 4),
                    (1, 2) => block!(1, 2),
                    (1, 1) => block!(1, 1),
                    pair => unreachable!("no kernel for a block of {pair:?} channels"),
                }
            }
        }
    }
    for channel in 0..written {
        // SAFETY: the site is one of the tile `g`, which holds `written` channels for each.
        let sum = unsafe {
            let one = V::splat(V::Elem::from_f64(1.0));
            let mut sum = V::splat(V::Elem::default());
            for site in &convolution.out_sites {
                sum = V::load(g.as_ptr().add((site * written + channel) * V::LANES)).mul_add(one, sum);
            }
            sum.sum()
        };
        gradient[convolution.bias + channel] += sum;
    }
}

/// The stack with its weights packed for one vector type.
struct Network<'a, V: Vector> {
    stack: &'a ConvStack,
    convolutions: &'a [Convolution],
    parameters: &'a [V::Elem],
    forward: Vec<Packed<V::Elem>>,
    backward: Vec<Packed<V::Elem>>,
    vector: PhantomData<V>,
}

impl<'a, V: Vector> Network<'a, V> {
    fn new(stack: &'a ConvStack, parameters: &'a [V::Elem], with_backward: bool) -> Self {
        assert_eq!(parameters.len(), stack.parameter_count(), "packed parameters of {stack:?}");
        let sizes = if V::REGISTERS == 32 { BLOCKS_32 } else { BLOCKS_16 };
        let convolutions = stack.convolutions();
        let pack = |c: &Convolution, mirrored: bool| {
            let weight = |out: usize, input: usize, tap: usize| {
                parameters[c.weight + (out * c.inputs + input) * c.taps + tap]
            };
            match mirrored {
                false => Packed::new([c.inputs, c.outputs, c.taps], sizes, |i, o, t| weight(o, i, t)),
                true => Packed::new([c.outputs, c.inputs, c.taps], sizes, weight),
            }
        };
        let forward = convolutions.iter().map(|c| pack(c, false)).collect();
        let backward = match with_backward {
            true => convolutions.iter().map(|c| pack(c, true)).collect(),
            false => Vec::new(),
        };
        Self { stack, convolutions, parameters, forward, backward, vector: PhantomData }
    }

    fn slope(&self) -> V::Elem {
        V::Elem::from_f64(self.stack.slope)
    }

    fn last(&self) -> usize {
        self.convolutions.len() - 1
    }

    /// Forward pass of a tile: fills the hidden activations and the output tile.
    ///
    /// # Safety
    /// The instruction set of `V` must be there.
    #[inline(always)]
    unsafe fn forward_tile(&self, input: &[V::Elem], hidden: &mut [V::Elem], output: &mut [V::Elem]) {
        let mut from = input;
        let mut rest = hidden;
        for (index, c) in self.convolutions.iter().enumerate() {
            let bias = Some(&self.parameters[c.bias..][..c.outputs]);
            let shape = [c.inputs, c.outputs, c.taps];
            let packed = &self.forward[index];
            // SAFETY: passed on from the caller; tiles have the sizes that the stack prescribes.
            unsafe {
                if index == self.last() {
                    conv::<V>(from, output, shape, packed, bias, &c.forward, &Epilogue::Plain);
                } else {
                    let (to, others) = rest.split_at_mut(self.stack.volume() * c.outputs * V::LANES);
                    let epilogue = Epilogue::LeakyRelu(V::splat(self.slope()));
                    conv::<V>(from, to, shape, packed, bias, &c.forward, &epilogue);
                    (from, rest) = (to, others);
                }
            }
        }
        if self.stack.activation == super::OutputActivation::Tanh {
            let width = self.convolutions[self.last()].outputs * V::LANES;
            for site in &self.convolutions[self.last()].out_sites {
                V::Elem::tanh_in_place(&mut output[site * width..][..width]);
            }
        }
    }

    /// Backward pass of a tile from the gradient `g` before the output activation.
    ///
    /// # Safety
    /// The instruction set of `V` must be there.
    #[inline(always)]
    unsafe fn backward_tile(
        &self,
        input: &[V::Elem],
        hidden: &[V::Elem],
        mut g: Vec<V::Elem>,
        input_gradient: Option<&mut [V::Elem]>,
        gradient: &mut [V::Elem],
    ) {
        let tile = self.stack.volume() * V::LANES;
        let mut end = hidden.len();
        for (index, c) in self.convolutions.iter().enumerate().rev() {
            let start = end - if index == 0 { 0 } else { tile * c.inputs };
            let x = if index == 0 { input } else { &hidden[start..end] };
            let shape = [c.outputs, c.inputs, c.taps];
            // SAFETY: passed on from the caller; tiles have the sizes that the stack prescribes.
            unsafe {
                weight_gradient::<V>(c, x, &g, gradient);
                if index > 0 {
                    let mut next = vec![V::Elem::default(); x.len()];
                    let epilogue = Epilogue::LeakyGradient(V::splat(self.slope()), x);
                    conv::<V>(&g, &mut next, shape, &self.backward[index], None, &c.backward, &epilogue);
                    g = next;
                }
            }
            end = start;
        }
        if let Some(to) = input_gradient {
            let c = &self.convolutions[0];
            let shape = [c.outputs, c.inputs, c.taps];
            // SAFETY: as above.
            unsafe {
                conv::<V>(&g, to, shape, &self.backward[0], None, &c.backward, &Epilogue::Plain);
            }
        }
    }
}

/// Tile functions compiled for one instruction set each.
macro_rules! tile_functions {
    ($vector:ty, $forward:ident, $backward:ident $(, $feature:literal)?) => {
        $(#[target_feature(enable = $feature)])?
        unsafe fn $forward(network: &Network<$vector>, tile: ForwardTile<<$vector as Vector>::Elem>) {
            // SAFETY: the caller has checked that the instruction set is there.
            unsafe { run_forward(network, tile) }
        }
        $(#[target_feature(enable = $feature)])?
        unsafe fn $backward(
            network: &Network<$vector>,
            tile: BackwardTile<<$vector as Vector>::Elem>,
        ) -> Vec<<$vector as Vector>::Elem> {
            // SAFETY: the caller has checked that the instruction set is there.
            unsafe { run_backward(network, tile) }
        }
    };
}

/// Slices of one tile in the forward pass; `hidden` is empty where it need not be kept.
struct ForwardTile<'a, T> {
    x: &'a [T],
    y: &'a mut [T],
    hidden: &'a mut [T],
}

/// Slices of one tile in the backward pass; `x_gradient` is empty where it is not wanted.
struct BackwardTile<'a, T> {
    x: &'a [T],
    y: &'a [T],
    y_gradient: &'a [T],
    hidden: &'a [T],
    x_gradient: &'a mut [T],
}

#[inline(always)]
unsafe fn run_forward<V: Vector>(network: &Network<V>, tile: ForwardTile<V::Elem>) {
    let stack = network.stack;
    let (inputs, outputs) = (stack.channels[0], stack.channels[stack.channels.len() - 1]);
    let volume = stack.volume();
    let mut input = vec![V::Elem::default(); volume * inputs * V::LANES];
    gather(tile.x, inputs, volume, V::LANES, &mut input);
    let mut output = vec![V::Elem::default(); volume * outputs * V::LANES];
    let mut scratch = Vec::new();
    let hidden = match tile.hidden {
        [] => {
            scratch.resize(stack.hidden_width() * volume * V::LANES, V::Elem::default());
            &mut scratch[..]
        }
        kept => kept,
    };
    // SAFETY: passed on from the caller.
    unsafe { network.forward_tile(&input, hidden, &mut output) };
    scatter(&output, outputs, volume, V::LANES, tile.y);
}

#[inline(always)]
unsafe fn run_backward<V: Vector>(network: &Network<V>, tile: BackwardTile<V::Elem>) -> Vec<V::Elem> {
    let stack = network.stack;
    let (inputs, outputs) = (stack.channels[0], stack.channels[stack.channels.len() - 1]);
    let volume = stack.volume();
    let mut input = vec![V::Elem::default(); volume * inputs * V::LANES];
    gather(tile.x, inputs, volume, V::LANES, &mut input);
    let mut g = vec![V::Elem::default(); volume * outputs * V::LANES];
    gather(tile.y_gradient, outputs, volume, V::LANES, &mut g);
    if stack.activation == super::OutputActivation::Tanh {
        let mut y = vec![V::Elem::default(); g.len()];
        gather(tile.y, outputs, volume, V::LANES, &mut y);
        g.iter_mut().zip(&y).for_each(|(g, &y)| *g = V::Elem::tanh_gradient(*g, y));
    }
    let mut gradient = vec![V::Elem::default(); network.parameters.len()];
    let wanted = !tile.x_gradient.is_empty();
    let mut input_gradient = vec![V::Elem::default(); if wanted { input.len() } else { 0 }];
    let to = wanted.then_some(&mut input_gradient[..]);
    // SAFETY: passed on from the caller.
    unsafe { network.backward_tile(&input, tile.hidden, g, to, &mut gradient) };
    if wanted {
        scatter(&input_gradient, inputs, volume, V::LANES, tile.x_gradient);
    }
    gradient
}

#[cfg(target_arch = "x86_64")]
use crate::kernel::vector::{Avx2, Avx512};
#[cfg(target_arch = "x86_64")]
tile_functions!(Avx512, forward_avx512, backward_avx512, "avx512f");
#[cfg(target_arch = "x86_64")]
tile_functions!(Avx2, forward_avx2, backward_avx2, "avx2,fma");
#[cfg(target_arch = "aarch64")]
use crate::kernel::vector::Neon;
#[cfg(target_arch = "aarch64")]
tile_functions!(Neon, forward_neon, backward_neon, "neon");
tile_functions!(Portable<f32>, forward_portable, backward_portable);
tile_functions!(Portable<f64>, forward_f64, backward_f64);

/// An element type with the kernels that compute on it.
pub trait KernelScalar: Scalar {
    /// `[batch, in, T, X]` → `[batch, out, T, X]`, with the hidden activations if `keep`.
    fn forward(isa: Isa, stack: &ConvStack, x: &[Self], theta: &[Self], keep: bool)
    -> (Vec<Self>, Vec<Self>);
    /// Gradients by `x` (empty unless wanted) and by the packed parameters.
    fn backward(isa: Isa, stack: &ConvStack, theta: &[Self], pass: Pass<Self>) -> (Vec<Self>, Vec<Self>);
}

/// What the backward pass reads, all `[batch, …]`, and whether the gradient by `x` is wanted.
pub struct Pass<'a, T> {
    /// Input of the forward pass.
    pub x: &'a [T],
    /// Output of the forward pass.
    pub y: &'a [T],
    /// Hidden activations the forward pass kept.
    pub hidden: &'a [T],
    /// Gradient by the output.
    pub y_gradient: &'a [T],
    /// Whether to compute the gradient by `x`.
    pub want_x: bool,
}

impl KernelScalar for f32 {
    fn forward(isa: Isa, stack: &ConvStack, x: &[f32], theta: &[f32], keep: bool) -> (Vec<f32>, Vec<f32>) {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => forward::<Avx512>(forward_avx512, stack, x, theta, keep),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => forward::<Avx2>(forward_avx2, stack, x, theta, keep),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => forward::<Neon>(forward_neon, stack, x, theta, keep),
            Isa::Portable => forward::<Portable<f32>>(forward_portable, stack, x, theta, keep),
        }
    }

    fn backward(isa: Isa, stack: &ConvStack, theta: &[f32], pass: Pass<f32>) -> (Vec<f32>, Vec<f32>) {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => backward::<Avx512>(backward_avx512, stack, theta, pass),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => backward::<Avx2>(backward_avx2, stack, theta, pass),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => backward::<Neon>(backward_neon, stack, theta, pass),
            Isa::Portable => backward::<Portable<f32>>(backward_portable, stack, theta, pass),
        }
    }
}

impl KernelScalar for f64 {
    fn forward(_: Isa, stack: &ConvStack, x: &[f64], theta: &[f64], keep: bool) -> (Vec<f64>, Vec<f64>) {
        forward::<Portable<f64>>(forward_f64, stack, x, theta, keep)
    }

    fn backward(_: Isa, stack: &ConvStack, theta: &[f64], pass: Pass<f64>) -> (Vec<f64>, Vec<f64>) {
        backward::<Portable<f64>>(backward_f64, stack, theta, pass)
    }
}

/// `unsafe`: may be called only where the instruction set of `V` is present.
type ForwardFn<V> = unsafe fn(&Network<V>, ForwardTile<<V as Vector>::Elem>);
/// `unsafe`: may be called only where the instruction set of `V` is present.
type BackwardFn<V> = unsafe fn(&Network<V>, BackwardTile<<V as Vector>::Elem>) -> Vec<<V as Vector>::Elem>;

fn forward<V: Vector + Sync>(
    run: ForwardFn<V>,
    stack: &ConvStack,
    x: &[V::Elem],
    theta: &[V::Elem],
    keep: bool,
) -> (Vec<V::Elem>, Vec<V::Elem>) {
    let sizes = TileSizes::new::<V>(stack, x.len());
    let network = Network::<V>::new(stack, theta, false);
    let mut y = vec![V::Elem::default(); sizes.batch * sizes.output / V::LANES];
    let mut hidden = vec![V::Elem::default(); if keep { sizes.tiles * sizes.hidden } else { 0 }];
    let mut kept: Vec<&mut [V::Elem]> = match keep && sizes.hidden > 0 {
        true => hidden.chunks_mut(sizes.hidden).collect(),
        false => (0..sizes.tiles).map(|_| &mut [][..]).collect(),
    };
    x.par_chunks(sizes.input).zip(y.par_chunks_mut(sizes.output)).zip(kept.par_iter_mut()).for_each(
        // SAFETY: `Isa` values other than Portable exist only where the instruction set was detected.
        |((x, y), hidden)| unsafe { run(&network, ForwardTile { x, y, hidden }) },
    );
    (y, hidden)
}

fn backward<V: Vector + Sync>(
    run: BackwardFn<V>,
    stack: &ConvStack,
    theta: &[V::Elem],
    pass: Pass<V::Elem>,
) -> (Vec<V::Elem>, Vec<V::Elem>) {
    let sizes = TileSizes::new::<V>(stack, pass.x.len());
    let network = Network::<V>::new(stack, theta, true);
    let mut x_gradient = vec![V::Elem::default(); if pass.want_x { pass.x.len() } else { 0 }];
    let mut wanted: Vec<&mut [V::Elem]> = match pass.want_x {
        true => x_gradient.chunks_mut(sizes.input).collect(),
        false => (0..sizes.tiles).map(|_| &mut [][..]).collect(),
    };
    let gradients: Vec<Vec<V::Elem>> = wanted
        .par_iter_mut()
        .enumerate()
        .map(|(tile, x_gradient)| {
            let part = |all: &'_ [V::Elem], size: usize| -> std::ops::Range<usize> {
                tile * size..((tile + 1) * size).min(all.len())
            };
            let tile = BackwardTile {
                x: &pass.x[part(pass.x, sizes.input)],
                y: &pass.y[part(pass.y, sizes.output)],
                y_gradient: &pass.y_gradient[part(pass.y_gradient, sizes.output)],
                hidden: &pass.hidden[part(pass.hidden, sizes.hidden)],
                x_gradient,
            };
            // SAFETY: as in `forward`.
            unsafe { run(&network, tile) }
        })
        .collect();
    let mut theta_gradient = vec![V::Elem::default(); theta.len()];
    for gradient in &gradients {
        theta_gradient.iter_mut().zip(gradient).for_each(|(sum, &term)| *sum += term);
    }
    (x_gradient, theta_gradient)
}

/// Elements per tile of every array, and how many tiles there are.
struct TileSizes {
    batch: usize,
    tiles: usize,
    input: usize,
    output: usize,
    hidden: usize,
}

impl TileSizes {
    fn new<V: Vector>(stack: &ConvStack, x_len: usize) -> Self {
        let tile = stack.volume() * V::LANES;
        let batch = x_len / (stack.channels[0] * stack.volume());
        Self {
            batch,
            tiles: batch.div_ceil(V::LANES),
            input: stack.channels[0] * tile,
            output: stack.channels[stack.channels.len() - 1] * tile,
            hidden: stack.hidden_width() * tile,
        }
    }
}
