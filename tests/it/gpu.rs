//! The wgpu device gives the CPU's numbers.

use super::support::{Sandbox, TINY, column};

/// Sums of a few dozen terms in another order, carried through a handful of steps.
const TOLERANCE: f64 = 1e-3;

/// On a machine without any adapter the test says so and passes, unless `FLOWQCD_REQUIRE_GPU` is set.
#[test]
fn a_few_training_steps_agree_with_the_cpu() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 3").replace("layers = 4", "layers = 2");
    sandbox.write("tiny.toml", &spec.replace("2000", "16").replace("1500", "16"));
    let gpu = sandbox.flowqcd(&["run", "tiny.toml", "--out", "gpu", "--device", "wgpu:0"]);
    if gpu.stderr.contains("no Vulkan, Metal or DX12 adapter") {
        assert!(std::env::var_os("FLOWQCD_REQUIRE_GPU").is_none(), "no adapter, but one is required here");
        eprintln!("left out: no Vulkan, Metal or DX12 adapter on this machine");
        return;
    }
    gpu.succeeds();
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "cpu", "--device", "cpu"]).succeeds();
    for name in ["loss", "ess", "grad_norm"] {
        let read = |device: &str| column(&sandbox.read(&format!("{device}/train.csv")), name);
        for (gpu, cpu) in read("gpu").iter().zip(read("cpu")) {
            assert!((gpu - cpu).abs() <= TOLERANCE * cpu.abs(), "{name}: {gpu} on wgpu, {cpu} on the CPU");
        }
    }
}
