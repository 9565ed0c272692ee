//! Convolutions and weight gradients of one tile: blocks of sums held in registers, written once for every vector type.
//!
//! Each is a [`Kernel`] of its own, so that its many block sizes are compiled once for an instruction set and not once for every
//! caller.

// Register blocks are indexed by plain loops: a closure handed to `map` or `from_fn` is a function of its own, which
// need not be inlined into the `#[target_feature]` function and then computes without the instruction set.
#![allow(clippy::needless_range_loop)]

use super::plan::{Convolution, SiteGroup};
use crate::kernel::element::Element;
use crate::kernel::vector::{Kernel, Vector};

/// Numbers per site block and channel block: (sites, channels) accumulators, for 32 and for 16 registers.
pub const BLOCKS_32: &[usize] = &[12, 8, 4, 2, 1];
pub const BLOCKS_16: &[usize] = &[6, 4, 2, 1];

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
pub struct Packed<T> {
    blocks: Vec<(usize, usize)>,
    weights: Vec<T>,
}

impl<T: Element> Packed<T> {
    /// `weight(read, written, tap)` is the coefficient.
    pub fn new(
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

/// What happens to a finished sum before it is stored.
#[derive(Clone, Copy)]
pub enum Epilogue<'a, T> {
    /// Add nothing, change nothing.
    Plain,
    /// LeakyReLU of the sum, with this slope.
    LeakyRelu(T),
    /// Multiply by the derivative of LeakyReLU with this slope at the activation stored in the same place.
    LeakyGradient(T, &'a [T]),
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
    taps: &[u32],
    neighbours: [&[u32]; S],
    initial: [V; O],
) -> [[V; O]; S] {
    let mut sums = [initial; S];
    for (index, &tap) in taps.iter().enumerate() {
        // SAFETY: a neighbour is a site of the tile `from` and a tap one of the packed weights.
        unsafe {
            let mut source = [from.as_ptr(); S];
            for s in 0..S {
                source[s] = from.as_ptr().add(*neighbours[s].get_unchecked(index) as usize * read * V::LANES);
            }
            let weight = weights.as_ptr().add(tap as usize * read * O);
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
    epilogue: Epilogue<'_, V::Elem>,
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
            let mut neighbours = [group.neighbours_of(last); S];
            for s in 0..S.min(last + 1 - start) {
                index[s] = start + s;
                neighbours[s] = group.neighbours_of(start + s);
            }
            let mut sums = conv_block::<V, S, O>(from, read, weights, &group.taps, neighbours, initial);
            let mut places = [0; S];
            for s in 0..S {
                places[s] = (group.sites[index[s]] as usize * written + first) * V::LANES;
                debug_assert!(places[s] + O * V::LANES <= to.len());
            }
            // One branch for a block, not for every sum of it.
            match epilogue {
                Epilogue::Plain => {}
                Epilogue::LeakyRelu(slope) => {
                    let slope = V::splat(slope);
                    for s in 0..S {
                        for o in 0..O {
                            sums[s][o] = sums[s][o].leaky_relu(slope);
                        }
                    }
                }
                Epilogue::LeakyGradient(slope, activation) => {
                    let slope = V::splat(slope);
                    for s in 0..S {
                        for o in 0..O {
                            let activation = V::load(activation.as_ptr().add(places[s] + o * V::LANES));
                            sums[s][o] = sums[s][o].leaky_gradient(activation, slope);
                        }
                    }
                }
            }
            for s in 0..S {
                for o in 0..O {
                    sums[s][o].store(to.as_mut_ptr().add(places[s] + o * V::LANES));
                }
            }
        }
    }
}

/// One convolution of one tile over the listed sites.
pub struct Conv<'a, T> {
    /// `[site][read channel][lane]`.
    pub from: &'a [T],
    /// `[site][written channel][lane]`.
    pub to: &'a mut [T],
    /// Channels read, channels written, taps.
    pub shape: [usize; 3],
    pub packed: &'a Packed<T>,
    pub bias: Option<&'a [T]>,
    pub groups: &'a [SiteGroup],
    pub epilogue: Epilogue<'a, T>,
}

impl<T: Element> Kernel for Conv<'_, T> {
    type Elem = T;
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let Self { from, to, shape: [read, written, taps], packed, bias, groups, epilogue } = self;
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
    pairs: &[(u32, u32)],
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
            let x = x.as_ptr().add((from as usize * read + i0) * V::LANES);
            let g = g.as_ptr().add((to as usize * written + o0) * V::LANES);
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

/// Bytes of `x` and `g` that all blocks of one tap go over before the next chunk, so that they come from a near cache.
/// Measured on Zen 4 (Fig. 1 network): 8 KiB a tenth slower, 20 KiB a twentieth; from 40 KiB on no difference.
const WEIGHT_CHUNK_BYTES: usize = 40 << 10;

/// Adds the weight and bias gradients of one convolution of one tile to the packed gradient.
pub struct WeightGradient<'a, T> {
    pub convolution: &'a Convolution,
    /// What the convolution read, `[site][channel][lane]`.
    pub x: &'a [T],
    /// Gradient by what it wrote, `[site][channel][lane]`.
    pub g: &'a [T],
    /// By the packed parameters.
    pub gradient: &'a mut [T],
}

impl<T: Element> Kernel for WeightGradient<'_, T> {
    type Elem = T;
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let Self { convolution, x, g, gradient } = self;
        let (read, written) = (convolution.inputs, convolution.outputs);
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
                                unsafe {
                                    weight_block::<V, $i, $o>(x, g, [read, written], [i0, o0], pairs, sums)
                                }
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
            // SAFETY: passed on from the caller.
            unsafe { add_lane_sums(convolution, tap, &sums, [&read_blocks, &written_blocks], gradient) };
        }
        // SAFETY: passed on from the caller.
        unsafe { bias_gradient::<V>(convolution, g, gradient) };
    }
}

/// Sums the weight gradients of one tap over the lanes and adds them to the packed gradient.
///
/// # Safety
/// The instruction set of `V` must be there.
#[inline(always)]
unsafe fn add_lane_sums<V: Vector>(
    convolution: &Convolution,
    tap: usize,
    sums: &[V],
    [read_blocks, written_blocks]: [&[(usize, usize)]; 2],
    gradient: &mut [V::Elem],
) {
    let mut sums = sums.iter();
    for &(i0, i_size) in read_blocks {
        for &(o0, o_size) in written_blocks {
            for (i, o) in (0..i_size).flat_map(|i| (0..o_size).map(move |o| (i, o))) {
                let place = ((o0 + o) * convolution.inputs + i0 + i) * convolution.taps + tap;
                let sum = sums.next().expect("one sum for each pair of channels");
                // SAFETY: passed on from the caller.
                gradient[convolution.weight + place] += unsafe { sum.sum() };
            }
        }
    }
}

/// Adds the bias gradients of one convolution of one tile to the packed gradient.
///
/// # Safety
/// The instruction set of `V` must be there.
#[inline(always)]
unsafe fn bias_gradient<V: Vector>(convolution: &Convolution, g: &[V::Elem], gradient: &mut [V::Elem]) {
    let written = convolution.outputs;
    for channel in 0..written {
        // SAFETY: the site is one of the tile `g`, which holds `written` channels for each.
        let sum = unsafe {
            let one = V::splat(V::Elem::from_f64(1.0));
            let mut sum = V::splat(V::Elem::default());
            for &site in &convolution.out_sites {
                sum =
                    V::load(g.as_ptr().add((site as usize * written + channel) * V::LANES)).mul_add(one, sum);
            }
            sum.sum()
        };
        gradient[convolution.bias + channel] += sum;
    }
}
