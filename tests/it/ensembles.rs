//! Ensembles: drawn from a model, kept from chains, read back to learn and judge from.

use super::support::{Sandbox, TINY, column, wait_until};
use std::path::Path;

/// Chains beside a short training.
pub const CHAINS: &str = r#"
[sample.hmc]
chains = 12
thermalization = 300
trajectories = 500
save_every = 5
"#;

/// The numbers of an array, read by the rules of the format alone: a header that ends in a newline, then `f8`.
pub fn array(path: &Path, name: &str) -> (String, Vec<f64>) {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name(&format!("{name}.npy")).unwrap(), &mut bytes).unwrap();
    assert_eq!(bytes[..6], *b"\x93NUMPY");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(end % 64, 0, "the data of an array is aligned");
    let header = String::from_utf8(bytes[10..end].to_vec()).unwrap();
    let numbers = bytes[end..].as_chunks().0.iter().map(|number| f64::from_le_bytes(*number)).collect();
    (header.trim().to_owned(), numbers)
}

/// The action of the tiny specification, eq. (A1).
fn action(phi: &[f64]) -> f64 {
    let at = |t: usize, x: usize| phi[t % 4 * 4 + x % 4];
    let site = |t: usize, x: usize| {
        let v = at(t, x);
        -v * (at(t + 1, x) + at(t, x + 1)) + 0.5 * (-1.0 + 4.0) * v * v + v.powi(4)
    };
    (0..4).flat_map(|t| (0..4).map(move |x| (t, x))).map(|(t, x)| site(t, x)).sum()
}

#[test]
fn a_checkpoint_gives_an_ensemble_and_further_parts_of_it() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 200"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    let draw = |arguments: &[&str]| sandbox.flowqcd(&[&["sample", "run"], arguments].concat());
    let whole = draw(&["-n", "3000", "--out", "whole.npz", "--json"]).succeeds();
    let report: serde_json::Value = serde_json::from_str(&whole.stdout).unwrap();
    let name = "run/checkpoints/step-0000000200.safetensors";
    sandbox.flowqcd(&["sample", name, "-n", "1000", "--first", "2000", "--out", "rest.npz"]).succeeds();

    let numbers = |file: &str, name: &str| array(&sandbox.path(file), name).1;
    let header = array(&sandbox.path("whole.npz"), "phi").0;
    assert!(header.contains("'<f8'") && header.contains("(3000, 4, 4, )"), "{header}");
    let (phi, log_q) = (numbers("whole.npz", "phi"), numbers("whole.npz", "log_q"));
    let (actions, log_w) = (numbers("whole.npz", "action"), numbers("whole.npz", "log_w"));
    for (index, field) in phi.chunks(16).enumerate() {
        assert!((actions[index] - action(field)).abs() < 1e-10 * (1.0 + actions[index].abs()));
        assert_eq!(log_w[index], -actions[index] - log_q[index]);
    }
    assert_eq!(phi[2000 * 16..], numbers("rest.npz", "phi"));

    // What several processes write: parts, and an index of them.
    sandbox.flowqcd(&["sample", name, "-n", "2000", "--out", "first.npz"]).succeeds();
    let files = [("first.npz", 2000), ("rest.npz", 1000)].map(|(file, count)| {
        let bytes = std::fs::read(sandbox.path(file)).unwrap();
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        serde_json::json!({ "file": file, "count": count, "bytes": bytes.len(), "blake3": blake3 })
    });
    let index = serde_json::json!({ "field": "phi", "shape": [3000, 4, 4], "files": files });
    sandbox.write("index.json", &index.to_string());
    let measured = |file: &str| sandbox.flowqcd(&["measure", file, "--json"]).succeeds().stdout;
    assert_eq!(measured("index.json"), measured("whole.npz"));
    std::fs::copy(sandbox.path("whole.npz"), sandbox.path("rest.npz")).unwrap();
    let refused = sandbox.flowqcd(&["measure", "index.json"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("rest.npz: is not the file"),
        "{}",
        refused.stderr
    );

    let largest = log_w.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = log_w.iter().map(|w| (w - largest).exp()).collect();
    let (sum, square) = (weights.iter().sum::<f64>(), weights.iter().map(|w| w * w).sum::<f64>());
    assert!((report["ess"].as_f64().unwrap() - sum * sum / (3000.0 * square)).abs() < 1e-12);
}

#[test]
fn a_wrong_request_for_an_ensemble_says_what_is_wrong() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 5"));
    sandbox.flowqcd(&["run", "tiny.toml", "--out", "run"]).succeeds();
    sandbox.write("study.toml", &(TINY.replace("steps = 1000", "steps = 5") + "[study]\nrepeats = 2\n"));
    sandbox.flowqcd(&["run", "study.toml", "--out", "study"]).succeeds();
    for (arguments, expected) in [
        (["nowhere", "-n", "5", "--out", "a.npz"], "there is no such checkpoint"),
        ([".", "-n", "5", "--out", "a.npz"], "holds no checkpoint"),
        (["study", "-n", "5", "--out", "a.npz"], "it is a study, whose cells have folders of their own"),
        (["run", "-n", "0", "--out", "a.npz"], "0 is not in 1.."),
        (["run", "-n", "5", "--out", "no/a.npz"], "there is no folder no"),
    ] {
        let refused = sandbox.flowqcd(&[&["sample"], &arguments[..]].concat());
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{expected} is not in\n{}", refused.stderr);
    }
    assert_eq!(sandbox.names(), ["run", "study", "study.toml", "tiny.toml"]);
    sandbox.flowqcd(&["sample", "study/cells/0001", "-n", "5", "--out", "a.npz"]).succeeds();
    sandbox.write("broken.safetensors", "nothing of the kind");
    let refused = sandbox.flowqcd(&["sample", "broken.safetensors", "-n", "5", "--out", "b.npz"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("damaged checkpoint"), "{}", refused.stderr);
}

#[test]
fn chains_leave_an_ensemble_to_judge_and_to_learn_from() {
    let sandbox = Sandbox::new();
    sandbox.write("chains.toml", &(TINY.replace("steps = 1000", "steps = 300") + CHAINS));
    sandbox.flowqcd(&["run", "chains.toml", "--out", "chains"]).succeeds();
    let file = sandbox.path("chains/ensembles/hmc.npz");
    let (header, phi) = array(&file, "phi");
    assert!(header.contains("(1200, 4, 4, )"), "{header}");
    assert_eq!(phi.len(), 1200 * 16);
    let (last, log_q) = (column(&sandbox.read("chains/ess.csv"), "nll_target"), array(&file, "log_q").1);
    let nll = -log_q.iter().sum::<f64>() / 1200.0;
    assert!((last.last().unwrap() - nll).abs() < 1e-9, "{last:?} and {nll}");
    let files = std::fs::read_dir(sandbox.path("chains/checkpoints")).unwrap();
    assert!(files.flatten().all(|file| file.file_name().to_string_lossy().starts_with("step-")));

    let learn = "train.loss.forward_kl.ensemble=chains/ensembles/hmc.npz";
    let judge = "evaluate.target=chains/ensembles/hmc.npz";
    let learner = TINY
        .replace("learning_rate = 2e-3", "learning_rate = 5e-3")
        .replace("samples = 2000\nevery = 100", "samples = 20000\nevery = 50");
    sandbox.write("learner.toml", &learner);
    let command = ["run", "learner.toml", "--out", "learner", "--set", judge, "--set", learn];
    sandbox.flowqcd(&command).succeeds();
    let ess = sandbox.read("learner/ess.csv");
    let (nll, target, own) = (column(&ess, "nll_target"), column(&ess, "ess_target"), column(&ess, "ess"));
    let last = ess.lines().count() - 2;
    assert!(nll[last] < nll[0] - 0.3, "the likelihood of what it learns from grows: {nll:?}");
    // What it learned is the target: its own configurations say so too.
    assert!(
        own[last] > 0.45 && (own[last] - target[last]).abs() < 0.1,
        "ESS {own:?}, on the target {target:?}"
    );
    let train = sandbox.read("learner/train.csv");
    assert!(
        column(&train, "loss").iter().rev().take(50).sum::<f64>() / 50.0 < column(&train, "loss")[0] - 1.0
    );
}

#[test]
fn what_is_learned_from_must_fit_and_must_not_change() {
    let sandbox = Sandbox::new();
    sandbox.write("chains.toml", &(TINY.replace("steps = 1000", "steps = 20") + CHAINS));
    sandbox.flowqcd(&["run", "chains.toml", "--out", "chains"]).succeeds();
    sandbox.write("tiny.toml", TINY);
    let set = |value: &str| format!("train.loss.forward_kl.ensemble={value}");
    let run = |out: &str, file: &str, more: &[&str]| {
        sandbox.flowqcd(&[&["run", "tiny.toml", "--out", out, "--set", &set(file)], more].concat())
    };
    let good = "chains/ensembles/hmc.npz";
    sandbox.flowqcd(&["sample", "chains", "-n", "50", "--out", "model.npz"]).succeeds();
    for (file, more, expected) in [
        ("missing.npz", &[][..], "missing.npz: cannot read the ensemble"),
        ("chains.toml", &[], "chains.toml: "),
        ("model.npz", &[], "holds configurations of a model: must be of the target"),
        (good, &["--set", "theory.phi4.extents=[6,4]"], "has shape (1200, 4, 4): must be (N, 6, 4)"),
        (good, &["--set", "theory.phi4.coupling=1.5"], "configuration 0: has the action"),
    ] {
        let refused = run("refused", file, more);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(expected), "{expected} is not in\n{}", refused.stderr);
    }
    assert!(!sandbox.path("refused").exists());

    std::fs::copy(sandbox.path(good), sandbox.path("data.npz")).unwrap();
    let long = "train.stop.steps=1000000";
    let learn = ["run", "tiny.toml", "--out", "run", "--set", &set("data.npz"), "--set", long];
    let mut child = sandbox.start(&learn);
    // A file under a temporary name is not yet a checkpoint.
    let is_checkpoint = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("step-"))
    };
    let folder = sandbox.path("run/checkpoints");
    wait_until("a checkpoint", || std::fs::read_dir(&folder).is_ok_and(|mut all| all.any(is_checkpoint)));
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.flowqcd(&["run", "chains.toml", "--out", "others", "--seed", "8"]).succeeds();
    std::fs::copy(sandbox.path("others/ensembles/hmc.npz"), sandbox.path("data.npz")).unwrap();
    let refused = sandbox.flowqcd(&learn);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("learning from another ensemble"), "{}", refused.stderr);
}

#[test]
fn chains_that_are_killed_go_on_from_where_they_were_saved() {
    let sandbox = Sandbox::new();
    let long =
        CHAINS.replace("trajectories = 500", "trajectories = 20000").replace("every = 5", "every = 50");
    let short = TINY.replace("steps = 1000", "steps = 5").replace("0.02", "0.05");
    sandbox.write("chains.toml", &(short + &long));
    sandbox.flowqcd(&["run", "chains.toml", "--out", "whole"]).succeeds();
    let mut continued = 0;
    for attempt in 0u64..60 {
        let mut child = sandbox.start(&["run", "chains.toml", "--out", "killed"]);
        std::thread::sleep(std::time::Duration::from_millis(40 + attempt * 37 % 113));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        continued += usize::from(sandbox.path("killed/checkpoints/hmc.safetensors").exists());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(continued >= 2, "chains were killed only {continued} times");
    sandbox.flowqcd(&["run", "chains.toml", "--out", "killed"]).succeeds();
    let same = |file: &str| {
        let bytes = |out: &str| std::fs::read(sandbox.path(&format!("{out}/{file}"))).unwrap();
        assert!(bytes("whole") == bytes("killed"), "{file} differs");
    };
    same("observables.csv");
    same("ess.csv");
    same("ensembles/hmc.npz");
}
