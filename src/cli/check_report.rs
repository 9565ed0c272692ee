//! What `flowqcd check` finds, as JSON and as text.

use super::progress::duration;
use super::table;
use crate::spec::{OptimizerStart, Spec, Varied};
use crate::train::PredictedStep;
use serde::Serialize;
use std::fmt;

/// What `check` reports.
#[derive(Debug, Serialize)]
pub struct Report {
    pub cells: usize,
    pub device: String,
    pub threads: usize,
    /// Seconds of training of all cells, at most, where that is known.
    pub total_train_s: Option<f64>,
    /// The first cell.
    #[serde(flatten)]
    pub first: CellReport,
    /// All further cells.
    pub further: Vec<CellReport>,
    pub spec: Spec,
}

/// What `check` reports of one cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellReport {
    /// The varied keys.
    pub values: Varied,
    /// Where training starts, if something is trained.
    pub start: Option<StartReport>,
    pub theory: String,
    /// What training takes, if something is trained.
    #[serde(flatten)]
    pub model: Option<ModelReport>,
    /// Seconds of all forces of Hybrid Monte Carlo before its tuning, thermalisation included, where that can be said.
    pub hmc_s: Option<f64>,
}

/// Where the training of a cell starts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum StartReport {
    Scratch,
    Model { file: String, optimizer: OptimizerStart },
    Cell { cell: u64, optimizer: OptimizerStart },
}

impl fmt::Display for StartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moments = |optimizer: &OptimizerStart| match optimizer {
            OptimizerStart::Carried => "",
            OptimizerStart::Reset => ", optimizer reset",
        };
        match self {
            Self::Scratch => write!(f, "from scratch"),
            Self::Model { file, optimizer } => write!(f, "from {file}{}", moments(optimizer)),
            Self::Cell { cell, optimizer } => write!(f, "from cell {cell}{}", moments(optimizer)),
        }
    }
}

/// The part of it that is about the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelReport {
    pub parameters: usize,
    pub flops_per_sample: f64,
    pub flops_per_training_sample: f64,
    pub memory_bytes: f64,
    /// Weights and measurements that are held until all are drawn.
    pub direct_bytes: f64,
    pub samples_per_s: f64,
    pub train_samples: Option<u64>,
    pub train_flops: Option<f64>,
    pub train_s: Option<f64>,
    /// Training steps on several processes, where these are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scaling: Vec<PredictedStep>,
}

/// What a reader wants of it.
pub fn text(report: &Report) -> String {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let mut rows = vec![row("cells", report.cells.to_string())];
    let cells: Vec<&CellReport> = std::iter::once(&report.first).chain(&report.further).collect();
    let mut first = 0;
    for alike in cells.chunk_by(|a, b| is_alike(a, b)) {
        if report.cells > 1 {
            rows.push(row("", String::new()));
            rows.push(heading(first, alike));
        }
        rows.extend(cell_rows(alike, report));
        first += alike.len();
    }
    if report.cells > 1 {
        rows.push(row("", String::new()));
        rows.push(row("plan", String::new()));
        rows.extend((0..).zip(&cells).map(|(number, cell)| plan_row(number, cell)));
    }
    if let Some(seconds) = report.total_train_s.filter(|_| report.cells > 1) {
        rows.push(row("", String::new()));
        rows.push(row("training time of all", format!("{}, at most", duration(seconds))));
    }
    table::lines(&rows)
}

/// A cell with its start and its cost.
fn plan_row(number: u64, cell: &CellReport) -> (String, String) {
    let start = cell.start.as_ref().map(ToString::to_string);
    let model = cell.model.as_ref().map(|model| {
        let samples = model.train_samples.map(|samples| format!("{samples} samples"));
        let parts = samples.into_iter().chain(model.train_s.map(duration)).collect::<Vec<String>>();
        if parts.is_empty() {
            "until the ESS is reached".into()
        } else {
            format!("at most {}", parts.join(", "))
        }
    });
    let hmc = cell.hmc_s.map(|seconds| format!("forces of HMC {}", duration(seconds)));
    let parts: Vec<String> = start.into_iter().chain(model).chain(hmc).collect();
    (format!("{number}: {}", cell.values), parts.join("; "))
}

/// Whether two cells differ in nothing but what their varied keys say.
fn is_alike(a: &CellReport, b: &CellReport) -> bool {
    let same = CellReport {
        values: b.values.clone(),
        start: b.start.clone(),
        theory: b.theory.clone(),
        ..a.clone()
    };
    same == *b
}

/// Numbers and values of neighbouring cells, the first and the last.
fn heading(first: usize, alike: &[&CellReport]) -> (String, String) {
    let (from, to) = (&alike[0].values, &alike[alike.len() - 1].values);
    let value = |((key, from), (_, to)): ((&str, String), (&str, String))| match from == to {
        true => format!("{key} = {from}"),
        false => format!("{key} = {from} ... {to}"),
    };
    let values: Vec<String> = from.texts().zip(to.texts()).map(value).collect();
    let name = match alike.len() {
        1 => format!("cell {first}"),
        count => format!("cells {first} to {}", first + count - 1),
    };
    (name, values.join(", "))
}

fn cell_rows(alike: &[&CellReport], report: &Report) -> Vec<(String, String)> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let cell = alike[0];
    let mut rows = Vec::new();
    if alike.iter().all(|other| other.theory == cell.theory) {
        rows.push(row("theory", cell.theory.clone()));
    }
    rows.extend(cell.model.as_ref().map(|model| model_rows(model, alike.len(), report)).unwrap_or_default());
    rows.extend(cell.hmc_s.map(|seconds| {
        let name = if alike.len() > 1 {
            "forces of HMC, each (before tuning)"
        } else {
            "forces of HMC (before tuning)"
        };
        row(name, duration(seconds))
    }));
    rows
}

fn model_rows(cell: &ModelReport, alike: usize, report: &Report) -> Vec<(String, String)> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let threads = table::count(report.threads, "thread");
    let speed = format!("{:.0} training samples/s on {}, {threads}", cell.samples_per_s, report.device);
    let mut rows = vec![
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
    let each = if alike > 1 { "training time of each (estimate)" } else { "training time (estimate)" };
    rows.push(row(each, time));
    rows.extend(cell.scaling.iter().map(scaling_row));
    rows
}

/// A step on several processes.
fn scaling_row(step: &PredictedStep) -> (String, String) {
    let PredictedStep { ranks, busy, efficiency, messages_s, leader_s, .. } = *step;
    let share = 100.0 * (messages_s + leader_s) / step.seconds();
    let mut text =
        format!("{} a step, {:.0}% of it messages and the leader alone", seconds(step.seconds()), share);
    match busy == ranks {
        true => text.push_str(&format!(", efficiency {efficiency:.2}")),
        false => text.push_str(&format!(", efficiency {efficiency:.2}, {} idle", ranks - busy)),
    }
    (format!("on {ranks} process{} (predicted)", if ranks == 1 { "" } else { "es" }), text)
}

/// Seconds with three digits.
fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.3} ms", 1e3 * s),
        s if s < 1.0 => format!("{:.1} ms", 1e3 * s),
        s => format!("{s:.2} s"),
    }
}
