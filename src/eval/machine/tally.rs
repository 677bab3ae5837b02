//! Functions that change one number of the map they are given, `(fn [counts word] (assoc counts word (+ 1 (get counts word 0))))`: folds call
//! them once a record. The map stays where it is, the number is found once, and no window is needed.

use crate::data::{Map, Value, own};
use crate::eval::closure::Closure;
use crate::eval::code::{Instr, Proto, Reg};
use crate::eval::globals::Role;
use crate::eval::operator::Operator;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

pub struct Tally {
    /// The globals that are called, which must be the ops `get` and `assoc`.
    globals: SmallVec<[u32; 2]>,
    /// Under which key the number is.
    key: Part,
    /// What it is where the map has none.
    missing: i64,
    /// What is done to it, one after the other.
    steps: SmallVec<[Step; 1]>,
}

#[derive(Clone, Copy)]
struct Step {
    operator: Operator,
    by: Amount,
}

#[derive(Clone, Copy)]
enum Amount {
    Int(i64),
    Part(Part),
}

/// Of what the function is given beside the map.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    /// An item of a list.
    At(u16),
    /// What a map has under the key that is this constant.
    Under(u32),
}

/// What is in a register.
#[derive(Clone, Copy)]
enum Known {
    Map,
    Part(Part),
    Int(i64),
    Const(u32),
    /// The number, after so many steps.
    Number(usize),
    /// The map with the number changed.
    Done,
}

impl Tally {
    /// The function in short, if its code is no more than that.
    pub fn of(proto: &Proto) -> Option<Tally> {
        if proto.plain != 2 {
            return None;
        }
        let mut registers: FxHashMap<Reg, Known> = FxHashMap::default();
        registers.insert(1, Known::Map);
        registers.insert(2, Known::Part(Part::Whole));
        let mut found = None;
        // What is taken of the item: taking it apart may fail, so that all of it has to be needed.
        let mut taken: SmallVec<[Part; 2]> = SmallVec::new();
        let mut tally = Tally { globals: SmallVec::new(), key: Part::Whole, missing: 0, steps: SmallVec::new() };
        let mut code = proto.code.iter();
        while let Some(instr) = code.next() {
            let known = |reg: Reg| registers.get(&reg).copied();
            // The first two arguments of a call, and the third.
            let mut operands = |base: Reg| match *code.next()? {
                Instr::Operands { first, second, .. } => Some((known(first)?, known(second)?, known(base + 3))),
                _ => None,
            };
            let (to, result) = match *instr {
                Instr::Int { to, value } => (to, Known::Int(value.into())),
                Instr::Const { to, at } => match proto.constants[at as usize] {
                    Value::Int(n) => (to, Known::Int(n)),
                    _ => (to, Known::Const(at)),
                },
                Instr::Copy { to, from } | Instr::Take { to, from } => (to, known(from)?),
                Instr::Item { to, from, at } => match known(from)? {
                    Known::Part(Part::Whole) => (to, Known::Part(Part::At(at))),
                    _ => return None,
                },
                Instr::Field { to, from, key } => match known(from)? {
                    Known::Part(Part::Whole) => (to, Known::Part(Part::Under(key.into()))),
                    _ => return None,
                },
                Instr::CallField { base, count: 2 } => match operands(base)? {
                    (Known::Part(Part::Whole), Known::Const(key), _) => (base, Known::Part(Part::Under(key))),
                    _ => return None,
                },
                Instr::CallGet { base, count: 2, at } => match operands(base)? {
                    (Known::Part(Part::Whole), Known::Const(key), _) => {
                        tally.globals.push(at);
                        (base, Known::Part(Part::Under(key)))
                    }
                    _ => return None,
                },
                Instr::CallGet { base, count: 3, at } => match operands(base)? {
                    (Known::Map, Known::Part(key), Some(Known::Int(missing))) if found.is_none() => {
                        tally.globals.push(at);
                        tally.missing = missing;
                        found = Some(key);
                        (base, Known::Number(0))
                    }
                    _ => return None,
                },
                Instr::CallAssoc { base, count: 3, at } => match operands(base)? {
                    (Known::Map, Known::Part(key), Some(Known::Number(n)))
                        if n == tally.steps.len() && found == Some(key) =>
                    {
                        tally.globals.push(at);
                        tally.key = key;
                        (base, Known::Done)
                    }
                    _ => return None,
                },
                Instr::AddInt { to, a, b } => (to, tally.step(Operator::Add, known(a)?, Known::Int(b.into()))?),
                Instr::SubtractInt { to, a, b } => {
                    (to, tally.step(Operator::Subtract, known(a)?, Known::Int(b.into()))?)
                }
                Instr::MultiplyInt { to, a, b } => {
                    (to, tally.step(Operator::Multiply, known(a)?, Known::Int(b.into()))?)
                }
                Instr::Add { to, a, b } => (to, tally.step(Operator::Add, known(a)?, known(b)?)?),
                Instr::Subtract { to, a, b } => (to, tally.step(Operator::Subtract, known(a)?, known(b)?)?),
                Instr::Multiply { to, a, b } => (to, tally.step(Operator::Multiply, known(a)?, known(b)?)?),
                Instr::Return { from } => {
                    let needed = taken.iter().all(|&part| tally.needs(part));
                    return (matches!(known(from)?, Known::Done) && needed).then_some(tally);
                }
                _ => return None,
            };
            // Nothing is done after the map is changed.
            let changed = registers.values().any(|known| matches!(known, Known::Done));
            if changed && !matches!(instr, Instr::Copy { .. } | Instr::Take { .. }) {
                return None;
            }
            if let Known::Part(part) = result {
                taken.push(part);
            }
            registers.insert(to, result);
        }
        None
    }

    /// Whether that part is looked at.
    fn needs(&self, part: Part) -> bool {
        let is = |step: &Step| matches!(step.by, Amount::Part(by) if by == part);
        part == Part::Whole || part == self.key || self.steps.iter().any(is)
    }

    /// Notes what is done to the number, if it is one of the two: what it is then.
    fn step(&mut self, operator: Operator, a: Known, b: Known) -> Option<Known> {
        let last = |known| matches!(known, Known::Number(n) if n == self.steps.len());
        let by = match (last(a), last(b)) {
            (true, false) => b,
            (false, true) if operator != Operator::Subtract => a,
            _ => return None,
        };
        let by = match by {
            Known::Int(n) => Amount::Int(n),
            Known::Part(part) => Amount::Part(part),
            _ => return None,
        };
        self.steps.push(Step { operator, by });
        Some(Known::Number(self.steps.len()))
    }

    /// Does to the map in the first place what the function would, or nothing: then the machine has to run. The number is likely to be in
    /// the entry `near`.
    ///
    /// # Safety
    /// `self` is of the closure's code. This thread is inside [`Globals::enter`](crate::eval::globals::Globals::enter).
    pub unsafe fn put(&self, closure: &Closure, window: &mut [Value], near: usize) -> bool {
        let proto = &*closure.proto;
        let is_op = |&global: &u32| {
            // SAFETY: by contract.
            let binding = unsafe { proto.globals[global as usize].load() };
            binding.is_some_and(|binding| matches!(binding.role, Role::Op))
        };
        let [Value::Map(map), item] = window else { return false };
        self.globals.iter().all(is_op) && self.change(proto, own(map), item, near).is_some()
    }

    #[inline(always)]
    fn change(&self, proto: &Proto, map: &mut Map, item: &Value, near: usize) -> Option<()> {
        let key = self.key.of(item, proto)?;
        if !matches!(key, Value::Str(_) | Value::Keyword(_) | Value::Int(_)) {
            return None;
        }
        let at = map.position_near(near, key);
        let mut number = match at.and_then(|at| map.get_index(at)) {
            Some((_, &Value::Int(n))) => n,
            Some(_) => return None,
            None => self.missing,
        };
        for step in &self.steps {
            let by = match step.by {
                Amount::Int(n) => n,
                Amount::Part(part) => match *part.of(item, proto)? {
                    Value::Int(n) => n,
                    _ => return None,
                },
            };
            number = match step.operator {
                Operator::Add => number.checked_add(by),
                Operator::Subtract => number.checked_sub(by),
                Operator::Multiply => number.checked_mul(by),
                _ => None,
            }?;
        }
        match at.and_then(|at| map.get_index_mut(at)) {
            Some((_, Value::Int(n))) => *n = number,
            _ => drop(map.put(key.clone(), Value::Int(number))),
        }
        Some(())
    }
}

impl Part {
    #[inline(always)]
    fn of<'a>(self, item: &'a Value, proto: &Proto) -> Option<&'a Value> {
        match (self, item) {
            (Part::Whole, item) => Some(item),
            (Part::At(at), Value::List(items)) => items.get(usize::from(at)),
            (Part::Under(key), Value::Map(map)) => map.get(&proto.constants[key as usize]),
            _ => None,
        }
    }
}
