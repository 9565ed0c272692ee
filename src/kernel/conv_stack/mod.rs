//! A stack of periodic convolutions as one operation: the conditioner network of every coupling layer.

pub(super) mod backward;
mod blocks;
mod cpu;
#[cfg(feature = "wgpu")]
pub(super) mod gpu;
pub(super) mod network;
pub(super) mod plan;
#[cfg(test)]
mod tests;

use super::fused::{Operation, apply};
#[cfg(feature = "wgpu")]
use super::gpu::Plans;
use burn::tensor::{Tensor, activation, module::conv2d, ops::ConvOptions};
use plan::Convolution;
use std::sync::{Arc, OnceLock};

/// What follows the last convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputActivation {
    /// Nothing.
    Identity,
    /// Hyperbolic tangent.
    Tanh,
}

/// Shape of a convolution stack on a periodic lattice.
///
/// `x → conv → LeakyReLU → … → conv → activation`, each convolution a centred cross-correlation with a K × K
/// kernel, periodic padding and a bias. Only sites of `inputs` are read (others count as zero) and only sites of
/// `outputs` are computed (others are zero), which is what a checkerboard or a link pattern needs; the work on
/// all other sites is skipped.
///
/// The parameters are one vector: for each convolution the weight `[out, in, K, K]`, then the bias `[out]`.
#[derive(Debug, Clone)]
pub struct ConvStack {
    /// `[T, X]`.
    pub extents: [usize; 2],
    /// Channels from input to output, e.g. `[1, 12, 12, 2]`.
    pub channels: Vec<usize>,
    /// Odd kernel size K.
    pub kernel_size: usize,
    /// Dilation of each convolution.
    pub dilations: Vec<usize>,
    /// Slope of LeakyReLU at negative arguments.
    pub slope: f64,
    /// What follows the last convolution.
    pub activation: OutputActivation,
    /// Sites that are read, `[T · X]`.
    pub inputs: Vec<bool>,
    /// Sites that are written, `[T · X]`.
    pub outputs: Vec<bool>,
    plan: OnceLock<Vec<Convolution>>,
    #[cfg(feature = "wgpu")]
    plans: Plans,
}

impl ConvStack {
    /// A stack that reads and writes every site, with dilation 1, slope 0.01 and no output activation.
    ///
    /// # Panics
    /// If there are fewer than two channel numbers or the kernel size is even.
    pub fn new(extents: [usize; 2], channels: Vec<usize>, kernel_size: usize) -> Self {
        assert!(channels.len() >= 2, "a stack needs input and output channels, got {channels:?}");
        assert!(kernel_size % 2 == 1, "kernel size must be odd, got {kernel_size}");
        let volume = extents.iter().product();
        Self {
            extents,
            kernel_size,
            dilations: vec![1; channels.len() - 1],
            channels,
            slope: 0.01,
            activation: OutputActivation::Identity,
            inputs: vec![true; volume],
            outputs: vec![true; volume],
            plan: OnceLock::new(),
            #[cfg(feature = "wgpu")]
            plans: Plans::default(),
        }
    }

    /// Number of sites.
    pub fn volume(&self) -> usize {
        self.extents.iter().product()
    }

    /// Length of the packed parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameter_shapes().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Name and shape of every parameter in packed order: `conv.0.weight`, `conv.0.bias`, …
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let kernel = self.kernel_size;
        self.channels
            .windows(2)
            .enumerate()
            .flat_map(|(i, pair)| {
                [
                    (format!("conv.{i}.weight"), vec![pair[1], pair[0], kernel, kernel]),
                    (format!("conv.{i}.bias"), vec![pair[1]]),
                ]
            })
            .collect()
    }

    /// Multiply-adds of one forward pass for one sample, masked-out work not counted.
    pub fn multiply_adds(&self) -> u64 {
        self.convolutions().iter().map(Convolution::multiply_adds).sum()
    }

    /// Channels read.
    pub fn input_channels(&self) -> usize {
        self.channels[0]
    }

    /// Channels written.
    pub fn output_channels(&self) -> usize {
        self.channels[self.channels.len() - 1]
    }

    /// Hidden activations per site.
    pub fn hidden_width(&self) -> usize {
        self.channels[1..self.channels.len() - 1].iter().sum()
    }

    pub(super) fn convolutions(&self) -> &[Convolution] {
        self.plan.get_or_init(|| plan::convolutions(self))
    }

    /// Offsets of weight and bias of a convolution whose parameters begin at `start`.
    fn parameter_offsets(&self, start: usize, convolution: usize) -> (usize, usize) {
        let (inputs, outputs) = (self.channels[convolution], self.channels[convolution + 1]);
        (start, start + inputs * outputs * self.kernel_size * self.kernel_size)
    }

    fn check_shapes(&self, x: [usize; 4], parameters: [usize; 1]) {
        let expected = [self.channels[0], self.extents[0], self.extents[1]];
        assert_eq!(x[1..], expected, "conv_stack: input [channels, T, X] of x and of the stack");
        assert_eq!(parameters, [self.parameter_count()], "conv_stack: packed parameters");
    }
}

/// Applies the stack: a fused kernel where the device has one, else the [`reference()`].
///
/// # Shapes
/// - `x`: `[batch, channels.first, T, X]`
/// - `parameters`: `[parameter_count]`
/// - result: `[batch, channels.last, T, X]`, zero off the `outputs` sites
///
/// # Panics
/// If a shape does not fit the stack.
pub fn conv_stack(x: Tensor<4>, parameters: Tensor<1>, stack: &Arc<ConvStack>) -> Tensor<4> {
    stack.check_shapes(x.dims(), parameters.dims());
    if !super::is_fused(&x) {
        return reference(x, parameters, stack);
    }
    apply(x, parameters, Operation::ConvStack(Arc::clone(stack)))
}

/// The same in plain tensor operations, differentiated by burn.
///
/// # Shapes
/// As [`conv_stack`].
pub fn reference(x: Tensor<4>, parameters: Tensor<1>, stack: &ConvStack) -> Tensor<4> {
    stack.check_shapes(x.dims(), parameters.dims());
    let mut x = x.clone() * mask(&stack.inputs, stack, &x);
    let mut start = 0;
    let count = stack.channels.len() - 1;
    for convolution in 0..count {
        let (inputs, outputs) = (stack.channels[convolution], stack.channels[convolution + 1]);
        let (weight, bias) = stack.parameter_offsets(start, convolution);
        start = bias + outputs;
        let kernel = stack.kernel_size;
        let w =
            parameters.clone().narrow(0, weight, bias - weight).reshape([outputs, inputs, kernel, kernel]);
        let b = parameters.clone().narrow(0, bias, outputs);
        let dilation = stack.dilations[convolution];
        let padded = periodic_pad(x, kernel / 2 * dilation);
        x = conv2d(padded, w, Some(b), ConvOptions::new([1, 1], [0, 0], [dilation, dilation], 1));
        if convolution + 1 < count {
            x = activation::leaky_relu(x, stack.slope);
        }
    }
    if stack.activation == OutputActivation::Tanh {
        x = x.tanh();
    }
    let outputs = mask(&stack.outputs, stack, &x);
    x * outputs
}

fn mask(sites: &[bool], stack: &ConvStack, like: &Tensor<4>) -> Tensor<4> {
    let values: Vec<f64> = sites.iter().map(|&on| f64::from(u8::from(on))).collect();
    let data = burn::tensor::TensorData::new(values, [1, 1, stack.extents[0], stack.extents[1]]);
    Tensor::from_data(data.convert_dtype(like.dtype()), (&like.device(), like.dtype()))
}

/// Wraps `width` sites around each edge, `[.., T, X]` → `[.., T + 2 width, X + 2 width]`; `width` may exceed an extent.
fn periodic_pad(x: Tensor<4>, width: usize) -> Tensor<4> {
    [2, 3].into_iter().fold(x, |x, dim| {
        let extent = x.dims()[dim];
        let copies = 2 * width.div_ceil(extent) + 1;
        let first = (copies / 2) * extent - width;
        Tensor::cat(vec![x; copies], dim).narrow(dim, first, extent + 2 * width)
    })
}
