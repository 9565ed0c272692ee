//! The stack in plain tensor operations, differentiated by burn: what the fused kernels are held against.

use super::plan::Displacement;
use super::stack::{ConvStack, OutputActivation};
use burn::tensor::{Int, Tensor, TensorData, activation};

/// Applies the stack: a gather of neighbours and a matrix product for each convolution, in any number of dimensions.
///
/// # Shapes
/// As [`super::conv_stack`].
pub fn reference(x: Tensor<3>, parameters: Tensor<1>, stack: &ConvStack) -> Tensor<3> {
    stack.check_shapes(x.dims(), parameters.dims());
    let mut x = x.clone() * mask(&stack.inputs, &x);
    let count = stack.channels.len() - 1;
    for (index, convolution) in stack.convolutions().iter().enumerate() {
        let (inputs, outputs) = (convolution.inputs, convolution.outputs);
        let columns = inputs * convolution.taps;
        let weight = parameters.clone().narrow(0, convolution.weight, outputs * columns);
        let bias = parameters.clone().narrow(0, convolution.bias, outputs).reshape([1, outputs, 1]);
        let near = neighbours(x, stack, index);
        x = weight.reshape([1, outputs, columns]).matmul(near) + bias;
        if index + 1 < count {
            x = activation::leaky_relu(x, stack.slope);
        }
    }
    if stack.activation == OutputActivation::Tanh {
        x = x.tanh();
    }
    let outputs = mask(&stack.outputs, &x);
    x * outputs
}

/// `[batch, channel, site]` → `[batch, channel · tap, site]`, the neighbour of every site under every tap.
fn neighbours(x: Tensor<3>, stack: &ConvStack, convolution: usize) -> Tensor<3> {
    let [batch, channels, volume] = x.dims();
    let taps = stack.displacements(convolution);
    let from = |tap: &Displacement| -> Vec<i64> {
        (0..volume).map(|site| stack.lattice.shifted(site, tap) as i64).collect()
    };
    let places: Vec<i64> = taps.iter().flat_map(from).collect();
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [taps.len() * volume]), &x.device());
    x.select(2, places).reshape([batch, channels * taps.len(), volume])
}

/// One where a site is listed and zero elsewhere, `[1, 1, site]`, on the device and of the kind of another tensor.
pub fn mask(sites: &[bool], like: &Tensor<3>) -> Tensor<3> {
    let values: Vec<f64> = sites.iter().map(|&on| f64::from(u8::from(on))).collect();
    let data = TensorData::new(values, [1, 1, sites.len()]);
    Tensor::from_data(data.convert_dtype(like.dtype()), (&like.device(), like.dtype()))
}
