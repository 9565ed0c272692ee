//! The action of a U(1) field with two flavours of Wilson fermions, as an operation on tensors and on the host.

use super::plaquette::Plaquettes;
use crate::kernel::fused::{Back, Fused, Pass, is_fused, unary};
use crate::kernel::isa::Scalar;
use crate::kernel::tile::tensor;
use crate::kernel::wilson::{Determinant, Wilson, Workspace};
use crate::lattice::Lattice;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, ElementConversion, Shape, Tensor};
use rayon::prelude::*;
use std::sync::{Arc, Mutex};

/// `S = -β Σ_x cos P(x) - 2 ln|det D|`, the second term where there are fermions. Source: A22, eqs. (A4)-(A6).
///
/// Both terms are computed in double precision on the host, wherever the tensors are, unless [`Self::action_on_device`] is asked.
#[derive(Debug)]
pub struct GaugeAction {
    lattice: Lattice,
    beta: f64,
    plaquettes: Plaquettes,
    wilson: Option<Wilson>,
    /// Room for determinants that nobody uses at the moment.
    spare: Mutex<Vec<Workspace>>,
}

impl GaugeAction {
    /// With fermions or without.
    pub fn new(lattice: Lattice, beta: f64, wilson: Option<Wilson>) -> Self {
        Self { lattice, beta, plaquettes: Plaquettes::new(lattice), wilson, spare: Mutex::default() }
    }

    /// The plaquettes.
    pub fn plaquettes(&self) -> Plaquettes {
        self.plaquettes
    }

    /// The lattice.
    pub fn lattice(&self) -> Lattice {
        self.lattice
    }

    /// β.
    pub fn beta(&self) -> f64 {
        self.beta
    }

    /// The operator of the fermions, if there are any.
    pub fn wilson(&self) -> Option<&Wilson> {
        self.wilson.as_ref()
    }

    /// Calls `f` with the operator and room to work in, if there are fermions.
    pub fn with_wilson<T>(&self, f: impl FnOnce(&Wilson, &mut Workspace) -> T) -> Option<T> {
        let wilson = self.wilson.as_ref()?;
        let spare = self.spare.lock().expect("nobody panics while taking room").pop();
        let mut work = spare.unwrap_or_else(|| wilson.workspace());
        let found = f(wilson, &mut work);
        self.spare.lock().expect("nobody panics while giving room back").push(work);
        Some(found)
    }

    /// The action of one configuration.
    ///
    /// # Shapes
    /// `angles`: `[μ, site]`
    pub fn value(&self, angles: &[f64]) -> f64 {
        let fermions = self.with_wilson(|wilson, work| wilson.determinant(angles, work));
        total(self.beta, self.plaquettes.sum_of_cosines(angles), fermions)
    }

    /// Adds `scale · ∂S/∂θ` to a gradient, and returns the action.
    ///
    /// # Shapes
    /// `angles`, `gradient`: `[μ, site]`
    pub fn gradient(&self, angles: &[f64], scale: f64, gradient: &mut [f64]) -> f64 {
        let cosines = self.gradient_of_plaquettes(angles, scale, gradient);
        total(self.beta, cosines, self.gradient_of_fermions(angles, scale, gradient))
    }

    /// The part of the plaquettes alone; returns `Σ cos P`.
    pub fn gradient_of_plaquettes(&self, angles: &[f64], scale: f64, gradient: &mut [f64]) -> f64 {
        self.plaquettes.gradient(angles, -self.beta * scale, gradient)
    }

    /// The part of the fermions alone.
    pub fn gradient_of_fermions(
        &self,
        angles: &[f64],
        scale: f64,
        gradient: &mut [f64],
    ) -> Option<Determinant> {
        self.with_wilson(|wilson, work| wilson.gradient(angles, -2.0 * scale, work, gradient))
    }

    /// The action of every configuration, differentiable.
    ///
    /// # Shapes
    /// `[batch, μ, site]` → `[batch]`
    ///
    /// # Panics
    /// If the field has another number of links, or is on a device without fused operations.
    pub fn action(self: &Arc<Self>, angles: Tensor<3>) -> Tensor<1> {
        self.assert_fits(&angles);
        unary(angles, self.clone())
    }

    /// # Panics
    /// As [`Self::action`] does.
    pub(super) fn assert_fits(&self, angles: &Tensor<3>) {
        let expected = [2, self.lattice.volume()];
        assert_eq!(angles.dims()[1..], expected, "[directions, sites] of the links and of the action");
        assert!(is_fused(&angles.device(), angles.dtype()), "a device with fused operations");
    }

    /// Actions of all configurations, and their gradients if they are to be kept.
    ///
    /// # Shapes
    /// `angles`: `[batch, μ, site]` → `[batch]`, `[batch, μ, site]`
    pub(super) fn all<T: Scalar>(&self, angles: &[T], keep: bool) -> (Vec<T>, Vec<T>) {
        let links = 2 * self.lattice.volume();
        let mut gradients = vec![T::default(); if keep { angles.len() } else { 0 }];
        let mut actions = vec![T::default(); angles.len() / links];
        let one = |angles: &[T], gradient: &mut [T]| {
            let angles: Vec<f64> = angles.iter().map(|angle| f64::from_elem(*angle)).collect();
            if gradient.is_empty() {
                return T::from_f64(self.value(&angles));
            }
            let mut found = vec![0.0; links];
            let action = self.gradient(&angles, 1.0, &mut found);
            gradient.iter_mut().zip(found).for_each(|(to, from)| *to = T::from_f64(from));
            T::from_f64(action)
        };
        let fields = angles.par_chunks_exact(links).zip(&mut actions);
        if keep {
            let places = fields.zip(gradients.par_chunks_exact_mut(links));
            places.for_each(|((angles, action), gradient)| *action = one(angles, gradient));
        } else {
            fields.for_each(|(angles, action)| *action = one(angles, &mut []));
        }
        (actions, gradients)
    }

    fn on_cpu_in<T: Scalar>(&self, field: &FloatTensor<Flex>, keep: bool) -> Pass<Flex> {
        let (actions, gradients) = self.all::<T>(field.storage::<T>(), keep);
        let output = tensor(actions, Shape::from([field.shape()[0]]));
        let back = || Arc::new(Kept { gradients: tensor(gradients, field.shape()) }) as Arc<dyn Back<Flex>>;
        Pass { output, back: keep.then(back) }
    }
}

fn total(beta: f64, cosines: f64, fermions: Option<Determinant>) -> f64 {
    -beta * cosines - 2.0 * fermions.map_or(0.0, |determinant| determinant.log_abs)
}

impl Fused for GaugeAction {
    fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, keep: bool) -> Pass<Flex> {
        let [field] = <[_; 1]>::try_from(inputs).expect("a field");
        let field = field.to_contiguous();
        match field.dtype() {
            DType::F32 => self.on_cpu_in::<f32>(&field, keep),
            DType::F64 => self.on_cpu_in::<f64>(&field, keep),
            other => panic!("the action is computed in f32 or f64, got {other:?}"),
        }
    }

    /// The links come to the host, actions and gradients go back.
    #[cfg(feature = "wgpu")]
    fn on_gpu(
        self: Arc<Self>,
        inputs: Vec<FloatTensor<burn::backend::Cube>>,
        keep: bool,
    ) -> Pass<burn::backend::Cube> {
        use burn::backend::Cube;
        use burn::backend::ops::FloatTensorOps;
        let [field] = <[_; 1]>::try_from(inputs).expect("a field");
        let links = futures_lite::future::block_on(Cube::float_into_data(field.clone()));
        let links = links.expect("links come back");
        let found = self.all::<f32>(links.as_slice().expect("single precision"), keep);
        uploaded(&field, found, keep)
    }
}

/// Actions and gradients that the host has computed, on the device of the links.
#[cfg(feature = "wgpu")]
pub(super) fn uploaded(
    field: &FloatTensor<burn::backend::Cube>,
    (actions, gradients): (Vec<f32>, Vec<f32>),
    keep: bool,
) -> Pass<burn::backend::Cube> {
    use burn::backend::Cube;
    use burn::backend::ops::FloatTensorOps;
    use burn::tensor::TensorData;
    let upload =
        |values: Vec<f32>, shape: Shape| Cube::float_from_data(TensorData::new(values, shape), &field.device);
    let output = upload(actions, Shape::from([field.shape()[0]]));
    let back = || Arc::new(Kept { gradients: upload(gradients, field.shape()) }) as Arc<dyn Back<Cube>>;
    Pass { output, back: keep.then(back) }
}

/// `∂S/∂θ`.
#[derive(Debug)]
pub(super) struct Kept<T> {
    pub gradients: T,
}

impl<B> Back<B> for Kept<FloatTensor<B>>
where
    B: burn::backend::Backend,
{
    fn gradients(&self, by_action: FloatTensor<B>, _: &[bool]) -> Vec<Option<FloatTensor<B>>> {
        let batch = by_action.shape()[0];
        let by_action = B::float_reshape(by_action, Shape::from([batch, 1, 1]));
        vec![Some(B::float_mul(self.gradients.clone(), by_action))]
    }
}
