//! The fused flow as a backend operation, and its hand-written gradient registered with burn's autodiff.

use super::{AffineFlow, Direction, cpu};
use crate::kernel::conv_stack::backward::tensor;
use crate::kernel::pool::give;
use crate::kernel::scalar::Scalar;
use crate::kernel::vector::Isa;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

/// Backends with a fused affine flow.
#[backend_extension(Flex, Cube: cfg(feature = "wgpu"), Autodiff)]
pub trait AffineFlowBackend: Backend {
    /// `[batch, 1, T, X]` → `[batch, T · X + 1]`, the log det last; see [`super::affine_flow`].
    fn affine_flow(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
    ) -> FloatTensor<Self>;
}

/// The two passes on one kind of device.
pub trait Passes: Backend {
    /// What the backward pass needs of the forward pass.
    type Saved: Clone + Debug + Send + Sync + 'static;

    /// The result of [`AffineFlowBackend::affine_flow`]; what is saved is of use only if it is to be kept.
    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
        keep: bool,
    ) -> (FloatTensor<Self>, Self::Saved);

    /// Gradients by the field, if wanted, and by the parameters.
    fn backward(
        saved: Self::Saved,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>);
}

impl AffineFlowBackend for Flex {
    fn affine_flow(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
    ) -> FloatTensor<Self> {
        <Self as Passes>::forward(x, parameters, flow, direction, false).0
    }
}

#[cfg(feature = "wgpu")]
impl AffineFlowBackend for burn::backend::Cube {
    fn affine_flow(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
    ) -> FloatTensor<Self> {
        <Self as Passes>::forward(x, parameters, flow, direction, false).0
    }
}

impl<B: Passes, C: CheckpointStrategy> AffineFlowBackend for Autodiff<B, C> {
    fn affine_flow(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (parameters, parameters_node) = parameters.into_parts();
        let gradient = Gradient::<B>(PhantomData);
        match gradient.prepare::<C>([x_node, parameters_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (y, saved) = B::forward(x, parameters, flow, direction, true);
                prepared.finish(saved, y)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(B::forward(x, parameters, flow, direction, false).0)
            }
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
    type Saved = Pass;

    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
        keep: bool,
    ) -> (FloatTensor<Self>, Pass) {
        Pass::forward(x, parameters, flow, direction, keep)
    }

    fn backward(
        saved: Pass,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>) {
        saved.backward(y_gradient, want_x)
    }
}

#[cfg(feature = "wgpu")]
impl Passes for burn::backend::Cube {
    type Saved = Arc<(super::gpu::Saved, Arc<AffineFlow>, Direction)>;

    fn forward(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
        keep: bool,
    ) -> (FloatTensor<Self>, Self::Saved) {
        let (y, saved) = super::gpu::forward(x, parameters, &flow, direction, keep);
        (y, Arc::new((saved, flow, direction)))
    }

    fn backward(
        saved: Self::Saved,
        y_gradient: FloatTensor<Self>,
        want_x: bool,
    ) -> (Option<FloatTensor<Self>>, FloatTensor<Self>) {
        let (saved, flow, direction) = &*saved;
        super::gpu::backward(saved, y_gradient, flow, *direction, want_x)
    }
}

/// One pass through the flow, with what its backward pass needs.
#[derive(Debug, Clone)]
pub struct Pass {
    shape: Shape,
    parameters: FloatTensor<Flex>,
    tiles: Arc<Mutex<Tiles>>,
    flow: Arc<AffineFlow>,
    direction: Direction,
}

impl Drop for Tiles {
    fn drop(&mut self) {
        match self {
            Self::F32(tiles) => tiles.drain(..).for_each(|tile| give(f32::pool(), tile)),
            Self::F64(tiles) => tiles.drain(..).for_each(|tile| give(f64::pool(), tile)),
        }
    }
}

/// Layer inputs, hidden activations and outputs of every tile.
#[derive(Debug)]
enum Tiles {
    F32(Vec<Vec<f32>>),
    F64(Vec<Vec<f64>>),
}

impl Pass {
    fn forward(
        x: FloatTensor<Flex>,
        parameters: FloatTensor<Flex>,
        flow: Arc<AffineFlow>,
        direction: Direction,
        keep: bool,
    ) -> (FloatTensor<Flex>, Self) {
        let (x, parameters) = (x.to_contiguous(), parameters.to_contiguous());
        let (y, tiles) = match x.dtype() {
            DType::F32 => {
                let (y, tiles) = forward::<f32>(&x, &parameters, &flow, direction, keep);
                (y, Tiles::F32(tiles))
            }
            DType::F64 => {
                let (y, tiles) = forward::<f64>(&x, &parameters, &flow, direction, keep);
                (y, Tiles::F64(tiles))
            }
            other => panic!("affine_flow computes in f32 or f64, got {other:?}"),
        };
        let tiles = Arc::new(Mutex::new(tiles));
        (y, Self { shape: x.shape(), parameters, tiles, flow, direction })
    }

    fn backward(
        self,
        y_gradient: FloatTensor<Flex>,
        want_x: bool,
    ) -> (Option<FloatTensor<Flex>>, FloatTensor<Flex>) {
        let y_gradient = y_gradient.to_contiguous();
        match &mut *self.tiles.lock().unwrap_or_else(PoisonError::into_inner) {
            Tiles::F32(tiles) => self.gradients(tiles, &y_gradient, want_x),
            Tiles::F64(tiles) => self.gradients(tiles, &y_gradient, want_x),
        }
    }

    fn gradients<T: Scalar>(
        &self,
        tiles: &mut [Vec<T>],
        y_gradient: &FloatTensor<Flex>,
        want_x: bool,
    ) -> (Option<FloatTensor<Flex>>, FloatTensor<Flex>) {
        let (theta, y_gradient) = (self.parameters.storage::<T>(), y_gradient.storage::<T>());
        let (x, theta) =
            cpu::backward(Isa::active(), &self.flow, self.direction, theta, tiles, y_gradient, want_x);
        (want_x.then(|| tensor(x, self.shape.clone())), tensor(theta, self.parameters.shape()))
    }
}

fn forward<T: Scalar>(
    x: &FloatTensor<Flex>,
    parameters: &FloatTensor<Flex>,
    flow: &AffineFlow,
    direction: Direction,
    keep: bool,
) -> (FloatTensor<Flex>, Vec<Vec<T>>) {
    let (y, tiles) = cpu::forward(Isa::active(), flow, direction, x.storage(), parameters.storage(), keep);
    let shape = [x.shape()[0], flow.volume() + 1];
    (tensor(y, Shape::from(shape)), tiles)
}
