//! The superblock: where a file's addresses begin, how wide its numbers are, and where its root group is.
//!
//! Source: HDF5 File Format Specification Version 3.0, II.A (versions 0 to 3).

use super::format::{Cursor, Damage, Medium, Sound};
use std::fs::File;
use std::os::unix::fs::FileExt;

const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

#[derive(Clone, Debug)]
pub struct Superblock {
    /// Where address 0 is: after a user block.
    pub base: u64,
    /// Bytes in an address.
    pub address: usize,
    /// Bytes in a length.
    pub length: usize,
    /// Where the file ends.
    pub end: u64,
    /// The object header of the root group.
    pub root: u64,
    /// The object header of what did not fit the superblock.
    pub extension: Option<u64>,
    /// Whether a program marked the file as open for writing.
    pub is_marked: bool,
}

/// The position of the signature: at the start, or after a user block of 512, 1024, 2048, … bytes.
pub fn find(file: &File, len: u64) -> Option<u64> {
    let mut at = 0;
    loop {
        let mut start = [0; 8];
        if at + 8 > len || file.read_exact_at(&mut start, at).is_err() {
            return None;
        }
        if start == SIGNATURE {
            return Some(at);
        }
        at = if at == 0 { 512 } else { at.checked_mul(2)? };
    }
}

/// Reads the superblock whose signature is at `base`, in a file of `len` bytes.
pub fn read(file: &File, len: u64, base: u64) -> Sound<Superblock> {
    let mut medium = Medium { file, len, base, address: 8, length: 8 };
    let version = medium.bytes(8, 1)?[0];
    let sizes = medium.bytes(if version < 2 { 13 } else { 9 }, 2)?;
    (medium.address, medium.length) = (width(sizes[0])?, width(sizes[1])?);
    let mut block = match version {
        0 | 1 => old(&medium, version),
        2 | 3 => new(&medium, version),
        _ => Err(Damage::unknown(format!("its superblock is of version {version}, which is not known here"))),
    }?;
    // The file says where it ends, counted from a base that a user block added later moves.
    let said = block.base;
    block.end =
        if said <= base { block.end.saturating_add(base - said) } else { block.end.saturating_sub(said - base) };
    block.base = base;
    match block.end <= len {
        true => Ok(block),
        false => Err("it is shorter than it says; it was cut off, or is still being written".into()),
    }
}

fn width(n: u8) -> Sound<usize> {
    match n {
        2 | 4 | 8 => Ok(usize::from(n)),
        16 | 32 => Err(Damage::unknown(format!("its addresses or lengths take {n} bytes"))),
        _ => Err("its superblock gives addresses or lengths an impossible width".into()),
    }
}

fn old(medium: &Medium, version: u8) -> Sound<Superblock> {
    let head = if version == 0 { 24 } else { 28 };
    let bytes = medium.bytes(0, head + 4 * medium.address + 2 * medium.address + 24)?;
    let mut cursor = Cursor::new(&bytes);
    cursor.take(9)?;
    let versions = [cursor.number(1)?, cursor.number(1)?];
    cursor.take(1)?;
    if versions != [0, 0] || cursor.number(1)? != 0 {
        return Err("its superblock speaks of versions that do not exist".into());
    }
    cursor.take(3)?;
    let (leaf, inner) = (cursor.number(2)?, cursor.number(2)?);
    cursor.take(head - 20)?;
    if leaf == 0 || inner == 0 {
        return Err("its superblock gives groups no room".into());
    }
    let base = cursor.place(medium)?;
    cursor.address(medium)?;
    let end = cursor.place(medium)?;
    if cursor.address(medium)?.is_some() {
        return Err(Damage::unknown("it is one of several files that hold the data together"));
    }
    cursor.take(medium.address)?;
    let root = cursor.place(medium)?;
    let (address, length) = (medium.address, medium.length);
    Ok(Superblock { base, address, length, end, root, extension: None, is_marked: false })
}

fn new(medium: &Medium, version: u8) -> Sound<Superblock> {
    let bytes = medium.checked(0, 12 + 4 * medium.address)?;
    let mut cursor = Cursor::new(&bytes);
    cursor.take(11)?;
    let flags = cursor.number(1)?;
    let base = cursor.place(medium)?;
    let extension = cursor.address(medium)?;
    let end = cursor.place(medium)?;
    let root = cursor.place(medium)?;
    let (address, length) = (medium.address, medium.length);
    Ok(Superblock { base, address, length, end, root, extension, is_marked: version == 3 && flags & 1 != 0 })
}
