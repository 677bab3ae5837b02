//! Windows along an axis, as views: what `sliding-window-view` of `stdlib/overlap.dsk` is made of.

use crate::data::{Args, Array, At, Block, Body, Chunks, Cost, Dims, Input, Memory, Strides, Task, Value};
use crate::err;
use crate::op::layers::{Plan, call};
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Token, infer};
use crate::text::Result;
use std::sync::Arc;

pub static OPS: &[Op] = &[Op {
    usage: "(array/windows x axis window)",
    doc: "All windows of a length along an axis, each along a new last axis, without copying. Along that axis a lazy array is taken as\n\
        a whole. Errors: `dsk::value` for a window that is longer than the axis, or empty.",
    examples: &[("(to-list (array/windows [1 2 3] 0 2))", "[[1 2] [2 3]]")],
    see: &["sliding-window-view"],
    cost: Cost::Free,
    kind: Kind::Array(Memory::View { contiguous: false }, windows),
}];

fn windows(mut args: Args) -> Result<Value> {
    let x = Given::of(args.take("x"))?;
    let axis = infer::axis(&args.values[1], x.ndim())?;
    let shape = x.shape();
    let n = shape[axis];
    let window = match args.values[2].as_int().map(usize::try_from) {
        Some(Ok(window)) if window > 0 && window <= n => window,
        Some(Ok(window)) if window > n => {
            return Err(err!(Value, "a window of {window} is longer than the axis, of {n}"));
        }
        _ => return Err(err!(Value, "a window holds an element at least, found {}", args.values[2])),
    };
    let mut made = Dims::from_slice(&shape);
    made[axis] = n - window + 1;
    made.push(window);
    infer::byte_size(&made, x.dtype())?;
    match x {
        Given::Now(block) => Ok(view(&block, axis, &made).into()),
        Given::Lazy(array) => {
            let cut = |a: usize| if a == axis { Arc::from([shape[a]]) } else { array.chunks.axis(a).clone() };
            let array: Array = recut(&array, Chunks::from_axes((0..shape.len()).map(cut).collect()), args.span);
            let cut = |a: usize| match a {
                _ if a == axis || a == shape.len() => Arc::from([made[a]]),
                _ => array.chunks.axis(a).clone(),
            };
            let plan = Plan {
                token: Token::new("windows").layer(&array.layer).with((axis, window)),
                parents: vec![array.layer.clone()],
                dtype: array.dtype,
                chunks: Chunks::from_axes((0..made.len()).map(cut).collect()),
                cost: Cost::Free,
                span: args.span,
            };
            let of_block =
                vec![Task::input(0), Task::data(Value::Int(axis as i64)), Task::data(Value::Int(window as i64))];
            let inputs = vec![Input { parent: 0, at: At::same(shape.len()) }];
            let task = call("array/windows", of_block, Vec::new());
            Ok(Value::Array(plan.array(Body::Blockwise { inputs, task }).into()))
        }
    }
}

fn view(block: &Block, axis: usize, shape: &[usize]) -> Block {
    if shape.contains(&0) {
        return Block::alloc(block.dtype(), shape);
    }
    let mut strides = Strides::from_slice(block.strides());
    strides.push(block.strides()[axis]);
    block.with_layout(shape, &strides)
}
