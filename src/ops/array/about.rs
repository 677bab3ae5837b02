//! What is known of an array without computing it.

use crate::data::{Args, Chunks, Cost, Memory, Value};
use crate::op::layers::ints;
use crate::op::operand::known;
use crate::op::{Given, Kind, Op, infer};
use crate::text::Result;

macro_rules! op {
    ($usage:literal, $given:expr, $run:expr, $example:literal => $result:literal, $doc:literal) => {
        Op {
            usage: $usage,
            doc: $doc,
            examples: &[($example, $result)],
            see: &[],
            cost: Cost::Free,
            kind: Kind::Array(Memory::Unknown, |args| about(args, $given, $run)),
        }
    };
}

pub static OPS: &[Op] = &[
    op!("(shape x)", Given::any, |x| shape(&x), "(shape (ones [2 3]))" => "[2 3]",
        "The sizes of the axes, as a list.\nA size that depends on elements that are not computed is a symbol that begins with `?n`: sizes \
         of one name are equal. `compute-chunk-sizes` computes them, and `known-shape` refuses them."),
    op!("(known-shape x)", Given::of, |x| ints(&x.shape()), "(known-shape (ones [2 3]))" => "[2 3]",
        "The sizes of the axes, as a list of integers.\nAs `shape`, for what is worked out from sizes. Errors: `dsk::shape` for a size \
         that depends on elements that are not computed."),
    op!("(ndim x)", Given::any, |x| x.ndim().into(), "(ndim (ones [2 3]))" => "2", "The number of axes."),
    Op {
        usage: "(size x :axis nil)",
        doc: "The number of elements, or of those along an axis or a list of axes.\nErrors: `dsk::shape` for a size that depends on \
            elements that are not computed.",
        examples: &[("(size (ones [2 3]))", "6"), ("(size (ones [2 3]) :axis 1)", "3")],
        see: &["shape", "count"],
        cost: Cost::Free,
        kind: Kind::Array(Memory::Unknown, size),
    },
    op!("(dtype x)", Given::any, |x| Value::keyword(x.dtype().name()), "(dtype (ones [2 3]))" => ":float64", "The dtype, as a keyword."),
    op!("(nbytes x)", Given::of, |x| (x.shape().iter().product::<usize>() * x.dtype().size()).into(), "(nbytes (ones [2 3]))" => "48",
        "The bytes that the elements take."),
    op!("(chunks x)", Given::of, |x| chunk_list(&x), "(chunks (ones [5 2] :chunks 2))" => "[[2 2 1] [2]]",
        "The sizes of the blocks along each axis; a concrete array is one block."),
    op!("(numblocks x)", Given::any, |x| ints(&chunks(&x).grid()), "(numblocks (ones [5 2] :chunks 2))" => "[3 1]",
        "The number of blocks along each axis."),
    Op {
        usage: "(to-list x)",
        doc: "The elements as nested lists of plain numbers; of an array of no dimensions its number.\nA lazy array is computed.",
        examples: &[("(to-list (arange 3))", "[0 1 2]")],
        see: &["array"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Unknown, to_list),
    },
];

/// What `f` tells; `given` refuses arrays of unknown sizes, or does not.
fn about(mut args: Args, given: fn(Value) -> Result<Given>, f: fn(Given) -> Value) -> Result<Value> {
    Ok(f(given(std::mem::take(&mut args.values[0]))?))
}

fn shape(x: &Given) -> Value {
    let size = |(axis, n): (usize, usize)| x.unknown(axis).map_or(n.into(), |name| Value::symbol(name.clone()));
    Value::list(x.shape().into_iter().enumerate().map(size).collect())
}

fn size(mut args: Args) -> Result<Value> {
    let x = Given::any(args.take("x"))?;
    let axes = infer::axes(args.value("axis"), x.ndim())?.unwrap_or_else(|| (0..x.ndim()).collect());
    if let Given::Lazy(array) = &x
        && axes.iter().any(|&axis| array.unknown.axis(axis).is_some())
    {
        known(array)?;
    }
    let shape = x.shape();
    Ok(axes.iter().map(|&axis| shape[axis]).product::<usize>().into())
}

fn chunks(x: &Given) -> Chunks {
    match x {
        Given::Now(block) => Chunks::whole(block.shape()),
        Given::Lazy(array) => array.chunks.clone(),
    }
}

fn chunk_list(x: &Given) -> Value {
    Value::list(chunks(x).axes().iter().map(|axis| ints(axis)).collect())
}

fn to_list(mut args: Args) -> Result<Value> {
    let x = std::mem::take(&mut args.values[0]);
    let x = match &x {
        Value::Array(_) => args.host.compute(&[x], args.span)?.into_iter().next().unwrap_or_default(),
        _ => x,
    };
    Ok(match Given::of(x)? {
        Given::Now(block) => crate::kernel::create::to_value(&block),
        Given::Lazy(array) => Value::Array(array),
    })
}
