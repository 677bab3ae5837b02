//! What a task takes: lazy values, however deep in lists and maps, become inputs of the layer in the making.

use super::token::Token;
use crate::data::{
    Array, At, Axis, Body, Cost, Delayed, Dims, Form, Input, Layer, Parts, Str, Task, Value, task::deep,
};
use crate::text::Span;
use rustc_hash::FxHashMap;
use smallvec::smallvec;
use std::sync::Arc;

/// The inputs of a task in the making.
#[derive(Default)]
pub struct Inputs {
    inputs: Vec<Input>,
    parents: Vec<Arc<Layer>>,
    /// Where each of them is there.
    inputs_at: FxHashMap<Input, usize>,
    parents_at: FxHashMap<Str, usize>,
}

impl Inputs {
    /// The argument as a task: inputs where it is lazy, all of what is in pieces.
    pub fn task(&mut self, value: &Value) -> Task {
        match value {
            Value::Delayed(d) => match d.partitions() {
                None => self.input(&d.layer, At::same(0)),
                Some(n) => {
                    let parts = (0..n).map(|p| self.input(&d.layer, At(smallvec![Axis::Block(p as u32)])));
                    let head = Task::symbol("concat");
                    Task::call(std::iter::once(head).chain(parts).collect())
                }
            },
            Value::Array(array) => self.whole(array),
            Value::List(items) if value.holds_lazy() => {
                deep(|| Task::list(items.iter().map(|v| self.task(v)).collect()))
            }
            Value::Map(map) if value.holds_lazy() => deep(|| {
                let pairs = map.iter().map(|(k, v)| (Task::data(k.clone()), self.task(v))).collect();
                Task::new(Form::Map(pairs), Span::NONE)
            }),
            other => Task::data(other.clone()),
        }
    }

    /// As [`Inputs::task`], but of a bag only the partition that has the index of the task's own.
    pub fn of_partition(&mut self, value: &Value) -> Task {
        match value {
            Value::Delayed(d) if d.partitions().is_some() => self.input(&d.layer, At::same(1)),
            other => self.task(other),
        }
    }

    pub fn input(&mut self, layer: &Arc<Layer>, at: At) -> Task {
        let parent = *self.parents_at.entry(layer.name.clone()).or_insert_with(|| {
            self.parents.push(layer.clone());
            self.parents.len() - 1
        });
        let input = Input { parent, at };
        let n = *self.inputs_at.entry(input.clone()).or_insert_with(|| {
            self.inputs.push(input);
            self.inputs.len() - 1
        });
        Task::input(n)
    }

    /// All blocks of an array put together: joined along the last axis first.
    fn whole(&mut self, array: &Array) -> Task {
        self.joined(array, &mut Vec::new())
    }

    fn joined(&mut self, array: &Array, index: &mut Vec<u32>) -> Task {
        let axis = index.len();
        if axis == array.ndim() {
            let at = At(index.iter().map(|&b| Axis::Block(b)).collect());
            return self.input(&array.layer, at);
        }
        let blocks = array.chunks.axis(axis).len() as u32;
        let mut parts = (0..blocks).map(|b| {
            index.push(b);
            let part = self.joined(array, index);
            index.pop();
            part
        });
        if blocks == 1 {
            return parts.next().unwrap_or_else(|| Task::data(Value::Nil));
        }
        let parts = parts.collect();
        Task::call(vec![
            Task::symbol("concatenate"),
            Task::list(parts),
            Task::data(Value::keyword("axis")),
            Task::data(axis),
        ])
    }

    /// What the inputs are, for the name of the layer.
    pub fn token(&self, mut token: Token) -> Token {
        for input in &self.inputs {
            token = token.layer(&self.parents[input.parent]);
            for axis in &input.at.0 {
                token = token.with(match axis {
                    Axis::Axis(n) => u64::from(*n),
                    Axis::Block(b) => u64::from(*b) + 256,
                });
            }
        }
        token
    }

    /// The layer of a task with these inputs, once for every index of the grid.
    pub fn layer(self, task: Task, name: Str, grid: Dims, cost: Cost, span: Span) -> Arc<Layer> {
        Arc::new(Layer {
            name,
            grid,
            body: Body::Blockwise { inputs: self.inputs, task },
            parents: self.parents,
            blocks: None,
            cost,
            span,
            parts: Parts::default(),
            nested: 0,
        })
    }

    /// The value of a task with these inputs.
    pub fn value(self, task: Task, name: Str, cost: Cost, span: Span) -> Value {
        Value::Delayed(Arc::new(Delayed { layer: self.layer(task, name, Dims::new(), cost, span) }))
    }
}
