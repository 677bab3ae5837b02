//! Lazy calls: the call becomes the only task of a layer, and what is lazy among its arguments, however deep in lists
//! and maps, becomes what the task waits for.

use super::interpreter::Interpreter;
use crate::data::{
    Args, Array, At, Axis, Body, Callable, Delayed, Dims, Form, Function, Input, Layer, ParamKind, Str, Task, Value,
    task::deep,
};
use crate::op::token::Token;
use crate::text::{Result, Span};
use rustc_hash::FxHashMap;
use std::any::Any;
use std::sync::Arc;

/// The lazy call of an op that does not take lazy arguments itself. Ops depend on nothing but their arguments.
pub(super) fn delayed_op(interpreter: &Interpreter, args: &Args) -> Result<Value> {
    let f = args.function;
    let registered = interpreter.op_named(&f.name).filter(|op| std::ptr::eq(Arc::as_ptr(op), f));
    let Some(op) = registered.or_else(|| interpreter.function_of(f)) else {
        return Err(crate::err!(Type, "{} does not take lazy values", f.name)
            .label(args.span, "in this call")
            .help("`(compute x)` gives the value"));
    };
    let naming = Naming { name: op.name.clone(), pure: true };
    Ok(call(interpreter, &op, &as_called(args), &naming, args.span))
}

/// Bound arguments as a call has them: by position, then by name.
fn as_called(args: &Args) -> Vec<Value> {
    let mut positional = Vec::new();
    let mut named = Vec::new();
    for (at, param) in args.function.signature.params.iter().enumerate() {
        let by_position = match param.kind {
            ParamKind::Required => true,
            ParamKind::Optional => !args.rest.is_empty(),
            ParamKind::Positional => args.has(at) || !args.rest.is_empty(),
            ParamKind::Keyword | ParamKind::Rest => false,
        };
        if by_position {
            positional.push(args.values[at].clone());
        } else if args.has(at) && param.kind != ParamKind::Rest {
            named.extend([Value::Keyword(param.name.clone()), args.values[at].clone()]);
        }
    }
    positional.extend(args.rest.iter().cloned());
    positional.extend(named);
    positional
}

/// How the layer of a lazy call is named.
pub struct Naming {
    pub name: Str,
    /// Whether equal calls give equal results, and so need to run only once.
    pub pure: bool,
}

/// `(delay (f a b))`.
pub fn call(interpreter: &Interpreter, f: &Arc<Function>, args: &[Value], naming: &Naming, span: Span) -> Value {
    let mut parts = Parts::default();
    let is_op = interpreter.is_op(f);
    let head = if is_op { Task::symbol(f.name.clone()) } else { Task::data(Value::Function(f.clone())) };
    let items = std::iter::once(head).chain(args.iter().map(|a| parts.task(a))).collect();
    parts.layer(interpreter, Task::call(items).with_span(span), f, naming, span)
}

/// `(delay x)` of something that is not a call: a lazy value that is `x` when computed.
pub fn value(value: &Value, span: Span) -> Value {
    match value {
        Value::Delayed(_) => value.clone(),
        _ => {
            let mut parts = Parts::default();
            let task = parts.task(value);
            let name = Token::new("value").task(&task).name();
            parts.finish(task, name, Default::default(), span)
        }
    }
}

/// The inputs of a task in the making.
#[derive(Default)]
struct Parts {
    inputs: Vec<Input>,
    parents: Vec<Arc<Layer>>,
    /// Where each of them is there.
    inputs_at: FxHashMap<Input, usize>,
    parents_at: FxHashMap<Str, usize>,
}

impl Parts {
    /// The argument as a task: inputs where it is lazy.
    fn task(&mut self, value: &Value) -> Task {
        match value {
            Value::Delayed(d) => self.input(&d.layer, At::same(0)),
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

    fn input(&mut self, layer: &Arc<Layer>, at: At) -> Task {
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

    fn layer(self, interpreter: &Interpreter, task: Task, f: &Function, naming: &Naming, span: Span) -> Value {
        let mut token = Token::new(naming.name.clone()).task(&task);
        for input in &self.inputs {
            token = token.layer(&self.parents[input.parent]);
            for axis in &input.at.0 {
                token = token.with(match axis {
                    Axis::Axis(n) => u64::from(*n),
                    Axis::Block(b) => u64::from(*b) + 256,
                });
            }
        }
        if !naming.pure {
            token = token.with(interpreter.next_number());
        }
        self.finish(task, token.name(), f.cost, span)
    }

    fn finish(self, task: Task, name: Str, cost: crate::data::Cost, span: Span) -> Value {
        let layer = Layer {
            name,
            grid: Dims::new(),
            body: Body::Blockwise { inputs: self.inputs, task },
            parents: self.parents,
            blocks: None,
            cost,
            span,
            parts: crate::data::Parts::default(),
            nested: 0,
        };
        Value::Delayed(Arc::new(Delayed { layer: Arc::new(layer) }))
    }
}

/// A function whose calls are lazy: what `deftask` defines.
pub struct LazyFunction {
    pub inner: Arc<Function>,
    pub naming: Naming,
}

impl LazyFunction {
    pub fn function(inner: Arc<Function>, naming: Naming) -> Function {
        Function {
            name: inner.name.clone(),
            signature: inner.signature.clone(),
            doc: inner.doc.clone(),
            cost: inner.cost,
            memory: inner.memory,
            callable: Box::new(LazyFunction { inner, naming }),
        }
    }
}

impl Callable for LazyFunction {
    fn call(&self, args: Args) -> Result<Value> {
        let Some(interpreter) = args.host.as_any().downcast_ref::<Interpreter>() else {
            return Err(crate::err!(Internal, "a task was made by a host that cannot run it"));
        };
        Ok(call(interpreter, &self.inner, &as_called(&args), &self.naming, args.span))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
