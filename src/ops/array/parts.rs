//! Ops that tasks are made of, and that few programs call: partial results of reductions, checks.

use crate::data::{Args, Block, Cost, Dims, Memory, Value};
use crate::err;
use crate::kernel::{create, layout, reduce};
use crate::op::chunking::show;
use crate::op::{Given, Kind, Op, infer};
use crate::text::Result;

pub static OPS: &[Op] = &[
    Op {
        usage: "(moments x :axis nil)",
        doc: "Count, sum, and sum of squared distances from the mean, along a new first axis of size 3.\nThe axes that are \
            reduced stay, with size 1. What `var` and `std` of lazy arrays make of every block.",
        examples: &[("(to-list (moments [1.0 3.0]))", "[[2.0] [4.0] [2.0]]")],
        see: &["merge-moments", "var-of-moments", "var"],
        cost: Cost::Dear,
        kind: Kind::Array(Memory::Moments, moments),
    },
    Op {
        usage: "(merge-moments & moments)",
        doc: "The moments of several parts as those of the whole: Chan, Golub and LeVeque's update.",
        examples: &[("(to-list (merge-moments (moments [1.0]) (moments [3.0])))", "[[2.0] [4.0] [2.0]]")],
        see: &["moments"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::MergeMoments, merge_moments),
    },
    Op {
        usage: "(var-of-moments moments :ddof 0 :dtype :float64)",
        doc: "The variance that moments tell: the sum of squared distances over the count less `:ddof`.",
        examples: &[("(to-list (var-of-moments (moments [1.0 3.0])))", "[1.0]")],
        see: &["moments"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::VarOfMoments, var_of_moments),
    },
    Op {
        usage: "(check-block x dtype shape :by \"map-blocks\" :like nil)",
        doc: "x itself, which must have that dtype and shape.\nWhat `map-blocks` puts around a function, whose results are to \
            be what was declared. Errors: `dsk::type` and `dsk::shape`.",
        examples: &[("(check-block (ones [2]) :float64 [2])", "[1. 1.]")],
        see: &["map-blocks"],
        cost: Cost::Free,
        kind: Kind::Array(Memory::Checked, check_block),
    },
];

/// What is no lazy array.
pub(super) fn concrete(value: Value) -> Result<Block> {
    match Given::of(value)? {
        Given::Now(block) => Ok(block),
        Given::Lazy(_) => Err(err!(Type, "expected a concrete array, found a lazy one")),
    }
}

fn moments(mut args: Args) -> Result<Value> {
    let x = concrete(std::mem::take(&mut args.values[0]))?;
    let axes = infer::axes(&args.values[1], x.ndim())?.unwrap_or_else(|| (0..x.ndim()).collect());
    Ok(reduce::moments(&x, &axes)?.into())
}

fn merge_moments(args: Args) -> Result<Value> {
    let parts: Vec<Block> = args.rest.into_iter().map(|v| is_moments(concrete(v)?)).collect::<Result<_>>()?;
    let Some(first) = parts.first() else { return Err(err!(Value, "there is nothing to merge")) };
    if let Some(other) = parts.iter().find(|p| p.shape() != first.shape()) {
        return Err(err!(Shape, "moments of shapes {} and {}", show(first.shape()), show(other.shape())));
    }
    // Side by side along an axis of their own, which then goes.
    let side_by_side: Vec<Block> = parts.iter().map(|p| p.insert_axis(1)).collect();
    let merged = reduce::merge_moments(&layout::concatenate(&side_by_side, 1)?, &[0])?;
    Ok(merged.take_axis(1, 0).into())
}

fn is_moments(block: Block) -> Result<Block> {
    if block.shape().first() != Some(&3) || block.dtype().to_inexact() != block.dtype() {
        return Err(err!(Shape, "an array of shape {} does not hold moments", show(block.shape())));
    }
    Ok(block)
}

fn var_of_moments(mut args: Args) -> Result<Value> {
    let moments = is_moments(concrete(std::mem::take(&mut args.values[0]))?)?;
    let ddof = args.values[1].as_float().ok_or_else(|| err!(Type, "`:ddof` is a number"))?;
    let dtype = infer::dtype(&args.values[2])?.unwrap_or(crate::data::DType::F64);
    Ok(reduce::var(&moments, ddof, dtype)?.into())
}

/// The shape that was declared; sizes that are nil are those of pairs of a block and an axis of it, in order.
fn declared(shape: &Value, like: &Value) -> Result<Dims> {
    let Some(sizes) = shape.as_list().filter(|sizes| sizes.iter().any(|n| matches!(n, Value::Nil))) else {
        return infer::shape(shape);
    };
    let mut like = like.as_list().unwrap_or_default().iter();
    let size = |size: &Value| match size {
        Value::Nil => match like.next().and_then(Value::as_list) {
            Some([Value::Block(block), axis]) => {
                let axis = infer::axis(axis, block.ndim())?;
                Ok(Value::from(block.shape()[axis]))
            }
            _ => Err(err!(Value, "a size is that of a block along an axis, which is not told")),
        },
        known => Ok(known.clone()),
    };
    infer::shape(&Value::list(sizes.iter().map(size).collect::<Result<_>>()?))
}

fn check_block(mut args: Args) -> Result<Value> {
    let x = std::mem::take(&mut args.values[0]);
    let block = match x {
        Value::Block(b) => b,
        Value::Array(_) => return Err(err!(Type, "the function returned a lazy array, expected a concrete one")),
        number if number.number_kind().is_some() => create::from_value(&number, None)?.into(),
        other => return Err(err!(Type, "the function returned {}, expected an array", other.a_type_name())),
    };
    let dtype = infer::dtype(&args.values[1])?;
    let shape = declared(&args.values[2], &args.values[4])?;
    if let Some(dtype) = dtype
        && block.dtype() != dtype
    {
        return Err(err!(Type, "the function returned {}, declared was {dtype}", block.dtype())
            .help(format!("declare it: `:dtype :{}`", block.dtype())));
    }
    if *block.shape() != *shape {
        return Err(err!(
            Shape,
            "the function returned a block of shape {}, declared was {}",
            show(block.shape()),
            show(&shape)
        )
        .help(match &args.values[3] {
            Value::Str(by) if by == "blockwise" => "`:adjust-chunks` and `:new-axes` declare the sizes of blocks",
            _ => "`:chunks` declares the shapes of blocks, `:drop-axis` and `:new-axis` which axes go and come",
        }));
    }
    Ok(Value::Block(block))
}
