//! Means and variances: of concrete arrays by the kernel, of lazy arrays as trees of sums and of moments.

use super::choose::{cast, cast_lazy};
use super::elementwise::{apply_binary, apply_unary};
use super::masked;
use super::reduce::{Options, elements, one_block, reduce_all, whole};
use crate::data::{Args, Array, DType, Task, Value};
use crate::err;
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::{Reduce, elementwise, reduce as kernel};
use crate::op::layers::{call, dtype_value, ints};
use crate::op::tree::Reduction;
use crate::op::{Given, Token};
use crate::text::Result;
use std::sync::Arc;

/// The mean: the sum over how many there are.
pub(super) fn mean(mut args: Args) -> Result<Value> {
    let options = Options::of(&args, 1, 2, Some(3), 4)?;
    let numbers = elements(&args, 1).is_some_and(|items| items.iter().all(|v| v.number_kind().is_some()));
    let x = Given::any(std::mem::take(&mut args.values[0]))?;
    let shape = x.shape();
    let axes = options.axes(shape.len())?;
    let dtype = options.dtype.unwrap_or_else(|| x.dtype().to_inexact());
    if !args.is_nil("where") {
        let mean = masked::mean(args.value("where"), x, dtype, &options)?;
        return Ok(if numbers { mean.plain() } else { mean });
    }
    if let Given::Lazy(array) = &x
        && unknown_among(array, &axes)
    {
        return mean_of_unknown(array, &axes, dtype, &options);
    }
    // Summed in that dtype, as in NumPy: an integer one, which only who asks for it gets, may overflow.
    let summed = dtype;
    let count: usize = axes.iter().map(|&a| shape[a]).product();
    let count = Value::Int(count as i64);
    let array = match x {
        Given::Now(block) => {
            let total = kernel::reduce(Reduce::Sum, &block, &axes, Some(summed))?;
            let mean = elementwise::binary(Binary::Divide, total, elementwise::Operand::Number(count))?.cast(dtype)?;
            let mean = Value::from(options.shaped(mean, &axes));
            return Ok(if numbers { mean.plain() } else { mean });
        }
        Given::Lazy(array) => array,
    };
    let mut keywords = options.keywords(&axes, true);
    if Reduce::Sum.dtype(array.dtype) != summed {
        keywords.push(("dtype", Task::data(dtype_value(summed))));
    }
    let token = Token::new("mean").with(dtype);
    if one_block(&array, &axes) {
        let mut keywords = options.keywords(&axes, options.keepdims);
        if let Some(dtype) = options.dtype {
            keywords.push(("dtype", Task::data(dtype_value(dtype))));
        }
        let task = call("mean", vec![Task::input(0)], keywords);
        return Ok(Value::Array(whole(&array, "mean", &axes, &options, token, dtype, task).into()));
    }
    let mean = Reduction {
        name: "mean",
        token,
        part: Token::new(Reduce::Sum.name()).with(summed),
        axes: &axes,
        keepdims: options.keepdims,
        split: options.split,
        lead: None,
        partial: summed,
        dtype,
        span: options.span,
        chunk: &|x| call("sum", vec![x], keywords.clone()),
        merge: Arc::new(|parts| call(Binary::Add.name(), parts, Vec::new())),
        finish: Arc::new(move |x| {
            let mean = call(Binary::Divide.name(), vec![x, Task::data(count.clone())], Vec::new());
            if dtype == dtype.to_inexact() {
                mean
            } else {
                call("astype", vec![mean, Task::data(dtype_value(dtype))], Vec::new())
            }
        }),
    };
    Ok(Value::Array(mean.of(&array).into()))
}

/// Whether the number of elements along one of the axes is unknown.
fn unknown_among(array: &Array, axes: &[usize]) -> bool {
    axes.iter().any(|&axis| array.unknown.axis(axis).is_some())
}

/// The sum over the number of elements, which is counted, too.
fn mean_of_unknown(array: &Array, axes: &[usize], dtype: DType, options: &Options) -> Result<Value> {
    let span = options.span;
    let sum = reduce_all(Reduce::Sum, array, axes, &Options { dtype: Some(dtype), ..options.clone() });
    let value = Value::Array(array.clone().into());
    // Every element once, whatever it is.
    let each = apply_binary(Binary::LogicalOr, apply_unary(Unary::Isnan, value, span)?, Value::Bool(true), span)?;
    let Value::Array(each) = each else { return Err(err!(Internal, "an array of bools is lazy")) };
    let count = reduce_all(Reduce::Sum, &each, axes, &Options { dtype: None, ..options.clone() });
    let mean = apply_binary(Binary::Divide, Value::Array(sum.into()), Value::Array(count.into()), span)?;
    let Value::Array(mean) = mean else { return Ok(mean) };
    Ok(Value::Array(if mean.dtype == dtype { mean } else { cast_lazy(&mean, dtype, span).into() }))
}

/// The variance, or its root.
pub(super) fn spread(mut args: Args, root: bool) -> Result<Value> {
    let mut options = Options::of(&args, 1, 3, Some(4), 5)?;
    // Variances are real: those of a complex dtype are put into it at the end.
    let complex = options.dtype.filter(|dtype| dtype.is_complex());
    options.dtype = options.dtype.map(DType::real);
    let span = options.span;
    let spread = spread_real(&mut args, root, options)?;
    match complex {
        Some(dtype) => cast(spread, dtype, span),
        None => Ok(spread),
    }
}

fn spread_real(args: &mut Args, root: bool, options: Options) -> Result<Value> {
    let ddof = if args.is_nil("correction") { &args.values[2] } else { args.value("correction") };
    let ddof = ddof.as_float().ok_or_else(|| err!(Type, "`:ddof` is a number"))?;
    let numbers = elements(args, 1).is_some_and(|items| items.iter().all(|v| v.number_kind().is_some()));
    let x = Given::any(std::mem::take(&mut args.values[0]))?;
    if !args.is_nil("where") || !args.is_nil("mean") {
        let var = masked::variance(&args.take("where"), args.take("mean"), x, ddof, &options)?;
        let spread = if root { apply_unary(Unary::Sqrt, var, options.span)? } else { var };
        return Ok(if numbers { spread.plain() } else { spread });
    }
    let axes = options.axes(x.ndim())?;
    let dtype = options.dtype.unwrap_or_else(|| x.dtype().to_inexact()).real();
    let name = if root { "std" } else { "var" };
    let array = match x {
        Given::Now(block) => {
            let var = kernel::var(&kernel::moments(&block, &axes)?, ddof, dtype)?;
            let spread = if root { elementwise::unary(Unary::Sqrt, var)? } else { var };
            let spread = Value::from(options.shaped(spread, &axes));
            return Ok(if numbers { spread.plain() } else { spread });
        }
        Given::Lazy(array) => array,
    };
    let token = Token::new(name).with((dtype, ddof.to_bits()));
    let ddof = Value::Float(ddof);
    if one_block(&array, &axes) {
        let mut keywords = options.keywords(&axes, options.keepdims);
        keywords.push(("ddof", Task::data(ddof)));
        if options.dtype.is_some() {
            keywords.push(("dtype", Task::data(dtype_value(dtype))));
        }
        let task = call(name, vec![Task::input(0)], keywords);
        return Ok(Value::Array(whole(&array, name, &axes, &options, token, dtype, task).into()));
    }
    let partial = if array.dtype.is_complex() { DType::C128 } else { DType::F64 };
    let axis = ints(&axes);
    let spread = Reduction {
        name,
        token,
        part: Token::new("moments").with(partial),
        axes: &axes,
        keepdims: options.keepdims,
        split: options.split,
        lead: Some(3),
        partial,
        dtype,
        span: options.span,
        chunk: &|x| call("moments", vec![x], vec![("axis", Task::data(axis.clone()))]),
        merge: Arc::new(|parts| call("merge-moments", parts, Vec::new())),
        finish: Arc::new(move |x| {
            let keywords = vec![("ddof", Task::data(ddof.clone())), ("dtype", Task::data(dtype_value(dtype)))];
            let var = call("var-of-moments", vec![x], keywords);
            if root { call(Unary::Sqrt.name(), vec![var], Vec::new()) } else { var }
        }),
    };
    Ok(Value::Array(spread.of(&array).into()))
}
