//! Calls, loops, and what is tried.

use super::{Emitter, MOST_ARGS};
use crate::data::Value;
use crate::eval::code::{Argument, Instr, Reg};
use crate::eval::syntax::{Id, Kind, Recur, Var};
use crate::text::Result;

impl Emitter {
    /// The arguments in the registers after `base`.
    pub(super) fn arguments(&mut self, args: &[Id]) -> Result<()> {
        for &arg in args {
            let reg = self.take_register()?;
            self.to(arg, reg)?;
        }
        Ok(())
    }

    /// The arguments of a call that reads the first two where they lie, if they are variables.
    pub(super) fn access(&mut self, args: &[Id]) -> Result<Instr> {
        let mut places = [0; 2];
        let mut taken = 0;
        for (n, &arg) in args.iter().enumerate() {
            let reg = self.take_register()?;
            match self.body.exprs[arg].kind {
                Kind::Var(var) if n < 2 => {
                    places[n] = self.registers[var];
                    taken |= u8::from(self.body.last[arg]) << n;
                }
                _ => {
                    self.to(arg, reg)?;
                    if n < 2 {
                        places[n] = reg;
                        taken |= 1 << n;
                    }
                }
            }
        }
        Ok(Instr::Operands { taken, first: places[0], second: places[1] })
    }

    /// Remembers where the arguments of the call just emitted stand, for errors that are one argument's fault.
    pub(super) fn note_arguments(&mut self, args: &[Id]) {
        let exprs = &self.body.exprs;
        let keyword = |n: usize| match n.checked_sub(1).map(|before| &exprs[args[before]].kind) {
            Some(Kind::Const(Value::Keyword(name))) => Some(name.clone()),
            _ => None,
        };
        let noted: Box<[Argument]> =
            args.iter().enumerate().map(|(n, &id)| Argument { keyword: keyword(n), span: exprs[id].span }).collect();
        if noted.iter().any(|a| !a.span.is_none()) {
            self.arguments.insert(self.here() - 1, noted);
        }
    }

    pub(super) fn call(&mut self, callee: Id, args: &[Id], to: Reg) -> Result<()> {
        // The window begins where the result is wanted, if that is the last register in use.
        let direct =
            matches!(self.body.exprs[callee].kind, Kind::Global(_) | Kind::Var(_) | Kind::Capture(_) | Kind::Itself)
                || self.body.access(callee, args).is_some();
        let base = if to + 1 == self.next && direct && args.len() <= MOST_ARGS { to } else { self.take_register()? };
        if args.len() > MOST_ARGS {
            self.to(callee, base)?;
            let list = self.take_register()?;
            self.list(args, list)?;
            self.op(Instr::CallList { base });
        } else {
            let count = args.len() as u8;
            match self.body.exprs[callee].kind {
                Kind::Global(ref cell) => {
                    let cell = cell.clone();
                    let at = self.global(&cell);
                    if let Some(args) = self.body.access(callee, args) {
                        let operands = self.access(&args)?;
                        self.op(match cell.name.as_str() {
                            "get" => Instr::CallGet { count, base, at },
                            _ => Instr::CallAssoc { count, base, at },
                        });
                        self.op(operands);
                    } else {
                        self.arguments(args)?;
                        self.op(Instr::CallGlobal { count, base, at });
                    }
                }
                Kind::Const(_) if let Some(args) = self.body.access(callee, args) => {
                    let operands = self.access(&args)?;
                    self.op(Instr::CallField { count: count + 1, base });
                    self.op(operands);
                }
                Kind::Var(var) => {
                    let callee = self.registers[var];
                    self.arguments(args)?;
                    self.op(Instr::Call { count, base, callee });
                }
                Kind::Capture(at) => {
                    self.arguments(args)?;
                    self.op(Instr::CallCapture { count, base, at });
                }
                Kind::Itself => {
                    self.arguments(args)?;
                    self.op(Instr::CallItself { count, base });
                }
                _ => {
                    self.to(callee, base)?;
                    self.arguments(args)?;
                    self.op(Instr::Call { count, base, callee: base });
                }
            }
        }
        self.note_arguments(args);
        if base != to {
            self.op(Instr::Take { to, from: base });
        }
        Ok(())
    }

    pub(super) fn tail_call(&mut self, callee: Id, args: &[Id]) -> Result<()> {
        let base = self.take_register()?;
        let count = args.len() as u8;
        match self.body.exprs[callee].kind {
            Kind::Global(ref cell) => {
                let cell = cell.clone();
                let at = self.global(&cell);
                self.arguments(args)?;
                self.op(Instr::TailGlobal { count, base, at });
            }
            Kind::Itself => {
                self.arguments(args)?;
                self.op(Instr::TailItself { count, base });
            }
            Kind::Var(_) | Kind::Capture(_) => {
                self.arguments(args)?;
                self.to(callee, base)?;
                self.op(Instr::Tail { count, base });
            }
            _ => {
                self.to(callee, base)?;
                self.arguments(args)?;
                self.op(Instr::Tail { count, base });
            }
        }
        self.note_arguments(args);
        self.op(Instr::Return { from: base });
        Ok(())
    }

    pub(super) fn recur(&mut self, recur: Recur) -> Result<()> {
        let mut late = Vec::new();
        self.scoped(|e| {
            for &(n, straight) in &recur.steps {
                let var = e.registers[recur.vars[n]];
                if straight {
                    e.to(recur.args[n], var)?;
                } else {
                    let reg = e.take_register()?;
                    e.to(recur.args[n], reg)?;
                    late.push((var, reg));
                }
            }
            for &(to, from) in &late {
                e.op(Instr::Take { to, from });
            }
            Ok(())
        })?;
        let to = self.loops.last().copied().unwrap_or(0);
        if let (0, Some(given)) = (to, self.given) {
            self.op(Instr::Int { to: given, value: -1 });
        }
        self.op(Instr::Again { to });
        Ok(())
    }

    pub(super) fn attempt(&mut self, body: Id, catch: Option<(Var, Id)>, finally: Option<Id>, to: Reg) -> Result<()> {
        let around = finally.is_some().then(|| self.op(Instr::TryFinally { to: 0 }));
        match catch {
            None => self.to(body, to)?,
            Some((var, handler)) => {
                let error = self.take_register()?;
                self.registers[var] = error;
                let start = self.op(Instr::Try { error, to: 0 });
                self.to(body, to)?;
                self.op(Instr::EndTry);
                let end = self.op(Instr::Jump { to: 0 });
                self.land(start)?;
                self.to(handler, to)?;
                self.land(end)?;
            }
        }
        if let (Some(around), Some(finally)) = (around, finally) {
            self.op(Instr::Finally);
            self.land(around)?;
            self.effect(finally)?;
            self.op(Instr::EndFinally);
        }
        Ok(())
    }
}
