//! Where the least and the greatest elements are: `argmin`, `argmax`, and the same without `nan`.

use super::parts::concrete;
use super::reduce::{Options, one_block, whole, without_empty};
use crate::data::{Args, Array, Block, Cost, DType, Dims, Memory, Slice, Task, Value};
use crate::err;
use crate::kernel::extreme::{self, Extreme, Place};
use crate::op::chunking::{Bounds, show};
use crate::op::layers::{call, in_one_task, ints};
use crate::op::operand::known;
use crate::op::tree::Reduction;
use crate::op::{Given, Kind, Op, Token, infer};
use crate::text::Result;
use std::sync::Arc;

macro_rules! op {
    ($usage:literal, $least:literal, $skip_nan:literal, $doc:literal, $example:literal => $result:literal) => {
        Op {
            usage: $usage,
            doc: concat!(
                $doc,
                "\nThe first of equal ones. `:axis` is an axis, nil for the place in the flattened array; `:keepdims true` keeps \
                 the axis, with size 1. Blocks of a lazy array are looked through by themselves, and what they tell is merged as a \
                 tree. Errors: `dsk::value` for an array of nothing."
            ),
            examples: &[($example, $result)],
            see: &["max", "min"],
            cost: Cost::Dear,
            kind: Kind::Array(Memory::Copies, |args| place(Extreme { least: $least, skip_nan: $skip_nan }, args)),
        }
    };
}

pub static OPS: &[Op] = &[
    op!("(argmin x :axis nil :keepdims false :split-every nil)", true, false,
        "The index of the smallest element; of a `nan` where there is one.", "(argmin [3 1 2])" => "1"),
    op!("(argmax x :axis nil :keepdims false :split-every nil)", false, false,
        "The index of the largest element; of a `nan` where there is one.", "(argmax [3 1 2])" => "0"),
    op!("(nanargmin x :axis nil :keepdims false :split-every nil)", true, true,
        "The index of the smallest element that is not `nan`; `dsk::value` where all are.", "(nanargmin [nan 1.0 2.0])" => "1"),
    op!("(nanargmax x :axis nil :keepdims false :split-every nil)", false, true,
        "The index of the largest element that is not `nan`; `dsk::value` where all are.", "(nanargmax [nan 1.0 2.0])" => "2"),
];

/// What the trees are made of.
pub static PARTS: &[Op] = &[
    Op {
        usage: "(extremes-of x axis starts shape :least false :skip-nan false)",
        doc: "How the best elements of a block rank, and where they are in the array that it is a part of, as int64 along a new first \
            axis.\n`axis` is nil for all. What `argmax` makes of every block.",
        examples: &[("(to-list (extremes-of [1 3 2] 0 [10] [100]))", "[[3] [11]]")],
        see: &["argmax", "merge-extremes", "extreme-places"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, extremes_of),
    },
    Op {
        usage: "(merge-extremes & extremes)",
        doc: "The extremes of several parts as those of the whole.",
        examples: &[(
            "(to-list (merge-extremes (extremes-of [1 3] 0 [0] [4]) (extremes-of [4 2] 0 [2] [4])))",
            "[[4] [2]]",
        )],
        see: &["extremes-of"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Copies, merge_extremes),
    },
    Op {
        usage: "(extremes-in x axis :least false :skip-nan false)",
        doc: "As `extremes-of`, with places from the beginning of the block, and how long the block is as a last row.\nWhat `argmax` \
            makes of blocks whose sizes are not known before they are computed.",
        examples: &[("(to-list (extremes-in [1 3 2] 0))", "[[3] [1] [3]]")],
        see: &["extremes-of", "merge-extremes-in-turn"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Copies, extremes_in),
    },
    Op {
        usage: "(merge-extremes-in-turn & extremes)",
        doc: "What `extremes-in` tells of several parts that lie one behind the other, as it would of the whole.",
        examples: &[(
            "(to-list (merge-extremes-in-turn (extremes-in [1 3] 0) (extremes-in [4 2] 0)))",
            "[[4] [2] [4]]",
        )],
        see: &["extremes-in"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Copies, |args| {
            let parts: Vec<Block> = args.rest.into_iter().map(concrete).collect::<Result<_>>()?;
            Ok(extreme::merge_in_turn(&parts)?.into())
        }),
    },
    Op {
        usage: "(extreme-places extremes)",
        doc: "Where the extremes are; `dsk::value` where there are none.",
        examples: &[("(to-list (extreme-places (extremes-of [1 3 2] 0 [10] [100])))", "[11]")],
        see: &["extremes-of"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Copies, extreme_places),
    },
];

fn name(extreme: Extreme) -> &'static str {
    match (extreme.least, extreme.skip_nan) {
        (true, false) => "argmin",
        (false, false) => "argmax",
        (true, true) => "nanargmin",
        (false, true) => "nanargmax",
    }
}

fn place(extreme: Extreme, mut args: Args) -> Result<Value> {
    let options = Options::of(&args, 1, 2, None, 3)?;
    let value = std::mem::take(&mut args.values[0]);
    let plain = !matches!(value, Value::Block(_) | Value::Array(_));
    let x = Given::any(value)?;
    let shape = x.shape();
    let axis = match &options.axis {
        // The same, and blocks may be of unknown sizes.
        Value::Nil if shape.len() == 1 && x.unknown(0).is_some() => Some(0),
        Value::Nil => None,
        axis => Some(infer::axis(axis, shape.len())?),
    };
    let axes: Dims = axis.map_or_else(|| (0..shape.len()).collect(), |axis| Dims::from_slice(&[axis]));
    if axes.iter().any(|&axis| shape[axis] == 0) {
        return Err(err!(Value, "there is no {} of nothing: the array has shape {}", name(extreme), show(&shape)));
    }
    let sizes: Dims = axes.iter().map(|&axis| shape[axis]).collect();
    let array = match x {
        Given::Now(block) => {
            let starts = Dims::from_elem(0, sizes.len());
            let found = extreme::best(extreme, &block, &Place { axis, starts: &starts, shape: &sizes })?;
            let places = Value::from(options.shaped(extreme::places(&found)?, &axes));
            return Ok(if plain { places.plain() } else { places });
        }
        Given::Lazy(array) => without_empty(&array, &axes, options.span),
    };
    if axis.is_none() {
        known(&array)?;
    }
    let (name, axis_value) = (name(extreme), axis.map_or(Value::Nil, |axis| Value::Int(axis as i64)));
    let token = Token::new(name);
    if one_block(&array, &axes) {
        let mut keywords = vec![("axis", Task::data(axis_value))];
        if options.keepdims {
            keywords.push(("keepdims", Task::data(Value::Bool(true))));
        }
        let task = call(name, vec![Task::input(0)], keywords);
        return Ok(Value::Array(whole(&array, name, &axes, &options, token, DType::I64, task).into()));
    }
    if axes.iter().any(|&axis| array.unknown.axis(axis).is_some()) {
        return Ok(Value::Array(in_turn(extreme, &array, &axes, &options, axis_value).into()));
    }
    let bounds = Bounds::of(&array.chunks);
    let looked_through = axes.clone();
    let starts = Task::index(move |index| {
        // Before the axes of the array is that of the rows.
        ints(&looked_through.iter().map(|&axis| bounds.start(axis, index[axis + 1])).collect::<Vec<_>>())
    });
    let keywords = keywords(extreme);
    let chunk = |x| {
        call(
            "extremes-of",
            vec![x, Task::data(axis_value.clone()), starts.clone(), Task::data(ints(&sizes))],
            keywords.clone(),
        )
    };
    let reduction = Reduction {
        name,
        token,
        part: Token::new("extremes-of").with((extreme.least, extreme.skip_nan, axis)),
        axes: &axes,
        keepdims: options.keepdims,
        split: options.split,
        lead: Some(extreme::rows(array.dtype) + 1),
        partial: DType::I64,
        dtype: DType::I64,
        span: options.span,
        chunk: &chunk,
        merge: Arc::new(|parts| call("merge-extremes", parts, Vec::new())),
        finish: Arc::new(|x| call("extreme-places", vec![x], Vec::new())),
    };
    Ok(Value::Array(reduction.of(&array).into()))
}

fn keywords(extreme: Extreme) -> Vec<(&'static str, Task)> {
    let keywords = [("least", extreme.least), ("skip-nan", extreme.skip_nan)];
    keywords.into_iter().filter(|(_, set)| *set).map(|(name, set)| (name, Task::data(Value::Bool(set)))).collect()
}

/// Along an axis of unknown size: where blocks begin is told by how long those before turn out to be.
fn in_turn(extreme: Extreme, array: &Array, axes: &[usize], options: &Options, axis: Value) -> Array {
    let keywords = keywords(extreme);
    let reduction = Reduction {
        name: name(extreme),
        token: Token::new(name(extreme)),
        part: Token::new("extremes-in").with((extreme.least, extreme.skip_nan)),
        axes,
        keepdims: options.keepdims,
        split: options.split,
        lead: Some(extreme::rows(array.dtype) + 2),
        partial: DType::I64,
        dtype: DType::I64,
        span: options.span,
        chunk: &|x| call("extremes-in", vec![x, Task::data(axis.clone())], keywords.clone()),
        merge: Arc::new(|parts| call("merge-extremes-in-turn", parts, Vec::new())),
        finish: Arc::new(|x| {
            let all_but_lengths = Slice { start: None, stop: Some(-1), step: None };
            let ranks = call("slice", vec![x, Task::data(Value::from(all_but_lengths))], Vec::new());
            call("extreme-places", vec![ranks], Vec::new())
        }),
    };
    reduction.of(array)
}

fn extremes_in(mut args: Args) -> Result<Value> {
    let block = concrete(args.take("x"))?;
    let axis = infer::axis(args.value("axis"), block.ndim())?;
    let extreme = Extreme { least: args.bool("least")?, skip_nan: args.bool("skip-nan")? };
    Ok(extreme::best_and_length(extreme, &block, axis)?.into())
}

fn extremes_of(mut args: Args) -> Result<Value> {
    let x = Given::of(args.take("x"))?;
    let shape = x.shape();
    let axis = match args.value("axis") {
        Value::Nil => None,
        axis => Some(infer::axis(axis, shape.len())?),
    };
    let (starts, sizes) = (infer::shape(args.value("starts"))?, infer::shape(args.value("shape"))?);
    let looked_through = if axis.is_some() { 1 } else { shape.len() };
    if starts.len() != looked_through || sizes.len() != looked_through {
        return Err(err!(
            Shape,
            "{looked_through} axes are looked through, but {} and {} are told of",
            starts.len(),
            sizes.len()
        ));
    }
    let extreme = Extreme { least: args.bool("least")?, skip_nan: args.bool("skip-nan")? };
    match x {
        Given::Now(block) => {
            Ok(extreme::best(extreme, &block, &Place { axis, starts: &starts, shape: &sizes })?.into())
        }
        Given::Lazy(array) => {
            let kept = (0..shape.len()).map(|n| if axis.is_none_or(|axis| axis == n) { 1 } else { shape[n] });
            let out: Dims = std::iter::once(extreme::rows(array.dtype) + 1).chain(kept).collect();
            let mut items = vec![Task::input(0)];
            items.extend(["axis", "starts", "shape"].map(|name| Task::data(args.value(name).clone())));
            let keywords = ["least", "skip-nan"].map(|name| (name, Task::data(args.value(name).clone()))).to_vec();
            let task = call("extremes-of", items, keywords);
            let token = Token::new("extremes-of").task(&task);
            Ok(Value::Array(
                in_one_task(&[(*array).clone()], token, DType::I64, &out, Cost::Dear, args.span, task).into(),
            ))
        }
    }
}

fn merge_extremes(args: Args) -> Result<Value> {
    let parts: Vec<Given> = args.rest.into_iter().map(Given::of).collect::<Result<_>>()?;
    let now = |part: &Given| match part {
        Given::Now(block) => Some(block.clone()),
        Given::Lazy(_) => None,
    };
    if let Some(blocks) = parts.iter().map(now).collect::<Option<Vec<Block>>>() {
        return Ok(extreme::merge(&blocks)?.into());
    }
    let Some(shape) = parts.first().map(Given::shape) else { return Err(err!(Value, "there is nothing to merge")) };
    let arrays: Vec<_> = parts.into_iter().map(|part| part.into_lazy(args.span)).collect();
    let task = call("merge-extremes", (0..arrays.len()).map(Task::input).collect(), Vec::new());
    let token = Token::new("merge-extremes");
    Ok(Value::Array(in_one_task(&arrays, token, DType::I64, &shape, Cost::Cheap, args.span, task).into()))
}

fn extreme_places(mut args: Args) -> Result<Value> {
    match Given::of(args.take("extremes"))? {
        Given::Now(block) => Ok(extreme::places(&block)?.into()),
        Given::Lazy(array) => {
            let shape = array.shape();
            let task = call("extreme-places", vec![Task::input(0)], Vec::new());
            let (token, rest) = (Token::new("extreme-places"), shape.get(1..).unwrap_or_default());
            Ok(Value::Array(
                in_one_task(&[(*array).clone()], token, DType::I64, rest, Cost::Cheap, args.span, task).into(),
            ))
        }
    }
}
