//! Update rules, on the host: they are cheap, and so their state is exact, small and the same on every device.

mod adadelta;
mod adam;
mod rule;
mod sgd;
#[cfg(test)]
mod tests;

pub use adadelta::Adadelta;
pub use adam::Adam;
pub use rule::{Moment, Optimizer, OptimizerState};
pub use sgd::Sgd;

use crate::spec::OptimizerSpec;

/// The rule that a specification names.
pub fn build(spec: &OptimizerSpec) -> Box<dyn Optimizer> {
    match spec {
        OptimizerSpec::Adam(spec) => Box::new(Adam::new(spec)),
        OptimizerSpec::Adadelta(spec) => Box::new(Adadelta::new(spec)),
        OptimizerSpec::Sgd(spec) => Box::new(Sgd::new(spec)),
    }
}
