//! Kernels that convert between dtypes.

use super::{Kernel, vector1};
use crate::data::{DType, Kind};
use num_complex::Complex;

/// A float truncated to 32 bits, as x86 does it: what does not fit (and `nan`) is the least integer.
#[inline(always)]
fn to_i32(x: f64) -> i32 {
    if x > -2147483649.0 && x < 2147483648.0 { x as i32 } else { i32::MIN }
}

#[inline(always)]
fn to_i64(x: f64) -> i64 {
    if (-9223372036854775808.0..9223372036854775808.0).contains(&x) { x as i64 } else { i64::MIN }
}

/// Negative numbers wrap, as through int64.
#[inline(always)]
fn to_u64(x: f64) -> u64 {
    if x >= 9223372036854775808.0 { x as u64 } else { to_i64(x) as u64 }
}

/// The kernel that converts between two dtypes; `None` where the bits stay the same, or a way over another dtype exists
/// (complex to real goes by the real part, real to complex by a real of the same precision).
pub fn convert(from: DType, to: DType) -> Option<Kernel> {
    use DType::*;
    macro_rules! to_integer {
        ($T:ident) => {
            match to {
                I8 | U8 => vector1(|x: $T| to_i32(x.into()) as u8),
                I16 | U16 => vector1(|x: $T| to_i32(x.into()) as u16),
                I32 => vector1(|x: $T| to_i32(x.into())),
                U32 => vector1(|x: $T| to_i64(x.into()) as u32),
                I64 => vector1(|x: $T| to_i64(x.into())),
                U64 => vector1(|x: $T| to_u64(x.into())),
                Bool => vector1(|x: $T| u8::from(x != 0.0)),
                F32 => vector1(|x: $T| x as f32),
                F64 => vector1(|x: $T| f64::from(x)),
                C64 | C128 => return None,
            }
        };
    }
    macro_rules! from_integer {
        ($T:ident) => {
            match to {
                Bool => vector1(|x: $T| u8::from(x != 0)),
                I8 | U8 => vector1(|x: $T| x as u8),
                I16 | U16 => vector1(|x: $T| x as u16),
                I32 | U32 => vector1(|x: $T| x as u32),
                I64 | U64 => vector1(|x: $T| x as u64),
                F32 => vector1(|x: $T| x as f32),
                F64 => vector1(|x: $T| x as f64),
                C64 | C128 => return None,
            }
        };
    }
    let same_bits = from.size() == to.size() && from.kind() <= Kind::Int && to.kind() <= Kind::Int && to != Bool;
    if from == to || same_bits {
        return None;
    }
    Some(match (from, to) {
        (F32, C64) => vector1(|x: f32| Complex::new(x, 0.0)),
        (F64, C128) => vector1(|x: f64| Complex::new(x, 0.0)),
        (C64, F32) => vector1(|z: Complex<f32>| z.re),
        (C128, F64) => vector1(|z: Complex<f64>| z.re),
        (C64, C128) => vector1(|z: Complex<f32>| Complex::new(f64::from(z.re), f64::from(z.im))),
        (C128, C64) => vector1(|z: Complex<f64>| Complex::new(z.re as f32, z.im as f32)),
        (C64, Bool) => vector1(|z: Complex<f32>| u8::from((z.re != 0.0) | (z.im != 0.0))),
        (C128, Bool) => vector1(|z: Complex<f64>| u8::from((z.re != 0.0) | (z.im != 0.0))),
        (C64 | C128, _) => return None,
        (F32, _) => to_integer!(f32),
        (F64, _) => to_integer!(f64),
        (Bool | U8, _) => from_integer!(u8),
        (U16, _) => from_integer!(u16),
        (U32, _) => from_integer!(u32),
        (U64, _) => from_integer!(u64),
        (I8, _) => from_integer!(i8),
        (I16, _) => from_integer!(i16),
        (I32, _) => from_integer!(i32),
        (I64, _) => from_integer!(i64),
    })
}
