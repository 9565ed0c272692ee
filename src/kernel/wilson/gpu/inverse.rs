//! Gauss and Jordan's elimination with the largest number of a column as its pivot, in its own place.

use super::blocks::{number, put, wait};
use super::complex::{Complex, square, times};
use super::magnitude;
use super::shape::Blocks;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// What a pivot is replaced by that is nought, so that nothing is divided by it: its inverse squared is a number in single precision.
const TINY: f32 = 1e-15;

/// Where a row and a column are in a matrix of `blocks` x `blocks` others, which lie one after the other.
#[cube]
fn place_of(row: usize, column: usize, #[comptime] blocks: usize, #[comptime] shape: Blocks) -> usize {
    let space = comptime!(shape.space);
    if comptime!(blocks == 1) {
        row * space + column
    } else {
        let block = row / space * blocks + column / space;
        block * comptime!(shape.matrix()) + row % space * space + column % space
    }
}

/// The row below which nothing of column k is larger, or that itself.
#[cube]
fn largest_below(
    work: &[f32],
    matrix: usize,
    k: usize,
    #[comptime] blocks: usize,
    #[comptime] shape: Blocks,
) -> usize {
    let mut at = k;
    let mut largest = f32::new(comptime!(-1.0f32));
    for row in k..comptime!(blocks * shape.space) {
        let size = square(&number(work, matrix, place_of(row, k, blocks, shape), shape));
        let larger = size > largest;
        at = select(larger, row, at);
        largest = select(larger, size, largest);
    }
    at
}

/// `1/p`.
#[cube]
fn reciprocal(pivot: &Complex) -> Complex {
    // Twice, so that no square leaves the range.
    let scale = 1.0 / max(f32::abs(pivot.re), f32::abs(pivot.im));
    let (re, im) = (pivot.re * scale, pivot.im * scale);
    let inverse = scale / fma(re, re, im * im);
    Complex { re: re * inverse, im: -im * inverse }
}

/// A number after the step with pivot k in row `at`: rows k and `at` are exchanged, column k becomes that of the inverse, `1/p` in row k
/// and `-a/p` in a row that begins with a.
#[cube]
#[allow(clippy::too_many_arguments)]
fn stepped(
    work: &[f32],
    matrix: usize,
    row: usize,
    column: usize,
    k: usize,
    at: usize,
    inverse: &Complex,
    #[comptime] blocks: usize,
    #[comptime] shape: Blocks,
) -> Complex {
    let source = select(row == k, at, select(row == at, k, row));
    let of_pivot = number(work, matrix, place_of(at, column, blocks, shape), shape);
    let scaled = times(&of_pivot, inverse);
    let own = number(work, matrix, place_of(source, column, blocks, shape), shape);
    let first = number(work, matrix, place_of(source, k, blocks, shape), shape);
    let (is_row, is_column) = (row == k, column == k);
    let (to_re, to_im) = (select(is_column, inverse.re, scaled.re), select(is_column, inverse.im, scaled.im));
    let (re, im) = (select(is_column, f32::new(0.0), own.re), select(is_column, f32::new(0.0), own.im));
    let below_re = fma(-first.re, to_re, fma(first.im, to_im, re));
    let below_im = fma(-first.re, to_im, fma(-first.im, to_re, im));
    Complex { re: select(is_row, to_re, below_re), im: select(is_row, to_im, below_im) }
}

/// The inverse in the place of a matrix of `blocks` x `blocks` others. The squares of its pivots are multiplied to the magnitude at the
/// place `product` of `line`.
#[cube]
#[allow(clippy::too_many_arguments, clippy::needless_range_loop)]
pub fn invert(
    work: &mut [f32],
    matrix: usize,
    line: &mut [f32],
    product: usize,
    swaps: &mut [u32],
    #[comptime] blocks: usize,
    #[comptime] shape: Blocks,
) {
    let unit = UNIT_POS as usize;
    let (size, rounds, units) = comptime!((blocks * shape.space, shape.rounds(blocks), shape.units));
    for k in 0..size {
        let at = largest_below(&*work, matrix, k, blocks, shape);
        let found = number(&*work, matrix, place_of(at, k, blocks, shape), shape);
        // Written so that what is no number stays none.
        let nought = f32::abs(found.re) < TINY && f32::abs(found.im) < TINY;
        let pivot = Complex {
            re: select(nought, f32::new(TINY), found.re),
            im: select(nought, f32::new(0.0), found.im),
        };
        let inverse = reciprocal(&pivot);
        let mut re = Array::<f32>::new(rounds);
        let mut im = Array::<f32>::new(rounds);
        #[unroll]
        for round in 0..rounds {
            let place = round * units + unit;
            // Units beyond the end compute a number that is there, and forget it.
            let place = min(place, comptime!(size * size - 1));
            let value = stepped(&*work, matrix, place / size, place % size, k, at, &inverse, blocks, shape);
            re[round] = value.re;
            im[round] = value.im;
        }
        if unit == 0 {
            swaps[k] = at as u32;
            magnitude::multiply(line, product, square(&pivot));
        }
        wait(shape);
        #[unroll]
        for round in 0..rounds {
            let place = round * units + unit;
            if place < comptime!(size * size) {
                let value = Complex { re: re[round], im: im[round] };
                put(work, matrix, place_of(place / size, place % size, blocks, shape), &value, shape);
            }
        }
        wait(shape);
    }
    // Rows that were exchanged are columns of the inverse; a unit sees to a row.
    if unit < size {
        for step in 0..size {
            let k = size - 1 - step;
            let a = place_of(unit, k, blocks, shape);
            let b = place_of(unit, swaps[k] as usize, blocks, shape);
            let (of_a, of_b) = (number(&*work, matrix, a, shape), number(&*work, matrix, b, shape));
            put(work, matrix, a, &of_b, shape);
            put(work, matrix, b, &of_a, shape);
        }
    }
    wait(shape);
}
