//! Between bags and arrays: rows as elements, and elements as rows.

use crate::data::{Args, At, Axis, Block, BlockRef, Body, Chunks, Cost, DType, Input, Task, Value};
use crate::err;
use crate::kernel::create;
use crate::op;
use crate::op::bags::{layer, partitionwise, per_task, value};
use crate::op::layers::{Plan, call, dtype_value, ints};
use crate::op::recut::recut;
use crate::op::{Inputs, Kind, Op, Token, infer};
use crate::ops::bag::source::of_parts;
use crate::text::Result;
use smallvec::smallvec;

pub static OPS: &[Op] = &[
    op!(Kind::Lazy(to_bag), "(to-bag x)",
        "The bag of the elements of an array along its first axis, a partition a block: numbers, or arrays of one axis less. A list is a bag of \
         one partition.",
        ["(compute (sum (to-bag (arange 5 :chunks 2))))" => "10", "(npartitions (to-bag (ones [4 2] :chunks [2 1])))" => "2"],
        ["to-array", "from-list"]),
    op!(Kind::Lazy(to_array), "(to-array bag :dtype nil)",
        "The array whose rows are the elements of a bag, a block a partition: numbers, or lists or arrays, all of one shape. How many there are \
         is computed first, and the first of them says the dtype, unless `:dtype` does.",
        ["(compute (mean (to-array (from-list [[1 2] [3 6]] :npartitions 2)) :axis 0))" => "[2. 4.]",
         "(shape (to-array (filter odd? (range 10 :npartitions 3))))" => "[5]"],
        ["to-bag", "array"]),
    op!(Kind::Now(rows), "(bag/rows coll dtype row :cast false)",
        "The elements as an array of that dtype, each of the shape `row`; of another dtype only with `:cast true`. The task of `to-array`.",
        ["(to-list (bag/rows [[1 2]] :float64 [2]))" => "[[1.0 2.0]]"], ["to-array"]),
];

fn to_bag(args: Args) -> Result<Value> {
    let array = match args.value("x") {
        Value::Array(array) if array.ndim() > 0 => array,
        Value::Array(_) => return Err(args.wrong("x", "an array of one axis or more")),
        Value::Delayed(lazy) if lazy.partitions().is_some() => return Ok(args.value("x").clone()),
        Value::Delayed(_) => {
            let mut inputs = Inputs::default();
            let task = call("bag/list", vec![inputs.task(args.value("x"))], Vec::new());
            return Ok(partitionwise("to-bag", 1, inputs, task, args.span));
        }
        other => {
            let items = crate::op::sequence::Seq::of(other.clone())
                .map_err(|x| args.wrong_value("x", &x, "an array or a list"))?;
            return Ok(of_parts(vec![items.into_value()], &args));
        }
    };
    let axes = (0..array.ndim()).map(|axis| match axis {
        0 => array.chunks.axis(0).clone(),
        _ => [array.shape()[axis]].into(),
    });
    let rows = match array.unknown.is_none() {
        true => recut(array, Chunks::from_axes(axes.collect()), args.span),
        false if array.ndim() == 1 => (**array).clone(),
        false => {
            return Err(err!(Shape, "to-bag takes an array of several axes only where their sizes are known")
                .help("`(compute-chunk-sizes x)` finds them out"));
        }
    };
    let (n, ndim) = (rows.chunks.axis(0).len(), rows.ndim());
    let made = per_task(Token::new("to-bag"), smallvec![n], vec![rows.layer.clone()], args.span, move |at| {
        let mut index = smallvec![0; ndim];
        index[0] = at as u32;
        (vec![BlockRef { parent: 0, index }], call("bag/list", vec![Task::input(0)], Vec::new()))
    });
    Ok(value(made))
}

fn to_array(args: Args) -> Result<Value> {
    let bag = args.value("bag").clone();
    let Some(source) = layer(&bag).cloned() else { return Err(args.wrong("bag", "a bag")) };
    let n = source.grid[0];
    // How long the partitions are, and the first element of each.
    let mut inputs = Inputs::default();
    let part = inputs.of_partition(&bag);
    let looked = Task::list(vec![Task::list(vec![
        call("count", vec![part.clone()], Vec::new()),
        call("take", vec![Task::data(1usize), part], Vec::new()),
    ])]);
    let looked = partitionwise("bag/lengths", n, inputs, looked, args.span);
    let looked = args.host.compute(&[looked], args.span)?.pop().unwrap_or_default();
    let looked = looked.as_list().unwrap_or_default();
    let field = |at: usize| looked.iter().filter_map(move |pair| pair.as_list().and_then(|pair| pair.get(at)));
    let lengths: Vec<usize> = field(0).map(|n| n.as_int().unwrap_or(0) as usize).collect();
    let first = field(1).find_map(|first| first.as_list().and_then(<[Value]>::first));
    let (dtype, row) = match first {
        Some(first) => {
            let block = create::from_value(first, infer::dtype(args.value("dtype"))?)?;
            (block.dtype(), block.shape().to_vec())
        }
        None => (infer::dtype(args.value("dtype"))?.unwrap_or(DType::F64), Vec::new()),
    };
    let axes = std::iter::once(lengths.into()).chain(row.iter().map(|&size| [size].into())).collect();
    let plan = Plan {
        token: Token::new("to-array").layer(&source).with(dtype).with(&row),
        parents: vec![source],
        dtype,
        chunks: Chunks::from_axes(axes),
        cost: Cost::Unknown,
        span: args.span,
    };
    let cast = (!args.is_nil("dtype")).then(|| ("cast", Task::data(Value::Bool(true))));
    let items = vec![Task::input(0), Task::data(dtype_value(dtype)), Task::data(ints(&row))];
    let task = call("bag/rows", items, cast.into_iter().collect());
    let input = Input { parent: 0, at: At(smallvec![Axis::Axis(0)]) };
    Ok(Value::Array(plan.array(Body::Blockwise { inputs: vec![input], task: task.with_span(args.span) }).into()))
}

fn rows(mut args: Args) -> Result<Value> {
    let (dtype, cast) = (infer::dtype(args.value("dtype"))?.unwrap_or(DType::F64), args.bool("cast")?);
    let row: Vec<usize> =
        args.list("row")?.iter().filter_map(|n| n.as_int().and_then(|n| usize::try_from(n).ok())).collect();
    infer::byte_size(&row, dtype)?;
    let items = args.seq("coll")?;
    let shape: Vec<usize> = std::iter::once(items.len()).chain(row.iter().copied()).collect();
    if items.is_empty() {
        return Ok(Block::alloc(dtype, &shape).into());
    }
    let block = create::from_value(&items.into_value(), None)?;
    if !cast && block.dtype().promote(dtype) != dtype {
        return Err(err!(Type, "to-array: the first row is {dtype}, and others are {}", block.dtype())
            .label(args.span, "in this call")
            .help(format!("`:dtype :{}` makes all of them that", block.dtype().promote(dtype))));
    }
    let block = block.cast(dtype)?;
    if block.shape() != shape.as_slice() {
        return Err(err!(Shape, "to-array: rows of shape {row:?} were expected, found {:?}", &block.shape()[1..])
            .label(args.span, "in this call")
            .help("all elements have the shape of the first"));
    }
    Ok(block.into())
}
