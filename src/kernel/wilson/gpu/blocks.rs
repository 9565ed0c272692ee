//! The matrices of a workgroup: all real parts, then all imaginary ones, in shared memory or elsewhere.

use super::complex::{Complex, times_plus};
use super::shape::Blocks;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Waits until all units of the workgroup have written to the matrices what they had to.
#[cube]
pub fn wait(#[comptime] shape: Blocks) {
    if comptime!(shape.near) {
        sync_cube();
    } else {
        sync_storage();
    }
}

/// The number at a place of a matrix.
#[cube]
pub fn number(work: &[f32], matrix: usize, place: usize, #[comptime] shape: Blocks) -> Complex {
    Complex { re: work[matrix + place], im: work[matrix + comptime!(shape.plane()) + place] }
}

/// The number in a row and a column.
#[cube]
pub fn entry(work: &[f32], matrix: usize, row: usize, column: usize, #[comptime] shape: Blocks) -> Complex {
    number(work, matrix, row * shape.space + column, shape)
}

/// Puts a number at a place of a matrix.
#[cube]
pub fn put(work: &mut [f32], matrix: usize, place: usize, value: &Complex, #[comptime] shape: Blocks) {
    work[matrix + place] = value.re;
    work[matrix + comptime!(shape.plane()) + place] = value.im;
}

/// Which factors of a product are adjoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Adjoint {
    pub left: bool,
    pub right: bool,
}

/// None.
pub const PLAIN: Adjoint = Adjoint { left: false, right: false };
/// The left one.
pub const LEFT: Adjoint = Adjoint { left: true, right: false };
/// The right one.
pub const RIGHT: Adjoint = Adjoint { left: false, right: true };
/// Both.
pub const BOTH: Adjoint = Adjoint { left: true, right: true };

/// A factor's number in a row and a column, or that of its adjoint.
#[cube]
fn factor(
    work: &[f32],
    matrix: usize,
    row: usize,
    column: usize,
    #[comptime] adjoint: bool,
    #[comptime] shape: Blocks,
) -> Complex {
    if comptime!(adjoint) {
        let found = entry(work, matrix, column, row, shape);
        Complex { re: found.re, im: -found.im }
    } else {
        entry(work, matrix, row, column, shape)
    }
}

/// `start + Σ_k left(row, k) right(k, column)`.
#[cube]
#[allow(clippy::too_many_arguments)]
pub fn product(
    work: &[f32],
    left: usize,
    right: usize,
    row: usize,
    column: usize,
    start: &Complex,
    #[comptime] adjoint: Adjoint,
    #[comptime] shape: Blocks,
) -> Complex {
    let mut re = start.re;
    let mut im = start.im;
    for k in 0..shape.space {
        let a = factor(work, left, row, k, adjoint.left, shape);
        let b = factor(work, right, k, column, adjoint.right, shape);
        let sum = times_plus(&a, &b, &Complex { re, im });
        re = sum.re;
        im = sum.im;
    }
    Complex { re, im }
}

/// Zero.
#[cube]
pub fn zero() -> Complex {
    Complex { re: f32::new(0.0), im: f32::new(0.0) }
}
