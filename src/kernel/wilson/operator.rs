//! The operator: its determinant, the gradient of that, and what is measured of its inverse.

use super::elimination::Workspace;
use super::inverse::{Entries, Walk};
use super::matrix::{Complex, Matrix, Pivots};
use super::slice::Ring;
use crate::lattice::Lattice;

/// The Wilson operator of one flavour in two dimensions, T slices of X sites:
///
/// `D(y,x) = δ(y,x) - κ Σ_μ [(1-σ_μ) U_μ(y) δ(y,x-μ̂) + (1+σ_μ) U_μ†(y-μ̂) δ(y,x+μ̂)]`, `U_μ = e^{iθ_μ}`, σ₀, σ₁ the first two Pauli
/// matrices. Source: A22, eq. (A6).
///
/// `σ₃ D σ₃ = D†`, so that det D is real. Slices are eliminated one after the other, O(T X³) in place of O(T³ X³).
#[derive(Debug, Clone, PartialEq)]
pub struct Wilson {
    lattice: Lattice,
    kappa: f64,
    antiperiodic: bool,
    ring: Ring,
}

/// The determinant of the operator on one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Determinant {
    /// `ln |det D|`.
    pub log_abs: f64,
    /// Its sign.
    pub sign: f64,
    /// Smallest absolute value of a pivot: what the precision of everything else depends on.
    pub smallest_pivot: f64,
}

/// What is measured of the inverse on one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Propagator {
    /// Of the operator.
    pub determinant: Determinant,
    /// `tr D⁻¹ / V`.
    pub condensate: f64,
    /// `C(t) = (1/X) Σ_x,x',spins |D⁻¹(t x, 0 x')|²`.
    pub pseudoscalar: Vec<f64>,
}

impl Wilson {
    /// On a lattice of two even extents, the first that of time, in which fermions are antiperiodic or periodic; κ < ½, so that a slice
    /// alone is regular.
    ///
    /// # Panics
    /// For anything else.
    pub fn new(lattice: Lattice, kappa: f64, antiperiodic: bool) -> Self {
        let &[_, space] = lattice.extents() else { panic!("two extents, got {lattice}") };
        assert!(kappa < 0.5, "kappa below one half, got {kappa}");
        assert!(
            lattice.extents().iter().all(|extent| extent.is_multiple_of(2)),
            "even extents, got {lattice}"
        );
        Self { lattice, kappa, antiperiodic, ring: Ring::new(space, kappa) }
    }

    /// Room to work in, for one thread.
    pub fn workspace(&self) -> Workspace {
        let [times, space] = self.extents();
        Workspace::new(times, &self.ring, space)
    }

    /// Slices, and sites of a slice.
    pub fn extents(&self) -> [usize; 2] {
        self.lattice.extents().try_into().expect("two extents")
    }

    /// κ.
    pub fn kappa(&self) -> f64 {
        self.kappa
    }

    /// Whether fermions change sign around time.
    pub fn is_antiperiodic(&self) -> bool {
        self.antiperiodic
    }

    /// # Shapes
    /// `angles`: `[μ, site]`
    pub fn determinant(&self, angles: &[f64], work: &mut Workspace) -> Determinant {
        let [times, space] = self.extents();
        let (along_time, along_space) = angles.split_at(times * space);
        for t in 0..times {
            let is_last = self.antiperiodic && t + 1 == times;
            let factor = if is_last { 2.0 * self.kappa } else { -2.0 * self.kappa };
            let slice = t * space..(t + 1) * space;
            let hops = work.hops[t].iter_mut().zip(&along_time[slice.clone()]);
            hops.for_each(|(hop, angle)| *hop = Complex::from_polar(factor, *angle));
            self.ring.fill(&along_space[slice], &mut work.slices[t]);
        }
        let Pivots { log_abs, phase, smallest } = work.eliminate(&self.ring);
        Determinant { log_abs, sign: phase.re.signum(), smallest_pivot: smallest }
    }

    /// Adds `scale · ∂ ln|det D|/∂θ` to a gradient.
    ///
    /// `∂ ln|det D| = Re tr(D⁻¹ ∂D)`: entries of the inverse within slices and between neighbouring ones are all that is needed.
    ///
    /// # Shapes
    /// `angles`, `gradient`: `[μ, site]`
    pub fn gradient(
        &self,
        angles: &[f64],
        scale: f64,
        work: &mut Workspace,
        gradient: &mut [f64],
    ) -> Determinant {
        let [times, space] = self.extents();
        let determinant = self.determinant(angles, work);
        let (by_time, by_space) = gradient.split_at_mut(times * space);
        let mut walk = Walk::new(work, space);
        let mut entries = vec![Entries::default(); space];
        walk.first_entries(&mut entries);
        self.add_space(&work.slices[0].links, &entries, scale, &mut by_space[..space]);
        for t in (1..times).rev() {
            walk.step(t);
            for (x, hop) in work.hops[t].iter().enumerate() {
                by_time[t * space + x] -= 2.0 * scale * (hop * walk.between(x)).im;
            }
            walk.entries(t, &mut entries);
            self.add_space(&work.slices[t].links, &entries, scale, &mut by_space[t * space..][..space]);
        }
        for (x, hop) in work.hops[0].iter().enumerate() {
            by_time[x] -= 2.0 * scale * (hop * walk.mixed.get(x, x)).im;
        }
        determinant
    }

    /// With `v = V(x, x+1)`: `2κ Re[v (G₋₋ - G₊₊)(x+1, x)] + 2κ Im[v G₊₋(x+1, x) - v̄ G₊₋(x, x+1)]`.
    fn add_space(&self, links: &[Complex], entries: &[Entries], scale: f64, gradient: &mut [f64]) {
        let size = links.len();
        for (x, (link, gradient)) in links.iter().zip(gradient).enumerate() {
            let Entries { difference, forward, .. } = entries[x];
            let mixed = link * forward.conj() - link.conj() * entries[(x + 1) % size].backward.conj();
            *gradient += 2.0 * scale * self.kappa * ((link * difference.conj()).re + mixed.im);
        }
    }

    /// Condensate and pseudoscalar correlator.
    ///
    /// # Shapes
    /// `angles`: `[μ, site]`
    pub fn propagator(&self, angles: &[f64], work: &mut Workspace) -> Propagator {
        let [times, space] = self.extents();
        let determinant = self.determinant(angles, work);
        let mut walk = Walk::new(work, space);
        let mut trace = walk.first_trace().re;
        let (mut from, mut first) = (walk.minus.clone(), Matrix::zeros(space));
        walk.mixed.adjoint(&mut first);
        let mut pseudoscalar = vec![0.0; times];
        pseudoscalar[0] = walk.minus.square() + 2.0 * walk.mixed.square() + walk.plus.square();
        for t in (1..times).rev() {
            walk.step(t);
            trace += walk.trace(t, space).re;
            pseudoscalar[t] = walk.square_from_plus() + walk.carry_from_minus(t, &mut from, &first);
        }
        pseudoscalar.iter_mut().for_each(|sum| *sum /= space as f64);
        let condensate = 2.0 * trace / (times * space) as f64;
        Propagator { determinant, condensate, pseudoscalar }
    }

    /// Floating-point operations of a determinant, about: six products and an inverse in every slice.
    pub fn determinant_flops(&self) -> f64 {
        self.cubes(56.0)
    }

    /// The same of a gradient, its determinant included: ten products more.
    pub fn gradient_flops(&self) -> f64 {
        self.cubes(136.0)
    }

    /// So many times T X³.
    fn cubes(&self, count: f64) -> f64 {
        let [times, space] = self.extents();
        count * times as f64 * (space as f64).powi(3)
    }
}
