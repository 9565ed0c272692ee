//! The wgpu device gives the CPU's numbers.

use super::ensembles::{CHAINS, array};
use super::gauge_flows::U1;
use super::support::{Finished, Sandbox, TINY, column};
use std::io::Write;
use std::time::Duration;

/// Sums of a few dozen terms in another order, carried through a handful of steps.
const TOLERANCE: f64 = 1e-3;

/// On a machine without any adapter the test says so and passes, unless `FLOWQCD_REQUIRE_GPU` is set.
#[test]
fn a_few_training_steps_agree_with_the_cpu() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 3").replace("layers = 4", "layers = 2");
    sandbox.write("tiny.toml", &spec.replace("2000", "16").replace("1500", "16"));
    let gpu = sandbox.flowqcd(&["run", "tiny.toml", "--out", "gpu", "--device", "wgpu:0"]);
    if left_out(&gpu) {
        return;
    }
    gpu.succeeds();
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "cpu", "--device", "cpu"]).succeeds();
    compare(&sandbox, "gpu");
}

/// Mesa looks for a desktop to order GPUs for, and complains where there is none, unless it is told not to.
#[cfg(target_os = "linux")]
#[test]
fn nothing_is_said_of_a_desktop_that_is_not_there() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 1"));
    let alone = |arguments: &str| {
        sandbox.shell(&format!(
            "unset NODEVICE_SELECT XDG_RUNTIME_DIR WAYLAND_DISPLAY; \"$FLOWQCD\" {arguments}"
        ))
    };
    let listed = alone("devices").succeeds();
    assert_eq!(listed.stderr, "");
    let refused = alone("verify --device wgpu:nowhere");
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    if left_out(&refused) {
        return;
    }
    let [checked, run] = ["check tiny.toml --device auto", "run tiny.toml --device wgpu:0"].map(alone);
    for finished in [refused, checked.succeeds(), run.succeeds()] {
        assert!(!finished.stderr.contains("XDG_RUNTIME_DIR"), "{}", finished.stderr);
    }
}

/// Gaussian bases, and densities made even in the loss.
#[test]
fn bases_and_symmetrised_flows_agree_with_the_cpu() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 3").replace("layers = 4", "layers = 2");
    sandbox.write("tiny.toml", &spec.replace("2000", "16").replace("1500", "16"));
    let bases =
        ["free_field", "learned_spectrum"].map(|base| format!("flow.affine.base.{base}.mass_squared=0.5"));
    for base in &bases {
        for symmetrise in ["never", "always", "equivariant"] {
            let symmetrise = format!("flow.affine.symmetrise={symmetrise}");
            if !agrees_with_the_cpu(&sandbox, &["--set", base, "--set", &symmetrise]) {
                return;
            }
        }
    }
}

/// Runs `tiny.toml` on both and compares what training did; whether there is an adapter.
fn agrees_with_the_cpu(sandbox: &Sandbox, more: &[&str]) -> bool {
    let run = |out: &str, device: &str| {
        let arguments = ["run", "tiny.toml", "--fresh", "--out", out, "--device", device];
        sandbox.flowqcd(&[&arguments[..], more].concat())
    };
    let gpu = run("gpu", "wgpu:0");
    if left_out(&gpu) {
        return false;
    }
    gpu.succeeds();
    run("cpu", "cpu").succeeds();
    compare(sandbox, "gpu");
    true
}

/// Two passes at once, a batch drawn before its gradients, and chains of the target on the host.
#[test]
fn every_loss_agrees_with_the_cpu() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 3").replace("layers = 4", "layers = 2");
    let spec = spec.replace("2000", "16").replace("1500", "16");
    let losses = [
        "reverse_kl]\ngradient = \"path\"",
        "reverse_kl]\ngradient = \"reinforce\"",
        "forward_kl]\nhmc = { chains = 8, thermalization = 50 }",
        "mixture]\nreverse_weight = 1.0\nforward_weight = 0.5\nforward_kl.hmc = { chains = 8 }",
    ];
    for loss in losses {
        sandbox.write("tiny.toml", &format!("{spec}\n[train.loss.{loss}\n"));
        if !agrees_with_the_cpu(&sandbox, &[]) {
            return;
        }
    }
}

/// With the determinant on the host; every estimator, both maps.
#[test]
fn flows_of_links_agree_with_the_cpu() {
    let sandbox = Sandbox::new();
    let spec = U1.replace("steps = 300", "steps = 3").replace("kappa = 0.0", "kappa = 0.2");
    sandbox.write("tiny.toml", &spec.replace("samples = 4000", "samples = 16").replace("20000", "16"));
    let losses = [
        "reverse_kl={gradient=\"path\"}",
        "reverse_kl={gradient=\"reinforce\"}",
        "forward_kl={hmc={chains=8}}",
    ];
    let losses = losses.map(|loss| format!("train.loss={{{loss}}}"));
    let tan = "flow.gauge.map={tan={components=3}}";
    let even = ["--set", "flow.gauge.symmetrise=equivariant"];
    let moving = ["--set", "flow.gauge.sectors.weights.learned={}"];
    let all = [
        &[][..],
        &["--set", &losses[0]],
        &["--set", &losses[1]],
        &["--set", &losses[2]],
        &["--set", tan],
        &even,
        &moving,
    ];
    for more in all {
        if !agrees_with_the_cpu(&sandbox, more) {
            return;
        }
    }
}

/// With the determinant on the device: training agrees within rounding, says by how much, and weights are those of double precision;
/// without a GPU it says that it has no effect, and has none.
#[test]
fn determinants_on_the_device_train_as_those_of_the_host() {
    let sandbox = Sandbox::new();
    let spec = U1.replace("steps = 300", "steps = 3").replace("kappa = 0.0", "kappa = 0.2");
    sandbox.write("tiny.toml", &spec.replace("samples = 4000", "samples = 16").replace("20000", "16"));
    let device = ["--set", "train.determinant=device"];
    if !agrees_with_the_cpu(&sandbox, &device) {
        return;
    }
    let log = sandbox.read("gpu/log.txt");
    assert!(log.contains("train.determinant = \"device\": on ") && log.contains("double precision"), "{log}");
    let log = sandbox.read("cpu/log.txt");
    assert!(log.contains("train.determinant has no effect on the CPU"), "{log}");
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "host", "--device", "cpu"]).succeeds();
    assert_eq!(sandbox.read("cpu/observables.csv"), sandbox.read("host/observables.csv"));
}

/// A run that was killed on a GPU goes on from its checkpoint on the CPU, to the numbers that the CPU alone gives.
#[test]
fn a_checkpoint_moves_from_a_gpu_to_the_cpu() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("layers = 4", "layers = 2").replace("steps = 1000", "steps = 30");
    sandbox.write("tiny.toml", &spec.replace("every = 100", "every = 1000"));
    let mut child = sandbox.start(&["run", "tiny.toml", "--out", "moved", "--device", "wgpu:0"]);
    let folder = sandbox.path("moved/checkpoints");
    let is_checkpoint = |name: std::ffi::OsString| name.to_string_lossy().starts_with("step-");
    let has_checkpoint = || {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        files.into_iter().any(|file| is_checkpoint(file.file_name()))
    };
    while !has_checkpoint() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    let ended = Finished::new(child.wait_with_output().unwrap());
    if left_out(&ended) {
        return;
    }
    let moved = sandbox.flowqcd(&["run", "tiny.toml", "--out", "moved", "--device", "cpu"]).succeeds();
    assert!(moved.stderr.contains("continuing after step"), "{}", moved.stderr);
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "cpu", "--device", "cpu"]).succeeds();
    compare(&sandbox, "moved");
}

/// Learning from an ensemble, judging on it, studies and Metropolis: all of it computes on a GPU too.
#[test]
fn what_is_learned_from_an_ensemble_agrees_with_the_cpu() {
    let sandbox = Sandbox::new();
    sandbox.write("chains.toml", &(TINY.replace("steps = 1000", "steps = 2") + CHAINS));
    sandbox.flowqcd(&["run", "chains.toml", "--out", "chains", "--device", "cpu"]).succeeds();
    let study = "[study.vary]\n\"train.optimizer.adam.learning_rate\" = [2e-3, 5e-3]\n";
    let spec = TINY.replace("steps = 1000", "steps = 2").replace("2000", "40").replace("1500", "40");
    sandbox.write("tiny.toml", &(spec + study));
    let sets = [
        "train.loss.forward_kl.ensemble=chains/ensembles/hmc.npz",
        "evaluate.target=chains/ensembles/hmc.npz",
        "sample.independence.proposals=40",
    ];
    let options: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    let run = |device: &str| {
        let command = ["run", "tiny.toml", "--out", &device[..3], "--device", device];
        sandbox.flowqcd(&[&command[..], &options[..]].concat())
    };
    let gpu = run("wgpu:0");
    if left_out(&gpu) {
        return;
    }
    gpu.succeeds();
    run("cpu").succeeds();
    let columns = [
        ("train.csv", &["loss", "ess", "grad_norm"][..]),
        ("ess.csv", &["ess", "ess_target", "nll_target", "acceptance"]),
        ("observables.csv", &["value"]),
    ];
    for (file, names) in columns {
        for name in names {
            let read = |out: &str| column(&sandbox.read(&format!("{out}/{file}")), name);
            let (found, expected) = (read("wgp"), read("cpu"));
            assert!(found.len() >= 2, "rows of {file}: one for each cell or more");
            for (found, expected) in found.iter().zip(&expected) {
                let close = (found - expected).abs() <= TOLERANCE * expected.abs().max(1e-2);
                assert!(
                    close || found.is_nan() && expected.is_nan(),
                    "{name}: {found}, {expected} on the CPU"
                );
            }
            assert_eq!(found.len(), expected.len(), "rows of {file}");
        }
    }
}

/// What the CPU has trained draws the same configurations on a GPU.
#[test]
fn a_checkpoint_of_the_cpu_samples_on_a_gpu() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 100"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run", "--device", "cpu"]).succeeds();
    let draw =
        |device, file| sandbox.flowqcd(&["sample", "run", "-n", "70", "--device", device, "--out", file]);
    let gpu = draw("wgpu:0", "gpu.npz");
    if left_out(&gpu) {
        return;
    }
    gpu.succeeds();
    draw("cpu", "cpu.npz").succeeds();
    for name in ["phi", "log_q", "action", "log_w"] {
        let [found, expected] = ["gpu.npz", "cpu.npz"].map(|file| array(&sandbox.path(file), name).1);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-4 * (1.0 + expected.abs()), "{name}: {found}, {expected}");
        }
    }
}

/// Whether there is no adapter, which is a failure where `FLOWQCD_REQUIRE_GPU` is set.
fn left_out(finished: &Finished) -> bool {
    let none = finished.stderr.contains("no Vulkan, Metal or DX12 adapter");
    if none {
        assert!(std::env::var_os("FLOWQCD_REQUIRE_GPU").is_none(), "no adapter, but one is required here");
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        // Not by `eprintln!`, which a test that passes keeps to itself.
        let message = format!("{test}: left out, no Vulkan, Metal or DX12 adapter on this machine\n");
        std::io::stderr().write_all(message.as_bytes()).unwrap();
    }
    none
}

fn compare(sandbox: &Sandbox, out: &str) {
    for name in ["loss", "ess", "grad_norm"] {
        let read = |out: &str| column(&sandbox.read(&format!("{out}/train.csv")), name);
        let (found, expected) = (read(out), read("cpu"));
        assert_eq!(found.len(), expected.len(), "rows of {out}");
        for (found, expected) in found.iter().zip(expected) {
            let close = (found - expected).abs() <= TOLERANCE * expected.abs();
            assert!(close, "{name}: {found} in {out}, {expected} on the CPU");
        }
    }
}
