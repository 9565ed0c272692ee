//! The convolution stack on the CPU: tiles of samples, samples innermost, blocks of sums held in registers.
//!
//! A tile is `LANES` samples laid out as `[site][channel][lane]`. Every load is contiguous whatever the lattice,
//! periodic neighbours are an index table, masked-out sites are not listed. Tiles are independent and their
//! parameter gradients are added in tile order, so results do not depend on the number of threads.

// Register blocks are indexed by plain loops: a closure handed to `map` or `from_fn` is a function of its own, which
// need not be inlined into the `#[target_feature]` function and then computes without the instruction set.
#![allow(clippy::needless_range_loop)]

use super::ConvStack;
use super::plan::{Convolution, SiteGroup};
use crate::kernel::pool::{give, take};
use crate::kernel::vector::{Isa, Kernel, Scalar, Vector, vector_shape};
use rayon::prelude::*;

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

/// Samples `[sample, channel, site]` as a tile `[site][channel][lane]`; lanes without a sample are zero.
pub(in crate::kernel) fn gathered<T: Scalar>(
    from: &[T],
    channels: usize,
    volume: usize,
    lanes: usize,
) -> Vec<T> {
    let mut tile = vec![T::default(); volume * channels * lanes];
    for (lane, sample) in from.chunks_exact(channels * volume).enumerate() {
        for (channel, row) in sample.chunks_exact(volume).enumerate() {
            for (site, &value) in row.iter().enumerate() {
                tile[(site * channels + channel) * lanes + lane] = value;
            }
        }
    }
    tile
}

/// A tile `[site][channel][lane]` back to samples `[sample, channel, site]`.
pub(in crate::kernel) fn scatter<T: Scalar>(
    tile: &[T],
    channels: usize,
    volume: usize,
    lanes: usize,
    to: &mut [T],
) {
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
            let mut source = [from.as_ptr(); S];
            for s in 0..S {
                source[s] = from.as_ptr().add(neighbours[s].get_unchecked(index) * read * V::LANES);
            }
            let weight = weights.as_ptr().add(tap * read * O);
            for channel in 0..read {
                // The smaller side is held in registers, the larger one streams past it.
                if S < O {
                    let mut x = [initial[0]; S];
                    for s in 0..S {
                        x[s] = V::load(source[s].add(channel * V::LANES));
                    }
                    for o in 0..O {
                        let w = V::splat(*weight.add(channel * O + o));
                        for s in 0..S {
                            sums[s][o] = x[s].mul_add(w, sums[s][o]);
                        }
                    }
                } else {
                    let mut w = initial;
                    for o in 0..O {
                        w[o] = V::splat(*weight.add(channel * O + o));
                    }
                    for s in 0..S {
                        let x = V::load(source[s].add(channel * V::LANES));
                        for o in 0..O {
                            sums[s][o] = x.mul_add(w[o], sums[s][o]);
                        }
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
        let mut initial = [V::splat(V::Elem::default()); O];
        if let Some(bias) = bias {
            for o in 0..O {
                initial[o] = V::splat(bias[first + o]);
            }
        }
        let last = group.sites.len() - 1;
        for start in (0..group.sites.len()).step_by(S) {
            let mut index = [last; S];
            let mut neighbours = [group.neighbours[last].as_slice(); S];
            for s in 0..S.min(last + 1 - start) {
                index[s] = start + s;
                neighbours[s] = group.neighbours[start + s].as_slice();
            }
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

/// Adds to the weight gradients of `I` read and `O` written channels under one tap, lane by lane.
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
    sums: &mut [V],
) {
    // SAFETY: pairs are sites of the tiles; channels i0..i0+I and o0..o0+O exist; `sums` has I · O entries.
    unsafe {
        let mut block = [[sums[0]; O]; I];
        for i in 0..I {
            for o in 0..O {
                block[i][o] = sums[i * O + o];
            }
        }
        for &(from, to) in pairs {
            let x = x.as_ptr().add((from * read + i0) * V::LANES);
            let g = g.as_ptr().add((to * written + o0) * V::LANES);
            if I < O {
                let mut xs = [block[0][0]; I];
                for i in 0..I {
                    xs[i] = V::load(x.add(i * V::LANES));
                }
                for o in 0..O {
                    let g = V::load(g.add(o * V::LANES));
                    for i in 0..I {
                        block[i][o] = xs[i].mul_add(g, block[i][o]);
                    }
                }
            } else {
                let mut gs = [block[0][0]; O];
                for o in 0..O {
                    gs[o] = V::load(g.add(o * V::LANES));
                }
                for i in 0..I {
                    let x = V::load(x.add(i * V::LANES));
                    for o in 0..O {
                        block[i][o] = x.mul_add(gs[o], block[i][o]);
                    }
                }
            }
        }
        for i in 0..I {
            for o in 0..O {
                sums[i * O + o] = block[i][o];
            }
        }
    }
}

/// Bytes of `x` and `g` that the blocks of one tap go over together, so that they stay in the first-level cache.
const WEIGHT_CHUNK_BYTES: usize = 20 << 10;

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
    let per_pair = (read + written) * V::LANES * size_of::<V::Elem>();
    let chunk = (WEIGHT_CHUNK_BYTES / per_pair).max(1);
    // SAFETY: the instruction set is there.
    let zero = unsafe { V::splat(V::Elem::default()) };
    let mut sums = vec![zero; read * written];
    for (tap, pairs) in convolution.pairs.iter().enumerate() {
        sums.fill(zero);
        for pairs in pairs.chunks(chunk) {
            let mut rest = &mut sums[..];
            for &(i0, i_size) in &read_blocks {
                for &(o0, o_size) in &written_blocks {
                    let (sums, others) = rest.split_at_mut(i_size * o_size);
                    rest = others;
                    macro_rules! block {
                        ($i:literal, $o:literal) => {
                            // SAFETY: passed on from the caller.
                            unsafe { weight_block::<V, $i, $o>(x, g, [read, written], [i0, o0], pairs, sums) }
                        };
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
        let mut sums = sums.iter();
        for &(i0, i_size) in &read_blocks {
            for &(o0, o_size) in &written_blocks {
                for (i, o) in (0..i_size).flat_map(|i| (0..o_size).map(move |o| (i, o))) {
                    let place = ((o0 + o) * read + i0 + i) * taps + tap;
                    let sum = sums.next().expect("one sum for each pair of channels");
                    // SAFETY: passed on from the caller.
                    gradient[convolution.weight + place] += unsafe { sum.sum() };
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

/// Which pass the weights are packed for.
#[derive(Clone, Copy)]
pub(in crate::kernel) enum Sweep {
    /// From inputs to outputs.
    Forward,
    /// From gradients by the outputs to gradients by inputs and weights.
    Backward,
}

/// The stack with its weights packed for vectors with a given number of registers.
pub(in crate::kernel) struct Network<'a, T> {
    pub stack: &'a ConvStack,
    convolutions: &'a [Convolution],
    parameters: &'a [T],
    forward: Vec<Packed<T>>,
    backward: Vec<Packed<T>>,
}

impl<'a, T: Scalar> Network<'a, T> {
    pub fn new(stack: &'a ConvStack, parameters: &'a [T], isa: Isa, pass: Sweep) -> Self {
        assert_eq!(parameters.len(), stack.parameter_count(), "packed parameters of {stack:?}");
        let (_, registers) = vector_shape::<T>(isa);
        let sizes = if registers == 32 { BLOCKS_32 } else { BLOCKS_16 };
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
        let forward = || convolutions.iter().map(|c| pack(c, false)).collect();
        let backward = || convolutions.iter().map(|c| pack(c, true)).collect();
        let (forward, backward) = match pass {
            Sweep::Forward => (forward(), Vec::new()),
            Sweep::Backward => (Vec::new(), backward()),
        };
        Self { stack, convolutions, parameters, forward, backward }
    }

    fn slope(&self) -> T {
        T::from_f64(self.stack.slope)
    }

    fn last(&self) -> usize {
        self.convolutions.len() - 1
    }

    /// The sites that are read.
    pub fn in_sites(&self) -> impl Iterator<Item = &usize> {
        self.convolutions[0].backward.iter().flat_map(|group| &group.sites)
    }

    /// The sites whose outputs are computed.
    pub fn out_sites(&self) -> &[usize] {
        &self.convolutions[self.last()].out_sites
    }

    /// Forward pass of a tile: fills the hidden activations and the output tile.
    ///
    /// # Safety
    /// The instruction set of `V` must be there.
    #[inline(always)]
    pub unsafe fn forward_tile<V: Vector<Elem = T>>(&self, input: &[T], hidden: &mut [T], output: &mut [T]) {
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
    pub unsafe fn backward_tile<V: Vector<Elem = T>>(
        &self,
        input: &[T],
        hidden: &[T],
        mut g: Vec<T>,
        input_gradient: Option<&mut [T]>,
        gradient: &mut [T],
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
                    let mut next = take(T::pool(), x.len());
                    let epilogue = Epilogue::LeakyGradient(V::splat(self.slope()), x);
                    conv::<V>(&g, &mut next, shape, &self.backward[index], None, &c.backward, &epilogue);
                    give(T::pool(), std::mem::replace(&mut g, next));
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
        give(T::pool(), g);
    }
}

/// One tile of the forward pass; `hidden` is empty where it need not be kept.
struct ForwardTile<'a, T> {
    network: &'a Network<'a, T>,
    x: &'a [T],
    y: &'a mut [T],
    hidden: &'a mut [T],
}

impl<T: Scalar> Kernel for ForwardTile<'_, T> {
    type Elem = T;
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let stack = self.network.stack;
        let volume = stack.volume();
        let input = gathered(self.x, stack.input_channels(), volume, V::LANES);
        let mut output = vec![T::default(); volume * stack.output_channels() * V::LANES];
        let mut scratch = Vec::new();
        let hidden = match self.hidden {
            [] => {
                scratch.resize(stack.hidden_width() * volume * V::LANES, T::default());
                &mut scratch[..]
            }
            kept => kept,
        };
        // SAFETY: passed on from the caller.
        unsafe { self.network.forward_tile::<V>(&input, hidden, &mut output) };
        scatter(&output, stack.output_channels(), volume, V::LANES, self.y);
    }
}

/// One tile of the backward pass; `x_gradient` is empty where it is not wanted.
struct BackwardTile<'a, T> {
    network: &'a Network<'a, T>,
    x: &'a [T],
    y: &'a [T],
    y_gradient: &'a [T],
    hidden: &'a [T],
    x_gradient: &'a mut [T],
}

impl<T: Scalar> Kernel for BackwardTile<'_, T> {
    type Elem = T;
    /// Gradient by the packed parameters.
    type Output = Vec<T>;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) -> Vec<T> {
        let stack = self.network.stack;
        let volume = stack.volume();
        let input = gathered(self.x, stack.input_channels(), volume, V::LANES);
        let mut g = gathered(self.y_gradient, stack.output_channels(), volume, V::LANES);
        if stack.activation == super::OutputActivation::Tanh {
            let y = gathered(self.y, stack.output_channels(), volume, V::LANES);
            for (g, y) in g.iter_mut().zip(&y) {
                *g = T::tanh_gradient(*g, *y);
            }
        }
        let mut gradient = vec![T::default(); self.network.parameters.len()];
        let wanted = !self.x_gradient.is_empty();
        let mut input_gradient = vec![T::default(); if wanted { input.len() } else { 0 }];
        let to = wanted.then_some(&mut input_gradient[..]);
        // SAFETY: passed on from the caller.
        unsafe { self.network.backward_tile::<V>(&input, self.hidden, g, to, &mut gradient) };
        if wanted {
            scatter(&input_gradient, stack.input_channels(), volume, V::LANES, self.x_gradient);
        }
        gradient
    }
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

/// `[batch, in, T, X]` → `[batch, out, T, X]`, with the hidden activations if `keep`.
pub fn forward<T: Scalar>(isa: Isa, stack: &ConvStack, x: &[T], theta: &[T], keep: bool) -> (Vec<T>, Vec<T>) {
    let sizes = TileSizes::new::<T>(isa, stack, x.len());
    let network = Network::new(stack, theta, isa, Sweep::Forward);
    let mut y = vec![T::default(); sizes.batch * sizes.output / sizes.lanes];
    let mut hidden = vec![T::default(); if keep { sizes.tiles * sizes.hidden } else { 0 }];
    let mut kept = chunks_or_nothing(&mut hidden, sizes.hidden, sizes.tiles);
    x.par_chunks(sizes.input)
        .zip(y.par_chunks_mut(sizes.output))
        .zip(kept.par_iter_mut())
        .for_each(|((x, y), hidden)| T::dispatch(isa, ForwardTile { network: &network, x, y, hidden }));
    (y, hidden)
}

/// Gradients by `x` (empty unless wanted) and by the packed parameters.
pub fn backward<T: Scalar>(isa: Isa, stack: &ConvStack, theta: &[T], pass: Pass<T>) -> (Vec<T>, Vec<T>) {
    let sizes = TileSizes::new::<T>(isa, stack, pass.x.len());
    let network = Network::new(stack, theta, isa, Sweep::Backward);
    let mut x_gradient = vec![T::default(); if pass.want_x { pass.x.len() } else { 0 }];
    let mut wanted = chunks_or_nothing(&mut x_gradient, sizes.input, sizes.tiles);
    let tile = |(tile, x_gradient): (usize, &mut &mut [T])| {
        let kernel = BackwardTile {
            network: &network,
            x: part(pass.x, tile, sizes.input),
            y: part(pass.y, tile, sizes.output),
            y_gradient: part(pass.y_gradient, tile, sizes.output),
            hidden: part(pass.hidden, tile, sizes.hidden),
            x_gradient,
        };
        T::dispatch(isa, kernel)
    };
    let gradients: Vec<Vec<T>> = wanted.par_iter_mut().enumerate().map(tile).collect();
    (x_gradient, sum_in_order(&gradients, theta.len()))
}

/// The chunk of a tile; the last one may be shorter.
pub(in crate::kernel) fn part<T>(all: &[T], tile: usize, size: usize) -> &[T] {
    &all[tile * size..((tile + 1) * size).min(all.len())]
}

/// One chunk for each tile, all of them empty if there is nothing to chunk.
pub(in crate::kernel) fn chunks_or_nothing<T>(all: &mut [T], size: usize, tiles: usize) -> Vec<&mut [T]> {
    match all {
        [] => (0..tiles).map(|_| &mut [][..]).collect(),
        all => all.chunks_mut(size).collect(),
    }
}

/// The sum of vectors in the order of the tiles, so that it does not depend on the number of threads.
pub(in crate::kernel) fn sum_in_order<T: Scalar>(terms: &[Vec<T>], length: usize) -> Vec<T> {
    let mut sum = vec![T::default(); length];
    for term in terms {
        sum.iter_mut().zip(term).for_each(|(sum, &term)| *sum += term);
    }
    sum
}

/// Elements per tile of every array, and how many tiles there are.
struct TileSizes {
    lanes: usize,
    batch: usize,
    tiles: usize,
    input: usize,
    output: usize,
    hidden: usize,
}

impl TileSizes {
    fn new<T: Scalar>(isa: Isa, stack: &ConvStack, x_len: usize) -> Self {
        let (lanes, _) = vector_shape::<T>(isa);
        let tile = stack.volume() * lanes;
        let batch = x_len / (stack.input_channels() * stack.volume());
        Self {
            lanes,
            batch,
            tiles: batch.div_ceil(lanes),
            input: stack.input_channels() * tile,
            output: stack.output_channels() * tile,
            hidden: stack.hidden_width() * tile,
        }
    }
}
