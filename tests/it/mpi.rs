//! Several processes under `mpirun` are one run: the same bits on any number of them, stopped and ended together.

use super::resume::{assert_same, results};
use super::support::{Finished, Sandbox, wait_until};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// φ⁴ with every method, a few seconds long.
const PHI4: &str = r#"
version = 1
seed = 5
[theory.phi4]
extents = [4, 4]
mass_squared = -1.0
coupling = 1.0
[flow.affine]
layers = 4
kernel_size = 3
hidden = [6]
[train]
smoothing_window = 20
checkpoint_seconds = 0.05
[train.batch]
size = 40
micro_batch = 6
[train.optimizer.adam]
learning_rate = 2e-3
[train.stop]
steps = 120
[evaluate]
samples = 3000
every = 50
[sample.direct]
configurations = 2500
[sample.independence]
proposals = 3000
[sample.hmc]
chains = 20
trajectories = 60
thermalization = 40
steps = 5
"#;

/// Starts so many processes of the program.
fn mpirun(sandbox: &Sandbox, processes: usize, arguments: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command.args([
        "--allow-run-as-root",
        "--oversubscribe",
        "--bind-to",
        "none",
        "-n",
        &processes.to_string(),
    ]);
    command.args(["--mca", "odls_base_sigkill_timeout", "20"]);
    command.arg(env!("CARGO_BIN_EXE_flowqcd")).args(arguments).current_dir(sandbox.path("."));
    command.stdin(Stdio::null()).env("FLOWQCD_DEVICE", "cpu");
    command
}

fn together(sandbox: &Sandbox, processes: usize, arguments: &[&str]) -> Finished {
    Finished::new(mpirun(sandbox, processes, arguments).output().expect("mpirun is installed"))
}

#[test]
fn any_number_of_processes_is_one_run_with_the_same_bits() {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", PHI4);
    sandbox.flowqcd(&["run", "spec.toml", "--out", "alone", "--no-plots"]).succeeds();
    let expected = results(&sandbox, "alone");
    for processes in [2, 3, 4, 7] {
        let out = format!("run-{processes}");
        let run = together(
            &sandbox,
            processes,
            &["run", "spec.toml", "--out", &out, "--no-plots", "--threads", "1"],
        );
        assert_eq!(run.succeeds().stdout.matches("direct").count() > 0, true);
        assert_same(&sandbox, &out, &expected);
    }
}
