//! From a function's expressions to its code.
//!
//! Registers are handed out like a stack: variables and intermediate values take the next one and give it back at the
//! end of their scope. An expression is told where its value is wanted, so that few values are moved.

mod branches;
mod calls;

use crate::data::{Signature, Str, Task, Value, task::deep};
use crate::err;
use crate::eval::code::{Argument, Captured, Definition, Instr, Proto, Reg};
use crate::eval::globals::Cell;
use crate::eval::liveness;
use crate::eval::machine::{Columns, Straight, Tally, Whole};
use crate::eval::reads;
use crate::eval::syntax::{Body, Id, Kind, Source, Var};
use crate::text::{Result, Span};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What is known of a function besides its body.
pub(super) struct Head {
    pub name: Str,
    pub signature: Arc<Signature>,
    pub doc: Option<Str>,
    pub capture_names: Vec<Str>,
    pub wants_given: bool,
    pub source: Option<Arc<Task>>,
}

pub(super) fn emit(mut body: Body, head: Head) -> Result<Proto> {
    liveness::mark(&mut body);
    let reads = reads::of_parameters(&body);
    let span = body.exprs[body.root].span;
    let mut e = Emitter {
        registers: vec![0; body.vars],
        next: 1,
        most: 1,
        loops: Vec::new(),
        code: Vec::new(),
        spans: Vec::new(),
        arguments: FxHashMap::default(),
        span,
        constants: Vec::new(),
        globals: Vec::new(),
        global_at: FxHashMap::default(),
        protos: Vec::new(),
        defs: Vec::new(),
        given: None,
        body,
    };
    for param in 0..e.body.params {
        e.registers[param] = e.take_register()?;
    }
    if head.wants_given {
        e.given = Some(e.take_register()?);
    }
    if e.body.recurs {
        e.loops.push(0);
    }
    let root = e.body.root;
    e.tail(root)?;
    let plain = head.signature.params.iter().all(|p| p.kind == crate::data::ParamKind::Required) && !head.wants_given;
    let mut proto = Proto {
        straight: None,
        whole: None,
        columns: None,
        tally: None,
        reads,
        plain: if plain { head.signature.params.len() as u32 } else { Proto::SORTED },
        name: head.name,
        signature: head.signature,
        doc: head.doc,
        code: e.code.into(),
        spans: e.spans.into(),
        arguments: e.arguments,
        constants: e.constants.into(),
        globals: e.globals.into(),
        protos: e.protos.into(),
        defs: e.defs.into(),
        captures: Box::default(),
        capture_names: head.capture_names.into(),
        registers: e.most,
        wants_given: head.wants_given,
        source: head.source,
    };
    proto.straight = Straight::of(&proto);
    proto.columns = Columns::of(&proto);
    proto.whole = Whole::of(&proto);
    proto.tally = Tally::of(&proto);
    Ok(proto)
}

struct Emitter {
    body: Body,
    /// The register of each variable.
    registers: Vec<Reg>,
    next: Reg,
    /// Length of the window.
    most: u16,
    /// Where each loop around begins.
    loops: Vec<u32>,
    code: Vec<Instr>,
    spans: Vec<Span>,
    arguments: FxHashMap<u32, Box<[Argument]>>,
    /// Of the expression at hand.
    span: Span,
    constants: Vec<Value>,
    globals: Vec<Arc<Cell>>,
    global_at: FxHashMap<*const Cell, u32>,
    protos: Vec<Arc<Proto>>,
    defs: Vec<Definition>,
    /// The register with the bits of the parameters that were given, where defaults are computed.
    given: Option<Reg>,
}

/// Arguments a call instruction can count.
const MOST_ARGS: usize = 250;

/// Elements that a list or map collects in registers before it is appended to.
const BATCH: usize = 200;

impl Emitter {
    fn take_register(&mut self) -> Result<Reg> {
        let reg = self.next;
        if reg > 60_000 {
            return Err(self.too_large());
        }
        self.next += 1;
        self.most = self.most.max(self.next);
        Ok(reg)
    }

    fn too_large(&self) -> crate::text::Error {
        err!(Limit, "the function is too large to compile").label(self.span, "in here").help("split it in two")
    }

    fn op(&mut self, instr: Instr) -> usize {
        self.code.push(instr);
        self.spans.push(self.span);
        self.code.len() - 1
    }

    fn here(&self) -> u32 {
        self.code.len() as u32
    }

    /// Makes the jump at `at` go to the next instruction.
    fn land(&mut self, at: usize) -> Result<()> {
        let here = self.here();
        let short = u16::try_from(here).ok();
        match &mut self.code[at] {
            Instr::Jump { to } | Instr::JumpUnless { to, .. } | Instr::Try { to, .. } | Instr::TryFinally { to } => {
                *to = here
            }
            Instr::UnlessLess { to, .. }
            | Instr::UnlessLessEqual { to, .. }
            | Instr::UnlessGreater { to, .. }
            | Instr::UnlessGreaterEqual { to, .. }
            | Instr::UnlessEqual { to, .. }
            | Instr::UnlessNotEqual { to, .. }
            | Instr::UnlessLessInt { to, .. }
            | Instr::UnlessLessEqualInt { to, .. }
            | Instr::UnlessGreaterInt { to, .. }
            | Instr::UnlessGreaterEqualInt { to, .. }
            | Instr::UnlessEqualInt { to, .. }
            | Instr::UnlessNotEqualInt { to, .. }
            | Instr::UnlessGiven { to, .. } => match short {
                Some(here) => *to = here,
                None => return Err(self.too_large()),
            },
            other => unreachable!("{other:?} does not jump"),
        }
        Ok(())
    }

    fn constant(&mut self, value: &Value) -> u32 {
        let found = self.constants.iter().rev().take(32).position(|k| k.same(value) && !matches!(k, Value::Code(_)));
        match found {
            Some(back) => (self.constants.len() - 1 - back) as u32,
            None => {
                self.constants.push(value.clone());
                self.constants.len() as u32 - 1
            }
        }
    }

    fn global(&mut self, cell: &Arc<Cell>) -> u32 {
        *self.global_at.entry(Arc::as_ptr(cell)).or_insert_with(|| {
            self.globals.push(cell.clone());
            self.globals.len() as u32 - 1
        })
    }

    /// The register of a variable; another register that holds the value for the moment of anything else.
    fn operand(&mut self, id: Id) -> Result<Reg> {
        if let Kind::Var(var) = self.body.exprs[id].kind {
            return Ok(self.registers[var]);
        }
        let reg = self.take_register()?;
        self.to(id, reg)?;
        Ok(reg)
    }

    /// Runs `f` and gives back the registers it took.
    fn scoped<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let next = self.next;
        let result = f(self);
        self.next = next;
        result
    }

    fn small(&self, id: Id) -> Option<i16> {
        match &self.body.exprs[id].kind {
            Kind::Const(Value::Int(n)) => i16::try_from(*n).ok(),
            _ => None,
        }
    }

    /// Emits the expression for the last thing the function does.
    fn tail(&mut self, id: Id) -> Result<()> {
        deep(|| self.with(id, |e, kind| e.tail_kind(id, kind)))
    }

    /// Emits the expression so that its value ends up in `to`.
    fn to(&mut self, id: Id, to: Reg) -> Result<()> {
        deep(|| self.with(id, |e, kind| e.scoped(|e| e.kind_to(id, kind, to))))
    }

    /// Emits the expression for its effect.
    fn effect(&mut self, id: Id) -> Result<()> {
        self.scoped(|e| {
            if matches!(e.body.exprs[id].kind, Kind::Const(_) | Kind::Capture(_) | Kind::Itself) {
                return Ok(());
            }
            let reg = e.take_register()?;
            e.to(id, reg)
        })
    }

    /// Takes the expression out of the body while it is emitted; its parts lie elsewhere.
    fn with<T>(&mut self, id: Id, f: impl FnOnce(&mut Self, &mut Kind) -> Result<T>) -> Result<T> {
        let mut kind = std::mem::replace(&mut self.body.exprs[id].kind, Kind::Itself);
        let outer = std::mem::replace(&mut self.span, self.body.exprs[id].span);
        let result = f(self, &mut kind);
        self.span = outer;
        self.body.exprs[id].kind = kind;
        result
    }

    fn tail_kind(&mut self, id: Id, kind: &mut Kind) -> Result<()> {
        match kind {
            Kind::If(test, then, other) => {
                let (test, then, other) = (*test, *then, *other);
                let unless = self.test(test)?;
                self.tail(then)?;
                self.land_all(unless)?;
                self.tail(other)
            }
            Kind::Do(ids) => {
                let (last, before) = ids.split_last().expect("`do` is never empty here");
                before.iter().try_for_each(|&id| self.effect(id))?;
                self.tail(*last)
            }
            Kind::Let(bindings, body) => {
                let next = self.next;
                self.bind(bindings)?;
                self.tail(*body)?;
                self.next = next;
                Ok(())
            }
            Kind::Loop(bindings, body) => {
                let next = self.next;
                self.bind(bindings)?;
                self.loops.push(self.here());
                self.tail(*body)?;
                self.loops.pop();
                self.next = next;
                Ok(())
            }
            Kind::Recur(recur) => {
                let recur =
                    std::mem::replace(recur, super::syntax::Recur { args: vec![], vars: vec![], steps: vec![] });
                self.recur(recur)
            }
            Kind::Call(callee, args) if args.len() <= MOST_ARGS && self.body.access(*callee, args).is_none() => {
                let (callee, args) = (*callee, std::mem::take(args));
                self.scoped(|e| e.tail_call(callee, &args))
            }
            Kind::Var(var) => {
                let from = self.registers[*var];
                self.op(Instr::Return { from });
                Ok(())
            }
            _ => self.scoped(|e| {
                let reg = e.take_register()?;
                e.kind_to(id, kind, reg)?;
                e.op(Instr::Return { from: reg });
                Ok(())
            }),
        }
    }

    fn bind(&mut self, bindings: &[(Var, Id)]) -> Result<()> {
        for &(var, init) in bindings {
            let reg = self.take_register()?;
            self.to(init, reg)?;
            self.registers[var] = reg;
        }
        Ok(())
    }

    fn kind_to(&mut self, id: Id, kind: &mut Kind, to: Reg) -> Result<()> {
        match kind {
            Kind::Const(Value::Int(n)) if i32::try_from(*n).is_ok() => {
                self.op(Instr::Int { to, value: *n as i32 });
            }
            Kind::Const(value) => {
                let at = self.constant(value);
                self.op(Instr::Const { to, at });
            }
            Kind::Var(var) => {
                let from = self.registers[*var];
                if from != to {
                    let last = self.body.last[id];
                    self.op(if last { Instr::Take { to, from } } else { Instr::Copy { to, from } });
                }
            }
            Kind::Capture(at) => {
                self.op(Instr::Capture { to, at: *at });
            }
            Kind::Itself => {
                self.op(Instr::Itself { to });
            }
            Kind::Global(cell) => {
                let at = self.global(cell);
                self.op(Instr::Global { to, at });
            }
            Kind::Operator(operator, a, b) => self.operator(*operator, *a, *b, to)?,
            Kind::Call(callee, args) => {
                let (callee, args) = (*callee, std::mem::take(args));
                self.call(callee, &args, to)?;
            }
            Kind::If(test, then, other) => {
                let (test, then, other) = (*test, *then, *other);
                let unless = self.test(test)?;
                self.to(then, to)?;
                let end = self.op(Instr::Jump { to: 0 });
                self.land_all(unless)?;
                self.to(other, to)?;
                self.land(end)?;
            }
            Kind::Do(ids) => {
                let (last, before) = ids.split_last().expect("`do` is never empty here");
                before.iter().try_for_each(|&id| self.effect(id))?;
                self.to(*last, to)?;
            }
            Kind::Let(bindings, body) => {
                self.bind(bindings)?;
                self.to(*body, to)?;
            }
            Kind::Loop(bindings, body) => {
                self.bind(bindings)?;
                self.loops.push(self.here());
                self.to(*body, to)?;
                self.loops.pop();
            }
            Kind::Recur(recur) => {
                let recur =
                    std::mem::replace(recur, super::syntax::Recur { args: vec![], vars: vec![], steps: vec![] });
                self.recur(recur)?;
            }
            Kind::Fn(proto, sources) => {
                let mut proto = std::mem::replace(proto, Box::new(Proto::empty()));
                proto.captures = sources
                    .iter()
                    .map(|&(source, last)| match source {
                        Source::Var(var) if last => Captured::LastOfRegister(self.registers[var]),
                        Source::Var(var) => Captured::Register(self.registers[var]),
                        Source::Capture(n) => Captured::Capture(n),
                        Source::Itself => Captured::Itself,
                    })
                    .collect();
                self.protos.push(Arc::new(*proto));
                let at = self.protos.len() as u32 - 1;
                self.op(Instr::Closure { to, at });
            }
            Kind::List(ids) => {
                let ids = std::mem::take(ids);
                self.list(&ids, to)?;
            }
            Kind::Map(ids) => {
                let ids = std::mem::take(ids);
                let first = self.next;
                for &id in &ids {
                    let reg = self.take_register()?;
                    self.to(id, reg)?;
                }
                self.op(Instr::Map { to, first, len: ids.len() as u16 });
            }
            Kind::Def(definition, value) => {
                let reg = self.take_register()?;
                self.to(*value, reg)?;
                let definition = std::mem::replace(&mut **definition, Definition::empty());
                self.defs.push(definition);
                let at = self.defs.len() as u32 - 1;
                self.op(Instr::Def { from: reg, at });
                let at = self.constant(&Value::Nil);
                self.op(Instr::Const { to, at });
            }
            Kind::Try { body, catch, finally } => self.attempt(*body, *catch, *finally, to)?,
            Kind::Item(of, at) => {
                let from = self.operand(*of)?;
                self.op(Instr::Item { to, from, at: *at });
            }
            Kind::Rest(of, at) => {
                let from = self.operand(*of)?;
                self.op(Instr::Rest { to, from, at: *at });
            }
            Kind::Field(of, key) => {
                let from = self.operand(*of)?;
                let Ok(key) = u16::try_from(self.constant(key)) else { return Err(self.too_large()) };
                self.op(Instr::Field { to, from, key });
            }
            Kind::Default { param, value } => {
                let (param, value) = (*param, *value);
                let given = self.given.expect("defaults are computed only where `given` is wanted");
                let unless = self.op(Instr::UnlessGiven { given, at: param as u16, to: 0 });
                let from = self.registers[param];
                self.op(Instr::Copy { to, from });
                let end = self.op(Instr::Jump { to: 0 });
                self.land(unless)?;
                self.to(value, to)?;
                self.land(end)?;
            }
            Kind::Fresh(name) => {
                let at = self.constant(&Value::Str(name.clone()));
                self.op(Instr::Fresh { to, at });
            }
        }
        Ok(())
    }

    /// A long list is begun with some elements, and the others appended.
    fn list(&mut self, ids: &[Id], to: Reg) -> Result<()> {
        let (begin, more) = ids.split_at(ids.len().min(BATCH));
        let list = if more.is_empty() { to } else { self.take_register()? };
        self.scoped(|e| {
            let first = e.next;
            for &id in begin {
                let reg = e.take_register()?;
                e.to(id, reg)?;
            }
            e.op(Instr::List { to: list, first, len: begin.len() as u16 });
            Ok(())
        })?;
        for &id in more {
            self.scoped(|e| {
                let reg = e.take_register()?;
                e.to(id, reg)?;
                e.op(Instr::Push { to: list, from: reg });
                Ok(())
            })?;
        }
        if list != to {
            self.op(Instr::Take { to, from: list });
        }
        Ok(())
    }
}
