//! The header of a NumPy array, looked at before anything parses it: files come from strangers.

use std::io::Read;

/// Bytes of a header, at most, as NumPy has it (`max_header_size`).
const MOST: u64 = 10_000;

/// Brackets within each other, at most: a shape is a tuple in a dictionary, and a parser calls itself for each.
const DEEPEST: usize = 8;

/// What an array begins with, up to the end of its header, taken from the reader; else what is wrong with it. What is not an array at all
/// is left to who parses it.
pub fn read(from: &mut impl Read) -> Result<Vec<u8>, String> {
    let mut start = Vec::new();
    let mut more = |start: &mut Vec<u8>, count: u64| {
        from.by_ref().take(count).read_to_end(start).map_err(|error| error.to_string())
    };
    more(&mut start, 8)?;
    // The magic number, the version, and how long the header is: in two bytes, or in four since version 2.
    let width = match start[..] {
        [.., 1, _] if start.len() == 8 => 2,
        [.., _] if start.len() == 8 => 4,
        _ => return Ok(start),
    };
    more(&mut start, width)?;
    let length = start[8..].iter().rev().fold(0, |length, byte| length << 8 | u64::from(*byte));
    if length > MOST {
        return Err(format!("has a header of {length} bytes: must be at most {MOST}"));
    }
    more(&mut start, length)?;
    match depth(&start) > DEEPEST {
        true => Err("has a header of brackets within brackets: is no array of numbers".into()),
        false => Ok(start),
    }
}

/// How many brackets are within each other, in quotes or not.
fn depth(bytes: &[u8]) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for byte in bytes {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_whole_and_monsters_are_not() {
        let array = |version: u8, length: &[u8], text: &str| {
            [b"\x93NUMPY".as_slice(), &[version, 0], length, text.as_bytes(), b"1234"].concat()
        };
        let text = "{'descr': '<f8', 'shape': (3, 4)}";
        for length in [&[33, 0][..], &[33, 0, 0, 0]] {
            let bytes = array(if length.len() == 2 { 1 } else { 2 }, length, text);
            let mut reader = &bytes[..];
            assert_eq!(read(&mut reader).unwrap(), bytes[..bytes.len() - 4]);
            assert_eq!(reader, b"1234");
        }
        assert!(read(&mut &array(2, &[255; 4], text)[..]).unwrap_err().contains("4294967295 bytes"));
        assert!(read(&mut &array(1, &[200, 0], &"[".repeat(200))[..]).unwrap_err().contains("brackets"));
        // Cut short at any place it is what there is.
        let bytes = array(1, &[33, 0], text);
        for end in 0..bytes.len() - 4 {
            assert_eq!(read(&mut &bytes[..end]).unwrap(), bytes[..end]);
        }
    }
}
