//! What names mean in tasks: in those of layers and in hand-made ones.

use super::builder::Builder;
use super::no_such_key;
use crate::data::{Form, Function, Host, Key, Str, Task, Value};
use crate::err;
use crate::optimize::by_hand;
use crate::schedule::task::{Code, Names};
use crate::text::{Result, Span};
use rustc_hash::FxHashMap;
use std::sync::Arc;

fn is_op(host: &dyn Host, function: &Arc<Function>) -> bool {
    host.op(&function.name).is_some_and(|op| Arc::ptr_eq(&op, function))
}

/// In tasks of layers heads are ops, whatever the user has bound their names to, and nothing else is a name.
pub(super) struct LayerNames<'a> {
    pub host: &'a dyn Host,
    pub heads: &'a mut FxHashMap<Str, Arc<Function>>,
}

impl Names for LayerNames<'_> {
    fn head(&mut self, key: &Key, span: Span) -> Result<Value> {
        if let Some(function) = self.heads.get(&key.name) {
            return Ok(Value::Function(function.clone()));
        }
        let Some(function) = self.host.op(&key.name) else {
            return Err(err!(Internal, "a layer calls `{key}`, which is not an op").at(span));
        };
        self.heads.insert(key.name.clone(), function.clone());
        Ok(Value::Function(function))
    }

    fn form(&mut self, _task: &Task, _head: &Key) -> Result<Option<Code>> {
        Ok(None)
    }

    fn is_op(&self, function: &Arc<Function>) -> bool {
        is_op(self.host, function)
    }

    fn key(&mut self, key: &Key, span: Span) -> Result<Code> {
        self.head(key, span).map(Code::Const)
    }
}

/// Where the head of a call stands.
fn head_span(task: &Task) -> Span {
    match &task.form {
        Form::Call(items) => items.first().map_or(task.span, |head| head.span),
        _ => task.span,
    }
}

/// In hand-made tasks a name is a key of the graph, or else what it is bound to globally; heads are functions.
pub(super) struct HandNames<'b, 'a> {
    pub builder: &'b mut Builder<'a>,
    pub layer: u32,
}

impl HandNames<'_, '_> {
    fn global(&self, key: &Key, span: Span) -> Result<Value> {
        let value = if key.index.is_empty() { self.builder.host.global(&key.name, span) } else { None };
        value.ok_or_else(|| {
            let layer = self.builder.layer_of(self.layer);
            let error = err!(Unbound, "`{key}` is neither a key of the graph nor bound to anything")
                .label(span, "nothing by this name is in scope");
            match no_such_key(std::slice::from_ref(layer), key).help_lines().first() {
                Some(help) => error.help(help.clone()),
                None => error,
            }
        })
    }

    /// The place of a key's result among what the task depends on; `None` where the graph has no such key.
    fn input(&mut self, key: &Key) -> Result<Option<Code>> {
        let Some(id) = self.builder.find(self.layer, key)? else { return Ok(None) };
        Ok(Some(Code::Input { n: self.builder.input(id), last: false }))
    }
}

impl Names for HandNames<'_, '_> {
    fn head(&mut self, key: &Key, span: Span) -> Result<Value> {
        self.global(key, span)
    }

    /// The form becomes a function of the keys in it: `(if x 1 2)` is `((fn [x] (if x 1 2)) x)`.
    fn form(&mut self, task: &Task, head: &Key) -> Result<Option<Code>> {
        let host = self.builder.host;
        if !head.index.is_empty() || !host.is_syntax(&head.name, head_span(task)) {
            return Ok(None);
        }
        let mut codes: Vec<Code> = Vec::new();
        let mut failure = None;
        let function = by_hand::as_function(task, &mut |key| match self.input(key) {
            Ok(Some(code)) => {
                codes.push(code);
                true
            }
            Ok(None) => false,
            Err(error) => {
                failure = Some(error);
                false
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
        let callee = Code::Const(host.eval(&function)?);
        Ok(Some(Code::Apply(std::iter::once(callee).chain(codes).collect(), task.span)))
    }

    fn is_op(&self, function: &Arc<Function>) -> bool {
        is_op(self.builder.host, function)
    }

    fn key(&mut self, key: &Key, span: Span) -> Result<Code> {
        match self.input(key)? {
            Some(code) => Ok(code),
            None => self.global(key, span).map(Code::Const),
        }
    }
}
