//! What is known of a result before anything runs: axes, broadcast shapes, dtypes and sizes. Errors are of NumPy's kinds.

use crate::data::{Block, DType, Dims, Value};
use crate::err;
use crate::text::{Code, Error, Result};

/// An axis given as an integer, negative from the end, of an array with `ndim` axes.
pub fn axis(value: &Value, ndim: usize) -> Result<usize> {
    let n = value.as_int().ok_or_else(|| err!(Type, "an axis is an integer, found {}", value.a_type_name()))?;
    axis_number(n, ndim)
}

pub fn axis_number(n: i64, ndim: usize) -> Result<usize> {
    let at = if n < 0 { n.checked_add(ndim as i64) } else { Some(n) };
    match at.and_then(|n| usize::try_from(n).ok()).filter(|&n| n < ndim) {
        Some(at) => Ok(at),
        None => Err(err!(Axis, "there is no axis {n}: the array has {}", count(ndim))),
    }
}

fn count(ndim: usize) -> String {
    match ndim {
        0 => "no axes".into(),
        1 => "1 axis, 0".into(),
        n => format!("{n} axes, 0 to {}", n - 1),
    }
}

/// Axes given as an integer or a list of them; `None` for nil. Sorted as given; an axis twice is an error.
pub fn axes(value: &Value, ndim: usize) -> Result<Option<Dims>> {
    let axes: Dims = match value {
        Value::Nil => return Ok(None),
        Value::List(items) => items.iter().map(|v| axis(v, ndim)).collect::<Result<_>>()?,
        one => Dims::from_elem(axis(one, ndim)?, 1),
    };
    match (1..axes.len()).find(|&i| axes[..i].contains(&axes[i])) {
        Some(i) => Err(err!(Axis, "axis {} is given twice", axes[i])),
        None => Ok(Some(axes)),
    }
}

/// A shape given as a list of sizes or one size. Sizes are 0 or more.
pub fn shape(value: &Value) -> Result<Dims> {
    let size = |v: &Value| {
        let n = size(v)?;
        usize::try_from(n).map_err(|_| err!(Value, "a shape has sizes of 0 or more, found {n}"))
    };
    match value {
        Value::List(items) => items.iter().map(size).collect(),
        Value::Block(b) if b.ndim() == 1 && b.dtype().is_integer() => {
            (0..b.len()).map(|i| size(&Value::from(b.take_axis(0, i)))).collect()
        }
        one => Ok(Dims::from_elem(size(one)?, 1)),
    }
}

/// A size in a shape, which `shape` may have told.
pub fn size(value: &Value) -> Result<i64> {
    let unknown = |value: &Value| match value {
        Value::Code(task) => task.as_symbol().filter(|name| name.starts_with("?n")).map(|name| {
            err!(Shape, "the size {name} is not known before it is computed")
                .help("`(compute-chunk-sizes x)` computes the sizes of the blocks of an array")
        }),
        _ => None,
    };
    value.as_int().ok_or_else(|| {
        unknown(value).unwrap_or_else(|| err!(Type, "a shape is made of integers, found {}", value.a_type_name()))
    })
}

/// The dtype a keyword, string or op result names; `None` for nil.
pub fn dtype(value: &Value) -> Result<Option<DType>> {
    match value {
        Value::Nil => Ok(None),
        Value::Keyword(name) | Value::Str(name) => match DType::parse(name) {
            Some(dtype) => Ok(Some(dtype)),
            None => {
                let known: Vec<String> = DType::ALL.iter().map(|d| format!("`:{}`", d.name())).collect();
                let error = err!(Type, "there is no dtype `:{name}`");
                // A short name is near to everything.
                let near = crate::text::suggest::nearest(name, DType::ALL.iter().map(|d| d.name()));
                let error = match near.filter(|_| name.len() > 3) {
                    Some(near) => error.help(format!("did you mean `:{near}`?")),
                    None => error,
                };
                Err(error.help(format!("dtypes are {}", known.join(" "))))
            }
        },
        other => {
            let error = err!(Type, "a dtype is a keyword such as `:float64`, found {}", other.a_type_name());
            let is_number = other.as_int().is_some();
            Err(if is_number { error.help("a shape of several axes is a list, as `[3 3]`") } else { error })
        }
    }
}

/// The shape that several shapes broadcast to.
pub fn broadcast(shapes: &[&[usize]]) -> Result<Dims> {
    crate::kernel::layout::broadcast_shapes(shapes)
}

/// Bytes of an array, or an error where they do not fit the address space.
pub fn byte_size(shape: &[usize], dtype: DType) -> Result<usize> {
    Block::byte_size(dtype, shape)
}

/// Says in an error which op it was, where the message does not say so, or names another function of its namespace that it works for.
pub fn of(op: &str) -> impl Fn(Error) -> Error + '_ {
    let known = op.find('/').filter(|&at| at > 0).map_or(op, |at| &op[..=at]);
    move |error| {
        if matches!(error.code(), Code::Interrupted) || error.message().starts_with(known) {
            return error;
        }
        let mut said = Error::new(error.code(), format!("{op}: {}", error.message()));
        for label in error.labels() {
            said = said.label(label.span, label.text.clone());
        }
        error.help_lines().iter().fold(said, |e, h| e.help(h.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_as_numpy() {
        let shape = |a: &[usize], b: &[usize]| broadcast(&[a, b]).map(|s| s.to_vec()).map_err(|e| e.code());
        assert_eq!(shape(&[3, 1], &[4]), Ok(vec![3, 4]));
        assert_eq!(shape(&[0], &[1]), Ok(vec![0]));
        assert_eq!(shape(&[], &[2, 2]), Ok(vec![2, 2]));
        assert_eq!(shape(&[0], &[2]), Err(Code::Shape));
        assert_eq!(shape(&[2, 3], &[3, 2]), Err(Code::Shape));
    }

    #[test]
    fn axes_count_from_either_end() {
        assert_eq!(axis_number(-1, 2).ok(), Some(1));
        assert_eq!(axis_number(2, 2).map_err(|e| e.code()), Err(Code::Axis));
        assert_eq!(axis_number(i64::MIN, 2).map_err(|e| e.code()), Err(Code::Axis));
        assert_eq!(axes(&vec![0i64, -2].into(), 2).map_err(|e| e.code()), Err(Code::Axis));
        assert_eq!(byte_size(&[0, usize::MAX, 9], DType::F64).map_err(|e| e.code()), Err(Code::Value));
    }
}
