//! Several files as one array: patterns of names, and lists of targets.

use crate::data::{Args, Array, Dims, Value};
use crate::err;
use crate::io::stored::{self as io, Stored};
use crate::io::target::Target;
use crate::io::text::matching;
use crate::op::{Given, infer};
use crate::ops::array::join;
use crate::text::{Result, shape};
use std::sync::Arc;

/// What a program names: the target itself, those that a pattern of names matches, or those of a list, each of which may be
/// either. Patterns are matched in the order of names.
///
/// # Errors
/// `dsk::value` for text that names no target, `dsk::io` for a pattern that nothing matches.
pub fn targets(args: &Args) -> Result<Vec<Target>> {
    let expected = "a string `file::/path`, or a list of them";
    let wrong = |value: &Value| args.wrong_value("target", value, expected);
    match args.value("target") {
        Value::List(items) if items.is_empty() => Err(err!(Value, "the list of targets is empty")),
        Value::List(items) => {
            let each = items.iter().map(|item| named(item.as_text().ok_or_else(|| wrong(item))?));
            Ok(each.collect::<Result<Vec<_>>>()?.concat())
        }
        value => named(value.as_text().ok_or_else(|| wrong(value))?),
    }
}

fn named(text: &str) -> Result<Vec<Target>> {
    let target = Target::parse(text)?;
    let Some(pattern) = target.path.to_str().filter(|path| path.contains(['*', '?', '['])) else {
        return Ok(vec![target]);
    };
    if target.path.exists() {
        return Ok(vec![target]);
    }
    let found = matching(pattern)?;
    match found.is_empty() {
        true => Err(err!(Io, "no file matches `{pattern}`")),
        false => Ok(found.into_iter().map(|path| Target { path, ..target.clone() }).collect()),
    }
}

/// The axis along which targets become one array; `None` where there is one target and no axis is given.
fn axis(args: &Args, targets: &[Target], ndim: usize) -> Result<Option<usize>> {
    match args.value("concat-axis") {
        Value::Nil if targets.len() == 1 => Ok(None),
        Value::Nil => {
            let told = match args.value("target").as_text() {
                Some(pattern) => err!(Value, "`{pattern}` matches {} files", targets.len()),
                None => err!(Value, "a list of {} targets is not one array", targets.len()),
            };
            Err(told.help("`:concat-axis 0` puts them one after the other along the first axis"))
        }
        axis => infer::axis(axis, ndim).map(Some),
    }
}

/// Arrays that are to be one.
pub struct Several {
    pub stored: Vec<Arc<dyn Stored>>,
    /// Along which they follow each other; `None` where there is only one and none was asked for.
    pub axis: Option<usize>,
}

/// Opens every target, and sees that they can be one array.
///
/// # Errors
/// `dsk::io` where one cannot be opened, `dsk::type` and `dsk::shape` where one differs from the first.
pub fn open(args: &Args, targets: &[Target]) -> Result<Several> {
    io::allow_open(targets.len());
    let first = io::open(&targets[0])?;
    let axis = axis(args, targets, first.shape().len())?;
    let mut stored = vec![first.clone()];
    for target in &targets[1..] {
        let next = io::open(target)?;
        let (one, other) = (first.target(), next.target());
        if next.dtype() != first.dtype() {
            let (own, its) = (first.dtype(), next.dtype());
            return Err(err!(Type, "`{other}` holds {its}, `{one}` {own}: files that are one array have one dtype")
                .help("read on their own, `astype` and `concatenate` put them together"));
        }
        let (own, its) = (first.shape(), next.shape());
        if its.len() != own.len() || (0..own.len()).any(|a| Some(a) != axis && its[a] != own[a]) {
            let along = axis.unwrap_or(0);
            return Err(err!(
                Shape,
                "`{other}` is of shape {}, `{one}` of {}: they may differ along axis {along} only",
                shape(its),
                shape(own)
            ));
        }
        stored.push(next);
    }
    Ok(Several { stored, axis })
}

/// Lazy arrays of one dtype, one after the other.
pub fn concatenated(arrays: Vec<Array>, axis: usize, args: &Args) -> Result<Array> {
    let dtype = arrays[0].dtype;
    let mut whole: Dims = arrays[0].shape();
    whole[axis] = arrays.iter().fold(0, |n, x| n.saturating_add(x.shape()[axis]));
    infer::byte_size(&whole, dtype)?;
    join::concatenate_lazy(arrays.into_iter().map(|x| Given::Lazy(x.into())).collect(), axis, dtype, args.span)
}
