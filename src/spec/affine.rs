//! `[flow.affine]`: affine couplings of scalar fields.

use super::base::BaseSpec;
use super::initial::{InitialSpec, KaimingSpec};
use super::symmetrise::Symmetrise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[flow.affine]`: couplings `φ_a → e^s φ_a + t` with (s, t) from a periodic convolutional network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "AffineWire", into = "AffineWire")]
pub struct AffineSpec {
    /// Number of coupling layers.
    pub layers: usize,
    /// Kernel size K of the convolutions.
    pub kernel_size: usize,
    /// Widths of the hidden layers of each network.
    pub hidden: Vec<usize>,
    /// What the initial weights are drawn from.
    pub initial: InitialSpec,
    /// How the density is made even.
    pub symmetrise: Symmetrise,
    /// What the couplings start from.
    pub base: BaseSpec,
}

impl AffineSpec {
    /// Parameters on a lattice, about; not whole, because it may be more than can be counted.
    pub fn parameters(&self, extents: &[usize]) -> f64 {
        let taps = (self.kernel_size as f64).powi(extents.len() as i32);
        let channels = [&[1], &self.hidden[..], &[2]].concat();
        let weights = channels.windows(2).map(|pair| pair[0] as f64 * pair[1] as f64 * taps);
        self.layers as f64 * weights.sum::<f64>() + self.base.parameters(extents)
    }

    /// Numbers of a configuration that training keeps for each site, about.
    pub fn kept_per_site(&self) -> f64 {
        // The hidden layers, the field, and (s, t).
        let hidden = self.hidden.iter().map(|&width| width as f64).sum::<f64>();
        let pass = |per_layer: f64| self.layers as f64 * per_layer + self.base.kept_per_site();
        match self.symmetrise {
            Symmetrise::Never | Symmetrise::AfterTraining => pass(hidden + 3.0),
            // There and back.
            Symmetrise::Always => 2.0 * pass(hidden + 3.0),
            // Networks of both signs, and results of tensor operations.
            Symmetrise::Equivariant => pass(2.0 * (hidden + 6.0)),
        }
    }

    /// The same with everything at its default that a trained set of weights does not depend on.
    pub fn of_weights(&self) -> Self {
        Self { symmetrise: self.symmetrise.of_weights(), ..self.architecture() }
    }

    /// The same with all numbers that do not change its size at their defaults.
    pub fn architecture(&self) -> Self {
        Self { initial: InitialSpec::default(), base: self.base.kind(), ..self.clone() }
    }
}

/// `[flow.affine]` as it is read and written. Kaiming's width has a short form of its own, `initial_width`, and is written in it: so
/// it was before there was a choice, and specifications that mean the same have the same digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AffineWire {
    /// Number of coupling layers.
    #[schemars(range(min = 1, max = 4096))]
    layers: usize,
    /// Kernel size K of the convolutions, odd, at most the smallest extent.
    #[schemars(range(min = 1), extend("not" = {"multipleOf": 2}))]
    kernel_size: usize,
    /// Widths of the hidden layers of each network, e.g. `[12, 12]`.
    #[schemars(inner(range(min = 1, max = 4096)))]
    hidden: Vec<usize>,
    /// Overall factor of the Kaiming-uniform initial weights; short for `initial.kaiming.width`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("default" = 1.0))]
    initial_width: Option<f64>,
    /// What the initial weights are drawn from; Kaiming-uniform if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initial: Option<InitialSpec>,
    /// How the density is made even: by `½ (q(φ) + q(-φ))` in place of q, or by couplings that commute with φ → -φ.
    #[serde(default, skip_serializing_if = "Symmetrise::is_default")]
    symmetrise: Symmetrise,
    /// What the couplings start from; unit normals if left out.
    #[serde(default, skip_serializing_if = "BaseSpec::is_default")]
    base: BaseSpec,
}

impl From<AffineWire> for AffineSpec {
    fn from(wire: AffineWire) -> Self {
        let AffineWire { layers, kernel_size, hidden, initial_width, initial, symmetrise, base } = wire;
        let short = || initial_width.map(|width| InitialSpec::Kaiming(KaimingSpec { width }));
        let initial = initial.or_else(short).unwrap_or_default();
        Self { layers, kernel_size, hidden, initial, symmetrise, base }
    }
}

impl From<AffineSpec> for AffineWire {
    fn from(spec: AffineSpec) -> Self {
        let AffineSpec { layers, kernel_size, hidden, initial, symmetrise, base } = spec;
        let (initial_width, initial) = match initial {
            InitialSpec::Kaiming(kaiming) => (Some(kaiming.width), None),
            InitialSpec::Xavier(_) => (None, Some(initial)),
        };
        Self { layers, kernel_size, hidden, initial_width, initial, symmetrise, base }
    }
}
