//! Inputs from strangers: whatever they hold, the answer comes soon and in words, without a panic and without all of the memory.

use super::support::{Finished, Sandbox, TINY, repository, trials};
use flowqcd::ensemble::TargetSamples;
use flowqcd::spec::Spec;
use flowqcd::study::{Measure, Overview, Trained};
use flowqcd::theory;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use std::path::Path;
use std::time::{Duration, Instant};

/// An answer that takes longer is none.
const SOON: Duration = Duration::from_secs(5);

/// What is done to an input.
#[derive(Debug, Clone)]
enum Edit {
    Flip {
        at: Index,
        bit: u8,
    },
    Set {
        at: Index,
        byte: u8,
    },
    Remove {
        at: Index,
        count: usize,
    },
    /// A part again, so many times.
    Repeat {
        at: Index,
        count: usize,
        times: usize,
    },
    /// A part of one place in another one.
    Copy {
        from: Index,
        count: usize,
        to: Index,
    },
    /// Something that means much to those who read it.
    Put {
        at: Index,
        what: usize,
        in_place: bool,
    },
    Cut {
        at: Index,
    },
}

/// Words of texts, and numbers as files of bytes have them.
const MEANINGFUL: [&[u8]; 34] = [
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"1e400",
    b"-0.0",
    b"nan",
    b"inf",
    b"1e-320",
    b"0",
    b"\"",
    b"'''",
    b"\"\"\"",
    b"[",
    b"]",
    b"{",
    b"}",
    b"[[",
    b"= ",
    b"\n",
    b"\\u0000",
    b"#",
    b",",
    b".",
    b"study.vary.",
    b"steps",
    b"\xff\xfe",
    b"\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x01\0\0\0",
    b"PK\x05\x06",
    b"PK\x03\x04",
    b"\x93NUMPY",
    b"\r\n",
];

impl Edit {
    fn apply(&self, input: &mut Vec<u8>) {
        let length = input.len();
        if length == 0 {
            return;
        }
        let part = |at: &Index, count: usize| at.index(length)..(at.index(length) + count).min(length);
        match self {
            Self::Flip { at, bit } => input[at.index(length)] ^= 1 << bit,
            Self::Set { at, byte } => input[at.index(length)] = *byte,
            Self::Remove { at, count } => drop(input.drain(part(at, *count))),
            Self::Repeat { at, count, times } => {
                let (range, end) = (part(at, *count), part(at, *count).end);
                let again = input[range].repeat(*times);
                input.splice(end..end, again);
            }
            Self::Copy { from, count, to } => {
                let (what, to) = (input[part(from, *count)].to_vec(), to.index(length));
                input.splice(to..to, what);
            }
            Self::Put { at, what, in_place } => {
                let (what, from) = (MEANINGFUL[*what], at.index(length));
                let end = if *in_place { (from + what.len()).min(length) } else { from };
                input.splice(from..end, what.iter().copied());
            }
            Self::Cut { at } => input.truncate(at.index(length)),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        2 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set { at, byte }),
        2 => (at(), 1..40_usize).prop_map(|(at, count)| Edit::Remove { at, count }),
        1 => (at(), 1..40_usize, 1..300_usize).prop_map(|(at, count, times)| Edit::Repeat { at, count, times }),
        2 => (at(), 1..60_usize, at()).prop_map(|(from, count, to)| Edit::Copy { from, count, to }),
        5 => (at(), 0..MEANINGFUL.len(), any::<bool>()).prop_map(|(at, what, in_place)| Edit::Put { at, what, in_place }),
        1 => at().prop_map(|at| Edit::Cut { at }),
    ]
}

/// One of some inputs, after some edits.
fn edited(corpus: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), prop::collection::vec(edit(), 1..6)).prop_map({
        let corpus = corpus.to_vec();
        move |(which, edits)| {
            let mut input = which.get(&corpus).clone();
            edits.iter().for_each(|edit| edit.apply(&mut input));
            input
        }
    })
}

/// Tries a law on edited inputs: so many of them, or more in a campaign.
fn hold(name: &str, corpus: &[Vec<u8>], few: u32, law: impl Fn(&[u8]) -> String) {
    let config = trials(few);
    let cases = config.cases;
    let answers = std::cell::RefCell::new(std::collections::BTreeMap::<String, u32>::new());
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&edited(corpus), |input| {
        let start = Instant::now();
        let answer = law(&input);
        prop_assert!(
            start.elapsed() < SOON,
            "{:?} for {:?}",
            start.elapsed(),
            String::from_utf8_lossy(&input)
        );
        *answers.borrow_mut().entry(answer).or_default() += 1;
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    println!("{name}: {cases} inputs: {:?}", answers.into_inner());
}

/// Files of a folder of the corpus.
fn corpus(folder: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(repository(folder)).expect("the folder is there");
    let mut files: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A specification that is accepted is written as it was meant.
#[test]
fn any_text_is_a_specification_or_has_its_problems_named() {
    let mut texts = corpus("configs");
    texts.push(TINY.as_bytes().to_vec());
    hold("specifications", &texts, 50_000, |input| {
        let text = String::from_utf8_lossy(input);
        match Spec::parse(&text, &[]) {
            Ok(spec) => {
                let again = Spec::parse(&spec.to_toml(), &[]).expect("what is written can be read");
                assert_eq!(again.digest(), spec.digest(), "{text}");
                "accepted".into()
            }
            Err(problems) => {
                assert!(!problems.is_empty());
                "refused".into()
            }
        }
    });
}

#[test]
fn any_override_is_taken_or_has_its_problems_named() {
    let overrides = [
        "theory.phi4.coupling=1.5",
        "flow.affine.hidden=[8, 8]",
        "train.stop={ steps = 10 }",
        "study.repeats=3",
        "study.vary.\"theory.phi4.coupling\"=[0.5, 1.0]",
        "train.loss.reverse_kl.gradient=\"path\"",
        "seed=7",
        "theory.schwinger={ extents = [4, 4], beta = 1.0, kappa = 0.2 }",
    ];
    let overrides: Vec<Vec<u8>> = overrides.iter().map(|text| text.as_bytes().to_vec()).collect();
    hold("overrides", &overrides, 50_000, |input| {
        let text = String::from_utf8_lossy(input).into_owned();
        let answer = Spec::parse(TINY, &[text]);
        if answer.is_ok() { "accepted" } else { "refused" }.into()
    });
}

/// A sandbox with a run of everything that leaves files to read.
fn run_with_files() -> Sandbox {
    let sandbox = Sandbox::new();
    let spec = TINY.replace("steps = 1000", "steps = 12").replace("every = 100", "every = 6");
    let hmc = "[sample.hmc]\nchains = 2\ntrajectories = 12\nthermalization = 4\nsteps = 3\nsave_every = 3\n";
    sandbox.write("spec.toml", &format!("{spec}\n{hmc}").replace("1500", "60"));
    sandbox.flowqcd(&["run", "spec.toml", "--out", "run", "--no-plots"]).succeeds();
    sandbox.flowqcd(&["sample", "run", "-n", "20", "--out", "phi.npz"]).succeeds();
    sandbox
}

const CHECKPOINT: &str = "run/checkpoints/step-0000000012.safetensors";

fn answer<T>(result: flowqcd::error::Result<T>) -> String {
    match result {
        Ok(_) => "accepted".into(),
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 20_000, "{} bytes are said", text.len());
            "refused".into()
        }
    }
}

#[test]
fn any_bytes_are_a_checkpoint_or_are_refused() {
    let sandbox = run_with_files();
    let whole = std::fs::read(sandbox.path(CHECKPOINT)).unwrap();
    let path = sandbox.path("other.safetensors");
    hold("checkpoints", &[whole], 400, |input| {
        std::fs::write(&path, input).unwrap();
        answer(Trained::load(&path))
    });
}

/// Whoever wants to harm writes a checksum that fits.
#[test]
fn a_checkpoint_of_any_header_is_taken_or_refused() {
    let sandbox = run_with_files();
    let bytes = std::fs::read(sandbox.path(CHECKPOINT)).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let header = metadata.metadata().as_ref().unwrap()["flowqcd"].clone();
    let path = sandbox.path("other.safetensors");
    hold("headers of checkpoints", &[header.into_bytes()], 400, |input| {
        let header = String::from_utf8_lossy(input).into_owned();
        std::fs::write(&path, with_header(&bytes, header)).unwrap();
        answer(Trained::load(&path))
    });
}

/// A checkpoint with another header, and the checksum of both.
fn with_header(checkpoint: &[u8], header: String) -> Vec<u8> {
    let tensors = safetensors::SafeTensors::deserialize(checkpoint).unwrap();
    let mut sorted = tensors.tensors();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hasher = blake3::Hasher::new();
    hasher.update(header.as_bytes());
    for (name, view) in &sorted {
        hasher.update(name.as_bytes()).update(&(view.data().len() as u64).to_le_bytes()).update(view.data());
    }
    let digest = hasher.finalize().to_hex().to_string();
    let metadata = [("flowqcd".to_owned(), header), ("blake3".to_owned(), digest)].into();
    safetensors::serialize(sorted, Some(metadata)).unwrap()
}

#[test]
fn specifications_in_checkpoints_that_are_of_no_model_or_of_a_giant_are_refused() {
    let sandbox = run_with_files();
    let bytes = std::fs::read(sandbox.path(CHECKPOINT)).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let header: serde_json::Value =
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["flowqcd"]).unwrap();
    let spec = header["spec"].as_str().unwrap().to_owned();
    let chains = "version = 1\nseed = 1\ntheory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 1.0 }\n\
                  sample.hmc.trajectories = 10\n";
    let giant = spec.replace("extents = [4, 4]", "extents = [4000000, 4000000]");
    assert_ne!(giant, spec);
    for (spec, words) in [(chains.to_owned(), "of no model"), (giant, "needs ")] {
        let mut header = header.clone();
        header["spec"] = spec.into();
        std::fs::write(sandbox.path("other.safetensors"), with_header(&bytes, header.to_string())).unwrap();
        let refused = sandbox.flowqcd(&["sample", "other.safetensors", "-n", "1", "--out", "a.npz"]);
        assert!(
            refused.code == Some(1) && refused.stderr.contains(words),
            "{:?}: {}",
            refused.code,
            refused.stderr
        );
        // As a model to start from it is read, too.
        let start = ["run", "spec.toml", "--out", "on", "--set", "train.start.model.file=other.safetensors"];
        let started = sandbox.flowqcd(&start);
        assert!(
            matches!(started.code, Some(0..=2)) && !started.stderr.contains("panicked"),
            "{}",
            started.stderr
        );
    }
}

#[test]
fn any_bytes_are_an_ensemble_or_are_refused() {
    let sandbox = run_with_files();
    let [chains, model] =
        ["run/ensembles/hmc.npz", "phi.npz"].map(|file| std::fs::read(sandbox.path(file)).unwrap());
    let path = sandbox.path("other.npz");
    let theory = Spec::parse(TINY, &[]).unwrap().theory;
    let action = theory::build(&theory).action;
    hold("ensembles", &[chains, model], 400, |input| {
        std::fs::write(&path, input).unwrap();
        let _ = answer(TargetSamples::load(&path, &*action));
        let measure = |theory| Measure { file: &path, theory, chains: None, skip: None }.run();
        let _ = answer(measure(None));
        answer(measure(Some(theory.clone())))
    });
}

/// Archives that are made to harm, read with little memory.
#[cfg(target_os = "linux")]
#[test]
fn archives_that_are_made_to_harm_are_refused_with_little_memory() {
    let sandbox = run_with_files();
    let make = r#"
import struct, zipfile, zlib
def npy(descr, shape, data=b'', version=1, text=None):
    text = text if text is not None else f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = struct.pack('<H' if version == 1 else '<I', len(text))
    return b'\x93NUMPY' + bytes([version, 0]) + length + text + data
def archive(name, how=zipfile.ZIP_STORED, **arrays):
    with zipfile.ZipFile(name, 'w', how) as file:
        for array, data in arrays.items():
            file.writestr(array + '.npy', data)
archive('bomb.npz', zipfile.ZIP_DEFLATED, phi=npy('<f8', (10**7, 4, 4), bytes(10**8)))
archive('declared.npz', phi=npy('<f8', (2**40, 4, 4), bytes(1000)))
archive('overflow.npz', phi=npy('<f8', (2**63, 4, 4), bytes(1000)))
archive('negative.npz', phi=npy('<f8', (-1, 4, 4), bytes(1000)))
archive('pickle.npz', phi=npy('|O', (2,), b'\x80\x04cos\nsystem\n(S"touch harmed"\ntR.'))
archive('deep.npz', phi=npy('', '', text=b'(' * 60000))
archive('header.npz', phi=b'\x93NUMPY\x02\x00\xff\xff\xff\x7f' + b'x' * 100)
archive('none.npz', phi=npy('<f8', (0, 4, 4)))
archive('spec.npz', phi=npy('<f8', (5, 4, 4), bytes(640)), spec=npy('|S90', (), b'version = 1\nseed = 1\nsample.hmc.trajectories = 9\ntheory.phi4 = { extents = [3000000000, 3000000000], mass_squared = 1, coupling = 1 }'))
archive('twice.npz', phi=npy('<f8', (5, 4, 4), bytes(640)))
with zipfile.ZipFile('twice.npz', 'a') as file:
    file.writestr('phi.npy', npy('<f8', (9, 4, 4), bytes(9 * 128)))
# Two entries of the directory that are the same bytes of the file.
archive('overlap.npz', phi=npy('<f8', (5, 4, 4), bytes(640)), lll=npy('<f8', (5,), bytes(40)))
data = bytearray(open('overlap.npz', 'rb').read())
second = data.rfind(b'PK\x01\x02')
data[second + 42:second + 46] = struct.pack('<I', 0)
open('overlap.npz', 'wb').write(data)
"#;
    sandbox.write("make.py", make);
    sandbox.shell("python3 make.py").succeeds();
    let program = std::fs::metadata(env!("CARGO_BIN_EXE_flowqcd")).unwrap().len() / 1024;
    // Of 100 MB that a bomb would unfold to, and the gigabytes that others declare, there is not even a part.
    let measure = |file: &str, more: &str| -> Finished {
        let limit = program + 90_000;
        sandbox.shell(&format!("ulimit -v {limit}; \"$FLOWQCD\" measure {file} --threads 1 {more}"))
    };
    for file in ["bomb", "declared", "overflow", "negative", "pickle", "deep", "header", "none", "spec"] {
        for more in ["--spec spec.toml", ""] {
            let refused = measure(&format!("{file}.npz"), more);
            let is_whole = file == "spec" && !more.is_empty();
            let code = refused.code;
            assert!(
                matches!(code, Some(1 | 2)) || is_whole && code == Some(0),
                "{file} {more}: {code:?} {}",
                refused.stderr
            );
            assert!(
                refused.stderr.len() < 3000 && !refused.stderr.contains("error: memory"),
                "{file}: {}",
                refused.stderr
            );
        }
    }
    for file in ["twice", "overlap"] {
        let answered = measure(&format!("{file}.npz"), "--spec spec.toml");
        assert!(matches!(answered.code, Some(0..=2)), "{file}: {}", answered.stderr);
    }
    assert!(!sandbox.path("harmed").exists(), "a pickle was obeyed");
}

/// Tables, manifests and records of others, one of them edited.
#[test]
fn any_run_directory_is_shown_or_refused() {
    let sandbox = run_with_files();
    let run = sandbox.path("run");
    let files = [
        "train.csv",
        "ess.csv",
        "cost.csv",
        "observables.csv",
        "history.csv",
        "weights.csv",
        "chains.csv",
        "manifest.json",
        "record.json",
        "starts.json",
        "spec.toml",
        "log.txt",
    ];
    for file in files {
        let whole = std::fs::read(run.join(file)).unwrap();
        hold(file, std::slice::from_ref(&whole), 12, |input| {
            std::fs::write(run.join(file), input).unwrap();
            shown(&sandbox, &run)
        });
        std::fs::write(run.join(file), &whole).unwrap();
    }
}

/// What reads files only, in one word.
fn shown(sandbox: &Sandbox, run: &Path) -> String {
    use flowqcd::report::{Format, Log, PageRequest, Request, What, page, plot};
    let (runs, folder) = ([run.to_owned()], sandbox.path("figures"));
    let request = Request {
        runs: &runs,
        only: &[],
        levels: &[0.1],
        key: None,
        what: What::Everything,
        log: Log::default(),
        formats: &[Format::Svg],
        folder: &folder,
    };
    let cells = Overview::open(run).and_then(|overview| overview.cells());
    let page = page(&PageRequest { runs: &runs, levels: &[], key: None });
    [answer(plot(&request)), answer(page), answer(cells)].join(", ")
}

/// Variables of the environment are from strangers, too.
#[test]
fn any_variable_is_obeyed_or_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", TINY);
    let values: Vec<Vec<u8>> =
        ["avx2", "cpu", "wgpu:0", "16"].iter().map(|text| text.as_bytes().to_vec()).collect();
    for variable in ["FLOWQCD_ISA", "FLOWQCD_DEVICE", "FLOWQCD_GPU_SITES", "SLURM_ARRAY_TASK_ID"] {
        hold(variable, &values, 6, |input| {
            let value = String::from_utf8_lossy(input).replace('\0', "");
            let finished = sandbox.flowqcd_with((variable, &value), &["check", "tiny.toml"]);
            assert!(
                matches!(finished.code, Some(0..=2)),
                "{variable} = {value:?}: {:?} {}",
                finished.code,
                finished.stderr
            );
            format!("{:?}", finished.code)
        });
    }
}
