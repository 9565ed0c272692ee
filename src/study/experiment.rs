//! What a specification names, built: the action, the flow, and the ensembles to learn and judge from.

use crate::device::ComputeDevice;
use crate::ensemble::TargetSamples;
use crate::error::Result;
use crate::flow::Flow;
use crate::rng::Seed;
use crate::sample::{Beside, Model};
use crate::spec::{Cell, Spec, TrainSpec};
use crate::stats::TargetEss;
use crate::theory::{self, Observables, Theory};
use crate::train::Target;
use std::path::Path;

/// The parts of one cell.
pub struct Experiment {
    /// The target.
    pub theory: Theory,
    /// The model's architecture.
    pub flow: Flow,
    /// What is learned from, if not from the model's own configurations.
    pub data: Option<TargetSamples>,
    /// What the model is judged on beside its own configurations.
    pub target: Option<TargetSamples>,
    /// Configurations at once, where memory is short.
    micro_batch: Option<usize>,
}

/// How a model does on configurations of the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OnTarget {
    /// ESS, eq. (A8) of A22.
    pub ess: TargetEss,
    /// `-⟨log q⟩`; nothing if a configuration has no density.
    pub nll: Option<f64>,
    /// Configurations.
    pub n: usize,
}

impl OnTarget {
    /// From `log q` and the actions of the configurations, one of each of so many chains in turn.
    ///
    /// # Shapes
    /// `log_q`, `actions`: `[time, chain]`
    pub fn new(log_q: &[f64], actions: &[f64], chains: usize) -> Self {
        let log_weights: Vec<f64> =
            actions.iter().zip(log_q).map(|(action, log_q)| -action - log_q).collect();
        let nll = Some(-log_q.iter().sum::<f64>() / log_q.len() as f64).filter(|nll| nll.is_finite());
        Self { ess: TargetEss::of(&log_weights, chains), nll, n: log_q.len() }
    }
}

impl Experiment {
    /// Everything but the ensembles, of a specification with a model.
    ///
    /// # Panics
    /// If it has none.
    pub fn without_data(spec: &Spec) -> Self {
        let model = spec.model().expect("a model is asked for");
        let theory = theory::build(&spec.theory);
        let flow = Flow::new(model.flow, theory.action.lattice());
        Self { theory, flow, data: None, target: None, micro_batch: model.train.batch.micro_batch }
    }

    /// Everything, ensembles read.
    ///
    /// # Errors
    /// What is wrong with an ensemble.
    pub fn load(spec: &Spec) -> Result<Self> {
        let this = Self::to_learn(spec)?;
        let target = this.read(spec.evaluate.target.as_deref())?;
        Ok(Self { target, ..this })
    }

    /// The same without what the model is judged on.
    ///
    /// # Errors
    /// What is wrong with an ensemble.
    pub fn to_learn(spec: &Spec) -> Result<Self> {
        let this = Self::without_data(spec);
        let data = this.read(data_file(spec))?;
        Ok(Self { data, ..this })
    }

    fn read(&self, path: Option<&str>) -> Result<Option<TargetSamples>> {
        path.map(|path| TargetSamples::load(Path::new(path), &*self.theory.action)).transpose()
    }

    /// The chains of the target that run beside training, if some are asked for.
    pub fn beside(&self, train: &TrainSpec, seed: Seed) -> Option<Beside<'_>> {
        let hmc = train.loss.forward()?.hmc()?;
        Some(Beside::new(&self.theory, hmc, seed))
    }

    /// Where training takes configurations of the target from, if from anywhere.
    pub fn learned_from<'a>(&'a self, beside: Option<&'a Beside<'a>>) -> Option<Target<'a>> {
        let stored = self.data.as_ref().map(Target::Stored);
        stored.or_else(|| Some(Target::Running(beside?)))
    }

    /// Checks the ensembles that all cells read, each once.
    ///
    /// # Errors
    /// What is wrong with an ensemble.
    pub fn check_ensembles(spec: &Spec) -> Result<()> {
        let cells = spec.cells().expect("a parsed specification has valid cells");
        let mut seen = Vec::new();
        for Cell { spec, .. } in &cells {
            for path in [data_file(spec), spec.evaluate.target.as_deref()].into_iter().flatten() {
                if !seen.contains(&(path, &spec.theory)) {
                    TargetSamples::load(Path::new(path), &*theory::build(&spec.theory).action)?;
                    seen.push((path, &spec.theory));
                }
            }
        }
        Ok(())
    }

    /// The model with these parameters.
    pub fn model<'a>(
        &'a self,
        parameters: &'a [f32],
        device: &'a ComputeDevice,
        observables: Option<&'a dyn Observables>,
    ) -> Model<'a> {
        Model {
            flow: &self.flow,
            parameters,
            action: &*self.theory.action,
            device,
            observables,
            at_most: self.micro_batch,
        }
    }

    /// How a model does on the target's configurations, if there are some.
    ///
    /// # Errors
    /// [`crate::error::Error::Device`].
    pub fn judge(&self, model: &Model<'_>) -> Result<Option<OnTarget>> {
        let Some(target) = &self.target else { return Ok(None) };
        let log_q = model.log_prob(&model.bind(), target.fields())?;
        Ok(Some(OnTarget::new(&log_q, target.actions(), target.chains())))
    }
}

fn data_file(spec: &Spec) -> Option<&str> {
    spec.train.as_ref()?.loss.forward()?.ensemble()
}
