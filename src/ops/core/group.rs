//! Order and likeness: sorting, counting, grouping, joining. A `:key` is what elements are compared by: a function, or an
//! index, a record's key, or a list of keys.

use super::each::plucked;
use crate::data::{Args, Counts, Map, Value};
use crate::err;
use crate::kernel::elementwise::Binary;
use crate::op;
use crate::op::sequence::{self, Seq, check_len, no_key, pair, put};
use crate::op::{Given, Kind, Op, infer};
use crate::ops::array::{slice, sorting, threads};
use crate::text::Result;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(Kind::Lazy(sort), "(sort coll :key nil :reverse false :axis -1 :descending false :stable true :kind nil)",
        "The elements in rising order, equals in the order they were in. Numbers (`nan` last), strings, and lists of them \
         have an order among themselves; others are `dsk::type`. Elements of an array of one axis are sorted as an array, in which -0 comes before 0; NumPy's `:kind` makes no difference.",
        ["(sort [3 1 2])" => "[1 2 3]", "(sort [\"b\" \"a\"] :reverse true)" => "[\"b\" \"a\"]",
         "(sort [[1 :b] [2 :a]] :key second)" => "[[2 :a] [1 :b]]"],
        ["sort-by", "topk", "reverse"]),
    op!(Kind::Over("coll*", sort_by), "(sort-by key coll :reverse false)", "The elements in rising order of their keys.",
        ["(sort-by count [\"abc\" \"a\" \"bc\"])" => "[\"a\" \"bc\" \"abc\"]"], ["sort", "group-by"]),
    op!(Kind::Lazy(topk), "(topk k coll :key nil :split-every nil :axis -1)",
        "The `k` greatest elements, the greatest first; the least, if `k` is negative.\nOf an array along an axis, as an array, it is `(topk x k :axis -1)`.",
        ["(topk 2 [5 1 9 3])" => "[9 5]", "(topk -1 [5 1 9 3])" => "[1]",
         "(topk 1 [[:a 1] [:b 2]] :key 1)" => "[[:b 2]]"],
        ["sort", "frequencies", "max-by"]),
    op!(Kind::Over("coll*", max_by), "(max-by key coll)", "The first element whose key is greatest.",
        ["(max-by count [\"a\" \"abc\" \"xyz\"])" => "\"abc\""], ["min-by", "max", "topk"]),
    op!(Kind::Over("coll*", min_by), "(min-by key coll)", "The first element whose key is least.",
        ["(min-by abs [-3 1 2])" => "1"], ["max-by", "min"]),
    op!(Kind::Over("coll*", distinct), "(distinct coll :key nil)",
        "The elements without those that were there before, or whose key was.",
        ["(distinct [1 2 1 3 2])" => "[1 2 3]", "(distinct [\"a\" \"b\" \"cc\"] :key count)" => "[\"a\" \"cc\"]"],
        ["frequencies", "distinct?"]),
    op!(Kind::Over("coll*", all_distinct), "(distinct? coll)", "Whether no element is there twice.",
        ["(distinct? [1 2 1])" => "false"], ["distinct"]),
    op!(Kind::Over("coll*", frequencies), "(frequencies coll :sort false :split-every nil)",
        "How often every value is there, as pairs `[value count]`: in the order they first appear, or with `:sort true` the \
         most frequent first.",
        ["(frequencies [:a :b :a])" => "[[:a 2] [:b 1]]", "(into {} (frequencies \"aab\"))" => "{\"a\" 2 \"b\" 1}"],
        ["topk", "group-by", "distinct"]),
    op!(Kind::Over("coll*", group_by), "(group-by key coll)", "The map from each key to the list of elements that have it.",
        ["(group-by even? [1 2 3])" => "{false [1 3] true [2]}"], ["groupby", "foldby", "partition-by"]),
    op!(Kind::Over("coll*", groupby), "(groupby key coll :npartitions nil)", "Pairs `[key elements]`: `group-by` as `dask.bag` has it. Of a bag a bag, of `:npartitions`, in which every key is once; groups that do not \
         fit in memory wait on disk.",
        ["(groupby count [\"a\" \"bc\" \"d\"])" => "[[1 [\"a\" \"d\"]] [2 [\"bc\"]]]"], ["group-by", "foldby"]),
    op!(Kind::Lazy(foldby), "(foldby key f initial coll? :combine nil :combine-initial nil :split-every nil)",
        "Pairs `[key value]`, where the value is `f` folded over the elements of that key, from `initial`. `(foldby key f \
         coll)` begins with the first element of each key.",
        ["(foldby even? + [1 2 3 4])" => "[[false 4] [true 6]]",
         "(foldby even? (fn [n x] (+ n 1)) 0 [1 2 3])" => "[[false 2] [true 1]]"],
        ["fold", "groupby"]),
    op!(Kind::Over("other* coll*", join), "(join other on-self coll :on-other nil)",
        "Pairs `[o x]` of elements `o` of `other` and `x` of `coll` whose keys are equal: `on-self` of `x`, `:on-other` (else \
         `on-self`) of `o`.",
        ["(join [[1 :a] [2 :b]] first [[1 :x] [1 :y]])" => "[[[1 :a] [1 :x]] [[1 :a] [1 :y]]]"], ["groupby", "product"]),
];

/// Puts the key of an element where it is wanted.
pub fn key_into(args: &Args, key: &Value, x: &Value, place: &mut Value) -> Result<()> {
    match key {
        Value::Nil => place.clone_from(x),
        Value::Function(_) | Value::Map(_) => {
            place.clone_from(x);
            args.apply_in(key, std::slice::from_mut(place))?;
        }
        _ => *place = plucked(args, x, key, None)?,
    }
    Ok(())
}

/// Elements with their keys.
pub fn keyed(args: &Args, key: &Value, items: Vec<Value>) -> Result<Vec<(Value, Value)>> {
    Ok(keys_of(args, key, &items)?.into_iter().zip(items).collect())
}

/// The key of each element.
fn keys_of(args: &Args, key: &Value, items: &[Value]) -> Result<Vec<Value>> {
    if let Value::Function(_) | Value::Map(_) = key {
        let mut keys = items.to_vec();
        args.apply_each(key, &mut keys)?;
        return Ok(keys);
    }
    let mut keys = Vec::with_capacity(items.len());
    for (n, item) in items.iter().enumerate() {
        args.check_interrupt(n)?;
        keys.push(Value::Nil);
        key_into(args, key, item, &mut keys[n])?;
    }
    Ok(keys)
}

fn sorted(args: &Args, key: &Value, mut items: Vec<Value>, reverse: bool) -> Result<Vec<Value>> {
    if let Value::Nil = key {
        sequence::sort(&mut items, reverse)?;
        return Ok(items);
    }
    let keys = keys_of(args, key, &items)?;
    if let Some(places) = sequence::places_by_ints(&keys, reverse)? {
        return Ok(places.into_iter().map(|at| std::mem::take(&mut items[at as usize])).collect());
    }
    let mut pairs: Vec<(Value, Value)> = keys.into_iter().zip(items).collect();
    sequence::sort_by(&mut pairs, reverse, |(key, _)| key)?;
    Ok(pairs.into_iter().map(|(_, item)| item).collect())
}

/// Whether the greatest comes first, by either name.
fn reversed(args: &Args) -> Result<bool> {
    args.bool("stable")?;
    sorting::check_kind(args)?;
    Ok(args.bool("reverse")? || args.bool("descending")?)
}

fn sort(mut args: Args) -> Result<Value> {
    let is_array =
        matches!(&args.values[0], Value::Array(_)) || matches!(&args.values[0], Value::Block(b) if b.ndim() > 0);
    if args.is_nil("key") && (is_array || args.is_given("axis") && !matches!(args.values[0], Value::Delayed(_))) {
        let (x, reverse) = (Given::any(args.take("coll"))?, reversed(&args)?);
        let ndim = if args.is_nil("axis") { 1 } else { x.ndim() };
        let sorted = sorting::sort_array(x, args.value("axis"), threads(&args), args.span)?;
        return if reverse {
            slice::flipped(sorted, infer::axis(args.value("axis"), ndim).unwrap_or(0), args.span)
        } else {
            Ok(sorted)
        };
    }
    if args.value("coll").holds_lazy() {
        return args.host.delay(&args);
    }
    let (key, reverse) = (args.take("key"), reversed(&args)?);
    let array = match &args.values[0] {
        Value::Block(block) => Some(block.clone()),
        _ => None,
    };
    let items = args.seq("coll")?.into_vec();
    let items = sorted(&args, &key, items, reverse)?;
    match array {
        None => Ok(Value::list(items)),
        Some(block) => Ok(crate::kernel::create::from_value(&Value::list(items), Some(block.dtype()))?.into()),
    }
}

fn sort_by(mut args: Args) -> Result<Value> {
    let (key, reverse) = (args.take("key"), args.bool("reverse")?);
    let items = args.seq("coll")?.into_vec();
    Ok(Value::list(sorted(&args, &key, items, reverse)?))
}

fn topk(mut args: Args) -> Result<Value> {
    let is_array = |v: &Value| matches!(v, Value::Array(_)) || matches!(v, Value::Block(b) if b.ndim() > 0);
    if is_array(args.value("k")) || matches!(args.value("k"), Value::List(_)) {
        // Of the array's own order, where the second is the count.
        let k = args.value("coll").as_int().ok_or_else(|| {
            let found = args.value("coll").a_type_name();
            err!(Type, "topk: expected an int for `k`, found {found}")
                .label(args.span, "in this call")
                .help("of an array: `(topk x k)`")
        })?;
        let x = Given::any(args.take("k"))?;
        return sorting::topk(x, k, args.value("axis"), threads(&args), args.span);
    }
    // The same in the order of bags.
    if is_array(args.value("coll")) && args.is_nil("key") && !args.value("k").is_lazy() {
        let (x, k) = (Given::any(args.take("coll"))?, args.int("k")?);
        return sorting::topk(x, k, args.value("axis"), threads(&args), args.span);
    }
    if args.value("k").is_lazy() || args.value("coll").is_lazy() {
        return args.host.delay(&args);
    }
    match best_of(&args) {
        // To go through a long list for this first would take as long as the rest.
        Err(_) if args.value("coll").holds_lazy() => args.host.delay(&args),
        best => best,
    }
}

fn best_of(args: &Args) -> Result<Value> {
    let coll = args.value("coll");
    let items = Seq::of(coll.clone()).map_err(|coll| args.wrong_value("coll", &coll, "a list"))?;
    let mut best = Best::new(args.int("k")?);
    for (n, item) in items.iter().enumerate() {
        args.check_interrupt(n)?;
        best.add(args, args.value("key"), item)?;
    }
    Ok(Value::list(best.finish()?))
}

/// The greatest or the least elements so far.
pub struct Best {
    most: usize,
    greatest: bool,
    /// The best with their keys, in order, and those behind them that may be better than the last.
    best: Vec<(Value, Value)>,
    /// How many are in order.
    settled: usize,
}

impl Best {
    /// The `k` greatest, or `-k` least.
    pub fn new(k: i64) -> Best {
        let most = usize::try_from(k.unsigned_abs()).unwrap_or(usize::MAX);
        Best { most, greatest: k >= 0, best: Vec::new(), settled: 0 }
    }

    pub fn add(&mut self, args: &Args, key: &Value, item: &Value) -> Result<()> {
        let mut own = Value::Nil;
        key_into(args, key, item, &mut own)?;
        if let (Some(last), Value::Int(own)) = (self.settled.checked_sub(1), &own)
            && self.settled == self.most
            && let Value::Int(last) = &self.best[last].0
            && (if self.greatest { own <= last } else { own >= last })
        {
            return Ok(());
        }
        self.best.push((own, item.clone()));
        if self.best.len() > self.most.saturating_mul(2).saturating_add(64) {
            self.settle()?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        sequence::sort_by(&mut self.best, self.greatest, |(key, _)| key)?;
        self.best.truncate(self.most);
        self.settled = self.best.len();
        Ok(())
    }

    pub fn finish(mut self) -> Result<Vec<Value>> {
        self.settle()?;
        Ok(self.best.into_iter().map(|(_, item)| item).collect())
    }
}

fn extreme_by(mut args: Args, op: Binary) -> Result<Value> {
    let key = args.take("key");
    let items = args.seq("coll")?.into_vec();
    let pairs = keyed(&args, &key, items)?;
    let keys: Vec<Value> = pairs.iter().map(|(key, _)| key.clone()).collect();
    let best = sequence::extreme(op, &keys)?;
    let found = pairs.into_iter().find(|(key, _)| key.same(&best));
    Ok(found.map(|(_, item)| item).unwrap_or_default())
}

fn max_by(args: Args) -> Result<Value> {
    extreme_by(args, Binary::Maximum)
}

fn min_by(args: Args) -> Result<Value> {
    extreme_by(args, Binary::Minimum)
}

fn distinct(mut args: Args) -> Result<Value> {
    let key = args.take("key");
    let items = args.seq("coll")?.into_vec();
    let mut seen = Map::with_capacity(items.len());
    let mut all = Vec::new();
    for (n, item) in items.into_iter().enumerate() {
        args.check_interrupt(n)?;
        let mut of_item = Value::Nil;
        key_into(&args, &key, &item, &mut of_item)?;
        let key = of_item;
        if seen.get(&key).is_none() {
            put(&mut seen, key, Value::Nil)?;
            all.push(item);
        }
    }
    Ok(Value::list(all))
}

fn all_distinct(mut args: Args) -> Result<Value> {
    let items = args.seq("coll")?;
    let mut seen = Map::with_capacity(items.len());
    for item in items.into_vec() {
        if seen.get(&item).is_some() {
            return Ok(Value::Bool(false));
        }
        put(&mut seen, item, Value::Nil)?;
    }
    Ok(Value::Bool(true))
}

/// Elements that are counted before somebody asks whether it is still wanted.
const SOME: usize = 4096;

fn pairs_of(map: &Map) -> Value {
    Value::list(map.iter().map(|(k, v)| pair(k.clone(), v.clone())).collect())
}

fn frequencies(mut args: Args) -> Result<Value> {
    let by_count = args.bool("sort")?;
    let items = args.seq("coll")?.into_vec();
    counted(count_list(&args, items)?, by_count)
}

/// How often every element of a list is there.
pub fn count_list(args: &Args, items: Vec<Value>) -> Result<Counts> {
    let (mut counts, mut items) = (Counts::new(), items.into_iter());
    for n in 1.. {
        let mut some: Vec<Value> = items.by_ref().take(SOME).collect();
        if some.is_empty() {
            break;
        }
        args.check_interrupt(n * SOME)?;
        count_all(&mut counts, &mut some)?;
    }
    Ok(counts)
}

/// Counts values once each.
pub fn count_all(counts: &mut Counts, values: &mut Vec<Value>) -> Result<()> {
    counts.add_all(values).map_err(|value| no_key(&value))
}

/// Pairs `[value count]`; the greatest count first, if asked for.
pub fn counted(counts: Counts, by_count: bool) -> Result<Value> {
    let mut entries = counts.into_entries();
    if by_count {
        entries.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    }
    check_len(entries.len())?;
    Ok(Value::list(entries.into_iter().map(|(value, n)| pair(value, Value::Int(n))).collect()))
}

/// The map from keys to lists.
pub fn grouped(args: &Args, key: &Value, items: Vec<Value>) -> Result<Map> {
    let mut groups = Map::new();
    for (key, item) in keyed(args, key, items)? {
        add_to_group(&mut groups, key, item)?;
    }
    Ok(groups)
}

/// Adds an element to the list that a map has under a key.
pub fn add_to_group(groups: &mut Map, key: Value, item: Value) -> Result<()> {
    match groups.get_mut(&key) {
        Some(Value::List(group)) => {
            Arc::make_mut(group).push(item);
            Ok(())
        }
        _ => put(groups, key, Value::list(vec![item])),
    }
}

/// Folds an element into what a map has under a key: `f` of that and the element, from `initial` or else from the first one.
pub fn fold_in(
    args: &Args,
    totals: &mut Map,
    f: &Value,
    initial: Option<&Value>,
    key: Value,
    item: Value,
) -> Result<()> {
    match (totals.get_mut(&key), initial) {
        (Some(total), _) => *total = args.apply(f, [std::mem::take(total), item])?,
        (None, None) => put(totals, key, item)?,
        (None, Some(initial)) => {
            let first = args.apply(f, [initial.clone(), item])?;
            put(totals, key, first)?;
        }
    }
    Ok(())
}

fn group_by(mut args: Args) -> Result<Value> {
    let key = args.take("key");
    let items = args.seq("coll")?.into_vec();
    grouped(&args, &key, items).map(Value::map)
}

fn groupby(mut args: Args) -> Result<Value> {
    let key = args.take("key");
    let items = args.seq("coll")?.into_vec();
    grouped(&args, &key, items).map(|groups| pairs_of(&groups))
}

fn foldby(mut args: Args) -> Result<Value> {
    let has_initial = args.is_given("coll");
    let coll = if has_initial { "coll" } else { "initial" };
    if args.value(coll).is_lazy() {
        return args.host.delay(&args);
    }
    let (key, f) = (args.take("key"), args.function("f")?);
    let items = args.seq(coll)?.into_vec();
    let initial = has_initial.then(|| args.take("initial"));
    let mut totals = Map::new();
    for (key, item) in keyed(&args, &key, items)? {
        fold_in(&args, &mut totals, &f, initial.as_ref(), key, item)?;
    }
    if args.is_given("combine-initial") {
        // As for a bag of one partition.
        let combine = if args.is_nil("combine") { f } else { args.function("combine")? };
        for (_, total) in totals.iter_mut() {
            *total = args.apply(&combine, [args.value("combine-initial").clone(), std::mem::take(total)])?;
        }
    }
    Ok(pairs_of(&totals))
}

fn join(mut args: Args) -> Result<Value> {
    if args.value("other").is_lazy() {
        return args.host.delay(&args);
    }
    let on_self = args.take("on-self");
    let on_other = if args.is_nil("on-other") { on_self.clone() } else { args.take("on-other") };
    let (other, items) = (args.seq("other")?.into_vec(), args.seq("coll")?.into_vec());
    let by_key = grouped(&args, &on_other, other)?;
    let mut all = Vec::new();
    for (key, item) in keyed(&args, &on_self, items)? {
        join_with(&by_key, &key, &item, &mut all)?;
    }
    Ok(Value::list(all))
}

/// Adds the pairs of an element and those of the same key.
pub fn join_with(by_key: &Map, key: &Value, item: &Value, all: &mut Vec<Value>) -> Result<()> {
    if let Some(Value::List(group)) = by_key.get(key) {
        check_len(all.len() + group.len())?;
        all.extend(group.iter().map(|other| pair(other.clone(), item.clone())));
    }
    Ok(())
}
