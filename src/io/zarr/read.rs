//! Reading a part of an array into a block: only the chunks it touches are opened and decoded, by the thread that reads.

use super::chain::{Chain, Shards};
use super::codecs::{self, Scratch};
use super::dataset::Dataset;
use super::element::Element;
use super::node;
use super::shard::Shard;
use crate::data::slice::Range;
use crate::data::{Block, Dims};
use crate::err;
use crate::io::gather::{self, Trouble};
use crate::io::part::{Part, parts, turned};
use crate::io::stored::Stored;
use crate::io::walk::{Walk, byte_strides};
use crate::text::{Error, Result};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::fs::File;
use std::io::Read;

type Sizes = SmallVec<[usize; 6]>;

thread_local! {
    /// Kept between chunks: fresh pages cost more than decoding into old ones.
    pub(super) static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// The block that is read, and where the elements of a chunk go in it.
struct Target<'a> {
    parts: &'a [Part],
    /// Bytes between neighbours along each axis.
    strides: Sizes,
    out: &'a mut [u8],
}

/// The elements of a chunk that are read: where they begin in the chunk and in the block, in elements and bytes, and how many.
struct Piece {
    starts: Sizes,
    to: usize,
    count: Sizes,
}

impl Target<'_> {
    /// What is read of the chunk of shape `dims` at `index`; `None` where steps lead past it.
    fn piece(&self, index: &[usize], dims: &[usize]) -> Option<Piece> {
        let mut piece = Piece { starts: Sizes::new(), to: 0, count: Sizes::new() };
        for (axis, part) in self.parts.iter().enumerate() {
            let start = index[axis] * dims[axis];
            let (at, n) = part.within(start, dims[axis]);
            if n == 0 {
                return None;
            }
            piece.starts.push(part.start + at * part.step - start);
            piece.to += at * self.strides[axis];
            piece.count.push(n);
        }
        Some(piece)
    }

    /// How the elements of a piece lie in the chunk, whose neighbours are `inner` bytes apart, and in the block.
    fn walk(&self, size: usize, piece: &Piece, inner: &[usize]) -> Walk {
        let steps: Sizes = self.parts.iter().zip(inner).map(|(p, s)| p.step * s).collect();
        let from = piece.starts.iter().zip(inner).map(|(at, s)| at * s).sum();
        Walk::new(size, &piece.count, &steps, &self.strides, (from, piece.to))
    }
}

impl Dataset {
    /// Reads `region`, a range for each axis. Elements whose chunk there is not are the fill value.
    ///
    /// # Errors
    /// `dsk::io` where a chunk is damaged or cannot be read, or the array is another one by now.
    pub(super) fn read_region(&self, region: &[Range]) -> Result<Block> {
        let block = self.read_now(region);
        // Also after: where another array takes its place, chunks go away, as if they had never been written.
        self.check_place()?;
        block
    }

    fn read_now(&self, region: &[Range]) -> Result<Block> {
        let parts = parts(region, self.shape(), &|| self.target())?;
        let shape: Dims = parts.iter().map(|p| p.count).collect();
        let element = self.storage.element;
        let Some(strides) =
            byte_strides(element.size(), &shape).filter(|_| byte_strides(element.dtype.size(), &shape).is_some())
        else {
            return Err(err!(Memory, "a block of shape {:?} is larger than any memory", shape.as_slice()));
        };
        let mut block = self.encoding().alloc(element.dtype, &shape);
        if !block.is_empty() {
            let target = Target { parts: &parts, strides, out: block.as_mut_bytes() };
            SCRATCH.with_borrow_mut(|scratch| self.read_chunks(target, scratch))?;
        }
        Ok(turned(self.encoding().finish(block), region))
    }

    fn read_chunks(&self, mut target: Target, scratch: &mut Scratch) -> Result<()> {
        let dims = &self.layout.chunks;
        let first: Sizes = target.parts.iter().zip(dims).map(|(p, c)| p.start / c).collect();
        let last: Sizes = target.parts.iter().zip(dims).map(|(p, c)| p.last() / c).collect();
        each_index(&first, &last, |index| {
            let Some(piece) = target.piece(index, dims) else { return Ok(()) };
            let name = self.storage.keys.file(index);
            let damaged = |what: String| self.damaged(&format!("its chunk `{name}`: {what}"));
            let file = node::open(&self.folder.join(&name)).map_err(|e| damaged(e.to_string()))?;
            let chain = &self.storage.chain;
            let done = match (file, &chain.shards) {
                (None, _) => {
                    self.fill(&piece, &mut target);
                    Ok(())
                }
                (Some(file), Some(shards)) => self.read_shard(&file, shards, index, &mut target, scratch),
                (Some(file), None) if chain.is_plain() => self.read_plain(&file, &piece, &mut target),
                (Some(file), None) => read_whole(&file, self.storage.bytes, scratch).and_then(|()| {
                    codecs::decode(&chain.codecs, self.storage.bytes, scratch)?;
                    self.copy(&scratch.bytes, chain, dims, &piece, &mut target)
                }),
            };
            done.map_err(damaged)
        })
    }

    /// Straight from the file to the block.
    fn read_plain(&self, file: &File, piece: &Piece, target: &mut Target) -> Result<(), String> {
        let (size, bytes) = (self.storage.element.size(), self.storage.bytes);
        let len = file.metadata().map_err(|e| e.to_string())?.len();
        if len != bytes as u64 {
            return Err(format!("it has {len} bytes, not {bytes}"));
        }
        let inner = byte_strides(size, &self.layout.chunks).ok_or("it is larger than any memory")?;
        let walk = target.walk(size, piece, &inner);
        gather::read(file, 0, walk, target.out).map_err(|trouble| match trouble {
            Trouble::Short => "it was cut off".into(),
            Trouble::System(error) => error.to_string(),
        })
    }

    fn read_shard(
        &self,
        file: &File,
        shards: &Shards,
        outer: &[usize],
        target: &mut Target,
        scratch: &mut Scratch,
    ) -> Result<(), String> {
        let dims = &shards.chunks;
        let whole = &self.layout.chunks;
        let per: Sizes = whole.iter().zip(dims).map(|(w, d)| w / d).collect();
        let shard = Shard::open(file, shards.index, per.iter().product())?;
        let bytes = dims.iter().product::<usize>() * self.storage.element.size();
        // The chunks of the whole array that are in this shard and in the region.
        let axes = || target.parts.iter().zip(outer).zip(dims.iter().zip(&per));
        let first: Sizes = axes().map(|((p, &o), (&d, &n))| (p.start / d).max(o * n)).collect();
        let last: Sizes = axes().map(|((p, &o), (&d, &n))| (p.last() / d).min((o + 1) * n - 1)).collect();
        each_index(&first, &last, |index| {
            let Some(piece) = target.piece(index, dims) else { return Ok(()) };
            let number = (0..per.len()).fold(0, |n, axis| n * per[axis] + index[axis] % per[axis]);
            if !shard.read(number, bytes, &mut scratch.bytes)? {
                self.fill(&piece, target);
                return Ok(());
            }
            codecs::decode(&shards.chain.codecs, bytes, scratch)?;
            self.copy(&scratch.bytes, &shards.chain, dims, &piece, target)
        })
    }

    /// From a chunk's bytes to the block.
    fn copy(
        &self,
        bytes: &[u8],
        chain: &Chain,
        dims: &[usize],
        piece: &Piece,
        target: &mut Target,
    ) -> Result<(), String> {
        let size = self.storage.element.size();
        let inner = byte_strides(size, dims).ok_or("it is larger than any memory")?;
        let ordered;
        let bytes = match &chain.axes {
            None => bytes,
            Some(axes) => {
                ordered = in_order(bytes, self.storage.element, dims, axes);
                ordered.as_bytes().unwrap_or_default()
            }
        };
        for run in target.walk(size, piece, &inner) {
            target.out[run.to..run.to + run.len].copy_from_slice(&bytes[run.from..run.from + run.len]);
        }
        Ok(())
    }

    fn fill(&self, piece: &Piece, target: &mut Target) {
        let fill = &self.storage.fill;
        for run in Walk::new(fill.len(), &piece.count, &target.strides, &target.strides, (piece.to, piece.to)) {
            let run = &mut target.out[run.to..run.to + run.len];
            run.chunks_exact_mut(fill.len()).for_each(|element| element.copy_from_slice(fill));
        }
    }

    fn damaged(&self, what: &str) -> Error {
        err!(Io, "`{}` cannot be read: {what}", self.target())
    }
}

/// A chunk with its axes in the order of the array's; `axes` says which one each of its own is.
pub(super) fn in_order(bytes: &[u8], element: Element, dims: &[usize], axes: &[usize]) -> Block {
    let stored: Dims = axes.iter().map(|&axis| dims[axis]).collect();
    let mut block = Block::alloc(element.raw(), &stored);
    block.as_mut_bytes().copy_from_slice(bytes);
    let back: Dims = (0..axes.len()).filter_map(|axis| axes.iter().position(|&a| a == axis)).collect();
    block.transpose(&back).contiguous()
}

/// The whole of a chunk's file, whose elements take `bytes` bytes.
pub(super) fn read_whole(file: &File, bytes: usize, scratch: &mut Scratch) -> Result<(), String> {
    let len = file.metadata().map_err(|e| e.to_string())?.len();
    let len = codecs::stored_len(len, bytes)?;
    codecs::set_len(&mut scratch.bytes, len)?;
    let mut file = file;
    file.read_exact(&mut scratch.bytes).map_err(|e| e.to_string())
}

/// Calls `f` for every index from `first` to `last`, in row-major order.
///
/// # Errors
/// The first that `f` answers.
pub(super) fn each_index<E>(
    first: &[usize],
    last: &[usize],
    mut f: impl FnMut(&[usize]) -> Result<(), E>,
) -> Result<(), E> {
    let mut index = Sizes::from_slice(first);
    loop {
        f(&index)?;
        let Some(axis) = (0..index.len()).rev().find(|&a| index[a] < last[a]) else { return Ok(()) };
        index[axis] += 1;
        index[axis + 1..].copy_from_slice(&first[axis + 1..]);
    }
}
