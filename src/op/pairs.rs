//! Index lists that meet: on several axes, NumPy's lists take the elements that they name together, `x[[0, 2], [1, 1]]`
//! the two at `[0, 1]` and `[2, 1]`. What they take is one axis, which stands where the lists stand if they stand side by
//! side, integers among them, and first otherwise.

use super::indexing::{Index, Step, Take};
use super::layers::{Plan, call, ints};
use super::token::Token;
use crate::data::slice::Range;
use crate::data::{Args, Array, At, Axis, Block, Body, Chunks, Cost, DType, Dims, Input, Map, Task, Value};
use crate::err;
use crate::kernel::{create, layout};
use crate::text::Result;

/// An index whose lists do not just act each on its own axis, where that stands.
pub struct Meeting {
    /// The index without its lists.
    basic: Index,
    /// The axes that are left then on which the lists act, in order, with as many elements each.
    lists: Vec<(usize, Vec<usize>)>,
    /// Where the axis of what they take stands in the result.
    place: usize,
}

/// An index with lists of one axis only: where some have several axes, they are stretched to one shape, which is given beside.
pub fn flat_lists(items: Vec<Value>) -> Result<(Vec<Value>, Option<Dims>)> {
    let deep = |item: &Value| match item {
        Value::List(items) => items.iter().any(|v| matches!(v, Value::List(_) | Value::Block(_))),
        Value::Block(block) => block.ndim() > 1,
        _ => false,
    };
    if !items.iter().any(deep) {
        return Ok((items, None));
    }
    let lists = |item: &Value| match item {
        Value::List(items) => {
            let dtype = if items.is_empty() { Some(DType::I64) } else { None };
            let block = create::from_value(item, dtype);
            block.map(Some).map_err(|e| err!(Index, "an index list is no array: {}", e.message()))
        }
        Value::Block(block) if block.ndim() > 0 => Ok(Some((**block).clone())),
        _ => Ok(None),
    };
    let mut blocks = items.iter().map(lists).collect::<Result<Vec<Option<Block>>>>()?;
    for block in blocks.iter_mut().flatten() {
        if block.dtype() == DType::Bool && block.ndim() == 1 {
            *block = layout::nonzero(block)?.swap_remove(0);
        }
        if !block.dtype().is_integer() {
            let shape = crate::text::shape(block.shape());
            return Err(err!(Index, "an index array holds integers or bools; this is {}{shape}", block.dtype()));
        }
    }
    let shapes: Vec<&[usize]> = blocks.iter().flatten().map(Block::shape).collect();
    let shape =
        layout::broadcast_shapes(&shapes).map_err(|e| err!(Index, "index arrays do not meet: {}", e.message()))?;
    Block::check_room(Block::byte_size(DType::I64, &shape)?)?;
    let flat = |(item, block): (Value, Option<Block>)| match block {
        Some(block) => {
            let wide = block.broadcast_to(&shape).unwrap_or_else(|| block.clone());
            Value::from(wide.reshape(&[shape.iter().product()]))
        }
        None => item,
    };
    Ok((items.into_iter().zip(blocks).map(flat).collect(), Some(shape)))
}

/// Whether a `...` stands between lists or integers of an index, even if it stands for no axes: then they are not side by side.
pub fn apart(items: &[Value]) -> bool {
    let meets = |item: &Value| item.as_int().is_some() || matches!(item, Value::List(_) | Value::Block(_));
    let at = items.iter().position(|item| matches!(item, Value::Ellipsis));
    at.is_some_and(|at| items[..at].iter().any(meets) && items[at..].iter().any(meets))
}

impl Meeting {
    /// How the lists of an index of an array of that shape meet, of which `apart` says whether they are; `None` where each axis
    /// can be indexed by itself. Lists of different lengths, none of them 1, are `dsk::index`.
    pub fn of(index: &Index, shape: &[usize], apart: bool) -> Result<Option<Meeting>> {
        let meets = |step: &Step| matches!(step, Step::Axis(Take::List(_) | Take::One(_)));
        let lengths: Vec<usize> = index.takes().filter_map(|take| take.list().map(|list| list.len())).collect();
        let first = index.0.iter().position(meets).unwrap_or(0);
        let last = index.0.iter().rposition(meets).unwrap_or(0);
        let side_by_side = !apart && index.0[first..].iter().take(last + 1 - first).all(meets);
        if lengths.is_empty() || lengths.len() == 1 && side_by_side {
            return Ok(None);
        }
        let long = lengths.iter().copied().find(|&n| n != 1).unwrap_or(1);
        if lengths.iter().any(|&n| n != 1 && n != long) {
            let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
            return Err(err!(Index, "index lists of {} elements do not meet", lengths.join(" and ")).help(
                "lists on several axes name elements together; one index after the other takes rows, then columns",
            ));
        }
        let mut meeting = Meeting { basic: Index(Vec::with_capacity(index.0.len())), lists: Vec::new(), place: 0 };
        let mut sizes = shape.iter();
        let mut axis = 0;
        for (at, step) in index.0.iter().enumerate() {
            if side_by_side && at == first {
                meeting.place = axis;
            }
            let size = if matches!(step, Step::New) { 1 } else { sizes.next().copied().unwrap_or(0) };
            meeting.basic.0.push(match step {
                Step::Axis(Take::List(list)) => {
                    let all = if list.len() == long { list.to_vec() } else { vec![list[0]; long] };
                    meeting.lists.push((axis, all));
                    Step::Axis(Take::Range(Range { start: 0, step: 1, count: size }))
                }
                other => other.clone(),
            });
            axis += usize::from(!matches!(step, Step::Axis(Take::One(_))));
        }
        Ok(Some(meeting))
    }

    /// Where the axis of what the lists take stands in the result.
    pub fn place(&self) -> usize {
        self.place
    }

    /// The axes with those of the lists first.
    fn lists_first(&self, ndim: usize) -> Vec<usize> {
        let listed = self.lists.iter().map(|(axis, _)| *axis);
        listed.clone().chain((0..ndim).filter(|axis| !listed.clone().any(|a| a == *axis))).collect()
    }

    /// The axes of an array of which the first belongs where the lists' axis stands.
    fn first_in_place(&self, ndim: usize) -> Vec<usize> {
        (1..=self.place).chain([0]).chain(self.place + 1..ndim).collect()
    }

    pub fn of_block(&self, block: &Block) -> Result<Block> {
        let left = self.basic.of_block(block)?;
        let left = left.transpose(&self.lists_first(left.ndim()));
        let list = |list: &Vec<usize>| {
            let list: Vec<i64> = list.iter().map(|&i| i as i64).collect();
            Block::from_slice(&[list.len()], &list)
        };
        let lists: Vec<Block> = self.lists.iter().map(|(_, all)| list(all)).collect();
        let found = layout::gather(&left, &lists)?;
        Ok(found.transpose(&self.first_in_place(found.ndim())).contiguous())
    }

    /// The same of a lazy array. Blocks have all of the rows and columns that the lists name, and no others.
    pub fn of_array(&self, args: &Args, array: &Array) -> Result<Value> {
        let left = self.basic.of_array(array, args.span);
        let shape = left.shape();
        let all = |n: usize| Step::Axis(Take::Range(Range { start: 0, step: 1, count: n }));
        let mut steps: Vec<Step> = shape.iter().map(|&n| all(n)).collect();
        let mut lists: Vec<Vec<usize>> = Vec::new();
        for (axis, list) in &self.lists {
            let mut named = list.clone();
            named.sort_unstable();
            named.dedup();
            lists.push(list.iter().map(|at| named.partition_point(|n| n < at)).collect());
            steps[*axis] = Step::Axis(Take::List(named.into()));
        }
        let left = Value::Array(Index(steps).of_array(&left, args.span).into());
        let run = |op: &str, arguments: &[Value]| match args.host.op(op) {
            Some(op) => args.host.apply(&Value::Function(op), arguments, args.span),
            None => Err(err!(Internal, "the op `{op}` is not there")),
        };
        let left = run("transpose", &[left, ints(&self.lists_first(shape.len()))])?;
        let mut whole = Map::new();
        for axis in 0..lists.len() {
            whole.insert(axis.into(), Value::Int(-1)).map_err(|_| err!(Internal, "an axis is a key"))?;
        }
        let Value::Array(left) = run("rechunk", &[left, Value::map(whole)])? else {
            return Err(err!(Internal, "an array of blocks became something else"));
        };
        let count = lists.first().map_or(0, Vec::len);
        let cuts = (lists.len()..left.ndim()).map(|axis| left.chunks.axis(axis).clone());
        let chunks = Chunks::from_axes(std::iter::once([count].into()).chain(cuts).collect());
        let plan = Plan {
            token: lists.iter().fold(Token::new("slice").layer(&left.layer), |token, list| token.with(list)),
            parents: vec![left.layer.clone()],
            dtype: left.dtype,
            chunks,
            cost: Cost::Cheap,
            span: args.span,
        };
        let others = (1..=left.ndim() - lists.len()).map(|axis| Axis::Axis(axis as u8));
        let at = At(lists.iter().map(|_| Axis::Block(0)).chain(others).collect());
        let items = std::iter::once(Task::input(0)).chain(lists.iter().map(|list| Task::data(ints(list))));
        let task = call("slice", items.collect(), Vec::new());
        let found = plan.array(Body::Blockwise { inputs: vec![Input { parent: 0, at }], task });
        let order = ints(&self.first_in_place(found.ndim()));
        run("transpose", &[Value::Array(found.into()), order])
    }
}
