//! Which leaves of a nest are the same: a view that was inlined into each of its uses is taken once.

use crate::data::task::deep;
use crate::data::{Host, Value};
use crate::schedule::task::Code;
use std::sync::Arc;

/// Whether both make the same of what a task is given: they are calls of the same ops, which do nothing but answer, of the same inputs.
/// Elementwise calls of blocks are never the same, as they become nests of their own; nor are calls of functions that may do more.
pub fn is_same(a: &Code, b: &Code, host: &dyn Host) -> bool {
    match (a, b) {
        (Code::Input { n: a, .. }, Code::Input { n: b, .. }) => a == b,
        (Code::Index(a), Code::Index(b)) => Arc::ptr_eq(&a.function, &b.function) && a.at == b.at,
        (Code::Const(a), Code::Const(b)) => is_same_value(a, b),
        (Code::List(a), Code::List(b)) => are_same(a, b, host),
        (Code::Call(call), Code::Call(other)) => {
            Arc::ptr_eq(call.function(), other.function())
                && super::operation(a).is_none()
                && are_same(call.args(), other.args(), host)
                && call.function().callable.state(host).is_some()
        }
        _ => false,
    }
}

fn are_same(a: &[Code], b: &[Code], host: &dyn Host) -> bool {
    a.len() == b.len() && deep(|| a.iter().zip(b).all(|(a, b)| is_same(a, b, host)))
}

/// Arrays are the same where they are the same memory: nobody compares large ones for this.
fn is_same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Block(a), Value::Block(b)) => Arc::ptr_eq(a, b),
        (Value::List(a), Value::List(b)) => {
            Arc::ptr_eq(a, b) || a.len() == b.len() && deep(|| a.iter().zip(b.iter()).all(|(a, b)| is_same_value(a, b)))
        }
        (Value::Str(_) | Value::Keyword(_) | Value::Slice(_) | Value::Ellipsis | Value::NewAxis, _) => a.same(b),
        // Functions may do more than answer.
        _ => (a.is_plain() || a.number_kind().is_some()) && a.same(b),
    }
}
