//! What ops on lists do with elements that come one by one, where their calls are nested in each other.

use super::each::pairs_of;
use super::files;
use crate::data::{Args, Flow, Map, Next, Sink, Value};
use crate::op::sequence::{Seq, push, put};
use crate::ops::core::each::plucked;
use crate::ops::core::group::key_into;
use crate::text::Result;

/// What an op does with elements.
pub fn flow(name: &str) -> Option<Flow> {
    Some(match name {
        "bag/lines" => Flow::Source(files::each_line),
        "bag/json" => Flow::Source(files::each_json),
        "map" => Flow::Stage(2, map),
        "filter" => Flow::Stage(2, |args, x, next| chosen(args, x, next, true)),
        "remove" => Flow::Stage(2, |args, x, next| chosen(args, x, next, false)),
        "keep" => Flow::Stage(2, keep),
        "pluck" => Flow::Stage(2, pluck),
        "starmap" => Flow::Stage(2, starmap),
        "flatten" => Flow::Stage(1, flatten),
        "mapcat" => Flow::Stage(2, mapcat),
        "take" => Flow::Sink(|args| match args.values[0].as_int().and_then(|n| usize::try_from(n).ok()) {
            Some(left) => Ok(Box::new(Take { left, all: Vec::new() })),
            None => Ok(Box::new(Whole(Vec::new()))),
        }),
        "frequencies" => Flow::Sink(|_| Ok(Box::new(Frequencies(Map::new())))),
        "distinct" => Flow::Sink(|_| Ok(Box::new(Distinct { seen: Map::new(), all: Vec::new() }))),
        "foldby" => Flow::Sink(|_| Ok(Box::new(FoldBy(Map::new())))),
        "bag/fold" => Flow::Sink(|_| Ok(Box::new(Fold { total: None }))),
        "bag/part" => Flow::Sink(part),
        _ => return None,
    })
}

fn map(args: &Args, x: Value, next: &mut Next) -> Result<bool> {
    let mut window = [x];
    args.apply_in(&args.values[0], &mut window)?;
    let [x] = window;
    next(x)
}

fn chosen(args: &Args, x: Value, next: &mut Next, wanted: bool) -> Result<bool> {
    let mut window = [x.clone()];
    args.apply_in(&args.values[0], &mut window)?;
    if window[0].truth()? == wanted { next(x) } else { Ok(true) }
}

fn keep(args: &Args, x: Value, next: &mut Next) -> Result<bool> {
    let mut window = [x];
    args.apply_in(&args.values[0], &mut window)?;
    let [x] = window;
    if matches!(x, Value::Nil) { Ok(true) } else { next(x) }
}

fn pluck(args: &Args, x: Value, next: &mut Next) -> Result<bool> {
    let default = args.is_given("default").then(|| args.value("default"));
    next(plucked(args, &x, &args.values[0], default)?)
}

fn starmap(args: &Args, x: Value, next: &mut Next) -> Result<bool> {
    let row = Seq::of(x).map_err(|row| args.wrong_value("coll", &row, "a list of lists"))?;
    next(args.apply_all(&args.values[0], row.into_vec())?)
}

fn flatten(args: &Args, x: Value, next: &mut Next) -> Result<bool> {
    let items = Seq::of(x).map_err(|x| args.wrong_value("coll", &x, "a list of lists"))?;
    each(items, next)
}

fn each(items: Seq, next: &mut Next) -> Result<bool> {
    for item in items.into_vec() {
        if !next(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn mapcat(args: &Args, x: Value, next: &mut Next) -> Result<bool> {
    let part = args.apply(&args.values[0], [x])?;
    each(Seq::of(part).map_err(|part| args.wrong_value("f", &part, "a function that answers with lists"))?, next)
}

/// The first elements; no more are asked for.
struct Take {
    left: usize,
    all: Vec<Value>,
}

impl Sink for Take {
    fn push(&mut self, _: &Args, value: Value) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        self.all.push(value);
        Ok(self.left > 0)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.all))
    }
}

/// A list after all: for the last elements, say.
struct Whole(Vec<Value>);

impl Sink for Whole {
    fn push(&mut self, _: &Args, value: Value) -> Result<bool> {
        push(&mut self.0, value)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, args: &Args) -> Result<Value> {
        args.function.call(args.host, &[args.values[0].clone(), Value::list(self.0)], args.span)
    }
}

struct Frequencies(Map);

impl Sink for Frequencies {
    fn push(&mut self, _: &Args, value: Value) -> Result<bool> {
        match self.0.get_mut(&value) {
            Some(Value::Int(n)) => *n += 1,
            _ => put(&mut self.0, value, Value::Int(1))?,
        }
        Ok(true)
    }

    fn finish(self: Box<Self>, args: &Args) -> Result<Value> {
        let pairs = pairs_of(self.0);
        match args.bool("sort")? {
            false => Ok(pairs),
            true => super::reduce::sorted_counts(pairs),
        }
    }
}

struct Distinct {
    seen: Map,
    all: Vec<Value>,
}

impl Sink for Distinct {
    fn push(&mut self, args: &Args, value: Value) -> Result<bool> {
        let mut key = Value::Nil;
        key_into(args, args.value("key"), &value, &mut key)?;
        if self.seen.get(&key).is_none() {
            put(&mut self.seen, key, Value::Nil)?;
            push(&mut self.all, value)?;
        }
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.all))
    }
}

struct FoldBy(Map);

impl Sink for FoldBy {
    fn push(&mut self, args: &Args, value: Value) -> Result<bool> {
        let mut key = Value::Nil;
        key_into(args, &args.values[0], &value, &mut key)?;
        let has_initial = args.is_given("coll");
        match self.0.get_mut(&key) {
            Some(total) => *total = args.apply(&args.values[1], [std::mem::take(total), value])?,
            None if has_initial => {
                let first = args.apply(&args.values[1], [args.value("initial").clone(), value])?;
                put(&mut self.0, key, first)?;
            }
            None => put(&mut self.0, key, value)?,
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
    fn push(&mut self, args: &Args, value: Value) -> Result<bool> {
        let initial = || args.is_given("initial").then(|| args.value("initial").clone());
        self.total = Some(match self.total.take().or_else(initial) {
            Some(total) => args.apply(&args.values[0], [total, value])?,
            None => value,
        });
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(self.total.into_iter().collect()))
    }
}

/// `(bag/part count …)` needs no list; other functions want one.
fn part(args: &Args) -> Result<Box<dyn Sink>> {
    let count = args.host.op("count");
    Ok(match (args.value("f"), count) {
        (Value::Function(f), Some(count)) if std::sync::Arc::ptr_eq(f, &count) => Box::new(Count(0)),
        _ => Box::new(Part(Vec::new())),
    })
}

struct Count(i64);

impl Sink for Count {
    fn push(&mut self, _: &Args, _: Value) -> Result<bool> {
        self.0 += 1;
        Ok(true)
    }

    fn finish(self: Box<Self>, _: &Args) -> Result<Value> {
        Ok(Value::list(if self.0 == 0 { Vec::new() } else { vec![Value::Int(self.0)] }))
    }
}

struct Part(Vec<Value>);

impl Sink for Part {
    fn push(&mut self, _: &Args, value: Value) -> Result<bool> {
        push(&mut self.0, value)?;
        Ok(true)
    }

    fn finish(self: Box<Self>, args: &Args) -> Result<Value> {
        match self.0.is_empty() {
            true => Ok(Value::list(self.0)),
            false => Ok(Value::list(vec![args.apply(args.value("f"), [Value::list(self.0)])?])),
        }
    }
}
