//! `[flow.*.base.*]`: the density that a flow starts from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[flow.affine.base.*]`: one table, named by the choice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BaseSpec {
    /// Independent unit normals.
    #[default]
    UnitNormal,
    /// A free field whose pole mass is learned; its one parameter serves on any lattice.
    FreeField(FreeFieldSpec),
    /// A Gaussian field with a width of its own for each class of momenta, all of them learned; they are those of one lattice and serve
    /// on no other.
    LearnedSpectrum(FreeFieldSpec),
}

/// `[flow.affine.base.free_field]`, `[flow.affine.base.learned_spectrum]`: `σ_k² = 1/(μ + k̂²)` before training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreeFieldSpec {
    /// μ before training, the squared mass of a free field.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub mass_squared: f64,
}

impl Default for FreeFieldSpec {
    fn default() -> Self {
        Self { mass_squared: one() }
    }
}

impl BaseSpec {
    /// Whether it is the choice that is made where a file makes none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Parameters on a lattice; not whole, because it may be more than can be counted.
    pub fn parameters(&self, extents: &[usize]) -> f64 {
        match self {
            Self::UnitNormal => 0.0,
            Self::FreeField(_) => 1.0,
            Self::LearnedSpectrum(_) => classes(extents),
        }
    }

    /// Numbers of a configuration that training keeps for each site, about.
    pub fn kept_per_site(&self) -> f64 {
        match self {
            Self::UnitNormal => 0.0,
            // The waves before and after, and the field.
            Self::FreeField(_) | Self::LearnedSpectrum(_) => 3.0,
        }
    }

    /// The same kind, what training starts from at its default.
    pub fn kind(&self) -> Self {
        match self {
            Self::UnitNormal => Self::UnitNormal,
            Self::FreeField(_) => Self::FreeField(FreeFieldSpec::default()),
            Self::LearnedSpectrum(_) => Self::LearnedSpectrum(FreeFieldSpec::default()),
        }
    }
}

/// Classes of momenta: of m equal extents L the multisets of m out of L/2 + 1 numbers.
fn classes(extents: &[usize]) -> f64 {
    let mut sorted = extents.to_vec();
    sorted.sort_unstable();
    let of_equal = |equal: &[usize]| -> f64 {
        let numbers = (equal[0] / 2 + 1) as f64;
        (0..equal.len()).map(|i| (numbers + i as f64) / (i + 1) as f64).product()
    };
    // A product of whole numbers' ratios that is whole itself.
    sorted.chunk_by(|a, b| a == b).map(of_equal).product::<f64>().round()
}

fn one() -> f64 {
    1.0
}
