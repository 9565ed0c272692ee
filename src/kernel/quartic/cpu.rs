//! The action on burn's CPU tensors, single or double precision.
//!
//! Sums have the order that burn's plain operations and their automatic differentiation have, so that both give the same digits.

use crate::kernel::fused::{Back, Pass};
use crate::kernel::isa::Scalar;
use crate::kernel::tile::tensor;
use crate::lattice::Neighbours;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, Shape};
use rayon::prelude::*;
use std::sync::Arc;

/// The action of every configuration, `[batch, 1, site]` → `[batch]`.
pub fn pass(
    field: FloatTensor<Flex>,
    neighbours: Arc<Neighbours>,
    [quadratic, coupling]: [f64; 2],
    keep: bool,
) -> Pass<Flex> {
    let field = field.to_contiguous();
    let potential = [quadratic, coupling];
    match field.dtype() {
        DType::F32 => pass_in::<f32>(field, neighbours, potential, keep),
        DType::F64 => pass_in::<f64>(field, neighbours, potential, keep),
        other => panic!("the action is computed in f32 or f64, got {other:?}"),
    }
}

fn pass_in<T: Scalar>(
    field: FloatTensor<Flex>,
    neighbours: Arc<Neighbours>,
    potential: [f64; 2],
    keep: bool,
) -> Pass<Flex> {
    let kept = Kept { field, neighbours, potential: potential.map(T::from_f64) };
    let shape = kept.field.shape();
    let (batch, volume) = (shape[0], shape[2]);
    let mut density = vec![T::default(); batch * volume];
    let samples = density.par_chunks_mut(volume).zip(kept.field.storage::<T>().par_chunks(volume));
    samples.for_each(|(density, field)| kept.density(field, density));
    // burn's own sum, whose order depends on the instruction set.
    let sum = Flex::float_sum_dim(tensor(density, Shape::from([batch, volume])), 1);
    let output = Flex::float_reshape(sum, Shape::from([batch]));
    Pass { output, back: keep.then(|| Arc::new(kept) as Arc<dyn Back<Flex>>) }
}

/// What the backward pass needs.
#[derive(Debug)]
struct Kept<T> {
    field: FloatTensor<Flex>,
    neighbours: Arc<Neighbours>,
    /// a and λ.
    potential: [T; 2],
}

impl<T: Scalar> Kept<T> {
    /// What every site adds to the action of one configuration.
    fn density(&self, field: &[T], density: &mut [T]) {
        let [quadratic, coupling] = self.potential;
        for (site, density) in density.iter_mut().enumerate() {
            let phi = field[site];
            let square = phi * phi;
            *density = square * (square * coupling + quadratic) - phi * self.ahead(field, site);
        }
    }

    /// The sum of the neighbours one step forward.
    fn ahead(&self, field: &[T], site: usize) -> T {
        let mut near = self.neighbours.forward(site).iter().map(|&site| field[site as usize]);
        let first = near.next().expect("a lattice has a dimension");
        near.fold(first, |sum, next| sum + next)
    }

    /// `∂S/∂φ`, times the gradient by S, of one configuration.
    fn gradient(&self, field: &[T], by_action: T, gradient: &mut [T]) {
        let [quadratic, coupling] = self.potential;
        for (site, gradient) in gradient.iter_mut().enumerate() {
            let phi = field[site];
            let square = phi * phi;
            let by_square = by_action * (square * coupling + quadratic) + by_action * square * coupling;
            let own = by_square * phi;
            let behind =
                self.neighbours.backward(site).iter().rev().map(|&site| -by_action * field[site as usize]);
            let hopping = behind.fold(-by_action * self.ahead(field, site), |sum, next| sum + next);
            *gradient = hopping + own + own;
        }
    }
}

impl<T: Scalar> Back<Flex> for Kept<T> {
    fn gradients(&self, by_action: FloatTensor<Flex>, _: &[bool]) -> Vec<Option<FloatTensor<Flex>>> {
        let by_action = by_action.to_contiguous();
        let (fields, by_action) = (self.field.storage::<T>(), by_action.storage::<T>());
        let mut gradient = vec![T::default(); fields.len()];
        let volume = fields.len() / by_action.len();
        let samples = gradient.par_chunks_mut(volume).zip(fields.par_chunks(volume)).zip(by_action);
        samples.for_each(|((gradient, field), &by_action)| self.gradient(field, by_action, gradient));
        vec![Some(tensor(gradient, self.field.shape()))]
    }
}
