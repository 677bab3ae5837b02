//! A file of many chunks, which an index at its end or start tells apart.

use super::chain::Index;
use super::codecs::{set_len, stored_len};
use crate::io::codec::crc32c;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Where each chunk lies, and how long it is; this pair for one that is not there.
const ABSENT: (u64, u64) = (u64::MAX, u64::MAX);

pub struct Shard<'f> {
    file: &'f File,
    len: u64,
    big_endian: bool,
    /// For each chunk, where it lies and how long it is, of eight bytes each.
    index: Vec<u8>,
}

impl<'f> Shard<'f> {
    /// Reads the index, of so many chunks.
    ///
    /// # Errors
    /// Says why the file cannot have one.
    pub fn open(file: &'f File, index: Index, chunks: usize) -> Result<Shard<'f>, String> {
        let len = file.metadata().map_err(|e| e.to_string())?.len();
        let sum = if index.checksum { 4 } else { 0 };
        let bytes = chunks.checked_mul(16).and_then(|n| n.checked_add(sum)).filter(|&n| n as u64 <= len);
        let mut read = Vec::new();
        set_len(&mut read, bytes.ok_or("it is too short for an index of its chunks")?)?;
        let at = if index.at_end { len - read.len() as u64 } else { 0 };
        file.read_exact_at(&mut read, at).map_err(|e| e.to_string())?;
        let (bytes, stored) = read.split_at(read.len() - sum);
        if index.checksum && crc32c::checksum(bytes).to_le_bytes() != stored {
            return Err("the checksum of the index of its chunks is wrong: it is damaged".into());
        }
        Ok(Shard { file, len, big_endian: index.big_endian, index: read })
    }

    /// Where a chunk lies and how long it is, if the index has it.
    fn place(&self, number: usize) -> Option<(u64, u64)> {
        let entry = self.index.get(16 * number..)?.first_chunk::<16>()?;
        let (at, len) = entry.split_first_chunk::<8>()?;
        let word = |bytes: [u8; 8]| if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) };
        Some((word(*at), word(*len.first_chunk()?)))
    }

    /// Reads a chunk as it is stored, whose elements take `bytes` bytes; tells whether it is there.
    ///
    /// # Errors
    /// Says why it cannot be where the index says.
    pub fn read(&self, number: usize, bytes: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        let Some((at, len)) = self.place(number).filter(|&place| place != ABSENT) else { return Ok(false) };
        if at.checked_add(len).is_none_or(|end| end > self.len) {
            return Err("a part of it lies beyond its end".into());
        }
        set_len(out, stored_len(len, bytes)?)?;
        self.file.read_exact_at(out, at).map_err(|e| e.to_string())?;
        Ok(true)
    }
}
