//! The Wilson operator within a time slice: its two matrices and what is made of them in closed form.

use super::matrix::{Complex, Matrix};
use std::f64::consts::PI;

/// Space and what never changes in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ring {
    kappa: f64,
    /// `e^{2πin/X}`, n from 0 to X - 1.
    waves: Vec<Complex>,
}

/// A slice with links `V(x, x+1) = e^{iθ(x)}`: `h = 1 - κ(V + V†)` and `s = iκ(V† - V)`, both hermitian and functions of V.
#[derive(Debug, Clone)]
pub struct Slice {
    /// `V(x, x+1)`.
    pub links: Vec<Complex>,
    /// `ln det h`.
    pub log_det_h: f64,
    /// `h⁻¹`.
    pub inverse: Matrix,
    /// `h⁻¹ s`.
    pub ratio: Matrix,
}

impl Ring {
    pub fn new(space: usize, kappa: f64) -> Self {
        let wave = |n: usize| Complex::from_polar(1.0, 2.0 * PI * n as f64 / space as f64);
        Self { kappa, waves: (0..space).map(wave).collect() }
    }

    /// A slice to be filled.
    pub fn slice(&self) -> Slice {
        let size = self.waves.len();
        Slice {
            links: vec![Complex::default(); size],
            log_det_h: 0.0,
            inverse: Matrix::zeros(size),
            ratio: Matrix::zeros(size),
        }
    }

    /// Everything of the slice with these link angles.
    ///
    /// With the mean angle α, `V = W (e^{iα} shift) W†` for a diagonal W of phases, so that functions of V are `W c W†` with c of
    /// Fourier modes: for h⁻¹ of `1/(1 - 2κ cos q)`, for `h⁻¹ s` of `2κ sin q/(1 - 2κ cos q)`, `q = 2πn/X + α`.
    ///
    /// # Shapes
    /// `angles`: `[x]`
    pub fn fill(&self, angles: &[f64], slice: &mut Slice) {
        let size = self.waves.len();
        slice.links.iter_mut().zip(angles).for_each(|(link, angle)| *link = Complex::from_polar(1.0, *angle));
        let mean = angles.iter().sum::<f64>() / size as f64;
        let shift = Complex::from_polar(1.0, mean);
        let mut phases = vec![Complex::new(1.0, 0.0); size];
        for x in 1..size {
            phases[x] = phases[x - 1] * shift * slice.links[x - 1].conj();
        }
        let (mut inverse, mut ratio) = (vec![Complex::default(); size], vec![Complex::default(); size]);
        slice.log_det_h = 0.0;
        for n in 0..size {
            let mode = self.waves[n] * shift;
            let eigenvalue = 1.0 - 2.0 * self.kappa * mode.re;
            slice.log_det_h += eigenvalue.abs().ln();
            let of_inverse = (eigenvalue * size as f64).recip();
            let of_ratio = 2.0 * self.kappa * mode.im * of_inverse;
            let mut place = 0;
            for (inverse, ratio) in inverse.iter_mut().zip(&mut ratio) {
                let wave = self.waves[place].conj();
                *inverse += wave * of_inverse;
                *ratio += wave * of_ratio;
                place = if place + n < size { place + n } else { place + n - size };
            }
        }
        for x in 0..size {
            for y in 0..size {
                let distance = if y < x { y + size - x } else { y - x };
                let between = phases[x] * phases[y].conj();
                slice.inverse.set(x, y, between * inverse[distance]);
                slice.ratio.set(x, y, between * ratio[distance]);
            }
        }
    }

    /// `out += h`.
    pub fn add_h(&self, slice: &Slice, out: &mut Matrix) {
        let size = self.waves.len();
        for x in 0..size {
            let (next, hop) = ((x + 1) % size, slice.links[x] * -self.kappa);
            out.add_to(x, x, Complex::new(1.0, 0.0));
            out.add_to(x, next, hop);
            out.add_to(next, x, hop.conj());
        }
    }

    /// `out += scale · s`.
    pub fn add_s(&self, slice: &Slice, scale: f64, out: &mut Matrix) {
        for (x, next, entry) in self.entries_of_s(slice) {
            out.add_to(x, next, entry * scale);
            out.add_to(next, x, entry.conj() * scale);
        }
    }

    /// `out += s matrix`.
    pub fn add_s_times(&self, slice: &Slice, matrix: &Matrix, out: &mut Matrix) {
        for (x, next, entry) in self.entries_of_s(slice) {
            matrix.add_row(next, entry, out, x);
            matrix.add_row(x, entry.conj(), out, next);
        }
    }

    /// `s(x, x+1) = -iκV(x, x+1)` with its place; the entries below the diagonal are their conjugates.
    fn entries_of_s(&self, slice: &Slice) -> impl Iterator<Item = (usize, usize, Complex)> {
        let (size, kappa) = (self.waves.len(), self.kappa);
        let entry = move |(x, link): (usize, &Complex)| (x, (x + 1) % size, link * Complex::new(0.0, -kappa));
        slice.links.iter().enumerate().map(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::Left;
    use super::*;
    use crate::rng::Seed;

    #[test]
    fn inverse_and_ratio_are_those_of_the_matrices() {
        for size in [2, 4, 6, 16] {
            let (ring, normals) = (Ring::new(size, 0.27), Seed(1).stream("angles").normals(0, 1, size));
            let angles: Vec<f64> = normals.into_iter().map(|angle| 2.0 * f64::from(angle)).collect();
            let mut slice = ring.slice();
            ring.fill(&angles, &mut slice);
            let [mut h, mut product, mut expected] = [(); 3].map(|()| Matrix::zeros(size));
            ring.add_h(&slice, &mut h);
            Matrix::product(Left::Plain(&h), &slice.inverse, 1.0, false, &mut product);
            let one = |x: usize, y: usize| Complex::new(f64::from(u8::from(x == y)), 0.0);
            let pairs = || (0..size).flat_map(|x| (0..size).map(move |y| (x, y)));
            assert!(pairs().all(|(x, y)| (product.get(x, y) - one(x, y)).norm() < 1e-13), "{size}");
            ring.add_s(&slice, 1.0, &mut expected);
            let mut again = Matrix::zeros(size);
            let mut unit = Matrix::zeros(size);
            (0..size).for_each(|x| unit.set(x, x, Complex::new(1.0, 0.0)));
            ring.add_s_times(&slice, &unit, &mut again);
            Matrix::product(Left::Plain(&h), &slice.ratio, 1.0, false, &mut product);
            assert!(pairs().all(|(x, y)| (product.get(x, y) - expected.get(x, y)).norm() < 1e-13), "{size}");
            assert!(pairs().all(|(x, y)| (again.get(x, y) - expected.get(x, y)).norm() < 1e-15), "{size}");
            assert!((h.invert().log_abs - slice.log_det_h).abs() < 1e-13);
        }
    }
}
