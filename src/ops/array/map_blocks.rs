//! `map-blocks`: a function on every block.

use crate::data::{Args, Array, At, Axis, Body, Chunks, Cost, DType, Dims, Input, Memory, Task, Unknown, Value};
use crate::err;
use crate::kernel::create;
use crate::op::chunking::{Bounds, show};
use crate::op::layers::{self, Parents, Plan, call, dtype_value};
use crate::op::operand::known;
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Operand, Token, infer};
use crate::text::{Code, Error, Result};
use std::sync::Arc;

pub static OPS: &[Op] = &[Op {
    usage: "(map-blocks f & arrays :dtype nil :chunks nil :drop-axis nil :new-axis nil)",
    doc: "A function called on every block, or on the blocks of several arrays that meet when they broadcast.\n\
        The function gets concrete arrays and returns one. `:dtype` declares the dtype of its result; without it the function is \
        tried on blocks of a single element. `:drop-axis` names axes that it makes go (they are put in one block \
        first), `:new-axis` axes it makes, of size 1; `:chunks` the sizes of blocks it makes, axis by axis: a size for all blocks, or \
        a list of sizes. What it returns is checked against that. Errors of the function name the block.",
    examples: &[
        ("(to-list (compute (map-blocks (fn [b] (* b 2)) (arange 4 :chunks 2))))", "[0 2 4 6]"),
        ("(to-list (compute (map-blocks (fn [b] (sum b :keepdims true)) (arange 4 :chunks 2) :chunks [1])))", "[1 5]"),
    ],
    see: &["rechunk"],
    cost: Cost::Unknown,
    kind: Kind::Array(Memory::Unknown, map_blocks),
}];

fn map_blocks(mut args: Args) -> Result<Value> {
    let span = args.span;
    let function = std::mem::take(&mut args.values[0]);
    let values = std::mem::take(&mut args.rest);
    if values.is_empty() {
        return Err(err!(Arity, "map-blocks takes a function and at least one array"));
    }
    if !values.iter().any(|v| matches!(v, Value::Array(_))) {
        let result = args.host.apply(&function, &values, span)?;
        return Ok(Given::of(result)?.into());
    }
    let operands: Vec<Operand> = values.into_iter().map(Operand::any).collect::<Result<_>>()?;
    let dtype = match named_dtype(&args)? {
        Some(dtype) => dtype,
        None => tried(&args, &function, &operands)?,
    };
    let (operands, met) = layers::unify(&operands, span)?;
    let ndim = met.ndim();
    let unknown = layers::unknown_of(&operands)?;
    let dropped = infer::axes(args.value("drop-axis"), ndim)?.unwrap_or_default();
    let added = match args.value("new-axis") {
        Value::Nil => Dims::new(),
        Value::List(axes) => {
            infer::axes(args.value("new-axis"), ndim - dropped.len() + axes.len())?.unwrap_or_default()
        }
        one => Dims::from_elem(infer::axis(one, ndim - dropped.len() + 1)?, 1),
    };
    // Where each axis of the result comes from.
    let mut kept = (0..ndim).filter(|a| !dropped.contains(a));
    let sources: Vec<Option<usize>> =
        (0..ndim - dropped.len() + added.len()).map(|k| if added.contains(&k) { None } else { kept.next() }).collect();
    let mut parents = Parents::default();
    let mut inputs = Vec::new();
    let mut items = vec![Task::data(function.clone())];
    let mut token = Token::new("map-blocks").value(&function).with((dtype, &dropped, &added));
    for operand in &operands {
        let Operand::Array(array) = operand else {
            token = token.value(&operand.value());
            items.push(Task::data(operand.value()));
            continue;
        };
        let lead = ndim - array.ndim();
        if dropped.iter().any(|&axis| met.axis(axis).len() > 1 || unknown.axis(axis).is_some()) {
            known(array)?;
        }
        let array = whole_along(array, &dropped, lead, span);
        token = token.layer(&array.layer);
        let at = (0..array.ndim())
            .map(|own| match sources.iter().position(|s| *s == Some(own + lead)) {
                Some(k) if array.chunks.axis(own) == met.axis(own + lead) => Axis::Axis(k as u8),
                _ => Axis::Block(0),
            })
            .collect();
        inputs.push(Input { parent: parents.add(&array.layer), at: At(at) });
        items.push(Task::input(inputs.len() - 1));
    }
    let natural: Vec<Arc<[usize]>> =
        sources.iter().map(|s| s.map_or_else(|| Arc::from([1]), |a| met.axis(a).clone())).collect();
    let chunks = match args.value("chunks") {
        Value::Nil => Chunks::from_axes(natural),
        spec => declared(spec, &natural)?,
    };
    infer::byte_size(&chunks.shape(), dtype)?;
    let bounds = Bounds::of(&chunks);
    let names = |k: usize| sources[k].and_then(|axis| unknown.axis(axis).cloned()).filter(|_| args.is_nil("chunks"));
    let left = Unknown::of((0..sources.len()).map(names).collect());
    // Along axes of unknown sizes blocks are as long as what they are made of.
    let like = (0..sources.len()).filter(|&k| left.axis(k).is_some()).filter_map(|k| {
        let axis = sources[k]?;
        let own = |operand: &Operand| axis.checked_sub(ndim - operand.ndim());
        let at = operands.iter().position(|o| own(o).is_some_and(|own| o.unknown(own).is_some()))?;
        Some(Task::list(vec![items[at + 1].clone(), Task::data(own(&operands[at])?)]))
    });
    let like: Vec<Task> = like.collect();
    let open = left.clone();
    let shape = Task::index(move |index| {
        let size = |(k, n): (usize, usize)| if open.axis(k).is_some() { Value::Nil } else { Value::from(n) };
        Value::list(bounds.block_shape(index).into_iter().enumerate().map(size).collect())
    });
    let task = checked(Task::call(items).with_span(span), dtype, shape, None, like);
    let plan = Plan { token: token.chunks(&chunks), parents: parents.layers, dtype, chunks, cost: Cost::Unknown, span };
    Ok(Value::Array(plan.array(Body::Blockwise { inputs, task }).with_unknown(left).into()))
}

/// What a user's function made, checked against the dtype and the shape that were declared, `by` the op that errors name. Sizes that are
/// nil are those of `like`: pairs of a block and an axis of it.
pub(super) fn checked(made: Task, dtype: DType, shape: Task, by: Option<&'static str>, like: Vec<Task>) -> Task {
    let by = by.map(|name| ("by", Task::data(name)));
    let like = (!like.is_empty()).then(|| ("like", Task::list(like)));
    call("check-block", vec![made, Task::data(dtype_value(dtype)), shape], by.into_iter().chain(like).collect())
}

fn named_dtype(args: &Args) -> Result<Option<DType>> {
    infer::dtype(args.value("dtype"))
}

/// The dtype that the function makes of blocks of a single element.
fn tried(args: &Args, function: &Value, operands: &[Operand]) -> Result<DType> {
    let one = |operand: &Operand| match operand {
        Operand::Array(a) => create::fill(a.dtype, &Dims::from_elem(1, a.ndim()), &Value::Int(1)).map(Value::from),
        other => Ok(other.value()),
    };
    dtype_of(args, function, &operands.iter().map(one).collect::<Result<Vec<_>>>()?)
}

/// The dtype that the function makes of these values.
pub(super) fn dtype_of(args: &Args, function: &Value, blocks: &[Value]) -> Result<DType> {
    let unknown = |why: String| {
        err!(Type, "the dtype of the function's results is not known: {why}").help("name it: `:dtype :float64`")
    };
    let failed = |e: Error| match e.code() {
        Code::Interrupted => e,
        _ => unknown(format!("on blocks of a single element it fails with \"{}\"", e.message())),
    };
    match args.host.apply(function, blocks, args.span).map_err(failed)? {
        Value::Block(b) => Ok(b.dtype()),
        number if number.number_kind().is_some() => Ok(create::from_value(&number, None)?.dtype()),
        other => Err(unknown(format!("it returned {}", other.a_type_name()))),
    }
}

/// The array in one block along axes that go.
fn whole_along(array: &Array, dropped: &[usize], lead: usize, span: crate::text::Span) -> Array {
    let cut = |own: usize| match dropped.contains(&(own + lead)) {
        true => [array.chunks.axis(own).iter().sum()].into(),
        false => array.chunks.axis(own).clone(),
    };
    recut(array, Chunks::from_axes((0..array.ndim()).map(cut).collect()), span)
}

/// The chunks declared for a result that has as many blocks as `natural`.
fn declared(spec: &Value, natural: &[Arc<[usize]>]) -> Result<Chunks> {
    let blocks: Vec<usize> = natural.iter().map(|c| c.len()).collect();
    let wrong = || {
        err!(
            Value,
            "`:chunks {spec:?}` does not say the sizes of blocks along each axis of a result of {} blocks",
            show(&blocks)
        )
    };
    let size = |v: &Value| v.as_int().and_then(|n| usize::try_from(n).ok());
    let axis = |v: &Value, n: usize| -> Result<Arc<[usize]>> {
        match v {
            Value::List(sizes) => {
                let sizes: Option<Arc<[usize]>> = sizes.iter().map(size).collect();
                sizes.filter(|s| s.len() == n).ok_or_else(wrong)
            }
            one => Ok(vec![size(one).ok_or_else(wrong)?; n].into()),
        }
    };
    let axes = spec.as_list().filter(|axes| axes.len() == natural.len()).ok_or_else(wrong)?;
    Ok(Chunks::from_axes(axes.iter().zip(&blocks).map(|(v, &n)| axis(v, n)).collect::<Result<_>>()?))
}
