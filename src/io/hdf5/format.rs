//! The ground of the file format: bytes at addresses, numbers of several sizes, checksums.
//!
//! Source of this and of the modules above it: HDF5 File Format Specification Version 3.0. Everything is bounded by the
//! length of the file: damaged metadata ends in [`Damage`], never in a panic, a long loop or a large allocation.

use super::checksum::lookup3;
use crate::err;
use crate::text::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Why metadata cannot be made sense of.
#[derive(Clone, Debug, PartialEq)]
pub enum Damage {
    /// It contradicts itself, or the file.
    Wrong(String),
    /// It may be right, but is of a kind that is not known here.
    Unknown(String),
}

impl Damage {
    pub fn unknown(what: impl Into<String>) -> Damage {
        Damage::Unknown(what.into())
    }

    /// As an error about a file.
    pub fn of(&self, path: &Path) -> Error {
        match self {
            Damage::Wrong(what) => err!(Io, "`{}` is damaged: {what}", path.display()),
            Damage::Unknown(what) => err!(Io, "`{}` cannot be read: {what}", path.display()),
        }
    }
}

impl From<&str> for Damage {
    fn from(text: &str) -> Self {
        Damage::Wrong(text.to_string())
    }
}

impl From<String> for Damage {
    fn from(text: String) -> Self {
        Damage::Wrong(text)
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (Damage::Wrong(what) | Damage::Unknown(what)) = self;
        f.write_str(what)
    }
}

pub type Sound<T> = Result<T, Damage>;

/// A file as the format sees it: addresses from a base, and two sizes of numbers.
#[derive(Clone, Copy)]
pub struct Medium<'a> {
    pub file: &'a File,
    /// Bytes in the file.
    pub len: u64,
    /// Where address 0 is: after a user block.
    pub base: u64,
    /// Bytes in an address.
    pub address: usize,
    /// Bytes in a length.
    pub length: usize,
}

impl Medium<'_> {
    /// The bytes at an address.
    pub fn bytes(&self, address: u64, len: usize) -> Sound<Vec<u8>> {
        let at = self.base.checked_add(address);
        let fits = at.and_then(|at| at.checked_add(len as u64)).is_some_and(|end| end <= self.len);
        match at {
            Some(at) if fits => {
                let mut bytes = vec![0; len];
                self.file.read_exact_at(&mut bytes, at).map_err(|e| format!("metadata cannot be read: {e}"))?;
                Ok(bytes)
            }
            _ => Err("metadata lies beyond the end of the file".into()),
        }
    }

    /// The bytes at an address, of which the last four are the checksum of those before; these are left.
    pub fn checked(&self, address: u64, len: usize) -> Sound<Vec<u8>> {
        let mut bytes = self.bytes(address, len.checked_add(4).ok_or("metadata without end")?)?;
        let (data, sum) = bytes.split_at(len);
        if lookup3(data).to_le_bytes() != sum {
            return Err("the checksum of metadata is wrong".into());
        }
        bytes.truncate(len);
        Ok(bytes)
    }
}

/// Reads numbers off bytes, in little-endian order.
pub struct Cursor<'a> {
    left: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { left: bytes }
    }

    pub fn take(&mut self, n: usize) -> Sound<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(n).ok_or("metadata ends too early")?;
        self.left = left;
        Ok(taken)
    }

    /// An unsigned number of `n` bytes, up to 8.
    pub fn number(&mut self, n: usize) -> Sound<u64> {
        let bytes = self.take(n)?;
        if n > 8 && bytes[8..].iter().any(|&b| b != 0) {
            return Err("metadata holds a number beyond 64 bits".into());
        }
        Ok(bytes.iter().take(8).rev().fold(0, |sum, &b| sum << 8 | u64::from(b)))
    }

    /// An address; `None` where the format says "undefined", all bits set.
    pub fn address(&mut self, medium: &Medium) -> Sound<Option<u64>> {
        let bytes = self.take(medium.address)?;
        if bytes.iter().all(|&b| b == 0xff) {
            return Ok(None);
        }
        Cursor::new(bytes).number(medium.address).map(Some)
    }

    /// Four bytes that tell what follows.
    pub fn signature(&mut self, expected: &[u8; 4]) -> Sound<()> {
        if self.take(4)? == expected { Ok(()) } else { Err("metadata lacks its signature".into()) }
    }

    /// An address that must be there.
    pub fn place(&mut self, medium: &Medium) -> Sound<u64> {
        self.address(medium)?.ok_or_else(|| "an address is missing".into())
    }

    /// A length that fits memory.
    pub fn size(&mut self, n: usize) -> Sound<usize> {
        usize::try_from(self.number(n)?).map_err(|_| "a length beyond the address space".into())
    }

    /// Text up to a NUL, which is taken, too.
    pub fn text(&mut self) -> Sound<&'a [u8]> {
        let end = self.left.iter().position(|&b| b == 0).ok_or("a name without end")?;
        let text = self.take(end)?;
        self.take(1)?;
        Ok(text)
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.left
    }

    pub fn len(&self) -> usize {
        self.left.len()
    }
}
