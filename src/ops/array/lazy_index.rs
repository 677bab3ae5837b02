//! Indexing by lazy arrays of integers: which elements is not known yet, but how many is.

use super::axes::permute;
use super::slice;
use crate::data::{Args, Array, At, Axis, Block, Body, Chunks, Cost, Dims, Input, Slice, Task, Value};
use crate::op::layers::{Parents, Plan, call, in_one_task, whole_along};
use crate::op::operand::known;
use crate::op::{Given, Token};
use crate::text::{Result, Span};
use std::sync::Arc;

/// `(x index…)` of an index of which some are lazy arrays of integers; `None` where others are lazy.
pub(super) fn taken(args: &Args, x: &Value, index: &[Value]) -> Result<Option<Value>> {
    let lazy = |item: &Value| matches!(item, Value::Array(_));
    for item in index.iter().filter(|item| lazy(item)) {
        match item {
            Value::Array(array) if array.dtype.is_integer() => known(array)?,
            _ => return Ok(None),
        }
    }
    let many = index.iter().filter(|item| lazy(item)).count();
    let plain = |item: &&Value| matches!(item, Value::Int(_) | Value::Slice(_) | Value::Ellipsis | Value::NewAxis);
    if many > 1 || index.iter().filter(plain).count() + many < index.len() {
        return together(args, x, index).map(Some);
    }
    let Some((at, Value::Array(places))) = index.iter().enumerate().find(|(_, item)| lazy(item)) else {
        return Ok(None);
    };
    let axes = |item: &Value| !matches!(item, Value::NewAxis | Value::Ellipsis);
    let used = index.iter().filter(|item| axes(item)).count();
    let ndim = Given::of(x.clone())?.ndim();
    let kept = index[..at].iter().map(|item| match item {
        Value::Int(_) => 0,
        Value::Ellipsis => ndim.saturating_sub(used),
        _ => 1,
    });
    let axis: usize = kept.sum();
    let mut others = index.to_vec();
    others[at] = Slice::ALL.into();
    let part = Given::of(again(args, x.clone(), others)?)?.into_lazy(args.span);
    let found = gathered(&part, places, axis, args.span);
    // Integers count as lists of one: where they do not stand side by side, what the list takes comes first.
    let listed: Vec<usize> = (0..index.len()).filter(|&i| i == at || matches!(index[i], Value::Int(_))).collect();
    if listed.windows(2).all(|pair| pair[1] == pair[0] + 1) {
        return Ok(Some(Value::Array(found.into())));
    }
    let own = axis..axis + places.ndim();
    let order: Dims = own.clone().chain((0..found.ndim()).filter(|a| !own.contains(a))).collect();
    Ok(Some(permute(Given::Lazy(found.into()), &order, args.span)))
}

/// `slice` with another index.
fn again(args: &Args, x: Value, index: Vec<Value>) -> Result<Value> {
    let values = [x].into_iter().collect();
    slice::slice(Args {
        host: args.host,
        function: args.function,
        values,
        rest: index,
        given: args.given,
        span: args.span,
    })
}

/// The elements of x at these places along an axis, block by block of what is taken: x is whole along the axis.
pub(super) fn gathered(x: &Array, places: &Array, axis: usize, span: Span) -> Array {
    let x = whole_along(x, &[axis], span);
    let mut parents = Parents::default();
    let own = (0..x.ndim()).map(|a| match a {
        _ if a == axis => Axis::Block(0),
        _ if a < axis => Axis::Axis(a as u8),
        _ => Axis::Axis((a - 1 + places.ndim()) as u8),
    });
    let inputs = vec![
        Input { parent: parents.add(&x.layer), at: At(own.collect()) },
        Input {
            parent: parents.add(&places.layer),
            at: At((0..places.ndim()).map(|a| Axis::Axis((axis + a) as u8)).collect()),
        },
    ];
    let mut chunks: Vec<Arc<[usize]>> = x.chunks.axes().to_vec();
    chunks.splice(axis..axis + 1, places.chunks.axes().iter().cloned());
    let mut items = vec![Task::input(0)];
    items.extend((0..axis).map(|_| Task::data(Value::from(Slice::ALL))));
    items.push(Task::input(1));
    let task = call("slice", items, Vec::new());
    let plan = Plan {
        token: Token::new("slice").layer(&x.layer).layer(&places.layer).task(&task),
        parents: parents.layers,
        dtype: x.dtype,
        chunks: Chunks::from_axes(chunks),
        cost: Cost::Cheap,
        span,
    };
    plan.array(Body::Blockwise { inputs, task })
}

/// Lists on several axes name elements together: all of x, and of them, in one task.
fn together(args: &Args, x: &Value, index: &[Value]) -> Result<Value> {
    let x = Given::of(x.clone())?.into_lazy(args.span);
    // What has the shape of the answer: the same index, of which each list takes the first element.
    let first = |item: &Value| {
        let Value::Array(places) = item else { return Ok(item.clone()) };
        Block::check_room(Block::byte_size(places.dtype, &places.shape())?)?;
        Ok(Block::zeros(places.dtype, &places.shape()).into())
    };
    let firsts = index.iter().map(first).collect::<Result<Vec<Value>>>()?;
    let like = Given::of(again(args, Value::Array(x.clone().into()), firsts)?)?;
    let mut arrays = vec![x];
    let mut items = vec![Task::input(0)];
    for item in index {
        items.push(match item {
            Value::Array(places) => {
                arrays.push((**places).clone());
                Task::input(arrays.len() - 1)
            }
            other => Task::data(other.clone()),
        });
    }
    let task = call("slice", items, Vec::new());
    let token = Token::new("slice").task(&task);
    Ok(Value::Array(in_one_task(&arrays, token, like.dtype(), &like.shape(), Cost::Cheap, args.span, task).into()))
}
