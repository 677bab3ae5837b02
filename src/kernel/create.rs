//! New blocks: filled, ranges, identity, from nested lists.

use crate::data::{Block, DType, Value};
use crate::text::Result;

/// A number as a 0-d block of that dtype. An integer out of the dtype's range is `dsk::overflow`, a complex one for a real
/// dtype `dsk::type`; floats are truncated to integers as a cast does.
pub fn scalar(_dtype: DType, _number: &Value) -> Result<Block> {
    todo!()
}

/// A block of one value.
pub fn fill(_dtype: DType, _shape: &[usize], _number: &Value) -> Result<Block> {
    todo!()
}

/// Number of elements of `arange`: `ceil((stop - start) / step)`; a step of 0 is `dsk::value`.
pub fn arange_len(_start: &Value, _stop: &Value, _step: &Value) -> Result<usize> {
    todo!()
}

/// `count` elements of `arange(start, …, step)` from element `first` on, as NumPy computes them: `start + i * delta`, with
/// `delta` the difference of the first two elements in that dtype.
pub fn arange(_dtype: DType, _start: &Value, _step: &Value, _first: usize, _count: usize) -> Result<Block> {
    todo!()
}

/// `count` elements of `linspace(start, stop, num)` from element `first` on.
pub fn linspace(
    _dtype: DType,
    _start: f64,
    _stop: f64,
    _num: usize,
    _endpoint: bool,
    _first: usize,
    _count: usize,
) -> Result<Block> {
    todo!()
}

/// The block at `origin` of that shape of a matrix with ones on its `k`-th diagonal.
pub fn eye(_dtype: DType, _origin: [usize; 2], _shape: [usize; 2], _k: i64) -> Result<Block> {
    todo!()
}

/// The array that nested lists of numbers (and blocks) are, in the dtype asked for or the one that `numpy.array` would choose.
/// Ragged lists are `dsk::shape`, what is not a number `dsk::type`.
pub fn from_value(_value: &Value, _dtype: Option<DType>) -> Result<Block> {
    todo!()
}

/// The elements as nested lists of plain numbers; of a 0-d block its number.
pub fn to_value(_block: &Block) -> Value {
    todo!()
}
