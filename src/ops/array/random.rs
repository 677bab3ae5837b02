//! Random arrays. An element depends on the seed and on its place in the whole array only: the same array in other blocks, or
//! on another number of workers, has the same elements.

use super::drawn;
use crate::data::{Args, Cost, DType, Dims, Memory, Task, Value};
use crate::err;
use crate::kernel::random::{self as kernel, Distribution, LAWS, draws};
use crate::op::chunking::{self, show};
use crate::op::layers::{Plan, call, dtype_value, ints};
use crate::op::{Kind, Op, Token, infer, parts};
use crate::text::Result;

macro_rules! op {
    ($usage:literal, $memory:ident, $run:expr, $example:literal => $result:literal, $doc:literal) => {
        Op {
            usage: $usage,
            doc: concat!(
                $doc,
                "\nWith `:seed` always the same numbers, however they are cut. `:chunks` makes the array lazy, as for `ones`. \
                 `:part [[i j] …]` makes that part of the whole only."
            ),
            examples: &[($example, $result)],
            see: &[],
            cost: Cost::Cheap,
            kind: Kind::Array(Memory::$memory, $run),
        }
    };
}

pub static OPS: &[Op] = &[
    op!("(random/random :size nil :dtype :float64 :seed nil :chunks nil :part nil)", Fresh, |args| {
        make(args, "random/random", 0, Distribution::Random)
    }, "(shape (random/random [2 3] :seed 1))" => "[2 3]", "Random numbers, uniform in [0, 1)."),
    op!("(random/uniform :low 0.0 :high 1.0 :size nil :dtype :float64 :seed nil :chunks nil :part nil)", Fresh, |args| {
        if of_arrays(&args) {
            return drawn::of(&LAWS[draws::UNIFORM], args.values[..2].to_vec(), &args);
        }
        let (low, high) = (float(&args, 0)?, float(&args, 1)?);
        make(args, "random/uniform", 2, Distribution::Uniform { low, high })
    }, "(shape (random/uniform -1 1 [3] :seed 1))" => "[3]", "Random numbers, uniform in [low, high). The bounds may be arrays, which broadcast."),
    op!("(random/normal :loc 0.0 :scale 1.0 :size nil :dtype :float64 :seed nil :chunks nil :part nil)", Fresh, |args| {
        if of_arrays(&args) {
            return drawn::of(&LAWS[draws::NORMAL], args.values[..2].to_vec(), &args);
        }
        let (mean, deviation) = (float(&args, 0)?, float(&args, 1)?);
        make(args, "random/normal", 2, Distribution::Normal { mean, deviation })
    }, "(shape (random/normal 10 0.1 [3] :seed 1))" => "[3]", "Random numbers of the normal distribution with that mean and standard deviation, which may be arrays that broadcast."),
    op!("(random/integers low :high nil :size nil :dtype :int64 :endpoint false :seed nil :chunks nil :part nil)", Converted, integers,
        "(to-list (random/integers 5 6 [3] :seed 1))" => "[5 5 5]",
        "Random integers from low up to but not including high, or from 0 up to low alone; `:endpoint true` includes the end."),
];

/// Whether one of the first two arguments is an array. A list alone may be a shape that was meant for `:size`.
fn of_arrays(args: &Args) -> bool {
    let has_elements = |v: &Value| match v {
        Value::Block(block) => block.ndim() > 0,
        Value::Array(_) => true,
        Value::List(_) => args.has(1) || !args.is_nil("size"),
        _ => false,
    };
    args.values[..2].iter().any(has_elements)
}

fn float(args: &Args, at: usize) -> Result<f64> {
    let value = &args.values[at];
    value.as_float().ok_or_else(|| {
        let error = err!(Type, "a parameter of a distribution is a number, found {}", value.a_type_name());
        let name = &args.function.name;
        if value.as_list().is_some() {
            error.help(format!("a shape comes as `:size`: `({name} :size [3 3])`"))
        } else {
            error
        }
    })
}

fn integers(args: Args) -> Result<Value> {
    let int = |at: usize| {
        let value = &args.values[at];
        value.as_int().ok_or_else(|| err!(Type, "a bound of integers is an integer, found {}", value.a_type_name()))
    };
    let (low, end) = if matches!(args.values[1], Value::Nil) { (0, int(0)?) } else { (int(0)?, int(1)?) };
    let high = if args.values[4].truthy() { Some(end) } else { end.checked_sub(1) };
    let Some(high) = high.filter(|&high| low <= high) else {
        return Err(err!(Value, "there are no integers from {low} up to {end}"));
    };
    // `:endpoint` stands where other distributions have the seed.
    let mut args = args;
    args.values.remove(4);
    let given = args.given;
    args.given = (given & 0b1111) | ((given >> 1) & !0b1111);
    make(args, "random/integers", 2, Distribution::Integers { low, high })
}

/// The array; `size` is the parameter of that name, and dtype, seed, chunks and part follow it.
fn make(args: Args, name: &'static str, size: usize, distribution: Distribution) -> Result<Value> {
    let shape = match &args.values[size] {
        Value::Nil => Dims::new(),
        size => infer::shape(size)?,
    };
    let natural = if matches!(distribution, Distribution::Integers { .. }) { DType::I64 } else { DType::F64 };
    let dtype = infer::dtype(&args.values[size + 1])?.unwrap_or(natural);
    let seed = match &args.values[size + 2] {
        Value::Nil => args.host.seeds().next(),
        seed => seed.as_int().ok_or_else(|| err!(Type, "`:seed` is an integer, found {}", seed.a_type_name()))?,
    };
    infer::byte_size(&shape, dtype)?;
    let origin = Dims::from_elem(0, shape.len());
    if !matches!(args.values[size + 4], Value::Nil) {
        let (from, part) = part(&args.values[size + 4], &shape)?;
        super::concrete_fits(&part, dtype)?;
        return Ok(kernel::random(&distribution, dtype, seed as u64, &shape, &from, &part)?.into());
    }
    if !args.has(size + 3) {
        super::concrete_fits(&shape, dtype)?;
        return Ok(kernel::random(&distribution, dtype, seed as u64, &shape, &origin, &shape)?.into());
    }
    let chunks = chunking::normalize(&args.values[size + 3], &shape, dtype, None)?;
    // What is wrong with the parameters is wrong at the call.
    let nothing = Dims::from_elem(0, shape.len());
    kernel::random(&distribution, dtype, seed as u64, &shape, &origin, &nothing)?;
    let (items, mut keywords): (Vec<Task>, Vec<(&str, Task)>) = match distribution {
        Distribution::Random => (vec![], vec![]),
        Distribution::Uniform { low, high } => (vec![Task::data(low), Task::data(high)], vec![]),
        Distribution::Normal { mean, deviation } => (vec![Task::data(mean), Task::data(deviation)], vec![]),
        Distribution::Integers { low, high } => {
            (vec![Task::data(low), Task::data(high)], vec![("endpoint", Task::data(true))])
        }
    };
    let mut token = Token::new(name).with((seed, dtype)).chunks(&chunks);
    for item in &items {
        token = token.task(item);
    }
    let items = items.into_iter().chain([Task::data(ints(&shape))]).collect();
    if dtype != natural {
        keywords.push(("dtype", Task::data(dtype_value(dtype))));
    }
    keywords.push(("seed", Task::data(seed)));
    let (items, span): (Vec<Task>, _) = (items, args.span);
    let array = parts::source(&chunks, span, move |bounds, chunks| {
        let part = Task::index(move |index| {
            let axis = |axis: usize| {
                let start = bounds.start(axis, index[axis]);
                ints(&[start, start + bounds.len(axis, index[axis])])
            };
            Value::list((0..index.len()).map(axis).collect())
        });
        let keywords = keywords.iter().cloned().chain([("part", part)]).collect();
        let token = token.clone();
        let plan = Plan { token, parents: Vec::new(), dtype, chunks, cost: Cost::Cheap, span };
        plan.source(call(name, items.clone(), keywords))
    });
    Ok(Value::Array(array.into()))
}

/// Where `:part [[i j] …]` begins, and its shape.
pub(super) fn part(value: &Value, whole: &[usize]) -> Result<(Dims, Dims)> {
    let wrong = || err!(Index, "`:part` is a list of begin and end for each axis of the shape {}", show(whole));
    let axes = value.as_list().filter(|axes| axes.len() == whole.len()).ok_or_else(wrong)?;
    let (mut from, mut shape) = (Dims::new(), Dims::new());
    for (ends, &n) in axes.iter().zip(whole) {
        let ends = ends.as_list().unwrap_or_default();
        let at = |i: usize| ends.get(i).and_then(Value::as_int).and_then(|n| usize::try_from(n).ok());
        match (at(0), at(1)) {
            (Some(i), Some(j)) if i <= j && j <= n && ends.len() == 2 => {
                from.push(i);
                shape.push(j - i);
            }
            _ => return Err(wrong()),
        }
    }
    Ok((from, shape))
}
