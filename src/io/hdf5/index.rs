//! The chunk indexes: which chunk of a dataset lies where. Each of the format's six kinds ends in the same list.
//!
//! Source: HDF5 File Format Specification Version 3.0, III.A.1 (version 1 B-trees), III.A.2 (version 2 B-trees), VII (indexes
//! of chunks: single, implicit, fixed array, extensible array).

use super::btree2;
use super::format::{Cursor, Damage, Medium};
use super::message::Index;
use smallvec::SmallVec;
use std::cmp::Ordering;

/// A chunk that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its place among the dataset's chunks, in row-major order.
    pub number: u64,
    /// Where in the file its bytes begin.
    pub position: u64,
    /// How many bytes it takes there.
    pub size: u64,
    /// Bit n set: the n-th filter was left out.
    pub mask: u32,
}

/// How a dataset is cut into chunks.
pub struct Grid<'a> {
    pub shape: &'a [usize],
    /// The shape it may grow to; `None` is without limit.
    pub limit: &'a [Option<usize>],
    pub chunk: &'a [usize],
    /// Bytes in a chunk before filters.
    pub bytes: u64,
}

impl Grid<'_> {
    fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        self.shape.iter().zip(self.chunk).map(|(&n, &c)| n.div_ceil(c) as u64)
    }

    /// Number of a chunk from its index along each axis; `None` beyond the shape.
    fn number(&self, index: impl Iterator<Item = u64>) -> Option<u64> {
        let mut number = 0u64;
        for (i, count) in index.zip(self.counts()) {
            if i >= count {
                return None;
            }
            number = number.checked_mul(count)?.checked_add(i)?;
        }
        Some(number)
    }

    /// Chunks along each axis when grown to the limit; 0 along axes without one.
    fn most(&self) -> SmallVec<[u64; 6]> {
        let count = |(limit, &c): (&Option<usize>, &usize)| limit.map_or(0, |n| n.div_ceil(c) as u64);
        self.limit.iter().zip(self.chunk).map(count).collect()
    }

    /// Whether index numbers and sums of them stay within 64 bits.
    fn fits(&self) -> bool {
        self.counts().chain(self.most()).try_fold(1u64, |n, c| n.checked_mul(c.max(1))).is_some()
            && self.chunk.iter().all(|&c| c > 0)
    }
}

/// Lists the chunks, ordered by number. `filtered` tells whether the dataset has filters.
pub fn list(
    medium: &Medium,
    index: &Index,
    address: Option<u64>,
    grid: &Grid,
    filtered: bool,
) -> Result<Vec<Stored>, Damage> {
    let Some(address) = address else { return Ok(Vec::new()) };
    if !grid.fits() {
        return Err("there are more chunks than 64 bits can count".into());
    }
    let mut list = List { medium, grid, filtered, found: Vec::new(), visited: 0 };
    match index {
        Index::BTree1 => list.btree1(address, None)?,
        Index::Single { filtered } => {
            let (size, mask) = filtered.unwrap_or((grid.bytes, 0));
            list.add(Some(0), address, size, mask)?;
        }
        Index::Implicit => list.implicit(address)?,
        Index::FixedArray => list.fixed_array(address)?,
        Index::ExtensibleArray => list.extensible_array(address)?,
        Index::BTree2 => list.btree2(address)?,
    }
    let mut found = list.found;
    found.sort_unstable_by_key(|c| c.number);
    match found.windows(2).any(|w| w[0].number == w[1].number) {
        true => Err("a chunk is listed twice".into()),
        false => Ok(found),
    }
}

struct List<'a> {
    medium: &'a Medium<'a>,
    grid: &'a Grid<'a>,
    filtered: bool,
    found: Vec<Stored>,
    /// Entries looked at, so that a tree that runs in circles ends.
    visited: u64,
}

impl List<'_> {
    fn add(&mut self, number: Option<u64>, address: u64, size: u64, mask: u32) -> Result<(), Damage> {
        self.count()?;
        // Chunks beyond the shape are left from when the dataset was larger.
        let Some(number) = number else { return Ok(()) };
        let position = self.medium.base.checked_add(address).filter(|p| p.checked_add(size).is_some());
        let position = position.ok_or("a chunk lies beyond the end of the file")?;
        self.found.push(Stored { number, position, size, mask });
        Ok(())
    }

    /// Every entry takes more than a few bytes of the file: there cannot be more of them than that.
    fn count(&mut self) -> Result<(), Damage> {
        self.visited += 1;
        if self.visited > self.medium.len { Err("the index of chunks has no end".into()) } else { Ok(()) }
    }

    fn btree1(&mut self, address: u64, level: Option<u64>) -> Result<(), Damage> {
        self.count()?;
        let medium = self.medium;
        let ndim = self.grid.chunk.len();
        let head = 8 + 2 * medium.address;
        let bytes = medium.bytes(address, head)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"TREE")?;
        let (kind, own_level, used) = (cursor.number(1)?, cursor.number(1)?, cursor.number(2)? as usize);
        if kind != 1 || level.is_some_and(|level| own_level + 1 != level) {
            return Err("the index of chunks is not a tree of chunks".into());
        }
        let key = 8 + 8 * (ndim + 1);
        let bytes = medium.bytes(address.saturating_add(head as u64), used * (key + medium.address))?;
        let mut cursor = Cursor::new(&bytes);
        for _ in 0..used {
            let (size, mask) = (cursor.number(4)?, cursor.number(4)? as u32);
            let mut start: SmallVec<[u64; 6]> = SmallVec::new();
            for _ in 0..ndim {
                start.push(cursor.number(8)?);
            }
            cursor.take(8)?;
            let child = cursor.address(medium)?.ok_or("a chunk without an address")?;
            if own_level > 0 {
                self.btree1(child, Some(own_level))?;
                continue;
            }
            if start.iter().zip(self.grid.chunk).any(|(&s, &c)| s % c as u64 != 0) {
                return Err("a chunk begins off the grid".into());
            }
            let number = self.grid.number(start.iter().zip(self.grid.chunk).map(|(&s, &c)| s / c as u64));
            self.add(number, child, size, mask)?;
        }
        Ok(())
    }

    fn implicit(&mut self, address: u64) -> Result<(), Damage> {
        let most = self.grid.most();
        let total: u64 = most.iter().product();
        self.plausible(total, self.grid.bytes as usize)?;
        for n in 0..total {
            let number = self.grid.number(unravel(n, &most).into_iter());
            let offset = n.checked_mul(self.grid.bytes).and_then(|o| address.checked_add(o));
            self.add(number, offset.ok_or("a chunk lies beyond the end of the file")?, self.grid.bytes, 0)?;
        }
        Ok(())
    }

    /// An element of either array: an address, with filters also size and mask. `place` is the chunk's index.
    fn element(
        &mut self,
        cursor: &mut Cursor,
        width: usize,
        place: impl IntoIterator<Item = u64>,
    ) -> Result<(), Damage> {
        let address = cursor.address(self.medium)?;
        let (size, mask) = match self.filtered {
            false => (self.grid.bytes, 0),
            true => {
                let size = width.checked_sub(self.medium.address + 4).filter(|n| *n <= 8);
                (cursor.number(size.ok_or("an index of an unknown shape")?)?, cursor.number(4)? as u32)
            }
        };
        match address {
            Some(address) => self.add(self.grid.number(place.into_iter()), address, size, mask),
            None => self.count(),
        }
    }

    fn fixed_array(&mut self, address: u64) -> Result<(), Damage> {
        let medium = self.medium;
        let bytes = medium.bytes(address, 8 + medium.length + medium.address)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"FAHD")?;
        cursor.take(2)?;
        let width = cursor.number(1)? as usize;
        let page_bits = cursor.number(1)?;
        let count = cursor.number(medium.length)?;
        let Some(block) = cursor.address(medium)? else { return Ok(()) };
        let most = self.grid.most();
        if count != most.iter().product::<u64>() || page_bits > 32 {
            return Err("the index of chunks has another size than the dataset".into());
        }
        self.plausible(count, width)?;
        let head = 6 + medium.address;
        medium.bytes(block, 4).and_then(|b| Cursor::new(&b).signature(b"FADB"))?;
        let page = 1u64 << page_bits;
        if count <= page {
            let bytes = medium.bytes(block.saturating_add(head as u64), count as usize * width)?;
            let mut cursor = Cursor::new(&bytes);
            for n in 0..count {
                self.element(&mut cursor, width, unravel(n, &most))?;
            }
            return Ok(());
        }
        // In pages, each with a checksum, after a bit map of the pages that were ever written.
        let pages = count.div_ceil(page);
        let map = medium.bytes(block.saturating_add(head as u64), pages.div_ceil(8) as usize)?;
        let mut at = block.saturating_add((head + map.len() + 4) as u64);
        for p in 0..pages {
            let here = page.min(count - p * page);
            if is_set(&map, p) {
                let bytes = medium.bytes(at, here as usize * width)?;
                let mut cursor = Cursor::new(&bytes);
                for n in 0..here {
                    self.element(&mut cursor, width, unravel(p * page + n, &most))?;
                }
            }
            at = at.saturating_add(here * width as u64 + 4);
        }
        Ok(())
    }

    /// That many entries must fit the file before memory is taken for them.
    fn plausible(&self, count: u64, width: usize) -> Result<(), Damage> {
        let fits = count.checked_mul(width.max(1) as u64).is_some_and(|n| n <= self.medium.len);
        if fits { Ok(()) } else { Err("the index of chunks is larger than the file".into()) }
    }

    fn extensible_array(&mut self, address: u64) -> Result<(), Damage> {
        let medium = self.medium;
        let bytes = medium.bytes(address, 12 + 6 * medium.length + medium.address)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"EAHD")?;
        cursor.take(2)?;
        let width = cursor.number(1)? as usize;
        let most_bits = cursor.number(1)?;
        let inline = cursor.number(1)?;
        let smallest = cursor.number(1)?;
        let pointers = cursor.number(1)?;
        let page_bits = cursor.number(1)?;
        cursor.take(4 * medium.length)?;
        let used = cursor.number(medium.length)?;
        cursor.take(medium.length)?;
        let Some(block) = cursor.address(medium)? else { return Ok(()) };
        let sound = most_bits <= 64
            && page_bits <= 32
            && smallest.is_power_of_two()
            && pointers.is_power_of_two()
            && u64::from(smallest.trailing_zeros()) <= most_bits;
        if !sound {
            return Err("an index of an unknown shape".into());
        }
        self.plausible(used, 1)?;
        let array = Extensible {
            width,
            offset: (most_bits as usize).div_ceil(8),
            page: 1 << page_bits,
            used,
            order: self.swizzled().ok_or("an index of an unknown shape")?,
        };
        // The sizes of the super blocks: 2^(n/2) data blocks of 2^((n+1)/2) times the smallest.
        let supers = 1 + most_bits - u64::from(smallest.trailing_zeros());
        let direct = 2 * u64::from(pointers.trailing_zeros());
        let head = 6 + medium.address as u64;
        let blocks = 2 * (pointers - 1);
        let rest = supers.saturating_sub(direct);
        let len = inline as usize * width + (blocks + rest) as usize * medium.address;
        medium.bytes(block, 4).and_then(|b| Cursor::new(&b).signature(b"EAIB"))?;
        let bytes = medium.bytes(block.saturating_add(head), len)?;
        let mut cursor = Cursor::new(&bytes);
        let mut next = 0;
        for _ in 0..inline {
            self.extensible_element(&mut cursor, &array, &mut next)?;
        }
        for n in 0..supers {
            let (count, size) = (1u64 << (n / 2).min(62), smallest.checked_shl(n.div_ceil(2) as u32).unwrap_or(0));
            if next >= used || size == 0 {
                break;
            }
            if n < direct {
                for _ in 0..count {
                    let at = cursor.address(medium)?;
                    self.data_block(at, size, None, &array, &mut next)?;
                }
                continue;
            }
            let Some(at) = cursor.address(medium)? else {
                next = next.saturating_add(count.saturating_mul(size));
                continue;
            };
            let pages = if size > array.page { size / array.page } else { 0 };
            medium.bytes(at, 4).and_then(|b| Cursor::new(&b).signature(b"EASB"))?;
            let map = (count as usize).saturating_mul((pages as usize).div_ceil(8));
            let len = (count as usize).saturating_mul(medium.address).saturating_add(map);
            let bytes = medium.bytes(at.saturating_add(head + array.offset as u64), len)?;
            let mut addresses = Cursor::new(&bytes[map..]);
            for b in 0..count {
                let at = addresses.address(medium)?;
                let pages = (pages > 0).then_some((&bytes[..map], b * pages));
                self.data_block(at, size, pages, &array, &mut next)?;
            }
        }
        Ok(())
    }

    fn data_block(
        &mut self,
        at: Option<u64>,
        size: u64,
        pages: Option<(&[u8], u64)>,
        array: &Extensible,
        next: &mut u64,
    ) -> Result<(), Damage> {
        let medium = self.medium;
        self.count()?;
        let end = next.saturating_add(size);
        let Some(at) = at.filter(|_| *next < array.used) else {
            *next = end;
            return Ok(());
        };
        medium.bytes(at, 4).and_then(|b| Cursor::new(&b).signature(b"EADB"))?;
        let mut at = at.saturating_add((6 + medium.address + array.offset) as u64);
        let Some((map, first)) = pages else {
            let len = usize::try_from(size).unwrap_or(usize::MAX).saturating_mul(array.width);
            let bytes = medium.bytes(at, len)?;
            let mut cursor = Cursor::new(&bytes);
            while *next < end {
                self.extensible_element(&mut cursor, array, next)?;
            }
            return Ok(());
        };
        at = at.saturating_add(4);
        for page in first..first + size / array.page {
            let len = array.page as usize * array.width;
            if is_set(map, page) {
                let bytes = medium.bytes(at, len)?;
                let mut cursor = Cursor::new(&bytes);
                for _ in 0..array.page {
                    self.extensible_element(&mut cursor, array, next)?;
                }
            } else {
                *next = next.saturating_add(array.page);
            }
            at = at.saturating_add(len as u64 + 4);
        }
        Ok(())
    }

    fn extensible_element(&mut self, cursor: &mut Cursor, array: &Extensible, next: &mut u64) -> Result<(), Damage> {
        let place = array.place(*next, self.grid.chunk.len());
        *next = next.saturating_add(1);
        self.element(cursor, array.width, place)
    }

    /// The axis without limit, and the chunks along the others: an extensible array counts that axis slowest.
    fn swizzled(&self) -> Option<(usize, SmallVec<[u64; 6]>)> {
        let free = self.grid.limit.iter().position(Option::is_none)?;
        let mut most = self.grid.most();
        most.remove(free);
        (!most.contains(&0)).then_some((free, most))
    }

    fn btree2(&mut self, address: u64) -> Result<(), Damage> {
        let medium = self.medium;
        let ndim = self.grid.chunk.len();
        let (kind, least) = match self.filtered {
            false => (10, medium.address + 8 * ndim),
            true => (11, medium.address + 5 + 8 * ndim),
        };
        btree2::walk(medium, address, kind, least, &|_| Ordering::Equal, &mut |bytes| {
            let mut record = Cursor::new(bytes);
            let at = record.address(medium)?;
            let (size, mask) = match self.filtered {
                false => (self.grid.bytes, 0),
                true => {
                    let width = bytes.len() - (medium.address + 4 + 8 * ndim);
                    (record.number(width)?, record.number(4)? as u32)
                }
            };
            let mut place: SmallVec<[u64; 6]> = SmallVec::new();
            for _ in 0..ndim {
                place.push(record.number(8)?);
            }
            match at {
                Some(at) => self.add(self.grid.number(place.into_iter()), at, size, mask),
                None => Ok(()),
            }
        })
    }
}

/// An extensible array of chunks.
struct Extensible {
    /// Bytes in an element.
    width: usize,
    /// Bytes in the offset that each block names.
    offset: usize,
    /// Elements in a page.
    page: u64,
    /// Elements that were ever set.
    used: u64,
    order: (usize, SmallVec<[u64; 6]>),
}

impl Extensible {
    /// The chunk's index along each axis of the n-th element.
    fn place(&self, n: u64, ndim: usize) -> SmallVec<[u64; 6]> {
        let (free, most) = &self.order;
        let inner: u64 = most.iter().product();
        let mut place = unravel(n % inner, most);
        debug_assert_eq!(place.len() + 1, ndim);
        place.insert(*free, n / inner);
        place
    }
}

/// Bits are counted from the highest of each byte.
fn is_set(map: &[u8], bit: u64) -> bool {
    map.get((bit / 8) as usize).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

fn unravel(mut n: u64, counts: &[u64]) -> SmallVec<[u64; 6]> {
    let mut index: SmallVec<[u64; 6]> = SmallVec::from_elem(0, counts.len());
    for axis in (0..counts.len()).rev() {
        let count = counts[axis].max(1);
        index[axis] = n % count;
        n /= count;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::hdf5::header::Header;
    use std::io::Write;

    /// Random bytes with signatures and small numbers strewn in, so that the readers get some way.
    fn noise(round: u64) -> Vec<u8> {
        let mut state = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let mut bytes: Vec<u8> =
            (0..2048).map(|_| if random(3) == 0 { random(256) as u8 } else { random(4) as u8 }).collect();
        let signatures: [&[u8]; 13] = [
            b"TREE\x01\x00\x02\x00",
            b"TREE\x01\x01\x02\x00",
            b"FAHD\x00\x00\x08\x02",
            b"FADB",
            b"EAHD\x00\x00\x08\x08\x01\x02\x02\x02",
            b"EAIB",
            b"EADB",
            b"EASB",
            b"BTHD\x00\x0a\x40\x00\x00\x00\x18\x00\x01\x00",
            b"BTLF",
            b"BTIN",
            b"OHDR\x02\x00\x40",
            b"\x01\x00\x02\x00",
        ];
        for _ in 0..30 {
            let at = random(2000) / 16 * 16;
            let signature = signatures[random(signatures.len())];
            bytes[at..at + signature.len()].copy_from_slice(signature);
        }
        bytes
    }

    #[test]
    fn noise_is_damage_and_nothing_worse() {
        let shape = [40, 30];
        for round in 0..300 {
            let mut file = tempfile::tempfile().unwrap();
            let bytes = noise(round);
            file.write_all(&bytes).unwrap();
            let medium = Medium { file: &file, len: bytes.len() as u64, base: 0, address: 8, length: 8 };
            for at in (0..bytes.len()).step_by(16) {
                let _ = Header::read(&medium, at as u64);
                for limit in [[Some(40), Some(30)], [None, Some(30)], [None, None]] {
                    let grid = Grid { shape: &shape, limit: &limit, chunk: &[7, 11], bytes: 616 };
                    let single = Index::Single { filtered: Some((9, 0)) };
                    for index in [
                        Index::BTree1,
                        single,
                        Index::Implicit,
                        Index::FixedArray,
                        Index::ExtensibleArray,
                        Index::BTree2,
                    ] {
                        for filtered in [false, true] {
                            let _ = list(&medium, &index, Some(at as u64), &grid, filtered);
                        }
                    }
                }
            }
        }
    }
}
