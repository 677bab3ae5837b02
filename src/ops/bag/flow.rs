//! What ops on lists do with elements that come one by one, where their calls are nested in each other.

use super::each::pairs_of;
use super::files;
use crate::data::{Args, Counts, Flow, Map, Reads, Sink, Stage, Value, Work};
use crate::op::sequence::{Seq, append, push, put};
use crate::ops::core::each::plucked;
use crate::ops::core::group::{count_all, counted, key_into};
use crate::text::Result;
use std::sync::Arc;

/// What an op does with elements.
pub fn flow(name: &str) -> Option<Flow> {
    Some(match name {
        "bag/together" => Flow::Together,
        "bag/hole" => Flow::Hole,
        "bag/lines" => Flow::Source(files::each_line),
        "bag/json" => Flow::Source(files::each_json),
        "map" => stage(2, Work::InPlace(map), |args, _| of_function(args, 0, 0)),
        "filter" => stage(2, Work::Choose(|args, _, values| chosen(args, values, true)), of_test),
        "remove" => stage(2, Work::Choose(|args, _, values| chosen(args, values, false)), of_test),
        "keep" => stage(2, Work::Choose(keep), |args, _| of_function(args, 0, 0)),
        "pluck" => stage(2, Work::InPlace(pluck), |args, _| of_key(&args.values[0])),
        "starmap" => stage(2, Work::InPlace(starmap), all),
        "flatten" => stage(1, Work::Spread(flatten), all),
        "mapcat" => stage(2, Work::Spread(mapcat), |args, _| of_function(args, 0, 0)),
        "take" => Flow::Sink(take, |_| Reads::All),
        "frequencies" => Flow::Sink(|_| Ok(Box::new(Frequencies(Counts::new()))), |_| Reads::All),
        "distinct" => Flow::Sink(|_| Ok(Box::new(Distinct { seen: Map::new(), all: Vec::new() })), |_| Reads::All),
        "foldby" => Flow::Sink(|_| Ok(Box::new(FoldBy(Map::new()))), of_fold_by),
        "bag/fold" => Flow::Sink(|_| Ok(Box::new(Fold { total: None })), of_fold),
        "bag/part" => Flow::Sink(part, |args| if is_count(args) { Reads::NOTHING } else { Reads::All }),
        _ => return None,
    })
}

fn all(_: &Args, _: &Reads) -> Reads {
    Reads::All
}

/// What a function that was an argument reads of what it is called with.
fn of_function(args: &Args, function: usize, at: usize) -> Reads {
    match &args.values[function] {
        Value::Function(f) => f.callable.reads(at, args.host),
        // A keyword looks itself up.
        key @ Value::Keyword(_) => of_key(key),
        _ => Reads::All,
    }
}

/// What looking up a key reads, or each of a list of keys.
fn of_key(key: &Value) -> Reads {
    match key {
        Value::Str(_) | Value::Keyword(_) => Reads::Keys(vec![key.clone()]),
        Value::List(keys) => keys.iter().fold(Reads::NOTHING, |reads, key| reads.and(&of_key(key))),
        _ => Reads::All,
    }
}

/// What is handed on as it is.
fn of_test(args: &Args, after: &Reads) -> Reads {
    of_function(args, 0, 0).and(after)
}

fn of_fold_by(args: &Args) -> Reads {
    let key = match &args.values[0] {
        Value::Function(_) => of_function(args, 0, 0),
        key => of_key(key),
    };
    // Without something to begin with, elements are.
    if args.is_given("coll") { key.and(&of_function(args, 1, 1)) } else { Reads::All }
}

fn of_fold(args: &Args) -> Reads {
    if args.is_given("initial") { of_function(args, 0, 1) } else { Reads::All }
}

fn stage(positional: usize, work: Work, reads: fn(&Args, &Reads) -> Reads) -> Flow {
    Flow::Stage(Stage { positional, work, reads })
}

fn map(args: &Args, reads: &Reads, values: &mut [Value]) -> Result<()> {
    args.host.apply_each(&args.values[0], values, reads, args.span)
}

fn chosen(args: &Args, values: &mut Vec<Value>, wanted: bool) -> Result<()> {
    let holds = |x: &Value| {
        let mut window = [x.clone()];
        args.apply_in(&args.values[0], &mut window)?;
        window[0].truth()
    };
    let mut failure = Ok(());
    values.retain(|x| match failure.is_ok().then(|| holds(x)) {
        Some(Ok(held)) => held == wanted,
        Some(Err(error)) => {
            failure = Err(error);
            false
        }
        None => false,
    });
    failure
}

fn keep(args: &Args, reads: &Reads, values: &mut Vec<Value>) -> Result<()> {
    // That it is not nil is read of it.
    let reads = if reads.is_nothing() { &Reads::All } else { reads };
    map(args, reads, values)?;
    values.retain(|x| !matches!(x, Value::Nil));
    Ok(())
}

fn pluck(args: &Args, _: &Reads, values: &mut [Value]) -> Result<()> {
    let default = args.is_given("default").then(|| args.value("default"));
    values.iter_mut().try_for_each(|x| {
        *x = plucked(args, x, &args.values[0], default)?;
        Ok(())
    })
}

fn starmap(args: &Args, _: &Reads, values: &mut [Value]) -> Result<()> {
    values.iter_mut().try_for_each(|x| {
        let row = Seq::of(std::mem::take(x)).map_err(|row| args.wrong_value("coll", &row, "a list of lists"))?;
        *x = args.apply_all(&args.values[0], row.into_vec())?;
        Ok(())
    })
}

fn flatten(args: &Args, x: Value) -> Result<Vec<Value>> {
    let items = Seq::of(x).map_err(|x| args.wrong_value("coll", &x, "a list of lists"))?;
    Ok(items.into_vec())
}

fn mapcat(args: &Args, x: Value) -> Result<Vec<Value>> {
    let part = args.apply(&args.values[0], [x])?;
    let items = Seq::of(part).map_err(|part| args.wrong_value("f", &part, "a function that answers with lists"))?;
    Ok(items.into_vec())
}

fn take(args: &Args) -> Result<Box<dyn Sink>> {
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

struct Frequencies(Counts);

impl Sink for Frequencies {
    fn take(&mut self, _: &Args, values: &mut Vec<Value>) -> Result<bool> {
        count_all(&mut self.0, values)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, args: &Args) -> Result<Value> {
        counted(self.0, args.bool("sort")?)
    }
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

struct FoldBy(Map);

impl Sink for FoldBy {
    fn take(&mut self, args: &Args, values: &mut Vec<Value>) -> Result<bool> {
        let has_initial = args.is_given("coll");
        for value in values.drain(..) {
            let mut key = Value::Nil;
            key_into(args, &args.values[0], &value, &mut key)?;
            match self.0.get_mut(&key) {
                Some(total) => *total = args.apply(&args.values[1], [std::mem::take(total), value])?,
                None if has_initial => {
                    let first = args.apply(&args.values[1], [args.value("initial").clone(), value])?;
                    put(&mut self.0, key, first)?;
                }
                None => put(&mut self.0, key, value)?,
            }
        }
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(pairs_of(self.0))
    }
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

/// `(bag/part count …)` needs no list; other functions want one.
fn part(args: &Args) -> Result<Box<dyn Sink>> {
    Ok(if is_count(args) { Box::new(Count(0)) } else { Box::new(Part(Vec::new())) })
}

fn is_count(args: &Args) -> bool {
    matches!((args.value("f"), args.host.op("count")), (Value::Function(f), Some(count)) if Arc::ptr_eq(f, &count))
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
