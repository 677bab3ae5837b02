//! New blocks: filled, ranges, identity, from nested lists.

use super::elementwise::Typed;
use crate::data::block::Element;
use crate::data::task::deep;
use crate::data::{Block, Complex32, Complex64, DType, Dims, Kind, List, Value};
use crate::err;
use crate::text::Result;
use crate::with_dtype;

/// A number as a 0-d block of that dtype. An integer out of the dtype's range is `dsk::overflow`, a complex one for a real
/// dtype `dsk::type`; floats are truncated to integers as a cast does, and anything but zero is true.
pub fn scalar(dtype: DType, number: &Value) -> Result<Block> {
    match number {
        Value::Block(b) if b.ndim() == 0 => b.cast(dtype),
        Value::Bool(b) => Block::scalar(*b).cast(dtype),
        Value::Int(n) => integer(dtype, *n),
        Value::Float(x) => Block::scalar(*x).cast(dtype),
        Value::Complex(z) if dtype.is_complex() || dtype == DType::Bool => Block::scalar(**z).cast(dtype),
        Value::Complex(_) => {
            Err(err!(Type, "a complex number does not fit {dtype}").help("`real` takes the real part"))
        }
        other => Err(err!(Type, "{} is not a number", other.a_type_name())),
    }
}

/// [`scalar`] for an element of an array: where the dtype is of integers, a float that it does not hold is an error too,
/// as in NumPy; it loses its fraction otherwise.
fn element(dtype: DType, number: &Value) -> Result<Block> {
    match *number {
        Value::Str(_) if let Some(n) = wide(number) => match dtype {
            dtype if dtype.is_integer() && dtype != DType::U64 => {
                Err(err!(Overflow, "{n} is out of bounds for {dtype}"))
            }
            dtype => Block::scalar(n).cast(dtype),
        },
        Value::Float(x) if dtype.is_integer() => match x.trunc() {
            x if x.is_nan() => Err(err!(Value, "`nan` is no integer, and the array is of {dtype}")),
            whole if (-9223372036854775808.0..9223372036854775808.0).contains(&whole) => integer(dtype, whole as i64),
            whole if dtype == DType::U64 && (0.0..18446744073709551616.0).contains(&whole) => {
                Ok(Block::scalar(whole as u64))
            }
            _ => Err(err!(Overflow, "{x:?} is out of bounds for {dtype}")),
        },
        _ => scalar(dtype, number),
    }
}

fn integer(dtype: DType, n: i64) -> Result<Block> {
    let out = || err!(Overflow, "{n} is out of bounds for {dtype}");
    macro_rules! fit {
        ($($variant:ident $T:ident)*) => {
            match dtype {
                $(DType::$variant => $T::try_from(n).map(Block::scalar).map_err(|_| out()),)*
                DType::Bool => Ok(Block::scalar(n != 0)),
                DType::F32 => Ok(Block::scalar(n as f32)),
                DType::F64 => Ok(Block::scalar(n as f64)),
                DType::C64 => Ok(Block::scalar(Complex32::new(n as f32, 0.0))),
                DType::C128 => Ok(Block::scalar(Complex64::new(n as f64, 0.0))),
            }
        };
    }
    fit!(I8 i8 I16 i16 I32 i32 I64 i64 U8 u8 U16 u16 U32 u32 U64 u64)
}

/// A block of one value.
pub fn fill(dtype: DType, shape: &[usize], number: &Value) -> Result<Block> {
    let one = scalar(dtype, number)?;
    with_dtype!(dtype, T => {
        let x = one.get::<T>(&[]);
        if x == T::default() && !is_negative_zero(&one) {
            return Ok(Block::zeros(dtype, shape));
        }
        let mut block = Block::alloc(dtype, shape);
        block.as_mut_slice::<T>().fill(x);
        Ok(block)
    })
}

/// Zero in value, but not in bits.
fn is_negative_zero(scalar: &Block) -> bool {
    scalar.as_bytes().is_some_and(|bytes| bytes.iter().any(|&b| b != 0))
}

/// The dtype of `arange` of these numbers.
pub fn arange_dtype(numbers: &[&Value]) -> DType {
    numbers.iter().map(|v| value_dtype(v)).fold(DType::I64, DType::promote)
}

fn value_dtype(value: &Value) -> DType {
    match value {
        Value::Block(b) => b.dtype(),
        Value::Str(_) => DType::U64,
        other => Typed::Weak(other.number_kind().unwrap_or(Kind::Float)).dtype(),
    }
}

/// An integer beyond int64 that uint64 holds, written as a string: numbers of programs are int64.
fn wide(value: &Value) -> Option<u64> {
    let Value::Str(digits) = value else { return None };
    digits.parse().ok().filter(|&n| i64::try_from(n).is_err())
}

fn real(value: &Value) -> Result<f64> {
    value.as_float().ok_or_else(|| err!(Type, "{} is not a real number", value.a_type_name()))
}

/// Number of elements of `arange`: `ceil((stop - start) / step)`, at least 0; a step of 0 is `dsk::value`.
pub fn arange_len(start: &Value, stop: &Value, step: &Value) -> Result<usize> {
    if let (Some(start), Some(stop), Some(step)) = (start.as_int(), stop.as_int(), step.as_int()) {
        let (distance, step) = (i128::from(stop) - i128::from(start), i128::from(step));
        if step == 0 {
            return Err(err!(Value, "the step of a range is 0"));
        }
        let whole = distance / step + i128::from(distance % step != 0 && (distance < 0) == (step < 0));
        return Ok(usize::try_from(whole.max(0)).unwrap_or(usize::MAX));
    }
    let count = (real(stop)? - real(start)?) / real(step)?;
    if real(step)? == 0.0 {
        return Err(err!(Value, "the step of a range is 0"));
    }
    if !count.is_finite() || count > i64::MAX as f64 {
        return Err(err!(Value, "a range of {count} elements cannot be made"));
    }
    Ok(count.ceil().max(0.0) as usize)
}

/// `count` elements of `arange(start, …, step)` from element `first` on, as NumPy computes them: `start + i * delta`, with
/// `delta` the difference of the first two elements in that dtype. Integers wrap.
pub fn arange(dtype: DType, start: &Value, step: &Value, first: usize, count: usize) -> Result<Block> {
    if dtype.is_integer()
        && let (Some(start), Some(step)) = (start.as_int(), step.as_int())
    {
        let from = start.wrapping_add((first as i64).wrapping_mul(step));
        let mut block = Block::alloc(DType::I64, &[count]);
        let elements = block.as_mut_slice::<i64>();
        elements.iter_mut().zip(0i64..).for_each(|(x, i)| *x = from.wrapping_add(i.wrapping_mul(step)));
        return block.cast(dtype);
    }
    let (start, step) = (real(start)?, real(step)?);
    // What NumPy fills in floats of half the width it also computes so.
    let narrow = |x: f64| if matches!(dtype, DType::F32 | DType::C64) { f64::from(x as f32) } else { x };
    let whole = |x: f64| if dtype.is_integer() { x.trunc() } else { narrow(x) };
    let (zeroth, delta) = (whole(start), whole(start + step) - whole(start));
    let mut block = Block::alloc(DType::F64, &[count]);
    let elements = block.as_mut_slice::<f64>();
    elements.iter_mut().zip(first..).for_each(|(x, i)| *x = zeroth + i as f64 * narrow(delta));
    block.cast(dtype)
}

/// `count` elements of `linspace(start, stop, num)` from element `first` on.
pub fn linspace(
    dtype: DType,
    start: f64,
    stop: f64,
    num: usize,
    endpoint: bool,
    first: usize,
    count: usize,
) -> Result<Block> {
    let parts = if endpoint { num.saturating_sub(1) } else { num };
    let delta = stop - start;
    let step = delta / parts as f64;
    let at = |i: usize| {
        if endpoint && num > 1 && i == num - 1 {
            stop
        } else if parts == 0 {
            start + i as f64 * delta
        } else if step == 0.0 {
            // The step is too small for a float, or there is no distance.
            start + i as f64 / parts as f64 * delta
        } else {
            start + i as f64 * step
        }
    };
    let mut block = Block::alloc(DType::F64, &[count]);
    let elements = block.as_mut_slice::<f64>();
    // NumPy floors what it gives as integers.
    let whole = |x: f64| if dtype.is_integer() { x.floor() } else { x };
    elements.iter_mut().zip(first..).for_each(|(x, i)| *x = whole(at(i)));
    block.cast(dtype)
}

/// The block at `origin` of that shape of a matrix with ones on its `k`-th diagonal.
pub fn eye(dtype: DType, origin: [usize; 2], shape: [usize; 2], k: i64) -> Result<Block> {
    let one = scalar(dtype, &Value::Int(1))?;
    let mut block = Block::zeros(dtype, &shape);
    with_dtype!(dtype, T => {
        let one = one.get::<T>(&[]);
        let elements = block.as_mut_slice::<T>();
        for row in 0..shape[0] {
            let column = (origin[0] + row) as i128 + i128::from(k) - origin[1] as i128;
            if (0..shape[1] as i128).contains(&column) {
                elements[row * shape[1] + column as usize] = one;
            }
        }
    });
    Ok(block)
}

/// The complex numbers of two vectors of float64, as long as each other.
pub fn complex(re: &Block, im: &Block) -> Block {
    let (re, im) = (re.view::<f64>(), im.view::<f64>());
    let elements: Vec<Complex64> = re.iter().zip(&im).map(|(&re, &im)| Complex64::new(re, im)).collect();
    Block::from_slice(&[elements.len()], &elements)
}

/// The array that nested lists of numbers (and blocks) are, in the dtype asked for or the one that `numpy.array` would choose:
/// what all of them promote to, with plain numbers as int64, float64 and so on. Ragged lists are `dsk::shape`, what is not a
/// number is `dsk::type`. No elements are float64.
pub fn from_value(value: &Value, dtype: Option<DType>) -> Result<Block> {
    match value {
        Value::Block(b) => return dtype.map_or_else(|| Ok((**b).clone()), |d| b.cast(d)),
        Value::List(_) => {}
        number => return element(dtype.unwrap_or(value_dtype(number)), number),
    }
    let mut shape = Dims::new();
    let mut found = None;
    survey(value, 0, &mut shape, &mut found, &mut true)?;
    let dtype = dtype.or(found).unwrap_or(DType::F64);
    let mut block = Block::alloc(dtype, &shape);
    with_dtype!(dtype, T => {
        let elements = block.as_mut_slice::<T>();
        write(value, &mut elements.iter_mut())?;
    });
    Ok(block)
}

/// Nesting that NumPy allows in an array.
const MAX_AXES: usize = 64;

/// Finds shape and dtype of nested lists. `first` is true until the first element at full depth has been seen.
fn survey(value: &Value, depth: usize, shape: &mut Dims, dtype: &mut Option<DType>, first: &mut bool) -> Result<()> {
    let ragged = |found: &str, expected: &str| {
        err!(Shape, "nested lists do not make an array: found {found} where there is {expected} before")
    };
    let lengths: Dims = match value {
        Value::List(items) => {
            if depth >= MAX_AXES {
                return Err(err!(Limit, "arrays have at most {MAX_AXES} axes"));
            }
            if *first {
                shape.push(items.len());
            } else if shape.get(depth) != Some(&items.len()) {
                let expected = shape.get(depth).map_or("a number".into(), |n| format!("a list of {n}"));
                return Err(ragged(&format!("a list of {}", items.len()), &expected));
            }
            for item in items.iter() {
                deep(|| survey(item, depth + 1, shape, dtype, first))?;
            }
            if items.is_empty() {
                *first = false;
            }
            return Ok(());
        }
        Value::Block(b) => Dims::from_slice(b.shape()),
        number if number.number_kind().is_some() || wide(number).is_some() => Dims::new(),
        other => return Err(err!(Type, "{} cannot be an element of an array", other.a_type_name())),
    };
    if *first {
        shape.extend_from_slice(&lengths);
        *first = false;
    } else if shape[depth.min(shape.len())..] != lengths[..] {
        let found = if lengths.is_empty() {
            "a number".into()
        } else {
            format!("an array of shape {}", crate::text::shape(&lengths))
        };
        return Err(ragged(&found, &format!("a list of {}", shape.get(depth).copied().unwrap_or(0))));
    }
    let own = value_dtype(value);
    *dtype = Some(dtype.map_or(own, |d| d.promote(own)));
    Ok(())
}

fn write<'a, T: Element>(value: &Value, to: &mut impl Iterator<Item = &'a mut T>) -> Result<()> {
    match value {
        Value::List(items) => items.iter().try_for_each(|item| deep(|| write(item, to))),
        Value::Block(b) => {
            let block = b.cast(T::DTYPE)?;
            block.view::<T>().iter().zip(to).for_each(|(&x, to)| *to = x);
            Ok(())
        }
        number => {
            let x = element(T::DTYPE, number)?.get::<T>(&[]);
            to.next().map(|to| *to = x).ok_or_else(|| err!(Internal, "a list has more elements than its shape"))
        }
    }
}

/// The elements as nested lists of plain numbers; of a 0-d block its number. (A uint64 beyond int64 stays a 0-d array.)
pub fn to_value(block: &Block) -> Value {
    if block.ndim() == 0 {
        return block.item();
    }
    let rows = (0..block.shape()[0]).map(|i| to_value(&block.take_axis(0, i)));
    Value::List(List::from(rows.collect::<Vec<_>>()).into())
}
