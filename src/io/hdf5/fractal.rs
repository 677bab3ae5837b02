//! Fractal heaps: where groups of the new style keep their links, and objects with many attributes those.
//!
//! Source: HDF5 File Format Specification Version 3.0, III.G.

use super::btree2;
use super::format::{Cursor, Damage, Medium, Sound};
use super::header::is_intact;
use std::cmp::Ordering;
use std::collections::HashMap;

/// A fractal heap, its blocks looked up as they are needed.
pub struct FractalHeap<'a> {
    medium: &'a Medium<'a>,
    address: u64,
    id_len: usize,
    /// Bytes of an offset into the heap, and of a length, in an id.
    offset: usize,
    length: usize,
    /// Blocks carry a checksum.
    sums: bool,
    huge: Option<u64>,
    huge_direct: bool,
    /// Blocks in a row, bytes of the first row's, bytes of the largest block of data.
    columns: u64,
    first: u64,
    largest: u64,
    most_bits: u64,
    root: Option<u64>,
    /// Rows of the root block; 0 where it is a block of data itself.
    rows: u64,
    blocks: HashMap<u64, Vec<u8>>,
    total: u64,
}

impl<'a> FractalHeap<'a> {
    pub fn read(medium: &'a Medium<'a>, address: u64) -> Sound<FractalHeap<'a>> {
        let bytes = medium.checked(address, 22 + 12 * medium.length + 3 * medium.address)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"FRHP")?;
        if cursor.number(1)? != 0 {
            return Err("a heap of unknown version".into());
        }
        let id_len = cursor.size(2)?;
        if cursor.number(2)? != 0 {
            return Err(Damage::unknown("a heap is compressed"));
        }
        let flags = cursor.number(1)?;
        let most_managed = cursor.number(4)?;
        cursor.take(medium.length)?;
        let huge = cursor.address(medium)?;
        cursor.take(medium.length + medium.address + 8 * medium.length)?;
        let columns = cursor.number(2)?;
        let first = cursor.number(medium.length)?;
        let largest = cursor.number(medium.length)?;
        let most_bits = cursor.number(2)?;
        cursor.take(2)?;
        let root = cursor.address(medium)?;
        let rows = cursor.number(2)?;
        let sound = columns.is_power_of_two()
            && first.is_power_of_two()
            && largest.is_power_of_two()
            && first <= largest
            && (1..=64).contains(&most_bits)
            && most_managed > 0
            && rows <= 128;
        if !sound {
            return Err("a heap of an impossible shape".into());
        }
        let bytes_of = |bits: u32| (bits as usize).div_ceil(8);
        let offset = (most_bits as usize).div_ceil(8);
        let length = bytes_of(largest.trailing_zeros()).min(most_managed.ilog2() as usize / 8 + 1);
        let huge_direct = id_len > medium.address + medium.length;
        Ok(FractalHeap {
            medium,
            address,
            id_len,
            offset,
            length,
            sums: flags & 2 != 0,
            huge,
            huge_direct,
            columns,
            first,
            largest,
            most_bits,
            root,
            rows,
            blocks: HashMap::new(),
            total: 0,
        })
    }

    /// The object of an id.
    pub fn object(&mut self, id: &[u8]) -> Sound<Vec<u8>> {
        let mut cursor = Cursor::new(id.get(..self.id_len).ok_or("an id of a heap is too short")?);
        let flags = cursor.number(1)?;
        match flags >> 4 {
            0 => {
                let (at, len) = (cursor.number(self.offset)?, cursor.size(self.length)?);
                self.managed(at, len)
            }
            1 if self.huge_direct => {
                let (at, len) = (cursor.place(self.medium)?, cursor.size(self.medium.length)?);
                self.medium.bytes(at, len)
            }
            1 => self.huge(cursor.number((self.id_len - 1).min(self.medium.length))?),
            2 if self.id_len <= 17 => Ok(cursor.take((flags & 15) as usize + 1)?.to_vec()),
            2 => {
                let len = ((flags & 15) as usize) << 8 | cursor.size(1)?;
                Ok(cursor.take(len + 1)?.to_vec())
            }
            _ => Err("an id of a heap is of an unknown kind".into()),
        }
    }

    /// An object too large for the blocks, found by number.
    fn huge(&self, number: u64) -> Sound<Vec<u8>> {
        let medium = self.medium;
        let tree = self.huge.ok_or("a heap has no large objects")?;
        let width = medium.address + 2 * medium.length;
        let key = |record: &[u8]| Cursor::new(&record[medium.address + medium.length..]).number(medium.length);
        let stand = |record: &[u8]| key(record).map_or(Ordering::Equal, |own| own.cmp(&number));
        let mut found = None;
        btree2::walk(medium, tree, 1, width, &stand, &mut |record| {
            let mut cursor = Cursor::new(record);
            found = Some((cursor.place(medium)?, cursor.size(medium.length)?));
            Ok(())
        })?;
        let (at, len) = found.ok_or("a large object is missing from its heap")?;
        medium.bytes(at, len)
    }

    fn managed(&mut self, at: u64, len: usize) -> Sound<Vec<u8>> {
        let (block, start, size) = self.block_of(at)?;
        if !self.blocks.contains_key(&block) {
            let bytes = self.data_block(block, start, size)?;
            self.blocks.insert(block, bytes);
        }
        let from = (at - start) as usize;
        let object = self.blocks.get(&block).and_then(|bytes| bytes.get(from..from.checked_add(len)?));
        object.map(<[u8]>::to_vec).ok_or_else(|| "an object reaches beyond its heap".into())
    }

    /// The block of data at an address, which begins at `start` of the heap.
    fn data_block(&mut self, address: u64, start: u64, size: u64) -> Sound<Vec<u8>> {
        let size = usize::try_from(size).map_err(|_| "a heap larger than the file")?;
        // Blocks don't overlap: together they are no longer than the file.
        self.total = self.total.saturating_add(size as u64);
        if self.total > self.medium.len {
            return Err("a heap larger than the file".into());
        }
        let bytes = self.medium.bytes(address, size)?;
        self.check_head(&mut Cursor::new(&bytes), b"FHDB", start)?;
        if self.sums && !is_intact(&bytes, 5 + self.medium.address + self.offset) {
            return Err("the checksum of a heap is wrong".into());
        }
        Ok(bytes)
    }

    fn check_head(&self, cursor: &mut Cursor, signature: &[u8; 4], start: u64) -> Sound<()> {
        cursor.signature(signature)?;
        let version = cursor.number(1)?;
        if version != 0 || cursor.place(self.medium)? != self.address || cursor.number(self.offset)? != start {
            return Err("a heap with a block of another".into());
        }
        Ok(())
    }

    /// Address, start within the heap, and length of the block of data that holds an offset.
    fn block_of(&self, at: u64) -> Sound<(u64, u64, u64)> {
        let outside = || Damage::from("an object lies outside its heap");
        let mut address = self.root.ok_or_else(outside)?;
        if self.rows == 0 {
            return if at < self.first { Ok((address, 0, self.first)) } else { Err(outside()) };
        }
        let (mut start, mut rows) = (0u64, self.rows);
        // Rows of blocks of data; those after them are of blocks of blocks.
        let direct = u64::from((self.largest / self.first).trailing_zeros()) + 2;
        // Each level is of smaller blocks than the one above.
        for _ in 0..64 {
            let (mut row, mut row_start) = (0, start);
            let mut size = self.first;
            while row < rows {
                let end = self.columns.checked_mul(size).and_then(|n| n.checked_add(row_start)).ok_or_else(outside)?;
                if at < end {
                    break;
                }
                row_start = end;
                size = if row == 0 { size } else { size.checked_mul(2).ok_or_else(outside)? };
                row += 1;
            }
            if row == rows || at < row_start {
                return Err(outside());
            }
            let column = (at - row_start) / size;
            let entries = rows.checked_mul(self.columns).ok_or_else(outside)? as usize;
            let head = 5 + self.medium.address + self.offset;
            let bytes = self.medium.checked(address, head + entries * self.medium.address)?;
            let mut cursor = Cursor::new(&bytes);
            self.check_head(&mut cursor, b"FHIB", start)?;
            cursor.take((row * self.columns + column) as usize * self.medium.address)?;
            address = cursor.address(self.medium)?.ok_or_else(outside)?;
            start = row_start + column * size;
            if row < direct {
                return Ok((address, start, size));
            }
            // As many rows as fill a block of that size.
            let first_row = self.first.checked_mul(self.columns).ok_or_else(outside)?;
            rows = u64::from((size / first_row).checked_ilog2().ok_or_else(outside)?) + 1;
            if u64::from(size.trailing_zeros()) > self.most_bits {
                return Err(outside());
            }
        }
        Err(outside())
    }
}
