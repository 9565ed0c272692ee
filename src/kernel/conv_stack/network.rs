//! A stack with its weights packed for the registers at hand, and its passes over one tile.

use super::blocks::{BLOCKS_16, BLOCKS_32, Epilogue, Packed, conv, weight_gradient};
use super::plan::Convolution;
use super::{ConvStack, OutputActivation};
use crate::kernel::pool::{give, take};
use crate::kernel::scalar::Scalar;
use crate::kernel::vector::{Isa, Vector, vector_shape};

/// Which pass the weights are packed for.
#[derive(Clone, Copy)]
pub enum Sweep {
    /// From inputs to outputs.
    Forward,
    /// From gradients by the outputs to gradients by inputs and weights.
    Backward,
}

/// The stack with its weights packed for vectors with a given number of registers.
pub struct Network<'a, T> {
    pub stack: &'a ConvStack,
    convolutions: &'a [Convolution],
    parameters: &'a [T],
    packed: Vec<Packed<T>>,
}

impl<'a, T: Scalar> Network<'a, T> {
    pub fn new(stack: &'a ConvStack, parameters: &'a [T], isa: Isa, sweep: Sweep) -> Self {
        assert_eq!(parameters.len(), stack.parameter_count(), "packed parameters of {stack:?}");
        let (_, registers) = vector_shape::<T>(isa);
        let sizes = if registers == 32 { BLOCKS_32 } else { BLOCKS_16 };
        let convolutions = stack.convolutions();
        let pack = |c: &Convolution| {
            let weight = |out: usize, input: usize, tap: usize| {
                parameters[c.weight + (out * c.inputs + input) * c.taps + tap]
            };
            match sweep {
                Sweep::Forward => {
                    Packed::new([c.inputs, c.outputs, c.taps], sizes, |i, o, t| weight(o, i, t))
                }
                Sweep::Backward => Packed::new([c.outputs, c.inputs, c.taps], sizes, weight),
            }
        };
        let packed = convolutions.iter().map(pack).collect();
        Self { stack, convolutions, parameters, packed }
    }

    fn slope(&self) -> T {
        T::from_f64(self.stack.slope)
    }

    fn last(&self) -> usize {
        self.convolutions.len() - 1
    }

    /// The sites that are read.
    pub fn in_sites(&self) -> impl Iterator<Item = &usize> {
        self.convolutions[0].backward.iter().flat_map(|group| &group.sites)
    }

    /// The sites whose outputs are computed.
    pub fn out_sites(&self) -> &[usize] {
        &self.convolutions[self.last()].out_sites
    }

    /// Forward pass of a tile: fills the hidden activations and the output tile.
    ///
    /// # Safety
    /// The instruction set of `V` must be there.
    #[inline(always)]
    pub unsafe fn forward_tile<V: Vector<Elem = T>>(&self, input: &[T], hidden: &mut [T], output: &mut [T]) {
        let mut from = input;
        let mut rest = hidden;
        for (index, c) in self.convolutions.iter().enumerate() {
            let bias = Some(&self.parameters[c.bias..][..c.outputs]);
            let shape = [c.inputs, c.outputs, c.taps];
            let packed = &self.packed[index];
            // SAFETY: passed on from the caller; tiles have the sizes that the stack prescribes.
            unsafe {
                if index == self.last() {
                    conv::<V>(from, output, shape, packed, bias, &c.forward, &Epilogue::Plain);
                } else {
                    let (to, others) = rest.split_at_mut(self.stack.volume() * c.outputs * V::LANES);
                    let epilogue = Epilogue::LeakyRelu(V::splat(self.slope()));
                    conv::<V>(from, to, shape, packed, bias, &c.forward, &epilogue);
                    (from, rest) = (to, others);
                }
            }
        }
        if self.stack.activation == OutputActivation::Tanh {
            let width = self.convolutions[self.last()].outputs * V::LANES;
            for site in &self.convolutions[self.last()].out_sites {
                V::Elem::tanh_in_place(&mut output[site * width..][..width]);
            }
        }
    }

    /// Backward pass of a tile from the gradient `g` before the output activation.
    ///
    /// # Safety
    /// The instruction set of `V` must be there.
    #[inline(always)]
    pub unsafe fn backward_tile<V: Vector<Elem = T>>(
        &self,
        input: &[T],
        hidden: &[T],
        mut g: Vec<T>,
        input_gradient: Option<&mut [T]>,
        gradient: &mut [T],
    ) {
        let tile = self.stack.volume() * V::LANES;
        let mut end = hidden.len();
        for (index, c) in self.convolutions.iter().enumerate().rev() {
            let start = end - if index == 0 { 0 } else { tile * c.inputs };
            let x = if index == 0 { input } else { &hidden[start..end] };
            let shape = [c.outputs, c.inputs, c.taps];
            // SAFETY: passed on from the caller; tiles have the sizes that the stack prescribes.
            unsafe {
                weight_gradient::<V>(c, x, &g, gradient);
                if index > 0 {
                    let mut next = take(T::pool(), x.len());
                    let epilogue = Epilogue::LeakyGradient(V::splat(self.slope()), x);
                    conv::<V>(&g, &mut next, shape, &self.packed[index], None, &c.backward, &epilogue);
                    give(T::pool(), std::mem::replace(&mut g, next));
                }
            }
            end = start;
        }
        if let Some(to) = input_gradient {
            let c = &self.convolutions[0];
            let shape = [c.outputs, c.inputs, c.taps];
            // SAFETY: as above.
            unsafe {
                conv::<V>(&g, to, shape, &self.packed[0], None, &c.backward, &Epilogue::Plain);
            }
        }
        give(T::pool(), g);
    }
}
