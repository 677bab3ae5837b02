//! Running sums and products: `cumsum`, `cumprod`.
//!
//! Blocks along the axis are scanned by themselves; what comes before each is the total of the blocks before it. Totals of a few blocks at
//! a time are added to one carry, so that a block waits for those before it and no other, and tasks run in step with
//! the array: a scan holds a few blocks, however many there are.

use super::reduce::without_empty;
use crate::data::slice::Range;
use crate::data::{Args, Array, At, BlockRef, Body, Chunks, Cost, DType, Dims, Input, Memory, Slice, Task, Value};
use crate::kernel::elementwise::Binary;
use crate::kernel::scan::{self, Scan};
use crate::op::layers::{Plan, along, call, dtype_value, ints, sliced};
use crate::op::operand::known;
use crate::op::{Given, Kind, Op, Token, infer};
use crate::text::{Result, Span};
use smallvec::SmallVec;

pub static OPS: &[Op] = &[
    Op {
        usage: "(cumsum x :axis nil :dtype nil)",
        doc: "The sums of all elements up to each along an axis; along the flattened array where it is nil.\nOf bools and small \
            integers in int64, of small unsigned ones in uint64, unless `:dtype` says otherwise. Integers wrap.",
        examples: &[
            ("(to-list (cumsum [1 2 3]))", "[1 3 6]"),
            ("(to-list (cumsum [[1 2] [3 4]] :axis 0))", "[[1 2] [4 6]]"),
            ("(compute ((cumsum (arange 12 :chunks 3)) 4:7))", "[10 15 21]"),
        ],
        see: &["cumprod", "nancumsum", "sum", "diff"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |args| cumulative(Scan::Sum, args)),
    },
    Op {
        usage: "(cumprod x :axis nil :dtype nil)",
        doc: "The products of all elements up to each along an axis; along the flattened array where it is nil.\nOf bools and \
            small integers in int64, of small unsigned ones in uint64, unless `:dtype` says otherwise. Integers wrap.",
        examples: &[("(to-list (cumprod [1 2 3 4]))", "[1 2 6 24]")],
        see: &["cumsum", "nancumprod", "prod"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, |args| cumulative(Scan::Product, args)),
    },
    Op {
        usage: "(push x :n nil :axis -1)",
        doc: "Each `nan` replaced by the last element before it along an axis that is none; with `:n` no more than so many in a row.\nA lazy \
            array is rechunked, so that the axis is whole in a block.",
        examples: &[
            ("(to-list (push [nan 1.0 nan nan 2.0]))", "[nan 1.0 1.0 1.0 2.0]"),
            ("(to-list (push [1.0 nan nan] :n 1))", "[1.0 1.0 nan]"),
        ],
        see: &["nan-to-num", "isnan"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, push),
    },
];

/// Blocks whose totals go into one carry.
const GROUP: usize = 16;

fn name(op: Scan) -> &'static str {
    match op {
        Scan::Sum => "cumsum",
        Scan::Product => "cumprod",
    }
}

fn push(mut args: Args) -> Result<Value> {
    let x = Given::any(args.take("x"))?;
    let axis = infer::axis(args.value("axis"), x.ndim())?;
    let most = args.size_or_nil("n")?;
    match x {
        Given::Now(block) => Ok(scan::push(&block, axis, most.unwrap_or(usize::MAX))?.into()),
        Given::Lazy(array) => {
            let keywords = [("n", args.value("n").clone()), ("axis", Value::Int(axis as i64))];
            let task =
                call("push", vec![Task::input(0)], keywords.map(|(name, value)| (name, Task::data(value))).to_vec());
            let token = Token::new("push").task(&task);
            Ok(Value::Array(along(&array, &[axis], token, array.dtype, &[], args.span, task).into()))
        }
    }
}

fn cumulative(op: Scan, mut args: Args) -> Result<Value> {
    let x = Given::any(args.take("x"))?;
    let dtype = infer::dtype(args.value("dtype"))?.unwrap_or_else(|| op.reduce().dtype(x.dtype()));
    let flat = args.is_nil("axis") || x.ndim() == 0;
    let axis = match args.value("axis") {
        Value::Nil => 0,
        axis => infer::axis(axis, x.ndim().max(1))?,
    };
    match x {
        Given::Now(block) => {
            let block = if flat { block.reshape(&[block.len()]) } else { block };
            Ok(scan::scan(op, &block, axis, dtype)?.into())
        }
        Given::Lazy(array) => {
            let array = match flat && array.ndim() != 1 {
                true => {
                    known(&array)?;
                    super::reshape::reshape_lazy(&array, &[array.len()], args.span)?
                }
                false => (*array).clone(),
            };
            Ok(Value::Array(lazy(op, &array, axis, dtype, args.span).into()))
        }
    }
}

/// The running sums of a lazy array of int64.
pub(super) fn sums(array: &Array, axis: usize, span: Span) -> Array {
    lazy(Scan::Sum, array, axis, DType::I64, span)
}

fn lazy(op: Scan, array: &Array, axis: usize, dtype: DType, span: Span) -> Array {
    let array = without_empty(array, &[axis], span);
    let keywords = || {
        let mut keywords = vec![("axis", Task::data(Value::Int(axis as i64)))];
        if op.reduce().dtype(array.dtype) != dtype {
            keywords.push(("dtype", Task::data(dtype_value(dtype))));
        }
        keywords
    };
    let task = call(name(op), vec![Task::input(0)], keywords());
    // No part of it is made of the same part of the array: slices stay above.
    let plan = Plan {
        token: Token::new(name(op)).with((axis, dtype)).layer(&array.layer),
        parents: vec![array.layer.clone()],
        dtype,
        chunks: array.chunks.clone(),
        cost: Cost::Dear,
        span,
    };
    let inputs = vec![Input { parent: 0, at: At::same(array.ndim()) }];
    let scanned = plan.array(Body::Blockwise { inputs, task }).with_unknown(array.unknown.clone());
    let blocks = array.chunks.axis(axis).len();
    if blocks == 1 {
        return scanned;
    }
    let merge = match op {
        Scan::Sum => Binary::Add,
        Scan::Product => Binary::Multiply,
    }
    .name();
    let totals = totals(op, &scanned, axis, span);
    let others = array.unknown.but(&[axis], array.ndim());
    // The carry behind each group but the last.
    let mut carries: Vec<Array> = Vec::new();
    for group in 0..(blocks - 1) / GROUP {
        let cuts =
            array.chunks.axes().iter().enumerate().map(|(a, cut)| if a == axis { [1].into() } else { cut.clone() });
        let mut parents = vec![totals.layer.clone()];
        let token = Token::new("carry").with((axis, group)).layer(&totals.layer);
        parents.extend(carries.last().map(|carry| carry.layer.clone()));
        let carried = parents.len() == 2;
        let plan = Plan { token, parents, dtype, chunks: Chunks::from_axes(cuts.collect()), cost: Cost::Cheap, span };
        let carry = plan.per_block(move |index| {
            let mut blocks = Vec::with_capacity(GROUP + 1);
            if carried {
                blocks.push(BlockRef { parent: 1, index: index.into() });
            }
            blocks.extend((group * GROUP..(group + 1) * GROUP).map(|at| of_total(0, index, axis, at)));
            let parts = (0..blocks.len()).map(Task::input).collect();
            (blocks, call(merge, parts, Vec::new()))
        });
        carries.push(carry.with_unknown(others.clone()));
    }
    let mut parents = vec![scanned.layer.clone(), totals.layer.clone()];
    parents.extend(carries.iter().map(|carry| carry.layer.clone()));
    let plan = Plan {
        token: Token::new(name(op)).with(axis).layer(&totals.layer),
        parents,
        dtype,
        chunks: scanned.chunks.clone(),
        cost: Cost::Cheap,
        span,
    };
    let whole = plan.per_block(move |index| {
        let at = index[axis] as usize;
        let mut blocks = vec![BlockRef { parent: 0, index: index.into() }];
        let group = at / GROUP;
        if group > 0 {
            let mut index: SmallVec<[u32; 4]> = index.into();
            index[axis] = 0;
            blocks.push(BlockRef { parent: 1 + group, index });
        }
        blocks.extend((group * GROUP..at).map(|at| of_total(1, index, axis, at)));
        let before: Vec<Task> = (1..blocks.len()).map(Task::input).collect();
        let task = match before.len() {
            0 => Task::input(0),
            1 => call(merge, vec![Task::input(1), Task::input(0)], Vec::new()),
            _ => call(merge, vec![call(merge, before, Vec::new()), Task::input(0)], Vec::new()),
        };
        (blocks, task)
    });
    whole.with_unknown(array.unknown.clone())
}

/// The total of the block at that place along the axis.
fn of_total(parent: usize, index: &[u32], axis: usize, at: usize) -> BlockRef {
    let mut index: SmallVec<[u32; 4]> = index.into();
    index[axis] = at as u32;
    BlockRef { parent, index }
}

/// The last element along the axis of every block.
fn totals(op: Scan, scanned: &Array, axis: usize, span: Span) -> Array {
    let chunks = scanned.chunks.clone();
    let cuts = chunks.axes().iter().enumerate().map(|(a, cut)| match a == axis {
        true => vec![1; cut.len()].into(),
        false => cut.clone(),
    });
    let plan = Plan {
        token: Token::new("totals").with(axis).layer(&scanned.layer),
        parents: vec![scanned.layer.clone()],
        dtype: scanned.dtype,
        chunks: Chunks::from_axes(cuts.collect()),
        cost: Cost::Cheap,
        span,
    };
    if !scanned.unknown.is_none() {
        // A block that turns out to be empty has no last element: the sum of the last ones, at most one, is that of nothing.
        let mut items = vec![Task::input(0)];
        items.extend((0..=axis).map(|a| match a == axis {
            true => Task::data(Value::from(Slice { start: Some(-1), stop: None, step: None })),
            false => Task::data(Value::from(Slice::ALL)),
        }));
        let keywords = vec![
            ("axis", Task::data(ints(&[axis]))),
            ("keepdims", Task::data(true)),
            ("dtype", Task::data(dtype_value(scanned.dtype))),
        ];
        let task = call(op.reduce().name(), vec![call("slice", items, Vec::new())], keywords);
        let inputs = vec![Input { parent: 0, at: At::same(scanned.ndim()) }];
        let unknown = scanned.unknown.but(&[axis], scanned.ndim());
        return plan.array(Body::Blockwise { inputs, task }).with_unknown(unknown);
    }
    plan.per_block(move |index| {
        let shape: Dims = chunks.block_shape(index);
        let range = |a: usize| match a == axis {
            true => Range { start: shape[a] - 1, step: 1, count: 1 },
            false => Range { start: 0, step: 1, count: shape[a] },
        };
        let ranges: Vec<Range> = (0..shape.len()).map(range).collect();
        (vec![BlockRef { parent: 0, index: index.into() }], sliced(Task::input(0), &ranges, &shape))
    })
}
