//! Estimators of the gradients of losses, one file each.

mod forward_kl;
mod gradient;
mod reverse_kl;
#[cfg(test)]
mod tests;

pub use forward_kl::ForwardKl;
pub use gradient::{BatchGradient, BatchSums, Estimator, Part};
pub use reverse_kl::ReverseKl;

use crate::ensemble::TargetSamples;
use crate::error::{Error, Result};
use crate::flow::Flow;
use crate::rng::Seed;
use crate::spec::LossSpec;
use crate::theory::Action;

/// The estimator of the loss that a specification names.
///
/// # Errors
/// [`Error::Usage`] if it learns from configurations of the target and there are none.
pub fn build<'a>(
    spec: &LossSpec,
    flow: &Flow,
    action: &'a dyn Action,
    data: Option<&'a TargetSamples>,
    seed: Seed,
) -> Result<Box<dyn Estimator + 'a>> {
    match (spec, data) {
        (LossSpec::ReverseKl, _) => Ok(Box::new(ReverseKl::new(flow, action, seed))),
        (LossSpec::ForwardKl(_), Some(samples)) => Ok(Box::new(ForwardKl::new(samples, seed))),
        (LossSpec::ForwardKl(loss), None) => Err(Error::Usage {
            message: format!("train.loss.forward_kl.ensemble = {}: was not read", loss.ensemble),
            hint: "give its configurations to the trainer: this loss is a mean over them".into(),
        }),
    }
}
