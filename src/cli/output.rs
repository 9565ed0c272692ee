//! What is said: results on stdout, everything else on stderr, where nothing that cannot be said stops a run.

use crate::error::{Error, Result};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Prints a result; a reader that went away (`| head`) is no error.
///
/// # Errors
/// [`Error::Io`] if stdout cannot be written, e.g. to a full disk.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.or_else(read_no_more).map_err(Error::io(Path::new("standard output"), "write"))
}

/// A pipe that nobody reads any more is no error.
pub fn read_no_more(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// Says something on stderr, if anyone listens: a terminal that is gone or a full disk must not end a run.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(text));
}

/// The text without what a terminal would obey instead of show.
fn harmless(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        _ if c.is_control() => c.escape_default().to_string(),
        _ => c.to_string(),
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_commanded() {
        assert_eq!(harmless("a\u{1b}[31mb\u{9b}\r\nφ\tc"), "a\\u{1b}[31mb\\u{9b}\\r\nφ\tc");
    }
}
