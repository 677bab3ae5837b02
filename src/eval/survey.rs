//! What the analysis of a program's forms comes across: the names it mentions, calls and defines, for who looks at a program
//! without running it.

use super::analyze::{self, Analyzer};
use super::closure::Closure;
use super::code::Proto;
use super::globals::{Cell, Namespace, Role};
use super::interpreter::Interpreter;
use super::syntax::{Expr, Id, Kind};
use crate::data::{Str, Task, Value};
use crate::err;
use crate::text::{Result, Span};
use rustc_hash::FxHashSet;
use std::cell::RefCell;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Survey {
    pub mentions: Vec<(Arc<Cell>, Span)>,
    pub calls: Vec<Call>,
    /// What the form at work defines, inner definitions first, and whether as a macro.
    pub definitions: Vec<(Arc<Cell>, bool)>,
    /// What it imports.
    pub imports: Vec<Import>,
    /// Names that are bound when the program runs, but not to what they are bound to now.
    pub unknown: FxHashSet<*const Cell>,
    /// Names may be bound that were not come across: nothing can be said of those that are not.
    pub blind: bool,
    /// What the form at work is cannot be told.
    pub unsure: bool,
    /// Clauses around that catch what fails.
    pub caught: usize,
}

/// A call of a global name.
pub(super) struct Call {
    pub callee: Arc<Cell>,
    /// Nothing of those that are computed.
    pub args: Vec<Option<Value>>,
    pub span: Span,
}

pub(super) struct Import {
    pub path: Option<Str>,
    pub prefix: Option<Str>,
    pub span: Span,
}

impl Survey {
    /// Takes note of an expression that is added to others.
    pub fn note(&mut self, interpreter: &Interpreter, kind: &Kind, span: Span, exprs: &[Expr]) {
        match kind {
            Kind::Global(cell) => {
                // What it evaluates may define anything.
                self.blind |= cell.name == "eval";
                if self.caught == 0 {
                    self.mentions.push((cell.clone(), span));
                }
            }
            Kind::Def(definition, _) => self.definitions.push((definition.global.clone(), definition.is_macro)),
            Kind::Call(callee, args) => match &exprs[*callee].kind {
                Kind::Global(cell) if self.caught == 0 => {
                    let args = args.iter().map(|&arg| literal(exprs, arg)).collect();
                    self.calls.push(Call { callee: cell.clone(), args, span });
                }
                Kind::Const(Value::Function(f)) if Arc::ptr_eq(f, &interpreter.internals.import) => {
                    let text = |at: usize| args.get(at).and_then(|&arg| literal(exprs, arg)?.as_text().map(Str::from));
                    self.imports.push(Import { path: text(0), prefix: text(1), span });
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Whether what a macro expands to cannot be told: it looks at what is not known now.
    fn is_unsure(&self, interpreter: &Interpreter, macro_cell: &Arc<Cell>) -> bool {
        if !interpreter.has_role(macro_cell, Role::Macro) || interpreter.is_of_language(macro_cell) {
            return false;
        }
        let mut seen: FxHashSet<*const Cell> = FxHashSet::default();
        let mut open = vec![macro_cell.clone()];
        while let Some(cell) = open.pop() {
            if !seen.insert(Arc::as_ptr(&cell)) {
                continue;
            }
            if self.unknown.contains(&Arc::as_ptr(&cell)) {
                return true;
            }
            if let Some(Value::Function(f)) = interpreter.value_of(&cell)
                && let Some(closure) = Closure::of(&f)
            {
                mentioned(&closure.proto, &mut open);
            }
        }
        false
    }
}

/// The global names that code mentions.
fn mentioned(proto: &Proto, all: &mut Vec<Arc<Cell>>) {
    all.extend(proto.globals.iter().cloned());
    proto.protos.iter().for_each(|inner| mentioned(inner, all));
}

/// The value of an expression that is a literal; of others that make no keyword, nil.
fn literal(exprs: &[Expr], id: Id) -> Option<Value> {
    match &exprs[id].kind {
        Kind::Const(value) => Some(value.clone()),
        Kind::List(_) | Kind::Map(_) | Kind::Fn(..) | Kind::Operator(..) => Some(Value::Nil),
        _ => None,
    }
}

impl Interpreter {
    /// What a name is bound to, also as a macro.
    pub(super) fn value_of(&self, cell: &Cell) -> Option<Value> {
        let running = self.globals.enter();
        let value = cell.get(&running).map(|binding| binding.value.clone());
        self.globals.leave(running);
        value
    }

    fn is_of_language(&self, cell: &Arc<Cell>) -> bool {
        self.language.bound(&cell.name).is_some_and(|own| Arc::ptr_eq(&own, cell))
    }

    /// Whether that is what a name is bound as.
    pub(super) fn has_role(&self, cell: &Cell, role: Role) -> bool {
        let running = self.globals.enter();
        let has = cell.get(&running).is_some_and(|binding| binding.role == role);
        self.globals.leave(running);
        has
    }
}

/// Compiles a top-level form for who wants to know what is in it.
pub(super) fn surveyed(
    interpreter: &Interpreter,
    namespace: &Arc<Namespace>,
    form: &Task,
    survey: &RefCell<Survey>,
) -> Result<Proto> {
    analyze::compiled(Analyzer::new(interpreter, namespace, Some(survey)), form)
}

/// A top-level form with the macro it is a call of expanded, for who wants to know what is in it.
pub(super) fn expanded(
    interpreter: &Interpreter,
    namespace: &Arc<Namespace>,
    form: &Task,
    survey: &RefCell<Survey>,
) -> Result<Task> {
    Analyzer::new(interpreter, namespace, Some(survey)).expanded(form)
}

impl Analyzer<'_> {
    /// Runs `f` on what stands in a `try`, with a clause that catches or without.
    pub fn tried<T>(&mut self, catches: bool, f: impl FnOnce(&mut Self) -> T) -> T {
        let survey = self.survey.filter(|_| catches);
        let caught = |by: isize| {
            if let Some(survey) = survey {
                let caught = &mut survey.borrow_mut().caught;
                *caught = caught.saturating_add_signed(by);
            }
        };
        caught(1);
        let result = f(self);
        caught(-1);
        result
    }

    /// Refuses the call of a macro of which cannot be told what it expands to.
    pub fn must_be_sure(&self, namespace: &Namespace, name: &str, form: &Task) -> Result<()> {
        let Some(survey) = self.survey else { return Ok(()) };
        let is_unsure = |cell| survey.borrow().is_unsure(self.interpreter, &cell);
        if !namespace.bound(name).is_some_and(is_unsure) {
            return Ok(());
        }
        survey.borrow_mut().unsure = true;
        Err(err!(Internal, "what `{name}` expands to is not known").label(form.span, "here"))
    }
}
