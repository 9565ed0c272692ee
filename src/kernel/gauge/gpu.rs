//! Plaquettes on a GPU, in single precision: the sum of their cosines, and its gradient.

use crate::kernel::gpu::elementary::sine_cosine;
use crate::kernel::gpu::{Buffer, flat, groups};
use crate::lattice::Lattice;
use burn_cubecl::cubecl;
use cubecl::client::Client;
use cubecl::prelude::*;

/// Units of a workgroup, which share one configuration.
const UNITS: usize = 64;

/// `P(t, x) = θ₀(t, x) + θ₁(t+1, x) - θ₀(t, x+1) - θ₁(t, x)` of a configuration whose links begin at `first`, not reduced.
#[cube]
fn plaquette(field: &[f32], first: usize, t: usize, x: usize, #[comptime] lattice: Lattice) -> f32 {
    let (times, space) = comptime!((lattice.extents()[0], lattice.extents()[1]));
    let (own, above, right) = (t * space + x, (t + 1) % times * space + x, t * space + (x + 1) % space);
    let along_space = first + comptime!(times * space);
    // Differences first: neighbours are often nearly the same.
    (field[first + own] - field[first + right]) + (field[along_space + above] - field[along_space + own])
}

/// `-β Σ cos P` of every configuration, a workgroup for each: its units sum sites, then pairs of sums are summed.
#[cube(launch_unchecked)]
fn sum_cosines(field: &[f32], actions: &mut [f32], beta: f32, #[comptime] lattice: Lattice) {
    let sample = (CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize;
    // All units of a workgroup stop here or none.
    if sample >= actions.len() {
        terminate!();
    }
    let (unit, volume) = (UNIT_POS as usize, comptime!(lattice.volume()));
    let space = comptime!(lattice.extents()[1]);
    let mut sum = f32::new(0.0);
    let mut site = unit;
    while site < volume {
        let angle = plaquette(field, sample * comptime!(2 * volume), site / space, site % space, lattice);
        sum += sine_cosine(angle).cosine;
        site += comptime!(UNITS);
    }
    let mut sums = Shared::<[f32]>::new_slice(comptime!(UNITS));
    sums[unit] = sum;
    sync_cube();
    #[unroll]
    for step in 0..comptime!(UNITS.ilog2() as usize) {
        let half = comptime!(UNITS >> (step + 1));
        if unit < half {
            let other = sums[unit + half];
            sums[unit] += other;
        }
        sync_cube();
    }
    if unit == 0 {
        actions[sample] = -beta * sums[0];
    }
}

/// `∂(-β Σ cos P)/∂θ`, a unit for each site: `β[sin P(t, x) - sin P(t, x-1)]` and `β[sin P(t-1, x) - sin P(t, x)]`.
#[cube(launch_unchecked)]
fn by_links(field: &[f32], gradients: &mut [f32], beta: f32, #[comptime] lattice: Lattice) {
    let (times, space) = comptime!((lattice.extents()[0], lattice.extents()[1]));
    let volume = comptime!(lattice.volume());
    let (sample, site) = (ABSOLUTE_POS / volume, ABSOLUTE_POS % volume);
    let first = sample * comptime!(2 * volume);
    if first >= gradients.len() {
        terminate!();
    }
    let (t, x) = (site / space, site % space);
    let own = sine_cosine(plaquette(field, first, t, x, lattice)).sine;
    let left = plaquette(field, first, t, (x + comptime!(space - 1)) % space, lattice);
    let below = plaquette(field, first, (t + comptime!(times - 1)) % times, x, lattice);
    gradients[first + site] = beta * (own - sine_cosine(left).sine);
    gradients[first + volume + site] = beta * (sine_cosine(below).sine - own);
}

/// `-β Σ cos P` of every configuration, and its gradients if they are to be kept.
///
/// # Shapes
/// `field`: `[batch, μ, site]` → `[batch]`, `[batch, μ, site]`
pub fn plaquettes(
    client: &Client,
    field: &Buffer,
    lattice: Lattice,
    beta: f64,
    keep: bool,
) -> (Buffer, Option<Buffer>) {
    let batch = field.words() / (2 * lattice.volume());
    let actions = Buffer::empty(client, batch);
    // SAFETY: workgroups beyond the batch stop; plaquettes are those of one configuration.
    unsafe {
        let dim = CubeDim::new_1d(UNITS as u32);
        sum_cosines::launch_unchecked(
            client,
            groups(batch),
            dim,
            field.arg(),
            actions.arg(),
            beta as f32,
            lattice,
        );
    }
    let gradients = keep.then(|| {
        let gradients = Buffer::empty(client, field.words());
        let (count, dim) = flat(batch * lattice.volume());
        // SAFETY: units beyond the batch stop.
        unsafe {
            by_links::launch_unchecked(
                client,
                count,
                dim,
                field.arg(),
                gradients.arg(),
                beta as f32,
                lattice,
            );
        }
        gradients
    });
    (actions, gradients)
}
