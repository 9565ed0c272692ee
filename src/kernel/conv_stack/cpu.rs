//! The convolution stack on the CPU: tiles of samples, samples innermost.
//!
//! Every load is contiguous whatever the lattice, periodic neighbours are an index table, masked-out sites are not
//! listed. Tiles are independent and their parameter gradients are added in tile order, so results do not depend on
//! the number of threads.

use super::network::{Network, Sweep};
use super::stack::{ConvStack, OutputActivation};
use crate::kernel::isa::{Isa, Scalar, vector_shape};
use crate::kernel::tile::{chunks_or_nothing, gathered, part, scatter, sum_in_order};
use rayon::prelude::*;

/// One tile of the forward pass; `hidden` is empty where it need not be kept.
struct ForwardTile<'a, T> {
    network: &'a Network<'a, T>,
    x: &'a [T],
    y: &'a mut [T],
    hidden: &'a mut [T],
}

impl<T: Scalar> ForwardTile<'_, T> {
    fn run(self, lanes: usize) {
        let stack = self.network.stack;
        let volume = stack.volume();
        let input = gathered(self.x, stack.input_channels(), volume, lanes);
        let mut output = vec![T::default(); volume * stack.output_channels() * lanes];
        let mut scratch = Vec::new();
        let hidden = match self.hidden {
            [] => {
                scratch.resize(stack.hidden_width() * volume * lanes, T::default());
                &mut scratch[..]
            }
            kept => kept,
        };
        self.network.forward_tile(&input, hidden, &mut output);
        scatter(&output, stack.output_channels(), volume, lanes, self.y);
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

impl<T: Scalar> BackwardTile<'_, T> {
    /// The gradient by the packed parameters.
    fn run(self, lanes: usize) -> Vec<T> {
        let stack = self.network.stack;
        let volume = stack.volume();
        let input = gathered(self.x, stack.input_channels(), volume, lanes);
        let mut g = gathered(self.y_gradient, stack.output_channels(), volume, lanes);
        if stack.activation == OutputActivation::Tanh {
            let y = gathered(self.y, stack.output_channels(), volume, lanes);
            for (g, y) in g.iter_mut().zip(&y) {
                *g = T::tanh_gradient(*g, *y);
            }
        }
        let mut gradient = vec![T::default(); stack.parameter_count()];
        let wanted = !self.x_gradient.is_empty();
        let mut input_gradient = vec![T::default(); if wanted { input.len() } else { 0 }];
        let to = wanted.then_some(&mut input_gradient[..]);
        self.network.backward_tile(&input, self.hidden, &g, to, Some(&mut gradient));
        if wanted {
            scatter(&input_gradient, stack.input_channels(), volume, lanes, self.x_gradient);
        }
        gradient
    }
}

/// What the backward pass reads, all `[batch, …]`, and whether the gradient by `x` is wanted.
pub struct Activations<'a, T> {
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

/// `[batch, in, site]` → `[batch, out, site]`, with the hidden activations if `keep`.
pub fn forward<T: Scalar>(isa: Isa, stack: &ConvStack, x: &[T], theta: &[T], keep: bool) -> (Vec<T>, Vec<T>) {
    let sizes = TileSizes::new::<T>(isa, stack, x.len());
    let network = Network::new(stack, theta, isa, Sweep::Forward);
    let mut y = vec![T::default(); sizes.batch * sizes.output / sizes.lanes];
    let mut hidden = vec![T::default(); if keep { sizes.tiles * sizes.hidden } else { 0 }];
    let mut kept = chunks_or_nothing(&mut hidden, sizes.hidden, sizes.tiles);
    x.par_chunks(sizes.input)
        .zip(y.par_chunks_mut(sizes.output))
        .zip(kept.par_iter_mut())
        .for_each(|((x, y), hidden)| ForwardTile { network: &network, x, y, hidden }.run(sizes.lanes));
    (y, hidden)
}

/// Gradients by `x` (empty unless wanted) and by the packed parameters.
pub fn backward<T: Scalar>(
    isa: Isa,
    stack: &ConvStack,
    theta: &[T],
    pass: Activations<T>,
) -> (Vec<T>, Vec<T>) {
    let sizes = TileSizes::new::<T>(isa, stack, pass.x.len());
    let network = Network::new(stack, theta, isa, Sweep::Backward);
    let mut x_gradient = vec![T::default(); if pass.want_x { pass.x.len() } else { 0 }];
    let mut wanted = chunks_or_nothing(&mut x_gradient, sizes.input, sizes.tiles);
    let tile = |(tile, x_gradient): (usize, &mut &mut [T])| {
        let tile_back = BackwardTile {
            network: &network,
            x: part(pass.x, tile, sizes.input),
            y: part(pass.y, tile, sizes.output),
            y_gradient: part(pass.y_gradient, tile, sizes.output),
            hidden: part(pass.hidden, tile, sizes.hidden),
            x_gradient,
        };
        tile_back.run(sizes.lanes)
    };
    let gradients: Vec<Vec<T>> = wanted.par_iter_mut().enumerate().map(tile).collect();
    (x_gradient, sum_in_order(&gradients, theta.len()))
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
