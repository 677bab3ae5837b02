//! `set-part`: an array with other elements in the places that an index names. What `assoc` makes of arrays.

use super::choose;
use super::slice::without_masks;
use crate::data::{Args, Array, Block, BlockRef, Chunks, Cost, DType, Dims, Memory, Slice, Task, Value};
use crate::err;
use crate::kernel::{create, layout};
use crate::op::chunking::{Bounds, show};
use crate::op::indexing::{self, Index, Step, Take};
use crate::op::layers::{Plan, as_slice, call, ints};
use crate::op::operand::known;
use crate::op::pairs::{self, Meeting};
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Operand, Token};
use crate::text::{Result, Span};
use crate::with_dtype;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

pub static OPS: &[Op] = &[Op {
    usage: "(set-part x index value)",
    doc: "A copy with the elements replaced that an index names, as NumPy's `x[index] = value` has it; what `assoc` makes of arrays.\n\
        The value broadcasts to the shape of what the index names, and is converted to the dtype of x: a number that it does not hold is \
        `dsk::overflow`, an array is cast. Where an index names an element twice, the last value stays. Blocks of a lazy array of which nothing \
        is replaced stay as they are. A lazy mask is met element by element: the value may not depend on how many elements it names.",
    examples: &[
        ("(to-list (set-part (zeros [3]) [1:] 5))", "[0.0 5.0 5.0]"),
        ("(to-list (compute (set-part (arange 4 :chunks 2) [[true false true false]] [7 8])))", "[7 1 8 3]"),
    ],
    see: &["assoc", "where", "slice"],
    cost: Cost::Cheap,
    kind: Kind::Array(Memory::Copies, |mut args| {
        let (x, key, value) = (args.take("x"), args.take("index"), args.take("value"));
        set_part(x, &key, value, &args)
    }),
}];

/// The array with the elements that an index names replaced. The memory is reused where nobody else holds it.
pub fn set_part(x: Value, key: &Value, value: Value, args: &Args) -> Result<Value> {
    let is_mask = |items: &[Value]| !items.is_empty() && items.iter().all(|v| matches!(v, Value::Bool(_)));
    let items = match key {
        Value::List(items) if !is_mask(items) => items.to_vec(),
        single => vec![single.clone()],
    };
    let span = args.span;
    let x = Given::of(x)?;
    if items.iter().any(|item| matches!(item, Value::Array(_))) {
        return by_lazy_mask(x, items, value, args);
    }
    let shape = x.shape();
    let (items, folded) = pairs::flat_lists(without_masks(items, &shape)?)?;
    let part = Part::of(&items, folded, &shape)?;
    let value = part.value(value, x.dtype(), args)?;
    match (x, value) {
        (Given::Now(block), Given::Now(value)) => Ok(part.replaced(block, &value)?.into()),
        (x, value) => Ok(Value::Array(part.of_array(x.into_lazy(span), value, span).into())),
    }
}

/// What an axis of what an index names comes from.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Out {
    New,
    /// An axis of the array.
    Axis(usize),
    /// What lists name together.
    Points,
}

/// What an index names of an array.
struct Part {
    index: Index,
    meeting: Option<Meeting>,
    /// Its axes.
    out: Vec<Out>,
    shape: Dims,
    /// The shape of lists of several axes, which are one axis here.
    folded: Option<Dims>,
}

impl Part {
    fn of(items: &[Value], folded: Option<Dims>, shape: &[usize]) -> Result<Part> {
        let index = Index::parse(items, shape)?;
        let meeting = Meeting::of(&index, shape, pairs::apart(items))?;
        let mut axis = 0;
        let mut out = Vec::new();
        for step in &index.0 {
            match step {
                Step::New => out.push(Out::New),
                Step::Axis(take) => {
                    match take {
                        Take::Range(_) => out.push(Out::Axis(axis)),
                        Take::List(_) if meeting.is_none() => out.push(Out::Points),
                        _ => {}
                    }
                    axis += 1;
                }
            }
        }
        if let Some(meeting) = &meeting {
            out.insert(meeting.place(), Out::Points);
        }
        let points = || index.takes().filter_map(Take::list).map(<[usize]>::len).find(|&n| n != 1).unwrap_or(1);
        let takes: Vec<&Take> = index.takes().collect();
        let size = |out: &Out| match *out {
            Out::New => 1,
            Out::Points => points(),
            Out::Axis(axis) => match takes[axis] {
                Take::Range(range) => range.count,
                _ => 1,
            },
        };
        let shape = out.iter().map(size).collect();
        Ok(Part { index, meeting, out, shape, folded })
    }

    /// The shape as NumPy has it.
    fn named(&self) -> Dims {
        let mut shape = self.shape.clone();
        if let (Some(folded), Some(at)) = (&self.folded, self.out.iter().position(|out| *out == Out::Points)) {
            shape.remove(at);
            shape.insert_many(at, folded.iter().copied());
        }
        shape
    }

    /// The value in that dtype, with as many axes as what the index names, each of its size or of size 1.
    fn value(&self, value: Value, dtype: DType, args: &Args) -> Result<Given> {
        let value = match value {
            Value::Array(array) => {
                known(&array)?;
                Given::Lazy(in_dtype(array, dtype, args.span))
            }
            value => Given::Now(create::from_value(&value, Some(dtype))?),
        };
        let (own, named) = (value.shape(), self.named());
        let extra = own.len().saturating_sub(named.len());
        let fits = own[..extra].iter().all(|&n| n == 1)
            && own[extra..].iter().rev().zip(named.iter().rev()).all(|(&n, &m)| n == m || n == 1);
        if !fits {
            return Err(err!(Shape, "a value of shape {} does not fit a part of shape {}", show(&own), show(&named))
                .label(args.span, "in this call"));
        }
        // Leading axes of size 1, or without them; and lists of several axes as one.
        let mut wide: Dims = Dims::from_elem(1, named.len() - (own.len() - extra));
        wide.extend_from_slice(&own[extra..]);
        if let (Some(folded), Some(at)) = (&self.folded, self.out.iter().position(|out| *out == Out::Points)) {
            let (axes, points) = (at..at + folded.len(), folded.iter().product::<usize>());
            let one = wide[axes.clone()].iter().all(|&n| n == 1);
            let mut full = wide.clone();
            if !one {
                full[axes.clone()].copy_from_slice(folded);
            }
            let value = stretched(value, &wide, &full, args)?;
            let mut flat = full;
            flat.drain(axes);
            flat.insert(at, if one { 1 } else { points });
            return reshaped(value, &flat, args.span);
        }
        reshaped(value, &wide, args.span)
    }

    fn replaced(&self, mut block: Block, value: &Block) -> Result<Block> {
        if !block.is_unshared() {
            Block::check_room(Block::byte_size(block.dtype(), block.shape())?)?;
            block = block.copied();
        }
        let value = value.broadcast_to(&self.shape).unwrap_or_else(|| value.clone());
        let lists = self.index.takes().any(|take| matches!(take, Take::List(_)));
        if !lists {
            let range = |take: &Take| match take {
                Take::Range(range) => *range,
                Take::One(at) => crate::data::slice::Range { start: *at, step: 1, count: 1 },
                Take::List(_) => crate::data::slice::Range { start: 0, step: 1, count: 0 },
            };
            let region: Vec<_> = self.index.takes().map(range).collect();
            let shape: Dims = region.iter().map(|range| range.count).collect();
            return Ok(layout::replace(block, &region, &value.reshape(&shape)));
        }
        // The places of all elements, indexed alike, are the places that the index names.
        Block::check_room(Block::byte_size(DType::I64, block.shape())?)?;
        let places: Vec<i64> = (0..block.len() as i64).collect();
        let places = Block::from_slice(block.shape(), &places);
        let places = match &self.meeting {
            Some(meeting) => meeting.of_block(&places)?,
            None => self.index.of_block(&places)?.contiguous(),
        };
        let value = value.contiguous();
        with_dtype!(block.dtype(), T => {
            let all = block.as_mut_slice::<T>();
            let new = value.as_slice::<T>().unwrap_or_default();
            for (at, x) in places.as_slice::<i64>().unwrap_or_default().iter().zip(new) {
                all[*at as usize] = *x;
            }
        });
        Ok(block)
    }

    /// Block by block: each with what falls into it of what the index names.
    fn of_array(&self, x: Array, value: Given, span: Span) -> Array {
        if self.shape.contains(&0) {
            return x;
        }
        let bounds = Bounds::of(&x.chunks);
        let takes: Vec<Take> = self.index.takes().cloned().collect();
        // For each axis of the array and each of its blocks: the how manieth of those that are met, and what is taken of it.
        let mut met: Vec<FxHashMap<u32, (usize, Slice)>> = vec![FxHashMap::default(); takes.len()];
        let mut cuts: Vec<Arc<[usize]>> = Vec::new();
        let points = Points::of(&takes, &bounds);
        for out in &self.out {
            cuts.push(match *out {
                Out::New => [1].into(),
                Out::Points => points.cut.clone(),
                Out::Axis(axis) => {
                    let Take::Range(range) = &takes[axis] else { continue };
                    let parts = indexing::met(range, &bounds, axis, x.chunks.axis(axis).len());
                    let parts: Vec<_> = parts.into_iter().filter(|part| part.count > 0).collect();
                    for (at, part) in parts.iter().enumerate() {
                        let block = bounds.find(axis, part.start);
                        let local =
                            crate::data::slice::Range { start: part.start - bounds.start(axis, block), ..*part };
                        met[axis].insert(block, (at, as_slice(&local)));
                    }
                    parts.iter().map(|part| part.count).collect()
                }
            });
        }
        let value = Cut::of(value, cuts, &self.out, &points, span);
        let (dtype, chunks) = (x.dtype, x.chunks.clone());
        let mut token = Token::new("set-part").layer(&x.layer);
        for step in &self.index.0 {
            token = match step {
                Step::New => token.with(0u8),
                Step::Axis(Take::One(at)) => token.with((1u8, at)),
                Step::Axis(Take::Range(range)) => token.with((2u8, range)),
                Step::Axis(Take::List(list)) => token.with((3u8, list)),
            };
        }
        let mut parents = vec![x.layer.clone()];
        token = match &value {
            Cut::Now(block, ..) => token.value(&block.clone().into()),
            Cut::Lazy(array) => {
                parents.push(array.layer.clone());
                token.layer(&array.layer)
            }
        };
        let (steps, out) = (self.index.0.clone(), self.out.clone());
        let plan = Plan { token, parents, dtype, chunks, cost: Cost::Cheap, span };
        plan.per_block(move |index| {
            let own = BlockRef { parent: 0, index: index.iter().copied().collect() };
            let untouched = (vec![own.clone()], Task::input(0));
            let (mut items, mut axis, mut lists) = (Vec::new(), 0, 0);
            let found = match points.in_block(index) {
                Some(found) => Some(found),
                None if points.axes.is_empty() => None,
                None => return untouched,
            };
            let mut at = vec![0; takes.len()];
            for step in &steps {
                let Step::Axis(take) = step else {
                    items.push(Value::NewAxis);
                    continue;
                };
                items.push(match take {
                    Take::One(element) => {
                        let block = index[axis];
                        let (start, len) = (bounds.start(axis, block), bounds.len(axis, block));
                        match element.checked_sub(start).filter(|local| *local < len) {
                            Some(local) => Value::from(local),
                            None => return untouched,
                        }
                    }
                    Take::Range(_) => match met[axis].get(&index[axis]) {
                        Some((place, slice)) => {
                            at[axis] = *place;
                            Value::from(*slice)
                        }
                        None => return untouched,
                    },
                    Take::List(_) => {
                        lists += 1;
                        found.map_or(Value::Nil, |(_, locals)| ints(&locals[lists - 1]))
                    }
                });
                axis += 1;
            }
            let place = |out: &Out| match *out {
                Out::New => 0,
                Out::Axis(axis) => at[axis] as u32,
                Out::Points => found.map_or(0, |(place, _)| *place as u32),
            };
            let (mut refs, value) = (vec![own], value.part(out.iter().map(place).collect()));
            let value = match value {
                Ok(block) => Task::data(Value::from(block)),
                Err(block) => {
                    refs.push(BlockRef { parent: 1, index: block });
                    Task::input(1)
                }
            };
            (refs, call("set-part", vec![Task::input(0), Task::data(Value::list(items)), value], Vec::new()))
        })
    }
}

/// The how manieth of the blocks that lists meet it is, and where in it the elements are, axis by axis.
type Found = (usize, Vec<Vec<usize>>);

/// What lists name together, by the blocks that it is in.
struct Points {
    /// The axes of the lists.
    axes: Vec<usize>,
    /// By the places of blocks along these axes.
    blocks: FxHashMap<SmallVec<[u32; 4]>, Found>,
    /// The elements, block by block, and how many there are in each.
    order: Vec<usize>,
    cut: Arc<[usize]>,
}

impl Points {
    fn of(takes: &[Take], bounds: &Bounds) -> Points {
        let lists: Vec<(usize, &[usize])> =
            takes.iter().enumerate().filter_map(|(axis, take)| Some((axis, take.list()?))).collect();
        let count = lists.iter().map(|(_, list)| list.len()).find(|&n| n != 1).unwrap_or(1);
        let mut blocks: FxHashMap<SmallVec<[u32; 4]>, Found> = FxHashMap::default();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for n in 0..if lists.is_empty() { 0 } else { count } {
            let each = lists.iter().map(|&(axis, list)| (axis, list[if list.len() == 1 { 0 } else { n }]));
            let block: SmallVec<[u32; 4]> = each.clone().map(|(axis, at)| bounds.find(axis, at)).collect();
            let (place, locals) = blocks.entry(block.clone()).or_insert_with(|| {
                members.push(Vec::new());
                (members.len() - 1, vec![Vec::new(); lists.len()])
            });
            members[*place].push(n);
            for ((local, (axis, at)), block) in locals.iter_mut().zip(each).zip(&block) {
                local.push(at - bounds.start(axis, *block));
            }
        }
        Points {
            axes: lists.iter().map(|&(axis, _)| axis).collect(),
            blocks,
            cut: members.iter().map(Vec::len).collect(),
            order: members.into_iter().flatten().collect(),
        }
    }

    fn in_block(&self, index: &[u32]) -> Option<&Found> {
        self.blocks.get(&self.axes.iter().map(|&axis| index[axis]).collect::<SmallVec<[u32; 4]>>())
    }
}

/// The value, cut as the blocks meet it; axes of size 1 are in one piece.
enum Cut {
    Now(Block, Bounds),
    Lazy(Array),
}

impl Cut {
    fn of(value: Given, cuts: Vec<Arc<[usize]>>, out: &[Out], points: &Points, span: Span) -> Cut {
        let shape = value.shape();
        let own = |(cut, &n): (Arc<[usize]>, &usize)| if cut.iter().sum::<usize>() == n { cut } else { [n].into() };
        let chunks = Chunks::from_axes(cuts.into_iter().zip(&shape).map(own).collect());
        let in_order = points.order.windows(2).all(|pair| pair[0] < pair[1]);
        let listed = out.iter().position(|o| *o == Out::Points).filter(|&axis| !in_order && shape[axis] != 1);
        let all = |&n: &usize| Step::Axis(Take::Range(crate::op::parts::all(n)));
        let index = listed.map(|axis| {
            let mut steps: Vec<Step> = shape.iter().map(all).collect();
            steps[axis] = Step::Axis(Take::List(points.order.as_slice().into()));
            Index(steps)
        });
        match value {
            Given::Now(block) => {
                let ordered = index.and_then(|index| index.of_block(&block).ok()).unwrap_or(block);
                Cut::Now(ordered, Bounds::of(&chunks))
            }
            Given::Lazy(array) => {
                let ordered = index.map_or_else(|| (*array).clone(), |index| index.of_array(&array, span));
                Cut::Lazy(recut(&ordered, chunks, span))
            }
        }
    }

    /// What belongs to a block: in hand, or a block of the value.
    fn part(&self, at: SmallVec<[u32; 4]>) -> std::result::Result<Block, SmallVec<[u32; 4]>> {
        let only = |blocks: usize, at: u32| if blocks == 1 { 0 } else { at };
        match self {
            Cut::Now(block, bounds) => {
                let within =
                    |(axis, &n): (usize, &u32)| only(if bounds.len(axis, 0) == block.shape()[axis] { 1 } else { 2 }, n);
                let at: Vec<u32> = at.iter().enumerate().map(within).collect();
                Ok(crate::op::layers::region(block, bounds, &at).copied())
            }
            Cut::Lazy(array) => Err(at.iter().zip(array.chunks.grid()).map(|(&n, blocks)| only(blocks, n)).collect()),
        }
    }
}

/// By a mask that is not computed: element by element.
fn by_lazy_mask(x: Given, items: Vec<Value>, value: Value, args: &Args) -> Result<Value> {
    let shape = x.shape();
    let unknown = |what: &str| {
        err!(Index, "{what}").label(args.span, "in this call").help("compute the index first: `(compute mask)`")
    };
    let used = |item: &Value| match item {
        Value::Array(mask) => mask.ndim(),
        Value::NewAxis | Value::Ellipsis => 0,
        _ => 1,
    };
    let all: usize = items.iter().map(used).sum();
    let mut axis = 0;
    let mut found: Option<(Arc<Array>, usize)> = None;
    for item in items {
        match &item {
            Value::Array(mask) if mask.dtype == DType::Bool && found.is_none() => {
                known(mask)?;
                if shape.get(axis..axis + mask.ndim()) != Some(&mask.shape()[..]) {
                    return Err(err!(
                        Index,
                        "a mask of shape {} does not fit an array of shape {} from axis {axis} on",
                        show(&mask.shape()),
                        show(&shape)
                    ));
                }
                found = Some((mask.clone(), axis));
            }
            Value::Array(other) if other.dtype != DType::Bool => {
                return Err(unknown(&format!("an index array of {} is concrete, this one is lazy", other.dtype)));
            }
            Value::Array(_) => return Err(unknown("an index has one mask at most that is not computed")),
            Value::Ellipsis => axis += shape.len().saturating_sub(all),
            Value::Slice(slice)
                if shape.get(axis).is_some_and(|&n| slice.resolve(n) == Some(crate::op::parts::all(n))) => {}
            _ => return Err(unknown("beside a mask that is not computed all axes are whole")),
        }
        axis += used(&item);
    }
    let Some((mask, first)) = found else { return Err(unknown("an index is computed")) };
    let after = first + mask.ndim();
    // How many elements the mask names is not known: the value is one for all of them, along the other axes as they are.
    let value = match value {
        Value::Array(array) => {
            known(&array)?;
            Given::Lazy(in_dtype(array, x.dtype(), args.span))
        }
        value => Given::Now(create::from_value(&value, Some(x.dtype()))?),
    };
    // The mask's axes are one in what it names, of unknown length; of the others the value is told by those behind.
    let rest: Dims = shape[..first].iter().copied().chain([1]).chain(shape[after..].iter().copied()).collect();
    let own = value.shape();
    let fits = own.len() <= rest.len() && own.iter().rev().zip(rest.iter().rev()).all(|(&n, &m)| n == m || n == 1);
    if !fits {
        return Err(err!(
            Shape,
            "a value of shape {} for elements that a mask names whose number is not known before it is computed",
            show(&own)
        )
        .label(args.span, "in this call")
        .help("`(where mask value x)` takes elements from the same places, `(compute mask)` tells the number"));
    }
    let mut wide: Dims = own.clone();
    let behind = shape.len() - after;
    if wide.len() > behind {
        let at = wide.len() - behind - 1;
        wide.remove(at);
        wide.insert_many(at, std::iter::repeat_n(1, mask.ndim()));
    }
    let value = Value::from(reshaped(value, &wide, args.span)?);
    let mut expanded: Dims = mask.shape();
    expanded.extend(std::iter::repeat_n(1, behind));
    let mask = Value::from(reshaped(Given::Lazy(mask), &expanded, args.span)?);
    let operands = vec![Operand::take(mask)?, Operand::take(value)?, Operand::take(Value::from(x))?];
    choose::chosen(operands, args.span)
}

fn in_dtype(array: Arc<Array>, dtype: DType, span: Span) -> Arc<Array> {
    if array.dtype == dtype { array } else { choose::cast_lazy(&array, dtype, span).into() }
}

fn reshaped(x: Given, shape: &[usize], span: Span) -> Result<Given> {
    if x.shape()[..] == *shape {
        return Ok(x);
    }
    Ok(match x {
        Given::Now(block) => Given::Now(block.reshape(shape)),
        Given::Lazy(array) => Given::Lazy(super::reshape::reshape_lazy(&array, shape, span)?.into()),
    })
}

/// The array under the shape `wide`, stretched to `full`.
fn stretched(x: Given, wide: &[usize], full: &[usize], args: &Args) -> Result<Given> {
    let x = reshaped(x, wide, args.span)?;
    match x {
        x if wide == full => Ok(x),
        Given::Now(block) => Ok(Given::Now(block.broadcast_to(full).unwrap_or(block))),
        Given::Lazy(array) => match args.host.op("broadcast-to") {
            Some(op) => {
                Given::of(args.host.apply(&Value::Function(op), &[Value::Array(array), ints(full)], args.span)?)
            }
            None => Err(err!(Internal, "the op `broadcast-to` is not there")),
        },
    }
}
