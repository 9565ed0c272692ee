//! Whole lines of a file that grows, each read once.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Bytes that are read at once, at most: what is left comes the next time.
const MOST: u64 = 8 << 20;

/// Bytes before the place reached that must still be there.
const MEMORY: usize = 64;

/// A file, and how far it was read.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
    /// The last bytes that were read.
    last: Vec<u8>,
}

/// What has come since.
#[derive(Debug, Default, PartialEq)]
pub struct Grown {
    /// Whether it was cut back or replaced since: this is its beginning, and all of before is void.
    pub restarted: bool,
    /// Whole lines.
    pub text: String,
}

impl Tail {
    /// The beginning of a file that need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, offset: 0, last: Vec::new() }
    }

    /// The lines that have come since the last time; a last line without its end is left for the next.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn read(&mut self) -> Result<Grown> {
        // A pipe of that name would wait for a writer.
        if !self.path.is_file() {
            return Ok(Grown { restarted: self.restart(), text: String::new() });
        }
        match self.more() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Grown { restarted: self.restart(), text: String::new() })
            }
            read => read.map_err(Error::io(&self.path, "read")),
        }
    }

    /// Goes back to the beginning; whether that is a step back.
    fn restart(&mut self) -> bool {
        let had_begun = self.offset > 0;
        (self.offset, self.last) = (0, Vec::new());
        had_begun
    }

    fn more(&mut self) -> std::io::Result<Grown> {
        let mut file = File::open(&self.path)?;
        let restarted = !self.goes_on(&mut file)? && self.restart();
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        self.offset += bytes.len() as u64;
        self.last.extend(&bytes[bytes.len().saturating_sub(MEMORY)..]);
        self.last.drain(..self.last.len().saturating_sub(MEMORY));
        Ok(Grown { restarted, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// Whether what was read last is still where it was.
    fn goes_on(&self, file: &mut File) -> std::io::Result<bool> {
        if file.metadata()?.len() < self.offset {
            return Ok(false);
        }
        let mut before = vec![0; self.last.len()];
        file.seek(SeekFrom::Start(self.offset - before.len() as u64))?;
        file.read_exact(&mut before)?;
        Ok(before == self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn every_whole_line_is_read_once_and_half_a_line_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.csv");
        let mut tail = Tail::new(path.clone());
        let grown = |restarted: bool, text: &str| Grown { restarted, text: text.into() };
        assert_eq!(tail.read().unwrap(), grown(false, ""));
        let mut file = File::create(&path).unwrap();
        file.write_all(b"a,b\n1,2\n3,").unwrap();
        assert_eq!(tail.read().unwrap(), grown(false, "a,b\n1,2\n"));
        assert_eq!(tail.read().unwrap(), grown(false, ""));
        file.write_all(b"4\n5").unwrap();
        assert_eq!(tail.read().unwrap(), grown(false, "3,4\n"));
        // Cut back, as a run that is continued does; replaced by something longer; removed.
        file.set_len(8).unwrap();
        assert_eq!(tail.read().unwrap(), grown(true, "a,b\n1,2\n"));
        std::fs::write(&path, "a,b\n1,3\n5,6\n7,8\n").unwrap();
        assert_eq!(tail.read().unwrap(), grown(true, "a,b\n1,3\n5,6\n7,8\n"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(tail.read().unwrap(), grown(true, ""));
        assert_eq!(tail.read().unwrap(), grown(false, ""));
    }
}
