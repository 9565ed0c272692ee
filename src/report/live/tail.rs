//! Whole lines of a file that grows, each read once.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Bytes that are read at once, at most: what is left comes the next time.
const MOST: u64 = 8 << 20;

/// Bytes to come beyond which a file is looked at in some places, and read on from shortly before its end.
const FAR: u64 = 64 << 20;

/// So many places.
const PLACES: u64 = 1024;

/// Bytes that are looked at in each of them: more than two lines of a table have.
const BLOCK: usize = 4096;

/// Bytes before the end that are read whatever comes before.
const LAST: u64 = 1 << 20;

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
    /// Whole lines: all of them, but those in the middle of a file of which very many have come.
    pub text: String,
    /// Whether there are more, which were left for the next time.
    pub is_part: bool,
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
            return Ok(Grown { restarted: self.restart(), ..Grown::default() });
        }
        match self.more() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Ok(Grown { restarted: self.restart(), ..Grown::default() })
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
        let length = file.metadata()?.len();
        // Its beginning, with the names of the columns, is read first.
        let mut bytes = match self.offset > 0 && length - self.offset > FAR {
            true => self.glance(&mut file, length)?,
            false => Vec::new(),
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut new = Vec::new();
        file.take(MOST).read_to_end(&mut new)?;
        let is_part = new.len() as u64 == MOST && new.contains(&b'\n');
        new.truncate(new.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        self.offset += new.len() as u64;
        bytes.extend(new);
        self.last.extend(&bytes[bytes.len().saturating_sub(MEMORY)..]);
        self.last.drain(..self.last.len().saturating_sub(MEMORY));
        Ok(Grown { restarted, text: String::from_utf8_lossy(&bytes).into_owned(), is_part })
    }

    /// One line from each of some places, and on to shortly before the end.
    fn glance(&mut self, file: &mut File, length: u64) -> std::io::Result<Vec<u8>> {
        let end = length - LAST;
        let apart = (end - self.offset) / PLACES;
        let mut lines = Vec::new();
        for place in 0..PLACES {
            lines.extend(line_from(&block(file, self.offset + place * apart)?));
        }
        let found = block(file, end)?.iter().position(|byte| *byte == b'\n');
        if let Some(found) = found {
            self.offset = end + found as u64 + 1;
            self.last.clear();
        }
        Ok(lines)
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

/// What a file holds from a place on, its next bytes.
fn block(file: &mut File, from: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(BLOCK);
    file.seek(SeekFrom::Start(from))?;
    file.take(BLOCK as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first line that begins and ends in a block.
fn line_from(block: &[u8]) -> &[u8] {
    let mut ends = block.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1);
    ends.next().zip(ends.next()).map_or(&[], |(begin, end)| &block[begin..end])
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
        let grown = |restarted: bool, text: &str| Grown { restarted, text: text.into(), is_part: false };
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

    #[test]
    fn of_very_much_that_has_come_some_lines_are_read_and_all_of_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.csv");
        let lines: Vec<String> = (0..1_500_000).map(|step| format!("{step:099}\n")).collect();
        std::fs::write(&path, lines.concat()).unwrap();
        let mut tail = Tail::new(path.clone());
        let mut read = || {
            let grown = tail.read().unwrap();
            let steps: Vec<u64> = grown.text.lines().map(|line| line.parse().expect("whole lines")).collect();
            (steps, grown.restarted, grown.is_part)
        };
        let (steps, restarted, is_part) = read();
        assert_eq!((steps.len() as u64, restarted, is_part), (MOST / 100, false, true));
        let (steps, restarted, is_part) = read();
        assert_eq!((steps.last(), restarted, is_part), (Some(&1_499_999), false, false));
        assert!(steps.is_sorted() && steps[0] > MOST / 100);
        let of_end = LAST / 100;
        assert_eq!(steps.len() as u64, PLACES + of_end);
        assert!(
            steps[PLACES as usize..].windows(2).all(|pair| pair[1] == pair[0] + 1),
            "the last are all there"
        );
        let gaps: Vec<u64> = steps[..PLACES as usize].windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| gap.abs_diff(gaps[0]) <= 1), "{gaps:?}");
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"7\n").unwrap();
        assert_eq!(read(), (vec![7], false, false));
    }
}
