//! Version 2 B-trees: records of one kind, in order.
//!
//! Source: HDF5 File Format Specification Version 3.0, III.A.2.

use super::format::{Cursor, Medium, Sound};
use std::cmp::Ordering;

/// What is done with each record.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8]) -> Sound<()>;
/// Where a record stands to what is looked for.
pub type Stand<'a> = &'a dyn Fn(&[u8]) -> Ordering;

/// The constants of a tree, by level.
struct Tree<'a> {
    medium: &'a Medium<'a>,
    kind: u64,
    node: usize,
    record: usize,
    /// Bytes that the number of records of a node takes.
    width: usize,
    /// The most records a node of a level holds, and the bytes that the number of all records below takes.
    levels: Vec<(u64, usize)>,
    /// Nodes that there can be in the file.
    nodes_left: u64,
}

/// Calls `visit` with every record of the tree at `address` for which `stand` says `Equal`, in order, and skips branches
/// that cannot hold any. Records must be of that kind and at least so long.
pub fn walk(medium: &Medium, address: u64, kind: u64, least: usize, stand: Stand, visit: Visit) -> Sound<()> {
    let bytes = medium.checked(address, 16 + medium.address + 2 + medium.length)?;
    let mut cursor = Cursor::new(&bytes);
    cursor.signature(b"BTHD")?;
    let (version, own_kind) = (cursor.number(1)?, cursor.number(1)?);
    let node = cursor.size(4)?;
    let record = cursor.size(2)?;
    let depth = cursor.size(2)?;
    cursor.take(2)?;
    let root = cursor.address(medium)?;
    let records = cursor.number(2)?;
    if version != 0 || own_kind != kind || depth > 32 || record < least || record == 0 || node <= 10 {
        return Err("a tree of an unknown shape".into());
    }
    let Some(root) = root else { return Ok(()) };
    // How many records nodes may hold decides how many bytes the counts in their parents take.
    let leaf = ((node - 10) / record) as u64;
    let width = width_of(leaf);
    let mut levels = vec![(leaf, 0)];
    let mut total = leaf;
    for level in 1..=depth {
        let pointer = medium.address + width + levels[level - 1].1;
        let here = ((node - 10).saturating_sub(pointer) / (record + pointer)) as u64;
        total = (here + 1).saturating_mul(total).saturating_add(here);
        levels.push((here, width_of(total)));
    }
    let nodes_left = medium.len / 10;
    let mut tree = Tree { medium, kind, node, record, width, levels, nodes_left };
    tree.node(root, records, depth, stand, visit)
}

impl Tree<'_> {
    fn node(&mut self, address: u64, records: u64, depth: usize, stand: Stand, visit: Visit) -> Sound<()> {
        self.nodes_left = self.nodes_left.checked_sub(1).ok_or("a tree without end")?;
        let (most, below) = (self.levels[depth].0, depth.checked_sub(1).map_or(0, |d| self.levels[d].1));
        if records > most {
            return Err("a tree with an overfull node".into());
        }
        let pointers = if depth > 0 { (records as usize + 1) * (self.medium.address + self.width + below) } else { 0 };
        let used = 6 + records as usize * self.record + pointers;
        let bytes = self.medium.checked(address, used)?;
        let mut cursor = Cursor::new(&bytes);
        cursor.signature(if depth > 0 { b"BTIN" } else { b"BTLF" })?;
        if cursor.number(1)? != 0 || cursor.number(1)? != self.kind || used > self.node {
            return Err("a tree with a node of another".into());
        }
        let mut pointers = Cursor::new(&cursor.rest()[records as usize * self.record..]);
        // Whether what is looked for may be before the record to come.
        let mut before = true;
        for n in 0..=records {
            let record = if n < records { Some(cursor.take(self.record)?) } else { None };
            let is = record.map(stand);
            if depth > 0 {
                let child = pointers.place(self.medium)?;
                let count = pointers.number(self.width)?;
                pointers.take(below)?;
                if before && is != Some(Ordering::Less) {
                    self.node(child, count, depth - 1, stand, visit)?;
                }
            }
            match (record, is) {
                (Some(record), Some(Ordering::Equal)) => visit(record)?,
                (_, Some(Ordering::Greater)) => before = false,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Bytes that numbers up to `most` take.
fn width_of(most: u64) -> usize {
    (64 - most.leading_zeros() as usize).div_ceil(8).max(1)
}
