//! The machine that runs compiled code: a stack of values, a stack of frames, a loop over instructions.
//!
//! One machine a thread, found through a thread-local: an op called from dsk code that calls a closure back continues
//! on the same stacks, above what runs already. Calls between closures push a frame and go on in the same loop; they
//! use no native stack and count no references.
//!
//! Three rules keep plain pointers good:
//! - A frame's closure is held by whoever called it: a global binding, which is not freed while a thread runs
//!   (`globals.rs`); a register of the caller's window, or a value captured by the caller, which do not change while
//!   it waits; for tail calls, register 0 of the window.
//! - Slots of the stack above the window that runs hold no counted values, only plain ones: returning clears a window.
//! - The stack may move when it grows; the pointer to the window is made anew after every call that can grow it.

use super::call;
use super::closure::Closure;
use super::code::{self, Captured, Instr, Proto, Reg};
use super::failure;
use super::globals::{Binding, Cell, Role, Running};
use super::interpreter::Interpreter;
use super::operator::Operator;
use crate::data::{Args, Map, Task, Value, task::deep};
use crate::err;
use crate::text::{Code, Error, Result, Span};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::Arc;
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

/// Calls a closure with arguments as they stand in the call.
pub(super) fn call_closure(
    interpreter: &Interpreter,
    closure: &Closure,
    args: impl ExactSizeIterator<Item = Value>,
    span: Span,
) -> Result<Value> {
    enter(
        interpreter,
        span,
        |machine, base| {
            let count = args.len();
            // SAFETY: `machine` is this thread's, and nothing else refers to it while arguments are put down.
            let machine = unsafe { &mut *machine };
            machine.reserve(interpreter, base + count + 1).map_err(|e| e.at(span))?;
            for (n, arg) in args.enumerate() {
                machine.stack[base + 1 + n] = arg;
            }
            machine.top = base + 1 + count;
            machine.bind(closure, base, count, span)
        },
        closure,
    )
}

/// Calls a closure with arguments that are bound to its parameters.
pub(super) fn call_bound(closure: &Closure, args: Args) -> Result<Value> {
    let Some(interpreter) = args.host.as_any().downcast_ref::<Interpreter>() else {
        return Err(err!(Internal, "`{}` was called by a host that cannot run it", closure.proto.name));
    };
    let span = args.span;
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
    )
}

/// Prepares a window above everything that runs, and runs the closure in it.
#[inline]
fn enter(
    interpreter: &Interpreter,
    span: Span,
    prepare: impl FnOnce(*mut Machine, usize) -> Result<()>,
    closure: &Closure,
) -> Result<Value> {
    let Ok(machine) = MACHINE.try_with(|m| m.get()) else {
        return Err(err!(Internal, "a function was called while its thread ends"));
    };
    // SAFETY: the machine lives in thread-local storage for as long as this thread runs; `&mut` to it, or to parts of
    // it, are never held over a call that could come here again.
    let m = unsafe { &mut *machine };
    if m.nesting >= MAX_NESTING {
        return Err(err!(Limit, "functions call each other through ops more than {MAX_NESTING} deep")
            .label(span, "the last of these calls")
            .help("recursion through `map`, `apply` and the like is limited; so is a recursion that never ends"));
    }
    let around = std::mem::replace(&mut m.interpreter, interpreter);
    let mut visit = Visit {
        machine,
        interpreter,
        around,
        running: (around != ptr::from_ref(interpreter)).then(|| interpreter.globals.enter()),
        base: m.top,
        frames: m.frames.len(),
        handlers: m.handlers.len(),
        clean: false,
    };
    m.nesting += 1;
    let base = visit.base;
    prepare(machine, base)?;
    // SAFETY: `prepare` put the arguments down, and the reserve makes room for the window.
    let result = unsafe {
        (*machine).reserve(interpreter, base + closure.proto.registers as usize).map_err(|e| e.at(span))?;
        deep(|| run(interpreter, machine, closure, base))
    };
    visit.clean = true;
    result
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

/// How an instruction went wrong, or that the run is over.
enum Exit {
    Failed(Error),
}

/// Runs `closure` in the window at `base` until it returns.
///
/// # Safety
/// `machine` is this thread's; the window is on the stack with the arguments in place.
unsafe fn run(interpreter: &Interpreter, machine: *mut Machine, closure: &Closure, base: usize) -> Result<Value> {
    // SAFETY (of the whole function): registers are numbered by `emit`, which gives every function a window that holds
    // all it uses, and jumps and positions of constants, globals and protos are in range by construction; the rules at
    // the head of this file keep closures alive. Nothing keeps a reference into the stack over a call.
    unsafe {
        let entry = (*machine).frames.len();
        let entry_handlers = (*machine).handlers.len();
        let entry_pending = (*machine).pending.len();
        let first_base = base;
        let mut base = base;
        let mut closure: *const Closure = closure;
        let mut proto: *const Proto = &*(*closure).proto;
        let mut pc: *const Instr = (*proto).code.as_ptr();
        let mut regs: *mut Value = (*machine).stack.as_mut_ptr().add(base);
        // Whether this call put counted values into its window, or got some as arguments: if not, there is nothing to
        // clear when it returns.
        let mut dirty = true;

        macro_rules! reg {
            ($n:expr) => {
                (*regs.add($n as usize))
            };
        }
        // Overwrites a register: most often a plain value, which needs no dropping.
        macro_rules! slot {
            ($n:expr) => {{
                let slot = regs.add($n as usize);
                if counted(&*slot) {
                    ptr::drop_in_place(slot);
                }
                slot
            }};
        }
        macro_rules! set {
            ($n:expr, $value:expr) => {{
                let value = $value;
                ptr::write(slot!($n), value);
                dirty = true;
            }};
        }
        // The same for numbers and truth values, which are put together in place: a value that is written in parts and
        // then copied whole makes the processor wait for the parts.
        macro_rules! set_plain {
            ($n:expr, $variant:ident, $value:expr) => {{
                let value = $value;
                ptr::write(slot!($n), Value::$variant(value));
            }};
        }
        macro_rules! span {
            () => {
                (&(*proto).spans)[pc.offset_from((*proto).code.as_ptr()) as usize - 1]
            };
        }
        macro_rules! jump {
            ($to:expr) => {
                pc = (*proto).code.as_ptr().add($to as usize)
            };
        }
        // Before anything that may run dsk code again; `resume` after it.
        macro_rules! suspend {
            () => {
                (*machine).top = base + (*proto).registers as usize
            };
        }
        macro_rules! resume {
            () => {
                regs = (*machine).stack.as_mut_ptr().add(base)
            };
        }
        macro_rules! attempt {
            ($result:expr) => {
                match $result {
                    Ok(value) => value,
                    Err(error) => break Exit::Failed(error),
                }
            };
        }

        loop {
            let exit = loop {
                let instr = *pc;
                pc = pc.add(1);

                macro_rules! slow {
                    ($operator:ident, $a:expr, $b:expr) => {{
                        suspend!();
                        let result = interpreter.operate(Operator::$operator, $a, $b, span!());
                        resume!();
                        attempt!(result)
                    }};
                }
                macro_rules! arithmetic {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $checked:ident, $op:tt) => {
                        match (&reg!($a), &reg!($b)) {
                            (&Value::Int(a), &Value::Int(b)) => match a.$checked(b) {
                                Some(n) => set_plain!($to, Int, n),
                                None => set!($to, slow!($operator, Value::Int(a), Value::Int(b))),
                            },
                            (&Value::Float(a), &Value::Float(b)) => set_plain!($to, Float, a $op b),
                            (&Value::Float(a), &Value::Int(b)) => set_plain!($to, Float, a $op b as f64),
                            (&Value::Int(a), &Value::Float(b)) => set_plain!($to, Float, a as f64 $op b),
                            (a, b) => set!($to, slow!($operator, a.clone(), b.clone())),
                        }
                    };
                }
                macro_rules! arithmetic_int {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $checked:ident, $op:tt) => {
                        match &reg!($a) {
                            &Value::Int(a) => match a.$checked($b as i64) {
                                Some(n) => set_plain!($to, Int, n),
                                None => set!($to, slow!($operator, Value::Int(a), Value::Int($b as i64))),
                            },
                            &Value::Float(a) => set_plain!($to, Float, a $op $b as f64),
                            a => set!($to, slow!($operator, a.clone(), Value::Int($b as i64))),
                        }
                    };
                }
                macro_rules! whole {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $f:ident) => {
                        match (&reg!($a), &reg!($b)) {
                            (&Value::Int(a), &Value::Int(b)) if b > 0 => set_plain!($to, Int, $f(a, b)),
                            (a, b) => set!($to, slow!($operator, a.clone(), b.clone())),
                        }
                    };
                }
                macro_rules! whole_int {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $f:ident) => {
                        match &reg!($a) {
                            &Value::Int(a) if $b > 0 => set_plain!($to, Int, $f(a, $b as i64)),
                            a => set!($to, slow!($operator, a.clone(), Value::Int($b as i64))),
                        }
                    };
                }
                macro_rules! compare {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $op:tt) => {
                        match (&reg!($a), &reg!($b)) {
                            (&Value::Int(a), &Value::Int(b)) => set_plain!($to, Bool, a $op b),
                            (&Value::Float(a), &Value::Float(b)) => set_plain!($to, Bool, a $op b),
                            (a, b) => set!($to, slow!($operator, a.clone(), b.clone())),
                        }
                    };
                }
                macro_rules! unless {
                    ($operator:ident, $a:expr, $b:expr, $goal:expr, $op:tt) => {{
                        let holds = match (&reg!($a), &reg!($b)) {
                            (&Value::Int(a), &Value::Int(b)) => a $op b,
                            (&Value::Float(a), &Value::Float(b)) => a $op b,
                            (a, b) => {
                                let value = slow!($operator, a.clone(), b.clone());
                                attempt!(truth(&value))
                            }
                        };
                        if !holds {
                            jump!($goal);
                        }
                    }};
                }
                macro_rules! unless_int {
                    ($operator:ident, $a:expr, $b:expr, $goal:expr, $op:tt) => {{
                        let holds = match &reg!($a) {
                            &Value::Int(a) => a $op $b as i64,
                            &Value::Float(a) => a $op $b as f64,
                            a => {
                                let value = slow!($operator, a.clone(), Value::Int($b as i64));
                                attempt!(truth(&value))
                            }
                        };
                        if !holds {
                            jump!($goal);
                        }
                    }};
                }
                // Goes on in another closure, whose arguments lie after `$base`.
                macro_rules! run_closure {
                    ($callee:expr, $base:expr, $count:expr) => {{
                        let callee: *const Closure = $callee;
                        let new: *const Proto = &*(*callee).proto;
                        let window = base + $base as usize;
                        if interpreter.cancel.load(Relaxed) {
                            break Exit::Failed(interrupted());
                        }
                        let sorted = (*new).plain != $count as u32;
                        if sorted {
                            attempt!(
                                (*machine).reserve(interpreter, window + 2 + $count as usize + (*new).parameters())
                            );
                            attempt!((*machine).bind(&*callee, window, $count as usize, span!()));
                        }
                        let m = &mut *machine;
                        attempt!(m.reserve(interpreter, window + (*new).registers as usize));
                        m.frames.push(Frame { closure, pc, base: base as u32, counted: dirty });
                        base = window;
                        closure = callee;
                        proto = new;
                        pc = (*new).code.as_ptr();
                        regs = m.stack.as_mut_ptr().add(base);
                        dirty = sorted;
                        for n in 0..=$count as usize {
                            dirty |= counted(&reg!(n));
                        }
                    }};
                }
                // Calls anything that is not a closure.
                macro_rules! run_other {
                    ($callee:expr, $base:expr, $count:expr) => {{
                        let first = regs.add($base as usize + 1);
                        let mut args = call::Arguments::new();
                        for n in 0..$count as usize {
                            args.push(std::mem::take(&mut *first.add(n)));
                        }
                        suspend!();
                        let result = call::apply(interpreter, $callee, args, span!());
                        resume!();
                        set!($base, attempt!(result));
                    }};
                }
                // The same for what a global is bound to. Functions stay while code runs; other values may be
                // replaced by what they are called with.
                macro_rules! run_bound {
                    ($binding:expr, $base:expr, $count:expr) => {
                        match &$binding.value {
                            function @ Value::Function(_) => run_other!(function, $base, $count),
                            other => run_other!(&other.clone(), $base, $count),
                        }
                    };
                }
                macro_rules! call_value {
                    ($callee:expr, $base:expr, $count:expr) => {{
                        let callee: *const Value = $callee;
                        match &*callee {
                            Value::Function(f) => match Closure::of(f) {
                                Some(closure) => run_closure!(closure, $base, $count),
                                None => run_other!(&Value::Function(f.clone()), $base, $count),
                            },
                            other => run_other!(&other.clone(), $base, $count),
                        }
                    }};
                }
                // Runs another closure in this window: arguments move down, the rest is cleared.
                macro_rules! tail_closure {
                    ($callee:expr, $keep:expr, $base:expr, $count:expr) => {{
                        let callee: *const Closure = $callee;
                        let new: *const Proto = &*(*callee).proto;
                        if interpreter.cancel.load(Relaxed) {
                            break Exit::Failed(interrupted());
                        }
                        if (*new).plain != $count as u32 {
                            let window = base + $base as usize;
                            attempt!(
                                (*machine).reserve(interpreter, window + 2 + $count as usize + (*new).parameters())
                            );
                            attempt!((*machine).bind(&*callee, window, $count as usize, span!()));
                        }
                        attempt!((*machine).reserve(interpreter, base + (*new).registers as usize));
                        regs = (*machine).stack.as_mut_ptr().add(base);
                        // From here nothing fails. What held the old closure is dropped last.
                        let keep = $keep;
                        let held = std::mem::replace(&mut reg!(0), keep);
                        for n in 1..=(*new).parameters() {
                            match reg!($base as usize + n) {
                                Value::Int(value) => set_plain!(n, Int, value),
                                Value::Float(value) => set_plain!(n, Float, value),
                                ref mut other => {
                                    let value = std::mem::take(other);
                                    ptr::write(slot!(n), value);
                                }
                            }
                        }
                        let m = &mut *machine;
                        m.clear(base + 1 + (*new).parameters(), base + (*proto).registers as usize);
                        closure = callee;
                        proto = new;
                        pc = (*new).code.as_ptr();
                        dirty = true;
                        drop(held);
                    }};
                }
                macro_rules! give_back {
                    ($from:expr) => {
                        // Numbers are passed in registers of the processor: reading a value whole right after its parts
                        // were written makes the processor wait.
                        match reg!($from) {
                            Value::Int(n) => finish!(Value::Int(n), false),
                            Value::Float(x) => finish!(Value::Float(x), false),
                            ref mut other => {
                                let value = std::mem::take(other);
                                finish!(value, true)
                            }
                        }
                    };
                }
                macro_rules! finish {
                    ($value:expr, $counted:expr) => {{
                        if dirty {
                            for n in 0..(*proto).registers as usize {
                                let slot = regs.add(n);
                                if counted(&*slot) {
                                    *slot = Value::Nil;
                                }
                            }
                        }
                        let m = &mut *machine;
                        if m.frames.len() == entry {
                            return Ok($value);
                        }
                        ptr::write(regs, $value);
                        // The length was just compared with `entry`, so there is a frame.
                        let frame = m.frames.pop().unwrap_unchecked();
                        base = frame.base as usize;
                        dirty = frame.counted || $counted;
                        closure = frame.closure;
                        proto = &*(*closure).proto;
                        pc = frame.pc;
                        regs = m.stack.as_mut_ptr().add(base);
                    }};
                }

                match instr {
                    Instr::Const { to, at } => set!(to, (&(*proto).constants)[at as usize].clone()),
                    Instr::Int { to, value } => set_plain!(to, Int, value as i64),
                    Instr::Copy { to, from } => match reg!(from) {
                        Value::Int(n) => set_plain!(to, Int, n),
                        Value::Float(x) => set_plain!(to, Float, x),
                        ref other => set!(to, other.clone()),
                    },
                    Instr::Take { to, from } => match reg!(from) {
                        Value::Int(n) => set_plain!(to, Int, n),
                        Value::Float(x) => set_plain!(to, Float, x),
                        ref mut other => set!(to, std::mem::take(other)),
                    },
                    Instr::Capture { to, at } => set!(to, (&(*closure).captured)[at as usize].clone()),
                    Instr::Itself { to } => {
                        let same = Closure::function((*closure).proto.clone(), (*closure).captured.clone());
                        set!(to, Value::Function(Arc::new(same)));
                    }
                    Instr::Global { to, at } => {
                        let cell = &(&(*proto).globals)[at as usize];
                        match cell.load() {
                            Some(binding) => set!(to, binding.value.clone()),
                            None => break Exit::Failed(interpreter.unbound(&cell.name, span!())),
                        }
                    }
                    Instr::Def { from, at } => {
                        let value = std::mem::take(&mut reg!(from));
                        let definition = &(&(*proto).defs)[at as usize];
                        let role = if definition.is_macro { Role::Macro } else { Role::Value };
                        let mut binding = Binding::new(value, role);
                        binding.doc = definition.doc.clone();
                        binding.source = Some(definition.source.clone());
                        interpreter.globals.set(&definition.global, binding);
                    }
                    Instr::List { to, first, len } => {
                        let first = regs.add(first as usize);
                        let items = (0..len as usize).map(|n| std::mem::take(&mut *first.add(n))).collect();
                        set!(to, Value::list(items));
                    }
                    Instr::Push { to, from } => {
                        let item = std::mem::take(&mut reg!(from));
                        if let Value::List(list) = &mut reg!(to) {
                            Arc::make_mut(list).push(item);
                        }
                    }
                    Instr::Map { to, first, len } => {
                        let first = regs.add(first as usize);
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
                            break Exit::Failed(call::bad_key(&key));
                        }
                        set!(to, Value::map(map));
                    }
                    Instr::Closure { to, at } => {
                        let new = &(&(*proto).protos)[at as usize];
                        let mut captured = Vec::with_capacity(new.captures.len());
                        for c in &new.captures {
                            captured.push(match *c {
                                Captured::Register(r) => reg!(r).clone(),
                                Captured::LastOfRegister(r) => std::mem::take(&mut reg!(r)),
                                Captured::Capture(n) => (&(*closure).captured)[n as usize].clone(),
                                Captured::Itself => Value::Function(Arc::new(Closure::function(
                                    (*closure).proto.clone(),
                                    (*closure).captured.clone(),
                                ))),
                            });
                        }
                        let function = Closure::function(new.clone(), captured.into());
                        set!(to, Value::Function(Arc::new(function)));
                    }

                    Instr::Add { to, a, b } => arithmetic!(Add, to, a, b, checked_add, +),
                    Instr::Subtract { to, a, b } => arithmetic!(Subtract, to, a, b, checked_sub, -),
                    Instr::Multiply { to, a, b } => arithmetic!(Multiply, to, a, b, checked_mul, *),
                    Instr::Divide { to, a, b } => match (&reg!(a), &reg!(b)) {
                        (&Value::Int(a), &Value::Int(b)) if b != 0 => set_plain!(to, Float, a as f64 / b as f64),
                        (&Value::Float(a), &Value::Float(b)) if b != 0.0 => set_plain!(to, Float, a / b),
                        (a, b) => set!(to, slow!(Divide, a.clone(), b.clone())),
                    },
                    Instr::FloorDivide { to, a, b } => whole!(FloorDivide, to, a, b, floor_divide),
                    Instr::Mod { to, a, b } => whole!(Mod, to, a, b, modulo),
                    Instr::Less { to, a, b } => compare!(Less, to, a, b, <),
                    Instr::LessEqual { to, a, b } => compare!(LessEqual, to, a, b, <=),
                    Instr::Greater { to, a, b } => compare!(Greater, to, a, b, >),
                    Instr::GreaterEqual { to, a, b } => compare!(GreaterEqual, to, a, b, >=),
                    Instr::Equal { to, a, b } => compare!(Equal, to, a, b, ==),
                    Instr::NotEqual { to, a, b } => compare!(NotEqual, to, a, b, !=),
                    Instr::AddInt { to, a, b } => arithmetic_int!(Add, to, a, b, checked_add, +),
                    Instr::SubtractInt { to, a, b } => arithmetic_int!(Subtract, to, a, b, checked_sub, -),
                    Instr::MultiplyInt { to, a, b } => arithmetic_int!(Multiply, to, a, b, checked_mul, *),
                    Instr::FloorDivideInt { to, a, b } => whole_int!(FloorDivide, to, a, b, floor_divide),
                    Instr::ModInt { to, a, b } => whole_int!(Mod, to, a, b, modulo),

                    Instr::Jump { to } => jump!(to),
                    Instr::Again { to } => {
                        if interpreter.cancel.load(Relaxed) {
                            break Exit::Failed(interrupted());
                        }
                        jump!(to);
                    }
                    Instr::JumpUnless { test, to } => {
                        let holds = match &reg!(test) {
                            Value::Bool(b) => *b,
                            other => attempt!(truth(other)),
                        };
                        if !holds {
                            jump!(to);
                        }
                    }
                    Instr::UnlessLess { a, b, to } => unless!(Less, a, b, to, <),
                    Instr::UnlessLessEqual { a, b, to } => unless!(LessEqual, a, b, to, <=),
                    Instr::UnlessGreater { a, b, to } => unless!(Greater, a, b, to, >),
                    Instr::UnlessGreaterEqual { a, b, to } => unless!(GreaterEqual, a, b, to, >=),
                    Instr::UnlessEqual { a, b, to } => unless!(Equal, a, b, to, ==),
                    Instr::UnlessNotEqual { a, b, to } => unless!(NotEqual, a, b, to, !=),
                    Instr::UnlessLessInt { a, b, to } => unless_int!(Less, a, b, to, <),
                    Instr::UnlessLessEqualInt { a, b, to } => unless_int!(LessEqual, a, b, to, <=),
                    Instr::UnlessGreaterInt { a, b, to } => unless_int!(Greater, a, b, to, >),
                    Instr::UnlessGreaterEqualInt { a, b, to } => unless_int!(GreaterEqual, a, b, to, >=),
                    Instr::UnlessEqualInt { a, b, to } => unless_int!(Equal, a, b, to, ==),
                    Instr::UnlessNotEqualInt { a, b, to } => unless_int!(NotEqual, a, b, to, !=),
                    Instr::UnlessGiven { given, at, to } => {
                        let given = matches!(reg!(given), Value::Int(bits) if bits & (1 << at) != 0);
                        if !given {
                            jump!(to);
                        }
                    }

                    Instr::CallGlobal { count, base: at, at: global } => {
                        let globals: &[Arc<Cell>] = &(*proto).globals;
                        let cell = globals.get_unchecked(global as usize);
                        match cell.load() {
                            Some(binding) if !binding.closure.is_null() => run_closure!(binding.closure, at, count),
                            Some(binding) => run_bound!(binding, at, count),
                            None => break Exit::Failed(interpreter.unbound(&cell.name, span!())),
                        }
                    }
                    Instr::CallGet { count, base: at, at: global } => {
                        let globals: &[Arc<Cell>] = &(*proto).globals;
                        let cell = globals.get_unchecked(global as usize);
                        match (cell.load(), &reg!(at + 1)) {
                            (Some(Binding { role: Role::Op, .. }), Value::Map(map)) => {
                                let found = match map.get(&reg!(at + 2)) {
                                    Some(value) => value.clone(),
                                    None if count == 3 => std::mem::take(&mut reg!(at + 3)),
                                    None => Value::Nil,
                                };
                                // The arguments go before the map is changed: it may be held by nobody else then.
                                for n in 1..=count as Reg {
                                    set_plain!(at + n, Bool, false);
                                }
                                set!(at, found);
                            }
                            (Some(binding), _) if !binding.closure.is_null() => {
                                run_closure!(binding.closure, at, count)
                            }
                            (Some(binding), _) => run_bound!(binding, at, count),
                            (None, _) => break Exit::Failed(interpreter.unbound(&cell.name, span!())),
                        }
                    }
                    Instr::CallAssoc { count, base: at, at: global } => {
                        let globals: &[Arc<Cell>] = &(*proto).globals;
                        let cell = globals.get_unchecked(global as usize);
                        match (cell.load(), &mut reg!(at + 1)) {
                            (Some(Binding { role: Role::Op, .. }), Value::Map(map)) if reg!(at + 2).is_hashable() => {
                                let key = std::mem::take(&mut reg!(at + 2));
                                let value = std::mem::take(&mut reg!(at + 3));
                                // The key was found hashable, so that it is not handed back.
                                drop(Arc::make_mut(map).insert(key, value));
                                set!(at, std::mem::take(&mut reg!(at + 1)));
                            }
                            (Some(binding), _) if !binding.closure.is_null() => {
                                run_closure!(binding.closure, at, count)
                            }
                            (Some(binding), _) => run_bound!(binding, at, count),
                            (None, _) => break Exit::Failed(interpreter.unbound(&cell.name, span!())),
                        }
                    }
                    Instr::Call { count, base: at, callee } => call_value!(&reg!(callee), at, count),
                    Instr::CallCapture { count, base: at, at: capture } => {
                        call_value!(&(&(*closure).captured)[capture as usize], at, count)
                    }
                    Instr::CallItself { count, base: at } => run_closure!(closure, at, count),
                    Instr::CallList { base: at } => {
                        let callee = std::mem::take(&mut reg!(at));
                        let args = match std::mem::take(&mut reg!(at + 1)) {
                            Value::List(list) => list.iter().cloned().collect(),
                            _ => Default::default(),
                        };
                        suspend!();
                        let result = call::apply(interpreter, &callee, args, span!());
                        resume!();
                        set!(at, attempt!(result));
                    }
                    Instr::TailGlobal { count, base: at, at: global } => {
                        let globals: &[Arc<Cell>] = &(*proto).globals;
                        let cell = globals.get_unchecked(global as usize);
                        match cell.load() {
                            Some(binding) if !binding.closure.is_null() => {
                                tail_closure!(binding.closure, Value::Nil, at, count)
                            }
                            Some(binding) => {
                                run_bound!(binding, at, count);
                                give_back!(at);
                            }
                            None => break Exit::Failed(interpreter.unbound(&cell.name, span!())),
                        }
                    }
                    Instr::Tail { count, base: at } => {
                        let callee = std::mem::take(&mut reg!(at));
                        let found = match &callee {
                            Value::Function(f) => Closure::of(f).map(ptr::from_ref),
                            _ => None,
                        };
                        match found {
                            Some(next) => tail_closure!(next, callee, at, count),
                            None => {
                                run_other!(&callee, at, count);
                                give_back!(at);
                            }
                        }
                    }
                    Instr::TailItself { count, base: at } => {
                        tail_closure!(closure, std::mem::take(&mut reg!(0)), at, count)
                    }
                    Instr::Return { from } => give_back!(from),

                    Instr::Item { to, from, at } => {
                        let source = reg!(from).clone();
                        suspend!();
                        let item = call::item(interpreter, &source, at as usize, span!());
                        resume!();
                        set!(to, attempt!(item));
                    }
                    Instr::Rest { to, from, at } => {
                        let source = reg!(from).clone();
                        suspend!();
                        let rest = call::rest(interpreter, &source, at as usize, span!());
                        resume!();
                        set!(to, attempt!(rest));
                    }
                    Instr::Field { to, from, key } => {
                        let key = &(&(*proto).constants)[key as usize];
                        let source = reg!(from).clone();
                        suspend!();
                        let value = call::field(interpreter, &source, key, span!());
                        resume!();
                        set!(to, attempt!(value));
                    }

                    Instr::Try { error, to } => {
                        let m = &mut *machine;
                        let (frames, pending) = (m.frames.len(), m.pending.len());
                        m.handlers.push(Handler { frames, closure, base, to, error: Some(error), pending });
                    }
                    Instr::TryFinally { to } => {
                        let m = &mut *machine;
                        let (frames, pending) = (m.frames.len(), m.pending.len());
                        m.handlers.push(Handler { frames, closure, base, to, error: None, pending });
                    }
                    Instr::EndTry => {
                        (*machine).handlers.pop();
                    }
                    Instr::Finally => {
                        let m = &mut *machine;
                        m.handlers.pop();
                        m.pending.push(None);
                    }
                    Instr::EndFinally => {
                        if let Some(Some(error)) = (*machine).pending.pop() {
                            break Exit::Failed(error);
                        }
                    }
                    Instr::Fresh { to, at } => {
                        let name = (&(*proto).constants)[at as usize].as_text().unwrap_or("g").to_string();
                        set!(to, Value::Code(Arc::new(Task::symbol(interpreter.fresh(&name)))));
                    }
                }
            };

            // Something failed: find who catches it, saying on the way which calls led here.
            let Exit::Failed(error) = exit;
            let m = &mut *machine;
            let at = pc.offset_from((*proto).code.as_ptr()) as usize;
            let at = at.saturating_sub(1);
            let span = (&(*proto).spans)[at];
            let running = &*proto;
            let mut error = match running.arguments.get(&(at as u32)) {
                Some(arguments) => error.at_argument(span, |name, n| code::argument_span(arguments, name, n)),
                None => error,
            }
            .at(span);
            let catch = error.code() != Code::Interrupted && m.handlers.len() > entry_handlers;
            let handler = if catch { m.handlers.pop() } else { None };
            let keep = handler.as_ref().map_or(entry, |h| h.frames);
            let mut deepest = base + (*proto).registers as usize;
            while m.frames.len() > keep {
                let Some(frame) = m.frames.pop() else { break };
                let waiting = &*(*frame.closure).proto;
                let at = frame.pc.offset_from(waiting.code.as_ptr()) as usize;
                error = failure::called_from(error, waiting.spans[at.saturating_sub(1)]);
                deepest = deepest.max(frame.base as usize + waiting.registers as usize);
            }
            let Some(handler) = handler else {
                m.clear(first_base, deepest);
                m.handlers.truncate(entry_handlers);
                m.pending.truncate(entry_pending);
                return Err(error);
            };
            base = handler.base;
            closure = handler.closure;
            proto = &*(*closure).proto;
            m.clear(base + (*proto).registers as usize, deepest);
            m.pending.truncate(handler.pending);
            regs = m.stack.as_mut_ptr().add(base);
            dirty = true;
            jump!(handler.to);
            match handler.error {
                Some(register) => set!(register, failure::to_value(&error)),
                None => m.pending.push(Some(error)),
            }
        }
    }
}

#[cold]
fn interrupted() -> Error {
    err!(Interrupted, "interrupted")
}

/// Whether a test counts as true.
#[inline(never)]
fn truth(value: &Value) -> Result<bool> {
    match value {
        Value::Block(b) if b.len() != 1 => {
            Err(err!(Type, "an array of {} elements is neither true nor false; `any` or `all` of it is", b.len()))
        }
        Value::Array(_) | Value::Delayed(_) => {
            Err(err!(Type, "a {} is neither true nor false before it is computed", value.type_name())
                .help("`(compute x)` gives the value"))
        }
        other => Ok(other.truthy()),
    }
}

/// Division rounded down, by a positive number.
#[inline(always)]
fn floor_divide(a: i64, b: i64) -> i64 {
    a.div_euclid(b)
}

/// The remainder that belongs to [`floor_divide`].
#[inline(always)]
fn modulo(a: i64, b: i64) -> i64 {
    a.rem_euclid(b)
}
