//! A stack of couplings on burn's CPU tensors, single or double precision.

use super::cpu;
use super::layer::Coupling;
use super::networks::{Direction, Networks};
use crate::kernel::fused::{Back, Pass};
use crate::kernel::isa::{Isa, Scalar};
use crate::kernel::pool::give;
use crate::kernel::tile::tensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape};
use std::sync::{Arc, Mutex, PoisonError};

/// A pass through the layers.
pub fn pass<C: Coupling>(
    stack: (Arc<Networks>, Arc<[C]>),
    direction: Direction,
    [x, parameters]: [FloatTensor<Flex>; 2],
    keep: bool,
) -> Pass<Flex> {
    let (x, parameters) = (x.to_contiguous(), parameters.to_contiguous());
    match x.dtype() {
        DType::F32 => pass_in::<C, f32>(stack, direction, [x, parameters], keep),
        DType::F64 => pass_in::<C, f64>(stack, direction, [x, parameters], keep),
        other => panic!("a stack of couplings computes in f32 or f64, got {other:?}"),
    }
}

fn pass_in<C: Coupling, T: Scalar>(
    stack: (Arc<Networks>, Arc<[C]>),
    direction: Direction,
    [x, parameters]: [FloatTensor<Flex>; 2],
    keep: bool,
) -> Pass<Flex> {
    let parts = (&*stack.0, &*stack.1);
    let (y, tiles) =
        cpu::forward::<C, T>(Isa::active(), parts, direction, x.storage(), parameters.storage(), keep);
    let shape = x.shape();
    let output = tensor(y, Shape::from([shape[0], shape[1] * shape[2] + 1]));
    let kept = || Kept { shape, parameters, tiles: Mutex::new(tiles), stack, direction };
    let back = keep.then(|| Arc::new(kept()) as Arc<dyn Back<Flex>>);
    Pass { output, back }
}

/// What the backward pass needs of the forward pass.
#[derive(Debug)]
struct Kept<C, T: Scalar> {
    shape: Shape,
    parameters: FloatTensor<Flex>,
    /// Fields, hidden activations and outputs of all layers, tile by tile.
    tiles: Mutex<Vec<Vec<T>>>,
    stack: (Arc<Networks>, Arc<[C]>),
    direction: Direction,
}

impl<C, T: Scalar> Drop for Kept<C, T> {
    fn drop(&mut self) {
        let tiles = self.tiles.get_mut().unwrap_or_else(PoisonError::into_inner);
        tiles.drain(..).for_each(|tile| give(T::pool(), tile));
    }
}

impl<C: Coupling, T: Scalar> Back<Flex> for Kept<C, T> {
    fn gradients(&self, by_output: FloatTensor<Flex>, wanted: &[bool]) -> Vec<Option<FloatTensor<Flex>>> {
        let by_output = by_output.to_contiguous();
        let mut tiles = self.tiles.lock().unwrap_or_else(PoisonError::into_inner);
        let (by_x, by_parameters) = cpu::backward::<C, T>(
            Isa::active(),
            (&*self.stack.0, &*self.stack.1),
            self.direction,
            self.parameters.storage(),
            &mut tiles,
            by_output.storage(),
            [wanted[0], wanted[1]],
        );
        let by_x = wanted[0].then(|| tensor(by_x, self.shape.clone()));
        let by_parameters = wanted[1].then(|| tensor(by_parameters, self.parameters.shape()));
        vec![by_x, by_parameters]
    }
}
