//! From many partitions to one answer: what each gives, put together in a tree.

use super::each::pairs_of;
use crate::data::{Args, Counts, Layer, Map, Task, Value};
use crate::err;
use crate::kernel::elementwise::Binary;
use crate::op;
use crate::op::bags::{Tree, layer, partitionwise};
use crate::op::layers::call;
use crate::op::sequence::{self, Seq};
use crate::op::{Inputs, Kind, Op};
use crate::ops::core::each::folded;
use crate::ops::core::group::{count_list, counted, fold_in};
use crate::text::Result;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(Kind::Now(part), "(bag/part f coll)",
        "The list of what `f` makes of a partition, or an empty one of an empty one. Tasks of reductions are calls of it.",
        ["(bag/part max [1 3])" => "[3]", "(bag/part max [])" => "[]"], ["reduction"]),
    op!(Kind::Over("parts", merge), "(bag/merge f parts :last false)",
        "The list of what `f` makes of all that lists hold, or an empty one of nothing. The `:last` one is the answer itself.",
        ["(bag/merge max [[3] [] [5]])" => "[5]", "(bag/merge max [[3] [5]] :last true)" => "5"], ["reduction"]),
    op!(Kind::Now(of_elements), "(bag/sum coll)", "The elements added up, from the left.", ["(bag/sum [1 2])" => "3"], ["sum"]),
    op!(Kind::Now(of_elements), "(bag/min coll)", "The least element.", ["(bag/min [[1 2] [1 1]])" => "[1 1]"], ["min"]),
    op!(Kind::Now(of_elements), "(bag/max coll)", "The greatest element.", ["(bag/max [\"a\" \"b\"])" => "\"b\""], ["max"]),
    op!(Kind::Now(of_elements), "(bag/any coll)", "Whether an element counts as true in Python: 0 and what is empty do not.",
        ["(bag/any [0 {} [0]])" => "true"], ["any"]),
    op!(Kind::Now(of_elements), "(bag/all coll)", "Whether all elements count as true in Python.", ["(bag/all [1 \"\"])" => "false"], ["all"]),
    op!(Kind::Now(fold_part), "(bag/fold f coll :initial nil)", "As `bag/part`, of a fold.",
        ["(bag/fold + [1 2])" => "[3]", "(bag/fold + [] :initial 0)" => "[]"], ["fold"]),
    op!(Kind::Now(merge_folds), "(bag/merge-folds f parts :last false :initial nil)",
        "As `bag/merge`, of folds: `f` over what came of the parts. Of nothing, the `:last` one is `:initial`.",
        ["(bag/merge-folds + [[3] [] [4]])" => "[7]", "(bag/merge-folds + [[]] :last true :initial 0)" => "0"], ["fold"]),
    op!(
        Kind::Now(in_tasks_only),
        "(bag/together source calls*)",
        "What several calls make of the elements of one source, which are made once and one by one: `(bag/hole)` is where they come in. \
         The optimizer writes it; it means something in tasks only.",
        [],
        ["foldby", "frequencies"]
    ),
    op!(Kind::Now(in_tasks_only), "(bag/hole)", "Where elements come in, in `bag/together`.", [], ["bag/together"]),
    op!(Kind::Over("parts", merge_by), "(bag/merge-by f parts :initial nil)", "Pairs `[key value]` of several `foldby`, as one.",
        ["(bag/merge-by + [[[:a 1]] [[:a 2]]])" => "[[:a 3]]"], ["foldby"]),
    op!(Kind::Over("coll", counts), "(bag/counts coll)",
        "How often every value is there, in a row: the value, the count, and a number to find the value by. The task of `frequencies`.",
        ["(count (bag/counts [:a :b :a]))" => "6"], ["frequencies"]),
    op!(Kind::Over("parts", merge_counts), "(bag/merge-counts parts :last false :sort false)",
        "Several of `bag/counts`, as one; the `:last` are pairs `[value count]`.",
        ["(bag/merge-counts [(bag/counts [:a]) (bag/counts [:b :a :a])] :last true)" => "[[:a 3] [:b 1]]"], ["frequencies"]),
    op!(Kind::Now(moments), "(bag/moments coll)",
        "`[count mean m2]` of numbers, with m2 the sum of squares of what they differ from the mean by.",
        ["(bag/moments [1 3])" => "[2 2.0 2.0]"], ["var"]),
    op!(Kind::Now(merge_moments), "(bag/merge-moments parts)",
        "The moments of all, of the moments of parts (Chan, Golub, LeVeque: \"Updating formulae and a pairwise algorithm for computing sample \
         variances\", 1979).",
        ["(bag/merge-moments [[1 1.0 0.0] [1 3.0 0.0]])" => "[2 2.0 2.0]"], ["var"]),
    op!(Kind::Now(of_moments), "(bag/of-moments what moments :ddof 0)",
        "The `:mean`, `:var` or `:std` that moments tell.",
        ["(bag/of-moments :var [2 2.0 2.0])" => "1.0"], ["var"]),
];

/// The layer of what a task makes of each partition.
fn parts(
    name: &'static str,
    args: &Args,
    bag: &Value,
    make: impl FnOnce(&mut Inputs, Task) -> Task,
) -> Result<Arc<Layer>> {
    let n = layer(bag).ok_or_else(|| args.wrong_value("coll", bag, "a bag"))?.grid[0];
    let mut inputs = Inputs::default();
    let part = inputs.of_partition(bag);
    let task = make(&mut inputs, part);
    match partitionwise(name, n, inputs, task, args.span) {
        Value::Delayed(made) => Ok(made.layer.clone()),
        _ => Err(err!(Internal, "a layer of partitions is a bag")),
    }
}

/// Whether an argument besides the bag is lazy: then the call as a whole is, on a list.
fn others_are_lazy(args: &Args, bag: &str) -> bool {
    let bag = args.index(bag);
    args.values.iter().enumerate().any(|(at, value)| at != bag && value.holds_lazy())
}

/// `per_part` of each partition that has elements, and `aggregate` of these.
fn reduced(args: &Args, name: &'static str, bag: &Value, per_part: Value, aggregate: Value) -> Result<Value> {
    let tree = Tree::of(args, name, false)?;
    let parts = parts(name, args, bag, |_, part| call("bag/part", vec![Task::data(per_part), part], Vec::new()))?;
    Ok(tree.value(parts, move |parts, last| {
        let aggregate = Task::data(aggregate.clone());
        call("bag/merge", vec![aggregate, Task::list(parts)], vec![("last", Task::data(Value::Bool(last)))])
    }))
}

fn op(args: &Args, name: &str) -> Result<Value> {
    args.host.op(name).map(Value::Function).ok_or_else(|| err!(Internal, "there is no `{name}`"))
}

/// `sum`, `min`, `max`, `any`, `all` of a bag: the same of each partition, and of what comes of them.
pub fn same(args: Args) -> Result<Value> {
    let name = match args.function.name.as_str() {
        "sum" => "sum",
        "prod" => "prod",
        "min" => "min",
        "max" => "max",
        "any" => "any",
        _ => "all",
    };
    let whole = ["axis", "dtype"]
        .iter()
        .any(|param| args.function.signature.params.iter().any(|p| p.name == *param) && !args.is_nil(param));
    if whole {
        return args.host.delay(&args);
    }
    // Elements are compared and added as they are: `min` of a list would look into those that are lists.
    let f = match name {
        "sum" => op(&args, "bag/sum")?,
        "min" => op(&args, "bag/min")?,
        "max" => op(&args, "bag/max")?,
        "any" => op(&args, "bag/any")?,
        "all" => op(&args, "bag/all")?,
        _ => op(&args, name)?,
    };
    reduced(&args, name, &args.values[0], f.clone(), f)
}

pub fn count(args: Args) -> Result<Value> {
    reduced(&args, "count", &args.values[0], op(&args, "count")?, op(&args, "sum")?)
}

pub fn reduction(args: Args) -> Result<Value> {
    let (per_part, aggregate) = (args.function("per-part")?, args.function("aggregate")?);
    reduced(&args, "reduction", args.value("coll"), per_part, aggregate)
}

/// `(fold f b)`: over each partition, and `:combine`, else `f`, over what comes of them.
pub fn fold(args: Args) -> Result<Value> {
    if others_are_lazy(&args, "coll") {
        return args.host.delay(&args);
    }
    let f = args.function("f")?;
    let combine = if args.is_nil("combine") { f.clone() } else { args.function("combine")? };
    let initial = args.is_given("initial").then(|| args.value("initial").clone());
    let from = |items: Vec<Task>| {
        let initial = initial.clone().map(|initial| ("initial", Task::data(initial)));
        call("bag/fold", items, initial.into_iter().collect())
    };
    let tree = Tree::of(&args, "fold", false)?;
    let layer = parts("fold", &args, args.value("coll"), |_, part| from(vec![Task::data(f), part]))?;
    Ok(tree.value(layer, move |parts, last| {
        let mut keywords = Vec::new();
        if last {
            keywords.push(("last", Task::data(Value::Bool(true))));
            keywords.extend(initial.clone().map(|initial| ("initial", Task::data(initial))));
        }
        call("bag/merge-folds", vec![Task::data(combine.clone()), Task::list(parts)], keywords)
    }))
}

/// `mean`, `var` and `std` of a bag, by moments.
pub fn spread(args: Args) -> Result<Value> {
    let what = match args.function.name.as_str() {
        "mean" => "mean",
        "var" => "var",
        _ => "std",
    };
    let given = |param: &str| args.function.signature.params.iter().any(|p| p.name == param) && !args.is_nil(param);
    if ["axis", "dtype", "correction"].into_iter().any(given) {
        return args.host.delay(&args);
    }
    let ddof = if given("ddof") { args.value("ddof").clone() } else { Value::Int(0) };
    let tree = Tree::of(&args, what, false)?;
    let layer = parts(what, &args, &args.values[0], |_, part| call("bag/moments", vec![part], Vec::new()))?;
    Ok(tree.value(layer, move |parts, last| {
        let merged = call("bag/merge-moments", vec![Task::list(parts)], Vec::new());
        match last {
            false => merged,
            true => {
                let items = vec![Task::data(Value::keyword(what)), merged];
                call("bag/of-moments", items, vec![("ddof", Task::data(ddof.clone()))])
            }
        }
    }))
}

pub fn frequencies(args: Args) -> Result<Value> {
    let sort = args.bool("sort")?;
    let tree = Tree::of(&args, "frequencies", true)?;
    let layer = parts("frequencies", &args, args.value("coll"), |_, part| call("bag/counts", vec![part], Vec::new()))?;
    Ok(tree.value(layer, move |parts, last| {
        let given = |name, is: bool| is.then(|| (name, Task::data(Value::Bool(true))));
        let keywords = given("last", last).into_iter().chain(given("sort", last && sort)).collect();
        call("bag/merge-counts", vec![Task::list(parts)], keywords)
    }))
}

/// The lists that tasks make, as one.
fn together(parts: Vec<Task>) -> Task {
    match <[Task; 1]>::try_from(parts) {
        Ok([only]) => only,
        Err(parts) => call("concat", parts, Vec::new()),
    }
}

/// Ops of which the answer about all is that about what they answer of parts: `distinct`, `topk`.
fn again(args: &Args, name: &'static str, before: Vec<Task>, bag: &Value) -> Result<Value> {
    let tree = match name {
        "distinct" => Tree { name, split_every: 8, to_bag: true, span: args.span },
        _ => Tree::of(args, name, true)?,
    };
    let key = (!args.is_nil("key")).then(|| ("key", Task::data(args.value("key").clone())));
    let of = move |list: Task| {
        let items = before.iter().cloned().chain([list]).collect();
        call(name, items, key.clone().into_iter().collect())
    };
    let first = of.clone();
    let layer = parts(name, args, bag, move |_, part| first(part))?;
    Ok(tree.value(layer, move |parts, _| of(together(parts))))
}

pub fn distinct(args: Args) -> Result<Value> {
    again(&args, "distinct", Vec::new(), args.value("coll"))
}

pub fn topk(args: Args) -> Result<Value> {
    if others_are_lazy(&args, "coll") || layer(args.value("coll")).is_none() {
        return args.host.delay(&args);
    }
    again(&args, "topk", vec![Task::data(args.value("k").clone())], args.value("coll"))
}

/// `(foldby key f initial b)`: over the elements of each key, partition by partition, and `:combine` over what comes of these.
pub fn foldby(args: Args) -> Result<Value> {
    let has_initial = args.is_given("coll");
    let bag = if has_initial { "coll" } else { "initial" };
    if others_are_lazy(&args, bag) || layer(args.value(bag)).is_none() {
        return args.host.delay(&args);
    }
    let f = args.function("f")?;
    let combine = if args.is_nil("combine") { f.clone() } else { args.function("combine")? };
    let from = args.is_given("combine-initial").then(|| args.value("combine-initial").clone());
    let tree = Tree::of(&args, "foldby", true)?;
    let head = vec![Task::data(args.value("key").clone()), Task::data(f)];
    let initial = has_initial.then(|| Task::data(args.value("initial").clone()));
    let layer = parts("foldby", &args, args.value(bag), |_, part| {
        call("foldby", head.into_iter().chain(initial).chain([part]).collect(), Vec::new())
    })?;
    Ok(tree.value(layer, move |parts, _| {
        let initial = from.clone().map(|initial| ("initial", Task::data(initial)));
        call("bag/merge-by", vec![Task::data(combine.clone()), Task::list(parts)], initial.into_iter().collect())
    }))
}

/// All that the lists hold.
fn all_of(args: &mut Args, param: &str) -> Result<Vec<Value>> {
    // Taken over, so that what only this call holds is moved.
    let mut all = Vec::new();
    for part in args.seq(param)?.into_vec() {
        let part = Seq::of(part).map_err(|part| args.wrong_value(param, &part, "a list of lists"))?.into_vec();
        match all.is_empty() {
            true => all = part,
            false => all.extend(part),
        }
    }
    Ok(all)
}

fn part(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let items = args.seq("coll")?;
    match items.is_empty() {
        true => Ok(Value::list(Vec::new())),
        false => Ok(Value::list(vec![args.apply(&f, [items.into_value()])?])),
    }
}

fn merge(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let (all, last) = (all_of(&mut args, "parts")?, args.bool("last")?);
    if all.is_empty() && !last {
        return Ok(Value::list(all));
    }
    let answer = args.apply(&f, [Value::list(all)])?;
    Ok(if last { answer } else { Value::list(vec![answer]) })
}

fn fold_part(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let initial = args.is_given("initial").then(|| args.take("initial"));
    let mut items = args.seq("coll")?.into_vec().into_iter();
    if items.len() == 0 {
        return Ok(Value::list(Vec::new()));
    }
    let Some(start) = initial.or_else(|| items.next()) else { return Ok(Value::Nil) };
    Ok(Value::list(vec![folded(&args, &f, start, items)?]))
}

fn merge_folds(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let (last, initial) = (args.bool("last")?, args.is_given("initial").then(|| args.take("initial")));
    let mut all = all_of(&mut args, "parts")?.into_iter();
    let answer = match all.next() {
        Some(first) => folded(&args, &f, first, all)?,
        None if !last => return Ok(Value::list(Vec::new())),
        None => initial.ok_or_else(|| {
            err!(Value, "nothing to fold").label(args.span, "in this call").help("`:initial` is the answer then")
        })?,
    };
    Ok(if last { answer } else { Value::list(vec![answer]) })
}

/// A pair that a task made.
fn split(pair: Value) -> Result<[Value; 2]> {
    let list = match pair {
        Value::List(list) => Arc::unwrap_or_clone(list),
        other => return Err(err!(Type, "expected a pair, found {}", other.a_type_name())),
    };
    <[Value; 2]>::try_from(list).map_err(|list| err!(Type, "expected a pair, found a list of {}", list.len()))
}

fn in_tasks_only(args: Args) -> Result<Value> {
    Err(err!(Type, "{} means something in tasks only, where the optimizer writes it", args.function.name)
        .label(args.span, "in this call"))
}

fn merge_by(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let initial = args.is_given("initial").then(|| args.take("initial"));
    let mut totals = Map::new();
    for (n, item) in all_of(&mut args, "parts")?.into_iter().enumerate() {
        args.check_interrupt(n)?;
        let [key, value] = split(item)?;
        fold_in(&args, &mut totals, &f, initial.as_ref(), key, value)?;
    }
    Ok(pairs_of(totals))
}

fn merge_counts(mut args: Args) -> Result<Value> {
    let mut counts = Counts::new();
    for (n, part) in args.seq("parts")?.into_vec().into_iter().enumerate() {
        args.check_interrupt(n)?;
        let row = Seq::of(part).map_err(|part| args.wrong_value("parts", &part, "lists that `bag/counts` made"))?;
        let other = |other: Value| args.wrong_value("parts", &other, "lists that `bag/counts` made");
        counts.add_row(row.into_vec()).map_err(other)?;
    }
    match args.bool("last")? {
        true => counted(counts, args.bool("sort")?),
        false => Ok(Value::list(counts.into_row())),
    }
}

fn counts(mut args: Args) -> Result<Value> {
    let items = args.seq("coll")?.into_vec();
    Ok(Value::list(count_list(&args, items)?.into_row()))
}

fn of_elements(mut args: Args) -> Result<Value> {
    let items = args.seq("coll")?;
    match args.function.name.as_str() {
        "bag/sum" => sequence::sum(args.host, &items, args.span),
        "bag/min" => sequence::extreme(Binary::Minimum, &items),
        "bag/max" => sequence::extreme(Binary::Maximum, &items),
        "bag/any" => Ok(Value::Bool(items.iter().any(sequence::counts_as_true))),
        _ => Ok(Value::Bool(items.iter().all(sequence::counts_as_true))),
    }
}

/// Count, mean, and the sum of squares of what elements differ from it by.
#[derive(Clone, Copy, Default)]
struct Moments {
    n: i64,
    mean: f64,
    m2: f64,
}

impl Moments {
    fn value(self) -> Value {
        Value::list(vec![Value::Int(self.n), Value::Float(self.mean), Value::Float(self.m2)])
    }

    fn of(value: &Value) -> Option<Moments> {
        match value.as_list()? {
            [n, mean, m2] => Some(Moments { n: n.as_int()?, mean: mean.as_float()?, m2: m2.as_float()? }),
            _ => None,
        }
    }

    fn and(self, other: Moments) -> Moments {
        let n = self.n.saturating_add(other.n);
        if n == 0 {
            return self;
        }
        let (share, apart) = (other.n as f64 / n as f64, other.mean - self.mean);
        let m2 = self.m2 + other.m2 + apart * apart * self.n as f64 * share;
        Moments { n, mean: self.mean + apart * share, m2 }
    }
}

fn moments(mut args: Args) -> Result<Value> {
    let items = args.seq("coll")?;
    let numbers: Vec<f64> = items
        .iter()
        .map(|x| match x {
            Value::Bool(b) => Ok(f64::from(u8::from(*b))),
            other => other.as_float().ok_or_else(|| args.wrong_value("coll", other, "numbers")),
        })
        .collect::<Result<_>>()?;
    let n = numbers.len();
    if n == 0 {
        return Ok(Moments::default().value());
    }
    let mean = numbers.iter().sum::<f64>() / n as f64;
    let m2 = numbers.iter().map(|x| (x - mean) * (x - mean)).sum();
    Ok(Moments { n: n as i64, mean, m2 }.value())
}

fn merge_moments(args: Args) -> Result<Value> {
    let all = args.list("parts")?;
    let all = all.iter().map(|part| Moments::of(part).ok_or_else(|| args.wrong_value("parts", part, "moments")));
    Ok(all.collect::<Result<Vec<Moments>>>()?.into_iter().fold(Moments::default(), Moments::and).value())
}

fn of_moments(args: Args) -> Result<Value> {
    let what = args.name("what")?;
    let Moments { n, mean, m2 } = Moments::of(args.value("moments")).ok_or_else(|| args.wrong("moments", "moments"))?;
    let ddof = args.float("ddof")?;
    if n == 0 {
        return Err(err!(Value, "the {what} of nothing").label(args.span, "the bag is empty"));
    }
    if what == "mean" {
        return Ok(Value::Float(mean));
    }
    let left = n as f64 - ddof;
    if left == 0.0 {
        return Err(err!(Value, "the {what} of {n} elements with `:ddof {ddof}` divides by zero")
            .label(args.span, "in this call"));
    }
    Ok(Value::Float(if what == "var" { m2 / left } else { (m2 / left).sqrt() }))
}
