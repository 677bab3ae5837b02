//! Parameter lists, and patterns that take values apart.
//!
//! `[a b]`, `[x :axis 0]`, `[f & xs]`, `[f & xs :sep ","]`; in the place of a name `[a [b c] & more :as all]` or
//! `{:keys [a b] k :key :or {a 1} :as m}`.

use super::analyze::{Analyzer, syntax};
use super::syntax::{Id, Kind, Var};
use crate::data::{Form, Param, ParamKind, Signature, Str, Task, Value, task::deep};
use crate::err;
use crate::text::Result;

/// More parameters than a signature's bits can tell.
const MOST: usize = 60;

pub(super) struct Params {
    pub signature: Signature,
    pub specs: Vec<Spec>,
}

/// One parameter.
pub(super) struct Spec {
    pub pattern: Task,
    /// The default, where it has to be computed at every call.
    pub default: Option<Task>,
}

impl Params {
    pub fn parse(list: &Task) -> Result<Params> {
        let Form::List(items) = &list.form else {
            return Err(syntax(list.span, "a function's parameters are a list", "expected `[…]` here"));
        };
        let mut params = Params { signature: Signature::default(), specs: Vec::new() };
        let mut items = items.iter();
        let mut after_rest = false;
        while let Some(item) = items.next() {
            match &item.form {
                Form::Key(key) if key.name == "&" => {
                    let Some(rest) = items.next() else {
                        return Err(syntax(item.span, "`&` takes the rest of the arguments", "no name follows"));
                    };
                    if after_rest {
                        return Err(syntax(item.span, "only one parameter takes the rest", "this is the second"));
                    }
                    after_rest = true;
                    params.add(rest, ParamKind::Rest, None)?;
                }
                Form::Data(Value::Keyword(name)) => {
                    let Some(default) = items.next() else {
                        let label = format!("as in `:{name} nil`");
                        return Err(syntax(item.span, format!("the parameter `:{name}` needs a default"), label));
                    };
                    let kind = if after_rest { ParamKind::Keyword } else { ParamKind::Optional };
                    let name = Task::symbol(name.clone()).with_span(item.span);
                    params.add(&name, kind, Some(default))?;
                }
                _ if after_rest => {
                    return Err(syntax(
                        item.span,
                        "nothing but keywords follows the rest of the arguments",
                        "found here",
                    ));
                }
                _ if params.signature.params.iter().any(|p| p.kind == ParamKind::Optional) => {
                    return Err(syntax(
                        item.span,
                        "a parameter without a default follows one with a default",
                        "this one",
                    ));
                }
                _ => params.add(item, ParamKind::Required, None)?,
            }
        }
        if params.specs.len() > MOST {
            return Err(err!(Limit, "a function has at most {MOST} parameters").label(list.span, "these are more"));
        }
        Ok(params)
    }

    fn add(&mut self, pattern: &Task, kind: ParamKind, default: Option<&Task>) -> Result<()> {
        let name = match &pattern.form {
            Form::Key(key) if key.index.is_empty() => key.name.clone(),
            Form::List(_) | Form::Map(_) => self.pattern_name(pattern),
            _ => return Err(syntax(pattern.span, "a parameter is a name, or a pattern", "found here")),
        };
        if self.signature.params.iter().any(|p| p.name == name) && name != "_" {
            return Err(syntax(pattern.span, format!("the parameter `{name}` is there twice"), "the second"));
        }
        let (constant, computed) = match default {
            None => (Value::Nil, None),
            Some(task) => match data(task) {
                Some(value) => (value, None),
                None => (Value::Nil, Some(task.clone())),
            },
        };
        self.signature.params.push(Param { name, kind, default: constant });
        self.specs.push(Spec { pattern: pattern.clone(), default: computed });
        Ok(())
    }

    /// What usage lines call a parameter that is taken apart: the name it gives the whole, or its position.
    fn pattern_name(&self, pattern: &Task) -> Str {
        let whole = match &pattern.form {
            Form::List(items) => items.iter().position(|t| is_keyword(t, "as")).and_then(|at| items.get(at + 1)),
            Form::Map(pairs) => pairs.iter().find(|(k, _)| is_keyword(k, "as")).map(|(_, v)| v),
            _ => None,
        };
        match whole.and_then(Task::as_symbol) {
            Some(name) => name.clone(),
            None => Str::from(format!("arg{}", self.specs.len() + 1)),
        }
    }

    pub fn computes_defaults(&self) -> bool {
        self.specs.iter().any(|s| s.default.is_some())
    }
}

/// The value of a form that is nothing but data.
fn data(task: &Task) -> Option<Value> {
    match &task.form {
        Form::Data(value) => Some(value.clone()),
        Form::List(items) => deep(|| items.iter().map(data).collect::<Option<Vec<_>>>().map(Value::list)),
        Form::Map(pairs) if pairs.is_empty() => Some(Value::map(Default::default())),
        _ => None,
    }
}

fn is_keyword(task: &Task, name: &str) -> bool {
    matches!(&task.form, Form::Data(Value::Keyword(k)) if k == name)
}

impl Analyzer<'_> {
    /// Binds the names of a pattern to the parts of the value of `var`: brings them into scope, and adds the bindings
    /// that compute them.
    pub fn pattern(&mut self, pattern: &Task, var: Var, bindings: &mut Vec<(Var, Id)>) -> Result<()> {
        let span = pattern.span;
        match &pattern.form {
            Form::Key(key) if key.index.is_empty() => {
                self.bring(key.name.clone(), var, span);
                Ok(())
            }
            Form::List(items) => deep(|| self.list_pattern(items, var, bindings)),
            Form::Map(pairs) => deep(|| self.map_pattern(pairs, var, bindings)),
            _ => Err(syntax(span, "only names and patterns can be bound", "found here")
                .help("patterns are `[a b & more :as all]` and `{:keys [a b] c :key}`")),
        }
    }

    /// A part of a value, bound to a pattern.
    fn part(&mut self, pattern: &Task, kind: Kind, bindings: &mut Vec<(Var, Id)>) -> Result<()> {
        let id = self.add(kind, pattern.span);
        let var = self.new_var();
        bindings.push((var, id));
        self.pattern(pattern, var, bindings)
    }

    fn list_pattern(&mut self, items: &[Task], var: Var, bindings: &mut Vec<(Var, Id)>) -> Result<()> {
        let mut at = 0u16;
        let mut items = items.iter();
        while let Some(item) = items.next() {
            if is_keyword(item, "as") {
                match items.next() {
                    Some(whole) => self.pattern(whole, var, bindings)?,
                    None => return Err(syntax(item.span, "`:as` names the whole value", "no name follows")),
                }
                continue;
            }
            let of = self.add(Kind::Var(var), item.span);
            if item.as_symbol().is_some_and(|s| s == "&") {
                let Some(rest) = items.next() else {
                    return Err(syntax(item.span, "`&` takes the rest", "no name follows"));
                };
                self.part(rest, Kind::Rest(of, at), bindings)?;
                continue;
            }
            if at == u16::MAX {
                return Err(err!(Limit, "the pattern has too many parts").label(item.span, "up to here"));
            }
            self.part(item, Kind::Item(of, at), bindings)?;
            at += 1;
        }
        Ok(())
    }

    fn map_pattern(&mut self, pairs: &[(Task, Task)], var: Var, bindings: &mut Vec<(Var, Id)>) -> Result<()> {
        let defaults = pairs.iter().find(|(k, _)| is_keyword(k, "or")).map(|(_, v)| v.clone());
        for (left, right) in pairs {
            if is_keyword(left, "or") {
                continue;
            }
            if is_keyword(left, "as") {
                self.pattern(right, var, bindings)?;
                continue;
            }
            if is_keyword(left, "keys") {
                let Form::List(names) = &right.form else {
                    return Err(syntax(right.span, "`:keys` takes a list of names", "found here"));
                };
                for name in names.iter() {
                    let Some(text) = name.as_symbol() else {
                        return Err(syntax(name.span, "`:keys` takes a list of names", "this is not a symbol"));
                    };
                    let key = Value::Keyword(text.clone());
                    self.field(name, key, var, defaults.as_ref(), bindings)?;
                }
                continue;
            }
            let Some(key) = data(right) else {
                return Err(
                    syntax(right.span, "a key in a pattern is data", "found here").help("as in `{a :a b \"b\"}`")
                );
            };
            self.field(left, key, var, defaults.as_ref(), bindings)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        pattern: &Task,
        key: Value,
        var: Var,
        defaults: Option<&Task>,
        bindings: &mut Vec<(Var, Id)>,
    ) -> Result<()> {
        let span = pattern.span;
        let default = defaults.and_then(|d| match &d.form {
            Form::Map(pairs) => pairs.iter().find(|(k, _)| k == pattern).map(|(_, v)| v),
            _ => None,
        });
        let of = self.add(Kind::Var(var), span);
        let Some(default) = default else {
            return self.part(pattern, Kind::Field(of, key), bindings);
        };
        // What is absent, or nil, has its default.
        let found = self.add(Kind::Field(of, key), span);
        let temporary = self.new_var();
        bindings.push((temporary, found));
        let nil = self.add(Kind::Const(Value::Nil), span);
        let tested = self.add(Kind::Var(temporary), span);
        let is_nil = self.add(Kind::Operator(super::operator::Operator::Equal, tested, nil), span);
        let default = self.expr(default, false)?;
        let given = self.add(Kind::Var(temporary), span);
        self.part(pattern, Kind::If(is_nil, default, given), bindings)
    }
}
