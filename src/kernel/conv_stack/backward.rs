//! The fused stack on burn's CPU tensors, single or double precision.

use super::ConvStack;
use super::cpu::{self, Pass};
use crate::kernel::scalar::Scalar;
use crate::kernel::vector::Isa;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape, TensorData};
use std::sync::Arc;

/// What the backward pass needs of the forward pass.
#[derive(Debug, Clone)]
pub struct Saved {
    x: FloatTensor<Flex>,
    parameters: FloatTensor<Flex>,
    y: FloatTensor<Flex>,
    hidden: Arc<Hidden>,
    stack: Arc<ConvStack>,
}

/// Hidden activations, in the kernel's tile order.
#[derive(Debug)]
enum Hidden {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Saved {
    /// The output.
    pub fn y(&self) -> FloatTensor<Flex> {
        self.y.clone()
    }

    pub fn forward(
        x: FloatTensor<Flex>,
        parameters: FloatTensor<Flex>,
        stack: Arc<ConvStack>,
        keep: bool,
    ) -> Self {
        let (x, parameters) = (x.to_contiguous(), parameters.to_contiguous());
        let (y, hidden) = match x.dtype() {
            DType::F32 => {
                let (y, hidden) = forward::<f32>(&x, &parameters, &stack, keep);
                (y, Hidden::F32(hidden))
            }
            DType::F64 => {
                let (y, hidden) = forward::<f64>(&x, &parameters, &stack, keep);
                (y, Hidden::F64(hidden))
            }
            other => panic!("conv_stack computes in f32 or f64, got {other:?}"),
        };
        Self { x, parameters, y, hidden: Arc::new(hidden), stack }
    }

    pub fn backward(
        self,
        y_gradient: FloatTensor<Flex>,
        want_x: bool,
    ) -> (Option<FloatTensor<Flex>>, FloatTensor<Flex>) {
        let y_gradient = y_gradient.to_contiguous();
        match &*self.hidden {
            Hidden::F32(hidden) => self.gradients(hidden, &y_gradient, want_x),
            Hidden::F64(hidden) => self.gradients(hidden, &y_gradient, want_x),
        }
    }

    fn gradients<T: Scalar>(
        &self,
        hidden: &[T],
        y_gradient: &FloatTensor<Flex>,
        want_x: bool,
    ) -> (Option<FloatTensor<Flex>>, FloatTensor<Flex>) {
        let pass = Pass {
            x: self.x.storage::<T>(),
            y: self.y.storage::<T>(),
            hidden,
            y_gradient: y_gradient.storage::<T>(),
            want_x,
        };
        let parameters = self.parameters.storage::<T>();
        let (x, theta) = cpu::backward(Isa::active(), &self.stack, parameters, pass);
        (want_x.then(|| tensor(x, self.x.shape())), tensor(theta, self.parameters.shape()))
    }
}

fn forward<T: Scalar>(
    x: &FloatTensor<Flex>,
    parameters: &FloatTensor<Flex>,
    stack: &ConvStack,
    keep: bool,
) -> (FloatTensor<Flex>, Vec<T>) {
    let (y, hidden) = cpu::forward(Isa::active(), stack, x.storage(), parameters.storage(), keep);
    let mut shape = x.shape();
    shape[1] = stack.output_channels();
    (tensor(y, shape), hidden)
}

pub(in crate::kernel) fn tensor<T: Scalar>(values: Vec<T>, shape: Shape) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape))
}
