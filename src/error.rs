//! The one error type: every message names the place, the value and the rule, with a hint where a fix is known.

use std::fmt;
use std::path::{Path, PathBuf};

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One thing wrong with a specification: `key = value: rule`.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Dotted path of the key, e.g. `flow.affine.kernel_size`.
    pub key: String,
    /// The offending value as TOML, if there is one.
    pub value: Option<String>,
    /// What the key must satisfy.
    pub rule: String,
    /// How to mend it, where that is known.
    pub hint: Option<String>,
    /// Line of the file, if the key comes from the file.
    pub line: Option<usize>,
}

impl Problem {
    /// A problem of `key` without a value.
    pub fn new(key: impl Into<String>, rule: impl Into<String>) -> Self {
        let (value, hint, line) = (None, None, None);
        Self {
            key: excerpt(&key.into(), MOST_OF_A_KEY),
            value,
            rule: excerpt(&rule.into(), MOST_OF_A_RULE),
            hint,
            line,
        }
    }

    /// Adds the offending value, on one line and not too long.
    pub fn value(mut self, value: impl fmt::Display) -> Self {
        self.value = Some(excerpt(&value.to_string(), MOST_OF_A_VALUE));
        self
    }

    /// Adds a way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Characters of a value that a message shows, at most.
const MOST_OF_A_VALUE: usize = 80;

/// Characters of a key that a message shows, at most.
const MOST_OF_A_KEY: usize = 200;

/// Characters of a rule that a message shows, at most; it may name what was found.
const MOST_OF_A_RULE: usize = 1000;

/// A text on one line, its beginning if it is longer than `most` characters; what a terminal would obey is escaped.
fn excerpt(text: &str, most: usize) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let shown: String = text.chars().take(most).map(escaped).collect();
    match text.chars().count() {
        count if count > most => format!("{shown}… ({count} characters)"),
        _ => shown,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}", self.key)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{}", self.rule)?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

/// A signal that asked the program to stop, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(pub u8);

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(f, "SIGHUP"),
            2 => write!(f, "SIGINT"),
            // Linux, and the BSDs with macOS.
            10 | 30 => write!(f, "SIGUSR1"),
            15 => write!(f, "SIGTERM"),
            number => write!(f, "signal {number}"),
        }
    }
}

/// Everything that ends a command early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A specification that cannot be run, with all its problems.
    #[error("{}", spec_message(file, problems))]
    Spec {
        /// The specification file.
        file: PathBuf,
        /// Every problem found.
        problems: Vec<Problem>,
    },
    /// A command line that cannot be carried out.
    #[error("error: {message}\n\nhint: {hint}")]
    Usage {
        /// Place, value and rule.
        message: String,
        /// The way out.
        hint: String,
    },
    /// The operating system refused a file operation.
    #[error("error: {}: cannot {action}: {source}\n\nhint: {}", path.display(), way_out(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, as a verb phrase.
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file of a run directory that does not hold what it should.
    #[error("error: {}: {rule}\n\nhint: {hint}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        rule: String,
        /// The way out.
        hint: String,
    },
    /// A quantity that is no longer a finite number.
    #[error(
        "error: training step {step}: {quantity} = {value}: must be a finite number\n\nhint: \
         the last good checkpoint is {checkpoint}; lower `train.optimizer.{optimizer}.learning_rate` or \
         `train.gradient_clip` and start over with --fresh"
    )]
    Diverged {
        /// The step that failed (counted from 1).
        step: u64,
        /// What became infinite or NaN.
        quantity: &'static str,
        /// Its value.
        value: f64,
        /// Path of the newest checkpoint, or `none`.
        checkpoint: String,
        /// The update rule that was used.
        optimizer: &'static str,
    },
    /// A signal asked the run to stop; everything is on disk.
    #[error("stopped by {signal}{}; continue with: {resume}", step.map_or(String::new(), |step| format!(" after step {step}")))]
    Interrupted {
        /// Which one.
        signal: Signal,
        /// The last finished step, where something is trained.
        step: Option<u64>,
        /// Command that continues the run.
        resume: String,
    },
    /// A signal ended the drawing of an ensemble; nothing is on disk.
    #[error(
        "stopped by {signal} after {done} of {count} configurations, which are not kept\n\nhint: draw fewer at a time into \
         several files: --first says where the next one begins"
    )]
    InterruptedDraw {
        /// Which one.
        signal: Signal,
        /// Configurations drawn.
        done: u64,
        /// Configurations asked for.
        count: u64,
    },
    /// A study in which cells failed; the others are not touched by that.
    #[error("error: {}\n\nhint: {hint}", failed.join("\nerror: "))]
    Cells {
        /// A line for each.
        failed: Vec<String>,
        /// The way out.
        hint: String,
    },
    /// A self-test with results that are not what they must be.
    #[error(
        "error: not what it must be: {failed}\n\nhint: `flowqcd verify --device cpu` tells the device from the program"
    )]
    Verify {
        /// The checks.
        failed: String,
    },
    /// Two runs whose results are too far apart.
    #[error("error: {disagreeing}\n\nhint: {hint}")]
    Disagree {
        /// How many, and the largest.
        disagreeing: String,
        /// The way out.
        hint: String,
    },
    /// A device that is not there or gave up.
    #[error("error: device {name}: {rule}\n\nhint: {hint}")]
    Device {
        /// The device as asked for.
        name: String,
        /// What went wrong.
        rule: String,
        /// The way out.
        hint: String,
    },
}

impl Error {
    /// An [`Error::Io`] for `path`, to be used with `map_err`.
    pub fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }

    /// Exit status: 2 for a wrong specification or usage, 128 + n for the signal n, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Spec { .. } | Self::Usage { .. } => 2,
            Self::Interrupted { signal, .. } | Self::InterruptedDraw { signal, .. } => 128 + signal.0,
            _ => 1,
        }
    }
}

/// What to do about an answer of the system.
fn way_out(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room on that disk, or have the quota raised; the same command then goes on from what is there"
        }
        ErrorKind::FileTooLarge => {
            "raise the limit on the size of files (ulimit -f); the same command then goes on"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "see to it that this account may do that there, or name another place"
        }
        ErrorKind::NotFound => "see whether it was moved or removed, or is on a disk that is not mounted",
        // The system has no more processes or threads.
        ErrorKind::WouldBlock => {
            "end other programs, or raise the limits on processes and memory (ulimit -u, ulimit -v); the same command then goes on"
        }
        ErrorKind::OutOfMemory => {
            "end other programs, or raise the limit on memory (ulimit -v); the same command then goes on"
        }
        _ if is_too_many_files(source) => {
            "raise the number of files that may be open (ulimit -n); the same command then goes on from what is there"
        }
        _ => "see to the disk that it is on; the same command then goes on from what is there",
    }
}

/// Neither this process nor, on a machine with many, anybody may open another file.
fn is_too_many_files(source: &std::io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    cfg!(unix) && matches!(source.raw_os_error(), Some(ENFILE | EMFILE))
}

fn spec_message(file: &Path, problems: &[Problem]) -> String {
    let mut lines: Vec<String> =
        problems.iter().map(|problem| format!("error: {}: {problem}", file.display())).collect();
    let mut hints: Vec<&String> = problems.iter().filter_map(|problem| problem.hint.as_ref()).collect();
    hints.dedup();
    if !hints.is_empty() {
        lines.push(String::new());
        lines.extend(hints.iter().map(|hint| format!("hint: {hint}")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_is_shown_on_one_line_in_part_and_escaped() {
        let problem = Problem::new("a\u{1b}[31m", "unknown key").value(format!("\"\n{}\"", "x".repeat(5000)));
        let expected = format!("a\\u{{1b}}[31m = \"\\n{}… (5003 characters): unknown key", "x".repeat(78));
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn a_spec_error_lists_every_problem_then_the_hints() {
        let problems = vec![
            Problem::new("flow.affine.layers", "must be at least 1").value(0),
            Problem::new("theory.phi5", "unknown key").hint("did you mean `theory.phi4`?"),
        ];
        let error = Error::Spec { file: "a.toml".into(), problems };
        assert_eq!(
            error.to_string(),
            "error: a.toml: flow.affine.layers = 0: must be at least 1\n\
             error: a.toml: theory.phi5: unknown key\n\nhint: did you mean `theory.phi4`?"
        );
        assert_eq!(error.exit_code(), 2);
    }
}
