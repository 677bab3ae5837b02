//! What the messages of a dataset say, but for its datatype: shape, layout, filters, fill value.
//!
//! Source: HDF5 File Format Specification Version 3.0, IV.A.2.b (dataspace), .e and .f (fill value), .h (external files),
//! .i (layout), .l (filters).

use super::format::{Cursor, Damage, Medium, Sound};
use super::header::{Header, kind};

/// The format's own limit.
pub const MOST_AXES: usize = 32;

/// Shape and limits of growth of an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataspace {
    pub shape: Vec<usize>,
    /// `None` is without limit.
    pub limit: Vec<Option<usize>>,
}

impl Dataspace {
    /// `None` for an empty dataspace: no array at all.
    pub fn parse(medium: &Medium, body: &[u8]) -> Sound<Option<Dataspace>> {
        let mut cursor = Cursor::new(body);
        let (version, ndim, flags) = (cursor.number(1)?, cursor.size(1)?, cursor.number(1)?);
        match version {
            1 => {
                cursor.take(5)?;
            }
            2 => match cursor.number(1)? {
                0 if ndim == 0 => {}
                1 => {}
                2 if ndim == 0 => return Ok(None),
                _ => return Err("a dataspace of an impossible kind".into()),
            },
            _ => return Err("a dataspace of unknown version".into()),
        }
        if ndim > MOST_AXES {
            return Err("a dataspace of more axes than there may be".into());
        }
        let shape = (0..ndim).map(|_| cursor.size(medium.length)).collect::<Sound<Vec<_>>>()?;
        let mut limit: Vec<_> = shape.iter().copied().map(Some).collect();
        if flags & 1 != 0 {
            for (limit, &now) in limit.iter_mut().zip(&shape) {
                let bytes = cursor.take(medium.length)?;
                *limit = match bytes.iter().all(|&b| b == 0xff) {
                    true => None,
                    false => Some(Cursor::new(bytes).size(medium.length)?),
                };
                if limit.is_some_and(|most| most < now) {
                    return Err("a dataspace larger than it may be".into());
                }
            }
        }
        Ok(Some(Dataspace { shape, limit }))
    }

    /// How many elements there are, where 64 bits can tell.
    pub fn count(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }
}

/// Where a dataset's elements are.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// In the object header.
    Compact(Vec<u8>),
    /// One after the other from this address on; `None` where no space was allocated.
    Contiguous(Option<u64>),
    Chunked(Chunking),
    /// In datasets of other files, or of this; an object of a global heap says which.
    Virtual {
        heap: u64,
        object: u64,
    },
}

/// In chunks, found through an index.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunking {
    /// The shape of a chunk.
    pub dims: Vec<usize>,
    pub index: Index,
    pub address: Option<u64>,
    /// Chunks that reach beyond the shape are left unfiltered.
    pub plain_edges: bool,
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

impl Layout {
    /// The layout of the dataset with that header, of elements of `size` bytes along `ndim` axes.
    pub fn of(medium: &Medium, header: &Header, size: usize, ndim: usize) -> Sound<Layout> {
        let message = header.first(kind::LAYOUT).ok_or("a dataset has no layout")?;
        let layout = Layout::parse(medium, &message.body)?;
        match layout {
            Layout::Chunked(mut chunking) => {
                // The last axis of a chunk is the bytes of an element.
                let last = chunking.dims.pop();
                if last != Some(size) || chunking.dims.len() != ndim || chunking.dims.contains(&0) {
                    return Err("chunks do not fit the dataset".into());
                }
                Ok(Layout::Chunked(chunking))
            }
            layout => Ok(layout),
        }
    }

    fn parse(medium: &Medium, body: &[u8]) -> Sound<Layout> {
        let mut cursor = Cursor::new(body);
        let version = cursor.number(1)?;
        match version {
            1 | 2 => return Layout::old(medium, cursor),
            // Version 5 is as 4, for larger chunks.
            3..=5 => {}
            _ => return Err(Damage::unknown(format!("a layout is of version {version}"))),
        }
        match (version, cursor.number(1)?) {
            (_, 0) => {
                let len = cursor.size(2)?;
                Ok(Layout::Compact(cursor.take(len)?.to_vec()))
            }
            (_, 1) => {
                let address = cursor.address(medium)?;
                cursor.take(medium.length)?;
                Ok(Layout::Contiguous(address))
            }
            (3, 2) => {
                let ndim = cursor.size(1)?;
                let address = cursor.address(medium)?;
                let dims = (0..ndim).map(|_| cursor.size(4)).collect::<Sound<_>>()?;
                Ok(Layout::Chunked(Chunking { dims, index: Index::BTree1, address, plain_edges: false }))
            }
            (4 | 5, 2) => {
                let (flags, ndim, width) = (cursor.number(1)?, cursor.number(1)?, cursor.size(1)?);
                let dims = (0..ndim).map(|_| cursor.size(width)).collect::<Sound<_>>()?;
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
                    _ => return Err("an index of chunks of an unknown kind".into()),
                };
                let address = cursor.address(medium)?;
                Ok(Layout::Chunked(Chunking { dims, index, address, plain_edges: flags & 1 != 0 }))
            }
            (4 | 5, 3) => Ok(Layout::Virtual { heap: cursor.place(medium)?, object: cursor.number(4)? }),
            _ => Err("a layout of an unknown kind".into()),
        }
    }

    /// Versions 1 and 2, of files before HDF5 1.6.3.
    fn old(medium: &Medium, mut cursor: Cursor) -> Sound<Layout> {
        let (ndim, class) = (cursor.number(1)?, cursor.number(1)?);
        cursor.take(5)?;
        let address = if class == 0 { None } else { cursor.address(medium)? };
        let dims = (0..ndim).map(|_| cursor.size(4)).collect::<Sound<Vec<_>>>()?;
        match class {
            0 => {
                let len = cursor.size(4)?;
                Ok(Layout::Compact(cursor.take(len)?.to_vec()))
            }
            1 => Ok(Layout::Contiguous(address)),
            2 => Ok(Layout::Chunked(Chunking { dims, index: Index::BTree1, address, plain_edges: false })),
            _ => Err("a layout of an unknown kind".into()),
        }
    }
}

/// The fill value in the file's own bytes, for elements of `size` bytes; zeros where none is defined.
pub fn fill(new: Option<&[u8]>, old: Option<&[u8]>, size: usize) -> Sound<Vec<u8>> {
    let mut len = None;
    let mut cursor = Cursor::new(&[]);
    if let Some(body) = new {
        cursor = Cursor::new(body);
        match cursor.number(1)? {
            version @ (1 | 2) => {
                cursor.take(2)?;
                let defined = cursor.number(1)? != 0;
                if version == 1 || defined {
                    len = i32::try_from(cursor.number(4)?).ok().and_then(|n| usize::try_from(n).ok());
                }
            }
            3 if cursor.number(1)? & 0x20 != 0 => len = Some(cursor.size(4)?),
            3 => {}
            _ => return Err("a fill value of unknown version".into()),
        }
    } else if let Some(body) = old {
        cursor = Cursor::new(body);
        len = Some(cursor.size(4)?);
    }
    match len {
        None | Some(0) => Ok(vec![0; size]),
        Some(len) if len == size => Ok(cursor.take(len)?.to_vec()),
        Some(_) => Err("a fill value is not as long as the elements".into()),
    }
}

/// A filter as the file names it.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterMessage {
    pub id: u16,
    pub name: String,
    pub values: Vec<u32>,
}

/// The filters of a pipeline message, in the order they are applied on writing.
pub fn filters(body: &[u8]) -> Sound<Vec<FilterMessage>> {
    let mut cursor = Cursor::new(body);
    let (version, count) = (cursor.number(1)?, cursor.number(1)?);
    match version {
        1 => {
            cursor.take(6)?;
        }
        2 => {}
        _ => return Err("filters of an unknown version".into()),
    }
    if count > 32 {
        return Err("more filters than there may be".into());
    }
    let mut filters = Vec::new();
    for _ in 0..count {
        let id = cursor.number(2)? as u16;
        let len = if version == 1 || id >= 256 { cursor.size(2)? } else { 0 };
        let (_flags, values) = (cursor.number(2)?, cursor.size(2)?);
        let name = cursor.take(if version == 1 { len.next_multiple_of(8) } else { len })?;
        let name = name.split(|&b| b == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name).into_owned();
        let mut words = Cursor::new(cursor.take(4 * values)?);
        if version == 1 && values % 2 == 1 {
            cursor.take(4)?;
        }
        let values = (0..values).map(|_| Ok(words.number(4)? as u32)).collect::<Sound<_>>()?;
        filters.push(FilterMessage { id, name, values });
    }
    Ok(filters)
}
