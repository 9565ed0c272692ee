//! Observables of one configuration, in double precision on the host.

use super::Phi4;

/// A number measured on every configuration `[component, T, X]`.
pub struct Observable {
    /// Name in `observables.csv`.
    pub name: &'static str,
    /// Its value on one configuration.
    pub measure: fn(&[f64], action: f64) -> f64,
    /// Exact expectation value, where it is known.
    pub exact: Option<f64>,
}

/// Observables of the scalar field.
///
/// With `M = (1/V) Σ_x φ(x)`: `abs_magnetization` = ⟨|M|⟩, `chi_2` = V⟨M²⟩, `phi_squared` = (1/V) Σ_x ⟨φ²⟩,
/// `energy_density` = ⟨S⟩/V.
pub fn phi4(action: &Phi4) -> Vec<Observable> {
    let half = action.free_chi_2().map(|_| 0.5);
    vec![
        Observable { name: "abs_magnetization", measure: |phi, _| magnetization(phi).abs(), exact: None },
        Observable {
            name: "chi_2",
            measure: |phi, _| phi.len() as f64 * magnetization(phi).powi(2),
            exact: action.free_chi_2(),
        },
        Observable {
            name: "phi_squared",
            measure: |phi, _| phi.iter().map(|v| v * v).sum::<f64>() / phi.len() as f64,
            exact: action.free_phi_squared(),
        },
        // Equipartition: a free field has ⟨S⟩ = V/2.
        Observable { name: "energy_density", measure: |phi, action| action / phi.len() as f64, exact: half },
    ]
}

fn magnetization(phi: &[f64]) -> f64 {
    phi.iter().sum::<f64>() / phi.len() as f64
}
