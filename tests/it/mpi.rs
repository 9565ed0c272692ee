//! Several processes under `mpirun` are one run: the same bits on any number of them, stopped and ended together.

use super::resume::{assert_same, results, tables};
use super::support::{Finished, Sandbox, TINY, wait_until};
use flowqcd::comm::{Comm, Launched, Mpi};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// φ⁴ with every method, a few seconds long.
fn phi4() -> String {
    let chains = "[sample.independence]\nproposals = 3000\n\
                  [sample.hmc]\nchains = 20\ntrajectories = 60\nthermalization = 40\nsteps = 5\n";
    TINY.replace("steps = 1000", "steps = 120").replace("micro_batch = 20", "micro_batch = 5") + chains
}

/// The Schwinger model, with a loss that draws first and one that learns from chains beside it.
const SCHWINGER: &str = r#"
version = 1
seed = 5
[theory.schwinger]
extents = [4, 4]
beta = 1.0
kappa = 0.2
[flow.gauge]
layers = 8
kernel_size = 3
hidden = [4]
[train.loss.reverse_kl]
gradient = "reinforce"
[train.batch]
size = 20
micro_batch = 3
[train.optimizer.adam]
learning_rate = 1e-3
[train.stop]
steps = 12
[evaluate]
samples = 500
every = 6
[sample.hmc]
chains = 5
trajectories = 30
thermalization = 20
steps = 5
"#;

/// Seconds in which processes that are asked or made to end have ended: five where nothing else runs.
const ENDS_WITHIN_S: u64 = 30;

/// The launcher of the MPI that the program was built with.
struct Launcher {
    program: String,
    is_open_mpi: bool,
}

impl Launcher {
    /// `mpirun`, or what the variable `MPIRUN` says.
    fn new() -> Self {
        let program = std::env::var("MPIRUN").unwrap_or_else(|_| "mpirun".into());
        let version = Command::new(&program).arg("--version").output().expect("there is a launcher").stdout;
        Self { program, is_open_mpi: String::from_utf8_lossy(&version).contains("Open MPI") }
    }

    /// The launcher and what it must be told, for a shell.
    fn words(&self) -> String {
        // Open MPI binds each process to a core, and gives those that are to end a second, twice, if nothing else is said.
        let options = match self.is_open_mpi {
            true => " --allow-run-as-root --oversubscribe --bind-to none --mca odls_base_sigkill_timeout 3",
            false => "",
        };
        format!("{}{options}", self.program)
    }

    fn command(&self, processes: usize, program: &str) -> Command {
        let words = self.words();
        let mut words = words.split(' ');
        let mut command = Command::new(words.next().expect("a launcher"));
        command.args(words).args(["-n", &processes.to_string(), program]);
        command
    }
}

/// Starts so many processes of the program.
fn mpirun(sandbox: &Sandbox, processes: usize, arguments: &[&str]) -> Command {
    let mut command = Launcher::new().command(processes, env!("CARGO_BIN_EXE_flowqcd"));
    command.args(arguments).current_dir(sandbox.path("."));
    command.stdin(Stdio::null()).env("FLOWQCD_DEVICE", "cpu");
    command
}

fn together(sandbox: &Sandbox, processes: usize, arguments: &[&str]) -> Finished {
    Finished::new(mpirun(sandbox, processes, arguments).output().expect("mpirun is installed"))
}

#[test]
fn any_number_of_processes_is_one_run_with_the_same_bits() {
    let mixture = SCHWINGER.replace(
        "[train.loss.reverse_kl]\ngradient = \"reinforce\"",
        "[train.loss.mixture]\nreverse_weight = 1.0\nforward_weight = 0.5\nforward_kl.hmc = { chains = 4, every = 2 }",
    );
    for spec in [&*phi4(), SCHWINGER, &mixture] {
        let sandbox = Sandbox::new();
        sandbox.write("spec.toml", spec);
        sandbox.flowqcd(&["run", "spec.toml", "--out", "alone", "--no-plots"]).succeeds();
        let expected = tables(&sandbox, "alone");
        for processes in [2, 3, 4, 7] {
            let out = format!("run-{processes}");
            let run = ["run", "spec.toml", "--out", &out, "--no-plots", "--threads", "1"];
            let run = together(&sandbox, processes, &run).succeeds();
            // One of them speaks.
            assert_eq!(run.stdout.matches("ESS, fresh samples").count(), 1, "{}", run.stdout);
            assert!(run.stderr.contains(&format!("{processes} x cpu")), "{}", run.stderr);
            assert_eq!(tables(&sandbox, &out), expected, "{processes} processes of\n{spec}");
        }
    }
}

#[test]
fn an_ensemble_of_several_processes_is_that_of_one() {
    let sandbox = Sandbox::new();
    // An index is smaller than one of these configurations.
    sandbox.write("spec.toml", &TINY.replace("steps = 1000", "steps = 5").replace("[4, 4]", "[24, 24]"));
    sandbox.flowqcd(&["run", "spec.toml", "--out", "run", "--no-plots"]).succeeds();
    sandbox.flowqcd(&["sample", "run", "-n", "1500", "--out", "one.npz"]).succeeds();
    let run = together(&sandbox, 3, &["sample", "run", "-n", "1500", "--out", "three.npz"]).succeeds();
    assert_eq!(run.stdout.matches("ESS").count(), 1, "{}", run.stdout);
    let measured = |ensemble: &str| sandbox.flowqcd(&["measure", ensemble, "--json"]).succeeds().stdout;
    assert_eq!(measured("three.json"), measured("one.npz"));
    let archives = sandbox.names().iter().filter(|name| name.starts_with("three.rank-")).count();
    assert_eq!(archives, 3);
}

#[test]
fn processes_that_are_asked_to_stop_leave_a_checkpoint_from_which_others_go_on() {
    let sandbox = Sandbox::new();
    let whole = whole_run(&sandbox, 2500);
    stopped_again_and_again(&sandbox, 4);
    assert_same(&sandbox, "stopped", &whole);
}

#[test]
fn a_killed_process_ends_all_and_others_go_on_from_the_last_checkpoint() {
    let sandbox = Sandbox::new();
    let whole = whole_run(&sandbox, 2500);
    killed_again_and_again(&sandbox, 3);
    assert_same(&sandbox, "killed", &whole);
}

/// The same, often.
#[test]
#[ignore = "a campaign of some minutes"]
fn twenty_kills_and_twenty_signals_change_nothing() {
    let sandbox = Sandbox::new();
    let whole = whole_run(&sandbox, 25_000);
    let stopped = stopped_again_and_again(&sandbox, 20);
    let killed = killed_again_and_again(&sandbox, 20);
    assert_same(&sandbox, "stopped", &whole);
    assert_same(&sandbox, "killed", &whole);
    assert_eq!([stopped, killed], [20, 20]);
    println!("{stopped} runs were stopped and {killed} processes were killed: no difference");
}

#[test]
fn what_one_process_misses_is_said_once_and_ends_all() {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", &phi4());
    // Rank 1 has another instruction set, or was started with another command.
    let mixed = |variable: &str, arguments: &str| {
        let program = env!("CARGO_BIN_EXE_flowqcd");
        let script = format!(
            "{} -n 1 env FLOWQCD_ISA=avx2 {program} run spec.toml --out mixed : \
             -n 1 env {variable} {program} run spec.toml --out mixed {arguments}",
            Launcher::new().words()
        );
        let run = sandbox.shell(&script);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(!sandbox.path("mixed").exists(), "nothing was begun");
        run.stderr
    };
    let said = mixed("FLOWQCD_ISA=portable", "");
    assert!(said.matches("error:").count() == 1 && said.contains("rank 1 is flowqcd"), "{said}");
    let said = mixed("FLOWQCD_ISA=avx2", "--seed 3");
    assert!(said.matches("error:").count() == 1 && said.contains("other arguments"), "{said}");
    let said = mixed("FLOWQCD_ISA=mmx", "");
    assert!(said.contains("process of rank 1") && said.contains("FLOWQCD_ISA = mmx"), "{said}");
}

#[test]
fn errors_of_the_leader_end_all_with_their_own_status() {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", &phi4().replace("layers = 4", "layers = 0"));
    let run = together(&sandbox, 3, &["run", "spec.toml"]);
    assert_eq!((run.code, run.stderr.matches("error:").count()), (Some(2), 1), "{}", run.stderr);
    sandbox.write("spec.toml", &phi4());
    let run = together(&sandbox, 2, &["run", "spec.toml", "--jobs", "2"]);
    assert!(run.code == Some(2) && run.stderr.contains("--jobs = 2"), "{}", run.stderr);
}

#[test]
fn a_process_that_may_use_one_core_only_is_told_of_the_others() {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", &phi4().replace("steps = 120", "steps = 2"));
    let started = |out: &str, on: &str| {
        let program = env!("CARGO_BIN_EXE_flowqcd");
        let launcher = format!("{on} {} -n 1 {program}", Launcher::new().words());
        sandbox.shell(&format!("{launcher} run spec.toml --out {out} --no-plots")).succeeds().stderr
    };
    if std::thread::available_parallelism().unwrap().get() > 1 {
        assert!(started("one", "taskset -c 0").contains("warning: each process may use 1 of"));
        assert!(!started("all", "").contains("warning: each process"));
    }
}

#[test]
fn a_launcher_of_another_mpi_is_noticed() {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", &phi4());
    let other = if Launcher::new().is_open_mpi { "PMI_SIZE" } else { "OMPI_COMM_WORLD_SIZE" };
    let run = sandbox.flowqcd_with((other, "4"), &["run", "spec.toml"]);
    assert!(run.code == Some(2) && run.stderr.contains(&format!("{other} = 4")), "{}", run.stderr);
    assert!(!sandbox.path("runs").exists());
}

#[test]
fn a_panic_of_one_process_ends_all() {
    let program = std::env::current_exe().unwrap();
    let mut command = Launcher::new().command(3, program.to_str().expect("the path is UTF-8"));
    command.args(["--ignored", "--exact", "mpi::the_last_of_some_processes_panics", "--nocapture"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("mpirun is installed");
    let said = ended(child, "a panic").stderr;
    assert!(said.contains("the last one panics"), "{said}");
}

/// One of the processes of the test above.
#[test]
#[ignore = "does nothing by itself"]
fn the_last_of_some_processes_panics() {
    let Some(launched) = Launched::here() else { return };
    let mpi = Mpi::join(&launched, "", Default::default()).unwrap();
    assert!(mpi.rank() + 1 < mpi.size(), "the last one panics");
    // All others wait for it.
    mpi.gather(Vec::new());
    mpi.broadcast(Vec::new());
}

/// A run that nothing disturbs, of the specification that the others are of.
fn whole_run(sandbox: &Sandbox, steps: u64) -> Vec<(String, String)> {
    // Some seconds of work, with a part of each batch for everybody.
    let longer = TINY.replace("steps = 1000", &format!("steps = {steps}"));
    let longer = longer.replace("micro_batch = 20", "micro_batch = 5");
    sandbox.write("spec.toml", &longer);
    sandbox.flowqcd(&["run", "spec.toml", "--out", "whole", "--no-plots"]).succeeds();
    results(sandbox, "whole")
}

/// Starts the run on changing numbers of processes.
fn start(sandbox: &Sandbox, out: &str, attempt: usize) -> Child {
    let run = ["run", "spec.toml", "--out", out, "--no-plots", "--threads", "1", "--quiet"];
    let mut command = mpirun(sandbox, [2, 3, 4, 1][attempt % 4], &run);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("mpirun is installed")
}

/// Lets it work for a while that changes with the attempt; whether it is still there then.
fn works(child: &mut Child, sandbox: &Sandbox, out: &str, attempt: usize) -> bool {
    // Starting takes a second; from the first checkpoint on there is something to lose.
    wait_until("the run begins", || {
        sandbox.path(&format!("{out}/checkpoints")).exists() || child.try_wait().unwrap().is_some()
    });
    std::thread::sleep(Duration::from_millis(300 + attempt as u64 * 137 % 400));
    child.try_wait().unwrap().is_none()
}

/// Waits for the end, and says how it ended.
fn ended(child: Child, what: &str) -> Finished {
    let start = Instant::now();
    let finished = Finished::new(child.wait_with_output().unwrap());
    let seconds = start.elapsed().as_secs();
    assert!(seconds < ENDS_WITHIN_S, "{what}: ended after {seconds} s\n{}", finished.stderr);
    finished
}

/// Whether a run got through. MPICH's launcher gives nought after some of its signals, whatever the processes gave.
fn is_whole(sandbox: &Sandbox, out: &str) -> bool {
    sandbox.path(&format!("{out}/record.json")).exists()
}

/// Process numbers of the program under a launcher, in the order of ranks: its children, or those of its helper.
fn ranks(launcher: &Child) -> Vec<u32> {
    let of = |pid: u32, key: &str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        Some(status.lines().find_map(|line| line.strip_prefix(key))?.trim().to_owned())
    };
    let parent = |pid: u32| of(pid, "PPid:")?.parse().ok();
    let is_under =
        |pid: u32| std::iter::successors(Some(pid), |pid| parent(*pid)).any(|pid| pid == launcher.id());
    let entries = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found: Vec<u32> = entries
        .filter(|&pid| of(pid, "Name:").is_some_and(|name| name == "flowqcd") && is_under(pid))
        .collect();
    found.sort_unstable();
    found
}

/// Sends a signal to a process that may have just ended.
fn send(signal: &str, to: u32) {
    Command::new("kill")
        .args([signal, &to.to_string()])
        .stderr(Stdio::null())
        .status()
        .expect("there is kill");
}

/// Stops a run by signals to the launcher or to one of the processes, and continues it; gives how often.
fn stopped_again_and_again(sandbox: &Sandbox, times: usize) -> usize {
    let mut stopped = 0;
    for attempt in 0..times {
        let mut child = start(sandbox, "stopped", attempt);
        if !works(&mut child, sandbox, "stopped", attempt) {
            break;
        }
        let all = ranks(&child);
        let (signal, to) = match (attempt % 3, &all[..]) {
            (0, _) => ("-USR1", child.id()),
            (1, [_, ..]) => ("-TERM", all[attempt % all.len()]),
            _ => ("-TERM", child.id()),
        };
        send(signal, to);
        let what = format!("{signal} of attempt {attempt}");
        let finished = ended(child, &what);
        if is_whole(sandbox, "stopped") {
            break;
        }
        // Open MPI passes nothing on any more that is said after a signal to its launcher, and MPICH no exit status for certain.
        assert!(finished.code != Some(0) || !Launcher::new().is_open_mpi, "{what}: {}", finished.stderr);
        let log = sandbox.read("stopped/log.txt");
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains("stopped by SIG") && last.contains("run spec.toml"), "{what}:\n{log}");
        stopped += 1;
    }
    assert!(stopped >= 2, "the run was stopped only {stopped} times");
    sandbox.flowqcd(&["run", "spec.toml", "--out", "stopped", "--no-plots"]).succeeds();
    stopped
}

/// Kills one process of a run after the other, and continues it; gives how often.
fn killed_again_and_again(sandbox: &Sandbox, times: usize) -> usize {
    let mut killed = 0;
    for attempt in 0..times {
        let mut child = start(sandbox, "killed", attempt);
        if !works(&mut child, sandbox, "killed", attempt) {
            break;
        }
        let all = ranks(&child);
        if !all.is_empty() {
            send("-KILL", all[attempt * 7 % all.len()]);
        }
        let finished = ended(child, &format!("kill of attempt {attempt}"));
        if is_whole(sandbox, "killed") {
            break;
        }
        assert_ne!(finished.code, Some(0), "{}", finished.stderr);
        killed += 1;
    }
    assert!(killed >= 1, "only {killed} processes were killed");
    sandbox.flowqcd(&["run", "spec.toml", "--out", "killed", "--no-plots"]).succeeds();
    killed
}
