//! The order of flushing and renaming: what is there after a loss of power is whole, and nothing that is known of is missing.

use super::faults::{SPEC, STUDY};
use super::strace::{self, Traced, file, name};
use super::support::Sandbox;
use std::path::Path;

/// Calls that change what is on the disk, or make it last.
const CALLS: &str =
    "openat,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,ftruncate";

/// What a command asks of the system, where all goes well.
fn calls(arguments: &[&str]) -> Option<(Sandbox, Vec<String>)> {
    if strace::is_missing() {
        return None;
    }
    let sandbox = Sandbox::new();
    sandbox.write("spec.toml", SPEC);
    sandbox.write("study.toml", STUDY);
    let traced = Traced::run(&sandbox, arguments, CALLS, None);
    assert_eq!(traced.finished.code, Some(0), "{}", traced.finished.stderr);
    let calls = traced.main().iter().filter(|call| !call.contains(" = -1 ")).cloned().collect();
    Some((sandbox, calls))
}

fn is_rename(call: &str) -> bool {
    name(call).starts_with("rename")
}

fn is_flush(call: &str) -> bool {
    ["fsync", "fdatasync"].contains(&name(call))
}

/// The first and the last path of a call that has two.
fn renamed(call: &str) -> (&str, &str) {
    let mut paths = call.split('"').skip(1).step_by(2);
    let from = paths.next().expect("what is renamed");
    (from, paths.last().unwrap_or(from))
}

/// Whether two paths, one of which may be relative to a sandbox, end alike.
fn same(a: &str, b: &str) -> bool {
    Path::new(a).ends_with(b.trim_start_matches("./")) || Path::new(b).ends_with(a.trim_start_matches("./"))
}

#[test]
fn a_file_is_flushed_before_its_renaming_and_its_folder_afterwards() {
    for arguments in [
        ["run", "spec.toml", "--out", "run", "--threads", "1"],
        ["run", "study.toml", "--out", "run", "--threads", "1"],
    ] {
        let Some((_sandbox, calls)) = calls(&arguments) else { return };
        let mut kinds = [0; 3];
        for (place, call) in calls.iter().enumerate().filter(|(_, call)| is_rename(call)) {
            let (from, to) = renamed(call);
            let before =
                calls[..place].iter().rev().find(|other| same(file(other), from) && name(other) != "openat");
            let before = before.unwrap_or_else(|| panic!("nothing was done to {from} before\n{call}"));
            assert!(is_flush(before), "the last thing before\n{call}\nis no flush of it:\n{before}");
            let folder = Path::new(to).parent().and_then(Path::to_str).unwrap();
            let next =
                calls[place + 1..].iter().find(|other| name(other) != "openat").expect("something follows");
            assert!(
                is_flush(next) && same(file(next), folder),
                "after\n{call}\nits folder is not flushed, but\n{next}"
            );
            for (kind, end) in kinds.iter_mut().zip([".safetensors", "record.json", "manifest.json"]) {
                *kind += usize::from(to.ends_with(end));
            }
        }
        assert!(kinds[0] >= 6 || arguments[1] == "study.toml", "{kinds:?}");
        assert!(kinds[1] >= 1 && kinds[2] >= 1, "{kinds:?}");
    }
}

#[test]
fn what_a_checkpoint_or_a_record_knows_of_is_on_the_disk_before_it() {
    let Some((_sandbox, calls)) = calls(&["run", "spec.toml", "--out", "run", "--threads", "1"]) else {
        return;
    };
    let is_grown = |path: &str| path.ends_with(".csv") || path.ends_with(".records");
    let mut seen = 0;
    for (place, call) in calls.iter().enumerate().filter(|(_, call)| is_rename(call)) {
        let (_, to) = renamed(call);
        if !(to.ends_with(".safetensors") || to.ends_with("record.json")) {
            continue;
        }
        // Of a folder with a table the entry, of a table the rows.
        for (at, made) in calls[..place].iter().enumerate() {
            let path = file(made);
            if name(made) == "openat" && made.contains("O_CREAT") && is_grown(path) {
                let folder = Path::new(path).parent().and_then(Path::to_str).unwrap();
                let flushed =
                    calls[at..place].iter().any(|other| is_flush(other) && same(file(other), folder));
                assert!(flushed, "{to} may outlive the entry of {path}");
            }
            let of_records = path.ends_with(".records");
            // A state of chains has nothing to do with tables, and the weights nothing with chains.
            let known =
                if to.contains("step-") || to.ends_with("record.json") { !of_records } else { of_records };
            if name(made) == "write" && is_grown(path) && known && same_state(path, to) {
                let flushed = calls[at..place].iter().any(|other| is_flush(other) && same(file(other), path));
                assert!(flushed, "{to} may outlive a row of {path}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "only {seen} rows were looked at");
}

/// Records have the name of their state; all tables belong to the training.
fn same_state(records: &str, state: &str) -> bool {
    let stem = |path: &str| {
        Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned()
    };
    records.ends_with(".csv") || stem(records) == stem(state)
}

#[test]
fn an_older_checkpoint_goes_only_when_a_newer_one_lasts() {
    let Some((_sandbox, calls)) = calls(&["run", "spec.toml", "--out", "run", "--threads", "1"]) else {
        return;
    };
    let mut gone = 0;
    for (place, call) in calls.iter().enumerate() {
        if name(call).starts_with("unlink") && call.contains("step-") {
            let before = calls[..place]
                .iter()
                .rposition(|other| is_rename(other) && renamed(other).1.contains("step-"));
            let before = before.expect("a newer one");
            let flushed = calls[before..place]
                .iter()
                .any(|other| is_flush(other) && file(other).ends_with("checkpoints"));
            assert!(flushed, "{call} comes before the newer one lasts");
            gone += 1;
        }
    }
    assert!(gone >= 3, "only {gone} checkpoints were removed");
}

#[test]
fn folders_are_flushed_into_those_that_they_are_in() {
    let Some((_sandbox, calls)) = calls(&["run", "study.toml", "--out", "deep/run", "--threads", "1"]) else {
        return;
    };
    let made: Vec<usize> = (0..calls.len()).filter(|&at| name(&calls[at]).starts_with("mkdir")).collect();
    for &at in &made {
        let folder = Path::new(file(&calls[at])).parent().and_then(Path::to_str).unwrap_or_default();
        let next = calls[at + 1..].iter().find(|other| name(other) != "openat").expect("something follows");
        assert!(is_flush(next) && same(file(next), folder), "after\n{}\ncomes\n{next}", calls[at]);
    }
    // The run, what it is in, two cells with their checkpoints and ensembles or not, the folder of the cells.
    assert!(made.len() >= 7, "{made:?}");
}
