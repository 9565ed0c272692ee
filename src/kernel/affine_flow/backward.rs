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
use std::sync::{Arc, Mutex, PoisonError};

/// Backends with a fused affine flow.
#[backend_extension(Flex, Autodiff)]
pub trait AffineFlowBackend: Backend {
    /// `[batch, 1, T, X]` → `[batch, T · X + 1]`, the log det last; see [`super::affine_flow`].
    fn affine_flow(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
    ) -> FloatTensor<Self>;
}

impl AffineFlowBackend for Flex {
    fn affine_flow(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
    ) -> FloatTensor<Self> {
        Pass::forward(x, parameters, flow, direction, false).0
    }
}

impl<C: CheckpointStrategy> AffineFlowBackend for Autodiff<Flex, C> {
    fn affine_flow(
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        flow: Arc<AffineFlow>,
        direction: Direction,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (parameters, parameters_node) = parameters.into_parts();
        let prepared = Gradient.prepare::<C>([x_node, parameters_node]).compute_bound().stateful();
        match prepared {
            OpsKind::Tracked(prepared) => {
                let (y, pass) = Pass::forward(x, parameters, flow, direction, true);
                prepared.finish(pass, y)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(Pass::forward(x, parameters, flow, direction, false).0)
            }
        }
    }
}

#[derive(Debug)]
struct Gradient;

impl Backward<Flex, 2> for Gradient {
    type State = Pass;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, parameters] = ops.parents;
        let y_gradient = grads.consume::<Flex>(&ops.node);
        let (x_gradient, parameter_gradient) = ops.state.backward(y_gradient, x.is_some());
        if let Some(node) = x {
            grads.register::<Flex>(node.id, x_gradient);
        }
        if let Some(node) = parameters {
            grads.register::<Flex>(node.id, parameter_gradient);
        }
    }
}

/// One pass through the flow, with what its backward pass needs.
#[derive(Debug, Clone)]
struct Pass {
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

    /// Gradients by the field and by the parameters; the former is empty unless wanted.
    fn backward(self, y_gradient: FloatTensor<Flex>, want_x: bool) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
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
    ) -> (FloatTensor<Flex>, FloatTensor<Flex>) {
        let (theta, y_gradient) = (self.parameters.storage::<T>(), y_gradient.storage::<T>());
        let (x, theta) =
            cpu::backward(Isa::active(), &self.flow, self.direction, theta, tiles, y_gradient, want_x);
        let shape = if want_x { self.shape.clone() } else { Shape::from([0]) };
        (tensor(x, shape), tensor(theta, self.parameters.shape()))
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
