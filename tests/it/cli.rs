//! What users type, and what they are told.

use super::support::{Finished, Sandbox, TINY, column, repository, table, wait_until};

/// The specification is refused with these words, and nothing is written.
#[track_caller]
fn refused(spec: &str, arguments: &[&str], expected: &[&str]) -> Finished {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", spec);
    let all: Vec<&str> = ["run", "spec.toml", "--out", "out"].iter().chain(arguments).copied().collect();
    let finished = sandbox.flowqcd(&all);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    for words in expected {
        assert!(finished.stderr.contains(words), "{:?} is missing in:\n{}", words, finished.stderr);
    }
    assert_eq!(sandbox.names(), ["spec.toml"], "nothing may be written");
    assert_eq!(finished.stdout, "");
    finished
}

#[test]
fn run_reports_every_bad_key_at_once() {
    let spec = TINY.replace("layers = 4", "layer = 4").replace("[4, 4]", "[4, 5]");
    let expected = [
        "error: spec.toml: flow.affine.layer: unknown key (line 11)",
        "error: spec.toml: theory.phi4.extents[1] = 5: must be even",
        "error: spec.toml: train.batch.size = 0: must be at least 1",
        "\n\nhint: did you mean `flow.affine.layers`?",
    ];
    refused(&spec.replace("size = 24", "size = 0"), &[], &expected);
}

#[test]
fn run_refuses_wrong_specifications_and_writes_nothing() {
    for (from, to, expected) in [
        ("extents = [4, 4]", "extents = [5, 4]", "theory.phi4.extents[0] = 5: must be even"),
        ("layers = 4", "layers = 0", "flow.affine.layers = 0: must be at least 1"),
        ("kernel_size = 3", "kernel_size = 2", "flow.affine.kernel_size = 2: must be odd"),
        (
            "kernel_size = 3",
            "kernel_size = 5",
            "flow.affine.kernel_size = 5: must not exceed the smallest extent, 4",
        ),
        ("coupling = 1.0", "coupling = -1.0", "theory.phi4.coupling = -1.0: must be at least 0"),
        ("coupling = 1.0", "coupling = []", "theory.phi4.coupling = []: must be a number, not a list"),
        ("layers = 4", "layers = = 4", "broken TOML"),
        (
            "layers = 4",
            "layers = 4\ninitial.xavier.gain = -1",
            "flow.affine.initial.xavier.gain = -1: must be at least 0",
        ),
        (
            "layers = 4",
            "layers = 4\ninitial_width = 2.0\ninitial.kaiming.width = 2.0",
            "flow.affine.initial_width = 2: cannot stand beside flow.affine.initial.kaiming",
        ),
        ("optimizer.adam]", "optimizer.adagrad]", "train.optimizer.adagrad: unknown key"),
        ("optimizer.adam]", "optimizer.sgd]\nbeta_1 = 0.9", "train.optimizer.sgd.beta_1: unknown key"),
        ("optimizer.adam]", "optimizer.sgd]\nmomentum = 1", "train.optimizer.sgd.momentum = 1: must be less"),
        (
            "optimizer.adam]",
            "optimizer.adadelta]\nrho = -0.1",
            "train.optimizer.adadelta.rho = -0.1: must be",
        ),
        (
            "optimizer.adam]",
            "optimizer.sgd]\nnesterov = true",
            "train.optimizer.sgd.nesterov = true: needs train.optimizer.sgd.momentum > 0",
        ),
    ] {
        refused(&TINY.replace(from, to), &[], &[expected]);
    }
}

#[test]
fn run_refuses_an_override_of_a_missing_key() {
    let hint = "hint: did you mean `theory.phi4.coupling`?";
    refused(TINY, &["--set", "theory.phi4.couplings=1.5"], &["--set theory.phi4.couplings = 1.5", hint]);
}

#[test]
fn run_refuses_a_missing_file() {
    let finished = Sandbox::new().flowqcd(&["run", "nowhere.toml"]);
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.starts_with("error: nowhere.toml: cannot read the specification"));
}

#[test]
fn run_refuses_an_unknown_device() {
    refused(TINY, &["--device", "abacus"], &["--device = abacus: must be auto, cpu, wgpu or wgpu:ADAPTER"]);
}

#[test]
fn an_instruction_set_can_be_forced_and_must_exist() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 5"));
    let run = |isa: &str| sandbox.flowqcd_with(("FLOWQCD_ISA", isa), &["run", "tiny.toml", "--out", isa]);
    let refused = run("abacus");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("FLOWQCD_ISA = abacus: this machine has "), "{}", refused.stderr);
    run("portable").succeeds();
    assert!(sandbox.read("portable/manifest.json").contains("cpu (portable)"));
}

#[test]
fn sites_of_a_gpu_unit_must_be_some_that_are_tried() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    let command = ["run", "tiny.toml", "--device", "wgpu"];
    let refused = sandbox.flowqcd_with(("FLOWQCD_GPU_SITES", "3"), &command);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("FLOWQCD_GPU_SITES = 3: must be 1, 2, 4 or 8"), "{}", refused.stderr);
}

#[test]
fn run_writes_every_file_of_the_contract() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    let finished = sandbox.flowqcd(&["run", "tiny.toml", "--set", "train.stop.steps=130"]).succeeds();
    assert!(finished.stdout.contains("stopped by") && finished.stdout.contains("steps"));
    let read = |name: &str| sandbox.read(&format!("runs/tiny/{name}"));

    let train = read("train.csv");
    let expected = "cell,step,samples,batch_size,learning_rate,loss,ess,ess_smoothed,grad_norm,wall_s,flops";
    assert_eq!(train.lines().next(), Some(expected));
    assert_eq!(column(&train, "step"), (1..=130).map(f64::from).collect::<Vec<_>>());
    assert_eq!(column(&train, "samples").last(), Some(&(130.0 * 24.0)));
    let ess = column(&train, "ess");
    let smoothed = ess[110..].iter().sum::<f64>() / 20.0;
    assert!((column(&train, "ess_smoothed")[129] - smoothed).abs() < 1e-12);

    let (header, rows) = table(&read("ess.csv"));
    assert_eq!(header[..5], ["cell", "stage", "step", "samples", "n"]);
    let stages: Vec<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(stages, ["train_eval", "final"]);

    let cost = read("cost.csv");
    assert_eq!(column(&cost, "n_train"), [130.0 * 24.0]);
    let [n_raw, ess, n_indep] = ["n_raw", "ess_per_configuration", "n_indep"].map(|c| column(&cost, c)[0]);
    assert!((n_raw * ess - n_indep).abs() < 1e-9 * n_indep);

    let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).unwrap();
    assert_eq!(manifest["stop_reason"], "steps");
    assert_eq!(manifest["seed"], 3);
    assert!(manifest["finished"].is_string());
    assert!(read("spec.toml").contains("beta_2 = 0.999"), "defaults are filled in");
    assert!(!train.contains("NaN") && !cost.contains("NaN"));
}

#[test]
fn a_finished_run_is_reported_again_and_another_specification_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    let run = |extra: &[&str]| {
        let arguments = ["run", "tiny.toml", "--set", "train.stop.steps=40"];
        sandbox.flowqcd(&[&arguments[..], extra].concat())
    };
    let first = run(&[]).succeeds();
    let before = sandbox.read("runs/tiny/train.csv");
    let second = run(&[]).succeeds();
    assert_eq!(first.stdout, second.stdout);
    assert!(second.stderr.contains("this run is finished"));

    let other = run(&["--set", "theory.phi4.coupling=1.25"]);
    assert_eq!(other.code, Some(2));
    assert!(other.stderr.contains("theory.phi4.coupling: 1.0 there, 1.25 now"), "{}", other.stderr);
    assert_eq!(sandbox.read("runs/tiny/train.csv"), before);
    assert!(
        !other.stderr.contains("train.start"),
        "a model of another coupling is not this one trained further"
    );
    // Where only the end of training is another one, there is a way on, which works.
    let longer = run(&["--set", "train.stop.steps=60"]);
    assert_eq!(longer.code, Some(2));
    let hint = "choose another folder with --out and add --set train.start.model.file=runs/tiny ";
    assert!(longer.stderr.contains(hint), "{}", longer.stderr);
    assert_eq!(sandbox.read("runs/tiny/train.csv"), before);
    run(&["--set", "train.stop.steps=20", "--set", "train.start.model.file=runs/tiny", "--out", "on"])
        .succeeds();

    run(&["--set", "theory.phi4.coupling=1.25", "--fresh"]).succeeds();
    assert_ne!(sandbox.read("runs/tiny/train.csv"), before);
}

#[test]
fn each_stop_rule_ends_the_training_with_its_name() {
    for (rule, reason) in [("samples = 500", "samples"), ("seconds = 0.05", "seconds"), ("ess = 0.02", "ess")]
    {
        let sandbox = Sandbox::new();
        sandbox.write("tiny.toml", &TINY.replace("steps = 1000", rule));
        let finished = sandbox.flowqcd(&["run", "tiny.toml", "--json", "--quiet"]).succeeds();
        let summary: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(summary["stop_reason"], reason);
        let warnings_only = finished.stderr.lines().all(|line| line.starts_with("warning: "));
        assert!(warnings_only, "quiet leaves nothing but warnings: {}", finished.stderr);
    }
}

/// A coupling beyond the range of f32 makes the first loss infinite, a learning rate beyond it the first update.
#[test]
fn a_diverging_run_stops_with_the_step_and_the_last_checkpoint() {
    for (change, quantity) in [
        ("theory.phi4.coupling=1e39", "loss = inf"),
        ("train.optimizer.adam.learning_rate=1e39", "updated parameter = "),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("tiny.toml", TINY);
        let finished = sandbox.flowqcd(&["run", "tiny.toml", "--set", change]);
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        let expected = format!("error: training step 1: {quantity}");
        assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
        assert!(finished.stderr.contains("must be a finite number"), "{}", finished.stderr);
        assert!(finished.stderr.contains("the last good checkpoint is none"), "{}", finished.stderr);
        assert_eq!(sandbox.read("runs/tiny/train.csv"), "", "no row of a step that failed");
    }
}

#[test]
fn check_prints_size_and_cost_and_runs_nothing() {
    let sandbox = Sandbox::new();
    let spec = repository("configs/fig1_bs_schedule.toml");
    let finished = sandbox
        .flowqcd(&["check", spec.to_str().unwrap(), "--json", "--set", "train.stop.steps=10000"])
        .succeeds();
    let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    // (1·12 + 12·12 + 12·2) · 25 weights and 12 + 12 + 2 biases for each of 24 layers.
    assert_eq!(report["parameters"], 24 * (180 * 25 + 26));
    assert_eq!(report["flops_per_sample"], 2.0 * 24.0 * 405_000.0);
    assert_eq!(report["train_samples"], 5000 * (128 + 256));
    assert!(report["train_s"].as_f64().unwrap() > 0.0);
    assert_eq!(sandbox.names(), Vec::<String>::new());
}

#[test]
fn every_configuration_of_the_repository_is_valid() {
    let mut found = 0;
    for entry in std::fs::read_dir(repository("configs")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert!(path.ends_with("slurm"), "{} holds no job scripts", path.display());
            continue;
        }
        let spec = flowqcd::spec::Spec::load(&path, &[]);
        assert!(spec.is_ok(), "{}", spec.unwrap_err());
        found += 1;
    }
    assert!(found >= 3);
}

#[test]
fn schema_and_completions_are_printed() {
    let sandbox = Sandbox::new();
    let schema = sandbox.flowqcd(&["schema"]).succeeds().stdout;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["properties"]["theory"]["properties"]["phi4"]["properties"]["coupling"]["minimum"], 0);
    for shell in ["bash", "zsh", "fish"] {
        assert!(sandbox.flowqcd(&["completions", shell]).succeeds().stdout.contains("flowqcd"));
    }
}

#[test]
fn manual_pages_are_printed_or_written_for_the_program_and_every_command() {
    let sandbox = Sandbox::new();
    let printed = sandbox.flowqcd(&["man", "run"]).succeeds().stdout;
    assert!(printed.contains(".TH flowqcd-run 1") && printed.contains("\\-\\-fail\\-fast"), "{printed}");
    sandbox.flowqcd(&["man", "--out", "share/man1"]).succeeds();
    assert_eq!(sandbox.read("share/man1/flowqcd-run.1"), printed);
    assert!(sandbox.read("share/man1/flowqcd.1").contains("flowqcd\\-run(1)"));
    let refused = sandbox.flowqcd(&["man", "rum"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("man = rum: no such command"), "{}", refused.stderr);
}

/// `/dev/full` is a disk without room; every command that prints a result is asked for it.
#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 30"));
    sandbox.flowqcd(&["run", "tiny.toml"]).succeeds();
    for command in [
        "schema",
        "completions bash",
        "man run",
        "--help",
        "devices",
        "check tiny.toml",
        "run tiny.toml",
        "plot runs/tiny",
        "sample runs/tiny -n 10 --out a.npz",
    ] {
        let finished = sandbox.shell(&format!("\"$FLOWQCD\" {command} > /dev/full"));
        assert_eq!(finished.code, Some(1), "{command}: {}", finished.stderr);
        let expected = "error: standard output: cannot write: No space left on device";
        assert!(finished.stderr.contains(expected), "{command}: {}", finished.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let sandbox = Sandbox::new();
    // The other end of the pipe is closed before anything is written.
    let script = "{ sleep 0.3; \"$FLOWQCD\" schema 2> said; echo $? > code; } | true";
    sandbox.shell(script);
    wait_until("code", || sandbox.path("code").exists() && !sandbox.read("code").is_empty());
    assert_eq!((sandbox.read("code").as_str(), sandbox.read("said").as_str()), ("0\n", ""));
}

/// Progress, notes, warnings and errors that nobody can read change neither results nor the exit status.
#[cfg(target_os = "linux")]
#[test]
fn a_run_goes_on_where_nothing_can_be_said() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 30"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "heard"]).succeeds();
    for (out, redirection) in [("full", "2> /dev/full"), ("gone", "2>&1 > /dev/null | true")] {
        let command = format!("\"$FLOWQCD\" run tiny.toml --out {out} {redirection}");
        sandbox.shell(&command);
        wait_until(out, || sandbox.path(&format!("{out}/observables.csv")).exists());
        let finished = sandbox.flowqcd(&["run", "tiny.toml", "--out", out]).succeeds();
        assert!(finished.stderr.contains("this run is finished"), "{}", finished.stderr);
        assert_eq!(sandbox.read(&format!("{out}/ess.csv")), sandbox.read("heard/ess.csv"));
    }
    let refused = sandbox.shell("\"$FLOWQCD\" run nowhere.toml 2> /dev/full");
    assert_eq!(refused.code, Some(2));
}

/// Devices have no end, and a value may be anything.
#[cfg(unix)]
#[test]
fn a_specification_of_any_size_and_kind_is_answered_in_few_words() {
    let sandbox = Sandbox::new();
    let long = TINY.replace("coupling = 1.0", &format!("coupling = \"{}\"", "x".repeat(3_000_000)));
    let lists = TINY.replace("hidden = [6]", &format!("hidden = [{}6]", "0, ".repeat(1_000_000)));
    let tables: String = (0..200_000).map(|i| format!("[a.b{i}]\n")).collect();
    sandbox.write("long.toml", &long);
    sandbox.write("lists.toml", &lists);
    sandbox.write("tables.toml", &format!("{TINY}\n{tables}"));
    sandbox.write("giant.toml", &" ".repeat(5 << 20));
    sandbox.write("control.toml", &format!("\"\\u001b[31mred\" = 1\n{TINY}"));
    std::fs::write(sandbox.path("bytes.toml"), [0x76, 0xff, 0xfe]).unwrap();
    for (file, expected) in [
        ("/dev/zero", "must not be larger than 4 MiB"),
        ("giant.toml", "must not be larger than 4 MiB"),
        ("bytes.toml", "is not text: byte 1 is not UTF-8"),
        ("long.toml", "theory.phi4.coupling = \"xxx"),
        ("lists.toml", "flow.affine.hidden[0] = 0: must be at least 1"),
        ("tables.toml", "error: tables.toml: a: unknown key"),
        ("control.toml", r"control.toml: \u{1b}[31mred: unknown key"),
    ] {
        let finished = sandbox.flowqcd(&["check", file]);
        assert_eq!(finished.code, Some(2), "{file}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{file}: {}", finished.stderr);
        assert!(finished.stderr.len() < 20_000, "{file}: {} bytes are said", finished.stderr.len());
        assert!(!finished.stderr.contains('\u{1b}'), "{file}");
    }
}

#[cfg(unix)]
#[test]
fn a_specification_can_come_from_standard_input() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 30"));
    sandbox.shell("\"$FLOWQCD\" run - --out run < tiny.toml").succeeds();
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    let refused = sandbox.shell("echo seed = 1 | \"$FLOWQCD\" check -");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("error: -: version: missing"), "{}", refused.stderr);
}

/// Each would take more memory than any machine has, or more than can be counted.
#[test]
fn what_no_machine_can_hold_is_refused_before_anything_is_written() {
    let huge =
        ["--set", "theory.phi4.extents=[4096,4096]", "--set", "flow.affine.hidden=[4096,4096,4096,4096]"];
    let cases: [(&[&str], &str); 9] = [
        (
            &["--set", "theory.phi4.extents=[20000,20000]"],
            "theory.phi4.extents = [20000, 20000]: needs 1.2 TB",
        ),
        (&["--set", "theory.phi4.extents=[100000,100000]"], "theory.phi4.extents = [100000, 100000]: needs "),
        (&["--set", "theory.phi4.extents=[1000000000,1000000000]"], "1000000000]: needs "),
        (&["--set", "theory.phi4.extents=[4294967296,4294967296]"], "4294967296]: needs "),
        (&["--set", "theory.phi4.extents=[100000,100000,100000,100000]"], "100000]: needs "),
        (&huge, "theory.phi4.extents = [4096, 4096]: needs "),
        (
            &["--set", "train.batch.size=9000000000000000000"],
            "train.batch.size = 9000000000000000000: needs ",
        ),
        (
            &["--set", "evaluate.samples=1000000000000000"],
            "evaluate.samples = 1000000000000000: needs 3.2e4 TB",
        ),
        (&["--set", "sample.independence.proposals=1000000000000000"], "sample.independence.proposals = "),
    ];
    for (arguments, expected) in cases {
        // A batch that doubles has to be allowed to be as large.
        let spec = TINY.replace("maximum = 60", "maximum = 9000000000000000000");
        let finished = refused(&spec, arguments, &[expected, " of memory"]);
        let sandbox = Sandbox::new();
        sandbox.write("spec.toml", &spec);
        let checked = sandbox.flowqcd(&[&["check", "spec.toml"], arguments].concat());
        assert_eq!((checked.code, checked.stderr), (Some(2), finished.stderr));
    }
}

#[test]
fn more_weights_than_any_machine_can_hold_are_not_drawn() {
    let refused = Sandbox::new().flowqcd(&["sample", "nowhere", "-n", "1099511627776", "--out", "a.npz"]);
    assert_eq!(refused.code, Some(2));
    let expected = "--number = 1099511627776: needs 8.8 TB for the weights, but ";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
}

#[test]
fn a_study_of_more_cells_than_anyone_runs_is_refused() {
    let values = "0.5, ".repeat(500_000);
    for study in [
        "[study]\nrepeats = 1000000".to_owned(),
        "[study]\nrepeats = 9223372036854775807".to_owned(),
        format!("[study.vary]\n\"theory.phi4.coupling\" = [{values}]"),
    ] {
        let expected = "must be at most 10000 in all";
        refused(&format!("{TINY}\n{study}\n"), &[], &["study: number of cells = ", expected]);
    }
}

/// `ulimit -s` counts kibibytes.
#[cfg(unix)]
#[test]
fn a_small_stack_is_enough() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 30"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "usual"]).succeeds();
    sandbox.shell("ulimit -s 64; \"$FLOWQCD\" run tiny.toml --out small").succeeds();
    assert_eq!(sandbox.read("small/ess.csv"), sandbox.read("usual/ess.csv"));
}

/// `ulimit -v` counts kibibytes; what the program itself takes of it is its file and a little more.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_the_system_does_not_give_is_an_error_in_words() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 30"));
    let file = std::fs::metadata(env!("CARGO_BIN_EXE_flowqcd")).unwrap().len() / 1024;
    let mut refused = 0;
    for more in (9_000..60_000).step_by(3_000) {
        let command = format!("ulimit -v {}; \"$FLOWQCD\" run tiny.toml --threads 2 --no-plots", file + more);
        let finished = sandbox.shell(&command);
        match finished.code {
            Some(0) => {}
            Some(1) => {
                refused += 1;
                let has_words = finished.stderr.contains("error: ") && finished.stderr.contains("\nhint: ");
                assert!(has_words, "{more} KiB: {}", finished.stderr);
            }
            // Of what the C library itself needs for a thread there is a limit at which it gives up, in its own words.
            _ if finished.stderr.contains("Fatal glibc error: failed to register TLS destructor") => {}
            other => panic!("{more} KiB: {other:?}: {}", finished.stderr),
        }
    }
    assert!(refused > 0, "there was always enough");
    sandbox.flowqcd(&["run", "tiny.toml", "--no-plots"]).succeeds();
}

/// The words of a text with one space between them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// Seeds, couplings and rates do not change what a step costs: one measurement serves all.
#[test]
fn check_measures_once_what_costs_the_same() {
    let sandbox = Sandbox::new();
    let vary =
        "\"theory.phi4.coupling\" = [0.5, 1.0]\n\"train.optimizer.adam.learning_rate\" = [1e-3, 2e-3]\n";
    sandbox.write("study.toml", &format!("{TINY}\n[study]\nrepeats = 1000\n[study.vary]\n{vary}"));
    let report = sandbox.flowqcd(&["check", "study.toml", "--json"]).succeeds().stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["cells"], 2000);
    let speeds = report["further"].as_array().unwrap().iter().map(|cell| cell["samples_per_s"].as_f64());
    assert!(speeds.clone().all(|speed| speed == report["samples_per_s"].as_f64()));
    assert_eq!(speeds.count(), 1999);
    let text = words(&sandbox.flowqcd(&["check", "study.toml"]).succeeds().stdout);
    assert!(text.contains("cells 0 to 1999 coupling = 0.5 ... 1.0"), "{text}");
    assert_eq!(text.matches("FLOPs per sample").count(), 1, "{text}");
}

/// Cells on other lattices cost something else.
#[test]
fn check_tells_cells_apart_that_cost_differently() {
    let sandbox = Sandbox::new();
    let vary = "[study]\nrepeats = 2\n[study.vary]\n\"theory.phi4.extents\" = [[4, 4], [6, 4]]\n";
    sandbox.write("study.toml", &format!("{TINY}\n{vary}"));
    let text = words(&sandbox.flowqcd(&["check", "study.toml", "--threads", "1"]).succeeds().stdout);
    for expected in [
        "cells 0 to 1 extents = [4, 4], seed = 3 ... 4",
        "cells 2 to 3 extents = [6, 4], seed",
        "1 thread training",
    ] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_device_or_a_folder_is_not_replaced_by_an_output_file() {
    let sandbox = Sandbox::new();
    std::os::unix::fs::symlink("/dev/null", sandbox.path("device")).unwrap();
    std::fs::create_dir(sandbox.path("folder")).unwrap();
    for out in ["device", "folder"] {
        for command in [&["report", "run"][..], &["sample", "run", "-n", "1"], &["measure", "fields.npz"]] {
            let finished = sandbox.flowqcd(&[command, &["--out", out]].concat());
            assert_eq!(finished.code, Some(2), "{}", finished.stderr);
            assert!(finished.stderr.contains("must be a file"), "{}", finished.stderr);
        }
    }
    assert!(sandbox.path("device").is_symlink() && sandbox.path("folder").is_dir());
    assert_eq!(sandbox.names(), ["device", "folder"]);
}

/// Copies of one run in one folder are the classic accident; parts of a study are no accident.
#[test]
#[cfg(not(feature = "mpi"))]
fn a_program_without_mpi_refuses_to_be_started_several_times_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", &TINY.replace("steps = 1000", "steps = 20"));
    for variable in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"] {
        let run = sandbox.flowqcd_with((variable, "4"), &["run", "spec.toml", "--out", "out"]);
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(
            run.stderr.contains(&format!("{variable} = 4: this program was built without MPI")),
            "{}",
            run.stderr
        );
        assert!(!sandbox.path("out").exists());
        sandbox.flowqcd_with((variable, "1"), &["run", "spec.toml", "--out", variable]).succeeds();
    }
    let part = ["run", "spec.toml", "--out", "part", "--shard", "1/2"];
    sandbox.flowqcd_with(("SLURM_STEP_NUM_TASKS", "2"), &part).succeeds();
}

#[test]
#[cfg(not(feature = "mpi"))]
fn the_default_build_needs_no_mpi() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_flowqcd")).unwrap();
    for name in ["MPI_Init", "libmpi"] {
        assert!(!program.windows(name.len()).any(|text| text == name.as_bytes()), "{name}");
    }
}

#[test]
fn check_predicts_steps_on_more_processes() {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", TINY);
    let set = [
        "check",
        "spec.toml",
        "--set",
        "train.batch.size=60",
        "--set",
        "train.batch.micro_batch=20",
        "--ranks",
        "4",
    ];
    let text = sandbox.flowqcd(&set).succeeds().stdout;
    for words in
        ["on 1 process (predicted)", "on 2 processes (predicted)", "on 4 processes (predicted)", ", 1 idle"]
    {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&sandbox.flowqcd(&[&set[..], &["--json"]].concat()).succeeds().stdout).unwrap();
    let steps = json["scaling"].as_array().unwrap();
    assert_eq!(steps.len(), 3);
    assert_eq!((&steps[0]["efficiency"], &steps[2]["busy"]), (&1.0.into(), &3.into()));
}
