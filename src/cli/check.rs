//! `flowqcd check`: what a specification amounts to, without running it.

use super::args::CheckArgs;
use super::check_report::{CellReport, ModelReport, Report, StartReport, text};
use super::memory;
use super::output::{print, say};
use crate::device::{self, ComputeDevice};
use crate::error::Result;
use crate::flow::Flow;
use crate::rng::Seed;
use crate::spec::{Cell, Fermions, HmcSpec, ModelSpec, Spec, StartSpec, TrainSpec};
use crate::study::{Experiment, check_files};
use crate::theory::{self, Dynamics};
use crate::train::{StepFailure, StepSize, Trainer, samples_until};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// Seconds of measuring, of all cells that cost differently and of one of them, at most.
const MEASURING_S: f64 = 5.0;
const MEASURING_ONE_S: f64 = 0.5;

/// The same of forces, of which one is measured however long it takes.
const MEASURING_FORCE_S: f64 = 0.02;

/// What cells have in common that differ in nothing that costs.
#[derive(Debug, Clone, Copy)]
struct Size {
    model: Option<ModelSize>,
    /// Seconds of one force on one configuration.
    force_s: f64,
}

#[derive(Debug, Clone, Copy)]
struct ModelSize {
    parameters: usize,
    flops_per_sample: f64,
    flops_per_training_sample: f64,
    memory_bytes: f64,
    /// Numbers of a measurement.
    width: usize,
    samples_per_s: f64,
    /// Configurations that a process computes at once.
    micro_batch: usize,
}

/// Validates and prints; times a few training steps of one micro-batch for the estimate.
pub fn check(args: &CheckArgs) -> Result<()> {
    let file = &args.spec.spec;
    let spec = Spec::load(file, &args.spec.overrides())?;
    let device = args.spec.device.select()?;
    memory::check(file, &spec, &device)?;
    check_files(file, &spec)?;
    let report = report(spec, &device, args.ranks.unwrap_or(0) as usize)?;
    report.spec.remarks().iter().for_each(|text| say(&format!("warning: {text}")));
    match args.spec.device.json {
        true => print(&serde_json::to_string_pretty(&report).expect("plain data")),
        false => print(&format!("{}\n{}", report.spec.to_toml(), text(&report))),
    }
}

fn report(spec: Spec, device: &ComputeDevice, ranks: usize) -> Result<Report> {
    let cells = spec.cells().expect("a parsed specification has valid cells");
    let keys: HashSet<String> = cells.iter().map(|cell| cost_key(&cell.spec)).collect();
    let seconds = (MEASURING_S / keys.len() as f64).min(MEASURING_ONE_S);
    let mut sizes = HashMap::new();
    let mut reports = Vec::with_capacity(cells.len());
    for cell in &cells {
        let size = match sizes.entry(cost_key(&cell.spec)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(size(&cell.spec, device, seconds)?),
        };
        reports.push(cell_report(cell, size, ranks));
    }
    let total_train_s = reports.iter().map(|cell| cell.model.as_ref()?.train_s).sum();
    let further = reports.split_off(1);
    let first = reports.pop().expect("a specification has a cell");
    let (device, threads) = (device.name().into(), device::threads());
    Ok(Report { cells: cells.len(), device, threads, total_train_s, first, further, spec })
}

/// What the cost of a training sample depends on; cells that differ only in seeds, couplings or rates have it in common.
fn cost_key(spec: &Spec) -> String {
    let model = spec.model().map(|ModelSpec { flow, train, .. }| {
        let (kind, gradient) = (std::mem::discriminant(&train.loss), train.loss.reverse());
        let chains = train.loss.forward().and_then(|forward| forward.hmc());
        let (architecture, batch, determinant) = (flow.architecture(), &train.batch, train.determinant);
        format!("{architecture:?} {batch:?} {determinant:?} {kind:?} {gradient:?} {chains:?}")
    });
    // Fermions or none is what else decides.
    let fermions = spec.theory.elimination_bytes() > 0.0;
    format!("{:?} {fermions} {:?} {model:?}", std::mem::discriminant(&spec.theory), spec.theory.extents())
}

fn size(spec: &Spec, device: &ComputeDevice, seconds: f64) -> Result<Size> {
    let force_s = force_seconds(&*theory::build(&spec.theory).dynamics);
    let Some(model) = spec.model() else { return Ok(Size { model: None, force_s }) };
    let experiment = Experiment::load(spec)?;
    let (samples_per_s, flops_per_training_sample) =
        measure(model, Seed(spec.seed), &experiment, device, seconds)?;
    let model = ModelSize {
        parameters: experiment.flow.layout().len(),
        flops_per_sample: experiment.flow.flops_per_sample() + experiment.theory.action.value_flops(),
        memory_bytes: memory_bytes(model.train, &experiment.flow, device),
        width: experiment.theory.observables.width(),
        samples_per_s,
        flops_per_training_sample,
        micro_batch: micro_batch(model.train, &experiment.flow, device),
    };
    Ok(Size { model: Some(model), force_s })
}

/// Seconds that a thread takes for one force on one configuration, at best.
fn force_seconds(dynamics: &dyn Dynamics) -> f64 {
    let chains = dynamics.chains();
    let field = dynamics.start(&mut Seed(0).stream("check").item(0));
    let tile: Vec<f64> = field.iter().flat_map(|number| std::iter::repeat_n(*number, chains)).collect();
    let mut momenta = vec![0.0; tile.len()];
    let mut once = || {
        let start = Instant::now();
        dynamics.kick(&tile, 0.0, &mut momenta);
        start.elapsed().as_secs_f64() / chains as f64
    };
    let (mut best, start) = (once(), Instant::now());
    while start.elapsed().as_secs_f64() < MEASURING_FORCE_S {
        best = best.min(once());
    }
    best
}

/// Seconds of all chains with all threads, at the number of steps that is asked for.
fn hmc_seconds(spec: &HmcSpec, force_s: f64) -> f64 {
    let forces = spec.integrator.forces(spec.steps);
    let trajectories = (spec.trajectories + spec.thermalization) as f64 * spec.chains as f64;
    trajectories * forces as f64 * force_s / device::threads().min(spec.chains) as f64
}

fn cell_report(cell: &Cell, size: Size, ranks: usize) -> CellReport {
    let spec = &cell.spec;
    let model = spec.model().zip(size.model).map(|(model, size)| model_report(spec, model, size, ranks));
    // What solving for pseudofermions takes depends on the field.
    let hmc = spec.sample.hmc.as_ref().filter(|hmc| hmc.fermions != Some(Fermions::Pseudofermions));
    let hmc_s = hmc.map(|hmc| hmc_seconds(hmc, size.force_s));
    let theory = theory::build(&spec.theory).action.describe();
    CellReport { values: cell.values.clone(), start: start(cell), theory, model, hmc_s }
}

fn start(cell: &Cell) -> Option<StartReport> {
    let model = cell.spec.model()?;
    Some(match (cell.start, &model.train.start) {
        // In a study cells are in the order of their numbers.
        (Some(start), _) => StartReport::Cell { cell: start.position as u64, optimizer: start.optimizer },
        (None, StartSpec::Scratch) => StartReport::Scratch,
        (None, StartSpec::Model(model)) => {
            StartReport::Model { file: model.file.clone(), optimizer: model.optimizer }
        }
    })
}

fn model_report(
    spec: &Spec,
    ModelSpec { train, .. }: ModelSpec<'_>,
    size: ModelSize,
    ranks: usize,
) -> ModelReport {
    let train_samples = samples_until(&train.batch, &train.stop);
    let flops = size.flops_per_training_sample;
    let by_samples = train_samples.map(|samples| samples as f64 / size.samples_per_s);
    let step = StepSize {
        batch: train.batch.size,
        micro_batch: size.micro_batch,
        parameters: size.parameters,
        samples_per_s: size.samples_per_s,
    };
    ModelReport {
        scaling: if ranks > 0 { step.predict_up_to(ranks) } else { Vec::new() },
        parameters: size.parameters,
        flops_per_sample: size.flops_per_sample,
        flops_per_training_sample: flops,
        memory_bytes: size.memory_bytes,
        direct_bytes: direct_memory(spec, size.width),
        samples_per_s: size.samples_per_s,
        train_samples,
        train_flops: train_samples.map(|samples| flops * samples as f64),
        train_s: [by_samples, train.stop.seconds].into_iter().flatten().reduce(f64::min),
    }
}

/// Training samples per second and counted operations of one, from so many seconds of steps with one micro-batch each, after
/// one that a GPU compiles its kernels in.
fn measure(
    model: ModelSpec<'_>,
    seed: Seed,
    experiment: &Experiment,
    device: &ComputeDevice,
    for_s: f64,
) -> Result<(f64, f64)> {
    let Experiment { theory, flow, .. } = experiment;
    let mut train = model.train.clone();
    let largest = train.batch.double.as_ref().map_or(train.batch.size, |d| d.maximum);
    // A configuration alone has no baseline.
    train.batch.size = micro_batch(&train, flow, device).max(2).min(largest);
    train.batch.double = None;
    let beside = experiment.beside(&train, seed);
    let target = experiment.learned_from(beside.as_ref());
    let trainer = Trainer::new(flow, &*theory.action, &train, target, device, seed)?;
    let mut state = trainer.initial_state(seed);
    let mut seconds = || {
        let step = Instant::now();
        match trainer.step(&mut state) {
            // A step that is not finite takes as long as one that is.
            Ok(_) | Err(StepFailure::NotFinite(..)) => Ok(step.elapsed().as_secs_f64()),
            Err(StepFailure::Ended(error)) => Err(error),
        }
    };
    let first = seconds()?;
    let mut best = if device.is_cpu() { first } else { f64::INFINITY };
    let start = Instant::now();
    while best.is_infinite() || start.elapsed().as_secs_f64() < for_s {
        best = best.min(seconds()?);
    }
    Ok((train.batch.size as f64 / best, trainer.flops_per_sample()))
}

fn micro_batch(train: &TrainSpec, flow: &Flow, device: &ComputeDevice) -> usize {
    let suited = device.micro_batch(held_per_sample(train, flow), flow.working_per_sample());
    train.batch.micro_batch.unwrap_or(suited)
}

/// Numbers held for the backward pass of a configuration.
fn held_per_sample(train: &TrainSpec, flow: &Flow) -> f64 {
    train.loss.passes_held() as f64 * flow.activations_per_sample()
}

/// Bytes of one micro-batch in training and of the parameters with gradient and moments. A GPU that takes all layers in one launch
/// holds the gradients by everything that is kept, too; what it sums weights in is some hundred megabytes at most.
fn memory_bytes(train: &TrainSpec, flow: &Flow, device: &ComputeDevice) -> f64 {
    let batch = &train.batch;
    let most = batch.double.as_ref().map_or(batch.size, |d| d.maximum);
    let activations = held_per_sample(train, flow) * micro_batch(train, flow, device).min(most) as f64;
    let copies = if device.is_cpu() { 1.0 } else { 2.0 };
    4.0 * (copies * activations + 6.0 * flow.layout().len() as f64)
}

/// Bytes of the weights and measurements of direct sampling and of the evaluation.
fn direct_memory(spec: &Spec, width: usize) -> f64 {
    let configurations = spec.sample.direct.as_ref().map_or(0, |direct| direct.configurations);
    8.0 * (width + 1) as f64 * (configurations + spec.evaluate.samples) as f64
}
