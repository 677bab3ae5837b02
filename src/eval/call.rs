//! Calls of values that are not closures: ops, keywords, maps, lists, arrays; and the parts that destructuring takes.

use super::closure::Closure;
use super::interpreter::Interpreter;
use super::machine;
use crate::data::{Answer, Direct, Form, Function, MOST_DIRECT, Reads, Slice, Value};
use crate::err;
use crate::text::{Error, Result, Span};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

pub(super) type Arguments = SmallVec<[Value; 6]>;

/// Calls an op the short way, if it takes these arguments so.
#[inline(always)]
pub(super) fn direct(op: Direct, args: &[Value], reads: &Reads) -> Option<Value> {
    let mut places = [const { &Value::Nil }; MOST_DIRECT];
    let places = places.get_mut(..args.len())?;
    places.iter_mut().zip(args).for_each(|(place, arg)| *place = arg);
    let mut answer = Answer::new();
    (op.call)(places, reads, &mut answer).then(|| answer.take())
}

/// Calls any callable value.
pub(super) fn apply(interpreter: &Interpreter, callee: &Value, args: Arguments, span: Span) -> Result<Value> {
    match callee {
        Value::Function(f) => call_function(interpreter, f, args, span),
        Value::Keyword(_) => look_up(interpreter, args, callee, span),
        Value::Map(_) | Value::Graph(_) => member(interpreter, callee, args, span),
        Value::List(_) if args.len() == 1 && !matches!(args[0], Value::List(_)) => {
            list_item(interpreter, callee, &args[0], span)
        }
        Value::List(_) | Value::Block(_) | Value::Array(_) => {
            let mut all: Arguments = smallvec![callee.clone()];
            all.extend(args);
            call_op(interpreter, "slice", all, span)
        }
        Value::Delayed(_) => Err(err!(Type, "a lazy value can be called only when it is computed")
            .label(span, "in this call")
            .help("`(delay ((compute f) x))`, or `(deftask …)` for a function whose calls are lazy")),
        other => Err(err!(Type, "{} cannot be called", other.a_type_name())
            .label(span, "in this call")
            .help("functions, keywords, maps, lists and arrays can; a list is written `[a b]`")),
    }
}

/// Calls a function: a lazy call where an argument is lazy and the function leaves it to its caller what that means.
pub(super) fn call_function(
    interpreter: &Interpreter,
    f: &Arc<Function>,
    args: Arguments,
    span: Span,
) -> Result<Value> {
    if let Some(closure) = Closure::of(f) {
        return machine::call_closure(interpreter, closure, args.into_iter(), span);
    }
    let args = f.bind(interpreter, args, span)?;
    f.callable.call(args)
}

fn call_op(interpreter: &Interpreter, name: &str, args: Arguments, span: Span) -> Result<Value> {
    match interpreter.op_named(name) {
        Some(op) => call_function(interpreter, &op, args, span),
        None => Err(err!(Internal, "the op `{name}` is not there")),
    }
}

/// `(:key m)`, `(:key m default)`.
fn look_up(interpreter: &Interpreter, args: Arguments, key: &Value, span: Span) -> Result<Value> {
    let mut args = args.into_iter();
    match (args.next(), args.next(), args.next()) {
        (Some(from), None, None) => member(interpreter, &from, smallvec![key.clone()], span),
        (Some(from), Some(default), None) => member(interpreter, &from, smallvec![key.clone(), default], span),
        _ => Err(err!(Arity, "{key:?} takes a map, and what to answer where the key is absent")
            .label(span, "in this call")
            .help(format!("usage: ({key:?} m default?)"))),
    }
}

/// `(m key)`, `(m key default)`.
fn member(interpreter: &Interpreter, from: &Value, args: Arguments, span: Span) -> Result<Value> {
    match (from, &args[..]) {
        (Value::Map(map), [key]) if !key.is_lazy() => Ok(map.get(key).cloned().unwrap_or_default()),
        (Value::Map(map), [key, default]) if !key.is_lazy() => Ok(map.get(key).unwrap_or(default).clone()),
        (Value::Nil, [_]) => Ok(Value::Nil),
        (Value::Nil, [_, default]) => Ok(default.clone()),
        (_, [_] | [_, _]) => {
            let mut all: Arguments = smallvec![from.clone()];
            all.extend(args);
            call_op(interpreter, "get", all, span)
        }
        _ => Err(err!(Arity, "{} is called with a key, and what to answer where it is absent", from.a_type_name())
            .label(span, "in this call")),
    }
}

/// `(xs 0)`, `(xs -1)`, `(xs 1:3)`.
fn list_item(interpreter: &Interpreter, list: &Value, at: &Value, span: Span) -> Result<Value> {
    let Value::List(items) = list else { return Ok(Value::Nil) };
    match at {
        Value::Delayed(_) | Value::Array(_) => call_op(interpreter, "get", smallvec![list.clone(), at.clone()], span),
        Value::Slice(slice) => {
            let Some(range) = slice.resolve(items.len()) else {
                return Err(err!(Value, "the step of a slice is not 0").label(span, "in this call"));
            };
            let at = |n: usize| items[(range.start as isize + n as isize * range.step) as usize].clone();
            Ok(Value::list((0..range.count).map(at).collect()))
        }
        _ => {
            let Some(n) = at.as_int() else {
                return Err(err!(Type, "a list is indexed by an int or a slice, not by {}", at.a_type_name())
                    .label(span, "in this call"));
            };
            let from_end = if n < 0 { n.saturating_add(items.len() as i64) } else { n };
            let item = usize::try_from(from_end).ok().and_then(|n| items.get(n));
            item.cloned().ok_or_else(|| {
                err!(Index, "index {n} is out of range for a list of {}", items.len()).label(span, "in this call")
            })
        }
    }
}

#[cold]
pub(super) fn bad_key(key: &Value) -> Error {
    err!(Type, "{} cannot be the key of a map", key.a_type_name())
        .help("keys are numbers, strings, keywords, nil, and lists of these")
}

/// Item `at`, or nil where there is none: `[a b]` in parameters, `let` and `loop`.
pub(super) fn item(interpreter: &Interpreter, from: &Value, at: usize, span: Span) -> Result<Value> {
    match from {
        Value::List(items) => Ok(items.get(at).cloned().unwrap_or_default()),
        Value::Nil => Ok(Value::Nil),
        Value::Code(task) => match &task.form {
            Form::Call(items) => Ok(items.get(at).map(|t| t.quoted()).unwrap_or_default()),
            _ => Err(not_taken_apart(from, span)),
        },
        Value::Map(map) => {
            Ok(map.get_index(at).map(|(k, v)| Value::list(vec![k.clone(), v.clone()])).unwrap_or_default())
        }
        Value::Str(s) => Ok(s.chars().nth(at).map(|c| Value::str(c.to_string())).unwrap_or_default()),
        Value::Block(b) if b.ndim() > 0 && at >= b.shape()[0] => Ok(Value::Nil),
        Value::Block(b) if b.ndim() > 0 => {
            call_op(interpreter, "slice", smallvec![from.clone(), Value::Int(at as i64)], span)
        }
        Value::Array(a) if a.ndim() > 0 && a.unknown.axis(0).is_none() && at >= a.shape()[0] => Ok(Value::Nil),
        Value::Array(_) => call_op(interpreter, "slice", smallvec![from.clone(), Value::Int(at as i64)], span),
        Value::Delayed(_) => call_op(interpreter, "get", smallvec![from.clone(), Value::Int(at as i64)], span),
        _ => Err(not_taken_apart(from, span)),
    }
}

/// The items from `at` on, as a list (of an array, an array).
pub(super) fn rest(interpreter: &Interpreter, from: &Value, at: usize, span: Span) -> Result<Value> {
    match from {
        Value::List(items) => Ok(Value::list(items.iter().skip(at).cloned().collect())),
        Value::Nil => Ok(Value::list(Vec::new())),
        Value::Code(task) => match &task.form {
            Form::Call(items) => Ok(Value::list(items.iter().skip(at).map(|t| t.quoted()).collect())),
            _ => Err(not_taken_apart(from, span)),
        },
        Value::Map(map) => {
            let pair = |(k, v): (&Value, &Value)| Value::list(vec![k.clone(), v.clone()]);
            Ok(Value::list(map.iter().skip(at).map(pair).collect()))
        }
        Value::Str(s) => Ok(Value::list(s.chars().skip(at).map(|c| Value::str(c.to_string())).collect())),
        Value::Block(_) | Value::Array(_) => {
            let slice = Slice { start: Some(at as i64), stop: None, step: None };
            call_op(interpreter, "slice", smallvec![from.clone(), slice.into()], span)
        }
        _ => Err(not_taken_apart(from, span)),
    }
}

/// What is under `key`, or nil: `{:keys [a]}`.
pub(super) fn field(interpreter: &Interpreter, from: &Value, key: &Value, span: Span) -> Result<Value> {
    match from {
        Value::Map(map) => Ok(map.get(key).cloned().unwrap_or_default()),
        Value::Nil => Ok(Value::Nil),
        Value::Delayed(_) | Value::Graph(_) => call_op(interpreter, "get", smallvec![from.clone(), key.clone()], span),
        // What `& {:keys [a]}` takes apart: arguments by name.
        Value::List(items) if items.len() % 2 == 0 => {
            let pair = items.chunks_exact(2).find(|p| p[0].same_key(key));
            Ok(pair.map(|p| p[1].clone()).unwrap_or_default())
        }
        _ => {
            Err(err!(Type, "{} has no keys to take apart", from.a_type_name())
                .label(span, "this pattern expects a map"))
        }
    }
}

#[cold]
fn not_taken_apart(from: &Value, span: Span) -> Error {
    err!(Type, "{} cannot be taken apart", from.a_type_name()).label(span, "this pattern expects a list")
}
