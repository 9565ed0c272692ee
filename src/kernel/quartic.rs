//! Molecular dynamics of a real field with nearest-neighbour hopping and a quartic potential, many chains at once.
//!
//! A tile holds [`CHAINS`] configurations as `[site][chain]`, so that every load is one vector of chains. All
//! arithmetic is in double precision without fused operations: the same digits on every instruction set.

use super::scalar::Scalar;
use super::vector::{Isa, Kernel, Vector};

/// Chains side by side in a tile: one vector of double precision.
pub const CHAINS: usize = 8;

/// `S = Σ_x [ -Σ_μ φ(x) φ(x+μ̂) + a φ² + λ φ⁴ ]` on any lattice.
#[derive(Debug, Clone, PartialEq)]
pub struct Quartic {
    /// Neighbours of every site, those one step forward first.
    neighbours: Vec<[u32; 4]>,
    quadratic: f64,
    quartic: f64,
}

impl Quartic {
    /// # Panics
    /// If a neighbour is not a site.
    pub fn new(neighbours: Vec<[u32; 4]>, quadratic: f64, quartic: f64) -> Self {
        let inside = |site: &u32| (*site as usize) < neighbours.len();
        assert!(
            neighbours.iter().flatten().all(inside),
            "neighbours of a lattice of {} sites",
            neighbours.len()
        );
        Self { neighbours, quadratic, quartic }
    }

    /// `p += scale · F`, `F(x) = Σ_±μ φ(x±μ̂) - 2a φ - 4λ φ³`.
    ///
    /// # Shapes
    /// `field`, `momenta`: `[site][chain]`
    pub fn kick(&self, field: &[f64], scale: f64, momenta: &mut [f64]) {
        self.check(field);
        self.check(momenta);
        f64::dispatch(Isa::active(), Kick { action: self, field, scale, momenta });
    }

    /// The action of every chain of a tile.
    ///
    /// # Shapes
    /// `field`: `[site][chain]`
    pub fn action(&self, field: &[f64]) -> [f64; CHAINS] {
        self.check(field);
        f64::dispatch(Isa::active(), Energy { action: self, field })
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
    action: &'a Quartic,
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
        let (linear, cubic) = (-2.0 * self.action.quadratic, -4.0 * self.action.quartic);
        let momenta: &mut [[f64; CHAINS]] = self.momenta.as_chunks_mut().0;
        for ((p, phi), near) in momenta.iter_mut().zip(field).zip(&self.action.neighbours) {
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
    action: &'a Quartic,
    field: &'a [f64],
}

impl Kernel for Energy<'_> {
    type Elem = f64;
    type Output = [f64; CHAINS];
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) -> [f64; CHAINS] {
        let field = rows(self.field);
        let mut sums = [0.0; CHAINS];
        for (phi, near) in field.iter().zip(&self.action.neighbours) {
            let (forward, along) = (&field[near[0] as usize], &field[near[1] as usize]);
            for i in 0..CHAINS {
                let square = phi[i] * phi[i];
                let potential = square * (self.action.quadratic + self.action.quartic * square);
                sums[i] += potential - phi[i] * (forward[i] + along[i]);
            }
        }
        sums
    }
}
