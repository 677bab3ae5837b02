//! Elementwise ops of more than two arguments or with keywords: `where`, `clip`, `round`, `isclose`, `allclose`, `complex`, `astype`.

use super::elementwise::{apply, apply_binary, apply_with};
use crate::data::{self, Args, Block, Complex64, Cost, DType, Memory, Task, Value};
use crate::err;
use crate::kernel::Expr;
use crate::kernel::create::from_value;
use crate::kernel::elementwise::{Binary, Typed, Unary};
use crate::op::layers::{call, dtype_value, elementwise, map_blocks};
use crate::op::{Given, Kind, Op, Operand, Token, infer, number};
use crate::text::{Result, Span};

pub static OPS: &[Op] = &[
    Op {
        usage: "(where condition x? y?)",
        doc: "x where the condition holds (is not zero), y elsewhere; all three broadcast.\nOf a condition alone it is `nonzero`.",
        examples: &[("(to-list (where (> (arange 4) 1) (arange 4) 0))", "[0 0 2 3]")],
        see: &["clip", "minimum", "maximum", "nonzero"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Fresh, where_),
    },
    Op {
        usage: "(clip x :min nil :max nil :a-min nil :a-max nil)",
        doc: "Every element kept between min and max; nil does not bound. `nan` stays `nan`. `:a-min` and `:a-max` are other names.",
        examples: &[("(to-list (clip [1 5 9] 2 6))", "[2 5 6]"), ("(clip 7 nil 5)", "5")],
        see: &["where", "minimum", "maximum"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Fresh, clip),
    },
    Op {
        usage: "(round x :decimals 0)",
        doc: "Rounded to a number of decimals, halves to even; negative ones round before the point.\nOf an integer an integer.",
        examples: &[("(round 2.567 1)", "2.6"), ("(round 2.5)", "2.0")],
        see: &["rint", "floor", "ceil", "trunc"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Fresh, round),
    },
    Op {
        usage: "(isclose x y :rtol 1e-5 :atol 1e-8 :equal-nan false)",
        doc: "Whether |x - y| is at most atol + rtol * |y|, element by element.\nEqual infinities are close; `nan` is close to \
            `nan` only with `:equal-nan true`.",
        examples: &[("(isclose 1.0 1.0000001)", "true")],
        see: &["allclose"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Fresh, isclose),
    },
    Op {
        usage: "(allclose x y :rtol 1e-5 :atol 1e-8 :equal-nan false)",
        doc: "Whether all elements are close, as `isclose` has it.",
        examples: &[("(allclose [1.0 2.0] [1.0 2.0000001])", "true")],
        see: &["isclose", "all"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Unknown, allclose),
    },
    Op {
        usage: "(complex re :im 0.0)",
        doc: "The complex number of a real and an imaginary part; of arrays, element by element.",
        examples: &[("(complex 1 -2)", "1-2j"), ("(complex 3)", "3+0j")],
        see: &["float", "real", "imag"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Fresh, complex),
    },
    Op {
        usage: "(astype x dtype :casting \"unsafe\" :copy true)",
        doc: "Converted to a dtype, as NumPy converts: floats to integers lose their fraction, complex numbers their imaginary \
            part, and what is not zero is true. With `:casting` \"safe\" only where no value is lost, with \"same_kind\" where the kind is none \
            that holds less, with \"no\" where it is the dtype of x: else `dsk::type`.",
        examples: &[("(to-list (astype [1.7 -1.7] :int64))", "[1 -1]")],
        see: &["dtype"],
        cost: Cost::Cheap,
        kind: Kind::Array(Memory::Fresh, astype),
    },
];

fn take(args: &mut Args, at: usize) -> Value {
    std::mem::take(&mut args.values[at])
}

/// A result that is a number where only numbers went in.
fn plain_if(numbers: bool, value: Value) -> Value {
    if numbers { value.plain() } else { value }
}

fn is_number(v: &Value) -> bool {
    v.number_kind().is_some() || matches!(v, Value::Nil)
}

/// Elements of the second operand where the first holds, of the third elsewhere.
pub(super) fn chosen(operands: Vec<Operand>, span: Span) -> Result<Value> {
    apply("where", operands, span, |x| Expr::where_(x[0].clone(), x[1].clone(), x[2].clone()))
}

fn where_(mut args: Args) -> Result<Value> {
    if !args.is_given("y") {
        if args.is_given("x") {
            return Err(err!(Arity, "where takes a condition, and either both of what to choose from or none"));
        }
        let nonzero = args.host.op("nonzero").ok_or_else(|| err!(Internal, "the op `nonzero` is not there"))?;
        let condition = take(&mut args, 0);
        return args.host.apply(&Value::Function(nonzero), &[condition], args.span);
    }
    let values = [take(&mut args, 0), take(&mut args, 1), take(&mut args, 2)];
    chosen_of(values, args.span)
}

/// The second value where the first one holds, the third elsewhere: a number where all are numbers.
pub fn chosen_of(values: [Value; 3], span: Span) -> Result<Value> {
    let numbers = values.iter().all(is_number);
    let operands = values.into_iter().map(Operand::any).collect::<Result<_>>()?;
    Ok(plain_if(numbers, chosen(operands, span)?))
}

fn clip(mut args: Args) -> Result<Value> {
    let span = args.span;
    let mut bound = |name: &str, other: &str| if args.is_nil(name) { args.take(other) } else { args.take(name) };
    let (lo, hi) = (bound("min", "a-min"), bound("max", "a-max"));
    let x = take(&mut args, 0);
    if [&x, &lo, &hi].into_iter().all(is_number) {
        let x = if matches!(lo, Value::Nil) { x } else { apply_binary(Binary::Maximum, x, lo, span)? };
        return if matches!(hi, Value::Nil) { Ok(x) } else { apply_binary(Binary::Minimum, x, hi, span) };
    }
    let x = Operand::any(x)?;
    // A number beyond what the dtype holds bounds nothing, as in NumPy; on the other side, nothing is within the bounds.
    let range = x.dtype().range().filter(|_| !matches!(x, Operand::Number(_)));
    let idle = |bound: &Value, is_idle: &dyn Fn(i64, (i64, u64)) -> bool| match (bound, range) {
        (&Value::Int(n), Some(range)) => is_idle(n, range),
        _ => false,
    };
    let lo = if idle(&lo, &|n, (least, _)| n <= least) { Value::Nil } else { lo };
    let hi = if idle(&hi, &|n, (_, most)| u64::try_from(n).is_ok_and(|n| n >= most)) { Value::Nil } else { hi };
    let bounded = |v: &Value| !matches!(v, Value::Nil);
    if bounded(&lo) && bounded(&hi) {
        let operands = vec![x, Operand::any(lo)?, Operand::any(hi)?];
        return apply("clip", operands, span, |x| Expr::clip(x[0].clone(), Some(x[1].clone()), Some(x[2].clone())));
    }
    if bounded(&lo) {
        return apply_binary(Binary::Maximum, x.value(), lo, span);
    }
    if bounded(&hi) { apply_binary(Binary::Minimum, x.value(), hi, span) } else { Ok(x.value()) }
}

fn round(mut args: Args) -> Result<Value> {
    let x = take(&mut args, 0);
    let decimals = args.values[1].as_int().ok_or_else(|| err!(Type, "`:decimals` is an integer"))?;
    let numbers = is_number(&x);
    if let Some(rounded) = number::round(&x, decimals) {
        return rounded;
    }
    // Beyond these, powers of ten are no floats.
    let decimals = decimals.clamp(-300, 300) as i32;
    let operand = match Given::any(x)? {
        Given::Now(b) => Operand::Block(b.into()),
        Given::Lazy(a) => Operand::Array(a),
    };
    let dtype = operand.dtype();
    if dtype == DType::Bool && decimals != 0 && !numbers {
        return Err(
            err!(Type, "bools have no decimals to round to").help("`(astype x :float64)` makes numbers of them")
        );
    }
    let keywords = if decimals == 0 { Vec::new() } else { vec![("decimals", Value::Int(decimals.into()))] };
    let result =
        apply_with("round", vec![operand], keywords, args.span, |x| Expr::round(x[0].clone(), dtype, decimals))?;
    Ok(plain_if(numbers, result))
}

fn close(args: &mut Args) -> Result<(Value, Span)> {
    let (x, y, span) = (take(args, 0), take(args, 1), args.span);
    let tolerance =
        |v: &Value| v.as_float().ok_or_else(|| err!(Type, "a tolerance is a number, found {}", v.a_type_name()));
    let (rtol, atol) = (tolerance(&args.values[2])?, tolerance(&args.values[3])?);
    let equal_nan = args.values[4].truthy();
    let numbers = is_number(&x) && is_number(&y);
    let operands = [Given::any(x)?, Given::any(y)?].map(|x| match x {
        Given::Now(b) => Operand::Block(b.into()),
        Given::Lazy(a) => Operand::Array(a),
    });
    let defaults = (1e-5, 1e-8, false);
    let mut keywords = Vec::new();
    if (rtol, atol, equal_nan) != defaults {
        keywords =
            vec![("rtol", Value::Float(rtol)), ("atol", Value::Float(atol)), ("equal-nan", Value::Bool(equal_nan))];
    }
    let result = apply_with("isclose", operands.to_vec(), keywords, span, |x| {
        let (x, y) = (&x[0], &x[1]);
        let op = |op, a: Expr, b: Expr| Expr::binary(op, a, b);
        let number = |x: f64| Expr::Number(Value::Float(x));
        // In floats also for integers, whose difference might wrap.
        let gap =
            Expr::unary(Unary::Absolute, op(Binary::Subtract, op(Binary::Multiply, x.clone(), number(1.0)), y.clone()));
        let size = Expr::unary(Unary::Absolute, op(Binary::Multiply, y.clone(), number(1.0)));
        let allowed = op(Binary::Add, number(atol), op(Binary::Multiply, number(rtol), size));
        let near = op(Binary::LogicalAnd, op(Binary::LessEqual, gap, allowed), Expr::unary(Unary::Isfinite, y.clone()));
        let close = op(Binary::LogicalOr, near, op(Binary::Equal, x.clone(), y.clone()));
        if !equal_nan {
            return close;
        }
        let nan = |x: &Expr| Expr::unary(Unary::Isnan, x.clone());
        op(Binary::LogicalOr, close, op(Binary::LogicalAnd, nan(x), nan(y)))
    })?;
    Ok((plain_if(numbers, result), span))
}

fn isclose(mut args: Args) -> Result<Value> {
    Ok(close(&mut args)?.0)
}

fn allclose(mut args: Args) -> Result<Value> {
    let (close, span) = close(&mut args)?;
    match Given::any(close)? {
        Given::Now(block) => {
            let axes: Vec<usize> = (0..block.ndim()).collect();
            let all = crate::kernel::reduce::reduce(crate::kernel::Reduce::All, &block, &axes, None)?;
            Ok(Value::from(all.reshape(&[])).plain())
        }
        Given::Lazy(array) => super::reduce::all(&array, span),
    }
}

fn complex(mut args: Args) -> Result<Value> {
    of_parts(take(&mut args, 0), take(&mut args, 1), args.span)
}

/// The complex numbers of these parts.
pub fn of_parts(re: Value, im: Value, span: Span) -> Result<Value> {
    if let (Some(re), Some(im)) = (re.as_float(), im.as_float())
        && is_number(&re.into())
    {
        return Ok(Value::complex(re, im));
    }
    let operands = [Operand::any(re)?, Operand::any(im)?];
    if let Some(complex) = operands.iter().find(|x| x.dtype().is_complex()) {
        return Err(err!(Type, "the parts of a complex number are real, found {}", complex.dtype()));
    }
    let (a, b) = Typed::resolve(operands[0].typed(), operands[1].typed());
    let dtype = if a.to_inexact().promote(b.to_inexact()) == DType::F32 { DType::C64 } else { DType::C128 };
    if operands.iter().any(Operand::is_lazy) {
        let array = elementwise(Token::new("complex"), &operands, dtype, Cost::Cheap, span, |parts| {
            call("complex", parts, Vec::new())
        })?;
        return Ok(Value::Array(array.into()));
    }
    let shape = infer::broadcast(&[&operands[0].shape(), &operands[1].shape()])?;
    let part = |x: &Operand| -> Result<Block> {
        let block = from_value(&x.value(), None)?.cast(DType::F64)?;
        block.broadcast_to(&shape).ok_or_else(|| err!(Internal, "parts of shape {shape:?}"))
    };
    let (re, im) = (part(&operands[0])?, part(&operands[1])?);
    // Side by side rather than `re + im * 1j`, which would lose infinities and the signs of zeros.
    let elements: Vec<Complex64> =
        re.view::<f64>().iter().zip(im.view::<f64>()).map(|(&re, &im)| Complex64::new(re, im)).collect();
    Ok(Block::from_slice(&shape, &elements).cast(dtype)?.into())
}

fn astype(mut args: Args) -> Result<Value> {
    let x = take(&mut args, 0);
    let dtype = infer::dtype(&args.values[1])?
        .ok_or_else(|| err!(Type, "a dtype is a keyword such as `:float64`, found a nil"))?;
    let x = Given::any(x)?;
    may_cast(x.dtype(), dtype, &args)?;
    Ok(match x {
        Given::Now(block) => block.cast(dtype)?.into(),
        Given::Lazy(array) if array.dtype == dtype => Value::Array(array),
        Given::Lazy(array) => Value::Array(cast_lazy(&array, dtype, args.span).into()),
    })
}

/// Whether the rule that `:casting` names allows it.
fn may_cast(from: DType, to: DType, args: &Args) -> Result<()> {
    let rule = args.name("casting")?;
    let kind = |d: DType| {
        let kinds = [data::Kind::Complex, data::Kind::Float, data::Kind::Int, data::Kind::UInt];
        kinds.iter().position(|&kind| kind == d.kind())
    };
    let safe = from.promote(to) == to;
    let may = match rule.replace('-', "_").as_str() {
        "unsafe" => true,
        "same_kind" => safe || kind(from).is_none_or(|from| kind(to).is_some_and(|to| to <= from)),
        "safe" => safe,
        "no" | "equiv" => from == to,
        _ => {
            let rules = "\"no\", \"equiv\", \"safe\", \"same_kind\" or \"unsafe\"";
            return Err(err!(Value, "`:casting` is {rules}, found {rule:?}"));
        }
    };
    if may { Ok(()) } else { Err(err!(Type, "{from} does not become {to} by the rule {rule:?}")) }
}

/// A value in another dtype.
pub(super) fn cast(x: Value, dtype: DType, span: Span) -> Result<Value> {
    Ok(match Given::any(x)? {
        Given::Now(block) => block.cast(dtype)?.into(),
        Given::Lazy(array) if array.dtype == dtype => Value::Array(array),
        Given::Lazy(array) => Value::Array(cast_lazy(&array, dtype, span).into()),
    })
}

pub fn cast_lazy(array: &crate::data::Array, dtype: DType, span: Span) -> crate::data::Array {
    let task = call("astype", vec![Task::input(0), Task::data(dtype_value(dtype))], Vec::new());
    map_blocks(array, Token::new("astype"), dtype, Cost::Cheap, span, task)
}
