//! Running sums and products along an axis of one block.

use crate::data::{Block, Complex32, Complex64, DType, Element, cancel};
use crate::kernel::Reduce;
use crate::kernel::rank::Ranked;
use crate::text::Result;
use crate::with_dtype;

/// What is carried along.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scan {
    Sum,
    Product,
}

impl Scan {
    /// The reduction whose partial results these are.
    pub fn reduce(self) -> Reduce {
        match self {
            Scan::Sum => Reduce::Sum,
            Scan::Product => Reduce::Prod,
        }
    }
}

trait Carried: Element {
    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
}

macro_rules! carried {
    ($($type:ty: $plus:expr, $times:expr;)*) => {$(
        impl Carried for $type {
            #[inline]
            fn plus(self, other: Self) -> Self {
                let plus: fn(Self, Self) -> Self = $plus;
                plus(self, other)
            }
            #[inline]
            fn times(self, other: Self) -> Self {
                let times: fn(Self, Self) -> Self = $times;
                times(self, other)
            }
        }
    )*};
}

carried! {
    bool: |a, b| a | b, |a, b| a & b;
    i8: i8::wrapping_add, i8::wrapping_mul;
    i16: i16::wrapping_add, i16::wrapping_mul;
    i32: i32::wrapping_add, i32::wrapping_mul;
    i64: i64::wrapping_add, i64::wrapping_mul;
    u8: u8::wrapping_add, u8::wrapping_mul;
    u16: u16::wrapping_add, u16::wrapping_mul;
    u32: u32::wrapping_add, u32::wrapping_mul;
    u64: u64::wrapping_add, u64::wrapping_mul;
    f32: |a, b| a + b, |a, b| a * b;
    f64: |a, b| a + b, |a, b| a * b;
    Complex32: |a, b| a + b, |a, b| a * b;
    Complex64: |a, b| a + b, |a, b| a * b;
}

/// The last element before each along an axis that is not `nan` in the place of those that are, of at most so many in a row.
pub fn push(block: &Block, axis: usize, most: usize) -> Result<Block> {
    let mut out = Block::for_answer(block.dtype(), block.shape())?;
    if out.is_empty() {
        return Ok(out);
    }
    crate::kernel::layout::copy_into(&mut out, &vec![0; block.ndim()], block);
    let inner: usize = block.shape()[axis + 1..].iter().product();
    let len = block.shape()[axis];
    let mut missing = vec![0usize; inner];
    with_dtype!(block.dtype(), T => {
        for lanes in out.as_mut_slice::<T>().chunks_exact_mut(len * inner) {
            cancel::check()?;
            missing.fill(0);
            for at in inner..lanes.len() {
                let (lane, before) = (at % inner, lanes[at - inner]);
                let is_missing = Ranked::is_nan(lanes[at]);
                missing[lane] = if is_missing { missing[lane] + 1 } else { 0 };
                if is_missing && missing[lane] <= most {
                    lanes[at] = before;
                }
            }
        }
    });
    Ok(out)
}

/// Every element with all before it along the axis, in that dtype: one after the other, as NumPy adds them.
pub fn scan(op: Scan, block: &Block, axis: usize, dtype: DType) -> Result<Block> {
    let mut out = Block::for_answer(dtype, block.shape())?;
    if out.is_empty() {
        return Ok(out);
    }
    crate::kernel::layout::copy_into(&mut out, &vec![0; block.ndim()], &block.cast(dtype)?);
    let inner: usize = block.shape()[axis + 1..].iter().product();
    let run = block.shape()[axis] * inner;
    with_dtype!(dtype, T => match op {
        Scan::Sum => lanes::<T>(out.as_mut_slice(), run, inner, T::plus),
        Scan::Product => lanes::<T>(out.as_mut_slice(), run, inner, T::times),
    });
    cancel::check()?;
    Ok(out)
}

/// In place: lanes lie `inner` side by side, in runs that do not meet.
fn lanes<T: Copy>(elements: &mut [T], run: usize, inner: usize, f: impl Fn(T, T) -> T) {
    for lanes in elements.chunks_exact_mut(run) {
        if cancel::cancelled() {
            return;
        }
        if inner == 1 {
            let mut carry = lanes[0];
            for x in &mut lanes[1..] {
                carry = f(carry, *x);
                *x = carry;
            }
            continue;
        }
        for at in (inner..run).step_by(inner) {
            let (before, rest) = lanes.split_at_mut(at);
            for (x, &carry) in rest[..inner].iter_mut().zip(&before[at - inner..]) {
                *x = f(carry, *x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_along_each_axis() {
        let block = Block::from_slice(&[2, 3], &[1i32, 2, 3, 4, 5, 6]);
        let sums = |axis| scan(Scan::Sum, &block, axis, DType::I64).unwrap().as_slice::<i64>().unwrap().to_vec();
        assert_eq!(sums(0), [1, 2, 3, 5, 7, 9]);
        assert_eq!(sums(1), [1, 3, 6, 4, 9, 15]);
        let turned = scan(Scan::Product, &block.transpose(&[1, 0]), 0, DType::F64).unwrap();
        assert_eq!(turned.as_slice::<f64>().unwrap(), [1.0, 4.0, 2.0, 20.0, 6.0, 120.0]);
    }
}
