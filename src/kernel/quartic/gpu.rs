//! The action on a GPU: one launch forwards and one backwards, in place of 46 tensor operations.

use super::Quartic;
use crate::kernel::gpu::{Buffer, flat, groups};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, TensorMetadata, backend_extension};
use burn::tensor::{Shape, Tensor};
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use std::marker::PhantomData;

/// Units of a workgroup, which share one configuration.
const UNITS: usize = 64;

/// See [`Quartic::action`].
pub fn action(field: Tensor<4>, quartic: Quartic) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as ActionBackend>::quartic_action(field.into_dispatch(), quartic))
}

/// Backends with a kernel for the action.
#[backend_extension(Cube, Autodiff)]
pub trait ActionBackend: Backend {
    /// See [`Quartic::action`].
    fn quartic_action(field: FloatTensor<Self>, quartic: Quartic) -> FloatTensor<Self>;
}

/// Backends with kernels for both passes.
trait ActionPasses: Backend {
    fn forward(field: FloatTensor<Self>, quartic: Quartic) -> FloatTensor<Self>;

    /// `∂S/∂φ` times the gradient by S.
    fn backward(field: FloatTensor<Self>, gradient: FloatTensor<Self>, quartic: Quartic)
    -> FloatTensor<Self>;
}

impl ActionBackend for Cube {
    fn quartic_action(field: FloatTensor<Self>, quartic: Quartic) -> FloatTensor<Self> {
        Self::forward(field, quartic)
    }
}

impl<B: ActionPasses, C: CheckpointStrategy> ActionBackend for Autodiff<B, C> {
    fn quartic_action(field: FloatTensor<Self>, quartic: Quartic) -> FloatTensor<Self> {
        let (field, node) = field.into_parts();
        match Gradient::<B>(PhantomData).prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let action = B::forward(field.clone(), quartic);
                prepared.finish((field, quartic), action)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::forward(field, quartic)),
        }
    }
}

#[derive(Debug)]
struct Gradient<B>(PhantomData<B>);

impl<B: ActionPasses> Backward<B, 1> for Gradient<B> {
    type State = (FloatTensor<B>, Quartic);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (field, quartic) = ops.state;
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::backward(field, gradient, quartic));
        }
    }
}

/// One workgroup for each configuration: its units sum sites, then the first of them sums units.
#[cube(launch_unchecked)]
fn sum_density(field: &[f32], actions: &mut [f32], times: u32, space: u32, quadratic: f32, coupling: f32) {
    let sample = (CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize;
    // All units of a workgroup stop here or none.
    if sample >= actions.len() {
        terminate!();
    }
    let unit = UNIT_POS as usize;
    let (times, space) = (times as usize, space as usize);
    let volume = times * space;
    let first = sample * volume;
    let mut sum = f32::new(0.0);
    let mut site = unit;
    while site < volume {
        let (t, x) = (site / space, site % space);
        let phi = field[first + site];
        let forward = field[first + (t + 1) % times * space + x] + field[first + t * space + (x + 1) % space];
        let square = phi * phi;
        sum += square * fma(square, coupling, quadratic) - phi * forward;
        site += comptime!(UNITS);
    }
    let mut sums = Shared::<[f32]>::new_slice(comptime!(UNITS));
    sums[unit] = sum;
    sync_cube();
    if unit == 0 {
        let mut total = f32::new(0.0);
        for i in 0..comptime!(UNITS) {
            total += sums[i];
        }
        actions[sample] = total;
    }
}

/// `∂S/∂φ(x) = 2a φ + 4λ φ³ - Σ_±μ φ(x±μ̂)`, times the gradient by S.
#[cube(launch_unchecked)]
fn minus_force(
    field: &[f32],
    by_action: &[f32],
    by_field: &mut [f32],
    times: u32,
    space: u32,
    quadratic: f32,
    coupling: f32,
) {
    let place = ABSOLUTE_POS;
    if place >= by_field.len() {
        terminate!();
    }
    let (times, space) = (times as usize, space as usize);
    let volume = times * space;
    let (sample, site) = (place / volume, place % volume);
    let (t, x) = (site / space, site % space);
    let first = sample * volume;
    let (row, column) = (first + t * space, first + x);
    let in_time = field[(t + 1) % times * space + column] + field[(t + times - 1) % times * space + column];
    let in_space = field[row + (x + 1) % space] + field[row + (x + space - 1) % space];
    let phi = field[place];
    let own = phi * fma(phi * phi, 4.0 * coupling, 2.0 * quadratic);
    by_field[place] = by_action[sample] * (own - (in_time + in_space));
}

impl ActionPasses for Cube {
    fn forward(field: CubeTensor, quartic: Quartic) -> CubeTensor {
        let (client, device, batch) = (field.client.clone(), field.device.clone(), field.shape()[0]);
        let [t, x] = quartic.lattice.extents();
        let actions = Buffer::empty(&client, batch);
        // SAFETY: workgroups beyond the batch stop; neighbours are sites of the same configuration.
        unsafe {
            sum_density::launch_unchecked(
                &client,
                groups(batch),
                CubeDim::new_1d(UNITS as u32),
                Buffer::tensor(field).arg(),
                actions.arg(),
                t as u32,
                x as u32,
                quartic.quadratic as f32,
                quartic.coupling as f32,
            );
        }
        actions.into_tensor(&client, &device, Shape::from([batch]))
    }

    fn backward(field: CubeTensor, gradient: CubeTensor, quartic: Quartic) -> CubeTensor {
        let (client, device, shape) = (field.client.clone(), field.device.clone(), field.shape());
        let [t, x] = quartic.lattice.extents();
        let by_field = Buffer::empty(&client, shape.num_elements());
        let (count, dim) = flat(by_field.words());
        // SAFETY: units beyond the end stop; neighbours are sites of the same configuration.
        unsafe {
            minus_force::launch_unchecked(
                &client,
                count,
                dim,
                Buffer::tensor(field).arg(),
                Buffer::tensor(gradient).arg(),
                by_field.arg(),
                t as u32,
                x as u32,
                quartic.quadratic as f32,
                quartic.coupling as f32,
            );
        }
        by_field.into_tensor(&client, &device, shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::gpu::test_device;
    use crate::lattice::Lattice;
    use crate::rng::Seed;
    use burn::tensor::{DType, TensorData};

    /// Even, odd and smallest lattices, more sites than units and fewer; gradients from outside differ by configuration.
    #[test]
    fn action_and_gradient_are_those_of_the_reference() {
        let Some(device) = test_device() else { return };
        for (extents, batch) in [([6, 4], 5), ([5, 7], 1), ([2, 2], 3), ([12, 16], 130)] {
            let quartic = Quartic { lattice: Lattice::new(extents), quadratic: 1.5, coupling: 0.7 };
            let volume = quartic.lattice.volume();
            let draw = |name: &str, count| Seed(2).stream(name).normals(0, 1, count);
            let (phi, factors) = (draw("phi", batch * volume), draw("factors", batch));
            let results = |fused: bool| {
                let device = if fused { device.clone() } else { burn::tensor::Device::flex() }.autodiff();
                let data = TensorData::new(phi.clone(), [batch, 1, extents[0], extents[1]]);
                let field = Tensor::<4>::from_data(data, (&device, DType::F32)).require_grad();
                let factors = TensorData::new(factors.clone(), [batch]);
                let factors = Tensor::<1>::from_data(factors, (&device, DType::F32));
                let actions = quartic.action(field.clone());
                let gradient = field.grad(&(actions.clone() * factors).sum().backward()).expect("tracked");
                [actions.into_data(), gradient.into_data()].map(|data| data.iter::<f64>().collect::<Vec<_>>())
            };
            for (found, expected) in results(true).iter().zip(&results(false)) {
                assert_eq!(found.len(), expected.len());
                let scale = expected.iter().fold(1f64, |scale, v| scale.max(v.abs()));
                for (a, b) in found.iter().zip(expected) {
                    assert!((a - b).abs() < 2e-6 * scale, "{a} is not {b} on {extents:?}, batch {batch}");
                }
            }
        }
    }
}
