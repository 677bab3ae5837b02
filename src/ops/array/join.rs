//! Arrays put together: `concatenate`, `stack`, `block`.

use crate::data::slice::Range;
use crate::data::{
    Args, Array, Block, BlockRef, Chunks, Cost, DType, Dims, Memory, Str, Task, Unknown, Value, task::deep,
};
use crate::err;
use crate::kernel::layout;
use crate::op::chunking::{self, show};
use crate::op::layers::{Parents, Plan, call, dtype_value};
use crate::op::operand::known;
use crate::op::recut;
use crate::op::{Given, Kind, Op, Token, infer, parts};
use crate::text::{Result, Span};
use smallvec::SmallVec;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    Op {
        usage: "(concatenate arrays :axis 0 :dtype nil)",
        doc: "Arrays one after the other along an axis they have.\nDtypes promote, unless `:dtype` names another. `:axis nil` flattens them first. Errors: \
            `dsk::shape` where sizes of other axes differ, `dsk::axis` for an axis they do not have.",
        examples: &[("(to-list (concatenate [[1 2] [3]]))", "[1 2 3]")],
        see: &["stack", "block"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Join, concatenate),
    },
    Op {
        usage: "(stack arrays :axis 0 :dtype nil)",
        doc: "Arrays of one shape side by side along a new axis.\nDtypes promote, unless `:dtype` names another. Errors: `dsk::shape` where shapes differ.",
        examples: &[("(to-list (stack [[1 2] [3 4]] :axis 1))", "[[1 3] [2 4]]")],
        see: &["concatenate"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Join, stack),
    },
    Op {
        usage: "(block arrays)",
        doc: "An array put together from nested lists of arrays: the innermost lists along the last axis, and so on outwards.",
        examples: &[("(to-list (block [[(ones [1 2]) (zeros [1 1])]]))", "[[1.0 1.0 0.0]]")],
        see: &["concatenate"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Join, block),
    },
];

/// The arrays of a list argument: lists within are arrays too, and the rows of an array are arrays.
fn arrays(value: Value) -> Result<Vec<Given>> {
    let items = match value {
        Value::List(items) => Arc::unwrap_or_clone(items).into_vec(),
        Value::Block(b) if b.ndim() > 0 => (0..b.shape()[0]).map(|i| Value::from(b.take_axis(0, i))).collect(),
        other => return Err(err!(Type, "expected a list of arrays, found {}", other.a_type_name())),
    };
    if items.is_empty() {
        return Err(err!(Value, "the list of arrays is empty"));
    }
    items.into_iter().map(Given::any).collect()
}

/// The names of axes of unknown sizes; where arrays meet along an axis, all of them have the same.
fn unknown(given: &[Given], along: Option<usize>) -> Result<Vec<Option<Str>>> {
    let ndim = given[0].ndim();
    let own = |x: &Given, axis: usize| match x {
        Given::Now(_) => None,
        Given::Lazy(array) => array.unknown.axis(axis).cloned(),
    };
    let mut names = Vec::with_capacity(ndim);
    for axis in 0..ndim {
        let first = own(&given[0], axis);
        match given.iter().find(|x| x.ndim() == ndim && own(x, axis) != first) {
            Some(_) if along == Some(axis) => names.push(given.iter().find_map(|x| own(x, axis))),
            Some(other) => {
                let size = |x: &Given| own(x, axis).map_or(x.shape()[axis].to_string(), |name| name.to_string());
                let (one, other) = (size(&given[0]), size(other));
                return Err(err!(
                    Shape,
                    "axes of {one} and of {other} elements meet, and a size with `?` is not known before it is computed"
                )
                .help("`(compute-chunk-sizes x)` computes the sizes of the blocks of an array"));
            }
            None => names.push(first),
        }
    }
    Ok(names)
}

/// The arrays in the dtype that was asked for, if one was.
fn in_dtype(arrays: Vec<Given>, args: &Args) -> Result<Vec<Given>> {
    let Some(dtype) = infer::dtype(args.value("dtype"))? else { return Ok(arrays) };
    // Kinds by what they hold: bools, integers, floats, complex numbers.
    let rank = |d: DType| [d == DType::Bool, d.is_integer(), d.is_float()].iter().position(|&is| is).unwrap_or(3);
    if let Some(x) = arrays.iter().find(|x| rank(x.dtype()) > rank(dtype)) {
        return Err(
            err!(Type, "{} does not become {dtype} here", x.dtype()).help("`astype` converts, whatever is lost")
        );
    }
    let cast = |x: Given| match x {
        Given::Now(block) => Ok(Given::Now(block.cast(dtype)?)),
        Given::Lazy(array) => Ok(Given::Lazy(super::choose::cast_lazy(&array, dtype, args.span).into())),
    };
    arrays.into_iter().map(cast).collect()
}

fn promoted(arrays: &[Given]) -> DType {
    DType::promote_all(arrays.iter().map(Given::dtype)).unwrap_or(DType::F64)
}

/// Where all arrays are concrete, their blocks.
fn concrete(arrays: &[Given]) -> Option<Vec<Block>> {
    let block = |x: &Given| match x {
        Given::Now(b) => Some(b.clone()),
        Given::Lazy(_) => None,
    };
    arrays.iter().map(block).collect()
}

fn concatenate(mut args: Args) -> Result<Value> {
    let span = args.span;
    let mut given = in_dtype(arrays(std::mem::take(&mut args.values[0]))?, &args)?;
    let axis = match &args.values[1] {
        Value::Nil => {
            let flat = |x: Given| match x {
                Given::Now(b) => Ok(Given::Now(b.reshape(&[b.len()]))),
                Given::Lazy(a) if a.ndim() == 1 => Ok(Given::Lazy(a)),
                Given::Lazy(a) if !a.unknown.is_none() => known(&a).map(|()| Given::Lazy(a)),
                Given::Lazy(a) => Ok(Given::Lazy(super::reshape::reshape_lazy(&a, &[a.len()], span)?.into())),
            };
            given = given.into_iter().map(flat).collect::<Result<_>>()?;
            0
        }
        axis => {
            if given[0].ndim() == 0 {
                return Err(err!(Shape, "an array of no dimensions cannot be concatenated")
                    .help("`stack` makes an axis for them"));
            }
            infer::axis(axis, given[0].ndim())?
        }
    };
    let first = given[0].shape();
    for x in &given[1..] {
        let other = x.shape();
        let fits = other.len() == first.len() && (0..first.len()).all(|a| a == axis || other[a] == first[a]);
        if !fits {
            return Err(err!(
                Shape,
                "shapes {} and {} do not fit along axis {axis}: they may differ in that axis only",
                show(&first),
                show(&other)
            ));
        }
    }
    let dtype = promoted(&given);
    let mut shape = first.clone();
    shape[axis] = given.iter().try_fold(0usize, |n, x| n.checked_add(x.shape()[axis])).unwrap_or(usize::MAX);
    infer::byte_size(&shape, dtype)?;
    if let Some(blocks) = concrete(&given) {
        return Ok(layout::concatenate(&blocks, axis)?.into());
    }
    let mut names = unknown(&given, Some(axis))?;
    let made = concatenate_lazy(given, axis, dtype, span)?;
    if names[axis].is_some() {
        let hash = Token::new("unknown").layer(&made.layer).hash();
        names[axis] = Some(Unknown::name(hash));
    }
    Ok(Value::Array(made.with_unknown(Unknown::of(names)).into()))
}

/// Lazy arrays of the given ones, cut alike along every axis but `except`.
fn aligned(given: Vec<Given>, except: Option<usize>, span: Span) -> Vec<Array> {
    let arrays: Vec<Array> = given.into_iter().map(|x| x.into_lazy(span)).collect();
    let ndim = arrays[0].ndim();
    let shared: Vec<Option<Arc<[usize]>>> = (0..ndim)
        .map(|a| {
            let cuts: Vec<&Arc<[usize]>> = arrays.iter().map(|x| x.chunks.axis(a)).collect();
            (Some(a) != except).then(|| chunking::common(&cuts))
        })
        .collect();
    let recut = |x: Array| {
        let cuts = (0..ndim).map(|a| shared[a].clone().unwrap_or_else(|| x.chunks.axis(a).clone())).collect();
        recut::recut(&x, Chunks::from_axes(cuts), span)
    };
    arrays.into_iter().map(recut).collect()
}

/// A block of a parent in the dtype of the result.
fn as_dtype(block: Task, own: DType, dtype: DType) -> Task {
    if own == dtype { block } else { call("astype", vec![block, Task::data(dtype_value(dtype))], Vec::new()) }
}

/// Arrays that differ along `axis` only, at least one of them lazy.
pub(in crate::ops) fn concatenate_lazy(given: Vec<Given>, axis: usize, dtype: DType, span: Span) -> Result<Array> {
    one_after_the_other(aligned(given, Some(axis), span), axis, dtype, span)
}

/// Arrays that are cut alike along every other axis.
fn one_after_the_other(arrays: Vec<Array>, axis: usize, dtype: DType, span: Span) -> Result<Array> {
    let along = arrays.iter().map(|x| x.chunks.axis(axis).len()).sum();
    chunking::check_blocks(
        (0..arrays[0].ndim()).map(|a| if a == axis { along } else { arrays[0].chunks.axis(a).len() }),
    )?;
    let mut parents = Parents::default();
    let mut token = Token::new("concatenate").with((axis, dtype));
    // For each block along the axis: the parent, the block of it, and its dtype.
    let mut sources: Vec<(usize, u32, DType)> = Vec::new();
    let mut cut: Vec<usize> = Vec::new();
    for x in &arrays {
        token = token.layer(&x.layer);
        if x.shape()[axis] == 0 && arrays.iter().any(|x| x.shape()[axis] > 0) {
            continue;
        }
        let parent = parents.add(&x.layer);
        let own = x.chunks.axis(axis);
        sources.extend((0..own.len() as u32).map(|block| (parent, block, x.dtype)));
        cut.extend(own.iter());
    }
    let mut cuts = arrays[0].chunks.axes().to_vec();
    cuts[axis] = cut.into();
    let plan = Plan { token, parents: parents.layers, dtype, chunks: Chunks::from_axes(cuts), cost: Cost::Free, span };
    let array = plan.per_block(move |index| {
        let (parent, block, own) = sources[index[axis] as usize];
        let mut from: SmallVec<[u32; 4]> = SmallVec::from_slice(index);
        from[axis] = block;
        (vec![BlockRef { parent, index: from }], as_dtype(Task::input(0), own, dtype))
    });
    Ok(parts::with_parts(array, move |ranges| {
        let mut start = 0;
        let mut found = Vec::new();
        for x in &arrays {
            let end = start + x.shape()[axis];
            let mut part = ranges.to_vec();
            part[axis] = within(&ranges[axis], start, end);
            if part[axis].count > 0 {
                found.push(parts::taken(x, &part, span));
            }
            start = end;
        }
        if found.is_empty() { None } else { one_after_the_other(found, axis, dtype, span).ok() }
    }))
}

/// What a range that goes forward takes of elements `start..end`, counted from there.
fn within(range: &Range, start: usize, end: usize) -> Range {
    let step = range.step.unsigned_abs();
    let before = |at: usize| at.saturating_sub(range.start).div_ceil(step).min(range.count);
    let (first, past) = (before(start), before(end));
    Range { start: (range.start + first * step).saturating_sub(start), step: range.step, count: past - first }
}

fn stack(mut args: Args) -> Result<Value> {
    let span = args.span;
    let given = in_dtype(arrays(std::mem::take(&mut args.values[0]))?, &args)?;
    let first = given[0].shape();
    if let Some(other) = given.iter().map(Given::shape).find(|s| *s != first) {
        return Err(err!(Shape, "arrays to stack have one shape, found {} and {}", show(&first), show(&other)));
    }
    let axis = infer::axis(&args.values[1], first.len() + 1)?;
    let dtype = promoted(&given);
    let mut shape = first.clone();
    shape.insert(axis, given.len());
    infer::byte_size(&shape, dtype)?;
    if let Some(blocks) = concrete(&given) {
        let blocks: Vec<Block> = blocks.iter().map(|b| b.insert_axis(axis)).collect();
        return Ok(layout::concatenate(&blocks, axis)?.into());
    }
    let mut names = unknown(&given, None)?;
    names.insert(axis, None);
    let made = side_by_side(aligned(given, None, span), axis, dtype, span);
    Ok(Value::Array(made.with_unknown(Unknown::of(names)).into()))
}

/// Arrays of one shape that are cut alike, along a new axis.
fn side_by_side(arrays: Vec<Array>, axis: usize, dtype: DType, span: Span) -> Array {
    let mut parents = Parents::default();
    let mut token = Token::new("stack").with((axis, dtype));
    let mut sources: Vec<(usize, DType)> = Vec::new();
    for x in &arrays {
        token = token.layer(&x.layer);
        sources.push((parents.add(&x.layer), x.dtype));
    }
    let mut cuts = arrays[0].chunks.axes().to_vec();
    cuts.insert(axis, vec![1; arrays.len()].into());
    let plan = Plan { token, parents: parents.layers, dtype, chunks: Chunks::from_axes(cuts), cost: Cost::Free, span };
    let array = plan.per_block(move |index| {
        let (parent, own) = sources[index[axis] as usize];
        let mut from: SmallVec<[u32; 4]> = SmallVec::from_slice(index);
        from.remove(axis);
        let wide = call("expand-dims", vec![Task::input(0), Task::data(Value::from(axis))], Vec::new());
        (vec![BlockRef { parent, index: from }], as_dtype(wide, own, dtype))
    });
    parts::with_parts(array, move |ranges| {
        let Range { start, step, count } = ranges[axis];
        let mut own = ranges.to_vec();
        own.remove(axis);
        let chosen = arrays.iter().skip(start).step_by(step.unsigned_abs()).take(count);
        let parts: Vec<Array> = chosen.map(|x| parts::taken(x, &own, span)).collect();
        if parts.is_empty() { None } else { Some(side_by_side(parts, axis, dtype, span)) }
    })
}

/// How deep lists are nested, by their first elements.
fn depth(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.first().map_or(0, |first| deep(|| depth(first))),
        _ => 0,
    }
}

fn block(mut args: Args) -> Result<Value> {
    let value = std::mem::take(&mut args.values[0]);
    let depth = depth(&value);
    if depth > 64 {
        return Err(err!(Value, "lists nested {depth} deep: an array has at most 64 axes"));
    }
    let ndim = widest(&value)?.max(depth);
    if let Some((dtype, chunks, blocks)) = grid(&value, depth, ndim)? {
        return Ok(layout::assemble(dtype, &chunks, &blocks)?.into());
    }
    let joined = join(value, depth, ndim, args.span)?;
    Ok(joined.into())
}

fn widest(value: &Value) -> Result<usize> {
    match value {
        Value::List(items) => items.iter().try_fold(0, |n, v| Ok(n.max(widest(v)?))),
        other => Ok(Given::of(other.clone())?.ndim()),
    }
}

/// The blocks of a regular grid, in row-major order, when that is what concrete nested lists are: one allocation and one copy
/// of each. It is how rechunked blocks are put together.
fn grid(value: &Value, depth: usize, ndim: usize) -> Result<Option<(DType, Chunks, Vec<Block>)>> {
    if depth != ndim {
        return Ok(None);
    }
    let mut sizes = Dims::new();
    let mut level = value;
    while let Value::List(items) = level {
        sizes.push(items.len());
        let Some(first) = items.first() else { return Ok(None) };
        level = first;
    }
    let mut blocks: Vec<Block> = Vec::new();
    if !collect(value, &sizes, &mut blocks) || blocks.iter().any(|b| b.ndim() != ndim || b.dtype() != blocks[0].dtype())
    {
        return Ok(None);
    }
    let stride = |axis: usize| sizes[axis + 1..].iter().product::<usize>();
    let cuts: Vec<Arc<[usize]>> =
        (0..ndim).map(|axis| (0..sizes[axis]).map(|i| blocks[i * stride(axis)].shape()[axis]).collect()).collect();
    let chunks = Chunks::from_axes(cuts);
    let fits = blocks.iter().enumerate().all(|(n, b)| {
        let index = crate::data::graph::unravel(n, &sizes);
        *chunks.block_shape(&index) == *b.shape()
    });
    let Some(dtype) = blocks.first().map(Block::dtype) else { return Ok(None) };
    infer::byte_size(&chunks.shape(), dtype)?;
    Ok(fits.then_some((dtype, chunks, blocks)))
}

fn collect(value: &Value, sizes: &[usize], blocks: &mut Vec<Block>) -> bool {
    match (value, sizes.split_first()) {
        (Value::List(items), Some((&n, rest))) => items.len() == n && items.iter().all(|v| collect(v, rest, blocks)),
        (Value::Block(b), None) => {
            blocks.push((**b).clone());
            true
        }
        _ => false,
    }
}

/// NumPy's rule: every array gets leading axes up to `ndim`; lists `depth` deep join along the `depth`-th axis from the end.
fn join(value: Value, depth: usize, ndim: usize, span: Span) -> Result<Given> {
    let Value::List(items) = value else {
        if depth != 0 {
            return Err(err!(Shape, "lists of arrays are nested equally deep, these are not"));
        }
        let mut shape = Given::of(value.clone())?.shape();
        while shape.len() < ndim {
            shape.insert(0, 1);
        }
        return Ok(match Given::of(value)? {
            Given::Now(b) => Given::Now(b.reshape(&shape)),
            Given::Lazy(a) => Given::Lazy(super::reshape::reshape_lazy(&a, &shape, span)?.into()),
        });
    };
    if depth == 0 {
        return Err(err!(Shape, "lists of arrays are nested equally deep, these are not"));
    }
    let parts: Vec<Given> = Arc::unwrap_or_clone(items)
        .into_vec()
        .into_iter()
        .map(|v| join(v, depth - 1, ndim, span))
        .collect::<Result<_>>()?;
    let Some(first) = parts.first().map(Given::shape) else { return Err(err!(Value, "a list of arrays is empty")) };
    let axis = ndim - depth;
    if let Some(other) = parts.iter().map(Given::shape).find(|s| (0..ndim).any(|a| a != axis && s[a] != first[a])) {
        return Err(err!(Shape, "shapes {} and {} do not fit along axis {axis}", show(&first), show(&other)));
    }
    let dtype = promoted(&parts);
    Ok(match concrete(&parts) {
        Some(blocks) => Given::Now(layout::concatenate(&blocks, axis)?),
        None => Given::Lazy(concatenate_lazy(parts, axis, dtype, span)?.into()),
    })
}
