//! Local and global heaps: where the names of old groups, and strings of any length, are kept.
//!
//! Source: HDF5 File Format Specification Version 3.0, III.D (local heaps) and III.E (global heap).

use super::format::{Cursor, Medium, Sound};
use std::collections::HashMap;

/// The names of a group of the old style.
pub struct LocalHeap {
    data: Vec<u8>,
}

impl LocalHeap {
    pub fn read(medium: &Medium, address: u64) -> Sound<LocalHeap> {
        let bytes = medium.bytes(address, 8 + 2 * medium.length + medium.address)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"HEAP")?;
        if cursor.number(1)? != 0 {
            return Err("a heap of unknown version".into());
        }
        cursor.take(3)?;
        let (size, free) = (cursor.size(medium.length)?, cursor.number(medium.length)?);
        let heap = LocalHeap { data: medium.bytes(cursor.place(medium)?, size)? };
        heap.check_free(medium, free)?;
        Ok(heap)
    }

    /// The free blocks form a list within the heap, whose end is 1. Whoever writes to it follows the list.
    fn check_free(&self, medium: &Medium, mut at: u64) -> Sound<()> {
        let mut left = self.data.len();
        while at != 1 {
            let entry =
                usize::try_from(at).ok().and_then(|at| self.data.get(at..)).ok_or("a heap with a wrong free list")?;
            let mut cursor = Cursor::new(entry);
            at = cursor.number(medium.length).map_err(|_| "a heap with a wrong free list")?;
            let size = cursor.size(medium.length).map_err(|_| "a heap with a wrong free list")?;
            if size < 2 * medium.length || size > entry.len() || size > left {
                return Err("a heap with a wrong free list".into());
            }
            left -= size;
        }
        Ok(())
    }

    /// The text that begins at an offset.
    pub fn text(&self, offset: u64) -> Sound<&[u8]> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.data.get(at..));
        Cursor::new(rest.ok_or("a name lies outside its heap")?).text()
    }
}

/// Objects of the collections of the global heap, each collection looked up once.
#[derive(Default)]
pub struct GlobalHeap {
    collections: HashMap<u64, HashMap<u64, Vec<u8>>>,
    total: u64,
}

impl GlobalHeap {
    /// The bytes of an object.
    pub fn object(&mut self, medium: &Medium, collection: u64, number: u64) -> Sound<&[u8]> {
        if !self.collections.contains_key(&collection) {
            let objects = self.read(medium, collection)?;
            self.collections.insert(collection, objects);
        }
        let object = self.collections.get(&collection).and_then(|c| c.get(&number));
        object.map(Vec::as_slice).ok_or_else(|| "a value is missing from its heap".into())
    }

    fn read(&mut self, medium: &Medium, address: u64) -> Sound<HashMap<u64, Vec<u8>>> {
        let head = 8 + medium.length;
        let bytes = medium.bytes(address, head)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"GCOL")?;
        if cursor.number(1)? != 1 {
            return Err("a heap of unknown version".into());
        }
        cursor.take(3)?;
        let size = cursor.size(medium.length)?;
        // Collections don't overlap: together they are no longer than the file.
        self.total = self.total.saturating_add(size as u64);
        if self.total > medium.len {
            return Err("heaps larger than the file".into());
        }
        let bytes = medium.bytes(address, size)?;
        let mut cursor = Cursor::new(bytes.get(head..).ok_or("a heap shorter than its head")?);
        let mut objects = HashMap::new();
        while cursor.len() >= head {
            let left = cursor.len();
            let number = cursor.number(2)?;
            cursor.take(6)?;
            let size = cursor.size(medium.length)?;
            // Number 0 is the free space, to the end, its own head counted.
            if number == 0 {
                match size == left {
                    true => break,
                    false => return Err("a heap with a wrong amount of free space".into()),
                }
            }
            objects.insert(number, cursor.take(size)?.to_vec());
            cursor.take(size.next_multiple_of(8) - size)?;
        }
        Ok(objects)
    }
}
