//! Weight gradients of one tile: blocks of sums held in registers, written once for every vector type.

// Register blocks are indexed by plain loops: a closure handed to `map` or `from_fn` is a function of its own, which
// need not be inlined into the `#[target_feature]` function and then computes without the instruction set.
#![allow(clippy::needless_range_loop)]

use super::blocks::{BLOCKS_16, BLOCKS_32, blocks};
use super::plan::Convolution;
use crate::kernel::element::Element;
use crate::kernel::vector::{Kernel, Vector};

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

/// Products of channels read and channels of the gradient by what was written, summed over pairs of sites, block by block in registers.
pub struct Products {
    shape: [usize; 2],
    read_blocks: Vec<(usize, usize)>,
    written_blocks: Vec<(usize, usize)>,
}

impl Products {
    /// Of channels read and written.
    pub fn new<V: Vector>(shape: [usize; 2]) -> Self {
        let (read_sizes, written_sizes): (&[usize], &[usize]) = match (V::REGISTERS == 32, shape[0], shape[1])
        {
            (true, _, 1..=2) => (&[12, 4, 2, 1], &[2, 1]),
            (true, 1..=2, _) => (&[2, 1], BLOCKS_32),
            (true, _, _) => (&[4, 2, 1], &[6, 4, 2, 1]),
            (false, _, 1..=2) => (&[6, 4, 2, 1], &[2, 1]),
            (false, 1..=2, _) => (&[2, 1], BLOCKS_16),
            (false, _, _) => (&[3, 2, 1], &[4, 2, 1]),
        };
        Self {
            shape,
            read_blocks: blocks(shape[0], read_sizes),
            written_blocks: blocks(shape[1], written_sizes),
        }
    }

    /// The sums lane by lane, in place of what is in `sums`.
    ///
    /// # Safety
    /// The instruction set of `V` must be there; pairs must be sites of `x` and `g`, `[site][channel][lane]`.
    #[inline(always)]
    pub unsafe fn sum<V: Vector>(
        &self,
        x: &[V::Elem],
        g: &[V::Elem],
        pairs: &[(u32, u32)],
        sums: &mut Vec<V>,
    ) {
        let [read, written] = self.shape;
        let per_pair = (read + written) * V::LANES * size_of::<V::Elem>();
        let chunk = (WEIGHT_CHUNK_BYTES / per_pair).max(1);
        // SAFETY: the instruction set is there.
        let zero = unsafe { V::splat(V::Elem::default()) };
        sums.clear();
        sums.resize(read * written, zero);
        for pairs in pairs.chunks(chunk) {
            let mut rest = &mut sums[..];
            for &(i0, i_size) in &self.read_blocks {
                for &(o0, o_size) in &self.written_blocks {
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
    }

    /// Where the weights of every sum are in the packed parameters, the first tap of each, in the order of the sums.
    pub fn places(&self, convolution: &Convolution) -> Vec<usize> {
        let mut places = Vec::with_capacity(self.shape[0] * self.shape[1]);
        for &(i0, i_size) in &self.read_blocks {
            for &(o0, o_size) in &self.written_blocks {
                for i in i0..i0 + i_size {
                    places.extend((o0..o0 + o_size).map(|o| convolution.weight_at(i, o)));
                }
            }
        }
        places
    }
}

/// The sums of vectors over their lanes, as [`Vector::sum`] gives each.
///
/// # Safety
/// The instruction set of `V` must be there; `to` must hold a number for each vector.
#[inline(always)]
pub unsafe fn lane_sums<V: Vector>(of: &[V], to: &mut [V::Elem]) {
    let whole = of.len() / V::LANES * V::LANES;
    for start in (0..whole).step_by(V::LANES) {
        // SAFETY: as many vectors as lanes are there, and as many places.
        unsafe { V::sums(of.as_ptr().add(start)).store(to[start..start + V::LANES].as_mut_ptr()) };
    }
    for place in whole..of.len() {
        // SAFETY: passed on from the caller.
        to[place] = unsafe { of[place].sum() };
    }
}

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
        let products = Products::new::<V>([convolution.inputs, convolution.outputs]);
        let mut sums: Vec<V> = Vec::new();
        let places = products.places(convolution);
        let mut found = vec![T::default(); places.len()];
        for (tap, pairs) in convolution.pairs.iter().enumerate() {
            // SAFETY: passed on from the caller.
            unsafe {
                products.sum(x, g, pairs, &mut sums);
                lane_sums(&sums, &mut found);
            }
            for (place, sum) in places.iter().zip(&found) {
                gradient[place + tap] += *sum;
            }
        }
        // SAFETY: passed on from the caller.
        unsafe { bias_gradient::<V>(convolution, g, gradient) };
    }
}

/// Adds the bias gradients of one convolution of one tile to the packed gradient.
///
/// # Safety
/// The instruction set of `V` must be there.
#[inline(always)]
pub unsafe fn bias_gradient<V: Vector>(convolution: &Convolution, g: &[V::Elem], gradient: &mut [V::Elem]) {
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
