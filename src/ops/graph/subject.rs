//! What ops on graphs are given: graphs, and keys of them.

use crate::data::{Args, Form, Graph, Key, Layer, Task, Value, cancel, task::deep};
use crate::err;
use crate::optimize::by_hand::ByHand;
use crate::text::{Bytes, Result, Span};
use std::sync::Arc;

/// The graph that an argument is, or is computed by; a list of collections has one graph together.
pub fn graph(args: &Args, param: &str) -> Result<Arc<Graph>> {
    match args.value(param) {
        Value::Graph(graph) => Ok(graph.clone()),
        Value::Map(map) => {
            let pairs = map.iter().map(|(k, v)| (Task::from_quoted(k, Span::NONE), Task::from_quoted(v, Span::NONE)));
            by_hand(args, pairs.collect()).map(Arc::new)
        }
        Value::Code(task) if let Form::Map(pairs) = &task.form => by_hand(args, pairs.to_vec()).map(Arc::new),
        value => {
            let mut layers = Vec::new();
            collect(value, &mut layers);
            if layers.is_empty() {
                return Err(args.wrong(param, "a graph, a map of tasks, or a lazy value"));
            }
            Ok(Arc::new(Graph::of(&layers)))
        }
    }
}

/// The graph of an argument, key by key.
pub fn by_key(args: &Args, param: &str) -> Result<ByHand> {
    key_by_key(&*graph(args, param)?, args)
}

/// A graph, key by key.
pub fn key_by_key(graph: &Graph, args: &Args) -> Result<ByHand> {
    check_size(graph, args)?;
    let by_key = ByHand::new(graph);
    cancel::check()?;
    Ok(by_key)
}

/// What a key takes, on average, with its task, its edges, and its place in an order.
const KEY_BYTES: usize = 700;

/// `dsk::memory` for more keys than there is room for one by one: a layer says in one line what millions of tasks are.
pub fn check_size(graph: &Graph, args: &Args) -> Result<()> {
    let made: usize = graph.layers.iter().filter(|layer| !layer.is_hand_made()).map(|layer| layer.len()).sum();
    let (bytes, limit) = (made.saturating_mul(KEY_BYTES), args.host.memory_limit());
    if bytes > limit {
        let (bytes, limit, name) = (Bytes(bytes), Bytes(limit), &args.function.name);
        return Err(err!(Memory, "{name}: {made} keys take about {bytes} one by one, and the memory limit is {limit}")
            .label(args.span, "in this call")
            .help("larger blocks make fewer keys; `:memory-limit` raises the limit"));
    }
    Ok(())
}

/// The layers of lazy values, wherever they are.
pub fn collect(value: &Value, layers: &mut Vec<Arc<Layer>>) {
    match value {
        Value::Array(array) => layers.push(array.layer.clone()),
        Value::Delayed(delayed) => layers.push(delayed.layer.clone()),
        Value::List(_) | Value::Map(_) if cancel::cancelled() => {}
        Value::List(items) => deep(|| items.iter().for_each(|v| collect(v, layers))),
        Value::Map(map) => deep(|| map.iter().for_each(|(_, v)| collect(v, layers))),
        _ => {}
    }
}

fn by_hand(args: &Args, pairs: Vec<(Task, Task)>) -> Result<Graph> {
    let pair = |(key, task): (Task, Task)| match Graph::key_of(&key) {
        Some(key) => Ok((key, task)),
        None => {
            Err(err!(Type, "a key of a graph is a symbol, or a list of a symbol and block numbers; found `{key:?}`")
                .label(key.span.or(args.span), "this is not a key")
                .help("quote the map: `(graph '{x 1 y (+ x 1)})`"))
        }
    };
    let graph = Graph::from_tasks(pairs.into_iter().map(pair).collect::<Result<_>>()?);
    cancel::check()?;
    Ok(graph)
}

/// Keys as they were asked for, in lists nested as those were.
pub enum Keys {
    One(Key),
    Many(Vec<Keys>),
}

impl Keys {
    /// A key, or lists of keys. A list is a key where `has` knows it as one: `[w 0]`.
    pub fn of(args: &Args, value: &Value, has: &dyn Fn(&Key) -> bool) -> Result<Keys> {
        if let Some(key) = key_of(value)
            && (!matches!(value, Value::List(_)) || has(&key) || is_block(value))
        {
            return Ok(Keys::One(key));
        }
        match value {
            Value::List(items) => {
                deep(|| items.iter().map(|v| Keys::of(args, v, has)).collect::<Result<_>>()).map(Keys::Many)
            }
            other => Err(args.wrong_value("keys", other, "a quoted key, or lists of them")),
        }
    }

    /// All keys, from left to right.
    pub fn flat(&self) -> Vec<Key> {
        let mut all = Vec::new();
        self.collect(&mut all);
        all
    }

    fn collect(&self, all: &mut Vec<Key>) {
        match self {
            Keys::One(key) => all.push(key.clone()),
            Keys::Many(keys) => deep(|| keys.iter().for_each(|k| k.collect(all))),
        }
    }

    /// One value for each key, in lists nested as the keys are.
    pub fn nest(&self, values: &mut impl Iterator<Item = Value>) -> Value {
        match self {
            Keys::One(_) => values.next().unwrap_or_default(),
            Keys::Many(keys) => deep(|| Value::list(keys.iter().map(|k| k.nest(values)).collect())),
        }
    }
}

/// The key that a value names: a symbol or a string, or a list of one and block numbers.
pub fn key_of(value: &Value) -> Option<Key> {
    match value {
        Value::Str(name) => Some(Key::new(name.clone())),
        other => Graph::key_of(&Task::from_quoted(other, Span::NONE)),
    }
}

/// Whether a list can only be a key: a name, then numbers.
fn is_block(value: &Value) -> bool {
    value.as_list().is_some_and(|items| items.iter().skip(1).all(|v| matches!(v, Value::Int(_))))
}

/// The keys in a list that is an argument; nil has none. Nothing says yet whether they exist.
pub fn keys(args: &Args, param: &str) -> Result<Vec<Key>> {
    match args.value(param) {
        Value::Nil => Ok(Vec::new()),
        value => Keys::of(args, value, &|_| false).map(|keys| keys.flat()),
    }
}
