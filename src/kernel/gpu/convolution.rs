//! Gathering convolution: a block of sites × channels per unit, forwards and for gradients by the inputs.

use super::plan::{Gather, GatherShape};
use super::{Buffer, grid};
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

/// Sums of a block: `Σ_taps Σ_inputs weight · x`, starting from the bias, or from zero without one.
///
/// `header` is the place of the block in the table: taps, tap count, neighbours, sites in use, then the sites.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn accumulate<N: Size>(
    x: &[f32],
    weights: &[Vector<f32, N>],
    table: &[u32],
    header: usize,
    first_weight: usize,
    bias: usize,
    sample: usize,
    batch: usize,
    vector: usize,
    #[comptime] shape: GatherShape,
) -> Array<Vector<f32, N>> {
    let sites = comptime!(shape.sites);
    let vectors = comptime!(shape.vectors);
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(sites * vectors));
    #[unroll]
    for v in 0..vectors {
        let start = if comptime!(shape.bias) { weights[bias + vector + v] } else { Vector::new(0.0) };
        #[unroll]
        for s in 0..sites {
            sums[s * vectors + v] = start;
        }
    }
    let taps = table[header] as usize;
    let tap_count = table[header + 1] as usize;
    let neighbours = table[header + 2] as usize;
    let mut from = Array::<usize>::new(sites);
    let mut weight = Array::<Vector<f32, N>>::new(vectors);
    for tap in 0..tap_count {
        #[unroll]
        for s in 0..sites {
            from[s] = table[neighbours + tap * sites + s] as usize * shape.inputs * batch + sample;
        }
        let mut row =
            first_weight + table[taps + tap] as usize * comptime!(shape.inputs * shape.width) + vector;
        for _ in 0..comptime!(shape.inputs / shape.unroll) {
            #[unroll]
            for _ in 0..shape.unroll {
                #[unroll]
                for v in 0..vectors {
                    weight[v] = weights[row + v];
                }
                #[unroll]
                for s in 0..sites {
                    let value = Vector::new(x[from[s]]);
                    #[unroll]
                    for v in 0..vectors {
                        sums[s * vectors + v] = fma(value, weight[v], sums[s * vectors + v]);
                    }
                    from[s] += batch;
                }
                row += shape.width;
            }
        }
    }
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

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn convolution<N: Size>(
    x: &[f32],
    weights: &[Vector<f32, N>],
    table: &[u32],
    y: &mut [f32],
    headers: u32,
    blocks: u32,
    first_weight: u32,
    bias: u32,
    batch: u32,
    slope: f32,
    #[comptime] shape: GatherShape,
    #[comptime] epilogue: Epilogue,
) {
    let sample = ABSOLUTE_POS_X;
    let block = ABSOLUTE_POS_Y;
    if sample >= batch || block >= blocks {
        terminate!();
    }
    let header = (headers + block * comptime!(shape.header_words() as u32)) as usize;
    let vector = CUBE_POS_Z as usize * shape.vectors;
    let (sample, batch) = (sample as usize, batch as usize);
    let sums = accumulate::<N>(
        x,
        weights,
        table,
        header,
        first_weight as usize,
        bias as usize,
        sample,
        batch,
        vector,
        shape,
    );
    let used = table[header + 3] as usize;
    #[unroll]
    for s in 0..shape.sites {
        if s < used {
            let site = table[header + 4 + s] as usize;
            #[unroll]
            for v in 0..shape.vectors {
                #[unroll]
                for n in 0..N::value() {
                    let channel = (vector + v) * N::value() + n;
                    let sum = sums[s * shape.vectors + v].extract(n);
                    if channel < shape.outputs {
                        let mut value = sum;
                        if comptime!(epilogue == Epilogue::LeakyRelu) {
                            value = select(sum < 0.0, sum * slope, sum);
                        }
                        if comptime!(epilogue == Epilogue::Tanh) {
                            value = tanh(sum);
                        }
                        y[(site * shape.outputs + channel) * batch + sample] = value;
                    }
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
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn convolution_gradient<N: Size>(
    gradient: &[f32],
    weights: &[Vector<f32, N>],
    table: &[u32],
    activation: &[f32],
    y: &mut [f32],
    headers: u32,
    blocks: u32,
    first_weight: u32,
    batch: u32,
    slope: f32,
    #[comptime] shape: GatherShape,
    #[comptime] landing: Landing,
) {
    let sample = ABSOLUTE_POS_X;
    let block = ABSOLUTE_POS_Y;
    if sample >= batch || block >= blocks {
        terminate!();
    }
    let header = (headers + block * comptime!(shape.header_words() as u32)) as usize;
    let vector = CUBE_POS_Z as usize * shape.vectors;
    let (sample, batch) = (sample as usize, batch as usize);
    let sums = accumulate::<N>(
        gradient,
        weights,
        table,
        header,
        first_weight as usize,
        0usize,
        sample,
        batch,
        vector,
        shape,
    );
    let used = table[header + 3] as usize;
    #[unroll]
    for s in 0..shape.sites {
        if s < used {
            let site = table[header + 4 + s] as usize;
            #[unroll]
            for v in 0..shape.vectors {
                #[unroll]
                for n in 0..N::value() {
                    let channel = (vector + v) * N::value() + n;
                    if channel < shape.outputs {
                        let sum = sums[s * shape.vectors + v].extract(n);
                        let place = (site * shape.outputs + channel) * batch + sample;
                        if comptime!(landing == Landing::LeakyRelu) {
                            y[place] = select(activation[place] < 0.0, sum * slope, sum);
                        } else {
                            y[place] += sum;
                        }
                    }
                }
            }
        }
    }
}

/// The sums of `gather` over `x`, through the epilogue, into `y`.
///
/// # Shapes
/// `x`: `[site][input][sample]`, `y`: `[site][output][sample]`; sites that are not listed stay as they were.
#[allow(clippy::too_many_arguments)]
pub fn convolve(
    client: &Client,
    gather: &Gather,
    x: &Buffer,
    weights: &Buffer,
    table: &Buffer,
    y: &Buffer,
    batch: usize,
    slope: f32,
    epilogue: Epilogue,
) {
    let (count, dim) = grid(batch, gather.blocks, gather.shape.depth());
    // SAFETY: the plan lists only sites of the lattice and rows of the packed weights; units beyond the batch or
    // the blocks end before they touch memory.
    unsafe {
        convolution::launch_unchecked(
            client,
            count,
            dim,
            gather.lanes,
            x.arg(),
            weights.vectors(gather.lanes),
            table.arg(),
            y.arg(),
            gather.headers as u32,
            gather.blocks as u32,
            gather.weights as u32,
            gather.bias as u32,
            batch as u32,
            slope,
            gather.shape,
            epilogue,
        );
    }
}

/// Gradient by the inputs of a convolution: times the derivative of LeakyReLU at `activation`, or added to `y` without one.
///
/// # Shapes
/// `gradient`: `[site][output][sample]`, `activation` and `y`: `[site][input][sample]`
#[allow(clippy::too_many_arguments)]
pub fn convolve_back(
    client: &Client,
    gather: &Gather,
    gradient: &Buffer,
    weights: &Buffer,
    table: &Buffer,
    activation: Option<(&Buffer, f32)>,
    y: &Buffer,
    batch: usize,
) {
    let (count, dim) = grid(batch, gather.blocks, gather.shape.depth());
    let landing = if activation.is_some() { Landing::LeakyRelu } else { Landing::Added };
    let (activation, slope) = activation.unwrap_or((gradient, 0.0));
    // SAFETY: as in `convolve`.
    unsafe {
        convolution_gradient::launch_unchecked(
            client,
            count,
            dim,
            gather.lanes,
            gradient.arg(),
            weights.vectors(gather.lanes),
            table.arg(),
            activation.arg(),
            y.arg(),
            gather.headers as u32,
            gather.blocks as u32,
            gather.weights as u32,
            batch as u32,
            slope,
            gather.shape,
            landing,
        );
    }
}
