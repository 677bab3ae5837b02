//! Instructions that make values of several parts, and those that take such values apart.

use super::arithmetic::put;
use super::run::Run;
use super::{call, carry, counted};
use crate::data::{Map, Task, Value, own};
use crate::eval::closure::Closure;
use crate::eval::code::{Captured, Instr, Reg};
use crate::eval::globals::{Binding, Role};
use crate::eval::interpreter::Interpreter;
use crate::text::{Result, Span};
use std::ptr;
use std::sync::Arc;

/// A part of a value, as destructuring asks for it.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Item(u16),
    Rest(u16),
    /// Under the key that is this constant.
    Field(u16),
}

/// Safety of all of these: the run is this thread's; registers are in its window, constants and protos are there.
impl Run<'_> {
    #[inline(never)]
    pub unsafe fn list(&mut self, to: Reg, first: Reg, len: u16) {
        // SAFETY: by contract.
        unsafe {
            let first = self.register(first);
            let items = (0..len as usize).map(|n| std::mem::take(&mut *first.add(n))).collect();
            self.set(to, Value::list(items));
        }
    }

    #[inline(never)]
    pub unsafe fn push(&mut self, to: Reg, from: Reg) {
        // SAFETY: by contract.
        unsafe {
            let item = std::mem::take(&mut *self.register(from));
            if let Value::List(list) = &mut *self.register(to) {
                own(list).push(item);
            }
        }
    }

    #[inline(never)]
    pub unsafe fn map(&mut self, to: Reg, first: Reg, len: u16) -> Result<()> {
        // SAFETY: by contract.
        unsafe {
            let first = self.register(first);
            let mut map = Map::with_capacity(len as usize / 2);
            let mut wrong = None;
            for n in (0..len as usize).step_by(2) {
                let key = std::mem::take(&mut *first.add(n));
                let value = std::mem::take(&mut *first.add(n + 1));
                if let Err(key) = map.insert(key, value) {
                    wrong.get_or_insert(key);
                }
            }
            if let Some(key) = wrong {
                return Err(call::bad_key(&key));
            }
            self.set(to, Value::map(map));
            Ok(())
        }
    }

    #[inline(never)]
    pub unsafe fn make_closure(&mut self, to: Reg, at: u32) {
        // SAFETY: by contract.
        unsafe {
            let new = &(&(*self.proto).protos)[at as usize];
            let mut captured = Vec::with_capacity(new.captures.len());
            for c in &new.captures {
                captured.push(match *c {
                    Captured::Register(r) => (*self.register(r)).clone(),
                    Captured::LastOfRegister(r) => std::mem::take(&mut *self.register(r)),
                    Captured::Capture(n) => (&(*self.closure).captured)[n as usize].clone(),
                    Captured::Itself => self.itself(),
                });
            }
            let function = Closure::function(new.clone(), captured.into());
            self.set(to, Value::Function(Arc::new(function)));
        }
    }

    /// The closure that runs, as a value.
    #[inline(never)]
    pub unsafe fn itself(&self) -> Value {
        // SAFETY: by contract.
        let closure = unsafe { &*self.closure };
        Value::Function(Arc::new(Closure::function(closure.proto.clone(), closure.captured.clone())))
    }

    #[inline(never)]
    pub unsafe fn fresh(&mut self, to: Reg, at: u32) {
        // SAFETY: by contract.
        unsafe {
            let name = (&(*self.proto).constants)[at as usize].as_text().unwrap_or("g").to_string();
            self.set(to, Value::Code(Arc::new(Task::symbol(self.interpreter.fresh(&name)))));
        }
    }

    #[inline(never)]
    pub unsafe fn define(&mut self, from: Reg, at: u32) {
        // SAFETY: by contract.
        unsafe {
            let value = std::mem::take(&mut *self.register(from));
            let definition = &(&(*self.proto).defs)[at as usize];
            let role = if definition.is_macro { Role::Macro } else { Role::Value };
            let mut binding = Binding::new(value, role);
            binding.doc = definition.doc.clone();
            binding.source = Some(definition.source.clone());
            self.interpreter.globals.set(&definition.global, binding);
        }
    }

    #[inline(never)]
    pub unsafe fn take_apart(&mut self, to: Reg, from: Reg, part: Part, pc: *const Instr) -> Result<()> {
        // SAFETY: by contract.
        unsafe {
            let source = (*self.register(from)).clone();
            let (interpreter, span): (&Interpreter, Span) = (self.interpreter, self.span(pc));
            self.suspend();
            let value = match part {
                Part::Item(at) => call::item(interpreter, &source, at as usize, span),
                Part::Rest(at) => call::rest(interpreter, &source, at as usize, span),
                Part::Field(key) => call::field(interpreter, &source, &(&(*self.proto).constants)[key as usize], span),
            };
            self.set(to, value?);
            Ok(())
        }
    }

    /// `get` of a map, or of a list by an index that it has: whether it was one of these.
    #[inline(never)]
    pub unsafe fn get(&mut self, at: Reg, count: u8, operands: Operands) -> bool {
        // SAFETY: by contract.
        unsafe {
            let (coll, key) = (self.register(operands.first), self.register(operands.second));
            let found = match (&*coll, &*key) {
                (Value::Map(map), key) => match map.position_near(self.found, key) {
                    // A key that is yet to be computed makes the answer lazy, which is the op's to say.
                    None if key.is_lazy() => return false,
                    found => found.and_then(|at| {
                        self.found = at;
                        map.get_index(at).map(|(_, value)| value)
                    }),
                },
                (Value::List(items), &Value::Int(n)) => match usize::try_from(n).ok().and_then(|n| items.get(n)) {
                    Some(item) => Some(item),
                    None => return false,
                },
                _ => return false,
            };
            // The collection goes before what was found is used: it may be held by nobody else then. What is written is a number in its
            // parts, or a value whole: put together from either, it would be written in pieces.
            match found {
                Some(&Value::Int(n)) => {
                    self.release(at, count, operands);
                    put!(self.register(at), Int, n);
                }
                Some(value) => {
                    let value = value.clone();
                    self.release(at, count, operands);
                    self.set(at, value);
                }
                None if count == 3 => {
                    self.dirty |= counted(&*self.register(at + 3));
                    let (default, to) = (self.register(at + 3), self.register(at));
                    self.release(at, 2, operands);
                    ptr::drop_in_place(to);
                    carry(&mut *default, to);
                }
                None => {
                    self.release(at, 2, operands);
                    self.set(at, Value::Nil);
                }
            }
            true
        }
    }

    /// Lets go of the operands of a call that are not used again, and of its third argument.
    #[inline(always)]
    unsafe fn release(&mut self, at: Reg, count: u8, operands: Operands) {
        // SAFETY: by contract.
        unsafe {
            let registers = [
                (operands.first, operands.takes_first()),
                (operands.second, operands.takes_second()),
                (at + 3, count == 3),
            ];
            for (register, _) in registers.into_iter().filter(|(_, taken)| *taken) {
                let slot = self.register(register);
                if counted(&*slot) {
                    *slot = Value::Nil;
                }
            }
        }
    }

    /// `assoc` to a map: whether it was one, and the key can be one of its.
    #[inline(never)]
    pub unsafe fn assoc(&mut self, at: Reg, operands: Operands) -> bool {
        // SAFETY: by contract.
        unsafe {
            let (coll, key) = (self.register(operands.first), self.register(operands.second));
            if !matches!(&*coll, Value::Map(_)) || !(*key).is_hashable() {
                return false;
            }
            // It stays the value that it is, for the same reason as in `get`, and a number goes from register to map in its parts.
            let mut coll = if operands.takes_first() { std::mem::take(&mut *coll) } else { (*coll).clone() };
            let Value::Map(map) = &mut coll else { return false };
            let (map, value) = (own(map), self.register(at + 3));
            match map.entry_near(self.found, &*key) {
                Some(old) => {
                    ptr::drop_in_place(old);
                    carry(&mut *value, old);
                    if operands.takes_second() {
                        *key = Value::Nil;
                    }
                }
                None => {
                    let key = if operands.takes_second() { std::mem::take(&mut *key) } else { (*key).clone() };
                    map.put(key, std::mem::take(&mut *value));
                }
            }
            self.set(at, coll);
            true
        }
    }

    /// Puts operands where arguments lie.
    #[inline(never)]
    pub unsafe fn spread(&mut self, at: Reg, operands: Operands) {
        // SAFETY: by contract.
        unsafe {
            let both = [(operands.first, operands.takes_first()), (operands.second, operands.takes_second())];
            for (n, (from, taken)) in both.into_iter().enumerate() {
                let (from, to) = (self.register(from), self.register(at + 1 + n as Reg));
                if from != to {
                    *to = if taken { std::mem::take(&mut *from) } else { (*from).clone() };
                }
                self.dirty |= counted(&*to);
            }
        }
    }
}

/// `Instr::Operands`.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    pub taken: u8,
    pub first: Reg,
    pub second: Reg,
}

impl Operands {
    fn takes_first(self) -> bool {
        self.taken & 1 != 0
    }

    fn takes_second(self) -> bool {
        self.taken & 2 != 0
    }
}
