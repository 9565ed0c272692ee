//! Studies in stages, shared by processes, with cells that fail: what a study is does not depend on how it was worked through.

use super::resume::tables;
use super::support::{Finished, Sandbox, TINY, column, table, wait_until};
use std::time::Duration;

/// A base, a chain that goes on from it, and the base judged on other lattices.
const STAGES: &str = r#"
[study.stage.base]
set."train.stop.steps" = 200

[study.stage.chain]
set."train.optimizer.adam.learning_rate" = 1e-4
vary."theory.phi4.coupling" = [0.8, 0.6, 0.4]
start.previous.from = "base"

[study.stage.volume]
vary."theory.phi4.extents" = [[4, 4], [8, 8]]
set."train.stop.steps" = 0
start.stage.name = "base"
"#;

/// Cells of which the third diverges, by steps that single precision has no numbers for, and one that would go on from it.
const FAILING: &str = r#"
[study]
vary."train.optimizer.adam.learning_rate" = [2e-3, 1e-3, 1e39, 5e-4]

[study.stage.base]

[study.stage.next]
set."train.stop.steps" = 150
start.stage.name = "base"
"#;

fn short() -> String {
    TINY.replace("steps = 1000", "steps = 100")
}

fn staged() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("study.toml", &(short() + STAGES));
    sandbox
}

fn failing(steps: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("study.toml", &(TINY.replace("steps = 1000", &format!("steps = {steps}")) + FAILING));
    sandbox
}

#[track_caller]
fn says(text: &str, words: &str) {
    assert!(text.contains(words), "{words:?} is missing in:\n{text}");
}

#[track_caller]
fn assert_same_tables(sandbox: &Sandbox, out: &str, expected: &str) {
    for ((file, found), (_, expected)) in tables(sandbox, out).iter().zip(&tables(sandbox, expected)) {
        assert!(found == expected, "{out}/{file} differs:\n{found}\nfrom\n{expected}");
    }
}

/// Column of the rows of one cell.
fn of_cell(text: &str, cell: &str, name: &str) -> Vec<String> {
    let (header, rows) = table(text);
    let place = header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"));
    rows.into_iter().filter(|row| row[0] == cell).map(|row| row[place].clone()).collect()
}

#[test]
fn cells_go_on_from_others_and_models_go_to_other_volumes() {
    let sandbox = staged();
    let check = sandbox.flowqcd(&["check", "study.toml"]).succeeds();
    let plan = |start: &str| check.stdout.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    says(plan("0: study_stage = base, coupling = 1.0"), "  from scratch; at most ");
    says(plan("2: study_stage = chain, coupling = 0.6"), "  from cell 1; at most ");
    sandbox.flowqcd(&["run", "study.toml", "--out", "run"]).succeeds();
    let ess = sandbox.read("run/ess.csv");
    assert_eq!(table(&ess).0[..5], ["cell", "study_stage", "coupling", "extents", "stage"]);
    let last = |cell: &str, name: &str| of_cell(&ess, cell, name).pop().unwrap();
    // A model that is judged where it was trained has the ESS it had; elsewhere another.
    assert_eq!((last("4", "stage").as_str(), last("4", "ess")), ("transfer", last("0", "ess")));
    assert_ne!(last("5", "ess"), last("0", "ess"));
    // What a retrained model cost before is told apart from what it cost since.
    let cost = sandbox.read("run/cost.csv");
    let samples = |cell: &str, name: &str| of_cell(&cost, cell, name)[0].parse::<u64>().unwrap();
    assert_eq!([samples("0", "n_train"), samples("0", "n_train_before")], [4800, 0]);
    assert_eq!([samples("1", "n_train"), samples("1", "n_train_before")], [2400, 4800]);
    assert_eq!([samples("3", "n_train"), samples("3", "n_train_before")], [2400, 9600]);
    assert_eq!([samples("5", "n_train"), samples("5", "n_train_before")], [0, 4800]);
    // By hand it is the same: a run of one cell that starts from the folder of another, moments carried over or not.
    let by_hand = |out: &str, optimizer: &str| {
        let start = format!("train.start.model={{ file = \"run/cells/0001\", optimizer = \"{optimizer}\" }}");
        let set = ["theory.phi4.coupling=0.6", "train.optimizer.adam.learning_rate=1e-4", &start];
        let set = set.iter().flat_map(|set| ["--set", set]).collect::<Vec<&str>>();
        sandbox.write("tiny.toml", &short());
        sandbox.flowqcd(&[&["run", "tiny.toml", "--out", out], &set[..]].concat()).succeeds();
        column(&sandbox.read(&format!("{out}/train.csv")), "loss")
    };
    let losses: Vec<f64> = of_cell(&sandbox.read("run/train.csv"), "2", "loss")
        .iter()
        .map(|loss| loss.parse().unwrap())
        .collect();
    assert_eq!(by_hand("carried", "carried"), losses);
    let reset = by_hand("reset", "reset");
    assert_eq!(reset[0], losses[0], "the same model on the same configurations");
    assert_ne!(reset[50], losses[50], "other moments");
}

#[test]
fn parts_and_jobs_give_what_one_process_does() {
    let sandbox = staged();
    let run =
        |out: &str, more: &[&str]| sandbox.flowqcd(&[&["run", "study.toml", "--out", out], more].concat());
    let whole = run("whole", &[]).succeeds();
    // The chain is one part; each part does what it goes on from, unless that is done.
    let first = run("parts", &["--shard", "2/3"]).succeeds();
    says(&first.stderr, "of 6 cells are finished: see flowqcd status parts");
    let status = sandbox.flowqcd(&["status", "parts"]).succeeds();
    says(&status.stdout, "waiting");
    run("parts", &["--shard", "1/3"]).succeeds();
    // The last part of a job array of three, whose numbers are 4, 6 and 8.
    let array =
        "SLURM_ARRAY_TASK_MIN=4 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_ID=8";
    let last = sandbox.shell(&format!("{array} $FLOWQCD run study.toml --out parts")).succeeds();
    says(&last.stderr, "part 3 of 3 of the study, as SLURM's job array says");
    assert_eq!(last.stdout.lines().count(), whole.stdout.lines().count());
    assert_same_tables(&sandbox, "parts", "whole");
    says(&sandbox.flowqcd(&["status", "parts"]).succeeds().stdout, "6 cells: 6 done");
    let jobs = run("jobs", &["--jobs", "3"]).succeeds();
    says(&jobs.stderr, "cell 0 (0 of 6 done): study_stage = base");
    assert_same_tables(&sandbox, "jobs", "whole");
    // Tables can be put together again without the specification.
    std::fs::remove_file(sandbox.path("jobs/cost.csv")).unwrap();
    assert_eq!(sandbox.flowqcd(&["merge", "jobs"]).succeeds().stdout, "cost.csv\n");
    assert_same_tables(&sandbox, "jobs", "whole");
    assert_eq!(run("jobs", &["--shard", "4/3"]).code, Some(2));
}

#[test]
fn a_cell_that_fails_is_told_and_loses_no_other() {
    let sandbox = failing(100);
    let run =
        |out: &str, more: &[&str]| sandbox.flowqcd(&[&["run", "study.toml", "--out", out], more].concat());
    let failed = run("run", &[]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    says(&failed.stderr, "cell 2 failed (study_stage = base, learning_rate = 1");
    says(&failed.stderr, "): training step 1: updated parameter = ");
    says(&failed.stderr, "error: cell 2: training step ");
    says(&failed.stderr, "error: cell 6: cell 2, which it goes on from, has failed");
    says(&failed.stderr, "hint: the same command tries them again");
    says(&failed.stdout, "7: study_stage = next, learning_rate = 0.0005");
    let status = sandbox.flowqcd(&["status", "run"]).succeeds();
    says(&status.stdout, "failed: training step ");
    says(&status.stdout, "waiting for cell 2");
    says(&status.stdout, "8 cells: 6 done, 1 waiting, 1 failed");
    let json: serde_json::Value =
        serde_json::from_str(&sandbox.flowqcd(&["status", "run", "--json"]).succeeds().stdout).unwrap();
    assert_eq!(json["cells"][2]["state"], "failed");
    assert_eq!(json["cells"][6]["for_cell"], 2);
    says(&sandbox.read("run/cells/0002/log.txt"), "must be a finite number");
    // Again: the finished ones are left alone.
    let records = || [0, 7].map(|cell| sandbox.read(&format!("run/cells/000{cell}/record.json")));
    let before = records();
    assert_eq!(run("run", &[]).code, Some(1));
    assert_eq!(records(), before);
    let fast = run("fast", &["--fail-fast"]);
    assert_eq!(fast.code, Some(1));
    assert!(!sandbox.path("fast/cells/0003/record.json").exists(), "{}", fast.stderr);
}

/// As a process leaves a cell whose record it has written when something fails right afterwards.
#[test]
fn what_fails_after_the_record_of_a_cell_does_not_count() {
    let sandbox = Sandbox::new();
    let chains = "[sample.hmc]\nchains = 2\ntrajectories = 12\nthermalization = 4\nsteps = 3\n";
    let study = "\n[study.vary]\n\"theory.phi4.coupling\" = [0.8, 1.2]\n";
    sandbox.write("study.toml", &(short() + chains + study));
    let run = || sandbox.flowqcd(&["run", "study.toml", "--out", "run", "--no-plots"]);
    run().succeeds();
    sandbox.flowqcd(&["run", "study.toml", "--out", "quiet", "--no-plots"]).succeeds();
    let manifest: serde_json::Value = serde_json::from_str(&sandbox.read("run/manifest.json")).unwrap();
    for is_last in [true, false] {
        let mut manifest = manifest.clone();
        let values = manifest["cells"][0]["values"].clone();
        manifest["failed"] = serde_json::json!([{ "cell": 0, "values": values, "reason": "a disk" }]);
        sandbox.write("run/manifest.json", &manifest.to_string());
        let failure = r#"{ "time": "2026-01-01T00:00:00Z", "reason": "a disk" }"#;
        sandbox.write("run/cells/0000/failed.json", failure);
        let store = "run/cells/0000/checkpoints/hmc.safetensors";
        sandbox.write(store, "");
        if !is_last {
            std::fs::remove_file(sandbox.path("run/cells/0001/record.json")).unwrap();
            std::fs::remove_file(sandbox.path("run/manifest.json")).unwrap();
        }
        run().succeeds();
        assert_same_tables(&sandbox, "run", "quiet");
        for name in [store, "run/cells/0000/failed.json"] {
            assert!(!sandbox.path(name).exists(), "{name}");
        }
    }
}

/// Three processes on one study, each killed ten times.
#[test]
fn processes_that_share_a_study_may_be_killed_at_any_moment() {
    let sandbox = failing(1000);
    assert_eq!(sandbox.flowqcd(&["run", "study.toml", "--out", "quiet"]).code, Some(1));
    let killed: u32 = std::thread::scope(|scope| {
        let process = |seed: u64| {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let mut killed = 0;
                for attempt in 0..10 {
                    let mut child =
                        sandbox.start(&["run", "study.toml", "--out", "shared", "--threads", "1"]);
                    std::thread::sleep(Duration::from_millis(30 + (seed * 131 + attempt * 89) % 170));
                    let has_ended = child.try_wait().unwrap().is_some();
                    child.kill().unwrap();
                    child.wait().unwrap();
                    killed += u32::from(!has_ended);
                }
                killed
            })
        };
        (0..3).map(process).collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(killed >= 10, "processes were killed only {killed} times");
    let last = sandbox.flowqcd(&["run", "study.toml", "--out", "shared"]);
    assert_eq!(last.code, Some(1), "{}", last.stderr);
    assert_same_tables(&sandbox, "shared", "quiet");
    let leftovers = |name: &str| name.starts_with(".tmp-") || name.starts_with(".claim-");
    for cell in [0, 1, 3, 4, 5, 7] {
        let entries = std::fs::read_dir(sandbox.path(&format!("shared/cells/000{cell}"))).unwrap();
        let names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(!names.iter().any(|name| leftovers(name)), "{names:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_stops_all_jobs_with_their_checkpoints() {
    let sandbox = Sandbox::new();
    let study = "\n[study]\nrepeats = 2\n";
    sandbox.write("study.toml", &(TINY.replace("steps = 1000", "steps = 2000") + study));
    let child = sandbox.start(&["run", "study.toml", "--out", "run", "--jobs", "2"]);
    wait_until("two cells", || {
        [0, 1].iter().all(|cell| sandbox.path(&format!("run/cells/000{cell}/train.csv")).exists())
    });
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "USR1", &pid]).status().unwrap().success());
    let stopped = Finished::new(child.wait_with_output().unwrap());
    assert_eq!(stopped.code, Some(138), "{}", stopped.stderr);
    says(&stopped.stderr, "stopped by SIGUSR1; continue with: ");
    for cell in [0, 1] {
        let folder = sandbox.path(&format!("run/cells/000{cell}/checkpoints"));
        assert!(std::fs::read_dir(folder).unwrap().count() > 0);
    }
    sandbox.flowqcd(&["run", "study.toml", "--out", "run", "--jobs", "2"]).succeeds();
    sandbox.flowqcd(&["run", "study.toml", "--out", "whole"]).succeeds();
    assert_same_tables(&sandbox, "run", "whole");
}

#[test]
fn an_edited_study_keeps_the_cells_it_still_has() {
    let sandbox = Sandbox::new();
    let study = |couplings: &str| {
        let text = short() + &format!("\n[study.vary]\n\"theory.phi4.coupling\" = {couplings}\n");
        sandbox.write("study.toml", &text);
    };
    let run = |more: &[&str]| sandbox.flowqcd(&[&["run", "study.toml", "--out", "run"], more].concat());
    study("[0.8, 1.0, 1.2]");
    run(&[]).succeeds();
    let before = sandbox.read("run/cells/0002/record.json");
    study("[0.7, 0.8, 1.2]");
    let edited = run(&[]).succeeds();
    says(&edited.stderr, "the study was edited: cells 0, 2 are kept");
    says(&edited.stderr, "cells 3 are new");
    says(&edited.stderr, "cells 1 are not part of it any more; their folders stay");
    assert_eq!(sandbox.read("run/cells/0002/record.json"), before);
    assert_eq!(column(&sandbox.read("run/cost.csv"), "coupling"), [0.7, 0.8, 1.2]);
    assert_eq!(column(&sandbox.read("run/cost.csv"), "cell"), [3.0, 0.0, 2.0]);
    // Another key that varies is another column, in the rows of before as well.
    let text = sandbox.read("study.toml").replace("[study.vary]", "[study]\nrepeats = 2\n[study.vary]");
    sandbox.write("study.toml", &text);
    run(&[]).succeeds();
    let cost = sandbox.read("run/cost.csv");
    assert_eq!(column(&cost, "cell"), [3.0, 4.0, 0.0, 5.0, 2.0, 6.0]);
    assert_eq!(column(&cost, "seed"), [3.0, 4.0, 3.0, 4.0, 3.0, 4.0]);
    sandbox.flowqcd(&["run", "study.toml", "--out", "whole"]).succeeds();
    let (of_edited, of_whole) = (sandbox.read("run/ess.csv"), sandbox.read("whole/ess.csv"));
    for name in ["seed", "coupling", "ess"] {
        assert_eq!(column(&of_edited, name), column(&of_whole, name));
    }
    // What has nothing in common with it is another run.
    let refused = run(&["--set", "train.batch.size=30"]);
    assert_eq!(refused.code, Some(2));
    says(&refused.stderr, "train.batch.size: 24 there, 30 now");
}

#[test]
fn a_start_that_cannot_be_is_refused_before_anything_is_written() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &short());
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "model"]).succeeds();
    let run = |set: &[&str]| {
        let before = sandbox.names();
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        let refused = sandbox.flowqcd(&[&["run", "tiny.toml", "--out", "run"], &set[..]].concat());
        assert_eq!((refused.code, sandbox.names()), (Some(2), before), "{}", refused.stderr);
        refused.stderr
    };
    let from = "train.start.model.file=model";
    says(
        &run(&["train.start.model.file=nothing"]),
        "train.start.model.file = nothing: there is no such checkpoint",
    );
    let other = run(&[from, "flow.affine.hidden=[5]"]);
    says(&other, "train.start.model.file = model: ");
    says(&other, "not this flow: flow.layers.0.conv.0.weight has shape [6, 1, 3, 3], not [5, 1, 3, 3]");
    says(&run(&[from, "theory.phi4.extents=[4, 4, 4]"]), "has shape [6, 1, 3, 3], not [6, 1, 3, 3, 3]");
    says(
        &run(&[from, "flow.affine.symmetrise=equivariant"]),
        "has couplings that are equivariant where these are not",
    );
    let other = run(&[from, "train.optimizer={ sgd = { learning_rate = 1e-3 } }"]);
    says(&other, "has the moments of `adam`, which `sgd` cannot carry on");
    let spectrum = "flow.affine.base.learned_spectrum={}";
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "spectrum", "--set", spectrum]).succeeds();
    let before = sandbox.names();
    let from_spectrum = ["--set", "train.start.model.file=spectrum", "--set", spectrum];
    let larger = ["run", "tiny.toml", "--out", "run", "--set", "theory.phi4.extents=[8, 8]"];
    let refused = sandbox.flowqcd(&[&larger[..], &from_spectrum].concat());
    assert_eq!((refused.code, sandbox.names()), (Some(2), before.clone()), "{}", refused.stderr);
    says(&refused.stderr, "has learned the spectrum of extents [4, 4]");
    let several = "study.vary={ \"train.start.model.file\" = [\"nothing\", \"model\", \"tiny.toml\"] }";
    let all = run(&[several]);
    says(&all, "train.start.model.file = nothing: there is no such checkpoint");
    says(&all, "train.start.model.file = tiny.toml: damaged checkpoint");
    // A model that is not the one any more is noticed by who goes on from it.
    let stop = sandbox.flowqcd(&["run", "tiny.toml", "--out", "run", "--set", from]).succeeds();
    says(&stop.stdout, "(after 2400 samples of the model it started from)");
    for name in ["record.json", "manifest.json"] {
        std::fs::remove_file(sandbox.path(&format!("run/{name}"))).unwrap();
    }
    let seed = ["run", "tiny.toml", "--out", "model", "--seed", "9", "--fresh"];
    sandbox.flowqcd(&seed).succeeds();
    let refused = sandbox.flowqcd(&["run", "tiny.toml", "--out", "run", "--set", from]);
    assert_eq!(refused.code, Some(1));
    says(&refused.stderr, "was written after starting from another model");
}
