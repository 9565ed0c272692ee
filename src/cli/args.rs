//! What can be typed.

use crate::device::{self, ComputeDevice};
use crate::error::Result;
use crate::report::{Condition, Format, Layout, Log};
use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand};
use std::path::PathBuf;

/// Flow-based sampling experiments for lattice field theory, one TOML file each.
#[derive(Debug, Parser)]
#[command(name = "flowqcd", version, propagate_version = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train, evaluate and sample as a specification says; continues an interrupted run.
    Run(RunArgs),
    /// Validate a specification; print it resolved, with its size and cost; run nothing.
    Check(CheckArgs),
    /// Say how far the cells of a run have come: waiting, running, done, or failed and why.
    Status(RunDirArgs),
    /// Show a running or finished run in this terminal, from its files only: cells by state, curves, warnings.
    ///
    /// Keys: left and right (n, p, page up and down, home, end) choose the cell, x the axis (training steps, samples, seconds), y what
    /// is shown (ESS, loss, learning rate, batch size, gradient norm, the observables, the warnings); q ends it, and so does Ctrl-C.
    Watch(WatchArgs),
    /// Put the tables of a study together from those of its cells.
    Merge(RunDirArgs),
    /// Draw configurations from a checkpoint into a NumPy archive, with log q, the action and log w.
    Sample(SampleArgs),
    /// Measure the observables of an ensemble in a NumPy archive, with errors.
    Measure(MeasureArgs),
    /// Draw figures (SVG and PNG) from the tables of run directories; several runs are laid over each other.
    Plot(PlotArgs),
    /// Say what differs between two runs, in their specifications and in their results; exit status 1 if a result does by more than
    /// 4 standard errors.
    Compare(CompareArgs),
    /// Write one HTML page that needs nothing else: what was asked, warnings, results, figures to point at, costs, how to repeat it.
    Report(ReportArgs),
    /// Test the program on this machine against exact values; exit status 1 if any is off by five standard errors.
    Verify(VerifyArgs),
    /// List what --device can name, and what auto takes.
    Devices {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Explain a table or a key of specifications, a table of a run directory, warnings, or conventions.
    Explain {
        /// A topic, such as train.stop, ess.csv, warnings; without one the topics are listed.
        topic: Option<String>,
    },
    /// Print the JSON Schema of specifications, for editors.
    Schema,
    /// Print a shell completion script.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print a manual page, for `man -l -`, or write all of them into a folder.
    Man(ManArgs),
}

#[derive(Debug, ClapArgs)]
pub struct SpecArgs {
    /// Specification file.
    pub spec: PathBuf,
    /// Override a key, e.g. --set theory.phi4.coupling=1.5 (repeatable).
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Override the seed.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, ClapArgs)]
pub struct DeviceArgs {
    /// auto, cpu, wgpu or wgpu:ADAPTER (number or part of the name); auto is the best GPU, or the CPU without one.
    #[arg(long, default_value = "auto", env = "FLOWQCD_DEVICE")]
    pub device: String,
    /// CPU threads; all cores if left out, or a share of them for each of several processes. Results do not depend on it.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub threads: Option<u64>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

impl DeviceArgs {
    /// The device, with the threads set.
    ///
    /// # Errors
    /// What cannot be had.
    pub fn select(&self) -> Result<ComputeDevice> {
        device::start_threads(self.threads.map(|threads| threads as usize))?;
        ComputeDevice::select(&self.device)
    }
}

impl SpecArgs {
    /// All overrides in one list.
    pub fn overrides(&self) -> Vec<String> {
        self.set.iter().cloned().chain(self.seed.map(|seed| format!("seed={seed}"))).collect()
    }
}

#[derive(Debug, ClapArgs)]
pub struct CheckArgs {
    #[command(flatten)]
    pub spec: SpecArgs,
    /// Predict a training step on up to N processes, from the speed that is measured here and a model of a network.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub ranks: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub struct SampleArgs {
    /// Checkpoint, or a run directory, of which the newest is taken.
    pub checkpoint: PathBuf,
    /// Configurations to draw.
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    pub number: u64,
    /// The archive to write (.npz).
    #[arg(long, value_parser = PathBufValueParser::new().try_map(regular))]
    pub out: PathBuf,
    /// Number of the first configuration; 1000 goes on where a file of the first 1000 ends.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1 << 60))]
    pub first: u64,
    /// Seed of the configurations; that of the run if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// No progress and no notes on stderr; warnings and errors stay.
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, ClapArgs)]
pub struct MeasureArgs {
    /// Archive of numpy.savez with an array `phi` (N, T, ...) or `theta` (N, 2, T, X).
    pub ensemble: PathBuf,
    /// Specification whose theory it is of, of which [theory.*] is enough; that in the archive if left out.
    #[arg(long)]
    pub spec: Option<PathBuf>,
    /// Override a key of the specification (repeatable).
    #[arg(long = "set", value_name = "PATH=VALUE", requires = "spec")]
    pub set: Vec<String>,
    /// Chains that gave one configuration each in turn; what the archive says, or 1, if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub chains: Option<u64>,
    /// Configurations to leave out at the beginning of every chain.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=1 << 40))]
    pub skip: Option<u64>,
    /// File for the results, with the columns of observables.csv.
    #[arg(long, value_parser = PathBufValueParser::new().try_map(regular))]
    pub out: Option<PathBuf>,
    /// CPU threads; all cores if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub threads: Option<u64>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct PlotArgs {
    /// Run directories.
    #[arg(required = true, value_name = "RUN_DIR")]
    pub runs: Vec<PathBuf>,
    /// Folder for the figures; `figures` in the run directory, or beside several if left out.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// An ESS to mark in the figure of training; printed is what it took until the smoothed ESS of the training batches first
    /// reached it (repeatable).
    #[arg(long, value_parser = fraction)]
    pub ess: Vec<f64>,
    /// Layouts of figures: those of the paper, or what one looks at first; all that there is data for if left out.
    #[arg(long, value_delimiter = ',', value_parser = PossibleValuesParser::new(names(&Layout::ALL)).map(layout))]
    pub style: Vec<Layout>,
    /// Varied key along the axis of studies, e.g. coupling, or its inverse, 1/coupling; if left out the extents, or another that
    /// varies. With --y it may be any column.
    #[arg(long, value_name = "KEY")]
    pub x: Option<String>,
    /// Draw this column of a table, or this observable, against that of --x, e.g. ess, cost.tau_int or chi_2.
    #[arg(long, value_name = "COLUMN", requires = "x", conflicts_with = "style")]
    pub y: Option<String>,
    /// Keys and columns that tell the series of --y apart; all that vary at the same place if left out.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', requires = "y")]
    pub group: Vec<String>,
    /// Column with the standard errors of --y, or none; those that belong to it if left out.
    #[arg(long, value_name = "COLUMN", requires = "y")]
    pub errors: Option<String>,
    /// Axes that are logarithmic: x, y or xy.
    #[arg(long, value_name = "AXES", value_parser = PossibleValuesParser::new(["x", "y", "xy"]).map(log))]
    pub log: Option<Log>,
    /// Kinds of files.
    #[arg(long, value_delimiter = ',', default_value = "svg,png",
          value_parser = PossibleValuesParser::new(names(&Format::ALL)).map(format))]
    pub format: Vec<Format>,
    /// Draw only rows whose leading column KEY has this value, e.g. study_stage=retrain or coupling=1; a number stands for lists of
    /// it, too (repeatable: several values of one key are any of them, several keys all of them).
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub only: Vec<Condition>,
    /// Print the points of the figures of studies as Markdown tables instead of the names of the files.
    #[arg(long, conflicts_with = "json")]
    pub table: bool,
    /// Print JSON: files, levels, and the points of the figures of studies.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct CompareArgs {
    /// Run directory of the first run.
    #[arg(value_name = "RUN_A")]
    pub a: PathBuf,
    /// Run directory of the second one.
    #[arg(value_name = "RUN_B")]
    pub b: PathBuf,
    /// Standard errors by which results may differ and still agree.
    #[arg(long, value_name = "X", default_value_t = 4.0, value_parser = positive)]
    pub sigma: f64,
    /// Print JSON: everything that was compared, with every digit.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ReportArgs {
    /// Run directories, running ones too; several share their figures.
    #[arg(required = true, value_name = "RUN_DIR")]
    pub runs: Vec<PathBuf>,
    /// The page; report.html in the run directory, or beside several if left out.
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(regular))]
    pub out: Option<PathBuf>,
    /// An ESS to mark in the figure of training (repeatable).
    #[arg(long, value_parser = fraction)]
    pub ess: Vec<f64>,
    /// Varied key along the axis of studies, e.g. coupling, or its inverse, 1/coupling; if left out the extents, or another that
    /// varies.
    #[arg(long, value_name = "KEY")]
    pub x: Option<String>,
    /// Print JSON: the file and its size.
    #[arg(long)]
    pub json: bool,
}

/// A file that is not there yet or may be replaced: one in the place of a device or a pipe would be so for all who use it.
fn regular(path: PathBuf) -> Result<PathBuf, String> {
    match std::fs::metadata(&path) {
        Ok(there) if !there.is_file() => {
            Err("must be a file, and a device, a pipe or a folder of this name is there".into())
        }
        _ => Ok(path),
    }
}

/// The names of a table of choices.
fn names<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(name, _)| *name).collect()
}

/// A layout by its name, which is one of them.
fn layout(name: String) -> Layout {
    Layout::named(&name).expect("one of the possible values")
}

/// A kind of file by its name, which is one of them.
fn format(name: String) -> Format {
    Format::named(&name).expect("one of the possible values")
}

/// `xy`, both axes.
fn log(axes: String) -> Log {
    Log { x: axes.contains('x'), y: axes.contains('y') }
}

/// A finite number above 0.
fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "must be a number above 0".into())
}

/// A number above 0, at most 1.
fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| *number > 0.0 && *number <= 1.0);
    number.ok_or_else(|| "must be above 0 and at most 1".into())
}

/// `2/8`, the second of eight parts.
fn shard(text: &str) -> Result<(u64, u64), String> {
    let numbers =
        text.split_once('/').and_then(|(part, parts)| Some((part.parse().ok()?, parts.parse().ok()?)));
    numbers
        .filter(|&(part, parts)| 1 <= part && part <= parts)
        .ok_or_else(|| "must be I/N with I from 1 to N, e.g. 2/8".into())
}

#[derive(Debug, ClapArgs)]
pub struct ManArgs {
    /// The command, such as run; the program if left out.
    pub command: Option<String>,
    /// Folder for the pages of the program and of all its commands, e.g. ~/.local/share/man/man1.
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct RunDirArgs {
    /// Run directory.
    pub run: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, ClapArgs)]
pub struct WatchArgs {
    /// Run directory.
    pub run: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    #[command(flatten)]
    pub spec: SpecArgs,
    /// Run directory; runs/NAME-OF-THE-FILE if left out.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Discard the results of an earlier run in the run directory.
    #[arg(long)]
    pub fresh: bool,
    /// Work on the I-th of N parts of the cells of a study, for job arrays: every part in a process of its own, on whatever machine. In a
    /// job array of SLURM the part is that of the task if this is left out.
    #[arg(long, value_name = "I/N", value_parser = shard, conflicts_with_all = ["jobs", "fresh"])]
    pub shard: Option<(u64, u64)>,
    /// Work on the cells of a study in so many processes, which share the threads.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=256))]
    pub jobs: Option<u64>,
    /// Stop at the first cell that fails, instead of going on with the others.
    #[arg(long)]
    pub fail_fast: bool,
    /// Started by another process for a part of the work, which ends when its standard input does.
    #[arg(long, hide = true)]
    pub worker: bool,
    /// No figures at the end.
    #[arg(long)]
    pub no_plots: bool,
    /// No progress and no notes on stderr; warnings and errors stay.
    #[arg(long)]
    pub quiet: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
