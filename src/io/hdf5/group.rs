//! Groups: the names in them, and what these lead to.
//!
//! Source: HDF5 File Format Specification Version 3.0, III.A.1 (version 1 B-trees), III.B and III.C (symbol tables),
//! IV.A.2.c (link info), .g (links), .r (symbol table).

use super::btree2;
use super::checksum::lookup3;
use super::format::{Cursor, Medium, Sound};
use super::fractal::FractalHeap;
use super::header::{Header, kind};
use super::heap::LocalHeap;
use super::source::Source;
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The object header at an address of the same file.
    Hard(u64),
    /// A path from the group, or from the root.
    Soft(Vec<u8>),
    External {
        file: Vec<u8>,
        object: Vec<u8>,
    },
    /// A kind of link that programs define.
    Unknown,
}

pub struct Link {
    pub name: Vec<u8>,
    pub target: Target,
}

/// Every link of the group with that header, by name.
pub fn links(source: &Source, header: &Header) -> Sound<Vec<Link>> {
    let mut all = Vec::new();
    // Names don't overlap: together they are no longer than the file.
    let mut left = source.medium().len;
    each(source, header, None, &mut |link| {
        left = left.checked_sub(link.name.len() as u64).ok_or("names longer than the file")?;
        all.push(link);
        Ok(())
    })?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// What a name in the group leads to.
pub fn find(source: &Source, header: &Header, name: &[u8]) -> Sound<Option<Target>> {
    let mut found = None;
    each(source, header, Some(name), &mut |link| {
        if link.name == name {
            found = Some(link.target);
        }
        Ok(())
    })?;
    Ok(found)
}

type Visit<'a> = &'a mut dyn FnMut(Link) -> Sound<()>;

/// Calls `visit` with every link, or at least with the one that is wanted.
fn each(source: &Source, header: &Header, wanted: Option<&[u8]>, visit: Visit) -> Sound<()> {
    let medium = &source.medium();
    if let Some(table) = header.first(kind::SYMBOL_TABLE) {
        let mut cursor = Cursor::new(&table.body);
        let (tree, heap) = (cursor.place(medium)?, cursor.place(medium)?);
        let heap = LocalHeap::read(medium, heap)?;
        return Old { medium, heap: &heap, wanted, left: medium.len }.node(tree, None, visit);
    }
    for message in header.all(kind::LINK) {
        visit(link(medium, &source.body(message)?)?)?;
    }
    let Some(info) = header.first(kind::LINK_INFO) else { return Ok(()) };
    let mut cursor = Cursor::new(&info.body);
    let (version, flags) = (cursor.number(1)?, cursor.number(1)?);
    if version != 0 {
        return Err("a group of unknown version".into());
    }
    cursor.take(if flags & 1 != 0 { 8 } else { 0 })?;
    let Some((heap, tree, order)) = index_addresses(medium, &mut cursor, flags & 2 != 0)? else { return Ok(()) };
    let mut heap = FractalHeap::read(medium, heap)?;
    if let Some(order) = order.filter(|_| wanted.is_none()) {
        btree2::walk(medium, order, 6, 15, &|_| Ordering::Equal, &mut |_| Ok(()))?;
    }
    let hash = wanted.map(lookup3);
    let stand = |record: &[u8]| match (hash, record.first_chunk::<4>()) {
        (Some(hash), Some(own)) => u32::from_le_bytes(*own).cmp(&hash),
        _ => Ordering::Equal,
    };
    btree2::walk(medium, tree, 5, 11, &stand, &mut |record| visit(link(medium, &heap.object(&record[4..])?)?))
}

/// The heap, the index by name, and that by order of what is kept densely: links or attributes. All or none of them.
pub fn index_addresses(medium: &Medium, cursor: &mut Cursor, ordered: bool) -> Sound<Option<(u64, u64, Option<u64>)>> {
    let (heap, names) = (cursor.address(medium)?, cursor.address(medium)?);
    let order = if ordered { cursor.address(medium)? } else { None };
    match (heap, names, order) {
        (None, None, None) => Ok(None),
        (Some(heap), Some(names), order) if order.is_some() == ordered => Ok(Some((heap, names, order))),
        _ => Err("a heap without its index".into()),
    }
}

fn link(medium: &Medium, body: &[u8]) -> Sound<Link> {
    let mut cursor = Cursor::new(body);
    let (version, flags) = (cursor.number(1)?, cursor.number(1)?);
    if version != 1 {
        return Err("a link of unknown version".into());
    }
    let way = if flags & 8 != 0 { cursor.number(1)? } else { 0 };
    cursor.take(if flags & 4 != 0 { 8 } else { 0 })?;
    cursor.take(if flags & 16 != 0 { 1 } else { 0 })?;
    let len = cursor.size(1 << (flags & 3))?;
    let name = cursor.take(len)?.to_vec();
    if name.is_empty() {
        return Err("a link without a name".into());
    }
    let target = match way {
        0 => Target::Hard(cursor.place(medium)?),
        1 => {
            let len = cursor.size(2)?;
            Target::Soft(cursor.take(len)?.to_vec())
        }
        64 => {
            let len = cursor.size(2)?;
            let mut cursor = Cursor::new(cursor.take(len)?);
            cursor.take(1)?;
            let (file, object) = (cursor.text()?.to_vec(), cursor.text()?.to_vec());
            Target::External { file, object }
        }
        _ => Target::Unknown,
    };
    Ok(Link { name, target })
}

/// A group of the old style: a tree of tables of names.
struct Old<'a> {
    medium: &'a Medium<'a>,
    heap: &'a LocalHeap,
    wanted: Option<&'a [u8]>,
    /// Nodes don't overlap: together they are no longer than the file.
    left: u64,
}

impl Old<'_> {
    fn bytes(&mut self, address: u64, len: usize) -> Sound<Vec<u8>> {
        self.left = self.left.checked_sub(len as u64).ok_or("a group without end")?;
        self.medium.bytes(address, len)
    }

    fn node(&mut self, address: u64, above: Option<u64>, visit: Visit) -> Sound<()> {
        let (address_len, length) = (self.medium.address, self.medium.length);
        let head = 8 + 2 * address_len;
        let bytes = self.bytes(address, head)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"TREE")?;
        let (own_kind, level, used) = (cursor.number(1)?, cursor.number(1)?, cursor.size(2)?);
        if own_kind != 0 || above.is_some_and(|above| level + 1 != above) {
            return Err("a group is not a tree of names".into());
        }
        let bytes = self.bytes(address.saturating_add(head as u64), used * (length + address_len) + length)?;
        let mut cursor = Cursor::new(&bytes);
        let mut before = cursor.number(length)?;
        for _ in 0..used {
            let child = cursor.place(self.medium)?;
            let after = cursor.number(length)?;
            // The names of a child are after the one key, up to the next.
            let may_hold = match self.wanted {
                None => {
                    self.heap.text(before)?;
                    self.heap.text(after)?;
                    true
                }
                Some(name) => self.heap.text(before)? < name && name <= self.heap.text(after)?,
            };
            before = after;
            match level {
                _ if !may_hold => {}
                0 => self.table(child, visit)?,
                _ => self.node(child, Some(level), visit)?,
            }
        }
        Ok(())
    }

    fn table(&mut self, address: u64, visit: Visit) -> Sound<()> {
        let entry = 2 * self.medium.address + 24;
        let bytes = self.bytes(address, 8)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(b"SNOD")?;
        if cursor.number(1)? != 1 {
            return Err("a table of names of unknown version".into());
        }
        cursor.take(1)?;
        let count = cursor.size(2)?;
        let bytes = self.bytes(address.saturating_add(8), count * entry)?;
        for entry in bytes.chunks_exact(entry) {
            let mut cursor = Cursor::new(entry);
            let name = self.heap.text(cursor.number(self.medium.address)?)?.to_vec();
            let address = cursor.address(self.medium)?;
            let way = cursor.number(4)?;
            cursor.take(4)?;
            if name.is_empty() {
                return Err("a link without a name".into());
            }
            let target = match (way, address) {
                (2, _) => Target::Soft(self.heap.text(cursor.number(4)?)?.to_vec()),
                (0 | 1, Some(address)) => Target::Hard(address),
                _ => return Err("a link of an unknown kind".into()),
            };
            visit(Link { name, target })?;
        }
        Ok(())
    }
}
