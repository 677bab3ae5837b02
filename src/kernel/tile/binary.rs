//! Kernels of two and three arguments.

use super::complex::{self, Arithmetic, C};
use super::math::{Elementary, elementary2};
use super::scalar::{Integer, Real};
use super::{
    Kernel, checked2, loop2_but, math, of_bits, of_complex, of_floats, of_integers, scalar2, vector2, vector3,
};
use crate::data::{DType, Kind};
use crate::kernel::elementwise::Binary;
use num_complex::Complex;

/// The kernel of `op` on two arguments of that (compute) dtype; `None` for what [`Binary::rule`] refuses and for what others
/// stand in for: `greater` (`less` of swapped arguments), the logical operations on anything but bool.
pub fn binary(op: Binary, dtype: DType) -> Option<Kernel> {
    Some(match dtype.kind() {
        Kind::Bool => bools(op)?,
        Kind::UInt | Kind::Int => integers(op, dtype)?,
        Kind::Float => floats(op, dtype)?,
        Kind::Complex => complexes(op, dtype)?,
    })
}

/// Element by element one of two, by a mask of bools. By bits, not by `if`: of two values in memory the compiler would pick the
/// address and then load what is there, one by one.
pub fn where_(dtype: DType) -> Kernel {
    macro_rules! of {
        ($T:ty) => {
            vector3(|c: u8, a: $T, b: $T| b ^ ((a ^ b) & <$T>::from(c).wrapping_neg()))
        };
    }
    match dtype.size() {
        1 => of!(u8),
        2 => of!(u16),
        4 => of!(u32),
        8 => of!(u64),
        _ => vector3(|c: u8, a: [u64; 2], b: [u64; 2]| {
            let mask = u64::from(c).wrapping_neg();
            [b[0] ^ ((a[0] ^ b[0]) & mask), b[1] ^ ((a[1] ^ b[1]) & mask)]
        }),
    }
}

/// Compares int64 with uint64 exactly. `Greater` and `GreaterEqual` too.
pub fn mixed_comparison(op: Binary, signed_first: bool) -> Option<Kernel> {
    use Binary::*;
    macro_rules! both {
        ($op:tt) => {
            if signed_first {
                vector2(|a: i64, b: u64| u8::from(i128::from(a) $op i128::from(b)))
            } else {
                vector2(|a: u64, b: i64| u8::from(i128::from(a) $op i128::from(b)))
            }
        };
    }
    Some(match op {
        Equal => both!(==),
        NotEqual => both!(!=),
        Less => both!(<),
        LessEqual => both!(<=),
        Greater => both!(>),
        GreaterEqual => both!(>=),
        _ => return None,
    })
}

fn bools(op: Binary) -> Option<Kernel> {
    use Binary::*;
    Some(match op {
        Add | Maximum | Fmax | LogicalOr | BitwiseOr => vector2(|a: u8, b: u8| a | b),
        Multiply | Minimum | Fmin | LogicalAnd | BitwiseAnd => vector2(|a: u8, b: u8| a & b),
        NotEqual | LogicalXor | BitwiseXor => vector2(|a: u8, b: u8| a ^ b),
        Equal => vector2(|a: u8, b: u8| a ^ b ^ 1),
        Less => vector2(|a: u8, b: u8| (a ^ 1) & b),
        LessEqual => vector2(|a: u8, b: u8| (a ^ 1) | b),
        _ => return None,
    })
}

fn integers(op: Binary, dtype: DType) -> Option<Kernel> {
    use Binary::*;
    macro_rules! bits {
        (|$a:ident, $b:ident, $T:ident| $value:expr) => { of_bits!(dtype, $T => vector2(|$a: $T, $b: $T| $value)) };
    }
    macro_rules! vector {
        (|$a:ident, $b:ident, $T:ident| $value:expr) => { of_integers!(dtype, $T => vector2(|$a: $T, $b: $T| $value)) };
    }
    macro_rules! scalar {
        (|$a:ident, $b:ident, $T:ident| $value:expr) => { of_integers!(dtype, $T => scalar2(|$a: $T, $b: $T| $value)) };
    }
    Some(match op {
        Add => bits!(|a, b, T| a.wrapping_add(b)),
        Subtract => bits!(|a, b, T| a.wrapping_sub(b)),
        Multiply => bits!(|a, b, T| a.wrapping_mul(b)),
        BitwiseAnd => bits!(|a, b, T| a & b),
        BitwiseOr => bits!(|a, b, T| a | b),
        BitwiseXor => bits!(|a, b, T| a ^ b),
        LeftShift => bits!(|a, b, T| a.shift_left(b)),
        RightShift => vector!(|a, b, T| a.shift_right(b)),
        Equal => bits!(|a, b, T| u8::from(a == b)),
        NotEqual => bits!(|a, b, T| u8::from(a != b)),
        Less => vector!(|a, b, T| u8::from(a < b)),
        LessEqual => vector!(|a, b, T| u8::from(a <= b)),
        Maximum | Fmax => vector!(|a, b, T| a.max(b)),
        Minimum | Fmin => vector!(|a, b, T| a.min(b)),
        FloorDivide => scalar!(|a, b, T| a.floor_divide(b)),
        Mod => scalar!(|a, b, T| a.modulo(b)),
        Fmod => scalar!(|a, b, T| a.fmod(b)),
        Power => of_integers!(dtype, T => checked2(|a: T, b: T| a.power(b))),
        Gcd => scalar!(|a, b, T| a.gcd(b)),
        Lcm => scalar!(|a, b, T| a.lcm(b)),
        _ => return None,
    })
}

fn floats(op: Binary, dtype: DType) -> Option<Kernel> {
    use Binary::*;
    macro_rules! vector {
        (|$a:ident, $b:ident, $T:ident| $value:expr) => { of_floats!(dtype, $T => vector2(|$a: $T, $b: $T| $value)) };
    }
    macro_rules! scalar {
        (|$a:ident, $b:ident, $T:ident| $value:expr) => { of_floats!(dtype, $T => scalar2(|$a: $T, $b: $T| $value)) };
    }
    // As in `unary`.
    macro_rules! elementary {
        ($f:ident but $rare:ident => $other:ident) => {
            of_floats!(dtype, T => loop2_but(
                elementary2!($f, T, math::$rare),
                |a: T, b: T| math::$rare(a.into(), b.into()),
                |a: T, b: T| a.$other(b),
            ))
        };
    }
    Some(match op {
        Add => vector!(|a, b, T| a + b),
        Subtract => vector!(|a, b, T| a - b),
        Multiply => vector!(|a, b, T| a * b),
        Divide => vector!(|a, b, T| a / b),
        Maximum => vector!(|a, b, T| Real::maximum(a, b)),
        Minimum => vector!(|a, b, T| Real::minimum(a, b)),
        Fmax => vector!(|a, b, T| a.fmaximum(b)),
        Fmin => vector!(|a, b, T| a.fminimum(b)),
        Copysign => vector!(|a, b, T| a.copysign(b)),
        Equal => vector!(|a, b, T| u8::from(a == b)),
        NotEqual => vector!(|a, b, T| u8::from(a != b)),
        Less => vector!(|a, b, T| u8::from(a < b)),
        LessEqual => vector!(|a, b, T| u8::from(a <= b)),
        FloorDivide => scalar!(|a, b, T| a.floor_divide(b)),
        Mod => scalar!(|a, b, T| a.modulo(b)),
        Fmod => scalar!(|a, b, T| a.fmod(b)),
        Power | FloatPower => elementary!(power but power_is_rare => powf),
        Hypot => scalar!(|a, b, T| a.hypot(b)),
        Arctan2 => elementary!(arctan2 but arctan2_is_rare => atan2),
        Nextafter => scalar!(|a, b, T| a.next_after(b)),
        Logaddexp => scalar!(|a, b, T| a.log_add_exp(b)),
        Logaddexp2 => scalar!(|a, b, T| a.log_add_exp2(b)),
        Heaviside => scalar!(|a, b, T| a.heaviside(b)),
        _ => return None,
    })
}

fn complexes(op: Binary, dtype: DType) -> Option<Kernel> {
    use Binary::*;
    macro_rules! vector {
        (|$a:ident, $b:ident, $T:ident| $value:expr) => {
            of_complex!(dtype, $T => vector2(|$a: Complex<$T>, $b: Complex<$T>| $value))
        };
    }
    macro_rules! scalar {
        (|$a:ident, $b:ident, $T:ident| $value:expr) => {
            of_complex!(dtype, $T => scalar2(|$a: Complex<$T>, $b: Complex<$T>| $value))
        };
    }
    Some(match op {
        Add => vector!(|a, b, T| a + b),
        Subtract => vector!(|a, b, T| a - b),
        Multiply => vector!(|a, b, T| Complex::new(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)),
        Divide => scalar!(|a, b, T| a.divide(b)),
        Maximum => scalar!(|a, b, T| Arithmetic::maximum(a, b)),
        Minimum => scalar!(|a, b, T| Arithmetic::minimum(a, b)),
        Fmax => scalar!(|a, b, T| a.fmaximum(b)),
        Fmin => scalar!(|a, b, T| a.fminimum(b)),
        Equal => vector!(|a, b, T| u8::from((a.re == b.re) & (a.im == b.im))),
        NotEqual => vector!(|a, b, T| u8::from((a.re != b.re) | (a.im != b.im))),
        Less => scalar!(|a, b, T| u8::from(a.less(b))),
        LessEqual => scalar!(|a, b, T| u8::from(a.less_equal(b))),
        Power | FloatPower => match dtype {
            DType::C64 => scalar2(|a: Complex<f32>, b: Complex<f32>| {
                let w = complex::cpow(C::new(a.re.into(), a.im.into()), C::new(b.re.into(), b.im.into()));
                Complex::new(w.re as f32, w.im as f32)
            }),
            _ => scalar2(complex::cpow),
        },
        _ => return None,
    })
}
