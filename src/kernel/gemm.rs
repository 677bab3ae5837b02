//! Products of matrices.

use crate::data::Block;
use crate::text::Result;

/// How many cores a product may use: inside tasks one, for one big concrete product all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threads {
    One,
    All,
}

/// NumPy's `matmul`: n-d, batch axes broadcast, 1-d operands are vectors. Dtypes promote; bool is "or of ands", integers wrap.
pub fn matmul(_a: &Block, _b: &Block, _threads: Threads) -> Result<Block> {
    todo!()
}

/// `c + matmul(a, b)` into the memory of `c` where nobody else holds it and the dtypes agree; operands have 2 or more axes.
pub fn accumulate(_c: Block, _a: &Block, _b: &Block) -> Result<Block> {
    todo!()
}

/// Sum of products over pairs of axes: the remaining axes of `a`, then those of `b`.
pub fn tensordot(_a: &Block, _b: &Block, _axes_a: &[usize], _axes_b: &[usize], _threads: Threads) -> Result<Block> {
    todo!()
}

/// `c + tensordot(a, b, …)` into the memory of `c` where possible.
pub fn accumulate_tensordot(_c: Block, _a: &Block, _b: &Block, _axes_a: &[usize], _axes_b: &[usize]) -> Result<Block> {
    todo!()
}

/// NumPy's `dot`: as `matmul` up to 2 dimensions, otherwise the last axis of `a` with the last but one of `b`.
pub fn dot(_a: &Block, _b: &Block, _threads: Threads) -> Result<Block> {
    todo!()
}
