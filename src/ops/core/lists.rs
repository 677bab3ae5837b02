//! Making lists, and cutting and joining them.

use super::each::enumerated;
use crate::data::{Args, Block, DType, Value};
use crate::err;
use crate::kernel::create;
use crate::op;
use crate::op::bags::check_count;
use crate::op::sequence::{self, Seq, pair};
use crate::op::{Given, Kind, Op, Operand, infer};
use crate::ops::array::{slice, sorting};
use crate::ops::bag;
use crate::text::Result;

pub static OPS: &[Op] = &[
    op!(Kind::Lazy(list), "(list & xs)", "The list of its arguments: `[a b]`, as a function.",
        ["(list 1 2)" => "[1 2]", "(apply list {:a 1})" => "[[:a 1]]"], ["vec", "conj"]),
    op!(Kind::Over("coll", vec), "(vec coll)",
        "The elements as a list: pairs of a map, characters of a string, rows of an array.",
        ["(vec \"ab\")" => "[\"a\" \"b\"]", "(vec {:a 1})" => "[[:a 1]]"], ["list", "to-list"]),
    op!(Kind::Now(range), "(range start stop? step? :npartitions nil)",
        "The numbers from `start` on, `step` (1) apart, before `stop`; `(range n)` begins at 0.",
        ["(range 3)" => "[0 1 2]", "(range 2 5)" => "[2 3 4]", "(range 5 0 -2)" => "[5 3 1]", "(range 0 1 0.5)" => "[0.0 0.5]"],
        ["arange", "repeat"]),
    op!(Kind::Lazy(repeat), "(repeat n x? :axis nil :repeats nil)",
        "The list of `n` times `x`.\n`(repeat array n :axis 0)` is NumPy's: every element, or row, n times, or as often as a list \
         says; of the flattened array for nil. An array without axes counts as one, too, where n is an int or a list of one.",
        ["(repeat 3 :a)" => "[:a :a :a]", "(to-list (repeat (arange 3) 2))" => "[0 0 1 1 2 2]"],
        ["repeatedly", "cycle"]),
    op!(Kind::Over("n coll", cycle), "(cycle n coll)", "The first `n` elements of the list over and over.",
        ["(cycle 5 [1 2])" => "[1 2 1 2 1]"], ["repeat"]),
    op!(Kind::Lazy(take), "(take n coll :axis nil :mode \"raise\" :npartitions nil)",
        "The first `n` elements, or all where there are fewer; from the end, if `n` is negative.\n\
         Of a bag, those of its first partition, in which there may be fewer, so that no more is computed; or of the first `:npartitions`, \
         and with -1 of all.",
        ["(take 2 [1 2 3])" => "[1 2]", "(take 9 [1])" => "[1]", "(take -1 [1 2 3])" => "[3]"],
        ["drop", "take-while", "first"]),
    op!(Kind::Over("n coll", drop), "(drop n coll)",
        "All but the first `n` elements; but the last, if `n` is negative.",
        ["(drop 1 [1 2 3])" => "[2 3]", "(drop -1 [1 2 3])" => "[1 2]"], ["take", "rest"]),
    op!(Kind::Over("coll", take_while), "(take-while f coll)", "The first elements, as long as `f` is true of them.",
        ["(take-while #(< % 3) [1 2 3 1])" => "[1 2]"], ["drop-while", "filter"]),
    op!(Kind::Over("coll", drop_while), "(drop-while f coll)", "The elements from the first of which `f` is not true.",
        ["(drop-while #(< % 3) [1 2 3 1])" => "[3 1]"], ["take-while"]),
    op!(Kind::Over("n coll", split_at), "(split-at n coll)", "The first `n` elements, and the others.",
        ["(split-at 1 [1 2 3])" => "[[1] [2 3]]"], ["partition", "take", "drop"]),
    op!(Kind::Lazy(partition), "(partition n coll? :step nil :axis -1 :kth nil)",
        "Lists of `n` elements each, that begin `:step` (`n`) apart. What is left over at the end is dropped. With an array first, as NumPy \
         has it, `(partition x kth :axis -1)` is the array in which the k-th element along the axis is the one that sorting puts there, \
         smaller ones before it and larger ones behind.",
        ["(partition 2 [1 2 3 4 5])" => "[[1 2] [3 4]]", "(partition 2 [1 2 3] :step 1)" => "[[1 2] [2 3]]",
         "((partition (array [5 1 4 2]) 2) 2)" => "4"],
        ["partition-all", "partition-by", "argpartition"]),
    op!(Kind::Over("n coll", partition_all), "(partition-all n coll)", "Lists of `n` elements each, the last with what is left.",
        ["(partition-all 2 [1 2 3])" => "[[1 2] [3]]"], ["partition"]),
    op!(Kind::Over("coll", partition_by), "(partition-by f coll)", "Lists of neighbours of which `f` is the same.",
        ["(partition-by odd? [1 3 2 5])" => "[[1 3] [2] [5]]"], ["partition", "group-by"]),
    op!(Kind::Over("coll", flatten), "(flatten coll)",
        "The elements of the elements: one level, as `dask.bag` has it. `flatten-all` flattens lists of any depth.",
        ["(flatten [[1 2] [3 [4]]])" => "[1 2 3 [4]]"], ["flatten-all", "mapcat", "concat"]),
    op!(Kind::Over("coll", flatten_all), "(flatten-all coll)", "The elements of lists in lists, however deep.",
        ["(flatten-all [1 [2 [3]]])" => "[1 2 3]"], ["flatten"]),
    op!(Kind::Over("colls", zip), "(zip & colls)",
        "The list of first elements, of second elements, …, to the end of the shortest. Bags go along partition by partition, each to the end of \
         the shortest.",
        ["(zip [1 2 3] [:a :b])" => "[[1 :a] [2 :b]]"], ["unzip", "zipmap", "interleave", "map"]),
    op!(Kind::Over("n coll", unzip), "(unzip n coll)", "The `n` lists of first elements, second elements, …: undoes `zip`.",
        ["(unzip 2 [[1 :a] [2 :b]])" => "[[1 2] [:a :b]]"], ["zip"]),
    op!(Kind::Over("colls", interleave), "(interleave & colls)", "Elements in turn from each, to the end of the shortest.",
        ["(interleave [1 2] [:a :b])" => "[1 :a 2 :b]"], ["zip", "interpose"]),
    op!(Kind::Over("coll", interpose), "(interpose x coll)", "The elements with `x` between them.",
        ["(interpose 0 [1 2 3])" => "[1 0 2 0 3]"], ["str/join"]),
    op!(Kind::Over("coll", enumerate), "(enumerate coll)", "Pairs of an index and an element.",
        ["(enumerate [:a :b])" => "[[0 :a] [1 :b]]"], ["map-indexed"]),
    op!(Kind::Over("a b", product), "(product a b)", "Every pair of an element of `a` and an element of `b`.",
        ["(product [1 2] [:x :y])" => "[[1 :x] [1 :y] [2 :x] [2 :y]]"], ["zip"]),
];

fn list(mut args: Args) -> Result<Value> {
    Ok(Value::list(std::mem::take(&mut args.rest)))
}

fn vec(mut args: Args) -> Result<Value> {
    Ok(args.seq("coll")?.into_value())
}

fn range(args: Args) -> Result<Value> {
    let plain = |param: &str| match args.value(param).clone().plain() {
        n @ (Value::Int(_) | Value::Float(_)) => Ok(n),
        Value::Nil if param != "start" => Ok(Value::Nil),
        _ => Err(args.wrong(param, "a number")),
    };
    let (first, second) = (plain("start")?, plain("stop")?);
    let (start, stop) = if matches!(second, Value::Nil) { (Value::Int(0), first) } else { (first, second) };
    let step = match plain("step")? {
        Value::Nil => Value::Int(1),
        step => step,
    };
    if let (Value::Int(start), Value::Int(stop), Value::Int(step)) = (&start, &stop, &step) {
        let (start, stop, step) = (i128::from(*start), i128::from(*stop), i128::from(*step));
        let count = match step {
            0 => return Err(no_step()),
            1.. => (stop - start + step - 1) / step,
            _ => (start - stop - step - 1) / -step,
        };
        let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
        if let Some(n) = args.size_or_nil("npartitions")? {
            if check_count(n)? == 0 {
                return Err(args.wrong("npartitions", "an int of 1 or more"));
            }
            return Ok(bag::range(&args, start as i64, count, step as i64, n));
        }
        sequence::check_len(count)?;
        // Every number is between two of 64 bits, and so few fit a list that its index does, too.
        let (start, step) = (start as i64, step as i64);
        return Ok(Value::list(
            (0..count as i64).map(|i| Value::Int(start.wrapping_add(i.wrapping_mul(step)))).collect(),
        ));
    }
    let float = |v: &Value| v.as_float().unwrap_or(f64::NAN);
    let (start, stop, step) = (float(&start), float(&stop), float(&step));
    if step == 0.0 {
        return Err(no_step());
    }
    let count = ((stop - start) / step).ceil().max(0.0);
    if count.is_nan() {
        return Err(err!(Value, "a range has no `nan`"));
    }
    sequence::check_len(count as usize)?;
    Ok(Value::list((0..count as usize).map(|i| Value::Float(start + i as f64 * step)).collect()))
}

fn no_step() -> crate::text::Error {
    err!(Value, "the step of a range is not 0")
}

fn repeat(mut args: Args) -> Result<Value> {
    named_by_numpy(&mut args, "x", "repeats")?;
    let is_count = |times: &Value| match times {
        Value::List(items) => matches!(items[..], [Value::Int(_)]),
        times => matches!(times, Value::Int(_)),
    };
    let many = matches!(args.value("n"), Value::Block(_)) && is_count(args.value("x"));
    if (many || is_array(args.value("n"))) && !(args.value("n").is_lazy() && args.value("x").is_lazy()) {
        return repeat_elements(args);
    }
    if args.value("n").is_lazy() {
        return args.host.delay(&args);
    }
    let n = args.size("n")?;
    sequence::check_len(n)?;
    Ok(Value::list(vec![args.take("x"); n]))
}

/// An argument that NumPy's function of that name calls otherwise, put where it belongs. It has to be there.
fn named_by_numpy(args: &mut Args, param: &str, name: &str) -> Result<()> {
    let (at, from) = (args.index(param), args.index(name));
    if args.has(from) && !args.has(at) {
        args.values.swap(at, from);
        args.given ^= 1 << at | 1 << from;
    }
    match args.has(at) {
        true => Ok(()),
        false => {
            let op = &args.function.name;
            Err(err!(Arity, "{op} takes at least 2 arguments, got 1")
                .label(args.span, format!("`{param}` is missing"))
                .help(format!("usage: {}", args.function.usage())))
        }
    }
}

/// Whether an argument in the place of a count is the array that NumPy's function of that name takes first.
fn is_array(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::List(_)) || matches!(value, Value::Block(b) if b.ndim() > 0)
}

fn repeat_elements(mut args: Args) -> Result<Value> {
    let (x, times, axis) = (args.take("n"), args.take("x"), args.take("axis"));
    let shape = Operand::array(&x)?.shape();
    // NumPy takes an array without axes for one of a single axis here.
    let axis = if shape.is_empty() && matches!(axis, Value::Int(-1 | 0)) { Value::Nil } else { axis };
    let len = match &axis {
        Value::Nil => shape.iter().product(),
        axis => shape[infer::axis(axis, shape.len())?],
    };
    let times = create::from_value(&times, Some(DType::I64))?;
    let counts: Vec<i64> = times.view::<i64>().iter().copied().collect();
    let count = |at: usize| match counts[..] {
        [n] => Ok(n),
        _ => counts.get(at).copied().ok_or(()),
    };
    if counts.len() != 1 && counts.len() != len {
        return Err(err!(Value, "{} counts for {len} elements", counts.len()));
    }
    if counts.iter().any(|&n| n < 0) {
        return Err(err!(Value, "nothing is repeated a negative number of times"));
    }
    let mut indices: Vec<i64> = Vec::new();
    for at in 0..len {
        let n = count(at).unwrap_or(0) as usize;
        sequence::check_len(indices.len().saturating_add(n))?;
        indices.extend(std::iter::repeat_n(at as i64, n));
    }
    let indices = Value::from(Block::from_slice(&[indices.len()], &indices));
    slice::take(args, x, indices, axis, "raise")
}

fn cycle(mut args: Args) -> Result<Value> {
    let n = args.size("n")?;
    sequence::check_len(n)?;
    let items = args.seq("coll")?;
    Ok(Value::list(items.iter().cycle().take(n).cloned().collect()))
}

/// How many elements from the front a count stands for, when a negative one counts from the end.
fn from_end(n: i64, len: usize) -> usize {
    let n = if n < 0 { n.saturating_add(len as i64).max(0) } else { n };
    usize::try_from(n).map_or(len, |n| n.min(len))
}

fn take(mut args: Args) -> Result<Value> {
    if is_array(args.value("n")) {
        let (x, indices, axis) = (args.value("n").clone(), args.value("coll").clone(), args.value("axis").clone());
        let mode = args.name("mode")?;
        return slice::take(args, x, indices, axis, &mode);
    }
    if args.value("n").is_lazy() || args.value("coll").is_lazy() {
        return args.host.delay(&args);
    }
    let n = args.int("n")?;
    let items = args.seq("coll")?;
    let len = items.len();
    let (skip, keep) = if n < 0 { (from_end(n, len), len) } else { (0, from_end(n, len)) };
    if skip == 0 && keep == len {
        return Ok(items.into_value());
    }
    Ok(Value::list(items[skip..keep].to_vec()))
}

fn drop(mut args: Args) -> Result<Value> {
    let n = args.int("n")?;
    let items = args.seq("coll")?;
    let at = from_end(n, items.len());
    Ok(Value::list(if n < 0 { items[..at].to_vec() } else { items[at..].to_vec() }))
}

/// The first index of whose element `f` is not true.
fn first_false(args: &Args, f: &Value, items: &[Value]) -> Result<usize> {
    for (n, item) in items.iter().enumerate() {
        args.check_interrupt(n)?;
        if !args.apply(f, [item.clone()])?.truth()? {
            return Ok(n);
        }
    }
    Ok(items.len())
}

fn take_while(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let items = args.seq("coll")?;
    let at = first_false(&args, &f, &items)?;
    Ok(Value::list(items[..at].to_vec()))
}

fn drop_while(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let items = args.seq("coll")?;
    let at = first_false(&args, &f, &items)?;
    Ok(Value::list(items[at..].to_vec()))
}

fn split_at(mut args: Args) -> Result<Value> {
    let n = args.int("n")?;
    let items = args.seq("coll")?;
    let (before, after) = items.split_at(from_end(n, items.len()));
    Ok(pair(Value::list(before.to_vec()), Value::list(after.to_vec())))
}

/// A count of 1 or more.
fn positive(args: &Args, param: &str) -> Result<usize> {
    match args.size(param)? {
        0 => Err(err!(Value, "{}: `{param}` is 1 or more", args.function.name).label(args.span, "in this call")),
        n => Ok(n),
    }
}

fn partition(mut args: Args) -> Result<Value> {
    named_by_numpy(&mut args, "coll", "kth")?;
    let is_array =
        matches!(&args.values[0], Value::Array(_)) || matches!(&args.values[0], Value::Block(b) if b.ndim() > 0);
    if is_array {
        let x = Given::of(args.take("n"))?;
        // By its place, the third argument is the axis.
        let axis = if args.is_given("step") { "step" } else { "axis" };
        return sorting::partition_array(x, args.value("coll"), args.value(axis), args.span);
    }
    if ["n", "coll", "step"].iter().any(|param| matches!(args.value(param), Value::Delayed(_) | Value::Array(_))) {
        return args.host.delay(&args);
    }
    let n = positive(&args, "n")?;
    let step = if args.is_nil("step") { n } else { positive(&args, "step")? };
    let items = args.seq("coll")?;
    let lists = items.windows(n).step_by(step).map(|part| Value::list(part.to_vec()));
    Ok(Value::list(lists.collect()))
}

fn partition_all(mut args: Args) -> Result<Value> {
    let n = positive(&args, "n")?;
    let items = args.seq("coll")?;
    Ok(Value::list(items.chunks(n).map(|part| Value::list(part.to_vec())).collect()))
}

fn partition_by(mut args: Args) -> Result<Value> {
    let f = args.function("f")?;
    let mut parts: Vec<Vec<Value>> = Vec::new();
    let mut before = None;
    for (n, item) in args.seq("coll")?.into_vec().into_iter().enumerate() {
        args.check_interrupt(n)?;
        let key = args.apply(&f, [item.clone()])?;
        match parts.last_mut() {
            Some(part) if before.as_ref().is_some_and(|b: &Value| b.same_key(&key)) => part.push(item),
            _ => parts.push(vec![item]),
        }
        before = Some(key);
    }
    Ok(Value::list(parts.into_iter().map(Value::list).collect()))
}

fn flatten(mut args: Args) -> Result<Value> {
    let mut all = Vec::new();
    for item in args.seq("coll")?.into_vec() {
        let part = Seq::of(item).map_err(|item| args.wrong_value("coll", &item, "a list of lists"))?;
        sequence::check_len(all.len() + part.len())?;
        all.extend(part.into_vec());
    }
    Ok(Value::list(all))
}

fn flatten_all(mut args: Args) -> Result<Value> {
    let mut all = Vec::new();
    // What is still to be looked at, the next on top.
    let mut open = args.seq("coll")?.into_vec();
    open.reverse();
    while let Some(item) = open.pop() {
        match item {
            Value::List(items) => {
                sequence::check_len(open.len() + items.len())?;
                open.extend(items.iter().rev().cloned());
            }
            other => {
                sequence::check_len(all.len() + 1)?;
                all.push(other);
            }
        }
    }
    Ok(Value::list(all))
}

fn seqs(args: &mut Args) -> Result<Vec<Seq>> {
    let colls = std::mem::take(&mut args.rest);
    colls.into_iter().map(|coll| Seq::of(coll).map_err(|coll| args.wrong_value("colls", &coll, "a list"))).collect()
}

fn zip(mut args: Args) -> Result<Value> {
    let seqs = seqs(&mut args)?;
    let n = seqs.iter().map(|s| s.len()).min().unwrap_or(0);
    Ok(Value::list((0..n).map(|i| Value::list(seqs.iter().map(|s| s[i].clone()).collect())).collect()))
}

fn unzip(mut args: Args) -> Result<Value> {
    let n = args.size("n")?;
    sequence::check_len(n)?;
    let rows = args.seq("coll")?;
    let mut columns = vec![Vec::with_capacity(rows.len()); n];
    for row in rows.into_vec() {
        let row = Seq::of(row).map_err(|row| args.wrong_value("coll", &row, "a list of lists"))?;
        if row.len() < n {
            return Err(err!(Index, "an element has {} parts, not {n}", row.len()).label(args.span, "in this call"));
        }
        for (column, part) in columns.iter_mut().zip(row.into_vec()) {
            column.push(part);
        }
    }
    Ok(Value::list(columns.into_iter().map(Value::list).collect()))
}

fn interleave(mut args: Args) -> Result<Value> {
    let seqs = seqs(&mut args)?;
    let n = seqs.iter().map(|s| s.len()).min().unwrap_or(0);
    Ok(Value::list((0..n).flat_map(|i| seqs.iter().map(move |s| s[i].clone())).collect()))
}

fn interpose(mut args: Args) -> Result<Value> {
    let x = args.take("x");
    let mut all = Vec::new();
    for item in args.seq("coll")?.into_vec() {
        if !all.is_empty() {
            all.push(x.clone());
        }
        all.push(item);
    }
    Ok(Value::list(all))
}

fn enumerate(mut args: Args) -> Result<Value> {
    Ok(enumerated(args.seq("coll")?.into_vec()))
}

fn product(mut args: Args) -> Result<Value> {
    if args.value("a").is_lazy() {
        return args.host.delay(&args);
    }
    let (a, b) = (args.seq("a")?, args.seq("b")?);
    sequence::check_len(a.len().saturating_mul(b.len()))?;
    Ok(Value::list(a.iter().flat_map(|x| b.iter().map(move |y| pair(x.clone(), y.clone()))).collect()))
}
