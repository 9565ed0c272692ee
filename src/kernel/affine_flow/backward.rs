//! The fused flow on burn's CPU tensors, single or double precision.

use super::{AffineFlow, Direction, cpu};
use crate::kernel::conv_stack::backward::tensor;
use crate::kernel::pool::give;
use crate::kernel::scalar::Scalar;
use crate::kernel::vector::Isa;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape};
use std::sync::{Arc, Mutex, PoisonError};

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
    pub fn forward(
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

    pub fn backward(
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
