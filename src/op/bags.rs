//! Making the layers of bags: a task a partition, trees of what comes of the partitions, new cuts.

use super::{Inputs, Token};
use crate::data::{Args, BlockRef, Body, Cost, Delayed, Dims, Layer, Parts, Task, Value};
use crate::err;
use crate::text::{Result, Span};
use smallvec::smallvec;
use std::sync::Arc;

/// The layer of a bag.
pub fn layer(value: &Value) -> Option<&Arc<Layer>> {
    match value {
        Value::Delayed(delayed) => delayed.partitions().map(|_| &delayed.layer),
        _ => None,
    }
}

/// The layer of a bag that must be one.
pub fn wanted<'a>(args: &'a Args, param: &str) -> Result<&'a Arc<Layer>> {
    layer(args.value(param)).ok_or_else(|| args.wrong(param, "a bag"))
}

/// The bag whose partitions a layer makes, or the value that its only task makes.
pub fn value(layer: Arc<Layer>) -> Value {
    Value::Delayed(Arc::new(Delayed { layer }))
}

/// How many partitions the bags among values have, all the same.
pub fn partitions<'a>(values: impl IntoIterator<Item = &'a Value>) -> Result<usize> {
    let mut bags = values.into_iter().filter_map(layer).map(|layer| layer.grid[0]);
    let first = bags.next().unwrap_or(1);
    match bags.find(|n| *n != first) {
        None => Ok(first),
        Some(other) => {
            Err(err!(Value, "these bags have {first} and {other} partitions; they go along partition by partition")
                .help("`(repartition b :npartitions n)` cuts one of them anew"))
        }
    }
}

/// Refuses more partitions than there is any use for.
pub fn check_count(n: usize) -> Result<usize> {
    const MOST: usize = 1 << 22;
    match n <= MOST {
        true => Ok(n),
        false => Err(err!(Memory, "a bag of {n} partitions is too many, {MOST} is the most")),
    }
}

/// A bag with a task a partition.
pub fn partitionwise(name: &'static str, partitions: usize, inputs: Inputs, task: Task, span: Span) -> Value {
    let name = inputs.token(Token::new(name).with(partitions).task(&task)).name();
    value(inputs.layer(task.with_span(span), name, smallvec![partitions], Cost::Unknown, span))
}

/// A layer of which each task takes partitions of its own. `token` holds all that the tasks depend on besides the parents.
pub fn per_task(
    token: Token,
    grid: Dims,
    parents: Vec<Arc<Layer>>,
    span: Span,
    make: impl Fn(usize) -> (Vec<BlockRef>, Task) + Send + Sync + 'static,
) -> Arc<Layer> {
    let token = parents.iter().fold(token.with(grid.as_slice()), |token, parent| token.layer(parent));
    Arc::new(Layer {
        name: token.name(),
        grid,
        body: Body::PerBlock(Arc::new(move |index| {
            let (refs, task) = make(index.first().map_or(0, |n| *n as usize));
            (refs, task.with_span(span))
        })),
        parents,
        blocks: None,
        cost: Cost::Unknown,
        span,
        parts: Parts::default(),
        nested: 0,
    })
}

/// A partition of a parent.
pub fn partition(parent: usize, at: usize) -> BlockRef {
    BlockRef { parent, index: smallvec![at as u32] }
}

/// What comes of partitions, so many at a time, and of that again, down to one: a value, or a bag of one partition.
pub struct Tree {
    pub name: &'static str,
    pub split_every: usize,
    /// Whether the answer is a bag.
    pub to_bag: bool,
    pub span: Span,
}

impl Tree {
    /// As a call says it, by `:split-every`: eight at a time, or all at once for `false`.
    pub fn of(args: &Args, name: &'static str, to_bag: bool) -> Result<Tree> {
        let split_every = match args.value("split-every") {
            Value::Nil => 8,
            Value::Bool(false) => usize::MAX,
            other => match other.as_int() {
                Some(n) if n >= 2 => n as usize,
                _ => return Err(args.wrong("split-every", "an int of 2 or more, or false")),
            },
        };
        Ok(Tree { name, split_every, to_bag, span: args.span })
    }

    /// `combine` is the task that puts results together, which are lists or whatever the tasks of the layer make; the last one makes the
    /// answer.
    pub fn value(
        self,
        layer: Arc<Layer>,
        combine: impl Fn(Vec<Task>, bool) -> Task + Send + Sync + Clone + 'static,
    ) -> Value {
        let Tree { name, split_every, to_bag, span } = self;
        let mut layer = layer;
        loop {
            let n = layer.grid[0];
            let last = n <= split_every;
            let count = n.div_ceil(split_every).max(1);
            let grid: Dims = if last && !to_bag { Dims::new() } else { smallvec![count] };
            let token = Token::new(name).with(split_every).with(last).task(&combine(vec![Task::input(0)], last));
            let combine = combine.clone();
            layer = per_task(token, grid, vec![layer], span, move |at| {
                let group = at.saturating_mul(split_every)..(at + 1).saturating_mul(split_every).min(n);
                let inputs = (0..group.len()).map(Task::input).collect();
                (group.map(|p| partition(0, p)).collect(), combine(inputs, last))
            });
            if last {
                return value(layer);
            }
        }
    }
}
