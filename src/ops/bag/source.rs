//! Where bags come from, and what they become: lists, lazy values, other cuts of the same elements.

use crate::data::{Args, Held, Task, Value};
use crate::err;
use crate::op;
use crate::op::bags::{check_count, partition, partitionwise, per_task, value, wanted};
use crate::op::layers::call;
use crate::op::sequence::Seq;
use crate::op::{Inputs, Kind, Op, Token};
use crate::schedule::parse_bytes;
use crate::text::Result;
use smallvec::smallvec;
use std::sync::Arc;

pub static OPS: &[Op] = &[
    op!(Kind::Over("coll", from_list), "(from-list coll :npartitions nil :partition-size nil :partitioned false)",
        "The bag of a list's elements, in about a hundred partitions; in `:npartitions`, or in ones of `:partition-size` elements. With \
         `:partitioned true` the list is one of partitions.",
        ["(compute (map inc (from-list [1 2 3] :npartitions 2)))" => "[2 3 4]", "(npartitions (from-list [[1 2] [3]] :partitioned true))" => "2"],
        ["read-text", "range", "from-delayed"]),
    op!(Kind::Lazy(from_delayed), "(from-delayed values)",
        "The bag whose partitions are lazy values, or one: each a list when it is computed.",
        ["(compute (from-delayed [(delay (range 2)) (delay (range 3))]))" => "[0 1 0 1 2]"], ["to-delayed", "from-list"]),
    op!(Kind::Lazy(to_delayed), "(to-delayed bag)", "The partitions of a bag, each as a lazy list.",
        ["(compute (map count (to-delayed (from-list [1 2 3] :npartitions 2))))" => "[2 1]"], ["from-delayed"]),
    op!(Kind::Lazy(npartitions), "(npartitions x)", "How many partitions a bag has, or how many blocks an array.",
        ["(npartitions (range 10 :npartitions 5))" => "5", "(npartitions (ones [5 4] :chunks [2 2]))" => "6"], ["repartition", "from-list"]),
    op!(Kind::Lazy(repartition), "(repartition bag :npartitions nil :partition-size nil)",
        "The same elements in the same order, in so many partitions; or in ones of about `:partition-size` bytes, for which all is computed once.",
        ["(npartitions (repartition (range 10 :npartitions 5) :npartitions 2))" => "2"], ["npartitions", "from-list"]),
    op!(Kind::Over("coll", listed), "(bag/list coll)", "The list that a value is, as a partition. The task of `from-delayed` and `to-bag`.",
        ["(bag/list (range 2))" => "[0 1]"], ["from-delayed"]),
    op!(Kind::Over("coll", piece), "(bag/piece coll k n)", "Piece `k` of a list cut into `n`. The task of `repartition`.",
        ["(bag/piece [1 2 3] 0 2)" => "[1]", "(bag/piece [1 2 3] 1 2)" => "[2 3]"], ["repartition"]),
    op!(Kind::Now(size_of), "(bag/size coll)", "About how many bytes a list takes with all that it holds.",
        ["(bag/size [])" => "0"], ["repartition"]),
];

/// Where piece `k` of `n` begins and ends.
fn bounds(len: usize, k: usize, n: usize) -> std::ops::Range<usize> {
    let (each, more) = (len / n, len % n);
    let start = k * each + k.min(more);
    start..start + each + usize::from(k < more)
}

/// A bag of lists that are there.
pub fn of_parts(parts: Vec<Value>, args: &Args) -> Value {
    let parts = if parts.is_empty() { vec![Value::list(Vec::new())] } else { parts };
    let (n, token) = (parts.len(), Token::new("from-list").values(&parts));
    let parts = Arc::new(parts);
    let task =
        Task::index(move |index| index.first().and_then(|p| parts.get(*p as usize)).cloned().unwrap_or_default());
    value(Inputs::default().layer(task, token.name(), smallvec![n], Default::default(), args.span))
}

fn from_list(mut args: Args) -> Result<Value> {
    let partitioned = args.bool("partitioned")?;
    let (n, size) = (args.size_or_nil("npartitions")?, args.size_or_nil("partition-size")?);
    let items = args.seq("coll")?;
    if partitioned {
        if n.or(size).is_some() {
            return Err(err!(Value, "from-list: a list of partitions is cut already").label(args.span, "in this call"));
        }
        let list = |part: Value| match Seq::of(part) {
            Ok(items) => Ok(items.into_value()),
            Err(other) => Err(args.wrong_value("coll", &other, "a list of partitions, each a list")),
        };
        return Ok(of_parts(items.into_vec().into_iter().map(list).collect::<Result<_>>()?, &args));
    }
    let n = match (n, size) {
        (Some(_), Some(_)) => {
            return Err(err!(Value, "from-list takes `:npartitions` or `:partition-size`, not both")
                .label(args.span, "in this call"));
        }
        (Some(0), _) | (_, Some(0)) => {
            return Err(err!(Value, "from-list: there is at least one partition, of at least one element")
                .label(args.span, "in this call"));
        }
        (_, Some(size)) => {
            let parts = items.chunks(size).map(|part| Value::list(part.to_vec())).collect();
            return Ok(of_parts(parts, &args));
        }
        // Few elements lie as `dask.bag` would have them: all parts as long as the longest.
        (Some(n), None) if items.len() <= 100 => {
            let each = items.len().div_ceil(n).max(1);
            return Ok(of_parts(items.chunks(each).map(|part| Value::list(part.to_vec())).collect(), &args));
        }
        (n, None) => n.unwrap_or(100).min(items.len()).max(1),
    };
    Ok(of_parts((0..n).map(|k| Value::list(items[bounds(items.len(), k, n)].to_vec())).collect(), &args))
}

/// The bag of `(range start stop step :npartitions n)`: each partition makes its own numbers.
pub fn range(args: &Args, start: i64, count: usize, step: i64, n: usize) -> Value {
    let n = n.min(count).max(1);
    let at = move |i: usize| Value::Int(start.wrapping_add((i as i64).wrapping_mul(step)));
    // All of one length, the last one of what is left.
    let each = count / n;
    let edge = move |last: bool| {
        Task::index(move |index| {
            let p = index.first().map_or(0, |p| *p as usize) + usize::from(last);
            at(if p == n { count } else { p * each })
        })
    };
    let token = Token::new("range").with((start, count, step, n));
    let task = call("range", vec![edge(false), edge(true), Task::data(Value::Int(step))], Vec::new());
    value(Inputs::default().layer(task, token.name(), smallvec![n], Default::default(), args.span))
}

fn from_delayed(args: Args) -> Result<Value> {
    let values = match args.value("values") {
        Value::List(items) => items.to_vec(),
        one => vec![one.clone()],
    };
    if values.is_empty() {
        return Ok(of_parts(Vec::new(), &args));
    }
    let mut parents = Vec::with_capacity(values.len());
    for value in &values {
        match value {
            Value::Delayed(lazy) if lazy.partitions().is_none() && !lazy.layer.is_hand_made() => {
                parents.push(lazy.layer.clone());
            }
            other => {
                // A list that is there, a bag, a key of a graph: a task of its own makes one value of it.
                let mut inputs = Inputs::default();
                let task = Task::call(vec![Task::symbol("bag/list"), inputs.task(other)]);
                let name = inputs.token(Token::new("bag/list").task(&task)).name();
                parents.push(inputs.layer(task, name, smallvec![], Default::default(), args.span));
            }
        }
    }
    let made = per_task(Token::new("from-delayed"), smallvec![parents.len()], parents, args.span, |at| {
        let whole = crate::data::BlockRef { parent: at, index: smallvec![] };
        (vec![whole], Task::call(vec![Task::symbol("bag/list"), Task::input(0)]))
    });
    Ok(value(made))
}

fn listed(mut args: Args) -> Result<Value> {
    match Seq::of(args.take("coll")) {
        Ok(items) => Ok(items.into_value()),
        Err(other) => Err(err!(Type, "a partition is a list, found {}", other.a_type_name())
            .label(args.span, "of this")
            .help("`(delay [x])` is a list of one element")),
    }
}

fn to_delayed(args: Args) -> Result<Value> {
    let bag = wanted(&args, "bag")?.clone();
    let one = |p: usize| {
        let token = Token::new("partition").with(p);
        value(per_task(token, smallvec![], vec![bag.clone()], args.span, move |_| {
            (vec![partition(0, p)], Task::input(0))
        }))
    };
    Ok(Value::list((0..bag.grid[0]).map(one).collect()))
}

fn npartitions(args: Args) -> Result<Value> {
    match args.value("x") {
        Value::Array(array) => Ok(Value::from(array.chunks.block_count())),
        Value::Block(_) => Ok(Value::from(1usize)),
        _ => wanted(&args, "x").map(|layer| Value::from(layer.grid[0])),
    }
}

/// The same elements as pieces of partitions, several of which make one: for each new partition the pieces `(p, k, n)` it is made of.
fn cut(args: &Args, places: Vec<Vec<(usize, usize, usize)>>) -> Result<Value> {
    let bag = wanted(args, "bag")?.clone();
    let token = Token::new("repartition").with(&places);
    let made = per_task(token, smallvec![places.len()], vec![bag], args.span, move |at| {
        let refs = places[at].iter().map(|(p, ..)| partition(0, *p)).collect();
        let mut pieces: Vec<Task> = Vec::new();
        for (i, &(_, k, n)) in places[at].iter().enumerate() {
            pieces.push(match n {
                1 => Task::input(i),
                _ => call("bag/piece", vec![Task::input(i), Task::data(k), Task::data(n)], Vec::new()),
            });
        }
        let task = match pieces.len() {
            1 => pieces.remove(0),
            _ => call("concat", pieces, Vec::new()),
        };
        (refs, task)
    });
    Ok(value(made))
}

fn repartition(args: Args) -> Result<Value> {
    let have = wanted(&args, "bag")?.grid[0];
    let size = match args.value("partition-size") {
        Value::Nil => None,
        Value::Str(text) => {
            Some(parse_bytes(text).ok_or_else(|| args.wrong("partition-size", "bytes, as in \"10MB\""))?)
        }
        _ => Some(args.size("partition-size")?),
    };
    match (args.size_or_nil("npartitions")?, size) {
        (Some(n), None) if n > 0 => {
            check_count(n)?;
            let places = match n <= have {
                true => (0..n).map(|at| (at * have / n..(at + 1) * have / n).map(|p| (p, 0, 1)).collect()).collect(),
                false => {
                    let pieces = |p: usize| n / have + if p == have - 1 { n % have } else { 0 };
                    (0..have).flat_map(|p| (0..pieces(p)).map(move |k| vec![(p, k, pieces(p))])).collect()
                }
            };
            cut(&args, places)
        }
        (None, Some(size)) if size > 0 => {
            let mut inputs = Inputs::default();
            let task = call("bag/size", vec![inputs.of_partition(args.value("bag"))], Vec::new());
            let task = Task::list(vec![task]);
            let sizes = partitionwise("bag/size", have, inputs, task, args.span);
            let sizes = args.host.compute(&[sizes], args.span)?.pop().unwrap_or_default();
            let sizes: Vec<usize> =
                sizes.as_list().unwrap_or_default().iter().map(|n| n.as_int().unwrap_or(0) as usize).collect();
            let (mut places, mut now, mut room): (Vec<Vec<_>>, Vec<_>, usize) = (Vec::new(), Vec::new(), size);
            for (p, bytes) in sizes.into_iter().enumerate() {
                let pieces = check_count(bytes.div_ceil(size).max(1))?;
                for k in 0..pieces {
                    let each = bytes / pieces;
                    if each > room && !now.is_empty() {
                        places.push(std::mem::take(&mut now));
                        room = size;
                    }
                    now.push((p, k, pieces));
                    room = room.saturating_sub(each);
                }
            }
            places.push(now);
            cut(&args, places)
        }
        _ => Err(err!(Value, "repartition takes `:npartitions` or `:partition-size`, at least 1")
            .label(args.span, "in this call")),
    }
}

fn piece(mut args: Args) -> Result<Value> {
    let (k, n) = (args.size("k")?, args.size("n")?);
    let items = args.seq("coll")?;
    if k >= n {
        return Err(err!(Index, "there is no piece {k} of {n}").label(args.span, "in this call"));
    }
    let edge = |k: usize| (items.len() as u128 * k as u128 / n as u128) as usize;
    Ok(Value::list(items[edge(k)..edge(k + 1)].to_vec()))
}

fn size_of(mut args: Args) -> Result<Value> {
    let items = args.seq("coll")?;
    Ok(Value::from(items.iter().map(|x| size_of_val(x) + Held::by(x).bytes()).sum::<usize>()))
}
