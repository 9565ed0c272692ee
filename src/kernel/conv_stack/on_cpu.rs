//! The fused stack on burn's CPU tensors, single or double precision.

use super::cpu::{self, Activations};
use super::stack::ConvStack;
use crate::kernel::fused::{Back, Pass};
use crate::kernel::isa::{Isa, Scalar};
use crate::kernel::tile::tensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::DType;
use std::sync::Arc;

/// A pass through the stack.
pub fn pass(
    stack: Arc<ConvStack>,
    x: FloatTensor<Flex>,
    parameters: FloatTensor<Flex>,
    keep: bool,
) -> Pass<Flex> {
    let (x, parameters) = (x.to_contiguous(), parameters.to_contiguous());
    match x.dtype() {
        DType::F32 => pass_in::<f32>(stack, x, parameters, keep),
        DType::F64 => pass_in::<f64>(stack, x, parameters, keep),
        other => panic!("conv_stack computes in f32 or f64, got {other:?}"),
    }
}

fn pass_in<T: Scalar>(
    stack: Arc<ConvStack>,
    x: FloatTensor<Flex>,
    parameters: FloatTensor<Flex>,
    keep: bool,
) -> Pass<Flex> {
    let (y, hidden) = cpu::forward::<T>(Isa::active(), &stack, x.storage(), parameters.storage(), keep);
    let mut shape = x.shape();
    shape[1] = stack.output_channels();
    let output = tensor(y, shape);
    let kept = || Kept { x, parameters, y: output.clone(), hidden, stack };
    let back = keep.then(|| Arc::new(kept()) as Arc<dyn Back<Flex>>);
    Pass { output, back }
}

/// What the backward pass needs of the forward pass.
#[derive(Debug)]
struct Kept<T> {
    x: FloatTensor<Flex>,
    parameters: FloatTensor<Flex>,
    y: FloatTensor<Flex>,
    /// Hidden activations, in the kernel's tile order.
    hidden: Vec<T>,
    stack: Arc<ConvStack>,
}

impl<T: Scalar> Back<Flex> for Kept<T> {
    fn gradients(&self, by_output: FloatTensor<Flex>, wanted: &[bool]) -> Vec<Option<FloatTensor<Flex>>> {
        let by_output = by_output.to_contiguous();
        let activations = Activations {
            x: self.x.storage::<T>(),
            y: self.y.storage::<T>(),
            hidden: &self.hidden,
            y_gradient: by_output.storage::<T>(),
            want_x: wanted[0],
        };
        let (by_x, by_parameters) =
            cpu::backward(Isa::active(), &self.stack, self.parameters.storage::<T>(), activations);
        let by_x = wanted[0].then(|| tensor(by_x, self.x.shape()));
        vec![by_x, Some(tensor(by_parameters, self.parameters.shape()))]
    }
}
