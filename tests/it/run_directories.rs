//! What a run directory holds, and that nothing in it is lost: whatever is missing or damaged is noticed, and said.

use super::resume::{assert_same, forget_the_end, results, tables};
use super::support::{Finished, Sandbox, TINY, column, files, table, wait_until};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Two cells of a short run.
fn study() -> String {
    TINY.replace("steps = 1000", "steps = 40") + "\n[study.vary]\n\"theory.phi4.coupling\" = [0.8, 1.2]\n"
}

/// Every file below a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(folder).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

#[track_caller]
fn says(finished: &Finished, words: &str) {
    assert!(finished.stderr.contains(words), "{words:?} is missing in:\n{}", finished.stderr);
}

#[test]
fn a_study_keeps_a_folder_per_cell_and_its_tables_are_merged() {
    let sandbox = Sandbox::new();
    sandbox.write("study.toml", &study());
    let finished = sandbox.flowqcd(&["run", "study.toml", "--out", "run"]).succeeds();
    says(&finished, "cell 0 (0 of 2 done): coupling = 0.8");
    says(&finished, "cell 1 (1 of 2 done): coupling = 1.2");
    assert!(finished.stdout.contains("\nchi_2\n0: coupling = 0.8 "), "{}", finished.stdout);
    for name in
        ["spec.toml", "record.json", "train.csv", "log.txt", "checkpoints/step-0000000040.safetensors"]
    {
        assert!(sandbox.path(&format!("run/cells/0001/{name}")).is_file(), "{name}");
    }
    for name in ["train.csv", "ess.csv", "cost.csv", "observables.csv"] {
        let (header, rows) = table(&sandbox.read(&format!("run/{name}")));
        assert_eq!(header[..2], ["cell", "coupling"]);
        let of_cells = [0, 1].map(|cell| table(&sandbox.read(&format!("run/cells/000{cell}/{name}"))));
        assert_eq!(rows, [&of_cells[0].1[..], &of_cells[1].1[..]].concat(), "{name}");
    }
    // A cell is what a run of its specification alone gives.
    let alone = ["run", "run/cells/0001/spec.toml", "--out", "alone"];
    sandbox.flowqcd(&alone).succeeds();
    assert_same(
        &sandbox,
        "alone",
        &results(&sandbox, "run/cells/0001").into_iter().map(without_key).collect::<Vec<_>>(),
    );
}

/// A table without its column of the varied key.
fn without_key((file, text): (String, String)) -> (String, String) {
    let cut = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        [&["0"], &fields[2..]].concat().join(",")
    };
    let header = text.lines().next().unwrap_or_default();
    if !header.starts_with("cell,") {
        return (file, text);
    }
    let header = header.replacen("coupling,", "", 1);
    let lines: Vec<String> = std::iter::once(header).chain(text.lines().skip(1).map(cut)).collect();
    (file, lines.join("\n"))
}

#[test]
fn what_is_put_together_from_the_cells_is_made_again_and_nothing_is_cut() {
    let sandbox = Sandbox::new();
    sandbox.write("study.toml", &study());
    let run = || sandbox.flowqcd(&["run", "study.toml", "--out", "run"]);
    let first = run().succeeds();
    let before = contents(&sandbox.path("run"));
    let manifest = sandbox.read("run/manifest.json");
    for damage in [None, Some("garbage"), Some("")] {
        let path = sandbox.path("run/manifest.json");
        damage.map_or_else(|| std::fs::remove_file(&path), |text| std::fs::write(&path, text)).unwrap();
        let again = run().succeeds();
        says(&again, "manifest.json could not be read: it is made again from the cells");
        assert_eq!(again.stdout, first.stdout);
        assert_eq!(sandbox.read("run/manifest.json"), manifest);
    }
    sandbox.write("run/train.csv", "cell,coupling\r\n");
    std::fs::remove_file(sandbox.path("run/observables.csv")).unwrap();
    let again = run().succeeds();
    says(&again, "train.csv was not as the cells have it: it is made again");
    says(&again, "observables.csv was not as the cells have it: it is made again");
    assert!(contents(&sandbox.path("run")) == before, "everything is as it was");
}

#[test]
fn damaged_tables_of_a_finished_run_are_refused_and_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 40"));
    let run = || sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]);
    run().succeeds();
    let whole = sandbox.read("run/train.csv");
    let expected = results(&sandbox, "run");
    for damage in [String::new(), whole.replace('\n', "\r\n"), whole.replacen("24", "25", 1)] {
        sandbox.write("run/train.csv", &damage);
        let refused = run();
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        says(&refused, "run/train.csv: ");
        says(&refused, "and the run is finished");
        assert_eq!(sandbox.read("run/train.csv"), damage);
    }
    sandbox.write("run/train.csv", &whole);
    // What the last checkpoint leads to can be made again.
    std::fs::remove_file(sandbox.path("run/observables.csv")).unwrap();
    says(&run(), "run/observables.csv: is missing, and the run is finished");
    forget_the_end(&sandbox, "run");
    run().succeeds();
    assert_same(&sandbox, "run", &expected);
}

/// As a process that is killed while it removes them leaves the files of a run.
#[test]
fn a_start_over_that_was_cut_short_is_one() {
    let single = TINY.replace("steps = 1000", "steps = 40");
    for (spec, lost) in [
        (study(), ["cells/0000/train.csv", "cells/0001/record.json"].as_slice()),
        (single.clone(), &["checkpoints/step-0000000040.safetensors", "cost.csv"]),
        // To the last file.
        (single, &["spec.toml"]),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("spec.toml", &spec);
        let run = || sandbox.flowqcd(&["run", "spec.toml", "--out", "run", "--no-plots"]);
        run().succeeds();
        let expected = tables(&sandbox, "run");
        lost.iter().for_each(|name| std::fs::remove_file(sandbox.path("run").join(name)).unwrap());
        sandbox.write("run/.fresh", "");
        let again = run().succeeds();
        assert!(
            !again.stderr.contains("continuing") && !again.stderr.contains("finished;"),
            "{}",
            again.stderr
        );
        assert_eq!(tables(&sandbox, "run"), expected);
        assert!(!sandbox.path("run/.fresh").exists());
    }
}

#[test]
fn a_record_that_cannot_be_read_is_made_again() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 40"));
    let run = || sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]);
    let first = run().succeeds();
    let expected = results(&sandbox, "run");
    // The manifest knows it too.
    sandbox.write("run/record.json", "{");
    assert_eq!(run().succeeds().stdout, first.stdout);
    assert!(sandbox.read("run/record.json").contains("\"summary\""));
    sandbox.write("run/record.json", "{");
    sandbox.write("run/manifest.json", "{");
    says(&run().succeeds(), "record.json cannot be read: it is made again");
    assert_same(&sandbox, "run", &expected);
    sandbox.write("run/record.json", "{");
    sandbox.write("run/manifest.json", "{");
    std::fs::remove_dir_all(sandbox.path("run/checkpoints")).unwrap();
    let refused = run();
    assert_eq!(refused.code, Some(1));
    says(&refused, "record.json: cannot be read, and there is no checkpoint to make it again from");
    assert_same_tables(&sandbox, "run", &expected);
}

/// The tables alone.
fn assert_same_tables(sandbox: &Sandbox, out: &str, expected: &[(String, String)]) {
    for (file, _) in expected.iter().filter(|(file, _)| file.ends_with(".csv")) {
        assert!(!sandbox.read(&format!("{out}/{file}")).is_empty(), "{file}");
    }
}

#[test]
fn an_interrupted_run_whose_line_ends_were_converted_is_not_cut() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 40"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    forget_the_end(&sandbox, "run");
    let converted = sandbox.read("run/train.csv").replace('\n', "\r\n");
    sandbox.write("run/train.csv", &converted);
    let refused = sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]);
    assert_eq!(refused.code, Some(1));
    says(&refused, "run/train.csv: does not hold what it was left with");
    assert_eq!(sandbox.read("run/train.csv"), converted);
}

#[test]
fn the_last_step_is_a_row_however_seldom_rows_are() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 100").replace("[train]\n", "[train]\nlog_every = 30\n");
    sandbox.write("tiny.toml", &spec);
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    let train = sandbox.read("run/train.csv");
    assert_eq!(column(&train, "step"), [30.0, 60.0, 90.0, 100.0]);
    assert_eq!(column(&train, "samples").last(), column(&sandbox.read("run/cost.csv"), "n_train").first());
}

#[cfg(unix)]
#[test]
fn pipes_in_a_run_directory_hang_nothing() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 40");
    sandbox.write("tiny.toml", &format!("{spec}\n[sample.independence]\nproposals = 500\n"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    let expected = results(&sandbox, "run");
    forget_the_end(&sandbox, "run");
    let chain = "run/checkpoints/independence.safetensors";
    std::fs::remove_file(sandbox.path(chain)).unwrap();
    let checkpoint = "run/checkpoints/step-9999999999.safetensors";
    let pipes = [checkpoint, chain, "run/record.json", "run/manifest.json"];
    for pipe in pipes {
        assert!(std::process::Command::new("mkfifo").arg(sandbox.path(pipe)).status().unwrap().success());
    }
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    std::fs::remove_file(sandbox.path(checkpoint)).unwrap();
    assert_same(&sandbox, "run", &expected);
}

#[test]
fn a_finished_run_that_cannot_be_written_to_is_shown() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 40"));
    let run = |more: &[&str]| sandbox.flowqcd(&[&["run", "tiny.toml", "--out", "run"], more].concat());
    let first = run(&[]).succeeds();
    // No lock can be made there, as on a disk that is mounted to be read.
    std::fs::remove_file(sandbox.path("run/.lock")).unwrap();
    std::fs::create_dir(sandbox.path("run/.lock")).unwrap();
    let before = contents(&sandbox.path("run"));
    assert_eq!(run(&[]).succeeds().stdout, first.stdout);
    assert_eq!(run(&["--fresh"]).code, Some(1));
    assert!(contents(&sandbox.path("run")) == before);
    forget_the_end(&sandbox, "run");
    let refused = run(&[]);
    assert_eq!(refused.code, Some(1));
    says(&refused, "run/.lock: cannot create");
}

/// A step of minutes is given up, a short one made again, and the result is that of a run that nobody stopped.
#[cfg(unix)]
#[test]
fn a_signal_is_answered_within_a_step() {
    let sandbox = Sandbox::new();
    let constant = TINY.replace("[train.batch.double]\nevery = 300\nmaximum = 60\n", "");
    let long = constant.replace("size = 24", "size = 5000000");
    sandbox.write("long.toml", &long);
    let short = long.replace("size = 5000000", "size = 4000").replace("steps = 1000", "steps = 6");
    sandbox.write("short.toml", &short);
    sandbox.flowqcd(&["run", "short.toml", "--out", "whole"]).succeeds();
    let expected = results(&sandbox, "whole");
    let interrupt = |spec: &str, out: &str| {
        let child = sandbox.start(&["run", spec, "--out", out, "--threads", "1"]);
        wait_until("train.csv", || sandbox.path(&format!("{out}/train.csv")).exists());
        std::thread::sleep(std::time::Duration::from_millis(150));
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
        Finished::new(child.wait_with_output().unwrap())
    };
    let stopped = interrupt("long.toml", "long");
    assert_eq!(stopped.code, Some(130), "{}", stopped.stderr);
    says(&stopped, "stopped by SIGINT after step 0");
    assert!(sandbox.path("long/checkpoints/step-0000000000.safetensors").exists());
    for _ in 0..3 {
        interrupt("short.toml", "short");
    }
    sandbox.flowqcd(&["run", "short.toml", "--out", "short"]).succeeds();
    assert_same(&sandbox, "short", &expected);
}

/// An evaluation that is stopped leaves its step in a checkpoint, and its row comes when the run goes on.
#[cfg(unix)]
#[test]
fn a_signal_is_answered_within_an_evaluation() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 40").replace("samples = 2000\nevery = 100", "EVALUATE");
    sandbox.write("long.toml", &spec.replace("EVALUATE", "samples = 400000\nevery = 20"));
    sandbox.flowqcd(&["run", "long.toml", "--out", "whole"]).succeeds();
    let child = sandbox.start(&["run", "long.toml", "--out", "run"]);
    let has_rows =
        || std::fs::read_to_string(sandbox.path("run/train.csv")).is_ok_and(|t| t.lines().count() > 20);
    wait_until("20 rows", has_rows);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    let stopped = Finished::new(child.wait_with_output().unwrap());
    says(&stopped, "stopped by SIGINT after step 20");
    assert_eq!(sandbox.read("run/ess.csv"), "", "the evaluation was not waited for");
    sandbox.flowqcd(&["run", "long.toml", "--out", "run"]).succeeds();
    assert_same(&sandbox, "run", &results(&sandbox, "whole"));
}

#[test]
fn every_device_of_a_run_that_moved_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 40"));
    let portable = ("FLOWQCD_ISA", "portable");
    sandbox.flowqcd_with(portable, &["run", "tiny.toml", "--out", "run"]).succeeds();
    forget_the_end(&sandbox, "run");
    for out in ["run", "other"] {
        sandbox.flowqcd(&["run", "tiny.toml", "--out", out]).succeeds();
    }
    let device = |out: &str| -> String {
        let manifest = sandbox.read(&format!("{out}/manifest.json"));
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        manifest["device"].as_str().unwrap().to_owned()
    };
    // A machine without vector units has one name for both.
    let expected = match device("other").as_str() {
        "cpu (portable)" => "cpu (portable)".to_owned(),
        other => format!("cpu (portable); {other}"),
    };
    let (header, rows) = table(&sandbox.read("run/cost.csv"));
    let place = header.iter().position(|name| name == "device").unwrap();
    assert_eq!((&rows[0][place], device("run")), (&expected, expected.clone()));
}

#[test]
fn a_run_is_one_object_of_one_shape_in_json() {
    let sandbox = Sandbox::new();
    sandbox.write("study.toml", &study());
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 40"));
    for (spec, cells) in [("tiny.toml", 1), ("study.toml", 2)] {
        let json = |more: &[&str]| -> serde_json::Value {
            let finished = sandbox
                .flowqcd(&[&["run", spec, "--out", spec.trim_end_matches(".toml"), "--json"], more].concat());
            serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stdout))
        };
        let run = json(&[]);
        assert_eq!(run["cells"].as_array().map(Vec::len), Some(cells));
        assert_eq!(run["stop_reason"], "steps");
        let coupling = &run["cells"][0]["values"]["coupling"];
        assert_eq!(coupling.as_f64(), (cells == 2).then_some(0.8), "values have their types");
        assert!(run["cells"][0]["summary"]["ess"].as_f64().is_some_and(|ess| ess > 0.0));
        let manifest = sandbox.read(&format!("{}/manifest.json", spec.trim_end_matches(".toml")));
        assert_eq!(run, serde_json::from_str::<serde_json::Value>(&manifest).unwrap());
        let refused = json(&["--fresh", "--set", "theory.phi4.coupling=1e39"]);
        assert!(
            cells == 2 || refused["error"].as_str().is_some_and(|text| text.contains("loss = inf")),
            "{refused}"
        );
    }
}

/// The layout before cells had folders: their checkpoints in `checkpoints`, their rows in the tables of the run.
#[test]
fn studies_of_older_versions_are_shown_or_refused_and_never_touched() {
    let sandbox = Sandbox::new();
    sandbox.write("study.toml", &study());
    let run = || sandbox.flowqcd(&["run", "study.toml", "--out", "run"]);
    let first = run().succeeds();
    std::fs::create_dir_all(sandbox.path("run/checkpoints")).unwrap();
    for cell in [0, 1] {
        let from = sandbox.path(&format!("run/cells/000{cell}/checkpoints"));
        std::fs::rename(from, sandbox.path(&format!("run/checkpoints/cell-000{cell}"))).unwrap();
    }
    std::fs::remove_dir_all(sandbox.path("run/cells")).unwrap();
    let before = contents(&sandbox.path("run"));
    assert_eq!(run().succeeds().stdout, first.stdout);
    assert!(contents(&sandbox.path("run")) == before);
    std::fs::remove_file(sandbox.path("run/manifest.json")).unwrap();
    let before = contents(&sandbox.path("run"));
    let refused = run();
    assert_eq!(refused.code, Some(1));
    says(&refused, "holds a study of an older version of flowqcd");
    let sample = |from: &str| sandbox.flowqcd(&["sample", from, "-n", "5", "--out", "phi.npz"]);
    let refused = sample("run");
    says(&refused, "it is a study of an older version, whose cells have folders of their own");
    says(&refused, "run/checkpoints/cell-0000");
    assert!(contents(&sandbox.path("run")) == before);
    sample("run/checkpoints/cell-0000").succeeds();
}
