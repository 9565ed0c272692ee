//! From the last slice back to the first on a GPU: blocks of the inverse, and what they say of the gradient; as the CPU's `inverse.rs`.

use super::blocks::{BOTH, LEFT, PLAIN, RIGHT, entry, number, product, put, wait, zero};
use super::complex::{Complex, conjugate_times, times, times_plus};
use super::elimination::{
    KEPT_ALPHA, KEPT_BETA, KEPT_COUPLING_ALPHA, KEPT_COUPLING_BETA, KEPT_DELTA, left_behind, worked,
};
use super::ring::{self, Links};
use super::shape::Blocks;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

// The matrices that are worked on, by their place.

/// `G[(t,-), (t,-)]` of the slice that was reached.
const MINUS: usize = 0;
/// `G[(t,-), (0,+)]`.
const MIXED: usize = 1;
/// `G[(0,+), (0,+)]`.
const PLUS: usize = 2;
/// `K Γ` of a part of the slice, for (t+1, -).
const AHEAD: usize = 3;
/// The same for (0, +).
const FIRST: usize = 4;
/// `β f` or `δ f`.
const HOP: usize = 5;
/// `C α` or `C β`.
const COUPLED: usize = 6;

/// Where what a part of a slice has left behind is: β or δ, and `C α` or `C β`.
#[derive(CubeType)]
struct Part {
    block: usize,
    coupled: usize,
}

/// Adds the gradient of `-2 ln|det D|` by the links of a configuration, whose elimination has left everything behind.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn walk(
    work: &mut [f32],
    first: usize,
    kept: &[f32],
    kept_first: usize,
    remaining: &[f32],
    remaining_first: usize,
    line: &mut [f32],
    field: &[f32],
    links: &Links,
    by_links: &mut [f32],
    #[comptime] shape: Blocks,
) {
    ring::fill_links(line, field, links, 0usize, shape);
    begin(work, first, remaining, remaining_first, shape);
    wait(shape);
    add_first_space(&*work, first, &*line, links, by_links, shape);
    for back in 1..links.times {
        let t = links.times - back;
        sync_cube();
        ring::fill_links(line, field, links, t, shape);
        wait(shape);
        step(work, first, kept, kept_first, &*line, links, t, by_links, shape);
        wait(shape);
    }
    sync_cube();
    ring::fill_links(line, field, links, 0usize, shape);
    wait(shape);
    let x = UNIT_POS as usize;
    if x < shape.space {
        let hopped =
            times(&ring::hop(&*line, x, shape), &entry(&*work, worked(first, MIXED, shape), x, x, shape));
        by_links[ring::place(links, 0usize, x, shape)] += 4.0 * hopped.im;
    }
}

/// The blocks of the inverse of what remained, of which the last but one is the adjoint of that before it.
#[cube]
fn begin(
    work: &mut [f32],
    first: usize,
    remaining: &[f32],
    remaining_first: usize,
    #[comptime] shape: Blocks,
) {
    let mut place = UNIT_POS as usize;
    while place < comptime!(3 * shape.matrix()) {
        let skipped = select(place < comptime!(2 * shape.matrix()), 0, comptime!(shape.matrix()));
        work[first + place] = remaining[remaining_first + place + skipped];
        place += shape.units;
    }
}

/// `-4κ Re[v (G₋₋ - G₊₊)*] - 4κ Im[v G₋₊(x, x+1)* - v* G₋₊(x+1, x)*]` of the link `v = V(x, x+1)`.
#[cube]
fn by_space(
    link: &Complex,
    kappa: f32,
    minus: &Complex,
    plus: &Complex,
    forward: &Complex,
    backward: &Complex,
) -> f32 {
    let difference = Complex { re: minus.re - plus.re, im: minus.im - plus.im };
    let own = conjugate_times(&difference, link);
    let (along, against) = (conjugate_times(forward, link), times(link, backward));
    // The imaginary part of a conjugate has the opposite sign.
    f32::new(comptime!(-4.0f32)) * kappa * (own.re + along.im + against.im)
}

/// Of the links of the first slice, along space.
#[cube]
fn add_first_space(
    work: &[f32],
    first: usize,
    line: &[f32],
    links: &Links,
    by_links: &mut [f32],
    #[comptime] shape: Blocks,
) {
    let x = UNIT_POS as usize;
    if x < shape.space {
        let (next, mixed) = (ring::next(x, shape), worked(first, MIXED, shape));
        let minus = entry(work, worked(first, MINUS, shape), x, next, shape);
        let plus = entry(work, worked(first, PLUS, shape), x, next, shape);
        let (forward, backward) = (entry(work, mixed, x, next, shape), entry(work, mixed, next, x, shape));
        let link = ring::link(line, x, shape);
        let found = by_space(&link, links.kappa, &minus, &plus, &forward, &backward);
        by_links[ring::place(links, links.times, x, shape)] += found;
    }
}

/// To slice t, the one before the last that was reached, whose links are filled in.
#[cube]
#[allow(clippy::too_many_arguments)]
fn step(
    work: &mut [f32],
    first: usize,
    kept: &[f32],
    kept_first: usize,
    line: &[f32],
    links: &Links,
    t: usize,
    by_links: &mut [f32],
    #[comptime] shape: Blocks,
) {
    let (x, space) = (UNIT_POS as usize, comptime!(shape.space));
    let next = ring::next(x, shape);
    let plus_part = Part {
        block: left_behind(kept_first, t, KEPT_DELTA, shape),
        coupled: left_behind(kept_first, t, KEPT_COUPLING_BETA, shape),
    };
    times_gamma(work, first, kept, &plus_part, line, shape);
    let mut plus_re = f32::new(0.0);
    let mut plus_im = f32::new(0.0);
    if x < space {
        let own = entry(kept, plus_part.block, x, next, shape);
        let plus = beside(&*work, first, kept, &plus_part, line, x, next, &own, shape);
        plus_re = plus.re;
        plus_im = plus.im;
        // `G[(t+1,-) x, (t,+) x] = -(K Γ)*`.
        let between = entry(&*work, worked(first, AHEAD, shape), x, x, shape);
        let hopped = conjugate_times(&between, &ring::hop(line, x, shape));
        by_links[ring::place(links, t, x, shape)] -= 4.0 * hopped.im;
    }
    wait(shape);
    let minus_part = Part {
        block: left_behind(kept_first, t, KEPT_BETA, shape),
        coupled: left_behind(kept_first, t, KEPT_COUPLING_ALPHA, shape),
    };
    times_gamma(work, first, kept, &minus_part, line, shape);
    advance(work, first, kept, left_behind(kept_first, t, KEPT_ALPHA, shape), shape);
    wait(shape);
    if x < space {
        let mut forward_re = f32::new(0.0);
        let mut forward_im = f32::new(0.0);
        let mut backward_re = f32::new(0.0);
        let mut backward_im = f32::new(0.0);
        // A loop, because a further copy of the sums takes drivers long to compile.
        for turn in 0..2usize {
            let (row, column) = (select(turn == 0, x, next), select(turn == 0, next, x));
            let own = entry(kept, minus_part.block, row, column, shape);
            let found = beside(&*work, first, kept, &plus_part, line, row, column, &own, shape);
            forward_re = backward_re;
            forward_im = backward_im;
            backward_re = found.re;
            backward_im = found.im;
        }
        let forward = Complex { re: forward_re, im: forward_im };
        let backward = Complex { re: backward_re, im: backward_im };
        let minus = entry(&*work, worked(first, MINUS, shape), x, next, shape);
        let (plus, link) = (Complex { re: plus_re, im: plus_im }, ring::link(line, x, shape));
        let found = by_space(&link, links.kappa, &minus, &plus, &forward, &backward);
        by_links[ring::place(links, links.times + t, x, shape)] += found;
    }
    wait(shape);
    let mut place = UNIT_POS as usize;
    while place < comptime!(shape.plane()) {
        let value = number(&*work, worked(first, FIRST, shape), place, shape);
        put(work, worked(first, MIXED, shape), place, &Complex { re: -value.re, im: -value.im }, shape);
        place += shape.units;
    }
}

/// `K Γ` of a part of the slice.
#[cube]
fn times_gamma(
    work: &mut [f32],
    first: usize,
    kept: &[f32],
    part: &Part,
    line: &[f32],
    #[comptime] shape: Blocks,
) {
    let (minus, mixed, plus) =
        (worked(first, MINUS, shape), worked(first, MIXED, shape), worked(first, PLUS, shape));
    let (hop, coupled) = (worked(first, HOP, shape), worked(first, COUPLED, shape));
    let (space, plane) = comptime!((shape.space, shape.plane()));
    let mut place = UNIT_POS as usize;
    while place < plane {
        let hopped = times(&number(kept, part.block, place, shape), &ring::hop(line, place % space, shape));
        put(work, hop, place, &hopped, shape);
        put(work, coupled, place, &number(kept, part.coupled, place, shape), shape);
        place += shape.units;
    }
    wait(shape);
    let mut place = UNIT_POS as usize;
    while place < plane {
        let (row, column) = (place / space, place % space);
        let ahead = product(&*work, hop, minus, row, column, &zero(), PLAIN, shape);
        let ahead = product(&*work, coupled, mixed, row, column, &ahead, BOTH, shape);
        let to_first = product(&*work, hop, mixed, row, column, &zero(), PLAIN, shape);
        let to_first = product(&*work, coupled, plus, row, column, &to_first, LEFT, shape);
        put(work, worked(first, AHEAD, shape), place, &ahead, shape);
        put(work, worked(first, FIRST, shape), place, &to_first, shape);
        place += shape.units;
    }
    wait(shape);
}

/// `own + Σ_k (K Γ)(row, k) K(column, k)*` with K of the part (t, +).
#[cube]
#[allow(clippy::too_many_arguments)]
fn beside(
    work: &[f32],
    first: usize,
    kept: &[f32],
    part: &Part,
    line: &[f32],
    row: usize,
    column: usize,
    own: &Complex,
    #[comptime] shape: Blocks,
) -> Complex {
    let (ahead, to_first) = (worked(first, AHEAD, shape), worked(first, FIRST, shape));
    let mut re = own.re;
    let mut im = own.im;
    for k in 0..shape.space {
        let hopped = times(&entry(kept, part.block, column, k, shape), &ring::hop(line, k, shape));
        let term = conjugate_times(&hopped, &entry(work, ahead, row, k, shape));
        let coupled = entry(kept, part.coupled, k, column, shape);
        let start = Complex { re: re + term.re, im: im + term.im };
        let sum = times_plus(&entry(work, to_first, row, k, shape), &coupled, &start);
        re = sum.re;
        im = sum.im;
    }
    Complex { re, im }
}

/// `G[(t,-), (t,-)] = α + K Γ K†`, with what the part (t, -) has left.
#[cube]
fn advance(work: &mut [f32], first: usize, kept: &[f32], alpha: usize, #[comptime] shape: Blocks) {
    let (ahead, to_first) = (worked(first, AHEAD, shape), worked(first, FIRST, shape));
    let (hop, coupled) = (worked(first, HOP, shape), worked(first, COUPLED, shape));
    let mut place = UNIT_POS as usize;
    while place < comptime!(shape.plane()) {
        let (row, column) = (place / shape.space, place % shape.space);
        let own = number(kept, alpha, place, shape);
        let value = product(&*work, ahead, hop, row, column, &own, RIGHT, shape);
        let value = product(&*work, to_first, coupled, row, column, &value, PLAIN, shape);
        put(work, worked(first, MINUS, shape), place, &value, shape);
        place += shape.units;
    }
}
