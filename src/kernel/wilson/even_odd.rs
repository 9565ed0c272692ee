//! The operator with even-odd preconditioning, and conjugate gradients for it: O(V) for an application, no matrices.

use super::matrix::Complex;
use crate::lattice::{Lattice, Neighbours};

/// Two complex numbers for every site, of which those of one parity may be unused.
pub type Spinors = Vec<[Complex; 2]>;

/// `D = 1 - κH` couples sites of different parity, so that `det D = det M`, `M = 1 - κ² H_eo H_oe` on even sites.
///
/// `σ₃ M σ₃ = M†`. Source: DeGrand, Rossi, Comput. Phys. Commun. 60 (1990) 211.
#[derive(Debug, Clone)]
pub struct EvenOdd {
    kappa: f64,
    volume: usize,
    /// Sites by parity.
    sites: [Vec<usize>; 2],
    neighbours: Neighbours,
    antiperiodic: bool,
    space: usize,
    /// `U_μ(x)`, with the sign of the boundary, `[μ, site]`.
    links: Vec<Complex>,
}

/// What conjugate gradients found.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// `(M M†)⁻¹ b`.
    pub x: Spinors,
    /// Iterations, each with M and M† once.
    pub iterations: u64,
    /// Whether the residue came down to the tolerance.
    pub converged: bool,
}

impl EvenOdd {
    /// Floating-point operations of M or M† for a site of the lattice: 13 complex sums or products with numbers, 4 products.
    pub const FLOPS: f64 = 50.0;

    /// Of a lattice with two even extents; the links are still to be set.
    ///
    /// # Panics
    /// If it has not.
    pub fn new(lattice: Lattice, kappa: f64, antiperiodic: bool) -> Self {
        assert!(
            lattice.extents().iter().all(|extent| extent.is_multiple_of(2)),
            "even extents, got {lattice}"
        );
        let volume = lattice.volume();
        let of = |parity: usize| (0..volume).filter(|&site| lattice.parity(site) == parity).collect();
        Self {
            kappa,
            volume,
            sites: [of(0), of(1)],
            neighbours: lattice.neighbours(),
            antiperiodic,
            space: lattice.extents()[1],
            links: vec![Complex::default(); 2 * volume],
        }
    }

    /// # Shapes
    /// `angles`: `[μ, site]`
    pub fn set_links(&mut self, angles: &[f64]) {
        let last = self.volume - self.space..self.volume;
        for (place, (link, angle)) in self.links.iter_mut().zip(angles).enumerate() {
            let sign = if self.antiperiodic && last.contains(&place) { -1.0 } else { 1.0 };
            *link = Complex::from_polar(1.0, *angle) * sign;
        }
    }

    /// Zeros.
    pub fn zeros(&self) -> Spinors {
        vec![[Complex::default(); 2]; self.volume]
    }

    /// Sites of even parity, on which M acts.
    pub fn even(&self) -> &[usize] {
        &self.sites[0]
    }

    /// `out = scale · H psi` on the sites of one parity, or `H† = σ₃ H σ₃` in its place, in which spins change sign.
    fn hop<const ADJOINT: bool>(&self, parity: usize, psi: &Spinors, scale: f64, out: &mut Spinors) {
        let turned = |b: Complex| if ADJOINT { -b } else { b };
        for &site in &self.sites[parity] {
            let ([ahead_t, ahead_x], [behind_t, behind_x]) = self.around(site);
            let volume = self.volume;
            let (up, right) = (self.links[site], self.links[volume + site]);
            let (down, left) = (self.links[behind_t].conj(), self.links[volume + behind_x].conj());
            // (1 ∓ σ) have rank one: what they leave is a number, and the second spin follows from the first.
            let [a, b] = psi[ahead_t];
            let forward_t = up * (a - turned(b));
            let [a, b] = psi[behind_t];
            let backward_t = down * (a + turned(b));
            let [a, b] = psi[ahead_x];
            let forward_x = right * (a + times_i(turned(b)));
            let [a, b] = psi[behind_x];
            let backward_x = left * (a - times_i(turned(b)));
            out[site] = [
                (forward_t + backward_t + forward_x + backward_x) * scale,
                turned(backward_t - forward_t + times_i(backward_x - forward_x)) * scale,
            ];
        }
    }

    fn around(&self, site: usize) -> ([usize; 2], [usize; 2]) {
        let pair = |near: &[u32]| [near[0] as usize, near[1] as usize];
        (pair(self.neighbours.forward(site)), pair(self.neighbours.backward(site)))
    }

    /// `out = M psi` on even sites.
    pub fn apply(&self, psi: &Spinors, half: &mut Spinors, out: &mut Spinors) {
        self.apply_in::<false>(psi, half, out);
    }

    /// `out = M† psi` on even sites.
    pub fn apply_adjoint(&self, psi: &Spinors, half: &mut Spinors, out: &mut Spinors) {
        self.apply_in::<true>(psi, half, out);
    }

    fn apply_in<const ADJOINT: bool>(&self, psi: &Spinors, half: &mut Spinors, out: &mut Spinors) {
        self.hop::<ADJOINT>(1, psi, self.kappa, half);
        self.hop::<ADJOINT>(0, half, self.kappa, out);
        for &site in &self.sites[0] {
            out[site] = [psi[site][0] - out[site][0], psi[site][1] - out[site][1]];
        }
    }

    /// `(M M†)⁻¹ b` up to a residue `|r| ≤ tolerance · |b|`, by conjugate gradients from zero, so that it depends on nothing else.
    ///
    /// Source: Hestenes, Stiefel, J. Res. Natl. Bur. Stand. 49 (1952) 409.
    pub fn solve(&self, b: &Spinors, tolerance: f64, most: u64) -> Solution {
        let [mut x, mut half, mut adjoint, mut applied] = [(); 4].map(|()| self.zeros());
        let (mut residue, mut direction) = (b.clone(), b.clone());
        let aim = tolerance * tolerance * self.square(b);
        let mut square = self.square(&residue);
        for iterations in 0..most {
            if square <= aim || !square.is_finite() {
                return Solution { x, iterations, converged: square <= aim };
            }
            self.apply_adjoint(&direction, &mut half, &mut adjoint);
            self.apply(&adjoint, &mut half, &mut applied);
            let step = square / self.square(&adjoint);
            self.add(&direction, step, &mut x);
            self.add(&applied, -step, &mut residue);
            let next = self.square(&residue);
            let ratio = next / square;
            for &site in &self.sites[0] {
                for spin in 0..2 {
                    direction[site][spin] = residue[site][spin] + direction[site][spin] * ratio;
                }
            }
            square = next;
        }
        Solution { x, iterations: most, converged: square <= aim }
    }

    /// `Σ |psi|²` over even sites.
    pub fn square(&self, psi: &Spinors) -> f64 {
        self.sites[0].iter().map(|&site| psi[site][0].norm_sqr() + psi[site][1].norm_sqr()).sum()
    }

    fn add(&self, psi: &Spinors, scale: f64, out: &mut Spinors) {
        for &site in &self.sites[0] {
            for spin in 0..2 {
                out[site][spin] += psi[site][spin] * scale;
            }
        }
    }

    /// `x† M M† x`, the action `φ† (M M†)⁻¹ φ` of `x = (M M†)⁻¹ φ`.
    pub fn action(&self, x: &Spinors) -> f64 {
        let (mut y, mut half) = (self.zeros(), self.zeros());
        self.apply_adjoint(x, &mut half, &mut y);
        self.square(&y)
    }

    /// Adds `scale · ∂/∂θ` of `φ† (M M†)⁻¹ φ` to a gradient, with `x = (M M†)⁻¹ φ` on even sites: with `y = M† x`, both continued to
    /// odd sites, `2κ Re[x† (∂H) y]`.
    ///
    /// # Shapes
    /// `gradient`: `[μ, site]`
    pub fn gradient(&self, mut x: Spinors, scale: f64, gradient: &mut [f64]) {
        let (mut y, mut half) = (self.zeros(), self.zeros());
        self.apply_adjoint(&x, &mut half, &mut y);
        // y_o = κ H_oe y_e, x_o = κ (H_eo)† x_e.
        let even = [y.clone(), x.clone()];
        self.hop::<false>(1, &even[0], self.kappa, &mut y);
        self.hop::<true>(1, &even[1], self.kappa, &mut x);
        for site in 0..self.volume {
            let (ahead, _) = self.around(site);
            for (mu, ahead) in ahead.into_iter().enumerate() {
                let link = self.links[mu * self.volume + site];
                let towards = projected(mu, -1.0, &x[site], &y[ahead]) * link;
                let back = projected(mu, 1.0, &x[ahead], &y[site]) * link.conj();
                gradient[mu * self.volume + site] += 2.0 * scale * self.kappa * (back - towards).im;
            }
        }
    }
}

/// `x† (1 ± σ_μ) y`.
fn projected(mu: usize, sign: f64, x: &[Complex; 2], y: &[Complex; 2]) -> Complex {
    let turned = match mu {
        0 => [y[1], y[0]],
        _ => [-times_i(y[1]), times_i(y[0])],
    };
    (0..2).map(|spin| x[spin].conj() * (y[spin] + turned[spin] * sign)).sum()
}

fn times_i(z: Complex) -> Complex {
    Complex::new(-z.im, z.re)
}

#[cfg(test)]
mod tests {
    use super::super::reference::dense;
    use super::*;
    use crate::rng::Seed;
    use nalgebra::DVector;

    const KAPPA: f64 = 0.24;

    fn field(lattice: Lattice) -> Vec<f64> {
        let normals = Seed(4).stream("field").normals(0, 2, lattice.volume());
        normals.into_iter().map(f64::from).collect()
    }

    fn spinors(operator: &EvenOdd, index: u64) -> Spinors {
        let normals = Seed(6).stream("spinors").normals(index, 4, operator.volume);
        let of = |site: usize| {
            let numbers: Vec<f64> =
                (0..4).map(|part| f64::from(normals[part * operator.volume + site])).collect();
            [Complex::new(numbers[0], numbers[1]), Complex::new(numbers[2], numbers[3])]
        };
        let mut all = operator.zeros();
        operator.even().iter().for_each(|&site| all[site] = of(site));
        all
    }

    fn cases() -> impl Iterator<Item = (Lattice, EvenOdd, bool)> {
        [[4, 6], [2, 4], [6, 2]].into_iter().flat_map(|extents| {
            [true, false].map(|antiperiodic| {
                let lattice = Lattice::new(extents);
                let mut operator = EvenOdd::new(lattice, KAPPA, antiperiodic);
                operator.set_links(&field(lattice));
                (lattice, operator, antiperiodic)
            })
        })
    }

    /// With D a block matrix, M is its Schur complement: `D (ψ_e, κ H_oe ψ_e) = (M ψ_e, 0)`.
    #[test]
    fn the_operator_is_the_schur_complement_of_the_dense_matrix() {
        for (lattice, operator, antiperiodic) in cases() {
            let (psi, mut half, mut out) = (spinors(&operator, 0), operator.zeros(), operator.zeros());
            operator.apply(&psi, &mut half, &mut out);
            let whole = |site: usize| if lattice.parity(site) == 0 { psi[site] } else { half[site] };
            let whole = DVector::from_iterator(2 * operator.volume, (0..operator.volume).flat_map(whole));
            let found = dense(lattice, &field(lattice), KAPPA, antiperiodic) * whole;
            for (place, found) in found.iter().enumerate() {
                let site = place / 2;
                let expected =
                    if lattice.parity(site) == 0 { out[site][place % 2] } else { Complex::default() };
                assert!((found - expected).norm() < 1e-13, "{lattice}: {found}, not {expected}");
            }
        }
    }

    #[test]
    fn solutions_solve_and_the_adjoint_is_one() {
        for (_, operator, _) in cases() {
            let (b, other) = (spinors(&operator, 0), spinors(&operator, 1));
            let [mut half, mut adjoint, mut applied] = [(); 3].map(|()| operator.zeros());
            let found = operator.solve(&b, 1e-12, 1000);
            assert!(found.converged && found.iterations > 3);
            operator.apply_adjoint(&found.x, &mut half, &mut adjoint);
            operator.apply(&adjoint, &mut half, &mut applied);
            let close = |a: &Spinors, b: &Spinors| {
                operator.even().iter().all(|&s| (0..2).all(|i| (a[s][i] - b[s][i]).norm() < 1e-10))
            };
            assert!(close(&applied, &b));
            let dot = |a: &Spinors, b: &Spinors| -> Complex {
                operator
                    .even()
                    .iter()
                    .flat_map(|&s| (0..2).map(move |i| (s, i)))
                    .map(|(s, i)| a[s][i].conj() * b[s][i])
                    .sum()
            };
            operator.apply(&b, &mut half, &mut applied);
            operator.apply_adjoint(&other, &mut half, &mut adjoint);
            assert!((dot(&other, &applied) - dot(&adjoint, &b)).norm() < 1e-12);
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_action() {
        for (lattice, operator, _) in cases() {
            let (phi, angles) = (spinors(&operator, 2), field(lattice));
            let action = |angles: &[f64]| {
                let mut operator = operator.clone();
                operator.set_links(angles);
                operator.action(&operator.solve(&phi, 1e-14, 1000).x)
            };
            let mut gradient = vec![1.0; angles.len()];
            let x = operator.solve(&phi, 1e-14, 1000).x;
            operator.gradient(x, 0.5, &mut gradient);
            for place in 0..angles.len() {
                let at = |step: f64| {
                    let mut moved = angles.clone();
                    moved[place] += step;
                    action(&moved)
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                let found = (gradient[place] - 1.0) / 0.5;
                assert!(
                    (found - difference).abs() < 1e-6 * (1.0 + difference.abs()),
                    "{lattice}: {found}, not {difference}"
                );
            }
        }
    }
}
