//! The fused stack as a backend operation, and its hand-written gradient registered with burn's autodiff.

use super::ConvStack;
use super::cpu::{self, Pass};
use crate::kernel::scalar::Scalar;
use crate::kernel::vector::Isa;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape, TensorData};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

/// Backends with a fused convolution stack.
#[backend_extension(Flex, Cube: cfg(feature = "wgpu"), Autodiff)]
pub trait ConvStackBackend: Backend {
    /// See [`super::conv_stack`].
    fn conv_stack(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        stack: Arc<ConvStack>,
    ) -> FloatTensor<Self>;
}

/// The two passes on one kind of device.
pub trait Passes: Backend {
    /// What the backward pass needs of the forward pass.
    type Saved: Clone + Debug + Send + Sync + 'static;

    /// The result of [`ConvStackBackend::conv_stack`]; what is saved is of use only if it is to be kept.
    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        stack: Arc<ConvStack>,
        keep: bool,
    ) -> (FloatTensor<Self>, Self::Saved);

    /// Gradients by the input, if wanted, and by the parameters.
    fn backward(
        saved: Self::Saved,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>);
}

impl ConvStackBackend for Flex {
    fn conv_stack(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        stack: Arc<ConvStack>,
    ) -> FloatTensor<Self> {
        <Self as Passes>::forward(x, parameters, stack, false).0
    }
}

#[cfg(feature = "wgpu")]
impl ConvStackBackend for burn::backend::Cube {
    fn conv_stack(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        stack: Arc<ConvStack>,
    ) -> FloatTensor<Self> {
        <Self as Passes>::forward(x, parameters, stack, false).0
    }
}

impl<B: Passes, C: CheckpointStrategy> ConvStackBackend for Autodiff<B, C> {
    fn conv_stack(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        stack: Arc<ConvStack>,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (parameters, parameters_node) = parameters.into_parts();
        let gradient = Gradient::<B>(PhantomData);
        match gradient.prepare::<C>([x_node, parameters_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (y, saved) = B::forward(x, parameters, stack, true);
                prepared.finish(saved, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::forward(x, parameters, stack, false).0),
        }
    }
}

#[derive(Debug)]
struct Gradient<B>(PhantomData<B>);

impl<B: Passes> Backward<B, 2> for Gradient<B> {
    type State = B::Saved;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, parameters] = ops.parents;
        let y_gradient = grads.consume::<B>(&ops.node);
        let (x_gradient, parameter_gradient) = B::backward(ops.state, y_gradient, x.is_some());
        if let (Some(node), Some(gradient)) = (x, x_gradient) {
            grads.register::<B>(node.id, gradient);
        }
        if let Some(node) = parameters {
            grads.register::<B>(node.id, parameter_gradient);
        }
    }
}

impl Passes for Flex {
    type Saved = Saved;

    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        stack: Arc<ConvStack>,
        keep: bool,
    ) -> (FloatTensor<Self>, Saved) {
        let saved = Saved::forward(x, parameters, stack, keep);
        (saved.y.clone(), saved)
    }

    fn backward(
        saved: Saved,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>) {
        saved.backward(y_gradient, want_x)
    }
}

#[cfg(feature = "wgpu")]
impl Passes for burn::backend::Cube {
    type Saved = Arc<(super::gpu::Saved, Arc<ConvStack>)>;

    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        stack: Arc<ConvStack>,
        _: bool,
    ) -> (FloatTensor<Self>, Self::Saved) {
        let (y, saved) = super::gpu::forward(x, parameters, &stack);
        (y, Arc::new((saved, stack)))
    }

    fn backward(
        saved: Self::Saved,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>) {
        let (saved, stack) = &*saved;
        super::gpu::backward(saved, y_gradient, stack, want_x)
    }
}

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
    fn forward(
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

    fn backward(
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
