//! Making the layers of lazy arrays: blockwise ops with broadcasting, constants, and new cuts of the same array.

use super::chunking::{self, Bounds};
use super::operand::may_differ;
use super::recut::recut;
use super::token::Token;
use super::{Operand, infer, parts};
use crate::data::slice::Range;
use crate::data::{
    Array, At, Axis, Block, BlockRef, Body, Chunks, Cost, DType, Dims, Input, Layer, Parts, Slice, Str, Task, Unknown,
    Value,
};
use crate::text::{Result, Span};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// What a new layer is made of, besides its body.
pub struct Plan {
    pub token: Token,
    pub parents: Vec<Arc<Layer>>,
    pub dtype: DType,
    pub chunks: Chunks,
    pub cost: Cost,
    pub span: Span,
}

impl Plan {
    /// The array whose blocks the tasks of this body make.
    pub fn array(self, body: Body) -> Array {
        let layer = Layer {
            name: self.token.name(),
            grid: self.chunks.grid(),
            body,
            parents: self.parents,
            blocks: Some((self.dtype, self.chunks.clone())),
            cost: self.cost,
            span: self.span,
            parts: Parts::default(),
            nested: 0,
        };
        Array { layer: Arc::new(layer), dtype: self.dtype, chunks: self.chunks, unknown: Unknown::default() }
    }

    /// An array made of nothing: the task holds all there is.
    pub fn source(self, task: Task) -> Array {
        self.array(Body::Blockwise { inputs: Vec::new(), task })
    }

    /// An array of which each block has a task of its own.
    pub fn per_block(self, f: impl Fn(&[u32]) -> (Vec<BlockRef>, Task) + Send + Sync + 'static) -> Array {
        self.array(Body::PerBlock(Arc::new(f)))
    }
}

/// `(name items… :keyword value …)` as a task.
pub fn call(name: &'static str, items: Vec<Task>, keywords: Vec<(&str, Task)>) -> Task {
    let mut all = Vec::with_capacity(1 + items.len() + 2 * keywords.len());
    all.push(Task::symbol(crate::data::Str::from(name)));
    all.extend(items);
    for (keyword, value) in keywords {
        all.push(Task::data(Value::keyword(keyword)));
        all.push(value);
    }
    Task::call(all)
}

/// `[1 0]`, as data.
pub fn ints(items: &[usize]) -> Value {
    items.iter().map(|&n| n as i64).collect::<Vec<i64>>().into()
}

/// `:float64`, as data.
pub fn dtype_value(dtype: DType) -> Value {
    Value::keyword(dtype.name())
}

/// Parents of a layer, each once.
#[derive(Default)]
pub struct Parents {
    pub layers: Vec<Arc<Layer>>,
    /// Where each of them is, by its name, once they are many.
    places: FxHashMap<Str, usize>,
}

impl Parents {
    /// The position of the layer among the parents.
    pub fn add(&mut self, layer: &Arc<Layer>) -> usize {
        let known = match self.layers.len() {
            0..FEW => self.layers.iter().position(|p| p.name == layer.name),
            _ => self.places.get(&layer.name).copied(),
        };
        if let Some(at) = known {
            return at;
        }
        self.layers.push(layer.clone());
        let first = if self.layers.len() == FEW { 0 } else { self.layers.len() - 1 };
        if self.layers.len() >= FEW {
            self.places.extend(self.layers.iter().enumerate().skip(first).map(|(at, p)| (p.name.clone(), at)));
        }
        self.layers.len() - 1
    }
}

/// So many parents are looked through faster than looked up.
const FEW: usize = 16;

/// A concrete array as a lazy one: its blocks are data in the tasks.
pub fn constant(block: &Block, chunks: Chunks, span: Span) -> Array {
    let token = Token::new("array").value(&block.clone().into()).chunks(&chunks);
    let (whole, dtype, cut) = (block.clone(), block.dtype(), chunks);
    parts::source(&cut, span, move |bounds, chunks| {
        let whole = whole.clone();
        let task = Task::index(move |index| Value::from(region(&whole, &bounds, index)));
        let token = token.clone();
        Plan { token, parents: Vec::new(), dtype, chunks, cost: Cost::Free, span }.source(task)
    })
}

/// The part of a block that is one block of its cut, as a view.
pub fn region(whole: &Block, bounds: &Bounds, index: &[u32]) -> Block {
    (0..whole.ndim()).fold(whole.clone(), |part, axis| {
        let block = index[axis];
        part.slice_axis(axis, Range { start: bounds.start(axis, block), step: 1, count: bounds.len(axis, block) })
    })
}

/// A lazy array of an operand: concrete ones in one block.
pub fn lazy(operand: &Operand, span: Span) -> Result<Array> {
    Ok(match operand {
        Operand::Array(a) => (**a).clone(),
        Operand::Block(b) => constant(b, Chunks::whole(b.shape()), span),
        Operand::Number(n) => {
            let block = crate::kernel::create::from_value(n, None)?;
            constant(&block, Chunks::whole(&[]), span)
        }
    })
}

/// The operands cut alike where they have an axis in common, and the chunks of what they broadcast to. Axes of size 1 that
/// are stretched stay as they are, in one block.
pub fn unify(operands: &[Operand], span: Span) -> Result<(Vec<Operand>, Chunks)> {
    // Sizes that are not known are the most that they may be: they say nothing of what fits.
    unknown_of(operands)?;
    let shapes: Vec<Dims> = operands.iter().map(Operand::shape).collect();
    let shape = infer::broadcast(&shapes.iter().map(|s| s.as_slice()).collect::<Vec<_>>())?;
    let ndim = shape.len();
    let cuts: Vec<Arc<[usize]>> = (0..ndim)
        .map(|axis| {
            let lazy = operands.iter().filter_map(|o| match o {
                Operand::Array(a) => {
                    let own = axis.checked_sub(ndim - a.ndim())?;
                    let cut = a.chunks.axis(own);
                    (cut.iter().sum::<usize>() == shape[axis]).then_some(cut)
                }
                _ => None,
            });
            match lazy.collect::<Vec<_>>() {
                cuts if cuts.is_empty() => [shape[axis]].into(),
                cuts => chunking::common(&cuts),
            }
        })
        .collect();
    let chunks = Chunks::from_axes(cuts);
    let fit = |operand: &Operand| -> Result<Operand> {
        let own = operand.shape();
        let lead = ndim - own.len();
        let axes = own.iter().enumerate().map(|(axis, &n)| match n == shape[lead + axis] {
            true => chunks.axis(lead + axis).clone(),
            false => [n].into(),
        });
        let wanted = Chunks::from_axes(axes.collect());
        Ok(match operand {
            Operand::Array(a) => Operand::Array(Arc::new(recut(a, wanted, span))),
            // One element for all: it is data in every task.
            Operand::Block(b) if b.shape().iter().all(|&n| n == 1) => operand.clone(),
            Operand::Block(b) => Operand::Array(Arc::new(constant(b, wanted, span))),
            Operand::Number(_) => operand.clone(),
        })
    };
    let operands = operands.iter().map(fit).collect::<Result<_>>()?;
    Ok((operands, chunks))
}

/// The name of an axis, of so many, of what operands broadcast to, if its size is unknown: all of them have the same there, or one element.
fn unknown_along(operands: &[Operand], axis: usize, ndim: usize) -> Result<Option<Str>> {
    let own = |o: &Operand| axis.checked_sub(ndim - o.ndim());
    let Some(name) = operands.iter().find_map(|o| o.unknown(own(o)?).cloned()) else { return Ok(None) };
    let other = operands.iter().find_map(|o| {
        let own = own(o)?;
        match o.unknown(own) {
            Some(other) if *other == name => None,
            Some(other) => Some(other.to_string()),
            None if o.shape()[own] == 1 => None,
            None => Some(o.shape()[own].to_string()),
        }
    });
    match other {
        None => Ok(Some(name)),
        Some(other) => Err(may_differ(&name, &other)),
    }
}

/// The unknown sizes of what operands broadcast to.
pub fn unknown_of(operands: &[Operand]) -> Result<Unknown> {
    let lazy = |o: &Operand| matches!(o, Operand::Array(a) if !a.unknown.is_none());
    if !operands.iter().any(lazy) {
        return Ok(Unknown::default());
    }
    let ndim = operands.iter().map(Operand::ndim).max().unwrap_or(0);
    Ok(Unknown::of((0..ndim).map(|axis| unknown_along(operands, axis, ndim)).collect::<Result<_>>()?))
}

/// An elementwise op on operands of which at least one is lazy: broadcast, cut alike, one task per block of the result.
/// `task` puts the arguments of a block together. `token` holds all that the result depends on besides the operands.
pub fn elementwise(
    token: Token,
    operands: &[Operand],
    dtype: DType,
    cost: Cost,
    span: Span,
    task: impl FnOnce(Vec<Task>) -> Task,
) -> Result<Array> {
    let (operands, chunks) = unify(operands, span)?;
    infer::byte_size(&chunks.shape(), dtype)?;
    let ndim = chunks.ndim();
    let unknown = unknown_of(&operands)?;
    let mut token = token.with((dtype, &unknown)).chunks(&chunks);
    let mut parents = Parents::default();
    let mut inputs: Vec<Input> = Vec::new();
    let mut items = Vec::with_capacity(operands.len());
    for operand in &operands {
        token = token.value(&operand.value());
        items.push(match operand {
            Operand::Array(a) => {
                let input = Input { parent: parents.add(&a.layer), at: broadcast_at(&a.chunks, &chunks, ndim) };
                let at = inputs.iter().position(|i| *i == input).unwrap_or_else(|| {
                    inputs.push(input);
                    inputs.len() - 1
                });
                Task::input(at)
            }
            constant => Task::data(constant.value()),
        });
    }
    let plan = Plan { token, parents: parents.layers, dtype, chunks, cost, span };
    let array = plan.array(Body::Blockwise { inputs, task: task(items) });
    Ok(if unknown.is_none() { parts::blockwise(array) } else { array.with_unknown(unknown) })
}

/// Which block of an operand meets block (i, j, …) of the result it is broadcast to.
pub fn broadcast_at(own: &Chunks, out: &Chunks, ndim: usize) -> At {
    let lead = ndim - own.ndim();
    At((0..own.ndim())
        .map(|axis| match own.axis(axis) == out.axis(lead + axis) {
            true => Axis::Axis((lead + axis) as u8),
            false => Axis::Block(0),
        })
        .collect())
}

/// One op of one array, block by block; shapes and cuts stay.
pub fn map_blocks(array: &Array, token: Token, dtype: DType, cost: Cost, span: Span, task: Task) -> Array {
    let input = Input { parent: 0, at: At::same(array.ndim()) };
    let token = token.layer(&array.layer).with(dtype);
    let plan = Plan { token, parents: vec![array.layer.clone()], dtype, chunks: array.chunks.clone(), cost, span };
    let made = plan.array(Body::Blockwise { inputs: vec![input], task });
    if array.unknown.is_none() { parts::blockwise(made) } else { made.with_unknown(array.unknown.clone()) }
}

/// The blocks of a grid within these bounds, one after the other along each axis, as one value.
fn join(bounds: &[std::ops::Range<u32>], at: &mut SmallVec<[u32; 4]>, refs: &mut Vec<BlockRef>) -> Task {
    let Some((blocks, rest)) = bounds.split_first() else {
        refs.push(BlockRef { parent: 0, index: at.clone() });
        return Task::input(refs.len() - 1);
    };
    let axis = at.len();
    let parts: Vec<Task> = blocks
        .clone()
        .map(|block| {
            at.push(block);
            let part = join(rest, at, refs);
            at.pop();
            part
        })
        .collect();
    match <[Task; 1]>::try_from(parts) {
        Ok([only]) => only,
        Err(parts) => call("concatenate", vec![Task::list(parts)], vec![("axis", Task::data(axis))]),
    }
}

/// All blocks of an array as one value, whatever their sizes are.
pub fn joined(array: &Array, span: Span) -> Arc<Layer> {
    let grid = array.chunks.grid();
    let plan = Plan {
        token: Token::new("joined").layer(&array.layer),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::whole(&[]),
        cost: Cost::Cheap,
        span,
    };
    let mut made = plan.per_block(move |_| {
        let mut refs = Vec::new();
        let all: Vec<_> = grid.iter().map(|&blocks| 0..blocks as u32).collect();
        let task = join(&all, &mut SmallVec::new(), &mut refs);
        (refs, task)
    });
    if let Some(layer) = Arc::get_mut(&mut made.layer) {
        layer.blocks = None;
    }
    made.layer
}

/// The unknown sizes of what is made of an array: other names, that follow from theirs and this token, where sizes of blocks change.
pub fn renamed(array: &Array, token: Token, changes: impl Fn(usize) -> bool) -> Unknown {
    let name = |axis: usize| {
        let name = array.unknown.axis(axis)?;
        let other = || Unknown::name(token.clone().with(name.as_str()).hash());
        Some(if changes(axis) { other() } else { name.clone() })
    };
    Unknown::of((0..array.ndim()).map(name).collect())
}

/// The array in one block along some axes, whatever the sizes of its blocks are: nothing is cut.
fn joined_along(array: &Array, axes: &[usize], span: Span) -> Array {
    let grid = array.chunks.grid();
    let cut = |axis: usize| match axes.contains(&axis) {
        true => [array.chunks.axis(axis).iter().sum()].into(),
        false => array.chunks.axis(axis).clone(),
    };
    // Axes of one name are as long as each other, block by block: what was in several blocks has another name in one.
    let unknown = renamed(array, Token::new("whole"), |axis| axes.contains(&axis) && grid[axis] > 1);
    let plan = Plan {
        token: Token::new("joined").layer(&array.layer).with(axes),
        parents: vec![array.layer.clone()],
        dtype: array.dtype,
        chunks: Chunks::from_axes((0..array.ndim()).map(cut).collect()),
        cost: Cost::Cheap,
        span,
    };
    let axes = Dims::from_slice(axes);
    let made = plan.per_block(move |index| {
        let blocks = |(axis, &at): (usize, &u32)| if axes.contains(&axis) { 0..grid[axis] as u32 } else { at..at + 1 };
        let bounds: Vec<_> = index.iter().enumerate().map(blocks).collect();
        let mut refs = Vec::new();
        let task = join(&bounds, &mut SmallVec::new(), &mut refs);
        (refs, task)
    });
    made.with_unknown(unknown)
}

/// An op that takes arrays as a whole, each in one block, and makes one block of that dtype and shape. `task` names the
/// arrays by their places.
pub fn in_one_task(
    arrays: &[Array],
    token: Token,
    dtype: DType,
    shape: &[usize],
    cost: Cost,
    span: Span,
    task: Task,
) -> Array {
    let mut parents = Parents::default();
    let mut token = token.with(dtype);
    let mut inputs = Vec::with_capacity(arrays.len());
    for array in arrays {
        let whole = recut(array, Chunks::whole(&array.shape()), span);
        token = token.layer(&whole.layer);
        let at = At((0..whole.ndim()).map(|_| Axis::Block(0)).collect());
        inputs.push(Input { parent: parents.add(&whole.layer), at });
    }
    let plan = Plan { token, parents: parents.layers, dtype, chunks: Chunks::whole(shape), cost, span };
    plan.array(Body::Blockwise { inputs, task })
}

/// The same array in blocks that are whole along some axes. The other axes are cut finer where the blocks would be larger than
/// any of its own and than what `:auto` makes; of an array of unknown sizes they are as long as they were.
pub fn whole_along(array: &Array, axes: &[usize], span: Span) -> Array {
    if axes.iter().all(|&axis| array.chunks.axis(axis).len() == 1) {
        return array.clone();
    }
    if !array.unknown.is_none() {
        return joined_along(array, axes, span);
    }
    let shape = array.shape();
    let most = array.chunks.largest().max(chunking::AUTO_BYTES / array.dtype.size()).max(1);
    let row: usize = axes.iter().map(|&axis| shape[axis].max(1)).product();
    // Elements of a block along the other axes.
    let mut left = (most / row).max(1);
    let mut cuts: Vec<Arc<[usize]>> = array.chunks.axes().to_vec();
    for axis in (0..shape.len()).rev() {
        let longest = cuts[axis].iter().copied().max().unwrap_or(0).max(1);
        if axes.contains(&axis) {
            cuts[axis] = [shape[axis]].into();
        } else if longest > left {
            cuts[axis] = cuts[axis].iter().flat_map(|&n| pieces(n, left)).collect();
            left = 1;
        } else {
            left /= longest;
        }
    }
    recut(array, Chunks::from_axes(cuts), span)
}

/// A length as few lengths of at most so much.
fn pieces(n: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = n.div_ceil(most).max(1);
    (0..count).map(move |at| n * (at + 1) / count - n * at / count)
}

/// An op along axes that are whole in a block, so that it goes block by block. `made` is the length of each axis of the result that is
/// not as long as in the array.
pub fn along(
    array: &Array,
    axes: &[usize],
    token: Token,
    dtype: DType,
    made: &[(usize, usize)],
    span: Span,
    task: Task,
) -> Array {
    let array = whole_along(array, axes, span);
    let mut cuts: Vec<Arc<[usize]>> = array.chunks.axes().to_vec();
    made.iter().for_each(|&(axis, len)| cuts[axis] = [len].into());
    let plan = Plan {
        token: token.layer(&array.layer).with((dtype, axes, made)),
        parents: vec![array.layer.clone()],
        dtype,
        chunks: Chunks::from_axes(cuts),
        cost: Cost::Dear,
        span,
    };
    let inputs = vec![Input { parent: 0, at: At::same(array.ndim()) }];
    let told: Dims = made.iter().map(|&(axis, _)| axis).collect();
    plan.array(Body::Blockwise { inputs, task }).with_unknown(array.unknown.but(&told, array.ndim()))
}

/// `(slice x 0:2 :)`, or just `x` where that is all of it.
pub fn sliced(x: Task, ranges: &[Range], shape: &[usize]) -> Task {
    let whole = |(r, &n): (&Range, &usize)| *r == Range { start: 0, step: 1, count: n };
    if ranges.iter().zip(shape).all(whole) {
        return x;
    }
    let mut items = vec![x];
    items.extend(ranges.iter().map(|r| Task::data(Value::from(as_slice(r)))));
    call("slice", items, Vec::new())
}

/// The slice that takes this range, whatever the length of the axis.
pub fn as_slice(range: &Range) -> Slice {
    let Range { start, step, count } = *range;
    if count == 0 {
        return Slice::new(0, 0);
    }
    let last = start as isize + step * (count as isize - 1);
    // Past the last element: before the first one there is no index but "absent".
    let stop = last + step.signum();
    Slice {
        start: Some(start as i64),
        stop: (stop >= 0).then_some(stop as i64),
        step: (step != 1).then_some(step as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_survive_being_slices() {
        for (start, step, count, len) in
            [(0, 1, 5, 5), (4, -1, 5, 5), (3, -2, 2, 5), (1, 3, 1, 5), (0, -1, 1, 5), (2, 1, 0, 5)]
        {
            let range = Range { start, step, count };
            let back = as_slice(&range).resolve(len).expect("the step is not 0");
            assert_eq!(back.count, count);
            assert!(count == 0 || back.start == start);
            assert!(count < 2 || back.step == step);
        }
    }
}
