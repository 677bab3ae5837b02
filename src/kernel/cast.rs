//! Conversion between dtypes.

use super::fused::{Expr, Program};
use crate::data::{Block, DType};
use crate::text::Result;

/// The elements in another dtype, as NumPy's `astype`: floats to integers truncate (what does not fit becomes what x86 makes
/// of it), integers wrap, complex to real drops the imaginary part, to bool is "not zero".
pub fn cast(block: &Block, dtype: DType) -> Result<Block> {
    Program::new(&[block.dtype()], &Expr::cast(dtype, Expr::Input(0)))?.run(vec![block.clone()])
}
