//! `flowqcd run --jobs N`: processes that share a study, started and told to stop by this one.

use super::args::RunArgs;
use super::progress::Terminal;
use crate::device;
use crate::error::{Error, Result};
use crate::study::{Interrupt, RunDir};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Between two looks at whether processes have ended and whether a signal has come.
const PAUSE: Duration = Duration::from_millis(50);

/// A process, and the pipe that tells it to stop: with the number of the signal, or by its end if this process is gone.
struct Job {
    child: Child,
    pipe: Option<ChildStdin>,
}

/// Works on a run that was begun in so many processes; what they say is passed on.
///
/// # Errors
/// [`Error::Io`] if they cannot be started, [`Error::Interrupted`] after a signal, once all have written their checkpoints.
pub fn work(
    args: &RunArgs,
    dir: &RunDir,
    count: u64,
    progress: &Terminal,
    (interrupt, resume): (&Interrupt, &str),
) -> Result<()> {
    let (said, lines) = channel();
    let threads = (device::threads() as u64 / count).max(1);
    let mut jobs = Vec::new();
    for _ in 0..count {
        let mut child =
            command(args, dir, threads)?.spawn().map_err(Error::io(dir.path(), "start a process for"))?;
        listen(&mut child, said.clone()).map_err(Error::io(dir.path(), "start a thread for a process of"))?;
        let pipe = child.stdin.take();
        jobs.push(Job { child, pipe });
    }
    drop(said);
    let mut running = true;
    while running {
        while let Ok(line) = lines.recv_timeout(PAUSE) {
            progress.above(&line);
        }
        if let Some(signal) = interrupt.signal() {
            jobs.iter_mut().for_each(|job| stop(job, signal.0));
        }
        let ended = |job: &mut Job| job.child.try_wait().map(|status| status.is_some());
        let ended: std::io::Result<Vec<bool>> = jobs.iter_mut().map(ended).collect();
        running =
            !ended.map_err(Error::io(dir.path(), "wait for the processes of"))?.into_iter().all(|all| all);
    }
    lines.iter().for_each(|line| progress.above(&line));
    match interrupt.signal() {
        Some(signal) => Err(Error::Interrupted { signal, step: None, resume: resume.to_owned() }),
        None => Ok(()),
    }
}

/// A process that works on the run as its directory says, not as the specification file may say by now.
fn command(args: &RunArgs, dir: &RunDir, threads: u64) -> Result<Command> {
    let program = std::env::current_exe().map_err(Error::io(dir.path(), "find the program for"))?;
    let mut command = Command::new(program);
    command.arg("run").arg(dir.file("spec.toml")).arg("--out").arg(dir.path()).arg("--worker");
    command.args(["--device", &args.spec.device.device, "--threads", &threads.to_string()]);
    command.args(args.fail_fast.then_some("--fail-fast")).args(args.quiet.then_some("--quiet"));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

/// Passes on what a process says.
///
/// # Errors
/// That there is no thread to be had for it.
fn listen(child: &mut Child, said: Sender<String>) -> std::io::Result<()> {
    let Some(stderr) = child.stderr.take() else { return Ok(()) };
    let pass_on = move || {
        let lines = BufReader::new(stderr).lines().map_while(std::io::Result::ok);
        lines.for_each(|line| drop(said.send(line)));
    };
    std::thread::Builder::new().spawn(pass_on).map(drop)
}

fn stop(job: &mut Job, signal: u8) {
    if let Some(mut pipe) = job.pipe.take() {
        let _ = pipe.write_all(&[signal]);
    }
}

/// In a process that another one has started: what that one writes is a signal, and its end is one.
///
/// # Errors
/// That there is no thread to be had for it.
pub fn obey(interrupt: &Interrupt) -> std::io::Result<()> {
    let number = Arc::clone(&interrupt.0);
    let listen = move || {
        let mut byte = [0];
        let told = std::io::stdin().read(&mut byte);
        let signal = if told.is_ok_and(|count| count == 1) { byte[0] } else { HANG_UP };
        if number.load(Ordering::Relaxed) == 0 {
            number.store(usize::from(signal), Ordering::Relaxed);
        }
    };
    std::thread::Builder::new().spawn(listen).map(drop)
}

/// SIGHUP.
const HANG_UP: u8 = 1;
