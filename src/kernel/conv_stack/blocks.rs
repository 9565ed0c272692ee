//! Convolutions of one tile: blocks of sums held in registers, written once for every vector type.
//!
//! Each is a [`Kernel`] of its own, so that its many block sizes are compiled once for an instruction set and not once for every
//! caller.

// Register blocks are indexed by plain loops: a closure handed to `map` or `from_fn` is a function of its own, which
// need not be inlined into the `#[target_feature]` function and then computes without the instruction set.
#![allow(clippy::needless_range_loop)]

use super::plan::SiteGroup;
use crate::kernel::element::Element;
use crate::kernel::vector::{Kernel, Vector};

/// Numbers per site block and channel block: (sites, channels) accumulators, for 32 and for 16 registers.
pub const BLOCKS_32: &[usize] = &[12, 8, 4, 2, 1];
pub const BLOCKS_16: &[usize] = &[6, 4, 2, 1];

/// Splits `width` channels into `(first, size)` blocks of the listed sizes, largest first.
pub fn blocks(width: usize, sizes: &[usize]) -> Vec<(usize, usize)> {
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
    /// First channel and number of channels of every block.
    pub blocks: Vec<(usize, usize)>,
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

    /// Those of a block, `[tap][read channel][written channel in block]`.
    #[inline(always)]
    pub fn of_block(&self, [read, taps]: [usize; 2], (first, size): (usize, usize)) -> &[T] {
        &self.weights[taps * read * first..][..taps * read * size]
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
pub unsafe fn conv_block<V: Vector, const S: usize, const O: usize>(
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

/// Calls a macro with the sites and channels of a block of so many channels: as many sums as registers hold.
macro_rules! in_blocks {
    ($registers:expr, $size:expr, $block:ident) => {
        match ($registers, $size) {
            (32, 12) => $block!(2, 12),
            (32, 8) => $block!(3, 8),
            (32, 4) => $block!(6, 4),
            (32, 2) => $block!(12, 2),
            (16, 6) => $block!(2, 6),
            (16, 4) => $block!(3, 4),
            (16, 2) => $block!(6, 2),
            _ => $block!(8, 1),
        }
    };
}
pub(super) use in_blocks;

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
                let weights = packed.of_block([read, taps], (first, size));
                let shape = [read, written, first];
                macro_rules! block {
                    ($s:literal, $o:literal) => {
                        // SAFETY: passed on from the caller.
                        unsafe { conv_group::<V, $s, $o>(from, to, shape, weights, bias, group, epilogue) }
                    };
                }
                in_blocks!(V::REGISTERS, size, block);
            }
        }
    }
}
