//! Fused operations as one backend operation: their passes on each kind of device, and their gradient for burn's autodiff.

use super::affine_flow::{self, AffineFlow, Direction};
use super::conv_stack::{self, ConvStack};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

/// An operation from a field and packed parameters to one tensor.
#[derive(Debug, Clone)]
pub enum Operation {
    /// [`super::conv_stack()`].
    ConvStack(Arc<ConvStack>),
    /// [`super::affine_flow()`], with the log det as the last number of every sample.
    AffineFlow(Arc<AffineFlow>, Direction),
}

/// Applies an operation where [`super::is_fused`] says that there are kernels for it.
///
/// # Shapes
/// `x`: `[batch, channels, T, X]`, `parameters`: those of the operation
pub fn apply<const D: usize>(x: Tensor<4>, parameters: Tensor<1>, operation: Operation) -> Tensor<D> {
    let y = <Dispatch as FusedBackend>::fused(x.into_dispatch(), parameters.into_dispatch(), operation);
    Tensor::from_dispatch(y)
}

/// Backends with kernels for [`Operation`].
#[backend_extension(Flex, Cube: cfg(feature = "wgpu"), Autodiff)]
pub trait FusedBackend: Backend {
    /// See [`apply`].
    fn fused(x: FloatTensor<Self>, parameters: FloatTensor<Self>, operation: Operation) -> FloatTensor<Self>;
}

/// The two passes on one kind of device.
pub trait Passes: Backend {
    /// What the backward pass needs of the forward pass.
    type Saved: Clone + Debug + Send + Sync + 'static;

    /// The result, and what is to be kept; of use only if `keep`.
    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        operation: Operation,
        keep: bool,
    ) -> (FloatTensor<Self>, Self::Saved);

    /// Gradients by the field, if wanted, and by the parameters.
    fn backward(
        saved: Self::Saved,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>);
}

impl FusedBackend for Flex {
    fn fused(x: FloatTensor<Self>, parameters: FloatTensor<Self>, operation: Operation) -> FloatTensor<Self> {
        <Self as Passes>::forward(x, parameters, operation, false).0
    }
}

#[cfg(feature = "wgpu")]
impl FusedBackend for burn::backend::Cube {
    fn fused(x: FloatTensor<Self>, parameters: FloatTensor<Self>, operation: Operation) -> FloatTensor<Self> {
        <Self as Passes>::forward(x, parameters, operation, false).0
    }
}

impl<B: Passes, C: CheckpointStrategy> FusedBackend for Autodiff<B, C> {
    fn fused(x: FloatTensor<Self>, parameters: FloatTensor<Self>, operation: Operation) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (parameters, parameters_node) = parameters.into_parts();
        let gradient = Gradient::<B>(PhantomData);
        match gradient.prepare::<C>([x_node, parameters_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (y, saved) = B::forward(x, parameters, operation, true);
                prepared.finish(saved, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::forward(x, parameters, operation, false).0),
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

/// What is kept on the CPU.
#[derive(Debug, Clone)]
pub enum CpuSaved {
    ConvStack(conv_stack::backward::Saved),
    AffineFlow(affine_flow::backward::Pass),
}

impl Passes for Flex {
    type Saved = CpuSaved;

    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        operation: Operation,
        keep: bool,
    ) -> (FloatTensor<Self>, CpuSaved) {
        match operation {
            Operation::ConvStack(stack) => {
                let saved = conv_stack::backward::Saved::forward(x, parameters, stack, keep);
                (saved.y(), CpuSaved::ConvStack(saved))
            }
            Operation::AffineFlow(flow, direction) => {
                let (y, pass) = affine_flow::backward::Pass::forward(x, parameters, flow, direction, keep);
                (y, CpuSaved::AffineFlow(pass))
            }
        }
    }

    fn backward(
        saved: CpuSaved,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>) {
        match saved {
            CpuSaved::ConvStack(saved) => saved.backward(y_gradient, want_x),
            CpuSaved::AffineFlow(pass) => pass.backward(y_gradient, want_x),
        }
    }
}

/// What is kept on a GPU.
#[cfg(feature = "wgpu")]
#[derive(Debug)]
pub enum GpuSaved {
    ConvStack(conv_stack::gpu::Saved, Arc<ConvStack>),
    AffineFlow(affine_flow::gpu::Saved, Arc<AffineFlow>, Direction),
}

#[cfg(feature = "wgpu")]
impl Passes for burn::backend::Cube {
    type Saved = Arc<GpuSaved>;

    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        operation: Operation,
        keep: bool,
    ) -> (FloatTensor<Self>, Self::Saved) {
        let (y, saved) = match operation {
            Operation::ConvStack(stack) => {
                let (y, saved) = conv_stack::gpu::forward(x, parameters, &stack);
                (y, GpuSaved::ConvStack(saved, stack))
            }
            Operation::AffineFlow(flow, direction) => {
                let (y, saved) = affine_flow::gpu::forward(x, parameters, &flow, direction, keep);
                (y, GpuSaved::AffineFlow(saved, flow, direction))
            }
        };
        (y, Arc::new(saved))
    }

    fn backward(
        saved: Self::Saved,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>) {
        match &*saved {
            GpuSaved::ConvStack(saved, stack) => conv_stack::gpu::backward(saved, y_gradient, stack, want_x),
            GpuSaved::AffineFlow(saved, flow, direction) => {
                affine_flow::gpu::backward(saved, y_gradient, flow, *direction, want_x)
            }
        }
    }
}
