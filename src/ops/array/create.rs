//! New arrays: from lists, filled, ranges, the identity. Concrete, or lazy with `:chunks`.

use crate::data::{Args, Array, Block, Chunks, Complex64, Cost, DType, Dims, Memory, Task, Value};
use crate::err;
use crate::kernel::create as kernel;
use crate::op::chunking::{self, Bounds, show};
use crate::op::layers::{self, Plan, call, dtype_value, ints};
use crate::op::operand::known;
use crate::op::recut::recut;
use crate::op::{Given, Kind, Op, Token, infer, parts};
use crate::text::{Result, Span};

macro_rules! op {
    ($usage:literal, $memory:ident, $run:expr, $see:expr, [$($example:literal => $result:literal),+], $doc:literal) => {
        Op {
            usage: $usage,
            doc: $doc,
            examples: &[$(($example, $result)),+],
            see: $see,
            cost: Cost::Free,
            kind: Kind::Array(Memory::$memory, $run),
        }
    };
}

pub static OPS: &[Op] = &[
    op!("(array data :dtype nil :shape nil :chunks nil :ndmin 0)", Fresh, array, &["to-list", "zeros"],
        ["(to-list (array [[1 2] [3 4]] :dtype :f4))" => "[[1.0 2.0] [3.0 4.0]]", "(shape (array [1 2 3 4 5 6] :shape [2 3]))" => "[2 3]"],
        "An array of nested lists of numbers, or of a flat list and `:shape`.\n\
         Without `:dtype`, the one all of the numbers promote to. With `:chunks`, a lazy array whose blocks are data in its tasks: \
         a block shape, one size for every axis, a list of sizes for each axis, `:auto` (blocks of at most 128 MiB), -1 or nil \
         for a whole axis. With fewer axes than `:ndmin`, it has more of size 1 before them. Errors: `dsk::shape` for ragged lists, `dsk::overflow` for numbers the dtype does not hold. A number from 2^63 \
         to 2^64 - 1, which only uint64 holds, is written as a string: `(array [1 \"18446744073709551615\"] :dtype :u8)`."),
    op!("(zeros shape :dtype :float64 :chunks nil)", Fresh, |args| filled(args, "zeros", Value::Int(0)), &["ones", "full", "zeros-like"],
        ["(to-list (zeros [2]))" => "[0.0 0.0]"],
        "An array of zeros.\n`:chunks` makes it lazy, as for `array`."),
    op!("(ones shape :dtype :float64 :chunks nil)", Fresh, |args| filled(args, "ones", Value::Int(1)), &["zeros", "full", "ones-like"],
        ["(to-list (ones [2] :dtype :int8))" => "[1 1]", "(sum (ones [1000] :dtype :int64 :chunks 100))" => "1000"],
        "An array of ones.\n`:chunks` makes it lazy, as for `array`."),
    op!("(empty shape :dtype :float64 :chunks nil)", Fresh, |args| filled(args, "empty", Value::Int(0)), &["zeros"],
        ["(shape (empty [2 3]))" => "[2 3]"],
        "An array whose elements nobody asks for; they are zeros.\n`:chunks` makes it lazy, as for `array`."),
    op!("(full shape fill-value :dtype nil :chunks nil)", Fresh, full, &["ones", "full-like"],
        ["(to-list (full [2] 7))" => "[7 7]"],
        "An array of one value, of its dtype unless another is named.\n`:chunks` makes it lazy, as for `array`."),
    op!("(zeros-like x :dtype nil :shape nil :chunks nil)", Fresh, |args| like(args, "zeros", Value::Int(0)), &["zeros"],
        ["(to-list (zeros-like [1 2]))" => "[0 0]"],
        "Zeros of the shape, dtype and chunks of x, where no others are named."),
    op!("(ones-like x :dtype nil :shape nil :chunks nil)", Fresh, |args| like(args, "ones", Value::Int(1)), &["ones"],
        ["(to-list (ones-like [1 2]))" => "[1 1]"],
        "Ones of the shape, dtype and chunks of x, where no others are named."),
    op!("(empty-like x :dtype nil :shape nil :chunks nil)", Fresh, |args| like(args, "empty", Value::Int(0)), &["empty"],
        ["(shape (empty-like [1 2]))" => "[2]"],
        "As `empty`, of the shape, dtype and chunks of x, where no others are named."),
    op!("(full-like x fill-value :dtype nil :shape nil :chunks nil)", Fresh, full_like, &["full"],
        ["(to-list (full-like [1 2] 7))" => "[7 7]"],
        "One value in the shape, dtype and chunks of x, where no others are named."),
    op!("(arange start stop? step? :dtype nil :chunks nil :part nil)", Converted, arange, &["linspace"],
        ["(to-list (arange 5))" => "[0 1 2 3 4]", "(to-list (arange 5 -5 -2))" => "[5 3 1 -1 -3]"],
        "Numbers from start (0) up to but not including stop, step (1) apart.\n\
         Integers make int64, floats float64. `:part [i j]` makes elements i to j of it only, with the same bits. Errors: \
         `dsk::value` for a step of 0."),
    op!("(linspace start stop :num 50 :endpoint true :dtype nil :chunks nil :part nil :retstep false)", Converted, linspace, &["arange"],
        ["(to-list (linspace 0 1 5))" => "[0.0 0.25 0.5 0.75 1.0]"],
        "`:num` numbers evenly spaced from start to stop.\n`:endpoint false` leaves stop out. With `:retstep true` a list of them and the step. `:part [i j]` makes elements i \
         to j of it only, with the same bits."),
    op!("(eye n :m nil :k 0 :dtype :float64 :chunks nil)", Fresh, eye, &["zeros"],
        ["(to-list (eye 2 :dtype :int64))" => "[[1 0] [0 1]]"],
        "The identity: n rows, `:m` columns (as many), ones on the `:k`-th diagonal, zeros elsewhere."),
];

/// The chunks asked for; `None` for a concrete array.
fn cut(args: &Args, at: usize, shape: &[usize], dtype: DType) -> Result<Option<Chunks>> {
    infer::byte_size(shape, dtype)?;
    if !args.has(at) || matches!(args.values[at], Value::Nil) && shape.is_empty() {
        super::concrete_fits(shape, dtype)?;
        return Ok(None);
    }
    chunking::normalize(&args.values[at], shape, dtype, None).map(Some)
}

fn array(mut args: Args) -> Result<Value> {
    let data = std::mem::take(&mut args.values[0]);
    let dtype = infer::dtype(&args.values[1])?;
    if let Value::Array(lazy) = &data {
        let lazy = match dtype {
            Some(dtype) => super::choose::cast_lazy(lazy, dtype, args.span),
            None => (**lazy).clone(),
        };
        let lazy = match most_axes(&args, &lazy.shape())? {
            Some(shape) => {
                known(&lazy)?;
                super::reshape::reshape_lazy(&lazy, &shape, args.span)?
            }
            None => lazy,
        };
        let chunks = match args.has(3) {
            true => chunking::normalize(&args.values[3], &lazy.shape(), lazy.dtype, Some(&lazy.chunks))?,
            false => lazy.chunks.clone(),
        };
        return Ok(Value::Array(recut(&lazy, chunks, args.span).into()));
    }
    let mut block = kernel::from_value(&data, dtype)?;
    if !matches!(args.values[2], Value::Nil) {
        let shape = infer::shape(&args.values[2])?;
        if infer::byte_size(&shape, DType::Bool)? != block.len() {
            return Err(err!(Shape, "{} numbers do not fill the shape {}", block.len(), show(&shape)));
        }
        block = block.reshape(&shape);
    }
    if let Some(shape) = most_axes(&args, block.shape())? {
        block = block.reshape(&shape);
    }
    Ok(match cut(&args, 3, block.shape(), block.dtype())? {
        None => block.into(),
        Some(chunks) => Value::Array(layers::constant(&block, chunks, args.span).into()),
    })
}

/// The shape with as many axes as `:ndmin` says, if there are fewer.
fn most_axes(args: &Args, shape: &[usize]) -> Result<Option<Dims>> {
    let ndim = args.size("ndmin")?;
    if ndim > MOST_AXES {
        return Err(err!(Value, "`:ndmin` is at most {MOST_AXES}, found {ndim}"));
    }
    let more = ndim.saturating_sub(shape.len());
    Ok((more > 0).then(|| std::iter::repeat_n(1, more).chain(shape.iter().copied()).collect()))
}

/// As many axes as NumPy's arrays have.
const MOST_AXES: usize = 64;

/// What `ones`, `zeros`, `full` and the like of a known shape make.
struct Filled {
    name: &'static str,
    /// Said in tasks where the name does not say it.
    value: Value,
    dtype: DType,
    /// The dtype that the op makes of itself.
    default: DType,
}

impl Filled {
    fn lazy(self, chunks: Chunks, span: Span) -> Array {
        let named = (self.name == "full").then(|| Task::data(self.value.clone()));
        let keywords = match self.dtype == self.default {
            true => Vec::new(),
            false => vec![("dtype", Task::data(dtype_value(self.dtype)))],
        };
        let token = Token::new(self.name).value(&self.value).with(self.dtype).chunks(&chunks);
        parts::source(&chunks, span, move |bounds, chunks| {
            let shape = Task::index(move |index| ints(&bounds.block_shape(index)));
            let items = std::iter::once(shape).chain(named.clone()).collect();
            let token = token.clone();
            let plan = Plan { token, parents: Vec::new(), dtype: self.dtype, chunks, cost: Cost::Free, span };
            plan.source(call(self.name, items, keywords.clone()))
        })
    }

    fn now(self, shape: &[usize]) -> Result<Block> {
        match self.value {
            Value::Int(0) => Ok(Block::zeros(self.dtype, shape)),
            value => kernel::fill(self.dtype, shape, &value),
        }
    }

    fn made(self, shape: &[usize], chunks: Option<Chunks>, span: Span) -> Result<Value> {
        match chunks {
            // A number that the dtype does not hold is an error at the call.
            Some(chunks) => {
                kernel::scalar(self.dtype, &self.value)?;
                Ok(Value::Array(self.lazy(chunks, span).into()))
            }
            None => Ok(self.now(shape)?.into()),
        }
    }
}

fn filled(args: Args, name: &'static str, value: Value) -> Result<Value> {
    let shape = infer::shape(&args.values[0])?;
    let dtype = infer::dtype(&args.values[1])?.unwrap_or(DType::F64);
    let chunks = cut(&args, 2, &shape, dtype)?;
    Filled { name, value, dtype, default: DType::F64 }.made(&shape, chunks, args.span)
}

/// A number to fill with, and the dtype it has.
fn fill_value(value: &Value) -> Result<(Value, DType)> {
    let natural = match value {
        Value::Block(b) if b.ndim() == 0 => b.dtype(),
        v if v.number_kind().is_some() => kernel::from_value(v, None)?.dtype(),
        other => return Err(err!(Type, "an array is filled with a number, found {}", other.a_type_name())),
    };
    Ok((value.clone().plain(), natural))
}

fn full(args: Args) -> Result<Value> {
    let shape = infer::shape(&args.values[0])?;
    let (value, natural) = fill_value(&args.values[1])?;
    let dtype = infer::dtype(&args.values[2])?.unwrap_or(natural);
    let chunks = cut(&args, 3, &shape, dtype)?;
    let default = kernel::from_value(&value, None)?.dtype();
    Filled { name: "full", value, dtype, default }.made(&shape, chunks, args.span)
}

fn like(mut args: Args, name: &'static str, value: Value) -> Result<Value> {
    let x = Given::any(std::mem::take(&mut args.values[0]))?;
    alike(args, x, 1, Filled { name, value, dtype: DType::F64, default: DType::F64 })
}

fn full_like(mut args: Args) -> Result<Value> {
    let x = Given::any(std::mem::take(&mut args.values[0]))?;
    let (value, _) = fill_value(&args.values[1])?;
    let default = kernel::from_value(&value, None)?.dtype();
    alike(args, x, 2, Filled { name: "full", value, dtype: default, default })
}

fn alike(args: Args, x: Given, at: usize, filled: Filled) -> Result<Value> {
    let dtype = infer::dtype(&args.values[at])?.unwrap_or(x.dtype());
    if let Given::Lazy(array) = &x
        && !array.unknown.is_none()
        && matches!(args.values[at + 1], Value::Nil)
    {
        return alike_unknown(&args, array, dtype, at, filled);
    }
    let shape = match &args.values[at + 1] {
        Value::Nil => x.shape(),
        shape => infer::shape(shape)?,
    };
    let chunks = match &x {
        Given::Lazy(array) if !args.has(at + 2) && *shape == *array.shape() => Some(array.chunks.clone()),
        Given::Lazy(_) if !args.has(at + 2) => Some(chunking::normalize(&Value::keyword("auto"), &shape, dtype, None)?),
        _ => cut(&args, at + 2, &shape, dtype)?,
    };
    infer::byte_size(&shape, dtype)?;
    Filled { dtype, ..filled }.made(&shape, chunks, args.span)
}

/// As an array of unknown sizes, block by block: in other blocks it is not, as they are not known.
fn alike_unknown(args: &Args, array: &Array, dtype: DType, at: usize, filled: Filled) -> Result<Value> {
    if args.has(at + 2) {
        known(array)?;
    }
    let items = vec![Task::input(0), Task::data(filled.value)];
    let task = call("full-like", items, vec![("dtype", Task::data(dtype_value(dtype)))]);
    let token = Token::new("full-like").task(&task);
    Ok(Value::Array(layers::map_blocks(array, token, dtype, Cost::Cheap, args.span, task).into()))
}

/// The stretch that `:part [i j]` names, of so many elements.
fn part(value: &Value, count: usize) -> Result<std::ops::Range<usize>> {
    let at = |v: &Value| v.as_int().and_then(|n| usize::try_from(n).ok());
    match value {
        Value::Nil => Ok(0..count),
        Value::List(ends) if ends.len() == 2 => match (at(&ends[0]), at(&ends[1])) {
            (Some(i), Some(j)) if i <= j && j <= count => Ok(i..j),
            _ => Err(err!(Index, "`:part {value:?}` of {count} elements")),
        },
        _ => Err(err!(Type, "`:part` is a list of where the part begins and ends")),
    }
}

fn number(value: &Value, what: &str) -> Result<Value> {
    match value.clone().plain() {
        number @ (Value::Bool(_) | Value::Int(_) | Value::Float(_)) => Ok(number),
        Value::Complex(_) => Err(err!(Type, "{what} is real, found a complex number")),
        other => Err(err!(Type, "{what} is a number, found {}", other.a_type_name())),
    }
}

fn arange(args: Args) -> Result<Value> {
    let (start, stop) = match &args.values[1] {
        Value::Nil => (Value::Int(0), number(&args.values[0], "stop")?),
        stop => (number(&args.values[0], "start")?, number(stop, "stop")?),
    };
    let step = match &args.values[2] {
        Value::Nil => Value::Int(1),
        step => number(step, "step")?,
    };
    let floats = [&start, &stop, &step].into_iter().any(|v| matches!(v, Value::Float(_)));
    let natural = if floats { DType::F64 } else { DType::I64 };
    let named = infer::dtype(&args.values[3])?;
    let dtype = named.unwrap_or(natural);
    let count = kernel::arange_len(&start, &stop, &step)?;
    if dtype == DType::Bool && count > 2 {
        return Err(err!(Type, "bools are two: a range of them has no {count} elements"));
    }
    if !matches!(args.values[5], Value::Nil) {
        let part = part(&args.values[5], count)?;
        super::concrete_fits(&[part.len()], dtype)?;
        return Ok(kernel::arange(dtype, &start, &step, part.start, part.len())?.into());
    }
    let Some(chunks) = cut(&args, 4, &[count], dtype)? else {
        return Ok(kernel::arange(dtype, &start, &step, 0, count)?.into());
    };
    // Bounds of the dtype, and steps it cannot make, are errors at the call.
    kernel::arange(dtype, &start, &step, 0, count.min(2))?;
    let token = Token::new("arange").values([&start, &stop, &step]).with(dtype).chunks(&chunks);
    let keywords = match named {
        Some(dtype) => vec![("dtype", Task::data(dtype_value(dtype)))],
        None => Vec::new(),
    };
    // Integers begin anew in every block; floats would round differently there.
    let end = match (&start, &step) {
        (Value::Int(a), Value::Int(s)) => {
            i64::try_from(count).ok().and_then(|n| s.checked_mul(n)).and_then(|length| a.checked_add(length))
        }
        _ => None,
    };
    let span = args.span;
    let task = move |bounds: Bounds| match (&start, &step, end) {
        (&Value::Int(a), &Value::Int(s), Some(_)) => {
            let mut keywords = keywords.clone();
            if floats && named.is_none() {
                // The end alone was a float, and the ends of blocks are not.
                keywords.push(("dtype", Task::data(dtype_value(dtype))));
            }
            let (from, to) = (bounds.clone(), bounds);
            let mut items = vec![
                Task::index(move |index| Value::Int(a + s * from.start(0, index[0]) as i64)),
                Task::index(move |index| Value::Int(a + s * (to.start(0, index[0]) + to.len(0, index[0])) as i64)),
            ];
            if s != 1 {
                items.push(Task::data(s));
            }
            call("arange", items, keywords)
        }
        _ => {
            let mut keywords = keywords.clone();
            keywords.push(("part", part_of(bounds)));
            let items = [&start, &stop, &step].map(|v| Task::data(v.clone()));
            call("arange", items.to_vec(), keywords)
        }
    };
    let array = parts::source(&chunks, span, move |bounds, chunks| {
        let token = token.clone();
        Plan { token, parents: Vec::new(), dtype, chunks, cost: Cost::Free, span }.source(task(bounds))
    });
    Ok(Value::Array(array.into()))
}

/// `[i j]`: where the block lies in the whole.
fn part_of(bounds: Bounds) -> Task {
    Task::index(move |index| {
        let start = bounds.start(0, index[0]);
        ints(&[start, start + bounds.len(0, index[0])])
    })
}

fn linspace(args: Args) -> Result<Value> {
    let end = |at: usize, what: &str| {
        args.values[at]
            .as_complex()
            .ok_or_else(|| err!(Type, "{what} is a number, found {}", args.values[at].a_type_name()))
    };
    let (start, stop) = (end(0, "start")?, end(1, "stop")?);
    let complex = args.values[..2].iter().any(|v| matches!(v.clone().plain(), Value::Complex(_)));
    let num = args.values[2].as_int().ok_or_else(|| err!(Type, "`:num` is an integer"))?;
    let num = usize::try_from(num).map_err(|_| err!(Value, "a number of {num} elements"))?;
    let endpoint = args.values[3].truthy();
    let dtype = infer::dtype(&args.values[4])?.unwrap_or(if complex { DType::C128 } else { DType::F64 });
    let made = |first: usize, count: usize| -> Result<Value> {
        super::concrete_fits(&[count], dtype)?;
        let line = |from: f64, to: f64| kernel::linspace(DType::F64, from, to, num, endpoint, first, count);
        Ok(match complex {
            false => kernel::linspace(dtype, start.re, stop.re, num, endpoint, first, count)?,
            true => kernel::complex(&line(start.re, stop.re)?, &line(start.im, stop.im)?).cast(dtype)?,
        }
        .into())
    };
    if !matches!(args.values[6], Value::Nil) {
        let part = part(&args.values[6], num)?;
        return made(part.start, part.len());
    }
    let with_step = |line: Value| -> Value {
        if !args.values[7].truthy() {
            return line;
        }
        // Of a single number there is no step.
        let steps = if endpoint { num as f64 - 1.0 } else { num as f64 };
        let step = if steps > 0.0 { (stop - start) / steps } else { Complex64::new(f64::NAN, 0.0) };
        Value::list(vec![line, if complex { Value::complex(step.re, step.im) } else { Value::Float(step.re) }])
    };
    let Some(chunks) = cut(&args, 5, &[num], dtype)? else {
        return Ok(with_step(made(0, num)?));
    };
    let bits = [start.re, start.im, stop.re, stop.im].map(f64::to_bits);
    let token = Token::new("linspace").with((bits, complex, num, endpoint, dtype)).chunks(&chunks);
    let mut keywords = vec![("part", part_of(Bounds::of(&chunks)))];
    if !endpoint {
        keywords.push(("endpoint", Task::data(false)));
    }
    if dtype != DType::F64 {
        keywords.push(("dtype", Task::data(dtype_value(dtype))));
    }
    let number = |c: Complex64| Task::data(if complex { Value::complex(c.re, c.im) } else { Value::Float(c.re) });
    let task = call("linspace", vec![number(start), number(stop), Task::data(num)], keywords);
    let plan = Plan { token, parents: Vec::new(), dtype, chunks, cost: Cost::Free, span: args.span };
    Ok(with_step(Value::Array(plan.source(task).into())))
}

fn eye(args: Args) -> Result<Value> {
    let size = |v: &Value| -> Result<usize> {
        let n = v.as_int().ok_or_else(|| err!(Type, "a size is an integer, found {}", v.a_type_name()))?;
        usize::try_from(n).map_err(|_| err!(Value, "a size is 0 or more, found {n}"))
    };
    let rows = size(&args.values[0])?;
    let columns = if matches!(args.values[1], Value::Nil) { rows } else { size(&args.values[1])? };
    let k = args.values[2].as_int().ok_or_else(|| err!(Type, "`:k` is an integer"))?;
    let dtype = infer::dtype(&args.values[3])?.unwrap_or(DType::F64);
    let shape: Dims = [rows, columns].into_iter().collect();
    let Some(chunks) = cut(&args, 4, &shape, dtype)? else {
        return Ok(kernel::eye(dtype, [0, 0], [rows, columns], k)?.into());
    };
    let token = Token::new("eye").with((k, dtype)).chunks(&chunks);
    let bounds = Bounds::of(&chunks);
    let (b, c) = (bounds.clone(), bounds.clone());
    let items = vec![Task::index(move |index| Value::from(bounds.len(0, index[0])))];
    let mut keywords = vec![
        ("m", Task::index(move |index| Value::from(b.len(1, index[1])))),
        (
            "k",
            Task::index(move |index| {
                Value::Int(k.saturating_add(c.start(0, index[0]) as i64).saturating_sub(c.start(1, index[1]) as i64))
            }),
        ),
    ];
    if dtype != DType::F64 {
        keywords.push(("dtype", Task::data(dtype_value(dtype))));
    }
    let plan = Plan { token, parents: Vec::new(), dtype, chunks, cost: Cost::Free, span: args.span };
    Ok(Value::Array(plan.source(call("eye", items, keywords)).into()))
}
