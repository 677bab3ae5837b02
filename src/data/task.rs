//! A task is a computation: data, a key, a call, or a list of computations. It is what the reader yields, what
//! `quote` returns, what a graph maps keys to, what the passes rewrite, and what a worker runs.

use super::{Key, Str, Value};
use crate::text::Span;
use std::fmt;
use std::sync::Arc;

/// One computation and the text it came from. Equality ignores spans.
#[derive(Clone)]
pub struct Task {
    pub form: Form,
    pub span: Span,
}

#[derive(Clone)]
pub enum Form {
    /// Itself.
    Data(Value),
    /// Whatever the key names here: a local, a global, another task of the graph. Symbols are keys.
    Key(Key),
    /// A function, then its arguments; `()` is an empty call.
    Call(Arc<[Task]>),
    List(Arc<[Task]>),
    Map(Arc<[(Task, Task)]>),
    /// The n-th dependency of the task of a layer: a key, once the block is known (see `Layer::task`).
    Input(u32),
    /// A value that depends on the block's index: the bounds of an `arange`, where a block lies in a file.
    Index(IndexFn),
}

/// A value for every block index.
pub type OfIndex = dyn Fn(&[u32]) -> Value + Send + Sync;

/// A function of a block's index. `at` maps the index of the layer at hand to the one `function` was written for.
#[derive(Clone)]
pub struct IndexFn {
    pub function: Arc<OfIndex>,
    pub at: Option<super::At>,
}

impl IndexFn {
    pub fn value(&self, index: &[u32]) -> Value {
        match &self.at {
            None => (self.function)(index),
            Some(at) => (self.function)(&at.apply(index)),
        }
    }
}

impl Task {
    pub fn new(form: Form, span: Span) -> Self {
        Task { form, span }
    }

    pub fn data(value: impl Into<Value>) -> Self {
        Task::new(Form::Data(value.into()), Span::NONE)
    }

    pub fn symbol(name: impl Into<Str>) -> Self {
        Task::new(Form::Key(Key::new(name)), Span::NONE)
    }

    pub fn key(key: Key) -> Self {
        Task::new(Form::Key(key), Span::NONE)
    }

    pub fn call(items: Vec<Task>) -> Self {
        Task::new(Form::Call(items.into()), Span::NONE)
    }

    pub fn list(items: Vec<Task>) -> Self {
        Task::new(Form::List(items.into()), Span::NONE)
    }

    pub fn input(n: usize) -> Self {
        Task::new(Form::Input(n as u32), Span::NONE)
    }

    /// A value of the block's index; see [`Form::Index`].
    pub fn index(function: impl Fn(&[u32]) -> Value + Send + Sync + 'static) -> Self {
        let function = Arc::new(function);
        Task::new(Form::Index(IndexFn { function, at: None }), Span::NONE)
    }

    pub fn with_span(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// The name, where the task is a symbol.
    pub fn as_symbol(&self) -> Option<&Str> {
        match &self.form {
            Form::Key(k) if k.index.is_empty() => Some(&k.name),
            _ => None,
        }
    }

    /// Whether this is a call whose head is the symbol `name`.
    pub fn is_call_of(&self, name: &str) -> bool {
        matches!(&self.form, Form::Call(items) if items.first().and_then(Task::as_symbol).is_some_and(|s| s == name))
    }

    /// What `(quote task)` evaluates to: data, lists and maps of quoted parts; symbols and calls as code.
    pub fn quoted(&self) -> Value {
        match &self.form {
            Form::Data(v) => v.clone(),
            Form::List(items) => deep(|| Value::list(items.iter().map(Task::quoted).collect())),
            Form::Map(pairs) => deep(|| {
                let mut map = super::Map::with_capacity(pairs.len());
                for (k, v) in pairs.iter() {
                    if map.insert(k.quoted(), v.quoted()).is_err() {
                        // A key that cannot be hashed keeps the whole map as code.
                        return Value::Code(Arc::new(self.clone()));
                    }
                }
                Value::map(map)
            }),
            _ => Value::Code(Arc::new(self.clone())),
        }
    }

    /// The form that a value stands for as code: the inverse of [`Task::quoted`]. What code made anew gets `span`.
    pub fn from_quoted(value: &Value, span: Span) -> Task {
        match value {
            Value::Code(task) => (**task).clone(),
            Value::List(items) => deep(|| {
                let items: Vec<Task> = items.iter().map(|v| Task::from_quoted(v, span)).collect();
                Task::list(items).with_span(span)
            }),
            Value::Map(map) => deep(|| {
                let pairs = map.iter().map(|(k, v)| (Task::from_quoted(k, span), Task::from_quoted(v, span)));
                Task::new(Form::Map(pairs.collect()), span)
            }),
            other => Task::data(other.clone()).with_span(span),
        }
    }

    /// Calls `f` on this task and everything in it, outermost first.
    pub fn walk<'a>(&'a self, f: &mut dyn FnMut(&'a Task)) {
        deep(|| {
            f(self);
            match &self.form {
                Form::Call(items) | Form::List(items) => items.iter().for_each(|t| t.walk(f)),
                Form::Map(pairs) => pairs.iter().for_each(|(k, v)| {
                    k.walk(f);
                    v.walk(f);
                }),
                _ => {}
            }
        })
    }

    /// The task with every part for which `f` has an answer replaced by it. Parts of an answer are left alone, and parts in which
    /// nothing is replaced are shared.
    pub fn replace(&self, f: &mut dyn FnMut(&Task) -> Option<Task>) -> Task {
        self.replaced(f).unwrap_or_else(|| self.clone())
    }

    /// `None` where nothing was replaced.
    fn replaced(&self, f: &mut dyn FnMut(&Task) -> Option<Task>) -> Option<Task> {
        if let Some(answer) = f(self) {
            return Some(answer);
        }
        let form = match &self.form {
            Form::Call(items) => deep(|| replaced(items, &mut |t| t.replaced(f))).map(Form::Call),
            Form::List(items) => deep(|| replaced(items, &mut |t| t.replaced(f))).map(Form::List),
            Form::Map(pairs) => deep(|| {
                replaced(pairs, &mut |(k, v)| match (k.replaced(f), v.replaced(f)) {
                    (None, None) => None,
                    (key, value) => Some((key.unwrap_or_else(|| k.clone()), value.unwrap_or_else(|| v.clone()))),
                })
            })
            .map(Form::Map),
            _ => None,
        };
        Some(Task::new(form?, self.span))
    }
}

/// The parts with those replaced for which `f` has an answer; `None` where it has none.
fn replaced<T: Clone>(parts: &[T], f: &mut dyn FnMut(&T) -> Option<T>) -> Option<Arc<[T]>> {
    let mut answers = parts.iter().map(f);
    let (at, first) = answers.by_ref().enumerate().find_map(|(at, answer)| Some((at, answer?)))?;
    let rest = answers.zip(&parts[at + 1..]).map(|(answer, old)| answer.unwrap_or_else(|| old.clone()));
    Some(parts[..at].iter().cloned().chain([first]).chain(rest).collect())
}

/// Runs `f` with enough stack for another level of recursion over nested data.
pub fn deep<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(64 * 1024, 4 * 1024 * 1024, f)
}

impl PartialEq for Task {
    fn eq(&self, other: &Task) -> bool {
        match (&self.form, &other.form) {
            (Form::Data(a), Form::Data(b)) => a.same(b),
            (Form::Key(a), Form::Key(b)) => a == b,
            (Form::Call(a), Form::Call(b)) | (Form::List(a), Form::List(b)) => deep(|| a == b),
            (Form::Map(a), Form::Map(b)) => deep(|| a == b),
            (Form::Input(a), Form::Input(b)) => a == b,
            (Form::Index(a), Form::Index(b)) => Arc::ptr_eq(&a.function, &b.function) && a.at == b.at,
            (Form::Data(value), form) | (form, Form::Data(value)) => is_form_of(value, form),
            _ => false,
        }
    }
}

impl Task {
    /// Whether an equal task was written in the same place, all its parts too: then messages about both are the same.
    pub fn is_written_with(&self, other: &Task) -> bool {
        let all = |a: &[Task], b: &[Task]| a.iter().zip(b).all(|(a, b)| a.is_written_with(b));
        self.span == other.span
            && match (&self.form, &other.form) {
                (Form::Call(a), Form::Call(b)) | (Form::List(a), Form::List(b)) => deep(|| all(a, b)),
                (Form::Map(a), Form::Map(b)) => {
                    deep(|| a.iter().zip(b.iter()).all(|((k, v), (l, w))| k.is_written_with(l) && v.is_written_with(w)))
                }
                _ => true,
            }
    }
}

/// Whether computing the form is sure to give the value: a list of data is the same task as the data list, `(quote x)`
/// the same as `x` as data.
fn is_form_of(value: &Value, form: &Form) -> bool {
    let is = |value: &Value, task: &Task| match &task.form {
        Form::Data(v) => v.same(value),
        form => is_form_of(value, form),
    };
    match (value, form) {
        (Value::List(values), Form::List(tasks)) => {
            values.len() == tasks.len() && deep(|| values.iter().zip(tasks.iter()).all(|(v, t)| is(v, t)))
        }
        (Value::Map(map), Form::Map(pairs)) => {
            map.len() == pairs.len()
                && deep(|| map.iter().zip(pairs.iter()).all(|((k, v), (l, w))| is(k, l) && is(v, w)))
        }
        (value, Form::Call(items)) => match &items[..] {
            [head, body] => head.as_symbol().is_some_and(|s| s == "quote") && deep(|| body.quoted().same(value)),
            _ => false,
        },
        _ => false,
    }
}

/// Dropping a task that nests without bound must not exhaust the stack.
impl Drop for Form {
    fn drop(&mut self) {
        match self {
            Form::Call(items) | Form::List(items) => {
                if let Some(items) = Arc::get_mut(items)
                    && items.iter().any(|t| t.nests())
                {
                    deep(|| items.iter_mut().for_each(|t| *t = Task::input(0)));
                }
            }
            Form::Map(pairs) => {
                if let Some(pairs) = Arc::get_mut(pairs) {
                    deep(|| pairs.iter_mut().for_each(|p| *p = (Task::input(0), Task::input(0))));
                }
            }
            _ => {}
        }
    }
}

impl Task {
    fn nests(&self) -> bool {
        matches!(self.form, Form::Call(_) | Form::List(_) | Form::Map(_))
    }
}

/// Items in brackets, as dsk writes them.
pub(super) fn spaced<T: fmt::Debug>(
    f: &mut fmt::Formatter,
    open: char,
    items: impl Iterator<Item = T>,
    close: char,
) -> fmt::Result {
    write!(f, "{open}")?;
    for (n, item) in items.enumerate() {
        write!(f, "{}{item:?}", if n == 0 { "" } else { " " })?;
    }
    write!(f, "{close}")
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.form {
            Form::Data(v) => write!(f, "{v:?}"),
            Form::Key(k) => write!(f, "{k}"),
            Form::Call(items) => deep(|| spaced(f, '(', items.iter(), ')')),
            Form::List(items) => deep(|| spaced(f, '[', items.iter(), ']')),
            Form::Map(pairs) => deep(|| spaced(f, '{', pairs.iter().flat_map(|(k, v)| [k, v]), '}')),
            Form::Input(n) => write!(f, "<input {n}>"),
            Form::Index(_) => f.write_str("<index>"),
        }
    }
}
