//! The real scalar field with quartic self-interaction, eq. (A1) of A22.

use super::action::Action;
use super::dynamics::Dynamics;
use super::exact::Exact;
use crate::kernel::quartic::{CHAINS, Quartic, drift, kinetic_energy};
use crate::lattice::Lattice;
use burn::tensor::Tensor;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Spread of the configurations that chains start from.
const START_WIDTH: f64 = 0.1;

/// `S = Σ_x [ -Σ_μ φ(x) φ(x+μ̂) + ½ (m² + 2d) φ² + λ φ⁴ ]`, periodic, in d = 1 to 4 dimensions. Source: A22, eq. (A1).
#[derive(Debug, Clone, PartialEq)]
pub struct Phi4 {
    lattice: Lattice,
    mass_squared: f64,
    quartic: Quartic,
    exact: Option<Exact>,
}

impl Phi4 {
    /// The action with bare mass squared m² and coupling λ in the convention of A22.
    pub fn new(lattice: Lattice, mass_squared: f64, coupling: f64) -> Self {
        let quadratic = 0.5 * (mass_squared + 2.0 * lattice.dimensions() as f64);
        let quartic = Quartic::new(lattice, quadratic, coupling);
        Self { lattice, mass_squared, quartic, exact: Exact::new(lattice, mass_squared, coupling) }
    }

    /// What is known without sampling: everything of the free field, and of a field in one dimension.
    pub fn exact(&self) -> Option<&Exact> {
        self.exact.as_ref()
    }
}

impl Action for Phi4 {
    fn id(&self) -> String {
        let (lattice, m2, lambda) = (self.lattice, self.mass_squared, self.quartic.coupling);
        format!("phi4/{lattice}/mass_squared={m2:?}/coupling={lambda:?}")
    }

    fn describe(&self) -> String {
        format!(
            "real scalar field, {}, m^2 = {}, lambda = {}: S = sum [-phi phi(+mu) + (m^2+{})/2 phi^2 + lambda phi^4]",
            self.lattice,
            self.mass_squared,
            self.quartic.coupling,
            2 * self.lattice.dimensions()
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

    fn action(&self, field: Tensor<3>) -> Tensor<1> {
        self.quartic.action(field)
    }

    fn action_f64(&self, field: &[f64]) -> f64 {
        let Quartic { quadratic, coupling, ref neighbours, .. } = self.quartic;
        let density = |(site, &phi): (usize, &f64)| {
            let forward: f64 = neighbours.forward(site).iter().map(|&site| field[site as usize]).sum();
            phi * phi * (quadratic + coupling * phi * phi) - phi * forward
        };
        field.iter().enumerate().map(density).sum()
    }

    fn log_partition(&self) -> Option<f64> {
        self.exact.as_ref().map(Exact::log_partition)
    }
}

impl Dynamics for Phi4 {
    fn chains(&self) -> usize {
        CHAINS
    }

    fn numbers(&self) -> usize {
        self.lattice.volume()
    }

    fn actions(&self, tile: &[f64]) -> Vec<f64> {
        self.quartic.tile_actions(tile).to_vec()
    }

    fn kinetic(&self, momenta: &[f64]) -> Vec<f64> {
        kinetic_energy(momenta).to_vec()
    }

    fn kick(&self, tile: &[f64], scale: f64, momenta: &mut [f64]) {
        self.quartic.kick(tile, scale, momenta);
    }

    fn drift(&self, tile: &mut [f64], scale: f64, momenta: &[f64]) {
        drift(tile, scale, momenta);
    }

    /// Small fluctuations around zero: a rough start has forces that no step size tuned for equilibrium follows, and a chain that
    /// begins there may never leave.
    fn start(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let normals = StandardNormal.sample_iter(rng).take(self.numbers());
        normals.map(|normal: f64| normal * START_WIDTH).collect()
    }

    fn force_flops(&self) -> f64 {
        // 2d additions, φ², the two factors of the potential, their product with φ, and the multiply-add of the momentum.
        (2 * self.lattice.dimensions() + 6) as f64 * self.lattice.volume() as f64
    }

    fn is_even(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use burn::tensor::{DType, Device, TensorData};

    /// One to four dimensions; on extents of two both neighbours of a direction are the same site.
    fn cases() -> Vec<Phi4> {
        let lattices: [&[usize]; 7] =
            [&[6], &[4, 6], &[8, 8], &[6, 4], &[2, 6, 4], &[4, 4, 4], &[4, 2, 4, 2]];
        let couplings = [(-1.0, 1.0), (-1.0, 1.0), (-4.0, 2.0), (1.25, 0.0)].into_iter().cycle();
        lattices
            .iter()
            .zip(couplings)
            .map(|(l, (m2, lambda))| Phi4::new(Lattice::new(l), m2, lambda))
            .collect()
    }

    fn field(action: &Phi4, name: &str) -> Vec<f64> {
        let values = Seed(11).stream(name).normals(0, 1, action.lattice().volume());
        values.into_iter().map(f64::from).collect()
    }

    /// The force on one configuration, as the first chain of a tile.
    fn force(action: &Phi4, phi: &[f64]) -> Vec<f64> {
        let tile: Vec<f64> = phi.iter().flat_map(|&phi| [phi; CHAINS]).collect();
        let mut momenta = vec![0.0; tile.len()];
        action.kick(&tile, 1.0, &mut momenta);
        momenta.into_iter().step_by(CHAINS).collect()
    }

    /// Central differences of a quartic have the error h² S'''/6, about 1e-9 here.
    #[test]
    fn the_force_is_minus_the_gradient_of_the_action() {
        for action in cases() {
            let phi = field(&action, "force");
            let force = force(&action, &phi);
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
            let actions = action.actions(&tile);
            for (c, chain) in chains.iter().enumerate() {
                assert!((actions[c] - action.action_f64(chain)).abs() < 1e-11);
                for (site, force) in force(&action, chain).iter().enumerate() {
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
            for displacement in [[1, 0, 0, 0], [0, 1, 0, 0], [3, -2, 1, -1]] {
                let displacement = &displacement[..action.lattice.dimensions()];
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
            let data = TensorData::new(phi.clone(), [2, 1, action.lattice.volume()]);
            let tensor = Tensor::<3>::from_data(data, (&device, DType::F64)).require_grad();
            let s = action.action(tensor.clone());
            let gradient = tensor.grad(&s.clone().sum().backward()).expect("tracked").into_data();
            let gradient: Vec<f64> = gradient.iter().collect();
            let volume = action.lattice().volume();
            for (i, s) in s.into_data().iter::<f64>().enumerate() {
                let phi = &phi[i * volume..][..volume];
                assert!((s - action.action_f64(phi)).abs() < 1e-11);
                for (g, f) in gradient[i * volume..].iter().zip(force(&action, phi)) {
                    assert!((g + f).abs() < 1e-11);
                }
            }
        }
    }

    #[test]
    fn every_digit_tells_actions_apart_and_what_is_known_of_them_is_known() {
        let ids: std::collections::BTreeSet<String> = cases().iter().map(Action::id).collect();
        assert_eq!(ids.len(), cases().len());
        let lattice = Lattice::new([4, 4]);
        let [a, b] = [0.1, 0.1 + f64::EPSILON].map(|m2| Phi4::new(lattice, m2, 0.5));
        assert_ne!(a.id(), b.id());
        assert_eq!(a.log_partition(), None);
        assert!(Phi4::new(Lattice::new([4]), 0.1, 0.5).log_partition().is_some());
        assert!(Phi4::new(lattice, 0.1, 0.0).log_partition().is_some());
    }
}
