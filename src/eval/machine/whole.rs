//! Functions that only compute with whole numbers, and call nobody but themselves: `(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) …)))`.
//! Called with whole numbers they run here, on a stack of these alone. What has another answer, as where a number grows
//! too large, is left to the machine, which does all of it again: nothing was done that anybody could see.

use crate::data::Value;
use crate::eval::closure::Closure;
use crate::eval::code::{Instr, Proto, Reg};
use std::cell::RefCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Calls that wait for each other; the machine has its own limit.
const DEEPEST: usize = 100_000;

/// Places kept when nothing runs.
const KEPT: usize = 4096;

/// It is tried so often in vain: each time all that was done is done again.
const MOST_FAILURES: usize = 4;

pub struct Whole {
    /// The globals that are called, which must be the function itself.
    globals: Vec<u32>,
    failures: AtomicUsize,
}

#[derive(Default)]
struct Stack {
    numbers: Vec<i64>,
    /// Where callers go on: the instruction, and how far below their window begins.
    frames: Vec<(*const Instr, Reg)>,
}

thread_local! {
    static STACK: RefCell<Stack> = const { RefCell::new(Stack { numbers: Vec::new(), frames: Vec::new() }) };
}

impl Whole {
    /// Whether the function is one of these.
    pub fn of(proto: &Proto) -> Option<Whole> {
        if proto.plain == Proto::SORTED || proto.plain == 0 {
            return None;
        }
        let mut globals = Vec::new();
        for instr in &proto.code {
            match *instr {
                Instr::CallGlobal { count, at, .. } | Instr::TailGlobal { count, at, .. } => {
                    if u32::from(count) != proto.plain {
                        return None;
                    }
                    globals.push(at);
                }
                Instr::CallItself { count, .. } | Instr::TailItself { count, .. }
                    if u32::from(count) == proto.plain => {}
                Instr::Int { .. }
                | Instr::Copy { .. }
                | Instr::Take { .. }
                | Instr::Add { .. }
                | Instr::Subtract { .. }
                | Instr::Multiply { .. }
                | Instr::FloorDivide { .. }
                | Instr::Mod { .. }
                | Instr::AddInt { .. }
                | Instr::SubtractInt { .. }
                | Instr::MultiplyInt { .. }
                | Instr::FloorDivideInt { .. }
                | Instr::ModInt { .. }
                | Instr::Jump { .. }
                | Instr::Again { .. }
                | Instr::UnlessLess { .. }
                | Instr::UnlessLessEqual { .. }
                | Instr::UnlessGreater { .. }
                | Instr::UnlessGreaterEqual { .. }
                | Instr::UnlessEqual { .. }
                | Instr::UnlessNotEqual { .. }
                | Instr::UnlessLessInt { .. }
                | Instr::UnlessLessEqualInt { .. }
                | Instr::UnlessGreaterInt { .. }
                | Instr::UnlessGreaterEqualInt { .. }
                | Instr::UnlessEqualInt { .. }
                | Instr::UnlessNotEqualInt { .. }
                | Instr::Return { .. } => {}
                _ => return None,
            }
        }
        globals.sort_unstable();
        globals.dedup();
        Some(Whole { globals, failures: AtomicUsize::new(0) })
    }

    /// The answer to whole numbers, if that is one.
    ///
    /// # Safety
    /// This thread is inside `Globals::enter`.
    pub unsafe fn run(&self, closure: &Closure, args: &[Value], cancel: &AtomicBool) -> Option<i64> {
        let proto = &*closure.proto;
        if args.len() != proto.plain as usize || self.failures.load(Relaxed) >= MOST_FAILURES {
            return None;
        }
        let is_itself = |&global: &u32| {
            // SAFETY: by contract.
            let binding = unsafe { proto.globals[global as usize].load() };
            binding.is_some_and(|binding| ptr::eq(binding.closure, closure))
        };
        if !self.globals.iter().all(is_itself) {
            return None;
        }
        let answer = STACK.try_with(|stack| {
            let stack = &mut *stack.borrow_mut();
            stack.numbers.clear();
            stack.frames.clear();
            stack.numbers.resize(usize::from(proto.registers).max(args.len() + 1), 0);
            for (number, arg) in stack.numbers[1..].iter_mut().zip(args) {
                let Value::Int(n) = arg else { return None };
                *number = *n;
            }
            let registers = usize::from(proto.registers);
            // SAFETY: `of` looked at the function, and the stack holds a window.
            let answer = unsafe { compute(&proto.code, registers, proto.plain as usize, stack, cancel) };
            if answer.is_none() && !cancel.load(Relaxed) {
                self.failures.fetch_add(1, Relaxed);
            }
            stack.numbers.shrink_to(KEPT);
            stack.frames.shrink_to(KEPT);
            answer
        });
        // While the thread ends there is no stack.
        answer.ok().flatten()
    }
}

/// Runs the code in the window at the beginning of the stack, which has as many registers as any call of it.
///
/// # Safety
/// The code is that of a function that [`Whole::of`] looked at, with so many registers and parameters; the stack is as long as a window.
unsafe fn compute(
    code: &[Instr],
    registers: usize,
    parameters: usize,
    stack: &mut Stack,
    cancel: &AtomicBool,
) -> Option<i64> {
    let Stack { numbers, frames } = stack;
    let mut window = numbers.as_mut_ptr();
    let mut pc = code.as_ptr();
    // SAFETY (of the whole loop): registers are numbered by `emit`, which gives every function a window that holds all it uses, and
    // jumps are in range by construction, as for the machine; the stack is made longer before a window is entered that it does not hold.
    unsafe {
        loop {
            macro_rules! get {
                ($from:expr) => {
                    *window.add(usize::from($from))
                };
            }
            macro_rules! set {
                ($to:expr, $value:expr) => {{
                    let value = $value;
                    *window.add(usize::from($to)) = value;
                }};
            }
            macro_rules! jump {
                ($to:expr) => {
                    pc = code.as_ptr().add($to as usize)
                };
            }
            macro_rules! unless {
                ($a:expr, $op:tt, $b:expr, $to:expr) => {
                    if !($a $op $b) {
                        jump!($to);
                    }
                };
            }
            let instr = *pc;
            pc = pc.add(1);
            match instr {
                Instr::Int { to, value } => set!(to, value.into()),
                Instr::Copy { to, from } | Instr::Take { to, from } => set!(to, get!(from)),
                Instr::Add { to, a, b } => set!(to, get!(a).checked_add(get!(b))?),
                Instr::Subtract { to, a, b } => set!(to, get!(a).checked_sub(get!(b))?),
                Instr::Multiply { to, a, b } => set!(to, get!(a).checked_mul(get!(b))?),
                Instr::FloorDivide { to, a, b } if get!(b) > 0 => set!(to, get!(a).div_euclid(get!(b))),
                Instr::Mod { to, a, b } if get!(b) > 0 => set!(to, get!(a).rem_euclid(get!(b))),
                Instr::AddInt { to, a, b } => set!(to, get!(a).checked_add(b.into())?),
                Instr::SubtractInt { to, a, b } => set!(to, get!(a).checked_sub(b.into())?),
                Instr::MultiplyInt { to, a, b } => set!(to, get!(a).checked_mul(b.into())?),
                Instr::FloorDivideInt { to, a, b } if b > 0 => set!(to, get!(a).div_euclid(b.into())),
                Instr::ModInt { to, a, b } if b > 0 => set!(to, get!(a).rem_euclid(b.into())),
                Instr::Jump { to } => jump!(to),
                Instr::Again { to } => {
                    if cancel.load(Relaxed) {
                        return None;
                    }
                    jump!(to);
                }
                Instr::UnlessLess { a, b, to } => unless!(get!(a), <, get!(b), to),
                Instr::UnlessLessEqual { a, b, to } => unless!(get!(a), <=, get!(b), to),
                Instr::UnlessGreater { a, b, to } => unless!(get!(a), >, get!(b), to),
                Instr::UnlessGreaterEqual { a, b, to } => unless!(get!(a), >=, get!(b), to),
                Instr::UnlessEqual { a, b, to } => unless!(get!(a), ==, get!(b), to),
                Instr::UnlessNotEqual { a, b, to } => unless!(get!(a), !=, get!(b), to),
                Instr::UnlessLessInt { a, b, to } => unless!(get!(a), <, i64::from(b), to),
                Instr::UnlessLessEqualInt { a, b, to } => unless!(get!(a), <=, i64::from(b), to),
                Instr::UnlessGreaterInt { a, b, to } => unless!(get!(a), >, i64::from(b), to),
                Instr::UnlessGreaterEqualInt { a, b, to } => unless!(get!(a), >=, i64::from(b), to),
                Instr::UnlessEqualInt { a, b, to } => unless!(get!(a), ==, i64::from(b), to),
                Instr::UnlessNotEqualInt { a, b, to } => unless!(get!(a), !=, i64::from(b), to),
                Instr::CallItself { base, .. } | Instr::CallGlobal { base, .. } => {
                    if frames.len() == DEEPEST || cancel.load(Relaxed) {
                        return None;
                    }
                    frames.push((pc, base));
                    let at = window.offset_from(numbers.as_ptr()) as usize + usize::from(base);
                    if numbers.len() < at + registers {
                        numbers.resize(2 * (at + registers), 0);
                    }
                    window = numbers.as_mut_ptr().add(at);
                    pc = code.as_ptr();
                }
                Instr::TailItself { base, .. } | Instr::TailGlobal { base, .. } => {
                    if cancel.load(Relaxed) {
                        return None;
                    }
                    ptr::copy(window.add(usize::from(base) + 1), window.add(1), parameters);
                    pc = code.as_ptr();
                }
                Instr::Return { from } => {
                    let answer = get!(from);
                    let Some((caller, below)) = frames.pop() else { return Some(answer) };
                    *window = answer;
                    window = window.sub(usize::from(below));
                    pc = caller;
                }
                _ => return None,
            }
        }
    }
}
