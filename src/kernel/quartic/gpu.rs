//! The action on a GPU: one launch forwards and one backwards, in place of 46 tensor operations.

use crate::kernel::fused::{Back, Pass};
use crate::kernel::gpu::{Buffer, flat, groups};
use crate::lattice::Lattice;
use burn::backend::{Cube, TensorMetadata};
use burn::tensor::Shape;
use burn_cubecl::cubecl;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use std::sync::Arc;

/// Units of a workgroup, which share one configuration.
const UNITS: usize = 64;

/// The neighbour of a site one step along a direction, `extent - 1` steps for the one backward.
#[cube]
fn neighbour(
    site: usize,
    #[comptime] lattice: Lattice,
    #[comptime] mu: usize,
    #[comptime] steps: usize,
) -> usize {
    let (stride, extent) = comptime!((lattice.stride(mu), lattice.extents()[mu]));
    let coordinate = site / stride % extent;
    site - coordinate * stride + (coordinate + steps) % extent * stride
}

/// One workgroup for each configuration: its units sum sites, then the first of them sums units.
#[cube(launch_unchecked)]
fn sum_density(
    field: &[f32],
    actions: &mut [f32],
    quadratic: f32,
    coupling: f32,
    #[comptime] lattice: Lattice,
) {
    let sample = (CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize;
    // All units of a workgroup stop here or none.
    if sample >= actions.len() {
        terminate!();
    }
    let unit = UNIT_POS as usize;
    let volume = comptime!(lattice.volume());
    let first = sample * volume;
    let mut sum = f32::new(0.0);
    let mut site = unit;
    while site < volume {
        let phi = field[first + site];
        let mut forward = field[first + neighbour(site, lattice, 0usize, 1usize)];
        #[unroll]
        for mu in 1..comptime!(lattice.dimensions()) {
            forward += field[first + neighbour(site, lattice, mu, 1usize)];
        }
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
    quadratic: f32,
    coupling: f32,
    #[comptime] lattice: Lattice,
) {
    let place = ABSOLUTE_POS;
    if place >= by_field.len() {
        terminate!();
    }
    let volume = comptime!(lattice.volume());
    let (sample, site) = (place / volume, place % volume);
    let first = sample * volume;
    let mut near = f32::new(0.0);
    #[unroll]
    for mu in 0..comptime!(lattice.dimensions()) {
        let back = comptime!(lattice.extents()[mu] - 1);
        let ahead = field[first + neighbour(site, lattice, mu, 1usize)];
        near += ahead + field[first + neighbour(site, lattice, mu, back)];
    }
    let phi = field[place];
    let own = phi * fma(phi * phi, 4.0 * coupling, 2.0 * quadratic);
    by_field[place] = by_action[sample] * (own - near);
}

/// The action of every configuration, `[batch, 1, site]` → `[batch]`.
pub fn pass(field: CubeTensor, lattice: Lattice, [quadratic, coupling]: [f32; 2], keep: bool) -> Pass<Cube> {
    let (client, device, shape) = (field.client.clone(), field.device.clone(), field.shape());
    let (batch, field) = (shape[0], Buffer::tensor(field));
    let actions = Buffer::empty(&client, batch);
    // SAFETY: workgroups beyond the batch stop; neighbours are sites of the same configuration.
    unsafe {
        sum_density::launch_unchecked(
            &client,
            groups(batch),
            CubeDim::new_1d(UNITS as u32),
            field.arg(),
            actions.arg(),
            quadratic,
            coupling,
            lattice,
        );
    }
    let output = actions.into_tensor(&client, &device, Shape::from([batch]));
    let kept = || Kept { field, shape, lattice, quadratic, coupling };
    Pass { output, back: keep.then(|| Arc::new(kept()) as Arc<dyn Back<Cube>>) }
}

/// What the backward pass needs.
#[derive(Debug)]
struct Kept {
    field: Buffer,
    shape: Shape,
    lattice: Lattice,
    quadratic: f32,
    coupling: f32,
}

impl Back<Cube> for Kept {
    fn gradients(&self, by_action: CubeTensor, _: &[bool]) -> Vec<Option<CubeTensor>> {
        let (client, device) = (by_action.client.clone(), by_action.device.clone());
        let by_field = Buffer::empty(&client, self.shape.num_elements());
        let (count, dim) = flat(by_field.words());
        // SAFETY: units beyond the end stop; neighbours are sites of the same configuration.
        unsafe {
            minus_force::launch_unchecked(
                &client,
                count,
                dim,
                self.field.arg(),
                Buffer::tensor(by_action).arg(),
                by_field.arg(),
                self.quadratic,
                self.coupling,
                self.lattice,
            );
        }
        vec![Some(by_field.into_tensor(&client, &device, self.shape.clone()))]
    }
}
