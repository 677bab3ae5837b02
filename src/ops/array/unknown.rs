//! Arrays whose sizes depend on data: what a lazy mask takes, where something is not 0, what is distinct. Such an axis has a name, and
//! ops that need no more than equal lengths go on with it; `compute-chunk-sizes` finds the lengths.

use crate::data::{
    Args, Array, At, Axis, Block, BlockRef, Body, Chunks, Cost, DType, Dims, Input, Memory, Slice, Str, Task, Unknown,
    Value,
};
use crate::err;
use crate::kernel::elementwise::Binary;
use crate::kernel::{Reduce, elementwise, reduce};
use crate::op::chunking::{self, Bounds, show};
use crate::op::layers::{Parents, Plan, call, in_one_task, ints, joined, renamed, whole_along};
use crate::op::operand::known;
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Token, infer};
use crate::text::{Result, Span};
use std::sync::Arc;

pub static OPS: &[Op] = &[
    Op {
        usage: "(compute-chunk-sizes x)",
        doc: "A lazy array whose sizes are known: those that depend on data, as of `(x (> x 0))`, are computed, and nothing else is kept.\n\
            Its elements are computed again when they are asked for; of `(persist x)`, they are there.",
        examples: &[("(let [x (arange 6 :chunks 4)] (chunks (compute-chunk-sizes (x (> x 2)))))", "[[1 2]]")],
        see: &["known-sizes?", "compute", "persist"],
        cost: Cost::Unknown,
        kind: Kind::Array(Memory::Unknown, compute_chunk_sizes),
    },
    Op {
        usage: "(known-sizes? x)",
        doc: "Whether the sizes of all axes of an array are known: not where they depend on elements that are not computed.",
        examples: &[
            ("(let [x (arange 6 :chunks 4)] (known-sizes? (x (> x 2))))", "false"),
            ("(known-sizes? [1 2])", "true"),
        ],
        see: &["compute-chunk-sizes"],
        cost: Cost::Free,
        kind: Kind::Array(Memory::Unknown, |mut args| {
            Ok(Value::Bool(match Given::any(args.take("x"))? {
                Given::Now(_) => true,
                Given::Lazy(array) => array.unknown.is_none(),
            }))
        }),
    },
    Op {
        usage: "(reduce-some name axis & parts)",
        doc: "The least or greatest (\"min\", \"max\") of those parts along the axes that have elements there; of none of them, no element.\n\
            What `min` and `max` are made of where blocks may turn out to be empty.",
        examples: &[("(to-list (reduce-some \"min\" [0] (array [3 1]) (array [] :dtype :int64)))", "[1]")],
        see: &["min", "max"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Reduction, reduce_some),
    },
];

/// The name of the unknown number of elements that hold, in blocks of that cut, in an array that a layer makes.
fn name(layer: &Str, cut: &[usize]) -> Str {
    Unknown::name(Token::new("unknown").with(layer.as_str()).with(cut).hash())
}

/// `(x : mask)` by a lazy mask; `None` where what else the index holds is not whole.
pub(super) fn masked(x: Given, items: &[Value], span: Span) -> Result<Option<Value>> {
    let axes = |item: &Value| match item {
        Value::Array(mask) => mask.ndim(),
        Value::NewAxis | Value::Ellipsis => 0,
        _ => 1,
    };
    let used: usize = items.iter().map(axes).sum();
    let (mut axis, mut found) = (0, None);
    for item in items {
        match item {
            Value::Array(mask) if mask.dtype == DType::Bool && found.is_none() && mask.ndim() > 0 => {
                found = Some((mask.clone(), axis));
            }
            Value::Ellipsis => axis += x.ndim().saturating_sub(used),
            Value::Slice(slice) if is_whole(slice) => {}
            _ => return Ok(None),
        }
        axis += axes(item);
    }
    let Some((mask, first)) = found else { return Ok(None) };
    let (many, own) = (mask.ndim(), mask.shape());
    let shape = x.shape();
    let x = x.into_lazy(span);
    let same = |n: usize| match (x.unknown.axis(first + n), mask.unknown.axis(n)) {
        (None, None) => shape[first + n] == own[n],
        (x, mask) => x == mask,
    };
    if first + many > shape.len() || !(0..many).all(same) {
        let (mask, x) = (mask.shown_shape(), x.shown_shape());
        return Err(err!(Index, "a mask of shape {mask} does not fit an array of shape {x} from axis {first} on"));
    }
    // What holds is in row-major order, which blocks are in where all axes of the mask but the first are whole.
    let mut mask = (*mask).clone();
    let mut x = x;
    if many > 1 {
        for axis in 0..many {
            if let Some(name) = mask.unknown.axis(axis) {
                return Err(err!(
                    Shape,
                    "a mask of several axes has {name} along one of them, which is not known before it is computed"
                )
                .help("`(compute-chunk-sizes x)` computes the sizes of its blocks"));
            }
        }
        mask = whole_along(&mask, &(1..many).collect::<Vec<_>>(), span);
    }
    if mask.unknown.is_none() {
        let common = chunking::common(&[mask.chunks.axis(0), x.chunks.axis(first)]);
        let cut = |axis: usize, n: usize| if axis == 0 { common.clone() } else { [n].into() };
        let wanted = |own: &Array, from: usize| {
            let cuts = (0..own.ndim()).map(|axis| match axis.checked_sub(from).filter(|&n| n < many) {
                Some(n) => cut(n, own.shape()[axis]),
                None => own.chunks.axis(axis).clone(),
            });
            Chunks::from_axes(cuts.collect())
        };
        if x.unknown.is_none() {
            x = recut(&x, wanted(&x, first), span);
        } else if wanted(&x, first) != x.chunks {
            known(&x)?;
        }
        mask = recut(&mask, wanted(&mask, 0), span);
    }
    let behind: usize = own[1..].iter().product();
    let most: Arc<[usize]> = mask.chunks.axis(0).iter().map(|n| n.saturating_mul(behind)).collect();
    let named = name(&mask.layer.name, mask.chunks.axis(0));
    let mut cuts: Vec<Arc<[usize]>> = x.chunks.axes().to_vec();
    cuts.splice(first..first + many, [most]);
    let chunks = Chunks::from_axes(cuts);
    infer::byte_size(&chunks.shape(), x.dtype)?;
    let unknown = (0..chunks.ndim()).map(|axis| match axis {
        axis if axis == first => Some(named.clone()),
        axis if axis < first => x.unknown.axis(axis).cloned(),
        axis => x.unknown.axis(axis + many - 1).cloned(),
    });
    let unknown = Unknown::of(unknown.collect());
    let of_x = (0..x.ndim()).map(|axis| match axis {
        axis if axis <= first => Axis::Axis(axis as u8),
        axis if axis < first + many => Axis::Block(0),
        axis => Axis::Axis((axis + 1 - many) as u8),
    });
    let of_mask = (0..many).map(|axis| if axis == 0 { Axis::Axis(first as u8) } else { Axis::Block(0) });
    let mut items = vec![Task::input(0)];
    items.extend((0..first).map(|_| Task::data(Value::from(Slice::ALL))));
    items.push(Task::input(1));
    let mut parents = Parents::default();
    let inputs = vec![
        Input { parent: parents.add(&x.layer), at: At(of_x.collect()) },
        Input { parent: parents.add(&mask.layer), at: At(of_mask.collect()) },
    ];
    let plan = Plan {
        token: Token::new("slice").layer(&x.layer).layer(&mask.layer).with((first, "mask")),
        parents: parents.layers,
        dtype: x.dtype,
        chunks,
        cost: Cost::Cheap,
        span,
    };
    let body = Body::Blockwise { inputs, task: call("slice", items, Vec::new()) };
    Ok(Some(Value::Array(plan.array(body).with_unknown(unknown).into())))
}

/// Whether a slice takes all there is, however much.
fn is_whole(slice: &Slice) -> bool {
    matches!(slice.start, None | Some(0)) && slice.stop.is_none() && matches!(slice.step, None | Some(1))
}

/// Refuses an index that takes less than all of an axis of unknown size.
pub(super) fn whole_where_unknown(array: &Array, items: &[Value]) -> Result<()> {
    let used = items.iter().filter(|item| !matches!(item, Value::NewAxis | Value::Ellipsis)).count();
    let mut axis = 0;
    for item in items {
        match item {
            Value::NewAxis => continue,
            Value::Ellipsis => axis += array.ndim().saturating_sub(used),
            item => {
                let whole = matches!(item, Value::Slice(slice) if is_whole(slice));
                if let Some(name) = array.unknown.axis(axis).filter(|_| !whole) {
                    return Err(err!(
                        Shape,
                        "axis {axis} has {name} elements, a number that is not known before it is computed: only `:` takes of it"
                    )
                    .help("`(compute-chunk-sizes x)` computes the sizes of its blocks, `(compute x)` all of it"));
                }
                axis += 1;
            }
        }
    }
    Ok(())
}

/// The array turned round along these axes: blocks from the last to the first, each turned round itself.
pub(super) fn flipped(array: &Array, axes: &[usize], span: Span) -> Array {
    let turned = |axis: usize| axes.contains(&axis);
    let cut = |axis: usize| match turned(axis) {
        true => array.chunks.axis(axis).iter().rev().copied().collect(),
        false => array.chunks.axis(axis).clone(),
    };
    let grid = array.chunks.grid();
    // A single block is as long as it was; of several, the first is as long as the last one was.
    let mut items = vec![Task::input(0)];
    let back = Slice { start: None, stop: None, step: Some(-1) };
    items.extend((0..array.ndim()).map(|axis| Task::data(Value::from(if turned(axis) { back } else { Slice::ALL }))));
    let task = call("slice", items, Vec::new());
    let plan = Plan {
        token: Token::new("flip").layer(&array.layer).with(axes),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::from_axes((0..array.ndim()).map(cut).collect()),
        cost: Cost::Cheap,
        span,
    };
    let unknown = renamed(array, Token::new("flip"), |axis| turned(axis) && grid[axis] > 1);
    let axes = Dims::from_slice(axes);
    let made = plan.per_block(move |index| {
        let at = |(axis, &block): (usize, &u32)| match axes.contains(&axis) {
            true => grid[axis] as u32 - 1 - block,
            false => block,
        };
        (vec![BlockRef { parent: 0, index: index.iter().enumerate().map(at).collect() }], task.clone())
    });
    made.with_unknown(unknown)
}

/// Where the blocks of an array begin along its first axis, which is whole along the others: one number in a block.
fn starts(array: &Array, span: Span) -> Result<Arc<Array>> {
    let shape = call("array", vec![call("shape", vec![Task::input(0)], Vec::new())], Vec::new());
    let first = Task::data(Value::from(Slice::new(0, 1)));
    let plan = Plan {
        token: Token::new("lengths").layer(&array.layer),
        parents: vec![array.layer.clone()],
        dtype: DType::I64,
        chunks: Chunks::new(vec![vec![1; array.chunks.axis(0).len()]]),
        cost: Cost::Cheap,
        span,
    };
    let at = At((0..array.ndim()).map(|axis| if axis == 0 { Axis::Axis(0) } else { Axis::Block(0) }).collect());
    let inputs = vec![Input { parent: 0, at }];
    let lengths = plan.array(Body::Blockwise { inputs, task: call("slice", vec![shape, first], Vec::new()) });
    let ends = super::scans::sums(&lengths, 0, span);
    let [ends, lengths] = [ends, lengths].map(|array| Value::Array(array.into()));
    match super::elementwise::apply_binary(Binary::Subtract, ends, lengths, span)? {
        Value::Array(starts) => Ok(starts),
        _ => Err(err!(Internal, "what is made of lazy arrays is lazy")),
    }
}

/// Where elements of a lazy array are not 0, an array for each axis.
pub(super) fn nonzero(array: &Array, span: Span) -> Result<Value> {
    if array.ndim() == 0 {
        return Err(err!(Value, "an array of no dimensions has no indices").help("`atleast-1d` gives it an axis"));
    }
    let array = whole_along(array, &(1..array.ndim()).collect::<Vec<_>>(), span);
    let array = match array.chunks.axes()[1..].iter().all(|cut| cut.len() == 1) {
        true => array,
        false => return Err(err!(Internal, "the axes are whole")),
    };
    let behind: usize = array.shape()[1..].iter().product();
    let cut = array.chunks.axis(0).clone();
    let most: Arc<[usize]> = cut.iter().map(|n| n.saturating_mul(behind)).collect();
    let chunks = Chunks::from_axes(vec![most]);
    infer::byte_size(&chunks.shape(), DType::I64)?;
    let unknown = Unknown::one(0, 1, name(&array.layer.name, &cut));
    let at = At((0..array.ndim()).map(|axis| if axis == 0 { Axis::Axis(0) } else { Axis::Block(0) }).collect());
    let starts = array.unknown.axis(0).map(|_| starts(&array, span)).transpose()?;
    let along = |axis: usize| {
        let found = call("nonzero", vec![Task::input(0)], Vec::new());
        let own = call("get", vec![found, Task::data(Value::from(axis))], Vec::new());
        let (mut parents, mut inputs) = (vec![array.layer.clone()], vec![Input { parent: 0, at: at.clone() }]);
        let bounds = Bounds::of(&array.chunks);
        // Blocks count from their own beginnings.
        let task = match (axis, &starts) {
            (0, Some(starts)) => {
                parents.push(starts.layer.clone());
                inputs.push(Input { parent: 1, at: At::same(1) });
                call("add", vec![own, Task::input(1)], Vec::new())
            }
            (0, None) => {
                call("add", vec![own, Task::index(move |index| Value::from(bounds.start(0, index[0])))], Vec::new())
            }
            _ => own,
        };
        let plan = Plan {
            token: Token::new("nonzero").layer(&array.layer).with(axis),
            parents,
            dtype: DType::I64,
            chunks: chunks.clone(),
            cost: Cost::Dear,
            span,
        };
        let body = Body::Blockwise { inputs, task };
        Value::Array(plan.array(body).with_unknown(unknown.clone()).into())
    };
    Ok(Value::list((0..array.ndim()).map(along).collect()))
}

/// The distinct elements of a lazy array, and what else is asked for of them by those names; each is in one block.
pub(super) fn unique(array: &Array, asked: &[&'static str], span: Span) -> Value {
    let (whole, at) = match array.unknown.is_none() {
        true => (
            recut(array, Chunks::whole(&array.shape()), span).layer,
            At((0..array.ndim()).map(|_| Axis::Block(0)).collect()),
        ),
        false => (joined(array, span), At::same(0)),
    };
    let keywords: Vec<(&str, Task)> = asked.iter().map(|&name| (name, Task::data(Value::Bool(true)))).collect();
    let found = call("unique", vec![Task::input(0)], keywords);
    let token = Token::new("unique").task(&found).layer(&whole);
    let named = name(&Token::new("unique").layer(&whole).name(), &[array.len()]);
    let one = |n: usize, dtype: DType, shape: &[usize]| {
        let task = match asked {
            [] => found.clone(),
            _ => call("get", vec![found.clone(), Task::data(Value::from(n))], Vec::new()),
        };
        let plan = Plan {
            token: token.clone().with(n),
            parents: vec![whole.clone()],
            dtype,
            chunks: Chunks::whole(shape),
            cost: Cost::Dear,
            span,
        };
        plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at: at.clone() }], task })
    };
    let flat = [array.len()];
    let mut all = vec![one(0, array.dtype, &flat).with_unknown(Unknown::one(0, 1, named.clone()))];
    for (n, &asked) in asked.iter().enumerate() {
        // For each element which of them it is, in the array's shape.
        let named = match (asked, array.ndim()) {
            ("return-inverse", _) if array.unknown.is_none() => None,
            ("return-inverse", 1) => array.unknown.axis(0).filter(|_| array.chunks.axis(0).len() == 1).cloned(),
            ("return-inverse", _) => Some(name(&whole.name, &[array.len()])),
            _ => Some(named.clone()),
        };
        let named = named.or_else(|| (!array.unknown.is_none()).then(|| name(&whole.name, &[array.len()])));
        let own = array.shape();
        let made = one(n + 1, DType::I64, if asked == "return-inverse" && named.is_none() { &own } else { &flat });
        all.push(match named {
            Some(named) => made.with_unknown(Unknown::one(0, 1, named)),
            None => made,
        });
    }
    let mut all: Vec<Value> = all.into_iter().map(|array| Value::Array(array.into())).collect();
    if all.len() == 1 { all.swap_remove(0) } else { Value::list(all) }
}

/// The sizes of all blocks, computed; the same blocks as an array that says so.
fn compute_chunk_sizes(mut args: Args) -> Result<Value> {
    let span = args.span;
    let array = match Given::any(args.take("x"))? {
        Given::Now(block) => return Ok(block.into()),
        Given::Lazy(array) if array.unknown.is_none() => return Ok(Value::Array(array)),
        Given::Lazy(array) => array,
    };
    let (ndim, grid) = (array.ndim(), array.chunks.grid());
    // Of each block its shape, along a new last axis.
    let lengths = call("array", vec![call("shape", vec![Task::input(0)], Vec::new())], Vec::new());
    let shape: Dims = std::iter::repeat_n(1, ndim).chain([ndim]).collect();
    let task = call("reshape", vec![lengths, Task::data(ints(&shape))], Vec::new());
    let mut cuts: Vec<Arc<[usize]>> = grid.iter().map(|&blocks| vec![1; blocks].into()).collect();
    cuts.push([ndim].into());
    let plan = Plan {
        token: Token::new("block-shapes").layer(&array.layer),
        parents: vec![array.layer.clone()],
        dtype: DType::I64,
        chunks: Chunks::from_axes(cuts),
        cost: Cost::Cheap,
        span,
    };
    let shapes = plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at: At::same(ndim) }], task });
    let computed = args.host.compute(&[Value::Array(shapes.into())], span)?.into_iter().next().unwrap_or_default();
    let shapes = match Given::of(computed)? {
        Given::Now(block) => block.contiguous(),
        Given::Lazy(_) => return Err(err!(Internal, "the shapes of blocks are computed")),
    };
    let shapes = shapes.as_slice::<i64>().unwrap_or_default();
    let mut found: Vec<Vec<usize>> = grid.iter().map(|&blocks| vec![usize::MAX; blocks]).collect();
    for (n, shape) in shapes.chunks_exact(ndim.max(1)).enumerate() {
        let at = crate::data::graph::unravel(n, &grid);
        for axis in 0..ndim {
            let (len, place) = (shape[axis] as usize, &mut found[axis][at[axis] as usize]);
            if *place != usize::MAX && *place != len {
                return Err(err!(Shape, "blocks side by side have {} and {len} elements along axis {axis}", *place));
            }
            *place = len;
        }
    }
    let plan = Plan {
        token: Token::new("known").layer(&array.layer),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::new(found),
        cost: Cost::Free,
        span,
    };
    let inputs = vec![Input { parent: 0, at: At::same(ndim) }];
    Ok(Value::Array(plan.array(Body::Blockwise { inputs, task: Task::input(0) }).into()))
}

fn reduce_some(args: Args) -> Result<Value> {
    let op = match args.name("name")?.as_str() {
        "min" => Reduce::Min,
        "max" => Reduce::Max,
        other => return Err(err!(Value, "of blocks that may be empty there is a min and a max, not a {other:?}")),
    };
    let mut best: Option<Block> = None;
    let mut empty = None;
    for part in args.rest {
        let part = match Given::of(part)? {
            Given::Now(part) => part,
            // One element along the axes at most.
            Given::Lazy(array) => {
                let mut shape = array.shape();
                for axis in infer::axes(&args.values[1], shape.len())?.unwrap_or_default() {
                    shape[axis] = 1;
                }
                let token = Token::new("reduce-some").layer(&array.layer);
                let axis = Task::data(args.values[1].clone());
                let task = call("reduce-some", vec![Task::data(op.name()), axis, Task::input(0)], Vec::new());
                let made = in_one_task(&[(*array).clone()], token, array.dtype, &shape, Cost::Cheap, args.span, task);
                return Ok(Value::Array(made.into()));
            }
        };
        let axes = infer::axes(&args.values[1], part.ndim())?.unwrap_or_default();
        if axes.iter().any(|&axis| part.shape()[axis] == 0) {
            empty = Some(part);
            continue;
        }
        let one = reduce::reduce(op, &part, &axes, None)?;
        best = Some(match best {
            None => one,
            Some(best) => {
                let op = if op == Reduce::Min { Binary::Minimum } else { Binary::Maximum };
                elementwise::binary(op, best, one)?
            }
        });
    }
    let found = best.or(empty).ok_or_else(|| err!(Value, "there are no parts of shape {}", show(&[])))?;
    Ok(found.into())
}
