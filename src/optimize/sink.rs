//! The pass `slice` for graphs made by hand: a task that takes a part of what is read or filled reads or fills that part.
//!
//! ```text
//! x (read "f.h5::/x" 100:)                                      y (read "f.h5::/x" 100:110)
//! y (slice x :10)                                           →   z (sqrt (ones [3]))
//! z (slice (sqrt (ones 5)) :3)
//! ```
//!
//! Elementwise calls with numbers are gone through, and keys that are needed for slices only. What such a task makes is known from
//! the text alone where it begins with an array; of other keys nobody knows, and the slice stays above. What is read is not read in several
//! parts, each of which might decode all of it.

use super::ByHandGoal;
use super::by_hand::{ByHand, Tasks, names};
use crate::data::task::deep;
use crate::data::{Form, Host, Key, Slice, Str, Task, Value};
use crate::kernel::elementwise::{Binary, Unary};
use crate::op::state;
use crate::text::Result;
use std::sync::Arc;

/// The graph with slices taken down.
pub fn sink(graph: ByHand, goal: &ByHandGoal) -> Result<ByHand> {
    let mut wanted = graph.unnamed();
    wanted.extend_from_slice(goal.keys);
    let slices = Slices::of(graph.tasks(), &wanted, goal.host);
    if slices.of_key.iter().all(Vec::is_empty) && !slices.of_calls {
        return Ok(graph);
    }
    let sinks: Vec<bool> = (0..slices.of_key.len()).map(|at| slices.all_sink(at)).collect();
    let tasks = graph.tasks().iter().map(|(key, task)| (key.clone(), slices.taken_down(task, &sinks))).collect();
    ByHand::of(tasks).cull(&wanted)
}

struct Slices<'a> {
    tasks: &'a Tasks,
    host: &'a dyn Host,
    /// How often a key is named, and asked for.
    named: Vec<usize>,
    /// The slices of a key.
    of_key: Vec<Vec<Vec<Slice>>>,
    /// Whether there are slices of calls.
    of_calls: bool,
}

/// What a task is once a slice has gone into it.
struct Sunk {
    task: Task,
    /// Whether it reads data from somewhere.
    reads: bool,
}

impl<'a> Slices<'a> {
    fn of(tasks: &'a Tasks, wanted: &[Key], host: &'a dyn Host) -> Self {
        let of_key = vec![Vec::new(); tasks.len()];
        let mut slices = Slices { tasks, host, named: vec![0; tasks.len()], of_key, of_calls: false };
        let at = |key: &Key| tasks.get_index_of(key);
        wanted.iter().filter_map(at).for_each(|at| slices.named[at] += 1);
        for task in tasks.values() {
            names(task, &mut |key| at(key).into_iter().for_each(|at| slices.named[at] += 1));
            if slices.has_syntax(task) {
                continue;
            }
            task.walk(&mut |part| {
                let Some((of, ranges)) = slices.slice(part) else { return };
                match &of.form {
                    Form::Key(key) => at(key).into_iter().for_each(|at| slices.of_key[at].push(ranges.clone())),
                    _ => slices.of_calls = true,
                }
            });
        }
        slices
    }

    /// Whether every task that names a key takes a slice of it which can be made of less.
    fn all_sink(&self, at: usize) -> bool {
        let slices = &self.of_key[at];
        let sinks = |ranges: &Vec<Slice>| {
            let sunk = self.sunk(&self.tasks[at], ranges);
            sunk.is_some_and(|sunk| !sunk.reads || slices.len() == 1)
        };
        !slices.is_empty() && slices.len() == self.named[at] && slices.iter().all(sinks)
    }

    /// Whether there are special forms or macros in a task: they may be about the slice, and not take it.
    fn has_syntax(&self, task: &Task) -> bool {
        let mut found = false;
        task.walk(&mut |part| {
            if let Form::Call(items) = &part.form
                && let Some((name, head)) = items.first().and_then(|head| Some((head.as_symbol()?, head)))
            {
                found |= self.host.is_syntax(name, head.span);
            }
        });
        found
    }

    fn taken_down(&self, task: &Task, sinks: &[bool]) -> Task {
        if self.has_syntax(task) {
            return task.clone();
        }
        task.replace(&mut |part| {
            let (of, ranges) = self.slice(part)?;
            let sunk = match &of.form {
                Form::Key(key) => {
                    let at = self.tasks.get_index_of(key).filter(|&at| sinks[at])?;
                    self.sunk(&self.tasks[at], &ranges)?
                }
                _ => self.sunk(of, &ranges)?,
            };
            Some(sunk.task)
        })
    }

    /// What a call of `slice` takes a part of, and which: ranges only.
    fn slice<'t>(&self, task: &'t Task) -> Option<(&'t Task, Vec<Slice>)> {
        let (name, args) = self.call(task)?;
        let (of, index) = args.split_first().filter(|_| &*name == "slice")?;
        Some((of, index.iter().map(range).collect::<Option<_>>()?))
    }

    /// The op that a task calls, and the arguments.
    fn call<'t>(&self, task: &'t Task) -> Option<(Str, &'t [Task])> {
        let Form::Call(items) = &task.form else { return None };
        let (head, args) = items.split_first()?;
        let Value::Function(function) = self.host.global(head.as_symbol()?, head.span)? else { return None };
        let is_op = self.host.op(&function.name).is_some_and(|op| Arc::ptr_eq(&op, &function));
        is_op.then(|| (function.name.clone(), args))
    }

    /// A part of what a task makes, made of less; `None` where it is not known to be an array that is.
    fn sunk(&self, task: &Task, ranges: &[Slice]) -> Option<Sunk> {
        if let Form::Key(key) = &task.form {
            // What others need too is there anyway.
            let at = self.tasks.get_index_of(key).filter(|&at| self.named[at] == 1)?;
            return deep(|| self.sunk(&self.tasks[at], ranges));
        }
        let (name, args) = self.call(task)?;
        let with = |args: Vec<Task>, reads: bool| {
            let Form::Call(items) = &task.form else { return None };
            let call = std::iter::once(items[0].clone()).chain(args).collect();
            Some(Sunk { task: Task::call(call).with_span(task.span), reads })
        };
        let (first, rest) = args.split_first()?;
        match &*name {
            "read" => {
                let own = rest.iter().map(range).collect::<Option<Vec<Slice>>>()?;
                let part = composed(&own, ranges)?.into_iter().map(|s| Task::data(Value::from(s)));
                with(std::iter::once(first.clone()).chain(part).collect(), true)
            }
            "slice" => {
                let own = rest.iter().map(range).collect::<Option<Vec<Slice>>>()?;
                deep(|| self.sunk(first, &composed(&own, ranges)?))
            }
            "zeros" | "ones" | "full" if !rest.iter().any(|arg| is_keyword(arg, "chunks")) => {
                let mut shape = lengths(first)?;
                for (at, range) in ranges.iter().enumerate() {
                    *shape.get_mut(at)? = range.resolve(*shape.get(at)?)?.count;
                }
                let shape = Task::data(shape.into_iter().map(|n| n as i64).collect::<Vec<i64>>());
                with(std::iter::once(shape).chain(rest.iter().cloned()).collect(), false)
            }
            _ if name.starts_with("random/") && state::settles(&name, args) => {
                let place = if &*name == "random/random" { 0 } else { 2 };
                let (before, named) = (args.get(..place)?, args.get(place + 1..)?);
                let is_name =
                    |pair: &[Task]| ["seed", "dtype", "endpoint"].iter().any(|name| is_keyword(&pair[0], name));
                if before.iter().any(|arg| matches!(arg.form, Form::Data(Value::Keyword(_))))
                    || !named.chunks(2).all(is_name)
                    || !before.iter().all(is_plain)
                {
                    return None;
                }
                let shape = lengths(&args[place]).filter(|shape| ranges.len() <= shape.len())?;
                let part = |(axis, n): (usize, &usize)| {
                    let range = ranges.get(axis).unwrap_or(&Slice::ALL).resolve(*n)?;
                    let ends = vec![range.start as i64, (range.start + range.count) as i64];
                    (range.step == 1).then(|| Value::from(ends))
                };
                let parts = shape.iter().enumerate().map(part).collect::<Option<Vec<Value>>>()?;
                let part = [Task::data(Value::keyword("part")), Task::data(Value::list(parts))];
                with(args.iter().cloned().chain(part).collect(), false)
            }
            name if is_elementwise(name) => {
                let is_number = |arg: &&Task| matches!(&arg.form, Form::Data(v) if v.number_kind().is_some());
                let mut arrays = args.iter().enumerate().filter(|(_, arg)| !is_number(arg));
                let (Some((at, array)), None) = (arrays.next(), arrays.next()) else { return None };
                let below = deep(|| self.sunk(array, ranges))?;
                let mut args = args.to_vec();
                args[at] = below.task;
                with(args, below.reads)
            }
            _ => None,
        }
    }
}

/// Whether an argument is a number or a name, or a list of them: what is not cut with the array.
fn is_plain(arg: &Task) -> bool {
    let plain = |v: &Value| matches!(v, Value::Str(_)) || v.number_kind().is_some();
    match &arg.form {
        Form::Data(Value::List(items)) => items.iter().all(plain),
        Form::Data(value) => plain(value),
        Form::List(items) => items.iter().all(|item| matches!(&item.form, Form::Data(value) if plain(value))),
        _ => false,
    }
}

fn is_elementwise(name: &str) -> bool {
    Unary::ALL.iter().any(|op| op.name() == name) || Binary::ALL.iter().any(|op| op.name() == name)
}

fn is_keyword(task: &Task, name: &str) -> bool {
    matches!(&task.form, Form::Data(Value::Keyword(k)) if k == name)
}

fn range(task: &Task) -> Option<Slice> {
    match &task.form {
        Form::Data(Value::Slice(slice)) => Some(**slice),
        _ => None,
    }
}

/// A shape that is written down: a number, or a list of numbers.
fn lengths(task: &Task) -> Option<Vec<usize>> {
    let length = |value: &Value| value.as_int().and_then(|n| usize::try_from(n).ok());
    match task.quoted() {
        Value::List(items) => items.iter().map(length).collect(),
        one => Some(vec![length(&one)?]),
    }
}

/// First `first`, then `then`, along each axis; `None` where that depends on how long the axes are.
fn composed(first: &[Slice], then: &[Slice]) -> Option<Vec<Slice>> {
    let axis = |at: usize| {
        let along = |slices: &[Slice]| {
            let slice = slices.get(at).copied().unwrap_or(Slice::ALL);
            let (start, step) = (slice.start.unwrap_or(0), slice.step.unwrap_or(1));
            (start >= 0 && step > 0 && slice.stop.is_none_or(|stop| stop >= 0)).then_some((start, slice.stop, step))
        };
        let ((start, stop, step), (from, to, by)) = (along(first)?, along(then)?);
        let at = |n: i64| n.checked_mul(step)?.checked_add(start);
        let end = match to {
            Some(to) => Some(stop.unwrap_or(i64::MAX).min(at(to)?)),
            None => stop,
        };
        let (start, step) = (at(from)?, step.checked_mul(by)?);
        let plain = start == 0 && end.is_none();
        Some(Slice { start: (!plain).then_some(start), stop: end, step: (step != 1).then_some(step) })
    };
    (0..first.len().max(then.len())).map(axis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(slices: &[Slice], len: usize) -> Vec<usize> {
        slices.iter().fold((0..len).collect(), |all: Vec<usize>, slice| {
            let range = slice.resolve(all.len()).expect("the step is not 0");
            (0..range.count).map(|n| all[range.start + n * range.step as usize]).collect()
        })
    }

    proptest! {
        #[test]
        fn one_slice_takes_what_two_take(ends in prop::collection::vec(prop::option::of(0..12i64), 4), steps in prop::collection::vec(prop::option::of(1..4i64), 2), len in 0..20usize) {
            let first = Slice { start: ends[0], stop: ends[1], step: steps[0] };
            let then = Slice { start: ends[2], stop: ends[3], step: steps[1] };
            let one = composed(&[first], &[then]).expect("nothing is counted from the end");
            prop_assert_eq!(taken(&one, len), taken(&[first, then], len));
        }
    }

    #[test]
    fn what_is_counted_from_the_end_is_not_put_together() {
        let back = Slice { start: Some(-3), ..Slice::ALL };
        assert!(composed(&[Slice::ALL], &[back]).is_none());
        assert!(composed(&[Slice { step: Some(-1), ..Slice::ALL }], &[Slice::ALL]).is_none());
    }
}
