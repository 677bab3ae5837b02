//! Evaluating a task. Tasks are compiled once a layer: names are resolved, constants folded, and arguments sorted to
//! parameters, so that running a task does no look-ups.
//!
//! Nested calls run inner first, from left to right. Arguments are moved, not shared, wherever a value is used for the
//! last time: a kernel that is handed the only reference to a block may write its result into it.

use crate::data::graph::{ravel, unravel};
use crate::data::task::deep;
use crate::data::{Args, Form, Function, Host, Key, Layer, Map, ParamKind, Task, Value};
use crate::err;
use crate::text::{Error, Result, Span};
use rustc_hash::FxHasher;
use smallvec::SmallVec;
use std::hash::Hash;
use std::sync::Arc;

/// A compiled task.
pub enum Code {
    Const(Value),
    /// The result of the n-th dependency; `last` where nothing after this uses it.
    Input {
        n: u32,
        last: bool,
    },
    /// A value of the block's index.
    Index(crate::data::task::IndexFn),
    Call(Box<Call>),
    /// A call of something that is not a function known by name: a keyword, a map, what another call returns.
    Apply(Box<[Code]>, Span),
    List(Box<[Code]>),
    Map(Box<[(Code, Code)]>, Span),
    /// Elementwise calls that run as one.
    Fused(Box<super::fused::Nest>),
}

pub struct Call {
    function: Arc<Function>,
    args: Box<[Code]>,
    /// Where each argument goes; `None` where that takes a look at the values (or is an error).
    places: Option<Places>,
    /// The call and those in it run element by element.
    piped: bool,
    pub(super) span: Span,
}

/// Arguments of a call by their parameters, each with its place in the call.
pub(super) type Bound<'a> = SmallVec<[(usize, (usize, &'a Code)); 4]>;

struct Places {
    /// For each argument: its parameter.
    to: Box<[Place]>,
    given: u64,
    /// Arguments that go to the last parameter of all, which takes any number.
    rest: usize,
    /// These are all there are, and they are the inputs as they come, each for the last time.
    straight: bool,
}

#[derive(Clone, Copy)]
enum Place {
    Param(u8),
    Rest,
    /// The `:name` before a keyword argument.
    Name,
}

/// What names mean where a task is compiled.
pub trait Names {
    /// The function or other callable that a call's head names.
    fn head(&mut self, key: &Key, span: Span) -> Result<Value>;
    /// A call that is no call of a function: a special form, or of a macro. `None` where it is one.
    fn form(&mut self, task: &Task, head: &Key) -> Result<Option<Code>>;
    /// Whether a function is an op, which arguments can be sorted for beforehand; others sort them themselves.
    fn is_op(&self, function: &Arc<Function>) -> bool;
    /// What any other name stands for.
    fn key(&mut self, key: &Key, span: Span) -> Result<Code>;
}

/// Compiles a task.
pub fn compile(task: &Task, names: &mut dyn Names) -> Result<Code> {
    let mut code = build(task, names)?;
    mark_last(&mut code);
    mark_pipes(&mut code);
    if let Code::Call(call) = &mut code {
        call.mark_straight();
    }
    Ok(code)
}

fn build(task: &Task, names: &mut dyn Names) -> Result<Code> {
    Ok(match &task.form {
        Form::Data(value) => Code::Const(value.clone()),
        Form::Key(key) => names.key(key, task.span)?,
        Form::Input(n) => Code::Input { n: *n, last: false },
        Form::Index(f) => Code::Index(f.clone()),
        Form::List(items) => {
            let items = deep(|| items.iter().map(|t| build(t, names)).collect::<Result<Box<[Code]>>>())?;
            let constants: Option<Vec<Value>> = items.iter().map(Code::constant).collect();
            constants.map_or(Code::List(items), |values| Code::Const(Value::list(values)))
        }
        Form::Map(pairs) => {
            let pair = |(k, v): &(Task, Task)| Ok((build(k, names)?, build(v, names)?));
            Code::Map(deep(|| pairs.iter().map(pair).collect::<Result<_>>())?, task.span)
        }
        Form::Call(items) => deep(|| {
            let Some((head, args)) = items.split_first() else {
                return Err(err!(Syntax, "`()` calls nothing").label(task.span, "an empty call"));
            };
            if let Form::Key(key) = &head.form
                && let Some(code) = names.form(task, key)?
            {
                return Ok(code);
            }
            let callee = match &head.form {
                Form::Key(key) if key.index.is_empty() => Code::Const(names.head(key, head.span)?),
                _ => build(head, names)?,
            };
            let args = args.iter().map(|t| build(t, names)).collect::<Result<Vec<Code>>>()?;
            Ok(match callee {
                Code::Const(Value::Function(function)) if names.is_op(&function) => {
                    let args: Box<[Code]> = args.into();
                    let places = Places::of(&function, &args);
                    Code::Call(Box::new(Call { function, args, places, piped: false, span: task.span }))
                }
                callee => Code::Apply(std::iter::once(callee).chain(args).collect(), task.span),
            })
        })?,
    })
}

/// Marks the calls that run element by element with those in them.
fn mark_pipes(code: &mut Code) {
    deep(|| code.parts_mut().for_each(mark_pipes));
    if let Code::Call(call) = code {
        call.piped = super::pipe::is_pipe(call);
    }
}

/// Marks the last use of every input, looking from the end of the evaluation to its start.
pub(super) fn mark_last(code: &mut Code) {
    mark(code, &mut SmallVec::new());
}

/// `seen` says of each input, by its number, whether a later use was met.
fn mark(code: &mut Code, seen: &mut SmallVec<[bool; 32]>) {
    match code {
        Code::Input { n, last } => {
            let n = *n as usize;
            if n >= seen.len() {
                seen.resize(n + 1, false);
            }
            *last = !std::mem::replace(&mut seen[n], true);
        }
        Code::Call(call) => deep(|| call.args.iter_mut().rev().for_each(|c| mark(c, seen))),
        Code::Apply(items, _) | Code::List(items) => deep(|| items.iter_mut().rev().for_each(|c| mark(c, seen))),
        Code::Map(pairs, _) => deep(|| {
            pairs.iter_mut().rev().for_each(|(k, v)| {
                mark(v, seen);
                mark(k, seen);
            })
        }),
        Code::Fused(nest) => deep(|| nest.leaves_mut().iter_mut().rev().for_each(|c| mark(c, seen))),
        Code::Const(_) | Code::Index(_) => {}
    }
}

impl Places {
    /// As [`Function::bind`] would do it; `None` for calls that it would refuse.
    fn of(function: &Function, args: &[Code]) -> Option<Places> {
        let params = &function.signature.params;
        let mut given = 0u64;
        let mut to = Vec::with_capacity(args.len());
        let mut take = |at: usize| {
            let bit = 1u64.checked_shl(at as u32)?;
            let free = given & bit == 0;
            given |= bit;
            free.then_some(Place::Param(u8::try_from(at).ok()?))
        };
        let mut named = vec![false; params.len()];
        let mut positional: SmallVec<[usize; 8]> = SmallVec::new();
        let mut at = 0;
        while at < args.len() {
            let keyword = match &args[at] {
                Code::Const(Value::Keyword(name)) if at + 1 < args.len() => function.signature.named(name),
                _ => None,
            };
            match keyword {
                Some(param) => {
                    to.push(Place::Name);
                    to.push(take(param)?);
                    named[param] = true;
                    at += 2;
                }
                None => {
                    positional.push(at);
                    to.push(Place::Rest);
                    at += 1;
                }
            }
        }
        // A parameter that is given by name, even further on, is not a place for a positional argument.
        let by_position = |&p: &usize| !matches!(params[p].kind, ParamKind::Keyword | ParamKind::Rest) && !named[p];
        let mut open = (0..params.len()).filter(by_position);
        let has_rest = function.signature.rest_index().is_some();
        for at in positional {
            match open.next() {
                Some(param) => to[at] = take(param)?,
                None if has_rest => {}
                None => return None,
            }
        }
        let missing = |(at, p): (usize, &crate::data::Param)| p.kind == ParamKind::Required && given & (1 << at) == 0;
        let rest = to.iter().filter(|place| matches!(place, Place::Rest)).count();
        (!params.iter().enumerate().any(missing)).then_some(Places { to: to.into(), given, rest, straight: false })
    }
}

/// What a running task sees.
pub struct Frame<'a> {
    pub host: &'a dyn Host,
    /// Results of the dependencies.
    pub inputs: &'a mut Vec<Value>,
    /// The layer and the position of the block, for what depends on its index.
    pub layer: &'a Layer,
    pub at: u32,
}

impl Frame<'_> {
    /// The result of the n-th dependency, which is given away at its last use.
    fn input(&mut self, n: u32, last: bool) -> Value {
        let input = &mut self.inputs[n as usize];
        if last { std::mem::take(input) } else { input.clone() }
    }
}

impl Code {
    fn constant(&self) -> Option<Value> {
        match self {
            Code::Const(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// The name and the arguments of a call whose arguments all stand in their order, without names.
    pub(super) fn op_call(&self) -> Option<(&str, &[Code])> {
        match self {
            Code::Call(call) if call.places.as_ref()?.to.iter().all(|p| !matches!(p, Place::Name)) => {
                Some((&call.function.name, &call.args))
            }
            _ => None,
        }
    }

    /// The name of a call and its arguments, each with its place in the call. Not of calls that take any number of them.
    pub(super) fn bound_call(&self) -> Option<(&str, Bound<'_>)> {
        let Code::Call(call) = self else { return None };
        let mut args = SmallVec::new();
        for (at, place) in call.places.as_ref()?.to.iter().enumerate() {
            match place {
                Place::Param(param) => args.push((usize::from(*param), (at, &call.args[at]))),
                Place::Rest => return None,
                Place::Name => {}
            }
        }
        Some((&call.function.name, args))
    }

    /// Whether it is the call of an op on inputs, numbers and names.
    pub(super) fn is_plain_call(&self) -> bool {
        let is_small = |value: &Value| value.is_plain() || matches!(value, Value::Keyword(_));
        let is_plain = |arg: &Code| match arg {
            Code::Input { .. } => true,
            Code::Const(value) => is_small(value),
            _ => false,
        };
        matches!(self, Code::Call(call) if call.args.iter().all(is_plain))
    }

    pub(super) fn args_mut(&mut self) -> Option<&mut [Code]> {
        match self {
            Code::Call(call) => Some(&mut call.args),
            _ => None,
        }
    }

    /// Puts into the hash which functions it calls. Closures of one `fn` are one function.
    pub(super) fn hash_callees(&self, to: &mut FxHasher) {
        match self {
            Code::Call(call) => Arc::as_ptr(&call.function.signature).hash(to),
            Code::Apply(items, _) => {
                if let Some(Code::Const(Value::Function(function))) = items.first() {
                    Arc::as_ptr(&function.signature).hash(to);
                }
            }
            _ => {}
        }
        deep(|| self.parts().for_each(|part| part.hash_callees(to)));
    }

    /// The codes that this one is made of.
    pub(super) fn parts(&self) -> Box<dyn Iterator<Item = &Code> + '_> {
        match self {
            Code::Call(call) => Box::new(call.args.iter()),
            Code::Apply(items, _) | Code::List(items) => Box::new(items.iter()),
            Code::Map(pairs, _) => Box::new(pairs.iter().flat_map(|(k, v)| [k, v])),
            _ => Box::new(std::iter::empty()),
        }
    }

    pub(super) fn parts_mut(&mut self) -> Box<dyn Iterator<Item = &mut Code> + '_> {
        match self {
            Code::Call(call) => Box::new(call.args.iter_mut()),
            Code::Apply(items, _) | Code::List(items) => Box::new(items.iter_mut()),
            Code::Map(pairs, _) => Box::new(pairs.iter_mut().flat_map(|(k, v)| [k, v])),
            _ => Box::new(std::iter::empty()),
        }
    }

    pub fn run(&self, frame: &mut Frame) -> Result<Value> {
        match self {
            Code::Const(value) => Ok(value.clone()),
            Code::Input { n, last } => Ok(frame.input(*n, *last)),
            Code::Index(f) => Ok(f.value(&unravel(frame.at as usize, &frame.layer.grid))),
            Code::Call(call) => {
                if call
                    .args
                    .iter()
                    .any(|a| matches!(a, Code::Call(_) | Code::Apply(..) | Code::List(_) | Code::Fused(_)))
                {
                    deep(|| call.run(frame))
                } else {
                    call.run(frame)
                }
            }
            Code::Fused(nest) => deep(|| nest.run(frame)),
            Code::Apply(items, span) => deep(|| {
                let callee = items[0].run(frame)?;
                let mut args = items[1..].iter().map(|c| c.run(frame)).collect::<Result<SmallVec<[Value; 6]>>>()?;
                if args.is_empty() {
                    return frame.host.apply(&callee, &[], *span);
                }
                frame.host.apply_in(&callee, &mut args, *span)?;
                Ok(std::mem::take(&mut args[0]))
            }),
            Code::List(items) => {
                let items = deep(|| items.iter().map(|c| c.run(frame)).collect::<Result<Vec<Value>>>())?;
                Ok(Value::list(items))
            }
            Code::Map(pairs, span) => deep(|| {
                let mut map = Map::with_capacity(pairs.len());
                for (key, value) in pairs {
                    let (key, value) = (key.run(frame)?, value.run(frame)?);
                    map.insert(key, value).map_err(|key| unhashable(&key, *span))?;
                }
                Ok(Value::map(map))
            }),
        }
    }
}

fn unhashable(key: &Value, span: Span) -> Error {
    err!(Type, "a map key must be hashable, and {} is not", key.a_type_name()).label(span, "in this map")
}

impl Call {
    pub(super) fn function(&self) -> &Arc<Function> {
        &self.function
    }

    /// The arguments as they stand in the call, names of keyword arguments among them.
    pub(super) fn args(&self) -> &[Code] {
        &self.args
    }

    /// Sees to it that an op that takes any number of inputs gets them as they are, not one by one.
    fn mark_straight(&mut self) {
        let straight = |(at, code): (usize, &Code)| matches!(*code, Code::Input { n, last: true } if n as usize == at);
        if let Some(places) = &mut self.places {
            places.straight = places.rest == self.args.len() && self.args.iter().enumerate().all(straight);
        }
    }

    /// Where the last argument is that is given by position, and how many there are of these.
    pub(super) fn last_positional(&self) -> Option<(usize, usize)> {
        let places = self.places.as_ref()?;
        let (mut last, mut count, mut named) = (None, 0, false);
        for (at, place) in places.to.iter().enumerate() {
            let by_name = std::mem::replace(&mut named, matches!(place, Place::Name));
            if !by_name && !named {
                (last, count) = (Some(at), count + 1);
            }
        }
        last.map(|last| (last, count))
    }

    /// The arguments sorted to parameters, but nil for the one at `but`.
    pub(super) fn bound_but<'a>(&'a self, host: &'a dyn Host, frame: &mut Frame, but: usize) -> Result<Args<'a>> {
        let values = self.args.iter().enumerate().map(|(at, code)| match at == but {
            true => Ok(Value::Nil),
            false => code.run(frame),
        });
        let values = values.collect::<Result<SmallVec<[Value; 6]>>>()?;
        self.function.bind(host, values, self.span)
    }

    fn run(&self, frame: &mut Frame) -> Result<Value> {
        if self.piped {
            return super::pipe::run(self, frame);
        }
        let host = frame.host;
        let function = &*self.function;
        let Some(places) = &self.places else {
            let args = self.args.iter().map(|c| c.run(frame)).collect::<Result<SmallVec<[Value; 6]>>>()?;
            return function.callable.call(function.bind(host, args, self.span)?);
        };
        let straight = places.straight
            && frame.inputs.len() == self.args.len()
            // A computed keyword may name an argument.
            && !frame.inputs.iter().any(|value| matches!(value, Value::Keyword(_)));
        let mut args = Args {
            host,
            function,
            values: function.signature.params.iter().map(|p| p.default.clone()).collect(),
            rest: if straight { std::mem::take(frame.inputs) } else { Vec::with_capacity(places.rest) },
            given: places.given,
            span: self.span,
        };
        if straight {
            return function.callable.call(args);
        }
        for (at, (code, place)) in self.args.iter().zip(&places.to).enumerate() {
            if let Place::Name = place {
                continue;
            }
            let value = match *code {
                Code::Input { n, last } => frame.input(n, last),
                _ => code.run(frame)?,
            };
            if matches!(value, Value::Keyword(_)) && !matches!(code, Code::Const(_)) {
                // A computed keyword may name an argument: only the values can tell.
                return self.run_by_values(frame, at, value, args);
            }
            match *place {
                Place::Param(param) => args.values[param as usize] = value,
                _ => args.rest.push(value),
            }
        }
        function.callable.call(args)
    }

    /// Goes on from argument `at`, which is `value`, and binds by the values.
    fn run_by_values(&self, frame: &mut Frame, at: usize, value: Value, mut so_far: Args) -> Result<Value> {
        let places = self.places.as_ref().map_or(&[][..], |p| &p.to);
        let mut rest = std::mem::take(&mut so_far.rest).into_iter();
        let mut values: SmallVec<[Value; 6]> = SmallVec::new();
        for (code, place) in self.args[..at].iter().zip(places) {
            values.push(match *place {
                Place::Param(param) => std::mem::take(&mut so_far.values[param as usize]),
                Place::Rest => rest.next().unwrap_or_default(),
                Place::Name => code.constant().unwrap_or_default(),
            });
        }
        values.push(value);
        for code in &self.args[at + 1..] {
            values.push(code.run(frame)?);
        }
        self.function.callable.call(self.function.bind(frame.host, values, self.span)?)
    }
}

/// Position of a block in its layer, where the index is one of the grid's.
pub fn position(index: &[u32], grid: &[usize]) -> Option<u32> {
    let inside = index.len() == grid.len() && index.iter().zip(grid).all(|(&i, &g)| (i as usize) < g);
    if inside { u32::try_from(ravel(index, grid)).ok() } else { None }
}
