//! Operators, and tests that jump.

use super::Emitter;
use crate::data::Value;
use crate::data::task::deep;
use crate::eval::code::{Instr, Reg};
use crate::eval::operator::Operator;
use crate::eval::syntax::{Id, Kind, Var};
use crate::text::Result;

impl Emitter {
    pub(super) fn operator(&mut self, operator: Operator, a: Id, b: Id, to: Reg) -> Result<()> {
        use Operator::*;
        let swaps = matches!(operator, Add | Multiply) && self.small(a).is_some() && self.small(b).is_none();
        let (a, b) = if swaps { (b, a) } else { (a, b) };
        if let Some(n) = self.small(b) {
            let with: Option<fn(Reg, Reg, i16) -> Instr> = match operator {
                Add => Some(|to, a, b| Instr::AddInt { to, a, b }),
                Subtract => Some(|to, a, b| Instr::SubtractInt { to, a, b }),
                Multiply => Some(|to, a, b| Instr::MultiplyInt { to, a, b }),
                FloorDivide => Some(|to, a, b| Instr::FloorDivideInt { to, a, b }),
                Mod => Some(|to, a, b| Instr::ModInt { to, a, b }),
                _ => None,
            };
            if let Some(with) = with {
                let a = self.operand(a)?;
                self.op(with(to, a, n));
                return Ok(());
            }
        }
        let a = self.operand(a)?;
        let b = self.operand(b)?;
        self.op(match operator {
            Add => Instr::Add { to, a, b },
            Subtract => Instr::Subtract { to, a, b },
            Multiply => Instr::Multiply { to, a, b },
            Divide => Instr::Divide { to, a, b },
            FloorDivide => Instr::FloorDivide { to, a, b },
            Mod => Instr::Mod { to, a, b },
            Less => Instr::Less { to, a, b },
            LessEqual => Instr::LessEqual { to, a, b },
            Greater => Instr::Greater { to, a, b },
            GreaterEqual => Instr::GreaterEqual { to, a, b },
            Equal => Instr::Equal { to, a, b },
            NotEqual => Instr::NotEqual { to, a, b },
        });
        Ok(())
    }

    pub(super) fn land_all(&mut self, jumps: Vec<usize>) -> Result<()> {
        jumps.into_iter().try_for_each(|at| self.land(at))
    }

    /// Emits a test: falls through if it holds; the jumps that are returned are taken if it does not.
    pub(super) fn test(&mut self, id: Id) -> Result<Vec<usize>> {
        deep(|| self.with(id, |e, kind| e.scoped(|e| e.test_kind(id, kind))))
    }

    pub(super) fn test_kind(&mut self, id: Id, kind: &mut Kind) -> Result<Vec<usize>> {
        match kind {
            Kind::Operator(operator, a, b) if operator.is_comparison() => Ok(vec![self.comparison(*operator, *a, *b)?]),
            Kind::If(test, then, other) => {
                let (test, then, other) = (*test, *then, *other);
                // `not`: the test the other way round.
                if self.is_bool(then, false) && self.is_bool(other, true) {
                    let unless = self.test(test)?;
                    let jump = self.op(Instr::Jump { to: 0 });
                    self.land_all(unless)?;
                    return Ok(vec![jump]);
                }
                let unless = self.test(test)?;
                let mut jumps = self.test(then)?;
                let end = self.op(Instr::Jump { to: 0 });
                self.land_all(unless)?;
                jumps.extend(self.test(other)?);
                self.land(end)?;
                Ok(jumps)
            }
            // `and`, `or`: what the first operand is does not matter, only whether it holds.
            Kind::Let(bindings, body) if bindings.len() == 1 => {
                let ((var, init), body) = (bindings[0], *body);
                match self.body.exprs[body].kind {
                    Kind::If(test, then, other) if self.is_var(test, var) && self.is_var(other, var) => {
                        let mut jumps = self.test(init)?;
                        jumps.extend(self.test(then)?);
                        Ok(jumps)
                    }
                    Kind::If(test, then, other) if self.is_var(test, var) && self.is_var(then, var) => {
                        let unless = self.test(init)?;
                        let end = self.op(Instr::Jump { to: 0 });
                        self.land_all(unless)?;
                        let jumps = self.test(other)?;
                        self.land(end)?;
                        Ok(jumps)
                    }
                    _ => {
                        self.bind(&[(var, init)])?;
                        self.test(body)
                    }
                }
            }
            Kind::Const(value) => {
                if value.truthy() {
                    return Ok(Vec::new());
                }
                Ok(vec![self.op(Instr::Jump { to: 0 })])
            }
            Kind::Var(var) => {
                let test = self.registers[*var];
                Ok(vec![self.op(Instr::JumpUnless { test, to: 0 })])
            }
            _ => {
                let test = self.take_register()?;
                self.kind_to(id, kind, test)?;
                Ok(vec![self.op(Instr::JumpUnless { test, to: 0 })])
            }
        }
    }

    pub(super) fn is_bool(&self, id: Id, b: bool) -> bool {
        matches!(self.body.exprs[id].kind, Kind::Const(Value::Bool(c)) if c == b)
    }

    pub(super) fn is_var(&self, id: Id, var: Var) -> bool {
        matches!(self.body.exprs[id].kind, Kind::Var(v) if v == var)
    }

    pub(super) fn comparison(&mut self, operator: Operator, a: Id, b: Id) -> Result<usize> {
        use Operator::*;
        let (operator, a, b) = match (self.small(a), self.small(b)) {
            (Some(_), None) => {
                let turned = match operator {
                    Less => Greater,
                    LessEqual => GreaterEqual,
                    Greater => Less,
                    GreaterEqual => LessEqual,
                    other => other,
                };
                (turned, b, a)
            }
            _ => (operator, a, b),
        };
        let to = 0;
        if let Some(b) = self.small(b) {
            let a = self.operand(a)?;
            return Ok(self.op(match operator {
                Less => Instr::UnlessLessInt { a, b, to },
                LessEqual => Instr::UnlessLessEqualInt { a, b, to },
                Greater => Instr::UnlessGreaterInt { a, b, to },
                GreaterEqual => Instr::UnlessGreaterEqualInt { a, b, to },
                Equal => Instr::UnlessEqualInt { a, b, to },
                _ => Instr::UnlessNotEqualInt { a, b, to },
            }));
        }
        let a = self.operand(a)?;
        let b = self.operand(b)?;
        Ok(self.op(match operator {
            Less => Instr::UnlessLess { a, b, to },
            LessEqual => Instr::UnlessLessEqual { a, b, to },
            Greater => Instr::UnlessGreater { a, b, to },
            GreaterEqual => Instr::UnlessGreaterEqual { a, b, to },
            Equal => Instr::UnlessEqual { a, b, to },
            _ => Instr::UnlessNotEqual { a, b, to },
        }))
    }
}
