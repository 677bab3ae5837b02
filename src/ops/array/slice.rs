//! `slice`: NumPy's indexing as a call.

use crate::data::{Args, Cost, Memory, Value};
use crate::err;
use crate::op::indexing::Index;
use crate::op::pairs::Meeting;
use crate::op::{Given, Kind, Op};
use crate::text::Result;

pub static OPS: &[Op] = &[Op {
    usage: "(slice x & index)",
    doc: "The part of an array that an index says: `(slice x 0 :5)` is `x[0, :5]`.\n\
        Integers take one element of their axis, which goes; slices a range, in steps of any size or sign; `...` stands for as \
        many whole axes as fit; `newaxis` makes an axis of size 1; a list of integers takes those elements in that order, a \
        list of bools those where it is true. Lists on several axes name elements together, \
        as NumPy's do: `(x [0 2] [1 1])` takes the two at `[0 1]` and `[2 1]`. An array is callable: \
        `(x 0 :5)` is the same. Errors: `dsk::index` for an index out of range or too many of them.",
    examples: &[
        ("(to-list (slice (arange 10) 2:8:2))", "[2 4 6]"),
        ("(to-list (slice (arange 5) [true false true false true]))", "[0 2 4]"),
    ],
    see: &["reshape", "concatenate"],
    cost: Cost::Free,
    kind: Kind::Array(Memory::Slice, slice),
}];

fn slice(mut args: Args) -> Result<Value> {
    let x = std::mem::take(&mut args.values[0]);
    if !matches!(x, Value::Block(_) | Value::Array(_) | Value::List(_)) {
        return Err(err!(Type, "expected an array, found {}", x.a_type_name()));
    }
    let x = Given::of(x)?;
    let index = Index::parse(&args.rest, &x.shape())?;
    if let Some(meeting) = Meeting::of(&index, &x.shape())? {
        return match x {
            Given::Now(block) => Ok(meeting.of_block(&block)?.into()),
            Given::Lazy(array) => meeting.of_array(&args, &array),
        };
    }
    Ok(match x {
        Given::Now(block) => index.of_block(&block)?.into(),
        Given::Lazy(array) => Value::Array(index.of_array(&array, args.span).into()),
    })
}
