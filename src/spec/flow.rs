//! `[flow.*]`: the architecture of the model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The flow: one table, named by the kind of coupling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlowSpec {
    /// Affine checkerboard couplings from a unit normal on each site.
    Affine(AffineSpec),
}

/// `[flow.affine]`: couplings `φ_a → e^s φ_a + t` with (s, t) from a periodic convolutional network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AffineSpec {
    /// Number of coupling layers.
    #[schemars(range(min = 1, max = 4096))]
    pub layers: usize,
    /// Kernel size K of the convolutions, odd, at most the smallest extent.
    #[schemars(range(min = 1), extend("not" = {"multipleOf": 2}))]
    pub kernel_size: usize,
    /// Widths of the hidden layers of each network, e.g. `[12, 12]`.
    #[schemars(inner(range(min = 1, max = 4096)))]
    pub hidden: Vec<usize>,
    /// Overall factor of the Kaiming-uniform initial weights.
    #[serde(default = "one")]
    #[schemars(range(min = 0))]
    pub initial_width: f64,
}

fn one() -> f64 {
    1.0
}
