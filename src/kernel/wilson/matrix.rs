//! Small complex matrices in double precision: products and inverses, vectorised along rows.
//!
//! Sums are fused multiply-adds in an order that no instruction set changes: the same digits everywhere.

use crate::kernel::isa::{Isa, Scalar};
use crate::kernel::vector::{Kernel, Vector};

/// Columns that are computed on together; rows are padded to multiples of it.
const LANES: usize = 8;

/// Rows of a block of a product, whose sums stay in registers.
const ROWS: usize = 4;

/// What a pivot is replaced by that is nought, so that nothing is divided by it.
const TINY: f64 = 1e-150;

type Lanes = [f64; LANES];

/// A complex number.
pub type Complex = rustfft::num_complex::Complex<f64>;

/// A square complex matrix, real and imaginary parts apart, rows padded to whole vectors with zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    size: usize,
    stride: usize,
    re: Vec<f64>,
    im: Vec<f64>,
}

/// What an inverse says of the determinant of what was inverted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pivots {
    /// `ln |det|`.
    pub log_abs: f64,
    /// `det / |det|`.
    pub phase: Complex,
    /// Smallest absolute value of a pivot.
    pub smallest: f64,
}

impl Pivots {
    /// Of the empty product.
    pub const NONE: Self = Self { log_abs: 0.0, phase: Complex::new(1.0, 0.0), smallest: f64::INFINITY };

    /// Of the product of two determinants.
    pub fn and(self, other: Self) -> Self {
        Self {
            log_abs: self.log_abs + other.log_abs,
            phase: self.phase * other.phase,
            smallest: self.smallest.min(other.smallest),
        }
    }

    fn add(&mut self, pivot: Complex) {
        let size = pivot.norm_sqr().sqrt();
        self.log_abs += size.ln();
        self.phase *= pivot.scale(size.recip());
        self.smallest = self.smallest.min(size);
    }
}

/// The left factor of a product.
#[derive(Debug, Clone, Copy)]
pub enum Left<'a> {
    /// As it is.
    Plain(&'a Matrix),
    /// Its conjugate transpose.
    Adjoint(&'a Matrix),
}

impl Matrix {
    /// Zeros.
    pub fn zeros(size: usize) -> Self {
        let stride = size.next_multiple_of(LANES);
        // Blocks of rows of a product may read beyond the last row.
        let all = size.next_multiple_of(ROWS) * stride;
        Self { size, stride, re: vec![0.0; all], im: vec![0.0; all] }
    }

    #[inline]
    pub fn get(&self, row: usize, column: usize) -> Complex {
        let place = row * self.stride + column;
        Complex::new(self.re[place], self.im[place])
    }

    #[inline]
    pub fn set(&mut self, row: usize, column: usize, value: Complex) {
        let place = row * self.stride + column;
        (self.re[place], self.im[place]) = (value.re, value.im);
    }

    #[inline]
    pub fn add_to(&mut self, row: usize, column: usize, value: Complex) {
        let place = row * self.stride + column;
        self.re[place] += value.re;
        self.im[place] += value.im;
    }

    /// Makes every number zero.
    pub fn clear(&mut self) {
        self.re.fill(0.0);
        self.im.fill(0.0);
    }

    /// Its conjugate transpose.
    pub fn adjoint(&self, out: &mut Self) {
        for row in 0..self.size {
            for column in 0..self.size {
                out.set(column, row, self.get(row, column).conj());
            }
        }
    }

    /// A number for every number of this.
    #[inline(always)]
    pub fn map(&self, out: &mut Self, f: impl Fn(usize, usize, Complex) -> Complex) {
        let (size, stride) = (self.size, self.stride);
        for row in 0..size {
            let (re, im) = (&self.re[row * stride..][..size], &self.im[row * stride..][..size]);
            let (to_re, to_im) = (&mut out.re[row * stride..][..size], &mut out.im[row * stride..][..size]);
            for column in 0..size {
                let value = f(row, column, Complex::new(re[column], im[column]));
                (to_re[column], to_im[column]) = (value.re, value.im);
            }
        }
    }

    /// A row of this times a number, added to a row of another.
    #[inline(always)]
    pub fn add_row(&self, row: usize, factor: Complex, out: &mut Self, to: usize) {
        let stride = self.stride;
        let (re, im) = (&self.re[row * stride..][..stride], &self.im[row * stride..][..stride]);
        let (to_re, to_im) = (&mut out.re[to * stride..][..stride], &mut out.im[to * stride..][..stride]);
        for column in 0..stride {
            to_re[column] += factor.re * re[column] - factor.im * im[column];
            to_im[column] += factor.re * im[column] + factor.im * re[column];
        }
    }

    /// Rows and columns.
    pub fn size(&self) -> usize {
        self.size
    }

    /// `Σ |a|²` over all numbers.
    pub fn square(&self) -> f64 {
        self.re.iter().chain(&self.im).map(|value| value * value).sum()
    }

    /// A part of this, by its first row and column.
    pub fn block(&self, row: usize, column: usize, out: &mut Self) {
        for i in 0..out.size {
            for j in 0..out.size {
                out.set(i, j, self.get(row + i, column + j));
            }
        }
    }

    /// Entries `(x, x + offset)` of `a b†`, rows counted modulo the size, added to what is there.
    pub fn diagonal_of_adjoint(a: &Self, b: &Self, offset: usize, out: &mut [Complex]) {
        f64::dispatch(Isa::active(), Diagonal { a, b, offset, out });
    }

    /// `out = scale · left right`, or added to what is there.
    pub fn product(left: Left<'_>, right: &Self, scale: f64, adds: bool, out: &mut Self) {
        let (left, adjoint) = match left {
            Left::Plain(left) => (left, false),
            Left::Adjoint(left) => (left, true),
        };
        assert!(left.size == right.size && right.size == out.size, "sizes of a product");
        f64::dispatch(Isa::active(), Product { left, adjoint, right, scale, adds, out });
    }

    /// Its inverse in its own place.
    pub fn invert(&mut self) -> Pivots {
        let mut swaps = vec![0; self.size];
        f64::dispatch(Isa::active(), Inverse { matrix: self, swaps: &mut swaps })
    }
}

/// See [`Matrix::product`].
struct Product<'a> {
    left: &'a Matrix,
    adjoint: bool,
    right: &'a Matrix,
    scale: f64,
    adds: bool,
    out: &'a mut Matrix,
}

impl Kernel for Product<'_> {
    type Elem = f64;
    type Output = ();
    const DOUBLE_IS_WORK: bool = true;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) {
        let Self { left, adjoint, right, scale, adds, out } = self;
        match adjoint {
            false => blocks::<false>(left, right, scale, adds, out),
            true => blocks::<true>(left, right, scale, adds, out),
        }
    }
}

#[inline(always)]
fn blocks<const ADJOINT: bool>(left: &Matrix, right: &Matrix, scale: f64, adds: bool, out: &mut Matrix) {
    let (size, stride) = (left.size, left.stride);
    for first in (0..size).step_by(ROWS) {
        for column in (0..stride).step_by(LANES) {
            let (re, im) = block::<ADJOINT>(left, right, first, column);
            for row in 0..ROWS.min(size - first) {
                let place = (first + row) * stride + column;
                let to_re: &mut Lanes = lanes_mut(&mut out.re, place);
                *to_re = put(re[row], *to_re, scale, adds);
                let to_im: &mut Lanes = lanes_mut(&mut out.im, place);
                *to_im = put(im[row], *to_im, scale, adds);
            }
        }
    }
}

/// Some rows and columns of a product.
#[inline(always)]
fn block<const ADJOINT: bool>(
    left: &Matrix,
    right: &Matrix,
    first: usize,
    column: usize,
) -> ([Lanes; ROWS], [Lanes; ROWS]) {
    let (size, stride) = (left.size, left.stride);
    let (mut re, mut im) = ([[0.0; LANES]; ROWS], [[0.0; LANES]; ROWS]);
    for k in 0..size {
        let b_re = *lanes(&right.re, k * stride + column);
        let b_im = *lanes(&right.im, k * stride + column);
        for row in 0..ROWS {
            let place = if ADJOINT { k * stride + first + row } else { (first + row) * stride + k };
            let a_re = left.re[place];
            let a_im = if ADJOINT { -left.im[place] } else { left.im[place] };
            re[row] = fused(a_re, b_re, fused(-a_im, b_im, re[row]));
            im[row] = fused(a_re, b_im, fused(a_im, b_re, im[row]));
        }
    }
    (re, im)
}

/// See [`Matrix::diagonal_of_adjoint`].
struct Diagonal<'a> {
    a: &'a Matrix,
    b: &'a Matrix,
    offset: usize,
    out: &'a mut [Complex],
}

impl Kernel for Diagonal<'_> {
    type Elem = f64;
    type Output = ();
    const DOUBLE_IS_WORK: bool = true;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) {
        let Self { a, b, offset, out } = self;
        let stride = a.stride;
        for (row, out) in out.iter_mut().enumerate() {
            let (own, other) = (row * stride, (row + offset) % a.size * stride);
            let (mut re, mut im) = ([0.0; LANES], [0.0; LANES]);
            for column in (0..stride).step_by(LANES) {
                let (a_re, a_im) = (*lanes(&a.re, own + column), *lanes(&a.im, own + column));
                let (b_re, b_im) = (*lanes(&b.re, other + column), *lanes(&b.im, other + column));
                for i in 0..LANES {
                    re[i] = a_re[i].mul_add(b_re[i], a_im[i].mul_add(b_im[i], re[i]));
                    im[i] = a_im[i].mul_add(b_re[i], (-a_re[i]).mul_add(b_im[i], im[i]));
                }
            }
            *out += Complex::new(total(re), total(im));
        }
    }
}

#[inline(always)]
fn total([a, b, c, d, e, f, g, h]: Lanes) -> f64 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// See [`Matrix::invert`]: Gauss and Jordan's elimination with the largest number of a column as its pivot.
struct Inverse<'a> {
    matrix: &'a mut Matrix,
    swaps: &'a mut [usize],
}

impl Kernel for Inverse<'_> {
    type Elem = f64;
    type Output = Pivots;
    const DOUBLE_IS_WORK: bool = true;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) -> Pivots {
        let Self { matrix, swaps } = self;
        let mut pivots = Pivots::NONE;
        for (k, swap) in swaps.iter_mut().enumerate() {
            let largest = matrix.largest_below(k);
            *swap = largest;
            if largest != k {
                matrix.swap_rows(k, largest);
                pivots.phase = pivots.phase.scale(-1.0);
            }
            let mut pivot = matrix.get(k, k);
            if pivot.norm_sqr() < TINY * TINY {
                pivot = Complex::new(TINY, 0.0);
            }
            pivots.add(pivot);
            matrix.eliminate(k, pivot.conj().scale(pivot.norm_sqr().recip()));
        }
        for k in (0..matrix.size).rev().filter(|&k| swaps[k] != k) {
            matrix.swap_columns(k, swaps[k]);
        }
        pivots
    }
}

impl Matrix {
    #[inline(always)]
    fn largest_below(&self, k: usize) -> usize {
        let (mut at, mut largest) = (k, -1.0);
        for row in k..self.size {
            let size = self.get(row, k).norm_sqr();
            if size > largest {
                (at, largest) = (row, size);
            }
        }
        at
    }

    #[inline(always)]
    fn swap_rows(&mut self, a: usize, b: usize) {
        let stride = self.stride;
        for numbers in [&mut self.re, &mut self.im] {
            let (above, below) = numbers.split_at_mut(b * stride);
            above[a * stride..][..stride].swap_with_slice(&mut below[..stride]);
        }
    }

    #[inline(always)]
    fn swap_columns(&mut self, a: usize, b: usize) {
        for row in 0..self.size {
            self.re.swap(row * self.stride + a, row * self.stride + b);
            self.im.swap(row * self.stride + a, row * self.stride + b);
        }
    }

    /// One step: column k becomes that of the inverse, `1/p` in row k and `-a/p` in a row that begins with a.
    #[inline(always)]
    fn eliminate(&mut self, k: usize, inverse: Complex) {
        let stride = self.stride;
        for column in (0..stride).step_by(LANES) {
            let place = k * stride + column;
            let (re, im) = (*lanes(&self.re, place), *lanes(&self.im, place));
            let zero = [0.0; LANES];
            *lanes_mut(&mut self.re, place) = fused(inverse.re, re, fused(-inverse.im, im, zero));
            *lanes_mut(&mut self.im, place) = fused(inverse.re, im, fused(inverse.im, re, zero));
        }
        // `a - a (1 + 1/p) = -a/p`: so no row has to be touched twice, a number and then the vector that it is in, which would stall.
        self.set(k, k, inverse + 1.0);
        for row in (0..self.size).filter(|&row| row != k) {
            let factor = self.get(row, k);
            for column in (0..stride).step_by(LANES) {
                let (own, place) = (k * stride + column, row * stride + column);
                let (re, im) = (*lanes(&self.re, own), *lanes(&self.im, own));
                let to_re: &mut Lanes = lanes_mut(&mut self.re, place);
                *to_re = fused(-factor.re, re, fused(factor.im, im, *to_re));
                let to_im: &mut Lanes = lanes_mut(&mut self.im, place);
                *to_im = fused(-factor.re, im, fused(-factor.im, re, *to_im));
            }
        }
        self.set(k, k, inverse);
    }
}

#[inline(always)]
fn lanes(numbers: &[f64], place: usize) -> &Lanes {
    numbers[place..].first_chunk().expect("rows are padded")
}

#[inline(always)]
fn lanes_mut(numbers: &mut [f64], place: usize) -> &mut Lanes {
    numbers[place..].first_chunk_mut().expect("rows are padded")
}

/// `a x + b` in one rounding.
#[inline(always)]
fn fused(a: f64, x: Lanes, b: Lanes) -> Lanes {
    std::array::from_fn(|i| a.mul_add(x[i], b[i]))
}

#[inline(always)]
fn put(sum: Lanes, before: Lanes, scale: f64, adds: bool) -> Lanes {
    if adds { fused(scale, sum, before) } else { sum.map(|value| scale * value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn random(size: usize, index: u64) -> Matrix {
        let normals = Seed(3).stream("matrices").normals(index, 2, size * size);
        let (re, im) = normals.split_at(size * size);
        let mut matrix = Matrix::zeros(size);
        for (place, (&re, &im)) in re.iter().zip(im).enumerate() {
            matrix.set(place / size, place % size, Complex::new(re.into(), im.into()));
        }
        matrix
    }

    fn by_definition(a: &Matrix, b: &Matrix, row: usize, column: usize) -> Complex {
        (0..a.size).fold(Complex::default(), |sum, k| sum + a.get(row, k) * b.get(k, column))
    }

    fn close(a: Complex, b: Complex) -> bool {
        (a - b).norm() < 1e-11
    }

    #[test]
    fn products_and_inverses_are_those_of_their_definitions() {
        for size in [2, 4, 6, 8, 12, 16, 18] {
            let (a, b) = (random(size, 0), random(size, 1));
            let (mut product, mut adjoint) = (random(size, 2), Matrix::zeros(size));
            Matrix::product(Left::Plain(&a), &b, 2.0, false, &mut product);
            a.adjoint(&mut adjoint);
            let mut both = product.clone();
            Matrix::product(Left::Adjoint(&adjoint), &b, -0.5, true, &mut both);
            let mut inverse = a.clone();
            let pivots = inverse.invert();
            for row in 0..size {
                for column in 0..size {
                    let expected = by_definition(&a, &b, row, column);
                    assert!(close(product.get(row, column), expected.scale(2.0)), "{size}");
                    assert!(close(both.get(row, column), expected.scale(1.5)), "{size}");
                    let one = Complex::new(f64::from(u8::from(row == column)), 0.0);
                    assert!(close(by_definition(&a, &inverse, row, column), one), "{size}");
                }
            }
            for offset in [0, 1, size - 1] {
                let mut found = vec![Complex::new(1.0, 0.0); size];
                Matrix::diagonal_of_adjoint(&b, &adjoint, offset, &mut found);
                for (row, found) in found.into_iter().enumerate() {
                    let expected = by_definition(&b, &a, row, (row + offset) % size);
                    assert!(close(found - 1.0, expected), "{size}");
                }
            }
            let back = inverse.invert();
            assert!((back.log_abs + pivots.log_abs).abs() < 1e-10);
            assert!(close(back.phase * pivots.phase, Complex::new(1.0, 0.0)));
        }
    }

    #[test]
    fn a_singular_matrix_gives_numbers_and_the_smallest_pivot() {
        let mut matrix = Matrix::zeros(4);
        (0..3).for_each(|i| matrix.set(i, i, Complex::new(0.0, 2.0)));
        let pivots = matrix.invert();
        assert!(pivots.log_abs.is_finite() && pivots.smallest == TINY, "{pivots:?}");
    }
}
