//! Functions over the elements of lists: `map`, `filter`, `reduce` and their kin. The function comes first and the
//! collection last, so that `->>` reads well. Maps are lists of pairs here, strings of characters.

use super::access::look_up;
use crate::data::function::Next;
use crate::data::{Args, List, Value};
use crate::err;
use crate::op;
use crate::op::sequence::{Seq, pair};
use crate::op::{Kind, Op};
use crate::text::Result;
use std::sync::Arc;
use std::vec;

pub static OPS: &[Op] = &[
    op!(Kind::Over("colls", map), "(map f & colls)",
        "`f` of every element; of several collections, of their first elements, their second, …, to the end of the shortest.",
        ["(map #(* % %) [1 2 3])" => "[1 4 9]", "(map + [1 2] [10 20 30])" => "[11 22]",
         "(map first {:a 1 :b 2})" => "[:a :b]"],
        ["mapcat", "starmap", "map-indexed", "filter", "pluck"]),
    op!(Kind::Over("coll", starmap), "(starmap f coll)", "`f` with the elements of each element as its arguments.",
        ["(starmap + [[1 2] [3 4]])" => "[3 7]"], ["map", "apply"]),
    op!(Kind::Over("coll", map_indexed), "(map-indexed f coll)", "`(f index element)` of every element.",
        ["(map-indexed (fn [i x] [i x]) \"ab\")" => "[[0 \"a\"] [1 \"b\"]]"], ["map", "enumerate"]),
    op!(Kind::Over("coll", mapcat), "(mapcat f coll)", "The lists that `f` makes of the elements, one after the other.",
        ["(mapcat #(str/split %) [\"a b\" \"c\"])" => "[\"a\" \"b\" \"c\"]"], ["map", "flatten", "concat"]),
    op!(Kind::Over("coll", filter), "(filter f coll)", "The elements of which `f` is true.",
        ["(filter #(> % 1) [1 2 3])" => "[2 3]"], ["remove", "take-while", "keep"]),
    op!(Kind::Over("coll", remove), "(remove f coll)", "The elements of which `f` is not true.",
        ["(remove nil? [1 nil 2])" => "[1 2]"], ["filter"]),
    op!(Kind::Over("coll", keep), "(keep f coll)", "What `f` makes of the elements, without nil.",
        ["(keep :a [{:a 1} {} {:a 2}])" => "[1 2]"], ["map", "filter"]),
    op!(Kind::Over("key* coll", pluck), "(pluck key coll :default nil)",
        "What each element has under a key or an index; with a list of keys, a list of those. An absent key is \
         `dsk::index`, unless there is a `:default`.",
        ["(pluck :a [{:a 1} {:a 2}])" => "[1 2]", "(pluck [0 1] [[1 2 3] [4 5 6]])" => "[[1 2] [4 5]]",
         "(pluck :b [{:a 1}] :default 0)" => "[0]"],
        ["get", "map", "select-keys"]),
    op!(Kind::Lazy(reduce), "(reduce f init coll?)",
        "`(f (f (f init a) b) c)` over the elements. `(reduce f coll)` begins with the first element; of nothing, it is `(f)`.",
        ["(reduce + [1 2 3])" => "6", "(reduce conj [0] [1 2])" => "[0 1 2]"], ["fold", "accumulate", "sum"]),
    op!(Kind::Over("coll", fold), "(fold f coll :initial nil :combine nil :split-every nil)",
        "`f` over the elements, from `:initial` or from the first. Over the partitions of a bag, `:combine` (else `f`) puts \
         what comes of them together.",
        ["(fold + [1 2 3])" => "6", "(fold (fn [n x] (+ n 1)) [:a :b] :initial 0)" => "2"], ["reduce", "foldby", "reduction"]),
    op!(Kind::Over("coll", reduction), "(reduction per-part aggregate coll :split-every nil)",
        "`per-part` of the list, and `aggregate` of the list of what came of the parts: a list is one part.",
        ["(reduction sum max [1 2 3])" => "6"], ["fold"]),
    op!(Kind::Over("coll", accumulate), "(accumulate f coll :initial nil)",
        "Every step of a `fold`, as a list; `:initial` is also the first.",
        ["(accumulate + [1 2 3])" => "[1 3 6]", "(accumulate + [1 2] :initial 10)" => "[10 11 13]"], ["fold"]),
    op!(Kind::Over("coll", some), "(some f coll)", "The first true answer of `f`; nil where there is none.",
        ["(some #(if (> % 1) % nil) [1 2 3])" => "2", "(some nil? [1])" => "nil"], ["every?", "filter", "any"]),
    op!(Kind::Over("coll", every), "(every? f coll)", "Whether `f` is true of every element.",
        ["(every? int? [1 2])" => "true", "(every? int? [])" => "true"], ["some", "all"]),
    op!(Kind::Lazy(apply), "(apply f & args)", "Calls `f` with the arguments, the last of which is a list of more.",
        ["(apply + [1 2])" => "3", "(apply str 1 2 [3 4])" => "\"1234\""], ["starmap"]),
    op!(Kind::Now(iterate), "(iterate f x n)", "The list of `n` elements that begins `x`, `(f x)`, `(f (f x))`.",
        ["(iterate #(* 2 %) 1 5)" => "[1 2 4 8 16]"], ["repeatedly", "accumulate"]),
    op!(Kind::Now(repeatedly), "(repeatedly n f)", "The list of what `n` calls `(f)` answer.",
        ["(repeatedly 2 (fn [] :x))" => "[:x :x]"], ["repeat", "iterate"]),
    op!(Kind::Lazy(run_each), "(each f coll)", "Calls `f` on every element for its effect, and answers nil.",
        ["(each identity [1 2])" => "nil"], ["map", "for"]),
];

fn map(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let colls = std::mem::take(&mut args.rest);
    let mut seqs = Vec::with_capacity(colls.len());
    for coll in colls {
        seqs.push(Seq::of(coll).map_err(|coll| args.wrong_value("colls", &coll, "a list"))?);
    }
    match seqs.len() {
        0 => Err(err!(Arity, "map takes a function and at least one collection")
            .label(args.span, "in this call")
            .help(format!("usage: {}", args.function.usage()))),
        1 => {
            let mut items = seqs.pop().map(Seq::into_vec).unwrap_or_default();
            args.apply_each(&f, &mut items)?;
            Ok(Value::list(items))
        }
        _ => {
            let n = seqs.iter().map(|s| s.len()).min().unwrap_or(0);
            let mut all = Vec::with_capacity(n);
            let mut row = Vec::with_capacity(seqs.len());
            for i in 0..n {
                args.check_interrupt(i)?;
                row.clear();
                row.extend(seqs.iter().map(|seq| seq[i].clone()));
                args.apply_in(&f, &mut row)?;
                all.push(std::mem::take(&mut row[0]));
            }
            Ok(Value::list(all))
        }
    }
}

/// Calls `f` with the elements of `row`.
fn spread(args: &Args, f: &Value, row: Value) -> Result<Value> {
    let row = Seq::of(row).map_err(|row| args.wrong_value("coll", &row, "a list of lists"))?;
    args.apply_all(f, row.into_vec())
}

fn starmap(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let mut items = args.seq("coll")?.into_vec();
    for (n, item) in items.iter_mut().enumerate() {
        args.check_interrupt(n)?;
        *item = spread(&args, &f, std::mem::take(item))?;
    }
    Ok(Value::list(items))
}

fn map_indexed(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let mut items = args.seq("coll")?.into_vec();
    for (n, item) in items.iter_mut().enumerate() {
        args.check_interrupt(n)?;
        *item = args.apply(&f, [Value::from(n), std::mem::take(item)])?;
    }
    Ok(Value::list(items))
}

fn mapcat(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let mut all = Vec::new();
    for (n, item) in args.seq("coll")?.into_vec().into_iter().enumerate() {
        args.check_interrupt(n)?;
        let part = args.apply(&f, [item])?;
        let part = Seq::of(part).map_err(|part| args.wrong_value("f", &part, "a function that answers with lists"))?;
        op::sequence::check_len(all.len() + part.len())?;
        all.extend(part.into_vec());
    }
    Ok(Value::list(all))
}

/// The elements of which the answer of `f` is as wanted, in order.
fn chosen(mut args: Args, wanted: bool) -> Result<Value> {
    let f = args.function("f")?;
    let mut items = args.seq("coll")?.into_vec();
    let mut n = 0;
    let mut failure = Ok(());
    items.retain(|item| {
        n += 1;
        let mut answer = item.clone();
        if failure.is_ok() {
            failure = args.check_interrupt(n).and_then(|()| args.apply_in(&f, std::slice::from_mut(&mut answer)));
        }
        match answer.truth() {
            Ok(holds) => holds == wanted,
            Err(error) => {
                failure = std::mem::replace(&mut failure, Ok(())).and(Err(error));
                false
            }
        }
    });
    if items.len() < items.capacity() / 4 {
        items.shrink_to_fit();
    }
    failure.map(|()| Value::list(items))
}

fn filter(args: Args) -> Result<Value> {
    chosen(args, true)
}

fn remove(args: Args) -> Result<Value> {
    chosen(args, false)
}

fn keep(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let mut all = Vec::new();
    for (n, item) in args.seq("coll")?.into_vec().into_iter().enumerate() {
        args.check_interrupt(n)?;
        match args.apply(&f, [item])? {
            Value::Nil => {}
            kept => all.push(kept),
        }
    }
    Ok(Value::list(all))
}

/// What a record has under a key, or under each of a list of keys; `dsk::index` where it is absent.
pub fn plucked(args: &Args, record: &Value, key: &Value, default: Option<&Value>) -> Result<Value> {
    if let Value::List(keys) = key {
        let parts: Result<List> = keys.iter().map(|key| plucked(args, record, key, default)).collect();
        return Ok(Value::List(Arc::new(parts?)));
    }
    let found = match look_up(args, record, key) {
        Err(error) if error.code() == crate::text::Code::Index && default.is_some() => None,
        other => other?,
    };
    found.or_else(|| default.cloned()).ok_or_else(|| {
        err!(Index, "a record has nothing under {}", op::args::described(key))
            .label(args.span, "in this call")
            .help("`:default` says what to take where it is absent")
    })
}

fn pluck(mut args: Args) -> Result<Value> {
    let key = args.take("key");
    let default = args.is_given("default").then(|| args.value("default").clone());
    let mut items = args.seq("coll")?.into_vec();
    for item in &mut items {
        *item = plucked(&args, item, &key, default.as_ref())?;
    }
    Ok(Value::list(items))
}

/// As many items ahead of what a fold is at, its map is told of them: what comes from memory takes as long as a few calls.
const AHEAD: usize = 4;

/// `f` over the items, from `start`.
pub fn folded(args: &Args, f: &Value, start: Value, mut items: vec::IntoIter<Value>) -> Result<Value> {
    let Some(first) = items.next() else { return Ok(start) };
    let (mut window, mut n) = ([start, first], 0);
    // Of the items to come, which entries they are likely to be the keys of.
    let mut entries = [0; AHEAD];
    let mut next = |window: &mut [Value]| {
        n += 1;
        args.check_interrupt(n)?;
        // A fold that makes a map most often goes by what it is given as the key.
        let ahead = match (&window[0], items.as_slice().get(AHEAD)) {
            (Value::Map(map), Some(key)) => map.prefetch(key).unwrap_or_default(),
            _ => 0,
        };
        let near = std::mem::replace(&mut entries[n % AHEAD], ahead);
        Ok(match items.next() {
            Some(item) => {
                window[1] = item;
                Next::Call { near }
            }
            None => {
                window[1] = Value::Nil;
                Next::End
            }
        })
    };
    args.host.apply_many(f, &mut window, &mut next, args.span)?;
    let [total, _] = window;
    Ok(total)
}

fn reduce(mut args: Args) -> Result<Value> {
    let coll = if args.has(2) { "coll" } else { "init" };
    if args.value(coll).is_lazy() {
        return args.host.delay(&args);
    }
    let f = args.function("f")?;
    let mut items = args.seq(coll)?.into_vec().into_iter();
    let start = match args.has(2) {
        true => args.take("init"),
        false => match items.next() {
            Some(first) => first,
            None => return args.host.apply(&f, &[], args.span),
        },
    };
    folded(&args, &f, start, items)
}

fn fold(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let initial = args.is_given("initial").then(|| args.take("initial"));
    let mut items = args.seq("coll")?.into_vec().into_iter();
    let Some(start) = initial.or_else(|| items.next()) else {
        return Err(err!(Value, "nothing to fold")
            .label(args.span, "in this call")
            .help("`:initial` is the answer then"));
    };
    folded(&args, &f, start, items)
}

fn reduction(mut args: Args) -> Result<Value> {
    let (per_part, aggregate) = (args.function("per-part")?, args.function("aggregate")?);
    let coll = args.seq("coll")?.into_value();
    let part = args.apply(&per_part, [coll])?;
    args.apply(&aggregate, [Value::list(vec![part])])
}

fn accumulate(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let initial = args.is_given("initial").then(|| args.take("initial"));
    let mut items = args.seq("coll")?.into_vec().into_iter();
    let Some(mut total) = initial.or_else(|| items.next()) else { return Ok(Value::list(Vec::new())) };
    let mut all = vec![total.clone()];
    for (n, item) in items.enumerate() {
        args.check_interrupt(n)?;
        total = args.apply(&f, [total, item])?;
        all.push(total.clone());
    }
    Ok(Value::list(all))
}

fn some(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    for (n, item) in args.seq("coll")?.iter().enumerate() {
        args.check_interrupt(n)?;
        let answer = args.apply(&f, [item.clone()])?;
        if answer.truth()? {
            return Ok(answer);
        }
    }
    Ok(Value::Nil)
}

fn every(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    for (n, item) in args.seq("coll")?.iter().enumerate() {
        args.check_interrupt(n)?;
        if !args.apply(&f, [item.clone()])?.truth()? {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn apply(mut args: Args) -> Result<Value> {
    let mut all = std::mem::take(&mut args.rest);
    if all.last().is_some_and(Value::is_lazy) {
        args.rest = all;
        return args.host.delay(&args);
    }
    let f = args.function("f")?;
    if let Some(more) = all.pop() {
        let more = Seq::of(more).map_err(|more| args.wrong_value("args", &more, "a list as the last"))?;
        all.extend(more.into_vec());
    }
    args.apply_all(&f, all)
}

fn iterate(mut args: Args) -> Result<Value> {
    let (f, n) = (args.function("f")?, args.size("n")?);
    op::sequence::check_len(n)?;
    let mut all = Vec::new();
    let mut x = args.take("x");
    while all.len() < n {
        args.check_interrupt(all.len())?;
        all.push(x.clone());
        if all.len() < n {
            x = args.apply(&f, [x])?;
        }
    }
    Ok(Value::list(all))
}

fn repeatedly(args: Args) -> Result<Value> {
    let (n, f) = (args.size("n")?, args.function("f")?);
    op::sequence::check_len(n)?;
    let mut all = Vec::new();
    for i in 0..n {
        args.check_interrupt(i)?;
        all.push(args.host.apply(&f, &[], args.span)?);
    }
    Ok(Value::list(all))
}

fn run_each(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    for (n, item) in args.seq("coll")?.into_vec().into_iter().enumerate() {
        args.check_interrupt(n)?;
        args.apply(&f, [item])?;
    }
    Ok(Value::Nil)
}

/// Pairs of an index and an element.
pub(super) fn enumerated(items: Vec<Value>) -> Value {
    Value::list(items.into_iter().enumerate().map(|(i, x)| pair(Value::from(i), x)).collect())
}
