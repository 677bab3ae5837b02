//! Failures: who catches them, and what is said of the calls on the way there.

use super::run::Run;
use super::{Frame, Handler};
use crate::eval::code::{self, Instr, Reg};
use crate::eval::failure;
use crate::text::{Code, Error, Result};

/// Safety of all of these: the run is this thread's.
impl Run<'_> {
    #[inline(never)]
    pub unsafe fn attempt(&mut self, error: Option<Reg>, to: u32) {
        // SAFETY: by contract.
        let m = unsafe { &mut *self.machine };
        let (frames, pending) = (m.frames.len(), m.pending.len());
        m.handlers.push(Handler { frames, closure: self.closure, base: self.base, to, error, pending });
    }

    #[inline(never)]
    pub unsafe fn end_attempt(&mut self) {
        // SAFETY: by contract.
        unsafe { (*self.machine).handlers.pop() };
    }

    /// Nothing failed before a `finally`, which follows.
    #[inline(never)]
    pub unsafe fn finally(&mut self) {
        // SAFETY: by contract.
        let m = unsafe { &mut *self.machine };
        m.handlers.pop();
        m.pending.push(None);
    }

    /// What failed before the `finally` that is over.
    #[inline(never)]
    pub unsafe fn end_finally(&mut self) -> Result<()> {
        // SAFETY: by contract.
        match unsafe { (*self.machine).pending.pop() } {
            Some(Some(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Finds who catches what the instruction before `pc` failed with, saying on the way which calls led here; where to
    /// go on.
    #[cold]
    #[inline(never)]
    pub unsafe fn fail(&mut self, error: Error, pc: *const Instr) -> Result<*const Instr> {
        // SAFETY: by contract; frames and handlers are of closures that are held as the head of the module says.
        unsafe {
            let m = &mut *self.machine;
            let running = &*self.proto;
            let at = pc.offset_from(running.code.as_ptr()) as usize;
            let at = at.saturating_sub(1);
            let span = running.spans[at];
            let mut error = match running.arguments.get(&(at as u32)) {
                Some(arguments) => error.at_argument(span, |name, n| code::argument_span(arguments, name, n)),
                None => error,
            }
            .at(span);
            let catch = error.code() != Code::Interrupted && m.handlers.len() > self.entry.handlers;
            let handler = if catch { m.handlers.pop() } else { None };
            let keep = handler.as_ref().map_or(self.entry.frames, |h| h.frames);
            let mut deepest = self.base + running.registers as usize;
            let mut callee = running;
            let is_function = |name: &str| self.interpreter.language.bound(name).is_some();
            while m.frames.len() > keep {
                let Some(frame) = m.frames.pop() else { break };
                let Frame { closure, pc, base, .. } = frame;
                let waiting = &*(*closure).proto;
                error = failure::of_function(error, callee, is_function);
                callee = waiting;
                let at = pc.offset_from(waiting.code.as_ptr()) as usize;
                error = failure::called_from(error, waiting.spans[at.saturating_sub(1)]);
                deepest = deepest.max(base as usize + waiting.registers as usize);
            }
            let Some(handler) = handler else {
                error = failure::of_function(error, callee, is_function);
                m.clear(self.entry.base, deepest);
                m.handlers.truncate(self.entry.handlers);
                m.pending.truncate(self.entry.pending);
                return Err(error);
            };
            self.base = handler.base;
            self.closure = handler.closure;
            self.proto = &*(*handler.closure).proto;
            m.clear(self.base + (*self.proto).registers as usize, deepest);
            m.pending.truncate(handler.pending);
            self.dirty = true;
            match handler.error {
                Some(register) => self.set(register, failure::to_value(&error, self.interpreter.sources())),
                None => m.pending.push(Some(error)),
            }
            Ok((*self.proto).code.as_ptr().add(handler.to as usize))
        }
    }
}
