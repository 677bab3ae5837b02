//! The loop over instructions. What is done here is what programs spend their time with: numbers, jumps, calls of closures.
//! The position and the window are kept in local variables, which are registers of the processor; all else is in [`Run`].

use super::arithmetic::{self, put};
use super::calls::{self, Callee, overwrite};
use super::collections::{Operands, Part};
use super::{Frame, Machine, Whole, counted, interrupted};
use crate::data::Value;
use crate::eval::closure::Closure;
use crate::eval::code::{Instr, Proto, Reg};
use crate::eval::globals::{Binding, Cell, Role};
use crate::eval::interpreter::Interpreter;
use crate::eval::operator::Operator;
use crate::text::{Result, Span};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What runs, and where.
pub(super) struct Run<'a> {
    pub interpreter: &'a Interpreter,
    pub machine: *mut Machine,
    /// Where the window begins on the stack.
    pub base: usize,
    pub closure: *const Closure,
    pub proto: *const Proto,
    /// Whether this call put counted values into its window, or got some as arguments: if not, there is nothing to
    /// clear when it returns.
    pub dirty: bool,
    /// Which of a map's entries was found last, or is likely to be asked for: often it is the next one to be read, or changed.
    pub found: usize,
    pub entry: Entry,
}

/// How high the machine's stacks were when the run began.
pub(super) struct Entry {
    pub base: usize,
    pub frames: usize,
    pub handlers: usize,
    pub pending: usize,
}

/// Safety of all of these: the run is this thread's; registers are in its window.
impl Run<'_> {
    /// The window.
    #[inline(always)]
    pub unsafe fn regs(&self) -> *mut Value {
        // SAFETY: the window is on the stack.
        unsafe { (*self.machine).stack.as_mut_ptr().add(self.base) }
    }

    #[inline(always)]
    pub unsafe fn register(&self, n: Reg) -> *mut Value {
        // SAFETY: by contract.
        unsafe { self.regs().add(n as usize) }
    }

    /// Overwrites a register.
    #[inline(always)]
    pub unsafe fn set(&mut self, n: Reg, value: Value) {
        // SAFETY: by contract.
        unsafe { overwrite(self.register(n), value) };
        self.dirty = true;
    }

    /// The text behind the instruction before `pc`.
    #[inline(always)]
    pub unsafe fn span(&self, pc: *const Instr) -> Span {
        // SAFETY: `pc` is in the code that runs.
        unsafe { (&(*self.proto).spans)[pc.offset_from((*self.proto).code.as_ptr()) as usize - 1] }
    }

    /// Before anything that may run dsk code again. The stack may have moved after it.
    #[inline(always)]
    pub unsafe fn suspend(&mut self) {
        // SAFETY: by contract.
        unsafe { (*self.machine).top = self.base + (*self.proto).registers as usize };
    }
}

impl Run<'_> {
    /// Goes on in a closure, whose arguments lie after `at`. False where the answer is there already.
    ///
    /// # Safety
    /// The run is this thread's; the closure is held as the head of the module says.
    #[inline(always)]
    unsafe fn enter(&mut self, closure: *const Closure, at: Reg, count: u8, pc: *const Instr) -> Result<bool> {
        // SAFETY: by contract.
        unsafe {
            let new: *const Proto = &*(*closure).proto;
            if let Some(whole) = &(*new).whole
                && self.answered(whole, closure, at, count)
            {
                return Ok(false);
            }
            let window = self.base + at as usize;
            if self.interpreter.cancel.load(Relaxed) {
                return Err(interrupted());
            }
            let sorted = (*new).plain != u32::from(count);
            if sorted {
                self.sort(closure, window, count, pc)?;
            }
            let m = &mut *self.machine;
            m.reserve(self.interpreter, window + (*new).registers as usize)?;
            m.frames.push(Frame { closure: self.closure, pc, base: self.base as u32, counted: self.dirty });
            self.base = window;
            self.closure = closure;
            self.proto = new;
            let regs = m.stack.as_ptr().add(window);
            self.dirty = sorted || (0..=count as usize).any(|n| counted(&*regs.add(n)));
            Ok(true)
        }
    }

    /// Whether a function of whole numbers has an answer to what lies after `at`; then it is there.
    ///
    /// # Safety
    /// As for `enter`.
    #[inline(never)]
    unsafe fn answered(&mut self, whole: &Whole, closure: *const Closure, at: Reg, count: u8) -> bool {
        // SAFETY: by contract; this thread runs a program of the interpreter.
        unsafe {
            let args = std::slice::from_raw_parts(self.register(at + 1), count as usize);
            let answer = whole.run(&*closure, args, &self.interpreter.cancel);
            if let Some(answer) = answer {
                overwrite(self.register(at), Value::Int(answer));
            }
            answer.is_some()
        }
    }
}

/// Runs `closure` in the window at `base` until it returns.
///
/// # Safety
/// `machine` is this thread's; the window is on the stack with the arguments in place. `answer` is not on that stack.
#[inline(never)]
pub(super) unsafe fn run(
    interpreter: &Interpreter,
    machine: *mut Machine,
    closure: &Closure,
    base: usize,
    answer: *mut Value,
    found: usize,
) -> Result<()> {
    // SAFETY (of the whole function): registers are numbered by `emit`, which gives every function a window that holds
    // all it uses, and jumps and positions of constants, globals and protos are in range by construction; the rules at
    // the head of the module keep closures alive. Nothing keeps a reference into the stack over a call.
    unsafe {
        let entry = Entry {
            base,
            frames: (*machine).frames.len(),
            handlers: (*machine).handlers.len(),
            pending: (*machine).pending.len(),
        };
        let proto: *const Proto = &*closure.proto;
        let mut run = Run { interpreter, machine, base, closure, proto, dirty: true, found, entry };
        let mut pc: *const Instr = (*proto).code.as_ptr();
        let mut regs: *mut Value = run.regs();

        macro_rules! reg {
            ($n:expr) => {
                (*regs.add($n as usize))
            };
        }
        macro_rules! set {
            ($n:expr, $value:expr) => {{
                let value = $value;
                overwrite(regs.add($n as usize), value);
                run.dirty = true;
            }};
        }
        macro_rules! set_plain {
            ($n:expr, $variant:ident, $value:expr) => {
                put!(regs.add($n as usize), $variant, $value)
            };
        }
        macro_rules! jump {
            ($to:expr) => {
                pc = (*run.proto).code.as_ptr().add($to as usize)
            };
        }

        loop {
            let error = loop {
                macro_rules! attempt {
                    ($result:expr) => {
                        match $result {
                            Ok(value) => value,
                            Err(error) => break error,
                        }
                    };
                }
                // What may have moved the stack.
                macro_rules! outside {
                    ($result:expr) => {{
                        attempt!($result);
                        regs = run.regs();
                    }};
                }
                macro_rules! binary {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $int:expr, $float:expr) => {
                        if !arithmetic::binary(
                            &raw mut reg!($to),
                            &raw const reg!($a),
                            &raw const reg!($b),
                            $int,
                            $float,
                        ) {
                            outside!(run.operate(Operator::$operator, $to, $a, $b, pc))
                        }
                    };
                }
                macro_rules! binary_int {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $int:expr, $float:expr) => {
                        if !arithmetic::binary_int(&raw mut reg!($to), &raw const reg!($a), $b, $int, $float) {
                            outside!(run.operate_int(Operator::$operator, $to, $a, $b, pc))
                        }
                    };
                }
                macro_rules! whole {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $int:expr) => {{
                        let b = if let Value::Int(b) = reg!($b) { b } else { 0 };
                        if !arithmetic::whole(&raw mut reg!($to), &raw const reg!($a), b, $int) {
                            outside!(run.operate(Operator::$operator, $to, $a, $b, pc))
                        }
                    }};
                }
                macro_rules! whole_int {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $int:expr) => {
                        if !arithmetic::whole(&raw mut reg!($to), &raw const reg!($a), $b.into(), $int) {
                            outside!(run.operate_int(Operator::$operator, $to, $a, $b, pc))
                        }
                    };
                }
                macro_rules! compare {
                    ($operator:ident, $to:expr, $a:expr, $b:expr, $f:path) => {
                        match arithmetic::compare(&reg!($a), &reg!($b), $f, $f) {
                            Some(holds) => set_plain!($to, Bool, holds),
                            None => outside!(run.operate(Operator::$operator, $to, $a, $b, pc)),
                        }
                    };
                }
                macro_rules! unless {
                    ($found:expr, $slow:expr, $to:expr) => {{
                        let holds = match $found {
                            Some(holds) => holds,
                            None => {
                                let holds = attempt!($slow);
                                regs = run.regs();
                                holds
                            }
                        };
                        if !holds {
                            jump!($to);
                        }
                    }};
                }
                macro_rules! unless_by {
                    ($operator:ident, $a:expr, $b:expr, $to:expr, $f:path) => {
                        unless!(
                            arithmetic::compare(&reg!($a), &reg!($b), $f, $f),
                            run.holds(Operator::$operator, $a, $b, pc),
                            $to
                        )
                    };
                }
                macro_rules! unless_int {
                    ($operator:ident, $a:expr, $b:expr, $to:expr, $f:path) => {
                        unless!(
                            arithmetic::compare_int(&reg!($a), $b, $f, $f),
                            run.holds_int(Operator::$operator, $a, $b, pc),
                            $to
                        )
                    };
                }
                macro_rules! cell {
                    ($at:expr) => {{
                        let globals: &[Arc<Cell>] = &(*run.proto).globals;
                        globals.get_unchecked($at as usize)
                    }};
                }
                macro_rules! in_closure {
                    ($closure:expr, $at:expr, $count:expr) => {{
                        let entered = attempt!(run.enter($closure, $at, $count, pc));
                        regs = run.regs();
                        if entered {
                            pc = (*run.proto).code.as_ptr();
                        }
                    }};
                }
                macro_rules! in_its_place {
                    ($entered:expr) => {{
                        outside!($entered);
                        pc = (*run.proto).code.as_ptr();
                    }};
                }
                macro_rules! call_global {
                    ($global:expr, $at:expr, $count:expr) => {
                        match cell!($global).load() {
                            Some(binding) if !binding.closure.is_null() => {
                                in_closure!(binding.closure, $at, $count)
                            }
                            Some(binding) => outside!(run.call_bound(binding, $at, $count, pc)),
                            None => break run.unbound($global, pc),
                        }
                    };
                }
                macro_rules! call_value {
                    ($callee:expr, $at:expr, $count:expr) => {
                        match Callee::of($callee) {
                            Callee::Closure(closure) => in_closure!(closure, $at, $count),
                            Callee::Other(value) => outside!(run.call(&value, $at, $count, pc)),
                        }
                    };
                }
                // Gives a value back to the caller.
                macro_rules! finish {
                    ($value:expr, $counted:expr) => {{
                        if run.dirty {
                            for n in 0..(*run.proto).registers as usize {
                                let slot = regs.add(n);
                                if counted(&*slot) {
                                    *slot = Value::Nil;
                                }
                            }
                        }
                        let m = &mut *machine;
                        if m.frames.len() == run.entry.frames {
                            overwrite(answer, $value);
                            return Ok(());
                        }
                        ptr::write(regs, $value);
                        // The length was just compared with that at the beginning, so there is a frame.
                        let frame = m.frames.pop().unwrap_unchecked();
                        run.base = frame.base as usize;
                        run.dirty = frame.counted || $counted;
                        run.closure = frame.closure;
                        run.proto = &*(*frame.closure).proto;
                        pc = frame.pc;
                        regs = m.stack.as_mut_ptr().add(run.base);
                    }};
                }
                macro_rules! operands {
                    () => {{
                        let Instr::Operands { taken, first, second } = *pc else { std::hint::unreachable_unchecked() };
                        pc = pc.add(1);
                        Operands { taken, first, second }
                    }};
                }

                let instr = pc;
                pc = pc.add(1);

                match *instr {
                    Instr::Const { to, at } => set!(to, (&(*run.proto).constants)[at as usize].clone()),
                    Instr::Int { to, value } => set_plain!(to, Int, value.into()),
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
                    Instr::Capture { to, at } => set!(to, (&(*run.closure).captured)[at as usize].clone()),
                    Instr::Itself { to } => set!(to, run.itself()),
                    Instr::Global { to, at } => match cell!(at).load() {
                        Some(binding) => set!(to, binding.value.clone()),
                        None => break run.unbound(at, pc),
                    },
                    Instr::Def { from, at } => run.define(from, at),
                    Instr::List { to, first, len } => run.list(to, first, len),
                    Instr::Push { to, from } => run.push(to, from),
                    Instr::Map { to, first, len } => attempt!(run.map(to, first, len)),
                    Instr::Closure { to, at } => run.make_closure(to, at),
                    Instr::Add { to, a, b } => binary!(Add, to, a, b, i64::checked_add, |a, b| a + b),
                    Instr::Subtract { to, a, b } => binary!(Subtract, to, a, b, i64::checked_sub, |a, b| a - b),
                    Instr::Multiply { to, a, b } => binary!(Multiply, to, a, b, i64::checked_mul, |a, b| a * b),
                    Instr::Divide { to, a, b } => {
                        if !arithmetic::divide(&raw mut reg!(to), &raw const reg!(a), &raw const reg!(b)) {
                            outside!(run.operate(Operator::Divide, to, a, b, pc))
                        }
                    }
                    Instr::FloorDivide { to, a, b } => whole!(FloorDivide, to, a, b, i64::div_euclid),
                    Instr::Mod { to, a, b } => whole!(Mod, to, a, b, i64::rem_euclid),
                    Instr::Less { to, a, b } => compare!(Less, to, a, b, PartialOrd::lt),
                    Instr::LessEqual { to, a, b } => compare!(LessEqual, to, a, b, PartialOrd::le),
                    Instr::Greater { to, a, b } => compare!(Greater, to, a, b, PartialOrd::gt),
                    Instr::GreaterEqual { to, a, b } => compare!(GreaterEqual, to, a, b, PartialOrd::ge),
                    Instr::Equal { to, a, b } => compare!(Equal, to, a, b, PartialEq::eq),
                    Instr::NotEqual { to, a, b } => compare!(NotEqual, to, a, b, PartialEq::ne),
                    Instr::AddInt { to, a, b } => binary_int!(Add, to, a, b, i64::checked_add, |a, b| a + b),
                    Instr::SubtractInt { to, a, b } => binary_int!(Subtract, to, a, b, i64::checked_sub, |a, b| a - b),
                    Instr::MultiplyInt { to, a, b } => binary_int!(Multiply, to, a, b, i64::checked_mul, |a, b| a * b),
                    Instr::FloorDivideInt { to, a, b } => whole_int!(FloorDivide, to, a, b, i64::div_euclid),
                    Instr::ModInt { to, a, b } => whole_int!(Mod, to, a, b, i64::rem_euclid),
                    Instr::Jump { to } => jump!(to),
                    Instr::Again { to } => {
                        if interpreter.cancel.load(Relaxed) {
                            break interrupted();
                        }
                        jump!(to);
                    }
                    Instr::JumpUnless { test, to } => {
                        let holds = match &reg!(test) {
                            Value::Bool(b) => *b,
                            other => attempt!(calls::truth(other)),
                        };
                        if !holds {
                            jump!(to);
                        }
                    }
                    Instr::UnlessLess { a, b, to } => unless_by!(Less, a, b, to, PartialOrd::lt),
                    Instr::UnlessLessEqual { a, b, to } => unless_by!(LessEqual, a, b, to, PartialOrd::le),
                    Instr::UnlessGreater { a, b, to } => unless_by!(Greater, a, b, to, PartialOrd::gt),
                    Instr::UnlessGreaterEqual { a, b, to } => unless_by!(GreaterEqual, a, b, to, PartialOrd::ge),
                    Instr::UnlessEqual { a, b, to } => unless_by!(Equal, a, b, to, PartialEq::eq),
                    Instr::UnlessNotEqual { a, b, to } => unless_by!(NotEqual, a, b, to, PartialEq::ne),
                    Instr::UnlessLessInt { a, b, to } => unless_int!(Less, a, b, to, PartialOrd::lt),
                    Instr::UnlessLessEqualInt { a, b, to } => unless_int!(LessEqual, a, b, to, PartialOrd::le),
                    Instr::UnlessGreaterInt { a, b, to } => unless_int!(Greater, a, b, to, PartialOrd::gt),
                    Instr::UnlessGreaterEqualInt { a, b, to } => unless_int!(GreaterEqual, a, b, to, PartialOrd::ge),
                    Instr::UnlessEqualInt { a, b, to } => unless_int!(Equal, a, b, to, PartialEq::eq),
                    Instr::UnlessNotEqualInt { a, b, to } => unless_int!(NotEqual, a, b, to, PartialEq::ne),
                    Instr::UnlessGiven { given, at, to } => {
                        let given = matches!(reg!(given), Value::Int(bits) if bits & (1 << at) != 0);
                        if !given {
                            jump!(to);
                        }
                    }
                    Instr::CallGlobal { count, base, at } => call_global!(at, base, count),
                    Instr::CallGet { count, base, at } => {
                        let operands = operands!();
                        let is_op = matches!(cell!(at).load(), Some(Binding { role: Role::Op, .. }));
                        if !(is_op && run.get(base, count, operands)) {
                            run.spread(base, operands);
                            call_global!(at, base, count)
                        }
                    }
                    Instr::CallField { count, base } => {
                        let operands = operands!();
                        outside!(run.call_field(base, count, operands, pc))
                    }
                    Instr::CallAssoc { count, base, at } => {
                        let operands = operands!();
                        let is_op = matches!(cell!(at).load(), Some(Binding { role: Role::Op, .. }));
                        if !(is_op && run.assoc(base, operands)) {
                            run.spread(base, operands);
                            call_global!(at, base, count)
                        }
                    }
                    Instr::Operands { .. } => {}
                    Instr::Call { count, base, callee } => call_value!(&reg!(callee), base, count),
                    Instr::CallCapture { count, base, at } => {
                        call_value!(&(&(*run.closure).captured)[at as usize], base, count)
                    }
                    Instr::CallItself { count, base } => in_closure!(run.closure, base, count),
                    Instr::CallList { base } => outside!(run.call_list(base, pc)),
                    Instr::TailGlobal { count, base, at } => match cell!(at).load() {
                        Some(binding) if !binding.closure.is_null() => {
                            in_its_place!(run.tail(binding.closure, Value::Nil, base, count, pc))
                        }
                        Some(binding) => outside!(run.call_bound(binding, base, count, pc)),
                        None => break run.unbound(at, pc),
                    },
                    Instr::Tail { count, base } => {
                        let callee = std::mem::take(&mut reg!(base));
                        match &callee {
                            Value::Function(f) if Closure::of(f).is_some() => {
                                let closure = Closure::of(f).map_or(ptr::null(), ptr::from_ref);
                                in_its_place!(run.tail(closure, callee, base, count, pc))
                            }
                            other => outside!(run.call(other, base, count, pc)),
                        }
                    }
                    Instr::TailItself { count, base } => {
                        in_its_place!(run.tail(run.closure, std::mem::take(&mut reg!(0)), base, count, pc))
                    }
                    Instr::Return { from } => {
                        // Numbers are passed in registers of the processor: reading a value whole right after its parts
                        // were written makes the processor wait.
                        match reg!(from) {
                            Value::Int(n) => finish!(Value::Int(n), false),
                            Value::Float(x) => finish!(Value::Float(x), false),
                            ref mut other => {
                                let value = std::mem::take(other);
                                finish!(value, true)
                            }
                        }
                    }
                    Instr::Item { to, from, at } => outside!(run.take_apart(to, from, Part::Item(at), pc)),
                    Instr::Rest { to, from, at } => outside!(run.take_apart(to, from, Part::Rest(at), pc)),
                    Instr::Field { to, from, key } => outside!(run.take_apart(to, from, Part::Field(key), pc)),
                    Instr::Try { error, to } => run.attempt(Some(error), to),
                    Instr::TryFinally { to } => run.attempt(None, to),
                    Instr::EndTry => run.end_attempt(),
                    Instr::Finally => run.finally(),
                    Instr::EndFinally => attempt!(run.end_finally()),
                    Instr::Fresh { to, at } => run.fresh(to, at),
                };
            };
            pc = run.fail(error, pc)?;
            regs = run.regs();
        }
    }
}
