//! Functions that only compute with a number, `#(+ (* % %) 1)`, for many numbers at once: instruction by instruction, each on a column of
//! values. What the machine does once a call, it does here once a column.

use crate::data::Value;
use crate::eval::code::{Instr, Proto, Reg};
use crate::eval::operator::Operator;
use rustc_hash::FxHashMap;

/// Values of a column.
const ROWS: usize = 64;
/// Fewer arguments are not worth it.
const FEW: usize = 8;
/// Columns are kept on the stack: functions that need more are left to the machine.
const MOST: usize = 16;

pub struct Columns {
    /// The first column is the argument; these follow, and then what the steps make.
    constants: Vec<Column>,
    steps: Vec<Step>,
    answer: usize,
}

struct Step {
    operator: Operator,
    a: usize,
    b: usize,
}

#[derive(Clone, Copy)]
enum Column {
    Ints([i64; ROWS]),
    Floats([f64; ROWS]),
    Bools([bool; ROWS]),
}

impl Columns {
    /// The function by columns, if its code is no more than arithmetic and comparisons of its only argument and of constants.
    pub fn of(proto: &Proto) -> Option<Columns> {
        if proto.plain != 1 {
            return None;
        }
        let mut builder = Builder::default();
        let mut at: FxHashMap<Reg, Operand> = FxHashMap::default();
        at.insert(1, Operand::Argument);
        for instr in &proto.code {
            let operand = |reg: Reg| at.get(&reg).copied();
            let two = |operator, a, b| Some((operator, operand(a)?, operand(b)?));
            let with = |operator, a, b: i16| Some((operator, operand(a)?, Operand::Int(b.into())));
            let (to, call) = match *instr {
                Instr::Int { to, value } => {
                    at.insert(to, Operand::Int(value.into()));
                    continue;
                }
                Instr::Const { to, at: n } => {
                    let constant = match proto.constants[n as usize] {
                        Value::Int(n) => Operand::Int(n),
                        Value::Float(x) => Operand::Float(x),
                        _ => return None,
                    };
                    at.insert(to, constant);
                    continue;
                }
                Instr::Copy { to, from } | Instr::Take { to, from } => {
                    let from = operand(from)?;
                    at.insert(to, from);
                    continue;
                }
                Instr::Return { from } => {
                    let Operand::Made(n) = operand(from)? else { return None };
                    return builder.finish(n);
                }
                Instr::Add { to, a, b } => (to, two(Operator::Add, a, b)?),
                Instr::Subtract { to, a, b } => (to, two(Operator::Subtract, a, b)?),
                Instr::Multiply { to, a, b } => (to, two(Operator::Multiply, a, b)?),
                Instr::Divide { to, a, b } => (to, two(Operator::Divide, a, b)?),
                Instr::FloorDivide { to, a, b } => (to, two(Operator::FloorDivide, a, b)?),
                Instr::Mod { to, a, b } => (to, two(Operator::Mod, a, b)?),
                Instr::Less { to, a, b } => (to, two(Operator::Less, a, b)?),
                Instr::LessEqual { to, a, b } => (to, two(Operator::LessEqual, a, b)?),
                Instr::Greater { to, a, b } => (to, two(Operator::Greater, a, b)?),
                Instr::GreaterEqual { to, a, b } => (to, two(Operator::GreaterEqual, a, b)?),
                Instr::Equal { to, a, b } => (to, two(Operator::Equal, a, b)?),
                Instr::NotEqual { to, a, b } => (to, two(Operator::NotEqual, a, b)?),
                Instr::AddInt { to, a, b } => (to, with(Operator::Add, a, b)?),
                Instr::SubtractInt { to, a, b } => (to, with(Operator::Subtract, a, b)?),
                Instr::MultiplyInt { to, a, b } => (to, with(Operator::Multiply, a, b)?),
                Instr::FloorDivideInt { to, a, b } => (to, with(Operator::FloorDivide, a, b)?),
                Instr::ModInt { to, a, b } => (to, with(Operator::Mod, a, b)?),
                _ => return None,
            };
            let made = builder.step(call)?;
            at.insert(to, made);
        }
        None
    }

    /// Puts answers in the place of arguments, from the first on: of how many. The others, and what is no plain answer to a plain number,
    /// are the machine's: nothing was done for them.
    pub fn run(&self, values: &mut [Value]) -> usize {
        if values.len() < FEW {
            return 0;
        }
        let mut columns = [const { Column::Ints([0; ROWS]) }; MOST];
        columns[1..][..self.constants.len()].copy_from_slice(&self.constants);
        let first = 1 + self.constants.len();
        let mut done = 0;
        for values in values.chunks_mut(ROWS) {
            let Some(argument) = Column::of(values) else { break };
            columns[0] = argument;
            for (n, step) in self.steps.iter().enumerate() {
                match step.operator.of_columns(&columns[step.a], &columns[step.b]) {
                    Some(made) => columns[first + n] = made,
                    None => return done,
                }
            }
            columns[self.answer].put(values);
            done += values.len();
        }
        done
    }
}

#[derive(Clone, Copy)]
enum Operand {
    Argument,
    Int(i64),
    Float(f64),
    /// What the step of that number makes.
    Made(usize),
}

#[derive(Default)]
struct Builder {
    constants: Vec<Column>,
    steps: Vec<(Operator, Operand, Operand)>,
}

impl Builder {
    fn step(&mut self, step: (Operator, Operand, Operand)) -> Option<Operand> {
        self.steps.push(step);
        (self.steps.len() <= MOST).then_some(Operand::Made(self.steps.len() - 1))
    }

    fn finish(mut self, answer: usize) -> Option<Columns> {
        let constants = |operand: &Operand| match *operand {
            Operand::Int(n) => Some(Column::Ints([n; ROWS])),
            Operand::Float(x) => Some(Column::Floats([x; ROWS])),
            _ => None,
        };
        let operands = self.steps.iter().flat_map(|(_, a, b)| [a, b]);
        self.constants = operands.filter_map(constants).collect();
        if 1 + self.constants.len() + self.steps.len() > MOST {
            return None;
        }
        let first = 1 + self.constants.len();
        let mut constant = 0;
        let mut place = |operand| match operand {
            Operand::Argument => 0,
            Operand::Made(n) => first + n,
            Operand::Int(_) | Operand::Float(_) => {
                constant += 1;
                constant
            }
        };
        let steps = self.steps.into_iter().map(|(operator, a, b)| Step { operator, a: place(a), b: place(b) });
        Some(Columns { steps: steps.collect(), constants: self.constants, answer: first + answer })
    }
}

impl Column {
    /// Of numbers that are all of a kind; the last rows repeat the first, if they are fewer than a column has.
    fn of(values: &[Value]) -> Option<Column> {
        match *values.first()? {
            Value::Int(first) => {
                let mut column = [first; ROWS];
                for (row, value) in column.iter_mut().zip(values) {
                    let Value::Int(n) = *value else { return None };
                    *row = n;
                }
                Some(Column::Ints(column))
            }
            Value::Float(first) => {
                let mut column = [first; ROWS];
                for (row, value) in column.iter_mut().zip(values) {
                    let Value::Float(x) = *value else { return None };
                    *row = x;
                }
                Some(Column::Floats(column))
            }
            _ => None,
        }
    }

    /// Puts the rows in the place of plain values.
    fn put(&self, values: &mut [Value]) {
        match self {
            Column::Ints(rows) => values.iter_mut().zip(rows).for_each(|(value, &n)| *value = Value::Int(n)),
            Column::Floats(rows) => values.iter_mut().zip(rows).for_each(|(value, &x)| *value = Value::Float(x)),
            Column::Bools(rows) => values.iter_mut().zip(rows).for_each(|(value, &b)| *value = Value::Bool(b)),
        }
    }

    fn as_floats(&self) -> Option<[f64; ROWS]> {
        match self {
            Column::Ints(rows) => Some(rows.map(|n| n as f64)),
            Column::Floats(rows) => Some(*rows),
            Column::Bools(_) => None,
        }
    }
}

/// Row by row.
#[inline(always)]
fn both<T: Copy, R>(a: &[T; ROWS], b: &[T; ROWS], f: impl Fn(T, T) -> R) -> [R; ROWS] {
    std::array::from_fn(|n| f(a[n], b[n]))
}

/// Row by row, unless one of the results does not fit.
#[inline(always)]
fn checked(a: &[i64; ROWS], b: &[i64; ROWS], f: impl Fn(i64, i64) -> (i64, bool)) -> Option<Column> {
    let mut rows = [0; ROWS];
    let mut over = false;
    for (n, row) in rows.iter_mut().enumerate() {
        let (result, does_not_fit) = f(a[n], b[n]);
        *row = result;
        over |= does_not_fit;
    }
    (!over).then_some(Column::Ints(rows))
}

impl Operator {
    /// What the machine answers to each row, as `arithmetic` says; nothing where it leaves one to an op.
    fn of_columns(self, a: &Column, b: &Column) -> Option<Column> {
        match (a, b) {
            (Column::Ints(a), Column::Ints(b)) => self.of_ints(a, b),
            (Column::Floats(a), Column::Floats(b)) => self.of_floats(a, b),
            _ if matches!(self, Operator::Add | Operator::Subtract | Operator::Multiply) => {
                self.of_floats(&a.as_floats()?, &b.as_floats()?)
            }
            _ => None,
        }
    }

    fn of_ints(self, a: &[i64; ROWS], b: &[i64; ROWS]) -> Option<Column> {
        let are = |holds: fn(&i64) -> bool| b.iter().all(holds);
        Some(match self {
            Operator::Add => return checked(a, b, i64::overflowing_add),
            Operator::Subtract => return checked(a, b, i64::overflowing_sub),
            Operator::Multiply => return checked(a, b, i64::overflowing_mul),
            Operator::Divide if are(|&b| b != 0) => Column::Floats(both(a, b, |a, b| a as f64 / b as f64)),
            Operator::FloorDivide if are(|&b| b > 0) => Column::Ints(both(a, b, i64::div_euclid)),
            Operator::Mod if are(|&b| b > 0) => Column::Ints(both(a, b, i64::rem_euclid)),
            _ => return self.compared(a, b),
        })
    }

    fn of_floats(self, a: &[f64; ROWS], b: &[f64; ROWS]) -> Option<Column> {
        Some(match self {
            Operator::Add => Column::Floats(both(a, b, |a, b| a + b)),
            Operator::Subtract => Column::Floats(both(a, b, |a, b| a - b)),
            Operator::Multiply => Column::Floats(both(a, b, |a, b| a * b)),
            Operator::Divide if b.iter().all(|&b| b != 0.0) => Column::Floats(both(a, b, |a, b| a / b)),
            _ => return self.compared(a, b),
        })
    }

    fn compared<T: PartialOrd + Copy>(self, a: &[T; ROWS], b: &[T; ROWS]) -> Option<Column> {
        Some(Column::Bools(match self {
            Operator::Less => both(a, b, |a, b| a < b),
            Operator::LessEqual => both(a, b, |a, b| a <= b),
            Operator::Greater => both(a, b, |a, b| a > b),
            Operator::GreaterEqual => both(a, b, |a, b| a >= b),
            Operator::Equal => both(a, b, |a, b| a == b),
            Operator::NotEqual => both(a, b, |a, b| a != b),
            _ => return None,
        }))
    }
}
