//! The passes for graphs made by hand: key by key.
//!
//! ```text
//! {x 1  y (inc x)  z (add y 10)  other (inc x)}
//!
//! cull, for z                    {x 1  y (inc x)  z (add y 10)}
//! dedup, of all                  {x 1  y (inc x)  z (add y 10)  other y}
//! inline, of y                   {x 1  y (inc 1)  z (add (inc 1) 10)  other (inc 1)}
//! inline-functions, of inc       {x 1  z (add (inc x) 10)  other (inc x)}
//! fuse, after that cull          {z (add (inc 1) 10)}
//! ```
//!
//! What is equal is found in [`super::equal`], slices sink in [`super::sink`], and [`super::again`] tells what is made again.

use super::equal::Equal;
use super::{Lists, cycle};
use crate::data::cancel::cancelled;
use crate::data::{Body, Form, Graph, Host, Key, Layer, Task};
use crate::err;
use crate::text::{Result, suggest};
use indexmap::IndexMap;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use std::sync::Arc;

pub type Tasks = IndexMap<Key, Task, FxBuildHasher>;

/// Tasks by key, and which of them each names.
pub struct ByHand {
    tasks: Tasks,
    /// Of each task the others it names, each once, in the order in which it names them.
    dependencies: Lists,
}

/// A task put together from others may double in size at every step; this is where that ends.
const LARGEST: u64 = 1_000_000;

/// Calls `f` on every name in a task that may be a key: all but those of functions that are called.
pub(super) fn names<'a>(task: &'a Task, f: &mut dyn FnMut(&'a Key)) {
    crate::data::task::deep(|| match &task.form {
        Form::Key(key) => f(key),
        Form::Call(items) => {
            let head_is_name = items.first().is_some_and(|head| head.as_symbol().is_some());
            items.iter().skip(usize::from(head_is_name)).for_each(|t| names(t, f));
        }
        Form::List(items) => items.iter().for_each(|t| names(t, f)),
        Form::Map(pairs) => pairs.iter().for_each(|(k, v)| {
            names(k, f);
            names(v, f);
        }),
        Form::Data(_) | Form::Input(_) | Form::Index(_) => {}
    })
}

impl ByHand {
    pub fn new(graph: &Graph) -> ByHand {
        // Graphs made by hand of one piece need not be copied task by task.
        let tasks = match graph.layers.as_slice() {
            [layer] if let Body::Tasks(tasks) = &layer.body => tasks.clone(),
            _ => graph.tasks(),
        };
        ByHand::of(tasks)
    }

    pub(super) fn of(tasks: Tasks) -> ByHand {
        let mut dependencies = Lists::with_capacity(tasks.len());
        // The task that named a key last: one that names thousands need not be searched for each.
        let mut named_by = vec![None; tasks.len()];
        for (task, of) in tasks.values().zip(0u32..) {
            if cancelled() {
                dependencies.end_list();
                continue;
            }
            names(task, &mut |key| {
                if let Some(at) = tasks.get_index_of(key)
                    && named_by[at].replace(of) != Some(of)
                {
                    dependencies.push(at as u32);
                }
            });
            dependencies.end_list();
        }
        ByHand { tasks, dependencies }
    }

    pub fn graph(self) -> Graph {
        Graph::of_tasks(self.tasks)
    }

    pub fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Of each task the others that it names, by their places.
    pub fn edges(&self) -> &Lists {
        &self.dependencies
    }

    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.tasks.keys()
    }

    fn key(&self, at: u32) -> &Key {
        self.tasks.get_index(at as usize).map(|(key, _)| key).expect("numbers of tasks come from this graph")
    }

    fn find(&self, key: &Key) -> Result<u32> {
        self.tasks.get_index_of(key).map(|at| at as u32).ok_or_else(|| {
            let error = err!(Index, "the graph has no key `{key}`");
            match suggest::nearest(&key.name, self.tasks.keys().map(|k| k.name.as_str())) {
                Some(near) if near != key.name => error.help(format!("did you mean `{near}`?")),
                _ => error,
            }
        })
    }

    /// The keys that the task of `key` names.
    pub fn dependencies(&self, key: &Key) -> Result<Vec<Key>> {
        let at = self.find(key)?;
        Ok(self.dependencies.get(at).iter().map(|&d| self.key(d).clone()).collect())
    }

    /// The keys whose tasks name `key`.
    pub fn dependents(&self, key: &Key) -> Result<Vec<Key>> {
        let at = self.find(key)?;
        Ok(self.dependencies.reversed().get(at).iter().map(|&d| self.key(d).clone()).collect())
    }

    /// Every key, after all that its task names.
    pub fn toposort(&self) -> Result<Vec<Key>> {
        self.sorted().map(|order| order.into_iter().map(|at| self.key(at).clone()).collect())
    }

    /// Every key in the order in which the tasks should run.
    pub fn order(&self) -> Result<Vec<Key>> {
        let order = super::order::best_order(&self.dependencies, &self.dependencies.reversed(), super::order::WORK);
        let order = order.ok_or_else(|| self.cycle())?;
        Ok(order.into_iter().map(|at| self.key(at).clone()).collect())
    }

    /// The keys that no task names.
    pub fn unnamed(&self) -> Vec<Key> {
        let named = self.dependencies.reversed();
        (0..self.len() as u32).filter(|&at| named.get(at).is_empty()).map(|at| self.key(at).clone()).collect()
    }

    fn cycle(&self) -> crate::text::Error {
        let tasks: Vec<(Key, Task)> = self.tasks.iter().map(|(k, t)| (k.clone(), t.clone())).collect();
        cycle::error(&tasks, &self.dependencies)
    }

    pub(super) fn sorted(&self) -> Result<Vec<u32>> {
        let mut waiting: Vec<usize> = self.dependencies.iter().map(<[u32]>::len).collect();
        let dependents = self.dependencies.reversed();
        let mut order: Vec<u32> = (0..self.len() as u32).filter(|&t| waiting[t as usize] == 0).collect();
        let mut at = 0;
        while let Some(&task) = order.get(at) {
            at += 1;
            for &next in dependents.get(task) {
                waiting[next as usize] -= 1;
                if waiting[next as usize] == 0 {
                    order.push(next);
                }
            }
        }
        if order.len() == self.len() { Ok(order) } else { Err(self.cycle()) }
    }

    /// The tasks that `keys` need, in their old order.
    pub fn cull(self, keys: &[Key]) -> Result<ByHand> {
        let mut needed = vec![false; self.len()];
        let mut open = keys.iter().map(|k| self.find(k)).collect::<Result<Vec<u32>>>()?;
        while let Some(task) = open.pop() {
            if !std::mem::replace(&mut needed[task as usize], true) {
                open.extend(self.dependencies.get(task));
            }
        }
        let mut needed = needed.into_iter();
        let tasks = self.tasks.into_iter().filter(|_| needed.next().unwrap_or(false));
        Ok(ByHand::of(tasks.collect()))
    }

    /// Of tasks that are equal the first stands for all: it is named in the place of the others. Keys in `keep`, and those that nothing
    /// names, are other names of it then; the others go.
    pub fn dedup(self, host: &dyn Host, keep: &[Key]) -> Result<ByHand> {
        let keep: FxHashSet<&Key> = keep.iter().collect();
        let Some(equal) = Equal::of(&self.tasks, &self.sorted()?, host) else { return Ok(self) };
        let named = self.dependencies.reversed();
        let is_other = |at: u32| equal.first[at as usize] != at;
        let stays = |(at, key): (u32, &Key)| {
            let users = named.get(at);
            let is_named = |&user: &u32| equal.fixed[user as usize] && !is_other(user);
            !is_other(at) || users.is_empty() || users.iter().any(is_named) || keep.contains(key)
        };
        let mut stay = (0..).zip(self.tasks.keys()).map(stays).collect::<Vec<bool>>().into_iter();
        let mut tasks = deduplicated(&self.tasks, &equal, host);
        tasks.retain(|_, _| stay.next().unwrap_or(true));
        Ok(ByHand::of(tasks))
    }

    /// `keys`, and every key that is data or another name of a key, put in where they are named. All keys stay.
    pub fn inline(self, keys: &[Key], host: &dyn Host) -> Result<ByHand> {
        let mut chosen = vec![false; self.len()];
        for key in keys {
            chosen[self.find(key)? as usize] = true;
        }
        for (at, task) in self.tasks.values().enumerate() {
            let is_alias = matches!(&task.form, Form::Key(k) if self.tasks.contains_key(k));
            let is_data = !matches!(task.form, Form::Call(_)) && self.dependencies.get(at as u32).is_empty();
            chosen[at] |= is_alias || is_data;
        }
        self.put_in(&chosen, host).map(ByHand::of)
    }

    /// Tasks that call only functions for which `fast` holds, put in where they are named; their keys go. The keys in `keep`, and
    /// those that nothing names, stay.
    pub fn inline_functions(self, fast: &dyn Fn(&Task) -> bool, keep: &[Key], host: &dyn Host) -> Result<ByHand> {
        let keep: FxHashSet<&Key> = keep.iter().collect();
        let named = self.dependencies.reversed();
        let chosen: Vec<bool> = self
            .tasks
            .iter()
            .enumerate()
            .map(|(at, (key, task))| {
                let mut all_fast = matches!(task.form, Form::Call(_));
                task.walk(&mut |t| {
                    if let Form::Call(items) = &t.form {
                        all_fast &= items.first().is_some_and(fast);
                    }
                });
                all_fast && !named.get(at as u32).is_empty() && !keep.contains(key)
            })
            .collect();
        self.without(&chosen, host)
    }

    /// A task that names one key, once, takes in that key's task, if nothing else names it and it is not in `keep`. The key that
    /// is left is the last one.
    pub fn fuse(self, keep: &[Key], host: &dyn Host) -> Result<ByHand> {
        let keep: FxHashSet<&Key> = keep.iter().collect();
        let named = self.dependencies.reversed();
        let mut gone = vec![false; self.len()];
        for (at, task) in self.tasks.values().enumerate() {
            let [only] = self.dependencies.get(at as u32) else { continue };
            let mut times = 0;
            names(task, &mut |key| times += usize::from(self.tasks.get_index_of(key) == Some(*only as usize)));
            gone[*only as usize] = times == 1 && named.get(*only).len() == 1 && !keep.contains(self.key(*only));
        }
        self.without(&gone, host)
    }

    /// The tasks but for those that go, which are put in where they are named. No key of theirs is looked for any more: each may
    /// hold all that went before it.
    fn without(self, gone: &[bool], host: &dyn Host) -> Result<ByHand> {
        let mut stay = gone.iter().map(|gone| !gone);
        let tasks = self.put_in(gone, host)?.into_iter().filter(|_| stay.next().unwrap_or(true));
        Ok(ByHand::of(tasks.collect()))
    }

    /// All tasks, with the chosen ones (themselves so treated) in place of their keys.
    fn put_in(self, chosen: &[bool], host: &dyn Host) -> Result<Tasks> {
        let mut done: FxHashMap<u32, Task> = FxHashMap::default();
        let mut sizes = vec![0u64; self.len()];
        for at in self.sorted()? {
            let Some((key, task)) = self.tasks.get_index(at as usize) else { continue };
            let mut size = 1u64;
            names(task, &mut |key| {
                let at = self.tasks.get_index_of(key).filter(|&at| chosen[at]);
                size = size.saturating_add(at.map_or(1, |at| sizes[at]));
            });
            sizes[at as usize] = size;
            if size > LARGEST {
                return Err(err!(Limit, "the task of `{key}` would name more than {LARGEST} keys and constants"));
            }
            if self.dependencies.get(at).iter().any(|&d| chosen[d as usize]) {
                let part = |key: &Key| {
                    let at = self.tasks.get_index_of(key).filter(|&at| chosen[at])?;
                    Some(done.get(&(at as u32)).unwrap_or(&self.tasks[at]).clone())
                };
                let task = substitute(task, &part, host);
                done.insert(at, task);
            }
        }
        let mut tasks = self.tasks;
        for (at, task) in done {
            tasks[at as usize] = task;
        }
        Ok(tasks)
    }
}

/// The layer in whose tasks those that `keys` need, and that are equal, run once; `None` where no two are. All keys stay.
pub fn shared(layer: &Layer, keys: &[Key], host: &dyn Host) -> Option<Arc<Layer>> {
    let Body::Tasks(tasks) = &layer.body else { return None };
    let equal = Equal::of(tasks, &needed(tasks, keys)?, host)?;
    let mut shared = layer.with_parents(layer.parents.clone());
    shared.body = Body::Tasks(deduplicated(tasks, &equal, host));
    Some(Arc::new(shared))
}

/// The tasks that keys need, each after those that it names; `None` where there is a cycle among them, and for who is no
/// longer wanted.
fn needed(tasks: &Tasks, keys: &[Key]) -> Option<Vec<u32>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; tasks.len()];
    let mut order = Vec::new();
    let mut path: Vec<usize> = keys.iter().filter_map(|key| tasks.get_index_of(key)).collect();
    while let Some(&at) = path.last() {
        if cancelled() {
            return None;
        }
        if states[at] != State::New {
            // It was met again below, or all that it names is done.
            if states[at] == State::Open {
                order.push(at as u32);
            }
            states[at] = State::Done;
            path.pop();
            continue;
        }
        states[at] = State::Open;
        let mut cycle = false;
        names(&tasks[at], &mut |key| {
            if let Some(other) = tasks.get_index_of(key) {
                cycle |= states[other] == State::Open;
                if states[other] == State::New {
                    path.push(other);
                }
            }
        });
        if cycle {
            return None;
        }
    }
    Some(order)
}

/// All tasks, with the first of equal ones in the place of each: as what its key stands for, and where its key is named.
fn deduplicated(tasks: &Tasks, equal: &Equal, host: &dyn Host) -> Tasks {
    let first = |at: usize| equal.first[at] as usize;
    let key = |at: usize| tasks.get_index(at).map(|(key, _)| key.clone());
    let instead = |key_named: &Key| {
        let at = tasks.get_index_of(key_named)?;
        if first(at) == at { None } else { key(first(at)) }
    };
    let new = |(at, (own, task)): (usize, (&Key, &Task))| {
        let mut names_other = false;
        if first(at) != at {
            return (own.clone(), key(first(at)).map_or_else(|| task.clone(), |k| Task::key(k).with_span(task.span)));
        }
        if !equal.fixed[at] {
            names(task, &mut |key| names_other |= instead(key).is_some());
        }
        match names_other {
            true => (own.clone(), substitute(task, &|key| instead(key).map(Task::key), host)),
            false => (own.clone(), task.clone()),
        }
    };
    tasks.iter().enumerate().map(new).collect()
}

/// A task that is a special form or a macro, or has some in it, as a function of the keys it names: `(if x 1 2)` is
/// `(fn [x] (if x 1 2))`. `is_key` is asked once about each key, in the order of the parameters.
pub fn as_function(task: &Task, is_key: &mut dyn FnMut(&Key) -> bool) -> Task {
    let mut params: Vec<(Key, Task)> = Vec::new();
    let body = task.replace(&mut |t| {
        let Form::Key(key) = &t.form else { return None };
        if let Some((_, param)) = params.iter().find(|(known, _)| known == key) {
            return Some(param.clone().with_span(t.span));
        }
        if !is_key(key) {
            return None;
        }
        // A block's key is no symbol; no symbol that somebody wrote is like this one.
        let name = key.index.iter().fold(key.name.to_string(), |name, i| format!("{name} {i}"));
        let param = Task::symbol(name).with_span(t.span);
        params.push((key.clone(), param.clone()));
        Some(param)
    });
    let names = Task::list(params.into_iter().map(|(_, param)| param).collect());
    Task::call(vec![Task::symbol("fn"), names, body]).with_span(task.span)
}

/// A task with other tasks in place of keys. Names of functions that are called are not keys. Special forms and macros have scopes
/// of their own: they become functions, which are called with what is put in: `(let [y 2] x)` with 1 for `x` is
/// `((fn [x] (let [y 2] x)) 1)`.
pub(super) fn substitute(task: &Task, part: &dyn Fn(&Key) -> Option<Task>, host: &dyn Host) -> Task {
    crate::data::task::deep(|| {
        let within = |t: &Task| substitute(t, part, host);
        let form = match &task.form {
            Form::Key(key) => return part(key).unwrap_or_else(|| task.clone()),
            Form::Call(items) => {
                let head = items.first().filter(|head| head.as_symbol().is_some());
                if let Some(head) = head
                    && head.as_symbol().is_some_and(|name| host.is_syntax(name, head.span))
                {
                    let mut parts = Vec::new();
                    let function = as_function(task, &mut |key| {
                        parts.extend(part(key));
                        part(key).is_some()
                    });
                    return match parts.is_empty() {
                        true => task.clone(),
                        false => Task::call(std::iter::once(function).chain(parts).collect()).with_span(task.span),
                    };
                }
                let args = items.iter().skip(usize::from(head.is_some())).map(within);
                Form::Call(head.cloned().into_iter().chain(args).collect())
            }
            Form::List(items) => Form::List(items.iter().map(within).collect()),
            Form::Map(pairs) => Form::Map(pairs.iter().map(|(k, v)| (within(k), within(v))).collect()),
            other => other.clone(),
        };
        Task::new(form, task.span)
    })
}
