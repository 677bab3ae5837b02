//! Lazy calls: the call becomes the only task of a layer, and what is lazy among its arguments, however deep in lists
//! and maps, becomes what the task waits for.

use super::interpreter::Interpreter;
use crate::data::{Args, Callable, Cost, Function, Str, Task, Value};
use crate::err;
use crate::op::Inputs;
use crate::op::token::Token;
use crate::text::{Result, Span};
use std::any::Any;
use std::sync::Arc;

/// The lazy call of an op that does not take lazy arguments itself. Ops depend on nothing but their arguments.
pub(super) fn delayed_op(interpreter: &Interpreter, args: &Args) -> Result<Value> {
    let f = args.function;
    let registered = interpreter.op_named(&f.name).filter(|op| std::ptr::eq(Arc::as_ptr(op), f));
    let Some(op) = registered.or_else(|| interpreter.function_of(f)) else {
        return Err(err!(Type, "{} does not take lazy values", f.name)
            .label(args.span, "in this call")
            .help("`(compute x)` gives the value"));
    };
    let naming = Naming::new(op.name.clone(), true);
    Ok(call(interpreter, &op, &args.as_called(), &naming, args.span))
}

/// How the layer of a lazy call is named, and what it gives.
#[derive(Clone)]
pub struct Naming {
    pub name: Str,
    /// Whether equal calls give equal results, and so need to run only once.
    pub pure: bool,
    /// How many results it has, of which the call gives a list: each is a lazy value of its own.
    pub results: Option<usize>,
}

/// More results than these are a list that is computed.
const MOST_RESULTS: i64 = 10_000;

impl Naming {
    pub fn new(name: impl Into<Str>, pure: bool) -> Naming {
        Naming { name: name.into(), pure, results: None }
    }

    /// With what options say: `:pure`, `:name` and `:nout`, each nil where it was not given.
    pub fn with(mut self, pure: &Value, name: &Value, results: &Value) -> Result<Naming> {
        if !matches!(pure, Value::Nil) {
            self.pure = pure.truthy();
        }
        match name {
            Value::Nil => {}
            Value::Str(name) | Value::Keyword(name) => self.name = name.clone(),
            other => return Err(err!(Type, "the name of a task's keys is a string, not {}", other.a_type_name())),
        }
        self.results = match (results, results.as_int()) {
            (Value::Nil, _) => self.results,
            (_, Some(n @ 0..=MOST_RESULTS)) => Some(n as usize),
            (_, Some(n)) => return Err(err!(Value, "`:nout` is from 0 to {MOST_RESULTS}, not {n}")),
            (other, None) => return Err(err!(Type, "`:nout` is an int, not {}", other.a_type_name())),
        };
        Ok(self)
    }
}

/// `(delay (f a b))`.
pub fn call(interpreter: &Interpreter, f: &Arc<Function>, args: &[Value], naming: &Naming, span: Span) -> Value {
    let mut inputs = Inputs::default();
    let is_op = interpreter.is_op(f);
    let head = if is_op { Task::symbol(f.name.clone()) } else { Task::data(Value::Function(f.clone())) };
    let items = std::iter::once(head).chain(args.iter().map(|a| inputs.task(a))).collect();
    let all = layer(interpreter, inputs, Task::call(items).with_span(span), f, naming, span);
    match naming.results {
        None => all,
        Some(n) => Value::list((0..n).map(|at| result(&all, at, span)).collect()),
    }
}

/// One of the results of a call.
fn result(all: &Value, at: usize, span: Span) -> Value {
    let mut inputs = Inputs::default();
    let all = inputs.task(all);
    let task = Task::call(vec![Task::symbol("nth"), all, Task::data(Value::from(at))]).with_span(span);
    let name = inputs.token(Token::new("nth").task(&task)).name();
    inputs.value(task, name, Cost::Free, span)
}

/// `(delay x)` of something that is not a call: a lazy value that is `x` when computed.
pub fn value(value: &Value, span: Span) -> Value {
    match value {
        Value::Delayed(_) => value.clone(),
        _ => {
            let mut inputs = Inputs::default();
            let task = inputs.task(value);
            let name = Token::new("value").task(&task).name();
            inputs.value(task, name, Default::default(), span)
        }
    }
}

fn layer(interpreter: &Interpreter, inputs: Inputs, task: Task, f: &Function, naming: &Naming, span: Span) -> Value {
    let mut token = inputs.token(Token::new(naming.name.clone()).task(&task));
    if !naming.pure {
        token = token.with(interpreter.next_number());
    }
    inputs.value(task, token.name(), f.cost, span)
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
            return Err(err!(Internal, "a task was made by a host that cannot run it"));
        };
        Ok(call(interpreter, &self.inner, &args.as_called(), &self.naming, args.span))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
