//! `flowqcd run`.

use super::args::RunArgs;
use super::output::{print, say};
use super::progress::Terminal;
use super::{crew, jobs, memory, signals, table};
use crate::comm::Leading;
use crate::error::{Error, Result};
use crate::files::remove_leftovers;
use crate::report::{Format, Log, Request, What, plot};
use crate::spec::Spec;
use crate::study::{Manifest, Part, Run, RunDir, assist, check_files};
use std::path::{Path, PathBuf};

/// Runs or continues a specification and prints the final table.
pub fn run(args: &RunArgs) -> Result<()> {
    // First of all: a signal that comes while the run is set up is answered, too.
    let interrupt = signals::watch()?;
    let Some(device) = crew::join(&args.spec.device, &interrupt, args.shard.is_some())? else {
        return Ok(());
    };
    let crew = device.crew();
    if !crew.leads() {
        assist(&device);
        return Ok(());
    }
    let _leading = Leading(crew);
    let spec = Spec::load(&args.spec.spec, &args.spec.overrides())?;
    // What is wrong with a size or a file is to be known before anything is written.
    memory::check(&args.spec.spec, &spec, &device)?;
    check_files(&args.spec.spec, &spec)?;
    let dir = RunDir::open(&run_directory(args), &spec, args.fresh)?;
    let progress = Terminal::new(args.quiet, args.worker);
    let cells = dir.plan().cells.len();
    let run = Run {
        spec: &spec,
        device: &device,
        dir: &dir,
        part: Part { shard: args.shard.or_else(|| array_part(cells)), fail_fast: args.fail_fast },
        progress: &progress,
        interrupt: &interrupt,
        resume_command: resume_command(),
    };
    if let (Some((part, parts)), None) = (run.part.shard, args.shard) {
        progress.line(&format!(
            "part {part} of {parts} of the study, as SLURM's job array says; --shard 1/1 works on all of it"
        ));
    }
    if args.worker {
        jobs::obey(&interrupt).map_err(Error::io(dir.path(), "start a thread for a process of"))?;
        return run.execute().map(drop);
    }
    progress.line(&format!(
        "{} on {}, {}, seed {}, into {}",
        args.spec.spec.display(),
        device.of_all(),
        table::count(device.threads_of_all(), "thread"),
        spec.seed,
        dir.path().display()
    ));
    let outcome = match args.jobs.filter(|&jobs| jobs > 1) {
        Some(jobs) if !crew.is_alone() => Err(Error::Usage {
            message: format!("--jobs = {jobs}: {} processes work together on each cell already", crew.size()),
            hint: "leave out --jobs, or start the program without the launcher".into(),
        }),
        Some(_) if cells == 1 => {
            say("warning: --jobs has no effect: the run has one cell");
            run.execute()
        }
        Some(count) => run.execute_after(&|| {
            jobs::work(args, &dir, count.min(cells as u64), &progress, (&interrupt, &run.resume_command))
        }),
        None => run.execute(),
    };
    progress.finish();
    let manifest = match outcome {
        Err(error) if args.spec.device.json => {
            print(&serde_json::json!({ "error": error.to_string() }).to_string())?;
            return Err(error);
        }
        outcome => outcome?,
    };
    show(args, &manifest, cells)?;
    match (args.no_plots, dir.is_writable()) {
        (true, _) => {}
        (false, true) => plots(args, dir.path()),
        (false, false) => say(&format!("warning: no figures: {} cannot be written to", dir.path().display())),
    }
    failures(args, &manifest)
}

/// The final table, and what warns of it.
fn show(args: &RunArgs, manifest: &Manifest, count: usize) -> Result<()> {
    let cells = &manifest.cells[..];
    for cell in cells {
        let place = if count > 1 { format!("cell {}: ", cell.cell) } else { String::new() };
        cell.summary.warnings.iter().for_each(|text| say(&format!("warning: {place}{text}")));
    }
    if cells.len() < count {
        let (done, folder) = (cells.len(), run_directory(args));
        say(&format!("{done} of {count} cells are finished: see flowqcd status {}", folder.display()));
    }
    match (args.spec.device.json, cells) {
        (true, _) => print(&serde_json::to_string_pretty(manifest).expect("plain data")),
        (false, [only]) if count == 1 => print(&table::summary(&only.summary)),
        (false, _) => print(&table::study(cells)),
    }
}

/// Figures beside the tables. A run that is finished does not fail for want of them.
fn plots(args: &RunArgs, run: &Path) {
    let folder = run.join("figures");
    let runs = [run.to_owned()];
    let request = Request {
        runs: &runs,
        only: &[],
        levels: &[],
        key: None,
        what: What::Everything,
        log: Log::default(),
        formats: &[Format::Svg, Format::Png],
        folder: &folder,
    };
    // A run that was killed while it drew may have left some behind.
    match remove_leftovers(&folder).and_then(|()| plot(&request)) {
        Ok(_) if args.quiet => {}
        Ok(_) => say(&format!("figures are in {}", folder.display())),
        // There is nothing to draw.
        Err(Error::Usage { .. }) => {}
        Err(error) => say(&format!("warning: no figures: {error}")),
    }
}

/// # Errors
/// [`Error::Cells`] if cells have failed.
fn failures(args: &RunArgs, manifest: &Manifest) -> Result<()> {
    if manifest.failed.is_empty() {
        return Ok(());
    }
    let line = |reason: &str| reason.lines().next().unwrap_or_default().to_owned();
    let failed =
        manifest.failed.iter().map(|failed| format!("cell {}: {}", failed.cell, line(&failed.reason)));
    let folder = run_directory(args);
    Err(Error::Cells {
        failed: failed.collect(),
        hint: format!(
            "the same command tries them again and keeps what is finished; logs are in {}",
            folder.join("cells/*/log.txt").display()
        ),
    })
}

/// The part of a study that a task of a job array of SLURM works on. An array over runs of one cell each is something else.
fn array_part(cells: usize) -> Option<(u64, u64)> {
    let number = |name: &str| std::env::var(name).ok()?.trim().parse::<u64>().ok();
    let (task, count) = (number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_COUNT")?);
    let (first, step) =
        (number("SLURM_ARRAY_TASK_MIN")?, number("SLURM_ARRAY_TASK_STEP").unwrap_or(1).max(1));
    let part = task.checked_sub(first)? / step + 1;
    (cells > 1 && part <= count).then_some((part, count))
}

fn run_directory(args: &RunArgs) -> PathBuf {
    let stem = args.spec.spec.file_stem().unwrap_or_default();
    args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(stem))
}

/// The command as typed, without `--fresh`, which would discard what is to be continued.
fn resume_command() -> String {
    let quote = |word: String| match word.contains([' ', '"', '\'', '[', '*', '$']) {
        true => format!("'{}'", word.replace('\'', r"'\''")),
        false => word,
    };
    let words: Vec<String> = std::env::args().filter(|word| word != "--fresh").map(quote).collect();
    words.join(" ")
}
