//! One tile of samples through all layers and back, while it is in cache; written once for all couplings.

use super::layer::Coupling;
use super::map::tanh_gradient;
use super::networks::{Direction, Networks};
use crate::kernel::conv_stack::OutputActivation;
use crate::kernel::conv_stack::network::{Network, Sweep};
use crate::kernel::isa::{Isa, Scalar};
use crate::kernel::pool::{give, take};
use crate::kernel::tile::{gathered, scatter};
use crate::kernel::vector::{Kernel, Vector};
use rayon::prelude::*;
use std::ops::Range;

/// A layer with its network packed for the registers at hand.
struct Layer<'a, C, T> {
    coupling: &'a C,
    network: Network<'a, T>,
    /// Where its parameters are.
    parameters: Range<usize>,
}

/// All layers in the order of their application.
pub struct Layers<'a, C, T> {
    direction: Direction,
    /// Numbers of a sample.
    numbers: usize,
    volume: usize,
    parameter_count: usize,
    layers: Vec<Layer<'a, C, T>>,
}

impl<'a, C: Coupling, T: Scalar> Layers<'a, C, T> {
    /// The layers with their weights packed for one sweep.
    pub fn new(
        (networks, couplings): (&'a Networks, &'a [C]),
        theta: &'a [T],
        isa: Isa,
        direction: Direction,
        sweep: Sweep,
    ) -> Self {
        let layer = |index: usize| {
            let parameters = networks.parameters_of(index);
            let network = Network::new(&networks.layers()[index], &theta[parameters.clone()], isa, sweep);
            Layer { coupling: &couplings[index], network, parameters }
        };
        Self {
            direction,
            numbers: couplings[0].components() * networks.volume(),
            volume: networks.volume(),
            parameter_count: networks.parameter_count(),
            layers: networks.order(direction).into_par_iter().map(layer).collect(),
        }
    }

    /// Numbers of a sample.
    pub fn numbers(&self) -> usize {
        self.numbers
    }

    /// Sizes of the parts of [`Kept`] of one layer.
    fn sizes(&self, layer: &Layer<'_, C, T>, lanes: usize) -> [usize; 4] {
        let stack = layer.network.stack;
        let per_site = [layer.coupling.own_features(), stack.hidden_width(), stack.output_channels()];
        let [features, hidden, output] = per_site.map(|channels| channels * self.volume * lanes);
        [self.numbers * lanes, features, hidden, output]
    }
}

/// What the backward pass needs of one layer.
struct Kept<'a, T> {
    /// The field before it.
    field: &'a mut [T],
    /// Features of the field, if they are not the field itself.
    features: &'a mut [T],
    /// Hidden activations.
    hidden: &'a mut [T],
    /// What the network writes.
    output: &'a mut [T],
}

impl<'a, T> Kept<'a, T> {
    fn split(all: &'a mut [T], [field, features, hidden, _]: [usize; 4]) -> Self {
        let (field, rest) = all.split_at_mut(field);
        let (features, rest) = rest.split_at_mut(features);
        let (hidden, output) = rest.split_at_mut(hidden);
        Self { field, features, hidden, output }
    }
}

/// One tile through all layers; returns what the backward pass needs, if it is to be kept.
pub struct ForwardTile<'a, C, T> {
    pub layers: &'a Layers<'a, C, T>,
    /// `[sample, number]`.
    pub x: &'a [T],
    /// `[sample, number]` and the log det.
    pub y: &'a mut [T],
    pub keep: bool,
}

impl<C: Coupling, T: Scalar> Kernel for ForwardTile<'_, C, T> {
    type Elem = T;
    type Output = Vec<T>;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) -> Vec<T> {
        let Layers { direction, numbers, .. } = *self.layers;
        let mut field = gathered(self.x, 1, numbers, V::LANES);
        let mut log_det = vec![T::default(); V::LANES];
        let size = |layer| self.layers.sizes(layer, V::LANES).iter().sum::<usize>();
        let all = self.layers.layers.iter().map(size);
        // Whatever is read of it has been written before: the networks go by their site lists.
        let mut memory = take(T::pool(), if self.keep { all.sum() } else { all.max().unwrap_or(0) });
        let mut start = 0;
        for layer in &self.layers.layers {
            let sizes = self.layers.sizes(layer, V::LANES);
            let size = sizes.iter().sum::<usize>();
            let kept = Kept::split(&mut memory[start..start + size], sizes);
            start += if self.keep { size } else { 0 };
            kept.field.copy_from_slice(&field);
            let features = layer.coupling.features::<V>(kept.field, kept.features);
            layer.network.forward_tile(features, kept.hidden, kept.output);
            let written = layer.network.out_sites();
            layer.coupling.apply::<V>(direction, written, kept.output, &mut field, &mut log_det);
        }
        for (lane, row) in self.y.chunks_exact_mut(numbers + 1).enumerate() {
            for (number, value) in row[..numbers].iter_mut().enumerate() {
                *value = field[number * V::LANES + lane];
            }
            row[numbers] = log_det[lane];
        }
        if self.keep {
            return memory;
        }
        give(T::pool(), memory);
        Vec::new()
    }
}

/// One tile back through all layers.
pub struct BackwardTile<'a, C, T> {
    pub layers: &'a Layers<'a, C, T>,
    /// What [`ForwardTile`] returned.
    pub kept: &'a mut [T],
    /// Gradient by `[sample, number]` and by the log det.
    pub y_gradient: &'a [T],
    /// `[sample, number]`, empty where it is not wanted.
    pub x_gradient: &'a mut [T],
    /// Whether the gradient by the parameters is wanted.
    pub want_parameters: bool,
}

impl<C: Coupling, T: Scalar> Kernel for BackwardTile<'_, C, T> {
    type Elem = T;
    /// Gradient by the packed parameters, empty where it is not wanted.
    type Output = Vec<T>;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) -> Vec<T> {
        let Layers { direction, numbers, volume, .. } = *self.layers;
        let both = gathered(self.y_gradient, 1, numbers + 1, V::LANES);
        let (g, by_log_det) = both.split_at(numbers * V::LANES);
        let mut g = g.to_vec();
        let parameters = if self.want_parameters { self.layers.parameter_count } else { 0 };
        let mut gradient = vec![T::default(); parameters];
        let mut end = self.kept.len();
        for (index, layer) in self.layers.layers.iter().enumerate().rev() {
            let (coupling, network) = (layer.coupling, &layer.network);
            let sizes = self.layers.sizes(layer, V::LANES);
            let start = end - sizes.iter().sum::<usize>();
            let kept = Kept::split(&mut self.kept[start..end], sizes);
            end = start;
            let mut by_output = take(T::pool(), kept.output.len());
            let (written, output) = (network.out_sites(), &*kept.output);
            coupling.apply_gradient::<V>(
                direction,
                written,
                output,
                kept.field,
                by_log_det,
                &mut g,
                &mut by_output,
            );
            if network.stack.activation == OutputActivation::Tanh {
                let width = network.stack.output_channels() * V::LANES;
                for site in network.out_sites() {
                    let place = site * width..(site + 1) * width;
                    tanh_gradient(&output[place.clone()], &mut by_output[place]);
                }
            }
            let wanted = index > 0 || !self.x_gradient.is_empty();
            let channels = network.stack.input_channels();
            let mut by_features = take(T::pool(), channels * volume * V::LANES);
            let to = wanted.then_some(&mut by_features[..]);
            let features: &[T] = if kept.features.is_empty() { kept.field } else { kept.features };
            let by_parameters = self.want_parameters.then(|| &mut gradient[layer.parameters.clone()]);
            network.backward_tile(features, kept.hidden, &by_output, to, by_parameters);
            give(T::pool(), by_output);
            if wanted {
                coupling.features_gradient::<V>(network.in_sites(), features, &by_features, &mut g);
            }
            give(T::pool(), by_features);
        }
        if !self.x_gradient.is_empty() {
            scatter(&g, 1, numbers, V::LANES, self.x_gradient);
        }
        gradient
    }
}
