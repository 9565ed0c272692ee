//! `[flow.gauge]`: gauge-equivariant couplings of link angles.

use super::gauge_base::GaugeBaseSpec;
use super::initial::InitialSpec;
use super::sectors::SectorsSpec;
use super::symmetrise::Symmetrise;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Layers that move every link once; lattices are divided by as many masks.
const LAYERS_OF_ALL_LINKS: usize = 8;

/// What networks read of a plaquette: cos and sin of it and of both loops of two plaquettes that begin there.
const FEATURES: usize = 6;

/// Results of tensor operations that are kept for each site where couplings are equivariant: measured with splines of eight knots, and
/// more than mixtures of six need.
const RESULTS: f64 = 40.0;

/// Sites after which the masks of a layer repeat: extents must be multiples of it.
pub const PERIOD: usize = 4;

/// `[flow.gauge]`: couplings `U → e^{i(P' - P)} U` of links, where the plaquette P of an active link becomes P' by a map of the circle,
/// whose parameters a periodic convolutional network computes from loops that do not change. Sources: arXiv:2003.06413, arXiv:2202.11712.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GaugeSpec {
    /// Number of coupling layers; 8 move every link once.
    #[schemars(range(min = 1, max = 4096))]
    pub layers: usize,
    /// Kernel size K of the convolutions, odd, at most the smallest extent.
    #[schemars(range(min = 1), extend("not" = {"multipleOf": 2}))]
    pub kernel_size: usize,
    /// Widths of the hidden layers of each network, e.g. `[32, 32]`.
    #[schemars(inner(range(min = 1, max = 4096)))]
    pub hidden: Vec<usize>,
    /// Dilation of each convolution, one more than hidden layers; 1 of all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 1)))]
    pub dilations: Option<Vec<usize>>,
    /// The map of a plaquette; splines if left out.
    #[serde(default, skip_serializing_if = "MapSpec::is_default")]
    pub map: MapSpec,
    /// What the initial weights are drawn from; Kaiming-uniform if left out.
    #[serde(default, skip_serializing_if = "InitialSpec::is_default")]
    pub initial: InitialSpec,
    /// How the density is made even under charge conjugation: by `½ (q(θ) + q(-θ))` in place of q, or by couplings that commute with
    /// θ → -θ.
    #[serde(default, skip_serializing_if = "Symmetrise::is_default")]
    pub symmetrise: Symmetrise,
    /// Moves between topological sectors behind the couplings; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sectors: Option<SectorsSpec>,
    /// The density that it starts from; uniform angles if left out.
    #[serde(default, skip_serializing_if = "GaugeBaseSpec::is_default")]
    pub base: GaugeBaseSpec,
}

/// `[flow.gauge.map.*]`: one table, named by the choice; each map is followed by a shift.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MapSpec {
    /// Circular rational-quadratic splines. Source: arXiv:2002.02428.
    Spline(SplineSpec),
    /// Means of `P → 2 arctan(e^s tan(P/2))`. Source: arXiv:2003.06413.
    Tan(TanSpec),
}

/// `[flow.gauge.map.spline]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplineSpec {
    /// Knots on the circle, between which the map is a ratio of quadratic functions.
    #[serde(default = "eight")]
    #[schemars(range(min = 2, max = 32))]
    pub knots: usize,
}

/// `[flow.gauge.map.tan]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TanSpec {
    /// Maps that the mean is taken of.
    #[serde(default = "six")]
    #[schemars(range(min = 1, max = 256))]
    pub components: usize,
}

impl Default for MapSpec {
    fn default() -> Self {
        Self::Spline(SplineSpec { knots: eight() })
    }
}

impl MapSpec {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Numbers that a network computes for it: widths, heights and slopes of the knots, or the s; and the shift.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Spline(spline) => 3 * spline.knots + 1,
            Self::Tan(tan) => tan.components + 1,
        }
    }
}

impl GaugeSpec {
    /// Channels of each network, from what it reads to what it writes.
    pub fn channels(&self) -> Vec<usize> {
        [&[FEATURES], &self.hidden[..], &[self.map.parameters()]].concat()
    }

    /// Weights on any lattice; not whole, because it may be more than can be counted.
    pub fn parameters(&self) -> f64 {
        let taps = (self.kernel_size as f64).powi(2);
        let channels = self.channels();
        let weights = channels.windows(2).map(|pair| pair[0] as f64 * pair[1] as f64 * taps);
        let of_sectors = self.sectors.as_ref().map_or(0, SectorsSpec::parameters);
        self.layers as f64 * weights.sum::<f64>() + of_sectors as f64
    }

    /// Numbers of a configuration that training keeps for each site: both links, and all channels.
    pub fn kept_per_site(&self) -> f64 {
        let pass = 2.0 + self.channels().iter().map(|&channels| channels as f64).sum::<f64>();
        let per_layer = match self.symmetrise {
            // Networks of both signs, and results of tensor operations.
            Symmetrise::Equivariant => 2.0 * pass + RESULTS,
            Symmetrise::Never | Symmetrise::AfterTraining | Symmetrise::Always => pass,
        };
        let charges = self.sectors.as_ref().map_or(1, SectorsSpec::charges);
        (self.layers * self.symmetrise.passes_in_training() * charges) as f64 * per_layer
    }

    /// The same with everything at its default that a trained set of weights does not depend on.
    pub fn of_weights(&self) -> Self {
        let own = self.architecture();
        let sectors = own.sectors.filter(|sectors| sectors.parameters() > 0);
        Self { symmetrise: self.symmetrise.of_weights(), sectors, base: self.base, ..own }
    }

    /// The same with all numbers that do not change its size at their defaults.
    pub fn architecture(&self) -> Self {
        let ones = vec![1; self.hidden.len() + 1];
        let dilations = self.dilations.clone().filter(|dilations| *dilations != ones);
        let sectors = self.sectors.as_ref().map(SectorsSpec::architecture);
        let base = self.base.kind();
        Self { initial: InitialSpec::default(), dilations, sectors, base, ..self.clone() }
    }

    /// What is allowed but hardly meant.
    pub fn remark(&self) -> Option<String> {
        let layers = self.layers;
        (layers < LAYERS_OF_ALL_LINKS).then(|| {
            format!(
                "flow.gauge.layers = {layers}: {LAYERS_OF_ALL_LINKS} layers move every link once, and with fewer some stay as they \
                 are drawn"
            )
        })
    }
}

fn eight() -> usize {
    8
}

fn six() -> usize {
    6
}
