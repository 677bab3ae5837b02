//! Which hand-made tasks are equal: those that call the same functions with the same data and with equal keys.
//!
//! ```text
//! {x 1  y 1  a (inc x)  b (inc y)  c (print b)  d (print a)}      y is x, b is a; c and d both print
//! ```
//!
//! A task is looked at after those that it names, and gets a hash of what it is, in which a key is the first task that is equal to its
//! own. So this takes a time linear in tasks and edges. Only tasks that do nothing but answer, and give equal answers each time,
//! are taken for equal ([`States`]): what prints prints twice, and a random number without a seed is another one each
//! time. A file that is read by its name is the same one as long as no task of the graph may write.
//!
//! Data are equal if they are to the last bit. Of large ones it only counts whether they are the same memory.

use super::by_hand::{Tasks, as_function};
use crate::data::cancel::cancelled;
use crate::data::task::deep;
use crate::data::{Form, Host, Key, Str, Task, Value};
use crate::op::state::{self, States};
use crate::op::token::hash_value;
use crate::text::{SourceId, Span};
use rustc_hash::FxHashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What is known of equal tasks, by their places in the graph.
pub struct Equal {
    /// The first task that is equal to a task; mostly itself.
    pub first: Vec<u32>,
    /// Tasks with special forms and macros in them, in which a name may stand for something else than its key.
    pub fixed: Vec<bool>,
}

/// What comes of running a task twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Nature {
    /// The same answer.
    Answers,
    /// The same answer, as long as nobody writes to the file that it reads by its name.
    Reads,
    /// Maybe another answer, of plain data.
    Varies,
    /// Nobody knows. Its answer may be a function with effects, which others call.
    Unknown,
}

impl Equal {
    /// Of the tasks at these places, each of which comes after those that it names. `None` where no two are equal.
    pub fn of(tasks: &Tasks, order: &[u32], host: &dyn Host) -> Option<Equal> {
        let mut search = Search { tasks, host, globals: FxHashMap::default() };
        // Most graphs have no tasks that are alike, and then nobody need know what comes of running them twice.
        let alike = search.alike(order, &|_| true)?;
        let natures = search.natures(order, &alike.fixed);
        let most = most(&natures, order);
        search.alike(order, &|at| natures[at as usize] <= most)
    }
}

/// Which tasks may run twice, each giving the same answer both times and doing nothing else.
pub fn repeatable(tasks: &Tasks, order: &[u32], host: &dyn Host) -> Vec<bool> {
    let mut search = Search { tasks, host, globals: FxHashMap::default() };
    let fixed: Vec<bool> = tasks.values().map(|task| !search.hash(task, &[], &mut Wide::default())).collect();
    let natures = search.natures(order, &fixed);
    let most = most(&natures, order);
    natures.into_iter().map(|nature| nature <= most).collect()
}

/// What may be done once instead of twice: files are what they were where nothing may write.
fn most(natures: &[Nature], order: &[u32]) -> Nature {
    let writes = order.iter().any(|&at| natures[at as usize] == Nature::Unknown);
    if writes { Nature::Answers } else { Nature::Reads }
}

struct Search<'a> {
    tasks: &'a Tasks,
    host: &'a dyn Host,
    /// What names mean in the texts that mention them.
    globals: FxHashMap<(Str, SourceId), Meaning>,
}

/// What a name means that is no key of the graph.
#[derive(Clone)]
enum Meaning {
    Syntax,
    Value(Value),
    Unbound,
}

impl Search<'_> {
    /// Tasks that are alike and may be taken for one another; none for who is no longer wanted.
    fn alike(&mut self, order: &[u32], may: &dyn Fn(u32) -> bool) -> Option<Equal> {
        let all = self.tasks.len() as u32;
        let mut equal = Equal { first: (0..all).collect(), fixed: vec![false; self.tasks.len()] };
        let mut known: FxHashMap<u128, u32> = FxHashMap::default();
        known.reserve(order.len());
        let mut found = false;
        for &at in order {
            if cancelled() {
                return None;
            }
            let task = &self.tasks[at as usize];
            if let Form::Key(key) = &task.form
                && let Some(other) = self.tasks.get_index_of(key)
            {
                // Another name of a key is that key, whatever its task does.
                equal.first[at as usize] = equal.first[other];
                continue;
            }
            let mut hash = Wide::default();
            if !self.hash(task, &equal.first, &mut hash) {
                equal.fixed[at as usize] = true;
                hash = Wide::default();
                hash_text(task, &mut hash);
            }
            if may(at) {
                let first = *known.entry(hash.number()).or_insert(at);
                equal.first[at as usize] = first;
                found |= first != at;
            }
        }
        found.then_some(equal)
    }

    fn meaning(&mut self, name: &Str, span: Span) -> &Meaning {
        let host = self.host;
        self.globals.entry((name.clone(), span.source)).or_insert_with(|| match host.global(name, span) {
            _ if host.is_syntax(name, span) => Meaning::Syntax,
            Some(value) => Meaning::Value(value),
            None => Meaning::Unbound,
        })
    }

    /// Hashes what a task is, equal keys being one; `false` where it has a special form or a macro in it.
    fn hash(&mut self, task: &Task, first: &[u32], hash: &mut Wide) -> bool {
        std::mem::discriminant(&task.form).hash(hash);
        match &task.form {
            Form::Data(value) => hash_data(value, hash, &mut { LARGE }),
            Form::Key(key) => match self.tasks.get_index_of(key) {
                Some(at) => first.get(at).hash(hash),
                None => self.hash_name(key, task.span, hash),
            },
            Form::Call(items) => {
                items.len().hash(hash);
                return deep(|| {
                    let head = items.first().and_then(|head| Some((head.as_symbol()?, head.span)));
                    if let Some((name, span)) = head {
                        if matches!(self.meaning(name, span), Meaning::Syntax) {
                            return false;
                        }
                        self.hash_name(&Key::new(name.clone()), span, hash);
                    }
                    items.iter().skip(usize::from(head.is_some())).all(|item| self.hash(item, first, hash))
                });
            }
            Form::List(items) => {
                items.len().hash(hash);
                return deep(|| items.iter().all(|item| self.hash(item, first, hash)));
            }
            Form::Map(pairs) => {
                pairs.len().hash(hash);
                let all = || pairs.iter().all(|(k, v)| self.hash(k, first, hash) && self.hash(v, first, hash));
                return deep(all);
            }
            Form::Input(_) | Form::Index(_) => hash_text(task, hash),
        }
        true
    }

    fn hash_name(&mut self, key: &Key, span: Span, hash: &mut Wide) {
        match self.meaning(&key.name, span) {
            Meaning::Value(value) if key.index.is_empty() => hash_data(value, hash, &mut { LARGE }),
            _ => (key.name.as_str(), &key.index, span.source).hash(hash),
        }
    }

    fn natures(&mut self, order: &[u32], fixed: &[bool]) -> Vec<Nature> {
        let mut states = States::new(self.host);
        let mut natures = vec![Nature::Unknown; self.tasks.len()];
        for &at in order.iter().take_while(|_| !cancelled()) {
            let task = &self.tasks[at as usize];
            let mut nature = match fixed[at as usize] {
                true => self.nature_of_code(task, &mut states),
                false => self.nature(task, &mut states),
            };
            // What varies is plain data. A function with effects may be called by whoever names its key.
            task.walk(&mut |part| {
                let named = |key: &Key| self.tasks.get_index_of(key).is_some_and(|at| natures[at] == Nature::Unknown);
                if matches!(&part.form, Form::Key(key) if named(key)) {
                    nature = Nature::Unknown;
                }
            });
            natures[at as usize] = nature;
        }
        natures
    }

    /// The nature of a task but for that of the keys it names.
    fn nature(&mut self, task: &Task, states: &mut States) -> Nature {
        match &task.form {
            Form::Data(value) => of_value(value, states),
            Form::Key(key) if self.tasks.contains_key(key) => Nature::Answers,
            Form::Key(key) => self.nature_of_name(&key.name, task.span, &[], states),
            Form::Call(items) => {
                deep(|| match items.split_first().map(|(head, args)| (head.as_symbol(), head, args)) {
                    Some((Some(name), head, args)) => {
                        let own = self.nature_of_name(name, head.span, args, states);
                        own.max(self.worst(args.iter(), states))
                    }
                    _ => self.worst(items.iter(), states),
                })
            }
            Form::List(items) => deep(|| self.worst(items.iter(), states)),
            Form::Map(pairs) => deep(|| self.worst(pairs.iter().flat_map(|(k, v)| [k, v]), states)),
            Form::Input(_) | Form::Index(_) => Nature::Unknown,
        }
    }

    fn worst<'t>(&mut self, tasks: impl Iterator<Item = &'t Task>, states: &mut States) -> Nature {
        tasks.map(|task| self.nature(task, states)).max().unwrap_or(Nature::Answers)
    }

    /// What comes of calling what a name stands for, with these arguments.
    fn nature_of_name(&mut self, name: &Str, span: Span, args: &[Task], states: &mut States) -> Nature {
        let Meaning::Value(value) = self.meaning(name, span).clone() else { return Nature::Unknown };
        let nature = of_value(&value, states);
        let Value::Function(function) = &value else { return nature };
        let is_op = self.host.op(&function.name).is_some_and(|op| Arc::ptr_eq(&op, function));
        match function.name.as_str() {
            _ if nature == Nature::Answers || !is_op => nature,
            name if state::settles(name, args) => Nature::Answers,
            "read" => Nature::Reads,
            name if name.starts_with("random/") => Nature::Varies,
            _ => nature,
        }
    }

    /// The nature of what is a function of the keys it names once it is compiled, as special forms and macros are.
    fn nature_of_code(&mut self, task: &Task, states: &mut States) -> Nature {
        let function = as_function(task, &mut |key| self.tasks.contains_key(key));
        self.host.eval(&function).map_or(Nature::Unknown, |function| of_value(&function, states))
    }
}

fn of_value(value: &Value, states: &mut States) -> Nature {
    states.of_value(value).map_or(Nature::Unknown, |_| Nature::Answers)
}

/// Hashes a task as it is written.
fn hash_text(task: &Task, hash: &mut Wide) {
    task.walk(&mut |part| {
        std::mem::discriminant(&part.form).hash(hash);
        match &part.form {
            Form::Data(value) => hash_data(value, hash, &mut { LARGE }),
            // Names of one text mean the same.
            Form::Key(key) => (key, part.span.source).hash(hash),
            Form::Call(items) | Form::List(items) => items.len().hash(hash),
            Form::Map(pairs) => pairs.len().hash(hash),
            Form::Input(n) => n.hash(hash),
            Form::Index(index) => Arc::as_ptr(&index.function).cast::<()>().hash(hash),
        }
    });
}

/// Bytes of blocks, and items of lists, that are looked at.
const LARGE: usize = 4096;

/// Hashes data to the last bit; what is large, and functions, by where they lie.
fn hash_data(value: &Value, hash: &mut Wide, left: &mut usize) {
    let size = match value {
        Value::Block(block) => block.nbytes(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        _ => 0,
    };
    let whole = size <= *left;
    *left -= if whole { size } else { 0 };
    std::mem::discriminant(value).hash(hash);
    (whole, size).hash(hash);
    match value {
        Value::List(items) if whole => deep(|| items.iter().for_each(|item| hash_data(item, hash, left))),
        Value::Map(map) if whole => deep(|| {
            map.iter().for_each(|(key, item)| {
                hash_data(key, hash, left);
                hash_data(item, hash, left);
            });
        }),
        Value::Block(block) if !whole => Arc::as_ptr(block).hash(hash),
        Value::List(items) => Arc::as_ptr(items).cast::<()>().hash(hash),
        Value::Map(map) => Arc::as_ptr(map).cast::<()>().hash(hash),
        Value::Function(function) => Arc::as_ptr(function).hash(hash),
        Value::Code(task) => hash_text(task, hash),
        other => hash_value(other, hash),
    }
}

/// A hash so wide that no two things meet in it by chance.
struct Wide(DefaultHasher, DefaultHasher);

impl Default for Wide {
    fn default() -> Self {
        let mut other = DefaultHasher::new();
        other.write_u8(1);
        Wide(DefaultHasher::new(), other)
    }
}

impl Wide {
    fn number(&self) -> u128 {
        u128::from(self.0.finish()) << 64 | u128::from(self.1.finish())
    }
}

impl Hasher for Wide {
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
        self.1.write(bytes);
    }
}
