//! A stack with its weights packed for the registers at hand, and its passes over one tile.

use super::blocks::{BLOCKS_16, BLOCKS_32, Conv, Epilogue, Packed};
use super::plan::{Convolution, SiteGroup};
use super::stack::{ConvStack, OutputActivation};
use super::weight_blocks::WeightGradient;
use super::winograd::{self, WinogradConv, WinogradWeights};
use crate::kernel::element::Element;
use crate::kernel::isa::{Isa, Scalar, vector_shape};
use crate::kernel::pool::{give, take};
use crate::kernel::vector::{Kernel, Vector};

/// Which pass the weights are packed for.
#[derive(Clone, Copy)]
pub enum Sweep {
    /// From inputs to outputs.
    Forward,
    /// From gradients by the outputs to gradients by inputs and weights.
    Backward,
}

/// The stack with its weights packed for the registers of an instruction set.
pub struct Network<'a, T> {
    pub stack: &'a ConvStack,
    convolutions: &'a [Convolution],
    parameters: &'a [T],
    packed: Vec<Packed<T>>,
    isa: Isa,
    lanes: usize,
}

impl<'a, T: Scalar> Network<'a, T> {
    pub fn new(stack: &'a ConvStack, parameters: &'a [T], isa: Isa, sweep: Sweep) -> Self {
        assert_eq!(parameters.len(), stack.parameter_count(), "packed parameters of {stack:?}");
        let (lanes, registers) = vector_shape::<T>(isa);
        let sizes = if registers == 32 { BLOCKS_32 } else { BLOCKS_16 };
        let convolutions = stack.convolutions();
        let pack = |c: &Convolution| {
            let weight = |out: usize, input: usize, tap: usize| {
                parameters[c.weight + (out * c.inputs + input) * c.taps + tap]
            };
            match (sweep, &c.patches) {
                (Sweep::Forward, None) => {
                    Packed::new([c.inputs, c.outputs, c.taps], sizes, |i, o, t| weight(o, i, t))
                }
                (Sweep::Forward, Some(_)) => {
                    winograd::packed([c.inputs, c.outputs], sizes, |i, o, t| weight(o, i, t))
                }
                (Sweep::Backward, None) => Packed::new([c.outputs, c.inputs, c.taps], sizes, weight),
                // Gradients come from where sums went: the taps in reverse.
                (Sweep::Backward, Some(_)) => {
                    winograd::packed([c.outputs, c.inputs], sizes, |o, i, t| weight(o, i, c.taps - 1 - t))
                }
            }
        };
        let packed = convolutions.iter().map(pack).collect();
        Self { stack, convolutions, parameters, packed, isa, lanes }
    }

    fn slope(&self) -> T {
        T::from_f64(self.stack.slope)
    }

    fn last(&self) -> usize {
        self.convolutions.len() - 1
    }

    /// The sites that are read.
    pub fn in_sites(&self) -> impl Iterator<Item = usize> {
        self.convolutions[0].backward.iter().flat_map(|group| &group.sites).map(|&site| site as usize)
    }

    /// The sites whose outputs are computed.
    pub fn out_sites(&self) -> impl Iterator<Item = usize> {
        self.out_list().iter().map(|&site| site as usize)
    }

    fn out_list(&self) -> &[u32] {
        &self.convolutions[self.last()].out_sites
    }

    /// Forward pass of a tile: fills the hidden activations and the output tile.
    pub fn forward_tile(&self, input: &[T], hidden: &mut [T], output: &mut [T]) {
        let mut from = input;
        let mut rest = hidden;
        for index in 0..self.last() {
            let size = self.stack.volume() * self.convolutions[index].outputs * self.lanes;
            let (to, others) = rest.split_at_mut(size);
            self.conv(index, from, to, Epilogue::LeakyRelu(self.slope()));
            (from, rest) = (to, others);
        }
        self.conv(self.last(), from, output, Epilogue::Plain);
        if self.stack.activation == OutputActivation::Tanh {
            let (width, sites) = (self.stack.output_channels(), self.out_list());
            T::dispatch(self.isa, Tanh { width, sites, values: output });
        }
    }

    /// One convolution.
    fn conv(&self, index: usize, from: &[T], to: &mut [T], epilogue: Epilogue<'_, T>) {
        let c = &self.convolutions[index];
        let bias = Some(&self.parameters[c.bias..][..c.outputs]);
        self.sums(index, (from, to), [c.inputs, c.outputs], bias, epilogue, &c.forward);
    }

    /// Backward pass of a tile from the gradient `by_output` before the output activation; gradients by inputs and parameters where
    /// they are wanted.
    pub fn backward_tile(
        &self,
        input: &[T],
        hidden: &[T],
        by_output: &[T],
        input_gradient: Option<&mut [T]>,
        mut gradient: Option<&mut [T]>,
    ) {
        let tile = self.stack.volume() * self.lanes;
        let mut end = hidden.len();
        // The gradient by the last hidden layer that was come to.
        let mut by_hidden: Option<Vec<T>> = None;
        for (index, convolution) in self.convolutions.iter().enumerate().rev() {
            let g = by_hidden.as_deref().unwrap_or(by_output);
            let start = end - if index == 0 { 0 } else { tile * convolution.inputs };
            let x = if index == 0 { input } else { &hidden[start..end] };
            if let Some(gradient) = gradient.as_deref_mut() {
                self.weight_gradient(convolution, x, g, gradient);
            }
            if index > 0 {
                let mut next = take(T::pool(), x.len());
                self.conv_back(index, g, &mut next, Epilogue::LeakyGradient(self.slope(), x));
                if let Some(used) = by_hidden.replace(next) {
                    give(T::pool(), used);
                }
            }
            end = start;
        }
        if let Some(to) = input_gradient {
            self.conv_back(0, by_hidden.as_deref().unwrap_or(by_output), to, Epilogue::Plain);
        }
        if let Some(used) = by_hidden {
            give(T::pool(), used);
        }
    }

    /// The gradient by the inputs of a convolution.
    fn conv_back(&self, index: usize, from: &[T], to: &mut [T], epilogue: Epilogue<'_, T>) {
        let c = &self.convolutions[index];
        self.sums(index, (from, to), [c.outputs, c.inputs], None, epilogue, &c.backward);
    }

    /// Sums over taps and channels, by patches where there are any.
    fn sums(
        &self,
        index: usize,
        (from, to): (&[T], &mut [T]),
        [read, written]: [usize; 2],
        bias: Option<&[T]>,
        epilogue: Epilogue<'_, T>,
        groups: &[SiteGroup],
    ) {
        let (c, packed) = (&self.convolutions[index], &self.packed[index]);
        let Some(patches) = &c.patches else {
            let shape = [read, written, c.taps];
            return T::dispatch(self.isa, Conv { from, to, shape, packed, bias, groups, epilogue });
        };
        let mut room = take(T::pool(), winograd::room(read, self.lanes));
        let shape = [read, written];
        let conv = WinogradConv { from, to, shape, packed, bias, patches, epilogue, room: &mut room };
        T::dispatch(self.isa, conv);
        give(T::pool(), room);
    }

    /// The gradients by weights and bias of a convolution.
    fn weight_gradient(&self, convolution: &Convolution, x: &[T], g: &[T], gradient: &mut [T]) {
        let Some(patches) = &convolution.patches else {
            return T::dispatch(self.isa, WeightGradient { convolution, x, g, gradient });
        };
        let [mut x_room, mut g_room] = [x, g].map(|tile| take(T::pool(), tile.len() / 4));
        let room = [&mut x_room[..], &mut g_room[..]];
        T::dispatch(self.isa, WinogradWeights { convolution, patches, x, g, gradient, room });
        [x_room, g_room].into_iter().for_each(|room| give(T::pool(), room));
    }
}

/// tanh of the numbers of the listed sites, in place.
struct Tanh<'a, T> {
    /// Channels of a site.
    width: usize,
    sites: &'a [u32],
    values: &'a mut [T],
}

impl<T: Element> Kernel for Tanh<'_, T> {
    type Elem = T;
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) {
        let width = self.width * V::LANES;
        for &site in self.sites {
            T::tanh_in_place(&mut self.values[site as usize * width..][..width]);
        }
    }
}
