//! The stack on a GPU: one launch for each convolution forwards, two backwards.

use super::stack::{ConvStack, OutputActivation};
use crate::kernel::fused::{Back, Pass};
use crate::kernel::gpu::convolution::Landing;
use crate::kernel::gpu::layout::{Beyond, Extent, from_lanes, to_lanes, zeros};
use crate::kernel::gpu::{Buffer, Packed, Plans, flat};
use burn::backend::Cube;
use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use std::sync::Arc;

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
struct Kept {
    stack: Arc<ConvStack>,
    packed: Packed,
    x: Buffer,
    hidden: Vec<Buffer>,
    y: Buffer,
    batch: usize,
}

fn extent(stack: &ConvStack, channels: usize, batch: usize) -> Extent {
    Extent { volume: stack.volume(), channels, stride: channels * stack.volume(), batch }
}

/// `[batch, channels.first, site]` → `[batch, channels.last, site]`; the way back is kept in any case.
pub fn pass(stack: Arc<ConvStack>, plans: &Plans, x: CubeTensor, parameters: CubeTensor) -> Pass<Cube> {
    let (client, device) = (x.client.clone(), x.device.clone());
    let batch = x.shape()[0];
    let mode = plans.tiled(batch, stack.volume());
    let plan = plans.get(&client, &device, mode, &[&stack], &|_| Vec::new());
    let packed = Packed::new(&client, plan, &Buffer::tensor(parameters));
    let net = packed.network(0, &stack, batch);
    let x = to_lanes(
        &client,
        &Buffer::tensor(x),
        extent(&stack, stack.input_channels(), batch),
        Beyond::LastSample,
    );
    let hidden = net.hidden(&x);
    let y = net.output(hidden.last().unwrap_or(&x));
    let channels = stack.output_channels();
    let result = Buffer::empty(&client, batch * channels * stack.volume());
    let written = Some((net.table(), packed.plan.written[0]));
    from_lanes(&client, &y, written, &result, extent(&stack, channels, batch));
    let output = result.into_tensor(&client, &device, Shape::from([batch, channels, stack.volume()]));
    Pass { output, back: Some(Arc::new(Kept { stack, packed, x, hidden, y, batch })) }
}

impl Back<Cube> for Kept {
    fn gradients(&self, y_gradient: CubeTensor, wanted: &[bool]) -> Vec<Option<CubeTensor>> {
        let (client, device) = (y_gradient.client.clone(), y_gradient.device.clone());
        let Self { stack, packed, x, hidden, y, batch } = self;
        let net = packed.network(0, stack, *batch);
        let output = extent(stack, stack.output_channels(), *batch);
        let gradient = to_lanes(&client, &Buffer::tensor(y_gradient), output, Beyond::Zero);
        if stack.activation == OutputActivation::Tanh {
            let (count, dim) = flat(gradient.words());
            // SAFETY: units beyond the end stop, and both have the same length.
            unsafe { tanh_gradient::launch_unchecked(&client, count, dim, y.arg(), gradient.arg()) };
        }
        let partials = packed.partials(*batch);
        let by_x = wanted[0].then(|| zeros(&client, x.words()));
        let to = by_x.as_ref().map(|by_x| (by_x, Landing::Added));
        net.backward(x, hidden, gradient, Some(&partials), to);
        let by_parameters = partials.sum(&client, &packed.plan);
        let by_parameters =
            by_parameters.into_tensor(&client, &device, Shape::from([stack.parameter_count()]));
        let by_x = by_x.map(|by_x| {
            let channels = stack.input_channels();
            let result = Buffer::empty(&client, batch * channels * stack.volume());
            from_lanes(&client, &by_x, None, &result, extent(stack, channels, *batch));
            result.into_tensor(&client, &device, Shape::from([*batch, channels, stack.volume()]))
        });
        vec![by_x, Some(by_parameters)]
    }
}
