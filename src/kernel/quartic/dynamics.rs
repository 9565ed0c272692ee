//! Molecular dynamics of a real field with nearest-neighbour hopping and a quartic potential, many chains at once.
//!
//! A tile holds [`CHAINS`] configurations as `[site][chain]`, so that every load is one vector of chains. All
//! arithmetic is in double precision without fused operations: the same digits on every instruction set.

use super::Quartic;
use crate::kernel::scalar::Scalar;
use crate::kernel::vector::{Isa, Kernel, Vector};

/// Chains side by side in a tile: one vector of double precision.
pub const CHAINS: usize = 8;

/// A [`Quartic`] with the neighbours of every site.
#[derive(Debug, Clone, PartialEq)]
pub struct Dynamics {
    action: Quartic,
    /// Those one step forward first.
    neighbours: Vec<[u32; 4]>,
}

impl Dynamics {
    /// The molecular dynamics of an action.
    pub fn new(action: Quartic) -> Self {
        let lattice = action.lattice;
        let neighbours = |site: usize| {
            let [t, x] = [0, 1].map(|mu| lattice.forward(site, mu) as u32);
            let [before, left] = [0, 1].map(|mu| lattice.backward(site, mu) as u32);
            [t, x, before, left]
        };
        Self { action, neighbours: (0..lattice.volume()).map(neighbours).collect() }
    }

    /// `p += scale · F`, `F(x) = Σ_±μ φ(x±μ̂) - 2a φ - 4λ φ³`.
    ///
    /// # Shapes
    /// `field`, `momenta`: `[site][chain]`
    pub fn kick(&self, field: &[f64], scale: f64, momenta: &mut [f64]) {
        self.check(field);
        self.check(momenta);
        f64::dispatch(Isa::active(), Kick { of: self, field, scale, momenta });
    }

    /// The action of every chain of a tile.
    ///
    /// # Shapes
    /// `field`: `[site][chain]`
    pub fn action(&self, field: &[f64]) -> [f64; CHAINS] {
        self.check(field);
        f64::dispatch(Isa::active(), Energy { of: self, field })
    }

    fn check(&self, tile: &[f64]) {
        assert_eq!(tile.len(), self.neighbours.len() * CHAINS, "numbers of a tile");
    }
}

/// `field += scale · momenta`.
pub fn drift(field: &mut [f64], scale: f64, momenta: &[f64]) {
    assert_eq!(field.len(), momenta.len(), "numbers of field and momenta");
    f64::dispatch(Isa::active(), Drift { field, scale, momenta });
}

/// `½ Σ p²` of every chain of a tile.
pub fn kinetic_energy(momenta: &[f64]) -> [f64; CHAINS] {
    let mut sums = [0.0; CHAINS];
    for row in rows(momenta) {
        (0..CHAINS).for_each(|chain| sums[chain] += 0.5 * row[chain] * row[chain]);
    }
    sums
}

fn rows(tile: &[f64]) -> &[[f64; CHAINS]] {
    tile.as_chunks().0
}

struct Kick<'a> {
    of: &'a Dynamics,
    field: &'a [f64],
    scale: f64,
    momenta: &'a mut [f64],
}

impl Kernel for Kick<'_> {
    type Elem = f64;
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) {
        let field = rows(self.field);
        let (linear, cubic) = (-2.0 * self.of.action.quadratic, -4.0 * self.of.action.coupling);
        let momenta: &mut [[f64; CHAINS]] = self.momenta.as_chunks_mut().0;
        for ((p, phi), near) in momenta.iter_mut().zip(field).zip(&self.of.neighbours) {
            // Whole vectors by value, one by one: the compiler cannot tell that the momenta are no part of the field, and a
            // closure would not be compiled for the instruction set.
            let (a, b) = (field[near[0] as usize], field[near[1] as usize]);
            let (c, d) = (field[near[2] as usize], field[near[3] as usize]);
            let (phi, mut next) = (*phi, *p);
            for i in 0..CHAINS {
                let own = phi[i] * (linear + cubic * (phi[i] * phi[i]));
                next[i] += self.scale * ((a[i] + b[i]) + (c[i] + d[i]) + own);
            }
            *p = next;
        }
    }
}

struct Drift<'a> {
    field: &'a mut [f64],
    scale: f64,
    momenta: &'a [f64],
}

impl Kernel for Drift<'_> {
    type Elem = f64;
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) {
        for (phi, p) in self.field.iter_mut().zip(self.momenta) {
            *phi += self.scale * p;
        }
    }
}

struct Energy<'a> {
    of: &'a Dynamics,
    field: &'a [f64],
}

impl Kernel for Energy<'_> {
    type Elem = f64;
    type Output = [f64; CHAINS];
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) -> [f64; CHAINS] {
        let field = rows(self.field);
        let mut sums = [0.0; CHAINS];
        for (phi, near) in field.iter().zip(&self.of.neighbours) {
            let (forward, along) = (&field[near[0] as usize], &field[near[1] as usize]);
            for i in 0..CHAINS {
                let square = phi[i] * phi[i];
                let potential = square * (self.of.action.quadratic + self.of.action.coupling * square);
                sums[i] += potential - phi[i] * (forward[i] + along[i]);
            }
        }
        sums
    }
}
