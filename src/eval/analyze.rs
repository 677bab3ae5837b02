//! From forms to expressions: names are resolved, macros expanded, patterns taken apart, special forms understood.

use super::code::{Definition, Proto};
use super::emit::{self, Head};
use super::globals::{Namespace, Role};
use super::interpreter::Interpreter;
use super::operator::Operator;
use super::params::Params;
use super::survey::Survey;
use super::syntax::{Body, Expr, Id, Kind, Recur, Source, Var};
use crate::data::{Form, Function, Map, Str, Task, Value, task::deep};
use crate::err;
use crate::text::{Code, Error, Result, SourceId, Span, suggest};
use std::cell::RefCell;
use std::sync::Arc;

/// Forms inside forms, after macros are expanded.
const MAX_DEPTH: usize = 10_000;

/// Functions inside functions: each looks through those around it for the names it mentions.
const MAX_FUNCTIONS: usize = 200;

/// Macros that expand to macros, one after the other.
const MAX_EXPANSIONS: usize = 1_000;

/// Compiles a top-level form to a function of no parameters.
pub(super) fn top_level(interpreter: &Interpreter, namespace: &Arc<Namespace>, form: &Task) -> Result<Proto> {
    compiled(Analyzer::new(interpreter, namespace, None), form)
}

pub(super) fn compiled(mut analyzer: Analyzer, form: &Task) -> Result<Proto> {
    let root = analyzer.expr(form, false)?;
    let scope = analyzer.functions.pop().unwrap_or_default();
    let mut body = scope.body;
    body.root = root;
    emit::emit(
        body,
        Head {
            name: Str::from("program"),
            signature: Arc::default(),
            doc: None,
            capture_names: Vec::new(),
            wants_given: false,
            source: None,
        },
    )
}

/// A function whose body is being analyzed.
#[derive(Default)]
pub(super) struct Scope {
    pub body: Body,
    /// Names in scope, the innermost last.
    pub names: Vec<Local>,
    pub captures: Vec<(Str, Source)>,
    /// What the function calls itself, and the text it stands in.
    pub name: Option<(Str, SourceId)>,
    /// The variables that `recur` gives new values to, loop by loop.
    pub loops: Vec<Vec<Var>>,
    /// Whether `recur` may go back to the beginning.
    pub is_function: bool,
}

/// A local name.
pub(super) struct Local {
    pub name: Str,
    pub var: Var,
    /// The text that the symbol stands in which brought it into scope.
    pub source: SourceId,
}

pub(super) struct Analyzer<'a> {
    pub interpreter: &'a Interpreter,
    pub namespace: &'a Arc<Namespace>,
    pub functions: Vec<Scope>,
    depth: usize,
    /// What is told of what is in the form.
    pub survey: Option<&'a RefCell<Survey>>,
}

/// What a name means.
enum Meaning {
    Var(Var),
    Capture(u16),
    Itself,
    Global,
}

pub(super) fn syntax(span: Span, message: impl Into<String>, label: impl Into<String>) -> Error {
    err!(Syntax, "{}", message.into()).label(span, label)
}

impl<'a> Analyzer<'a> {
    pub fn new(
        interpreter: &'a Interpreter,
        namespace: &'a Arc<Namespace>,
        survey: Option<&'a RefCell<Survey>>,
    ) -> Analyzer<'a> {
        Analyzer { interpreter, namespace, functions: vec![Scope::default()], depth: 0, survey }
    }

    pub fn scope(&mut self) -> &mut Scope {
        self.functions.last_mut().expect("there is always a function at work")
    }

    pub fn add(&mut self, kind: Kind, span: Span) -> Id {
        let (survey, interpreter) = (self.survey, self.interpreter);
        let exprs = &mut self.scope().body.exprs;
        if let Some(survey) = survey {
            survey.borrow_mut().note(interpreter, &kind, span, exprs);
        }
        exprs.push(Expr { kind, span });
        exprs.len() - 1
    }

    pub fn new_var(&mut self) -> Var {
        let vars = &mut self.scope().body.vars;
        *vars += 1;
        *vars - 1
    }

    /// Runs `f` and forgets the names it brought into scope.
    pub fn block<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let names = self.scope().names.len();
        let result = f(self);
        self.scope().names.truncate(names);
        result
    }

    /// Whether what is compiled is a module's code, and not the program's own.
    pub fn is_module(&self) -> bool {
        !Arc::ptr_eq(self.namespace, &self.interpreter.main)
    }

    /// Brings a local name into scope.
    pub fn bring(&mut self, name: Str, var: Var, span: Span) {
        self.scope().names.push(Local { name, var, source: span.source });
    }

    /// The module in whose text the symbol at `span` stands, where that is not the one that is compiled here and means
    /// something by the name: what a macro of another file writes means what it means in that file.
    fn home(&self, name: &str, span: Span) -> Option<Arc<Namespace>> {
        self.interpreter.modules.of_text(span.source, self.namespace).filter(|home| home.bound(name).is_some())
    }

    /// The names that a symbol is looked up among where it is not local.
    pub fn namespace_of(&self, name: &str, span: Span) -> Arc<Namespace> {
        self.home(name, span).unwrap_or_else(|| self.namespace.clone())
    }

    /// Which local names a symbol can mean: all, but only those of its own text where it has a meaning in the module it
    /// comes from.
    fn reach(&self, name: &str, span: Span) -> Option<SourceId> {
        self.home(name, span).map(|_| span.source)
    }

    fn meaning(&mut self, name: &Str, span: Span) -> Meaning {
        let innermost = self.functions.len() - 1;
        let reach = self.reach(name, span);
        match self.meaning_in(innermost, name, reach) {
            Some(Source::Var(var)) => Meaning::Var(var),
            Some(Source::Capture(n)) => Meaning::Capture(n),
            Some(Source::Itself) => Meaning::Itself,
            None => Meaning::Global,
        }
    }

    /// What a name means in a function; a name of a function around it is captured, by all functions on the way.
    fn meaning_in(&mut self, at: usize, name: &Str, reach: Option<SourceId>) -> Option<Source> {
        let scope = &self.functions[at];
        if let Some(local) = scope.names.iter().rev().find(|l| l.name == *name && within(reach, l.source)) {
            return Some(Source::Var(local.var));
        }
        if scope.name.as_ref().is_some_and(|(n, source)| n == name && within(reach, *source)) {
            return Some(Source::Itself);
        }
        let outer = self.meaning_in(at.checked_sub(1)?, name, reach)?;
        let captures = &mut self.functions[at].captures;
        let known = captures.iter().position(|(_, source)| *source == outer);
        let at = known.unwrap_or(captures.len());
        if known.is_none() {
            captures.push((name.clone(), outer));
        }
        Some(Source::Capture(at as u16))
    }

    fn is_local(&self, name: &Str, span: Span) -> bool {
        let reach = self.reach(name, span);
        self.functions.iter().any(|f| {
            f.names.iter().any(|l| l.name == *name && within(reach, l.source))
                || f.name.as_ref().is_some_and(|(n, source)| n == name && within(reach, *source))
        })
    }

    /// The expression for a form. `last` says whether a `recur` here would be the last thing its loop does.
    pub fn expr(&mut self, form: &Task, last: bool) -> Result<Id> {
        if self.depth > MAX_DEPTH {
            return Err(err!(Limit, "forms are nested more than {MAX_DEPTH} deep").label(form.span, "in here"));
        }
        self.depth += 1;
        let result = deep(|| self.form(form, last));
        self.depth -= 1;
        result
    }

    fn form(&mut self, form: &Task, last: bool) -> Result<Id> {
        let span = form.span;
        match &form.form {
            Form::Data(value) => Ok(self.add(Kind::Const(value.clone()), span)),
            Form::Key(key) if !key.index.is_empty() => {
                Err(err!(Unbound, "`{key}` is a key of a graph, and means something only in one").label(span, "here"))
            }
            Form::Key(key) => {
                let kind = match self.meaning(&key.name, span) {
                    Meaning::Var(var) => Kind::Var(var),
                    Meaning::Capture(n) => Kind::Capture(n),
                    Meaning::Itself => Kind::Itself,
                    Meaning::Global => self.global(&key.name, span)?,
                };
                Ok(self.add(kind, span))
            }
            Form::List(items) => {
                let ids = self.all(items)?;
                if let Some(values) = self.constants(&ids) {
                    return Ok(self.add(Kind::Const(Value::list(values)), span));
                }
                Ok(self.add(Kind::List(ids), span))
            }
            Form::Map(pairs) => self.map(pairs, span),
            Form::Call(items) => match items.split_first() {
                Some((head, args)) => self.call(form, head, args, last),
                None => {
                    Err(syntax(span, "an empty call calls nothing", "this needs a function; an empty list is `[]`"))
                }
            },
            Form::Input(_) | Form::Index(_) => Err(err!(Internal, "a place of a layer's task is not code")),
        }
    }

    fn global(&mut self, name: &Str, span: Span) -> Result<Kind> {
        let cell = self.namespace_of(name, span).cell(name);
        let running = self.interpreter.globals.enter();
        let result = match cell.get(&running) {
            Some(binding) if binding.role == Role::Macro => {
                Err(err!(Type, "`{name}` is a macro, and not a value").label(span, "here").help(
                    "a macro is called, `({name} …)`; a function around it makes a value of it".replace("{name}", name),
                ))
            }
            None if self.interpreter.is_form(name) => {
                Err(err!(Type, "`{name}` is a special form, and not a value").label(span, "here"))
            }
            _ => Ok(Kind::Global(cell.clone())),
        };
        self.interpreter.globals.leave(running);
        result
    }

    pub fn all(&mut self, forms: &[Task]) -> Result<Vec<Id>> {
        forms.iter().map(|f| self.expr(f, false)).collect()
    }

    /// The values, if all expressions are constant. A long list of numbers is data, not code.
    fn constants(&mut self, ids: &[Id]) -> Option<Vec<Value>> {
        let exprs = &self.scope().body.exprs;
        let constant = |&id: &Id| match &exprs[id].kind {
            Kind::Const(value) => Some(value.clone()),
            _ => None,
        };
        ids.iter().map(constant).collect()
    }

    fn map(&mut self, pairs: &[(Task, Task)], span: Span) -> Result<Id> {
        let mut ids = Vec::with_capacity(pairs.len() * 2);
        for (key, value) in pairs {
            ids.push(self.expr(key, false)?);
            ids.push(self.expr(value, false)?);
        }
        if let Some(values) = self.constants(&ids) {
            let mut map = Map::with_capacity(pairs.len());
            let mut values = values.into_iter();
            while let (Some(key), Some(value)) = (values.next(), values.next()) {
                map.insert(key, value).map_err(|key| super::call::bad_key(&key).at(span))?;
            }
            return Ok(self.add(Kind::Const(Value::map(map)), span));
        }
        if ids.len() <= 400 {
            return Ok(self.add(Kind::Map(ids), span));
        }
        // A map with many computed parts is made from a list of them.
        let list = self.add(Kind::List(ids), span);
        let function = self.function_const(&self.interpreter.internals.map_of.clone(), span);
        Ok(self.add(Kind::Call(function, vec![list]), span))
    }

    pub fn function_const(&mut self, f: &Arc<Function>, span: Span) -> Id {
        self.add(Kind::Const(Value::Function(f.clone())), span)
    }

    fn call(&mut self, form: &Task, head: &Task, args: &[Task], last: bool) -> Result<Id> {
        let span = form.span;
        if let Some(name) = head.as_symbol() {
            if let Some(special) = special(name) {
                return special(self, form, args, last);
            }
            if !self.is_local(name, head.span) {
                if let Some(expanded) = self.expand(form, head, name, args)? {
                    return self.expr(&expanded, last);
                }
                if let [a, b] = args
                    && let Some(operator) = Operator::named(name)
                    && self.means_op(name, head.span)
                {
                    let (a, b) = (self.expr(a, false)?, self.expr(b, false)?);
                    return Ok(self.add(Kind::Operator(operator, a, b), span));
                }
                if let ([x], "inc" | "dec") = (args, name.as_str())
                    && self.means_op(name, head.span)
                {
                    let operator = if name == "inc" { Operator::Add } else { Operator::Subtract };
                    let x = self.expr(x, false)?;
                    let one = self.add(Kind::Const(Value::Int(1)), span);
                    return Ok(self.add(Kind::Operator(operator, x, one), span));
                }
            }
        }
        let callee = self.expr(head, false)?;
        let args = self.all(args)?;
        Ok(self.add(Kind::Call(callee, args), span))
    }

    /// Whether a global name means here what it means in the language, so that the compiler may go by it.
    fn means_op(&self, name: &str, span: Span) -> bool {
        match (self.namespace_of(name, span).bound(name), self.interpreter.language.bound(name)) {
            (None, _) => true,
            (Some(here), Some(there)) => Arc::ptr_eq(&here, &there),
            (Some(_), None) => false,
        }
    }

    /// The form that a call of a macro expands to; `None` if the name is not a macro's.
    fn expand(&mut self, form: &Task, head: &Task, name: &str, args: &[Task]) -> Result<Option<Task>> {
        let mut expanded: Option<Task> = None;
        for _ in 0..MAX_EXPANSIONS {
            let form = expanded.as_ref().unwrap_or(form);
            let (head, name, args) = match &expanded {
                None => (head, name, args),
                Some(Task { form: Form::Call(items), .. }) => match items.split_first() {
                    Some((head, args)) => match head.as_symbol() {
                        Some(name) if special(name).is_none() && !self.is_local(name, head.span) => {
                            (head, name.as_str(), args)
                        }
                        _ => return Ok(expanded),
                    },
                    None => return Ok(expanded),
                },
                Some(_) => return Ok(expanded),
            };
            let namespace = self.namespace_of(name, head.span);
            self.must_be_sure(&namespace, name, form)?;
            match self.interpreter.expand_call(&namespace, form, name, args)? {
                Some(next) => expanded = Some(next),
                None => return Ok(expanded),
            }
        }
        Err(err!(Limit, "the macro `{name}` expands to more macros without end").label(form.span, "in this call"))
    }

    /// The form with the macro it is a call of expanded, if it is one.
    pub fn expanded(&mut self, form: &Task) -> Result<Task> {
        if let Form::Call(items) = &form.form
            && let Some((head, args)) = items.split_first()
            && let Some(name) = head.as_symbol()
            && special(name).is_none()
            && !self.is_local(name, head.span)
            && let Some(expanded) = self.expand(form, head, name, args)?
        {
            return Ok(expanded);
        }
        Ok(form.clone())
    }

    /// The local variables that a form mentions, as the symbols that mention them first.
    pub fn locals_in(&self, form: &Task) -> Vec<Task> {
        let mut symbols: Vec<Task> = Vec::new();
        form.walk(&mut |t| {
            if t.as_symbol().is_some() && !symbols.contains(t) {
                symbols.push(t.clone());
            }
        });
        symbols.retain(|t| t.as_symbol().is_some_and(|name| self.is_local(name, t.span)));
        symbols
    }

    /// Several forms, for the value of the last.
    pub fn body(&mut self, forms: &[Task], span: Span, last: bool) -> Result<Id> {
        match forms {
            [] => Ok(self.add(Kind::Const(Value::Nil), span)),
            [one] => self.expr(one, last),
            [before @ .., end] => {
                let mut ids = self.all(before)?;
                ids.push(self.expr(end, last)?);
                Ok(self.add(Kind::Do(ids), span))
            }
        }
    }

    /// Compiles `(fn …)`: its parameters and body, in a scope of its own.
    pub fn function(
        &mut self,
        source: &Task,
        name: Option<&Str>,
        doc: Option<Str>,
        params: &Task,
        body: &[Task],
    ) -> Result<Id> {
        let span = source.span;
        if self.functions.len() > MAX_FUNCTIONS {
            let message = format!("functions are nested more than {MAX_FUNCTIONS} deep");
            return Err(Error::new(Code::Limit, message).label(span, "in here"));
        }
        let mut params = Params::parse(params)?;
        params.signature.strict = Arc::ptr_eq(self.namespace, &self.interpreter.language);
        params.signature.named = params.signature.strict && params.signature.rest_index().is_none();
        let itself = name.map(|name| (name.clone(), span.source));
        self.functions.push(Scope { name: itself, is_function: true, ..Scope::default() });
        let compiled = self.function_body(&params, body, span);
        let scope = self.functions.pop().unwrap_or_default();
        let root = compiled?;
        let mut inner = scope.body;
        inner.root = root;
        let (capture_names, sources): (Vec<Str>, Vec<Source>) = scope.captures.into_iter().unzip();
        let proto = emit::emit(
            inner,
            Head {
                name: name.cloned().unwrap_or_else(|| Str::from("fn")),
                wants_given: params.computes_defaults(),
                signature: Arc::new(params.signature),
                doc,
                capture_names,
                source: Some(Arc::new(source.clone())),
            },
        )?;
        let sources = sources.into_iter().map(|s| (s, false)).collect();
        Ok(self.add(Kind::Fn(Box::new(proto), sources), span))
    }

    fn function_body(&mut self, params: &Params, body: &[Task], span: Span) -> Result<Id> {
        let count = params.signature.params.len();
        self.scope().body.params = count;
        self.scope().body.vars = count;
        self.scope().loops.push((0..count).collect());
        let mut bindings = Vec::new();
        for (at, spec) in params.specs.iter().enumerate() {
            let mut var = at;
            if let Some(default) = &spec.default {
                let value = self.expr(default, false)?;
                let id = self.add(Kind::Default { param: at, value }, default.span);
                var = self.new_var();
                bindings.push((var, id));
            }
            self.pattern(&spec.pattern, var, &mut bindings)?;
        }
        let root = self.body(body, span, true)?;
        if bindings.is_empty() { Ok(root) } else { Ok(self.add(Kind::Let(bindings, root), span)) }
    }

    pub fn recur(&mut self, form: &Task, args: &[Task], last: bool) -> Result<Id> {
        let span = form.span;
        let Some(vars) = self.scope().loops.last().cloned() else {
            return Err(syntax(span, "`recur` stands outside of any loop", "goes back to a `loop` or a function"));
        };
        if !last {
            return Err(syntax(span, "`recur` is not the last thing its loop does", "something follows this")
                .help("a call of the function itself may stand anywhere"));
        }
        if args.len() != vars.len() {
            let label = format!("{} given", args.len());
            return Err(err!(Arity, "`recur` takes a value for each of {} variables", vars.len()).label(span, label));
        }
        let args = self.all(args)?;
        let scope = self.scope();
        if scope.loops.len() == 1 && scope.is_function {
            scope.body.recurs = true;
        }
        Ok(self.add(Kind::Recur(Recur { args, vars, steps: Vec::new() }), span))
    }

    pub fn define(&mut self, form: &Task, name: &Task, doc: Option<Str>, is_macro: bool, value: Id) -> Result<Id> {
        let Some(text) = name.as_symbol() else {
            return Err(syntax(name.span, "a definition begins with a name", "this is not a symbol"));
        };
        if special(text).is_some() {
            return Err(syntax(name.span, format!("`{text}` is a special form"), "it cannot be defined anew"));
        }
        let global = self.namespace.own(text);
        let definition = Definition { global, doc, is_macro, source: Arc::new(form.clone()) };
        Ok(self.add(Kind::Def(Box::new(definition), value), form.span))
    }
}

pub(super) type Special = fn(&mut Analyzer, &Task, &[Task], bool) -> Result<Id>;

/// The special form of that name.
pub(super) fn special(name: &str) -> Option<Special> {
    super::forms::SPECIAL.iter().find(|(n, _)| *n == name).map(|(_, f)| *f)
}

/// Whether a local name that this text brought into scope can be meant.
fn within(reach: Option<SourceId>, source: SourceId) -> bool {
    reach.is_none_or(|reach| reach == source)
}

/// The name nearest to one that nothing is bound to.
pub(super) fn nearest(namespace: &Namespace, name: &str) -> Option<Str> {
    let names = namespace.names();
    let forms = super::forms::SPECIAL.iter().map(|(n, _)| *n);
    suggest::nearest(name, names.iter().map(Str::as_str).chain(forms)).map(Str::from)
}
