//! Blocks of an array, put straight into the one block that a user asked for.

use crate::data::{Array, Block, Chunks, DType, Element, Value};
use crate::err;
use crate::kernel::fused::Region;
use crate::text::Result;
use crate::with_dtype;
use ndarray::{ArrayViewMutD, IxDyn, ShapeBuilder};

/// The block being filled. Workers put blocks at the same time, each where no other goes.
pub struct Gather {
    block: Block,
    /// Start of the elements of `block`, which nobody else reaches until [`Gather::done`].
    start: *mut u8,
    dtype: DType,
    chunks: Chunks,
    bounds: Vec<Vec<usize>>,
}

// SAFETY: `start` points into memory that the gather owns; `put` writes disjoint parts of it.
unsafe impl Send for Gather {}
// SAFETY: as above.
unsafe impl Sync for Gather {}

impl Gather {
    /// # Panics
    /// Never for the arrays that ops make: their sizes were checked.
    pub fn new(array: &Array) -> Self {
        let mut block = Block::alloc(array.dtype, &array.shape());
        let start = with_dtype!(array.dtype, T => block.as_mut_slice::<T>().as_mut_ptr().cast::<u8>());
        let bounds = (0..array.ndim()).map(|axis| array.chunks.bounds(axis)).collect();
        Gather { block, start, dtype: array.dtype, chunks: array.chunks.clone(), bounds }
    }

    /// Copies the block of an index to its place. Called once for every index.
    pub(super) fn put(&self, index: &[u32], value: &Value) -> Result<()> {
        let shape = self.chunks.block_shape(index);
        check(value, self.dtype, &shape)?;
        if let Value::Block(part) = value {
            with_dtype!(self.dtype, T => self.copy::<T>(index, &shape, part));
        }
        Ok(())
    }

    /// The place of the block of an index, for a task that makes it there. Whoever fills it is the only one to, and `put` is not
    /// called.
    pub(super) fn region(&self, index: &[u32]) -> Region {
        let size = self.dtype.size() as isize;
        let strides: Vec<isize> = self.block.strides().iter().map(|s| s * size).collect();
        let starts = index.iter().zip(&self.bounds).map(|(&i, bounds)| bounds[i as usize] as isize);
        let offset: isize = starts.zip(&strides).map(|(start, s)| start * s).sum();
        let whole = self.block.len() * self.dtype.size();
        Region { start: self.start.wrapping_offset(offset), strides, shape: self.chunks.block_shape(index), whole }
    }

    pub(super) fn dtype(&self) -> DType {
        self.dtype
    }

    fn copy<T: Element>(&self, index: &[u32], shape: &[usize], part: &Block) {
        if part.is_empty() {
            return;
        }
        let strides: Vec<usize> = self.block.strides().iter().map(|&s| s as usize).collect();
        let offset: usize = index.iter().zip(&self.bounds).zip(&strides).map(|((&i, b), s)| b[i as usize] * s).sum();
        // SAFETY: the region from `offset` with this shape and the whole's strides lies inside the buffer, of which the
        // gather is the only holder. Regions of different indices do not meet, and each index is put once (a task runs
        // once), so nobody else reads or writes this region now.
        let mut target = unsafe {
            let start = self.start.cast::<T>().add(offset);
            ArrayViewMutD::from_shape_ptr(IxDyn(shape).strides(IxDyn(&strides)), start)
        };
        target.assign(&part.view::<T>());
    }

    /// The whole block, when every part was put.
    pub fn done(self) -> Block {
        self.block
    }
}

/// Whether a task made the block that its layer declared.
pub fn check(value: &Value, dtype: DType, shape: &[usize]) -> Result<()> {
    match value {
        Value::Block(block) if block.shape() != shape => Err(err!(
            Shape,
            "a block of shape {} was declared, and the task made one of {}",
            crate::text::shape(shape),
            crate::text::shape(block.shape())
        )),
        Value::Block(block) if block.dtype() != dtype => {
            Err(err!(Type, "a block of {dtype} was declared, and the task made one of {}", block.dtype()))
        }
        Value::Block(_) => Ok(()),
        other => Err(err!(Type, "a block of {dtype} was declared, and the task made {}", other.a_type_name())),
    }
}
