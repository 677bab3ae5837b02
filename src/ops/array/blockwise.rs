//! `blockwise`: a function on the blocks that meet where axes have the same label, as in `einsum`.

use super::map_blocks::{checked, dtype_of};
use crate::data::{Args, Array, BlockRef, Chunks, Cost, DType, Dims, Memory, Str, Task, Unknown, Value};
use crate::err;
use crate::kernel::create;
use crate::op::chunking::{self, Bounds};
use crate::op::layers::{Parents, Plan, call, constant};
use crate::op::operand::{self, may_differ};
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Operand, Token, infer};
use crate::text::{Result, Span};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

pub static OPS: &[Op] = &[Op {
    usage: "(blockwise f out-labels & arrays-and-labels :dtype nil :new-axes {} :adjust-chunks {} :concatenate false :align-arrays true)",
    doc: "A function called on the blocks of arrays that meet where their axes have the same label; its results are blocks of an array \
        whose axes have the labels `out-labels`.\n\
        Each array is followed by the labels of its axes: a string of letters, `\"ij\"`, or a list of names or numbers. What is \
        followed by nil is handed on as it is. Arrays are cut alike where they share a label, unless `:align-arrays` is false and their \
        blocks are as many anyway; an axis of size 1 is met by all blocks. Of an axis whose label the result has not, the function gets the \
        blocks in a list, of several such axes in lists of lists; or with `:concatenate true` one after the other as one array. \
        `:new-axes` is a map from labels that no array has to a size or a list of block sizes; `:adjust-chunks` one from labels \
        to what the function makes of block sizes: a size, a list of sizes, or a function of a size. `:dtype` declares the dtype; without it \
        the function is tried on blocks of a single element. What it returns is checked. Of concrete arrays it is called at once.",
    examples: &[
        (
            "(to-list (compute (blockwise outer \"ij\" (arange 1 3 :chunks 1) \"i\" (arange 3 :chunks 2) \"j\")))",
            "[[0 1 2] [0 2 4]]",
        ),
        (
            "(to-list (compute (blockwise dot \"ik\" (ones [2 4] :chunks 2) \"ij\" (ones [4 2] :chunks 2) \"jk\" :concatenate true)))",
            "[[4.0 4.0] [4.0 4.0]]",
        ),
    ],
    see: &["map-blocks", "einsum", "map-overlap"],
    cost: Cost::Unknown,
    kind: Kind::Array(Memory::Unknown, blockwise),
}];

/// An argument of the function.
#[derive(Clone)]
enum Part {
    /// Handed on as it is.
    Whole(Value),
    Labelled(Operand, Vec<Str>),
}

/// What is known of a label.
struct Label {
    /// The length of the axis, 1 where all axes of the label are of size 1.
    len: usize,
    cut: Arc<[usize]>,
    /// The name of its size, where that is unknown.
    unknown: Option<Str>,
}

type Labels = FxHashMap<Str, Label>;

fn blockwise(mut args: Args) -> Result<Value> {
    let span = args.span;
    let function = args.function("f")?;
    let out = labels(args.value("out-labels"))?;
    if let Some(twice) = out.iter().enumerate().find(|(n, label)| out[..*n].contains(label)) {
        return Err(err!(Value, "blockwise: the result has the label `{}` twice", twice.1));
    }
    let mut parts = parts(std::mem::take(&mut args.rest))?;
    let (align, concatenate) = (args.bool("align-arrays")?, args.bool("concatenate")?);
    let known = align_labels(&parts, align)?;
    if !parts.iter().any(|p| matches!(p, Part::Labelled(Operand::Array(_), _))) {
        let values: Vec<Value> = parts.into_iter().map(|part| whole(part, &out, concatenate)).collect();
        let result = args.host.apply(&function, &values, span)?;
        return Ok(Given::of(result)?.into());
    }
    let dtype = match infer::dtype(args.value("dtype"))? {
        Some(dtype) => dtype,
        None => {
            let values = parts.iter().map(|part| tried(part, &out, concatenate)).collect::<Result<Vec<_>>>()?;
            dtype_of(&args, &function, &values)?
        }
    };
    for part in &mut parts {
        if let Part::Labelled(operand, own) = part {
            *operand = fitted(operand, own, &known, align, span)?;
        }
    }
    let (chunks, unknown) = made(&args, &out, &known)?;
    infer::byte_size(&chunks.shape(), dtype)?;
    chunking::check_blocks(chunks.grid())?;
    let token = Token::new("blockwise").value(&function).with((dtype, &out, concatenate)).chunks(&chunks);
    let made = layer(parts, &out, function, concatenate, token, dtype, chunks, unknown.clone(), span);
    Ok(Value::Array(made.with_unknown(unknown).into()))
}

fn labels(value: &Value) -> Result<Vec<Str>> {
    let wrong = |found: &Value| {
        err!(
            Type,
            "blockwise: labels of axes are a string, or a list of names or numbers, found {}",
            found.a_type_name()
        )
    };
    match value {
        Value::Str(text) | Value::Keyword(text) => Ok(text.chars().map(|c| Str::from(c.to_string())).collect()),
        Value::List(items) => items.iter().map(|item| label(item).ok_or_else(|| wrong(item))).collect(),
        other => Err(wrong(other)),
    }
}

fn label(value: &Value) -> Option<Str> {
    match value {
        Value::Str(name) | Value::Keyword(name) => Some(name.clone()),
        Value::Int(n) => Some(n.to_string().into()),
        _ => None,
    }
}

fn parts(values: Vec<Value>) -> Result<Vec<Part>> {
    if values.is_empty() || values.len() % 2 == 1 {
        return Err(err!(Arity, "blockwise takes arrays, each followed by the labels of its axes")
            .help("`(blockwise f \"ij\" x \"ij\" y \"j\")`; a value that is no array is followed by nil"));
    }
    let mut all = Vec::with_capacity(values.len() / 2);
    let mut values = values.into_iter();
    while let (Some(value), Some(own)) = (values.next(), values.next()) {
        if matches!(own, Value::Nil) {
            all.push(Part::Whole(value));
            continue;
        }
        let operand = match &value {
            // Also one of unknown sizes.
            Value::Array(array) => Operand::Array(array.clone()),
            value => Operand::array(value)?,
        };
        let own = labels(&own)?;
        if operand.ndim() != own.len() {
            return Err(err!(Value, "blockwise: an array of {} axes has {} labels", operand.ndim(), own.len()));
        }
        all.push(Part::Labelled(operand, own));
    }
    Ok(all)
}

/// The length of each label, and how it is cut. An axis of size 1 is met by all blocks of the others.
fn align_labels(parts: &[Part], align: bool) -> Result<Labels> {
    let mut cuts: FxHashMap<Str, Vec<Arc<[usize]>>> = FxHashMap::default();
    let mut unknown: FxHashMap<Str, Label> = FxHashMap::default();
    for part in parts {
        let Part::Labelled(operand, own) = part else { continue };
        for (axis, (label, n)) in own.iter().zip(operand.shape()).enumerate() {
            let cut = match operand {
                Operand::Array(a) => a.chunks.axis(axis).clone(),
                _ => [n].into(),
            };
            match operand.unknown(axis) {
                None => cuts.entry(label.clone()).or_default().push(cut),
                Some(name) => match unknown.get(label).and_then(|other| other.unknown.as_ref()) {
                    Some(other) if other != name => return Err(may_differ(other, name)),
                    Some(_) => {}
                    None => {
                        unknown.insert(label.clone(), Label { len: n, cut, unknown: Some(name.clone()) });
                    }
                },
            }
        }
    }
    let length = |cut: &Arc<[usize]>| cut.iter().sum::<usize>();
    let known = |(label, cuts): (Str, Vec<Arc<[usize]>>)| {
        let long: Vec<&Arc<[usize]>> = cuts.iter().filter(|cut| length(cut) != 1).collect();
        // Axes of size 1 are met by all blocks of one of unknown size.
        let name = unknown.get(&label).and_then(|other| other.unknown.as_ref());
        if let (Some(name), Some(known)) = (name, long.first()) {
            return Err(may_differ(name, &length(known).to_string()));
        }
        let long = if long.is_empty() { cuts.iter().collect() } else { long };
        let len = length(long[0]);
        if let Some(other) = long.iter().map(|cut| length(cut)).find(|&n| n != len) {
            return Err(err!(
                Shape,
                "blockwise: axes of the label `{label}` are of different sizes, {len} and {other}"
            ));
        }
        let cut = if align {
            chunking::common(&long)
        } else {
            let most = long.iter().copied().max_by_key(|cut| cut.len()).unwrap_or(long[0]);
            if let Some(other) = long.iter().map(|cut| cut.len()).find(|&n| n != most.len() && n != 1) {
                return Err(err!(
                    Shape,
                    "blockwise: axes of the label `{label}` are in {} and in {other} blocks, and `:align-arrays` is false",
                    most.len()
                ));
            }
            most.clone()
        };
        Ok((label, Label { len, cut, unknown: None }))
    };
    let mut labels: Labels = cuts.into_iter().map(known).collect::<Result<_>>()?;
    labels.extend(unknown);
    Ok(labels)
}

/// What the function gets of a concrete argument, all of which is one block.
fn whole(part: Part, out: &[Str], concatenate: bool) -> Value {
    match part {
        Part::Whole(value) => value,
        Part::Labelled(operand, own) => nested(operand.value(), &own, out, concatenate),
    }
}

/// In a list for each axis that the result has not.
fn nested(value: Value, own: &[Str], out: &[Str], concatenate: bool) -> Value {
    let gone = if concatenate { 0 } else { own.iter().filter(|label| !out.contains(label)).count() };
    (0..gone).fold(value, |value, _| Value::list(vec![value]))
}

/// An argument of a single element, as the function gets it.
fn tried(part: &Part, out: &[Str], concatenate: bool) -> Result<Value> {
    Ok(match part {
        Part::Whole(value) => value.clone(),
        Part::Labelled(operand, own) => {
            let one = create::fill(operand.dtype(), &Dims::from_elem(1, own.len()), &Value::Int(1))?;
            nested(one.into(), own, out, concatenate)
        }
    })
}

/// The operand as a lazy array, cut as its labels are.
fn fitted(operand: &Operand, own: &[Str], known: &Labels, align: bool, span: Span) -> Result<Operand> {
    let shape = operand.shape();
    let cut = |(axis, (label, &n)): (usize, (&Str, &usize))| match (operand, known.get(label)) {
        (Operand::Array(a), _) if a.unknown.axis(axis).is_some() => a.chunks.axis(axis).clone(),
        (_, Some(known)) if known.len == n && known.unknown.is_none() => known.cut.clone(),
        _ => [n].into(),
    };
    let wanted = Chunks::from_axes(own.iter().zip(&shape).enumerate().map(cut).collect());
    if let Operand::Array(a) = operand
        && align
        && wanted != a.chunks
    {
        operand::known(a)?;
    }
    Ok(Operand::Array(match operand {
        Operand::Array(a) if !align => a.clone(),
        Operand::Array(a) => recut(a, wanted, span).into(),
        Operand::Block(b) => constant(b, wanted, span).into(),
        Operand::Number(_) => constant(&create::from_value(&operand.value(), None)?, wanted, span).into(),
    }))
}

/// The chunks of the result, and which of its sizes are unknown.
fn made(args: &Args, out: &[Str], known: &Labels) -> Result<(Chunks, Unknown)> {
    let new = named(args, "new-axes")?;
    let adjusted = named(args, "adjust-chunks")?;
    if let Some(label) = new.keys().find(|label| known.contains_key(*label)) {
        return Err(err!(Value, "blockwise: `:new-axes` has the label `{label}`, which an array has, too"));
    }
    let size = |v: &Value| v.as_int().and_then(|n| usize::try_from(n).ok());
    let sizes = |v: &Value| match v {
        Value::List(items) => items.iter().map(size).collect::<Option<Arc<[usize]>>>().filter(|cut| !cut.is_empty()),
        one => size(one).map(|n| [n].into()),
    };
    let axis = |label: &Str| -> Result<Arc<[usize]>> {
        if let Some(spec) = new.get(label) {
            return sizes(spec)
                .ok_or_else(|| err!(Type, "blockwise: `:new-axes` gives `{label}` no size and no list of sizes"));
        }
        let Some(Label { cut, unknown, .. }) = known.get(label) else {
            return Err(err!(Value, "blockwise: no array has the label `{label}` of the result")
                .help(format!("`:new-axes {{{label:?} n}}` makes an axis of n elements")));
        };
        let wrong =
            || err!(Value, "blockwise: `:adjust-chunks` says no sizes of the {} blocks of `{label}`", cut.len());
        match adjusted.get(label) {
            None => Ok(cut.clone()),
            Some(spec @ Value::List(_)) => sizes(spec).filter(|sizes| sizes.len() == cut.len()).ok_or_else(wrong),
            Some(spec @ Value::Int(_)) => Ok(vec![size(spec).ok_or_else(wrong)?; cut.len()].into()),
            Some(_) if unknown.is_some() => {
                let name = unknown.as_deref().unwrap_or_default();
                Err(err!(Shape, "blockwise: the size {name} of `{label}` is not known before it is computed").help(
                    "`:adjust-chunks` gives a size, or a list of them, or `(compute-chunk-sizes x)` computes them",
                ))
            }
            Some(function) => {
                let one = |&n: &usize| {
                    let answer = args.host.apply(function, &[Value::Int(n as i64)], args.span)?;
                    size(&answer).ok_or_else(wrong)
                };
                cut.iter().map(one).collect()
            }
        }
    };
    let name = |label: &Str| known.get(label).filter(|_| !adjusted.contains_key(label))?.unknown.clone();
    Ok((Chunks::from_axes(out.iter().map(axis).collect::<Result<_>>()?), Unknown::of(out.iter().map(name).collect())))
}

/// A map from labels.
fn named(args: &Args, param: &str) -> Result<FxHashMap<Str, Value>> {
    let Value::Map(map) = args.value(param) else {
        return match args.value(param) {
            Value::Nil => Ok(FxHashMap::default()),
            _ => Err(args.wrong(param, "a map from labels")),
        };
    };
    map.iter().map(|(k, v)| Ok((label(k).ok_or_else(|| args.wrong(param, "a map from labels"))?, v.clone()))).collect()
}

/// An input of the function: an array among the parents, and for each of its axes which one of the result it follows, or how many
/// blocks of it come together.
struct Meeting {
    parent: usize,
    axes: Vec<Follows>,
    /// Axes of the result of unknown sizes, and which of the array tells them.
    told: Vec<(usize, usize)>,
}

#[derive(Clone, Copy)]
enum Follows {
    Axis(usize),
    /// One block meets all.
    Only,
    All(usize),
}

impl Meeting {
    /// The blocks for one of the result, in lists or put together, outer axes first.
    fn task(&self, index: &[u32], concatenate: bool, refs: &mut Vec<BlockRef>) -> Task {
        self.along(0, index, &mut SmallVec::new(), concatenate, refs)
    }

    fn along(
        &self,
        axis: usize,
        index: &[u32],
        at: &mut SmallVec<[u32; 4]>,
        concatenate: bool,
        refs: &mut Vec<BlockRef>,
    ) -> Task {
        let Some(follows) = self.axes.get(axis) else {
            refs.push(BlockRef { parent: self.parent, index: at.clone() });
            return Task::input(refs.len() - 1);
        };
        let mut step = |block: u32| {
            at.push(block);
            let task = self.along(axis + 1, index, at, concatenate, refs);
            at.pop();
            task
        };
        match *follows {
            Follows::Axis(out) => step(index[out]),
            Follows::Only => step(0),
            Follows::All(blocks) => {
                let all: Vec<Task> = (0..blocks as u32).map(step).collect();
                if !concatenate {
                    return Task::list(all);
                }
                match <[Task; 1]>::try_from(all) {
                    Ok([only]) => only,
                    Err(all) => {
                        call("concatenate", vec![Task::list(all)], vec![("axis", Task::data(Value::Int(axis as i64)))])
                    }
                }
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "all that a layer is made of")]
fn layer(
    parts: Vec<Part>,
    out: &[Str],
    function: Value,
    concatenate: bool,
    mut token: Token,
    dtype: DType,
    chunks: Chunks,
    unknown: Unknown,
    span: Span,
) -> Array {
    let mut parents = Parents::default();
    let mut inputs: Vec<Result<Meeting, Value>> = Vec::new();
    let unknown: Vec<(usize, &Str)> = out.iter().enumerate().filter(|(at, _)| unknown.axis(*at).is_some()).collect();
    for part in parts {
        inputs.push(match part {
            Part::Whole(value) => {
                token = token.value(&value);
                Err(value)
            }
            Part::Labelled(Operand::Array(array), own) => {
                token = token.layer(&array.layer).with(&own);
                let follows = |(axis, label): (usize, &Str)| {
                    let blocks = array.chunks.axis(axis).len();
                    match out.iter().position(|other| other == label) {
                        Some(at) if blocks > 1 || chunks.axis(at).len() == 1 => Follows::Axis(at),
                        Some(_) => Follows::Only,
                        None => Follows::All(blocks),
                    }
                };
                let axes = own.iter().enumerate().map(follows).collect();
                let tells = |&(out, label): &(usize, &Str)| Some((out, own.iter().position(|other| other == label)?));
                let told = unknown.iter().filter_map(tells).filter(|&(_, axis)| array.unknown.axis(axis).is_some());
                Ok(Meeting { parent: parents.add(&array.layer), axes, told: told.collect() })
            }
            Part::Labelled(other, _) => Err(other.value()),
        });
    }
    let bounds = Bounds::of(&chunks);
    let plan = Plan { token, parents: parents.layers, dtype, chunks, cost: Cost::Unknown, span };
    plan.per_block(move |index| {
        let mut refs = Vec::new();
        let mut items = vec![Task::data(function.clone())];
        let mut like: Vec<Option<Task>> = vec![None; index.len()];
        items.extend(inputs.iter().map(|input| match input {
            Ok(meeting) => {
                // Along axes of unknown sizes blocks are as long as what they are made of.
                for &(out, axis) in &meeting.told {
                    like[out] = Some(Task::list(vec![Task::input(refs.len()), Task::data(axis)]));
                }
                meeting.task(index, concatenate, &mut refs)
            }
            Err(value) => Task::data(value.clone()),
        }));
        let made = Task::call(items).with_span(span);
        let size = |(out, n): (usize, usize)| if like[out].is_some() { Value::Nil } else { Value::from(n) };
        let shape = Value::list(bounds.block_shape(index).into_iter().enumerate().map(size).collect());
        (refs, checked(made, dtype, Task::data(shape), Some("blockwise"), like.into_iter().flatten().collect()))
    })
}
