//! The shape of a convolution stack: lattice, channels, kernels, which sites are read and written.

use super::plan::{self, Convolution, Displacement};
use crate::lattice::Lattice;
use std::sync::OnceLock;

/// What follows the last convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputActivation {
    /// Nothing.
    Identity,
    /// Hyperbolic tangent.
    Tanh,
}

/// Shape of a convolution stack on a periodic lattice of one to four dimensions.
///
/// `x → conv → LeakyReLU → … → conv → activation`, each convolution a centred cross-correlation with a kernel of K^d
/// taps, periodic padding and a bias. Only sites of `inputs` are read (others count as zero) and only sites of
/// `outputs` are computed (others are zero), which is what a checkerboard or a link pattern needs; the work on
/// all other sites is skipped.
///
/// The parameters are one vector: for each convolution the weight `[out, in, K, …]`, then the bias `[out]`.
#[derive(Debug, Clone)]
pub struct ConvStack {
    /// Where its sites are.
    pub lattice: Lattice,
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
    /// Sites that are read, `[V]`.
    pub inputs: Vec<bool>,
    /// Sites that are written, `[V]`.
    pub outputs: Vec<bool>,
    plan: OnceLock<Vec<Convolution>>,
}

impl ConvStack {
    /// A stack that reads and writes every site, with dilation 1, slope 0.01 and no output activation.
    ///
    /// # Panics
    /// If there are fewer than two channel numbers or the kernel size is even.
    pub fn new(lattice: Lattice, channels: Vec<usize>, kernel_size: usize) -> Self {
        assert!(channels.len() >= 2, "a stack needs input and output channels, got {channels:?}");
        assert!(kernel_size % 2 == 1, "kernel size must be odd, got {kernel_size}");
        Self {
            lattice,
            kernel_size,
            dilations: vec![1; channels.len() - 1],
            channels,
            slope: 0.01,
            activation: OutputActivation::Identity,
            inputs: vec![true; lattice.volume()],
            outputs: vec![true; lattice.volume()],
            plan: OnceLock::new(),
        }
    }

    /// Number of sites.
    pub fn volume(&self) -> usize {
        self.lattice.volume()
    }

    /// Taps of a kernel, K^d.
    pub fn taps(&self) -> usize {
        self.kernel_size.pow(self.lattice.dimensions() as u32)
    }

    /// Length of the packed parameters.
    pub fn parameter_count(&self) -> usize {
        self.channels.windows(2).map(|pair| pair[0] * pair[1] * self.taps() + pair[1]).sum()
    }

    /// Name and shape of every parameter in packed order: `conv.0.weight`, `conv.0.bias`, …
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let kernel = vec![self.kernel_size; self.lattice.dimensions()];
        let shapes = |(i, pair): (usize, &[usize])| {
            let weight = [&[pair[1], pair[0]], &kernel[..]].concat();
            [(format!("conv.{i}.weight"), weight), (format!("conv.{i}.bias"), vec![pair[1]])]
        };
        self.channels.windows(2).enumerate().flat_map(shapes).collect()
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

    /// The site lists of every convolution, made when they are first needed.
    pub(in crate::kernel) fn convolutions(&self) -> &[Convolution] {
        self.plan.get_or_init(|| {
            let taps: Vec<Vec<Displacement>> =
                (0..self.dilations.len()).map(|c| self.displacements(c)).collect();
            plan::convolutions(&self.lattice, &self.channels, &taps, [&self.inputs, &self.outputs])
        })
    }

    /// Displacement of every tap of a convolution: cross-correlation with a centred kernel, as in PyTorch, the last direction
    /// innermost.
    pub(super) fn displacements(&self, convolution: usize) -> Vec<Displacement> {
        let (kernel, dimensions) = (self.kernel_size, self.lattice.dimensions());
        let along =
            |place: usize| (place as isize - kernel as isize / 2) * self.dilations[convolution] as isize;
        let displacement = |tap: usize| {
            let mut step = [0; Lattice::MOST_DIMENSIONS];
            for (mu, step) in step[..dimensions].iter_mut().enumerate() {
                *step = along(tap / kernel.pow((dimensions - 1 - mu) as u32) % kernel);
            }
            step
        };
        (0..self.taps()).map(displacement).collect()
    }

    pub(super) fn check_shapes(&self, x: [usize; 3], parameters: [usize; 1]) {
        let expected = [self.channels[0], self.volume()];
        assert_eq!(x[1..], expected, "conv_stack: [channels, sites] of x and of the stack");
        assert_eq!(parameters, [self.parameter_count()], "conv_stack: packed parameters");
    }
}
