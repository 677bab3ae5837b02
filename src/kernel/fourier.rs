//! Discrete Fourier transforms along an axis of one block, by the `rustfft` crate.

use super::sort::lanes_last;
use crate::data::slice::Range;
use crate::data::{Block, Complex32, Complex64, DType, cancel};
use crate::text::Result;
use rustfft::{FftDirection, FftPlanner};

/// The dtype of transforms of elements of that dtype.
pub fn transformed(dtype: DType) -> DType {
    match dtype {
        DType::F32 | DType::C64 => DType::C64,
        _ => DType::C128,
    }
}

/// The transform of `n` elements along an axis, which is cut off there, or filled up with zeros. Nothing is divided by `n`, not
/// in the inverse direction either.
pub fn transform(block: &Block, axis: usize, n: usize, inverse: bool) -> Result<Block> {
    let dtype = transformed(block.dtype());
    let len = block.shape()[axis].min(n);
    let source = block.slice_axis(axis, Range { start: 0, step: 1, count: len }).cast(dtype)?;
    let source = match n - len {
        0 => source,
        more => {
            let mut shape = block.shape().to_vec();
            shape[axis] = more;
            super::layout::concatenate(&[source, Block::zeros(dtype, &shape)], axis)?
        }
    };
    let (mut lanes, back) = lanes_last(&source, axis);
    if lanes.is_empty() {
        return Ok(lanes.transpose(&back));
    }
    let direction = if inverse { FftDirection::Inverse } else { FftDirection::Forward };
    macro_rules! each {
        ($T:ty, $complex:ty) => {{
            let plan = FftPlanner::<$T>::new().plan_fft(n, direction);
            let mut scratch = vec![<$complex>::default(); plan.get_inplace_scratch_len()];
            for lane in lanes.as_mut_slice::<$complex>().chunks_exact_mut(n) {
                cancel::check()?;
                plan.process_with_scratch(lane, &mut scratch);
            }
        }};
    }
    match dtype {
        DType::C64 => each!(f32, Complex32),
        _ => each!(f64, Complex64),
    }
    Ok(lanes.transpose(&back))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_as_the_definition_says() {
        let block = Block::from_slice(&[4], &[1.0, 2.0, 0.0, -1.0]);
        let there = transform(&block, 0, 4, false).unwrap();
        let found = there.as_slice::<Complex64>().unwrap();
        for (k, x) in found.iter().enumerate() {
            let turn = |j: usize| Complex64::from_polar(1.0, -std::f64::consts::TAU * (j * k) as f64 / 4.0);
            let sum: Complex64 = [1.0, 2.0, 0.0, -1.0].iter().enumerate().map(|(j, &x)| turn(j) * x).sum();
            assert!((x - sum).norm() < 1e-14);
        }
        let longer = transform(&block, 0, 6, false).unwrap();
        assert_eq!((longer.shape(), transform(&block, 0, 2, true).unwrap().shape()), (&[6][..], &[2][..]));
    }
}
