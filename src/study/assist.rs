//! What a process does that does not lead: it computes what the leader calls for, until there is nothing more.

use super::experiment::Experiment;
use crate::comm::{Call, Crew, Task};
use crate::device::ComputeDevice;
use crate::ensemble::TargetSamples;
use crate::error::{Error, Result};
use crate::flow::Flow;
use crate::rng::Seed;
use crate::sample;
use crate::spec::Spec;
use crate::theory::{self, Theory};
use crate::train::Trainer;
use serde::{Deserialize, Serialize};

/// A cell, as every process has to know it.
#[derive(Debug, Serialize, Deserialize)]
pub struct CellCall {
    /// Its specification.
    spec: String,
    /// Whether its model is trained, or only sampled.
    is_trained: bool,
    /// Digest of the ensemble that it learns from, if it does.
    data: Option<String>,
}

impl CellCall {
    /// Tells all processes of a cell, and hears that they are ready for it.
    ///
    /// # Errors
    /// What one of them misses.
    pub fn tell(crew: &Crew, spec: &Spec, data: Option<&TargetSamples>) -> Result<()> {
        let data = || data.map(|data| data.digest().to_owned());
        crew.call(Task::Cell, || Self { spec: spec.to_toml(), is_trained: true, data: data() });
        crew.collect(Ok(())).map(drop)
    }

    /// The same of a cell whose model is trained already.
    ///
    /// # Errors
    /// As of [`Self::tell`].
    pub fn tell_trained(crew: &Crew, spec: &Spec) -> Result<()> {
        crew.call(Task::Cell, || Self { spec: spec.to_toml(), is_trained: false, data: None });
        crew.collect(Ok(())).map(drop)
    }

    fn spec(&self) -> Result<Spec> {
        Spec::parse(&self.spec, &[])
            .map_err(|problems| Error::Spec { file: "the specification of the cell".into(), problems })
    }

    /// What a specification with a model names.
    fn experiment(&self, spec: &Spec) -> Result<Experiment> {
        if !self.is_trained {
            return Ok(Experiment::without_data(spec));
        }
        let experiment = Experiment::to_learn(spec)?;
        let data = experiment.data.as_ref().map(TargetSamples::digest);
        match data == self.data.as_deref() {
            true => Ok(experiment),
            false => Err(Error::Usage {
                message:
                    "train.loss.forward_kl.ensemble: the file is another one than that of the leading process"
                        .into(),
                hint: "name a file that all machines see".into(),
            }),
        }
    }
}

/// Computes whatever the leader calls for.
pub fn assist(device: &ComputeDevice) {
    let mut call = device.crew().heed();
    while call.task == Task::Cell {
        call = with_cell(&call.job(), device);
    }
}

/// Says whether it is ready for a cell, and computes for it; gives the call that is about something else.
fn with_cell(cell: &CellCall, device: &ComputeDevice) -> Call {
    let crew = device.crew();
    let ready = |found: Result<()>| crew.collect(found).expect("the leader alone learns of errors");
    let spec = match cell.spec() {
        Ok(spec) => spec,
        Err(error) => {
            ready(Err(error));
            return crew.heed();
        }
    };
    if spec.model().is_none() {
        let theory = theory::build(&spec.theory);
        ready(Ok(()));
        return with_samples((None, &theory), None, device);
    }
    match cell.experiment(&spec) {
        Ok(experiment) => {
            ready(Ok(()));
            match cell.is_trained {
                true => with_training(&spec, &experiment, device),
                false => with_samples((Some(&experiment.flow), &experiment.theory), None, device),
            }
        }
        Err(error) => {
            ready(Err(error));
            crew.heed()
        }
    }
}

/// Training of a model, and what is sampled then.
fn with_training(spec: &Spec, experiment: &Experiment, device: &ComputeDevice) -> Call {
    let (train, seed) = (spec.model().expect("it has one").train, Seed(spec.seed));
    let beside = experiment.beside(train, seed);
    let target = experiment.learned_from(beside.as_ref());
    let action = &*experiment.theory.action;
    let trainer = Trainer::new(&experiment.flow, action, train, target, device, seed);
    let trainer = trainer.expect("what it learns from was read");
    with_samples((Some(&experiment.flow), &experiment.theory), Some(&trainer), device)
}

/// Whatever is computed for a cell; gives the call that is about something else.
fn with_samples(
    (flow, theory): (Option<&Flow>, &Theory),
    trainer: Option<&Trainer<'_>>,
    device: &ComputeDevice,
) -> Call {
    let flow = || flow.expect("a cell with a model");
    loop {
        let call = device.crew().heed();
        match call.task {
            Task::Step => trainer.expect("a cell that is trained").assist(&call),
            Task::Draw => sample::assist::draw(&call, flow(), theory, device),
            Task::Ensemble => sample::assist::ensemble(&call, flow(), theory, device),
            Task::Density => sample::assist::density(&call, flow(), theory, device),
            Task::Chains => sample::assist::chains(&call, theory, device),
            Task::Cell | Task::End => return call,
        }
    }
}
