//! Arithmetic and comparison of plain values: numbers by Python's rules with 64-bit checked integers, strings, and equality of
//! everything. What arrays are part of is `kernel::elementwise`'s.

use crate::data::{Complex64, DType, Value, cancel, task::deep};
use crate::err;
use crate::kernel::create;
use crate::kernel::elementwise::{self, Binary, Unary};
use crate::text::{Error, Result};
use std::cmp::Ordering;

/// A plain number on the way through an operation.
#[derive(Clone, Copy)]
enum Number {
    Bool(bool),
    Int(i64),
    Float(f64),
    Complex(Complex64),
}

impl Number {
    fn of(value: &Value) -> Option<Number> {
        Some(match value {
            Value::Bool(b) => Number::Bool(*b),
            Value::Int(n) => Number::Int(*n),
            Value::Float(x) => Number::Float(*x),
            Value::Complex(c) => Number::Complex(**c),
            _ => return None,
        })
    }

    fn int(self) -> Option<i64> {
        match self {
            Number::Bool(b) => Some(b.into()),
            Number::Int(n) => Some(n),
            _ => None,
        }
    }

    fn float(self) -> Option<f64> {
        match self {
            Number::Float(x) => Some(x),
            other => other.int().map(|n| n as f64),
        }
    }

    fn complex(self) -> Complex64 {
        match self {
            Number::Complex(c) => c,
            other => other.float().unwrap_or(f64::NAN).into(),
        }
    }
}

fn overflow(op: Binary, a: i64, b: i64) -> Error {
    let sign = match op {
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Power => "**",
        Binary::FloorDivide => "//",
        other => other.name(),
    };
    let error = err!(Overflow, "`({sign} {a} {b})` is beyond 64-bit integers");
    match op {
        // These are of integers only.
        Binary::Gcd | Binary::Lcm => error,
        Binary::LeftShift => error.help(format!("floats go further: `(* {a} (** 2.0 {b}))`")),
        _ => error.help(format!("floats go further: `({sign} {a}.0 {b})`")),
    }
}

fn zero_division(op: Binary) -> Error {
    let what = match op {
        Binary::Mod | Binary::Fmod => "the remainder of a division by zero",
        _ => "a number divided by zero",
    };
    err!(Value, "{what} has no value").help("arrays divide by zero as NumPy does: `inf`, `nan`, 0 for integers")
}

/// The operation on two values none of which is an array.
pub fn binary(op: Binary, a: &Value, b: &Value) -> Result<Value> {
    match (a, b) {
        (Value::Int(x), Value::Int(y)) => {
            let whole = match op {
                Binary::Add => x.checked_add(*y),
                Binary::Subtract => x.checked_sub(*y),
                Binary::Multiply => x.checked_mul(*y),
                _ => None,
            };
            if let Some(n) = whole {
                return Ok(Value::Int(n));
            }
        }
        (Value::Float(x), Value::Float(y)) => match op {
            Binary::Add => return Ok(Value::Float(x + y)),
            Binary::Subtract => return Ok(Value::Float(x - y)),
            Binary::Multiply => return Ok(Value::Float(x * y)),
            _ => {}
        },
        _ => {}
    }
    if let (Some(x), Some(y)) = (Number::of(a), Number::of(b)) {
        return numbers(op, x, y, a, b);
    }
    match op {
        Binary::Equal => return Ok(Value::Bool(a.same_key(b))),
        Binary::NotEqual => return Ok(Value::Bool(!a.same_key(b))),
        Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => {
            if let Some(order) = compare(a, b) {
                return Ok(Value::Bool(holds(op, order)));
            }
        }
        Binary::Maximum | Binary::Minimum => {
            if let Some(order) = compare(a, b) {
                let first = if op == Binary::Maximum { order.is_ge() } else { order.is_le() };
                return Ok(if first { a.clone() } else { b.clone() });
            }
        }
        Binary::Add => {
            if let (Value::Str(x), Value::Str(y)) = (a, b) {
                super::sequence::check_text(x.len() + y.len())?;
                return Ok(Value::str(format!("{x}{y}")));
            }
        }
        _ => {}
    }
    Err(mismatch(op, a, b))
}

fn mismatch(op: Binary, a: &Value, b: &Value) -> Error {
    let error = err!(Type, "`{}` does not take {} and {}", op.name(), a.a_type_name(), b.a_type_name());
    match (op, a, b) {
        (Binary::Add, Value::Str(_), _) | (Binary::Add, _, Value::Str(_)) => {
            error.help("`(str a b)` puts any values together as text")
        }
        (Binary::Add, Value::List(_), Value::List(_)) => {
            error.help("`(concat a b)` joins lists; `(array a)` makes an array, which adds element by element")
        }
        (_, Value::List(_), _) | (_, _, Value::List(_)) => {
            error.help("`(array [1 2 3])` makes an array of a list, which computes element by element")
        }
        _ => error,
    }
}

fn holds(op: Binary, order: Ordering) -> bool {
    match op {
        Binary::Less => order.is_lt(),
        Binary::LessEqual => order.is_le(),
        Binary::Greater => order.is_gt(),
        Binary::GreaterEqual => order.is_ge(),
        Binary::Equal => order.is_eq(),
        _ => order.is_ne(),
    }
}

/// The order of two values, where they have one: numbers, strings, keywords, bools, and lists of them element by element.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Str(a) | Value::Keyword(a), Value::Str(b) | Value::Keyword(b)) => Some(a.as_str().cmp(b.as_str())),
        (Value::List(_), Value::List(_)) if cancel::cancelled() => None,
        (Value::List(a), Value::List(b)) => deep(|| {
            for (a, b) in a.iter().zip(b.iter()) {
                match compare(a, b)? {
                    Ordering::Equal => {}
                    order => return Some(order),
                }
            }
            Some(a.len().cmp(&b.len()))
        }),
        _ => {
            let plain = |v: &Value| Number::of(&v.clone().plain());
            match (whole(a), whole(b)) {
                (Some(x), Some(y)) => Some(x.cmp(&y)),
                (Some(x), None) => int_float(x, plain(b)?.float()?),
                (None, Some(y)) => int_float(y, plain(a)?.float()?).map(Ordering::reverse),
                _ => plain(a)?.float()?.partial_cmp(&plain(b)?.float()?),
            }
        }
    }
}

/// An integer of any size, which of uint64 has no other value than an array of no axes.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Block(b) if b.ndim() == 0 && b.dtype() == DType::U64 => {
            b.contiguous().as_slice::<u64>().and_then(|x| x.first().copied()).map(i128::from)
        }
        other => Number::of(&other.clone().plain())?.int().map(i128::from),
    }
}

/// An integer against a float, exactly: beyond 2^53 a conversion would call neighbours equal.
fn int_float(a: i128, b: f64) -> Option<Ordering> {
    if b.is_nan() {
        return None;
    }
    // Of floats beyond i128 the conversion is its end, which is beyond all integers that there are.
    let whole = b.floor();
    Some(a.cmp(&(whole as i128)).then(if b > whole { Ordering::Less } else { Ordering::Equal }))
}

fn numbers(op: Binary, x: Number, y: Number, a: &Value, b: &Value) -> Result<Value> {
    use Binary::*;
    match op {
        Equal => return Ok(Value::Bool(a.same_key(b) || same_with_bool(x, y))),
        NotEqual => return Ok(Value::Bool(!(a.same_key(b) || same_with_bool(x, y)))),
        Less | LessEqual | Greater | GreaterEqual => {
            let complex = matches!(x, Number::Complex(_)) || matches!(y, Number::Complex(_));
            return match compare(a, b) {
                Some(order) => Ok(Value::Bool(holds(op, order))),
                None if complex => Err(mismatch(op, a, b)),
                None => Ok(Value::Bool(false)),
            };
        }
        _ => {}
    }
    if let (Some(m), Some(n)) = (x.int(), y.int())
        && !(matches!((x, y), (Number::Bool(_), Number::Bool(_))) && of_bools(op))
        && let Some(result) = integers(op, m, n)?
    {
        return Ok(result);
    }
    if let (Some(p), Some(q)) = (x.float(), y.float()) {
        match op {
            Add => return Ok(Value::Float(p + q)),
            Subtract => return Ok(Value::Float(p - q)),
            Multiply => return Ok(Value::Float(p * q)),
            Divide | FloorDivide | Mod | Fmod if q == 0.0 => return Err(zero_division(op)),
            Divide => return Ok(Value::Float(p / q)),
            Power if p == 0.0 && q < 0.0 => return Err(zero_division(op)),
            // A root of a negative number is complex, as in Python.
            Power if p < 0.0 && q.fract() != 0.0 && q.is_finite() => {
                let power = Complex64::from(p).powf(q);
                return Ok(Value::complex(power.re, power.im));
            }
            Power => return Ok(Value::Float(p.powf(q))),
            _ => {}
        }
    } else {
        let (p, q) = (x.complex(), y.complex());
        match op {
            Divide if q == Complex64::ZERO => return Err(zero_division(op)),
            Power if q == Complex64::ZERO => return Ok(Value::complex(1.0, 0.0)),
            Power if p == Complex64::ZERO => return Ok(Value::complex(0.0, 0.0)),
            Add | Subtract | Multiply | Divide | Power => {
                let c = match op {
                    Add => p + q,
                    Subtract => p - q,
                    Multiply => p * q,
                    Divide => p / q,
                    _ => whole_power(p, q.re).filter(|_| q.im == 0.0).unwrap_or_else(|| p.powc(q)),
                };
                return Ok(Value::complex(c.re, c.im));
            }
            _ => {}
        }
    }
    let block = |v: &Value| create::from_value(v, None);
    Ok(Value::from(elementwise::binary(op, block(a)?, block(b)?)?).plain())
}

/// `true` is 1 in arithmetic, but not as a map key.
fn same_with_bool(x: Number, y: Number) -> bool {
    match (x, y) {
        (Number::Bool(_), Number::Bool(_)) => false,
        (Number::Bool(_), _) | (_, Number::Bool(_)) => x.complex() == y.complex(),
        _ => false,
    }
}

/// Operations that keep two bools a bool.
fn of_bools(op: Binary) -> bool {
    use Binary::*;
    matches!(
        op,
        Maximum | Minimum | Fmax | Fmin | BitwiseAnd | BitwiseOr | BitwiseXor | LogicalAnd | LogicalOr | LogicalXor
    )
}

fn integers(op: Binary, a: i64, b: i64) -> Result<Option<Value>> {
    use Binary::*;
    let checked = |result: Option<i64>| result.map(Value::Int).ok_or_else(|| overflow(op, a, b));
    Ok(Some(match op {
        Add => checked(a.checked_add(b))?,
        Subtract => checked(a.checked_sub(b))?,
        Multiply => checked(a.checked_mul(b))?,
        Divide | FloorDivide | Mod | Fmod if b == 0 => return Err(zero_division(op)),
        Divide => Value::Float(a as f64 / b as f64),
        FloorDivide => {
            let quotient = a.checked_div(b).ok_or_else(|| overflow(op, a, b))?;
            Value::Int(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
        }
        Mod => {
            let rest = a.wrapping_rem(b);
            Value::Int(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
        }
        Fmod => Value::Int(a.wrapping_rem(b)),
        Power if b < 0 && a == 0 => return Err(zero_division(op)),
        Power if b < 0 => Value::Float((a as f64).powf(b as f64)),
        Power => checked(u32::try_from(b).ok().map_or_else(
            || match a {
                0 | 1 => Some(a),
                -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
                _ => None,
            },
            |b| a.checked_pow(b),
        ))?,
        Maximum => Value::Int(a.max(b)),
        Minimum => Value::Int(a.min(b)),
        BitwiseAnd => Value::Int(a & b),
        BitwiseOr => Value::Int(a | b),
        BitwiseXor => Value::Int(a ^ b),
        LeftShift if b < 0 => return Err(err!(Value, "a shift by {b} bits")),
        RightShift if b < 0 => return Err(err!(Value, "a shift by {b} bits")),
        LeftShift => {
            let shifted = if b < 64 { Some(a << b).filter(|s| s >> b == a) } else { (a == 0).then_some(0) };
            checked(shifted)?
        }
        RightShift => Value::Int(a >> b.min(63)),
        Gcd => checked(i64::try_from(gcd(a.unsigned_abs(), b.unsigned_abs())).ok())?,
        Lcm if a == 0 || b == 0 => Value::Int(0),
        Lcm => {
            let (a, b) = (a.unsigned_abs(), b.unsigned_abs());
            checked((a / gcd(a, b)).checked_mul(b).and_then(|n| i64::try_from(n).ok()))?
        }
        _ => return Ok(None),
    }))
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A plain number rounded to a number of decimals, halves to even; negative ones round before the point. Of an integer an
/// integer. `None` for what is no real number.
pub fn round(x: &Value, decimals: i64) -> Option<Result<Value>> {
    match *x {
        Value::Int(n) => Some(round_int(n, decimals)),
        // So many places are none, or all: a power of ten as large is no float.
        Value::Float(_) if decimals > 308 => Some(Ok(x.clone())),
        Value::Float(f) if decimals < -308 && f.is_finite() => Some(Ok(Value::Float(0.0f64.copysign(f)))),
        _ => None,
    }
}

fn round_int(n: i64, decimals: i64) -> Result<Value> {
    // Half of 10^20 is more than any integer.
    let Ok(places) = u32::try_from(-decimals.clamp(-20, 0)) else { return Ok(Value::Int(n)) };
    let unit = 10i128.pow(places);
    let (whole, rest) = (i128::from(n).div_euclid(unit), i128::from(n).rem_euclid(unit));
    let up = match (rest * 2).cmp(&unit) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => whole % 2 != 0,
    };
    let rounded = (whole + i128::from(up)) * unit;
    i64::try_from(rounded).map(Value::Int).map_err(|_| {
        err!(Overflow, "`(round {n} {decimals})` is beyond 64-bit integers")
            .help(format!("floats go further: `(round {n}.0 {decimals})`"))
    })
}

/// A complex number to a whole power, by multiplying, as Python has it up to 100: exact where the parts are small
/// integers.
fn whole_power(x: Complex64, exponent: f64) -> Option<Complex64> {
    if exponent.fract() != 0.0 || exponent.abs() > 100.0 {
        return None;
    }
    let (mut base, mut left, mut power) = (x, exponent.abs() as u32, Complex64::ONE);
    while left > 0 {
        if left & 1 == 1 {
            power *= base;
        }
        base *= base;
        left >>= 1;
    }
    Some(if exponent < 0.0 { Complex64::ONE / power } else { power })
}

/// The operation on one plain number.
pub fn unary(op: Unary, x: &Value) -> Result<Value> {
    let number = Number::of(x).ok_or_else(|| err!(Type, "`{}` does not take {}", op.name(), x.a_type_name()))?;
    match (op, number) {
        (Unary::Negative | Unary::Absolute, Number::Int(i64::MIN)) => {
            Err(err!(Overflow, "`{}` of {} is beyond 64-bit integers", op.name(), i64::MIN)
                .help("floats go further: `(float x)`"))
        }
        (Unary::Square, Number::Int(n)) => integers(Binary::Multiply, n, n).map(Option::unwrap_or_default),
        // Python's, where NumPy's integer reciprocal is 0.
        (Unary::Reciprocal, Number::Int(_) | Number::Bool(_)) => binary(Binary::Divide, &Value::Int(1), x),
        (Unary::Negative | Unary::Positive | Unary::Absolute, Number::Bool(b)) => {
            let n = i64::from(b);
            Ok(Value::Int(if op == Unary::Negative { -n } else { n }))
        }
        // Whole numbers stay whole, as `math.floor` has it.
        (Unary::Rint, Number::Int(_)) => Ok(x.clone()),
        _ => Ok(Value::from(elementwise::unary(op, create::from_value(x, None)?)?).plain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Code;

    fn int(op: Binary, a: i64, b: i64) -> Result<Value, Code> {
        binary(op, &Value::Int(a), &Value::Int(b)).map_err(|e| e.code())
    }

    #[test]
    fn integers_follow_python_and_never_wrap() {
        use Binary::*;
        for (op, a, b, want) in [
            (FloorDivide, -7, 2, -4),
            (FloorDivide, 7, -2, -4),
            (Mod, -7, 3, 2),
            (Mod, 7, -3, -2),
            (Power, -1, i64::MAX, -1),
            (RightShift, -8, 99, -1),
        ] {
            assert!(int(op, a, b).is_ok_and(|v| v.same(&Value::Int(want))), "{op:?} {a} {b}");
        }
        for (op, a, b) in [(Lcm, i64::MAX, 2), (Lcm, 1 << 62, 3), (Gcd, i64::MIN, 0), (Lcm, i64::MIN, 1)] {
            assert_eq!(int(op, a, b).err(), Some(Code::Overflow), "{op:?} {a} {b}");
        }
        for (op, a, b, want) in
            [(Gcd, i64::MIN, 6, 2), (Lcm, i64::MAX, i64::MAX, i64::MAX), (Lcm, -4, 6, 12), (Lcm, 0, 5, 0)]
        {
            assert!(int(op, a, b).is_ok_and(|v| v.same(&Value::Int(want))), "{op:?} {a} {b}");
        }
        for (op, a, b) in [(Add, i64::MAX, 1), (Power, 10, 19), (FloorDivide, i64::MIN, -1), (LeftShift, 1, 63)] {
            assert_eq!(int(op, a, b).err(), Some(Code::Overflow), "{op:?} {a} {b}");
        }
        assert!(int(Mod, i64::MIN, -1).is_ok_and(|v| v.same(&Value::Int(0))));
        assert_eq!(int(Divide, 1, 0).err(), Some(Code::Value));
        assert!(int(Power, 2, -1).is_ok_and(|v| v.same(&Value::Float(0.5))));
    }

    #[test]
    fn comparison_is_exact_between_integers_and_floats() {
        let big = (1i64 << 53) + 1;
        assert_eq!(compare(&Value::Int(big), &Value::Float(big as f64)), Some(Ordering::Greater));
        assert_eq!(compare(&Value::Int(i64::MAX), &Value::Float(9.3e18)), Some(Ordering::Less));
        assert_eq!(compare(&Value::Int(0), &Value::Float(f64::NAN)), None);
        assert_eq!(compare(&Value::Int(-2), &Value::Float(-1.5)), Some(Ordering::Less));
    }
    #[test]
    fn integers_are_rounded_exactly() {
        for (n, decimals, want) in [
            (15, -1, Some(20)),
            (25, -1, Some(20)),
            (-15, -1, Some(-20)),
            (-25, -1, Some(-20)),
            (i64::MAX, -19, None),
            (i64::MAX, -20, Some(0)),
            (i64::MAX, -18, Some(9_000_000_000_000_000_000)),
            (15, -400, Some(0)),
            (i64::MAX, i64::MIN, Some(0)),
            ((1 << 53) + 15, -1, Some(9007199254741010)),
            (i64::MAX, i64::MAX, Some(i64::MAX)),
            (i64::MAX, -1, None),
            (i64::MIN, -1, None),
        ] {
            let rounded = round(&Value::Int(n), decimals).unwrap().map_err(|e| e.code());
            match want {
                Some(want) => assert!(rounded.is_ok_and(|v| v.same(&Value::Int(want))), "{n} {decimals}"),
                None => assert_eq!(rounded.err(), Some(Code::Overflow), "{n} {decimals}"),
            }
        }
    }

    #[test]
    fn whole_powers_of_complex_numbers_are_products() {
        let power = |re: f64, im: f64, n: i64| binary(Binary::Power, &Value::complex(re, im), &Value::Int(n)).unwrap();
        assert!(power(0.0, 1.0, 2).same(&Value::complex(-1.0, 0.0)));
        assert!(power(0.0, 2.0, 3).same(&Value::complex(-0.0, -8.0)));
        assert!(power(1.0, 2.0, 5).same(&Value::complex(41.0, -38.0)));
        assert!(power(0.0, 2.0, -2).same(&Value::complex(-0.25, -0.0)), "{:?}", power(0.0, 2.0, -2));
    }
}
