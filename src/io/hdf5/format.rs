//! As much of the file format as it takes to find where a dataset's bytes lie: the data layout message of its object
//! header. libhdf5 1.10 has no call that lists chunks in linear time, and the library runs one call at a time; what is learnt
//! here once lets workers read without it.
//!
//! Source: HDF5 File Format Specification Version 3.0, IV.A (object headers) and IV.A.2.i (data layout).
//! Everything is bounded by the length of the file: damaged metadata ends in [`Damage`], never in a panic or a long loop.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// What is wrong with a file.
#[derive(Debug, PartialEq)]
pub struct Damage(pub String);

impl From<&str> for Damage {
    fn from(text: &str) -> Self {
        Damage(text.to_string())
    }
}

/// A file as the format sees it: addresses from a base, and two sizes of numbers.
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
    pub fn bytes(&self, address: u64, len: usize) -> Result<Vec<u8>, Damage> {
        let at = self.base.checked_add(address);
        let fits = at.and_then(|at| at.checked_add(len as u64)).is_some_and(|end| end <= self.len);
        match at {
            Some(at) if fits => {
                let mut bytes = vec![0; len];
                self.file.read_exact_at(&mut bytes, at).map_err(|e| Damage(format!("metadata cannot be read: {e}")))?;
                Ok(bytes)
            }
            _ => Err("metadata lies beyond the end of the file".into()),
        }
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

    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Damage> {
        let (taken, left) = self.left.split_at_checked(n).ok_or("metadata ends too early")?;
        self.left = left;
        Ok(taken)
    }

    /// An unsigned number of `n` bytes, up to 8.
    pub fn number(&mut self, n: usize) -> Result<u64, Damage> {
        let bytes = self.take(n)?;
        if n > 8 && bytes[8..].iter().any(|&b| b != 0) {
            return Err("metadata holds a number beyond 64 bits".into());
        }
        Ok(bytes.iter().take(8).rev().fold(0, |sum, &b| sum << 8 | u64::from(b)))
    }

    /// An address; `None` where the format says "undefined", all bits set.
    pub fn address(&mut self, medium: &Medium) -> Result<Option<u64>, Damage> {
        let bytes = self.take(medium.address)?;
        if bytes.iter().all(|&b| b == 0xff) {
            return Ok(None);
        }
        Cursor::new(bytes).number(medium.address).map(Some)
    }

    /// Four bytes that tell what follows.
    pub fn signature(&mut self, expected: &[u8; 4]) -> Result<(), Damage> {
        if self.take(4)? == expected { Ok(()) } else { Err("metadata lacks its signature".into()) }
    }

    pub fn len(&self) -> usize {
        self.left.len()
    }
}

/// Where a dataset's elements are.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// One after the other from this address on; `None` where no space was allocated.
    Contiguous(Option<u64>),
    /// In chunks, found through an index.
    Chunked { index: Index, address: Option<u64> },
    /// Some other way: only the library knows.
    Other,
}

/// The kinds of chunk indexes, and what the layout message says of each.
#[derive(Clone, Debug, PartialEq)]
pub enum Index {
    BTree1,
    /// The address is the only chunk's; size and filter mask where it is filtered.
    Single {
        filtered: Option<(u64, u32)>,
    },
    /// Chunks one after the other.
    Implicit,
    FixedArray,
    ExtensibleArray,
    BTree2,
}

const LAYOUT: u16 = 8;
const CONTINUATION: u16 = 16;
/// No dataset has anywhere near as many continuation blocks.
const MOST_BLOCKS: usize = 4096;

/// Finds the data layout in the object header at `address`.
pub fn layout(medium: &Medium, address: u64) -> Result<Layout, Damage> {
    let start = medium.bytes(address, 16)?;
    let second = start.starts_with(b"OHDR");
    // Blocks of messages still to look at: address and length.
    let mut blocks = Vec::new();
    let mut ordered = false;
    if second {
        let flags = start[5];
        ordered = flags & 4 != 0;
        let times = if flags & 0x20 != 0 { 16 } else { 0 };
        let phases = if flags & 0x10 != 0 { 4 } else { 0 };
        let width = 1 << (flags & 3);
        let prefix = medium.bytes(address, 6 + times + phases + width)?;
        let len = Cursor::new(&prefix[6 + times + phases..]).number(width)?;
        blocks.push((address.saturating_add(prefix.len() as u64), len));
    } else if start[0] == 1 {
        let len = Cursor::new(&start[8..12]).number(4)?;
        blocks.push((address.saturating_add(16), len));
    } else {
        return Err("an object header of unknown version".into());
    }
    let mut seen = 0;
    while let Some((at, len)) = blocks.pop() {
        seen += 1;
        if seen > MOST_BLOCKS {
            return Err("an object header without end".into());
        }
        let len = usize::try_from(len).map_err(|_| "an object header longer than the file")?;
        let bytes = medium.bytes(at, len)?;
        let mut cursor = Cursor::new(&bytes);
        let head = if second { 4 + usize::from(ordered) * 2 } else { 8 };
        while cursor.len() >= head {
            let kind = cursor.number(if second { 1 } else { 2 })? as u16;
            let size = cursor.number(2)? as usize;
            cursor.take(head - if second { 3 } else { 4 })?;
            // What is left of a block after its last message is a gap.
            let Ok(message) = cursor.take(size) else { break };
            match kind {
                LAYOUT => return layout_message(medium, message),
                CONTINUATION => {
                    let mut cursor = Cursor::new(message);
                    let at = cursor.address(medium)?.ok_or("a header that continues nowhere")?;
                    let len = cursor.number(medium.length)?;
                    // Continuations of version 2 stand between a signature and a checksum.
                    blocks.push(match second {
                        true => (at.saturating_add(4), len.checked_sub(8).ok_or("a header block too short")?),
                        false => (at, len),
                    });
                }
                _ => {}
            }
        }
    }
    Err("the dataset has no layout".into())
}

fn layout_message(medium: &Medium, message: &[u8]) -> Result<Layout, Damage> {
    let mut cursor = Cursor::new(message);
    let (version, class) = (cursor.number(1)?, cursor.number(1)?);
    match (version, class) {
        (3 | 4, 1) => Ok(Layout::Contiguous(cursor.address(medium)?)),
        (3, 2) => {
            cursor.number(1)?;
            Ok(Layout::Chunked { index: Index::BTree1, address: cursor.address(medium)? })
        }
        (4, 2) => {
            let (flags, ndim, width) = (cursor.number(1)?, cursor.number(1)?, cursor.number(1)?);
            // Partial chunks at the edge that are not filtered: rare enough to leave to the library.
            if flags & 1 != 0 {
                return Ok(Layout::Other);
            }
            cursor.take((ndim * width) as usize)?;
            let index = match cursor.number(1)? {
                1 if flags & 2 != 0 => {
                    let (size, mask) = (cursor.number(medium.length)?, cursor.number(4)?);
                    Index::Single { filtered: Some((size, mask as u32)) }
                }
                1 => Index::Single { filtered: None },
                2 => Index::Implicit,
                3 => {
                    cursor.take(1)?;
                    Index::FixedArray
                }
                4 => {
                    cursor.take(5)?;
                    Index::ExtensibleArray
                }
                5 => {
                    cursor.take(6)?;
                    Index::BTree2
                }
                _ => return Ok(Layout::Other),
            };
            Ok(Layout::Chunked { index, address: cursor.address(medium)? })
        }
        _ => Ok(Layout::Other),
    }
}
