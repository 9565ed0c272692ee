//! Batches through a stack of couplings on the CPU: tiles over threads, gradients by the parameters added in the order of the tiles.

use super::layer::Coupling;
use super::networks::{Direction, Networks};
use super::walk::{BackwardTile, ForwardTile, Layers};
use crate::kernel::conv_stack::network::Sweep;
use crate::kernel::isa::{Isa, Scalar, vector_shape};
use crate::kernel::tile::{chunks_or_nothing, part, sum_in_order};
use rayon::prelude::*;

/// `[batch, number]` → `[batch, number + 1]`, the log det last, and per tile what [`backward`] needs if `keep`.
pub fn forward<C: Coupling, T: Scalar>(
    isa: Isa,
    stack: (&Networks, &[C]),
    direction: Direction,
    x: &[T],
    theta: &[T],
    keep: bool,
) -> (Vec<T>, Vec<Vec<T>>) {
    let (lanes, _) = vector_shape::<T>(isa);
    let layers = Layers::new(stack, theta, isa, direction, Sweep::Forward);
    let numbers = layers.numbers();
    let mut y = vec![T::default(); x.len() / numbers * (numbers + 1)];
    let tiles = x.par_chunks(lanes * numbers).zip(y.par_chunks_mut(lanes * (numbers + 1)));
    let kept = tiles.map(|(x, y)| T::dispatch(isa, ForwardTile { layers: &layers, x, y, keep })).collect();
    (y, kept)
}

/// Gradients by `x` and by the packed parameters, each empty unless it is wanted, from the gradient `[batch, number + 1]`.
pub fn backward<C: Coupling, T: Scalar>(
    isa: Isa,
    stack: (&Networks, &[C]),
    direction: Direction,
    theta: &[T],
    kept: &mut [Vec<T>],
    y_gradient: &[T],
    [want_x, want_parameters]: [bool; 2],
) -> (Vec<T>, Vec<T>) {
    let (lanes, _) = vector_shape::<T>(isa);
    let layers = Layers::new(stack, theta, isa, direction, Sweep::Backward);
    let numbers = layers.numbers();
    let batch = y_gradient.len() / (numbers + 1);
    let mut x_gradient = vec![T::default(); if want_x { batch * numbers } else { 0 }];
    let mut wanted = chunks_or_nothing(&mut x_gradient, lanes * numbers, kept.len());
    let tiles = kept.par_iter_mut().zip(wanted.par_iter_mut()).enumerate();
    let tile = |(tile, (kept, x_gradient)): (usize, (&mut Vec<T>, &mut &mut [T]))| {
        let y_gradient = part(y_gradient, tile, lanes * (numbers + 1));
        T::dispatch(isa, BackwardTile { layers: &layers, kept, y_gradient, x_gradient, want_parameters })
    };
    let gradients: Vec<Vec<T>> = tiles.map(tile).collect();
    let parameters = if want_parameters { theta.len() } else { 0 };
    (x_gradient, sum_in_order(&gradients, parameters))
}
