//! The affine flow on the CPU, tile by tile; the networks are those of [`mod@crate::kernel::conv_stack`].

use super::{AffineFlow, Direction};
use crate::kernel::conv_stack::network::{Network, Sweep};
use crate::kernel::pool::{give, take};
use crate::kernel::scalar::Scalar;
use crate::kernel::tile::{chunks_or_nothing, gathered, part, scatter, sum_in_order};
use crate::kernel::vector::{Isa, Kernel, Vector, vector_shape};
use rayon::prelude::*;

/// The networks of all layers, in the order of their application, with the places of their parameters.
struct Layers<'a, T> {
    flow: &'a AffineFlow,
    direction: Direction,
    networks: Vec<(Network<'a, T>, std::ops::Range<usize>)>,
}

impl<'a, T: Scalar> Layers<'a, T> {
    fn new(flow: &'a AffineFlow, theta: &'a [T], isa: Isa, direction: Direction, sweep: Sweep) -> Self {
        let network = |layer: usize| {
            let range = flow.parameters[layer].clone();
            (Network::new(&flow.layers[layer], &theta[range.clone()], isa, sweep), range)
        };
        Self { flow, direction, networks: flow.order(direction).into_par_iter().map(network).collect() }
    }
}

/// What the backward pass needs of one layer: its input `[site]`, hidden activations and output `[site][s, t]`.
struct Saved<'a, T> {
    x: &'a mut [T],
    hidden: &'a mut [T],
    out: &'a mut [T],
}

impl<'a, T> Saved<'a, T> {
    fn size(network: &Network<'_, T>, tile: usize) -> usize {
        (1 + network.stack.hidden_width() + 2) * tile
    }

    fn split(all: &'a mut [T], network: &Network<'_, T>, tile: usize) -> Self {
        let (x, rest) = all.split_at_mut(tile);
        let (hidden, out) = rest.split_at_mut(network.stack.hidden_width() * tile);
        Self { x, hidden, out }
    }
}

/// One tile through all layers; returns what the backward pass needs, if it is to be kept.
struct ForwardTile<'a, T> {
    layers: &'a Layers<'a, T>,
    /// `[sample, site]`.
    x: &'a [T],
    /// `[sample, site]` and the log det.
    y: &'a mut [T],
    keep: bool,
}

impl<T: Scalar> Kernel for ForwardTile<'_, T> {
    type Elem = T;
    type Output = Vec<T>;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) -> Vec<T> {
        let volume = self.layers.flow.volume();
        let tile = volume * V::LANES;
        let mut x = gathered(self.x, 1, volume, V::LANES);
        let mut log_det = vec![T::default(); V::LANES];
        let sizes = self.layers.networks.iter().map(|(network, _)| Saved::size(network, tile));
        let length = if self.keep { sizes.sum() } else { sizes.max().unwrap_or(0) };
        // Whatever is read of it has been written before: the networks go by their site lists.
        let mut memory = take(T::pool(), length);
        let mut start = 0;
        for (network, _) in &self.layers.networks {
            let size = Saved::size(network, tile);
            let saved = Saved::split(&mut memory[start..start + size], network, tile);
            start += if self.keep { size } else { 0 };
            saved.x.copy_from_slice(&x);
            // SAFETY: passed on from the caller.
            unsafe { network.forward_tile::<V>(saved.x, saved.hidden, saved.out) };
            for &site in network.out_sites() {
                let (s, t) = saved.out[2 * site * V::LANES..][..2 * V::LANES].split_at(V::LANES);
                let x = &mut x[site * V::LANES..][..V::LANES];
                for lane in 0..V::LANES {
                    if self.layers.direction == Direction::Forward {
                        x[lane] = x[lane] * s[lane].exponential() + t[lane];
                        log_det[lane] += s[lane];
                    } else {
                        x[lane] = (x[lane] - t[lane]) * (-s[lane]).exponential();
                        log_det[lane] += -s[lane];
                    }
                }
            }
        }
        for (lane, row) in self.y.chunks_exact_mut(volume + 1).enumerate() {
            for (site, value) in row[..volume].iter_mut().enumerate() {
                *value = x[site * V::LANES + lane];
            }
            row[volume] = log_det[lane];
        }
        if self.keep {
            return memory;
        }
        give(T::pool(), memory);
        Vec::new()
    }
}

/// One tile back through all layers.
struct BackwardTile<'a, T> {
    layers: &'a Layers<'a, T>,
    saved: &'a mut [T],
    /// Gradient by `[sample, site]` and by the log det.
    y_gradient: &'a [T],
    /// `[sample, site]`, empty where it is not wanted.
    x_gradient: &'a mut [T],
}

impl<T: Scalar> Kernel for BackwardTile<'_, T> {
    type Elem = T;
    /// Gradient by the packed parameters.
    type Output = Vec<T>;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) -> Vec<T> {
        let volume = self.layers.flow.volume();
        let tile = volume * V::LANES;
        let both = gathered(self.y_gradient, 1, volume + 1, V::LANES);
        let (g, log_det_gradient) = both.split_at(tile);
        let mut g = g.to_vec();
        let mut gradient = vec![T::default(); self.layers.flow.parameter_count()];
        let mut input_gradient = take(T::pool(), tile);
        let mut end = self.saved.len();
        for (index, (network, range)) in self.layers.networks.iter().enumerate().rev() {
            let start = end - Saved::size(network, tile);
            let saved = Saved::split(&mut self.saved[start..end], network, tile);
            end = start;
            // `backward_tile` gives it back.
            let mut out_gradient = take(T::pool(), 2 * tile);
            for &site in network.out_sites() {
                let (s, t) = saved.out[2 * site * V::LANES..][..2 * V::LANES].split_at(V::LANES);
                let place = &mut out_gradient[2 * site * V::LANES..][..2 * V::LANES];
                let (s_gradient, t_gradient) = place.split_at_mut(V::LANES);
                let x = &saved.x[site * V::LANES..][..V::LANES];
                let g = &mut g[site * V::LANES..][..V::LANES];
                for lane in 0..V::LANES {
                    // By s and t: y = x e^s + t forwards, y = (x - t) e^{-s} backwards.
                    let (by_s, by_t, by_x);
                    if self.layers.direction == Direction::Forward {
                        by_x = g[lane] * s[lane].exponential();
                        by_s = by_x * x[lane] + log_det_gradient[lane];
                        by_t = g[lane];
                    } else {
                        by_x = g[lane] * (-s[lane]).exponential();
                        by_s = -by_x * (x[lane] - t[lane]) - log_det_gradient[lane];
                        by_t = -by_x;
                    }
                    s_gradient[lane] = T::tanh_gradient(by_s, s[lane]);
                    t_gradient[lane] = T::tanh_gradient(by_t, t[lane]);
                    g[lane] = by_x;
                }
            }
            let wanted = index > 0 || !self.x_gradient.is_empty();
            let to = wanted.then_some(&mut input_gradient[..]);
            let by_parameters = &mut gradient[range.clone()];
            // SAFETY: passed on from the caller.
            unsafe { network.backward_tile::<V>(saved.x, saved.hidden, out_gradient, to, by_parameters) };
            if wanted {
                // The network writes the gradient by the sites it reads and leaves the others as they were.
                for site in network.in_sites() {
                    for lane in site * V::LANES..(site + 1) * V::LANES {
                        g[lane] += input_gradient[lane];
                    }
                }
            }
        }
        if !self.x_gradient.is_empty() {
            scatter(&g, 1, volume, V::LANES, self.x_gradient);
        }
        give(T::pool(), input_gradient);
        gradient
    }
}

/// `[batch, site]` → `[batch, site + 1]`, the log det last, and per tile what [`backward`] needs if `keep`.
pub fn forward<T: Scalar>(
    isa: Isa,
    flow: &AffineFlow,
    direction: Direction,
    x: &[T],
    theta: &[T],
    keep: bool,
) -> (Vec<T>, Vec<Vec<T>>) {
    let (lanes, _) = vector_shape::<T>(isa);
    let volume = flow.volume();
    let layers = Layers::new(flow, theta, isa, direction, Sweep::Forward);
    let mut y = vec![T::default(); x.len() / volume * (volume + 1)];
    let tiles = x.par_chunks(lanes * volume).zip(y.par_chunks_mut(lanes * (volume + 1)));
    let saved = tiles.map(|(x, y)| T::dispatch(isa, ForwardTile { layers: &layers, x, y, keep })).collect();
    (y, saved)
}

/// Gradients by `x` (empty unless wanted) and by the packed parameters, from the gradient `[batch, site + 1]`.
pub fn backward<T: Scalar>(
    isa: Isa,
    flow: &AffineFlow,
    direction: Direction,
    theta: &[T],
    saved: &mut [Vec<T>],
    y_gradient: &[T],
    want_x: bool,
) -> (Vec<T>, Vec<T>) {
    let (lanes, _) = vector_shape::<T>(isa);
    let volume = flow.volume();
    let layers = Layers::new(flow, theta, isa, direction, Sweep::Backward);
    let batch = y_gradient.len() / (volume + 1);
    let mut x_gradient = vec![T::default(); if want_x { batch * volume } else { 0 }];
    let mut wanted = chunks_or_nothing(&mut x_gradient, lanes * volume, saved.len());
    let tiles = saved.par_iter_mut().zip(wanted.par_iter_mut()).enumerate();
    let tile = |(tile, (saved, x_gradient)): (usize, (&mut Vec<T>, &mut &mut [T]))| {
        let y_gradient = part(y_gradient, tile, lanes * (volume + 1));
        T::dispatch(isa, BackwardTile { layers: &layers, saved, y_gradient, x_gradient })
    };
    let gradients: Vec<Vec<T>> = tiles.map(tile).collect();
    (x_gradient, sum_in_order(&gradients, theta.len()))
}
