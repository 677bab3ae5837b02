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
    index: Vec<(u64, u64)>,
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
        let mut bytes = vec![0; bytes.ok_or("it is too short for an index of its chunks")?];
        let at = if index.at_end { len - bytes.len() as u64 } else { 0 };
        file.read_exact_at(&mut bytes, at).map_err(|e| e.to_string())?;
        let (bytes, stored) = bytes.split_at(bytes.len() - sum);
        if index.checksum && crc32c::checksum(bytes).to_le_bytes() != stored {
            return Err("the checksum of the index of its chunks is wrong: it is damaged".into());
        }
        let number = |bytes: &[u8; 8]| match index.big_endian {
            true => u64::from_be_bytes(*bytes),
            false => u64::from_le_bytes(*bytes),
        };
        let numbers = bytes.as_chunks::<8>().0;
        let index = numbers.as_chunks::<2>().0.iter().map(|[at, len]| (number(at), number(len))).collect();
        Ok(Shard { file, len, index })
    }

    /// Reads a chunk as it is stored, whose elements take `bytes` bytes; tells whether it is there.
    ///
    /// # Errors
    /// Says why it cannot be where the index says.
    pub fn read(&self, number: usize, bytes: usize, out: &mut Vec<u8>) -> Result<bool, String> {
        let Some(&(at, len)) = self.index.get(number).filter(|&&place| place != ABSENT) else { return Ok(false) };
        if at.checked_add(len).is_none_or(|end| end > self.len) {
            return Err("a part of it lies beyond its end".into());
        }
        set_len(out, stored_len(len, bytes)?)?;
        self.file.read_exact_at(out, at).map_err(|e| e.to_string())?;
        Ok(true)
    }
}
