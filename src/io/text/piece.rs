//! Parts of files that begin and end where lines do, and their lines.

use super::{Compression, bytes, failed};
use crate::data::cancel;
use crate::err;
use crate::text::Result;
use memchr::memmem::Finder;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A file, or the lines of it that begin between two positions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Piece {
    pub path: PathBuf,
    pub range: Option<(u64, u64)>,
}

/// Most pieces of one file.
const MOST_PIECES: u64 = 1 << 22;

/// Most bytes of one text.
const MOST: usize = 1 << 31;

impl Piece {
    /// The bytes, and where in the file they begin. Lines end with the delimiter.
    pub fn bytes(&self, delimiter: &[u8]) -> Result<(Vec<u8>, u64)> {
        let Some(range) = self.range else { return Ok((bytes(&self.path, MOST)?, 0)) };
        let (file, start, length) = self.open(range, delimiter)?;
        if length > MOST as u64 {
            let path = self.path.display();
            return Err(err!(Memory, "a part of `{path}` has {length} bytes, {MOST} is the most of one text")
                .help("a smaller `:blocksize` makes smaller parts"));
        }
        let mut all = Vec::with_capacity(length as usize);
        file.take(length).read_to_end(&mut all).map_err(|error| failed(&self.path, "read", &error))?;
        cancel::check()?;
        Ok((all, start))
    }

    /// The file at the first line that begins at one position or behind it; where that is, and how far it is to such a one of another.
    fn open(&self, (start, end): (u64, u64), delimiter: &[u8]) -> Result<(File, u64, u64)> {
        let failed = |error: std::io::Error| failed(&self.path, "read", &error);
        let mut file = File::open(&self.path).map_err(failed)?;
        // The file may be shorter than it was, or than somebody says.
        let length = file.metadata().map_err(failed)?.len();
        let until = end.min(length);
        let start = boundary(&mut file, start.min(length), delimiter, until).map_err(failed)?;
        // A line that begins before and ends behind is somebody else's, and nobody looks for its end twice.
        let end = if start < until { boundary(&mut file, until, delimiter, length).map_err(failed)? } else { start };
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        Ok((file, start, end.saturating_sub(start)))
    }
}

/// Bytes that are read before their lines are handed on: few enough to be in the processor's cache still when they are looked at.
const CHUNK: u64 = 256 << 10;

impl Piece {
    /// The bytes as they are read, unpacked, and where in the file they begin.
    pub fn reader(&self, delimiter: &[u8]) -> Result<(Box<dyn Read>, u64)> {
        let Some(range) = self.range else { return Ok((super::reader(&self.path)?, 0)) };
        let (file, start, length) = self.open(range, delimiter)?;
        Ok((Box::new(file.take(length)), start))
    }

    /// The bytes in parts that end where lines do, each with where it begins, however long the file is, packed or not. `next` says whether
    /// to go on.
    pub fn chunks(&self, delimiter: &[u8], next: &mut dyn FnMut(Vec<u8>, u64) -> Result<bool>) -> Result<()> {
        let (mut reader, mut start) = self.reader(delimiter)?;
        let mut all = Vec::new();
        loop {
            cancel::check()?;
            let before = all.len();
            all.reserve(CHUNK as usize);
            let read = (&mut reader).take(CHUNK).read_to_end(&mut all);
            read.map_err(|error| failed(&self.path, "read", &error))?;
            let done = all.len() == before;
            // What was there has none, but perhaps the beginning of one.
            let from = before.saturating_sub(delimiter.len().saturating_sub(1));
            let new = &all[from..];
            let end = match delimiter {
                _ if done => all.len(),
                [byte] => memchr::memrchr(*byte, new).map_or(0, |at| from + at + 1),
                // From the front: a delimiter may overlap another.
                _ => memchr::memmem::find_iter(new, delimiter).last().map_or(0, |at| from + at + delimiter.len()),
            };
            if end == 0 && !done {
                if all.len() > MOST {
                    return Err(err!(Memory, "`{}` has a line of more than {MOST} bytes", self.path.display()));
                }
                continue;
            }
            let rest = all.split_off(end);
            let chunk = std::mem::replace(&mut all, rest);
            if !chunk.is_empty() && !next(chunk, start)? || done {
                return Ok(());
            }
            start += end as u64;
        }
    }
}

/// Where the first line begins that does so at a position or behind it; `until` or more where none does before that.
fn boundary(file: &mut File, at: u64, delimiter: &[u8], until: u64) -> std::io::Result<u64> {
    if at == 0 {
        return Ok(0);
    }
    let finder = Finder::new(delimiter);
    let mut from = at.saturating_sub(delimiter.len() as u64);
    let mut chunk = vec![0; 1 << 16];
    file.seek(SeekFrom::Start(from))?;
    let mut kept = 0;
    loop {
        let read = file.read(&mut chunk[kept..])?;
        let there = kept + read;
        if let Some(found) = finder.find(&chunk[..there]) {
            return Ok(from + (found + delimiter.len()) as u64);
        }
        if read == 0 || from + there as u64 >= until + delimiter.len() as u64 {
            return Ok((from + there as u64).max(until));
        }
        // A delimiter may lie across two reads.
        let keep = there.min(delimiter.len() - 1);
        chunk.copy_within(there - keep..there, 0);
        from += (there - keep) as u64;
        kept = keep;
    }
}

/// How many lines of a file end before a position.
pub fn lines_before(path: &Path, at: u64, delimiter: &[u8]) -> std::io::Result<usize> {
    let mut left = File::open(path)?.take(at);
    let (mut chunk, mut kept, mut count) = (vec![0; 1 << 16], 0, 0);
    loop {
        let read = left.read(&mut chunk[kept..])?;
        if read == 0 {
            return Ok(count);
        }
        let there = kept + read;
        let mut end = 0;
        for found in memchr::memmem::find_iter(&chunk[..there], delimiter) {
            (count, end) = (count + 1, found + delimiter.len());
        }
        // A delimiter may lie across two reads.
        let keep = (there - end).min(delimiter.len() - 1);
        chunk.copy_within(there - keep..there, 0);
        kept = keep;
    }
}

/// A file in pieces of about so many bytes.
pub fn split(path: &Path, size: u64) -> Result<Vec<Piece>> {
    let length = std::fs::metadata(path).map_err(|error| failed(path, "read", &error))?.len();
    if Compression::of(path) != Compression::None {
        return Err(err!(Value, "`{}` is compressed, and cannot be read in parts", path.display())
            .help("leave out `:blocksize`"));
    }
    let count = length.div_ceil(size).max(1);
    if count > MOST_PIECES {
        let path = path.display();
        return Err(err!(Memory, "`{path}` in pieces of {size} bytes is {count} of them, {MOST_PIECES} is the most")
            .help("a larger `:blocksize` makes fewer"));
    }
    let piece = |k: u64| Piece { path: path.to_path_buf(), range: Some((k * size, ((k + 1) * size).min(length))) };
    Ok((0..count).map(piece).collect())
}

/// The lines of a text, each with its end.
pub fn lines<'a>(text: &'a str, delimiter: &'a str) -> impl Iterator<Item = &'a str> {
    let finder = Finder::new(delimiter.as_bytes()).into_owned();
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = match delimiter {
            "\n" => memchr::memchr(b'\n', rest.as_bytes()).map(|at| at + 1),
            _ => finder.find(rest.as_bytes()).map(|at| at + delimiter.len()),
        };
        let (line, others) = rest.split_at(end.unwrap_or(rest.len()));
        rest = others;
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// However a file is cut, its lines are read once each, in order.
    #[test]
    fn pieces_hold_every_line_once() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "one\ntwo two\n\n\nthree and more\nno end";
        file.write_all(text.as_bytes()).unwrap();
        for delimiter in ["\n", "two", "e", "no such"] {
            let wanted: Vec<&str> = lines(text, delimiter).collect();
            assert_eq!(wanted.concat(), text);
            for size in 1..text.len() as u64 + 2 {
                let mut found = Vec::new();
                for piece in split(file.path(), size).unwrap() {
                    let (bytes, _) = piece.bytes(delimiter.as_bytes()).unwrap();
                    found.extend(lines(std::str::from_utf8(&bytes).unwrap(), delimiter).map(String::from));
                }
                assert_eq!(found, wanted, "{delimiter:?}, {size}");
                let all = lines_before(file.path(), text.len() as u64, delimiter.as_bytes()).unwrap();
                assert_eq!(all, text.matches(delimiter).count());
            }
        }
    }
}
