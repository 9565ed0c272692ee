//! Figures come from tables alone, and what is wrong with a table is said.

use super::support::{Sandbox, TINY};

const HEADER: &str =
    "cell,step,samples,batch_size,learning_rate,loss,ess,ess_smoothed,grad_norm,wall_s,flops\n";

/// A run directory with a training table of (step, samples, smoothed ESS).
fn trained(sandbox: &Sandbox, run: &str, rows: &[(u64, u64, f64)]) {
    let row = |(step, samples, ess): &(u64, u64, f64)| {
        format!("0,{step},{samples},100,0.001,-20,{ess},{ess},1,{step},{}\n", samples * 1000)
    };
    std::fs::create_dir_all(sandbox.path(run)).unwrap();
    sandbox.write(&format!("{run}/spec.toml"), "");
    sandbox
        .write(&format!("{run}/train.csv"), &(HEADER.to_owned() + &rows.iter().map(row).collect::<String>()));
}

#[test]
fn plot_lays_runs_over_each_other_and_tells_what_a_level_cost() {
    let sandbox = Sandbox::new();
    trained(&sandbox, "runs/small", &[(1, 100, 0.1), (2, 200, 0.25), (3, 300, 0.5)]);
    trained(&sandbox, "runs/large", &[(1, 40_000, 0.05), (2, 80_000, 0.2), (3, 120_000, 0.3)]);
    let runs = ["plot", "runs/small", "runs/large", "--ess", "0.2", "--ess", "0.5", "--json"];
    let drawn: serde_json::Value = serde_json::from_str(&sandbox.flowqcd(&runs).succeeds().stdout).unwrap();
    let of = |level: usize| &drawn["levels"][level];
    assert_eq!((of(0)["run"].as_str(), of(0)["reached"]["samples"].as_f64()), (Some("small"), Some(200.0)));
    assert_eq!(of(0)["reached"]["ratio"].as_f64(), Some(1.0));
    assert_eq!((of(1)["run"].as_str(), of(1)["reached"]["ratio"].as_f64()), (Some("large"), Some(400.0)));
    assert_eq!(of(1)["reached"]["flops"].as_f64(), Some(8e7));
    assert_eq!(of(2)["reached"]["steps"].as_f64(), Some(3.0));
    assert!(of(3)["reached"].is_null(), "0.5 is above what `large` reached");

    for name in ["training_ess", "training_loss"] {
        let svg = sandbox.read(&format!("runs/figures/{name}.svg"));
        for text in ["small", "large", "training samples", "10³"] {
            assert!(svg.contains(text), "{name}.svg has no {text}");
        }
        let png = std::fs::read(sandbox.path(&format!("runs/figures/{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{name}.png");
    }
    let text = sandbox.flowqcd(&runs[..5]).succeeds().stdout;
    assert!(text.contains("ESS 0.2, large  80000 samples, 400.0 times the fewest; 2 steps"), "{text}");
}

#[test]
fn plot_draws_a_run_of_this_program_beside_its_tables() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    sandbox.flowqcd(&["run", "tiny.toml", "--set", "train.stop.steps=20"]).succeeds();
    let printed = sandbox.flowqcd(&["plot", "runs/tiny"]).succeeds().stdout;
    assert_eq!(printed.lines().next(), Some("runs/tiny/figures/training_ess.svg"));
    assert_eq!(printed.lines().count(), 4, "a single cell has no figure of a study: {printed}");
    assert!(printed.lines().all(|file| sandbox.path(file).is_file()), "{printed}");
}

#[test]
fn plot_draws_a_study_along_a_key_that_tells_its_cells_apart() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("study")).unwrap();
    sandbox.write("study/spec.toml", "");
    let ess = "cell,coupling,extents,stage,ess,ess_err\n\
               0,1.5,\"[6, 6]\",final,0.6,0.01\n1,1.5,\"[8, 8]\",final,0.4,0.02\n";
    sandbox.write("study/ess.csv", ess);
    let cost = "cell,coupling,extents,method,effective_samples_per_s\n\
                0,1.5,\"[6, 6]\",direct,9000\n0,1.5,\"[6, 6]\",hmc,30\n0,1.5,\"[6, 6]\",hmc,50\n1,1.5,\"[8, 8]\",hmc,5\n";
    sandbox.write("study/cost.csv", cost);
    let printed = sandbox.flowqcd(&["plot", "study"]).succeeds().stdout;
    assert_eq!(printed.lines().filter(|file| file.ends_with(".png")).count(), 2, "{printed}");
    let svg = sandbox.read("study/figures/effective_samples.svg");
    assert!(["extents", "direct", "hmc", "10³"].iter().all(|text| svg.contains(text)));

    // Repeats are points of one series; a key that varies at the same place makes series of its own.
    let grid = "cell,coupling,mass_squared,seed,stage,ess,ess_err\n\
                0,1,-4,1,final,0.6,\n1,1,-4,2,final,0.5,\n2,2,-4,1,final,0.4,\n3,2,-3,1,final,0.3,\n";
    std::fs::create_dir_all(sandbox.path("grid")).unwrap();
    sandbox.write("grid/spec.toml", "");
    sandbox.write("grid/ess.csv", grid);
    sandbox.flowqcd(&["plot", "grid"]).succeeds();
    let svg = sandbox.read("grid/figures/ess.svg");
    assert!(["coupling", "mass_squared = -4", "mass_squared = -3"].iter().all(|text| svg.contains(text)));
    assert!(!svg.contains("seed"), "{svg}");

    // Lattices of several dimensions are series of their own.
    let dimensions = "cell,extents,stage,ess,ess_err\n\
                      0,[16],final,0.9,\n1,\"[4, 4, 4]\",final,0.8,\n2,\"[4, 4, 4, 4]\",final,0.6,\n";
    std::fs::create_dir_all(sandbox.path("dimensions")).unwrap();
    sandbox.write("dimensions/spec.toml", "");
    sandbox.write("dimensions/ess.csv", dimensions);
    sandbox.flowqcd(&["plot", "dimensions"]).succeeds();
    let svg = sandbox.read("dimensions/figures/ess.svg");
    assert!([1, 3, 4].iter().all(|count| svg.contains(&format!("number of extents = {count}"))), "{svg}");
    let svg = sandbox.read("study/figures/ess.svg");
    assert!(!svg.contains("number of"), "{svg}");

    let refused = sandbox.flowqcd(&["plot", "study", "--x", "abacus"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--x = abacus: must vary over numbers"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: these do: extents"), "{}", refused.stderr);
}

#[test]
fn plot_says_what_it_cannot_draw() {
    let sandbox = Sandbox::new();
    trained(&sandbox, "a/run", &[(1, 100, 0.1)]);
    trained(&sandbox, "b/run", &[]);
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let finished = sandbox.flowqcd(arguments);
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
        assert_eq!(finished.code, Some(code), "{expected}");
    };
    refused(&["plot", "nowhere"], 2, "error: nowhere: is no run directory, it has no spec.toml");
    refused(&["plot", "a/run", "b/run"], 2, "hint: say where the figures go: --out FOLDER");
    refused(&["plot", "b/run"], 2, "nothing to draw: no run has a row in train.csv");
    refused(&["plot", "a/run", "--ess", "1.5"], 2, "must be above 0 and at most 1");
    refused(&["plot"], 2, "RUN_DIR");
    refused(&["plot", "a/run", "./a/run/"], 2, "./a/run/: is named twice");
    sandbox.write("a/run/train.csv", "cell,step\n0,1\n");
    refused(&["plot", "a/run"], 1, "a/run/train.csv: must have a column `samples`");
    assert!(!sandbox.path("a/run/figures").exists(), "nothing is half written");
}
