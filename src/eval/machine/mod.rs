//! The machine that runs compiled code: a stack of values, a stack of frames, a loop over instructions.
//!
//! One machine a thread, found through a thread-local: an op called from dsk code that calls a closure back continues
//! on the same stacks, above what runs already. Calls between closures push a frame and go on in the same loop; they
//! use no native stack and count no references.
//!
//! This file has the stacks and how a run begins and ends; [`run`] is the loop, with what is done inside it all the
//! time. Instructions that take longer are methods of [`run::Run`]: [`calls`], [`collections`], [`tries`]. Functions of certain kinds
//! need no window here: [`straight`], [`columns`], [`whole`], [`tally`].
//!
//! Three rules keep plain pointers good:
//! - A frame's closure is held by whoever called it: a global binding, which is not freed while a thread runs
//!   (`globals.rs`); a register of the caller's window, or a value captured by the caller, which do not change while
//!   it waits; for tail calls, register 0 of the window.
//! - Slots of the stack above the window that runs hold no counted values, only plain ones: returning clears a window.
//! - The stack may move when it grows; the pointer to the window is made anew after every call that can grow it.

mod arithmetic;
mod calls;
mod collections;
mod columns;
mod run;
mod straight;
mod tally;
mod tries;
mod whole;

pub(super) use columns::Columns;
pub(super) use straight::Straight;
pub(super) use tally::Tally;
pub(super) use whole::Whole;

use super::call;
use super::closure::Closure;
use super::code::{Instr, Reg};
use super::globals::Running;
use super::interpreter::Interpreter;
use crate::data::function::Next;
use crate::data::{Args, Reads, Value, task::deep};
use crate::err;
use crate::text::{Error, Result, Span};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;

/// Runs of the machine inside each other, through ops that call functions back: each takes native stack.
const MAX_NESTING: usize = 10_000;

/// Slots kept when nothing runs; a larger stack is given back.
const KEPT: usize = 64 * 1024;

pub struct Machine {
    stack: Vec<Value>,
    frames: Vec<Frame>,
    handlers: Vec<Handler>,
    /// Failures that `finally` blocks at work will raise again.
    pending: Vec<Option<Error>>,
    /// First slot above the window that runs.
    top: usize,
    /// Runs inside each other.
    nesting: usize,
    /// Whose program the innermost of them is.
    interpreter: *const Interpreter,
}

/// A caller that waits.
#[derive(Clone, Copy)]
struct Frame {
    closure: *const Closure,
    /// The instruction to go on with.
    pc: *const Instr,
    base: u32,
    /// Whether its window may hold counted values.
    counted: bool,
}

/// Where a failure is caught.
struct Handler {
    frames: usize,
    closure: *const Closure,
    base: usize,
    to: u32,
    /// The register that takes the error; `None` for `finally`.
    error: Option<Reg>,
    pending: usize,
}

thread_local! {
    static MACHINE: UnsafeCell<Machine> = const {
        UnsafeCell::new(Machine {
            stack: Vec::new(),
            frames: Vec::new(),
            handlers: Vec::new(),
            pending: Vec::new(),
            top: 0,
            nesting: 0,
            interpreter: ptr::null(),
        })
    };
}

/// Whether dropping the value does anything.
#[inline(always)]
fn counted(value: &Value) -> bool {
    !matches!(value, Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Float(_))
}

/// Moves a value. A number is moved part by part: reading it whole right after its parts were written makes the processor
/// wait.
///
/// # Safety
/// `to` is free to be written to, and what was there needs no dropping.
#[inline(always)]
unsafe fn carry(from: &mut Value, to: *mut Value) {
    // SAFETY: by contract.
    unsafe {
        match *from {
            Value::Int(n) => ptr::write(to, Value::Int(n)),
            Value::Float(x) => ptr::write(to, Value::Float(x)),
            ref mut other => ptr::write(to, std::mem::take(other)),
        }
    }
}

/// Calls a closure with arguments as they stand in the call.
pub(super) fn call_closure(
    interpreter: &Interpreter,
    closure: &Closure,
    args: impl ExactSizeIterator<Item = Value>,
    span: Span,
) -> Result<Value> {
    let mut args: call::Arguments = args.collect();
    let count = args.len();
    if count == 0 {
        args.push(Value::Nil);
    }
    call_with(interpreter, closure, &mut args, count, span)?;
    Ok(std::mem::take(&mut args[0]))
}

/// Calls a closure with the arguments in the window, and puts the answer in its first place.
/// Of the answer, what is not read may be left out.
#[inline]
pub(super) fn call_in(
    interpreter: &Interpreter,
    closure: &Closure,
    window: &mut [Value],
    reads: &Reads,
    span: Span,
) -> Result<()> {
    let count = window.len();
    match straight(interpreter, closure, window, count, reads) {
        0 => call_with(interpreter, closure, window, count, span),
        _ => Ok(()),
    }
}

/// Calls the closure on arguments, so many a call, as long as it is straight and takes them: how often it did.
#[inline]
fn straight(interpreter: &Interpreter, closure: &Closure, args: &mut [Value], count: usize, reads: &Reads) -> usize {
    match &closure.proto.straight {
        Some(straight)
            if closure.proto.plain as usize == count
                // SAFETY: the machine is looked at, and nothing else is done with it.
                && MACHINE.try_with(|m| unsafe { (*m.get()).interpreter }).is_ok_and(|runs| ptr::eq(runs, interpreter)) =>
        {
            // SAFETY: this thread is inside `Globals::enter`, as long as the machine runs a program of the interpreter.
            unsafe { straight.run(closure, args, count, reads) }
        }
        _ => 0,
    }
}

/// [`call_in`] of each value.
pub(super) fn call_each(
    interpreter: &Interpreter,
    closure: &Closure,
    values: &mut [Value],
    reads: &Reads,
    span: Span,
) -> Result<()> {
    let mut at = closure.proto.columns.as_ref().map_or(0, |columns| columns.run(values));
    at += straight(interpreter, closure, &mut values[at..], 1, reads);
    let Some(first) = values.get_mut(at) else { return Ok(()) };
    let mut window = [std::mem::take(first)];
    let mut next = |window: &mut [Value]| {
        std::mem::swap(&mut values[at], &mut window[0]);
        // Others may go the short way again.
        at += 1;
        at += straight(interpreter, closure, &mut values[at..], 1, reads);
        let Some(next) = values.get_mut(at) else { return Ok(Next::End) };
        std::mem::swap(next, &mut window[0]);
        Ok(Next::Call { near: 0 })
    };
    call_many(interpreter, closure, &mut window, &mut next, span)
}

/// Calls a closure with what is in the window, puts the answer in its first place, and so on as long as `next` fills the window again.
pub(super) fn call_many(
    interpreter: &Interpreter,
    closure: &Closure,
    window: &mut [Value],
    next: &mut dyn FnMut(&mut [Value]) -> Result<Next>,
    span: Span,
) -> Result<()> {
    let count = window.len();
    if closure.proto.plain as usize != count || count == 0 {
        loop {
            call_with(interpreter, closure, window, count, span)?;
            if matches!(next(window)?, Next::End) {
                return Ok(());
            }
        }
    }
    let Ok(machine) = MACHINE.try_with(|m| m.get()) else {
        return Err(err!(Internal, "a function was called while its thread ends"));
    };
    // SAFETY: as in `enter`; what `next` may run goes on above this, and leaves the stacks as they are.
    unsafe {
        check_nesting(&*machine, span)?;
        let mut visit = Visit::begin(machine, interpreter);
        let base = visit.base;
        let result = deep(|| {
            let mut likely = 0;
            loop {
                if interpreter.cancel.load(Relaxed) {
                    return Err(interrupted());
                }
                if !closure.proto.tally.as_ref().is_some_and(|tally| tally.put(closure, window, likely)) {
                    let m = &mut *machine;
                    m.reserve(interpreter, base + count + 1 + closure.proto.registers as usize)
                        .map_err(|e| e.at(span))?;
                    for (value, slot) in window.iter_mut().zip(&mut m.stack[base + 1..]) {
                        carry(value, slot);
                    }
                    m.top = base + 1 + count;
                    run::run(interpreter, machine, closure, base, window.as_mut_ptr(), likely)?;
                    (*machine).top = base;
                }
                match next(window)? {
                    Next::End => return Ok(()),
                    Next::Call { near } => likely = near,
                }
            }
        });
        visit.clean = true;
        result
    }
}

#[inline(always)]
fn call_with(
    interpreter: &Interpreter,
    closure: &Closure,
    window: &mut [Value],
    count: usize,
    span: Span,
) -> Result<()> {
    assert!(!window.is_empty() && count <= window.len());
    let first = window.as_mut_ptr();
    enter(
        interpreter,
        span,
        |machine, base| {
            // SAFETY: `machine` is this thread's, and nothing else refers to it while arguments are put down.
            let machine = unsafe { &mut *machine };
            machine.reserve(interpreter, base + count + 1).map_err(|e| e.at(span))?;
            for (n, slot) in machine.stack[base + 1..][..count].iter_mut().enumerate() {
                // SAFETY: the window has `count` values; what lies above the windows that run needs no dropping.
                unsafe { carry(&mut *first.add(n), slot) };
            }
            machine.top = base + 1 + count;
            if closure.proto.plain as usize == count { Ok(()) } else { machine.bind(closure, base, count, span) }
        },
        closure,
        first,
    )
}

/// Calls a closure with arguments that are bound to its parameters.
pub(super) fn call_bound(closure: &Closure, args: Args) -> Result<Value> {
    let Some(interpreter) = args.host.as_any().downcast_ref::<Interpreter>() else {
        return Err(err!(Internal, "`{}` was called by a host that cannot run it", closure.proto.name));
    };
    let span = args.span;
    let mut answer = Value::Nil;
    enter(
        interpreter,
        span,
        move |machine, base| {
            // SAFETY: as above.
            let machine = unsafe { &mut *machine };
            machine.reserve(interpreter, base + closure.proto.parameters() + 1).map_err(|e| e.at(span))?;
            machine.place(closure, base, args.values, args.rest, args.given);
            Ok(())
        },
        closure,
        &raw mut answer,
    )?;
    Ok(answer)
}

/// Runs what calls closures again and again as if from a program of the interpreter.
pub(super) fn stay(interpreter: &Interpreter, run: &mut dyn FnMut() -> Result<Value>) -> Result<Value> {
    let Ok(machine) = MACHINE.try_with(|m| m.get()) else { return run() };
    // SAFETY: as in `enter`.
    let mut visit = unsafe { Visit::begin(machine, interpreter) };
    let result = run();
    visit.clean = true;
    result
}

/// Prepares a window above everything that runs, and runs the closure in it. The answer is written to `answer`, where
/// there is a value that may be dropped.
#[inline]
fn enter(
    interpreter: &Interpreter,
    span: Span,
    prepare: impl FnOnce(*mut Machine, usize) -> Result<()>,
    closure: &Closure,
    answer: *mut Value,
) -> Result<()> {
    let Ok(machine) = MACHINE.try_with(|m| m.get()) else {
        return Err(err!(Internal, "a function was called while its thread ends"));
    };
    // SAFETY: the machine lives in thread-local storage for as long as this thread runs; `&mut` to it, or to parts of
    // it, are never held over a call that could come here again.
    let mut visit = unsafe {
        check_nesting(&*machine, span)?;
        Visit::begin(machine, interpreter)
    };
    let base = visit.base;
    prepare(machine, base)?;
    // SAFETY: `prepare` put the arguments down, and the reserve makes room for the window.
    let result = unsafe {
        (*machine).reserve(interpreter, base + closure.proto.registers as usize).map_err(|e| e.at(span))?;
        deep(|| run::run(interpreter, machine, closure, base, answer, 0))
    };
    visit.clean = true;
    result
}

/// Whether one more run inside those at work is allowed.
#[inline(always)]
fn check_nesting(machine: &Machine, span: Span) -> Result<()> {
    if machine.nesting < MAX_NESTING {
        return Ok(());
    }
    Err(err!(Limit, "functions call each other through ops more than {MAX_NESTING} deep")
        .label(span, "the last of these calls")
        .help("recursion through `map`, `apply` and the like is limited; so is a recursion that never ends"))
}

/// One run of the machine, from `enter` until it is over, in whatever way: also when an op panics.
struct Visit<'a> {
    machine: *mut Machine,
    interpreter: &'a Interpreter,
    /// Whose program the run around this one is.
    around: *const Interpreter,
    running: Option<Running>,
    base: usize,
    frames: usize,
    handlers: usize,
    /// Whether `run` left the stacks as it found them.
    clean: bool,
}

impl<'a> Visit<'a> {
    /// # Safety
    /// The machine is this thread's, and nothing else refers to it.
    #[inline(always)]
    unsafe fn begin(machine: *mut Machine, interpreter: &'a Interpreter) -> Visit<'a> {
        // SAFETY: by contract.
        let m = unsafe { &mut *machine };
        let around = std::mem::replace(&mut m.interpreter, interpreter);
        m.nesting += 1;
        Visit {
            machine,
            interpreter,
            around,
            running: (around != ptr::from_ref(interpreter)).then(|| interpreter.globals.enter()),
            base: m.top,
            frames: m.frames.len(),
            handlers: m.handlers.len(),
            clean: false,
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        // SAFETY: as in `enter`; nothing runs above this visit any more.
        let m = unsafe { &mut *self.machine };
        if !self.clean {
            m.clear(self.base, m.stack.len());
            m.frames.truncate(self.frames);
            m.handlers.truncate(self.handlers);
        }
        m.top = self.base;
        m.nesting -= 1;
        m.interpreter = self.around;
        if m.nesting == 0 {
            m.pending.clear();
            if m.stack.len() > KEPT {
                m.stack.truncate(KEPT);
                m.stack.shrink_to_fit();
                m.frames.shrink_to(KEPT);
            }
        }
        if let Some(running) = self.running.take() {
            self.interpreter.globals.leave(running);
        }
    }
}

impl Machine {
    /// Makes the stack at least `len` slots long.
    #[inline(always)]
    fn reserve(&mut self, interpreter: &Interpreter, len: usize) -> Result<()> {
        if len <= self.stack.len() { Ok(()) } else { self.grow(interpreter, len) }
    }

    #[cold]
    fn grow(&mut self, interpreter: &Interpreter, len: usize) -> Result<()> {
        let limit = interpreter.stack_limit();
        if len > limit {
            let depth = self.frames.len();
            return Err(err!(Limit, "the recursion is too deep: {depth} calls wait for each other")
                .help("does the recursion end? `loop` with `recur`, or a call in tail position, needs no stack"));
        }
        let len = (len + 256).max(self.stack.len() * 2).min(limit.max(len));
        self.stack.resize(len, Value::Nil);
        Ok(())
    }

    /// Drops what counted values there are between two slots.
    #[inline(always)]
    fn clear(&mut self, from: usize, to: usize) {
        let to = to.min(self.stack.len());
        for slot in self.stack.get_mut(from..to).unwrap_or_default() {
            if counted(slot) {
                *slot = Value::Nil;
            }
        }
    }

    /// Sorts `count` arguments that lie after `base` to the parameters of the closure.
    fn bind(&mut self, closure: &Closure, base: usize, count: usize, span: Span) -> Result<()> {
        let proto = &*closure.proto;
        if proto.plain as usize == count {
            return Ok(());
        }
        let args = self.stack[base + 1..base + 1 + count].iter_mut().map(std::mem::take).collect();
        let bound = proto.signature.bind(&proto.name, args, span)?;
        self.place(closure, base, bound.values, bound.rest, bound.given);
        Ok(())
    }

    /// Puts bound arguments where the code expects them. There is room.
    fn place(
        &mut self,
        closure: &Closure,
        base: usize,
        values: impl IntoIterator<Item = Value>,
        rest: Vec<Value>,
        given: u64,
    ) {
        let proto = &*closure.proto;
        let count = proto.signature.params.len();
        for (n, value) in values.into_iter().enumerate() {
            self.stack[base + 1 + n] = value;
        }
        if let Some(at) = proto.signature.rest_index() {
            self.stack[base + 1 + at] = Value::list(rest);
        }
        if proto.wants_given {
            self.stack[base + 1 + count] = Value::Int(given as i64);
        }
        self.top = self.top.max(base + 1 + proto.parameters());
    }
}

#[cold]
fn interrupted() -> Error {
    err!(Interrupted, "interrupted")
}
