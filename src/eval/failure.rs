//! Errors as values, for `catch`, and values as errors, for `throw`.

use super::code::Proto;
use crate::data::{Map, Value};
use crate::read;
use crate::text::{Code, Error, Sources, Span};
use std::sync::Arc;

/// Labels a report shows at most: where it failed, and the calls that led there.
const MAX_LABELS: usize = 4;

/// Says in a failure that points at no text which function of dsk's own it was: the one that was called, not one that it is
/// written with.
pub(super) fn of_function(error: Error, callee: &Proto, is_function: impl Fn(&str) -> bool) -> Error {
    let named = callee.signature.strict && &*callee.name != "fn" && !error.has_place();
    match error.message().split_once(": ") {
        Some((inner, rest)) if named && inner != &*callee.name && is_function(inner) => {
            let message = format!("{}: {rest}", callee.name);
            let usage = format!("usage: ({inner} ");
            error.with_message(message).without_help(|line| line.starts_with(&usage))
        }
        _ => error,
    }
}

/// Says that the failure came out of a call.
pub(super) fn called_from(error: Error, span: Span) -> Error {
    // What failed is of the standard library, and this the call of the user's that led there.
    if !error.has_place() {
        return error.at(span);
    }
    let labels = error.labels();
    if span == Span::NONE || labels.len() >= MAX_LABELS || labels.iter().any(|l| l.span == span) {
        return error;
    }
    error.label(span, "called from here")
}

/// What `catch` binds: a map of `:code :message :key :span`, and `:help` where there is some; what was thrown as a map keeps its
/// other keys, what was thrown as something else is under `:value`. The key is that of the task that failed, as `keys` of
/// its graph has it; the span a map of `:source :line :column :start :end`, the last two in bytes.
pub fn to_value(error: &Error, sources: &Sources) -> Value {
    let mut map = match error.payload().and_then(|p| p.downcast_ref::<Value>()) {
        Some(Value::Map(thrown)) => (**thrown).clone(),
        Some(other) => {
            let mut map = Map::new();
            map.set("value", other.clone());
            map
        }
        None => Map::new(),
    };
    map.set("code", Value::str(error.code().as_str()));
    map.set("message", Value::str(error.message()));
    map.set("key", error.task().map_or(Value::Nil, |t| key_of(&t.key)));
    map.set("span", place(error.span(), sources));
    if !error.help_lines().is_empty() {
        map.set("help", error.help_lines().iter().map(|h| Value::str(h.as_str())).collect::<Vec<_>>().into());
    }
    Value::map(map)
}

/// The key of a task as a value, from how it is written: `["x" 3 0]` is `[x 3 0]`.
fn key_of(text: &str) -> Value {
    let symbol = |value: &Value| value.as_text().map_or_else(|| value.clone(), Value::symbol);
    match read::read_one(Span::NONE.source, text).map(|task| task.quoted()) {
        Ok(Value::List(items)) => Value::list(items.iter().map(symbol).collect()),
        Ok(name) => symbol(&name),
        Err(_) => Value::str(text),
    }
}

fn place(span: Span, sources: &Sources) -> Value {
    let Some(source) = sources.get(span.source) else { return Value::Nil };
    let (line, column) = source.position(span.start as usize);
    let mut map = Map::new();
    map.set("source", Value::str(source.name.as_str()));
    map.set("line", line.into());
    map.set("column", column.into());
    map.set("start", i64::from(span.start).into());
    map.set("end", i64::from(span.end).into());
    Value::map(map)
}

/// The failure that `(throw value)` raises: any value, or an error as `catch` gives it, which keeps its code.
pub fn thrown(value: &Value, span: Span, sources: &Sources) -> Error {
    let text = |name: &str| match value {
        Value::Map(map) => map.get_text(name).and_then(Value::as_text).map(str::to_string),
        _ => None,
    };
    let code = text("code").and_then(|c| Code::ALL.iter().copied().find(|k| k.as_str() == c));
    let message = match value {
        Value::Str(s) => s.to_string(),
        Value::Map(_) => text("message").unwrap_or_else(|| format!("{value:?}")),
        other => format!("{other:?}"),
    };
    let error = Error::new(code.unwrap_or(Code::User), message).with_payload(Arc::new(value.clone()));
    match value {
        Value::Map(map) => match map.get_text("span").and_then(|span| span_of(span, sources)) {
            Some(first) => error.label(first, "here").label(span, "thrown again here"),
            None => error.label(span, "thrown here"),
        },
        _ => error.label(span, "thrown here"),
    }
}

fn span_of(place: &Value, sources: &Sources) -> Option<Span> {
    let Value::Map(place) = place else { return None };
    let source = sources.named(place.get_text("source")?.as_text()?)?;
    let part = |name: &str| place.get_text(name)?.as_int().and_then(|n| u32::try_from(n).ok());
    Some(Span { source, start: part("start")?, end: part("end")? })
}
