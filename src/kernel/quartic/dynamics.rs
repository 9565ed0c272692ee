//! Molecular dynamics of a real field with nearest-neighbour hopping and a quartic potential, many chains at once.
//!
//! A tile holds [`CHAINS`] configurations as `[site][chain]`, so that every load is one vector of chains. All
//! arithmetic is in double precision without fused operations: the same digits on every instruction set.

use super::action::Quartic;
use crate::kernel::isa::{Isa, Scalar};
use crate::kernel::vector::{Kernel, Vector};

/// Chains side by side in a tile: one vector of double precision.
pub const CHAINS: usize = 8;

impl Quartic {
    /// `p += scale · F`, `F(x) = Σ_±μ φ(x±μ̂) - 2a φ - 4λ φ³`, for a tile of [`CHAINS`].
    ///
    /// # Shapes
    /// `field`, `momenta`: `[site][chain]`
    pub fn kick(&self, field: &[f64], scale: f64, momenta: &mut [f64]) {
        self.check(field);
        self.check(momenta);
        let isa = Isa::active();
        match self.lattice.dimensions() {
            1 => f64::dispatch(isa, Kick::<2> { of: self, field, scale, momenta }),
            2 => f64::dispatch(isa, Kick::<4> { of: self, field, scale, momenta }),
            3 => f64::dispatch(isa, Kick::<6> { of: self, field, scale, momenta }),
            _ => f64::dispatch(isa, Kick::<8> { of: self, field, scale, momenta }),
        }
    }

    /// The action of every chain of a tile of [`CHAINS`].
    ///
    /// # Shapes
    /// `field`: `[site][chain]`
    pub fn tile_actions(&self, field: &[f64]) -> [f64; CHAINS] {
        self.check(field);
        let isa = Isa::active();
        match self.lattice.dimensions() {
            1 => f64::dispatch(isa, Energy::<2> { of: self, field }),
            2 => f64::dispatch(isa, Energy::<4> { of: self, field }),
            3 => f64::dispatch(isa, Energy::<6> { of: self, field }),
            _ => f64::dispatch(isa, Energy::<8> { of: self, field }),
        }
    }

    fn check(&self, tile: &[f64]) {
        assert_eq!(tile.len(), self.lattice.volume() * CHAINS, "numbers of a tile");
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

/// The sum over some neighbours of a site, for every chain.
///
/// Whole vectors by value: the compiler cannot tell that the momenta are no part of the field.
#[inline(always)]
fn sum(field: &[[f64; CHAINS]], near: &[u32]) -> [f64; CHAINS] {
    let mut sum = field[near[0] as usize];
    for &site in &near[1..] {
        let next = field[site as usize];
        for i in 0..CHAINS {
            sum[i] += next[i];
        }
    }
    sum
}

/// With so many neighbours of a site.
struct Kick<'a, const NEAR: usize> {
    of: &'a Quartic,
    field: &'a [f64],
    scale: f64,
    momenta: &'a mut [f64],
}

impl<const NEAR: usize> Kernel for Kick<'_, NEAR> {
    type Elem = f64;
    type Output = ();
    const DOUBLE_IS_WORK: bool = true;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) {
        let field = rows(self.field);
        let (linear, cubic) = (-2.0 * self.of.quadratic, -4.0 * self.of.coupling);
        let momenta: &mut [[f64; CHAINS]] = self.momenta.as_chunks_mut().0;
        let neighbours = self.of.neighbours.table().as_chunks::<NEAR>().0;
        for ((p, phi), near) in momenta.iter_mut().zip(field).zip(neighbours) {
            let (forward, backward) = (sum(field, &near[..NEAR / 2]), sum(field, &near[NEAR / 2..]));
            let (phi, mut next) = (*phi, *p);
            for i in 0..CHAINS {
                let own = phi[i] * (linear + cubic * (phi[i] * phi[i]));
                next[i] += self.scale * ((forward[i] + backward[i]) + own);
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
    const DOUBLE_IS_WORK: bool = true;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) {
        for (phi, p) in self.field.iter_mut().zip(self.momenta) {
            *phi += self.scale * p;
        }
    }
}

/// With so many neighbours of a site.
struct Energy<'a, const NEAR: usize> {
    of: &'a Quartic,
    field: &'a [f64],
}

impl<const NEAR: usize> Kernel for Energy<'_, NEAR> {
    type Elem = f64;
    type Output = [f64; CHAINS];
    const DOUBLE_IS_WORK: bool = true;
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = f64>>(self) -> [f64; CHAINS] {
        let field = rows(self.field);
        let mut sums = [0.0; CHAINS];
        for (phi, near) in field.iter().zip(self.of.neighbours.table().as_chunks::<NEAR>().0) {
            let forward = sum(field, &near[..NEAR / 2]);
            for i in 0..CHAINS {
                let square = phi[i] * phi[i];
                let potential = square * (self.of.quadratic + self.of.coupling * square);
                sums[i] += potential - phi[i] * forward[i];
            }
        }
        sums
    }
}
