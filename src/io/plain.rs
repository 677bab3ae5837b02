//! An array whose elements lie in a file as they are, at regular distances: what files without chunks and filters hold.

use super::encoding::Encoding;
use super::gather::{self, Trouble};
use super::part;
use super::walk::{Walk, byte_strides};
use crate::data::slice::Range;
use crate::data::{Block, DType, Dims, Outside};
use crate::err;
use crate::text::{Error, Result};
use smallvec::SmallVec;
use std::fs::File;

/// Where the elements of an array lie, and what they are.
pub struct Plain {
    pub dtype: DType,
    pub encoding: Encoding,
    /// Bytes an element takes in the file.
    pub size: usize,
    pub shape: Dims,
    /// Where the first element begins.
    pub at: u64,
    /// Bytes between neighbours along each axis: those of an axis are no fewer than all of what is within it.
    pub strides: SmallVec<[usize; 6]>,
}

impl Plain {
    /// Reads a region, which lies where it does: no more of the file than that is looked at. The array is called `target`.
    pub fn read(&self, file: &File, region: &[Range], target: &dyn Fn() -> String) -> Result<Block> {
        let parts = part::parts(region, &self.shape, target)?;
        let shape: Dims = parts.iter().map(|p| p.count).collect();
        let Some(to) = byte_strides(self.size, &shape).filter(|_| byte_strides(self.dtype.size(), &shape).is_some())
        else {
            return Err(err!(Memory, "a block of shape {:?} is larger than any memory", shape.as_slice()));
        };
        let mut block = self.encoding.alloc(self.dtype, &shape);
        if !block.is_empty() {
            let start: usize = parts.iter().zip(&self.strides).map(|(p, s)| p.start * s).sum();
            let steps: SmallVec<[usize; 6]> = parts.iter().zip(&self.strides).map(|(p, s)| p.step * s).collect();
            let walk = Walk::new(self.size, &shape, &steps, &to, (start, 0));
            gather::read(file, self.at, walk, block.as_mut_bytes())
                .map_err(|trouble| cannot_read(&target(), trouble))?;
        }
        Ok(part::turned(self.encoding.finish(block), region))
    }

    /// What reading a part of it takes besides the block.
    pub fn outside(&self, shape: Dims) -> Outside {
        Outside { dtype: self.dtype, shape, scratch: 0, wider: self.encoding.wider() }
    }
}

/// What kept the elements of an array from being read.
pub fn cannot_read(target: &str, trouble: Trouble) -> Error {
    match trouble {
        Trouble::Short => err!(Io, "`{target}` cannot be read: the file ends before its data does; it was cut off"),
        Trouble::System(error) => err!(Io, "`{target}` cannot be read: {error}"),
    }
}

/// The error for elements that no dtype stands for.
pub fn no_dtype(target: &str, kind: &str) -> Error {
    err!(Type, "{target} holds {kind}, which no dtype stands for")
        .help("arrays of numbers, bools and complex numbers can be read")
}
