//! `dsk check`: what is wrong with a program that can be told without running it.
//!
//! Every form is compiled as if it were to run, which tells of syntax and expands macros; then what names mean is looked at,
//! when all definitions are known. Only definitions of functions are carried out, and calls of ops on arrays whose arguments
//! are known: lazy arrays and small ones, for their shapes. Whatever else a name is bound to is not known, and nothing is said
//! of it; nor of what stands in a `try` that catches. So a program that runs is not found fault with, but for names and calls
//! in functions that it never comes to.

use super::globals::{Binding, Cell, Namespace, Role};
use super::interpreter::Interpreter;
use super::quasi::native;
use super::survey::{self, Call, Import, Survey};
use crate::data::{Form, ParamKind, Signature, Task, Value, task::deep};
use crate::err;
use crate::op::Kind;
use crate::read::Forms;
use crate::text::{Code, Error, Result, SourceId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::RefCell;
use std::sync::Arc;

/// Forms that bind a global name.
const DEFINITIONS: &[&str] = &["def", "defn", "deftask", "defmacro"];

impl Interpreter {
    /// All that can be told to be wrong with a program. Macros run, and the modules that are imported are looked at too;
    /// nothing else happens. The interpreter is not good for running the program afterwards.
    pub fn check(&self, name: &str, text: &str) -> Vec<Error> {
        let source = self.sources().add(name, text);
        let mut check = Check {
            interpreter: self,
            survey: RefCell::default(),
            arrays: FxHashSet::default(),
            loose: FxHashSet::default(),
            definitions: FxHashMap::default(),
            problems: Vec::new(),
        };
        check.leave_open(&self.main.own("args"));
        check.text(source, text, &self.main);
        check.names(source);
        let mut problems = check.problems;
        problems.retain(|error| is_in(error, source));
        problems.sort_by_key(|error| (error.span().start, error.span().end));
        problems.dedup_by(|a, b| a.code() == b.code() && a.span() == b.span());
        problems
    }
}

struct Check<'a> {
    interpreter: &'a Interpreter,
    survey: RefCell<Survey>,
    /// Names of arrays that were made.
    arrays: FxHashSet<*const Cell>,
    /// Names that are bound when a function is called, or under a condition: what they are bound to is never known.
    loose: FxHashSet<*const Cell>,
    /// How often names are defined.
    definitions: FxHashMap<*const Cell, usize>,
    problems: Vec<Error>,
}

impl Check<'_> {
    fn text(&mut self, source: SourceId, text: &str, namespace: &Arc<Namespace>) {
        for form in Forms::new(source, text) {
            match form {
                Ok(form) => self.top_level(namespace, &form),
                Err(error) => {
                    // It may have been a definition.
                    self.survey.get_mut().blind = true;
                    self.problems.push(error);
                }
            }
        }
    }

    /// As [`Interpreter::eval_in`] takes forms apart.
    fn top_level(&mut self, namespace: &Arc<Namespace>, form: &Task) {
        match &form.form {
            Form::Call(items) if form.is_call_of("do") => {
                deep(|| items[1..].iter().for_each(|form| self.top_level(namespace, form)));
            }
            _ => {
                if let Err(error) = self.form(namespace, form) {
                    let survey = self.survey.get_mut();
                    survey.definitions.clear();
                    survey.imports.clear();
                    if std::mem::take(&mut survey.unsure) {
                        survey.blind = true;
                        return;
                    }
                    // What a module's macro throws points at the module alone.
                    let is_told = is_in(&error, form.span.source);
                    self.problems.push(if is_told { error } else { error.label(form.span, "in this form") });
                    self.lost(namespace, form);
                }
            }
        }
    }

    /// Leaves open what a form seems to define that is wrong.
    fn lost(&mut self, namespace: &Arc<Namespace>, form: &Task) {
        let mut names = Vec::new();
        form.walk(&mut |part| match &part.form {
            Form::Call(items) if DEFINITIONS.iter().any(|how| part.is_call_of(how)) => {
                names.extend(items.get(1).and_then(Task::as_symbol).map(|name| (name, part.is_call_of("defmacro"))));
            }
            _ => {}
        });
        for (name, is_macro) in names {
            self.survey.get_mut().blind |= is_macro;
            self.leave_open(&namespace.own(name));
        }
    }

    fn form(&mut self, namespace: &Arc<Namespace>, form: &Task) -> Result<()> {
        let form = &survey::expanded(self.interpreter, namespace, form, &self.survey)?;
        survey::surveyed(self.interpreter, namespace, form, &self.survey)?;
        let survey = self.survey.get_mut();
        let definitions = std::mem::take(&mut survey.definitions);
        let imports = std::mem::take(&mut survey.imports);
        for (cell, is_macro) in &definitions {
            *self.definitions.entry(Arc::as_ptr(cell)).or_default() += 1;
            // Calls of a macro that is defined when others run are not calls.
            survey.blind |= *is_macro && !form.is_call_of("defmacro");
        }
        let mut open: Vec<Arc<Cell>> = definitions.into_iter().map(|(cell, _)| cell).collect();
        let is_definition = DEFINITIONS.iter().any(|how| form.is_call_of(how));
        let own = if is_definition { open.pop() } else { None };
        for cell in &open {
            self.loose.insert(Arc::as_ptr(cell));
            self.leave_open(cell);
        }
        if is_function(form) {
            self.interpreter.eval_in(namespace, form)?;
            if let Some(own) = own {
                self.arrays.remove(&Arc::as_ptr(&own));
                self.make_known(&own);
            }
        } else {
            let is_known = !self.survey.get_mut().blind && self.makes_known(namespace, form, own.as_ref());
            match own {
                Some(own) if is_known => {
                    self.arrays.insert(Arc::as_ptr(&own));
                    self.make_known(&own);
                }
                Some(own) => self.leave_open(&own),
                None => {}
            }
        }
        imports.into_iter().try_for_each(|import| self.import(form, import))
    }

    fn make_known(&mut self, cell: &Arc<Cell>) {
        if !self.loose.contains(&Arc::as_ptr(cell)) {
            self.survey.get_mut().unknown.remove(&Arc::as_ptr(cell));
        }
    }

    /// Binds a name to what nobody can do anything with.
    fn leave_open(&mut self, cell: &Arc<Cell>) {
        let unknown = native("unknown", |_| Err(err!(Internal, "what is not known was called")));
        self.interpreter.globals.set(cell, Binding::new(Value::Function(unknown), Role::Value));
        self.survey.get_mut().unknown.insert(Arc::as_ptr(cell));
        self.arrays.remove(&Arc::as_ptr(cell));
    }

    fn import(&mut self, form: &Task, import: Import) -> Result<()> {
        let Import { path: Some(path), prefix, span } = import else {
            self.survey.get_mut().blind = true;
            return Ok(());
        };
        let interpreter = self.interpreter;
        let done = interpreter.import_by(&path, prefix.as_deref(), span, &mut |source, text, module| {
            self.text(source, text, module);
            Ok(())
        });
        match done {
            Err(error) if form.is_call_of("import") => Err(error),
            // It may be that it is not asked for.
            Err(_) => {
                self.survey.get_mut().blind = true;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Makes the arrays of a form that are known, and says what is wrong with their shapes. Whether that is all of the form, so that
    /// the name is bound to what it is to mean.
    fn makes_known(&mut self, namespace: &Arc<Namespace>, form: &Task, own: Option<&Arc<Cell>>) -> bool {
        let mut calls = Vec::new();
        let value = match &form.form {
            Form::Call(items) if own.is_some() => items.last().unwrap_or(form),
            _ => form,
        };
        let is_known = self.is_known(namespace, value, &mut calls);
        let is_loose = own.is_some_and(|own| self.loose.contains(&Arc::as_ptr(own)));
        if is_known {
            calls = vec![if is_loose { value.clone() } else { form.clone() }];
        }
        let mut is_made = is_known && !is_loose;
        for call in calls {
            if let Err(error) = self.interpreter.eval_in(namespace, &call) {
                is_made = false;
                if !is_of_the_host(error.code()) {
                    self.problems.push(error.at(call.span));
                }
            }
        }
        is_made
    }

    /// Whether the value of a form is known without doing more than to make lazy arrays, small ones, and plain data. If not, the
    /// calls in it that are, and that are carried out whenever the form is.
    fn is_known(&self, namespace: &Arc<Namespace>, form: &Task, calls: &mut Vec<Task>) -> bool {
        match &form.form {
            Form::Data(value) => !matches!(value, Value::Function(_) | Value::Regex(_)),
            Form::Key(key) if key.index.is_empty() => {
                namespace.bound(&key.name).is_some_and(|cell| self.arrays.contains(&Arc::as_ptr(&cell)))
            }
            Form::List(items) => self.all_known(namespace, items, calls),
            Form::Map(pairs) => {
                let parts: Vec<Task> = pairs.iter().flat_map(|(key, value)| [key.clone(), value.clone()]).collect();
                self.all_known(namespace, &parts, calls)
            }
            Form::Call(items) => {
                let Some((head, args)) = items.split_first() else { return false };
                let Some(name) = head.as_symbol().filter(|name| !self.interpreter.is_form(name)) else { return false };
                let Some(cell) = namespace.bound(name) else { return false };
                if self.interpreter.has_role(&cell, Role::Macro) {
                    return false;
                }
                let is_array = self.arrays.contains(&Arc::as_ptr(&cell));
                let is_op = self.interpreter.has_role(&cell, Role::Op) && self.makes_arrays(name);
                let all = self.all_known(namespace, args, calls);
                if all && !(is_array || is_op) {
                    calls.extend(args.iter().filter(has_calls).cloned());
                }
                all && (is_array || is_op)
            }
            _ => false,
        }
    }

    fn all_known(&self, namespace: &Arc<Namespace>, forms: &[Task], calls: &mut Vec<Task>) -> bool {
        let known: Vec<bool> = forms.iter().map(|form| deep(|| self.is_known(namespace, form, calls))).collect();
        let all = known.iter().all(|known| *known);
        if !all {
            let known = forms.iter().zip(known).filter(|(_, known)| *known).map(|(form, _)| form);
            calls.extend(known.filter(has_calls).cloned());
        }
        all
    }

    /// Whether an op only makes arrays, or numbers, of what it is given.
    fn makes_arrays(&self, name: &str) -> bool {
        let is_of_arrays = self.interpreter.op_info(name).is_some_and(|op| matches!(op.kind, Kind::Array(..)));
        let function = self.interpreter.op_named(name);
        // A broadcast array takes no memory, but what is made of it as long as its shape says.
        name == ":"
            || name != "broadcast-to"
                && is_of_arrays
                && function.is_some_and(|f| f.callable.state(self.interpreter).is_some())
    }

    /// Says what is wrong with names and calls, now that all definitions are known.
    fn names(&mut self, source: SourceId) {
        let survey = std::mem::take(self.survey.get_mut());
        if survey.blind {
            return;
        }
        for (cell, span) in &survey.mentions {
            let is_bound = cell.is_bound() || self.interpreter.main.bound(&cell.name).is_some();
            if span.source == source && !is_bound {
                self.problems.push(self.interpreter.unbound(&cell.name, *span));
            }
        }
        for call in &survey.calls {
            let callee = Arc::as_ptr(&call.callee);
            let is_one = self.definitions.get(&callee).is_none_or(|times| *times == 1);
            if call.span.source == source && is_one && !survey.unknown.contains(&callee) {
                self.problems.extend(self.arity(call));
            }
        }
    }

    fn arity(&self, call: &Call) -> Option<Error> {
        let Some(Value::Function(function)) = self.interpreter.value_of(&call.callee) else { return None };
        let args = call.args.iter().map(|arg| arg.clone().unwrap_or_default()).collect();
        let error = function.signature.bind(&function.name, args, call.span).err()?;
        (!may_fit(&function.signature, &call.args)).then_some(error)
    }
}

/// Whether arguments that seem too many may fit, because one that is computed may be the name of the next.
fn may_fit(signature: &Signature, args: &[Option<Value>]) -> bool {
    let by_name = |kind: &ParamKind| matches!(kind, ParamKind::Optional | ParamKind::Keyword);
    let takes_names = signature.named || signature.params.iter().any(|param| by_name(&param.kind));
    let is_stray = |arg: &Value| matches!(arg, Value::Keyword(name) if signature.named(name).is_none());
    let has_slip = signature.strict && args.iter().flatten().any(is_stray);
    let before = &args[..args.len().saturating_sub(1)];
    takes_names && !has_slip && args.len() >= signature.arity().0 && before.iter().any(Option::is_none)
}

/// Whether there is something in a form that may be wrong.
fn has_calls(form: &&Task) -> bool {
    matches!(form.form, Form::Call(_) | Form::List(_))
}

/// Whether an error points at a text.
fn is_in(error: &Error, source: SourceId) -> bool {
    error.labels().iter().any(|label| label.span.source == source)
}

/// Whether a form defines a function, and does nothing else.
fn is_function(form: &Task) -> bool {
    let Form::Call(items) = &form.form else { return false };
    let plain = |t: &Task| matches!(t.form, Form::Data(_));
    match items.first().and_then(Task::as_symbol).map(|head| head.as_str()) {
        Some("defn" | "defmacro") => true,
        Some("deftask") => items.iter().skip(2).take_while(|t| !matches!(t.form, Form::List(_))).all(plain),
        Some("def") => items.last().is_some_and(|value| value.is_call_of("fn")),
        _ => false,
    }
}

/// Errors that have to do with where a program runs.
fn is_of_the_host(code: Code) -> bool {
    matches!(code, Code::Memory | Code::Limit | Code::Io | Code::Interrupted | Code::Internal)
}
