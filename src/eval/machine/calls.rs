//! Calls, apart from the one of a closure whose arguments are as it wants them, which the loop makes itself.

use super::arithmetic::put;
use super::collections::Operands;
use super::run::Run;
use super::{call, interrupted};
use crate::data::{Reads, Value};
use crate::eval::closure::Closure;
use crate::eval::code::{Instr, Proto, Reg};
use crate::eval::globals::Binding;
use crate::eval::operator::Operator;
use crate::text::{Error, Result};
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

/// What an instruction calls.
pub(super) enum Callee {
    Closure(*const Closure),
    /// Anything else that can be called, or that cannot.
    Other(Value),
}

impl Callee {
    #[inline(always)]
    pub fn of(value: &Value) -> Callee {
        match value {
            Value::Function(f) => match Closure::of(f) {
                Some(closure) => Callee::Closure(closure),
                None => Callee::Other(value.clone()),
            },
            other => Callee::Other(other.clone()),
        }
    }
}

/// Safety of all of these: the run is this thread's; registers are in its window.
impl Run<'_> {
    /// Sorts the arguments of a call to the parameters of a closure that does not just take that many.
    #[inline(never)]
    pub unsafe fn sort(&mut self, closure: *const Closure, window: usize, count: u8, pc: *const Instr) -> Result<()> {
        // SAFETY: by contract; the closure is held by who calls it.
        unsafe {
            let closure = &*closure;
            let count = count as usize;
            let span = self.span(pc);
            let machine = &mut *self.machine;
            machine.reserve(self.interpreter, window + 2 + count + closure.proto.parameters())?;
            machine.bind(closure, window, count, span)
        }
    }

    /// Calls an op the short way with the arguments in the registers after `at`: whether it has one that takes these.
    #[inline(always)]
    pub unsafe fn call_direct(&mut self, binding: &Binding, at: Reg, count: u8) -> bool {
        // SAFETY: by contract; ops of this kind do not run dsk code.
        unsafe {
            let Some(direct) = binding.direct else { return false };
            let args = std::slice::from_raw_parts(self.register(at + 1), count as usize);
            let answer = call::direct(direct, args, &Reads::All);
            let given = answer.is_some();
            if let Some(answer) = answer {
                self.set(at, answer);
            }
            given
        }
    }

    /// Calls what is not a closure with the arguments in the registers after `at`.
    #[inline(never)]
    pub unsafe fn call(&mut self, callee: &Value, at: Reg, count: u8, pc: *const Instr) -> Result<()> {
        // SAFETY: by contract.
        unsafe {
            let first = self.register(at + 1);
            if let Value::Function(f) = callee
                && let Some(direct) = f.callable.direct()
                && let Some(answer) =
                    call::direct(direct, std::slice::from_raw_parts(first, count as usize), &Reads::All)
            {
                self.set(at, answer);
                return Ok(());
            }
            let mut args = call::Arguments::new();
            for n in 0..count as usize {
                args.push(std::mem::take(&mut *first.add(n)));
            }
            self.suspend();
            let result = call::apply(self.interpreter, callee, args, self.span(pc))?;
            self.set(at, result);
            Ok(())
        }
    }

    /// The same of what a global is bound to. Functions stay while code runs; other values may be replaced by what they
    /// are called with.
    #[inline(never)]
    pub unsafe fn call_bound(&mut self, binding: &Binding, at: Reg, count: u8, pc: *const Instr) -> Result<()> {
        // SAFETY: by contract.
        unsafe {
            if self.call_direct(binding, at, count) {
                return Ok(());
            }
            match &binding.value {
                function @ Value::Function(_) => self.call(function, at, count, pc),
                other => self.call(&other.clone(), at, count, pc),
            }
        }
    }

    /// Looks up a keyword, by the operands behind the instruction.
    #[inline(never)]
    pub unsafe fn call_field(&mut self, at: Reg, count: u8, operands: Operands, pc: *const Instr) -> Result<()> {
        // SAFETY: by contract.
        unsafe {
            if self.get(at, count, operands) {
                return Ok(());
            }
            self.spread(at, operands);
            let key = std::mem::take(&mut *self.register(at + 2));
            let from = std::mem::take(&mut *self.register(at + 1));
            let mut args: call::Arguments = smallvec::smallvec![from];
            if count == 3 {
                args.push(std::mem::take(&mut *self.register(at + 3)));
            }
            self.suspend();
            let result = call::apply(self.interpreter, &key, args, self.span(pc))?;
            self.set(at, result);
            Ok(())
        }
    }

    /// Calls `R[at]` with the elements of the list after it.
    #[inline(never)]
    pub unsafe fn call_list(&mut self, at: Reg, pc: *const Instr) -> Result<()> {
        // SAFETY: by contract.
        unsafe {
            let callee = std::mem::take(&mut *self.register(at));
            let args = match std::mem::take(&mut *self.register(at + 1)) {
                Value::List(list) => list.iter().cloned().collect(),
                _ => Default::default(),
            };
            self.suspend();
            let result = call::apply(self.interpreter, &callee, args, self.span(pc))?;
            self.set(at, result);
            Ok(())
        }
    }

    /// Carries out an operator that was not one of two plain numbers.
    #[inline(never)]
    pub unsafe fn operate(&mut self, operator: Operator, to: Reg, a: Reg, b: Reg, pc: *const Instr) -> Result<()> {
        // SAFETY: by contract.
        unsafe {
            let (a, b) = ((*self.register(a)).clone(), (*self.register(b)).clone());
            self.suspend();
            let result = self.interpreter.operate(operator, a, b, self.span(pc))?;
            self.set(to, result);
            Ok(())
        }
    }

    /// The same with a number that stands in the instruction.
    #[inline(never)]
    pub unsafe fn operate_int(&mut self, operator: Operator, to: Reg, a: Reg, b: i16, pc: *const Instr) -> Result<()> {
        // SAFETY: by contract.
        unsafe {
            let a = (*self.register(a)).clone();
            self.suspend();
            let result = self.interpreter.operate(operator, a, Value::Int(b.into()), self.span(pc))?;
            self.set(to, result);
            Ok(())
        }
    }

    /// Whether a comparison that was not of two plain numbers holds.
    #[inline(never)]
    pub unsafe fn holds(&mut self, operator: Operator, a: Reg, b: Reg, pc: *const Instr) -> Result<bool> {
        // SAFETY: by contract.
        unsafe {
            let (a, b) = ((*self.register(a)).clone(), (*self.register(b)).clone());
            self.suspend();
            truth(&self.interpreter.operate(operator, a, b, self.span(pc))?)
        }
    }

    /// The same with a number that stands in the instruction.
    #[inline(never)]
    pub unsafe fn holds_int(&mut self, operator: Operator, a: Reg, b: i16, pc: *const Instr) -> Result<bool> {
        // SAFETY: by contract.
        unsafe {
            let a = (*self.register(a)).clone();
            self.suspend();
            truth(&self.interpreter.operate(operator, a, Value::Int(b.into()), self.span(pc))?)
        }
    }

    /// Runs another closure in this window: arguments move down, the rest is cleared. `keep` holds the closure.
    #[inline(never)]
    pub unsafe fn tail(
        &mut self,
        closure: *const Closure,
        keep: Value,
        at: Reg,
        count: u8,
        pc: *const Instr,
    ) -> Result<()> {
        // SAFETY: by contract; `keep`, or the binding it comes from, holds the closure.
        unsafe {
            let new: *const Proto = &*(*closure).proto;
            if self.interpreter.cancel.load(Relaxed) {
                return Err(interrupted());
            }
            if (*new).plain != u32::from(count) {
                self.sort(closure, self.base + at as usize, count, pc)?;
            }
            (*self.machine).reserve(self.interpreter, self.base + (*new).registers as usize)?;
            let regs = self.regs();
            // From here nothing fails. What held the old closure is dropped last.
            let held = std::mem::replace(&mut *regs, keep);
            for n in 1..=(*new).parameters() {
                let to = regs.add(n);
                match *regs.add(at as usize + n) {
                    Value::Int(value) => put!(to, Int, value),
                    Value::Float(value) => put!(to, Float, value),
                    ref mut other => overwrite(to, std::mem::take(other)),
                }
            }
            (*self.machine).clear(self.base + 1 + (*new).parameters(), self.base + (*self.proto).registers as usize);
            self.closure = closure;
            self.proto = new;
            self.dirty = true;
            drop(held);
            Ok(())
        }
    }

    #[cold]
    pub unsafe fn unbound(&self, global: u32, pc: *const Instr) -> Error {
        // SAFETY: by contract.
        unsafe { self.interpreter.unbound(&(&(*self.proto).globals)[global as usize].name, self.span(pc)) }
    }
}

/// Whether a test counts as true.
#[inline(never)]
pub(super) fn truth(value: &Value) -> Result<bool> {
    value.truth()
}

#[inline(always)]
pub(super) unsafe fn overwrite(slot: *mut Value, value: Value) {
    // SAFETY: by contract, a register.
    unsafe {
        if super::counted(&*slot) {
            ptr::drop_in_place(slot);
        }
        ptr::write(slot, value);
    }
}
