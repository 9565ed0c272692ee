//! Elimination of one time slice after the other on a GPU, in the order and with the names of the CPU's `elimination.rs`.

use super::blocks::{PLAIN, RIGHT, number, product, put, wait, zero};
use super::complex::{Complex, conjugate_times, times};
use super::inverse::invert;
use super::magnitude;
use super::ring::{self, Links, product_place};
use super::shape::{Blocks, KEPT, REMAINING};
use burn_cubecl::cubecl;
use cubecl::prelude::*;

// The matrices that are worked on, by their place.

/// The part (t, -) of the slice in turn; its α, once it has one.
const OWN: usize = 0;
/// What is used at once.
const USED: usize = 1;
/// `C`.
const COUPLING: usize = 2;
/// What the part (0, +) has got.
const FED_BACK: usize = 3;
/// `h⁻¹ s'`.
const PRODUCT: usize = 4;
/// `β`.
const BETA: usize = 5;

// The matrices that a slice leaves behind, by their place.

/// α.
pub const KEPT_ALPHA: usize = 0;
/// β.
pub const KEPT_BETA: usize = 1;
/// δ.
pub const KEPT_DELTA: usize = 2;
/// `C α`.
pub const KEPT_COUPLING_ALPHA: usize = 3;
/// `C β`.
pub const KEPT_COUPLING_BETA: usize = 4;

/// Where a matrix is that is worked on, from `first` on.
#[cube]
pub fn worked(first: usize, #[comptime] which: usize, #[comptime] shape: Blocks) -> usize {
    first + comptime!(which * shape.matrix())
}

/// Where a matrix is that slice t has left behind, from `first` on.
#[cube]
pub fn left_behind(first: usize, t: usize, #[comptime] which: usize, #[comptime] shape: Blocks) -> usize {
    first + (t - 1) * comptime!(KEPT * shape.matrix()) + comptime!(which * shape.matrix())
}

/// Eliminates all slices but the first, from which what the walk back needs is left behind, and puts what remains from `remaining_first`
/// on, with the determinant so far.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn eliminate(
    work: &mut [f32],
    first: usize,
    kept: &mut [f32],
    kept_first: usize,
    remaining: &mut [f32],
    remaining_first: usize,
    line: &mut [f32],
    swaps: &mut [u32],
    field: &[f32],
    links: &Links,
    #[comptime] shape: Blocks,
) {
    if UNIT_POS == 0 {
        magnitude::begin(line, product_place(shape));
    }
    ring::fill_waves(line, shape);
    ring::fill_links(line, field, links, 0usize, shape);
    sync_cube();
    begin(work, first, &*line, shape);
    for t in 1..links.times {
        sync_cube();
        ring::fill(line, field, links, t, shape);
        wait(shape);
        eliminate_slice(work, first, kept, kept_first, line, swaps, links, t, shape);
    }
    sync_cube();
    ring::fill_links(line, field, links, 0usize, shape);
    wait(shape);
    leave_first(&*work, first, remaining, remaining_first, &*line, links, shape);
    if UNIT_POS == 0 {
        let product = remaining_first + comptime!(REMAINING * shape.matrix());
        magnitude::copy(&*line, product_place(shape), remaining, product);
    }
}

/// Nothing but the hops from the first slice.
#[cube]
fn begin(work: &mut [f32], first: usize, line: &[f32], #[comptime] shape: Blocks) {
    let mut place = UNIT_POS as usize;
    while place < comptime!(shape.plane()) {
        let (row, column) = (place / shape.space, place % shape.space);
        let hop = ring::hop(line, row, shape);
        let on = select(row == column, f32::new(1.0), f32::new(0.0));
        let hop = Complex { re: on * hop.re, im: on * hop.im };
        put(work, worked(first, OWN, shape), place, &zero(), shape);
        put(work, worked(first, FED_BACK, shape), place, &zero(), shape);
        put(work, worked(first, COUPLING, shape), place, &hop, shape);
        place += shape.units;
    }
}

/// Slice t, whose vectors are filled in.
#[cube]
#[allow(clippy::too_many_arguments)]
fn eliminate_slice(
    work: &mut [f32],
    first: usize,
    kept: &mut [f32],
    kept_first: usize,
    line: &mut [f32],
    swaps: &mut [u32],
    links: &Links,
    t: usize,
    #[comptime] shape: Blocks,
) {
    inner(work, first, &*line, links, shape);
    invert(work, worked(first, BETA, shape), line, product_place(shape), swaps, 1usize, shape);
    // `α = β h⁻¹ s`.
    multiply(work, first, kept, left_behind(kept_first, t, KEPT_ALPHA, shape), [BETA, USED, OWN], shape);
    wait(shape);
    // `C α`, of which `C α C†` goes back to the first slice.
    let kept_matrix = left_behind(kept_first, t, KEPT_COUPLING_ALPHA, shape);
    multiply(work, first, kept, kept_matrix, [COUPLING, OWN, USED], shape);
    wait(shape);
    feed_back(work, first, shape);
    wait(shape);
    // `C β`.
    let kept_matrix = left_behind(kept_first, t, KEPT_COUPLING_BETA, shape);
    multiply(work, first, kept, kept_matrix, [COUPLING, BETA, USED], shape);
    wait(shape);
    hand_on(work, first, kept, kept_first, &*line, t, shape);
    wait(shape);
}

/// `β⁻¹ = h + s h⁻¹ s'` of a slice, with `h⁻¹ s` beside it.
#[cube]
fn inner(work: &mut [f32], first: usize, line: &[f32], links: &Links, #[comptime] shape: Blocks) {
    let (own, used) = (worked(first, OWN, shape), worked(first, USED, shape));
    let (through, beta) = (worked(first, PRODUCT, shape), worked(first, BETA, shape));
    let (space, plane) = comptime!((shape.space, shape.plane()));
    let mut place = UNIT_POS as usize;
    while place < plane {
        let (row, column) = (place / space, place % space);
        let (before, s) = (number(&*work, own, place, shape), ring::s(line, links, row, column, shape));
        put(work, own, place, &Complex { re: before.re + s.re, im: before.im + s.im }, shape);
        put(work, used, place, &ring::inverse(line, row, column, shape), shape);
        place += shape.units;
    }
    wait(shape);
    let mut place = UNIT_POS as usize;
    while place < plane {
        let value = product(&*work, used, own, place / space, place % space, &zero(), PLAIN, shape);
        put(work, through, place, &value, shape);
        place += shape.units;
    }
    wait(shape);
    let mut place = UNIT_POS as usize;
    while place < plane {
        let (row, column) = (place / space, place % space);
        let above = number(&*work, through, ring::next(row, shape) * space + column, shape);
        let below = number(&*work, through, ring::last(row, shape) * space + column, shape);
        let h = ring::h(line, links, row, column, shape);
        put(work, beta, place, &ring::s_times(line, links, row, &above, &below, &h, shape), shape);
        put(work, used, place, &ring::ratio(line, row, column, shape), shape);
        place += shape.units;
    }
    wait(shape);
}

/// Puts the product of two matrices in the place of a third, and leaves it behind.
#[cube]
fn multiply(
    work: &mut [f32],
    first: usize,
    kept: &mut [f32],
    kept_matrix: usize,
    #[comptime] matrices: [usize; 3],
    #[comptime] shape: Blocks,
) {
    let (left, right) = (worked(first, matrices[0], shape), worked(first, matrices[1], shape));
    let to = worked(first, matrices[2], shape);
    let mut place = UNIT_POS as usize;
    while place < comptime!(shape.plane()) {
        let (row, column) = (place / shape.space, place % shape.space);
        let value = product(&*work, left, right, row, column, &zero(), PLAIN, shape);
        put(work, to, place, &value, shape);
        if comptime!(shape.keeps) {
            put(kept, kept_matrix, place, &value, shape);
        }
        place += shape.units;
    }
}

/// Adds `C α C†` to what the first slice has got.
#[cube]
fn feed_back(work: &mut [f32], first: usize, #[comptime] shape: Blocks) {
    let (used, coupling) = (worked(first, USED, shape), worked(first, COUPLING, shape));
    let fed_back = worked(first, FED_BACK, shape);
    let mut place = UNIT_POS as usize;
    while place < comptime!(shape.plane()) {
        let (row, column) = (place / shape.space, place % shape.space);
        let before = number(&*work, fed_back, place, shape);
        let value = product(&*work, used, coupling, row, column, &before, RIGHT, shape);
        put(work, fed_back, place, &value, shape);
        place += shape.units;
    }
}

/// What the slice after has got, `-f† δ f` with `δ = -h⁻¹ s' β`, and its coupling `-C β f`.
#[cube]
fn hand_on(
    work: &mut [f32],
    first: usize,
    kept: &mut [f32],
    kept_first: usize,
    line: &[f32],
    t: usize,
    #[comptime] shape: Blocks,
) {
    let (through, beta) = (worked(first, PRODUCT, shape), worked(first, BETA, shape));
    let mut place = UNIT_POS as usize;
    while place < comptime!(shape.plane()) {
        let (row, column) = (place / shape.space, place % shape.space);
        let found = product(&*work, through, beta, row, column, &zero(), PLAIN, shape);
        let (before, after) = (ring::hop(line, row, shape), ring::hop(line, column, shape));
        let next = conjugate_times(&before, &times(&found, &after));
        put(work, worked(first, OWN, shape), place, &next, shape);
        let coupled = times(&number(&*work, worked(first, USED, shape), place, shape), &after);
        let coupled = Complex { re: -coupled.re, im: -coupled.im };
        put(work, worked(first, COUPLING, shape), place, &coupled, shape);
        if comptime!(shape.keeps) {
            let delta = Complex { re: -found.re, im: -found.im };
            put(kept, left_behind(kept_first, t, KEPT_DELTA, shape), place, &delta, shape);
            let beta = number(&*work, beta, place, shape);
            put(kept, left_behind(kept_first, t, KEPT_BETA, shape), place, &beta, shape);
        }
        place += shape.units;
    }
}

/// The first slice: `(s₀ - …, h₀ + C†; h₀ + C, -s₀ - …)`, as two by two matrices.
#[cube]
fn leave_first(
    work: &[f32],
    first: usize,
    remaining: &mut [f32],
    remaining_first: usize,
    line: &[f32],
    links: &Links,
    #[comptime] shape: Blocks,
) {
    let space = comptime!(shape.space);
    let mut place = UNIT_POS as usize;
    while place < comptime!(shape.plane()) {
        let (row, column) = (place / space, place % space);
        let (s, h) = (ring::s(line, links, row, column, shape), ring::h(line, links, row, column, shape));
        let own = number(work, worked(first, OWN, shape), place, shape);
        let own = Complex { re: own.re + s.re, im: own.im + s.im };
        put(remaining, worked(remaining_first, 0usize, shape), place, &own, shape);
        let got = number(work, worked(first, FED_BACK, shape), place, shape);
        let got = Complex { re: -got.re - s.re, im: -got.im - s.im };
        put(remaining, worked(remaining_first, 3usize, shape), place, &got, shape);
        let c = number(work, worked(first, COUPLING, shape), place, shape);
        let c = Complex { re: c.re + h.re, im: c.im + h.im };
        put(remaining, worked(remaining_first, 2usize, shape), place, &c, shape);
        let c = Complex { re: c.re, im: -c.im };
        put(remaining, worked(remaining_first, 1usize, shape), column * space + row, &c, shape);
        place += shape.units;
    }
}
