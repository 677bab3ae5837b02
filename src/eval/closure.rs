//! A function written in dsk: code and what it captured.

use super::code::Proto;
use super::machine;
use crate::data::{Args, Callable, Cost, Form, Function, Host, Memory, Reads, Str, Task, Value};
use crate::text::Result;
use std::any::Any;
use std::sync::Arc;

pub struct Closure {
    pub(super) proto: Arc<Proto>,
    pub(super) captured: Box<[Value]>,
}

impl Closure {
    /// The closure as a function value.
    pub(super) fn function(proto: Arc<Proto>, captured: Box<[Value]>) -> Function {
        Function {
            name: proto.name.clone(),
            signature: proto.signature.clone(),
            doc: proto.doc.clone(),
            cost: Cost::Unknown,
            memory: Memory::Unknown,
            callable: Box::new(Closure { proto, captured }),
        }
    }

    /// The closure that a function is, if it is one.
    #[inline]
    pub(super) fn of(function: &Function) -> Option<&Closure> {
        function.callable.as_any().downcast_ref()
    }
}

impl Callable for Closure {
    fn call(&self, args: Args) -> Result<Value> {
        machine::call_bound(self, args)
    }

    /// The `fn` form with captured values put in. Where a captured name might be bound again inside, a `let` around
    /// the form binds it instead.
    fn source(&self) -> Option<Task> {
        let source = self.proto.source.as_ref()?;
        let names = &self.proto.capture_names;
        let captured: Vec<(&Str, &Value)> = names.iter().zip(self.captured.iter()).collect();
        if captured.is_empty() {
            return Some((**source).clone());
        }
        let (bound, plain): (Vec<_>, Vec<_>) = captured.into_iter().partition(|(name, _)| may_bind(source, name));
        let inlined = source.replace(&mut |t| {
            let name = t.as_symbol()?;
            let (_, value) = plain.iter().find(|(n, _)| *n == name)?;
            Some(constant(value).with_span(t.span))
        });
        if bound.is_empty() {
            return Some(inlined);
        }
        let bindings =
            bound.iter().flat_map(|(name, value)| [Task::symbol((*name).clone()), constant(value)]).collect();
        Some(Task::call(vec![Task::symbol("let"), Task::list(bindings), inlined]))
    }

    fn state(&self, host: &dyn Host) -> Option<u64> {
        super::state::of(self, host)
    }

    fn reads(&self, at: usize, host: &dyn Host) -> Reads {
        match host.as_any().downcast_ref() {
            Some(interpreter) => super::reads::of_argument(&self.proto, at, interpreter),
            None => Reads::All,
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A form that evaluates to the value: quoted where it is code, or holds some.
fn constant(value: &Value) -> Task {
    match value {
        Value::Code(_) | Value::List(_) | Value::Map(_) => {
            Task::call(vec![Task::symbol("quote"), Task::from_quoted(value, crate::text::Span::NONE)])
        }
        other => Task::data(other.clone()),
    }
}

/// Whether the name stands in a list or under a quote somewhere, which is where a form could bind it again or mean
/// something else by it.
fn may_bind(task: &Task, name: &str) -> bool {
    let mut found = false;
    task.walk(&mut |t| {
        let mentions = |items: &[Task]| items.iter().any(|t| t.as_symbol().is_some_and(|s| s == name));
        match &t.form {
            Form::List(items) => found |= mentions(items),
            Form::Map(pairs) => found |= pairs.iter().any(|(k, v)| mentions(&[k.clone(), v.clone()])),
            Form::Call(_) if t.is_call_of("quote") || t.is_call_of("quasiquote") || t.is_call_of("catch") => {
                t.walk(&mut |t| found |= t.as_symbol().is_some_and(|s| s == name));
            }
            _ => {}
        }
    });
    found
}
