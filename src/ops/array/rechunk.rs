//! `rechunk`: the same array in other blocks.

use crate::data::{Args, Cost, Memory, Value};
use crate::op::{Given, Kind, Op, chunking, layers, recut};
use crate::text::Result;

pub static OPS: &[Op] = &[Op {
    usage: "(rechunk x :chunks :auto)",
    doc: "The same array in other blocks.\n`chunks` is as for `ones`: a block shape, one size for every axis, explicit sizes per \
        axis, `:auto`, -1 for a whole axis; or a map from axes to these, which leaves the other axes alone. A concrete array \
        becomes a lazy one.",
    examples: &[
        ("(chunks (rechunk (ones [6] :chunks 2) 3))", "[[3 3]]"),
        ("(chunks (rechunk (ones [4 4] :chunks 2) {1 -1}))", "[[2 2] [4]]"),
    ],
    see: &["chunks", "numblocks"],
    cost: Cost::Cheap,
    kind: Kind::Array(Memory::Unknown, rechunk),
}];

fn rechunk(mut args: Args) -> Result<Value> {
    let x = Given::of(std::mem::take(&mut args.values[0]))?;
    let before = match &x {
        Given::Lazy(array) => Some(array.chunks.clone()),
        Given::Now(_) => None,
    };
    let chunks = chunking::normalize(&args.values[1], &x.shape(), x.dtype(), before.as_ref())?;
    Ok(Value::Array(match x {
        Given::Now(block) => layers::constant(&block, chunks, args.span).into(),
        Given::Lazy(array) => recut::recut(&array, chunks, args.span).into(),
    }))
}
