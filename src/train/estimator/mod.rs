//! Estimators of the gradients of losses, one file each.

mod forward_kl;
mod gradient;
mod mixture;
mod model_draws;
mod path;
mod reinforce;
mod reverse_kl;
#[cfg(test)]
mod tests;
mod totals;

pub use forward_kl::ForwardKl;
pub use gradient::{Batch, BatchGradient, BatchSums, Begun, Draws, DrawsFirst, Estimator, Part};
pub use mixture::Mixture;
pub use model_draws::ModelDraws;
pub use path::PathGradient;
pub use reinforce::Reinforce;
pub use reverse_kl::ReverseKl;
pub use totals::BatchTotals;

use crate::error::{Error, Result};
use crate::rng::Seed;
use crate::spec::{ForwardKlSpec, Gradient, LossSpec, ReverseKlSpec};
use crate::train::target::Target;

/// The estimator of the loss that a specification names.
///
/// # Errors
/// [`Error::Usage`] if it learns from configurations of the target and there are none.
pub fn build<'a>(
    spec: &LossSpec,
    draws: ModelDraws<'a>,
    target: Option<Target<'a>>,
    seed: Seed,
) -> Result<Box<dyn Estimator + 'a>> {
    Ok(match spec {
        LossSpec::ReverseKl(spec) => reverse(spec, draws),
        LossSpec::ForwardKl(spec) => forward(spec, target, seed)?,
        LossSpec::Mixture(spec) => Box::new(Mixture {
            reverse: (spec.reverse_weight, reverse(&spec.reverse_kl, draws)),
            forward: (spec.forward_weight, forward(&spec.forward_kl, target, seed)?),
        }),
    })
}

fn reverse<'a>(spec: &ReverseKlSpec, draws: ModelDraws<'a>) -> Box<dyn Estimator + 'a> {
    match spec.gradient {
        Gradient::Reparametrised => Box::new(ReverseKl(draws)),
        Gradient::Path => Box::new(PathGradient(draws)),
        Gradient::Reinforce => Box::new(Reinforce(draws)),
    }
}

fn forward<'a>(
    spec: &ForwardKlSpec,
    target: Option<Target<'a>>,
    seed: Seed,
) -> Result<Box<dyn Estimator + 'a>> {
    let missing = |message: String| Error::Usage {
        message,
        hint: "give its configurations to the trainer: this loss is a mean over them".into(),
    };
    match (spec, target) {
        (ForwardKlSpec::Ensemble(_), Some(Target::Stored(samples))) => {
            Ok(Box::new(ForwardKl::on_stored(samples, seed)))
        }
        (ForwardKlSpec::Hmc(_), Some(Target::Running(_))) => Ok(Box::new(ForwardKl::on_the_fly())),
        (ForwardKlSpec::Ensemble(file), _) => {
            Err(missing(format!("train.loss.forward_kl.ensemble = {file}: was not read")))
        }
        (ForwardKlSpec::Hmc(_), _) => Err(missing("train.loss.forward_kl.hmc: does not run".into())),
    }
}
