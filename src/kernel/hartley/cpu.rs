//! The transform on burn's CPU tensors, single or double precision, a tile of samples side by side.

use super::waves::Waves;
use crate::kernel::fused::{Back, Pass};
use crate::kernel::isa::Scalar;
use crate::kernel::tile::{gathered, scatter, tensor};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::DType;
use rayon::prelude::*;
use std::sync::Arc;

/// Samples of a tile: plain loops over them become vector instructions on every machine, with the same digits.
const LANES: usize = 16;

/// The transform, `[batch, component, site]` → `[batch, component, momentum]`.
pub fn pass(field: FloatTensor<Flex>, waves: Arc<Waves>, keep: bool) -> Pass<Flex> {
    let output = transformed(field, &waves);
    Pass { output, back: keep.then(|| Arc::new(Symmetric(waves)) as Arc<dyn Back<Flex>>) }
}

/// The way back of a symmetric operation is the operation.
#[derive(Debug)]
struct Symmetric(Arc<Waves>);

impl Back<Flex> for Symmetric {
    fn gradients(&self, by_output: FloatTensor<Flex>, _: &[bool]) -> Vec<Option<FloatTensor<Flex>>> {
        vec![Some(transformed(by_output, &self.0))]
    }
}

fn transformed(field: FloatTensor<Flex>, waves: &Waves) -> FloatTensor<Flex> {
    let field = field.to_contiguous();
    match field.dtype() {
        DType::F32 => transformed_in::<f32>(&field, waves),
        DType::F64 => transformed_in::<f64>(&field, waves),
        other => panic!("the Hartley transform is made in f32 or f64, got {other:?}"),
    }
}

fn transformed_in<T: Scalar>(field: &FloatTensor<Flex>, waves: &Waves) -> FloatTensor<Flex> {
    let shape = field.shape();
    let (components, volume) = (shape[1], shape[2]);
    let rounded = |(wave, stride): (&[f64], usize)| {
        (wave.iter().map(|&w| T::from_f64(w)).collect(), stride * components * LANES)
    };
    let directions: Vec<(Vec<T>, usize)> = waves.directions().map(rounded).collect();
    let size = LANES * components * volume;
    let mut all = vec![T::default(); shape.num_elements()];
    let tiles = all.par_chunks_mut(size).zip(field.storage::<T>().par_chunks(size));
    tiles.for_each(|(to, from)| {
        let mut tile = gathered(from, components, volume, LANES);
        let mut next = vec![T::default(); tile.len()];
        for (wave, stride) in &directions {
            along(wave, *stride, &tile, &mut next);
            std::mem::swap(&mut tile, &mut next);
        }
        scatter(&tile, components, volume, LANES, to);
    });
    tensor(all, shape)
}

/// The transform along one direction, of which `stride` numbers lie inside.
fn along<T: Scalar>(wave: &[T], stride: usize, from: &[T], to: &mut [T]) {
    let extent = wave.len();
    let blocks = from.chunks_exact(extent * stride).zip(to.chunks_exact_mut(extent * stride));
    for (from, to) in blocks {
        for (k, to) in to.chunks_exact_mut(stride).enumerate() {
            to.fill(T::default());
            for (n, from) in from.chunks_exact(stride).enumerate() {
                let factor = wave[k * n % extent];
                to.iter_mut().zip(from).for_each(|(to, &from)| *to += factor * from);
            }
        }
    }
}
