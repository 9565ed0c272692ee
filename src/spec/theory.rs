//! `[theory.*]`: which action, on which lattice, with which couplings.

use crate::lattice::Lattice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sites in time and space, at most, of determinants on a GPU: with more in space, inverses have more numbers than its units have
/// registers for, and what slices leave behind for a gradient is to fit the 128 MiB that WebGPU promises to bind at once.
pub const DEVICE_EXTENTS: [usize; 2] = [3000, 32];

/// The theory: one table, named by the choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TheorySpec {
    /// The real scalar field with quartic self-interaction.
    Phi4(Phi4Spec),
    /// A U(1) gauge field with two flavours of Wilson fermions in two dimensions, or without fermions.
    Schwinger(SchwingerSpec),
}

impl TheorySpec {
    /// Bytes that a determinant of fermions takes, in one thread.
    pub fn elimination_bytes(&self) -> f64 {
        match self {
            Self::Schwinger(SchwingerSpec { extents, kappa, .. }) if *kappa > 0.0 => {
                // Nine complex matrices for every slice.
                let [times, space] = [0, 1].map(|direction| extents[direction] as f64);
                9.0 * 16.0 * times * space * space
            }
            _ => 0.0,
        }
    }

    /// Numbers of a site.
    pub fn components(&self) -> usize {
        match self {
            Self::Phi4(_) => 1,
            Self::Schwinger(_) => 2,
        }
    }

    /// Sites in each direction, time first.
    pub fn extents(&self) -> &[usize] {
        match self {
            Self::Phi4(phi4) => &phi4.extents,
            Self::Schwinger(schwinger) => &schwinger.extents,
        }
    }
}

/// `[theory.phi4]`: `S = Σ [-Σ_μ φ(x) φ(x+μ̂) + ½ (m² + 2d) φ² + λ φ⁴]` in d dimensions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phi4Spec {
    /// Sites in each of one to four directions, time first, all even.
    #[schemars(length(min = 1, max = 4), extend("items" = {"type": "integer", "minimum": 2, "multipleOf": 2}))]
    pub extents: Vec<usize>,
    /// m², in the conventions that use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mass_squared: Option<f64>,
    /// Hopping parameter κ of the convention `nicoli`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub kappa: Option<f64>,
    /// β of the convention `del_debbio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub beta: Option<f64>,
    /// Quartic coupling in the chosen convention, not negative.
    #[schemars(range(min = 0))]
    pub coupling: f64,
    /// Whose factors the couplings have; fields and observables are always those of `paper`.
    #[serde(default)]
    pub convention: Convention,
}

/// `[theory.schwinger]`: `S = -β Σ cos P - ln det D†D`, D the Wilson operator with hopping parameter κ = 1/(4 + 2m₀).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchwingerSpec {
    /// Sites in time and space, both even.
    #[schemars(length(min = 2, max = 2), extend("items" = {"type": "integer", "minimum": 2, "multipleOf": 2}))]
    pub extents: Vec<usize>,
    /// Gauge coupling β = 1/g².
    #[schemars(range(max = 10_000), extend("exclusiveMinimum" = 0))]
    pub beta: f64,
    /// Hopping parameter κ of the fermions; 0 is the gauge field alone.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 0.5))]
    pub kappa: f64,
    /// How fermions close in time; in space they are periodic.
    #[serde(default)]
    pub boundary: Boundary,
}

/// Boundary condition of fermions in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// Fermions change sign.
    #[default]
    Antiperiodic,
    /// They do not.
    Periodic,
}

impl TheorySpec {
    /// What is allowed but hardly meant.
    pub fn remark(&self) -> Option<String> {
        let Self::Schwinger(SchwingerSpec { kappa, boundary: Boundary::Periodic, .. }) = self else {
            return None;
        };
        (*kappa >= 0.25).then(|| {
            format!(
                "theory.schwinger.kappa = {kappa}: with periodic fermions the free operator has a zero mode at 0.25, and near it \
                 smooth fields have nearly singular operators"
            )
        })
    }
}

impl SchwingerSpec {
    /// The lattice.
    pub fn lattice(&self) -> Lattice {
        Lattice::new(&self.extents)
    }
}

/// How a paper writes the φ⁴ action in d dimensions: coefficients of the hopping, φ² and φ⁴ terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// Eq. (A1) of A22: -1, (m²+2d)/2, λ.
    #[default]
    Paper,
    /// A19, A21: -2, 2d+M², λ. Then m² = M², λ_paper = λ/4, φ_paper = √2 φ.
    Albergo,
    /// neumc: -1, (2d+m²)/2, g/24. Then λ_paper = g/24.
    Neumc,
    /// Nicoli et al. 2020: -2κ, 1-2λ, λ. Then m² = (1-2λ)/κ - 2d, λ_paper = λ/(4κ²).
    Nicoli,
    /// Del Debbio et al. 2021: -β, 1-2g, g. Then m² = 2(1-2g)/β - 2d, λ_paper = g/β².
    DelDebbio,
}

/// Couplings in the convention of eq. (A1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Phi4Couplings {
    /// m².
    pub mass_squared: f64,
    /// λ.
    pub coupling: f64,
}

impl Phi4Spec {
    /// The lattice.
    pub fn lattice(&self) -> Lattice {
        Lattice::new(&self.extents)
    }

    /// The couplings of eq. (A1).
    pub fn couplings(&self) -> Phi4Couplings {
        let given = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let (m2, g) = (given(self.mass_squared), self.coupling);
        let two_d = 2.0 * self.extents.len() as f64;
        let (mass_squared, coupling) = match self.convention {
            Convention::Paper => (m2, g),
            Convention::Albergo => (m2, g / 4.0),
            Convention::Neumc => (m2, g / 24.0),
            Convention::Nicoli => {
                let kappa = given(self.kappa);
                ((1.0 - 2.0 * g) / kappa - two_d, g / (4.0 * kappa * kappa))
            }
            Convention::DelDebbio => {
                let beta = given(self.beta);
                (2.0 * (1.0 - 2.0 * g) / beta - two_d, g / (beta * beta))
            }
        };
        Phi4Couplings { mass_squared, coupling }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each action written out as its paper has it, at a field rescaled so that both hopping terms are -1.
    #[test]
    fn every_convention_is_the_same_action_after_rescaling_the_field() {
        use Convention::*;
        for (convention, mass_squared, kappa, beta, coupling) in [
            (Paper, Some(-1.0), None, None, 1.0),
            (Albergo, Some(-4.0), None, None, 8.0),
            (Neumc, Some(-2.0), None, None, 36.0),
            (Nicoli, None, Some(0.3), None, 0.022),
            (DelDebbio, None, None, Some(0.7), 0.5),
        ] {
            for d in 1..=4 {
                let extents = vec![4; d];
                let spec = Phi4Spec { extents, mass_squared, kappa, beta, coupling, convention };
                let (g, two_d) = (coupling, 2.0 * d as f64);
                let (hopping, quadratic, quartic) = match convention {
                    Paper => (1.0, (mass_squared.unwrap() + two_d) / 2.0, g),
                    Albergo => (2.0, mass_squared.unwrap() + two_d, g),
                    Neumc => (1.0, (mass_squared.unwrap() + two_d) / 2.0, g / 24.0),
                    Nicoli => (2.0 * kappa.unwrap(), 1.0 - 2.0 * g, g),
                    DelDebbio => (beta.unwrap(), 1.0 - 2.0 * g, g),
                };
                // φ_paper = √hopping · φ.
                let ours = spec.couplings();
                let mass_term = ours.mass_squared + two_d;
                assert!((mass_term - 2.0 * quadratic / hopping).abs() < 1e-12, "{convention:?}, d = {d}");
                assert!(
                    (ours.coupling - quartic / (hopping * hopping)).abs() < 1e-12,
                    "{convention:?}, d = {d}"
                );
            }
        }
    }
}
