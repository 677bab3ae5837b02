//! NumPy's basic indexing, and one-dimensional index lists, on concrete blocks and as a plan over the blocks of lazy arrays.
//! Lists on several axes each act on their own here ("outer" indexing); how users' lists meet is for [`super::pairs`].

use super::chunking::{Bounds, show};
use super::layers::{self, Plan};
use super::token::Token;
use crate::data::slice::Range;
use crate::data::{Array, Block, BlockRef, Chunks, Cost, DType, Dims, Slice, Taken, Task, Value};
use crate::err;
use crate::kernel::layout;
use crate::text::{Result, Span, counted};
use smallvec::SmallVec;
use std::sync::Arc;

/// What is taken of one axis.
#[derive(Clone, PartialEq, Debug)]
pub enum Take {
    /// One element; the axis goes.
    One(usize),
    Range(Range),
    /// These elements, in this order.
    List(Arc<[usize]>),
}

impl Take {
    /// The elements, where they are a list.
    pub fn list(&self) -> Option<&[usize]> {
        match self {
            Take::List(list) => Some(list),
            _ => None,
        }
    }
}

/// A step of an index: a new axis of size 1, or what is taken of the next axis.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    New,
    Axis(Take),
}

/// An index of an array of known shape, every axis accounted for.
#[derive(Clone, PartialEq, Debug)]
pub struct Index(pub Vec<Step>);

impl Index {
    /// Reads an index as it is written: integers, slices, `...`, `newaxis`, lists of integers or bools (one bool for each
    /// element of the axis), and one-dimensional arrays of either.
    pub fn parse(items: &[Value], shape: &[usize]) -> Result<Index> {
        let is_axis = |v: &&Value| !matches!(v, Value::Ellipsis | Value::NewAxis);
        let used = items.iter().filter(is_axis).count();
        if used > shape.len() {
            return Err(err!(Index, "{} for an array of shape {}", counted(used, "index", "indices"), show(shape)));
        }
        if items.iter().filter(|v| matches!(v, Value::Ellipsis)).count() > 1 {
            return Err(err!(Index, "an index has at most one `...`"));
        }
        let mut steps = Vec::with_capacity(shape.len() + items.len());
        let mut axis = 0;
        let all = |axis: usize| Step::Axis(Take::Range(Range { start: 0, step: 1, count: shape[axis] }));
        for item in items {
            match item {
                Value::NewAxis => steps.push(Step::New),
                Value::Ellipsis => {
                    let until = axis + shape.len() - used;
                    steps.extend((axis..until).map(all));
                    axis = until;
                }
                item => {
                    steps.push(Step::Axis(take(item, axis, shape[axis])?));
                    axis += 1;
                }
            }
        }
        steps.extend((axis..shape.len()).map(all));
        Ok(Index(steps))
    }

    /// What is taken of each axis.
    pub fn takes(&self) -> impl Iterator<Item = &Take> {
        self.0.iter().filter_map(|step| match step {
            Step::Axis(take) => Some(take),
            Step::New => None,
        })
    }

    /// Whether all of an array of that shape is taken as it is.
    pub fn is_all(&self, shape: &[usize]) -> bool {
        self.0.len() == shape.len()
            && self.0.iter().zip(shape).all(
                |(step, &n)| matches!(step, Step::Axis(Take::Range(r)) if *r == Range { start: 0, step: 1, count: n }),
            )
    }

    /// Shape of what is taken.
    pub fn shape(&self) -> Dims {
        let size = |step: &Step| match step {
            Step::New => Some(1),
            Step::Axis(Take::One(_)) => None,
            Step::Axis(Take::Range(r)) => Some(r.count),
            Step::Axis(Take::List(list)) => Some(list.len()),
        };
        self.0.iter().filter_map(size).collect()
    }

    /// What is taken of a concrete array: a view, unless there are lists, or it is a small part of a large block, which a view
    /// would keep in memory.
    pub fn of_block(&self, block: &Block) -> Result<Block> {
        let mut view = block.clone();
        let mut lists = Vec::new();
        let mut axis = 0;
        for step in &self.0 {
            match step {
                Step::New => view = view.insert_axis(axis),
                Step::Axis(Take::One(at)) => {
                    view = view.take_axis(axis, *at);
                    continue;
                }
                Step::Axis(Take::Range(range)) => view = view.slice_axis(axis, *range),
                Step::Axis(Take::List(list)) => lists.push((axis, list)),
            }
            axis += 1;
        }
        // Lists copy, so they come last: only what the rest leaves.
        for (axis, list) in lists {
            let list: Vec<i64> = list.iter().map(|&i| i as i64).collect();
            view = layout::take(&view, axis, &list)?;
        }
        if view.nbytes() < block.nbytes() / 4 { Ok(view.copied()) } else { Ok(view) }
    }

    /// What is taken of a lazy array. Blocks of which nothing is taken are not computed.
    pub fn of_array(&self, array: &Array, span: Span) -> Array {
        if self.is_all(&array.shape()) {
            return array.clone();
        }
        let bounds = Bounds::of(&array.chunks);
        let mut steps = Vec::with_capacity(self.0.len());
        let mut cuts: Vec<Arc<[usize]>> = Vec::new();
        let mut axis = 0;
        for step in &self.0 {
            let plan = match step {
                Step::New => {
                    cuts.push([1].into());
                    AxisPlan::New
                }
                Step::Axis(take) => {
                    let plan = plan_axis(take, &bounds, axis, array.chunks.axis(axis));
                    axis += 1;
                    match &plan {
                        AxisPlan::Blocks(blocks) if !matches!(take, Take::One(_)) => {
                            cuts.push(blocks.iter().map(Gather::len).collect());
                        }
                        _ => {}
                    }
                    plan
                }
            };
            steps.push(plan);
        }
        let chunks = Chunks::from_axes(cuts);
        let mut token = Token::new("slice").layer(&array.layer);
        for step in &self.0 {
            token = match step {
                Step::New => token.with(0u8),
                Step::Axis(Take::One(at)) => token.with((1u8, at)),
                Step::Axis(Take::Range(r)) => token.with((2u8, r)),
                Step::Axis(Take::List(list)) => token.with((3u8, list)),
            };
        }
        let lists = self.takes().any(|t| matches!(t, Take::List(_)));
        let plan = Plan {
            token,
            parents: vec![array.layer.clone()],
            dtype: array.dtype,
            chunks,
            cost: if lists { Cost::Cheap } else { Cost::Free },
            span,
        };
        let made = plan.per_block(move |index| {
            let mut out = index.iter();
            let chosen: Vec<Option<&Gather>> = steps
                .iter()
                .map(|plan| match plan {
                    AxisPlan::New => {
                        out.next();
                        None
                    }
                    AxisPlan::One(gather) => Some(gather),
                    AxisPlan::Blocks(blocks) => {
                        let at = out.next().copied().unwrap_or(0);
                        Some(&blocks[at as usize])
                    }
                })
                .collect();
            let mut refs = Vec::new();
            let task = build(&chosen, &bounds, &mut SmallVec::new(), 0, &mut refs);
            (refs, task)
        });
        self.as_part(made, array, span)
    }

    /// Says of a slice of `array` what it takes, and what a part of it is.
    fn as_part(&self, mut made: Array, array: &Array, span: Span) -> Array {
        let (ranges, rest) = self.split();
        if let Some(layer) = Arc::get_mut(&mut made.layer) {
            let rest = Box::new(move |part: &Array| rest.of_array(part, span));
            layer.parts.taken = Some(Arc::new(Taken { ranges, rest }));
        }
        let (index, array) = (self.clone(), array.clone());
        super::parts::with_parts(made, move |ranges| Some(index.then(ranges)?.of_array(&array, span)))
    }

    /// The ranges that hold what is taken, going forward, and the index that takes it of these.
    fn split(&self) -> (Vec<Range>, Index) {
        let mut ranges = Vec::new();
        let mut part = |take: &Take| match take {
            Take::One(at) => {
                ranges.push(Range { start: *at, step: 1, count: 1 });
                Take::One(0)
            }
            Take::Range(Range { count: 0, .. }) => {
                ranges.push(Range { start: 0, step: 1, count: 0 });
                Take::Range(Range { start: 0, step: 1, count: 0 })
            }
            Take::Range(Range { start, step, count }) if *step < 0 => {
                let low = start - (count - 1) * step.unsigned_abs();
                ranges.push(Range { start: low, step: -step, count: *count });
                Take::Range(Range { start: count - 1, step: -1, count: *count })
            }
            Take::Range(range) => {
                ranges.push(*range);
                Take::Range(Range { start: 0, step: 1, count: range.count })
            }
            Take::List(list) => {
                let low = list.iter().copied().min().unwrap_or(0);
                let end = list.iter().copied().max().map_or(0, |high| high + 1);
                ranges.push(Range { start: low, step: 1, count: end.saturating_sub(low) });
                Take::List(list.iter().map(|at| at - low).collect())
            }
        };
        let step = |step: &Step| match step {
            Step::New => Step::New,
            Step::Axis(take) => Step::Axis(part(take)),
        };
        let rest = Index(self.0.iter().map(step).collect());
        (ranges, rest)
    }

    /// The index that takes the part of what this one takes; `None` where a new axis is not taken whole.
    fn then(&self, ranges: &[Range]) -> Option<Index> {
        let mut ranges = ranges.iter();
        let mut step = |step: &Step| {
            Some(match step {
                Step::New => {
                    ranges.next().filter(|r| r.count == 1)?;
                    Step::New
                }
                Step::Axis(Take::One(at)) => Step::Axis(Take::One(*at)),
                Step::Axis(Take::Range(own)) => {
                    let part = ranges.next()?;
                    let start = (own.start as isize + part.start as isize * own.step).max(0) as usize;
                    Step::Axis(Take::Range(Range { start, step: own.step * part.step, count: part.count }))
                }
                Step::Axis(Take::List(list)) => {
                    let part = ranges.next()?;
                    let at = |i: usize| list[part.start + i * part.step.unsigned_abs()];
                    Step::Axis(Take::List((0..part.count).map(at).collect()))
                }
            })
        };
        self.0.iter().map(&mut step).collect::<Option<Vec<Step>>>().map(Index)
    }
}

fn take(item: &Value, axis: usize, n: usize) -> Result<Take> {
    if let Some(at) = item.as_int() {
        return Ok(Take::One(element(at, axis, n)?));
    }
    match item {
        Value::Slice(slice) => match slice.resolve(n) {
            Some(range) => Ok(Take::Range(range)),
            None => Err(err!(Value, "the step of a slice is not 0, in `{slice}`")),
        },
        Value::List(items) if items.iter().any(|v| matches!(v, Value::Bool(_))) => {
            let bools = items.iter().map(|v| match v {
                Value::Bool(b) => Ok(*b),
                other => Err(err!(Index, "a mask holds bools only, found {}", other.a_type_name())),
            });
            mask(&bools.collect::<Result<Vec<bool>>>()?, axis, n)
        }
        Value::List(items) => {
            let at = |v: &Value| match v.as_int() {
                Some(at) => element(at, axis, n),
                None => Err(err!(Index, "an index list holds integers or bools, found {}", v.a_type_name())),
            };
            Ok(Take::List(items.iter().map(at).collect::<Result<_>>()?))
        }
        Value::Block(b) if b.ndim() == 1 && b.dtype() == DType::Bool => {
            mask(&b.view::<bool>().iter().copied().collect::<Vec<_>>(), axis, n)
        }
        Value::Block(b) if b.ndim() == 1 && b.dtype().is_integer() => {
            let b = b.cast(DType::I64)?;
            let list = b.view::<i64>().iter().map(|&at| element(at, axis, n)).collect::<Result<_>>()?;
            Ok(Take::List(list))
        }
        Value::Block(b) => Err(err!(
            Index,
            "an index array is one-dimensional, of integers or bools; this is {}{}",
            b.dtype(),
            show(b.shape())
        )),
        Value::Array(_) => Err(err!(Index, "an index is concrete, this one is a lazy array")
            .help("compute it first: `(slice x (compute i))`")),
        other => Err(err!(
            Index,
            "an index is an integer, a slice, `...`, `newaxis`, or a list of integers or bools; found {}",
            other.a_type_name()
        )),
    }
}

fn element(at: i64, axis: usize, n: usize) -> Result<usize> {
    let from_start = if at < 0 { at.checked_add(n as i64) } else { Some(at) };
    match from_start.and_then(|i| usize::try_from(i).ok()).filter(|&i| i < n) {
        Some(i) => Ok(i),
        None => Err(err!(Index, "index {at} is out of range for axis {axis}, which has {n} elements")),
    }
}

fn mask(bools: &[bool], axis: usize, n: usize) -> Result<Take> {
    if bools.len() != n {
        return Err(err!(Index, "a mask of {} bools for axis {axis}, which has {n} elements", bools.len()));
    }
    Ok(Take::List((0..n).filter(|&i| bools[i]).collect()))
}

/// How an axis of the array becomes an axis of the result, or none.
enum AxisPlan {
    New,
    One(Gather),
    Blocks(Vec<Gather>),
}

/// What one block of the result takes along an axis.
enum Gather {
    One(u32, usize),
    Range(u32, Range),
    /// Elements of several blocks one after the other, and the order to put them in, unless it is that one.
    List {
        sources: Vec<(u32, Vec<usize>)>,
        order: Option<Vec<usize>>,
    },
}

impl Gather {
    fn len(&self) -> usize {
        match self {
            Gather::One(..) => 1,
            Gather::Range(_, range) => range.count,
            Gather::List { sources, .. } => sources.iter().map(|(_, list)| list.len()).sum(),
        }
    }
}

fn plan_axis(take: &Take, bounds: &Bounds, axis: usize, cut: &[usize]) -> AxisPlan {
    match take {
        Take::One(at) => {
            let block = bounds.find(axis, *at);
            AxisPlan::One(Gather::One(block, at - bounds.start(axis, block)))
        }
        Take::Range(range) => AxisPlan::Blocks(plan_range(range, bounds, axis, cut.len())),
        Take::List(list) => AxisPlan::Blocks(plan_list(list, bounds, axis, cut)),
    }
}

/// The blocks that a range meets, in the order it meets them.
fn plan_range(range: &Range, bounds: &Bounds, axis: usize, blocks: usize) -> Vec<Gather> {
    if range.count == 0 {
        return vec![Gather::Range(0, Range { start: 0, step: 1, count: 0 })];
    }
    if *range == (Range { start: 0, step: 1, count: bounds.end(axis) }) {
        // All of the axis: the blocks as they are, also those of size 0.
        let whole = |block| Gather::Range(block, Range { start: 0, step: 1, count: bounds.len(axis, block) });
        return (0..blocks as u32).map(whole).collect();
    }
    let mut found = Vec::new();
    let mut taken = 0;
    while taken < range.count {
        let at = (range.start as isize + taken as isize * range.step) as usize;
        let block = bounds.find(axis, at);
        let local = at - bounds.start(axis, block);
        let room = if range.step > 0 { bounds.len(axis, block) - 1 - local } else { local };
        let count = (room / range.step.unsigned_abs() + 1).min(range.count - taken);
        found.push(Gather::Range(block, Range { start: local, step: range.step, count }));
        taken += count;
    }
    found
}

/// What the blocks of a range are, as ranges of the whole axis.
pub fn met(range: &Range, bounds: &Bounds, axis: usize, blocks: usize) -> Vec<Range> {
    let global = |gather: Gather| match gather {
        Gather::Range(block, local) => Some(Range { start: bounds.start(axis, block) + local.start, ..local }),
        _ => None,
    };
    plan_range(range, bounds, axis, blocks).into_iter().filter_map(global).collect()
}

/// Blocks for an index list. Where the list mostly stays within a block before it goes to the next, blocks of the result are
/// those runs; otherwise they are as large as the largest block, and gather from all the blocks they need.
fn plan_list(list: &[usize], bounds: &Bounds, axis: usize, cut: &[usize]) -> Vec<Gather> {
    if list.is_empty() {
        return vec![Gather::List { sources: vec![(0, Vec::new())], order: None }];
    }
    let blocks: Vec<u32> = list.iter().map(|&at| bounds.find(axis, at)).collect();
    let runs = 1 + blocks.windows(2).filter(|w| w[0] != w[1]).count();
    let largest = cut.iter().copied().max().unwrap_or(1).max(1);
    let mut ends: Vec<usize> = Vec::new();
    if runs <= 2 * cut.len() {
        ends.extend((1..list.len()).filter(|&i| blocks[i] != blocks[i - 1]));
    } else {
        ends.extend((1..list.len().div_ceil(largest)).map(|i| i * largest));
    }
    ends.push(list.len());
    let mut start = 0;
    ends.into_iter()
        .map(|end| {
            let gather = gather(&list[start..end], &blocks[start..end], bounds, axis);
            start = end;
            gather
        })
        .collect()
}

fn gather(list: &[usize], blocks: &[u32], bounds: &Bounds, axis: usize) -> Gather {
    // Stable: elements of one block stay in their order.
    let mut sorted: Vec<usize> = (0..list.len()).collect();
    sorted.sort_by_key(|&i| blocks[i]);
    let mut sources: Vec<(u32, Vec<usize>)> = Vec::new();
    for &i in &sorted {
        let local = list[i] - bounds.start(axis, blocks[i]);
        match sources.last_mut() {
            Some((block, list)) if *block == blocks[i] => list.push(local),
            _ => sources.push((blocks[i], vec![local])),
        }
    }
    let in_order = sorted.windows(2).all(|w| w[0] < w[1]);
    let order = (!in_order).then(|| {
        let mut order = vec![0; sorted.len()];
        sorted.iter().enumerate().for_each(|(place, &i)| order[i] = place);
        order
    });
    Gather::List { sources, order }
}

/// What is taken of one block along each step of the index.
type Chosen<'a> = SmallVec<[Option<(u32, Selector<'a>)>; 4]>;

#[derive(Clone, Copy)]
enum Selector<'a> {
    One(usize),
    Range(Range),
    List(&'a [usize]),
}

/// The task of one block of the result, axis by axis: lists that need several blocks are concatenated.
fn build<'a>(
    plan: &[Option<&'a Gather>],
    bounds: &Bounds,
    chosen: &mut Chosen<'a>,
    out_axis: usize,
    refs: &mut Vec<BlockRef>,
) -> Task {
    let Some((first, rest)) = plan.split_first() else { return leaf(bounds, chosen, refs) };
    let mut go = |choice: Option<(u32, Selector<'a>)>, axes: usize, refs: &mut Vec<BlockRef>| {
        chosen.push(choice);
        let task = build(rest, bounds, chosen, out_axis + axes, refs);
        chosen.pop();
        task
    };
    match first {
        None => go(None, 1, refs),
        Some(Gather::One(block, at)) => go(Some((*block, Selector::One(*at))), 0, refs),
        Some(Gather::Range(block, range)) => go(Some((*block, Selector::Range(*range))), 1, refs),
        Some(Gather::List { sources, order }) => {
            let mut parts: Vec<Task> =
                sources.iter().map(|(block, list)| go(Some((*block, Selector::List(list))), 1, refs)).collect();
            let whole = match parts.pop() {
                Some(only) if parts.is_empty() => only,
                last => {
                    parts.extend(last);
                    let axis = Task::data(Value::from(out_axis));
                    layers::call("concatenate", vec![Task::list(parts)], vec![("axis", axis)])
                }
            };
            match order {
                None => whole,
                Some(order) => {
                    let mut items = vec![whole];
                    items.extend((0..out_axis).map(|_| Task::data(Value::from(Slice::ALL))));
                    items.push(Task::data(layers::ints(order)));
                    layers::call("slice", items, Vec::new())
                }
            }
        }
    }
}

fn leaf(bounds: &Bounds, chosen: &Chosen, refs: &mut Vec<BlockRef>) -> Task {
    let blocks = chosen.iter().flatten().map(|(block, _)| *block);
    refs.push(BlockRef { parent: 0, index: blocks.collect() });
    let input = Task::input(refs.len() - 1);
    let mut axis = 0;
    let mut all = true;
    let mut items = vec![input.clone()];
    for choice in chosen {
        let Some((block, selector)) = choice else {
            all = false;
            items.push(Task::data(Value::NewAxis));
            continue;
        };
        let whole = Range { start: 0, step: 1, count: bounds.len(axis, *block) };
        axis += 1;
        items.push(Task::data(match selector {
            Selector::One(at) => {
                all = false;
                Value::from(*at)
            }
            Selector::Range(range) if *range == whole => Value::from(Slice::ALL),
            Selector::Range(range) => {
                all = false;
                Value::from(layers::as_slice(range))
            }
            Selector::List(list) => {
                all = false;
                layers::ints(list)
            }
        }));
    }
    if all {
        return input;
    }
    let is_list = |choice: &Option<(u32, Selector)>| matches!(choice, Some((_, Selector::List(_))));
    let is_one = |choice: &Option<(u32, Selector)>| matches!(choice, Some((_, Selector::One(_))));
    let lists = chosen.iter().filter(|c| is_list(c)).count();
    if lists == 0 || lists == 1 && !chosen.iter().any(is_one) {
        return layers::call("slice", items, Vec::new());
    }
    // Lists would meet, also with integers: each has a call of its own.
    let mut later = Vec::new();
    let mut axis = 0;
    for (choice, item) in chosen.iter().zip(&mut items[1..]) {
        if is_list(choice) {
            later.push((axis, std::mem::replace(item, Task::data(Value::from(Slice::ALL)))));
        }
        axis += usize::from(!is_one(choice));
    }
    later.into_iter().fold(layers::call("slice", items, Vec::new()), |task, (axis, list)| {
        let whole = (0..axis).map(|_| Task::data(Value::from(Slice::ALL)));
        layers::call("slice", std::iter::once(task).chain(whole).chain([list]).collect(), Vec::new())
    })
}
