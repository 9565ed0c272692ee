//! The text of a specification, from a file or standard input, of bounded size.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a specification, at most: a device has no end, and a few kilobytes are usual.
const MOST_BYTES: u64 = 4 << 20;

/// What stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// The text of a file; of standard input if the name is `-`.
///
/// # Errors
/// [`Error::Usage`] if it cannot be read, is too large or is no text.
pub fn text(file: &Path) -> Result<String> {
    let refused = |reason: String, hint: &str| Error::Usage {
        message: format!("{}: {reason}", file.display()),
        hint: hint.into(),
    };
    let bytes = bytes(file).map_err(|source| {
        let hint = "name a TOML file, e.g. configs/smoke.toml, or - for standard input";
        refused(format!("cannot read the specification: {source}"), hint)
    })?;
    if bytes.len() as u64 > MOST_BYTES {
        let hint = "a specification is a TOML file of some kilobytes, e.g. configs/smoke.toml";
        return Err(refused(format!("must not be larger than {} MiB", MOST_BYTES >> 20), hint));
    }
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        refused(format!("is not text: byte {place} is not UTF-8"), "a specification is a TOML file")
    })
}

/// One byte too many at most.
fn bytes(file: &Path) -> io::Result<Vec<u8>> {
    let source: Box<dyn Read> = match file == Path::new(STANDARD_INPUT) {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(file)?),
    };
    let mut bytes = Vec::new();
    source.take(MOST_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
}
