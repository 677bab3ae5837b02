//! `slice`: NumPy's indexing as a call.

use super::{lazy_index, unknown};
use crate::data::slice::Range;
use crate::data::{Args, Block, Cost, DType, Memory, Slice, Unknown, Value};
use crate::err;
use crate::kernel::create::from_value;
use crate::kernel::layout;
use crate::op::indexing::{Index, Step, Take};
use crate::op::operand::known;
use crate::op::pairs::{Meeting, apart, flat_lists};
use crate::op::{Given, Kind, Op, infer};
use crate::text::{Result, Span};

pub static OPS: &[Op] = &[Op {
    usage: "(slice x & index)",
    doc: "The part of an array that an index says: `(slice x 0 :5)` is `x[0, :5]`.\n\
        Integers take one element of their axis, which goes; slices a range, in steps of any size or sign; `...` stands for as \
        many whole axes as fit; `newaxis` makes an axis of size 1; a list of integers takes those elements in that order, a \
        list of bools those where it is true, an array of bools of several axes those where it holds along all of them. Lists on several axes name elements together, \
        as NumPy's do: `(x [0 2] [1 1])` takes the two at `[0 1]` and `[2 1]`; those of several axes put these in the place of one. An array is callable: \
        `(x 0 :5)` is the same. A lazy mask makes an axis whose size is not known before it is computed, `?n`: ops that need no more than equal \
        sizes go on with it, others ask for `compute-chunk-sizes`. Lazy arrays of integers take each block by itself. Errors: `dsk::index` for an index out of range or too many of them.",
    examples: &[
        ("(to-list (slice (arange 10) 2:8:2))", "[2 4 6]"),
        ("(to-list (slice (arange 5) [true false true false true]))", "[0 2 4]"),
    ],
    see: &["reshape", "concatenate"],
    cost: Cost::Free,
    kind: Kind::Array(Memory::Slice, slice),
}];

pub(super) fn slice(mut args: Args) -> Result<Value> {
    let x = std::mem::take(&mut args.values[0]);
    if !matches!(x, Value::Block(_) | Value::Array(_) | Value::List(_)) {
        return Err(err!(Type, "expected an array, found {}", x.a_type_name()));
    }
    // What is taken depends on data that nobody has yet.
    if args.rest.iter().any(|index| matches!(index, Value::Array(_))) {
        if let Some(masked) = unknown::masked(Given::any(x.clone())?, &args.rest, args.span)? {
            return Ok(masked);
        }
        if let Some(taken) = lazy_index::taken(&args, &x, &args.rest)? {
            return Ok(taken);
        }
        args.values[0] = x;
        return args.host.delay(&args);
    }
    let x = Given::any(x)?;
    if let Given::Lazy(array) = &x
        && !array.unknown.is_none()
    {
        unknown::whole_where_unknown(array, &args.rest)?;
    }
    let items = without_masks(std::mem::take(&mut args.rest), &x.shape())?;
    let (items, folded) = flat_lists(items)?;
    let index = Index::parse(&items, &x.shape())?;
    let meeting = Meeting::of(&index, &x.shape(), apart(&items))?;
    let listed = match &meeting {
        Some(meeting) => meeting.place(),
        None => {
            let before = index.0.iter().take_while(|step| !matches!(step, Step::Axis(Take::List(_))));
            before.filter(|step| !matches!(step, Step::Axis(Take::One(_)))).count()
        }
    };
    let found = match (x, meeting) {
        (Given::Now(block), Some(meeting)) => meeting.of_block(&block)?.into(),
        (Given::Lazy(array), Some(meeting)) => meeting.of_array(&args, &array)?,
        (Given::Now(block), None) => index.of_block(&block)?.into(),
        (Given::Lazy(array), None) => {
            let left = |step: &Step, axis: &mut usize| match step {
                Step::New => Some(None),
                Step::Axis(take) => {
                    *axis += 1;
                    (!matches!(take, Take::One(_))).then(|| array.unknown.axis(*axis - 1).cloned())
                }
            };
            let mut axis = 0;
            let names = index.0.iter().filter_map(|step| left(step, &mut axis)).collect();
            Value::Array(index.of_array(&array, args.span).with_unknown(Unknown::of(names)).into())
        }
    };
    match folded {
        Some(folded) => unfolded(found, listed, &folded, args.span),
        None => Ok(found),
    }
}

/// The array with an axis as the several that lists had.
fn unfolded(found: Value, axis: usize, folded: &[usize], span: Span) -> Result<Value> {
    let found = Given::of(found)?;
    let mut shape = found.shape();
    shape.remove(axis);
    shape.insert_many(axis, folded.iter().copied());
    Ok(match found {
        Given::Now(block) => block.reshape(&shape).into(),
        Given::Lazy(array) => Value::Array(super::reshape::reshape_lazy(&array, &shape, span)?.into()),
    })
}

/// An index in whose place of each mask of several axes are the places where it holds: an array of indices for each of them.
pub(super) fn without_masks(items: Vec<Value>, shape: &[usize]) -> Result<Vec<Value>> {
    let is_mask = |item: &Value| matches!(item, Value::Block(b) if b.ndim() > 1 && b.dtype() == DType::Bool);
    if !items.iter().any(is_mask) {
        return Ok(items);
    }
    let axes = |item: &Value| match item {
        Value::Block(mask) if is_mask(item) => mask.ndim(),
        Value::NewAxis => 0,
        _ => 1,
    };
    let used: usize = items.iter().filter(|item| !matches!(item, Value::Ellipsis)).map(axes).sum();
    let mut axis = 0;
    let mut all = Vec::new();
    for item in items {
        match &item {
            Value::Block(mask) if is_mask(&item) => {
                let (ndim, own) = (mask.ndim(), mask.shape());
                if shape.get(axis..axis + ndim) != Some(own) {
                    let (own, shape) = (crate::text::shape(own), crate::text::shape(shape));
                    return Err(err!(
                        Index,
                        "a mask of shape {own} does not fit an array of shape {shape} from axis {axis} on"
                    ));
                }
                all.extend(layout::nonzero(mask)?.into_iter().map(Value::from));
                axis += ndim;
            }
            Value::Ellipsis => {
                axis += shape.len().saturating_sub(used);
                all.push(item);
            }
            _ => {
                axis += axes(&item);
                all.push(item);
            }
        }
    }
    Ok(all)
}

/// An index from 0 to n by the mode in which `take` was asked to look at others: the nearest one, or what is left of it.
fn by_mode(at: i64, n: usize, mode: &str) -> i64 {
    let n = n as i64;
    match mode {
        "clip" if n > 0 => at.clamp(0, n - 1),
        "wrap" if n > 0 => at.rem_euclid(n),
        _ => at,
    }
}

/// `(take x indices :axis axis)`: NumPy's `take`. Indices of several axes put these in the place of the one that is taken from.
pub fn take(mut args: Args, x: Value, indices: Value, axis: Value, mode: &str) -> Result<Value> {
    let by_array =
        matches!(&indices, Value::Array(array) if array.dtype.is_integer()) && !matches!(x, Value::Delayed(_));
    if indices.is_lazy() && !(by_array && mode == "raise") {
        return args.host.delay(&args);
    }
    let mut x = Given::of(x)?;
    if !["raise", "clip", "wrap"].contains(&mode) {
        return Err(err!(Value, "`:mode` is \"raise\", \"clip\" or \"wrap\", found {mode:?}"));
    }
    let axis = match &axis {
        Value::Nil => {
            let all = x.shape().iter().product();
            x = match x {
                Given::Now(block) => Given::Now(block.reshape(&[all])),
                Given::Lazy(array) => Given::Lazy(super::reshape::reshape_lazy(&array, &[all], args.span)?.into()),
            };
            0
        }
        axis => infer::axis(axis, x.ndim())?,
    };
    if let Value::Array(places) = &indices {
        known(places)?;
        let found = lazy_index::gathered(&x.into_lazy(args.span), places, axis, args.span);
        return Ok(Value::Array(found.into()));
    }
    let whole = Value::from(Slice { start: None, stop: None, step: None });
    let mut shape = x.shape();
    let mut items: Vec<Value> = vec![whole; axis];
    let mut folded = None;
    items.push(match indices {
        Value::Int(one) => Value::Int(by_mode(one, shape[axis], mode)),
        many => {
            let block = from_value(
                &many,
                if many.as_list().is_some_and(<[Value]>::is_empty) { Some(DType::I64) } else { None },
            )?;
            if block.dtype().is_float() || block.dtype().is_complex() {
                return Err(err!(Type, "indices are integers, found {}", block.dtype()));
            }
            let mut block = block;
            if mode != "raise" {
                let list: Vec<i64> =
                    block.cast(DType::I64)?.view::<i64>().iter().map(|&at| by_mode(at, shape[axis], mode)).collect();
                block = Block::from_slice(block.shape(), &list);
            }
            if block.ndim() != 1 {
                let places = shape.remove(axis);
                debug_assert!(places < usize::MAX);
                shape.insert_many(axis, block.shape().iter().copied());
                folded = Some(shape);
            }
            Value::from(block.reshape(&[block.len()]).cast(DType::I64)?)
        }
    });
    args.values.truncate(1);
    args.values[0] = x.into();
    args.rest = items;
    let taken = slice(args)?;
    Ok(match (folded, taken) {
        (Some(shape), Value::Block(block)) => Value::from(block.reshape(&shape)),
        (Some(shape), Value::Array(array)) => {
            Value::Array(super::reshape::reshape_lazy(&array, &shape, array.layer.span)?.into())
        }
        (_, taken) => taken,
    })
}

/// The array with one axis turned round.
pub fn flipped(x: Value, axis: usize, span: Span) -> Result<Value> {
    let x = match Given::any(x)? {
        Given::Lazy(array) if !array.unknown.is_none() => {
            return Ok(Value::Array(unknown::flipped(&array, &[axis], span).into()));
        }
        x => x,
    };
    let turned = |(a, &n): (usize, &usize)| match a == axis && n > 0 {
        true => Range { start: n - 1, step: -1, count: n },
        false => Range { start: 0, step: 1, count: n },
    };
    let steps = x.shape().iter().enumerate().map(turned).map(|range| Step::Axis(Take::Range(range))).collect();
    let index = Index(steps);
    Ok(match x {
        Given::Now(block) => index.of_block(&block)?.into(),
        Given::Lazy(array) => Value::Array(index.of_array(&array, span).into()),
    })
}
