//! Reductions: of concrete arrays by the kernel, of lazy arrays as trees, of lists one element after the other. What they have in common.

use super::elementwise::apply_binary;
use super::masked::Asked;
use super::means::{mean, spread};
use crate::data::{Args, Array, At, Axis, Block, Body, Chunks, Cost, DType, Dims, Input, Memory, Task, Unknown, Value};
use crate::err;
use crate::kernel::{Reduce, reduce as kernel};
use crate::op::chunking::show;
use crate::op::layers::{Plan, call, dtype_value, ints};
use crate::op::recut::recut;
use crate::op::tree::{FAN_IN, Reduction};
use crate::op::{Given, Kind, Op, Token, infer, parts};
use crate::text::{Result, Span};
use std::sync::Arc;

macro_rules! op {
    ($usage:literal, $run:expr, $doc:literal, $($example:literal => $result:literal),*) => {
        Op {
            usage: $usage,
            doc: concat!(
                $doc,
                "\n`:axis` is an axis or a list of them, nil for all; `:keepdims true` keeps them, with size 1. Blocks of a \
                 lazy array are reduced by themselves, and their results merged as a tree, `:split-every` (4) at a time. \
                `:where` is a mask of the elements that count, `:initial` what the result begins with, where it takes these."
            ),
            examples: &[$(($example, $result)),*],
            see: &[],
            cost: Cost::Dear,
            kind: Kind::Array(Memory::Reduction, $run),
        }
    };
}

pub static OPS: &[Op] = &[
    op!("(sum x :axis nil :keepdims false :dtype nil :split-every nil :initial nil :where nil)", |args| with_dtype_option(Reduce::Sum, args),
        "The sum; of bools and small integers in int64, of small unsigned ones in uint64.", "(sum [1 2 3])" => "6"),
    op!("(prod x :axis nil :keepdims false :dtype nil :split-every nil :initial nil :where nil)", |args| with_dtype_option(Reduce::Prod, args),
        "The product; of bools and small integers in int64, of small unsigned ones in uint64.", "(prod [1 2 3 4])" => "24"),
    op!("(min x :axis nil :keepdims false :split-every nil :initial nil :where nil)", |args| plain(Reduce::Min, args),
        "The smallest; `nan` where there is one. Errors: `dsk::value` for the smallest of nothing.", "(min [3 1 2])" => "1"),
    op!("(max x :axis nil :keepdims false :split-every nil :initial nil :where nil)", |args| plain(Reduce::Max, args),
        "The largest; `nan` where there is one. Errors: `dsk::value` for the largest of nothing.", "(max [3 1 2])" => "3"),
    op!("(any x :axis nil :keepdims false :split-every nil :where nil)", |args| plain(Reduce::Any, args),
        "Whether any element is true: not zero.", "(any [false true])" => "true"),
    op!("(all x :axis nil :keepdims false :split-every nil :where nil)", |args| plain(Reduce::All, args),
        "Whether all elements are true: not zero.", "(all [true false])" => "false"),
    op!("(mean x :axis nil :keepdims false :dtype nil :split-every nil :where nil)", mean,
        "The arithmetic mean; `nan` of nothing.", "(mean [1 2 3 4])" => "2.5"),
    op!("(var x :axis nil :ddof 0 :keepdims false :dtype nil :split-every nil :correction nil :where nil :mean nil)", |args| spread(args, false),
        "The variance: squared distances from the mean, over the count less `:ddof`, or `:correction`. In one pass, by Chan, Golub and \
         LeVeque's update, in float64; about a `:mean` that is known, or where there is a mask, in two passes.", "(var [1 2 3 4])" => "1.25"),
    op!("(std x :axis nil :ddof 0 :keepdims false :dtype nil :split-every nil :correction nil :where nil :mean nil)", |args| spread(args, true),
        "The standard deviation: the root of `var`.", "(std [1 1 3 3])" => "1.0"),
];

/// The keywords that all reductions take.
#[derive(Clone)]
pub(super) struct Options {
    pub axis: Value,
    pub keepdims: bool,
    pub dtype: Option<DType>,
    pub split: usize,
    pub span: Span,
}

impl Options {
    pub fn of(args: &Args, axis: usize, keepdims: usize, dtype: Option<usize>, split: usize) -> Result<Options> {
        let split = match &args.values[split] {
            Value::Nil => FAN_IN,
            n => match n.as_int() {
                Some(n @ 2..) => n as usize,
                _ => return Err(err!(Value, "`:split-every` is an integer of 2 or more, found {n:?}")),
            },
        };
        let dtype = dtype.map_or(Ok(None), |at| infer::dtype(&args.values[at]))?;
        let (axis, keepdims) = (args.values[axis].clone(), args.values[keepdims].truthy());
        Ok(Options { axis, keepdims, dtype, split, span: args.span })
    }

    /// The axes, sorted.
    pub fn axes(&self, ndim: usize) -> Result<Dims> {
        let mut axes = infer::axes(&self.axis, ndim)?.unwrap_or_else(|| (0..ndim).collect());
        axes.sort_unstable();
        Ok(axes)
    }

    /// A result with the reduced axes, as it was asked for.
    pub fn shaped(&self, block: Block, axes: &[usize]) -> Block {
        if self.keepdims { block } else { super::axes::squeeze_block(&block, axes) }
    }

    /// The keywords of the same reduction of one block.
    pub fn keywords(&self, axes: &[usize], keepdims: bool) -> Vec<(&'static str, Task)> {
        let mut keywords = vec![("axis", Task::data(ints(axes)))];
        if keepdims {
            keywords.push(("keepdims", Task::data(Value::Bool(true))));
        }
        keywords
    }
}

/// The elements of a list, unless it is one that stands for an array: with an axis named, or with lists in it.
pub(super) fn elements<'a>(args: &'a Args, axis: usize) -> Option<&'a [Value]> {
    match &args.values[0] {
        Value::List(items) if !args.has(axis) && !items.iter().any(|v| matches!(v, Value::List(_))) => Some(items),
        _ => None,
    }
}

fn with_dtype_option(op: Reduce, args: Args) -> Result<Value> {
    let options = Options::of(&args, 1, 2, Some(3), 4)?;
    reduced(op, args, options)
}

fn plain(op: Reduce, args: Args) -> Result<Value> {
    let options = Options::of(&args, 1, 2, None, 3)?;
    reduced(op, args, options)
}

fn reduced(op: Reduce, mut args: Args, options: Options) -> Result<Value> {
    if let Some(asked) = Asked::of(&mut args) {
        let numbers = elements(&args, 1).is_some();
        let found = asked.reduced(op, Given::any(std::mem::take(&mut args.values[0]))?, options)?;
        return Ok(if numbers { found.plain() } else { found });
    }
    if options.dtype.is_none()
        && let Some(items) = elements(&args, 1)
    {
        return of_list(op, items, options.span);
    }
    given(op, Given::any(std::mem::take(&mut args.values[0]))?, &options)
}

/// The reduction of an array.
pub(super) fn given(op: Reduce, x: Given, options: &Options) -> Result<Value> {
    let shape = x.shape();
    let axes = options.axes(shape.len()).map_err(|error| match op {
        Reduce::Min => error.help("`(minimum a b)` is the smaller of two"),
        Reduce::Max => error.help("`(maximum a b)` is the larger of two"),
        _ => error,
    })?;
    if matches!(op, Reduce::Min | Reduce::Max) && nothing(&shape, &axes) {
        return Err(err!(Value, "there is no {} of nothing: the array has shape {}", op.name(), show(&shape)));
    }
    match x {
        Given::Now(block) => Ok(options.shaped(kernel::reduce(op, &block, &axes, options.dtype)?, &axes).into()),
        Given::Lazy(array) => Ok(Value::Array(reduce_lazy(op, &array, &axes, options).into())),
    }
}

/// Whether each result would be made of no elements at all; also where there are no results, as in NumPy.
fn nothing(shape: &[usize], axes: &[usize]) -> bool {
    axes.iter().any(|&a| shape[a] == 0)
}

/// The sum of a list of ints, if it is one; of floats. No value is made for every step.
fn plain_sum(items: &[Value]) -> Option<Value> {
    match items.first()? {
        Value::Int(_) => items
            .iter()
            .try_fold(0i64, |sum, v| match v {
                Value::Int(n) => sum.checked_add(*n),
                _ => None,
            })
            .map(Value::Int),
        Value::Float(_) => items
            .iter()
            .try_fold(0.0, |sum, v| match v {
                Value::Float(x) => Some(sum + x),
                _ => None,
            })
            .map(Value::Float),
        _ => None,
    }
}

fn of_list(op: Reduce, items: &[Value], span: Span) -> Result<Value> {
    if op == Reduce::Sum
        && let Some(sum) = plain_sum(items)
    {
        return Ok(sum);
    }
    let truthy = |v: &Value| match v {
        Value::Str(s) => !s.is_empty(),
        other => other.as_complex().map_or(other.truthy(), |c| c.re != 0.0 || c.im != 0.0),
    };
    let arrays = items.iter().any(|v| matches!(v, Value::Array(_)) || matches!(v, Value::Block(b) if b.ndim() > 0));
    let start = match op {
        Reduce::Any if !arrays => return Ok(Value::Bool(items.iter().any(truthy))),
        Reduce::All if !arrays => return Ok(Value::Bool(items.iter().all(truthy))),
        Reduce::Any => Some(Value::Bool(false)),
        Reduce::All => Some(Value::Bool(true)),
        Reduce::Sum if !matches!(items.first(), Some(Value::Str(_))) => Some(Value::Int(0)),
        Reduce::Prod => Some(Value::Int(1)),
        _ => None,
    };
    let mut items = items.iter().cloned().map(|v| if arrays { v } else { v.plain() });
    let first = match start.or_else(|| items.next()) {
        Some(first) => first,
        None => return Err(err!(Value, "there is no {} of nothing: the list is empty", op.name())),
    };
    items.try_fold(first, |a, b| apply_binary(op.merge(), a, b, span))
}

/// The array without blocks of no elements along these axes, where there are others.
pub(super) fn without_empty(array: &Array, axes: &[usize], span: Span) -> Array {
    if !array.unknown.is_none() {
        return array.clone();
    }
    let cut = |axis: usize| {
        let cut = array.chunks.axis(axis);
        if !axes.contains(&axis) || !cut.contains(&0) {
            return cut.clone();
        }
        let kept: Arc<[usize]> = cut.iter().copied().filter(|&n| n > 0).collect();
        if kept.is_empty() { [0].into() } else { kept }
    };
    recut(array, Chunks::from_axes((0..array.ndim()).map(cut).collect()), span)
}

pub(super) fn one_block(array: &Array, axes: &[usize]) -> bool {
    axes.iter().all(|&a| array.chunks.axis(a).len() == 1)
}

/// A reduction of an array with one block along the reduced axes: the op itself, block by block.
pub(super) fn whole(
    array: &Array,
    name: &'static str,
    axes: &[usize],
    options: &Options,
    token: Token,
    dtype: DType,
    task: Task,
) -> Array {
    let kept = |a: &usize| options.keepdims || !axes.contains(a);
    let places: Vec<usize> = (0..array.ndim()).filter(kept).collect();
    let mut at = At((0..array.ndim()).map(|_| Axis::Block(0)).collect());
    for (k, &a) in places.iter().enumerate() {
        at.0[a] = Axis::Axis(k as u8);
    }
    let cut = |&a: &usize| if axes.contains(&a) { [1].into() } else { array.chunks.axis(a).clone() };
    let plan = Plan {
        token: Token::new(name).with(token.name().as_str()).layer(&array.layer).with((axes, options.keepdims)),
        parents: vec![array.layer.clone()],
        dtype,
        chunks: Chunks::from_axes(places.iter().map(cut).collect()),
        cost: Cost::Dear,
        span: options.span,
    };
    let inputs = vec![Input { parent: 0, at }];
    let left = places.iter().map(|a| array.unknown.axis(*a).filter(|_| !axes.contains(a)).cloned());
    plan.array(Body::Blockwise { inputs, task }).with_unknown(Unknown::of(left.collect()))
}

/// Where nothing is rounded, a part of the result is the result of a part.
fn reduce_lazy(op: Reduce, array: &Array, axes: &[usize], options: &Options) -> Array {
    let made = reduce_all(op, array, axes, options);
    if made.dtype == made.dtype.to_inexact() && matches!(op, Reduce::Sum | Reduce::Prod) || !array.unknown.is_none() {
        return made;
    }
    let (array, axes, options) = (array.clone(), axes.to_vec(), options.clone());
    parts::with_parts(made, move |ranges| {
        let mut ranges = ranges.iter();
        let mut own = |axis: usize| match (axes.contains(&axis), options.keepdims) {
            (true, false) => Some(parts::all(array.shape()[axis])),
            (true, true) => ranges.next().filter(|r| r.count == 1).map(|_| parts::all(array.shape()[axis])),
            (false, _) => ranges.next().copied(),
        };
        let ranges = (0..array.ndim()).map(&mut own).collect::<Option<Vec<_>>>()?;
        Some(reduce_all(op, &parts::taken(&array, &ranges, options.span), &axes, &options))
    })
}

pub(super) fn reduce_all(op: Reduce, array: &Array, axes: &[usize], options: &Options) -> Array {
    let array = without_empty(array, axes, options.span);
    let dtype = match op {
        Reduce::Sum | Reduce::Prod => options.dtype.unwrap_or_else(|| op.dtype(array.dtype)),
        _ => op.dtype(array.dtype),
    };
    let token = Token::new(op.name()).with(dtype);
    let block = |keepdims: bool| {
        let mut keywords = options.keywords(axes, keepdims);
        if let Some(dtype) = options.dtype {
            keywords.push(("dtype", Task::data(dtype_value(dtype))));
        }
        keywords
    };
    let empty = |&axis: &usize| array.unknown.axis(axis).is_some() || array.chunks.axis(axis).contains(&0);
    if matches!(op, Reduce::Min | Reduce::Max) && !array.unknown.is_none() && axes.iter().any(empty) {
        return extreme_of_unknown(op, &array, axes, options, token);
    }
    if one_block(&array, axes) {
        let task = call(op.name(), vec![Task::input(0)], block(options.keepdims));
        return whole(&array, op.name(), axes, options, token, dtype, task);
    }
    let merge = op.merge().name();
    Reduction {
        name: op.name(),
        token,
        part: Token::new(op.name()).with(dtype),
        axes,
        keepdims: options.keepdims,
        split: options.split,
        lead: None,
        partial: dtype,
        dtype,
        span: options.span,
        chunk: &|x| call(op.name(), vec![x], block(true)),
        merge: Arc::new(move |parts| call(merge, parts, Vec::new())),
        finish: Arc::new(|x| x),
    }
    .of(&array)
}

/// The least or greatest where blocks may turn out to be empty: these have no part in it.
fn extreme_of_unknown(op: Reduce, array: &Array, axes: &[usize], options: &Options, token: Token) -> Array {
    let some = {
        let (name, axis) = (op.name(), ints(axes));
        move |parts: Vec<Task>| {
            let items = [Task::data(name), Task::data(axis.clone())].into_iter().chain(parts).collect();
            call("reduce-some", items, Vec::new())
        }
    };
    let (chunk, name, axis) = (some.clone(), op.name(), ints(axes));
    Reduction {
        name,
        token,
        part: Token::new("reduce-some").with((name, array.dtype)),
        axes,
        keepdims: options.keepdims,
        split: options.split,
        lead: None,
        partial: array.dtype,
        dtype: array.dtype,
        span: options.span,
        chunk: &|x| chunk(vec![x]),
        merge: Arc::new(some),
        finish: Arc::new(move |x| {
            let keywords = vec![("axis", Task::data(axis.clone())), ("keepdims", Task::data(true))];
            call(name, vec![x], keywords)
        }),
    }
    .of(array)
}

/// Whether all elements are true, as an array of no dimensions.
pub fn all(array: &Array, span: Span) -> Result<Value> {
    let options = Options { axis: Value::Nil, keepdims: false, dtype: None, split: FAN_IN, span };
    let axes = options.axes(array.ndim())?;
    Ok(Value::Array(reduce_lazy(Reduce::All, array, &axes, &options).into()))
}

/// The sum along an axis.
pub fn total(array: &Array, axis: i64, span: Span) -> Result<Value> {
    let options = Options { axis: Value::Int(axis), keepdims: false, dtype: Some(array.dtype), split: FAN_IN, span };
    let axes = options.axes(array.ndim())?;
    Ok(Value::Array(reduce_lazy(Reduce::Sum, array, &axes, &options).into()))
}
