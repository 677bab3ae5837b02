//! Reductions of the elements where a mask holds (`:where`), and reductions that begin with a number (`:initial`): made of other
//! ops, so that lazy arrays need nothing of their own.

use super::choose::{cast, chosen_of};
use super::elementwise::{apply_binary, apply_unary};
use super::reduce::{self, Options};
use crate::data::{Args, DType, Value};
use crate::err;
use crate::kernel::elementwise::{Binary, Unary};
use crate::kernel::{Reduce, create};
use crate::op::chunking::show;
use crate::op::{Given, infer};
use crate::text::{Result, Span};

/// What `:where` and `:initial` say.
pub(super) struct Asked {
    mask: Value,
    initial: Value,
}

impl Asked {
    /// What was asked for, if anything; some reductions have no `:initial`.
    pub fn of(args: &mut Args) -> Option<Asked> {
        let has_initial = args.function.signature.named("initial").is_some();
        let initial = if has_initial { args.take("initial") } else { Value::Nil };
        let mask = args.take("where");
        (!matches!((&mask, &initial), (Value::Nil, Value::Nil))).then_some(Asked { mask, initial })
    }

    /// The reduction of x.
    pub fn reduced(self, op: Reduce, x: Given, options: Options) -> Result<Value> {
        let (span, from) = (options.span, x.dtype());
        let dtype = match op {
            Reduce::Sum | Reduce::Prod => options.dtype.unwrap_or_else(|| op.dtype(from)),
            _ => op.dtype(from),
        };
        let initial = match self.initial {
            Value::Nil => None,
            number => Some(start(&number, dtype)?),
        };
        let neutral = match op {
            Reduce::Sum | Reduce::Any => Value::Bool(false),
            Reduce::Prod | Reduce::All => Value::Bool(true),
            Reduce::Min | Reduce::Max => initial.clone().unwrap_or_default(),
        };
        let axes = options.axes(x.ndim())?;
        let x = match self.mask {
            Value::Nil => x,
            _ if matches!(neutral, Value::Nil) => {
                return Err(err!(Value, "there may be no {} where a mask holds nowhere", op.name())
                    .help("`:initial` is what there is then"));
            }
            mask => Given::any(where_mask(&mask, x, neutral, span)?)?,
        };
        let shape = x.shape();
        let found = match &initial {
            Some(initial) if matches!(op, Reduce::Min | Reduce::Max) && axes.iter().any(|&a| shape[a] == 0) => {
                let kept = (0..shape.len()).filter(|a| options.keepdims || !axes.contains(a));
                let kept: Vec<usize> = kept.map(|a| if axes.contains(&a) { 1 } else { shape[a] }).collect();
                let all = Given::Now(create::fill(dtype, &kept, &initial.clone().plain())?);
                return Ok(match x {
                    Given::Now(_) => Value::from(all),
                    Given::Lazy(_) => Value::Array(all.into_lazy(span).into()),
                });
            }
            _ => reduce::given(op, x, &options)?,
        };
        match initial {
            Some(initial) => apply_binary(op.merge(), found, initial, span),
            None => Ok(found),
        }
    }
}

/// What a reduction begins with, in the dtype of its result.
fn start(number: &Value, dtype: DType) -> Result<Value> {
    let block = match number {
        Value::Int(_) => create::from_value(number, Some(dtype))?,
        other if other.number_kind().is_some() || matches!(other, Value::Block(_)) => {
            create::from_value(other, None)?.cast(dtype)?
        }
        other => return Err(err!(Type, "`:initial` is a number, found {}", other.a_type_name())),
    };
    match block.ndim() {
        0 => Ok(block.into()),
        _ => Err(err!(Type, "`:initial` is a number, found an array of shape {}", show(block.shape()))),
    }
}

/// x where the mask holds, which stretches to its shape, and something else elsewhere.
fn where_mask(mask: &Value, x: Given, other: Value, span: Span) -> Result<Value> {
    let (own, mask_shape) = (x.shape(), Given::any(mask.clone())?.shape());
    let sizes_differ = || infer::broadcast(&[&own, &mask_shape]).map_or(true, |both| both != own);
    if (0..own.len()).all(|axis| x.unknown(axis).is_none()) && sizes_differ() {
        return Err(err!(
            Shape,
            "a mask of shape {} does not stretch to an array of shape {}",
            show(&mask_shape),
            show(&own)
        ));
    }
    chosen_of([mask.clone(), Value::from(x), other], span)
}

/// How many elements there are, or how many the mask holds for, of that dtype.
fn counted(mask: &Value, x: &Value, dtype: DType, options: &Options) -> Result<Value> {
    let span = options.span;
    // Every element once, whatever it is.
    let each = apply_binary(Binary::LogicalOr, x.clone(), Value::Bool(true), span)?;
    let each = match mask {
        Value::Nil => each,
        mask => where_mask(mask, Given::any(each)?, Value::Bool(false), span)?,
    };
    let count = reduce::given(Reduce::Sum, Given::any(each)?, &Options { dtype: None, ..options.clone() })?;
    cast(count, dtype, span)
}

/// The mean of the elements where the mask holds.
pub(super) fn mean(mask: &Value, x: Given, dtype: DType, options: &Options) -> Result<Value> {
    let x = Value::from(x);
    let count = counted(mask, &x, dtype.to_inexact(), options)?;
    let kept = where_mask(mask, Given::any(x)?, Value::Bool(false), options.span)?;
    let sum = reduce::given(Reduce::Sum, Given::any(kept)?, &Options { dtype: Some(dtype), ..options.clone() })?;
    cast(apply_binary(Binary::Divide, sum, count, options.span)?, dtype, options.span)
}

/// The variance of the elements where the mask holds, or of all for nil, about a mean that is given or is theirs. In two passes, as
/// NumPy has it.
pub(super) fn variance(mask: &Value, about: Value, x: Given, ddof: f64, options: &Options) -> Result<Value> {
    let span = options.span;
    let dtype = options.dtype.unwrap_or(x.dtype()).to_inexact().real();
    let wide = if x.dtype().is_complex() { dtype.promote(x.dtype()) } else { dtype };
    let x = Value::from(x);
    let about = match about {
        Value::Nil => mean(mask, Given::any(x.clone())?, wide, &Options { keepdims: true, ..options.clone() })?,
        about => about,
    };
    let left = apply_binary(Binary::Subtract, counted(mask, &x, dtype, options)?, Value::Float(ddof), span)?;
    let left = apply_binary(Binary::Maximum, left, Value::Float(0.0), span)?;
    let apart = apply_binary(Binary::Subtract, cast(x, wide, span)?, about, span)?;
    let squares = apply_unary(Unary::Square, apply_unary(Unary::Absolute, apart, span)?, span)?;
    let squares = match mask {
        Value::Nil => squares,
        mask => where_mask(mask, Given::any(squares)?, Value::Bool(false), span)?,
    };
    let sum = reduce::given(Reduce::Sum, Given::any(squares)?, &Options { dtype: None, ..options.clone() })?;
    cast(apply_binary(Binary::Divide, sum, left, span)?, dtype, span)
}
