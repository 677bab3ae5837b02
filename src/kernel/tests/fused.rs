//! Programs against element-by-element evaluation, in every layout.

use super::{any_block, indices, scrambled};
use crate::data::{Block, DType, Value};
use crate::kernel::elementwise::{self, Operand};
use crate::kernel::fused::{Expr, Program};
use crate::kernel::{Binary, Unary, layout};
use crate::text::Code;
use proptest::prelude::*;

fn number(n: i64) -> Expr {
    Expr::Number(Value::Int(n))
}

/// `((x + 1) * 2) ** 3`
fn polynomial() -> Expr {
    let sum = Expr::binary(Binary::Add, Expr::Input(0), number(1));
    Expr::binary(Binary::Power, Expr::binary(Binary::Multiply, sum, number(2)), number(3))
}

proptest! {
    #[test]
    fn one_pass_is_what_the_steps_give(block in any_block(DType::F64)) {
        let program = Program::new(&[DType::F64], &polynomial()).unwrap();
        let result = program.run(vec![block.clone()]).unwrap();
        prop_assert_eq!(result.shape(), block.shape());
        for index in indices(block.shape()) {
            prop_assert_eq!(result.get::<f64>(&index), ((block.get::<f64>(&index) + 1.0) * 2.0).powi(3));
        }
    }

    #[test]
    fn operands_broadcast_in_every_layout(shape in prop::collection::vec(0usize..24, 0..4), seed: u64, ones: u8) {
        let narrow: Vec<usize> =
            shape.iter().enumerate().map(|(i, &n)| if ones >> i & 1 == 1 { 1 } else { n }).collect();
        let a = scrambled(DType::I64, &shape, seed);
        let b = scrambled(DType::F32, &narrow[(ones as usize >> 6).min(narrow.len())..], !seed);
        if b.shape().iter().rev().zip(shape.iter().rev()).all(|(x, y)| x == y || *x == 1) {
            let sum = elementwise::binary(Binary::Subtract, &a, &b).unwrap();
            prop_assert_eq!(sum.dtype(), DType::F64);
            let b = b.broadcast_to(&shape).unwrap();
            for index in indices(&shape) {
                prop_assert_eq!(sum.get::<f64>(&index), a.get::<i64>(&index) as f64 - f64::from(b.get::<f32>(&index)));
            }
        }
    }

    #[test]
    fn a_dying_operand_changes_nothing(a in any_block(DType::F64), seed: u64) {
        let b = scrambled(DType::F64, a.shape(), seed);
        let expected = elementwise::binary(Binary::Subtract, &a, &b).unwrap();
        for which in [true, false] {
            // A contiguous copy that nobody else holds is written over.
            let (x, y) = if which { (fresh(&a), b.clone()) } else { (a.clone(), fresh(&b)) };
            prop_assert!(elementwise::binary(Binary::Subtract, x, y).unwrap().same(&expected));
        }
    }
}

fn fresh(block: &Block) -> Block {
    let mut copy = Block::alloc(block.dtype(), block.shape());
    layout::copy_into(&mut copy, &vec![0; block.ndim()], block);
    copy
}

#[test]
fn the_memory_of_a_dying_operand_is_used_again() {
    let block = Block::from_slice(&[1000], &vec![2.0f64; 1000]);
    let at = block.as_byte_ptr();
    let result = elementwise::binary(Binary::Divide, block, Operand::Number(Value::Int(4))).unwrap();
    assert_eq!((result.as_byte_ptr(), result.get::<f64>(&[999])), (at, 0.5));
    let shared = result.clone();
    let next = elementwise::unary(Unary::Negative, result).unwrap();
    assert_ne!(next.as_byte_ptr(), at);
    assert_eq!(shared.get::<f64>(&[0]), 0.5);
}

#[test]
fn a_small_part_of_a_large_buffer_is_not_kept_for_the_result() {
    let large = Block::from_slice(&[10, 1000], &vec![1.0f64; 10_000]);
    let row = large.take_axis(0, 3);
    drop(large);
    let at = row.as_byte_ptr();
    assert_ne!(elementwise::unary(Unary::Negative, row).unwrap().as_byte_ptr(), at);
}

#[test]
fn plain_numbers_are_weak() {
    let of = |dtype| Block::zeros(dtype, &[2]);
    let with = |dtype, n: Value| elementwise::binary(Binary::Add, of(dtype), Operand::Number(n));
    assert_eq!(with(DType::I8, Value::Int(100)).unwrap().dtype(), DType::I8);
    assert_eq!(with(DType::F32, Value::Float(0.1)).unwrap().dtype(), DType::F32);
    assert_eq!(with(DType::I8, Value::Float(0.5)).unwrap().dtype(), DType::F64);
    assert_eq!(with(DType::Bool, Value::Int(1)).unwrap().dtype(), DType::I64);
    assert_eq!(with(DType::F32, Value::complex(0.0, 1.0)).unwrap().dtype(), DType::C64);
    assert_eq!(with(DType::U8, Value::Int(-1)).unwrap_err().code(), Code::Overflow);
}

#[test]
fn comparison_with_a_number_out_of_range_is_answered() {
    let compare = |op, block: &Block, n| {
        let result = elementwise::binary(op, block, Operand::Number(Value::Int(n))).unwrap();
        result.as_slice::<bool>().unwrap().to_vec()
    };
    let bytes = Block::from_slice(&[2], &[0u8, 255]);
    assert_eq!(compare(Binary::Less, &bytes, 300), [true, true]);
    assert_eq!(compare(Binary::Equal, &bytes, -1), [false, false]);
    assert_eq!(compare(Binary::Greater, &bytes, -1), [true, true]);
    let large = Block::from_slice(&[2], &[0u64, u64::MAX]);
    assert_eq!(compare(Binary::Greater, &large, -1), [true, true]);
    assert_eq!(compare(Binary::LessEqual, &large, -1), [false, false]);
    assert_eq!(compare(Binary::NotEqual, &large, i64::MIN), [true, true]);
}

#[test]
fn int64_and_uint64_compare_exactly() {
    let a = Block::from_slice(&[3], &[i64::MAX, -1, 5]);
    let b = Block::from_slice(&[3], &[i64::MAX as u64 + 1, u64::MAX, 5]);
    let equal = elementwise::binary(Binary::Equal, &a, &b).unwrap();
    assert_eq!(equal.as_slice::<bool>().unwrap(), [false, false, true]);
    let less = elementwise::binary(Binary::GreaterEqual, &b, &a).unwrap();
    assert_eq!(less.as_slice::<bool>().unwrap(), [true, true, true]);
}

#[test]
fn where_clip_and_round() {
    let x = Block::from_slice(&[4], &[-1.5f64, 0.5, 2.5, f64::NAN]);
    let positive = elementwise::binary(Binary::Greater, &x, Operand::Number(Value::Int(0))).unwrap();
    let chosen = elementwise::where_(positive, &x, Operand::Number(Value::Int(0))).unwrap();
    assert!(chosen.same(&Block::from_slice(&[4], &[0.0, 0.5, 2.5, 0.0])));
    let number = |x| Some(Operand::Number(Value::Float(x)));
    let clipped = elementwise::clip(x.clone(), number(-1.0), number(1.0)).unwrap();
    assert!(clipped.same(&Block::from_slice(&[4], &[-1.0, 0.5, 1.0, f64::NAN])));
    let rounded = elementwise::round(x, 0).unwrap();
    assert!(rounded.same(&Block::from_slice(&[4], &[-2.0, 0.0, 2.0, f64::NAN])));
    let round = |decimals| elementwise::round(Block::from_slice(&[2], &[14.255f64, -15.0]), decimals).unwrap();
    assert!(round(1).same(&Block::from_slice(&[2], &[14.3, -15.0])));
    assert!(round(-1).same(&Block::from_slice(&[2], &[10.0, -20.0])));
    let whole = elementwise::round(Block::from_slice(&[3], &[14i32, 15, 25]), -1).unwrap();
    assert!(whole.same(&Block::from_slice(&[3], &[10i32, 20, 20])));
}

#[test]
fn shapes_that_do_not_broadcast_are_an_error() {
    let (a, b) = (Block::zeros(DType::F64, &[2, 3]), Block::zeros(DType::F64, &[2]));
    let error = elementwise::binary(Binary::Add, a, b).unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::Shape, "the shapes [2 3] and [2] do not broadcast: 3 meets 2"));
}

#[test]
fn powers_by_small_whole_numbers_are_products() {
    let x = Block::from_slice(&[3], &[1.1f64, -0.7, 3.0]);
    for n in 0..20 {
        let power = elementwise::binary(Binary::Power, &x, Operand::Number(Value::Int(n))).unwrap();
        for i in 0..3 {
            let (got, expected) = (power.get::<f64>(&[i]), x.get::<f64>(&[i]).powf(n as f64));
            assert!((got - expected).abs() <= expected.abs() * 2e-15, "{n}: {got} {expected}");
        }
    }
}

#[test]
fn results_beyond_the_cache_are_the_same() {
    let n = (16 << 20) / 8 + 37;
    let elements: Vec<f64> = (0..n).map(|i| i as f64).collect();
    let block = Block::from_slice(&[n], &elements);
    let result = elementwise::binary(Binary::Add, &block, Operand::Number(Value::Int(1))).unwrap();
    assert!(result.as_slice::<f64>().unwrap().iter().zip(&elements).all(|(a, b)| *a == b + 1.0));
}

#[test]
fn a_nest_of_any_depth_is_compiled_or_refused() {
    let nest = |depth| (0..depth).fold(Expr::Input(0), |x, _| Expr::unary(Unary::Sin, x));
    let program = Program::new(&[DType::F64], &nest(50_000)).unwrap();
    assert_eq!(program.run(vec![Block::scalar(0.0f64)]).unwrap().get::<f64>(&[]), 0.0);
    let error = Program::new(&[DType::F64], &nest(100_000)).unwrap_err();
    assert_eq!(error.code(), Code::Limit);
}

#[test]
fn equal_parts_are_computed_once() {
    let x = Block::from_slice(&[3], &[1i64, -2, 3]);
    let square = || Expr::binary(Binary::Multiply, Expr::Input(0), Expr::Input(0));
    let twice = Expr::binary(Binary::Add, square(), Expr::binary(Binary::Add, square(), square()));
    let program = Program::new(&[DType::I64], &twice).unwrap();
    assert_eq!(format!("{program:?}"), "<program of 3 steps, [I64] -> int64>");
    assert!(program.run(vec![x]).unwrap().same(&Block::from_slice(&[3], &[3i64, 12, 27])));
}

#[test]
fn a_value_that_a_step_reads_twice_is_freed_once() {
    // `where(c, v, v)` frees one register; two values that are alive at once must not get it both.
    let sin = || Expr::unary(Unary::Sin, Expr::Input(0));
    let chosen = Expr::where_(sin(), Expr::unary(Unary::Exp, Expr::Input(0)), sin());
    let cos = Expr::unary(Unary::Cos, Expr::Input(0));
    let tan = Expr::unary(Unary::Tan, Expr::Input(0));
    let expr = Expr::binary(Binary::Add, chosen, Expr::binary(Binary::Multiply, cos, tan));
    let program = Program::new(&[DType::F64], &expr).unwrap();
    let x = 0.7f64;
    let expected = x.exp() + x.cos() * x.tan();
    assert_eq!(program.run(vec![Block::scalar(x)]).unwrap().get::<f64>(&[]), expected);
}
