//! The operator within a time slice on a GPU: its vectors, and the numbers of its matrices made of them.
//!
//! See the CPU's `slice.rs`: `h = 1 - κ(V + V†)` and `s = iκ(V† - V)` are functions of the links V of the slice, so that `h⁻¹` and
//! `h⁻¹ s` are phases around a function of the distance of two sites.

use super::complex::{Complex, conjugate_times, times, times_plus};
use super::magnitude;
use super::shape::{Blocks, LINES};
use crate::kernel::gpu::elementary::sine_cosine;
use burn_cubecl::cubecl;
use cubecl::prelude::*;
use std::f32::consts::TAU;

/// `e^{2πin/X}`.
const WAVES: usize = 0;
/// `V(x, x+1)`.
const LINKS: usize = 1;
/// `f(x) = ∓2κ U₀(x)`.
const HOPS: usize = 2;
/// Phases of h⁻¹ and h⁻¹ s.
const PHASES: usize = 3;
/// h⁻¹ without phases, by distance.
const INVERSE: usize = 4;
/// h⁻¹ s without phases, by distance.
const RATIO: usize = 5;

/// Where the determinant so far is among the vectors.
#[cube]
pub fn product_place(#[comptime] shape: Blocks) -> usize {
    comptime!(2 * LINES * shape.space).runtime()
}

/// Link angles and couplings of a configuration: `[μ, t, x]` from `first` on.
#[derive(CubeType)]
pub struct Links {
    pub first: usize,
    pub times: usize,
    pub kappa: f32,
    /// -1 where fermions are antiperiodic in time, else 1.
    pub around: f32,
}

/// The place of a link along time among those of the batch; those along space follow after as many slices.
#[cube]
pub fn place(links: &Links, t: usize, x: usize, #[comptime] shape: Blocks) -> usize {
    links.first + t * shape.space + x
}

#[cube]
fn at(line: &[f32], #[comptime] which: usize, x: usize, #[comptime] shape: Blocks) -> Complex {
    let place = comptime!(2 * which * shape.space) + x;
    Complex { re: line[place], im: line[place + shape.space] }
}

#[cube]
fn set(line: &mut [f32], #[comptime] which: usize, x: usize, value: &Complex, #[comptime] shape: Blocks) {
    let place = comptime!(2 * which * shape.space) + x;
    line[place] = value.re;
    line[place + shape.space] = value.im;
}

/// `e^{iα}`.
#[cube]
fn unit_circle(angle: f32) -> Complex {
    let found = sine_cosine(angle);
    Complex { re: found.cosine, im: found.sine }
}

/// The hop of a site of the slice that is filled in.
#[cube]
pub fn hop(line: &[f32], x: usize, #[comptime] shape: Blocks) -> Complex {
    at(line, HOPS, x, shape)
}

/// The link of a site of the slice that is filled in.
#[cube]
pub fn link(line: &[f32], x: usize, #[comptime] shape: Blocks) -> Complex {
    at(line, LINKS, x, shape)
}

/// What all slices have in common.
#[cube]
pub fn fill_waves(line: &mut [f32], #[comptime] shape: Blocks) {
    let x = UNIT_POS as usize;
    if x < shape.space {
        let angle = f32::cast_from(x as u32) * f32::new(comptime!(TAU / shape.space as f32));
        set(line, WAVES, x, &unit_circle(angle), shape);
    }
}

/// Links and hops of slice t; other units know them after the next wait.
#[cube]
pub fn fill_links(line: &mut [f32], field: &[f32], links: &Links, t: usize, #[comptime] shape: Blocks) {
    let x = UNIT_POS as usize;
    if x < shape.space {
        let factor = select(t + 1 == links.times, links.around, f32::new(1.0))
            * links.kappa
            * f32::new(comptime!(-2.0f32));
        let hop = unit_circle(field[place(links, t, x, shape)]);
        set(line, HOPS, x, &Complex { re: factor * hop.re, im: factor * hop.im }, shape);
        let link = unit_circle(field[place(links, links.times + t, x, shape)]);
        set(line, LINKS, x, &link, shape);
    }
}

/// Everything of slice t, and the determinant of its h multiplied twice to that so far. The units have to wait before and after.
#[cube]
pub fn fill(line: &mut [f32], field: &[f32], links: &Links, t: usize, #[comptime] shape: Blocks) {
    let (x, space) = (UNIT_POS as usize, comptime!(shape.space));
    fill_links(line, field, links, t, shape);
    sync_cube();
    if x < space {
        let first = place(links, links.times + t, 0usize, shape);
        // The sum of all angles but for whole turns, in two parts of which products with few turns are exact.
        let mut sum = f32::new(0.0);
        for other in 0..space {
            sum += field[first + other];
            let turns = f32::round(sum * f32::new(comptime!(1.0 / TAU)));
            sum = (sum - turns * 6.28125) - turns * 1.935_307_2e-3;
        }
        let shift = unit_circle(sum * f32::new(comptime!(1.0 / space as f32)));
        let mut phase_re = f32::new(1.0);
        let mut phase_im = f32::new(0.0);
        for before in 0..x {
            let turn = conjugate_times(&at(&*line, LINKS, before, shape), &shift);
            let phase = times(&turn, &Complex { re: phase_re, im: phase_im });
            phase_re = phase.re;
            phase_im = phase.im;
        }
        set(line, PHASES, x, &Complex { re: phase_re, im: phase_im }, shape);
        fill_modes(line, links, &shift, x, shape);
    }
}

/// `(1/X) Σ_n e^{-2πinx/X} g(q_n)` with g of h⁻¹, `1/(1 - 2κ cos q)`, and of h⁻¹ s, `2κ sin q/(1 - 2κ cos q)`.
#[cube]
fn fill_modes(line: &mut [f32], links: &Links, shift: &Complex, x: usize, #[comptime] shape: Blocks) {
    let space = comptime!(shape.space);
    let mut place = 0usize;
    let mut inverse_re = f32::new(0.0);
    let mut inverse_im = f32::new(0.0);
    let mut ratio_re = f32::new(0.0);
    let mut ratio_im = f32::new(0.0);
    for n in 0..space {
        let mode = times(&at(&*line, WAVES, n, shape), shift);
        let eigenvalue = 1.0 - 2.0 * links.kappa * mode.re;
        let of_inverse = f32::new(comptime!(1.0 / space as f32)) / eigenvalue;
        let of_ratio = 2.0 * links.kappa * mode.im * of_inverse;
        let wave = at(&*line, WAVES, place, shape);
        inverse_re = fma(wave.re, of_inverse, inverse_re);
        inverse_im = fma(-wave.im, of_inverse, inverse_im);
        ratio_re = fma(wave.re, of_ratio, ratio_re);
        ratio_im = fma(-wave.im, of_ratio, ratio_im);
        place = (place + x) % space;
        if x == 0 {
            magnitude::multiply(line, product_place(shape), eigenvalue * eigenvalue);
        }
    }
    set(line, INVERSE, x, &Complex { re: inverse_re, im: inverse_im }, shape);
    set(line, RATIO, x, &Complex { re: ratio_re, im: ratio_im }, shape);
}

#[cube]
fn around_phases(
    line: &[f32],
    #[comptime] which: usize,
    row: usize,
    column: usize,
    #[comptime] shape: Blocks,
) -> Complex {
    let distance = (column + shape.space - row) % shape.space;
    let between = conjugate_times(&at(line, PHASES, column, shape), &at(line, PHASES, row, shape));
    times(&between, &at(line, which, distance, shape))
}

/// A number of h⁻¹.
#[cube]
pub fn inverse(line: &[f32], row: usize, column: usize, #[comptime] shape: Blocks) -> Complex {
    around_phases(line, INVERSE, row, column, shape)
}

/// A number of h⁻¹ s.
#[cube]
pub fn ratio(line: &[f32], row: usize, column: usize, #[comptime] shape: Blocks) -> Complex {
    around_phases(line, RATIO, row, column, shape)
}

/// The site after one.
#[cube]
pub fn next(x: usize, #[comptime] shape: Blocks) -> usize {
    (x + 1) % shape.space
}

/// The site before one.
#[cube]
pub fn last(x: usize, #[comptime] shape: Blocks) -> usize {
    (x + comptime!(shape.space - 1)) % shape.space
}

/// A number of V, and one of V†.
#[cube]
fn links_between(line: &[f32], row: usize, column: usize, #[comptime] shape: Blocks) -> (Complex, Complex) {
    let (up, down) = (link(line, row, shape), link(line, column, shape));
    let (is_up, is_down) = (column == next(row, shape), row == next(column, shape));
    let zero = f32::new(0.0);
    (
        Complex { re: select(is_up, up.re, zero), im: select(is_up, up.im, zero) },
        Complex { re: select(is_down, down.re, zero), im: select(is_down, -down.im, zero) },
    )
}

/// A number of h.
#[cube]
pub fn h(line: &[f32], links: &Links, row: usize, column: usize, #[comptime] shape: Blocks) -> Complex {
    let (up, down) = links_between(line, row, column, shape);
    let one = select(row == column, f32::new(1.0), f32::new(0.0));
    Complex { re: fma(-links.kappa, up.re + down.re, one), im: -links.kappa * (up.im + down.im) }
}

/// A number of s.
#[cube]
pub fn s(line: &[f32], links: &Links, row: usize, column: usize, #[comptime] shape: Blocks) -> Complex {
    let (up, down) = links_between(line, row, column, shape);
    Complex { re: links.kappa * (up.im - down.im), im: links.kappa * (down.re - up.re) }
}

/// `start + s(x, x+1) above + s(x, x-1) below`: a row of s times a column of a matrix, of which these are the numbers in rows x ± 1.
#[cube]
pub fn s_times(
    line: &[f32],
    links: &Links,
    x: usize,
    above: &Complex,
    below: &Complex,
    start: &Complex,
    #[comptime] shape: Blocks,
) -> Complex {
    let (up, down) = (link(line, x, shape), link(line, last(x, shape), shape));
    // -iκV and its conjugate.
    let up = Complex { re: links.kappa * up.im, im: -links.kappa * up.re };
    let down = Complex { re: links.kappa * down.im, im: links.kappa * down.re };
    times_plus(&up, above, &times_plus(&down, below, start))
}
