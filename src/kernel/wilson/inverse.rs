//! Blocks of `(γ₅ D)⁻¹` within slices and between neighbouring ones, from the last slice back to the first.

use super::elimination::{Step, Workspace};
use super::matrix::{Complex, Left, Matrix};

/// The walk back. With E a slice and N its neighbours (t+1, -) and (0, +), whose block Γ of the inverse is known, and K the inverse of
/// the slice times its coupling to them: `G[E, E] = E⁻¹ + K Γ K†`, `G[E, N] = -K Γ`.
pub struct Walk<'a> {
    work: &'a Workspace,
    /// `G[(t,-), (t,-)]` of the slice that was reached.
    pub minus: Matrix,
    /// `G[(t,-), (0,+)]`; of the first slice its own mixed block.
    pub mixed: Matrix,
    mixed_adjoint: Matrix,
    /// `G[(0,+), (0,+)]`.
    pub plus: Matrix,
    /// `K Γ`, rows (t, -), for (t+1, -) and (0, +).
    minus_ahead: Matrix,
    minus_first: Matrix,
    /// The same, rows (t, +).
    plus_ahead: Matrix,
    plus_first: Matrix,
    adjoint: Matrix,
    next: Matrix,
}

/// What a slice adds to traces with the inverse.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Entries {
    /// `G[(t,-) x, (t,-) x+1] - G[(t,+) x, (t,+) x+1]`.
    pub difference: Complex,
    /// `G[(t,-) x, (t,+) x+1]`.
    pub forward: Complex,
    /// `G[(t,-) x, (t,+) x-1]`.
    pub backward: Complex,
}

impl<'a> Walk<'a> {
    /// From the first slice, which was eliminated last.
    pub fn new(work: &'a Workspace, space: usize) -> Self {
        let zeros = || Matrix::zeros(space);
        let mut this = Self {
            work,
            minus: zeros(),
            mixed: zeros(),
            mixed_adjoint: zeros(),
            plus: zeros(),
            minus_ahead: zeros(),
            minus_first: zeros(),
            plus_ahead: zeros(),
            plus_first: zeros(),
            adjoint: zeros(),
            next: zeros(),
        };
        work.closing.block(0, 0, &mut this.minus);
        work.closing.block(0, space, &mut this.mixed);
        work.closing.block(space, space, &mut this.plus);
        this
    }

    /// Entries of the first slice, before any step.
    pub fn first_entries(&self, out: &mut [Entries]) {
        let size = out.len();
        for (x, out) in out.iter_mut().enumerate() {
            let (next, last) = ((x + 1) % size, (x + size - 1) % size);
            out.difference = self.minus.get(x, next) - self.plus.get(x, next);
            (out.forward, out.backward) = (self.mixed.get(x, next), self.mixed.get(x, last));
        }
    }

    /// `Σ_x G[(0,-) x, (0,+) x]` before any step.
    pub fn first_trace(&self) -> Complex {
        trace(&self.mixed)
    }

    /// To slice t, the one before the last that was reached.
    pub fn step(&mut self, t: usize) {
        let Step { alpha, beta_hop, delta_hop, coupling_alpha, coupling_beta, .. } = &self.work.steps[t - 1];
        self.mixed.adjoint(&mut self.mixed_adjoint);
        for (hop, coupling, ahead, first) in [
            (beta_hop, coupling_alpha, &mut self.minus_ahead, &mut self.minus_first),
            (delta_hop, coupling_beta, &mut self.plus_ahead, &mut self.plus_first),
        ] {
            Matrix::product(Left::Plain(hop), &self.minus, 1.0, false, ahead);
            Matrix::product(Left::Adjoint(coupling), &self.mixed_adjoint, 1.0, true, ahead);
            Matrix::product(Left::Plain(hop), &self.mixed, 1.0, false, first);
            Matrix::product(Left::Adjoint(coupling), &self.plus, 1.0, true, first);
        }
        self.next.clone_from(alpha);
        beta_hop.adjoint(&mut self.adjoint);
        Matrix::product(Left::Plain(&self.minus_ahead), &self.adjoint, 1.0, true, &mut self.next);
        Matrix::product(Left::Plain(&self.minus_first), coupling_alpha, 1.0, true, &mut self.next);
        std::mem::swap(&mut self.minus, &mut self.next);
        self.minus_first.map(&mut self.mixed, |_, _, value| -value);
    }

    /// `G[(t+1,-) x, (t,+) x]` after the step to slice t.
    pub fn between(&self, x: usize) -> Complex {
        -self.plus_ahead.get(x, x).conj()
    }

    /// The entries of slice t after the step to it.
    pub fn entries(&mut self, t: usize, out: &mut [Entries]) {
        let Step { beta, delta, delta_hop, coupling_beta, .. } = &self.work.steps[t - 1];
        let size = out.len();
        coupling_beta.adjoint(&mut self.adjoint);
        let diagonal = |ahead: &Matrix, first: &Matrix, offset: usize, own: &Matrix| -> Vec<Complex> {
            let mut found: Vec<Complex> = (0..size).map(|x| own.get(x, (x + offset) % size)).collect();
            Matrix::diagonal_of_adjoint(ahead, delta_hop, offset, &mut found);
            Matrix::diagonal_of_adjoint(first, &self.adjoint, offset, &mut found);
            found
        };
        let plus = diagonal(&self.plus_ahead, &self.plus_first, 1, delta);
        let forward = diagonal(&self.minus_ahead, &self.minus_first, 1, beta);
        let backward = diagonal(&self.minus_ahead, &self.minus_first, size - 1, beta);
        for (x, out) in out.iter_mut().enumerate() {
            let difference = self.minus.get(x, (x + 1) % size) - plus[x];
            *out = Entries { difference, forward: forward[x], backward: backward[x] };
        }
    }

    /// `Σ_x G[(t,-) x, (t,+) x]` after the step to slice t.
    pub fn trace(&mut self, t: usize, space: usize) -> Complex {
        let Step { beta, delta_hop, coupling_beta, .. } = &self.work.steps[t - 1];
        coupling_beta.adjoint(&mut self.adjoint);
        let mut found = vec![Complex::default(); space];
        Matrix::diagonal_of_adjoint(&self.minus_ahead, delta_hop, 0, &mut found);
        Matrix::diagonal_of_adjoint(&self.minus_first, &self.adjoint, 0, &mut found);
        found.into_iter().sum::<Complex>() + trace(beta)
    }

    /// `Σ |G[(t,±), (0,+)]|²` over both sites after the step to slice t.
    pub fn square_from_plus(&self) -> f64 {
        self.minus_first.square() + self.plus_first.square()
    }

    /// A column of the inverse from (0, -), carried to slice t: `from` is `G[(t+1,-), (0,-)]` and becomes `G[(t,-), (0,-)]`, `first` is
    /// `G[(0,+), (0,-)]`. Returns `Σ |G[(t,±), (0,-)]|²` over both sites.
    pub fn carry_from_minus(&mut self, t: usize, from: &mut Matrix, first: &Matrix) -> f64 {
        let Step { beta_hop, delta_hop, coupling_alpha, coupling_beta, .. } = &self.work.steps[t - 1];
        Matrix::product(Left::Plain(delta_hop), from, -1.0, false, &mut self.next);
        Matrix::product(Left::Adjoint(coupling_beta), first, -1.0, true, &mut self.next);
        let plus = self.next.square();
        Matrix::product(Left::Plain(beta_hop), from, -1.0, false, &mut self.next);
        Matrix::product(Left::Adjoint(coupling_alpha), first, -1.0, true, &mut self.next);
        from.clone_from(&self.next);
        plus + from.square()
    }
}

fn trace(matrix: &Matrix) -> Complex {
    (0..matrix.size()).map(|x| matrix.get(x, x)).sum()
}
