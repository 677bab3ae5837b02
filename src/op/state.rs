//! What the answers of tasks depend on besides what they take: the file that a dataset lies in, what the global names in a user's
//! function are bound to. That is a *state*, a number that changes when the answers may ([`crate::data::Callable::state`]). There is
//! none for calls with effects, or whose answers vary: printing, writing, reading a file by its name, random numbers without a seed,
//! functions of the host program, functions that mention any of these.
//!
//! Tasks with a state are kept for other computations, and equal ones run once.

use crate::data::task::deep;
use crate::data::{Body, Form, Function, Host, Layer, Task, Value, cancel, graph};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The states of tasks, asked for once a function.
pub struct States<'a> {
    host: &'a dyn Host,
    known: FxHashMap<usize, (Arc<Function>, Option<u64>)>,
}

impl<'a> States<'a> {
    pub fn new(host: &'a dyn Host) -> Self {
        States { host, known: FxHashMap::default() }
    }

    /// Whether files and functions are still what they were when they were asked.
    pub fn still_hold(&self) -> bool {
        self.known.values().all(|(function, state)| function.callable.state(self.host) == *state)
    }

    /// The state of the tasks of a layer, without those of its parents. Tasks written by hand have none: what their names mean is
    /// decided elsewhere.
    pub fn of_layer(&mut self, layer: &Layer) -> Option<u64> {
        match &layer.body {
            Body::Blockwise { task, .. } => self.of_task(task),
            Body::PerBlock(_) if layer.is_empty() => Some(0),
            // Tasks of a layer call the same functions, but for those at its ends.
            Body::PerBlock(make) => [0, layer.len() / 2, layer.len() - 1].iter().try_fold(0u64, |state, &n| {
                let own = self.of_task(&make(&graph::unravel(n, &layer.grid)).1)?;
                Some(state.rotate_left(1) ^ own)
            }),
            Body::Tasks(_) => None,
        }
    }

    fn of_task(&mut self, task: &Task) -> Option<u64> {
        let mut state = Some(0u64);
        task.walk(&mut |part| {
            let own = match &part.form {
                Form::Call(items) => self.of_head(items),
                Form::Data(value) => self.of_value(value),
                _ => Some(0),
            };
            state = state.zip(own).map(|(state, own)| state.rotate_left(1) ^ own);
        });
        state
    }

    fn of_head(&mut self, items: &[Task]) -> Option<u64> {
        // What is not a name is looked at for itself.
        let Some((name, args)) = items.split_first().and_then(|(head, args)| Some((head.as_symbol()?, args))) else {
            return Some(0);
        };
        if settles(name, args) {
            return Some(0);
        }
        let op = self.host.op(name)?;
        self.of_function(&op)
    }

    /// The state of the functions in a value. What is lazy has none.
    pub fn of_value(&mut self, value: &Value) -> Option<u64> {
        let next = |state: u64, value: &Value| Some(state.rotate_left(1) ^ deep(|| self.of_value(value))?);
        match value {
            Value::Function(function) => self.of_function(function),
            // What is cancelled needs no state.
            Value::List(_) | Value::Map(_) if cancel::cancelled() => None,
            Value::List(items) => items.iter().try_fold(0, next),
            Value::Map(map) => map.iter().flat_map(|(key, value)| [key, value]).try_fold(0, next),
            Value::Array(_) | Value::Delayed(_) | Value::Graph(_) => None,
            _ => Some(0),
        }
    }

    pub fn of_function(&mut self, function: &Arc<Function>) -> Option<u64> {
        let host = self.host;
        let new = || (function.clone(), function.callable.state(host));
        self.known.entry(Arc::as_ptr(function) as usize).or_insert_with(new).1
    }
}

/// Whether the arguments of a call settle what its op leaves open: random numbers by a seed, what is read by the dataset
/// that is open already.
pub fn settles(name: &str, args: &[Task]) -> bool {
    let data = |task: &Task| match &task.form {
        Form::Data(value) => Some(value.clone()),
        _ => None,
    };
    match name {
        "read" => matches!(args.first().and_then(data), Some(Value::Function(_))),
        _ if name.starts_with("random/") => args.windows(2).any(|pair| {
            matches!(data(&pair[0]), Some(Value::Keyword(k)) if k == "seed")
                && matches!(data(&pair[1]), Some(Value::Int(_)))
        }),
        _ => false,
    }
}
