//! Elimination of one time slice after the other from `γ₅ D`, down to the first.
//!
//! In the spin basis in which σ₀ is diagonal, `Q = γ₅ D` is hermitian, and hops between slices have rank X: every slice t has a part
//! (t, -) and a part (t, +) with
//!
//! - `Q[(t,-), (t,-)] = s_t`, `Q[(t,+), (t,+)] = -s_t`, `Q[(t,-), (t,+)] = h_t`, see [`Slice`];
//! - `Q[(t,+), (t+1,-)] = f_t = -2κ U₀(t)`, a diagonal matrix.
//!
//! A slice couples to (t+1, -) by `f_t` and, once those before it are gone, to (0, +) by a matrix `C_t`. All blocks are X x X.

use super::matrix::{Complex, Left, Matrix, Pivots};
use super::slice::{Ring, Slice};

/// Room for everything that elimination leaves behind; one for each thread.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub slices: Vec<Slice>,
    /// `f_t`.
    pub hops: Vec<Vec<Complex>>,
    /// Of the slices from the second on.
    pub steps: Vec<Step>,
    /// What is left: the first slice with everything else folded into it.
    pub closing: Matrix,
    /// The part (t, -) of the slice in turn.
    own: Matrix,
    coupling: Matrix,
    adjoint: Matrix,
    product: Matrix,
    fed_back: Matrix,
}

/// A slice that is gone: the blocks `α` (-,-), `β` (-,+) and `δ` (+,+) of the inverse of what it was when its turn came.
#[derive(Debug, Clone)]
pub struct Step {
    pub alpha: Matrix,
    pub beta: Matrix,
    pub delta: Matrix,
    /// `β f`.
    pub beta_hop: Matrix,
    /// `δ f`.
    pub delta_hop: Matrix,
    /// `C α`.
    pub coupling_alpha: Matrix,
    /// `C β`.
    pub coupling_beta: Matrix,
}

impl Workspace {
    pub fn new(times: usize, ring: &Ring, space: usize) -> Self {
        let zeros = || Matrix::zeros(space);
        let step = || Step {
            alpha: zeros(),
            beta: zeros(),
            delta: zeros(),
            beta_hop: zeros(),
            delta_hop: zeros(),
            coupling_alpha: zeros(),
            coupling_beta: zeros(),
        };
        Self {
            slices: vec![ring.slice(); times],
            hops: vec![vec![Complex::default(); space]; times],
            steps: vec![step(); times - 1],
            closing: Matrix::zeros(2 * space),
            own: zeros(),
            coupling: zeros(),
            adjoint: zeros(),
            product: zeros(),
            fed_back: zeros(),
        }
    }

    /// `det D` of the slices and hops that are filled in; everything that the inverse needs is left behind, the inverse of what
    /// remains in `closing`.
    pub fn eliminate(&mut self, ring: &Ring) -> Pivots {
        let mut pivots = Pivots::NONE;
        self.own.clear();
        self.fed_back.clear();
        self.coupling.clear();
        self.hops[0].iter().enumerate().for_each(|(x, hop)| self.coupling.set(x, x, *hop));
        for t in 1..self.slices.len() {
            pivots = pivots.and(self.eliminate_slice(t, ring));
        }
        self.close(ring);
        pivots.and(self.closing.invert())
    }

    /// With `s' = s - (what the slice before left)`: `β = (h + s h⁻¹ s')⁻¹`, `α = β h⁻¹ s`, `δ = -h⁻¹ s' β`; the determinant of the slice
    /// is that of h times that of `β⁻¹`.
    fn eliminate_slice(&mut self, t: usize, ring: &Ring) -> Pivots {
        let (slice, hops, step) = (&self.slices[t], &self.hops[t], &mut self.steps[t - 1]);
        ring.add_s(slice, 1.0, &mut self.own);
        Matrix::product(Left::Plain(&slice.inverse), &self.own, 1.0, false, &mut self.product);
        step.beta.clear();
        ring.add_h(slice, &mut step.beta);
        ring.add_s_times(slice, &self.product, &mut step.beta);
        let pivots = step.beta.invert();
        Matrix::product(Left::Plain(&step.beta), &slice.ratio, 1.0, false, &mut step.alpha);
        Matrix::product(Left::Plain(&self.product), &step.beta, -1.0, false, &mut step.delta);
        let coupling = Left::Plain(&self.coupling);
        Matrix::product(coupling, &step.alpha, 1.0, false, &mut step.coupling_alpha);
        Matrix::product(coupling, &step.beta, 1.0, false, &mut step.coupling_beta);
        self.coupling.adjoint(&mut self.adjoint);
        Matrix::product(Left::Plain(&step.coupling_alpha), &self.adjoint, 1.0, true, &mut self.fed_back);
        step.beta.map(&mut step.beta_hop, |_, x, value| value * hops[x]);
        step.delta.map(&mut step.delta_hop, |_, x, value| value * hops[x]);
        step.delta_hop.map(&mut self.own, |x, _, value| -hops[x].conj() * value);
        step.coupling_beta.map(&mut self.coupling, |_, x, value| -value * hops[x]);
        // The eigenvalues of h lie between 1 - 2κ and 1 + 2κ on any field.
        let of_h = Pivots { log_abs: slice.log_det_h, ..Pivots::NONE };
        pivots.and(of_h)
    }

    /// The first slice: `(s₀ - …, h₀ + C†; h₀ + C, -s₀ - …)`.
    fn close(&mut self, ring: &Ring) {
        let (slice, size) = (&self.slices[0], self.hops[0].len());
        ring.add_s(slice, 1.0, &mut self.own);
        ring.add_s(slice, 1.0, &mut self.fed_back);
        ring.add_h(slice, &mut self.coupling);
        for x in 0..size {
            for y in 0..size {
                let coupling = self.coupling.get(x, y);
                self.closing.set(x, y, self.own.get(x, y));
                self.closing.set(size + x, y, coupling);
                self.closing.set(y, size + x, coupling.conj());
                self.closing.set(size + x, size + y, -self.fed_back.get(x, y));
            }
        }
    }
}
