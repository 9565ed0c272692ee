//! The N-th call of a kind fails, for every N: nothing is lost, nothing is silently missing, what to do is said, and the same
//! command goes on afterwards to the bits of a run that nothing happened to.

use super::resume::{untimed, weights};
use super::strace::{self, Fault, Traced, file};
use super::support::{Finished, Sandbox, files};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

/// A training with everything that a cell can hold, saved after every step.
pub const SPEC: &str = r#"
version = 1
seed = 3
[theory.phi4]
extents = [4, 4]
mass_squared = -1.0
coupling = 1.0
[flow.affine]
layers = 4
kernel_size = 3
hidden = [4]
[train]
smoothing_window = 20
checkpoint_seconds = 1e-6
log_every = 2
[train.batch]
size = 16
[train.optimizer.adam]
learning_rate = 2e-3
[train.stop]
steps = 6
[evaluate]
samples = 200
every = 3
[sample.direct]
configurations = 40
[sample.independence]
proposals = 60
[sample.hmc]
chains = 2
trajectories = 12
thermalization = 4
steps = 3
save_every = 3
"#;

/// Two cells without a model.
pub const STUDY: &str = r#"
version = 1
seed = 3
[theory.phi4]
extents = [4, 4]
mass_squared = 1.0
coupling = 1.0
[sample.hmc]
chains = 2
trajectories = 12
thermalization = 4
steps = 3
[study.vary]
"theory.phi4.coupling" = [0.5, 1.0]
"#;

/// Something that the program is told to do, and what there is before.
struct Task {
    name: &'static str,
    arguments: &'static str,
    before: Before,
}

enum Before {
    Specification,
    Study,
    Finished,
    /// As the program leaves it when it is killed in the middle of the last step.
    Killed,
}

const TASKS: [Task; 9] = [
    Task {
        name: "run",
        arguments: "run spec.toml --out run --threads 1 --no-plots",
        before: Before::Specification,
    },
    Task {
        name: "resume",
        arguments: "run spec.toml --out run --threads 1 --no-plots",
        before: Before::Killed,
    },
    Task {
        name: "study",
        arguments: "run study.toml --out run --threads 1 --no-plots",
        before: Before::Study,
    },
    Task {
        name: "start over",
        arguments: "run spec.toml --out run --fresh --threads 1 --no-plots",
        before: Before::Finished,
    },
    Task { name: "show", arguments: "run spec.toml --out run --threads 1", before: Before::Finished },
    Task {
        name: "sample",
        arguments: "sample run -n 30 --out phi.npz --threads 1",
        before: Before::Finished,
    },
    Task { name: "plot", arguments: "plot run --out figures", before: Before::Finished },
    Task { name: "report", arguments: "report run --out page.html", before: Before::Finished },
    Task { name: "status", arguments: "status run", before: Before::Finished },
];

/// Calls, the ways in which they fail, and whether they may do so for good: what is interrupted is tried again, for good if it must.
const FAULTS: [(&str, &[(&str, bool)]); 9] = [
    ("write", &[("ENOSPC", true), ("EIO", true), ("EDQUOT", true), ("EINTR", false)]),
    ("fsync,fdatasync", &[("EIO", true), ("ENOSPC", true), ("EDQUOT", true), ("EINTR", false)]),
    ("rename,renameat,renameat2", &[("EIO", true), ("ENOSPC", true), ("EDQUOT", true)]),
    ("openat", &[("EMFILE", true), ("EIO", true), ("ENOSPC", true), ("EINTR", false)]),
    ("ftruncate", &[("EIO", true), ("EINTR", false)]),
    ("mmap", &[("ENOMEM", true)]),
    ("close", &[("EIO", true), ("EINTR", false)]),
    ("read", &[("EIO", true), ("EINTR", false)]),
    ("clone,clone3", &[("EAGAIN", true)]),
];

/// What others are made from: a finished run.
struct Template {
    sandbox: Sandbox,
}

impl Template {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("spec.toml", SPEC);
        sandbox.flowqcd(&["run", "spec.toml", "--out", "run", "--threads", "1", "--no-plots"]).succeeds();
        Self { sandbox }
    }

    /// A sandbox as it is before a task.
    fn before(&self, task: &Task) -> Sandbox {
        let sandbox = Sandbox::new();
        sandbox.write("spec.toml", SPEC);
        sandbox.write("study.toml", STUDY);
        if let Before::Finished | Before::Killed = task.before {
            copy(&self.sandbox.path("run"), &sandbox.path("run"));
        }
        if let Before::Killed = task.before {
            let lost = [
                "record.json",
                "manifest.json",
                "checkpoints/step-0000000006.safetensors",
                "ensembles/hmc.npz",
            ];
            for name in lost {
                std::fs::remove_file(sandbox.path("run").join(name)).expect("a finished run has it");
            }
        }
        sandbox
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(std::fs::copy(&path, &to).unwrap()),
        }
    }
}

/// What there is after a task, by file: tables without times, weights, the bytes of what has no times in it.
fn found(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for path in files(&sandbox.path(".")) {
        let file = path.file_name().unwrap().to_str().unwrap();
        // Signs of processes, times, and how often somebody began; an older checkpoint to fall back on.
        if [".lock", "log.txt", "starts.json"].contains(&file)
            || file.starts_with(".claim-")
            || file.starts_with("step-")
        {
            continue;
        }
        let bytes = || std::fs::read(&path).unwrap();
        let of_run = path.components().any(|part| part.as_os_str() == "run");
        let held = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json" | "safetensors") => String::new(),
            Some("csv") if of_run => untimed(&String::from_utf8(bytes()).unwrap()),
            _ => blake3::hash(&bytes()).to_string(),
        };
        found.insert(path.strip_prefix(sandbox.path(".")).unwrap().display().to_string(), held);
    }
    if sandbox.path("run/checkpoints").is_dir() && sandbox.path("run/ess.csv").is_file() {
        found.insert("weights".into(), weights(sandbox, "run"));
    }
    found
}

/// A task with what it leaves behind when nothing happens to it.
struct Quiet<'a> {
    template: &'a Template,
    task: &'a Task,
    found: BTreeMap<String, String>,
    /// What is shown of it, if that has no times of its own.
    said: Option<String>,
    traced: Traced,
}

/// What became of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    NotHit,
    /// The program went on, and nothing is missing.
    Overcome,
    /// The program stopped with an error.
    Told,
}

impl<'a> Quiet<'a> {
    fn new(template: &'a Template, task: &'a Task) -> Self {
        let sandbox = template.before(task);
        let calls: Vec<&str> = FAULTS.iter().map(|(calls, _)| *calls).collect();
        let traced = Traced::run(&sandbox, &arguments(task), &calls.join(","), None);
        assert_eq!(traced.finished.code, Some(0), "{}", traced.finished.stderr);
        let is_stored = ["show", "plot", "report", "status"].contains(&task.name);
        let said = is_stored.then(|| traced.finished.stdout.clone());
        Self { template, task, found: found(&sandbox), said, traced }
    }

    /// Does it with a fault, and then without; what is against the laws is returned as an error.
    fn try_with(&self, fault: Fault) -> Result<Outcome, String> {
        let sandbox = self.template.before(self.task);
        let traced = Traced::run(&sandbox, &arguments(self.task), fault.calls, Some(fault));
        let Some(injected) = traced.injected().next() else { return Ok(Outcome::NotHit) };
        let outcome = self.judge(&traced, fault, &sandbox).and_then(|outcome| {
            let again = sandbox.flowqcd(&arguments(self.task));
            self.is_whole(&again, &sandbox, true)
                .map(|()| outcome)
                .map_err(|rule| format!("afterwards: {rule}"))
        });
        outcome.map_err(|rule| {
            let Finished { code, stderr, .. } = &traced.finished;
            format!(
                "{} with {fault:?}: {injected}\n  {rule}\n  code {code:?}, stderr:\n{stderr}",
                self.task.name
            )
        })
    }

    fn judge(&self, traced: &Traced, fault: Fault, sandbox: &Sandbox) -> Result<Outcome, String> {
        let Finished { code, stderr, .. } = &traced.finished;
        if let Some(signal) = traced.signal() {
            return Err(format!("ended by signal {signal}"));
        }
        if stderr.contains("panicked") {
            return Err("a panic".into());
        }
        match code {
            // Figures come after the results; that there are none is said, where anything can be.
            Some(0) => {
                let is_mute = fault.stays && fault.calls == "write";
                let is_warned = is_mute || stderr.contains("warning: no figures");
                self.is_whole(&traced.finished, sandbox, !is_warned).map(|()| Outcome::Overcome)
            }
            Some(1 | 2) => says_what_to_do(stderr, traced, fault).map(|()| Outcome::Told),
            other => Err(format!("exit status {other:?}")),
        }
    }

    /// Whether everything is there as it is without a fault.
    fn is_whole(&self, finished: &Finished, sandbox: &Sandbox, with_figures: bool) -> Result<(), String> {
        if finished.code != Some(0) {
            return Err(format!("exit status {:?}:\n{}", finished.code, finished.stderr));
        }
        let (mut found, mut expected) = (found(sandbox), self.found.clone());
        let counts = |file: &String| with_figures || !file.starts_with("run/figures/");
        [&mut found, &mut expected].into_iter().for_each(|all| all.retain(|file, _| counts(file)));
        let names = found.keys().chain(expected.keys());
        let differ: Vec<&String> = names.filter(|name| found.get(*name) != expected.get(*name)).collect();
        if !differ.is_empty() {
            return Err(format!(
                "all is said to be well, but these are missing, damaged or too many: {differ:?}"
            ));
        }
        match &self.said {
            Some(said) if *said != finished.stdout => {
                Err(format!("shows another result:\n{}", finished.stdout))
            }
            _ => Ok(()),
        }
    }
}

/// An error names the file, or one of them where all fail, and has a hint. What cannot be said on a stderr that fails is not.
fn says_what_to_do(stderr: &str, traced: &Traced, fault: Fault) -> Result<(), String> {
    let injected: Vec<&String> = traced.injected().collect();
    if injected.iter().any(|call| call.starts_with("write(2<")) {
        return Ok(());
    }
    if !stderr.contains("error: ") || !stderr.contains("\nhint: ") {
        return Err(format!("does not say what is wrong and what to do about {fault:?}"));
    }
    // A temporary file is named by what it is for, the folder of the sandbox by nothing; there is none of standard output, pipes, memory.
    let file = |call: &&String| Path::new(file(call)).file_name()?.to_str().map(str::to_owned);
    let is_named = |file: &String| file.starts_with(".tmp") || file == "stdout" || stderr.contains(file);
    let of_system = |call: &&String| ["/proc/", "/sys/", "/etc/"].iter().any(|folder| call.contains(folder));
    let mut files = injected.iter().filter(|call| !of_system(call)).filter_map(file).peekable();
    match files.peek().is_none() || files.any(|file| is_named(&file)) {
        true => Ok(()),
        false => Err("does not name the file".into()),
    }
}

fn arguments(task: &Task) -> Vec<&'static str> {
    task.arguments.split(' ').collect()
}

/// Counts of outcomes by task and call.
#[derive(Default)]
struct Tally(BTreeMap<(&'static str, &'static str), BTreeMap<Outcome, usize>>);

impl Tally {
    fn hits(&self) -> usize {
        self.0
            .values()
            .flatten()
            .filter(|(outcome, _)| **outcome != Outcome::NotHit)
            .map(|(_, count)| count)
            .sum()
    }

    fn print(&self) {
        println!("\n| command | call | faults | went on, whole | stopped, told |\n|---|---|---:|---:|---:|");
        for ((task, calls), outcomes) in &self.0 {
            let of = |outcome| outcomes.get(&outcome).copied().unwrap_or_default();
            let [overcome, told] = [of(Outcome::Overcome), of(Outcome::Told)];
            println!("| {task} | {calls} | {} | {overcome} | {told} |", overcome + told);
        }
        println!("\n{} faults in all", self.hits());
    }
}

/// Makes calls of every kind fail in every task: each one, or so many of them, spread over all, in turn by every error, once and for good.
fn make_fail(most: Option<usize>) -> Tally {
    let template = Template::new();
    let (tally, broken) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    let asked = std::env::var("FLOWQCD_TASKS").ok().filter(|_| most.is_none());
    let is_asked =
        |task: &&Task| asked.as_ref().is_none_or(|asked| asked.split(',').any(|name| name == task.name));
    for task in TASKS.iter().filter(is_asked) {
        let quiet = Quiet::new(&template, task);
        let trials = Mutex::new(
            FAULTS.iter().flat_map(|kind| faults(kind, &quiet.traced, most)).rev().collect::<Vec<_>>(),
        );
        let work = || {
            while let Some(fault) = { trials.lock().unwrap().pop() } {
                match quiet.try_with(fault) {
                    Ok(outcome) => {
                        let mut tally = tally.lock().unwrap();
                        *tally.0.entry((task.name, fault.calls)).or_default().entry(outcome).or_default() +=
                            1;
                    }
                    Err(rule) => {
                        println!("{rule}");
                        broken.lock().unwrap().push(rule);
                    }
                }
            }
        };
        std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
        println!("{}: {} faults by now", task.name, tally.lock().unwrap().hits());
    }
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{} laws are broken:\n{}", broken.len(), broken.join("\n"));
    tally.into_inner().unwrap()
}

/// The faults of a kind in a task of which it is known what it calls.
fn faults(kind: &(&'static str, &[(&'static str, bool)]), quiet: &Traced, most: Option<usize>) -> Vec<Fault> {
    let (calls, errors) = *kind;
    let [loader, all] = quiet.count(calls);
    let ways: Vec<(&str, bool)> = errors
        .iter()
        .flat_map(|&(error, for_good)| {
            [(error, false), (error, true)].into_iter().take(1 + usize::from(for_good))
        })
        .collect();
    let fault = |nth: usize, (error, stays): (&'static str, bool)| Fault { calls, error, nth, stays };
    match most {
        // A few more than there were: until none is hit.
        None => (loader + 1..=all + 3).flat_map(|nth| ways.iter().map(move |&way| fault(nth, way))).collect(),
        Some(most) => {
            let stride = (all - loader).div_ceil(most).max(1);
            let places = (loader + 1..=all).step_by(stride);
            places.enumerate().map(|(place, nth)| fault(nth, ways[place % ways.len()])).collect()
        }
    }
}

#[test]
fn whatever_call_fails_nothing_is_lost_and_what_to_do_is_said() {
    if strace::is_missing() {
        return;
    }
    let tally = make_fail(Some(5));
    assert!(tally.hits() > 150, "only {} faults were hit", tally.hits());
}

/// Whoever goes on without it would share the run with anybody.
#[test]
fn a_lock_that_could_not_be_had_for_a_moment_is_taken_before_anything_is_written() {
    if strace::is_missing() {
        return;
    }
    let (template, resume) = (Template::new(), &TASKS[1]);
    let run = |fault| {
        let sandbox = template.before(resume);
        let traced = Traced::run(&sandbox, &arguments(resume), "openat,flock", fault);
        assert_eq!(traced.finished.code, Some(0), "{}", traced.finished.stderr);
        traced
    };
    let is_lock = |call: &&String| call.contains("run/.lock\"");
    let is_open = |call: &&String| strace::name(call) == "openat";
    let quiet = run(None);
    let before = quiet.main().iter().filter(is_open).take_while(|call| !is_lock(call)).count();
    let nth = quiet.count("openat")[0] + before + 1;
    let traced = run(Some(Fault { calls: "openat", error: "EMFILE", nth, stays: false }));
    assert!(traced.injected().all(|call| is_lock(&call)), "another file was hit");
    let calls = traced.main();
    let locked = calls.iter().position(|call| call.starts_with("flock(") && call.ends_with("= 0"));
    let written = calls.iter().position(|call| call.contains("O_CREAT") && call.contains(".tmp-"));
    assert!(locked.expect("it is locked") < written.expect("something is written"));
}

/// Every one of them; of the tasks that `FLOWQCD_TASKS` names alone, separated by commas, if it is set.
#[test]
#[ignore = "a campaign of an hour"]
fn every_call_fails_once_and_for_good() {
    make_fail(None).print();
}
