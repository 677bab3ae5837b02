//! Reductions against scalar loops.

use super::{any_block, indices, scrambled};
use crate::data::slice::Range;
use crate::data::{Block, Complex64, DType, Dims};
use crate::kernel::fused::Expr;
use crate::kernel::reduce::{self, Reduce, Reduction};
use crate::kernel::{Binary, layout};
use crate::text::Code;
use proptest::prelude::*;

/// Reduces one element after the other.
fn naive<A: Copy>(block: &Block, axes: &[usize], start: A, fold: impl Fn(A, f64) -> A) -> (Dims, Vec<A>) {
    let mut shape = Dims::from_slice(block.shape());
    axes.iter().for_each(|&axis| shape[axis] = 1);
    let wide = block.cast(DType::F64).unwrap();
    let mut out = vec![start; shape.iter().product()];
    for index in indices(block.shape()) {
        let at = (0..shape.len()).fold(0, |at, axis| at * shape[axis] + if shape[axis] == 1 { 0 } else { index[axis] });
        out[at] = fold(out[at], wide.get::<f64>(&index));
    }
    (shape, out)
}

fn axes_of(block: &Block, mask: u8) -> Vec<usize> {
    (0..block.ndim()).filter(|axis| mask >> axis & 1 == 1).collect()
}

fn floats(block: &Block) -> Vec<f64> {
    block.cast(DType::F64).unwrap().contiguous().as_slice::<f64>().unwrap().to_vec()
}

proptest! {
    #[test]
    fn sums_are_sums(block in any_block(DType::I16), mask: u8) {
        let axes = axes_of(&block, mask);
        let (shape, expected) = naive(&block, &axes, 0.0, |a, x| a + x);
        for dtype in [DType::I16, DType::F32, DType::F64, DType::C128, DType::I8] {
            let sum = reduce::reduce(Reduce::Sum, &block.cast(dtype).unwrap(), &axes, None).unwrap();
            prop_assert_eq!(sum.shape(), shape.as_slice());
            prop_assert_eq!(sum.dtype(), Reduce::Sum.dtype(dtype));
            prop_assert_eq!(&floats(&sum), &expected);
        }
    }

    #[test]
    fn extremes_are_elements(block in any_block(DType::I8), mask: u8) {
        let axes = axes_of(&block, mask);
        let (shape, least) = naive(&block, &axes, f64::INFINITY, f64::min);
        for dtype in [DType::I8, DType::F32, DType::C64] {
            let min = reduce::reduce(Reduce::Min, &block.cast(dtype).unwrap(), &axes, None);
            let empty = block.is_empty() && !shape.contains(&0);
            match min {
                Err(e) => prop_assert!(empty && e.code() == Code::Value),
                Ok(min) => {
                    prop_assert_eq!(min.dtype(), dtype);
                    prop_assert_eq!(&floats(&min), &least);
                }
            }
        }
        let (_, any) = naive(&block, &axes, 0.0, |a, x| if x != 0.0 { 1.0 } else { a });
        prop_assert_eq!(floats(&reduce::reduce(Reduce::Any, &block, &axes, None).unwrap()), any);
        let (_, all) = naive(&block, &axes, 1.0, |a, x| if x == 0.0 { 0.0 } else { a });
        prop_assert_eq!(floats(&reduce::reduce(Reduce::All, &block, &axes, None).unwrap()), all);
    }

    #[test]
    fn moments_are_count_sum_and_squares(block in any_block(DType::F32), mask: u8) {
        let axes = axes_of(&block, mask);
        let moments = reduce::moments(&block, &axes).unwrap();
        let (shape, counts) = naive(&block, &axes, 0.0, |a, _| a + 1.0);
        let (_, sums) = naive(&block, &axes, 0.0, |a, x| a + x);
        let (_, squares) = naive(&block, &axes, 0.0, |a, x| a + x * x);
        prop_assert_eq!(&moments.shape()[1..], shape.as_slice());
        let got = floats(&moments);
        let n = counts.len();
        for i in 0..n {
            prop_assert_eq!(got[i], counts[i]);
            prop_assert!((got[n + i] - sums[i]).abs() < 1e-14 * (1.0 + squares[i]), "{} {}", got[n + i], sums[i]);
            let m2 = if counts[i] > 0.0 { squares[i] - sums[i] * sums[i] / counts[i] } else { 0.0 };
            prop_assert!((got[2 * n + i] - m2).abs() < 1e-9 * (1.0 + squares[i]), "{} {}", got[2 * n + i], m2);
        }
    }

    #[test]
    fn merged_moments_are_moments_of_the_whole(parts in prop::collection::vec(0usize..5, 1..6), seed: u64) {
        let blocks: Vec<Block> = parts.iter().map(|&n| scrambled(DType::F64, &[n, 3], seed ^ n as u64)).collect();
        let whole = reduce::moments(&layout::concatenate(&blocks, 0).unwrap(), &[0]).unwrap();
        let pieces: Vec<Block> = blocks.iter().map(|b| reduce::moments(b, &[0]).unwrap()).collect();
        let merged = reduce::merge_moments(&layout::concatenate(&pieces, 1).unwrap(), &[0]).unwrap();
        prop_assert_eq!(merged.shape(), whole.shape());
        for (a, b) in floats(&merged).iter().zip(floats(&whole)) {
            prop_assert!((a - b).abs() < 1e-9, "{merged:?} {whole:?}");
        }
    }

    #[test]
    fn how_a_block_lies_in_memory_changes_no_bit(block in any_block(DType::F64), mask: u8) {
        let axes = axes_of(&block, mask);
        prop_assert!(same_as_of_a_copy(&block, &axes));
    }

    #[test]
    fn a_reduction_of_an_expression_is_the_reduction_of_its_result(block in any_block(DType::I32), mask: u8) {
        let axes = axes_of(&block, mask);
        let square = Expr::binary(Binary::Multiply, Expr::Input(0), Expr::Input(0));
        let fused = Reduction::new(Reduce::Sum, &[DType::I32], square, None).unwrap();
        let (_, expected) = naive(&block, &axes, 0.0, |a, x| a + x * x);
        prop_assert_eq!(floats(&fused.run(&[block], &axes).unwrap()), expected);
    }
}

/// Whether sum, product and moments of a block are, to the bit, those of a packed copy of it.
fn same_as_of_a_copy(block: &Block, axes: &[usize]) -> bool {
    let copy = Block::from_slice(block.shape(), &block.view::<f64>().iter().copied().collect::<Vec<_>>());
    let same = |op| {
        let of = |block| reduce::reduce(op, block, axes, None).unwrap();
        of(block).same(&of(&copy))
    };
    let moments = |block| reduce::moments(block, axes).unwrap();
    same(Reduce::Sum) && same(Reduce::Prod) && moments(block).same(&moments(&copy))
}

/// Larger than a tile in every way that tiles are cut.
#[test]
fn views_of_large_blocks_are_reduced_as_copies_of_them() {
    for shape in [&[300, 200][..], &[9000, 3], &[3, 9000], &[40, 50, 30], &[2, 5000, 2]] {
        let elements: Vec<f64> = (0..shape.iter().product::<usize>()).map(|i| (i as f64).sin()).collect();
        let block = Block::from_slice(shape, &elements);
        let ndim = block.ndim();
        let reversed: Vec<usize> = (0..ndim).rev().collect();
        let every_other = Range { start: block.shape()[0] - 1, step: -2, count: block.shape()[0] / 2 };
        let views = [
            block.transpose(&reversed),
            block.slice_axis(0, every_other),
            block.slice_axis(ndim - 1, Range { start: 1, step: 1, count: shape[ndim - 1] - 1 }).transpose(&reversed),
            block.insert_axis(0).broadcast_to(&[&[2][..], shape].concat()).unwrap(),
        ];
        for (view, mask) in views.iter().flat_map(|view| (0..1 << ndim).map(move |mask| (view, mask))) {
            assert!(same_as_of_a_copy(view, &axes_of(view, mask)), "{shape:?} {mask:b}");
        }
    }
}

#[test]
fn float32_sums_are_as_accurate_as_pairwise_ones() {
    let elements: Vec<f32> = (0..1_000_003).map(|i| 0.1 + (i % 7) as f32 * 1e-3).collect();
    let exact: f64 = elements.iter().map(|&x| f64::from(x)).sum();
    let n = elements.len();
    for block in [
        Block::from_slice(&[n], &elements),
        Block::from_slice(&[n, 1], &elements),
        Block::from_slice(&[n], &elements).broadcast_to(&[2, n]).unwrap().transpose(&[1, 0]),
    ] {
        let sum = reduce::reduce(Reduce::Sum, &block, &[0, 1][..block.ndim().min(1)], None).unwrap();
        let sum = f64::from(sum.contiguous().as_slice::<f32>().unwrap()[0]);
        assert!((sum - exact).abs() / exact < 3e-7, "{sum} {exact}");
    }
}

#[test]
fn variance_survives_a_large_mean() {
    let elements: Vec<f64> = (0..10_000).map(|i| 1e9 + f64::from(i % 2)).collect();
    let moments = reduce::moments(&Block::from_slice(&[100, 100], &elements), &[0, 1]).unwrap();
    let var = reduce::var(&moments, 0.0, DType::F64).unwrap();
    assert_eq!((var.shape(), var.get::<f64>(&[0, 0])), (&[1, 1][..], 0.25));
}

/// Distances are taken from where the elements before lay, however far away that is.
#[test]
fn variance_is_exact_wherever_the_elements_begin_or_jump_to() {
    let noise = |i: usize| ((i * 7919) % 1000) as f64 / 1000.0;
    let signals: [&dyn Fn(usize) -> f64; 4] =
        [&|i| if i < 4096 { 1e8 } else { 0.0 }, &|i| (i / 4096 % 2) as f64 * 1e9, &|i| i as f64 * 1e3, &|_| 1e3];
    for signal in signals {
        for columns in [1, 3, 16, 37, 5000] {
            let rows = 100_000 / columns;
            let elements: Vec<f64> = (0..rows * columns).map(|i| signal(i) + noise(i)).collect();
            let block = Block::from_slice(&[rows, columns], &elements);
            let var = |axes: &[usize]| {
                let moments = reduce::moments(&block, axes).unwrap();
                reduce::var(&moments, 0.0, DType::F64).unwrap().contiguous().as_slice::<f64>().unwrap().to_vec()
            };
            let exact = |xs: &[f64]| {
                let n = xs.len() as f64;
                let mean = xs.iter().map(|x| x - xs[0]).sum::<f64>() / n + xs[0];
                let left = xs.iter().map(|x| x - mean).sum::<f64>();
                (xs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() - left * left / n) / n
            };
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-11 * b;
            assert!(near(var(&[0, 1])[0], exact(&elements)), "{} {}", var(&[0, 1])[0], exact(&elements));
            for (column, found) in var(&[0]).into_iter().enumerate() {
                let of: Vec<f64> = elements.iter().skip(column).step_by(columns).copied().collect();
                assert!(near(found, exact(&of)), "column {column} of {columns}: {found} {}", exact(&of));
            }
        }
    }
    let large = reduce::moments(&Block::from_slice(&[3], &[1e200, 1e200, 1e200]), &[0]).unwrap();
    assert_eq!(reduce::var(&large, 0.0, DType::F64).unwrap().get::<f64>(&[0]), 0.0);
    let apart = reduce::moments(&Block::from_slice(&[2], &[-1e200, 1e200]), &[0]).unwrap();
    assert_eq!(reduce::var(&apart, 0.0, DType::F64).unwrap().get::<f64>(&[0]), f64::INFINITY);
}

#[test]
fn nan_and_infinity_go_through() {
    let of = |xs: &[f64]| Block::from_slice(&[xs.len()], xs);
    let reduced = |op, xs: &[f64]| reduce::reduce(op, &of(xs), &[0], None).unwrap().get::<f64>(&[0]);
    assert!(reduced(Reduce::Min, &[1.0, f64::NAN, -3.0]).is_nan());
    assert!(reduced(Reduce::Max, &[f64::NAN, 1.0]).is_nan());
    assert_eq!(reduced(Reduce::Sum, &[f64::INFINITY, 1.0]), f64::INFINITY);
    let a = reduce::moments(&of(&[f64::INFINITY]), &[0]).unwrap();
    let b = reduce::moments(&of(&[1.0, 2.0]), &[0]).unwrap();
    let merged = reduce::merge_moments(&layout::concatenate(&[a, b], 1).unwrap(), &[0]).unwrap();
    assert_eq!(reduce::mean(&merged, DType::F64).unwrap().get::<f64>(&[0]), f64::INFINITY);
    assert!(reduce::var(&merged, 0.0, DType::F64).unwrap().get::<f64>(&[0]).is_nan());
}

#[test]
fn reducing_nothing_gives_the_identity_or_says_why_not() {
    let nothing = Block::zeros(DType::I16, &[0, 2]);
    let sum = reduce::reduce(Reduce::Sum, &nothing, &[0], None).unwrap();
    assert!(sum.same(&Block::from_slice(&[1, 2], &[0i64, 0])));
    let prod = reduce::reduce(Reduce::Prod, &nothing, &[0], None).unwrap();
    assert!(prod.same(&Block::from_slice(&[1, 2], &[1i64, 1])));
    let error = reduce::reduce(Reduce::Max, &nothing, &[0], None).unwrap_err();
    assert_eq!((error.code(), error.message().contains("`max`")), (Code::Value, true));
    assert!(reduce::reduce(Reduce::Max, &nothing, &[1], None).unwrap().is_empty());
    let mean = reduce::mean(&reduce::moments(&nothing, &[0]).unwrap(), DType::F64).unwrap();
    assert!(mean.get::<f64>(&[0, 0]).is_nan());
}

#[test]
fn complex_moments_have_a_real_variance() {
    let z = |re, im| Complex64::new(re, im);
    let block = Block::from_slice(&[3], &[z(1.0, 1.0), z(3.0, -1.0), z(2.0, 0.0)]);
    let moments = reduce::moments(&block, &[0]).unwrap();
    assert_eq!(reduce::mean(&moments, DType::C128).unwrap().get::<Complex64>(&[0]), z(2.0, 0.0));
    let var = reduce::var(&moments, 0.0, DType::F64).unwrap().get::<f64>(&[0]);
    assert!((var - 4.0 / 3.0).abs() < 1e-15);
}
