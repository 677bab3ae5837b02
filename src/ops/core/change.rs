//! Lists and maps with something added, replaced or taken away. Values never change; a collection that nobody else holds
//! is changed in place, so that building one element after the other costs no copies.

use super::access::out_of_range;
use crate::data::{Args, List, Map, Value};
use crate::err;
use crate::op;
use crate::op::sequence::{self, Seq, put};
use crate::op::{Kind, Op, infer};
use crate::ops::array::set_part::set_part;
use crate::text::Error;
use crate::text::Result;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(Kind::Over("coll", conj), "(conj coll & xs)",
        "The list with `xs` added at its end. To a map, pairs `[key value]` or maps are added; to nil, as to a list.",
        ["(conj [1 2] 3 4)" => "[1 2 3 4]", "(conj {:a 1} [:b 2])" => "{:a 1 :b 2}", "(conj nil 1)" => "[1]"],
        ["concat", "into", "assoc"]),
    op!(Kind::Over("coll", cons), "(cons x coll)", "The list with `x` before its first element.",
        ["(cons 1 [2 3])" => "[1 2 3]"], ["conj"]),
    op!(Kind::Lazy(concat), "(concat & colls)",
        "Lists one after the other; strings as a string, maps as pairs. With arrays among them, `concatenate` along the \
         first axis.",
        ["(concat [1 2] [3] nil)" => "[1 2 3]", "(concat \"ab\" \"c\")" => "\"abc\""], ["conj", "concatenate", "flatten"]),
    op!(Kind::Over("target coll", into), "(into target coll)",
        "The elements of `coll` added to a list, or pairs to a map.",
        ["(into {} [[:a 1] [:b 2]])" => "{:a 1 :b 2}", "(into [] {:a 1})" => "[[:a 1]]"], ["conj", "zipmap"]),
    op!(Kind::Lazy(assoc), "(assoc coll & kvs)",
        "A copy with other values under keys of a map, at indices of a list (its length appends), or in parts of an \
         array, which an index list with slices names: `(assoc x [1 2:5] v)` is `x` with `x[1, 2:5] = v`. A mask names the \
         elements where it holds; of a lazy array, lazy masks too, for one value or values along the other axes.",
        ["(assoc {:a 1} :b 2 :a 3)" => "{:a 3 :b 2}", "(assoc [1 2] 0 :x)" => "[:x 2]",
         "(to-list (assoc (zeros [3]) [1:] 5))" => "[0.0 5.0 5.0]",
         "(let [x (arange 4 :chunks 2)] (to-list (assoc x (> x 1) 0)))" => "[0 1 0 0]"],
        ["assoc-in", "update", "dissoc"]),
    op!(Kind::Over("coll keys*", assoc_in), "(assoc-in coll keys value)",
        "A copy with another value under a path of keys; maps are made where there are none.",
        ["(assoc-in {:a {:b 1}} [:a :c] 2)" => "{:a {:b 1 :c 2}}"], ["assoc", "update-in", "get-in"]),
    op!(Kind::Over("coll key*", update), "(update coll key f & args)",
        "A copy with `(f old args…)` under the key, where `old` is nil if it is absent.",
        ["(update {:n 1} :n + 10)" => "{:n 11}", "(update [1 2] 0 str)" => "[\"1\" 2]"], ["assoc", "update-in"]),
    op!(Kind::Over("coll keys*", update_in), "(update-in coll keys f & args)",
        "A copy with `(f old args…)` under a path of keys.",
        ["(update-in {:a {:n 1}} [:a :n] + 1)" => "{:a {:n 2}}"], ["update", "assoc-in"]),
    op!(Kind::Over("coll keys*", dissoc), "(dissoc coll & keys)", "The map without those keys.",
        ["(dissoc {:a 1 :b 2} :a :x)" => "{:b 2}"], ["assoc", "select-keys"]),
    op!(Kind::Over("maps", merge), "(merge & maps)", "Maps together; where keys meet, the last one's value.",
        ["(merge {:a 1 :b 2} {:b 3} nil)" => "{:a 1 :b 3}"], ["merge-with", "into"]),
    op!(Kind::Over("maps", merge_with), "(merge-with f & maps)",
        "Maps together; where keys meet, `(f old new)`.",
        ["(merge-with + {:a 1 :b 2} {:b 3})" => "{:a 1 :b 5}"], ["merge"]),
    op!(Kind::Over("keys* vals", zipmap), "(zipmap keys vals)", "The map from `keys` to `vals`, one by one.",
        ["(zipmap [:a :b] [1 2])" => "{:a 1 :b 2}"], ["zip", "into"]),
    op!(Kind::Lazy(reverse), "(reverse coll)",
        "The elements from last to first; a string stays a string, an array an array.",
        ["(reverse [1 2 3])" => "[3 2 1]", "(reverse \"abc\")" => "\"cba\""], ["sort"]),
];

/// A map to change: the one that was given where nobody else holds it, else a copy.
fn map_to_change(args: &Args, value: Value) -> Result<Arc<Map>> {
    match value {
        Value::Map(map) => Ok(map),
        Value::Nil => Ok(Arc::default()),
        other => Err(args.wrong_value("coll", &other, "a map")),
    }
}

fn conj(mut args: Args) -> Result<Value> {
    let coll = args.take("coll");
    let xs = std::mem::take(&mut args.rest);
    match coll {
        Value::List(mut items) => {
            Arc::make_mut(&mut items).extend(xs);
            Ok(Value::List(items))
        }
        Value::Nil => Ok(Value::list(xs)),
        Value::Map(mut map) => {
            let target = Arc::make_mut(&mut map);
            xs.into_iter().try_for_each(|entry| add_entry(target, entry))?;
            Ok(Value::Map(map))
        }
        other => Err(args.wrong_value("coll", &other, "a list or a map")),
    }
}

/// Adds a pair, or the entries of a map.
fn add_entry(map: &mut Map, entry: Value) -> Result<()> {
    match &entry {
        Value::List(pair) if pair.len() == 2 => put(map, pair[0].clone(), pair[1].clone()),
        Value::Map(more) => more.iter().try_for_each(|(k, v)| put(map, k.clone(), v.clone())),
        other => Err(err!(Type, "expected a pair `[key value]` for a map, found {}", op::args::described(other))),
    }
}

fn cons(mut args: Args) -> Result<Value> {
    let x = args.take("x");
    let mut items = args.seq("coll")?.into_vec();
    items.insert(0, x);
    Ok(Value::list(items))
}

fn concat(mut args: Args) -> Result<Value> {
    let colls = std::mem::take(&mut args.rest);
    if colls.iter().any(|c| matches!(c, Value::Block(_) | Value::Array(_))) {
        let Some(op) = args.host.op("concatenate") else {
            return Err(err!(Internal, "the op `concatenate` is not there"));
        };
        return args.host.apply(&Value::Function(op), &[Value::list(colls)], args.span);
    }
    if colls.iter().any(Value::is_lazy) {
        args.rest = colls;
        return args.host.delay(&args);
    }
    if !colls.is_empty() && colls.iter().all(|c| matches!(c, Value::Str(_))) {
        sequence::check_text(colls.iter().filter_map(Value::as_text).map(str::len).sum())?;
        return Ok(colls.iter().filter_map(Value::as_text).collect::<String>().into());
    }
    let mut colls = colls.into_iter();
    let seq = |coll| Seq::of(coll).map_err(|coll| args.wrong_value("colls", &coll, "lists"));
    let mut all = colls.next().map(seq).transpose()?.map_or_else(Vec::new, Seq::into_vec);
    for coll in colls {
        let more = seq(coll)?;
        sequence::check_len(all.len() + more.len())?;
        all.extend(more.into_vec());
    }
    Ok(Value::list(all))
}

fn into(mut args: Args) -> Result<Value> {
    let target = args.take("target");
    let items = args.seq("coll")?;
    match target {
        Value::Map(mut map) => {
            let target = Arc::make_mut(&mut map);
            items.into_vec().into_iter().try_for_each(|entry| add_entry(target, entry))?;
            Ok(Value::Map(map))
        }
        Value::List(mut list) => {
            sequence::check_len(list.len() + items.len())?;
            Arc::make_mut(&mut list).extend(items.into_vec());
            Ok(Value::List(list))
        }
        Value::Nil => Ok(items.into_value()),
        Value::Str(text) => {
            let mut text = text.to_string();
            for item in items.iter() {
                text.push_str(item.as_text().ok_or_else(|| args.wrong_value("coll", item, "strings"))?);
            }
            Ok(text.into())
        }
        other => Err(args.wrong_value("target", &other, "a list, map or string")),
    }
}

/// The collection with `value` under `key`.
fn with(args: &Args, coll: Value, key: Value, value: Value) -> Result<Value> {
    match coll {
        Value::List(mut items) => {
            let Some(n) = key.as_int() else {
                return Err(err!(Type, "a list has indices, found {}", op::args::described(&key)));
            };
            let len = items.len();
            let at = if n < 0 { n.saturating_add(len as i64) } else { n };
            let list: &mut List = Arc::make_mut(&mut items);
            match usize::try_from(at) {
                Ok(at) if at < len => list[at] = value,
                Ok(at) if at == len => list.push(value),
                _ => return Err(out_of_range(n, "list", len, args.span)),
            }
            Ok(Value::List(items))
        }
        Value::Map(_) | Value::Nil => {
            let mut map = map_to_change(args, coll)?;
            put(Arc::make_mut(&mut map), key, value)?;
            Ok(Value::Map(map))
        }
        other => Err(args.wrong_value("coll", &other, "a map, list or array")),
    }
}

fn assoc(mut args: Args) -> Result<Value> {
    let mut coll = args.take("coll");
    let kvs = std::mem::take(&mut args.rest);
    if !kvs.len().is_multiple_of(2) {
        return Err(err!(Arity, "assoc takes keys and values in turn; the last key has no value")
            .label(args.span, "in this call")
            .help(format!("usage: {}", args.function.usage())));
    }
    if let Value::Delayed(_) = coll {
        args.values[0] = coll;
        args.rest = kvs;
        return args.host.delay(&args);
    }
    let mut kvs = kvs.into_iter();
    while let (Some(key), Some(value)) = (kvs.next(), kvs.next()) {
        coll = match coll {
            Value::Block(_) | Value::Array(_) => {
                let waits = |v: &Value| v.holds_lazy() && !matches!(v, Value::Array(_));
                if waits(&key) && !holds_arrays_only(&key) || waits(&value) {
                    args.values[0] = coll;
                    args.rest = [key, value].into_iter().chain(kvs).collect();
                    return args.host.delay(&args);
                }
                let set = |e: Error| infer::of("assoc")(e).at(args.span);
                set_part(coll, &key, value, &args).map_err(set)?
            }
            coll => with(&args, coll, key, value)?,
        };
    }
    Ok(coll)
}

/// Whether what is lazy in an index are arrays, which may be masks.
fn holds_arrays_only(key: &Value) -> bool {
    key.as_list().is_some_and(|items| items.iter().all(|v| matches!(v, Value::Array(_)) || !v.holds_lazy()))
}

/// The collection with what is under a path replaced by `f` of it. What is on the way is taken out before it is
/// changed, so that it is changed in place.
fn at_path(args: &Args, coll: Value, path: &[Value], f: &mut dyn FnMut(Value) -> Result<Value>) -> Result<Value> {
    let Some((key, rest)) = path.split_first() else { return f(coll) };
    crate::data::task::deep(|| match coll {
        Value::Map(mut map) => {
            let target = Arc::make_mut(&mut map);
            let old = target.get_mut(key).map(std::mem::take).unwrap_or_default();
            put(target, key.clone(), at_path(args, old, rest, f)?)?;
            Ok(Value::Map(map))
        }
        Value::List(mut items) => {
            let len = items.len();
            let list: &mut List = Arc::make_mut(&mut items);
            let n = key.as_int().ok_or_else(|| err!(Type, "a list has indices, found {}", op::args::described(key)))?;
            let at = if n < 0 { n.saturating_add(len as i64) } else { n };
            let slot = usize::try_from(at).ok().and_then(|at| list.get_mut(at));
            let slot = slot.ok_or_else(|| out_of_range(n, "list", len, args.span))?;
            *slot = at_path(args, std::mem::take(slot), rest, f)?;
            Ok(Value::List(items))
        }
        Value::Nil => {
            let value = at_path(args, Value::Nil, rest, f)?;
            with(args, Value::Nil, key.clone(), value)
        }
        Value::Block(_) | Value::Array(_) => {
            let old = args.host.apply(&coll, std::slice::from_ref(key), args.span)?;
            let value = at_path(args, old, rest, f)?;
            let Some(op) = args.host.op("assoc") else { return Err(no_assoc()) };
            args.host.apply(&Value::Function(op), &[coll, key.clone(), value], args.span)
        }
        other => Err(args.wrong_value("coll", &other, "a map or a list")),
    })
}

fn no_assoc() -> Error {
    err!(Internal, "the op `assoc` is not there")
}

fn assoc_in(mut args: Args) -> Result<Value> {
    let path = args.list("keys")?;
    let (coll, mut value) = (args.take("coll"), args.take("value"));
    at_path(&args, coll, &path, &mut |_| Ok(std::mem::take(&mut value)))
}

/// `(f old args…)`.
fn call_on(args: &Args, f: &Value, old: Value) -> Result<Value> {
    args.apply_all(f, std::iter::once(old).chain(args.rest.iter().cloned()).collect())
}

fn update(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let (coll, key) = (args.take("coll"), args.take("key"));
    at_path(&args, coll, &[key], &mut |old| call_on(&args, &f, old))
}

fn update_in(mut args: Args) -> Result<Value> {
    let (f, path) = (args.function("f")?, args.list("keys")?);
    let coll = args.take("coll");
    at_path(&args, coll, &path, &mut |old| call_on(&args, &f, old))
}

fn dissoc(mut args: Args) -> Result<Value> {
    let coll = args.take("coll");
    let mut map = map_to_change(&args, coll)?;
    let target = Arc::make_mut(&mut map);
    for key in &args.rest {
        target.remove(key);
    }
    Ok(Value::Map(map))
}

fn merge(mut args: Args) -> Result<Value> {
    let mut maps = std::mem::take(&mut args.rest).into_iter();
    let wrong = |found: &Value| args.wrong_value("maps", found, "maps");
    let mut all = match maps.next() {
        Some(Value::Map(map)) => map,
        None | Some(Value::Nil) => Arc::default(),
        Some(other) => return Err(wrong(&other)),
    };
    for map in maps {
        match map {
            Value::Map(map) => {
                let target = Arc::make_mut(&mut all);
                map.iter().try_for_each(|(k, v)| put(target, k.clone(), v.clone()))?;
            }
            Value::Nil => {}
            other => return Err(wrong(&other)),
        }
    }
    Ok(Value::Map(all))
}

fn merge_with(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let mut all = Map::new();
    for map in std::mem::take(&mut args.rest) {
        let map = match map {
            Value::Map(map) => map,
            Value::Nil => continue,
            other => return Err(args.wrong_value("maps", &other, "maps")),
        };
        for (key, new) in map.iter() {
            match all.get_mut(key) {
                Some(slot) => *slot = args.apply(&f, [std::mem::take(slot), new.clone()])?,
                None => put(&mut all, key.clone(), new.clone())?,
            }
        }
    }
    Ok(Value::map(all))
}

fn zipmap(mut args: Args) -> Result<Value> {
    let (keys, vals) = (args.seq("keys")?, args.seq("vals")?);
    let mut map = Map::with_capacity(keys.len().min(vals.len()));
    for (key, value) in keys.into_vec().into_iter().zip(vals.into_vec()) {
        put(&mut map, key, value)?;
    }
    Ok(Value::map(map))
}

fn reverse(mut args: Args) -> Result<Value> {
    match &args.values[0] {
        Value::Delayed(_) => args.host.delay(&args),
        Value::Block(_) | Value::Array(_) => {
            let backwards = crate::data::Slice { start: None, stop: None, step: Some(-1) };
            args.host.apply(&args.values[0], &[backwards.into()], args.span)
        }
        Value::Str(text) => Ok(text.chars().rev().collect::<String>().into()),
        _ => {
            let mut items = args.seq("coll")?.into_vec();
            items.reverse();
            Ok(Value::list(items))
        }
    }
}
