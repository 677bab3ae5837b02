//! Kernels against NumPy's recorded results, and against scalar loops.

mod fused;
mod layout;
mod numpy;
mod reduce;
mod strips;

use crate::data::slice::Range;
use crate::data::{Block, DType, Dims};
use proptest::prelude::*;

/// A block of small whole numbers in any layout: permuted axes, backward and skipping steps, a broadcast axis.
fn any_block(dtype: DType) -> impl Strategy<Value = Block> {
    let shape = prop_oneof![
        4 => prop::collection::vec(0usize..6, 0..5),
        1 => prop::collection::vec(1usize..90, 1..3),
        1 => Just(vec![3, 700]),
        1 => Just(vec![700, 3]),
        1 => Just(vec![1500]),
    ];
    (shape, any::<u64>()).prop_map(move |(shape, seed)| scrambled(dtype, &shape, seed))
}

/// A block of that shape whose layout and elements follow from `seed`.
fn scrambled(dtype: DType, shape: &[usize], seed: u64) -> Block {
    let mut state = seed | 1;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let ndim = shape.len();
    let mut order: Vec<usize> = (0..ndim).collect();
    (1..ndim).for_each(|i| order.swap(i, next(i + 1)));
    let steps: Vec<isize> = (0..ndim).map(|_| [1, 1, 1, -1, 2, -3, 0][next(7)]).collect();
    // The memory is laid out in `order`, with room for the steps.
    let room: Dims = order
        .iter()
        .map(|&axis| match steps[axis] {
            0 => 1,
            step => shape[axis] * step.unsigned_abs(),
        })
        .collect();
    let elements: Vec<i64> = (0..room.iter().product()).map(|_| next(7) as i64 - 2).collect();
    let mut block = Block::from_slice(&room, &elements).cast(dtype).unwrap();
    for (at, &axis) in order.iter().enumerate() {
        let (count, step) = (shape[axis], steps[axis]);
        if step != 0 && count > 0 {
            let start = if step < 0 { (count - 1) * step.unsigned_abs() } else { 0 };
            block = block.slice_axis(at, Range { start, step, count });
        }
    }
    let back: Vec<usize> = (0..ndim).map(|axis| order.iter().position(|&o| o == axis).unwrap()).collect();
    block.transpose(&back).broadcast_to(shape).unwrap()
}

/// Every index of a shape, in row-major order.
fn indices(shape: &[usize]) -> impl Iterator<Item = Dims> + '_ {
    (0..shape.iter().product::<usize>()).map(move |mut n| {
        let mut index = Dims::from_elem(0, shape.len());
        for axis in (0..shape.len()).rev() {
            index[axis] = n % shape[axis];
            n /= shape[axis];
        }
        index
    })
}
