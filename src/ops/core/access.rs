//! Taking things out of lists, maps, strings and arrays.

use crate::data::{Args, Graph, Map, Slice, Task, Value};
use crate::err;
use crate::op;
use crate::op::operand::known;
use crate::op::sequence::Seq;
use crate::op::{Kind, Op};
use crate::ops::graph::subject::check_size;
use crate::text::Span;
use crate::text::{Error, Result};
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(Kind::Lazy(count), "(count coll :split-every nil)",
        "How many elements a list, map, string or graph has; along the first axis of an array. nil has none.",
        ["(count [1 2 3])" => "3", "(count {:a 1})" => "1", "(count \"añb\")" => "3", "(count nil)" => "0"],
        ["empty?"]),
    op!(Kind::Lazy(is_empty), "(empty? coll)", "Whether there are no elements; nil has none.",
        ["(empty? [])" => "true", "(empty? \"a\")" => "false"], ["count"]),
    op!(Kind::Lazy(get), "(get coll key default?)",
        "What is under a key of a map, or at an index of a list, string, or array (from the end, if negative).\n\
         An absent key is nil, or `default`. An index out of range is `default`; without one, `dsk::index`. A slice takes \
         a part.",
        ["(get {:a 1} :a)" => "1", "(get {:a 1} :b)" => "nil", "(get {:a 1} :b 0)" => "0", "(get [1 2 3] -1)" => "3",
         "(get [1 2 3] 1:)" => "[2 3]", "(get [1 2 3] 9 :none)" => ":none"],
        ["get-in", "nth", "slice"]),
    op!(Kind::Over("coll keys*", get_in), "(get-in coll keys default?)",
        "What is under a path of keys and indices. Where a step is absent, nil, or `default`.",
        ["(get-in {:a [{:b 7}]} [:a 0 :b])" => "7", "(get-in {:a 1} [:x :y] 0)" => "0"], ["get", "assoc-in"]),
    op!(Kind::Lazy(nth), "(nth coll n default?)",
        "The element at index `n`, from the end if negative; of a map, a pair. Out of range: `default`; without one, \
         `dsk::index`.",
        ["(nth [1 2 3] 1)" => "2", "(nth {:a 1} 0)" => "[:a 1]", "(nth [] 0 nil)" => "nil"], ["get", "first", "last"]),
    op!(Kind::Lazy(first), "(first coll)", "The first element; nil where there is none.",
        ["(first [1 2])" => "1", "(first \"abc\")" => "\"a\"", "(first [])" => "nil"], ["second", "last", "rest"]),
    op!(Kind::Lazy(second), "(second coll)", "The second element; nil where there is none.",
        ["(second [1 2])" => "2", "(second [1])" => "nil"], ["first", "nth"]),
    op!(Kind::Lazy(last), "(last coll)", "The last element; nil where there is none.",
        ["(last [1 2])" => "2", "(last [])" => "nil"], ["first", "nth"]),
    op!(Kind::Lazy(rest), "(rest coll)", "All elements but the first, as a list (of an array, as an array).",
        ["(rest [1 2 3])" => "[2 3]", "(rest [])" => "[]"], ["first", "drop"]),
    op!(Kind::Lazy(butlast), "(butlast coll)", "All elements but the last.",
        ["(butlast [1 2 3])" => "[1 2]"], ["last", "take"]),
    op!(Kind::Over("coll x*", contains), "(contains? coll x)",
        "Whether a map has the key, a list the element, a string the part.",
        ["(contains? {:a nil} :a)" => "true", "(contains? [1 2] 2.0)" => "true", "(contains? \"abc\" \"bc\")" => "true"],
        ["index-of", "get"]),
    op!(Kind::Over("coll* x*", index_of), "(index-of coll x)",
        "The first index of an element of a list, or of a part of a string; nil where it is not there.",
        ["(index-of [:a :b] :b)" => "1", "(index-of \"abc\" \"c\")" => "2", "(index-of [1] 5)" => "nil"], ["contains?"]),
    op!(Kind::Over("coll", keys), "(keys coll)", "The keys of a map, in order; of a graph, its keys.",
        ["(keys {:a 1 :b 2})" => "[:a :b]"], ["vals", "items"]),
    op!(Kind::Over("coll", vals), "(vals coll)", "The values of a map, in order.",
        ["(vals {:a 1 :b 2})" => "[1 2]"], ["keys", "items"]),
    op!(Kind::Over("coll", items), "(items coll)", "The pairs `[key value]` of a map, in order.",
        ["(items {:a 1 :b 2})" => "[[:a 1] [:b 2]]"], ["keys", "into"]),
    op!(Kind::Over("coll keys*", select_keys), "(select-keys coll keys)", "The map of those keys only, in the order of `keys`.",
        ["(select-keys {:a 1 :b 2 :c 3} [:c :a :x])" => "{:c 3 :a 1}"], ["pluck", "dissoc"]),
];

fn collection(args: &Args, found: &Value) -> Error {
    args.wrong_value("coll", found, "a list, map, string or array")
}

fn length(value: &Value) -> Option<usize> {
    Some(match value {
        Value::Nil => 0,
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        Value::Str(text) if text.is_ascii() => text.len(),
        Value::Str(text) => text.chars().count(),
        Value::Block(block) => *block.shape().first()?,
        Value::Array(array) => *array.shape().first()?,
        Value::Graph(graph) => graph.len(),
        other => Seq::of(other.clone()).ok()?.len(),
    })
}

fn count(args: Args) -> Result<Value> {
    let coll = &args.values[0];
    if let Value::Delayed(_) = coll {
        return args.host.delay(&args);
    }
    known_length(coll)?;
    length(coll).map(Value::from).ok_or_else(|| collection(&args, coll))
}

/// Refuses an array whose length is not known.
fn known_length(coll: &Value) -> Result<()> {
    match coll {
        Value::Array(array) => known(array),
        _ => Ok(()),
    }
}

fn is_empty(args: Args) -> Result<Value> {
    let coll = &args.values[0];
    if let Value::Delayed(_) = coll {
        return args.host.delay(&args);
    }
    known_length(coll)?;
    length(coll).map(|n| Value::Bool(n == 0)).ok_or_else(|| collection(&args, coll))
}

/// Where an index from either end lies in `len`.
fn place(n: i64, len: usize) -> Option<usize> {
    let n = if n < 0 { n.checked_add(len as i64)? } else { n };
    usize::try_from(n).ok().filter(|&n| n < len)
}

pub(super) fn out_of_range(n: i64, what: &str, len: usize, span: Span) -> Error {
    let error = err!(Index, "index {n} is out of range for a {what} of {len}").label(span, "in this call");
    if len == 0 {
        error.help("it is empty")
    } else {
        error.help(format!("indices go from 0 to {}, or from -1 back to -{len}", len - 1))
    }
}

/// The part of a list that a slice takes.
fn part(items: &[Value], slice: &Slice) -> Result<Value> {
    let Some(range) = slice.resolve(items.len()) else {
        return Err(err!(Value, "the step of a slice is not 0"));
    };
    let at = |n: usize| items[(range.start as isize + n as isize * range.step) as usize].clone();
    Ok(Value::list((0..range.count).map(at).collect()))
}

/// What is under the key; `None` where it is absent.
pub(super) fn look_up(args: &Args, coll: &Value, key: &Value) -> Result<Option<Value>> {
    let at = |len: usize| key.as_int().map(|n| place(n, len));
    Ok(match (coll, key) {
        (Value::Nil, _) => None,
        (Value::Map(map), _) => map.get(key).cloned(),
        (Value::List(items), Value::Slice(slice)) => Some(part(items, slice)?),
        (Value::Str(text), Value::Slice(slice)) => {
            let chars: Vec<Value> = text.chars().map(op::sequence::character).collect();
            let Value::List(chars) = part(&chars, slice)? else { return Ok(None) };
            Some(chars.iter().filter_map(Value::as_text).collect::<String>().into())
        }
        (Value::List(items), _) => {
            let at = at(items.len()).ok_or_else(|| args.wrong_value("key", key, "an int or a slice"))?;
            at.map(|at| items[at].clone())
        }
        (Value::Str(text), _) => {
            let len = length(coll).unwrap_or_default();
            let at = at(len).ok_or_else(|| args.wrong_value("key", key, "an int or a slice"))?;
            at.and_then(|at| text.chars().nth(at)).map(op::sequence::character)
        }
        (Value::Block(_) | Value::Array(_), _) => Some(args.host.apply(coll, std::slice::from_ref(key), args.span)?),
        (Value::Graph(graph), _) => {
            let key = Graph::key_of(&Task::from_quoted(key, args.span));
            key.and_then(|key| graph.tasks().get(&key).map(Task::quoted))
        }
        _ => {
            let items = Seq::of(coll.clone()).map_err(|coll| collection(args, &coll))?;
            return look_up(args, &items.into_value(), key);
        }
    })
}

fn get(args: Args) -> Result<Value> {
    let (coll, key) = (&args.values[0], &args.values[1]);
    if matches!(coll, Value::Delayed(_)) || key.is_lazy() && !matches!(coll, Value::Array(_)) {
        return args.host.delay(&args);
    }
    match look_up(&args, coll, key) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => match (coll, key.as_int()) {
            _ if args.has(2) => Ok(args.values[2].clone()),
            (Value::List(_) | Value::Str(_), Some(n)) => {
                Err(out_of_range(n, coll.type_name(), length(coll).unwrap_or_default(), args.span)
                    .help("`(get coll key default)` answers with the default instead"))
            }
            (Value::Graph(_), _) => Err(err!(Index, "the graph has no key {key:?}")),
            _ => Ok(Value::Nil),
        },
        Err(error) if args.has(2) && error.code() == crate::text::Code::Index => Ok(args.values[2].clone()),
        Err(error) => Err(error),
    }
}

fn get_in(args: Args) -> Result<Value> {
    let mut found = args.values[0].clone();
    for key in &args.list("keys")? {
        if let (Value::Delayed(_), Some(get)) = (&found, args.host.op("get")) {
            let step = [found, key.clone(), args.values[2].clone()];
            found = args.host.apply(&Value::Function(get), &step, args.span)?;
            continue;
        }
        match look_up(&args, &found, key) {
            Ok(Some(next)) => found = next,
            // Nothing further down: what is absent has no parts.
            Ok(None) => return Ok(args.values[2].clone()),
            Err(error) if error.code() == crate::text::Code::Index => return Ok(args.values[2].clone()),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The element at an index of what has elements; `None` where it is out of range.
fn element(args: &Args, n: i64) -> Result<Option<Value>> {
    let coll = &args.values[0];
    known_length(coll)?;
    match coll {
        Value::List(_) | Value::Str(_) => look_up(args, coll, &Value::Int(n)),
        Value::Map(map) => {
            let pair = place(n, map.len()).and_then(|at| map.get_index(at));
            Ok(pair.map(|(k, v)| op::sequence::pair(k.clone(), v.clone())))
        }
        Value::Block(_) | Value::Array(_) => match length(coll).map(|len| place(n, len)) {
            None => Err(collection(args, coll)),
            Some(None) => Ok(None),
            Some(Some(at)) => args.host.apply(coll, &[Value::from(at)], args.span).map(Some),
        },
        _ => {
            let items = Seq::of(coll.clone()).map_err(|coll| collection(args, &coll))?;
            Ok(place(n, items.len()).map(|at| items[at].clone()))
        }
    }
}

fn nth(args: Args) -> Result<Value> {
    if args.values[..2].iter().any(|v| matches!(v, Value::Delayed(_))) {
        return args.host.delay(&args);
    }
    let n = args.int("n")?;
    match element(&args, n)? {
        Some(found) => Ok(found),
        None if args.has(2) => Ok(args.values[2].clone()),
        None => {
            let coll = &args.values[0];
            Err(out_of_range(n, coll.type_name(), length(coll).unwrap_or_default(), args.span))
        }
    }
}

fn at(args: &Args, n: i64) -> Result<Value> {
    if let Value::Delayed(_) = args.values[0] {
        return args.host.delay(args);
    }
    Ok(element(args, n)?.unwrap_or_default())
}

fn first(args: Args) -> Result<Value> {
    at(&args, 0)
}

fn second(args: Args) -> Result<Value> {
    at(&args, 1)
}

fn last(args: Args) -> Result<Value> {
    at(&args, -1)
}

/// A stretch of a collection: a list, or of an array an array.
fn stretch(mut args: Args, slice: Slice) -> Result<Value> {
    match &args.values[0] {
        Value::Delayed(_) => args.host.delay(&args),
        Value::Block(_) | Value::Array(_) => args.host.apply(&args.values[0], &[slice.into()], args.span),
        _ => part(&args.seq("coll")?, &slice),
    }
}

fn rest(args: Args) -> Result<Value> {
    stretch(args, Slice { start: Some(1), stop: None, step: None })
}

fn butlast(args: Args) -> Result<Value> {
    stretch(args, Slice { start: None, stop: Some(-1), step: None })
}

fn contains(mut args: Args) -> Result<Value> {
    // The keys of a map are never lazy; what is in it may be.
    if matches!(args.values[0], Value::List(_)) && args.values[0].holds_lazy() {
        return args.host.delay(&args);
    }
    let x = args.take("x");
    Ok(Value::Bool(match (&args.values[0], &x) {
        (Value::Map(map), _) => map.get(&x).is_some(),
        (Value::Str(text), Value::Str(part)) => text.contains(part.as_str()),
        (Value::Str(_), _) => return Err(args.wrong_value("x", &x, "a string")),
        _ => args.seq("coll")?.iter().any(|item| item.same_key(&x)),
    }))
}

fn index_of(mut args: Args) -> Result<Value> {
    let x = args.take("x");
    let at = match (&args.values[0], &x) {
        (Value::Str(text), Value::Str(part)) => text.find(part.as_str()).map(|at| text[..at].chars().count()),
        (Value::Str(_), _) => return Err(args.wrong_value("x", &x, "a string")),
        _ => args.seq("coll")?.iter().position(|item| item.same_key(&x)),
    };
    Ok(at.map_or(Value::Nil, Value::from))
}

/// The map that was given; nil is an empty one.
fn map_of(args: &Args) -> Result<Arc<Map>> {
    match &args.values[0] {
        Value::Map(map) => Ok(map.clone()),
        Value::Nil => Ok(Arc::default()),
        _ => Err(args.wrong("coll", "a map")),
    }
}

fn keys(args: Args) -> Result<Value> {
    match &args.values[0] {
        Value::Graph(graph) => {
            check_size(graph, &args)?;
            let keys = graph.layers.iter().flat_map(|layer| layer.keys());
            Ok(Value::list(keys.map(|key| Graph::key_value(&key)).collect()))
        }
        _ => Ok(Value::list(map_of(&args)?.iter().map(|(k, _)| k.clone()).collect())),
    }
}

fn vals(args: Args) -> Result<Value> {
    Ok(Value::list(map_of(&args)?.iter().map(|(_, v)| v.clone()).collect()))
}

fn items(args: Args) -> Result<Value> {
    let map = map_of(&args)?;
    Ok(Value::list(map.iter().map(|(k, v)| op::sequence::pair(k.clone(), v.clone())).collect()))
}

fn select_keys(args: Args) -> Result<Value> {
    let map = map_of(&args)?;
    let mut chosen = Map::new();
    for key in args.list("keys")? {
        if let Some(value) = map.get(&key) {
            op::sequence::put(&mut chosen, key, value.clone())?;
        }
    }
    Ok(Value::map(chosen))
}
