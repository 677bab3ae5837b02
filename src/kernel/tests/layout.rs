//! Copies, assembly and selection against element-by-element ones.

use super::{any_block, indices, scrambled};
use crate::data::{Block, Chunks, DType, Value};
use crate::kernel::{create, layout};
use crate::text::Code;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_contiguous_copy_has_the_same_elements(
        block in prop_oneof![any_block(DType::I8), any_block(DType::F32), any_block(DType::F64), any_block(DType::C128)]
    ) {
        let copy = block.contiguous();
        prop_assert!(copy.is_contiguous());
        prop_assert!(copy.same(&block));
    }

    #[test]
    fn an_array_cut_in_pieces_is_assembled_again(
        cuts in prop::collection::vec(prop::collection::vec(0usize..7, 1..4), 0..4), seed: u64
    ) {
        let chunks = Chunks::new(cuts);
        let whole = scrambled(DType::I16, &chunks.shape(), seed);
        let grid = chunks.grid();
        let pieces: Vec<Block> = indices(&grid)
            .map(|at| {
                let index: Vec<u32> = at.iter().map(|&i| i as u32).collect();
                (0..chunks.ndim()).fold(whole.clone(), |piece, axis| {
                    let (start, count) = (chunks.start(axis, index[axis]), chunks.axis(axis)[at[axis]]);
                    piece.slice_axis(axis, crate::data::slice::Range { start, step: 1, count })
                })
            })
            .collect();
        prop_assert!(layout::assemble(DType::I16, &chunks, &pieces).unwrap().same(&whole));
    }

    #[test]
    fn taking_and_gathering_agree_with_indexing(shape in prop::collection::vec(1usize..6, 1..4), seed: u64) {
        let block = scrambled(DType::F64, &shape, seed);
        let axis = seed as usize % shape.len();
        let len = shape[axis] as i64;
        let list: Vec<i64> = (-len..len).rev().collect();
        let taken = layout::take(&block, axis, &list).unwrap();
        for index in indices(taken.shape()) {
            let mut from = index.clone();
            from[axis] = list[index[axis]].rem_euclid(len) as usize;
            prop_assert_eq!(taken.get::<f64>(&index), block.get::<f64>(&from));
        }
        // Every element of the mask's shape, in order.
        let mask = block.cast(DType::Bool).unwrap();
        let selected = layout::select(&block, &mask).unwrap();
        let at = layout::nonzero(&mask).unwrap();
        prop_assert!(layout::gather(&block, &at).unwrap().same(&selected));
        let expected: Vec<f64> =
            indices(&shape).map(|i| block.get::<f64>(&i)).filter(|x| *x != 0.0).collect();
        prop_assert!(selected.same(&Block::from_slice(&[expected.len()], &expected)));
    }

    #[test]
    fn arange_has_as_many_elements_as_it_says(start in -50i64..50, stop in -50i64..50, step in -7i64..7) {
        let (start, stop, step) = (Value::Int(start), Value::Int(stop), Value::Int(step));
        match create::arange_len(&start, &stop, &step) {
            Err(e) => prop_assert!(step.as_int() == Some(0) && e.code() == Code::Value),
            Ok(len) => {
                let block = create::arange(DType::I64, &start, &step, 0, len).unwrap();
                let elements = block.as_slice::<i64>().unwrap();
                let (stop, step) = (stop.as_int().unwrap(), step.as_int().unwrap());
                let before = |x: i64| if step > 0 { x < stop } else { x > stop };
                prop_assert!(elements.iter().all(|&x| before(x)));
                let next = start.as_int().unwrap() + len as i64 * step;
                prop_assert!(!before(next));
            }
        }
    }
}

fn list(items: Vec<Value>) -> Value {
    Value::list(items)
}

#[test]
fn nested_lists_become_arrays_as_in_numpy() {
    let value = list(vec![Value::from(vec![1i64, 2]), list(vec![Value::Bool(true), Value::Float(2.5)])]);
    let block = create::from_value(&value, None).unwrap();
    assert!(block.same(&Block::from_slice(&[2, 2], &[1.0f64, 2.0, 1.0, 2.5])));
    assert!(create::to_value(&block).same(&list(vec![Value::from(vec![1.0, 2.0]), Value::from(vec![1.0, 2.5])])));
    let blocks = list(vec![Block::from_slice(&[2], &[1i8, 2]).into(), Block::from_slice(&[2], &[3u8, 4]).into()]);
    assert!(create::from_value(&blocks, None).unwrap().same(&Block::from_slice(&[2, 2], &[1i16, 2, 3, 4])));
    let empty = create::from_value(&list(vec![list(vec![]), list(vec![])]), None).unwrap();
    assert_eq!((empty.shape(), empty.dtype()), (&[2, 0][..], DType::F64));
    assert_eq!(create::from_value(&Value::Int(3), None).unwrap().dtype(), DType::I64);
}

#[test]
fn what_is_no_array_is_refused() {
    let code = |value: Value, dtype| create::from_value(&value, dtype).unwrap_err().code();
    let ragged = list(vec![Value::from(vec![1i64, 2]), Value::from(vec![1i64])]);
    assert_eq!(code(ragged, None), Code::Shape);
    assert_eq!(code(list(vec![Value::Int(1), list(vec![])]), None), Code::Shape);
    assert_eq!(code(list(vec![list(vec![Value::Int(1)]), Value::Int(2)]), None), Code::Shape);
    assert_eq!(code(list(vec![list(vec![]), Value::Int(2)]), None), Code::Shape);
    assert_eq!(code(list(vec![Value::str("a")]), None), Code::Type);
    assert_eq!(code(list(vec![Value::Int(300)]), Some(DType::U8)), Code::Overflow);
    let deep = (0..100_000).fold(Value::Int(1), |v, _| list(vec![v]));
    assert_eq!(code(deep, None), Code::Limit);
}

#[test]
fn ranges_and_matrices() {
    let float = Value::Float;
    let range = create::arange(DType::F64, &float(0.5), &float(0.1), 1, 2).unwrap();
    assert!(range.same(&Block::from_slice(&[2], &[0.6, 0.5 + 2.0 * (0.6 - 0.5)])));
    let part = create::linspace(DType::F64, 0.0, 1.0, 5, true, 3, 2).unwrap();
    assert!(part.same(&Block::from_slice(&[2], &[0.75, 1.0])));
    assert!(create::linspace(DType::F64, 2.0, 3.0, 1, true, 0, 1).unwrap().same(&Block::from_slice(&[1], &[2.0])));
    let eye = create::eye(DType::I8, [1, 0], [2, 3], 1).unwrap();
    assert!(eye.same(&Block::from_slice(&[2, 3], &[0i8, 0, 1, 0, 0, 0])));
    let negative = create::fill(DType::F64, &[1], &float(-0.0)).unwrap();
    assert!(negative.get::<f64>(&[0]).is_sign_negative());
}

#[test]
fn indices_out_of_range_are_an_error() {
    let block = Block::from_slice(&[2, 2], &[1i64, 2, 3, 4]);
    for index in [2, -3, i64::MIN, i64::MAX] {
        assert_eq!(layout::take(&block, 1, &[index]).unwrap_err().code(), Code::Index);
    }
    let (a, b) = (Block::zeros(DType::F64, &[2, 3]), Block::zeros(DType::F64, &[2, 2]));
    assert_eq!(layout::concatenate(&[a.clone(), b.clone()], 0).unwrap_err().code(), Code::Shape);
    assert_eq!(layout::concatenate(&[a, b], 1).unwrap().shape(), [2, 5]);
}
