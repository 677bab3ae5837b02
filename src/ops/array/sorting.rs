//! Order: `argsort`, quantiles along an axis, and what is looked up in sorted arrays. `sort` is beside that of lists, in
//! `ops/core/group.rs`.

use super::{sorted_blocks, threads};
use crate::data::graph::unravel;
use crate::data::slice::Range;
use crate::data::{Args, Array, At, Axis, Block, BlockRef, Body, Chunks, Cost, DType, Input, Memory, Task, Value};
use crate::err;
use crate::kernel::create::from_value;
use crate::kernel::layout;
use crate::kernel::sort::{self, Method};
use crate::op::chunking::{common, show};
use crate::op::indexing::{Index, Step, Take};
use crate::op::layers::{Parents, Plan, along, call, ints, renamed, whole_along};
use crate::op::operand::known;
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Token, infer};
use crate::text::{Result, Span};

pub static OPS: &[Op] = &[
    Op {
        usage: "(sort-along x :axis -1)",
        doc: "An array sorted along an axis, smallest first and `nan` last; the flattened array where it is nil.\nWhat `sort` makes \
            of arrays. A lazy array of one axis is sorted block by block, however large it is, and keeps its blocks; so is any lazy array where the axis \
            is nil. One of several axes, of complex numbers, or of unknown sizes is rechunked, so that the axis is whole in a block.",
        examples: &[
            ("(to-list (sort-along [[2 1] [0 3]]))", "[[1 2] [0 3]]"),
            ("(numblocks (sort-along (random/random 1000000 :chunks 100000)))", "[10]"),
        ],
        see: &["sort", "argsort"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |mut args| {
            let x = Given::any(args.take("x"))?;
            sort_array(x, args.value("axis"), threads(&args), args.span)
        }),
    },
    Op {
        usage: "(topk-along x k :axis -1)",
        doc: "The k largest along an axis, the largest first; for a negative k the smallest, the smallest first.\nWhat `topk` makes of \
            arrays. Blocks of a lazy array are gone through by themselves first.",
        examples: &[("(to-list (topk-along [1 5 2] 2))", "[5 2]")],
        see: &["topk", "argtopk"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |mut args| {
            let x = Given::any(args.take("x"))?;
            topk(x, args.int("k")?, args.value("axis"), threads(&args), args.span)
        }),
    },
    Op {
        usage: "(argsort x :axis -1 :descending false :stable true :kind nil)",
        doc: "The indices that would sort along an axis; along the flattened array where it is nil.\nWith `:descending true` the largest \
            comes first, and `nan` before it, as in the sorted array turned over. Equal elements stay in their order, as `:stable` says. A lazy array is rechunked, so that the axis is whole in a block.",
        examples: &[("(to-list (argsort [30 10 20]))", "[1 2 0]")],
        see: &["sort", "argmin", "argmax"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, argsort),
    },
    Op {
        usage: "(partition-along x kth :axis -1)",
        doc: "An array in which the k-th element along an axis is the one that sorting puts there, smaller ones before it and larger ones \
            behind, in any order; along the flattened array where it is nil.\nWhat `partition` makes of arrays. `kth` may be a \
            list. A lazy array is rechunked, so that the axis is whole in a block.",
        examples: &[("((partition-along [5 1 4 2] 2) 2)", "4")],
        see: &["partition", "argpartition", "sort"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |mut args| {
            let x = Given::of(args.take("x"))?;
            partition_array(x, args.value("kth"), args.value("axis"), args.span)
        }),
    },
    Op {
        usage: "(argpartition x kth :axis -1)",
        doc: "The indices that would partition along an axis: at the k-th place the index of the element that sorting puts there, before it \
            those of smaller ones, behind it those of larger ones; along the flattened array where it is nil.\n`kth` may be \
            a list. A lazy array is rechunked, so that the axis is whole in a block.",
        examples: &[("((argpartition [50 10 40 20] 2) 2)", "2")],
        see: &["partition", "argsort", "argtopk"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |mut args| {
            let x = Given::of(args.take("x"))?;
            partitioned(x, args.value("kth"), args.value("axis"), args.span, true)
        }),
    },
    Op {
        usage: "(quantiles-along x qs :axis -1 :method \"linear\" :skip-nan false)",
        doc: "Quantiles along an axis, or of all elements where it is nil; the axis has one place for each of the list `qs` in the result.\nWhat `quantile`, \
            `percentile` and `median` are made of; the methods are those of `quantile`. Those of a lazy array of one axis, or of all elements, \
            are found block by block, however large it is; else it is rechunked, so that the axis is whole in a block.",
        examples: &[
            ("(to-list (quantiles-along [1 2 3 4 5] [0.25 0.5]))", "[2.0 3.0]"),
            (
                "(to-list (compute (quantiles-along (arange 1000001 :chunks 100000) [0.1 0.5] :axis nil)))",
                "[100000.0 500000.0]",
            ),
        ],
        see: &["quantile", "percentile", "median"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, quantiles),
    },
    Op {
        usage: "(searchsorted a v :side \"left\" :sorter nil)",
        doc: "Where elements of v would go into the sorted a so that it stays sorted: before equal ones, or with `:side \
            \"right\"` behind them.\n`:sorter` are the indices that would sort a, where it is not sorted. v may be in blocks; a is one axis, and is taken as a whole. Errors: `dsk::shape`, `dsk::value`.",
        examples: &[
            ("(to-list (searchsorted [1 2 2 5] [2 0 9]))", "[1 0 4]"),
            ("(searchsorted [1 2 2 5] 2 :side \"right\")", "3"),
        ],
        see: &["digitize", "isin", "sort"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Copies, searchsorted),
    },
    Op {
        usage: "(gather-along x indices axis)",
        doc: "For each place the element of x that the index there names along an axis: x and the indices have the same sizes along the \
            others.\nWhat `take-along-axis` is made of. Errors: `dsk::index`, `dsk::shape`.",
        examples: &[("(to-list (gather-along [[1 2] [3 4]] [[1] [0]] 1))", "[[2] [3]]")],
        see: &["take-along-axis", "take"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Copies, gather_along),
    },
    Op {
        usage: "(isin x test-elements :invert false)",
        doc: "Whether each element of x is among the test elements, which are taken as a whole; with `:invert true` whether it is not.\n\
            `nan` is never among them.",
        examples: &[("(to-list (isin [1 2 3] [3 1]))", "[true false true]")],
        see: &["searchsorted", "unique"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Copies, isin),
    },
];

/// Looks at NumPy's `:kind`, which says how to sort. The order of what is sorted is the same for all.
pub fn check_kind(args: &Args) -> Result<()> {
    const KINDS: &[&str] = &["quicksort", "mergesort", "heapsort", "stable"];
    match args.name_or_nil("kind")? {
        Some(kind) if !KINDS.contains(&kind.as_str()) => {
            Err(err!(Value, "`:kind` is one of {}, found {kind:?}", KINDS.join(", ")))
        }
        _ => Ok(()),
    }
}

/// An array sorted along an axis, that of the flattened one for nil.
pub fn sort_array(x: Given, axis: &Value, threads: usize, span: Span) -> Result<Value> {
    ordered(x, axis, span, Order::Elements { threads })
}

/// An array partitioned along an axis, that of the flattened one for nil.
pub fn partition_array(x: Given, kth: &Value, axis: &Value, span: Span) -> Result<Value> {
    partitioned(x, kth, axis, span, false)
}

fn partitioned(x: Given, kth: &Value, axis: &Value, span: Span, indices: bool) -> Result<Value> {
    let (x, axis) = match axis {
        Value::Nil => (flattened(x, span)?, 0),
        axis => {
            let axis = infer::axis(axis, x.ndim())?;
            (x, axis)
        }
    };
    let len = x.shape()[axis];
    let place = |value: &Value| {
        let k = value
            .as_int()
            .ok_or_else(|| err!(Type, "`kth` is an integer or a list of them, found {}", value.a_type_name()))?;
        let at = if k < 0 { k.saturating_add(len as i64) } else { k };
        let at = usize::try_from(at).ok().filter(|&at| at < len);
        at.ok_or_else(|| err!(Value, "`kth` is {k}, which is out of bounds for an axis of {len} elements"))
    };
    let mut places = match kth {
        Value::List(items) => items.iter().map(place).collect::<Result<Vec<_>>>()?,
        Value::Block(block) if block.ndim() == 1 => block.parts().iter().map(place).collect::<Result<_>>()?,
        one => vec![place(one)?],
    };
    places.sort_unstable();
    places.dedup();
    let name = if indices { "argpartition" } else { "partition-along" };
    match x {
        Given::Now(block) if indices => Ok(sort::argpartition(&block, axis, &places)?.into()),
        Given::Now(block) => Ok(sort::partition(&block, axis, &places)?.into()),
        Given::Lazy(array) => {
            let items = vec![Task::input(0), Task::data(ints(&places))];
            let task = call(name, items, vec![("axis", Task::data(Value::Int(axis as i64)))]);
            let dtype = if indices { DType::I64 } else { array.dtype };
            let token = Token::new(name).task(&task);
            Ok(Value::Array(along(&array, &[axis], token, dtype, &[], span, task).into()))
        }
    }
}

fn argsort(mut args: Args) -> Result<Value> {
    let x = Given::any(args.take("x"))?;
    check_kind(&args)?;
    let (descending, _) = (args.bool("descending")?, args.bool("stable")?);
    ordered(x, args.value("axis"), args.span, Order::Places { descending })
}

/// What goes by the order along an axis.
enum Order {
    Elements { threads: usize },
    Places { descending: bool },
}

impl Order {
    fn of_block(&self, block: &Block, axis: usize) -> Result<Block> {
        match *self {
            Order::Elements { threads } => sort::sort(block, axis, threads),
            Order::Places { descending: false } => sort::argsort(block, axis),
            Order::Places { descending: true } => sort::argsort_descending(block, axis),
        }
    }
}

fn ordered(x: Given, axis: &Value, span: Span, order: Order) -> Result<Value> {
    let (x, axis) = match (axis, &order) {
        (Value::Nil, Order::Elements { .. }) if x.ndim() > 0 => (in_any_order(x, span)?, 0),
        (Value::Nil, _) => (flattened(x, span)?, 0),
        (axis, _) => {
            let axis = infer::axis(axis, x.ndim())?;
            (x, axis)
        }
    };
    match x {
        Given::Now(block) => Ok(order.of_block(&block, axis)?.into()),
        Given::Lazy(array) => {
            if let (Order::Elements { .. }, Some(blocks)) = (&order, in_blocks(&array)) {
                return Ok(Value::Array(sorted_blocks::sorted(&array, blocks, span).into()));
            }
            let mut keywords = vec![("axis", Task::data(Value::Int(axis as i64)))];
            let (name, dtype, descending) = match order {
                Order::Elements { .. } => ("sort-along", array.dtype, false),
                Order::Places { descending } => ("argsort", DType::I64, descending),
            };
            if descending {
                keywords.push(("descending", Task::data(Value::Bool(true))));
            }
            let task = call(name, vec![Task::input(0)], keywords);
            Ok(Value::Array(along(&array, &[axis], Token::new(name).with(descending), dtype, &[], span, task).into()))
        }
    }
}

/// How an array is sorted block by block, if it can be: which elements a block takes is worked out from sizes.
fn in_blocks(array: &Array) -> Option<Vec<usize>> {
    if array.unknown.is_none() { sorted_blocks::in_blocks(array) } else { None }
}

/// The elements along one axis, those of each block of a lazy array together.
fn in_any_order(x: Given, span: Span) -> Result<Given> {
    let array = match x {
        Given::Now(block) => return Ok(Given::Now(block.reshape(&[block.len()]))),
        Given::Lazy(array) if array.ndim() == 1 => return Ok(Given::Lazy(array)),
        Given::Lazy(array) => array,
    };
    known(&array)?;
    let grid = array.chunks.grid();
    let count = array.chunks.block_count();
    let length = |n: usize| array.chunks.block_shape(&unravel(n, &grid)).iter().product::<usize>();
    let lengths: Vec<usize> = (0..count).map(length).collect();
    let plan = Plan {
        token: Token::new("flat").layer(&array.layer),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::new(vec![lengths.clone()]),
        cost: Cost::Free,
        span,
    };
    let flat = plan.per_block(move |index| {
        let at = index[0] as usize;
        let shape = Task::data(ints(&[lengths[at]]));
        let block = BlockRef { parent: 0, index: unravel(at, &grid) };
        (vec![block], call("reshape", vec![Task::input(0), shape], Vec::new()))
    });
    Ok(Given::Lazy(flat.into()))
}

fn flattened(x: Given, span: Span) -> Result<Given> {
    Ok(match x {
        Given::Now(block) => Given::Now(block.reshape(&[block.len()])),
        Given::Lazy(array) if array.ndim() == 1 => Given::Lazy(array),
        Given::Lazy(array) => {
            known(&array)?;
            Given::Lazy(super::reshape::reshape_lazy(&array, &[array.len()], span)?.into())
        }
    })
}

/// Numbers from 0 to 1.
pub(super) fn parts_of_one(qs: &Value) -> Result<Vec<f64>> {
    let qs = from_value(qs, Some(DType::F64))?;
    let qs: Vec<f64> = qs.view::<f64>().iter().copied().collect();
    match qs.iter().find(|q| !(0.0..=1.0).contains(*q)) {
        Some(q) => Err(err!(Value, "a quantile is from 0 to 1, found {q}").help("a percentile is from 0 to 100")),
        None => Ok(qs),
    }
}

/// The method of taking quantiles that has this name.
pub(super) fn method(name: &str) -> Result<Method> {
    Method::parse(name).ok_or_else(|| {
        err!(Value, "there is no method `{name}` of taking quantiles").help(
            "methods are linear, lower, higher, midpoint, nearest, median-unbiased, normal-unbiased, hazen, weibull, inverted-cdf, \
             averaged-inverted-cdf, closest-observation and interpolated-inverted-cdf",
        )
    })
}

fn quantiles(mut args: Args) -> Result<Value> {
    let x = Given::any(args.take("x"))?;
    let (x, axis) = match args.value("axis") {
        Value::Nil => (in_any_order(x, args.span)?, 0),
        axis => {
            let axis = infer::axis(axis, x.ndim())?;
            (x, axis)
        }
    };
    let qs = parts_of_one(args.value("qs"))?;
    let method = method(&args.name("method")?)?;
    let skip_nan = args.bool("skip-nan")?;
    if x.dtype().is_complex() && method != Method::Median {
        return Err(err!(Type, "complex numbers have no quantiles: they are in no order"));
    }
    // Also of no bools at all: whether there are any may not be known before they are computed.
    if x.dtype() == DType::Bool && method != Method::Median && !method.is_element() {
        return Err(
            err!(Type, "nothing lies between false and true").help("`(astype x :float64)` makes numbers of bools")
        );
    }
    let shape = x.shape();
    let told = (0..shape.len()).all(|a| x.unknown(a).is_none());
    if told && shape[axis] == 0 {
        sort::check_nothing(x.dtype(), &qs, method, skip_nan)?;
    }
    match x {
        Given::Now(block) => Ok(sort::quantiles(&block, axis, &qs, (method, skip_nan), threads(&args))?.into()),
        Given::Lazy(array) => {
            if let Some(blocks) = in_blocks(&array).filter(|_| !qs.is_empty() && !array.dtype.is_complex()) {
                let (how, name) = ((method, skip_nan), args.value("method"));
                let array = sorted_blocks::quantiles(&array, blocks, &qs, how, name, args.span);
                return Ok(Value::Array(array.into()));
            }
            let keywords = ["axis", "method", "skip-nan"].map(|name| {
                let value = if name == "axis" { Value::Int(axis as i64) } else { args.value(name).clone() };
                (name, Task::data(value))
            });
            let list = Task::data(Value::list(qs.iter().copied().map(Value::Float).collect()));
            let task = call("quantiles-along", vec![Task::input(0), list], keywords.to_vec());
            let dtype = sort::quantile_dtype(array.dtype, method);
            let token = Token::new("quantiles-along").task(&task);
            Ok(Value::Array(along(&array, &[axis], token, dtype, &[(axis, qs.len())], args.span, task).into()))
        }
    }
}

/// An op on every element of x that looks at a whole table. It is called with a block of x and the table in the places `x` and `table`
/// of the task.
fn looked_up(
    x: &Array,
    table: Given,
    name: &'static str,
    dtype: DType,
    span: Span,
    task: impl Fn(Task, Task) -> Task,
) -> Array {
    let mut parents = Parents::default();
    let mut inputs = vec![Input { parent: parents.add(&x.layer), at: At::same(x.ndim()) }];
    let mut token = Token::new(name).layer(&x.layer);
    let table = match table {
        Given::Now(block) => Task::data(Value::from(block)),
        Given::Lazy(array) => {
            let array = whole_along(&array, &(0..array.ndim()).collect::<Vec<_>>(), span);
            token = token.layer(&array.layer);
            let at = At((0..array.ndim()).map(|_| Axis::Block(0)).collect());
            inputs.push(Input { parent: parents.add(&array.layer), at });
            Task::input(1)
        }
    };
    let task = task(Task::input(0), table);
    let plan = Plan {
        token: token.task(&task),
        parents: parents.layers,
        dtype,
        chunks: x.chunks.clone(),
        cost: Cost::Cheap,
        span,
    };
    plan.array(Body::Blockwise { inputs, task }).with_unknown(x.unknown.clone())
}

fn searchsorted(mut args: Args) -> Result<Value> {
    let side = args.name("side")?;
    let behind = match side.as_str() {
        "left" => false,
        "right" => true,
        other => return Err(err!(Value, "`:side` is \"left\" or \"right\", found {other:?}")),
    };
    if matches!(args.value("a"), Value::Array(_)) && !args.is_nil("sorter") || args.value("sorter").is_lazy() {
        return args.host.delay(&args);
    }
    let (mut lane, values) = (Given::any(args.take("a"))?, args.take("v"));
    if !args.is_nil("sorter") {
        let order = from_value(args.value("sorter"), Some(DType::I64))?.contiguous();
        let order = order.as_slice::<i64>().unwrap_or_default();
        if lane.ndim() != 1 || order.len() != lane.shape()[0] {
            return Err(err!(Value, "`:sorter` has an index for each element of what is searched"));
        }
        if let Given::Now(block) = &lane {
            lane = Given::Now(layout::take(block, 0, order)?);
        }
    }
    let plain = values.number_kind().is_some();
    let values = Given::any(values)?;
    if lane.ndim() != 1 {
        return Err(err!(Shape, "what is searched has one axis, found {}", lane.ndim()));
    }
    let span = args.span;
    Ok(match (lane, values) {
        (Given::Now(lane), Given::Now(values)) => {
            let found = Value::from(sort::search(&lane, &values, behind)?);
            if plain { found.plain() } else { found }
        }
        (lane, values) => {
            let values = values.into_lazy(span);
            let array = looked_up(&values, lane, "searchsorted", DType::I64, span, |values, lane| {
                call("searchsorted", vec![lane, values], vec![("side", Task::data(Value::str(side.clone())))])
            });
            Value::Array(array.into())
        }
    })
}

fn gather_along(mut args: Args) -> Result<Value> {
    let (x, indices) = (Given::of(args.take("x"))?, Given::of(args.take("indices"))?);
    let axis = infer::axis(args.value("axis"), x.ndim())?;
    let (mut own, mut other) = (x.shape(), indices.shape());
    if !indices.dtype().is_integer() {
        return Err(err!(Type, "indices are integers, found {}", indices.dtype()));
    }
    if own.len() == other.len() {
        (own[axis], other[axis]) = (0, 0);
    }
    if own != other {
        let (x, indices) = (show(&x.shape()), show(&indices.shape()));
        return Err(err!(
            Shape,
            "indices are as many as there are elements along the other axes, found {indices} for {x}"
        ));
    }
    let (x, indices) = match (x, indices) {
        (Given::Now(x), Given::Now(indices)) => return Ok(layout::take_along(&x, &indices, axis)?.into()),
        (x, indices) => (x.into_lazy(args.span), indices.into_lazy(args.span)),
    };
    // Cut alike along the other axes, as both can be, and x whole along this one.
    let x = whole_along(&x, &[axis], args.span);
    let both = |a: usize| common(&[x.chunks.axis(a), indices.chunks.axis(a)]);
    let cut = |of: &Array| {
        let along = |a: usize| if a == axis { of.chunks.axis(a).clone() } else { both(a) };
        Chunks::from_axes((0..of.ndim()).map(along).collect())
    };
    let (x, indices) = (recut(&x, cut(&x), args.span), recut(&indices, cut(&indices), args.span));
    let mut parents = Parents::default();
    let mut at = At::same(x.ndim());
    at.0[axis] = Axis::Block(0);
    let inputs = vec![
        Input { parent: parents.add(&x.layer), at },
        Input { parent: parents.add(&indices.layer), at: At::same(indices.ndim()) },
    ];
    let task = call("gather-along", vec![Task::input(0), Task::input(1), Task::data(axis)], Vec::new());
    let plan = Plan {
        token: Token::new("gather-along").layer(&x.layer).layer(&indices.layer).with(axis),
        parents: parents.layers,
        dtype: x.dtype,
        chunks: indices.chunks.clone(),
        cost: Cost::Cheap,
        span: args.span,
    };
    Ok(Value::Array(plan.array(Body::Blockwise { inputs, task }).into()))
}

fn isin(mut args: Args) -> Result<Value> {
    let invert = args.bool("invert")?;
    let (x, span) = (args.take("x"), args.span);
    let plain = x.number_kind().is_some();
    let (x, values) = (Given::any(x)?, flattened(Given::any(args.take("test-elements"))?, span)?);
    match (x, values) {
        (Given::Now(x), Given::Now(values)) => {
            let dtype = x.dtype().promote(values.dtype());
            let found = sort::among(&x.cast(dtype)?, &sort::sort(&values.cast(dtype)?, 0, threads(&args))?, invert)?;
            Ok(if plain { Value::from(found).plain() } else { found.into() })
        }
        (x, values) => {
            let x = x.into_lazy(span);
            let array = looked_up(&x, values, "isin", DType::Bool, span, |x, values| {
                call("isin", vec![x, values], vec![("invert", Task::data(Value::Bool(invert)))])
            });
            Ok(Value::Array(array.into()))
        }
    }
}

/// The k largest along an axis, the largest first; for a negative k the smallest, the smallest first. Blocks are sorted by themselves
/// before what is left of them is sorted together.
pub fn topk(x: Given, k: i64, axis: &Value, threads: usize, span: Span) -> Result<Value> {
    let axis = infer::axis(axis, x.ndim())?;
    let count = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX);
    let best = |sorted: Value| -> Result<Value> {
        let sorted = if k < 0 { sorted } else { super::slice::flipped(sorted, axis, span)? };
        let x = Given::of(sorted)?;
        let range =
            |(a, &n): (usize, &usize)| Range { start: 0, step: 1, count: if a == axis { n.min(count) } else { n } };
        let index =
            Index(x.shape().iter().enumerate().map(range).map(|range| Step::Axis(Take::Range(range))).collect());
        Ok(match x {
            Given::Now(block) => index.of_block(&block)?.into(),
            Given::Lazy(array) => Value::Array(index.of_array(&array, span).into()),
        })
    };
    match x {
        Given::Lazy(array) if !array.unknown.is_none() => {
            let few = whole_along(&ends_of_blocks(&array, k, axis, span), &[axis], span);
            Ok(Value::Array(ends_of_blocks(&few, k, axis, span).into()))
        }
        Given::Lazy(array)
            if array.chunks.axis(axis).iter().any(|&n| n > count) && array.chunks.axis(axis).len() > 1 =>
        {
            let few = ends_of_blocks(&array, k, axis, span);
            best(sort_array(Given::Lazy(few.into()), &Value::Int(axis as i64), threads, span)?)
        }
        Given::Now(block) => best(sort::ends(&block, axis, count.min(block.shape()[axis]), k > 0, threads)?.into()),
        x => best(sort_array(x, &Value::Int(axis as i64), threads, span)?),
    }
}

/// The ends of each block, along an axis; as many as there are of a block that has fewer.
fn ends_of_blocks(array: &Array, k: i64, axis: usize, span: Span) -> Array {
    let count = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX);
    let items = vec![Task::input(0), Task::data(Value::Int(k))];
    let task = call("topk-along", items, vec![("axis", Task::data(Value::Int(axis as i64)))]);
    let mut cuts = array.chunks.axes().to_vec();
    cuts[axis] = cuts[axis].iter().map(|&n| n.min(count)).collect();
    let unknown = renamed(array, Token::new("topk").with(count), |a| a == axis);
    let plan = Plan {
        token: Token::new("topk").layer(&array.layer).task(&task),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::from_axes(cuts),
        cost: Cost::Dear,
        span,
    };
    let inputs = vec![Input { parent: 0, at: At::same(array.ndim()) }];
    plan.array(Body::Blockwise { inputs, task }).with_unknown(unknown)
}
