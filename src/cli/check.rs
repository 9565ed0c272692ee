//! `flowqcd check`: what a specification amounts to, without running it.

use super::args::CheckArgs;
use super::progress::duration;
use super::output::print;
use super::table;
use crate::device::{self, ComputeDevice};
use crate::error::Result;
use crate::flow::Flow;
use crate::rng::Seed;
use crate::spec::{Cell, Spec};
use crate::study::Experiment;
use crate::train::{StepFailure, Trainer, samples_until};
use serde::Serialize;
use std::time::Instant;

/// What `check` reports.
#[derive(Debug, Serialize)]
struct Report {
    cells: usize,
    device: String,
    threads: usize,
    /// Seconds of training of all cells, at most, where that is known.
    total_train_s: Option<f64>,
    /// The first cell.
    #[serde(flatten)]
    first: CellReport,
    /// All further cells.
    further: Vec<CellReport>,
    spec: Spec,
}

/// What `check` reports of one cell.
#[derive(Debug, Serialize)]
struct CellReport {
    /// The varied keys.
    values: Vec<(String, String)>,
    theory: String,
    parameters: usize,
    flops_per_sample: f64,
    flops_per_training_sample: f64,
    memory_bytes: f64,
    /// Weights and measurements that are held until all are drawn.
    direct_bytes: f64,
    samples_per_s: f64,
    train_samples: Option<u64>,
    train_flops: Option<f64>,
    train_s: Option<f64>,
}

/// Validates and prints; times a few training steps of one micro-batch for the estimate.
pub fn check(args: &CheckArgs) -> Result<()> {
    let spec = Spec::load(&args.spec.spec, &args.spec.overrides())?;
    let device = args.spec.device.select()?;
    let report = report(spec, &device)?;
    match args.spec.device.json {
        true => print(&serde_json::to_string_pretty(&report).expect("plain data")),
        false => print(&format!("{}\n{}", report.spec.to_toml(), text(&report))),
    }
}

fn report(spec: Spec, device: &ComputeDevice) -> Result<Report> {
    let cells = spec.cells().expect("a parsed specification has valid cells");
    let mut reports = cells.iter().map(|cell| cell_report(cell, device));
    let first = reports.next().expect("a specification has a cell")?;
    let further = reports.collect::<Result<Vec<CellReport>>>()?;
    let times = std::iter::once(&first).chain(&further).map(|cell| cell.train_s);
    Ok(Report {
        cells: cells.len(),
        device: device.name().into(),
        threads: device::threads(),
        total_train_s: times.sum(),
        first,
        further,
        spec,
    })
}

fn cell_report(cell: &Cell, device: &ComputeDevice) -> Result<CellReport> {
    let spec = &cell.spec;
    let experiment = Experiment::load(spec)?;
    let (samples_per_s, flops_per_training_sample) = measure(spec, &experiment, device)?;
    let Experiment { theory, flow, .. } = experiment;
    let train_samples = samples_until(&spec.train.batch, &spec.train.stop);
    let by_samples = train_samples.map(|samples| samples as f64 / samples_per_s);
    Ok(CellReport {
        values: cell.values.clone(),
        theory: theory.action.describe(),
        parameters: flow.layout().len(),
        flops_per_sample: flow.flops_per_sample(),
        flops_per_training_sample,
        memory_bytes: memory(spec, &flow, device),
        direct_bytes: direct_memory(spec, theory.observables.width()),
        samples_per_s,
        train_samples,
        train_flops: train_samples.map(|samples| flops_per_training_sample * samples as f64),
        train_s: [by_samples, spec.train.stop.seconds].into_iter().flatten().reduce(f64::min),
    })
}

/// Training samples per second and counted operations of one, from half a second of steps with one micro-batch each, after one that a GPU compiles its
/// kernels in.
fn measure(spec: &Spec, experiment: &Experiment, device: &ComputeDevice) -> Result<(f64, f64)> {
    let Experiment { theory, flow, data, .. } = experiment;
    let mut train = spec.train.clone();
    let largest = train.batch.double.as_ref().map_or(train.batch.size, |d| d.maximum);
    train.batch.size = micro_batch(spec, flow, device).min(largest);
    train.batch.double = None;
    let seed = Seed(spec.seed);
    let trainer = Trainer::new(flow, &*theory.action, &train, data.as_ref(), device, seed)?;
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
    while best.is_infinite() || start.elapsed().as_secs_f64() < 0.5 {
        best = best.min(seconds()?);
    }
    Ok((train.batch.size as f64 / best, trainer.flops_per_sample()))
}

fn micro_batch(spec: &Spec, flow: &Flow, device: &ComputeDevice) -> usize {
    let suited = device.micro_batch(flow.activations_per_sample(), flow.working_per_sample());
    spec.train.batch.micro_batch.unwrap_or(suited)
}

/// Bytes of one micro-batch in training and of the parameters with gradient and moments.
fn memory(spec: &Spec, flow: &Flow, device: &ComputeDevice) -> f64 {
    let batch = spec.train.batch.double.as_ref().map_or(spec.train.batch.size, |d| d.maximum);
    let activations = flow.activations_per_sample() * micro_batch(spec, flow, device).min(batch) as f64;
    4.0 * (activations + 6.0 * flow.layout().len() as f64)
}

/// Bytes of the weights and measurements of direct sampling and of the evaluation.
fn direct_memory(spec: &Spec, width: usize) -> f64 {
    let configurations = spec.sample.direct.as_ref().map_or(0, |direct| direct.configurations);
    8.0 * (width + 1) as f64 * (configurations + spec.evaluate.samples) as f64
}

fn text(report: &Report) -> String {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let mut rows = vec![row("cells", report.cells.to_string())];
    for cell in std::iter::once(&report.first).chain(&report.further) {
        if report.cells > 1 {
            let values: Vec<String> =
                cell.values.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            rows.push(row("", String::new()));
            rows.push(row("cell", values.join(", ")));
        }
        rows.extend(cell_rows(cell, report));
    }
    if let Some(seconds) = report.total_train_s.filter(|_| report.cells > 1) {
        rows.push(row("", String::new()));
        rows.push(row("training time of all", format!("{}, at most", duration(seconds))));
    }
    table::lines(&rows)
}

fn cell_rows(cell: &CellReport, report: &Report) -> Vec<(String, String)> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let speed = format!(
        "{:.0} training samples/s on {}, {} threads",
        cell.samples_per_s, report.device, report.threads
    );
    let mut rows = vec![
        row("theory", cell.theory.clone()),
        row("parameters", cell.parameters.to_string()),
        row("FLOPs per sample", format!("{:.4e}", cell.flops_per_sample)),
        row("FLOPs per training sample", format!("{:.4e}", cell.flops_per_training_sample)),
        row("memory (about)", format!("{:.0} MB", cell.memory_bytes / 1e6)),
        row("memory, sampling (about)", format!("{:.0} MB", cell.direct_bytes / 1e6)),
        row("speed (measured now)", speed),
    ];
    if let (Some(samples), Some(flops)) = (cell.train_samples, cell.train_flops) {
        rows.push(row("training, at most", format!("{samples} samples, {flops:.3e} FLOP")));
    }
    let time = match cell.train_s {
        Some(seconds) => format!("{}, at most", duration(seconds)),
        None => format!(
            "{} per million samples (the stop rule is not a clock)",
            duration(1e6 / cell.samples_per_s)
        ),
    };
    rows.push(row("training time (estimate)", time));
    rows
}
