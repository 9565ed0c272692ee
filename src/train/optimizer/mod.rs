//! Update rules, on the host: they are cheap, and so their state is exact, small and the same on every device.

mod adam;
mod rule;

pub use adam::Adam;
pub use rule::{Moment, Optimizer, OptimizerState};

use crate::spec::OptimizerSpec;

/// The rule that a specification names.
pub fn build(spec: &OptimizerSpec) -> Box<dyn Optimizer> {
    match spec {
        OptimizerSpec::Adam(spec) => Box::new(Adam::new(spec)),
    }
}
