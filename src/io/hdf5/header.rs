//! Object headers: the messages that say what an object is.
//!
//! Source: HDF5 File Format Specification Version 3.0, IV.A.1.

use super::checksum::lookup3;
use super::format::{Cursor, Damage, Medium, Sound};

/// Numbers of the messages that are used here.
pub mod kind {
    pub const NIL: u16 = 0;
    pub const DATASPACE: u16 = 1;
    pub const LINK_INFO: u16 = 2;
    pub const DATATYPE: u16 = 3;
    pub const OLD_FILL: u16 = 4;
    pub const FILL: u16 = 5;
    pub const LINK: u16 = 6;
    pub const EXTERNAL: u16 = 7;
    pub const LAYOUT: u16 = 8;
    pub const FILTERS: u16 = 11;
    pub const ATTRIBUTE: u16 = 12;
    pub const SHARED_TABLE: u16 = 15;
    pub const CONTINUATION: u16 = 16;
    pub const SYMBOL_TABLE: u16 = 17;
    pub const ATTRIBUTE_INFO: u16 = 21;
}

/// The message is not here, but where this one points.
const SHARED: u8 = 2;
/// No object has anywhere near as many continuation blocks.
const MOST_BLOCKS: usize = 4096;

pub struct Message {
    pub kind: u16,
    flags: u8,
    pub body: Vec<u8>,
}

impl Message {
    pub fn is_shared(&self) -> bool {
        self.flags & SHARED != 0
    }
}

pub struct Header {
    pub messages: Vec<Message>,
}

/// How messages are framed.
struct Frame {
    second: bool,
    /// Messages carry the order they were made in.
    ordered: bool,
}

impl Header {
    /// Reads the object header at `address`, with all blocks it continues in.
    pub fn read(medium: &Medium, address: u64) -> Sound<Header> {
        let start = medium.bytes(address, 16)?;
        let second = start.starts_with(b"OHDR");
        let mut header = Header { messages: Vec::new() };
        // Blocks still to look at: address and length.
        let mut blocks = Vec::new();
        let frame;
        if second {
            if start[4] != 2 {
                return Err(Damage::unknown(format!("an object header is of version {}", start[4])));
            }
            let flags = start[5];
            frame = Frame { second, ordered: flags & 4 != 0 };
            let times = if flags & 0x20 != 0 { 16 } else { 0 };
            let phases = if flags & 0x10 != 0 { 4 } else { 0 };
            let width = 1 << (flags & 3);
            let skip = 6 + times + phases;
            let prefix = medium.bytes(address, skip + width)?;
            let len = Cursor::new(&prefix[skip..]).size(width)?;
            let bytes =
                medium.checked(address, len.checked_add(prefix.len()).ok_or("an object header without end")?)?;
            frame.messages(medium, &bytes[prefix.len()..], &mut header, &mut blocks)?;
        } else if start[0] == 1 {
            frame = Frame { second, ordered: false };
            let len = Cursor::new(&start[8..12]).size(4)?;
            let bytes = medium.bytes(address.saturating_add(16), len)?;
            frame.messages(medium, &bytes, &mut header, &mut blocks)?;
        } else {
            return Err("an object header of unknown version".into());
        }
        let (mut seen, mut total) = (0, 0u64);
        while let Some((at, len)) = blocks.pop() {
            // Blocks don't overlap: together they are no longer than the file.
            (seen, total) = (seen + 1, total.saturating_add(len as u64));
            if seen > MOST_BLOCKS || total > medium.len {
                return Err("an object header without end".into());
            }
            if second {
                let len = len.checked_sub(4).ok_or("a header block too short")?;
                let bytes = medium.checked(at, len)?;
                let mut cursor = Cursor::new(&bytes);
                cursor.signature(b"OCHK")?;
                frame.messages(medium, cursor.rest(), &mut header, &mut blocks)?;
            } else {
                let bytes = medium.bytes(at, len)?;
                frame.messages(medium, &bytes, &mut header, &mut blocks)?;
            }
        }
        Ok(header)
    }

    pub fn first(&self, kind: u16) -> Option<&Message> {
        self.messages.iter().find(|m| m.kind == kind)
    }

    pub fn has(&self, kind: u16) -> bool {
        self.first(kind).is_some()
    }

    pub fn all(&self, kind: u16) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |m| m.kind == kind)
    }
}

impl Frame {
    fn messages(
        &self,
        medium: &Medium,
        block: &[u8],
        header: &mut Header,
        blocks: &mut Vec<(u64, usize)>,
    ) -> Sound<()> {
        let mut cursor = Cursor::new(block);
        let head = if self.second { 4 + usize::from(self.ordered) * 2 } else { 8 };
        // What is left of a block of version 2 after its last message is a gap.
        while cursor.len() >= head {
            let kind = cursor.number(if self.second { 1 } else { 2 })? as u16;
            let size = cursor.size(2)?;
            let flags = cursor.number(1)? as u8;
            cursor.take(head - if self.second { 4 } else { 5 })?;
            let body = cursor.take(size).map_err(|_| "a message reaches beyond its object header")?;
            match kind {
                kind::NIL => {}
                kind::CONTINUATION => {
                    let mut cursor = Cursor::new(body);
                    let at = cursor.address(medium)?.ok_or("a header that continues nowhere")?;
                    blocks.push((at, cursor.size(medium.length)?));
                }
                kind => header.messages.push(Message { kind, flags, body: body.to_vec() }),
            }
        }
        Ok(())
    }
}

/// The checksum over a block that carries it inside, taken as if it were 0 there.
pub fn is_intact(block: &[u8], at: usize) -> bool {
    let Some(sum) = block.get(at..at + 4) else { return false };
    let mut copy = block.to_vec();
    copy[at..at + 4].fill(0);
    lookup3(&copy).to_le_bytes() == sum
}
