//! Convolutions with 3 x 3 taps by sixteen products for four sums instead of thirty-six, and their weight gradients.
//!
//! `Y = Aᵀ [(G g Gᵀ) ∘ (Bᵀ d B)] A` with the weights g of a pair of channels, 4 x 4 sites d that are read and 2 x 2 sites Y that are
//! written; products are summed over channels before they go back. All factors are 0, ±1 and ±1/2: rounding is that of the direct sums,
//! a few times over.
//!
//! Source: Lavin, Gray, arXiv:1509.09308, F(2 x 2, 3 x 3).

// Register blocks are indexed by plain loops: a closure handed to `map` or `from_fn` is a function of its own, which
// need not be inlined into the `#[target_feature]` function and then computes without the instruction set.
#![allow(clippy::needless_range_loop)]

use super::blocks::{Epilogue, Packed, conv_block, in_blocks};
use super::patches::Patches;
use super::plan::Convolution;
use super::weight_blocks::{Products, bias_gradient, lane_sums};
use crate::kernel::element::Element;
use crate::kernel::vector::{Kernel, Vector};
use std::mem::MaybeUninit;

/// Products of a patch.
pub const PRODUCTS: usize = 16;

/// Patches whose products are computed one after the other, so that what they read comes from a near cache.
const AT_ONCE: usize = 8;

/// Rows of Bᵀ: the first place, and the second with its sign.
const READ: [(usize, usize, f64); 4] = [(0, 2, -1.0), (1, 2, 1.0), (2, 1, -1.0), (1, 3, -1.0)];

/// Rows of A.
const WRITTEN: [[f64; 2]; 4] = [[1.0, 0.0], [1.0, 1.0], [1.0, -1.0], [0.0, -1.0]];

/// Rows of G.
const WEIGHTS: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

/// `G g Gᵀ` for every pair of channels, packed as the weights of sixteen taps; `weight(read, written, tap)` is the coefficient.
pub fn packed<T: Element>(
    [read, written]: [usize; 2],
    sizes: &[usize],
    weight: impl Fn(usize, usize, usize) -> T,
) -> Packed<T> {
    let factors = WEIGHTS.map(|row| row.map(T::from_f64));
    let transformed = |from: usize, to: usize| {
        let mut rows = [[T::default(); 3]; 4];
        let mut all = [T::default(); PRODUCTS];
        for i in 0..4 {
            for a in 0..3 {
                for b in 0..3 {
                    rows[i][b] += factors[i][a] * weight(from, to, 3 * a + b);
                }
            }
            for j in 0..4 {
                for b in 0..3 {
                    all[4 * i + j] += rows[i][b] * factors[j][b];
                }
            }
        }
        all
    };
    let pairs = (0..read).flat_map(|from| (0..written).map(move |to| (from, to)));
    let all: Vec<[T; PRODUCTS]> = pairs.map(|(from, to)| transformed(from, to)).collect();
    Packed::new([read, written, PRODUCTS], sizes, |from, to, product| all[from * written + to][product])
}

/// Numbers of the room that a convolution needs beside what it reads and writes.
pub fn room(read: usize, lanes: usize) -> usize {
    PRODUCTS * AT_ONCE * read * lanes
}

/// One convolution of one tile over all sites.
pub struct WinogradConv<'a, T> {
    /// `[site][read channel][lane]`.
    pub from: &'a [T],
    /// `[site][written channel][lane]`.
    pub to: &'a mut [T],
    /// Channels read, channels written.
    pub shape: [usize; 2],
    /// From [`packed`].
    pub packed: &'a Packed<T>,
    pub bias: Option<&'a [T]>,
    pub patches: &'a Patches,
    pub epilogue: Epilogue<'a, T>,
    /// [`room`] numbers.
    pub room: &'a mut [T],
}

impl<T: Element> Kernel for WinogradConv<'_, T> {
    type Elem = T;
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let Self { from, to, shape, packed, bias, patches, epilogue, room } = self;
        let [read, written] = shape;
        assert_eq!(room.len(), self::room(read, V::LANES), "room of a convolution by patches");
        assert!(patches.read.len() * 4 * read * V::LANES <= from.len(), "sites that are read");
        assert!(patches.written.len() * 4 * written * V::LANES <= to.len(), "sites that are written");
        let chunks = patches.read.chunks(AT_ONCE).zip(patches.written.chunks(AT_ONCE));
        for (read_sites, written_sites) in chunks {
            for (patch, sites) in read_sites.iter().enumerate() {
                // SAFETY: the instruction set is there, and the sites are those of a tile.
                unsafe { transform_read::<V>(from, read, sites, patch, room) };
            }
            for &(first, size) in &packed.blocks {
                let weights = packed.of_block([read, PRODUCTS], (first, size));
                macro_rules! block {
                    ($s:literal, $o:literal) => {
                        // SAFETY: as above.
                        unsafe {
                            group::<V, $s, $o>(
                                room,
                                to,
                                [read, written, first],
                                weights,
                                bias,
                                written_sites,
                                epilogue,
                            )
                        }
                    };
                }
                in_blocks!(V::REGISTERS, size, block);
            }
        }
    }
}

/// `Bᵀ d B` of the channels of a patch, to `[product][patch][channel][lane]`.
///
/// # Safety
/// The instruction set of `V` must be there; sites must be those of `from`, and `room` as [`room`] says.
#[inline(always)]
unsafe fn transform_read<V: Vector>(
    from: &[V::Elem],
    read: usize,
    sites: &[u32; 16],
    patch: usize,
    room: &mut [V::Elem],
) {
    // SAFETY: passed on from the caller.
    unsafe {
        let signs = [V::splat(V::Elem::from_f64(READ[0].2)), V::splat(V::Elem::from_f64(READ[1].2))];
        // The second row of Bᵀ has the only sum, the others have differences.
        let sign = |row: usize| signs[usize::from(row == 1)];
        let sign = [sign(0), sign(1), sign(2), sign(3)];
        for channel in 0..read {
            let mut d = [[signs[0]; 4]; 4];
            for i in 0..4 {
                for j in 0..4 {
                    let site = *sites.get_unchecked(4 * i + j) as usize;
                    d[i][j] = V::load(from.as_ptr().add((site * read + channel) * V::LANES));
                }
            }
            let mut rows = d;
            for i in 0..4 {
                let (a, b, _) = READ[i];
                for j in 0..4 {
                    rows[i][j] = d[b][j].mul_add(sign[i], d[a][j]);
                }
            }
            for i in 0..4 {
                for j in 0..4 {
                    let (a, b, _) = READ[j];
                    let number = rows[i][b].mul_add(sign[j], rows[i][a]);
                    let place = ((4 * i + j) * AT_ONCE + patch) * read + channel;
                    number.store(room.as_mut_ptr().add(place * V::LANES));
                }
            }
        }
    }
}

/// One block of written channels for all patches of a chunk, `S` patches at a time.
///
/// # Safety
/// As [`transform_read`].
#[inline(always)]
unsafe fn group<V: Vector, const S: usize, const O: usize>(
    room: &[V::Elem],
    to: &mut [V::Elem],
    [read, written, first]: [usize; 3],
    weights: &[V::Elem],
    bias: Option<&[V::Elem]>,
    sites: &[[u32; 4]],
    epilogue: Epilogue<'_, V::Elem>,
) {
    // SAFETY: the last block repeats the last patch, so that every index is that of a patch of the room; stores stay inside `to`.
    unsafe {
        let zero = V::splat(V::Elem::default());
        let (plus, minus) = (V::splat(V::Elem::from_f64(1.0)), V::splat(V::Elem::from_f64(-1.0)));
        let mut initial = [zero; O];
        if let Some(bias) = bias {
            for o in 0..O {
                initial[o] = V::splat(bias[first + o]);
            }
        }
        let last = sites.len() - 1;
        // Every product is written before it is read; clearing them first took 3% of the time in a profile.
        let mut products = [const { MaybeUninit::<[[V; O]; S]>::uninit() }; PRODUCTS];
        for start in (0..sites.len()).step_by(S) {
            for product in 0..PRODUCTS {
                let mut places = [[0u32; 1]; S];
                for s in 0..S {
                    places[s] = [(product * AT_ONCE + (start + s).min(last)) as u32];
                }
                let mut neighbours = [&places[0][..]; S];
                for s in 0..S {
                    neighbours[s] = &places[s][..];
                }
                let tap = [product as u32];
                products[product]
                    .write(conv_block::<V, S, O>(room, read, weights, &tap, neighbours, [zero; O]));
            }
            for s in 0..S.min(last + 1 - start) {
                for o in 0..O {
                    // Aᵀ from the left, then A from the right.
                    let mut rows = [[zero; 4]; 2];
                    for j in 0..4 {
                        let m = |i: usize| products[4 * i + j].assume_init_ref()[s][o];
                        rows[0][j] = m(0).mul_add(plus, m(1)).mul_add(plus, m(2));
                        rows[1][j] = m(3).mul_add(minus, m(2).mul_add(minus, m(1)));
                    }
                    for a in 0..2 {
                        let [m0, m1, m2, m3] = rows[a];
                        let sums = [
                            m0.mul_add(plus, m1).mul_add(plus, m2).mul_add(plus, initial[o]),
                            m3.mul_add(minus, m2.mul_add(minus, m1)).mul_add(plus, initial[o]),
                        ];
                        for b in 0..2 {
                            let site = sites[start + s][2 * a + b] as usize;
                            let place = (site * written + first + o) * V::LANES;
                            finished(sums[b], place, epilogue).store(to.as_mut_ptr().add(place));
                        }
                    }
                }
            }
        }
    }
}

/// A sum as it is stored at a place.
///
/// # Safety
/// As [`transform_read`].
#[inline(always)]
unsafe fn finished<V: Vector>(sum: V, place: usize, epilogue: Epilogue<'_, V::Elem>) -> V {
    // SAFETY: passed on from the caller.
    unsafe {
        match epilogue {
            Epilogue::Plain => sum,
            Epilogue::LeakyRelu(slope) => sum.leaky_relu(V::splat(slope)),
            Epilogue::LeakyGradient(slope, activation) => {
                sum.leaky_gradient(V::load(activation.as_ptr().add(place)), V::splat(slope))
            }
        }
    }
}

/// Adds the weight and bias gradients of one convolution of one tile over all sites to the packed gradient.
pub struct WinogradWeights<'a, T> {
    pub convolution: &'a Convolution,
    pub patches: &'a Patches,
    /// What the convolution read, `[site][channel][lane]`.
    pub x: &'a [T],
    /// Gradient by what it wrote, `[site][channel][lane]`.
    pub g: &'a [T],
    /// By the packed parameters.
    pub gradient: &'a mut [T],
    /// As many numbers as a quarter of `x` and of `g` has.
    pub room: [&'a mut [T]; 2],
}

impl<T: Element> Kernel for WinogradWeights<'_, T> {
    type Elem = T;
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let Self { convolution, patches, x, g, gradient, room: [x_room, g_room] } = self;
        let (read, written) = (convolution.inputs, convolution.outputs);
        let count = patches.read.len();
        assert!(
            x_room.len() >= count * read * V::LANES && g_room.len() >= count * written * V::LANES,
            "room"
        );
        assert!(x.len() >= 4 * count * read * V::LANES && g.len() >= 4 * count * written * V::LANES, "tiles");
        let products = Products::new::<V>([read, written]);
        let pairs: Vec<(u32, u32)> = (0..count as u32).map(|patch| (patch, patch)).collect();
        let mut sums: Vec<V> = Vec::new();
        let mut found = vec![T::default(); PRODUCTS * read * written];
        for (product, found) in found.chunks_exact_mut(read * written).enumerate() {
            // SAFETY: the instruction set is there, and the sites are those of a tile.
            unsafe {
                product_read::<V>(x, read, &patches.read, product, x_room);
                product_written::<V>(g, written, &patches.written, product, g_room);
                products.sum(x_room, g_room, &pairs, &mut sums);
                lane_sums(&sums, found);
            }
        }
        let places = products.places(convolution);
        let mut of_tap = vec![T::default(); places.len()];
        for (tap, factors) in tap_factors::<T>().into_iter().enumerate() {
            of_tap.fill(T::default());
            let found = found.chunks_exact(places.len()).zip(factors);
            for (found, factor) in found.filter(|(_, factor)| *factor != T::default()) {
                of_tap.iter_mut().zip(found).for_each(|(sum, number)| *sum += factor * *number);
            }
            for (place, sum) in places.iter().zip(&of_tap) {
                gradient[place + tap] += *sum;
            }
        }
        // SAFETY: passed on from the caller.
        unsafe { bias_gradient::<V>(convolution, g, gradient) };
    }
}

/// What a tap has of every product: `Gᵀ . G`.
fn tap_factors<T: Element>() -> [[T; PRODUCTS]; 9] {
    let mut factors = [[T::default(); PRODUCTS]; 9];
    for tap in 0..9 {
        for product in 0..PRODUCTS {
            factors[tap][product] =
                T::from_f64(WEIGHTS[product / 4][tap / 3] * WEIGHTS[product % 4][tap % 3]);
        }
    }
    factors
}

/// One product of what all patches read, to `[patch][channel][lane]`.
///
/// # Safety
/// As [`transform_read`].
#[inline(always)]
unsafe fn product_read<V: Vector>(
    x: &[V::Elem],
    read: usize,
    patches: &[[u32; 16]],
    product: usize,
    to: &mut [V::Elem],
) {
    // SAFETY: passed on from the caller.
    unsafe {
        let ((a, b, along), (c, d, across)) = (READ[product / 4], READ[product % 4]);
        let (along, across) = (V::splat(V::Elem::from_f64(along)), V::splat(V::Elem::from_f64(across)));
        for (patch, sites) in patches.iter().enumerate() {
            let at = |i: usize, j: usize| x.as_ptr().add(sites[4 * i + j] as usize * read * V::LANES);
            let (ac, ad, bc, bd) = (at(a, c), at(a, d), at(b, c), at(b, d));
            for channel in 0..read {
                let place = channel * V::LANES;
                let first = V::load(ad.add(place)).mul_add(across, V::load(ac.add(place)));
                let second = V::load(bd.add(place)).mul_add(across, V::load(bc.add(place)));
                second.mul_add(along, first).store(to.as_mut_ptr().add((patch * read + channel) * V::LANES));
            }
        }
    }
}

/// One product of the gradients by what all patches wrote, to `[patch][channel][lane]`.
///
/// # Safety
/// As [`transform_read`].
#[inline(always)]
unsafe fn product_written<V: Vector>(
    g: &[V::Elem],
    written: usize,
    patches: &[[u32; 4]],
    product: usize,
    to: &mut [V::Elem],
) {
    // SAFETY: passed on from the caller.
    unsafe {
        let (along, across) = (WRITTEN[product / 4], WRITTEN[product % 4]);
        let zero = V::splat(V::Elem::default());
        let mut factors = [zero; 4];
        for place in 0..4 {
            factors[place] = V::splat(V::Elem::from_f64(along[place / 2] * across[place % 2]));
        }
        for (patch, sites) in patches.iter().enumerate() {
            for channel in 0..written {
                let mut sum = zero;
                for place in 0..4 {
                    let from = (sites[place] as usize * written + channel) * V::LANES;
                    sum = V::load(g.as_ptr().add(from)).mul_add(factors[place], sum);
                }
                sum.store(to.as_mut_ptr().add((patch * written + channel) * V::LANES));
            }
        }
    }
}
