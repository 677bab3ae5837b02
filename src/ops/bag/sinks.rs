//! What ops on lists make of elements that come one by one: one answer of all of them.

use super::each::pairs_of;
use super::flow::is_count;
use super::shuffle::Dealt;
use crate::data::{Args, Counts, Map, Sink, Value};
use crate::op::sequence::{Seq, append, push, put};
use crate::ops::core::group::{Best, count_all, counted, fold_in, grouped, join_with, key_into};
use crate::text::Result;

pub fn take(args: &Args) -> Result<Box<dyn Sink>> {
    match args.values[0].as_int().and_then(|n| usize::try_from(n).ok()) {
        Some(left) => Ok(Box::new(Take { left, all: Vec::new() })),
        None => Ok(Box::new(Whole(Vec::new()))),
    }
}

/// The first elements; no more are asked for.
struct Take {
    left: usize,
    all: Vec<Value>,
}

impl Sink for Take {
    fn take(&mut self, _: &Args, values: &mut Vec<Value>) -> Result<bool> {
        let some = values.len().min(self.left);
        self.all.extend(values.drain(..some));
        self.left -= some;
        Ok(self.left > 0)
    }

    fn may_end(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.all))
    }
}

/// A list after all: for the last elements, say.
struct Whole(Vec<Value>);

impl Sink for Whole {
    fn take(&mut self, _: &Args, values: &mut Vec<Value>) -> Result<bool> {
        append(&mut self.0, values)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, args: &Args) -> Result<Value> {
        args.function.call(args.host, &[args.values[0].clone(), Value::list(self.0)], args.span)
    }
}

pub fn frequencies(_: &Args) -> Result<Box<dyn Sink>> {
    Ok(Box::new(Tally { counts: Counts::new(), answer: |counts, args| counted(counts, args.bool("sort")?) }))
}

pub fn counts(_: &Args) -> Result<Box<dyn Sink>> {
    Ok(Box::new(Tally { counts: Counts::new(), answer: |counts, _| Ok(Value::list(counts.into_row())) }))
}

/// How often each element is there, and what is answered of that.
struct Tally {
    counts: Counts,
    answer: fn(Counts, &Args) -> Result<Value>,
}

impl Sink for Tally {
    fn take(&mut self, _: &Args, values: &mut Vec<Value>) -> Result<bool> {
        count_all(&mut self.counts, values)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, args: &Args) -> Result<Value> {
        (self.answer)(self.counts, args)
    }
}

pub fn distinct(_: &Args) -> Result<Box<dyn Sink>> {
    Ok(Box::new(Distinct { seen: Map::new(), all: Vec::new() }))
}

struct Distinct {
    seen: Map,
    all: Vec<Value>,
}

impl Sink for Distinct {
    fn take(&mut self, args: &Args, values: &mut Vec<Value>) -> Result<bool> {
        for value in values.drain(..) {
            let mut key = Value::Nil;
            key_into(args, args.value("key"), &value, &mut key)?;
            if self.seen.get(&key).is_none() {
                put(&mut self.seen, key, Value::Nil)?;
                push(&mut self.all, value)?;
            }
        }
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.all))
    }
}

pub fn fold_by(_: &Args) -> Result<Box<dyn Sink>> {
    Ok(Box::new(FoldBy(Map::new())))
}

struct FoldBy(Map);

impl Sink for FoldBy {
    fn take(&mut self, args: &Args, values: &mut Vec<Value>) -> Result<bool> {
        let initial = args.is_given("coll").then(|| args.value("initial"));
        for value in values.drain(..) {
            let mut key = Value::Nil;
            key_into(args, &args.values[0], &value, &mut key)?;
            fold_in(args, &mut self.0, &args.values[1], initial, key, value)?;
        }
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(pairs_of(self.0))
    }
}

pub fn fold(_: &Args) -> Result<Box<dyn Sink>> {
    Ok(Box::new(Fold { total: None }))
}

struct Fold {
    total: Option<Value>,
}

impl Sink for Fold {
    fn take(&mut self, args: &Args, values: &mut Vec<Value>) -> Result<bool> {
        let initial = || args.is_given("initial").then(|| args.value("initial").clone());
        for value in values.drain(..) {
            self.total = Some(match self.total.take().or_else(initial) {
                Some(total) => args.apply(&args.values[0], [total, value])?,
                None => value,
            });
        }
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.total.into_iter().collect()))
    }
}

/// Counting needs no list; other functions want one.
pub fn part(args: &Args) -> Result<Box<dyn Sink>> {
    Ok(if is_count(args) { Box::new(Count(0)) } else { Box::new(Part(Vec::new())) })
}

struct Count(i64);

impl Sink for Count {
    fn take(&mut self, _: &Args, values: &mut Vec<Value>) -> Result<bool> {
        self.0 += values.len() as i64;
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(if self.0 == 0 { Vec::new() } else { vec![Value::Int(self.0)] }))
    }
}

struct Part(Vec<Value>);

impl Sink for Part {
    fn take(&mut self, _: &Args, values: &mut Vec<Value>) -> Result<bool> {
        append(&mut self.0, values)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, args: &Args) -> Result<Value> {
        match self.0.is_empty() {
            true => Ok(Value::list(self.0)),
            false => Ok(Value::list(vec![args.apply(args.value("f"), [Value::list(self.0)])?])),
        }
    }
}

pub fn topk(args: &Args) -> Result<Box<dyn Sink>> {
    match args.values[0].as_int() {
        Some(k) => Ok(Box::new(TopK(Best::new(k)))),
        None => Ok(Box::new(Whole(Vec::new()))),
    }
}

struct TopK(Best);

impl Sink for TopK {
    fn take(&mut self, args: &Args, values: &mut Vec<Value>) -> Result<bool> {
        values.drain(..).try_for_each(|value| self.0.add(args, args.value("key"), &value))?;
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.0.finish()?))
    }
}

pub fn join(args: &Args) -> Result<Box<dyn Sink>> {
    let other = args.value("other");
    let on = args.value(if args.is_nil("on-other") { "on-self" } else { "on-other" });
    let items = Seq::of(other.clone()).map_err(|other| args.wrong_value("other", &other, "a list"))?;
    Ok(Box::new(Join { by_key: grouped(args, on, items.into_vec())?, all: Vec::new() }))
}

struct Join {
    by_key: Map,
    all: Vec<Value>,
}

impl Sink for Join {
    fn take(&mut self, args: &Args, values: &mut Vec<Value>) -> Result<bool> {
        for value in values.drain(..) {
            let mut key = Value::Nil;
            key_into(args, args.value("on-self"), &value, &mut key)?;
            join_with(&self.by_key, &key, &value, &mut self.all)?;
        }
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.all))
    }
}

pub fn dealt(args: &Args) -> Result<Box<dyn Sink>> {
    Ok(Box::new(Deal(Dealt::new(args.size("n")?)?)))
}

struct Deal(Dealt);

impl Sink for Deal {
    fn take(&mut self, args: &Args, values: &mut Vec<Value>) -> Result<bool> {
        for value in values.drain(..) {
            let mut key = Value::Nil;
            key_into(args, args.value("key"), &value, &mut key)?;
            self.0.add(key, value)?;
        }
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(self.0.into_value())
    }
}
