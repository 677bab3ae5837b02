//! What goes along partition by partition: a task of each, which is the same call on the list that the partition is.

use crate::data::{Args, Map, Task, Value};
use crate::err;
use crate::op;
use crate::op::bags::{check_count, layer, partition, partitions, partitionwise, per_task, value, wanted};
use crate::op::registry::is_bag;
use crate::op::sequence::{Seq, pair};
use crate::op::{Inputs, Kind, Op, Token};
use crate::text::Result;
use smallvec::smallvec;

pub static OPS: &[Op] = &[
    op!(Kind::Over("colls", map_parts), "(map-partitions f & colls)",
        "`f` of each partition of a bag, a list, which answers with a list: the partition of the new bag. A list is one partition.",
        ["(map-partitions (fn [xs] [(sum xs)]) [1 2 3])" => "[6]",
         "(compute (map-partitions (fn [xs] [(sum xs)]) (from-list [1 2 3 4] :npartitions 2)))" => "[3 7]"],
        ["map", "reduction", "from-list"]),
    op!(Kind::Over("coll", random_sample), "(random-sample p coll :random-state nil)",
        "Each element with probability `p`. The same ones for the same `:random-state` and partitions, whatever else runs.",
        ["(random-sample 1 [1 2 3])" => "[1 2 3]", "(random-sample 0.0 [1 2 3] :random-state 7)" => "[]"], ["random/choice", "take"]),
    op!(Kind::Now(sampled), "(bag/sampled p seed partition coll)",
        "The task of `random-sample`: which elements of a partition are taken.",
        ["(bag/sampled 1.0 7 0 [1 2])" => "[1 2]"], ["random-sample"]),
    op!(Kind::Now(map_with), "(bag/map f each & args)",
        "`f` of the elements of lists, side by side, and of other arguments as they are: `each` says which are lists, all as long as each \
         other. The task of `map` on several arguments.",
        ["(bag/map + [true false] [1 2] 10)" => "[11 12]"], ["map"]),
];

/// The same call, on a partition instead of the bag.
pub fn same_call(args: Args) -> Result<Value> {
    let name = args.function.name.clone();
    let called = args.as_called();
    let n = partitions(&called)?;
    let mut inputs = Inputs::default();
    let items = std::iter::once(Task::symbol(name)).chain(called.iter().map(|v| inputs.of_partition(v))).collect();
    Ok(partitionwise(static_name(&args)?, n, inputs, Task::call(items), args.span))
}

/// `(zip a b)`: bags alone, partition by partition.
pub fn zip(args: Args) -> Result<Value> {
    match args.rest.iter().find(|coll| !is_bag(coll)) {
        None => same_call(args),
        Some(other) => Err(args
            .wrong_value("colls", other, "bags alone")
            .help("`(from-list xs :npartitions n)` makes a bag of a list")),
    }
}

/// The op's name, which layers are named by.
fn static_name(args: &Args) -> Result<&'static str> {
    let name = &args.function.name;
    crate::ops::all().map(Op::name).find(|op| op == name).ok_or_else(|| err!(Internal, "`{name}` is no op"))
}

/// A method of strings, of all elements.
pub fn method(args: Args) -> Result<Value> {
    let f = args.host.op(&args.function.name).ok_or_else(|| err!(Internal, "there is no `{}`", args.function.name))?;
    along(&args, &Value::Function(f), &args.as_called())
}

pub fn map(args: Args) -> Result<Value> {
    let f = args.function("f")?;
    along(&args, &f, &args.rest)
}

/// `f` of the elements of bags, side by side, and of other values as they are.
fn along(args: &Args, f: &Value, colls: &[Value]) -> Result<Value> {
    let n = partitions(colls)?;
    let mut inputs = Inputs::default();
    let mut items = vec![Task::symbol("map"), inputs.task(f)];
    if let [only] = colls {
        items.push(inputs.of_partition(only));
        return Ok(partitionwise("map", n, inputs, Task::call(items), args.span));
    }
    items[0] = Task::symbol("bag/map");
    items.push(Task::data(Value::list(colls.iter().map(|coll| Value::Bool(is_bag(coll))).collect())));
    // A keyword among the arguments is one of the function's, not of this op's, which has none.
    items.extend(colls.iter().map(|coll| inputs.of_partition(coll)));
    Ok(partitionwise("map", n, inputs, Task::call(items), args.span))
}

fn map_with(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let each: Vec<bool> = args.list("each")?.iter().map(Value::truthy).collect();
    let given = std::mem::take(&mut args.rest);
    let mut lists = Vec::with_capacity(given.len());
    for (value, each) in given.iter().zip(&each) {
        lists.push(match each {
            true => Some(Seq::of(value.clone()).map_err(|v| args.wrong_value("args", &v, "a list"))?),
            false => None,
        });
    }
    let lengths: Vec<usize> = lists.iter().flatten().map(|list| list.len()).collect();
    let n = lengths.first().copied().unwrap_or(0);
    if let Some(other) = lengths.iter().find(|len| **len != n) {
        return Err(err!(Value, "partitions that are mapped together have {n} and {other} elements")
            .help("`zip` goes on to the end of the shorter"));
    }
    let mut all = Vec::with_capacity(n);
    let mut row = Vec::with_capacity(given.len());
    for i in 0..n {
        args.check_interrupt(i)?;
        row.clear();
        row.extend(lists.iter().zip(&given).map(|(list, value)| list.as_ref().map_or(value, |list| &list[i]).clone()));
        args.apply_in(&f, &mut row)?;
        all.push(std::mem::take(&mut row[0]));
    }
    Ok(Value::list(all))
}

fn map_parts(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let colls = std::mem::take(&mut args.rest);
    args.apply_all(&f, colls)
}

pub fn map_partitions(args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let n = partitions(&args.rest)?;
    let mut inputs = Inputs::default();
    let head = [Task::symbol("map-partitions"), inputs.task(&f)];
    let items = head.into_iter().chain(args.rest.iter().map(|v| inputs.of_partition(v))).collect();
    Ok(partitionwise("map-partitions", n, inputs, Task::call(items), args.span))
}

/// `(concat b c)`: the partitions of one after those of the other. What is no bag is a partition.
pub fn concat(args: Args) -> Result<Value> {
    let mut parents = Vec::new();
    let mut places = Vec::new();
    for coll in &args.rest {
        let layer = match layer(coll) {
            Some(layer) => layer.clone(),
            None => {
                let mut inputs = Inputs::default();
                let task = Task::call(vec![Task::symbol("bag/list"), inputs.task(coll)]);
                match partitionwise("vec", 1, inputs, task, args.span) {
                    Value::Delayed(made) => made.layer.clone(),
                    _ => continue,
                }
            }
        };
        places.extend((0..layer.grid[0]).map(|p| (parents.len(), p)));
        parents.push(layer);
    }
    let made = per_task(Token::new("concat"), smallvec![places.len()], parents, args.span, move |at| {
        let (parent, p) = places[at];
        (vec![partition(parent, p)], Task::input(0))
    });
    Ok(value(made))
}

/// `(unzip n b)`: n bags, of the first elements, the second, ….
pub fn unzip(args: Args) -> Result<Value> {
    let n = check_count(args.size("n")?)?;
    let bag = args.value("coll").clone();
    let pluck = args.host.op("pluck").ok_or_else(|| err!(Internal, "there is no `pluck`"))?;
    let one = |i: usize| args.host.apply(&Value::Function(pluck.clone()), &[Value::from(i), bag.clone()], args.span);
    Ok(Value::list((0..n).map(one).collect::<Result<_>>()?))
}

/// `(product a b)`: a partition for each of `a` and each of `b`.
pub fn product(args: Args) -> Result<Value> {
    let (Some(a), Some(b)) = (layer(args.value("a")), layer(args.value("b"))) else { return args.host.delay(&args) };
    let (n, m) = (a.grid[0], b.grid[0]);
    check_count(n.saturating_mul(m))?;
    let parents = vec![a.clone(), b.clone()];
    let made = per_task(Token::new("product"), smallvec![n * m], parents, args.span, move |at| {
        let task = Task::call(vec![Task::symbol("product"), Task::input(0), Task::input(1)]);
        (vec![partition(0, at / m), partition(1, at % m)], task)
    });
    Ok(value(made))
}

/// `(join other on-self b)`: each partition with all of `other`.
pub fn join(args: Args) -> Result<Value> {
    if !is_bag(args.value("coll")) {
        return args.host.delay(&args);
    }
    let n = wanted(&args, "coll")?.grid[0];
    let mut inputs = Inputs::default();
    let other = inputs.task(args.value("other"));
    let on_self = inputs.task(args.value("on-self"));
    let mut items = vec![Task::symbol("join"), other, on_self, inputs.of_partition(args.value("coll"))];
    if !args.is_nil("on-other") {
        items.extend([Task::data(Value::keyword("on-other")), inputs.task(args.value("on-other"))]);
    }
    Ok(partitionwise("join", n, inputs, Task::call(items), args.span))
}

/// `(take n b :npartitions k)`: the first elements of the first partitions.
pub fn take(args: Args) -> Result<Value> {
    let bag = match layer(args.value("coll")) {
        Some(layer) if args.value("n").as_int().is_some() => layer.clone(),
        _ => return args.host.delay(&args),
    };
    let have = bag.grid[0];
    let from = match args.value("npartitions") {
        Value::Nil => 1,
        other => match other.as_int() {
            Some(-1) => have,
            Some(n) if n >= 1 && n as usize <= have => n as usize,
            Some(n) => {
                return Err(err!(Value, "take: the first {n} partitions of a bag that has {have}")
                    .help("`:npartitions -1` takes from all of them"));
            }
            None => return Err(args.wrong("npartitions", "an int")),
        },
    };
    let n = args.value("n").clone();
    let take = move |list: Task| Task::call(vec![Task::symbol("take"), Task::data(n.clone()), list]);
    let token = Token::new("take").with(from).task(&take(Task::input(0)));
    let made = per_task(token, smallvec![], vec![bag], args.span, move |_| {
        let refs = (0..from).map(|p| partition(0, p)).collect();
        let task = match from {
            1 => take(Task::input(0)),
            _ => {
                let parts = (0..from).map(|p| take(Task::input(p)));
                take(Task::call(std::iter::once(Task::symbol("concat")).chain(parts).collect()))
            }
        };
        (refs, task)
    });
    Ok(value(made))
}

/// Which elements are taken follows from the seed, the partition and the place in it alone.
fn chosen(p: f64, seed: i64, partition: usize, items: Seq) -> Value {
    let all = items.into_vec().into_iter().enumerate();
    let taken = all.filter(|(at, _)| {
        use std::hash::{Hash, Hasher};
        let mut state = std::hash::DefaultHasher::new();
        (seed, partition as u64, *at as u64).hash(&mut state);
        // 53 bits: as many as a float has digits.
        ((state.finish() >> 11) as f64) < p * (1u64 << 53) as f64
    });
    Value::list(taken.map(|(_, item)| item).collect())
}

fn probability(args: &Args) -> Result<f64> {
    let p = args.float("p")?;
    if (0.0..=1.0).contains(&p) {
        return Ok(p);
    }
    Err(err!(Value, "a probability is between 0 and 1, found {p}").label(args.span, "in this call"))
}

fn seed(args: &Args) -> Result<i64> {
    Ok(args.int_or_nil("random-state")?.unwrap_or_else(|| args.host.seeds().next()))
}

fn random_sample(mut args: Args) -> Result<Value> {
    let (p, seed) = (probability(&args)?, seed(&args)?);
    Ok(chosen(p, seed, 0, args.seq("coll")?))
}

fn sampled(mut args: Args) -> Result<Value> {
    let (p, seed, partition) = (probability(&args)?, args.int("seed")?, args.size("partition")?);
    Ok(chosen(p, seed, partition, args.seq("coll")?))
}

pub fn sample(args: Args) -> Result<Value> {
    let (p, seed) = (probability(&args)?, seed(&args)?);
    let n = wanted(&args, "coll")?.grid[0];
    let mut inputs = Inputs::default();
    let task = Task::call(vec![
        Task::symbol("bag/sampled"),
        Task::data(p),
        Task::data(seed),
        Task::index(|index| Value::from(index.first().map_or(0, |p| *p as usize))),
        inputs.of_partition(args.value("coll")),
    ]);
    let name = inputs.token(Token::new("random-sample").with(p.to_bits()).with(seed)).name();
    Ok(value(inputs.layer(task, name, smallvec![n], Default::default(), args.span)))
}

/// The pairs of a map, as a list.
pub(super) fn pairs_of(map: Map) -> Value {
    Value::list(map.iter().map(|(k, v)| pair(k.clone(), v.clone())).collect())
}
