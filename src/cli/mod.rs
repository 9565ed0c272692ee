//! The command line: the only place that knows clap, indicatif and printing.

mod args;
mod beside;
mod check;
mod check_report;
mod compare;
mod crew;
mod devices;
mod explain;
mod jobs;
mod man;
mod measure;
mod memory;
mod merge;
mod output;
mod plot;
mod points;
mod progress;
mod report;
mod run;
mod sample;
mod signals;
mod status;
mod table;
mod verify;
mod watch;

use crate::error::Result;
use crate::spec;
use args::{Args, Command};
use clap::{CommandFactory, Parser};
use output::{print, read_no_more, say};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Parses the arguments, carries out the command, says why it failed if it did, and gives the exit status.
pub fn main() -> ExitCode {
    silence_device_selection();
    shorten_device_panics();
    signals::outlive_file_limits();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(other) => return answer(&other),
    };
    match carry_out(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

/// What clap answers itself: help, the version, and what is wrong with the arguments.
fn answer(answer: &clap::Error) -> ExitCode {
    match answer.print().or_else(read_no_more) {
        Ok(()) => ExitCode::from(answer.exit_code() as u8),
        // Nothing more can be said on stderr; of stdout it can.
        Err(error) => {
            say(&format!("error: standard output: cannot write: {error}"));
            ExitCode::from(if answer.use_stderr() { answer.exit_code() as u8 } else { 1 })
        }
    }
}

fn carry_out(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Status(args) => status::status(&args),
        Command::Watch(args) => watch::watch(&args),
        Command::Merge(args) => merge::merge(&args),
        Command::Sample(args) => sample::sample(&args),
        Command::Measure(args) => measure::measure(&args),
        Command::Plot(args) => plot::plot(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Report(args) => report::report(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Devices { json } => devices::devices(json),
        Command::Explain { topic } => explain::explain(topic.as_deref()),
        Command::Schema => print(&serde_json::to_string_pretty(spec::json_schema()).expect("plain data")),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "flowqcd", &mut script);
            print(String::from_utf8_lossy(&script).trim_end())
        }
        Command::Man(args) => man::man(&args),
    }
}

/// Mesa has a layer that orders GPUs for a desktop; without a desktop it complains, and here adapters are told by what they are.
fn silence_device_selection() {
    if cfg!(target_os = "linux") && std::env::var_os("NODEVICE_SELECT").is_none() {
        // SAFETY: this is the first thing the program does; no other thread reads the environment yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// A device that fails does so in a thread of its own, again and again; the error follows where its results are awaited, so one
/// line is enough.
fn shorten_device_panics() {
    let usual = std::panic::take_hook();
    let reported = AtomicBool::new(false);
    std::panic::set_hook(Box::new(move |info| {
        let of_device = std::thread::current()
            .name()
            .is_some_and(|name| DEVICE_THREADS.iter().any(|prefix| name.starts_with(prefix)));
        match info.payload_as_str() {
            Some(_) if of_device && reported.swap(true, Ordering::Relaxed) => {}
            Some(reason) if of_device => say(&format!("the device reports: {reason}")),
            _ => usual(info),
        }
    }));
}

/// How the names of cubecl's device threads begin.
const DEVICE_THREADS: [&str; 2] = ["DSD-", "DSU-"];
