//! The program under `strace`: which calls it makes of the system, in order, and what it does when some of them fail.

use super::support::{Finished, Sandbox};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A program that takes so long has hung; it takes a second, most of which is the tracing.
const HANGS: Duration = Duration::from_secs(60);

/// The first thing the program itself does: it takes in a signal. What is before is the loader's.
const BEGINS: &str = "rt_sigaction(SIGXFSZ";

/// Whether there is `strace`, without which a test says so and passes, unless `FLOWQCD_REQUIRE_STRACE` is set.
pub fn is_missing() -> bool {
    let is_there = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    if !is_there {
        assert!(std::env::var_os("FLOWQCD_REQUIRE_STRACE").is_none(), "no strace, but it is required here");
        eprintln!("there is no strace: nothing is tested");
    }
    !is_there
}

/// Which calls fail, and from when on; every thread counts its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// Names of calls as strace takes them.
    pub calls: &'static str,
    pub error: &'static str,
    /// Counted from 1.
    pub nth: usize,
    /// Whether all that follow fail too.
    pub stays: bool,
}

/// A call of the program, as strace writes it: `write(5</tmp/run/train.csv>, "…", 12) = 12`.
pub type Call = String;

/// How the program ended, and what it asked of the system.
pub struct Traced {
    pub finished: Finished,
    status: ExitStatus,
    /// Calls of every thread, that of `main` first.
    threads: Vec<Vec<Call>>,
}

impl Traced {
    /// Runs the program in a sandbox; calls are written down beside it.
    ///
    /// # Panics
    /// If it hangs.
    pub fn run(sandbox: &Sandbox, arguments: &[&str], calls: &str, fault: Option<Fault>) -> Self {
        let notes = tempfile::tempdir().expect("a temporary folder");
        let (log, out) = (notes.path().join("calls"), |name: &str| notes.path().join(name));
        let mut strace = Command::new("strace");
        // Paths are shown, and only what is traced stops the program.
        strace.args(["-ff", "-y", "-qq", "--seccomp-bpf", "-e", "signal=none", "-o"]).arg(&log);
        strace.args(["-e", &format!("trace=rt_sigaction,{calls}")]);
        if let Some(Fault { calls, error, nth, stays }) = fault {
            let on = if stays { "+" } else { "" };
            strace.args(["-e", &format!("inject={calls}:error={error}:when={nth}{on}")]);
        }
        strace.arg(env!("CARGO_BIN_EXE_flowqcd")).args(arguments).current_dir(sandbox.path("."));
        strace.env("FLOWQCD_DEVICE", "cpu").stdin(Stdio::null());
        let file = |name: &str| File::create(out(name)).expect("the notes can be written");
        strace.stdout(file("stdout")).stderr(file("stderr"));
        let mut child = strace.spawn().expect("strace starts");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            if start.elapsed() > HANGS {
                let _ = child.kill();
                panic!("{arguments:?} hangs with {fault:?}");
            }
            std::thread::sleep(Duration::from_millis(3));
        };
        let text =
            |name: &str| String::from_utf8_lossy(&std::fs::read(out(name)).expect("a text")).into_owned();
        let finished = Finished { code: status.code(), stdout: text("stdout"), stderr: text("stderr") };
        Self { finished, status, threads: threads(&log) }
    }

    /// The calls that failed because they were made to.
    pub fn injected(&self) -> impl Iterator<Item = &Call> {
        self.threads.iter().flatten().filter(|call| call.ends_with("(INJECTED)"))
    }

    /// The signal that ended the program, if one did.
    pub fn signal(&self) -> Option<i32> {
        std::os::unix::process::ExitStatusExt::signal(&self.status)
    }

    /// What the first thread does, after the loader.
    pub fn main(&self) -> &[Call] {
        &self.threads[0][self.loader()..]
    }

    /// How many of some calls the loader makes, and how many the first thread in all.
    pub fn count(&self, calls: &str) -> [usize; 2] {
        let names: Vec<&str> = calls.split(',').collect();
        let is_one = |call: &&Call| names.contains(&name(call));
        let main = &self.threads[0];
        [main[..self.loader()].iter().filter(is_one).count(), main.iter().filter(is_one).count()]
    }

    fn loader(&self) -> usize {
        self.threads[0].iter().position(|call| call.starts_with(BEGINS)).unwrap_or_default()
    }
}

/// The calls of the threads, one file each, `calls.PID`; the numbers of later threads are larger as long as they do not wrap.
fn threads(log: &Path) -> Vec<Vec<Call>> {
    let entries = std::fs::read_dir(log.parent().expect("it is in a folder")).expect("the notes");
    let number = |path: &PathBuf| path.extension()?.to_str()?.parse::<u64>().ok();
    let files: BTreeMap<u64, PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| Some((number(&path)?, path)))
        .collect();
    let mut threads: Vec<Vec<Call>> = Vec::new();
    for path in files.values() {
        let bytes = std::fs::read(path).expect("a text");
        let calls: Vec<Call> = String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
        // Where they have wrapped: the first one is that of the loader.
        let place = if calls.iter().any(|call| call.starts_with(BEGINS)) { 0 } else { threads.len() };
        threads.insert(place, calls);
    }
    assert!(!threads.is_empty(), "strace has written nothing down");
    threads
}

/// The name of a call.
pub fn name(call: &str) -> &str {
    call.split('(').next().unwrap_or_default()
}

/// The file that a call is about: what its descriptor stands for, or its last path.
pub fn file(call: &str) -> &str {
    let quoted = || call.split('"').skip(1).step_by(2).last();
    let described = || call.split_once('<')?.1.split('>').next();
    match name(call) {
        "write" | "read" | "close" | "fsync" | "fdatasync" | "ftruncate" => described(),
        _ => quoted(),
    }
    .unwrap_or_default()
}
