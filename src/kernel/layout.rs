//! Moving elements: concatenation, assembly of blocks, copies between layouts, selection.

use crate::data::{Block, Chunks, DType, Dims};
use crate::text::Result;

/// The shape arrays of these shapes broadcast to; `dsk::shape` where they do not.
pub fn broadcast_shapes(_shapes: &[&[usize]]) -> Result<Dims> {
    todo!()
}

/// Blocks one after the other along an axis; dtypes promote. Shapes must agree on the other axes (`dsk::shape`).
pub fn concatenate(_blocks: &[Block], _axis: usize) -> Result<Block> {
    todo!()
}

/// The array that blocks, in row-major order of their grid, are the pieces of.
pub fn assemble(_dtype: DType, _chunks: &Chunks, _blocks: &[Block]) -> Result<Block> {
    todo!()
}

/// Copies `source` into the region of `target` that begins at `origin`; dtypes must be the same.
///
/// # Panics
/// When `target` is shared or not contiguous, or the region lies outside.
pub fn copy_into(_target: &mut Block, _origin: &[usize], _source: &Block) {
    todo!()
}

/// The elements at `indices` along an axis; negative ones count from the end. `dsk::index` where out of range.
pub fn take(_block: &Block, _axis: usize, _indices: &[i64]) -> Result<Block> {
    todo!()
}

/// The elements where `mask` (bool, over the leading axes of `block`) holds: shape `[count, rest…]`.
pub fn select(_block: &Block, _mask: &Block) -> Result<Block> {
    todo!()
}

/// NumPy's integer indexing of the leading axes: index blocks broadcast to one shape, which takes the place of as many
/// leading axes as there are index blocks.
pub fn gather(_block: &Block, _indices: &[Block]) -> Result<Block> {
    todo!()
}
