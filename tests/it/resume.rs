//! A run that was killed or interrupted, and continued, is bit for bit the run that was not.

use super::support::{Finished, Sandbox, TINY, table, wait_until};
use std::time::Duration;

/// The tables of a run without times, and without where it ran.
pub fn tables(sandbox: &Sandbox, out: &str) -> Vec<(String, String)> {
    let files = ["train.csv", "ess.csv", "cost.csv", "observables.csv"];
    files.map(|file| (file.to_owned(), untimed(&sandbox.read(&format!("{out}/{file}"))))).into()
}

/// A table without times, and without where it was made.
pub fn untimed(text: &str) -> String {
    let timed = |column: &str| {
        let is_time = column.ends_with("_s") || column.contains("_s_") || column == "ess_s";
        // From when on training has paid follows from times.
        is_time || ["threads", "device", "crossover_n_indep"].contains(&column)
    };
    let (header, rows) = table(text);
    let keep: Vec<usize> = (0..header.len()).filter(|&i| !timed(&header[i])).collect();
    let line = |row: &Vec<String>| keep.iter().map(|&i| row[i].clone()).collect::<Vec<_>>().join(",");
    let lines: Vec<String> = std::iter::once(&header).chain(&rows).map(line).collect();
    lines.join("\n")
}

/// Everything a run leaves behind except times, and except where it ran.
pub fn results(sandbox: &Sandbox, out: &str) -> Vec<(String, String)> {
    let mut all = tables(sandbox, out);
    all.push(("weights".into(), weights(sandbox, out)));
    all
}

/// Names and bytes of every tensor of the last checkpoint.
pub fn weights(sandbox: &Sandbox, out: &str) -> String {
    let folder = sandbox.path(&format!("{out}/checkpoints"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("step-")));
    files.sort();
    let bytes = std::fs::read(files.last().expect("a checkpoint")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors = tensors.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(tensors.iter().any(|(name, _)| name == "flow.layers.3.conv.1.bias"));
    tensors
        .iter()
        .map(|(name, view)| format!("{name} {:?} {}\n", view.shape(), blake3::hash(view.data())))
        .collect()
}

pub fn assert_same(sandbox: &Sandbox, out: &str, expected: &[(String, String)]) {
    for ((file, found), (_, expected)) in results(sandbox, out).iter().zip(expected) {
        assert!(found == expected, "{out}/{file} differs:\n{found}\nfrom\n{expected}");
    }
}

/// Makes a finished run an interrupted one, after its last checkpoint.
pub fn forget_the_end(sandbox: &Sandbox, out: &str) {
    for name in ["record.json", "manifest.json"] {
        std::fs::remove_file(sandbox.path(&format!("{out}/{name}"))).unwrap();
    }
}

/// Kills a run again and again, after `shortest` milliseconds or more, until it gets through; it ends as one that was never killed,
/// which is `whole`.
pub fn survives_being_killed(spec: &str, shortest: u64) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", spec);
    sandbox.flowqcd(&["run", "spec.toml", "--out", "whole"]).succeeds();
    let expected = results(&sandbox, "whole");
    let mut killed = 0;
    // Delays spread over the length of the run, in an order that mixes short and long ones.
    for attempt in 0u64..60 {
        let mut child = sandbox.start(&["run", "spec.toml", "--out", "killed"]);
        std::thread::sleep(Duration::from_millis(shortest + attempt * 37 % 113));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
    }
    assert!(killed >= 3, "the run was killed only {killed} times");
    sandbox.flowqcd(&["run", "spec.toml", "--out", "killed"]).succeeds();
    assert_same(&sandbox, "killed", &expected);
    sandbox
}

#[test]
fn a_run_killed_at_random_moments_ends_as_if_it_had_not_been() {
    survives_being_killed(TINY, 25);
}

/// What they remember of gradients is carried on, too.
#[test]
fn runs_with_other_optimizers_survive_being_killed() {
    let adam = "[train.optimizer.adam]\nlearning_rate = 2e-3\n";
    assert!(TINY.contains(adam));
    for optimizer in [
        "[train.optimizer.adadelta]\n",
        "[train.optimizer.sgd]\nlearning_rate = 2e-3\nmomentum = 0.9\nnesterov = true\n",
    ] {
        survives_being_killed(&TINY.replace(adam, optimizer), 25);
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 60").replace("size = 24", "size = 50"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "one", "--threads", "1"]).succeeds();
    let expected = results(&sandbox, "one");
    for threads in ["2", "5"] {
        sandbox.flowqcd(&["run", "tiny.toml", "--out", threads, "--threads", threads]).succeeds();
        assert_same(&sandbox, threads, &expected);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_a_checkpoint_and_the_command_that_continues() {
    let user = 128 + signal_hook::consts::SIGUSR1;
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129), ("USR1", user)] {
        let sandbox = Sandbox::new();
        sandbox.write("tiny.toml", &TINY.replace("checkpoint_seconds = 0.02", "checkpoint_seconds = 1e6"));
        sandbox.flowqcd(&["run", "tiny.toml", "--out", "whole"]).succeeds();
        let expected = results(&sandbox, "whole");

        let child = sandbox.start(&["run", "tiny.toml", "--out", "stopped", "--fresh"]);
        wait_until("stopped/train.csv", || sandbox.path("stopped/train.csv").exists());
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let finished = Finished::new(child.wait_with_output().unwrap());
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        let command = finished.stderr.split("continue with: ").nth(1).expect("the command to continue");
        assert!(command.trim().ends_with("run tiny.toml --out stopped"), "{command}");

        sandbox.flowqcd(&["run", "tiny.toml", "--out", "stopped"]).succeeds();
        assert_same(&sandbox, "stopped", &expected);
    }
}

/// `nohup` means that a terminal may go away.
#[cfg(target_os = "linux")]
#[test]
fn a_run_under_nohup_does_not_hear_a_hangup() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    let script = "trap '' HUP; \"$FLOWQCD\" run tiny.toml --out run & \
                  while ! [ -s run/train.csv ]; do sleep 0.01; done; kill -s HUP $!; wait $!";
    sandbox.shell(script).succeeds();
}

/// `ulimit -f` counts blocks of 512 bytes.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_on_the_size_of_files_is_an_error_of_the_file_and_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    let finished = sandbox.shell("ulimit -f 4; \"$FLOWQCD\" run tiny.toml --out run");
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("File too large"), "{}", finished.stderr);
    let files = std::fs::read_dir(sandbox.path("run/checkpoints")).unwrap();
    let names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.starts_with(".tmp-")), "{names:?}");
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    let expected = results(&sandbox, "run");
    let folder = sandbox.path("run/checkpoints");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 2, "two checkpoints are kept");
    let mut bytes = std::fs::read(&files[1]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[1], bytes).unwrap();
    forget_the_end(&sandbox, "run");

    let finished = sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    let note = finished.stderr.lines().find(|line| line.contains("the checksum does not match its content"));
    let note = note.unwrap_or_else(|| panic!("{}", finished.stderr));
    assert!(note.contains("step-0000001000.safetensors: passed over"), "{note}");
    assert!(!finished.stderr.contains("error") && !finished.stderr.contains("hint"), "{}", finished.stderr);
    assert_same(&sandbox, "run", &expected);
}

#[test]
fn two_processes_cannot_write_to_one_run_directory() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 1000000"));
    let mut child = sandbox.start(&["run", "tiny.toml", "--out", "run"]);
    wait_until("run/train.csv", || sandbox.path("run/train.csv").exists());
    let second = sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("another process is running"), "{}", second.stderr);
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 30"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "one"]).succeeds();
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "two", "--seed", "4"]).succeeds();
    let name = "checkpoints/step-0000000030.safetensors";
    std::fs::copy(sandbox.path(&format!("one/{name}")), sandbox.path(&format!("two/{name}"))).unwrap();
    forget_the_end(&sandbox, "two");
    let finished = sandbox.flowqcd(&["run", "tiny.toml", "--out", "two", "--seed", "4"]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("was written for another specification"), "{}", finished.stderr);
}

/// Chains saved by another model would be continued with proposals that do not belong to them.
#[test]
fn chains_of_another_run_are_refused() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 30");
    sandbox.write("tiny.toml", &format!("{spec}\n[sample.independence]\nproposals = 500\n"));
    let two = ["run", "tiny.toml", "--out", "two", "--seed", "4"];
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "one"]).succeeds();
    sandbox.flowqcd(&two).succeeds();
    let name = "checkpoints/independence.safetensors";
    std::fs::copy(sandbox.path(&format!("one/{name}")), sandbox.path(&format!("two/{name}"))).unwrap();
    forget_the_end(&sandbox, "two");
    let finished = sandbox.flowqcd(&two);
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.stderr.contains("another model, seed, specification or version of the program wrote it"),
        "{}",
        finished.stderr
    );
    std::fs::remove_file(sandbox.path(&format!("two/{name}"))).unwrap();
    sandbox.flowqcd(&two).succeeds();
}

/// A machine with less memory may finish what another began; anything else about a run stays as it is.
#[test]
fn a_run_goes_on_with_another_micro_batch_and_nothing_else_changed() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 30"));
    let arguments = ["run", "tiny.toml", "--out", "one"];
    sandbox.flowqcd(&arguments).succeeds();
    forget_the_end(&sandbox, "one");
    // As a process that is killed while it saves leaves it.
    let leftovers = ["one/.tmp-abc", "one/checkpoints/.tmp-abc"];
    leftovers.iter().for_each(|name| drop(sandbox.write(name, "half a file")));
    let smaller = [&arguments[..], &["--set", "train.batch.micro_batch=7"]].concat();
    let finished = sandbox.flowqcd(&smaller).succeeds();
    assert!(finished.stderr.contains("continuing after step 30"), "{}", finished.stderr);
    leftovers.iter().for_each(|name| assert!(!sandbox.path(name).exists(), "{name}"));
    assert!(sandbox.read("one/spec.toml").contains("micro_batch = 7"));
    let refused = sandbox.flowqcd(&[&arguments[..], &["--set", "train.batch.size=25"]].concat());
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("train.batch.size: 24 there, 25 now"), "{}", refused.stderr);
}

/// Draws are kept while they are made, and end as if nothing had happened.
#[test]
fn direct_sampling_goes_on_where_it_was_killed() {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 30").replace("1500", "400000");
    sandbox.write("tiny.toml", &spec);
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "whole"]).succeeds();
    let draws = sandbox.path("killed/checkpoints/direct.safetensors");
    let mut continued = 0;
    for _ in 0..3 {
        let mut child = sandbox.start(&["run", "tiny.toml", "--out", "killed"]);
        let before = std::fs::metadata(&draws).and_then(|file| file.modified()).ok();
        let is_saved = || std::fs::metadata(&draws).and_then(|file| file.modified()).ok() != before;
        while !is_saved() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        let ended = Finished::new(child.wait_with_output().unwrap());
        let resumed = ended.stderr.contains("configurations\ncontinuing after");
        continued += usize::from(resumed && !ended.stderr.contains("continuing after 400000"));
    }
    assert!(continued > 0, "draws were never continued");
    let finished = sandbox.flowqcd(&["run", "tiny.toml", "--out", "killed"]).succeeds();
    assert!(!draws.exists(), "{}", finished.stderr);
    for name in ["observables.csv", "ess.csv"] {
        assert_eq!(sandbox.read(&format!("whole/{name}")), sandbox.read(&format!("killed/{name}")), "{name}");
    }
}

/// Moments used to be one vector each, in the order of the parameters, and tables were known by their bytes alone.
fn rewrite_as_older(path: &std::path::Path) {
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut header: serde_json::Value =
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["flowqcd"]).unwrap();
    let updates = header.as_object_mut().unwrap().remove("updates").unwrap();
    header["adam_updates"] = updates;
    let tables = header.as_object_mut().unwrap().remove("tables").unwrap();
    let bytes_of = |(name, mark): (&String, &serde_json::Value)| (name.clone(), mark["bytes"].clone());
    header["table_bytes"] =
        tables.as_object().unwrap().iter().map(bytes_of).collect::<serde_json::Map<_, _>>().into();

    let (mut moments, mut all) = (tensors.tensors(), Vec::new());
    // Within a convolution the weight comes before the bias.
    moments.sort_by_key(|(name, _)| name.replace("weight", "a weight"));
    for moment in ["adam.first_moment", "adam.second_moment"] {
        let own = moments.iter().filter(|(name, _)| name.starts_with(&format!("{moment}.")));
        let data: Vec<u8> = own.flat_map(|(_, view)| view.data().to_vec()).collect();
        all.push((moment.to_owned(), safetensors::Dtype::F32, vec![data.len() / 4], data));
    }
    assert!(!all[0].3.is_empty(), "moments are saved by parameter");
    for (name, view) in moments.iter().filter(|(name, _)| !name.starts_with("adam.")) {
        all.push((name.clone(), view.dtype(), view.shape().to_vec(), view.data().to_vec()));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let header = header.to_string();
    let mut hasher = blake3::Hasher::new();
    hasher.update(header.as_bytes());
    for (name, _, _, data) in &all {
        hasher.update(name.as_bytes()).update(&(data.len() as u64).to_le_bytes()).update(data);
    }
    let digest = hasher.finalize().to_hex().to_string();
    let metadata =
        std::collections::HashMap::from([("flowqcd".to_owned(), header), ("blake3".to_owned(), digest)]);
    let views = all.iter().map(|(name, dtype, shape, data)| {
        (name.clone(), safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_run_of_an_older_version_is_continued() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("checkpoint_seconds = 0.02", "checkpoint_seconds = 1e6"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "whole"]).succeeds();
    let expected = results(&sandbox, "whole");
    let child = sandbox.start(&["run", "tiny.toml", "--out", "older"]);
    wait_until("older/train.csv", || sandbox.path("older/train.csv").exists());
    std::thread::sleep(Duration::from_millis(100));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    let stopped = Finished::new(child.wait_with_output().unwrap());
    assert_eq!(stopped.code, Some(130), "{}", stopped.stderr);
    for entry in std::fs::read_dir(sandbox.path("older/checkpoints")).unwrap() {
        rewrite_as_older(&entry.unwrap().path());
    }
    let finished = sandbox.flowqcd(&["run", "tiny.toml", "--out", "older"]).succeeds();
    assert!(finished.stderr.contains("continuing after step"), "{}", finished.stderr);
    assert_same(&sandbox, "older", &expected);
}
