//! What the answers of a function written in dsk depend on besides its arguments and its text: the values of the global
//! names it mentions, and so on from function to function.
//!
//! A result that was kept for another computation is only right as long as these are the same. So they are hashed when a computation
//! begins, not when the function was made: redefining a name makes all that depends on it anew, and defining it as it
//! was before brings back what was kept then.

use super::closure::Closure;
use super::code::{Instr, Proto};
use super::globals::{Cell, Role};
use super::interpreter::Interpreter;
use crate::data::{Host, Value, cancel, task::deep};
use crate::op::Token;
use std::sync::Arc;

/// Blocks and texts that names are bound to are hashed whole, but no more than so many bytes of them.
const MOST_BYTES: usize = 16 << 20;

/// The state of a closure; `None` where it defines something, makes fresh names, or mentions what has no state.
pub(super) fn of(closure: &Closure, host: &dyn Host) -> Option<u64> {
    let interpreter = host.as_any().downcast_ref::<Interpreter>()?;
    let mut search = Search { interpreter, seen: Vec::new(), left: MOST_BYTES, token: Some(Token::new("state")) };
    search.closure(closure).then(|| search.token.map(|token| token.hash()))?
}

struct Search<'a> {
    interpreter: &'a Interpreter,
    /// Names that were looked at: functions may call each other.
    seen: Vec<*const Cell>,
    left: usize,
    /// What was found, in the order in which the code mentions it.
    token: Option<Token>,
}

impl Search<'_> {
    fn note(&mut self, note: impl FnOnce(Token) -> Token) -> bool {
        self.token = self.token.take().map(note);
        true
    }

    fn closure(&mut self, closure: &Closure) -> bool {
        let (captured, proto) = (&closure.captured, &closure.proto);
        deep(|| captured.iter().all(|value| self.value(value)) && self.proto(proto))
    }

    fn proto(&mut self, proto: &Proto) -> bool {
        let sound = |instr: &Instr| !matches!(instr, Instr::Def { .. } | Instr::Fresh { .. });
        proto.code.iter().all(sound)
            && proto.constants.iter().all(|value| self.value(value))
            && proto.globals.iter().all(|cell| self.global(cell))
            && proto.protos.iter().all(|inner| deep(|| self.proto(inner)))
    }

    fn global(&mut self, cell: &Arc<Cell>) -> bool {
        if self.seen.contains(&Arc::as_ptr(cell)) {
            return true;
        }
        self.seen.push(Arc::as_ptr(cell));
        let globals = &self.interpreter.globals;
        let running = globals.enter();
        let bound = cell.get(&running).map(|binding| (binding.value.clone(), binding.role));
        globals.leave(running);
        match bound {
            // Whoever calls it gets an error, which is not kept.
            None => self.note(|token| token.with(cell.name.as_str())),
            Some((Value::Function(op), Role::Op)) => {
                op.callable.state(self.interpreter).is_some() && self.note(|token| token.with(cell.name.as_str()))
            }
            Some((_, Role::Macro)) => false,
            Some((value, _)) => {
                let fits = self.weigh(&value);
                fits && self.note(|token| token.with(cell.name.as_str()).value(&value)) && self.value(&value)
            }
        }
    }

    /// The functions in a value.
    fn value(&mut self, value: &Value) -> bool {
        match value {
            Value::Function(f) => match Closure::of(f) {
                Some(closure) => self.closure(closure),
                None => match f.callable.state(self.interpreter) {
                    Some(state) => self.note(|token| token.with((f.name.as_str(), state))),
                    None => false,
                },
            },
            // What is cancelled needs no state.
            Value::List(_) | Value::Map(_) if cancel::cancelled() => false,
            Value::List(items) => deep(|| items.iter().all(|item| self.value(item))),
            Value::Map(map) => deep(|| map.iter().all(|(key, item)| self.value(key) && self.value(item))),
            Value::Array(_) | Value::Delayed(_) | Value::Graph(_) => false,
            _ => true,
        }
    }

    /// Whether the value is small enough to be hashed. Counts what it holds.
    fn weigh(&mut self, value: &Value) -> bool {
        let bytes = match value {
            Value::Block(block) => block.nbytes(),
            Value::Str(text) => text.len(),
            Value::List(items) => return deep(|| items.iter().all(|item| self.weigh(item))),
            Value::Map(map) => return deep(|| map.iter().all(|(key, item)| self.weigh(key) && self.weigh(item))),
            _ => 0,
        };
        match self.left.checked_sub(bytes + std::mem::size_of::<Value>()) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}
