//! Quasiquote: code with holes. `~x` puts a value in, `~@xs` the items of a list, `name#` is a symbol that is fresh
//! every time the template is filled in.

use super::analyze::{Analyzer, syntax};
use super::syntax::{Id, Kind, Var};
use crate::data::function::Native;
use crate::data::{Args, Form, Function, Map, Param, ParamKind, Signature, Str, Task, Value, task::deep};
use crate::text::{Result, Span};
use std::sync::Arc;

/// Functions that compiled code calls without a name.
pub(super) struct Internals {
    /// A call from the list of its parts.
    pub call_of: Arc<Function>,
    /// Lists, end to end.
    pub joined: Arc<Function>,
    /// A map from a list of keys and values.
    pub map_of: Arc<Function>,
    /// A lazy call: callee and arguments.
    pub delayed: Arc<Function>,
    /// Calls its first argument with the others.
    pub apply: Arc<Function>,
    /// A lazy value.
    pub lazy_value: Arc<Function>,
    /// Raises its argument.
    pub throw: Arc<Function>,
    /// What `deftask` defines: a function, its name for keys, and whether it is pure.
    pub lazy_function: Arc<Function>,
    pub import: Arc<Function>,
    pub doc: Arc<Function>,
    pub source: Arc<Function>,
}

impl Internals {
    pub fn new() -> Self {
        Internals {
            call_of: native("call-of", call_of),
            joined: native("joined", joined),
            map_of: native("map-of", map_of),
            delayed: native("delay", super::forms::delayed),
            apply: native("apply", super::forms::apply),
            lazy_value: native("delay", super::forms::lazy_value),
            throw: native("throw", super::forms::throw),
            lazy_function: native("deftask", super::forms::lazy_function),
            import: native("import", super::forms::import_module),
            doc: native("doc", super::help::doc),
            source: native("source", super::help::source),
        }
    }
}

/// A function of any number of arguments, all in `rest`.
pub(super) fn native(name: &'static str, f: fn(Args) -> Result<Value>) -> Arc<Function> {
    let rest = Param { name: Str::from("args"), kind: ParamKind::Rest, default: Value::Nil };
    Arc::new(Function {
        name: Str::from(name),
        signature: Arc::new(Signature { params: vec![rest], ..Signature::default() }),
        doc: None,
        cost: Default::default(),
        memory: Default::default(),
        callable: Box::new(Native(f)),
    })
}

fn call_of(args: Args) -> Result<Value> {
    let items = args.rest.first().and_then(Value::as_list).unwrap_or_default();
    let items = items.iter().map(|v| Task::from_quoted(v, Span::NONE)).collect();
    Ok(Value::Code(Arc::new(Task::call(items))))
}

fn joined(args: Args) -> Result<Value> {
    let mut all = Vec::new();
    for part in &args.rest {
        match part {
            Value::List(items) => all.extend(items.iter().cloned()),
            Value::Nil => {}
            Value::Map(map) => all.extend(map.iter().map(|(k, v)| Value::list(vec![k.clone(), v.clone()]))),
            Value::Code(task) => match &task.form {
                Form::Call(items) => all.extend(items.iter().map(Task::quoted)),
                _ => return Err(not_spliced(part, args.span)),
            },
            other => return Err(not_spliced(other, args.span)),
        }
    }
    Ok(Value::list(all))
}

fn not_spliced(value: &Value, span: Span) -> crate::text::Error {
    crate::err!(Type, "`~@` puts in the items of a list, not {}", value.a_type_name()).label(span, "in this template")
}

fn map_of(args: Args) -> Result<Value> {
    let items = args.rest.first().and_then(Value::as_list).unwrap_or_default();
    let mut map = Map::with_capacity(items.len() / 2);
    for pair in items.chunks_exact(2) {
        map.insert(pair[0].clone(), pair[1].clone()).map_err(|key| super::call::bad_key(&key).at(args.span))?;
    }
    Ok(Value::map(map))
}

/// A template being compiled.
struct Template {
    /// Fresh symbols: what stands before the `#`, and the variable that holds the symbol.
    fresh: Vec<(Str, Var)>,
    bindings: Vec<(Var, Id)>,
}

impl Analyzer<'_> {
    pub fn quasiquote(&mut self, template: &Task) -> Result<Id> {
        let mut t = Template { fresh: Vec::new(), bindings: Vec::new() };
        let id = self.template(template, 1, &mut t)?;
        if t.bindings.is_empty() { Ok(id) } else { Ok(self.add(Kind::Let(t.bindings, id), template.span)) }
    }

    fn template(&mut self, task: &Task, level: usize, t: &mut Template) -> Result<Id> {
        deep(|| self.template_part(task, level, t))
    }

    fn template_part(&mut self, task: &Task, level: usize, t: &mut Template) -> Result<Id> {
        let span = task.span;
        match &task.form {
            Form::Key(key) if key.index.is_empty() => match key.name.strip_suffix('#') {
                Some(name) if !name.is_empty() => {
                    let var = match t.fresh.iter().find(|(n, _)| n == name) {
                        Some((_, var)) => *var,
                        None => {
                            let name = Str::from(name);
                            let id = self.add(Kind::Fresh(name.clone()), span);
                            let var = self.new_var();
                            t.bindings.push((var, id));
                            t.fresh.push((name, var));
                            var
                        }
                    };
                    Ok(self.add(Kind::Var(var), span))
                }
                _ => {
                    // A module's symbols say where they come from, so that they mean there what they mean here.
                    let at = if self.is_module() { span } else { Span::NONE };
                    let symbol = Task::symbol(key.name.clone()).with_span(at);
                    Ok(self.add(Kind::Const(Value::Code(Arc::new(symbol))), span))
                }
            },
            Form::Call(items) => {
                if let [_, hole] = &items[..] {
                    if task.is_call_of("unquote") {
                        return match level {
                            1 => self.expr(hole, false),
                            _ => self.nested("unquote", hole, level - 1, t, span),
                        };
                    }
                    if task.is_call_of("quasiquote") {
                        return self.nested("quasiquote", hole, level + 1, t, span);
                    }
                    if task.is_call_of("unquote-splicing") && level == 1 {
                        return Err(syntax(
                            span,
                            "`~@` stands inside a list or a call",
                            "there is nothing to put this into",
                        ));
                    }
                }
                let list = self.template_items(items, level, t, span)?;
                let call_of = self.function_const(&self.interpreter.internals.call_of.clone(), span);
                Ok(self.add(Kind::Call(call_of, vec![list]), span))
            }
            Form::List(items) => self.template_items(items, level, t, span),
            Form::Map(pairs) => {
                let mut ids = Vec::new();
                for (key, value) in pairs.iter() {
                    ids.push(self.template(key, level, t)?);
                    ids.push(self.template(value, level, t)?);
                }
                let list = self.add(Kind::List(ids), span);
                let map_of = self.function_const(&self.interpreter.internals.map_of.clone(), span);
                Ok(self.add(Kind::Call(map_of, vec![list]), span))
            }
            _ => Ok(self.add(Kind::Const(task.quoted()), span)),
        }
    }

    /// A quasiquote in a quasiquote, or a hole of the inner one.
    fn nested(&mut self, head: &str, hole: &Task, level: usize, t: &mut Template, span: Span) -> Result<Id> {
        let head = self.add(Kind::Const(Value::symbol(head)), span);
        let hole = self.template(hole, level, t)?;
        let list = self.add(Kind::List(vec![head, hole]), span);
        let call_of = self.function_const(&self.interpreter.internals.call_of.clone(), span);
        Ok(self.add(Kind::Call(call_of, vec![list]), span))
    }

    /// The items as a list; where some are spliced, lists end to end.
    fn template_items(&mut self, items: &[Task], level: usize, t: &mut Template, span: Span) -> Result<Id> {
        let mut parts: Vec<Id> = Vec::new();
        let mut run: Vec<Id> = Vec::new();
        for item in items {
            let spliced = match &item.form {
                Form::Call(call) if level == 1 && call.len() == 2 && item.is_call_of("unquote-splicing") => {
                    Some(&call[1])
                }
                _ => None,
            };
            match spliced {
                Some(hole) => {
                    if !run.is_empty() {
                        let list = std::mem::take(&mut run);
                        parts.push(self.add(Kind::List(list), span));
                    }
                    parts.push(self.expr(hole, false)?);
                }
                None => run.push(self.template(item, level, t)?),
            }
        }
        if parts.is_empty() {
            return Ok(self.add(Kind::List(run), span));
        }
        if !run.is_empty() {
            parts.push(self.add(Kind::List(run), span));
        }
        let joined = self.function_const(&self.interpreter.internals.joined.clone(), span);
        Ok(self.add(Kind::Call(joined, parts), span))
    }
}
