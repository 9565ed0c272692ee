//! A fresh folder and the program, run as a user would.

use proptest::test_runner::{Config, RngSeed};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A folder of its own for one test, removed at the end.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("the sandbox can be written");
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Copies the files of a folder of the repository, without the folders in it.
    pub fn copy(&self, from: &str, to: &str) {
        std::fs::create_dir_all(self.path(to)).expect("the sandbox can be written");
        for entry in std::fs::read_dir(repository(from)).expect("the folder exists") {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(&path, self.path(to).join(path.file_name().unwrap())).expect("a copy");
            }
        }
    }

    /// Names in the sandbox, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the sandbox exists");
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowqcd"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        // What is not said to be for a GPU is tested on the CPU, whatever the machine has.
        command.env("FLOWQCD_DEVICE", "cpu");
        command
    }

    /// Runs the program to its end.
    pub fn flowqcd(&self, arguments: &[&str]) -> Finished {
        Finished::new(self.command(arguments).output().expect("the program starts"))
    }

    /// Runs the program with an environment variable set.
    pub fn flowqcd_with(&self, variable: (&str, &str), arguments: &[&str]) -> Finished {
        let mut command = self.command(arguments);
        Finished::new(command.env(variable.0, variable.1).output().expect("the program starts"))
    }

    /// Runs a shell script in the sandbox, in which `$FLOWQCD` is the program.
    #[cfg(unix)]
    pub fn shell(&self, script: &str) -> Finished {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(self.folder.path()).stdin(Stdio::null());
        shell.env("FLOWQCD", env!("CARGO_BIN_EXE_flowqcd")).env("FLOWQCD_DEVICE", "cpu");
        Finished::new(shell.output().expect("the shell starts"))
    }

    /// Starts the program and leaves it running.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts")
    }
}

/// Waits for something that a program in the background is about to do.
///
/// # Panics
/// If it takes a minute: then it will not come.
#[track_caller]
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !happened() {
        assert!(start.elapsed().as_secs() < 60, "waited in vain: {what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// How the program ended and what it said.
pub struct Finished {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "stderr:\n{}", self.stderr);
        self
    }
}

/// Files below a folder, sorted; none if there is no folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// So many trials of a law, the same ones every time; in a campaign as many others as `FLOWQCD_FUZZ_CASES` says.
pub fn trials(few: u32) -> Config {
    let asked = std::env::var("FLOWQCD_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok());
    let rng_seed = if asked.is_none() { RngSeed::Fixed(1) } else { RngSeed::Random };
    let cases = asked.unwrap_or(few);
    Config { cases, failure_persistence: None, max_shrink_iters: 4000, rng_seed, ..Config::default() }
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A small specification that trains a thousand short steps.
pub const TINY: &str = r#"
version = 1
seed = 3

[theory.phi4]
extents = [4, 4]
mass_squared = -1.0
coupling = 1.0

[flow.affine]
layers = 4
kernel_size = 3
hidden = [6]

[train]
smoothing_window = 20
checkpoint_seconds = 0.02

[train.batch]
size = 24
micro_batch = 20

[train.batch.double]
every = 300
maximum = 60

[train.optimizer.adam]
learning_rate = 2e-3

[train.learning_rate.halve]
every = 400

[train.stop]
steps = 1000

[evaluate]
samples = 2000
every = 100

[sample.direct]
configurations = 1500
"#;

/// Column names and rows of a CSV text.
pub fn table(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let record = |record: Result<csv::StringRecord, csv::Error>| {
        record.expect("as many fields as columns").iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut lines = reader.records().map(record);
    (lines.next().unwrap_or_default(), lines.collect())
}

/// One column of a CSV text as numbers.
pub fn column(text: &str, name: &str) -> Vec<f64> {
    let (header, rows) = table(text);
    let index = header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"));
    rows.iter().map(|row| row[index].parse().unwrap_or(f64::NAN)).collect()
}
