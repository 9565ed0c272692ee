//! `[flow.*]`: the architecture of the model.

use super::affine::AffineSpec;
use super::base::BaseSpec;
use super::gauge::GaugeSpec;
use super::sectors::SectorsSpec;
use super::symmetrise::Symmetrise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The flow: one table, named by the kind of coupling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowSpec {
    /// Affine checkerboard couplings of scalar fields.
    Affine(AffineSpec),
    /// Gauge-equivariant couplings of U(1) link angles in two dimensions.
    Gauge(GaugeSpec),
}

impl FlowSpec {
    /// The Gaussian field that it starts from; none of link angles, which start uniform.
    pub fn base(&self) -> Option<&BaseSpec> {
        match self {
            Self::Affine(affine) => Some(&affine.base),
            Self::Gauge(_) => None,
        }
    }

    /// Where its density is made even under φ → -φ.
    pub fn symmetrise(&self) -> Symmetrise {
        match self {
            Self::Affine(affine) => affine.symmetrise,
            Self::Gauge(gauge) => gauge.symmetrise,
        }
    }

    /// Moves between topological sectors behind the couplings, if it makes some.
    pub fn sectors(&self) -> Option<&SectorsSpec> {
        match self {
            Self::Affine(_) => None,
            Self::Gauge(gauge) => gauge.sectors.as_ref(),
        }
    }

    /// Parameters on a lattice, about; not whole, because it may be more than can be counted.
    pub fn parameters(&self, extents: &[usize]) -> f64 {
        match self {
            Self::Affine(affine) => affine.parameters(extents),
            Self::Gauge(gauge) => gauge.parameters(),
        }
    }

    /// Layers, each with masks of its own.
    pub fn layers(&self) -> usize {
        match self {
            Self::Affine(affine) => affine.layers,
            Self::Gauge(gauge) => gauge.layers,
        }
    }

    /// Numbers of a configuration that training keeps for each site, about.
    pub fn kept_per_site(&self) -> f64 {
        match self {
            Self::Affine(affine) => affine.kept_per_site(),
            Self::Gauge(gauge) => gauge.kept_per_site(),
        }
    }

    /// Whether its parameters are those of one lattice, and of no use on another.
    pub fn is_of_one_lattice(&self) -> bool {
        matches!(self.base(), Some(BaseSpec::LearnedSpectrum(_)))
    }

    /// Whether the weights of one serve the other, on the same lattice.
    pub fn has_weights_of(&self, other: &Self) -> bool {
        let of_weights = |flow: &Self| match flow {
            Self::Affine(affine) => Self::Affine(affine.of_weights()),
            Self::Gauge(gauge) => Self::Gauge(gauge.of_weights()),
        };
        of_weights(self) == of_weights(other)
    }

    /// The same architecture, all numbers that do not change its size at their defaults.
    pub fn architecture(&self) -> Self {
        match self {
            Self::Affine(affine) => Self::Affine(affine.architecture()),
            Self::Gauge(gauge) => Self::Gauge(gauge.architecture()),
        }
    }

    /// What is allowed but hardly meant.
    pub fn remark(&self) -> Option<String> {
        match self {
            Self::Affine(_) => None,
            Self::Gauge(gauge) => gauge.remark(),
        }
    }
}
