//! The real scalar field with quartic self-interaction, eq. (A1) of A22.

use super::Action;
use super::observable::Observables;
use super::scalar_observables::ScalarObservables;
use crate::kernel::quartic::{CHAINS, Dynamics, Quartic};
use crate::lattice::Lattice;
use burn::tensor::Tensor;
use std::f64::consts::PI;
use std::sync::Arc;

/// `S = Σ_x [ -Σ_μ φ(x) φ(x+μ̂) + ½ (m² + 2d) φ² + λ φ⁴ ]`, periodic, d = 2. Source: A22, eq. (A1).
#[derive(Debug, Clone, PartialEq)]
pub struct Phi4 {
    lattice: Lattice,
    mass_squared: f64,
    quartic: Quartic,
    dynamics: Dynamics,
}

impl Phi4 {
    /// The action with bare mass squared m² and coupling λ in the convention of A22.
    pub fn new(lattice: Lattice, mass_squared: f64, coupling: f64) -> Self {
        let quadratic = 0.5 * (mass_squared + 2.0 * lattice.dimensions() as f64);
        let quartic = Quartic { lattice, quadratic, coupling };
        Self { lattice, mass_squared, quartic, dynamics: Dynamics::new(quartic) }
    }

    /// `m² + k̂²` for every momentum, `k̂² = Σ_μ 4 sin²(k_μ/2)`.
    fn inverse_propagator(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.lattice.volume()).map(|index| {
            let n = self.lattice.coordinates(index);
            let sin = |mu: usize| (PI * n[mu] as f64 / self.lattice.extents()[mu] as f64).sin();
            self.mass_squared + (0..n.len()).map(|mu| 4.0 * sin(mu).powi(2)).sum::<f64>()
        })
    }

    fn is_free(&self) -> bool {
        self.quartic.coupling == 0.0 && self.mass_squared > 0.0
    }

    /// `⟨φ²⟩ = (1/V) Σ_k 1/(m² + k̂²)` of the free field (λ = 0).
    pub fn free_phi_squared(&self) -> Option<f64> {
        let volume = self.lattice.volume() as f64;
        self.is_free().then(|| self.inverse_propagator().map(f64::recip).sum::<f64>() / volume)
    }

    /// `χ₂ = V ⟨M²⟩ = 1/m²` of the free field (λ = 0).
    pub fn free_chi_2(&self) -> Option<f64> {
        self.is_free().then(|| self.mass_squared.recip())
    }

    /// The pole mass M of the free field (λ = 0) at zero space momentum, `4 sinh²(M/2) = m²`; its two-point function in time is
    /// `G(t) = (e^{-Mt} + e^{-M(T-t)}) / (2 sinh M (1 - e^{-MT}))`.
    pub fn free_pole_mass(&self) -> Option<f64> {
        self.is_free().then(|| 2.0 * (0.5 * self.mass_squared.sqrt()).asinh())
    }
}

impl Action for Phi4 {
    fn describe(&self) -> String {
        let [t, x] = self.lattice.extents();
        format!(
            "real scalar field, {t} x {x}, m^2 = {}, lambda = {}: S = sum [-phi phi(+mu) + (m^2+4)/2 phi^2 + lambda phi^4]",
            self.mass_squared, self.quartic.coupling
        )
    }

    fn field_name(&self) -> &'static str {
        "phi"
    }

    fn lattice(&self) -> Lattice {
        self.lattice
    }

    fn components(&self) -> usize {
        1
    }

    fn action(&self, field: Tensor<4>) -> Tensor<1> {
        self.quartic.action(field)
    }

    fn action_f64(&self, field: &[f64]) -> f64 {
        let (lattice, quadratic) = (self.lattice, self.quartic.quadratic);
        let density = |site: usize| {
            let phi = field[site];
            let forward = field[lattice.forward(site, 0)] + field[lattice.forward(site, 1)];
            phi * phi * (quadratic + self.quartic.coupling * phi * phi) - phi * forward
        };
        (0..lattice.volume()).map(density).sum()
    }

    fn force_f64(&self, field: &[f64]) -> Vec<f64> {
        let (lattice, quadratic) = (self.lattice, self.quartic.quadratic);
        let force = |site: usize| {
            let phi = field[site];
            let neighbours: f64 = (0..lattice.dimensions())
                .map(|mu| field[lattice.forward(site, mu)] + field[lattice.backward(site, mu)])
                .sum();
            neighbours - 2.0 * quadratic * phi - 4.0 * self.quartic.coupling * phi.powi(3)
        };
        (0..lattice.volume()).map(force).collect()
    }

    /// `ln Z = ½ Σ_k ln(2π / (m² + k̂²))` of the free field (λ = 0, m² > 0).
    fn log_partition(&self) -> Option<f64> {
        self.is_free().then(|| 0.5 * self.inverse_propagator().map(|p| (2.0 * PI / p).ln()).sum::<f64>())
    }

    fn tile_action(&self, tile: &[f64]) -> [f64; CHAINS] {
        self.dynamics.action(tile)
    }

    fn kick(&self, tile: &[f64], scale: f64, momenta: &mut [f64]) {
        self.dynamics.kick(tile, scale, momenta);
    }

    fn force_flops(&self) -> f64 {
        // Four additions, φ², the two factors of the potential, the sum, and the multiply-add of the momentum.
        10.0 * self.lattice.volume() as f64
    }

    fn is_even(&self) -> bool {
        true
    }

    fn observables(&self) -> Arc<dyn Observables> {
        Arc::new(ScalarObservables::new(self, self.lattice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use burn::tensor::{DType, Device, TensorData};

    fn cases() -> Vec<Phi4> {
        [([4, 6], -1.0, 1.0), ([8, 8], -4.0, 2.0), ([6, 4], 1.25, 0.0)]
            .map(|(extents, m2, lambda)| Phi4::new(Lattice::new(extents), m2, lambda))
            .to_vec()
    }

    fn field(action: &Phi4, name: &str) -> Vec<f64> {
        let values = Seed(11).stream(name).normals(0, 1, action.lattice().volume());
        values.into_iter().map(f64::from).collect()
    }

    /// Central differences of a quartic have the error h² S'''/6, about 1e-9 here.
    #[test]
    fn the_force_is_minus_the_gradient_of_the_action() {
        for action in cases() {
            let phi = field(&action, "force");
            let force = action.force_f64(&phi);
            for site in 0..phi.len() {
                let at = |h: f64| {
                    let mut phi = phi.clone();
                    phi[site] += h;
                    action.action_f64(&phi)
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((force[site] + difference).abs() < 1e-7, "{} and {difference}", force[site]);
            }
        }
    }

    #[test]
    fn a_tile_of_chains_has_the_action_and_the_force_of_each() {
        for action in cases() {
            let chains: Vec<Vec<f64>> = (0..CHAINS).map(|c| field(&action, &format!("chain {c}"))).collect();
            let volume = action.lattice().volume();
            let tile: Vec<f64> = (0..volume * CHAINS).map(|i| chains[i % CHAINS][i / CHAINS]).collect();
            let mut momenta = vec![0.5; tile.len()];
            action.kick(&tile, 0.1, &mut momenta);
            let actions = action.tile_action(&tile);
            for (c, chain) in chains.iter().enumerate() {
                assert!((actions[c] - action.action_f64(chain)).abs() < 1e-11);
                for (site, force) in action.force_f64(chain).iter().enumerate() {
                    assert!((momenta[site * CHAINS + c] - (0.5 + 0.1 * force)).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn the_action_has_its_symmetries() {
        for action in cases() {
            let phi = field(&action, "symmetry");
            let s = action.action_f64(&phi);
            let flipped: Vec<f64> = phi.iter().map(|v| -v).collect();
            assert!((action.action_f64(&flipped) - s).abs() < 1e-12 * s.abs().max(1.0), "Z2");
            for displacement in [[1, 0], [0, 1], [3, -2]] {
                let shift = |site| phi[action.lattice.shifted(site, displacement)];
                let shifted: Vec<f64> = (0..phi.len()).map(shift).collect();
                assert!((action.action_f64(&shifted) - s).abs() < 1e-11, "translation {displacement:?}");
            }
        }
    }

    #[test]
    fn the_device_action_and_its_gradient_are_those_of_the_host() {
        let device = Device::flex().autodiff();
        for action in cases() {
            let phi: Vec<f64> = field(&action, "a").into_iter().chain(field(&action, "b")).collect();
            let [t, x] = action.lattice.extents();
            let data = TensorData::new(phi.clone(), [2, 1, t, x]);
            let tensor = Tensor::<4>::from_data(data, (&device, DType::F64)).require_grad();
            let s = action.action(tensor.clone());
            let gradient = tensor.grad(&s.clone().sum().backward()).expect("tracked").into_data();
            let gradient: Vec<f64> = gradient.iter().collect();
            let volume = action.lattice().volume();
            for (i, s) in s.into_data().iter::<f64>().enumerate() {
                let phi = &phi[i * volume..][..volume];
                assert!((s - action.action_f64(phi)).abs() < 1e-11);
                for (g, f) in gradient[i * volume..].iter().zip(action.force_f64(phi)) {
                    assert!((g + f).abs() < 1e-11);
                }
            }
        }
    }

    /// Values computed independently with NumPy, to the digits they are known to.
    #[test]
    fn the_free_field_has_its_exact_values() {
        for (extent, m2, free_energy, phi_squared) in [
            (8, 1.25, -8.60833363841, 0.233967001547),
            (10, 1.0, -16.4949135754, 0.254065787696),
            (16, 0.25, -71.2372603405, 0.376958111158),
        ] {
            let action = Phi4::new(Lattice::new([extent, extent]), m2, 0.0);
            let found = (action.log_partition().expect("free"), action.free_phi_squared().expect("free"));
            assert!((found.0 + free_energy).abs() < 1e-9, "{}", found.0);
            assert!((found.1 - phi_squared).abs() < 1e-11, "{}", found.1);
        }
        assert_eq!(Phi4::new(Lattice::new([4, 4]), 1.0, 0.5).log_partition(), None);
    }
}
