//! The stack on a GPU: one launch for each convolution forwards, two backwards.

use super::{ConvStack, OutputActivation};
use crate::kernel::gpu::layout::{Beyond, Extent, from_lanes, to_lanes, zeros};
use crate::kernel::gpu::{Buffer, Packed, flat};
use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Multiplies a gradient by the derivative of tanh, read off its value.
#[cube(launch_unchecked)]
fn tanh_gradient(y: &[f32], gradient: &mut [f32]) {
    if ABSOLUTE_POS < gradient.len() {
        let y = y[ABSOLUTE_POS];
        gradient[ABSOLUTE_POS] *= 1.0 - y * y;
    }
}

/// What the backward pass needs of the forward pass.
#[derive(Debug)]
pub struct Saved {
    packed: Packed,
    x: Buffer,
    hidden: Vec<Buffer>,
    y: Buffer,
    batch: usize,
}

fn extent(stack: &ConvStack, channels: usize, batch: usize) -> Extent {
    Extent { volume: stack.volume(), channels, stride: channels * stack.volume(), batch }
}

/// `[batch, channels.first, T, X]` → `[batch, channels.last, T, X]`.
pub fn forward(x: CubeTensor, parameters: CubeTensor, stack: &ConvStack) -> (CubeTensor, Saved) {
    let (client, device) = (x.client.clone(), x.device.clone());
    let batch = x.shape()[0];
    let mode = stack.plans.tiled(batch, stack.volume());
    let plan = stack.plans.get(&client, &device, mode, &[stack]);
    let packed = Packed::new(&client, plan, &Buffer::tensor(parameters));
    let net = packed.network(0, stack, batch);
    let x = to_lanes(
        &client,
        &Buffer::tensor(x),
        extent(stack, stack.input_channels(), batch),
        Beyond::LastSample,
    );
    let hidden = net.hidden(&x);
    let y = net.output(hidden.last().unwrap_or(&x));
    let channels = stack.output_channels();
    let result = Buffer::empty(&client, batch * channels * stack.volume());
    let written = Some((net.table(), packed.plan.written[0]));
    from_lanes(&client, &y, written, &result, extent(stack, channels, batch));
    let [t, s] = stack.extents;
    let result = result.into_tensor(&client, &device, Shape::from([batch, channels, t, s]));
    (result, Saved { packed, x, hidden, y, batch })
}

/// Gradients by the input (if wanted) and by the parameters.
pub fn backward(
    saved: &Saved,
    y_gradient: CubeTensor,
    stack: &ConvStack,
    want_x: bool,
) -> (Option<CubeTensor>, CubeTensor) {
    let (client, device) = (y_gradient.client.clone(), y_gradient.device.clone());
    let Saved { packed, x, hidden, y, batch } = saved;
    let net = packed.network(0, stack, *batch);
    let output = extent(stack, stack.output_channels(), *batch);
    let gradient = to_lanes(&client, &Buffer::tensor(y_gradient), output, Beyond::Zero);
    if stack.activation == OutputActivation::Tanh {
        let (count, dim) = flat(gradient.words());
        // SAFETY: units beyond the end stop, and both have the same length.
        unsafe { tanh_gradient::launch_unchecked(&client, count, dim, y.arg(), gradient.arg()) };
    }
    let partials = packed.partials(*batch);
    let by_x = want_x.then(|| zeros(&client, x.words()));
    net.backward(x, hidden, gradient, &partials, by_x.as_ref());
    let by_parameters = partials.sum(&client, &packed.plan);
    let by_parameters = by_parameters.into_tensor(&client, &device, Shape::from([stack.parameter_count()]));
    let by_x = by_x.map(|by_x| {
        let channels = stack.input_channels();
        let result = Buffer::empty(&client, batch * channels * stack.volume());
        from_lanes(&client, &by_x, None, &result, extent(stack, channels, *batch));
        let [t, s] = stack.extents;
        result.into_tensor(&client, &device, Shape::from([*batch, channels, t, s]))
    });
    (by_x, by_parameters)
}
