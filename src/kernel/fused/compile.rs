//! Expressions to steps: dtypes are resolved by NumPy's rules, conversions become steps of their own, equal steps are one.

use super::group;
use super::strips::Strips;
use super::{Expr, Program, Source, Step};
use crate::data::task::deep;
use crate::data::{Block, DType, Value};
use crate::err;
use crate::kernel::create;
use crate::kernel::elementwise::{Binary, Typed, Unary};
use crate::kernel::strip;
use crate::kernel::tile::{self, Kernel};
use crate::text::Result;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// What a step does, for comparing steps.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    Unary(Unary, DType),
    Binary(Binary, DType),
    /// A comparison of int64 with uint64; whether the signed one comes first.
    Mixed(Binary, bool),
    Where(DType),
    Convert(DType, DType),
}

/// Steps before registers are given out: each makes one value, named by its place in the list.
pub struct Draft {
    pub act: Act,
    pub args: Vec<Source>,
    pub out: DType,
    pub kernel: Kernel,
}

/// Steps that run at once: one kernel over a tile, or a loop over strips.
enum Unit {
    Kernel(usize),
    /// Up to a step. Registers are still numbers of steps.
    Strips(usize, Strips),
}

/// A compiled part of an expression.
#[derive(Clone)]
enum Item {
    Array(Source, DType),
    Number(Value),
}

impl Item {
    fn typed(&self) -> Typed {
        match self {
            Item::Array(_, dtype) => Typed::Strong(*dtype),
            Item::Number(v) => Typed::Weak(v.number_kind().unwrap_or(crate::data::Kind::Float)),
        }
    }
}

struct Compiler<'a> {
    inputs: &'a [DType],
    constants: Vec<Block>,
    /// Where in the list a number of that dtype is, by its bytes.
    numbers: FxHashMap<(DType, SmallVec<[u8; 16]>), usize>,
    steps: Vec<Draft>,
    /// The steps by what they do.
    known: FxHashMap<(Act, Vec<Source>), Source>,
}

pub fn compile(inputs: &[DType], expr: &Expr) -> Result<Program> {
    let (constants, steps) = (Vec::new(), Vec::new());
    let (numbers, known) = (FxHashMap::default(), FxHashMap::default());
    let mut compiler = Compiler { inputs, constants, numbers, steps, known };
    let item = compiler.item(expr)?;
    let dtype = item.typed().dtype();
    let result = compiler.array(item, dtype)?;
    compiler.finish(result, dtype)
}

impl Compiler<'_> {
    fn item(&mut self, expr: &Expr) -> Result<Item> {
        match expr {
            Expr::Input(i) => Ok(Item::Array(Source::Input(*i as u16), self.inputs[*i])),
            Expr::Number(v) if v.number_kind().is_some() => Ok(Item::Number(v.clone())),
            Expr::Number(v) => Err(err!(Type, "{} is not a number", v.a_type_name())),
            Expr::Unary(op, x) => {
                let x = deep(|| self.item(x))?;
                self.unary(*op, x)
            }
            Expr::Binary(op, args) => {
                let a = deep(|| self.item(&args[0]))?;
                let b = deep(|| self.item(&args[1]))?;
                self.binary(*op, a, b)
            }
            Expr::Where(args) => {
                let condition = deep(|| self.item(&args[0]))?;
                let a = deep(|| self.item(&args[1]))?;
                let b = deep(|| self.item(&args[2]))?;
                let condition = self.array(condition, DType::Bool)?;
                let (x, y) = Typed::resolve(a.typed(), b.typed());
                let dtype = x.promote(y);
                let (a, b) = (self.array(a, dtype)?, self.array(b, dtype)?);
                let step = self.step(Act::Where(dtype), tile::where_(dtype), vec![condition, a, b], dtype);
                Ok(Item::Array(step, dtype))
            }
            Expr::Cast(dtype, x) => {
                let item = deep(|| self.item(x))?;
                let source = match item {
                    Item::Array(source, from) => self.convert(source, from, *dtype),
                    number => self.array(number, *dtype)?,
                };
                Ok(Item::Array(source, *dtype))
            }
        }
    }

    /// The item as an array of that dtype.
    fn array(&mut self, item: Item, dtype: DType) -> Result<Source> {
        match item {
            Item::Array(source, from) => Ok(self.convert(source, from, dtype)),
            Item::Number(number) => {
                let block = create::scalar(dtype, &number)?;
                let bytes = SmallVec::from_slice(block.as_bytes().unwrap_or_default());
                let at = *self.numbers.entry((dtype, bytes)).or_insert(self.constants.len());
                if at == self.constants.len() {
                    self.constants.push(block);
                }
                Ok(Source::Constant(at as u16))
            }
        }
    }

    fn step(&mut self, act: Act, kernel: Kernel, args: Vec<Source>, out: DType) -> Source {
        *self.known.entry((act, args)).or_insert_with_key(|(_, args)| {
            self.steps.push(Draft { act, args: args.clone(), out, kernel });
            Source::Register((self.steps.len() - 1) as u16)
        })
    }

    fn convert(&mut self, source: Source, from: DType, to: DType) -> Source {
        if from == to {
            return source;
        }
        if let Some(kernel) = tile::convert(from, to) {
            return self.step(Act::Convert(from, to), kernel, vec![source], to);
        }
        if from.is_complex() {
            let real = self.convert(source, from, from.real());
            return self.convert(real, from.real(), to);
        }
        if to.is_complex() {
            let real = self.convert(source, from, to.real());
            return self.convert(real, to.real(), to);
        }
        // Integers of one size: the same bits.
        source
    }

    fn unary(&mut self, op: Unary, x: Item) -> Result<Item> {
        let dtype = x.typed().dtype();
        let rule = op.rule(dtype)?;
        let x = self.array(x, dtype)?;
        let x = self.convert(x, dtype, rule.compute);
        if tile::is_identity(op, rule.compute) {
            return Ok(Item::Array(x, rule.out));
        }
        let kernel = tile::unary(op, rule.compute).ok_or_else(|| missing(op.name(), rule.compute))?;
        Ok(Item::Array(self.step(Act::Unary(op, rule.compute), kernel, vec![x], rule.out), rule.out))
    }

    fn binary(&mut self, op: Binary, a: Item, b: Item) -> Result<Item> {
        if op.is_comparison() {
            return self.comparison(op, a, b);
        }
        let (x, y) = Typed::resolve(a.typed(), b.typed());
        let rule = op.rule(x, y)?;
        if matches!(op, Binary::LogicalAnd | Binary::LogicalOr | Binary::LogicalXor) {
            return self.apply(op, a, b, DType::Bool, DType::Bool);
        }
        if let (Binary::Power, Item::Number(exponent)) = (op, &b)
            && let Some(result) = self.constant_power(&a, exponent, rule.compute)?
        {
            return Ok(result);
        }
        if let (Binary::Divide, Item::Number(divisor)) = (op, &b)
            && let Some(inverse) = exact_inverse(divisor)
            && rule.compute.is_float()
        {
            return self.apply(Binary::Multiply, a, Item::Number(Value::Float(inverse)), rule.compute, rule.out);
        }
        self.apply(op, a, b, rule.compute, rule.out)
    }

    fn apply(&mut self, op: Binary, a: Item, b: Item, compute: DType, out: DType) -> Result<Item> {
        let (a, b) = (self.array(a, compute)?, self.array(b, compute)?);
        let kernel = tile::binary(op, compute).ok_or_else(|| missing(op.name(), compute))?;
        Ok(Item::Array(self.step(Act::Binary(op, compute), kernel, vec![a, b], out), out))
    }

    fn comparison(&mut self, op: Binary, a: Item, b: Item) -> Result<Item> {
        if let (Item::Array(x, DType::I64), Item::Array(y, DType::U64))
        | (Item::Array(x, DType::U64), Item::Array(y, DType::I64)) = (&a, &b)
        {
            let signed_first = matches!(a, Item::Array(_, DType::I64));
            let kernel = tile::mixed_comparison(op, signed_first).ok_or_else(|| missing(op.name(), DType::U64))?;
            let step = self.step(Act::Mixed(op, signed_first), kernel, vec![*x, *y], DType::Bool);
            return Ok(Item::Array(step, DType::Bool));
        }
        let (a, b) = (self.widened(a.clone(), &b)?, self.widened(b, &a)?);
        let (x, y) = Typed::resolve(a.typed(), b.typed());
        let compute = op.rule(x, y)?.compute;
        match op {
            Binary::Greater => self.apply(Binary::Less, b, a, compute, DType::Bool),
            Binary::GreaterEqual => self.apply(Binary::LessEqual, b, a, compute, DType::Bool),
            _ => self.apply(op, a, b, compute, DType::Bool),
        }
    }

    /// Integers, which are to be compared with a number that their dtype cannot hold, as int64 in the same order.
    fn widened(&mut self, item: Item, other: &Item) -> Result<Item> {
        let (Item::Array(source, dtype), Item::Number(number @ Value::Int(_))) = (&item, other) else {
            return Ok(item);
        };
        if !dtype.is_integer() || create::scalar(*dtype, number).is_ok() {
            return Ok(item);
        }
        if *dtype == DType::U64 {
            // Only negative numbers do not fit, and all elements are above: so are 0 and 1.
            let low =
                self.apply(Binary::Minimum, Item::Array(*source, *dtype), Item::Number(Value::Int(1)), *dtype, *dtype)?;
            return Ok(match low {
                Item::Array(source, _) => Item::Array(source, DType::I64),
                number => number,
            });
        }
        Ok(Item::Array(self.convert(*source, *dtype, DType::I64), DType::I64))
    }

    /// Powers that are cheaper, and as exact, by products: small whole exponents, roots, the reciprocal.
    fn constant_power(&mut self, base: &Item, exponent: &Value, compute: DType) -> Result<Option<Item>> {
        let inexact = !compute.is_integer();
        let exponent = match exponent {
            Value::Int(n) => *n as f64,
            Value::Float(x) => *x,
            _ => return Ok(None),
        };
        let x = match base {
            Item::Array(source, from) => self.convert(*source, *from, compute),
            Item::Number(_) => return Ok(None),
        };
        let unary = |this: &mut Self, op| this.unary(op, Item::Array(x, compute)).map(Some);
        match exponent {
            1.0 => Ok(Some(Item::Array(x, compute))),
            2.0 => unary(self, Unary::Square),
            -1.0 if inexact => unary(self, Unary::Reciprocal),
            0.5 if inexact => unary(self, Unary::Sqrt),
            n if n.fract() == 0.0 && (3.0..=16.0).contains(&n) => {
                let (mut left, mut square, mut product) = (n as u32, Item::Array(x, compute), None);
                while left != 0 {
                    if left & 1 == 1 {
                        product = Some(match product {
                            None => square.clone(),
                            Some(p) => self.apply(Binary::Multiply, p, square.clone(), compute, compute)?,
                        });
                    }
                    left >>= 1;
                    if left != 0 {
                        square = self.unary(Unary::Square, square)?;
                    }
                }
                Ok(product)
            }
            _ => Ok(None),
        }
    }

    /// The program of what was compiled.
    fn finish(mut self, result: Source, out: DType) -> Result<Program> {
        if self.steps.len().max(self.constants.len()).max(self.inputs.len()) > usize::from(u16::MAX) {
            return Err(err!(Limit, "an elementwise expression has more than {} steps", u16::MAX));
        }
        // The last step makes the result.
        self.steps.truncate(match result {
            Source::Register(value) => usize::from(value) + 1,
            _ => 0,
        });
        // Where each value is read last; one that nobody reads is the result.
        let mut last_uses: Vec<usize> = vec![self.steps.len(); self.steps.len()];
        for (i, draft) in self.steps.iter().enumerate() {
            for value in draft.args.iter().filter_map(Source::register) {
                last_uses[value] = i;
            }
        }
        let units = self.units(&last_uses);
        let (steps, homes, registers) = self.registers(units, &last_uses);
        let result = match result {
            Source::Register(v) => Source::Register(homes[usize::from(v)]),
            other => other,
        };
        let width = self.steps.iter().map(|s| s.out.size());
        let width =
            width.chain(self.inputs.iter().map(|d| d.size())).chain(self.constants.iter().map(|c| c.dtype().size()));
        Ok(Program {
            width: width.max().unwrap_or(1),
            inputs: self.inputs.to_vec(),
            constants: self.constants,
            values: self.steps.len(),
            steps,
            registers,
            result,
            out,
        })
    }

    /// Cuts the list of steps into what runs at once.
    fn units(&self, last_uses: &[usize]) -> Vec<Unit> {
        let (mut units, mut at) = (Vec::new(), 0);
        let vectors = strip::vectors();
        while at < self.steps.len() {
            match vectors.and_then(|vectors| Some((vectors, group::find(&self.steps, at, vectors)?))) {
                Some((vectors, (float, end))) => {
                    units.push(Unit::Strips(end, group::code(&self.steps, (at, end), vectors, float, last_uses)));
                    at = end;
                }
                None => {
                    units.push(Unit::Kernel(at));
                    at += 1;
                }
            }
        }
        units
    }

    /// Gives out registers: a value's is free again after the last unit that reads it. The steps of the program, where each value is, and how
    /// many registers there are.
    fn registers(&self, units: Vec<Unit>, last_uses: &[usize]) -> (Vec<Step>, Vec<u16>, usize) {
        let (mut homes, mut free, mut registers) = (vec![0; self.steps.len()], Vec::new(), 0u16);
        let mut steps = Vec::new();
        let mut done = 0;
        for unit in units {
            let (args, made, end): (Vec<Source>, Vec<usize>, usize) = match &unit {
                Unit::Kernel(at) => (self.steps[*at].args.clone(), vec![*at], at + 1),
                Unit::Strips(end, strips) => {
                    let args = strips.inputs.iter().map(|(source, _)| *source).collect();
                    (args, strips.results.iter().map(|(value, _)| usize::from(*value)).collect(), *end)
                }
            };
            for value in made {
                homes[value] = free.pop().unwrap_or_else(|| {
                    registers += 1;
                    registers - 1
                });
            }
            let place = |source: &Source| match source {
                Source::Register(v) => Source::Register(homes[usize::from(*v)]),
                other => *other,
            };
            steps.push(match unit {
                Unit::Kernel(at) => {
                    let draft = &self.steps[at];
                    let mut args = [Source::Input(0); 3];
                    args.iter_mut().zip(&draft.args).for_each(|(to, from)| *to = place(from));
                    Step::Kernel { kernel: draft.kernel, args, arity: draft.args.len() as u8, into: homes[at] }
                }
                Unit::Strips(_, mut strips) => {
                    strips.inputs.iter_mut().for_each(|(source, _)| *source = place(source));
                    strips.results.iter_mut().for_each(|(value, _)| *value = homes[usize::from(*value)]);
                    Step::Strips(strips)
                }
            });
            let mut read: Vec<usize> = args.iter().filter_map(Source::register).collect();
            read.sort_unstable();
            read.dedup();
            free.extend(read.into_iter().filter(|&v| (done..end).contains(&last_uses[v])).map(|v| homes[v]));
            done = end;
        }
        (steps, homes, registers.into())
    }
}

/// The inverse of a power of two that is not beyond float32: multiplying by it gives the same bits, and sooner.
fn exact_inverse(divisor: &Value) -> Option<f64> {
    let divisor = match divisor {
        Value::Int(n) => *n as f64,
        Value::Float(x) => *x,
        _ => return None,
    };
    let power_of_two = divisor.to_bits() & ((1 << 52) - 1) == 0;
    (power_of_two && (1e-30..1e30).contains(&divisor.abs())).then(|| 1.0 / divisor)
}

fn missing(op: &str, dtype: DType) -> crate::text::Error {
    err!(Internal, "there is no kernel of `{op}` for {dtype}")
}
