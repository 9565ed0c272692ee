//! What is allowed but hardly meant.

use super::flow::FlowSpec;
use super::specification::{ModelSpec, Spec};
use super::train::{DeterminantSpec, LearningRateSpec};

impl Spec {
    /// What of a specification, in any of its cells, is allowed but has no effect or none that is meant: keys that cannot act, couplings
    /// at which little is defined.
    pub fn remarks(&self) -> Vec<String> {
        let mut all = Vec::new();
        for cell in self.cells().unwrap_or_default() {
            let of_model = cell.spec.model().map(|model| without_effect(&model)).unwrap_or_default();
            let of_flow = cell.spec.flow.as_ref().and_then(FlowSpec::remark);
            let found = cell.spec.theory.remark().into_iter().chain(of_flow).chain(of_model);
            for remark in found {
                if !all.contains(&remark) {
                    all.push(remark);
                }
            }
        }
        all
    }
}

/// Keys of a model that cannot act.
fn without_effect(model: &ModelSpec<'_>) -> Vec<String> {
    let ModelSpec { train, .. } = model;
    let mut found = beyond_the_end(model);
    let window = train.smoothing_window as u64;
    if let (Some(ess), Some(steps)) = (train.stop.ess, train.stop.steps.filter(|&steps| steps < window)) {
        found.push(format!(
            "train.stop.ess = {ess} has no effect: it is asked for from step train.smoothing_window = {window} on, and \
             training ends after train.stop.steps = {steps}"
        ));
    }
    if train.determinant == DeterminantSpec::Device && train.loss.reverse().is_none() {
        found.push(
            "train.determinant has no effect: train.loss.forward_kl needs no action of the model".into(),
        );
    }
    if let Some(double) = train.batch.double.as_ref().filter(|double| double.maximum == train.batch.size) {
        let maximum = double.maximum;
        found.push(format!("train.batch.double has no effect: train.batch.size = {maximum} is its maximum"));
    }
    found
}

/// Schedules that begin to act when training has ended for certain.
fn beyond_the_end(model: &ModelSpec<'_>) -> Vec<String> {
    let ModelSpec { train, evaluate, .. } = model;
    // Where nothing is trained, nothing of it acts, and that is meant.
    let Some(steps) = train.stop.steps.filter(|&steps| steps > 0) else { return Vec::new() };
    let halve = match &train.learning_rate {
        LearningRateSpec::Constant => None,
        LearningRateSpec::Halve(halve) => Some(halve.every),
    };
    let schedules = [
        ("train.batch.double.every", train.batch.double.as_ref().map(|double| double.every)),
        ("train.learning_rate.halve.every", halve),
        ("evaluate.every", evaluate.every),
    ];
    let late =
        schedules.into_iter().filter_map(|(key, every)| Some((key, every.filter(|every| *every >= steps)?)));
    late.map(|(key, every)| {
        format!("{key} = {every} has no effect: training ends after train.stop.steps = {steps}")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_that_never_act_are_named_and_others_are_not() {
        let text = "version = 1\nseed = 1\n\
                    theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.0 }\n\
                    flow.affine = { layers = 2, kernel_size = 3, hidden = [2] }\n\
                    train.batch = { size = 2, double = { every = 10, maximum = 8 } }\ntrain.optimizer.adam.learning_rate = 1e-3\n\
                    train.learning_rate.halve.every = 20\nevaluate.every = 30\ntrain.smoothing_window = 5\n";
        let remarks =
            |stop: &str| Spec::parse(&format!("{text}train.stop = {stop}\n"), &[]).unwrap().remarks();
        assert_eq!(remarks("{ seconds = 1.0 }"), Vec::<String>::new());
        assert_eq!(remarks("{ steps = 31 }"), Vec::<String>::new());
        let found = remarks("{ steps = 20, ess = 0.5 }");
        let expected =
            ["train.learning_rate.halve.every = 20 has no effect", "evaluate.every = 30 has no effect"];
        assert!(
            found.len() == 2 && found.iter().zip(expected).all(|(found, start)| found.starts_with(start)),
            "{found:?}"
        );
    }

    #[test]
    fn a_determinant_that_no_loss_asks_for_is_named() {
        let text = "version = 1\nseed = 1\ntheory.schwinger = { extents = [4, 4], beta = 1.0, kappa = 0.2 }\n\
                    flow.gauge = { layers = 8, kernel_size = 3, hidden = [2] }\n\
                    train = { batch.size = 2, optimizer.adam.learning_rate = 1e-3, stop.steps = 1, determinant = \"device\" }\n";
        let remarks = |set: &[&str]| {
            let set: Vec<String> = set.iter().map(|set| (*set).into()).collect();
            Spec::parse(text, &set).unwrap().remarks().concat()
        };
        assert_eq!(remarks(&[]), "");
        let forward = remarks(&["train.loss.forward_kl.ensemble=theta.npz"]);
        assert!(forward.starts_with("train.determinant has no effect"), "{forward}");
    }

    #[test]
    fn an_ess_that_is_never_asked_for_and_a_batch_that_cannot_grow_are_named() {
        let text = "version = 1\nseed = 1\n\
                    theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.0 }\n\
                    flow.affine = { layers = 2, kernel_size = 3, hidden = [2] }\ntrain.optimizer.adam.learning_rate = 1e-3\n";
        let remarks = |train: &str| Spec::parse(&format!("{text}{train}"), &[]).unwrap().remarks().concat();
        let stop = "train.batch.size = 8\ntrain.stop = { steps = 249, ess = 0.5 }\n";
        assert!(remarks(stop).starts_with("train.stop.ess = 0.5 has no effect"), "{}", remarks(stop));
        assert_eq!(remarks(&stop.replace("249", "250")), "");
        let batch = "train.batch = { size = 8, double = { every = 5, maximum = 8 } }\ntrain.stop.steps = 9\n";
        assert!(remarks(batch).starts_with("train.batch.double has no effect"), "{}", remarks(batch));
        assert_eq!(remarks(&batch.replace("maximum = 8", "maximum = 9")), "");
    }
}
