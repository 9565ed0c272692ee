//! Exact values of the free field, from its propagator `1/(m² + k̂²)`.

use crate::lattice::Lattice;
use std::f64::consts::PI;

/// `S = ½ Σ_x φ (-Δ + m²) φ` with m² > 0 on a periodic lattice of d dimensions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FreeField {
    lattice: Lattice,
    mass_squared: f64,
}

impl FreeField {
    /// The field of this mass; none without a mass, where the zero mode has no bound.
    pub fn new(lattice: Lattice, mass_squared: f64) -> Option<Self> {
        (mass_squared > 0.0).then_some(Self { lattice, mass_squared })
    }

    /// `m² + k̂²` for every momentum, `k̂² = Σ_μ 4 sin²(k_μ/2)`.
    fn inverse_propagator(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.lattice.volume()).map(|k| self.mass_squared + self.lattice.momentum_squared(k))
    }

    fn volume(&self) -> f64 {
        self.lattice.volume() as f64
    }

    /// `ln Z = ½ Σ_k ln(2π / (m² + k̂²))`.
    pub fn log_partition(&self) -> f64 {
        0.5 * self.inverse_propagator().map(|p| (2.0 * PI / p).ln()).sum::<f64>()
    }

    /// `⟨φ²⟩ = (1/V) Σ_k 1/(m² + k̂²)`.
    pub fn phi_squared(&self) -> f64 {
        self.inverse_propagator().map(f64::recip).sum::<f64>() / self.volume()
    }

    /// `χ₂ = V ⟨M²⟩ = 1/m²`.
    pub fn chi_2(&self) -> f64 {
        self.mass_squared.recip()
    }

    /// `⟨|M|⟩`: M is normal with variance χ₂/V.
    pub fn abs_magnetization(&self) -> f64 {
        (2.0 * self.chi_2() / (PI * self.volume())).sqrt()
    }

    /// `χ = χ₂ (1 - 2/π)`.
    pub fn chi(&self) -> f64 {
        self.chi_2() * (1.0 - 2.0 / PI)
    }

    /// `E = (1/dV) Σ_x,μ ⟨φ(x) φ(x+μ̂)⟩`, from `⟨S⟩/V = ½ = -d E + ½ (m² + 2d) ⟨φ²⟩`.
    pub fn ising_energy(&self) -> f64 {
        let twice = 2.0 * self.lattice.dimensions() as f64;
        ((self.mass_squared + twice) * self.phi_squared() - 1.0) / twice
    }

    /// The pole mass M at zero space momentum, `4 sinh²(M/2) = m²`.
    pub fn pole_mass(&self) -> f64 {
        2.0 * (0.5 * self.mass_squared.sqrt()).asinh()
    }

    /// The second-moment correlation length, 1/m.
    pub fn correlation_length(&self) -> f64 {
        self.chi_2().sqrt()
    }

    /// `G(t) = (e^{-Mt} + e^{-M(T-t)}) / (2 sinh M (1 - e^{-MT}))`, the two-point function at zero space momentum.
    pub fn two_point(&self, t: usize) -> f64 {
        let (mass, times) = (self.pole_mass(), self.lattice.extents()[0]);
        let decay = |steps: usize| (-mass * steps as f64).exp();
        (decay(t) + decay(times - t)) / (2.0 * mass.sinh() * (1.0 - decay(times)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values computed independently with NumPy, to the digits they are known to.
    #[test]
    fn the_free_field_has_its_exact_values() {
        for (extent, m2, free_energy, phi_squared) in [
            (8, 1.25, -8.60833363841, 0.233967001547),
            (10, 1.0, -16.4949135754, 0.254065787696),
            (16, 0.25, -71.2372603405, 0.376958111158),
        ] {
            let field = FreeField::new(Lattice::new([extent, extent]), m2).expect("a mass");
            assert!((field.log_partition() + free_energy).abs() < 1e-9, "{}", field.log_partition());
            assert!((field.phi_squared() - phi_squared).abs() < 1e-11, "{}", field.phi_squared());
        }
        assert_eq!(FreeField::new(Lattice::new([4, 4]), 0.0), None);
    }
}
