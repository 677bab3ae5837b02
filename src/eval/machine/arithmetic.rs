//! Arithmetic and comparison of plain numbers, in place. What is not of two numbers here is left to the ops.

use crate::data::Value;
use std::ptr;

/// Puts a plain value into a register. It is put together there: a value that is written in parts and then copied whole
/// makes the processor wait for the parts.
macro_rules! put {
    ($slot:expr, $variant:ident, $value:expr) => {{
        let value = $value;
        let slot: *mut Value = $slot;
        if super::counted(&*slot) {
            ptr::drop_in_place(slot);
        }
        ptr::write(slot, Value::$variant(value));
    }};
}
pub(super) use put;

/// The operation, if both operands are numbers and the result is one that the machine has: whether it was done.
///
/// # Safety
/// The three are registers of the window that runs.
#[inline(always)]
pub(super) unsafe fn binary(
    to: *mut Value,
    a: *const Value,
    b: *const Value,
    int: impl Fn(i64, i64) -> Option<i64>,
    float: impl Fn(f64, f64) -> f64,
) -> bool {
    // SAFETY: by contract.
    unsafe {
        match (&*a, &*b) {
            (&Value::Int(a), &Value::Int(b)) => match int(a, b) {
                Some(n) => put!(to, Int, n),
                None => return false,
            },
            (&Value::Float(a), &Value::Float(b)) => put!(to, Float, float(a, b)),
            (&Value::Float(a), &Value::Int(b)) => put!(to, Float, float(a, b as f64)),
            (&Value::Int(a), &Value::Float(b)) => put!(to, Float, float(a as f64, b)),
            _ => return false,
        }
    }
    true
}

/// The same with a number that stands in the instruction.
///
/// # Safety
/// As for [`binary`].
#[inline(always)]
pub(super) unsafe fn binary_int(
    to: *mut Value,
    a: *const Value,
    b: i16,
    int: impl Fn(i64, i64) -> Option<i64>,
    float: impl Fn(f64, f64) -> f64,
) -> bool {
    // SAFETY: by contract.
    unsafe {
        match *a {
            Value::Int(a) => match int(a, b.into()) {
                Some(n) => put!(to, Int, n),
                None => return false,
            },
            Value::Float(a) => put!(to, Float, float(a, b.into())),
            _ => return false,
        }
    }
    true
}

/// Division rounded down, or the remainder that belongs to it, by a positive integer.
///
/// # Safety
/// As for [`binary`].
#[inline(always)]
pub(super) unsafe fn whole(to: *mut Value, a: *const Value, b: i64, int: impl Fn(i64, i64) -> i64) -> bool {
    // SAFETY: by contract.
    unsafe {
        match *a {
            Value::Int(a) if b > 0 => put!(to, Int, int(a, b)),
            _ => return false,
        }
    }
    true
}

/// Division of two numbers, if it has a result.
///
/// # Safety
/// As for [`binary`].
#[inline(always)]
pub(super) unsafe fn divide(to: *mut Value, a: *const Value, b: *const Value) -> bool {
    // SAFETY: by contract.
    unsafe {
        match (&*a, &*b) {
            (&Value::Int(a), &Value::Int(b)) if b != 0 => put!(to, Float, a as f64 / b as f64),
            (&Value::Float(a), &Value::Float(b)) if b != 0.0 => put!(to, Float, a / b),
            _ => return false,
        }
    }
    true
}

/// Whether a comparison of two numbers of a kind holds; `None` for everything else.
#[inline(always)]
pub(super) fn compare(
    a: &Value,
    b: &Value,
    int: impl Fn(&i64, &i64) -> bool,
    float: impl Fn(&f64, &f64) -> bool,
) -> Option<bool> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(int(a, b)),
        (Value::Float(a), Value::Float(b)) => Some(float(a, b)),
        _ => None,
    }
}

/// The same with a number that stands in the instruction.
#[inline(always)]
pub(super) fn compare_int(
    a: &Value,
    b: i16,
    int: impl Fn(&i64, &i64) -> bool,
    float: impl Fn(&f64, &f64) -> bool,
) -> Option<bool> {
    match a {
        Value::Int(a) => Some(int(a, &b.into())),
        Value::Float(a) => Some(float(a, &b.into())),
        _ => None,
    }
}
