//! `flowqcd run`.

use super::args::RunArgs;
use super::output::{print, say};
use super::progress::Terminal;
use super::{memory, signals, table};
use crate::device;
use crate::error::Result;
use crate::spec::Spec;
use crate::study::{Experiment, Run, RunDir};
use std::path::PathBuf;

/// Runs or continues a specification and prints the final table.
pub fn run(args: &RunArgs) -> Result<()> {
    let spec = Spec::load(&args.spec.spec, &args.spec.overrides())?;
    let device = args.spec.device.select()?;
    // What is wrong with a size or a file is to be known before anything is written.
    memory::check(&args.spec.spec, &spec, &device)?;
    Experiment::check_files(&spec)?;
    let dir = RunDir::open(&run_directory(args), &spec, args.fresh)?;
    let interrupt = signals::watch()?;
    let progress = Terminal::new(args.quiet);
    progress.line(&format!(
        "{} on {}, {}, seed {}, into {}",
        args.spec.spec.display(),
        device.name(),
        table::count(device::threads(), "thread"),
        spec.seed,
        dir.path().display()
    ));
    let outcome = Run {
        spec: &spec,
        device: &device,
        dir: &dir,
        progress: &progress,
        interrupt: &interrupt,
        resume_command: resume_command(),
    }
    .execute();
    progress.finish();
    let manifest = match outcome {
        Err(error) if args.spec.device.json => {
            print(&serde_json::json!({ "error": error.to_string() }).to_string())?;
            return Err(error);
        }
        outcome => outcome?,
    };
    let cells = &manifest.cells[..];
    for cell in cells {
        let place = if cells.len() > 1 { format!("cell {}: ", cell.cell) } else { String::new() };
        cell.summary.warnings.iter().for_each(|text| say(&format!("warning: {place}{text}")));
    }
    match (args.spec.device.json, cells) {
        (true, _) => print(&serde_json::to_string_pretty(&manifest).expect("plain data")),
        (false, [only]) => print(&table::summary(&only.summary)),
        (false, _) => print(&table::study(cells)),
    }
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
