//! What ops on lists do with elements that come one by one, where their calls are nested in each other.

use super::{files, sinks};
use crate::data::{Args, Flow, Reads, Stage, Value, Work};
use crate::op::sequence::Seq;
use crate::ops::core::each::plucked;
use crate::text::Result;
use std::sync::Arc;

/// What an op does with elements.
pub fn flow(name: &str) -> Option<Flow> {
    Some(match name {
        "bag/together" => Flow::Together,
        "bag/hole" => Flow::Hole,
        "bag/lines" => Flow::Source(files::lines::each_line),
        "bag/json" => Flow::Source(files::json::each_json),
        "bag/csv" => Flow::Source(files::csv::each_row),
        "map" => stage(2, Work::InPlace(map), |args, _| of_function(args, 0, 0)),
        "filter" => stage(2, Work::Choose(|args, _, values| chosen(args, values, true)), of_test),
        "remove" => stage(2, Work::Choose(|args, _, values| chosen(args, values, false)), of_test),
        "keep" => stage(2, Work::Choose(keep), |args, _| of_function(args, 0, 0)),
        "pluck" => stage(2, Work::InPlace(pluck), |args, _| of_key(&args.values[0])),
        "starmap" => stage(2, Work::InPlace(starmap), all),
        "flatten" => stage(1, Work::Spread(flatten), all),
        "mapcat" => stage(2, Work::Spread(mapcat), |args, _| of_function(args, 0, 0)),
        "take" => Flow::Sink(sinks::take, whole),
        "topk" => Flow::Sink(sinks::topk, whole),
        "bag/counts" => Flow::Sink(sinks::counts, whole),
        "frequencies" => Flow::Sink(sinks::frequencies, whole),
        "distinct" => Flow::Sink(sinks::distinct, whole),
        "join" => Flow::Sink(sinks::join, whole),
        "bag/dealt" => Flow::Sink(sinks::dealt, whole),
        "foldby" => Flow::Sink(sinks::fold_by, of_fold_by),
        "bag/fold" => Flow::Sink(sinks::fold, of_fold),
        "bag/part" => Flow::Sink(sinks::part, |args| if is_count(args) { Reads::NOTHING } else { Reads::All }),
        _ => return None,
    })
}

fn all(_: &Args, _: &Reads) -> Reads {
    Reads::All
}

/// What keeps elements reads all of them.
fn whole(_: &Args) -> Reads {
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

/// Whether it is `(bag/part count …)`, which needs no list.
pub(super) fn is_count(args: &Args) -> bool {
    matches!((args.value("f"), args.host.op("count")), (Value::Function(f), Some(count)) if Arc::ptr_eq(f, &count))
}
