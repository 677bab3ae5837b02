//! `broadcast-to`.

use crate::data::slice::Range;
use crate::data::{Args, Array, At, Axis, Body, Chunks, Cost, Input, Memory, Task, Value};
use crate::err;
use crate::op::chunking::{self, Bounds, show};
use crate::op::layers::{Plan, call, ints};
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Token, infer, parts};
use crate::text::{Result, Span};
use std::sync::Arc;

pub static OPS: &[Op] = &[Op {
    usage: "(broadcast-to x shape :chunks nil)",
    doc: "The array stretched to a shape: axes of size 1 and missing leading axes are repeated, without copying.\n\
        `:chunks` cuts the stretched axes of a lazy array. Errors: `dsk::shape` where it does not fit.",
    examples: &[("(to-list (broadcast-to [1 2] [2 2]))", "[[1 2] [1 2]]")],
    see: &["expand-dims", "reshape"],
    cost: Cost::Free,
    kind: Kind::Array(Memory::View { contiguous: false }, broadcast_to),
}];

fn broadcast_to(mut args: Args) -> Result<Value> {
    let x = Given::of(std::mem::take(&mut args.values[0]))?;
    let (own, shape) = (x.shape(), infer::shape(&args.values[1])?);
    if own.len() > shape.len() || *infer::broadcast(&[&own, &shape])? != *shape {
        return Err(err!(Shape, "an array of shape {} does not broadcast to {}", show(&own), show(&shape)));
    }
    infer::byte_size(&shape, x.dtype())?;
    let array = match x {
        Given::Now(block) => {
            let stretched = block.broadcast_to(&shape);
            return stretched.map(Value::from).ok_or_else(|| err!(Internal, "{} to {}", show(&own), show(&shape)));
        }
        Given::Lazy(array) => array,
    };
    let lead = shape.len() - own.len();
    let asked = match args.has(2) {
        true => chunking::normalize(&args.values[2], &shape, array.dtype, None)?,
        false => Chunks::whole(&shape),
    };
    let keeps = |axis: usize| axis >= lead && own[axis - lead] == shape[axis];
    let one_block = (0..own.len()).map(|a| match keeps(lead + a) {
        true => array.chunks.axis(a).clone(),
        false => Arc::from([1]),
    });
    let array = recut(&array, Chunks::from_axes(one_block.collect()), args.span);
    let cut = |axis: usize| if keeps(axis) { array.chunks.axis(axis - lead) } else { asked.axis(axis) }.clone();
    let chunks = Chunks::from_axes((0..shape.len()).map(cut).collect());
    if chunks == array.chunks {
        return Ok(Value::Array(array.into()));
    }
    Ok(Value::Array(stretched(array, chunks, args.span).into()))
}

/// An array in one block along the axes that are stretched, and cut as the result along the others.
fn stretched(array: Array, chunks: Chunks, span: Span) -> Array {
    let (own, shape) = (array.shape(), chunks.shape());
    let lead = shape.len() - own.len();
    let keeps = move |axis: usize| axis >= lead && own[axis - lead] == shape[axis];
    let at = At((0..array.ndim())
        .map(|a| if keeps(lead + a) { Axis::Axis((lead + a) as u8) } else { Axis::Block(0) })
        .collect());
    let bounds = Bounds::of(&chunks);
    let task = call(
        "broadcast-to",
        vec![Task::input(0), Task::index(move |index| ints(&bounds.block_shape(index)))],
        Vec::new(),
    );
    let plan = Plan {
        token: Token::new("broadcast-to").layer(&array.layer).chunks(&chunks),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: chunks.clone(),
        cost: Cost::Free,
        span,
    };
    let made = plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at }], task });
    parts::with_parts(made, move |ranges| {
        let own = |axis: usize| if keeps(lead + axis) { ranges[lead + axis] } else { parts::all(1) };
        let own: Vec<Range> = (0..array.ndim()).map(own).collect();
        Some(stretched(parts::taken(&array, &own, span), parts::cut(&parts::pieces(&chunks, ranges)), span))
    })
}
