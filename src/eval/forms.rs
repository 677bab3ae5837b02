//! The special forms: what each of them means to the compiler.

use super::analyze::{Analyzer, Special, syntax};
use super::interpreter::Interpreter;
use super::lazy::{self, LazyFunction, Naming};
use super::syntax::{Id, Kind};
use crate::data::{Args, Form, Host, Str, Task, Value};
use crate::err;
use crate::text::{Error, Result};
use std::sync::Arc;

/// Special forms by name.
pub(super) const SPECIAL: &[(&str, Special)] = &[
    ("def", def),
    ("defn", defn),
    ("deftask", deftask),
    ("defmacro", defmacro),
    ("fn", function),
    ("let", let_),
    ("if", if_),
    ("do", do_),
    ("quote", quote),
    ("quasiquote", quasiquote),
    ("loop", loop_),
    ("recur", recur),
    ("try", try_),
    ("throw", throw_),
    ("delay", delay),
    ("import", import),
    ("doc", doc),
    ("source", source),
    ("unquote", stray),
    ("unquote-splicing", stray),
    ("catch", stray),
    ("finally", stray),
];

fn usage(form: &Task, message: &str, usage: &str) -> Error {
    syntax(form.span, message, "in this form").help(format!("usage: {usage}"))
}

/// The docstring before a body or a value, if something follows it.
fn docstring(args: &[Task]) -> (Option<Str>, &[Task]) {
    match args {
        [Task { form: Form::Data(Value::Str(doc)), .. }, rest @ ..] if !rest.is_empty() => (Some(doc.clone()), rest),
        _ => (None, args),
    }
}

fn def(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    let Some((name, rest)) = args.split_first() else {
        return Err(usage(form, "`def` needs a name and a value", "(def name \"doc\"? value)"));
    };
    let (doc, rest) = docstring(rest);
    let [value] = rest else {
        return Err(usage(form, "`def` takes one value", "(def name \"doc\"? value)"));
    };
    let value = a.expr(value, false)?;
    a.define(form, name, doc, false, value)
}

/// `name "doc"? [params] body…`, as a function that may call itself by its name.
fn named_function(a: &mut Analyzer, form: &Task, args: &[Task], what: &str) -> Result<(Id, Option<Str>)> {
    let help = format!("({what} name \"doc\"? [params…] body…)");
    let Some((name, rest)) = args.split_first() else {
        return Err(usage(form, &format!("`{what}` needs a name"), &help));
    };
    let Some(text) = name.as_symbol() else {
        return Err(usage(name, &format!("`{what}` needs a name first"), &help));
    };
    let (doc, rest) = docstring(rest);
    let Some((params, body)) = rest.split_first() else {
        return Err(usage(form, &format!("`{what}` needs parameters"), &help));
    };
    // The function as it could stand alone: what closures are written down as.
    let mut alone = vec![Task::symbol("fn"), name.clone(), params.clone()];
    alone.extend(body.iter().cloned());
    let alone = Task::call(alone).with_span(form.span);
    let is_top = a.functions.len() == 1 && a.scope().names.is_empty();
    // At the top, the name is the global: a redefinition is then seen by calls in the body, too.
    let itself = if is_top { None } else { Some(text) };
    let id = a.function(&alone, itself, doc.clone(), params, body)?;
    if let Kind::Fn(proto, _) = &mut a.scope().body.exprs[id].kind {
        proto.name = text.clone();
    }
    Ok((id, doc))
}

fn defn(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    let (function, doc) = named_function(a, form, args, "defn")?;
    a.define(form, &args[0], doc, false, function)
}

fn defmacro(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    let (function, doc) = named_function(a, form, args, "defmacro")?;
    a.define(form, &args[0], doc, true, function)
}

/// `(deftask load "doc"? :pure true? :name "key"? :nout 2? [path] body…)`
fn deftask(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    const USAGE: &str = "(deftask name \"doc\"? :pure false? :name \"key\"? :nout n? [params…] body…)";
    let mut plain: Vec<Task> = Vec::new();
    let mut options = TaskOptions::default();
    let mut rest = args;
    while let Some((first, after)) = rest.split_first() {
        match (&first.form, after.split_first()) {
            (Form::Data(Value::Keyword(option)), Some((value, after))) => {
                options.set(option, value).map_err(|what| usage(first, &format!("`deftask` {what}"), USAGE))?;
                rest = after;
            }
            (Form::List(_), _) => {
                plain.extend(rest.iter().cloned());
                break;
            }
            _ => {
                plain.push(first.clone());
                rest = after;
            }
        }
    }
    let (function, doc) = named_function(a, form, &plain, "deftask")?;
    let name = args[0].as_symbol().cloned().unwrap_or_default();
    let name = a.add(Kind::Const(Value::Str(name)), form.span);
    let mut parts = vec![function, name];
    parts.extend(options.exprs(a)?);
    let make = a.function_const(&a.interpreter.internals.lazy_function.clone(), form.span);
    let value = a.add(Kind::Call(make, parts), form.span);
    a.define(form, &args[0], doc, false, value)
}

/// What may be said of lazy calls; nil where it was not.
#[derive(Default)]
struct TaskOptions {
    pure: Option<Task>,
    name: Option<Task>,
    nout: Option<Task>,
}

impl TaskOptions {
    fn set(&mut self, option: &str, value: &Task) -> Result<(), String> {
        let place = match option {
            "pure" => &mut self.pure,
            "name" => &mut self.name,
            "nout" => &mut self.nout,
            _ => return Err(format!("has no option `:{option}`")),
        };
        *place = Some(value.clone());
        Ok(())
    }

    fn exprs(self, a: &mut Analyzer) -> Result<Vec<Id>> {
        let all = [self.pure, self.name, self.nout];
        all.into_iter().map(|task| a.expr(&task.unwrap_or(Task::data(Value::Nil)), false)).collect()
    }
}

pub(super) fn lazy_function(args: Args) -> Result<Value> {
    match &args.rest[..] {
        [Value::Function(inner), Value::Str(own), pure, name, nout] => {
            let naming = Naming::new(own.clone(), false).with(pure, name, nout)?;
            Ok(LazyFunction::function(inner.clone(), naming).into())
        }
        _ => Err(err!(Internal, "`deftask` was compiled wrongly")),
    }
}

/// `(fn name? [params…] body…)`
fn function(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    let (name, rest) = match args {
        [name, rest @ ..] if name.as_symbol().is_some() => (name.as_symbol(), rest),
        _ => (None, args),
    };
    let Some((params, body)) = rest.split_first() else {
        return Err(usage(form, "`fn` needs parameters", "(fn name? [params…] body…)"));
    };
    a.function(form, name, None, params, body)
}

/// The pairs of `[name value …]`.
fn bindings<'t>(form: &Task, list: Option<&'t Task>, what: &str) -> Result<Vec<(&'t Task, &'t Task)>> {
    let help = format!("({what} [name value …] body…)");
    let Some(list) = list else {
        return Err(usage(form, &format!("`{what}` needs a list of names and values"), &help));
    };
    let Form::List(items) = &list.form else {
        return Err(usage(list, &format!("`{what}` needs a list of names and values"), &help));
    };
    if items.len() % 2 != 0 {
        let span = items.last().map_or(list.span, |t| t.span);
        return Err(syntax(span, format!("`{what}` needs a value for every name"), "this has none"));
    }
    Ok(items.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect())
}

fn let_(a: &mut Analyzer, form: &Task, args: &[Task], last: bool) -> Result<Id> {
    let pairs = bindings(form, args.first(), "let")?;
    a.block(|a| {
        let mut bound = Vec::new();
        for (pattern, value) in pairs {
            let value = a.expr(value, false)?;
            let var = a.new_var();
            bound.push((var, value));
            a.pattern(pattern, var, &mut bound)?;
        }
        let body = a.body(&args[1..], form.span, last)?;
        Ok(a.add(Kind::Let(bound, body), form.span))
    })
}

fn loop_(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    let pairs = bindings(form, args.first(), "loop")?;
    a.block(|a| {
        // All variables first, so that they are numbered before anything inside; then the parts they are taken into.
        let mut bound = Vec::new();
        let mut later: Vec<(&Task, usize)> = Vec::new();
        for (pattern, value) in pairs {
            let value = a.expr(value, false)?;
            let var = a.new_var();
            bound.push((var, value));
            match pattern.as_symbol() {
                Some(name) => a.bring(name.clone(), var, pattern.span),
                None => later.push((pattern, var)),
            }
        }
        let vars = bound.iter().map(|b| b.0).collect();
        let mut parts = Vec::new();
        for (pattern, var) in later {
            a.pattern(pattern, var, &mut parts)?;
        }
        a.scope().loops.push(vars);
        let body = a.body(&args[1..], form.span, true);
        a.scope().loops.pop();
        let body = body?;
        let body = if parts.is_empty() { body } else { a.add(Kind::Let(parts, body), form.span) };
        Ok(a.add(Kind::Loop(bound, body), form.span))
    })
}

fn recur(a: &mut Analyzer, form: &Task, args: &[Task], last: bool) -> Result<Id> {
    a.recur(form, args, last)
}

fn if_(a: &mut Analyzer, form: &Task, args: &[Task], last: bool) -> Result<Id> {
    let (test, then, other) = match args {
        [test, then] => (test, then, None),
        [test, then, other] => (test, then, Some(other)),
        _ => return Err(usage(form, "`if` takes a test and one or two branches", "(if test then else?)")),
    };
    let test = a.expr(test, false)?;
    let then = a.expr(then, last)?;
    let other = match other {
        Some(other) => a.expr(other, last)?,
        None => a.add(Kind::Const(Value::Nil), form.span),
    };
    Ok(a.add(Kind::If(test, then, other), form.span))
}

fn do_(a: &mut Analyzer, form: &Task, args: &[Task], last: bool) -> Result<Id> {
    a.body(args, form.span, last)
}

fn quote(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    match args {
        [task] => Ok(a.add(Kind::Const(task.quoted()), form.span)),
        _ => Err(usage(form, "`quote` takes one form", "(quote form)")),
    }
}

fn quasiquote(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    match args {
        [task] => a.quasiquote(task),
        _ => Err(usage(form, "`quasiquote` takes one form", "(quasiquote form)")),
    }
}

fn stray(_: &mut Analyzer, form: &Task, _: &[Task], _: bool) -> Result<Id> {
    let (what, place) = if form.is_call_of("unquote") {
        ("~", "a quasiquote")
    } else if form.is_call_of("unquote-splicing") {
        ("~@", "a quasiquote")
    } else if form.is_call_of("catch") {
        ("catch", "`(try …)`, at its end")
    } else {
        ("finally", "`(try …)`, at its end")
    };
    Err(syntax(form.span, format!("`{what}` stands outside of {place}"), "found here"))
}

/// `(try body… (catch e handler…) (finally cleanup…))`
fn try_(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    const USAGE: &str = "(try body… (catch e handler…)? (finally cleanup…)?)";
    let mut body = args;
    let mut catch = None;
    let mut finally = None;
    while let Some((end, before)) = body.split_last() {
        if end.is_call_of("finally") && finally.is_none() && catch.is_none() {
            finally = Some(end);
        } else if end.is_call_of("catch") && catch.is_none() {
            catch = Some(end);
        } else {
            break;
        }
        body = before;
    }
    let body = a.tried(catch.is_some(), |a| a.body(body, form.span, false))?;
    let catch = match catch {
        None => None,
        Some(clause) => {
            let Form::Call(items) = &clause.form else { return Err(usage(form, "`catch` is a clause", USAGE)) };
            let Some(name) = items.get(1) else {
                return Err(usage(clause, "`catch` needs a name for the error", USAGE));
            };
            Some(a.block(|a| {
                let var = a.new_var();
                let mut parts = Vec::new();
                a.pattern(name, var, &mut parts)?;
                let handler = a.body(&items[2..], clause.span, false)?;
                let handler = if parts.is_empty() { handler } else { a.add(Kind::Let(parts, handler), clause.span) };
                Ok((var, handler))
            })?)
        }
    };
    let finally = match finally {
        Some(Task { form: Form::Call(items), span }) => Some(a.body(&items[1..], *span, false)?),
        _ => None,
    };
    Ok(a.add(Kind::Try { body, catch, finally }, form.span))
}

fn throw_(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    let [value] = args else {
        return Err(usage(form, "`throw` takes one value", "(throw value)"));
    };
    let value = a.expr(value, false)?;
    let throw = a.function_const(&a.interpreter.internals.throw.clone(), form.span);
    Ok(a.add(Kind::Call(throw, vec![value]), form.span))
}

pub(super) fn throw(args: Args) -> Result<Value> {
    let sources = interpreter(&args)?.sources();
    Err(super::failure::thrown(args.rest.first().unwrap_or(&Value::Nil), args.span, sources))
}

/// `(delay (f a b) :pure true? :name "key"? :nout 2?)`: callee and arguments are computed now, the call is lazy. What is not the call of a function is
/// wrapped in one, whose arguments are the local variables it mentions.
fn delay(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    const USAGE: &str = "(delay (f x…) :pure false? :name \"key\"? :nout n?)";
    let Some((what, mut rest)) = args.split_first() else {
        return Err(usage(form, "`delay` takes a form", USAGE));
    };
    let mut options = TaskOptions::default();
    while let [option, value, after @ ..] = rest
        && let Form::Data(Value::Keyword(name)) = &option.form
    {
        options.set(name, value).map_err(|what| usage(option, &format!("`delay` {what}"), USAGE))?;
        rest = after;
    }
    if !rest.is_empty() {
        return Err(usage(form, "`delay` takes one form", USAGE));
    }
    let span = form.span;
    let what = a.expanded(what)?;
    let Form::Call(items) = &what.form else {
        if options.pure.is_some() || options.name.is_some() || options.nout.is_some() {
            return Err(usage(form, "`delay` has options for calls, and this is none", USAGE));
        }
        let value = a.expr(&what, false)?;
        let lazy = a.function_const(&a.interpreter.internals.lazy_value.clone(), span);
        return Ok(a.add(Kind::Call(lazy, vec![value]), span));
    };
    let is_special = items.first().and_then(Task::as_symbol).is_some_and(|n| super::analyze::special(n).is_some());
    let mut parts = options.exprs(a)?;
    if is_special {
        let params = a.locals_in(&what);
        let thunk = [Task::symbol("fn"), Task::list(params.clone()), what.clone()];
        let thunk = Task::call(thunk.to_vec()).with_span(what.span);
        let list = Task::list(params.clone()).with_span(span);
        parts.push(a.function(&thunk, None, None, &list, std::slice::from_ref(&what))?);
        parts.extend(a.all(&params)?);
    } else {
        parts.extend(a.all(items)?);
    }
    let delayed = a.function_const(&a.interpreter.internals.delayed.clone(), span);
    Ok(a.add(Kind::Call(delayed, parts), span))
}

pub(super) fn delayed(args: Args) -> Result<Value> {
    let interpreter = interpreter(&args)?;
    let [pure, name, nout, callee, rest @ ..] = &args.rest[..] else { return Ok(Value::Nil) };
    match callee {
        Value::Function(f) => {
            // A task's calls are lazy already; everything else is lazy now.
            if let Some(task) = f.callable.as_any().downcast_ref::<LazyFunction>() {
                let naming = task.naming.clone().with(pure, name, nout)?;
                return LazyFunction::function(task.inner.clone(), naming).call(args.host, rest, args.span);
            }
            let naming = Naming::new(f.name.clone(), interpreter.is_op(f)).with(pure, name, nout)?;
            Ok(lazy::call(interpreter, f, rest, &naming, args.span))
        }
        other if rest.is_empty() => Err(err!(Type, "{} cannot be called", other.a_type_name()).at(args.span)),
        other => {
            // Keywords, maps and lists are called by `get`'s rules when the time comes.
            let apply = interpreter.internals.apply.clone();
            let naming = Naming::new("apply", true).with(pure, name, nout)?;
            let mut all = vec![other.clone()];
            all.extend(rest.iter().cloned());
            Ok(lazy::call(interpreter, &apply, &all, &naming, args.span))
        }
    }
}

/// Calls its first argument with the others.
pub(super) fn apply(args: Args) -> Result<Value> {
    match args.rest.split_first() {
        Some((callee, rest)) => args.host.apply(callee, rest, args.span),
        None => Ok(Value::Nil),
    }
}

pub(super) fn lazy_value(args: Args) -> Result<Value> {
    Ok(lazy::value(args.rest.first().unwrap_or(&Value::Nil), args.span))
}

fn interpreter<'a>(args: &Args<'a>) -> Result<&'a Interpreter> {
    let host: &'a dyn Host = args.host;
    host.as_any().downcast_ref().ok_or_else(|| err!(Internal, "this host is not an interpreter"))
}

/// `(import "lib.dsk")`, `(import "lib.dsk" :as lib)`
fn import(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    const USAGE: &str = "(import \"lib.dsk\" :as prefix?)";
    let (path, prefix) = match args {
        [path] => (path, None),
        [path, Task { form: Form::Data(Value::Keyword(k)), .. }, prefix] if k == "as" => (path, Some(prefix)),
        _ => return Err(usage(form, "`import` takes a path, and perhaps a prefix", USAGE)),
    };
    let prefix = match prefix.map(|p| &p.form) {
        None => Value::Nil,
        Some(Form::Key(key)) if key.index.is_empty() => Value::Str(key.name.clone()),
        Some(_) => return Err(usage(form, "the prefix of an import is a symbol", USAGE)),
    };
    let path = a.expr(path, false)?;
    let prefix = a.add(Kind::Const(prefix), form.span);
    let import = a.function_const(&a.interpreter.internals.import.clone(), form.span);
    Ok(a.add(Kind::Call(import, vec![path, prefix]), form.span))
}

pub(super) fn import_module(args: Args) -> Result<Value> {
    let Some(Value::Str(path)) = args.rest.first() else {
        return Err(err!(Type, "the path of an import is a string").label(args.span, "in this form"));
    };
    interpreter(&args)?.import(path, args.rest.get(1).and_then(Value::as_text), args.span)?;
    Ok(Value::Nil)
}

/// `(doc name)`, `(source name)`: the name itself is meant, not its value.
fn about(
    a: &mut Analyzer,
    form: &Task,
    args: &[Task],
    what: fn(&super::quasi::Internals) -> &Arc<crate::data::Function>,
) -> Result<Id> {
    let [name] = args else {
        return Err(usage(form, "one name is expected", "(doc name), (source name)"));
    };
    let text = match &name.form {
        Form::Key(key) if key.index.is_empty() => key.name.clone(),
        Form::Data(Value::Str(text)) => text.clone(),
        _ => return Err(usage(name, "a name is expected", "(doc name), (source name)")),
    };
    let f = what(&a.interpreter.internals).clone();
    let f = a.function_const(&f, form.span);
    let subject = a.add(Kind::Const(Value::Str(text)), name.span);
    Ok(a.add(Kind::Call(f, vec![subject]), form.span))
}

fn doc(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    about(a, form, args, |i| &i.doc)
}

fn source(a: &mut Analyzer, form: &Task, args: &[Task], _: bool) -> Result<Id> {
    about(a, form, args, |i| &i.source)
}
