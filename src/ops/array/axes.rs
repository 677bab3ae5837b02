//! Ops that rearrange axes and keep every element: views of concrete blocks, free layers of lazy arrays.

use crate::data::{Args, Array, At, Axis, Block, Body, Chunks, Cost, Dims, Input, Memory, Task, Unknown, Value};
use crate::err;
use crate::op::chunking::show;
use crate::op::indexing::{Index, Step, Take};
use crate::op::layers::{Plan, call, ints};
use crate::op::operand::known;
use crate::op::{Given, Kind, Op, Token, infer, parts};
use crate::text::{Result, Span, counted};
use std::sync::Arc;

macro_rules! op {
    ($usage:literal, $contiguous:literal, $run:ident, $example:literal => $result:literal, $doc:literal) => {
        Op {
            usage: $usage,
            doc: $doc,
            examples: &[($example, $result)],
            see: &[],
            cost: Cost::Free,
            kind: Kind::Array(Memory::View { contiguous: $contiguous }, $run),
        }
    };
}

pub static OPS: &[Op] = &[
    op!("(transpose x :axes nil)", false, transpose, "(to-list (transpose [[1 2] [3 4]]))" => "[[1 3] [2 4]]",
        "The axes in another order: reversed, or as the list `axes` names them.\nAxis k of the result is axis `axes[k]` of x."),
    op!("(swapaxes x axis1 axis2)", false, swapaxes, "(shape (swapaxes (ones [2 3 4]) 0 2))" => "[4 3 2]",
        "Two axes exchanged."),
    op!("(moveaxis x source destination)", false, moveaxis, "(shape (moveaxis (ones [2 3 4]) 0 -1))" => "[3 4 2]",
        "Axes moved to other places; the others keep their order.\n`source` and `destination` are axes or lists of axes, equally long."),
    op!("(expand-dims x :axis 0)", true, expand_dims, "(shape (expand-dims [1 2 3] 0))" => "[1 3]",
        "A new axis of size 1 where the result is to have it; several, for a list of axes."),
    op!("(squeeze x :axis nil)", true, squeeze, "(shape (squeeze (ones [1 3 1])))" => "[3]",
        "Without axes of size 1: all of them, or those named.\nErrors: `dsk::shape` for an axis that is longer."),
    op!("(flip x :axis nil)", false, flip, "(to-list (flip [1 2 3]))" => "[3 2 1]",
        "The elements in reverse order along every axis, or along those named."),
];

/// Also one of unknown sizes.
fn any(args: &mut Args) -> Result<Given> {
    Given::any(std::mem::take(&mut args.values[0]))
}

fn transpose(mut args: Args) -> Result<Value> {
    let x = any(&mut args)?;
    let ndim = x.ndim();
    let axes = match infer::axes(&args.values[1], ndim)? {
        None => (0..ndim).rev().collect(),
        Some(axes) if axes.len() == ndim => axes,
        Some(axes) => {
            return Err(err!(
                Shape,
                "{} for an array of shape {}",
                counted(axes.len(), "axis", "axes"),
                show(&x.shape())
            ));
        }
    };
    Ok(permute(x, &axes, args.span))
}

/// The axes in that order.
pub fn permute(x: Given, axes: &[usize], span: Span) -> Value {
    match x {
        Given::Now(block) => block.transpose(axes).into(),
        Given::Lazy(array) => Value::Array(permute_lazy(&array, axes, span).into()),
    }
}

pub fn permute_lazy(array: &Array, axes: &[usize], span: Span) -> Array {
    if axes.iter().enumerate().all(|(k, &a)| k == a) {
        return array.clone();
    }
    let mut at = At::same(axes.len());
    axes.iter().enumerate().for_each(|(k, &a)| at.0[a] = Axis::Axis(k as u8));
    let reversed = axes.iter().rev().enumerate().all(|(k, &a)| k == a);
    let task = call(
        "transpose",
        [Task::input(0)].into_iter().chain((!reversed).then(|| Task::data(ints(axes)))).collect(),
        Vec::new(),
    );
    let plan = Plan {
        token: Token::new("transpose").layer(&array.layer).with(axes),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::from_axes(axes.iter().map(|&a| array.chunks.axis(a).clone()).collect()),
        cost: Cost::Free,
        span,
    };
    let made = plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at }], task });
    let names = axes.iter().map(|&a| array.unknown.axis(a).cloned()).collect();
    blockwise(made, Unknown::of(names))
}

/// An array of which a part is made of parts, unless its sizes are unknown.
fn blockwise(made: Array, unknown: Unknown) -> Array {
    if unknown.is_none() { parts::blockwise(made) } else { made.with_unknown(unknown) }
}

fn swapaxes(mut args: Args) -> Result<Value> {
    let x = any(&mut args)?;
    let (a, b) = (infer::axis(&args.values[1], x.ndim())?, infer::axis(&args.values[2], x.ndim())?);
    let mut axes: Dims = (0..x.ndim()).collect();
    axes.swap(a, b);
    Ok(permute(x, &axes, args.span))
}

fn moveaxis(mut args: Args) -> Result<Value> {
    let x = any(&mut args)?;
    let ndim = x.ndim();
    let axes = |v: &Value| infer::axes(v, ndim)?.ok_or_else(|| err!(Type, "an axis is an integer, found a nil"));
    let (from, to) = (axes(&args.values[1])?, axes(&args.values[2])?);
    if from.len() != to.len() {
        return Err(err!(
            Value,
            "{} cannot be moved to {}",
            counted(from.len(), "axis", "axes"),
            counted(to.len(), "place", "places")
        ));
    }
    let mut rest = (0..ndim).filter(|a| !from.contains(a));
    let order: Dims = (0..ndim)
        .filter_map(|place| match to.iter().position(|&t| t == place) {
            Some(i) => Some(from[i]),
            None => rest.next(),
        })
        .collect();
    Ok(permute(x, &order, args.span))
}

fn expand_dims(mut args: Args) -> Result<Value> {
    let x = any(&mut args)?;
    let added = match &args.values[1] {
        Value::List(items) => items.len(),
        _ => 1,
    };
    let axes = infer::axes(&args.values[1], x.ndim() + added)?;
    let axes = axes.ok_or_else(|| err!(Type, "an axis is an integer, found a nil"))?;
    let new: Vec<bool> = (0..x.ndim() + axes.len()).map(|k| axes.contains(&k)).collect();
    Ok(match x {
        Given::Now(block) => {
            let places = (0..new.len()).filter(|&k| new[k]);
            places.fold(block, |b, k| b.insert_axis(k)).into()
        }
        Given::Lazy(array) => Value::Array(expand_lazy(&array, &new, args.span).into()),
    })
}

/// New axes of size 1 where `new` says so.
fn expand_lazy(array: &Array, new: &[bool], span: Span) -> Array {
    let mut own = 0;
    let mut at = At::same(array.ndim());
    let mut cuts: Vec<Arc<[usize]>> = Vec::new();
    let mut names = Vec::new();
    for (k, &new) in new.iter().enumerate() {
        if new {
            cuts.push([1].into());
            names.push(None);
        } else {
            names.push(array.unknown.axis(own).cloned());
            at.0[own] = Axis::Axis(k as u8);
            cuts.push(array.chunks.axis(own).clone());
            own += 1;
        }
    }
    let axes: Vec<usize> = (0..new.len()).filter(|&k| new[k]).collect();
    let axis = if axes.len() == 1 { Value::from(axes[0]) } else { ints(&axes) };
    let plan = Plan {
        token: Token::new("expand-dims").layer(&array.layer).with(&axes),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::from_axes(cuts),
        cost: Cost::Free,
        span,
    };
    let task = call("expand-dims", vec![Task::input(0), Task::data(axis)], Vec::new());
    blockwise(plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at }], task }), Unknown::of(names))
}

/// Without those axes of size 1, of an array of unknown sizes: not where one of them may be another size.
fn squeeze_unknown(array: &Array, axes: Option<Dims>, span: Span) -> Result<Value> {
    let one = |&axis: &usize| array.unknown.axis(axis).is_none() && **array.chunks.axis(axis) == [1];
    let Some(mut axes) = axes.filter(|axes| axes.iter().all(one)) else {
        return known(array).map(|()| Value::Nil);
    };
    axes.sort_unstable();
    let kept: Vec<usize> = (0..array.ndim()).filter(|axis| !axes.contains(axis)).collect();
    let mut at = At((0..array.ndim()).map(|_| Axis::Block(0)).collect());
    kept.iter().enumerate().for_each(|(k, &axis)| at.0[axis] = Axis::Axis(k as u8));
    let plan = Plan {
        token: Token::new("squeeze").layer(&array.layer).with(&axes),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::from_axes(kept.iter().map(|&axis| array.chunks.axis(axis).clone()).collect()),
        cost: Cost::Free,
        span,
    };
    let unknown = Unknown::of(kept.iter().map(|&axis| array.unknown.axis(axis).cloned()).collect());
    let task = crate::op::tree::squeeze(Task::input(0), &axes);
    let made = plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at }], task });
    Ok(Value::Array(made.with_unknown(unknown).into()))
}

fn squeeze(mut args: Args) -> Result<Value> {
    let x = any(&mut args)?;
    if let Given::Lazy(array) = &x
        && !array.unknown.is_none()
    {
        return squeeze_unknown(array, infer::axes(&args.values[1], array.ndim())?, args.span);
    }
    let shape = x.shape();
    // NumPy takes an array without axes for one of a single axis here.
    if shape.is_empty() && matches!(args.values[1], Value::Int(-1 | 0)) {
        args.values[1] = Value::Nil;
    }
    let axes = match infer::axes(&args.values[1], shape.len())? {
        Some(axes) => axes,
        None => (0..shape.len()).filter(|&a| shape[a] == 1).collect(),
    };
    if let Some(a) = axes.iter().find(|&&a| shape[a] != 1) {
        return Err(err!(Shape, "axis {a} has size {}, and only axes of size 1 can go", shape[*a]));
    }
    Ok(match x {
        Given::Now(block) => squeeze_block(&block, &axes).into(),
        Given::Lazy(array) => {
            let step = |a: usize| match axes.contains(&a) {
                true => Step::Axis(Take::One(0)),
                false => Step::Axis(Take::Range(crate::data::slice::Range { start: 0, step: 1, count: shape[a] })),
            };
            let index = Index((0..shape.len()).map(step).collect());
            Value::Array(index.of_array(&array, args.span).into())
        }
    })
}

/// Without those axes, which have size 1.
pub fn squeeze_block(block: &Block, axes: &[usize]) -> Block {
    let mut sorted: Dims = Dims::from_slice(axes);
    sorted.sort_unstable();
    block.squeeze(&sorted)
}

fn flip(mut args: Args) -> Result<Value> {
    let x = any(&mut args)?;
    let shape = x.shape();
    let axes = infer::axes(&args.values[1], shape.len())?.unwrap_or_else(|| (0..shape.len()).collect());
    if let Given::Lazy(array) = &x
        && !array.unknown.is_none()
    {
        return Ok(Value::Array(super::unknown::flipped(array, &axes, args.span).into()));
    }
    let range = |a: usize| match axes.contains(&a) && shape[a] > 0 {
        true => crate::data::slice::Range { start: shape[a] - 1, step: -1, count: shape[a] },
        false => crate::data::slice::Range { start: 0, step: 1, count: shape[a] },
    };
    let index = Index((0..shape.len()).map(|a| Step::Axis(Take::Range(range(a)))).collect());
    Ok(match x {
        Given::Now(block) => index.of_block(&block)?.into(),
        Given::Lazy(array) => Value::Array(index.of_array(&array, args.span).into()),
    })
}
