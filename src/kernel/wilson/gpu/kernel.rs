//! The kernels: a workgroup for each configuration, one launch for its slices, one for what remains, one for the way back.
//!
//! In one they would be too long for some compilers of drivers.

use super::elimination::eliminate;
use super::inverse::invert;
use super::magnitude;
use super::ring::Links;
use super::shape::{Blocks, REMAINING};
use super::walk::walk;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// The configuration of a workgroup among those of a launch.
#[cube]
fn index_of_workgroup() -> usize {
    (CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize
}

/// Links of a configuration.
#[cube]
fn links_of(sample: usize, times: u32, kappa: f32, around: f32, #[comptime] shape: Blocks) -> Links {
    let times = times as usize;
    Links { first: sample * times * comptime!(2 * shape.space), times, kappa, around }
}

/// Eliminates the slices but the first of the `count` configurations from `start` on.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn eliminate_slices(
    field: &[f32],
    kept: &mut [f32],
    far: &mut [f32],
    remaining: &mut [f32],
    start: u32,
    count: u32,
    times: u32,
    kappa: f32,
    around: f32,
    #[comptime] shape: Blocks,
) {
    let index = index_of_workgroup();
    // All units of a workgroup stop here or none.
    if index >= count as usize {
        terminate!();
    }
    let mut line = Shared::<[f32]>::new_slice(comptime!(shape.line_words()));
    let mut swaps = Shared::<[u32]>::new_slice(comptime!(shape.swaps()));
    let mut near = Shared::<[f32]>::new_slice(comptime!(shape.near_words()));
    let links = links_of(start as usize + index, times, kappa, around, shape);
    let kept_first = index * (links.times - 1) * comptime!(shape.kept_words(2));
    let (far_first, left) =
        (index * comptime!(shape.far_words()), index * comptime!(shape.remaining_words()));
    if comptime!(shape.near) {
        eliminate(
            &mut near, 0usize, kept, kept_first, remaining, left, &mut line, &mut swaps, field, &links, shape,
        );
    } else {
        eliminate(
            far, far_first, kept, kept_first, remaining, left, &mut line, &mut swaps, field, &links, shape,
        );
    }
}

/// Adds `-2 ln|det D|` to actions, and puts the inverse of what remained in its place.
#[cube(launch_unchecked)]
pub fn invert_remaining(
    remaining: &mut [f32],
    actions: &mut [f32],
    start: u32,
    count: u32,
    #[comptime] shape: Blocks,
) {
    let index = index_of_workgroup();
    // All units of a workgroup stop here or none.
    if index >= count as usize {
        terminate!();
    }
    let words = comptime!(REMAINING * shape.matrix());
    let mut product = Shared::<[f32]>::new_slice(comptime!(magnitude::WORDS));
    let mut swaps = Shared::<[u32]>::new_slice(comptime!(shape.swaps()));
    let mut near = Shared::<[f32]>::new_slice(comptime!(if shape.near { words } else { 1 }));
    let first = index * comptime!(shape.remaining_words());
    if UNIT_POS == 0 {
        magnitude::copy(&*remaining, first + words, &mut product, 0usize);
    }
    if comptime!(shape.near) {
        let mut place = UNIT_POS as usize;
        while place < words {
            near[place] = remaining[first + place];
            place += shape.units;
        }
        sync_cube();
        invert(&mut near, 0usize, &mut product, 0usize, &mut swaps, 2usize, shape);
        if comptime!(shape.keeps) {
            let mut place = UNIT_POS as usize;
            while place < words {
                remaining[first + place] = near[place];
                place += shape.units;
            }
        }
    } else {
        invert(remaining, first, &mut product, 0usize, &mut swaps, 2usize, shape);
    }
    if UNIT_POS == 0 {
        actions[start as usize + index] -= magnitude::logarithm(&product, 0usize);
    }
}

/// Adds the gradient of `-2 ln|det D|`.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
pub fn walk_back(
    field: &[f32],
    kept: &[f32],
    far: &mut [f32],
    remaining: &[f32],
    gradients: &mut [f32],
    start: u32,
    count: u32,
    times: u32,
    kappa: f32,
    around: f32,
    #[comptime] shape: Blocks,
) {
    let index = index_of_workgroup();
    // All units of a workgroup stop here or none.
    if index >= count as usize {
        terminate!();
    }
    let mut line = Shared::<[f32]>::new_slice(comptime!(shape.line_words()));
    let mut near = Shared::<[f32]>::new_slice(comptime!(shape.near_words()));
    let links = links_of(start as usize + index, times, kappa, around, shape);
    let kept_first = index * (links.times - 1) * comptime!(shape.kept_words(2));
    let (far_first, left) =
        (index * comptime!(shape.far_words()), index * comptime!(shape.remaining_words()));
    if comptime!(shape.near) {
        walk(
            &mut near, 0usize, kept, kept_first, remaining, left, &mut line, field, &links, gradients, shape,
        );
    } else {
        walk(far, far_first, kept, kept_first, remaining, left, &mut line, field, &links, gradients, shape);
    }
}
