//! Gathering convolution: a block of sites × channels per unit, forwards and for gradients by the inputs.

use super::layout::{row_of_unit, vector_at};
use super::plan::Gather;
use super::shape::{GatherShape, UNITS};
use super::table::block;
use super::{Buffer, LANES, grid, tiles};
use burn_cubecl::cubecl;
use cubecl::client::Client;
use cubecl::prelude::*;

/// What a convolution does with its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Epilogue {
    /// Stores them.
    Plain,
    /// Stores LeakyReLU of them.
    LeakyRelu,
    /// Stores tanh of them.
    Tanh,
}

/// What a unit works on.
#[derive(CubeType)]
pub struct Work {
    /// Tile of samples, or another part of them.
    pub tile: usize,
    /// Block of sites or of weights.
    pub block: usize,
    /// Whether it stores its results.
    pub writes: bool,
}

/// The work of a unit, the blocks of a tile one after the other, so that what they read is still in a cache. Units beyond the
/// last repeat it, so that all meet at the barriers, but do not write.
#[cube]
pub fn work_of_unit(blocks: u32, tiles: u32) -> Work {
    let (row, rows) = (row_of_unit(), (blocks * tiles) as usize);
    let known = min(row, rows - 1);
    Work { tile: known / blocks as usize, block: known % blocks as usize, writes: row < rows }
}

/// The weights from `part` on in shared memory, if they are to be there.
#[cube]
fn nearby<N: Size>(
    weights: &[Vector<f32, N>],
    part: usize,
    #[comptime] shape: GatherShape,
) -> Shared<[Vector<f32, N>]> {
    let length = comptime!(if shape.shared { shape.weights() } else { 1 });
    let mut near = Shared::<[Vector<f32, N>]>::new_slice(length);
    if comptime!(shape.shared) {
        for round in 0..comptime!(length.div_ceil(UNITS)) {
            let k = round * UNITS + UNIT_POS as usize;
            if k < length {
                near[k] = weights[part + k];
            }
        }
        sync_cube();
    }
    near
}

/// What the sums of a unit start from: its biases from `bias` on, or zero without any.
#[cube]
pub fn starts<N: Size>(
    weights: &[Vector<f32, N>],
    bias: usize,
    #[comptime] shape: GatherShape,
) -> Array<Vector<f32, N>> {
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(shape.sites * shape.vectors));
    #[unroll]
    for v in 0..shape.vectors {
        let start = if comptime!(shape.bias) { weights[bias + v] } else { Vector::new(0.0) };
        #[unroll]
        for s in 0..shape.sites {
            sums[s * shape.vectors + v] = start;
        }
    }
    sums
}

/// Adds `Σ_taps Σ_inputs weight · x` to the sums of a block.
///
/// `header` is the place of the [`block`] in the table. The first vector of a site is at `first + per_site · site`, the others
/// at multiples of `stride` after it. The weights of this unit's output channels, `[tap][input][vector]`, are those in `near`,
/// or those in `weights` from `part` on.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn gather<N: Size, M: Size>(
    sums: &mut Array<Vector<f32, N>>,
    x: &[Vector<f32, M>],
    near: &[Vector<f32, N>],
    weights: &[Vector<f32, N>],
    part: usize,
    table: &[u32],
    header: usize,
    first: usize,
    #[comptime] per_site: usize,
    #[comptime] stride: usize,
    #[comptime] shape: GatherShape,
) {
    let (sites, vectors) = comptime!((shape.sites, shape.vectors));
    let taps = block::taps(table, header);
    let tap_count = block::tap_count(table, header);
    let neighbours = block::neighbours(table, header);
    let mut from = Array::<usize>::new(sites);
    let mut value = Array::<Vector<f32, M>>::new(sites);
    let mut weight = Array::<Vector<f32, N>>::new(vectors);
    for tap in 0..tap_count {
        #[unroll]
        for s in 0..sites {
            from[s] = first + table[neighbours + tap * sites + s] as usize * per_site;
        }
        let mut row = table[taps + tap] as usize * comptime!(shape.inputs.padded() * vectors);
        if comptime!(!shape.shared) {
            row += part;
        }
        for _ in 0..comptime!(shape.inputs.vectors / shape.unroll) {
            #[unroll]
            for u in 0..shape.unroll {
                #[unroll]
                for s in 0..sites {
                    value[s] = x[from[s] + comptime!(u * stride)];
                }
                #[unroll]
                for c in 0..M::value() {
                    #[unroll]
                    for v in 0..vectors {
                        let k = row + comptime!((u * shape.inputs.width + c) * vectors + v);
                        weight[v] = if comptime!(shape.shared) { near[k] } else { weights[k] };
                    }
                    #[unroll]
                    for s in 0..sites {
                        let input = Vector::new(value[s].extract(c));
                        #[unroll]
                        for v in 0..vectors {
                            sums[s * vectors + v] = fma(input, weight[v], sums[s * vectors + v]);
                        }
                    }
                }
            }
            #[unroll]
            for s in 0..sites {
                from[s] += comptime!(shape.unroll * stride);
            }
            row += comptime!(shape.unroll * shape.inputs.width * vectors);
        }
    }
}

/// Sums of a block over a tile of samples: `Σ_taps Σ_inputs weight · x`, starting from the bias, or from zero without one.
///
/// `header` is the place of the [`block`] in the table.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn accumulate<N: Size, M: Size>(
    x: &[Vector<f32, M>],
    weights: &[Vector<f32, N>],
    table: &[u32],
    header: usize,
    first_weight: usize,
    bias: usize,
    tile: usize,
    volume: usize,
    #[comptime] shape: GatherShape,
) -> Array<Vector<f32, N>> {
    let part = first_weight + CUBE_POS_Z as usize * shape.weights();
    let near = nearby::<N>(weights, part, shape);
    let mut sums = starts::<N>(weights, bias + CUBE_POS_Z as usize * shape.vectors, shape);
    let first = vector_at(tile, 0usize, volume, shape.inputs.vectors);
    let per_site = comptime!(shape.inputs.vectors * LANES);
    gather::<N, M>(&mut sums, x, &near, weights, part, table, header, first, per_site, LANES, shape);
    sums
}

/// tanh with the error of a few roundings on every driver: the arguments of `exp` stay small, and no digits cancel.
#[cube]
pub fn tanh(x: f32) -> f32 {
    let positive = select(x < 0.0, -x, x);
    // Written so that NaN stays NaN, which `min` would not promise.
    let magnitude = select(positive > 10.0, 10.0f32, positive);
    let q = magnitude * magnitude;
    let small = magnitude * (945.0 + q * (105.0 + q)) / (945.0 + q * (420.0 + 15.0 * q));
    let large = 1.0 - 2.0 / (f32::exp(2.0 * magnitude) + 1.0);
    let result = select(magnitude < 0.6, small, large);
    select(x < 0.0, -result, result)
}

/// Where `sign` is negative times the slope.
#[cube]
fn leaky<N: Size>(value: Vector<f32, N>, sign: Vector<f32, N>, slope: f32) -> Vector<f32, N> {
    select_many(sign.less_than(&Vector::new(0.0)), value * Vector::new(slope), value)
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn convolution<N: Size, M: Size>(
    x: &[Vector<f32, M>],
    weights: &[Vector<f32, N>],
    table: &[u32],
    y: &mut [Vector<f32, N>],
    headers: u32,
    blocks: u32,
    first_weight: u32,
    bias: u32,
    tiles: u32,
    volume: u32,
    slope: f32,
    #[comptime] shape: GatherShape,
    #[comptime] epilogue: Epilogue,
) {
    let work = work_of_unit(blocks, tiles);
    let header = headers as usize + work.block * shape.header_words();
    let volume = volume as usize;
    let sums = accumulate::<N, M>(
        x,
        weights,
        table,
        header,
        first_weight as usize,
        bias as usize,
        work.tile,
        volume,
        shape,
    );
    let used = block::used(table, header);
    let first = CUBE_POS_Z as usize * shape.vectors;
    #[unroll]
    for s in 0..shape.sites {
        if work.writes && s < used {
            let place = vector_at(work.tile, block::site(table, header, s), volume, shape.outputs.vectors);
            #[unroll]
            for v in 0..shape.vectors {
                let sum = sums[s * shape.vectors + v];
                let mut value = sum;
                if comptime!(epilogue == Epilogue::LeakyRelu) {
                    value = leaky::<N>(sum, sum, slope);
                }
                if comptime!(epilogue == Epilogue::Tanh) {
                    #[unroll]
                    for n in 0..N::value() {
                        value.insert(n, tanh(sum.extract(n)));
                    }
                }
                // The last unit over the output channels may have more than there are.
                if first + v < shape.outputs.vectors {
                    y[place + (first + v) * LANES] = value;
                }
            }
        }
    }
}

/// What happens to a gradient by the inputs of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Landing {
    /// It is multiplied by the derivative of LeakyReLU, read off the sign of the activation.
    LeakyRelu,
    /// It is added to what is there.
    Added,
    /// It is stored as it is.
    Stored,
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn convolution_gradient<N: Size, M: Size>(
    gradient: &[Vector<f32, M>],
    weights: &[Vector<f32, N>],
    table: &[u32],
    activation: &[Vector<f32, N>],
    y: &mut [Vector<f32, N>],
    headers: u32,
    blocks: u32,
    first_weight: u32,
    tiles: u32,
    volume: u32,
    slope: f32,
    #[comptime] shape: GatherShape,
    #[comptime] landing: Landing,
) {
    let work = work_of_unit(blocks, tiles);
    let header = headers as usize + work.block * shape.header_words();
    let volume = volume as usize;
    let first_weight = first_weight as usize;
    let sums =
        accumulate::<N, M>(gradient, weights, table, header, first_weight, 0usize, work.tile, volume, shape);
    let used = block::used(table, header);
    let first = CUBE_POS_Z as usize * shape.vectors;
    #[unroll]
    for s in 0..shape.sites {
        if work.writes && s < used {
            let site = vector_at(work.tile, block::site(table, header, s), volume, shape.outputs.vectors);
            #[unroll]
            for v in 0..shape.vectors {
                if first + v < shape.outputs.vectors {
                    let sum = sums[s * shape.vectors + v];
                    let place = site + (first + v) * LANES;
                    match landing {
                        Landing::LeakyRelu => y[place] = leaky::<N>(sum, activation[place], slope),
                        Landing::Added => y[place] += sum,
                        Landing::Stored => y[place] = sum,
                    }
                }
            }
        }
    }
}

/// The sums of `gather` over `x`, through the epilogue, into `y`; sites that are not listed stay as they were.
#[allow(clippy::too_many_arguments)]
pub fn convolve(
    client: &Client,
    gather: &Gather,
    x: &Buffer,
    weights: &Buffer,
    table: &Buffer,
    y: &Buffer,
    [volume, batch]: [usize; 2],
    slope: f32,
    epilogue: Epilogue,
) {
    let (inputs, outputs) = (gather.shape.inputs.width, gather.shape.outputs.width);
    let tiles = tiles(batch);
    let (count, dim) = grid(gather.blocks * tiles, gather.shape.depth());
    // SAFETY: the plan lists only sites of the lattice and rows of the packed weights, and buffers have whole tiles; units
    // beyond the blocks do as the last and do not write.
    unsafe {
        convolution::launch_unchecked(
            client,
            count,
            dim,
            outputs,
            inputs,
            x.vectors(inputs),
            weights.vectors(outputs),
            table.arg(),
            y.vectors(outputs),
            gather.headers as u32,
            gather.blocks as u32,
            gather.weights as u32,
            gather.bias as u32,
            tiles as u32,
            volume as u32,
            slope,
            gather.shape,
            epilogue,
        );
    }
}

/// Gradient by the inputs of a convolution into `y`; the activation with its slope is that of [`Landing::LeakyRelu`].
#[allow(clippy::too_many_arguments)]
pub fn convolve_back(
    client: &Client,
    gather: &Gather,
    gradient: &Buffer,
    weights: &Buffer,
    table: &Buffer,
    (activation, slope): (&Buffer, f32),
    (y, landing): (&Buffer, Landing),
    [volume, batch]: [usize; 2],
) {
    let (inputs, outputs) = (gather.shape.inputs.width, gather.shape.outputs.width);
    let tiles = tiles(batch);
    let (count, dim) = grid(gather.blocks * tiles, gather.shape.depth());
    // SAFETY: as in `convolve`.
    unsafe {
        convolution_gradient::launch_unchecked(
            client,
            count,
            dim,
            outputs,
            inputs,
            gradient.vectors(inputs),
            weights.vectors(outputs),
            table.arg(),
            activation.vectors(outputs),
            y.vectors(outputs),
            gather.headers as u32,
            gather.blocks as u32,
            gather.weights as u32,
            tiles as u32,
            volume as u32,
            slope,
            gather.shape,
            landing,
        );
    }
}
