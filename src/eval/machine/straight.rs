//! Functions that do nothing but call ops of plain values, `#(str/strip (str/lower %))`: they need no window, no frame and no loop over
//! instructions when an op calls them once a record.

use crate::data::flow::EditOf;
use crate::data::{Answer, Direct, Edit, MOST_DIRECT, Reads, Value};
use crate::eval::closure::Closure;
use crate::eval::code::{Instr, Proto, Reg};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// More calls than these are left to the machine.
const MOST_CALLS: usize = 6;

/// It is tried so often in vain: with a function of the program's own in between, or other values than ops take this way, the machine is
/// faster at once.
const MOST_FAILURES: usize = 1000;

pub struct Straight {
    calls: SmallVec<[Call; 4]>,
    /// If each takes what the one before it answered, the first what is given, and nothing else but constants.
    chain: Option<OnceLock<Chain>>,
    failures: AtomicUsize,
}

/// What a chain of calls does to short strings.
struct Chain {
    /// The ops that were called when it was looked at.
    ops: SmallVec<[EditOf; 4]>,
    /// If they all do something to them.
    edits: Option<SmallVec<[Edit; 4]>>,
}

/// A call of what the global is bound to, if that is an op with a short way.
struct Call {
    global: u32,
    args: SmallVec<[Operand; MOST_DIRECT]>,
    /// The places of arguments of the function among them.
    given: SmallVec<[(u8, u16); 2]>,
}

/// A call whose arguments are there, all but those of the function.
struct Ready {
    op: Direct,
    args: [*const Value; MOST_DIRECT],
}

#[derive(Clone, Copy)]
enum Operand {
    Argument(u16),
    Const(u32),
    Global(u32),
    Capture(u16),
    /// What the call of that number answered.
    Answer(u8),
}

impl Straight {
    /// The function in short, if its code is no more than calls, each of which takes what is there, and the last is the answer.
    pub fn of(proto: &Proto) -> Option<Straight> {
        if proto.plain == Proto::SORTED {
            return None;
        }
        let mut registers: FxHashMap<Reg, Operand> = FxHashMap::default();
        registers.extend((0..proto.plain as u16).map(|n| (n + 1, Operand::Argument(n))));
        let mut calls: SmallVec<[Call; 4]> = SmallVec::new();
        for instr in &proto.code {
            let (to, operand) = match *instr {
                Instr::Const { to, at } => (to, Operand::Const(at)),
                Instr::Copy { to, from } | Instr::Take { to, from } => (to, *registers.get(&from)?),
                Instr::Capture { to, at } => (to, Operand::Capture(at)),
                Instr::Global { to, at } => (to, Operand::Global(at)),
                Instr::CallGlobal { count, base, at } | Instr::TailGlobal { count, base, at } => {
                    if calls.len() == MOST_CALLS || usize::from(count) > MOST_DIRECT {
                        return None;
                    }
                    let args = (1..=Reg::from(count)).map(|n| registers.get(&(base + n)).copied());
                    let args = args.collect::<Option<SmallVec<[Operand; MOST_DIRECT]>>>()?;
                    let given = |(n, operand): (usize, &Operand)| match *operand {
                        Operand::Argument(at) => Some((n as u8, at)),
                        _ => None,
                    };
                    let given = args.iter().enumerate().filter_map(given).collect();
                    calls.push(Call { global: at, args, given });
                    (base, Operand::Answer(calls.len() as u8 - 1))
                }
                Instr::Return { from } => {
                    let last =
                        matches!(registers.get(&from), Some(Operand::Answer(n)) if usize::from(*n) + 1 == calls.len());
                    let is_chain = calls.iter().enumerate().all(|(n, call)| call.takes_only(n.checked_sub(1)));
                    let chain = is_chain.then(OnceLock::new);
                    return last.then(|| Straight { calls, chain, failures: AtomicUsize::new(0) });
                }
                _ => return None,
            };
            registers.insert(to, operand);
        }
        None
    }

    /// Puts the answer to plain arguments, as far as it is read, in the place of the first, of `count` arguments after the other: how often it
    /// did. Where that is not to the end, the machine has to run for the next: for that nothing was done.
    ///
    /// # Safety
    /// `self` is of the closure's code, which takes `count` arguments, one or more. This thread is inside
    /// [`Globals::enter`](crate::eval::globals::Globals::enter).
    pub unsafe fn run(&self, closure: &Closure, args: &mut [Value], count: usize, reads: &Reads) -> usize {
        if self.failures.load(Relaxed) > MOST_FAILURES {
            return 0;
        }
        // SAFETY: by contract.
        let Some(edits) = (unsafe { self.edits(closure) }) else {
            // SAFETY: by contract.
            return unsafe { self.call(closure, args, count, reads) };
        };
        let mut done = 0;
        loop {
            done += Edit::all(edits, &mut args[done..]);
            let Some(other) = args.get_mut(done) else { return done };
            // SAFETY: by contract; a chain takes one argument.
            if unsafe { self.call(closure, std::slice::from_mut(other), 1, reads) } == 0 {
                return done;
            }
            done += 1;
        }
    }

    /// What the calls do to short strings, if that is all that they do. It is found out once, as long as names are bound to the same ops.
    ///
    /// # Safety
    /// As [`Straight::run`].
    unsafe fn edits(&self, closure: &Closure) -> Option<&[Edit]> {
        let proto = &*closure.proto;
        let op = |call: &Call| {
            // SAFETY: the thread runs, by contract.
            let binding = unsafe { proto.globals[call.global as usize].load() };
            binding?.direct.map(|direct| direct.edit)
        };
        let Chain { ops, edits } = self.chain.as_ref()?.get_or_init(|| {
            let edit = |call: &Call| {
                let more = call.args[1..].iter().map(|operand| match *operand {
                    Operand::Const(at) => Some(&proto.constants[at as usize]),
                    _ => None,
                });
                let more: SmallVec<[&Value; MOST_DIRECT]> = more.collect::<Option<_>>()?;
                op(call)?(&more)
            };
            Chain { ops: self.calls.iter().filter_map(op).collect(), edits: self.calls.iter().map(edit).collect() }
        });
        let same = |(call, known): (&Call, &EditOf)| op(call).is_some_and(|op| ptr::fn_addr_eq(op, *known));
        let edits = edits.as_deref()?;
        (ops.len() == self.calls.len() && self.calls.iter().zip(ops).all(same)).then_some(edits)
    }

    /// As [`Straight::run`], call by call.
    ///
    /// # Safety
    /// As [`Straight::run`].
    unsafe fn call(&self, closure: &Closure, args: &mut [Value], count: usize, reads: &Reads) -> usize {
        let mut places = [const { Answer::new() }; MOST_CALLS];
        let answers: *mut Answer = places.as_mut_ptr();
        let mut ready: SmallVec<[Ready; 4]> = SmallVec::new();
        for call in &self.calls {
            // SAFETY: by contract.
            match unsafe { call.ready(closure, answers) } {
                Some(call) => ready.push(call),
                None => {
                    self.failures.fetch_add(1, Relaxed);
                    return 0;
                }
            }
        }
        let last = self.calls.len() - 1;
        let mut done = 0;
        for args in args.chunks_exact_mut(count) {
            let mut given = true;
            for (n, (call, ready)) in self.calls.iter().zip(&mut ready).enumerate() {
                for &(at, argument) in &call.given {
                    ready.args[usize::from(at)] = &args[usize::from(argument)];
                }
                let reads = if n == last { reads } else { &Reads::All };
                // SAFETY: the first places are filled, here or when the call was made ready, with what is there as long as the call runs:
                // references may stand for the pointers. Among them is no answer but of calls before this one, whose own is another.
                unsafe {
                    let args = std::slice::from_raw_parts(ready.args.as_ptr().cast::<&Value>(), call.args.len());
                    given = given && (ready.op.call)(args, reads, &mut *answers.add(n));
                }
                if !given {
                    break;
                }
            }
            // SAFETY: nothing refers to the answers any more; there are as many places as calls.
            unsafe {
                if given {
                    std::mem::replace(&mut args[0], (*answers.add(last)).take()).done();
                    done += 1;
                }
                (0..=last).for_each(|n| (*answers.add(n)).take().done());
            }
            if !given {
                self.failures.fetch_add(1, Relaxed);
                break;
            }
        }
        done
    }
}

impl Call {
    /// Whether the first argument is the answer of the call before it, or what the function is given, and the others are constants.
    fn takes_only(&self, before: Option<usize>) -> bool {
        let Some((first, more)) = self.args.split_first() else { return false };
        let follows = match (*first, before) {
            (Operand::Argument(0), None) => true,
            (Operand::Answer(n), Some(before)) => usize::from(n) == before,
            _ => false,
        };
        follows && more.iter().all(|operand| matches!(operand, Operand::Const(_)))
    }

    /// Nothing where it is not an op with a short way that is called. Nobody counts a reference, least of all to what several workers use.
    ///
    /// # Safety
    /// The call is of the closure's code, and as many answers as it has calls have a place. This thread is inside
    /// [`Globals::enter`](crate::eval::globals::Globals::enter).
    #[inline(always)]
    unsafe fn ready(&self, closure: &Closure, answers: *mut Answer) -> Option<Ready> {
        let proto = &*closure.proto;
        let bound = |global: u32| {
            // SAFETY: the thread runs, by contract.
            unsafe { proto.globals[global as usize].load() }
        };
        let op = bound(self.global)?.direct?;
        let mut args = [ptr::null(); MOST_DIRECT];
        for (place, operand) in args.iter_mut().zip(&self.args) {
            *place = match *operand {
                Operand::Const(at) => &raw const proto.constants[at as usize],
                Operand::Global(at) => &raw const bound(at)?.value,
                Operand::Capture(at) => &raw const closure.captured[usize::from(at)],
                // SAFETY: by contract.
                Operand::Answer(n) => unsafe { (*answers.add(usize::from(n))).place() },
                // Put there when it is known.
                Operand::Argument(_) => continue,
            };
        }
        Some(Ready { op, args })
    }
}
