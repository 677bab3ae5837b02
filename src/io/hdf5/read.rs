//! Reading a part of a dataset into a block.
//!
//! Contiguous data and chunks without filters are read by the system straight into the block's rows; filtered chunks are
//! read whole, decoded, and copied. Neither takes the library or its lock, so workers read side by side.

use super::convert;
use super::dataset::{Chunked, Dataset, Storage, is_still_there};
use super::file;
use super::library::{Failure, locked};
use super::pipeline::Scratch;
use crate::data::slice::Range;
use crate::data::{Block, DType, Dims};
use crate::err;
use crate::io::encoding::{Encoding, bools};
use crate::io::files;
use crate::io::gather::{self, Trouble};
use crate::io::part::{self, Part};
use crate::io::walk::{Walk, byte_strides, copy};
use crate::text::{Error, Result};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

thread_local! {
    /// Kept between chunks: fresh pages cost more than decoding into old ones.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

type Sizes = SmallVec<[usize; 6]>;

impl Dataset {
    /// Reads `region`, a range for each axis. Elements that were never written are the fill value.
    ///
    /// # Errors
    /// `dsk::io` where the file is damaged, shorter than it says, or another one by now.
    pub fn read(&self, region: &[Range]) -> Result<Block> {
        self.check_place()?;
        let parts = part::parts(region, self.shape(), &|| self.target())?;
        let shape: Dims = parts.iter().map(|p| p.count).collect();
        if byte_strides(self.element.size.max(self.dtype().size()), &shape).is_none() {
            return Err(err!(Memory, "a block of shape {:?} is larger than any memory", shape.as_slice()));
        }
        let direct = self.is_direct();
        let mut block = match (direct, self.element.encoding) {
            (true, _) => convert::alloc(&self.element, &shape),
            // The library has converted the elements itself, but for bools.
            (false, Some(Encoding::Bool)) => Block::alloc(DType::U8, &shape),
            (false, _) => Block::alloc(self.dtype(), &shape),
        };
        if !block.is_empty() {
            match &self.storage {
                Storage::Contiguous(Some(at)) => self.read_contiguous(*at, &parts, &shape, block.as_mut_bytes())?,
                Storage::Compact(bytes) => self.read_compact(bytes, &parts, &shape, block.as_mut_bytes())?,
                Storage::Contiguous(None) => self.fill_all(block.as_mut_bytes()),
                Storage::Chunked(chunked) => self.read_chunks(chunked, &parts, &shape, block.as_mut_bytes())?,
                Storage::Library(_) => self.read_by_library(&parts, &shape, block.as_mut_bytes())?,
            }
        }
        let block = match (direct, self.element.encoding) {
            (true, _) => convert::finish(&self.datatype, &self.element, block),
            (false, Some(Encoding::Bool)) => bools(&block),
            (false, _) => block,
        };
        Ok(part::turned(block, region))
    }

    /// Reads the whole of it.
    pub fn read_all(&self) -> Result<Block> {
        let all = |&count: &usize| Range { start: 0, step: 1, count };
        self.read(&self.shape().iter().map(all).collect::<SmallVec<[Range; 6]>>())
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        err!(Io, "`{}` cannot be read: {what}", self.target())
    }

    fn trouble(&self, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Short => self.damaged("the file ends before its data does; it was cut off"),
            Trouble::System(error) => self.damaged(error),
        }
    }

    /// A store that replaced datasets since may have replaced this one: then its space is somebody else's.
    fn check_place(&self) -> Result<()> {
        let now = file::replaced();
        if self.known_at.load(Ordering::Relaxed) != now {
            if !is_still_there(self.path(), self.name(), self.address)? {
                return Err(files::replaced(&self.target()));
            }
            self.known_at.store(now, Ordering::Relaxed);
        }
        Ok(())
    }

    fn read_contiguous(&self, at: u64, parts: &[Part], shape: &[usize], out: &mut [u8]) -> Result<()> {
        let size = self.element.size;
        let (Some(from), Some(to)) = (byte_strides(size, self.shape()), byte_strides(size, shape)) else {
            return Err(self.damaged("it is larger than any memory"));
        };
        let start: usize = parts.iter().zip(&from).map(|(p, s)| p.start * s).sum();
        let steps: Sizes = parts.iter().zip(&from).map(|(p, s)| p.step * s).collect();
        let walk = Walk::new(size, shape, &steps, &to, (start, 0));
        gather::read(&self.file, at, walk, out).map_err(|t| self.trouble(t))
    }

    fn read_compact(&self, bytes: &[u8], parts: &[Part], shape: &[usize], out: &mut [u8]) -> Result<()> {
        let size = self.element.size;
        let (Some(from), Some(to)) = (byte_strides(size, self.shape()), byte_strides(size, shape)) else {
            return Err(self.damaged("it is larger than any memory"));
        };
        let start: usize = parts.iter().zip(&from).map(|(p, s)| p.start * s).sum();
        let steps: Sizes = parts.iter().zip(&from).map(|(p, s)| p.step * s).collect();
        copy(Walk::new(size, shape, &steps, &to, (start, 0)), bytes, out);
        Ok(())
    }

    fn read_chunks(&self, chunked: &Chunked, parts: &[Part], shape: &[usize], out: &mut [u8]) -> Result<()> {
        let size = self.element.size;
        let list = chunked.list(self.shape(), &self.file).map_err(|what| self.damaged(what))?;
        let (Some(inner), Some(outer)) = (byte_strides(size, &chunked.dims), byte_strides(size, shape)) else {
            return Err(self.damaged("it is larger than any memory"));
        };
        let steps: Sizes = parts.iter().zip(&inner).map(|(p, s)| p.step * s).collect();
        let ndim = shape.len();
        let grid: Sizes = self.shape().iter().zip(&chunked.dims).map(|(n, c)| n.div_ceil(*c)).collect();
        let first: Sizes = parts.iter().zip(&chunked.dims).map(|(p, c)| p.start / c).collect();
        let last: Sizes = parts.iter().zip(&chunked.dims).map(|(p, c)| p.last() / c).collect();
        let mut index = first.clone();
        loop {
            // Where the chunk's part of the region begins in the chunk and in the block, and its shape.
            let (mut from, mut to) = (0, 0);
            let mut count: Sizes = SmallVec::new();
            for axis in 0..ndim {
                let start = index[axis] * chunked.dims[axis];
                let (at, n) = parts[axis].within(start, chunked.dims[axis]);
                count.push(n);
                if n > 0 {
                    from += (parts[axis].start + at * parts[axis].step - start) * inner[axis];
                    to += at * outer[axis];
                }
            }
            if !count.contains(&0) {
                let number = index.iter().zip(&grid).fold(0u64, |n, (&i, &g)| n * g as u64 + i as u64);
                let stored = list.binary_search_by_key(&number, |c| c.number).ok().map(|at| list[at]);
                match stored {
                    None => self.fill_part(&count, &outer, to, out),
                    Some(stored) if chunked.pipeline.is_empty() => {
                        let walk = Walk::new(size, &count, &steps, &outer, (from, to));
                        gather::read(&self.file, stored.position, walk, out).map_err(|t| self.trouble(t))?;
                    }
                    Some(stored) => SCRATCH.with_borrow_mut(|scratch| {
                        let at_edge = |a: usize| (index[a] + 1) * chunked.dims[a] > self.shape()[a];
                        let plain = chunked.plain_edges && (0..ndim).any(at_edge);
                        let mask = if plain { u32::MAX } else { stored.mask };
                        let bytes = self.decoded(chunked, stored.position, stored.size, mask, scratch)?;
                        let walk = Walk::new(size, &count, &steps, &outer, (from, to));
                        copy(walk, bytes, out);
                        Ok(())
                    })?,
                }
            }
            // The next chunk in row-major order.
            let Some(axis) = (0..ndim).rev().find(|&a| index[a] < last[a]) else { return Ok(()) };
            index[axis] += 1;
            index[axis + 1..].copy_from_slice(&first[axis + 1..]);
        }
    }

    /// The bytes of a filtered chunk.
    fn decoded<'a>(
        &self,
        chunked: &Chunked,
        position: u64,
        size: u64,
        mask: u32,
        scratch: &'a mut Scratch,
    ) -> Result<&'a [u8]> {
        // No filter of ours makes a chunk much larger than it was.
        let most = chunked.bytes.saturating_mul(2).saturating_add(4096);
        let size = usize::try_from(size).ok().filter(|&n| n <= most);
        let size = size.ok_or_else(|| self.damaged("a chunk is said to take more space than it can"))?;
        scratch.stored.resize(size, 0);
        self.file.read_exact_at(&mut scratch.stored, position).map_err(|e| self.trouble(e.into()))?;
        chunked.pipeline.decode(mask, chunked.bytes, scratch).map_err(|what| self.damaged(what))
    }

    fn fill_all(&self, out: &mut [u8]) {
        out.chunks_exact_mut(self.fill.len()).for_each(|element| element.copy_from_slice(&self.fill));
    }

    fn fill_part(&self, count: &[usize], strides: &[usize], start: usize, out: &mut [u8]) {
        for run in Walk::new(self.element.size, count, strides, strides, (start, start)) {
            self.fill_all(&mut out[run.to..run.to + run.len]);
        }
    }

    /// Through the library, which converts the elements itself.
    fn read_by_library(&self, parts: &[Part], shape: &[usize], out: &mut [u8]) -> Result<()> {
        self.check_for_library()?;
        locked(|lib| {
            let file = file::open_in_library(lib, self.home(), false)?;
            let mut read = || {
                let object = lib.open_address(&file, self.address)?;
                let file_type = lib.dataset_type(&object)?;
                let memory = self.element.memory_type(lib, &self.datatype, &file_type)?;
                let part = lib.dataset_space(&object)?;
                if lib.shape(&part)?.as_deref() != Some(self.shape()) {
                    return Err("it has another shape by now".into());
                }
                let list = |f: fn(&Part) -> usize| parts.iter().map(f).collect::<Vec<_>>();
                lib.select(&part, &list(|p| p.start), &list(|p| p.step), &list(|p| p.count))?;
                lib.read(&object, &memory, (&lib.space(shape)?, &part), out)
            };
            read().map_err(|Failure(what)| self.damaged(what))
        })
    }
}
